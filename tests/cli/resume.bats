# --resume: what was interrupted is gone on with, and what cannot be the beginning of this slice is refused.
# Kills at random moments are in fault/kill.bats, full disks and changes meanwhile in fault/real.bats.

# shellcheck disable=SC2002,SC2086,SC2154 # a pipe is wanted; numbers; set by attach_loop
load ../helper

MIB=1048576
SOURCE_BYTES=$((3 * MIB + 1234))
SLICE_BYTES=$((SOURCE_BYTES - 1000)) # from byte 1000 on

setup_file() {
    local name
    export MOUNTED=''
    mount_for_file ext4 ext4 64
    mount_for_file xfs xfs 400
    random_file "$BATS_FILE_TMPDIR/in" $SOURCE_BYTES
    for name in $MOUNTED; do
        cp "$BATS_FILE_TMPDIR/in" "$BATS_FILE_TMPDIR/$name/in"
        sync "$BATS_FILE_TMPDIR/$name/in"
    done
}

teardown_file() {
    unmount_for_file
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$BATS_FILE_TMPDIR/in" in
    tail -c +1001 in >expected
}

# change_byte FILE POSITION: it is another one.
change_byte() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# expect_resumed BYTES ARGUMENT...: out, which has the first BYTES of expected, is completed; it is the same
# file as before, and only the other bytes are counted.
expect_resumed() {
    local present=$1 before
    shift
    head -c "$present" expected >out
    before=$(stat -c %i out)
    echo "the target has $present bytes: ${*@Q}"
    "$ZSLICE" --resume --stats=json "$@" out 2>stats
    cmp expected out
    [ "$(stat -c %i out)" -eq "$before" ]
    [ "$(statistic .bytes)" -eq $(($(stat -c %s expected) - present)) ]
    [ "$(statistic .complete)" = true ]
}

# expect_refused REASON ARGUMENT...: exit status 2, and out stays.
expect_refused() {
    local before
    before=$(fingerprint out)
    expect_failure 2 out "--resume: $1" --resume "${@:2}" out
    [ "$(fingerprint out)" = "$before" ]
}

@test "beginnings of all lengths" {
    local present engine
    for present in 0 1 4095 4096 $((MIB - 1)) $MIB $((MIB + 1)) $((SLICE_BYTES - 1)) $SLICE_BYTES; do
        expect_resumed $present -o 1000 in
    done
    for engine in buffer sendfile map-write splice; do
        expect_resumed 100001 -o 1000 --engine=$engine in
        [ "$(engines_used)" = $engine ]
    done
    expect_resumed 5000 --jobs=2 --no-cache -o 1000 in
    expect_resumed 5000 --sync -o 1000 --exact in
    expect_resumed 5000 --verify -o -$SLICE_BYTES in
    expect_resumed 5000 --sparse=always -o 1000 in
    expect_resumed 5000 --sparse=never -o 1000 in
    head -c 1000 expected >short
    mv short expected
    expect_resumed 999 -o 1000 -l 1000 in
    : >expected
    expect_resumed 0 -o $SOURCE_BYTES in
}

@test "a target that is not there is created, with the mode of a new file, also behind a dangling link" {
    umask 027
    "$ZSLICE" --resume --stats=json -o 1000 in out 2>stats
    cmp expected out
    [ "$(statistic .bytes)" -eq $SLICE_BYTES ]
    [ "$(stat -c %a out)" = 640 ]
    ln -s behind link
    "$ZSLICE" --resume -o 1000 in link
    cmp expected behind
    head -c 77 expected >behind
    "$ZSLICE" --resume -o 1000 in link
    cmp expected behind
    [ -L link ]
    ln behind hard
    head -c 77 expected >behind
    "$ZSLICE" --resume -o 1000 in behind
    cmp expected hard
}

@test "what is complete is not written to" {
    local before
    cp expected out
    touch -d 2001-01-01 out
    before=$(fingerprint out)
    "$ZSLICE" --resume -o 1000 in out
    [ "$(fingerprint out)" = "$before" ]
    "$ZSLICE" --resume --verify -o 1000 in out
    [ "$(fingerprint out)" = "$before" ]
}

@test "a wrong byte in the last 1 MiB is refused with both positions, one before that is not noticed" {
    local present=2500000 at
    for at in $((present - 1)) $((present - 2)) $((present - 262144)) $((present - MIB + 1)) $((present - MIB)); do
        head -c $present expected >out
        change_byte out $at
        echo "byte $at"
        expect_refused "its byte $at is not the source's byte $((at + 1000)): it is not the beginning of this slice" \
            -o 1000 in
    done
    for at in $((present - MIB - 1)) 0; do
        head -c $present expected >out
        change_byte out $at
        cp out wrong
        "$ZSLICE" --resume -o 1000 in out
        { cat wrong && tail -c "+$((present + 1))" expected; } | cmp - out
        # That is what a proof is for.
        head -c $present wrong >out
        expect_failure 4 out "verifying: its byte $at differs from byte $((at + 1000)) of in" \
            --resume --verify -o 1000 in out
    done
    # The first of two is told.
    head -c $present expected >out
    change_byte out $((present - 1))
    change_byte out $((present - 500000))
    expect_refused "its byte $((present - 500000)) is not the source's byte $((present - 499000))" -o 1000 in
    # Short ones are compared whole.
    printf X >out
    change_byte out 0
    [ "$(head -c 1 expected)" != "$(<out)" ] || change_byte out 0
    expect_refused "its byte 0 is not the source's byte 1000" -o 1000 in
    # The beginning of another slice.
    head -c 70000 in >out
    expect_refused "its byte 0 is not" -o 1000 in
    # Bytes that were never written.
    head -c 5000 expected >out
    truncate -s 9000 out
    expect_refused "its byte 5000 is not the source's byte 6000" -o 1000 in
}

@test "a longer target is refused" {
    { cat expected && printf X; } >out
    expect_refused "it has $((SLICE_BYTES + 1)) bytes, and the slice only $SLICE_BYTES" -o 1000 in
    cp expected out
    expect_refused "it has $SLICE_BYTES bytes, and the slice only 5" -o 1000 -l 5 in
    expect_refused "it has $SLICE_BYTES bytes, and the slice only 0" -l 0 in
    expect_refused "it has $SLICE_BYTES bytes, and the slice only 7" -r 1000:1005 -r 5:7 in
    truncate -s 64M out
    expect_refused "it has 67108864 bytes, and the slice only $SLICE_BYTES" -o 1000 in
}

@test "several ranges, that overlap and repeat" {
    local arguments=(-r 1000:2000 -r 0:500000 -r 100:1500000 -r 7:7 -r 1000:2000) present
    "$ZSLICE" "${arguments[@]}" in expected
    for present in 0 1 999 1000 1001 500999 501000 501001 1000000 2000899 2000900 2000901 2001899 2001900; do
        expect_resumed $present "${arguments[@]}" in
    done
    # Compared across the bounds of ranges.
    head -c 501500 expected >out
    change_byte out 999
    expect_refused "its byte 999 is not the source's byte 1999" "${arguments[@]}" in
    head -c 501500 expected >out
    change_byte out 1000
    expect_refused "its byte 1000 is not the source's byte 0" "${arguments[@]}" in
    head -c 501500 expected >out
    change_byte out 501499
    expect_refused "its byte 501499 is not the source's byte 599" "${arguments[@]}" in
}

@test "strides, records and fields, from the middle of a piece" {
    local arguments present total
    while read -r arguments; do
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments in expected
        total=$(stat -c %s expected)
        for present in 0 1 2 3 99 100 101 4096 $((total / 2)) $((total - 1)) "$total"; do
            # shellcheck disable=SC2086
            expect_resumed "$present" $arguments in
        done
        head -c 5000 expected >out
        change_byte out 4999
        # shellcheck disable=SC2086
        expect_refused "its byte 4999 is not the source's byte" $arguments in
    done <<'END'
-r ::3
--record=100 -r 50B::2
--record=100 --field=3:50
--record=9000 --field=10:8000 -r 1::2
--record=1000 --field=-7: -o 5B
END
    head -c 5000 expected >out
    change_byte out 4998 # the piece 714 of 7 bytes at 993, in records of 1,000 from byte 5 on
    expect_refused "its byte 4998 is not the source's byte 714998" --record=1000 --field=-7: -o 5B in
}

@test "a shard" {
    local present
    "$ZSLICE" --shard=2/3 -o 1000 in expected
    for present in 0 1 4096 1000000 1048000; do
        expect_resumed $present --shard=2/3 -o 1000 in
    done
    "$ZSLICE" --shard=3/3 --align=4K in expected
    expect_resumed 700001 --shard=3/3 --align=4K in
    "$ZSLICE" --shard=1/3 -o 1000 in other
    head -c 5000 other >out
    expect_refused "its byte 0 is not" --shard=3/3 --align=4K in
}

sparse_source() {
    local present
    truncate -s 12M in
    head -c 70000 "$BATS_FILE_TMPDIR/in" >in
    truncate -s 6M in
    head -c 70000 "$BATS_FILE_TMPDIR/in" >>in
    truncate -s 12M in
    tail -c +1001 in >expected
    "$ZSLICE" -o 1000 in whole
    for present in 0 1 60000 69000 69001 100000 $((3 * MIB)) $((6 * MIB - 1000)) $((6 * MIB)) $((9 * MIB)) \
        $((12 * MIB - 1001)); do
        "$ZSLICE" -o 1000 -l "$present" in out
        echo "the target has $present bytes"
        "$ZSLICE" --resume -o 1000 in out
        cmp expected out
        echo "$(stat -c %b out) sectors, of a plain copy: $(stat -c %b whole)"
        [ "$(stat -c %b out)" -le $(($(stat -c %b whole) + 64)) ]
    done
    "$ZSLICE" -o 1000 -l 1M in out
    "$ZSLICE" --resume --stats=json --verify -o 1000 in out 2>stats
    cmp expected out
    [ "$(statistic .holes_bytes)" -ge $((10 * MIB)) ]
    [ "$(statistic .bytes)" -eq $((11 * MIB - 1000)) ]
    # A hole is zeros, and zeros are no hole.
    head -c 1M expected >out
    "$ZSLICE" --resume -o 1000 in out
    cmp expected out
}

@test "holes of a sparse source stay holes" {
    local name
    for name in ext4 xfs; do
        enter $name
        echo "on $name"
        rm -f in
        sparse_source
    done
}

@test "XFS: blocks are shared behind a beginning that is not on a block" {
    local first end present offset
    enter xfs
    cp --reflink=always ../in in
    for offset in 0 4096 8192; do
        tail -c +$((offset + 1)) in >expected
        for present in 0 1 4095 4096 4097 500000 $MIB; do
            expect_resumed $present -o $offset in
            first=$(((present + 4095) / 4096 * 4096))
            end=$(((SOURCE_BYTES - offset) / 4096 * 4096))
            [ "$(statistic .shared_bytes)" -eq $((end - first)) ]
        done
    done
    tail -c +1001 in >expected
    expect_resumed 4097 -o 1000 in
    [ "$(statistic .shared_bytes)" -eq 0 ]
    cp in expected
    expect_resumed 4097 --reflink=never in
    [ "$(statistic .shared_bytes)" -eq 0 ]
    expect_resumed $((SOURCE_BYTES - 6000)) --reflink=always in
    [ "$(statistic .shared_bytes)" -eq 4096 ]
    head -c $((SOURCE_BYTES - 10)) in >out
    before=$(fingerprint out)
    expect_failure 2 out "no block of 4096 bytes can be shared" --resume --reflink=always in out
    [ "$(fingerprint out)" = "$before" ]
    # What is not the beginning is not shared over.
    head -c 5000 in >out
    change_byte out 4999
    expect_refused "its byte 4999 is not the source's byte 4999" in
}

@test "a block device as the source" {
    attach_loop in
    truncate -s $(($(stat -c %s in) / 512 * 512)) in
    "$ZSLICE" -o 1000 "$device" expected
    cmp <(tail -c +1001 in | head -c "$(stat -c %s expected)") expected
    expect_resumed 5001 -o 1000 "$device"
    expect_resumed "$(stat -c %s expected)" -o 1000 "$device"
    head -c 5001 expected >out
    change_byte out 17
    expect_refused "its byte 17 is not the source's byte 1017" -o 1000 "$device"
}

@test "sources that cannot be read again, and targets that are no files, are refused" {
    local before
    head -c 5000 expected >out
    mkfifo fifo
    mkdir folder
    before=$(fingerprint out)
    cat in | expect_failure 2 "standard input" \
        "--resume: it must be a file or block device, to be read again, not a pipe" --resume - out
    expect_failure 2 /proc/version "--resume: it must be a file or block device, to be read again, not a file without" \
        --resume /proc/version out
    expect_failure 2 /dev/zero "--resume: it must be a file or block device" --resume /dev/zero out
    expect_failure 2 folder "Is a directory" --resume in folder
    expect_failure 2 fifo "--resume: it must be a regular file, not a pipe" --resume in fifo
    expect_failure 2 /dev/null "--resume: it must be a regular file, not a character device" --resume in /dev/null
    expect_failure 2 --resume "it needs TARGET to be a file given by its path" --resume in
    expect_failure 2 --resume "it needs TARGET to be a file given by its path" --resume in - >>out
    expect_failure 2 in "it is the source, too" --resume in in
    expect_failure 2 --resume "it cannot be combined with --seek" --resume --seek=5000 in out
    expect_failure 2 --resume "it cannot be combined with --append" --append --resume in out
    expect_failure 2 --resume "it cannot be combined with --no-clobber" --resume -n in out
    expect_failure 2 --resume "it cannot be combined with --keep-offset" --resume -k in out
    expect_failure 2 --truncate "it needs --seek or --keep-offset" --resume --truncate in out
    [ "$(fingerprint out)" = "$before" ]
    [ -p fifo ]
}

@test "standard input that is a file, from where it stands, and left behind the last byte" {
    head -c 5000 expected >out
    { dd bs=1000 count=1 status=none >/dev/null && "$ZSLICE" --resume -l 2000000 - out && head -c 5 >rest; } <in
    cmp <(head -c 2000000 expected) out
    cmp <(tail -c +2000001 expected | head -c 5) rest
    # Nothing is left to copy.
    { dd bs=1000 count=1 status=none >/dev/null && "$ZSLICE" --resume -l 2000000 - out && head -c 5 >rest; } <in
    cmp <(head -c 2000000 expected) out
    cmp <(tail -c +2000001 expected | head -c 5) rest
}

@test "--explain tells how much is there, and touches nothing" {
    local before
    head -c 5000 expected >out
    before=$(fingerprint out)
    "$ZSLICE" --explain --resume -o 1000 in out >explained
    cat explained
    grep -qx "placement: the target has the beginning, and is gone on with" explained
    grep -qx "copy: bytes 1000 to $SOURCE_BYTES ($SLICE_BYTES), to position 0, of which the target has 5000" explained
    "$ZSLICE" --explain --resume -r 0:3000 -r 1000: in out >explained
    cat explained
    grep -qx "copy: bytes 0 to 3000 (3000), to position 0, of which the target has 3000" explained
    grep -qx "copy: bytes 1000 to $SOURCE_BYTES ($SLICE_BYTES), to position 3000, of which the target has 2000" \
        explained
    [ "$(fingerprint out)" = "$before" ]
    expect_failure 2 out "--resume: it has 5000 bytes, and the slice only 4999" --explain --resume -l 4999 in out
    "$ZSLICE" --explain --resume -o 1000 in new >explained
    grep -qx "placement: the target is created" explained
    [ ! -e new ]
}

# read_bytes FILE: how many the program read of it by pread, according to log.
read_bytes() {
    awk -v name="/$1>" 'index($0, name) && / pread64\(/ { sum += $NF } END { print sum + 0 }' log
}

@test "at most 1 MiB is read again on either side, and the copy begins behind the beginning" {
    local present compared
    command -v strace >/dev/null || skip "needs strace"
    for present in 1 4096 $MIB $((MIB + 1)) 2500000; do
        head -c $present expected >out
        compared=$((present < MIB ? present : MIB))
        # Buffers and all else are seen: this engine reads and writes by calls alone.
        strace -f -y -o log -e trace=pread64,read,write,pwrite64,splice,sendfile,lseek \
            "$ZSLICE" --resume --engine=splice -o 1000 in out
        cmp expected out
        echo "the target has $present bytes; of in $(read_bytes in) are read again, of out $(read_bytes out)"
        [ "$(read_bytes in)" -eq $compared ]
        [ "$(read_bytes out)" -eq $compared ]
        grep 'splice([0-9]*<.*/in>, ' log | head -n 1 | grep -q "/in>, \[$((present + 1000))\]"
        [ "$(awk '/splice\([0-9]+<.*\/in>, / { sum += $NF } END { print sum + 0 }' log)" -eq \
            $((SLICE_BYTES - present)) ]
    done
}

@test "the digest is that of the whole slice" {
    local present wanted
    "$ZSLICE" --digest=sha256 -l 1 in probe 2>err || skip "needs libcrypto"
    wanted=$(sha256sum <expected)
    for present in 0 5000 1500000 $SLICE_BYTES; do
        head -c $present expected >out
        "$ZSLICE" --resume --digest=sha256 -o 1000 in out 2>digest
        [ "$(<digest)" = "SHA256 (out) = ${wanted%% *}" ]
        sha256sum --check digest
    done
}

@test "killed, stopped, or at the limit of a file's size, and then resumed until it is complete" {
    local have status=0
    command -v strace >/dev/null || skip "needs strace"
    # The fourth splice of 1 MiB is the second into the target.
    strace -o log -e trace=splice -e inject=splice:signal=KILL:when=4 "$ZSLICE" --engine=splice -o 1000 in out ||
        status=$?
    [ "$status" -ne 0 ]
    have=$(stat -c %s out)
    [ "$have" -ge $((MIB - 4096)) ]
    [ "$have" -lt $SLICE_BYTES ]
    cmp -n "$have" expected out
    "$ZSLICE" --resume --stats=json -o 1000 in out 2>stats
    cmp expected out
    [ "$(statistic .bytes)" -eq $((SLICE_BYTES - have)) ]
    # Twice, as the limit grows. How many bytes are good counts those that were there.
    rm out
    for blocks in 1024 2000; do
        status=0
        (ulimit -f $blocks && "$ZSLICE" --resume -o 1000 in out 2>err) || status=$?
        cat err
        [ "$status" -eq 1 ]
        have=$(stat -c %s out)
        [ "$have" -eq $((blocks * 1024)) ]
        grep -q "^zslice: out: .*File too large; the target's first $have bytes are good$" err
        cmp -n "$have" expected out
    done
    # Stopped before and after a new byte has arrived: what was there before is good in any case.
    for at in 1 3; do
        head -c 1000 expected >out
        status=0
        strace -o log -e trace=splice -e inject=splice:signal=TERM:when=$at "$ZSLICE" --resume --engine=splice \
            -o 1000 in out 2>err || status=$?
        cat err
        [ "$status" -eq 143 ]
        have=$(stat -c %s out)
        grep -q "stopped by SIGTERM; the target's first $have bytes are good$" err
        cmp -n "$have" expected out
    done
    "$ZSLICE" --resume -o 1000 in out
    cmp expected out
}

@test "a beginning of which nothing more could be written stays as it is" {
    local before
    mount_file_system tmpfs 1
    head -c 100000 expected >mnt.tmpfs/out
    before=$(sha256sum mnt.tmpfs/out)
    expect_failure 1 mnt.tmpfs/out "No space left on device" --resume -o 1000 in mnt.tmpfs/out
    [ "$(sha256sum mnt.tmpfs/out)" = "$before" ]
}
