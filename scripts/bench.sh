#!/bin/bash
# Times zslice against its peers and prints a Markdown table of ratios; above 1, zslice is faster.
#
#     scripts/bench.sh [--rounds N] [--size MIB] [--on NAME=FOLDER]... [--output FOLDER] [PART]...
#     scripts/bench.sh --list           the parts; without PART, all of them run
#
# The commands of a comparison run in turn, round by round, each round beginning with another one, so that a machine
# whose speed drifts treats them alike. Before it is timed, each runs once and its result is compared with the bytes
# that it should have. Python programs are timed as whole processes, as everything is.
#
# The target is removed before each run, outside of the time taken. Its dirty pages go with it, and its blocks are
# given back (and discarded, where the disk is mounted so) before the next one starts, so that no run pays for what an
# earlier one left; the source is written back before the first run. A slice of some GiB can be more than the kernel
# lets be dirty (vm.dirty_ratio); what is measured then is the disk, too.
#
# Without --on: a temporary folder, /dev/shm and, for root, loop mounts of the file systems that can be made. Their
# images lie in the temporary folder, and are read and written past its page cache. ZSLICE in the environment is the
# program (build/release/zslice), ROUNDS another default for --rounds (7). --output also keeps the table as bench.md,
# every run in bench.csv and, where gnuplot is, charts. Peers that are not installed are left out.
#
# shellcheck disable=SC2016 # commands are expanded when they run
# shellcheck disable=SC2034 # what a part sets is for the functions and commands that it calls
set -euo pipefail
export LC_ALL=C TIMEFORMAT='%3U %3S'

script=$(realpath "$0")
helpers=$(dirname "$script")/bench
zslice=$(realpath -m "${ZSLICE:-$helpers/../../build/release/zslice}")
rounds=${ROUNDS:-7}
mebibytes=512
folders=() made=() mounts=() loops=() names=() commands=()
missing=' '

say() { echo "bench.sh: $*" >&2; }

fail() {
    say "$*"
    [ ! -s "${scratch-}/errors" ] || tail -n 5 "$scratch/errors" >&2
    exit 1
}

usage() {
    sed -n 's/^#     scripts/scripts/p' "$script" >&2
    exit 2
}

number() {
    [[ $1 =~ ^[1-9][0-9]{0,5}$ ]] || fail "not a number: '$1'"
    echo "$1"
}

# Name, folders and meaning of each part, which stand above its function.
list_parts() { sed -n 's/^# PART //p' "$script"; }

# ---- What this machine has ----

# lacks PROGRAM: as the names of commands begin with it.
lacks() { [[ $missing = *" $1 "* ]]; }

find_peers() {
    local program candidate
    rust_dd=/usr/lib/cargo/bin/coreutils/dd # Debian's; elsewhere there may be one program for all of them
    [ -x "$rust_dd" ] || rust_dd='coreutils dd'
    $rust_dd --version >/dev/null 2>&1 || missing+='rust '

    # A Python that has numpy, if there is one, and itself: what is in PATH may be a slow script in front of it.
    python='' missing+='python numpy '
    for candidate in python3 /usr/bin/python3; do
        candidate=$("$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null) || continue
        python=${python:-$candidate} missing=${missing/ python / }
        "$candidate" -c 'import numpy' 2>/dev/null || continue
        python=$candidate missing=${missing/ numpy / }
        break
    done

    for program in pv busybox xfs_io time strace gnuplot; do
        type -P "$program" >/dev/null || missing+="$program "
    done
    [ "$missing" = ' ' ] || say "not installed, left out:${missing% }"
}

file_system() { df --output=fstype "$1" | tail -n 1; }

# mount_loop KIND: a file system of its own on a sparse file.
mount_loop() {
    local image=$scratch/$1.image mounted=$scratch/$1 device
    type -P "mkfs.$1" >/dev/null && mkdir "$mounted" && truncate -s $((mebibytes * 24 + 512))M "$image" &&
        "mkfs.$1" -q "$image" >/dev/null 2>&1 &&
        device=$(losetup --find --show --direct-io=on "$image" 2>/dev/null) && loops+=("$device") &&
        mount "$device" "$mounted" 2>/dev/null && mounts+=("$mounted") && folders+=("$1 (loop)=$mounted")
}

choose_folders() {
    local kind temporary
    temporary=$(file_system "$scratch")
    folders=("$temporary=$scratch")
    [ "$temporary" = tmpfs ] || [ ! -w /dev/shm ] || folders+=("tmpfs=/dev/shm")
    [ "$(id -u)" -eq 0 ] || return 0
    for kind in xfs btrfs ext4; do
        [ "$kind" = "$temporary" ] || mount_loop "$kind" || say "no loop mount of $kind here"
    done
}

clean_up() {
    local item
    cd /
    # shellcheck disable=SC2046 # one word per job
    kill $(jobs -p) 2>/dev/null || true
    for item in "${made[@]}"; do rm -rf "$item"; done
    for item in "${mounts[@]}"; do umount "$item" || umount --lazy "$item" || true; done
    for item in "${loops[@]}"; do losetup --detach "$item" || true; done
    rm -rf --one-file-system "$scratch"
}

# ---- One run ----

# run COMMAND: leaves $started and $finished, in microseconds. A command that fails ends the benchmark: how long it
# took to fail would look like a result. SIGPIPE (141) is what one gets whose reader, head, has enough.
run() {
    local status=
    started=${EPOCHREALTIME/./} finished=
    eval "$1"$'\nfinished=${EPOCHREALTIME/./} status=${PIPESTATUS[*]}' 2>"$scratch/errors" || true
    [[ $status =~ ^((0|141) )*0$ ]] || fail "status ${status:-unknown} of: $1"
}

# Each take_... COMMAND runs the command and sets $value and $unit.
take_seconds() {
    run "$1"
    printf -v value '%d.%06d' $(((finished - started) / 1000000)) $(((finished - started) % 1000000))
    unit=s
    [ ! -e own ] || { value=$(<own) && rm own; } # what the command says that it took, without its start
}

take_cpu() {
    local timed=${2:-"{ time $1; } 2>meter"}
    run "$timed"
    value=$(awk -v bytes="$length" '{ print ($1 + $2) * 1073741824 / bytes }' meter)
    unit='CPU s/GiB'
}

# Without the reader behind the last pipe.
take_cpu_of_writer() { take_cpu "$1" "{ time ${1% | *}; } 2>meter | ${1##* | }"; }

take_peak() {
    run "command time -f %M -o meter $1"
    value=$(awk '{ print $1 / 1024 }' meter)
    unit=MiB
}

take_calls() {
    run "strace -f -o meter $1"
    value=$(awk -v name="\"$in\"" '/open/ && index($0, name) { on = 1 }
        on && !/resumed>|exit_group\(/ && !/^[0-9]+ (---|\+\+\+)/ { n++ } END { print n + 0 }' meter)
    unit=calls
}

# Each prepare_... makes things ready for one run.
prepare_absent() {
    [ -e "$target" ] || return 0
    rm "$target"
    ((length < 16777216)) || sync -f .
}

prepare_existing() {
    [ -e "$target" ] || head -c "$length" /dev/zero >"$target"
    sync "$target"
}

# Drops the source from the page cache, but not the programs that run, as drop_caches would.
prepare_cold() {
    rm -f "$target"
    dd of="$in" oflag=nocache conv=notrunc,fdatasync count=0 status=none
}

prepare_receiver() {
    rm -f "$target" port
    [ -p received ] || mkfifo received
    "$python" "$helpers/receive.py" "$out" &
    until [ -s port ]; do
        kill -0 $! || fail 'no receiver'
        sleep 0.01
    done
    port=$(<port)
}

# ---- One comparison ----

# add NAME COMMAND: for the next race, if the program that NAME begins with is there.
add() {
    lacks "${1%% *}" || { names+=("$1") && commands+=("$2"); }
}

# check NAME COMMAND: a first run, which also warms up.
check() {
    local out=$target offset=$offset length=$length
    [[ $1 != *'(whole file)' ]] || offset=0 length=$(stat -c %s "$in")
    $prepare
    run "$2"
    rm -f own
    [ "$(stat -c %s "$out")" -eq "$length" ] || fail "the result is not $length bytes: $2"
    [ -z "$expected" ] || cmp <(eval "$expected") "$out" || fail "wrong bytes: $2"
}

# race WORK: takes turns with what was added, and reports.
race() {
    local out=$target round turn i count=${#names[@]} value unit
    [ -z "$discard" ] || out=/dev/null
    : >"$scratch/race"
    for ((i = 0; i < count; i++)); do check "${names[i]}" "${commands[i]}"; done
    for ((round = 0; round < rounds; round++)); do
        for ((turn = 0; turn < count; turn++)); do
            i=$(((round + turn) % count))
            $prepare
            $measure "${commands[i]}"
            printf '"%s","%s","%s","%s",%d,%d,%s,%s\n' "$part" "$system" "$1" "${names[i]}" "$length" \
                $((round + 1)) "$value" "$unit" >>"$scratch/race"
        done
    done
    rm -f "$target"
    cat "$scratch/race" >>"$output/bench.csv"
    awk -f "$helpers/report.awk" "$scratch/race" | tee -a "$output/bench.md"
    names=() commands=()
}

# make_source NAME BYTES: cached, and written back.
make_source() {
    [ ! -e "$1" ] || return 0
    head -c "$2" /dev/urandom >"$1"
    sync "$1"
    cat "$1" >/dev/null
}

# ---- Commands that several parts have ----

# ours [OPTION]
ours() {
    add "zslice${1:+ $1}" '"$zslice" '"${1-}"' --offset "$offset" --length "$length" "$in" "$out"'
}

# dds [OPTION]: every dd at its best.
dds() {
    local name options='bs=1M iflag=skip_bytes,count_bytes skip=$offset count=$length status=none'
    for name in dd 'rust dd' 'busybox dd'; do
        add "$name bs=1M${1:+ $1}" "${name/#rust dd/$rust_dd} if=\$in of=\$out $options ${1-}"
    done
}

default_dd() {
    add 'dd' 'dd if="$in" of="$out" iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none'
}

slices() {
    dds
    add 'tail -c | head -c' 'tail -c +$((offset + 1)) "$in" | head -c "$length" >"$out"'
    add 'python memoryview' '"$python" "$helpers/copy.py" "$in" "$offset" "$length" >"$out"'
}

# copy_range [COMMAND]: within one file system.
copy_range() {
    add "xfs_io copy_range${1:+ $1}" 'xfs_io -f -c "copy_range -s $offset -d 0 -l $length $in" '"${1:+-c $1 }"'"$out"'
}

whole_files() {
    add 'cp --reflink=never (whole file)' 'cp --reflink=never "$in" "$out"'
    add 'cat' '{ head -c "$offset" >/dev/null && cat; } <"$in" >"$out"'
    add 'pv' '{ head -c "$offset" >/dev/null && pv -q; } <"$in" >"$out"'
}

# ---- Parts: name, where it runs (every folder, the first, the first two), meaning. They begin with what run_part sets.

# PART file       every  file to file from byte 1024 on, by one thread, two, and as many as zslice takes
part_file() {
    ours && ours --jobs=1 && ours --jobs=2
    slices && default_dd && whole_files && copy_range
    race 'file to file'
}

# PART cross      two    the same from one file system to another, in both directions
part_cross() {
    local other=${folders[index == 0]} # of the first two, the one that this is not
    folder=$(mktemp -d "${other#*=}/zslice-bench.XXXXXX")
    made+=("$folder")
    target=$folder/out system="$system to ${other%%=*}"
    ours && ours --jobs=1 && ours --jobs=2
    slices && default_dd && whole_files
    race 'file to file'
    rm -rf "$folder"
}

# PART sizes      every  slices of 1 KiB to eight times --size
part_sizes() {
    local name usual=$rounds
    make_source big $((size * 8 + 4096))
    in=big
    for name in 1KiB 1MiB 64MiB 512MiB 4GiB; do
        length=$(numfmt --from=iec-i "${name%B}")
        ((length <= size * 8)) || break
        rounds=$((length > 1 << 20 ? usual : usual * 10)) # short runs scatter more
        ours && slices && copy_range
        race "slice of ${name/%[KMG]iB/ ${name: -3}}"
    done
    rm big
}

# PART existing   every  into a file of the same size that exists, is cached and clean
part_existing() {
    prepare=prepare_existing
    ours '--seek 0' && dds conv=notrunc && copy_range
    race 'file to existing file'
}

# PART sync       every  file to file, until it is on the disk
part_sync() {
    ours --sync && dds conv=fsync && copy_range fsync
    race 'file to file'
}

# PART cold       every  file to file, the source not in the page cache
part_cold() {
    [ "$(file_system .)" != tmpfs ] || return 0
    prepare=prepare_cold
    ours && slices && whole_files && copy_range
    race 'file to file, cold'
}

# PART to-pipe    every  file to pipe
part_to-pipe() {
    offset=0 length=$size discard=1
    add zslice '"$zslice" "$in" | cat >"$out"'
    add cat 'cat "$in" | cat >"$out"'
    add pv 'pv -q "$in" | cat >"$out"'
    add 'dd bs=1M' 'dd if="$in" bs=1M status=none | cat >"$out"'
    add 'python memoryview' '"$python" "$helpers/copy.py" "$in" 0 "$length" | cat >"$out"'
    race 'file to pipe'
}

# PART from-pipe  every  pipe to file
part_from-pipe() {
    offset=0 length=$size
    add zslice 'cat "$in" | "$zslice" >"$out"'
    add cat 'cat "$in" | cat >"$out"'
    add pv 'cat "$in" | pv -q >"$out"'
    add 'dd bs=1M iflag=fullblock' 'cat "$in" | dd bs=1M iflag=fullblock status=none >"$out"'
    race 'pipe to file'
}

# PART pipe-pipe  first  pipe to pipe, from a producer that copies, and from one that does not and is faster
part_pipe-pipe() {
    local producer
    for producer in cat zslice; do
        offset=0 length=$size discard=1
        add zslice "${producer/#zslice/\"\$zslice\"} "'"$in" | "$zslice" | cat >"$out"'
        add cat "${producer/#zslice/\"\$zslice\"} "'"$in" | cat | cat >"$out"'
        add pv "${producer/#zslice/\"\$zslice\"} "'"$in" | pv -q | cat >"$out"'
        race "pipe to pipe, from $producer"
    done
}

# PART tcp        first  file to loopback TCP, until the receiver has everything
part_tcp() {
    local port receiver='>/dev/tcp/127.0.0.1/$port && read -r <received'
    ! lacks python || return 0
    offset=0 length=$size discard=1 prepare=prepare_receiver
    add zslice '"$zslice" "$in" '"$receiver"
    add cat 'cat "$in" '"$receiver"
    add 'python memoryview, mapped' '"$python" "$helpers/copy.py" "$in" 0 "$length" '"$receiver"
    add 'python memoryview, read' '"$python" "$helpers/copy.py" "$in" 0 "$length" read '"$receiver"
    race 'file to TCP'
}

# PART urandom    every  /dev/urandom to file
part_urandom() {
    in=/dev/urandom length=$((size / 2)) expected=
    add zslice '"$zslice" --length "$length" "$in" "$out"'
    add 'dd bs=1M iflag=fullblock' 'dd if="$in" of="$out" bs=1M iflag=fullblock count=$((length >> 20)) status=none'
    add 'head -c' 'head -c "$length" "$in" >"$out"'
    race '/dev/urandom to file'
}

# PART byte       first  a slice of one byte, which is the time of a whole process
part_byte() {
    offset=0 length=1 discard=1 rounds=$((rounds * 30))
    add zslice '"$zslice" --length 1 "$in" "$out"'
    add 'dd bs=1 count=1' 'dd if="$in" of="$out" bs=1 count=1 status=none'
    add 'head -c' 'head -c 1 "$in" >"$out"'
    race 'one byte'
}

# PART dd         every  one line of dd, given to dd and to zdd
part_dd() {
    local blocks zdd operands='if="$in" of="$out" iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none'
    zdd=$(dirname "$zslice")/zdd
    for blocks in bs=512 bs=64K bs=1M; do
        add zslice '"$zdd" '"$blocks $operands"
        add dd "dd $blocks $operands"
        race "zdd, file to file, $blocks"
    done
    offset=0 length=1 discard=1 rounds=$((rounds * 30))
    add zslice '"$zdd" if="$in" of="$out" bs=1 count=1 status=none'
    add dd 'dd if="$in" of="$out" bs=1 count=1 status=none'
    race 'zdd, one byte, bs=1 count=1'
}

# PART reflink    every  an aligned slice of eight times --size, shared against copied, where files can share blocks
part_reflink() {
    head -c 4096 in >probe
    cp --reflink=always probe probe.shared 2>/dev/null || return 0
    make_source big $((size * 8 + 4096))
    in=big offset=4096 length=$((size * 8))
    ours --reflink=always
    add 'the copy, --reflink=never' '"$zslice" --reflink=never --offset "$offset" --length "$length" "$in" "$out"'
    race 'aligned slice'
    rm big
}

# PART column     first  a field of every record, and a quarter of the file in pieces
part_column() {
    local piece
    ! lacks python || return 0
    offset=0 length=$((size / 4)) expected='"$python" "$helpers/column.py" loop "$in"'
    add zslice '"$zslice" --record 16 --field 4:8 "$in" "$out"'
    add 'numpy memmap tofile' '"$python" "$helpers/column.py" numpy "$in" >"$out"'
    add 'python memoryview loop' '"$python" "$helpers/column.py" loop "$in" >"$out"'
    race '4 of every 16 bytes'
    for piece in 4K 16K 64K 1M; do
        expected='' # the two differ
        add zslice '"$zslice" --record '$piece' --range ::4 "$in" "$out"'
        add 'the same amount in one piece' '"$zslice" --length "$length" "$in" "$out"'
        race "a quarter, in pieces of $piece"
    done
}

# PART cpu        first  user and system CPU seconds for each GiB
part_cpu() {
    for measure in take_cpu take_cpu_of_writer; do
        offset=0 length=$size discard=1
        add zslice '"$zslice" "$in" | cat >"$out"'
        add cat 'cat "$in" | cat >"$out"'
        race "CPU, file to pipe $([ $measure = take_cpu ] && echo with || echo without) its reader"
    done
    measure=take_cpu discard='' offset=1024 length=$((size - 1024))
    ours && ours --jobs=1 && ours --jobs=2 && dds && whole_files
    race 'CPU, file to file'
}

# PART memory     first  peak memory
part_memory() {
    ! lacks time || return 0
    measure=take_peak
    ours && ours --jobs=2 && dds && default_dd && copy_range
    add 'python memoryview' '"$python" "$helpers/copy.py" "$in" "$offset" "$length" >"$out"'
    race 'memory, file to file'
}

# PART floor      every  against as many bytes of one buffer that is in the cache
part_floor() {
    ! lacks python || return 0
    expected=
    ours && ours --jobs=1 && ours --jobs=2
    add 'python, one cached buffer' '"$python" "$helpers/floor.py" "$length" "$out"'
    add 'python, the same, reserved' '"$python" "$helpers/floor.py" "$length" "$out" reserved'
    race 'floor, file to file'
}

# PART calls      first  system calls for 1 MiB file to file, from the opening of the source on
part_calls() {
    ! lacks strace || return 0
    length=$((1 << 20)) measure=take_calls rounds=1
    ours && dds && add 'python memoryview' '"$python" "$helpers/copy.py" "$in" "$offset" "$length" >"$out"'
    race 'calls, 1 MiB file to file'
}

# ---- All of it ----

header() {
    echo "$machine."
    [ ${#mounts[@]} -eq 0 ] ||
        echo "(loop): a loop mount, its image on $(file_system "$scratch") read and written past the page cache there."
    printf '\n| work | peer | its minimum | zslice'\''s minimum | ratio of minima | ratio of medians |\n'
    printf '| --- | --- | --- | --- | --- | --- |\n'
}

run_part() {
    local part=$1 system=${folders[index]%%=*} rounds=$rounds prepare=prepare_absent measure=take_seconds
    local in=in target=out offset=1024 length=$((size - 1024))
    local expected='tail -c +$((offset + 1)) "$in" | head -c "$length"'
    local discard='' # the results of timed runs are not kept: $out is /dev/null
    "part_$1"
}

# run_folder INDEX: the wanted parts in one folder.
run_folder() {
    local index=$1 size=$((mebibytes << 20)) folder part where
    folder=$(mktemp -d "${folders[index]#*=}/zslice-bench.XXXXXX")
    made+=("$folder")
    cd "$folder"
    make_source in "$size"
    while read -r part where _ <&3; do
        case $where:$index:${#folders[@]} in
            every:* | first:0:* | two:[01]:[2-9]) [[ " $wanted " != *" $part "* ]] || run_part "$part" ;;
        esac
    done 3< <(list_parts)
    cd /
    rm -rf "$folder"
}

draw() {
    local kind
    for kind in speed sizes; do
        awk -v kind=$kind -f "$helpers/chart.awk" "$output/bench.csv" >"$scratch/$kind"
        [ ! -s "$scratch/$kind" ] || gnuplot -c "$helpers/$kind.gp" "$scratch/$kind" "$output/$kind.svg" "$machine"
    done
}

wanted='' output=
while [ $# -gt 0 ]; do
    case $1 in
        --list) list_parts && exit ;;
        --rounds) rounds=$(number "${2-}") && shift ;;
        --size) mebibytes=$(number "${2-}") && shift ;;
        --output) output=$(realpath "${2:?}") && shift ;;
        --on) folders+=("${2:?}") && shift ;;
        *)
            list_parts | grep -q "^$1 " || usage
            wanted+=" $1"
            ;;
    esac
    shift
done
wanted=${wanted:-$(list_parts | awk '{ printf "%s ", $1 }')}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/zslice-bench.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
output=${output:-$scratch}
mkdir -p "$output"
[ -x "$zslice" ] || fail "no program $zslice"
find_peers
[ ${#folders[@]} -gt 0 ] || choose_folders
echo 'part,file_system,work,command,bytes,round,value,unit' >"$output/bench.csv"
cpu=$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | sort -u | tail -n 1)
machine="${cpu:-$(uname -m)}, $(nproc) processors, $(uname -sr), $mebibytes MiB, $rounds rounds"
header | tee "$output/bench.md"
for ((i = 0; i < ${#folders[@]}; i++)); do
    run_folder "$i"
done
lacks gnuplot || [ "$output" = "$scratch" ] || draw
