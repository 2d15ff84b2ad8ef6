#!/bin/sh
# Copies one file with all ranks of an MPI job: each rank copies its shard, to the positions it has in
# SOURCE. Also for the tasks of Slurm's srun.
#
#     mpirun -n 8 scripts/shard-mpi.sh SOURCE TARGET [ZSLICE OPTION]...
#     srun -n 8 scripts/shard-mpi.sh SOURCE TARGET [ZSLICE OPTION]...
#
# The program is $ZSLICE, or zslice in PATH. TARGET should not exist, or be no longer than SOURCE.
#
# A shard that fails is seen in the exit status of mpirun and srun. After that repeat the command: Open
# MPI ends the other ranks, too. (Do not have it let them go on with orte_abort_on_non_zero_status 0:
# its exit status is 0 then, whatever fails.) srun lets them go on, so that only those that failed need
# to be repeated; K is 1 more than the rank, which srun --label shows:
#
#     zslice --shard=K/8 --keep-offset SOURCE TARGET [ZSLICE OPTION]...
set -eu

fail() {
    echo "shard-mpi.sh: $*" >&2
    exit 2
}

[ $# -ge 2 ] || fail 'usage: mpirun -n N shard-mpi.sh SOURCE TARGET [ZSLICE OPTION]...'
for word in "$1" "$2"; do
    case $word in
    -) fail 'SOURCE and TARGET must be paths: the ranks do not share a standard input or output' ;;
    -*) fail "SOURCE and TARGET come before the options: '$word'" ;;
    esac
done
for word in "$@"; do
    case $word in
    --shard | --shard=*) fail "$word: the rank says which shard it is" ;;
    --truncate) fail '--truncate: each rank would cut off what the others have written' ;;
    esac
done

# mpirun's variables first: inside a Slurm job it inherits Slurm's, which are not of its ranks.
if [ -n "${OMPI_COMM_WORLD_RANK:-}" ]; then
    names='OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE'
    rank=$OMPI_COMM_WORLD_RANK size=${OMPI_COMM_WORLD_SIZE:-}
elif [ -n "${PMI_RANK:-}" ]; then
    names='PMI_RANK and PMI_SIZE'
    rank=$PMI_RANK size=${PMI_SIZE:-}
elif [ -n "${SLURM_PROCID:-}" ]; then
    # A job script has them, too, with rank 0: alone it would copy the first shard only.
    [ "${SLURM_STEP_NUM_TASKS:-}" = "${SLURM_NTASKS:-}" ] ||
        fail 'SLURM_PROCID is not that of a task of srun: start it with srun or mpirun'
    names='SLURM_PROCID and SLURM_NTASKS'
    rank=$SLURM_PROCID size=${SLURM_NTASKS:-}
else
    fail 'no rank in the environment (OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID): start it with' \
        'mpirun or srun'
fi

for number in "$rank" "$size"; do
    case $number in
    '' | *[!0-9]*) fail "$names are not two numbers: '$rank' and '$size'" ;;
    esac
done
[ "$rank" -lt "$size" ] || fail "$names: there is no rank $rank of $size"

exec "${ZSLICE:-zslice}" --shard="$((rank + 1))/$size" --keep-offset "$@"
