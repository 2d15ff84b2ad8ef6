# Loaded by every .bats file: `load ../helper`. The program under test is "$ZSLICE".
#
# Conventions: each test works in its own "$BATS_TEST_TMPDIR", which is the current directory. The
# source is called in, the target out, and what other tools say the result must be is called expected.
# Tags: memory (asserts memory use: not under sanitizers), large (gigabytes).

bats_require_minimum_version 1.5.0

: "${ZSLICE:?set it to the program under test}"
: "${PROJECT:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}"
export PROJECT

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
    local folder
    for folder in "$BATS_TEST_TMPDIR"/mnt.*; do
        if mountpoint -q "$folder" 2>/dev/null; then
            umount "$folder" || umount -l "$folder"
        fi
    done
    detach_loops
}

# random_file PATH BYTES
random_file() {
    head -c "$2" /dev/urandom >"$1"
}

# expect_same A B: fails with the first difference.
expect_same() {
    cmp "$1" "$2"
}

# statistic KEY [FILE]: a value of the --stats=json object, which is the last line of FILE (default:
# stats). KEY is a jq path such as .bytes or '.engines.splice.bytes'; jq takes as long as many a copy, and
# is not asked for what is on the top level.
statistic() {
    local line
    line=$(tail -n 1 "${2:-stats}")
    if [[ $1 =~ ^\.([a-z_]+)$ && $line =~ ,\"${BASH_REMATCH[1]}\":([0-9]+|true|false)[,}] ]]; then
        echo "${BASH_REMATCH[1]}"
    else
        jq -r "$1" <<<"$line"
    fi
}

# engines_used [FILE]: the names of the engines that moved bytes, sorted, separated by blanks.
engines_used() {
    local line
    line=$(tail -n 1 "${1:-stats}")
    if [[ $line =~ ,\"engines\":\{\"([a-z-]+)\":\{[^}]*\}\}, ]]; then
        echo "${BASH_REMATCH[1]}"
    else
        jq -r '.engines | keys | join(" ")' <<<"$line"
    fi
}

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
}

# mount_image TYPE MEGABYTES IMAGE FOLDER [OPTION]...: a new file system on FOLDER, out of the sparse file
# IMAGE, made by mkfs with these options. False if that cannot be.
mount_image() {
    local type=$1 megabytes=$2 image=$3 folder=$4
    command -v "mkfs.$type" >/dev/null || return 1
    mkdir -p "$folder"
    truncate -s "${megabytes}M" "$image"
    "mkfs.$type" -q "${@:5}" "$image" >/dev/null && mount -o loop "$image" "$folder"
}

# mount_file_system TYPE MEGABYTES: a new file system (ext4, xfs, btrfs, tmpfs) on ./mnt.TYPE, unmounted
# by teardown.
mount_file_system() {
    local folder="$BATS_TEST_TMPDIR/mnt.$1"
    need_root
    mkdir -p "$folder"
    if [ "$1" = tmpfs ]; then
        mount -t tmpfs -o "size=$2M" tmpfs "$folder" || skip "cannot mount tmpfs"
        return
    fi
    command -v "mkfs.$1" >/dev/null || skip "needs mkfs.$1"
    mount_image "$1" "$2" "$folder.image" "$folder" || skip "cannot mount a loop file system of type $1"
}

# mount_for_file NAME TYPE MEGABYTES [OPTION]...: for setup_file: a file system on
# $BATS_FILE_TMPDIR/NAME for all tests of a file; its name is added to $MOUNTED. unmount_for_file, in
# teardown_file, ends them all. Its blocks are in memory, where that can be: syncing costs nothing.
# Nothing is mounted without root: a test that needs one says so with need_mounted NAME.
mount_for_file() {
    local images="$BATS_FILE_TMPDIR/images"
    [ "$(id -u)" -eq 0 ] || return 0
    if [ ! -d "$images" ]; then
        mkdir "$images"
        mount -t tmpfs tmpfs "$images" || true
    fi
    if [ "$2" = tmpfs ]; then
        mkdir "$BATS_FILE_TMPDIR/$1"
        if mount -t tmpfs -o "size=$3M" tmpfs "$BATS_FILE_TMPDIR/$1"; then
            export MOUNTED="${MOUNTED-} $1"
        fi
    elif mount_image "$2" "$3" "$images/$1" "$BATS_FILE_TMPDIR/$1" "${@:4}"; then
        export MOUNTED="${MOUNTED-} $1"
    fi
}

unmount_for_file() {
    local name
    for name in ${MOUNTED-} images; do
        if mountpoint -q "$BATS_FILE_TMPDIR/$name"; then
            umount "$BATS_FILE_TMPDIR/$name" || umount -l "$BATS_FILE_TMPDIR/$name"
        fi
    done
}

# each_mounted NAMES COMMAND...: in an empty folder of each of these (see mount_for_file), whose name is printed.
each_mounted() {
    local name
    for name in $1; do
        enter "$name"
        echo "on $name"
        "${@:2}"
        cd "$BATS_TEST_TMPDIR" || return 1
        rm -rf "$BATS_FILE_TMPDIR/$name/test.$BATS_TEST_NUMBER"
    done
}

need_mounted() {
    [[ " ${MOUNTED-} " = *" $1 "* ]] || skip "needs root and a loop file system: $1"
}

# enter NAME: a folder of this test's own in such a file system is the current directory.
enter() {
    need_mounted "$1"
    mkdir -p "$BATS_FILE_TMPDIR/$1/test.$BATS_TEST_NUMBER"
    cd "$BATS_FILE_TMPDIR/$1/test.$BATS_TEST_NUMBER" || return 1
}

# attach_loop FILE [OPTION]...: $device is the block device that FILE now is, until teardown.
attach_loop() {
    need_root
    device=$(losetup --find --show "${@:2}" "$1") || skip "cannot set up a loop device"
    echo "$device" >>"$BATS_TEST_TMPDIR/.loop_devices"
}

detach_loops() {
    local attached
    [ -e "$BATS_TEST_TMPDIR/.loop_devices" ] || return 0
    while read -r attached; do
        losetup -d "$attached"
    done <"$BATS_TEST_TMPDIR/.loop_devices"
}

# use_python: $PYTHON is the interpreter itself (a wrapper found first costs more than a short test).
use_python() {
    PYTHON=$(python3 -c 'import sys; print(sys.executable)')
    export PYTHON
}

# peer ARGUMENT...: runs cli/peer.py, the other ends of pipes, sockets and terminals.
peer() {
    "$PYTHON" -IS "$PROJECT/tests/cli/peer.py" "$@"
}

# fingerprint FILE...: changes with any change of content, inode, length, time or mode.
fingerprint() {
    stat --format '%n %i %s %y %a %h' "$@"
    sha256sum "$@"
}

# expect_message OBJECT REASON: the file err holds exactly one line, `zslice: OBJECT: ...`, with REASON
# in it and nothing that drives a terminal.
expect_message() {
    local line
    line=$(<"$BATS_TEST_TMPDIR/err")
    if [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -ne 1 ]; then
        echo "not one line on standard error: $line"
        return 1
    fi
    if [[ $line != "zslice: $1: "*"$2"* ]]; then
        echo "expected 'zslice: $1: ...$2...', got: $line"
        return 1
    fi
    if [[ $line == *[[:cntrl:]]* ]] || ! iconv -f UTF-8 -t UTF-8 <<<"$line" >/dev/null; then
        echo "raw control bytes or invalid UTF-8 on standard error: ${line@Q}"
        return 1
    fi
}

# expect_failure STATUS OBJECT REASON ARGUMENT...: the program fails so, with one message. Redirections
# of this call are the program's.
expect_failure() {
    local expected=$1 object=$2 reason=$3 status=0
    shift 3
    timeout 60 "$ZSLICE" "$@" 2>"$BATS_TEST_TMPDIR/err" || status=$?
    if [ "$status" -ne "$expected" ]; then
        echo "expected exit status $expected, got $status from: zslice ${*@Q}"
        cat "$BATS_TEST_TMPDIR/err"
        return 1
    fi >&2
    expect_message "$object" "$reason" >&2
}
