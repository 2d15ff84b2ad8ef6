# One file copied by many processes: the scripts that give each rank or task its shard, with the
# variables of MPI and Slurm set by hand, and then by Open MPI and a Slurm of one node.

# shellcheck disable=SC2154 # run sets $output and $status
load ../helper

unset OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE PMI_RANK PMI_SIZE SLURM_PROCID SLURM_NTASKS \
    SLURM_STEP_NUM_TASKS SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_MAX \
    SLURM_ARRAY_TASK_COUNT ZSLICE_SHARDS
export ZSLICE
by_rank=$PROJECT/scripts/shard-mpi.sh
by_task=$PROJECT/scripts/shard-slurm.sh

teardown() {
    local name pid pids=() tries
    for name in slurmd slurmctld munged; do
        [ -s "$BATS_TEST_TMPDIR/$name.pid" ] || continue
        pid=$(<"$BATS_TEST_TMPDIR/$name.pid")
        kill "$pid" 2>/dev/null && pids+=("$pid")
    done
    for pid in "${pids[@]}"; do
        for ((tries = 0; tries < 100; tries++)); do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
}

# all_ranks KIND COUNT ARGUMENT...: shard-mpi.sh as COUNT ranks at once, each with its exit status in
# status.RANK and its messages in err.RANK; the variables of rank $limited cannot write beyond 512 KiB.
all_ranks() {
    local kind=$1 count=$2 rank
    shift 2
    for ((rank = 0; rank < count; rank++)); do
        (
            [ "$rank" != "${limited:-}" ] || ulimit -f 512
            code=0
            env "$(rank_variable "$kind")=$rank" "$(size_variable "$kind")=$count" \
                SLURM_STEP_NUM_TASKS="$count" "$by_rank" "$@" 2>err.$rank || code=$?
            echo $code >status.$rank
        ) &
    done
    wait
}

rank_variable() {
    case $1 in openmpi) echo OMPI_COMM_WORLD_RANK ;; pmi) echo PMI_RANK ;; srun) echo SLURM_PROCID ;; esac
}

size_variable() {
    case $1 in openmpi) echo OMPI_COMM_WORLD_SIZE ;; pmi) echo PMI_SIZE ;; srun) echo SLURM_NTASKS ;; esac
}

# failing_program SHARD: ./failing is zslice, but for one shard.
failing_program() {
    cat >failing <<END
#!/bin/sh
case \$1 in --shard=$1) echo "zslice: made to fail" >&2 && exit 3 ;; esac
exec '$ZSLICE' "\$@"
END
    chmod +x failing
}

# expect_refusal SCRIPT REASON [VARIABLE=VALUE]... -- ARGUMENT...: exit status 2, one line with REASON
# on standard error, nothing on standard output, and no target called out.
expect_refusal() {
    local script=$1 reason=$2 variables=()
    shift 2
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    shift
    run --separate-stderr env "${variables[@]}" "$script" "$@"
    if [ "$status" -ne 2 ] || [ -n "$output" ] || [ "${#stderr_lines[@]}" -ne 1 ] ||
        [[ $stderr != "${script##*/}: "*"$reason"* ]] || [ -e out ]; then
        echo "expected status 2 and '$reason', got $status, '$output' and '$stderr'"
        return 1
    fi
}

@test "shard-mpi.sh: each rank copies its shard, by the variables of Open MPI, PMI and srun" {
    local kind size count
    for kind in openmpi pmi srun; do
        for size in 0 3 1048577; do
            random_file in "$size"
            for count in 1 5 8; do
                rm -f out status.*
                all_ranks "$kind" "$count" in out
                [ "$(cat status.* | sort | uniq -c | xargs)" = "$count 0" ]
                [ -z "$(cat err.*)" ]
                expect_same in out
            done
        done
    done
}

@test "shard-mpi.sh: options of zslice, names with blanks, zslice from PATH" {
    random_file 'the source' 1000000
    head -c 900000 'the source' | tail -c +1001 >expected
    all_ranks openmpi 4 'the source' 'the target' --align=4K --offset 1000 --end=900000
    tail -c +1001 'the target' >out
    expect_same expected out
    mkdir folder
    ln -s "$ZSLICE" folder/zslice
    env -u ZSLICE PATH="$PWD/folder:$PATH" PMI_RANK=0 PMI_SIZE=1 "$by_rank" 'the source' again
    expect_same 'the source' again
}

@test "shard-mpi.sh: a shard that fails is seen, and can be run again alone" {
    local limited=6
    random_file in 1048576
    all_ranks pmi 8 in out
    [ "$(cat status.*)" = "$(printf '0\n0\n0\n0\n0\n0\n1\n0')" ]
    grep -F "zslice: out: writing: File too large" err.6
    run -1 cmp in out
    OMPI_COMM_WORLD_RANK=6 OMPI_COMM_WORLD_SIZE=8 "$by_rank" in out
    expect_same in out
}

@test "shard-mpi.sh: mpirun's variables come before Slurm's, which it inherits" {
    random_file in 1000
    SLURM_PROCID=0 SLURM_NTASKS=2 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1 "$by_rank" in out
    expect_same in out
    SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_STEP_NUM_TASKS=2 PMI_RANK=0 PMI_SIZE=1 "$by_rank" in again
    expect_same in again
}

@test "shard-mpi.sh: without a rank, and wrongly used" {
    local rank=(PMI_RANK=0 PMI_SIZE=2)
    random_file in 1000
    expect_refusal "$by_rank" "no rank in the environment" -- in out
    expect_refusal "$by_rank" "usage: " "${rank[@]}" --
    expect_refusal "$by_rank" "usage: " "${rank[@]}" -- in
    expect_refusal "$by_rank" "before the options: '--align=4K'" "${rank[@]}" -- --align=4K in out
    expect_refusal "$by_rank" "must be paths" "${rank[@]}" -- - out
    expect_refusal "$by_rank" "must be paths" "${rank[@]}" -- in -
    expect_refusal "$by_rank" "which shard it is" "${rank[@]}" -- in out --shard=1/3
    expect_refusal "$by_rank" "which shard it is" "${rank[@]}" -- in out --shard 1/3
    expect_refusal "$by_rank" "what the others have written" "${rank[@]}" -- in out --truncate
    expect_refusal "$by_rank" "not two numbers: '0' and ''" PMI_RANK=0 -- in out
    expect_refusal "$by_rank" "not two numbers: 'x' and '2'" PMI_RANK=x PMI_SIZE=2 -- in out
    expect_refusal "$by_rank" "not two numbers: '-1' and '2'" PMI_RANK=-1 PMI_SIZE=2 -- in out
    expect_refusal "$by_rank" "no rank 2 of 2" PMI_RANK=2 PMI_SIZE=2 -- in out
    expect_refusal "$by_rank" "not that of a task of srun" SLURM_PROCID=0 SLURM_NTASKS=2 -- in out
    run -2 --separate-stderr env "${rank[@]}" "$by_rank" in out --unknown
    [[ $stderr == "zslice: "* ]]
}

# all_tasks FIRST COUNT ARGUMENT...: shard-slurm.sh as the tasks of an array at once.
all_tasks() {
    local first=$1 count=$2 id
    shift 2
    for ((id = first; id < first + count; id++)); do
        (
            code=0
            SLURM_ARRAY_TASK_ID=$id SLURM_ARRAY_TASK_MIN=$first SLURM_ARRAY_TASK_COUNT=$count \
                SLURM_ARRAY_TASK_MAX=$((first + count - 1)) "$by_task" "$@" 2>err.$id || code=$?
            echo $code >status.$id
        ) &
    done
    wait
}

@test "shard-slurm.sh: each task copies its shard, whatever id the array starts at" {
    local first
    random_file in 1048577
    for first in 0 1 7 100; do
        rm -f out status.*
        all_tasks "$first" 8 in out --align=4K
        [ "$(cat status.* | sort | uniq -c | xargs)" = "8 0" ]
        expect_same in out
    done
}

@test "shard-slurm.sh: a task that fails is seen, and can be run again alone" {
    random_file in 1048576
    failing_program 5/8
    ZSLICE=$PWD/failing all_tasks 11 8 in out
    [ "$(<status.15)" = 3 ]
    [ "$(cat status.* | sort | uniq -c | xargs)" = "7 0 1 3" ]
    run -1 cmp in out
    SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_MAX=5 SLURM_ARRAY_TASK_COUNT=1 \
        ZSLICE_SHARDS=8 "$by_task" in out --stats=json 2>stats
    [ "$(statistic .bytes)" = 131072 ]
    expect_same in out
}

@test "shard-slurm.sh: outside an array, with ids left out, and wrongly used" {
    local task=(SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=2
        SLURM_ARRAY_TASK_COUNT=2)
    random_file in 1000
    expect_refusal "$by_task" "no SLURM_ARRAY_TASK_ID" -- in out
    expect_refusal "$by_task" "usage: " "${task[@]}" -- in
    expect_refusal "$by_task" "before the options" "${task[@]}" -- -x in out
    expect_refusal "$by_task" "must be paths" "${task[@]}" -- in -
    expect_refusal "$by_task" "which shard it is" "${task[@]}" -- in out --shard=1/3
    expect_refusal "$by_task" "what the others have written" "${task[@]}" -- in out --truncate
    expect_refusal "$by_task" "not all numbers" SLURM_ARRAY_TASK_ID=1 -- in out
    expect_refusal "$by_task" "not all numbers" "${task[@]}" ZSLICE_SHARDS=x -- in out
    expect_refusal "$by_task" "none may be left out" "${task[@]}" SLURM_ARRAY_TASK_MAX=3 -- in out
    expect_refusal "$by_task" "not from 1 to 8" "${task[@]}" SLURM_ARRAY_TASK_ID=9 ZSLICE_SHARDS=8 \
        -- in out
    expect_refusal "$by_task" "not from 1 to 8" "${task[@]}" SLURM_ARRAY_TASK_ID=0 ZSLICE_SHARDS=8 \
        -- in out
}

@test "Open MPI: the shards make the whole, and mpirun's exit status is that of the one that fails" {
    local mpirun
    mpirun=$(command -v mpirun.openmpi) || skip "needs Open MPI"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    random_file in 10000001
    timeout 60 "$mpirun" --oversubscribe -n 4 "$by_rank" in out 3>&-
    expect_same in out

    failing_program 3/4
    rm out
    run -3 env ZSLICE="$PWD/failing" timeout 60 "$mpirun" --oversubscribe -n 4 "$by_rank" in out
    [[ $output == *"zslice: made to fail"* ]]
    run -1 cmp in out
    timeout 60 "$mpirun" --oversubscribe -n 4 "$by_rank" in out 3>&-
    expect_same in out
}

# start_slurm: a Slurm of this machine alone, in the current folder, until teardown.
start_slurm() {
    local ports name tries
    name=$(hostname -s)
    ports=$("$PYTHON" -c 'import socket
ends = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(end.getsockname()[1] for end in ends))')
    mkdir state spool
    (umask 077 && head -c 128 /dev/urandom >key)
    cat >slurm.conf <<END
ClusterName=zslice
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$PWD/munge.socket
StateSaveLocation=$PWD/state
SlurmdSpoolDir=$PWD/spool
SlurmctldPidFile=$PWD/slurmctld.pid
SlurmdPidFile=$PWD/slurmd.pid
SlurmctldLogFile=$PWD/slurmctld.log
SlurmdLogFile=$PWD/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=$name NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP OverSubscribe=FORCE:8
END
    export SLURM_CONF=$PWD/slurm.conf
    munged --force --key-file="$PWD/key" --socket="$PWD/munge.socket" --pid-file="$PWD/munged.pid" \
        --log-file="$PWD/munged.log" --seed-file="$PWD/munge.seed" >daemons.log 2>&1 3>&-
    slurmctld -i >>daemons.log 2>&1 3>&-
    slurmd >>daemons.log 2>&1 3>&-
    for ((tries = 0; tries < 150; tries++)); do
        [ "$(timeout 10 sinfo -h -o %T 2>/dev/null)" != idle ] || return 0
        sleep 0.1
    done
    tail -n 20 daemons.log ./*.log
    return 1
}

@test "Slurm: arrays and srun, and sbatch's exit status is the highest of the tasks" {
    need_root
    use_python
    command -v slurmctld slurmd munged sbatch srun >/dev/null || skip "needs Slurm"
    start_slurm
    random_file in 10000001

    timeout 60 srun -n 4 --overcommit "$by_rank" in out 3>&-
    expect_same in out
    rm out
    timeout 60 sbatch --wait --array=3-6 "$by_task" in out 3>&-
    expect_same in out
    [ -z "$(cat slurm-*.out)" ]

    failing_program 3/4
    rm out
    ZSLICE=$PWD/failing run -3 timeout 60 sbatch --wait --array=1-4 "$by_task" in out
    grep -F "zslice: made to fail" slurm-*_3.out
    run -1 cmp in out
    timeout 60 sbatch --wait --array=3 --export=ALL,ZSLICE_SHARDS=4 "$by_task" in out 3>&-
    expect_same in out

    # A job script is not a task of srun, though it has a rank and a number of tasks.
    run -2 timeout 60 sbatch --wait --ntasks=2 --output=log --wrap "'$by_rank' in new"
    grep -F "start it with srun" log
    [ ! -e new ]
}
