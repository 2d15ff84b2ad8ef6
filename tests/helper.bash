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
# stats). KEY is a jq path such as .bytes or '.engines.splice.bytes'.
statistic() {
    tail -n 1 "${2:-stats}" | jq -r "$1"
}

# engines_used [FILE]: the names of the engines that moved bytes, separated by blanks.
engines_used() {
    statistic '.engines | keys | join(" ")' "${1:-stats}"
}

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
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
    truncate -s "$2M" "$folder.image"
    "mkfs.$1" -q "$folder.image" >/dev/null
    mount -o loop "$folder.image" "$folder" || skip "cannot mount a loop file system of type $1"
}

# loop_device FILE: prints the block device that FILE now is; detach it with losetup -d.
loop_device() {
    need_root
    losetup --find --show "$1" || skip "cannot set up a loop device"
}
