#!/usr/bin/env bats
# What becomes of holes: the bytes, and where the file systems say that data and holes are.

# shellcheck disable=SC2002,SC2086,SC2154 # a pipe is wanted; options are words; set by the helper
load ../helper

NAMES="ext4 xfs btrfs tmpfs"
BLOCK=4096

setup_file() {
    use_python
    export MOUNTED=''
    mount_for_file ext4 ext4 96 -b 4096
    mount_for_file xfs xfs 320
    mount_for_file btrfs btrfs 160
    mount_for_file tmpfs tmpfs 96
    cat >"$BATS_FILE_TMPDIR/holes.py" <<'END'
import os, random, sys

BLOCK = 4096

def data_of(path):
    """Where its data are, as pairs of positions, neighbours joined."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    size, at, runs = os.fstat(fd).st_size, 0, []
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        runs.append((start, at))
    os.close(fd)
    return runs

def blocks_of(runs):
    return {block for start, end in runs for block in range(start // BLOCK, (end + BLOCK - 1) // BLOCK)}

def read(path, start, length):
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(length)

def lay(path, size, *runs):
    """A new file with random bytes, none of them 0, in runs START+LENGTH."""
    if os.path.exists(path):
        os.unlink(path)
    with open(path, "wb") as file:
        file.truncate(int(size))
        for run in runs:
            start, length = map(int, run.split("+"))
            file.seek(start)
            file.write((bytes(random.choices(range(1, 256), k=min(length, 4093))) * (length // 4093 + 1))[:length])
        file.truncate(int(size))
        os.fsync(file.fileno())

def check(how, source, start, length, target, seek):
    """kept: where the source has holes the target has; made: a block is one if it is all zeros; filled: none
    is. Only whole blocks of the region are looked at."""
    start, length, seek = int(start), int(length), int(seek)
    have = blocks_of(data_of(target)) # before it is read: cached pages can count as data
    wanted = read(source, start, length)
    got = read(target, seek, length)
    if got != wanted:
        at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
        sys.exit(f"{target}: wrong bytes from {at} of the slice on, {len(got)} of {len(wanted)} are there")
    end = seek + length
    whole = range((seek + BLOCK - 1) // BLOCK, end // BLOCK)
    if how == "kept":
        shifted = [(max(a, start) - start + seek, min(b, start + length) - start + seek)
                   for a, b in data_of(source) if b > start and a < start + length]
        data = blocks_of(shifted)
    elif how == "made":
        data = {b for b in whole if any(got[b * BLOCK - seek:(b + 1) * BLOCK - seek])}
    else:
        data = set(whole)
    # Of blocks that were allocated and not written, some file systems say that they are data once they were read.
    wrong = [b for b in whole if (b in have) != (b in data) and not (how == "kept" and b in data)]
    if wrong:
        b = wrong[0]
        is_now = "data" if b in have else "a hole"
        sys.exit(f"{target}: {how}: {len(wrong)} blocks, the first at {b * BLOCK} is {is_now}")
    room = os.stat(target).st_blocks * 512
    most = len(have) * BLOCK + 65536 # what the file system needs for its map
    if how != "filled" and room > most:
        sys.exit(f"{target}: {room} bytes are allocated, {most} at most were expected")
    if how == "filled" and room < len(whole) * BLOCK:
        sys.exit(f"{target}: {room} bytes are allocated of {length}")

{"lay": lay, "check": check, "data": lambda path: print(*(f"{a}-{b}" for a, b in data_of(path)))}[
    sys.argv[1]](*sys.argv[2:])
END
}

teardown_file() {
    unmount_for_file
}

holes() {
    "$PYTHON" -IS "$BATS_FILE_TMPDIR/holes.py" "$@"
}

# on_each COMMAND...: in an empty folder of each file system.
on_each() {
    each_mounted "$NAMES" "$@"
}

# A source of 3 MiB and a bit: holes at both ends and in the middle, data that begin within a block.
usual_source() {
    holes lay in 3145928 200000+300000 1048576+4096 1500000+1 2000000+500000
}

# kept_of SOURCE OFFSET LENGTH OPTION...: into a new file or, every other time, one that is emptied for it.
emptied=false
kept_of() {
    local source=$1 offset=$2 length=$3
    shift 3
    rm -f out
    if $emptied; then
        head -c 4000000 /dev/urandom >out
        emptied=false
    else
        emptied=true
    fi
    "$ZSLICE" --reflink=never -o "$offset" -l "$length" "$@" "$source" out
    [ "$(stat -c %s out)" -eq "$length" ]
    holes check kept "$source" "$offset" "$length" out 0
}

auto_keeps() {
    usual_source
    kept_of in 0 3145928
    kept_of in 4096 3141832 # leading and trailing hole
    kept_of in 1 3145000
    kept_of in 200001 100000
    kept_of in 600000 400001 # nothing but a hole, its size not that of a block
    kept_of in 250000 10000  # no hole
    kept_of in 1048000 8191 --atomic
    head -c 12288 /dev/zero >out # the beginning is there
    "$ZSLICE" --reflink=never --resume in out
    cmp in out
    holes check kept in 12288 3133640 out 12288
}

@test "auto: holes of the source stay holes in a target that is created or emptied" {
    on_each auto_keeps
}

small_holes() {
    local runs=() position
    for ((position = 4096; position < 1048576; position += 8192)); do
        runs+=("$position+4096")
    done
    holes lay in 1048577 "${runs[@]}"
    kept_of in 0 1048577
    kept_of in 8192 1000000
    "$ZSLICE" --reflink=never --sparse=always in out
    holes check made in 0 1048577 out 0
    head -c 1048577 /dev/urandom >out
    "$ZSLICE" --sparse=always --seek 0 in out
    holes check made in 0 1048577 out 0
    # From within a block every block of the target has some data.
    "$ZSLICE" --reflink=never --sparse=always -o 100 in out
    holes check made in 100 1048477 out 0
}

@test "many small holes: every second block" {
    NAMES="xfs tmpfs" on_each small_holes
}

all_and_none() {
    truncate -s 5000001 in
    kept_of in 0 5000001
    [ "$(stat -c %b out)" -eq 0 ]
    kept_of in 4999999 2
    "$ZSLICE" --sparse=always --stats=json in out 2>stats
    [ "$(statistic .holes_bytes)" -eq 5000001 ]
    [ "$(stat -c '%b %s' out)" = "0 5000001" ]
    : >in
    "$ZSLICE" --sparse=always in out
    [ "$(stat -c '%b %s' out)" = "0 0" ]
    holes lay in 500001 0+500001
    kept_of in 0 500001
    "$ZSLICE" --sparse=always --stats=json in out 2>stats
    holes check filled in 0 500001 out 0
    [ "$(statistic .holes_bytes)" -eq 0 ]
}

@test "nothing but a hole, none at all, and an empty file" {
    NAMES="xfs btrfs" on_each all_and_none
}

auto_fills() {
    usual_source
    head -c 4000000 /dev/urandom >old
    cp --reflink=never old out
    "$ZSLICE" --reflink=never --stats=json -o 100 --seek 5000 in out 2>stats
    holes check filled in 100 3145828 out 5000
    [ "$(statistic .holes_bytes)" -eq 0 ]
    cmp -n 5000 old out
    tail -c +3150829 old | cmp - <(tail -c +3150829 out)
    cp --reflink=never old out
    "$ZSLICE" --reflink=never --keep-offset -o 4096 -l 3000000 in out
    holes check filled in 4096 3000000 out 4096
    # Also where the target itself had a hole.
    truncate -s 4000000 sparse
    "$ZSLICE" --reflink=never --seek 0 in sparse
    holes check filled in 0 3145928 sparse 0
    "$ZSLICE" in | cmp - in
    cat in | "$ZSLICE" - out # a stream has no holes
    holes check filled in 0 3145928 out 0
}

@test "auto: holes are zeros in an existing region, in a pipe, and of a stream" {
    NAMES="ext4 btrfs" on_each auto_fills
}

@test "a loop device: auto writes zeros, always punches, and a device is a source too" {
    usual_source
    head -c 4194304 /dev/urandom >backing
    cp backing old
    attach_loop backing
    "$ZSLICE" --seek 8192 in "$device"
    sync backing
    holes check filled in 0 3145928 backing 8192
    cmp -n 8192 old backing
    cp old backing
    losetup -c "$device"
    dd if=old of="$device" bs=1M status=none conv=fsync
    "$ZSLICE" --sparse=always --sync --seek 8192 --stats=json in "$device" 2>stats
    cmp in <(tail -c +8193 "$device" | head -c 3145928)
    tail -c +3154121 "$device" | cmp - <(tail -c +3154121 old)
    [ "$(statistic .holes_bytes)" -gt 2000000 ]
    holes check made in 0 3145928 backing 8192
    "$ZSLICE" --sparse=always -o 8192 -l 3145928 "$device" out
    holes check made in 0 3145928 out 0
}

# into_old POSITION...: into the middle of old bytes, which stay on both sides.
into_old() {
    local seek
    for seek in "$@"; do
        cp --reflink=never old out
        "$ZSLICE" --sparse=always -o 8192 --seek $seek full out
        holes check made full 8192 3137736 out $seek
        cmp -n $seek old out
        tail -c +$((seek + 3137737)) old | cmp - <(tail -c +$((seek + 3137737)) out)
        cp --reflink=never old out
        cat full | "$ZSLICE" --sparse=always --seek $seek - out
        holes check made full 0 3145928 out $seek
    done
}

always_makes() {
    # Zeros that are written, not holes.
    usual_source
    cat in >full
    head -c 4000000 /dev/urandom >old
    "$ZSLICE" --sparse=always full out
    holes check made full 0 3145928 out 0
    "$ZSLICE" --sparse=always -o 12345 full out
    holes check made full 12345 3133583 out 0
    cat full | "$ZSLICE" --sparse=always - piped
    holes check made full 0 3145928 piped 0
    into_old 0 4096
}

past_the_end() {
    usual_source
    head -c 100001 /dev/urandom >out # its last block is not full
    "$ZSLICE" --sparse=always --seek 0 in out
    [ "$(stat -c %s out)" -eq 3145928 ]
    holes check made in 0 3145928 out 0
}

@test "always: a hole that begins before the end of what is there and goes on behind it" {
    NAMES="ext4 xfs tmpfs" on_each past_the_end # btrfs keeps the block that the old file ended in
}

@test "always: zeros become holes in new files, existing regions, at any position, and of streams" {
    on_each always_makes
}

# The reads (of 768 KiB) end within a block of the target then.
within_a_block() {
    usual_source
    cat in >full
    head -c 4000000 /dev/urandom >old
    into_old 5001 1
}

@test "always: where the target's blocks are not the source's, every block of zeros is punched, too" {
    on_each within_a_block
}

ranges_and_offsets() {
    usual_source
    cat in >full
    head -c 4000000 /dev/urandom >old
    "$ZSLICE" --sparse=always -r 2M:3M -r 0:1M -r 100:4196 full out
    { tail -c +2097153 full | head -c 1M; head -c 1M full; tail -c +101 full | head -c 4096; } >expected
    holes check made expected 0 2101248 out 0
    cp --reflink=never old out
    "$ZSLICE" --sparse=always --keep-offset -r 2M:3M -r 4096:1M full out
    holes check made full 2097152 1048576 out 2097152
    holes check made full 4096 1044480 out 4096
    tail -c +1048577 old | head -c 1M | cmp - <(tail -c +1048577 out | head -c 1M)
    tail -c +3145729 old | cmp - <(tail -c +3145729 out)
    cp --reflink=never old out
    cat full | "$ZSLICE" --sparse=always --keep-offset -r 4096:1M -r 2M:3M - out
    holes check made full 2097152 1048576 out 2097152
    tail -c +1048577 old | head -c 1M | cmp - <(tail -c +1048577 out | head -c 1M)
    "$ZSLICE" --sparse=always --record=16 --field=0:8 full out
    "$ZSLICE" --record=16 --field=0:8 full expected
    holes check made expected 0 "$(stat -c %s expected)" out 0
    "$ZSLICE" --record=16 -r ::3 in out # auto, a step: filled
    "$ZSLICE" --record=16 -r ::3 full expected
    cmp expected out
    "$ZSLICE" --sparse=always --keep-offset --record=8192 -r ::2 full new
    rm expected
    "$ZSLICE" --sparse=never --keep-offset --record=8192 -r ::2 full expected
    cmp expected new
    { head -c 4096 old; "$ZSLICE" --sparse=always full; printf tail; } >out
    holes check made full 0 3145928 out 4096
    tail -c 4 out | cmp - <(printf tail)
}

@test "always: several ranges, --keep-offset, columns, steps, and where standard output stands" {
    NAMES="ext4 btrfs" on_each ranges_and_offsets
}

never_keeps() {
    usual_source
    "$ZSLICE" --sparse=never --stats=json in out 2>stats
    holes check filled in 0 3145928 out 0
    [ "$(statistic .holes_bytes)" -eq 0 ]
    [ "$(statistic .shared_bytes)" -eq 0 ]
    "$ZSLICE" --sparse=never -o 4097 in out
    holes check filled in 4097 3141831 out 0
    "$ZSLICE" --sparse=never --atomic -o 1 in out
    holes check filled in 1 3145927 out 0
}

@test "never: everything takes room" {
    NAMES="ext4 btrfs" on_each never_keeps
}

engines_keep() {
    local engine
    usual_source
    for engine in splice sendfile map-write buffer copy-range; do
        kept_of in 0 3145928 --engine=$engine
        kept_of in 4097 3000000 --engine=$engine
        if [ $engine != buffer ]; then
            rm out
            expect_failure 2 --engine "$engine: it cannot do this copy: --sparse=always looks at each byte" \
                --sparse=always --engine=$engine in out
            [ ! -e out ]
        fi
    done
    "$ZSLICE" --sparse=always --engine=buffer in out
    holes check made in 0 3145928 out 0
}

@test "each engine keeps holes; --sparse=always is for buffer only" {
    enter ext4
    engines_keep
}

@test "--sparse=always where no holes can be, and what it cannot be combined with, is refused" {
    local before
    usual_source
    printf old >out
    before=$(fingerprint out)
    expect_failure 2 "standard output" "--sparse=always: a pipe has no holes" --sparse=always in | cat >got
    [ ! -s got ]
    expect_failure 2 out "--sparse=always: what is appended has no holes" --sparse=always --append in out
    expect_failure 2 "standard output" "--sparse=always: what is appended has no holes" --sparse=always in >>out
    expect_failure 2 new "--sparse=always: what is appended has no holes" --sparse=always --append in new
    expect_failure 2 /dev/null "--sparse=always: a character device has no holes" --sparse=always in /dev/null
    expect_failure 2 --sparse=always "sharing blocks" --sparse=always --reflink=always in out
    expect_failure 2 --sparse=always "sharing blocks" --sparse=always --engine=reflink in out
    expect_failure 2 --sparse=never "sharing blocks" --sparse=never --reflink=always in out
    expect_failure 2 --sparse "" --sparse=some in out
    expect_failure 2 --sparse "" --sparse= in out
    [ "$(fingerprint out)" = "$before" ]
    [ ! -e new ]
    "$ZSLICE" --sparse=always --sparse=auto in | cmp - in # the last one counts
}

# traced FAULT ARGUMENT...: the program with that fault of the source's or target's calls, which fired.
traced() {
    local status=0 path=()
    # The answers about holes, not where the target was positioned.
    [[ $1 != lseek* ]] || path=(-P "$PWD/in")
    timeout 20 strace "${path[@]}" -f -e quiet=all -o log -e "inject=$1" "$ZSLICE" "${@:2}" || status=$?
    grep -q INJECTED log
    return $status
}

@test "file systems that tell of no holes, or make none: the bytes are right all the same" {
    local name code
    for name in ext4 tmpfs; do
        enter $name
        usual_source
        for code in EINVAL EOPNOTSUPP ENOSYS EIO; do
            rm -f out
            traced lseek:error=$code in out
            cmp in out
        done
        for code in EOPNOTSUPP ENOSYS EPERM EINVAL; do
            head -c 4000000 /dev/urandom >old
            cp old out
            traced fallocate:error=$code --sparse=always --seek 5000 --stats=json in out 2>stats
            cmp in <(tail -c +5001 out | head -c 3145928)
            cmp -n 5000 old out
            tail -c +3150929 old | cmp - <(tail -c +3150929 out)
            [ "$(statistic .holes_bytes)" -eq 0 ]
        done
        # Behind the end no punching is needed.
        rm -f out
        "$ZSLICE" --sparse=always in out
        holes check made in 0 3145928 out 0
    done
}

@test "lies about holes: no endless loop, and right bytes if they say that there are data" {
    local lie at status
    enter ext4
    # Data at the beginning, so that the first answer is that of data, the second that of a hole.
    holes lay in 1000001 0+8192 100000+50000 900000+4096
    # Every answer is 0: data, for it is not behind the position.
    for at in "" :when=1 :when=2 :when=3 :when=4 :when=2+2; do
        rm -f out
        traced "lseek:retval=0$at" in out
        cmp in out
    done
    # The end of the data, which is not where it is.
    for lie in 0 1 4095 4097 500000 1000000 1000001 1000002 4611686018427387904; do
        rm -f out
        traced "lseek:retval=$lie:when=2" in out
        cmp in out
    done
    # Everything else: whatever it is, it ends, and no byte comes that is neither the source's nor zero.
    for lie in 1 4096 999999 1000001 9223372036854775807; do
        for at in "" :when=1 :when=3 :when=5+; do
            rm -f out
            status=0
            traced "lseek:retval=$lie$at" in out 2>err || status=$?
            echo "$lie$at: $status"
            [ $status -eq 0 ] || [ $status -eq 1 ]
        done
    done
    status=0
    traced lseek:error=ENXIO in out || status=$?
    [ $status -ne 124 ]
}

@test "the statistics count what is a hole in the target" {
    enter ext4
    holes lay in 1048576 40960+8192 500000+1
    "$ZSLICE" --stats=json in out 2>stats
    # The byte at 500,000 has a block of its own.
    [ "$(statistic .holes_bytes)" -eq $((1048576 - 8192 - BLOCK)) ]
    [ "$(statistic .bytes)" -eq 1048576 ]
    "$ZSLICE" --stats=json -o 1000 -l 20000 in out 2>stats
    [ "$(statistic .holes_bytes)" -eq 20000 ]
    cat in | "$ZSLICE" --stats=json --sparse=always - out 2>stats
    [ "$(statistic .holes_bytes)" -eq $((1048576 - 8192 - BLOCK)) ]
    "$ZSLICE" --stats=json in 2>stats | cmp - in
    [ "$(statistic .holes_bytes)" -eq 0 ]
    expect_failure 3 in "" -o 2M in out
}

terabyte() {
    local option size=1099511627776 position
    truncate -s 1T in
    for position in 0 549755813000 $((size - 3)); do
        printf XYZ | dd of=in oflag=seek_bytes seek=$position conv=notrunc status=none
    done
    for option in "" --atomic "--atomic --verify --reflink=never" "--verify -o 1" --sync; do
        rm -f out
        timeout 10 "$ZSLICE" --reflink=never $option in out
        [ "$(stat -c %s out)" -ge $((size - 1)) ]
        [ "$(stat -c %b out)" -le 256 ]
        [ "$(tail -c 4 out | tr -d '\0')" = XYZ ]
        position=$((549755813000 - (1 - (size - $(stat -c %s out) == 0))))
        [ "$(tail -c +$((position + 1)) out | head -c 3)" = XYZ ]
    done
}

@test "a sparse file of 1 TiB takes no time, with --atomic and --verify, too" {
    local name
    for name in xfs btrfs tmpfs ext4; do
        enter $name
        echo "on $name"
        terabyte
    done
}

@test "--explain tells what becomes of holes" {
    enter ext4
    usual_source
    "$ZSLICE" --explain in out >plan
    grep -qx 'holes: those of the source are holes in the target' plan
    "$ZSLICE" --explain --sparse=always in out >plan
    grep -qx 'holes: zeros become holes, where the file system can make them' plan
    grep -qx '    by buffer' plan
    "$ZSLICE" --explain --sparse=never in out >plan
    run ! grep -q '^holes' plan
    "$ZSLICE" --explain in | cat >plan
    run ! grep -q '^holes' plan
    head -c 5000 /dev/urandom >old
    "$ZSLICE" --explain --seek 0 in old >plan
    run ! grep -q '^holes' plan
    [ ! -e out ]
}

@test "always: the end is that of the hole furthest back, not of the one made last" {
    truncate -s 16K in
    "$ZSLICE" -k --sparse=always -r 8K: -r :4K in out
    [ "$(stat -c %s out)" -eq 16384 ]
    cmp in out
}
