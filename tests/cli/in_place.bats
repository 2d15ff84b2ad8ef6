#!/usr/bin/env bats
# A file that becomes a slice of itself: by the file system, or by moving its bytes.

# shellcheck disable=SC2086,SC2154 # options are words; set by the helper
load ../helper

SIZE=3000001 # its last block is not full
NAMES="ext4 xfs btrfs tmpfs"

setup_file() {
    use_python
    export MOUNTED=''
    mount_for_file ext4 ext4 48 -b 4096
    mount_for_file xfs xfs 320
    mount_for_file btrfs btrfs 128
    mount_for_file small ext4 16 -b 1024
    mount_for_file tmpfs tmpfs 96
    random_file "$BATS_FILE_TMPDIR/in" $SIZE
}

teardown_file() {
    unmount_for_file
}

# renew: file is the usual one again.
renew() {
    rm -f file
    cp "$BATS_FILE_TMPDIR/in" file
}

# becomes HOW START LENGTH ARGUMENT...: file becomes that slice of itself, as does what else links to it.
becomes() {
    local how=$1 start=$2 length=$3 inode
    shift 3
    renew
    ln -f file link
    inode=$(stat -c '%i %a %U' file)
    echo "--in-place=$how ${*@Q}"
    "$ZSLICE" --in-place="$how" "$@" file >output
    [ ! -s output ]
    [ "$(stat -c %s file)" -eq "$length" ]
    tail -c +$((start + 1)) "$BATS_FILE_TMPDIR/in" | head -c "$length" | cmp - link
    [ "$(stat -c '%i %a %U' file)" = "$inode" ]
}

# slices HOW: with beginnings that are whole blocks.
slices() {
    becomes "$1" 4096 $((SIZE - 4096)) -o 4096
    becomes "$1" 65536 $((SIZE - 65536)) -o 64K
    becomes "$1" 8192 1000001 -o 8K -l 1000001
    becomes "$1" 1048576 1 -o 1M -l 1
    becomes "$1" 0 $SIZE
    becomes "$1" 0 0 -l 0
    becomes "$1" 0 0 -o 5000 -l 0
    becomes "$1" 0 0 -o $SIZE
    becomes "$1" 0 100001 -l 100001
    becomes "$1" 0 2999999 -e -2
    becomes "$1" 4096 995904 -o 4096 -e 1000000
    becomes "$1" 8192 8192 -r 8192:16384
    becomes "$1" 4096 100 -r 4K+100
    becomes "$1" 2998272 1729 -o 2998272 # the last block
    becomes "$1" 2998272 1729 -o -1729
    becomes "$1" 1 0 --range 1:1
    becomes "$1" 4096 1600 --record=16 -o 256 -l 100
    becomes "$1" 4096 8192 --record=4096 -r 1:3:1
    becomes "$1" 1499136 $((SIZE - 1499136)) --shard 2/2 --align 4K
    becomes "$1" 0 1500000 --shard 1/2
    becomes "$1" 4096 5000000 -o 4096 -l 5000000 2>/dev/null || [ "$(stat -c %s file)" -eq $((SIZE - 4096)) ]
    becomes "$1" 4096 100 -x -o 4096 -l 100 --sync
}

collapses() {
    slices collapse
    # It was not by moving bytes.
    renew
    strace -f -o log -e trace=fallocate,pwrite64,pwritev2,write "$ZSLICE" --in-place=collapse -o 4096 file
    grep -q 'fallocate(.*FALLOC_FL_COLLAPSE_RANGE, 0, 4096) *= 0' log
    run ! grep -qE 'write(v2|64)?\(' log
}

@test "collapse on ext4 and XFS: slices at all places, and every link of the file sees them" {
    each_mounted "ext4 xfs" collapses
}

moves() {
    local bytes
    for bytes in 1 4095 262143 262144 1500001 3000000; do
        becomes auto $bytes $((SIZE - bytes)) -o $bytes
    done
    becomes auto 5 1000000 -o 5 -l 1000000
    becomes auto 700001 7 -r 700001:700008
    becomes auto 104 16000 --record=16 -o 104B -l 1000
    becomes auto 1500000 $((SIZE - 1500000)) --shard 2/2
}

@test "auto: the same on ext4, XFS, btrfs and tmpfs, and where the offset is not on a block" {
    each_mounted btrfs slices auto
    each_mounted "$NAMES" moves
}

# is_left_after EXPECTED_STATUS OBJECT REASON ARGUMENT...: and the file is as it was.
is_left_after() {
    local before
    before=$(stat -c '%i %s %b %y %z' file)
    expect_failure "$@"
    if [ "$(stat -c '%i %s %b %y %z' file)" != "$before" ]; then
        echo "it was changed by: ${*@Q}"
        return 1
    fi
}

unaligned() {
    renew
    is_left_after 2 file "--in-place=collapse: only whole blocks of 4096 bytes can be taken out: the offset 0 would" \
        --in-place=collapse -o 1 file
    is_left_after 2 file "the offset 4096 would do, or 8192" --in-place=collapse -o 8191 file
    is_left_after 2 file "the offset 2097152 would do, or 2101248" --in-place=collapse -r 2097153:2100000 file
    is_left_after 2 file "the offset 999424 would do, or 1003520" --in-place=collapse --record=1000 -o 1000 file
    is_left_after 2 file "the offset 1499136 would do, or 1503232" --in-place=collapse --shard=2/2 file
}

@test "collapse: an offset that is not on a block is refused, with the nearest that would do" {
    each_mounted "ext4 xfs" unaligned
    enter small
    head -c 10000 "$BATS_FILE_TMPDIR/in" >file
    is_left_after 2 file "whole blocks of 1024 bytes can be taken out: the offset 4096 would do, or 5120" \
        --in-place=collapse -o 5000 file
    "$ZSLICE" --in-place=collapse -o 5120 file
    cmp file <(head -c 10000 "$BATS_FILE_TMPDIR/in" | tail -c +5121)
}

refused_here() {
    renew
    is_left_after 2 file "--in-place: Operation not supported; its file system cannot take out its beginning" \
        --in-place=collapse -o 4096 file
    # Cutting at the end is done by every file system.
    "$ZSLICE" --in-place=collapse -l 5000 file
    cmp file <(head -c 5000 "$BATS_FILE_TMPDIR/in")
}

@test "collapse on btrfs and tmpfs is refused, but for cutting the end off" {
    each_mounted "btrfs tmpfs" refused_here
}

@test "a file system that says it cannot: collapse refuses, auto moves" {
    local code
    command -v strace >/dev/null || skip "needs strace"
    enter ext4
    for code in EOPNOTSUPP ENOSYS EINVAL; do
        renew
        before=$(fingerprint file)
        status=0
        strace -f -e quiet=all -o log -e inject=fallocate:error=$code "$ZSLICE" --in-place=collapse -o 8192 file \
            2>"$BATS_TEST_TMPDIR/err" || status=$?
        grep -q INJECTED log
        [ "$status" -eq 2 ]
        expect_message file "; its file system cannot take out its beginning"
        [ "$(fingerprint file)" = "$before" ]
        strace -f -e quiet=all -o log -e inject=fallocate:error=$code "$ZSLICE" --in-place=auto -o 8192 file
        grep -q INJECTED log
        cmp file <(tail -c +8193 "$BATS_FILE_TMPDIR/in")
    done
}

sparse_stays() {
    local how
    for how in "$@"; do
        rm -f file
        truncate -s 20M file
        for position in 1000000 10000000 20000000; do
            head -c 5000 "$BATS_FILE_TMPDIR/in" |
                dd of=file bs=64K oflag=seek_bytes seek=$position conv=notrunc status=none
        done
        sync file
        cp --reflink=never --sparse=always file old
        "$ZSLICE" --in-place=${how%,*} -o ${how#*,} file
        cmp file <(tail -c +$((${how#*,} + 1)) old)
        sync file
        [ "$(stat -c %b file)" -le 256 ]
    done
}

@test "holes of a sparse file stay holes" {
    each_mounted "ext4 xfs" sparse_stays collapse,4096 auto,8192 auto,999 collapse,1048576
    each_mounted "btrfs tmpfs" sparse_stays auto,4096 auto,999 auto,1000001
}

@test "refusals leave the file as it was" {
    local option way target
    enter ext4
    renew
    ln -s file link
    for way in collapse auto; do
        way=--in-place=$way
        is_left_after 3 file "beyond its end" $way -o $((SIZE + 1)) file
        is_left_after 3 file "" $way -x -o 4096 -l $SIZE file
        is_left_after 3 file "" $way -x --record=2 -o 2048 file
        for target in out file link /dev/null; do
            is_left_after 2 --in-place "there is no TARGET: SOURCE becomes the slice" $way -o 4096 file $target
        done
        is_left_after 2 --in-place "SOURCE to be a file given by its path" $way -o 4096 - <file
        is_left_after 2 --in-place "SOURCE to be a file given by its path" $way -o 4096 <file
        for option in --engine=buffer --reflink=always --reflink=never --sparse=always --sparse=never --no-cache \
            --stable --verify --digest=sha256; do
            is_left_after 2 --in-place "it cannot be combined with ${option%%=*}" $way -o 4096 $option file
        done
        is_left_after 2 --in-place "it cannot be combined with several ranges" $way -r 0:4096 -r 8192:9000 file
        for option in "--seek 0" --keep-offset --append --atomic; do
            is_left_after 2 --in-place "it cannot be combined with ${option%% *}" $way -o 4096 $option file
        done
        for option in --no-clobber --resume; do
            is_left_after 2 $option "it cannot be combined with --in-place" $way -o 4096 $option file
        done
        is_left_after 2 --truncate "" $way -o 4096 --truncate file
        is_left_after 2 file "the slice's bytes do not lie together" $way -r ::2 file
        is_left_after 2 file "the slice's bytes do not lie together" $way --record=16 --field=4:8 file
        is_left_after 2 missing "No such file" $way -o 4096 missing
        is_left_after 2 . "" $way .
        is_left_after 2 /dev/zero "it must be a regular file" $way -l 4096 /dev/zero
        is_left_after 2 /proc/self/status "it must be a regular file" $way -l 10 /proc/self/status
    done
    is_left_after 2 --in-place "" --in-place=copy -o 4096 file
    is_left_after 2 --in-place "" --in-place= -o 4096 file
    [ ! -e out ]
    cmp file "$BATS_FILE_TMPDIR/in"
    # The link is followed.
    "$ZSLICE" --in-place=auto -o 4097 link
    [ -L link ]
    cmp file <(tail -c +4098 "$BATS_FILE_TMPDIR/in")
}

@test "a FIFO and a block device are refused" {
    local sum
    mkfifo fifo
    head -c 10000 /dev/zero >fifo 3>&- &
    timeout 10 "$ZSLICE" --in-place=auto -o 4096 fifo 2>err && false || [ $? -eq 2 ]
    kill $! 2>/dev/null || true
    grep -q '^zslice: fifo: --in-place: it must be a regular file' err
    random_file image 1048576
    sum=$(sha256sum <image)
    attach_loop image
    for way in collapse auto; do
        expect_failure 2 "$device" "it must be a regular file" --in-place=$way -o 4096 "$device"
    done
    [ "$(sha256sum <image)" = "$sum" ]
}

@test "a file that must not be written: its permissions, a read-only file system, an immutable one" {
    local way
    need_mounted ext4
    command -v setpriv >/dev/null || skip "needs setpriv"
    enter ext4
    renew
    for way in collapse auto; do
        chmod 444 file
        before=$(fingerprint file)
        status=0
        cp "$ZSLICE" "$BATS_TEST_TMPDIR/program"
        setpriv --bounding-set=-all --inh-caps=-all "$BATS_TEST_TMPDIR/program" --in-place=$way -o 4096 file \
            2>"$BATS_TEST_TMPDIR/err" || status=$?
        [ "$status" -eq 2 ]
        expect_message file "Permission denied"
        [ "$(fingerprint file)" = "$before" ]
        chmod 644 file
        chattr +i file || skip "needs chattr"
        is_left_after 2 file "opening: Operation not permitted" --in-place=$way -o 4096 file
        chattr -i file
    done
    mount -o remount,ro "$BATS_FILE_TMPDIR/ext4"
    is_left_after 2 "$PWD/file" "Read-only file system" --in-place=auto -o 4096 "$PWD/file" || way=failed
    mount -o remount,rw "$BATS_FILE_TMPDIR/ext4"
    [ $way != failed ]
}

@test "--explain tells what would be done, and does nothing" {
    local before
    enter ext4
    renew
    before=$(fingerprint file)
    "$ZSLICE" --explain --in-place=collapse -o 8K -l 1M file >plan
    diff plan - <<END
source: file, a regular file of $SIZE bytes
in place: the first 8192 bytes are taken out
in place: the last $((SIZE - 1056768)) bytes are cut off
in place: 1048576 bytes remain
END
    "$ZSLICE" --explain --in-place=auto -o 5 file >plan
    grep -qx 'in place: the first 5 bytes are taken out, or overwritten with what follows' plan
    run ! grep -q 'cut off' plan
    "$ZSLICE" --explain --in-place=auto -l 0 file >plan
    grep -qx "in place: the last $SIZE bytes are cut off" plan
    grep -qx 'in place: 0 bytes remain' plan
    [ "$(fingerprint file)" = "$before" ]
    expect_failure 3 file "beyond its end" --explain --in-place=auto -o 4M file
}

@test "--sync, and the statistics" {
    enter ext4
    renew
    strace -f -e quiet=all -o log -e trace=fallocate,ftruncate,fdatasync,fsync \
        "$ZSLICE" --in-place=collapse --sync --stats=json -o 4096 -l 1M file 2>stats
    # In this order: taken out, cut, on the device.
    [ "$(grep -oE '(fallocate|ftruncate|f(data)?sync)' log | paste -sd ' ')" = "fallocate ftruncate fdatasync" ] ||
        [ "$(grep -oE '(fallocate|ftruncate|f(data)?sync)' log | paste -sd ' ')" = "fallocate ftruncate fsync" ]
    [ "$(statistic .bytes)" -eq 1048576 ]
    [ "$(statistic .complete)" = true ]
    [ "$(statistic .exit_status)" -eq 0 ]
    [ "$(statistic .user_copied_bytes)" -eq 0 ]
    [ "$(engines_used)" = "" ]
    renew
    "$ZSLICE" --in-place=auto --stats=json -o 5 -l 1M file 2>stats
    [ "$(statistic .bytes)" -eq 1048576 ]
    [ "$(statistic .user_copied_bytes)" -eq 1048576 ]
    [ "$(engines_used)" = buffer ]
    [ "$(statistic .source)" = file ]
    before=$(fingerprint file)
    "$ZSLICE" --in-place=collapse --stats=json -o 5 file 2>stats && false || [ $? -eq 2 ]
    [ "$(statistic .complete)" = false ]
    [ "$(statistic .bytes)" -eq 0 ]
    [ "$(fingerprint file)" = "$before" ]
    "$ZSLICE" -v --in-place=auto -o 5 file 2>err
    [ "$(wc -l <err)" -eq 1 ]
}
