# Which bytes: every way to name a slice, against tail, head and Python's memoryview.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; $device is set by attach_loop
load ../helper

# Sizes around the offset of 1024 and around a page.
sizes=(1024 1025 4095 4096 4097 67108864)
too_small=(0 1 1023)

setup_file() {
    local size
    use_python
    for size in "${too_small[@]}" "${sizes[@]}"; do
        random_file "$BATS_FILE_TMPDIR/in.$size" "$size"
    done
}

# expect_slice SIZE FILE: FILE is in.SIZE[1024:].
expect_slice() {
    tail -c +1025 "$BATS_FILE_TMPDIR/in.$1" | cmp - "$2" || {
        echo "source of $1 bytes: the slice is wrong"
        return 1
    }
}

@test "all but the first 1024 bytes, file to file" {
    local size
    for size in "${sizes[@]}"; do
        "$ZSLICE" --offset 1024 "$BATS_FILE_TMPDIR/in.$size" "out.$size"
        expect_slice "$size" "out.$size"
        "$ZSLICE" --offset 1024 - "out.$size" <"$BATS_FILE_TMPDIR/in.$size"
        expect_slice "$size" "out.$size"
    done
}

@test "all but the first 1024 bytes, into a pipe" {
    local size
    for size in "${sizes[@]}"; do
        "$ZSLICE" --offset 1024 "$BATS_FILE_TMPDIR/in.$size" | cat >out
        expect_slice "$size" out
    done
}

@test "all but the first 1024 bytes, to redirected standard output" {
    local size
    for size in "${sizes[@]}"; do
        "$ZSLICE" --offset 1024 "$BATS_FILE_TMPDIR/in.$size" >out
        expect_slice "$size" out
    done
}

@test "all but the first 1024 bytes, from a pipe" {
    local size
    for size in "${sizes[@]}"; do
        cat "$BATS_FILE_TMPDIR/in.$size" | "$ZSLICE" --offset 1024 - out
        expect_slice "$size" out
        cat "$BATS_FILE_TMPDIR/in.$size" | "$ZSLICE" --offset 1024 | cat >out
        expect_slice "$size" out
    done
}

@test "all but the first 1024 bytes, into a block device" {
    local size length
    truncate -s 65M image
    attach_loop image
    for size in "${sizes[@]}"; do
        length=$((size - 1024))
        "$ZSLICE" --offset 1024 "$BATS_FILE_TMPDIR/in.$size" "$device"
        head -c "$length" "$device" >out
        expect_slice "$size" out
    done
}

@test "a file smaller than the offset is exit 3, and nothing is created" {
    local size
    for size in "${too_small[@]}"; do
        expect_failure 3 "$BATS_FILE_TMPDIR/in.$size" "the offset 1024 is beyond its end at $size" \
            --offset 1024 "$BATS_FILE_TMPDIR/in.$size" out
        [ ! -e out ]
        expect_failure 3 "standard input" "the offset 1024 is beyond its end at $size" \
            --offset 1024 - out <"$BATS_FILE_TMPDIR/in.$size"
        [ ! -e out ]
        expect_failure 3 "$BATS_FILE_TMPDIR/in.$size" "offset" \
            --offset 1024 "$BATS_FILE_TMPDIR/in.$size" >stdout
        [ ! -s stdout ]
    done
}

@test "a pipe smaller than the offset is exit 3, and nothing is created or emptied" {
    local size before
    echo precious >existing
    before=$(fingerprint existing)
    for size in "${too_small[@]}"; do
        cat "$BATS_FILE_TMPDIR/in.$size" |
            expect_failure 3 "standard input" "it ended before the offset 1024" --offset 1024 - out
        [ ! -e out ]
        cat "$BATS_FILE_TMPDIR/in.$size" |
            expect_failure 3 "standard input" "it ended before the offset 1024" \
                --offset 1024 - existing
        [ "$(fingerprint existing)" = "$before" ]
    done
}

# expect_sparse_slice FILE OFFSET RESULT [POSITION]: the slice is in the result, from the position on: all data of either are the same in both; what is a hole in both is not
# read, as that takes longer than all other tests. Of what has no holes, a device, only what is near data.
expect_sparse_slice() {
    "$PYTHON" -IS - "$@" <<'PYTHON'
import os, sys

def mebibytes(text):
    return int(text[:-1]) << 20 if text.endswith("M") else int(text)

source, result = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[3], os.O_RDONLY)
offset = mebibytes(sys.argv[2])
moved = offset - (mebibytes(sys.argv[4]) if len(sys.argv) > 4 else 0) # from the result's positions to the source's
size = os.fstat(source).st_size

def data(fd, start):
    """(start, end) of each stretch of data"""
    while start < os.lseek(fd, 0, os.SEEK_END):
        try:
            start = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end
        start = end

def same(start, end):
    """of the source's positions"""
    while start < end:
        step = min(end - start, 1 << 20)
        if os.pread(source, step, start) != os.pread(result, step, start - moved):
            sys.exit("they differ at %d or behind that" % start)
        start += step

if os.path.isfile(sys.argv[3]):
    if os.fstat(result).st_size != size - moved:
        sys.exit("the result has %d bytes" % os.fstat(result).st_size)
    for start, end in data(result, 0):
        same(start + moved, min(end + moved, size))
for start, end in data(source, offset):
    same(max(start - (1 << 20), offset), min(end + (1 << 20), size))
same(size - (1 << 20), size)
PYTHON
}

# bats test_tags=large
@test "5 GiB sparse: file to file" {
    sparse_5_gib
    "$ZSLICE" --offset 1024 in out
    expect_sparse_slice in 1024 out
    rm in out
}

# bats test_tags=large
@test "5 GiB sparse: into a pipe; more than 4 GiB from a pipe" {
    sparse_5_gib
    # From before the positions that need more than 32 bits, which follow a hole, to the end.
    "$ZSLICE" --offset 3900M in | cmp - <(tail -c +$((3900 * 1024 * 1024 + 1)) in)
    slice() { head -c 4300M /dev/zero && tail -c 2M in; }
    cmp <(slice | "$ZSLICE" --stats=json --offset 1024 2>stats | tail -c 2M) <(tail -c 2M in)
    [ "$(statistic .bytes)" -eq $((4302 * 1024 * 1024 - 1024)) ]
    rm in
}

# bats test_tags=large
@test "5 GiB sparse: to redirected standard output, up to its end" {
    sparse_5_gib
    truncate -s 3900M out
    "$ZSLICE" --offset 3900M in >>out
    expect_sparse_slice in 3900M out 3900M
    rm in out
}

# bats test_tags=large
@test "5 GiB sparse: into a block device" {
    sparse_5_gib
    truncate -s 6G image
    attach_loop image
    "$ZSLICE" --offset 3900M --seek 3900M in "$device"
    expect_sparse_slice in 3900M "$device" 3900M
    rm in image
}

# A few bytes of data between holes, some of them at positions beyond 32 bits.
sparse_5_gib() {
    local position
    truncate -s 5G in
    for position in 0 1000000001 2147483640 4294967290 5368708000; do
        head -c 1000 /dev/urandom | dd of=in bs=64K oflag=seek_bytes seek="$position" conv=notrunc \
            status=none
    done
    truncate -s 5G in
}

@test "positions beyond 32 bits" {
    local engine
    truncate -s 9G in
    printf needle | dd of=in bs=64K oflag=seek_bytes seek=4294967293 conv=notrunc status=none
    printf last | dd of=in bs=64K oflag=seek_bytes seek=9663676412 conv=notrunc status=none
    for engine in auto splice sendfile map-write buffer; do
        [ "$("$ZSLICE" --engine=$engine -o 4294967294 -l 4 in)" = eedl ]
        [ "$("$ZSLICE" --engine=$engine -o -4 in)" = last ]
        "$ZSLICE" --engine=$engine -o 4294967293 -l 6 - out <in
        [ "$(cat out)" = needle ]
        "$ZSLICE" --engine=$engine -o -4 --seek 4294967290 in far
        [ "$(tail -c 4 far)" = last ]
        [ "$(stat --format %s far)" -eq 4294967294 ]
    done
}

# expect_text TEXT ARGUMENT...: what the slice of the ten digits must be.
expect_text() {
    local expected=$1 got
    shift
    got=$("$ZSLICE" "$@" in)
    if [ "$got" != "$expected" ]; then
        echo "zslice $* of 0123456789: expected '$expected', got '$got'"
        return 1
    fi
}

@test "view[1:3] and view[-4:]" {
    printf 0123456789 >in
    expect_text 12 --offset 1 --end 3
    expect_text 6789 --offset -4
}

@test "offset, length and end, from the start and from the end" {
    printf 0123456789 >in
    expect_text 0123456789
    expect_text 3456789 --offset 3
    expect_text 34 --offset 3 --length 2
    expect_text 012 --length 3
    expect_text 012 --end 3
    expect_text 0123456 --end -3
    expect_text 678 --offset -4 --end -1
    expect_text 67 --offset -4 --length 2
    expect_text 345 --offset 3 --end -4
    expect_text 0123456789 --end -0
}

@test "lengths and ends beyond the source, and positions before it, are clamped" {
    printf 0123456789 >in
    expect_text 789 --offset 7 --length 100
    expect_text 789 --offset 7 --end 100
    expect_text 0123456789 --offset -100
    expect_text 012 --offset -100 --length 3
    expect_text 012 --offset -100 --end 3
    expect_text "" --end -100
    expect_text 0123456789 --offset -18446744073709551615 --length 18446744073709551615
}

@test "empty slices succeed and make an empty target" {
    local arguments
    printf 0123456789 >in
    for arguments in "-o 10" "-o -0" "-l 0" "-e 0" "-o 5 -e 5" "-o 5 -e 3" "-o -3 -e -5" "-o 3 -l 0"; do
        rm -f out
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments in out
        [ -f out ]
        [ ! -s out ]
    done
}

@test "-o -\$n means the last n bytes, for n = 0 too" {
    local n
    printf 0123456789 >in
    for n in 0 1 9 10 11; do
        tail -c "$n" in >expected
        "$ZSLICE" -o "-$n" in out
        expect_same expected out
    done
}

@test "every pair of positions gives what Python's memoryview gives" {
    printf abcde >in
    python3 - >table <<'END'
data = memoryview(b"abcde")
for start in range(-7, 8):
    for stop in range(-7, 8):
        print(start, stop, (data[start:stop].tobytes() or b"-").decode() if start <= 5 else "beyond")
END
    local start stop expected got status
    while read -r start stop expected; do
        status=0
        got=$("$ZSLICE" -o "$start" -e "$stop" in 2>err) || status=$?
        case "$expected $status ${got:--}" in
            "beyond 3 -" | "$expected 0 $expected") ;;
            *) echo "view[$start:$stop]: expected $expected, got '$got', status $status" && return 1 ;;
        esac
    done <table
    [ "$(wc -l <table)" -eq 225 ]
}

@test "numbers: hexadecimal, decimal in spite of leading zeros, and every suffix" {
    local size bytes
    truncate -s 3M in
    while read -r size bytes; do
        "$ZSLICE" --stats=json -l "$size" in /dev/null 2>stats
        [ "$(statistic .bytes)" = "$bytes" ] || {
            echo "--length $size: expected $bytes, got $(statistic .bytes)"
            return 1
        }
        "$ZSLICE" --stats=json -o "-$size" in /dev/null 2>stats
        [ "$(statistic .bytes)" = "$bytes" ]
    done <<'END'
0x1B 27
0xff 255
0x100 256
010 10
010K 10240
1B 1
3s 1536
1K 1024
1k 1024
1KiB 1024
1kB 1000
1KB 1000
2M 2097152
2MiB 2097152
2MB 2000000
1G 3145728
1GB 3145728
1T 3145728
15E 3145728
18EB 3145728
18446744073709551615 3145728
0xffffffffffffffff 3145728
END
}

@test "options: all the ways to write a value, before and after the files; the last one wins" {
    printf 0123456789 >in
    expect_text 3456789 --offset=3
    expect_text 3456789 -o3
    expect_text 3456789 -xo3
    expect_text 3456789 -xo 3
    expect_text 56 -o 1 -l 9 -o 5 -l 2
    "$ZSLICE" in out -l 2
    [ "$(cat out)" = 01 ]
    "$ZSLICE" in -l 3 out
    [ "$(cat out)" = 012 ]
}

@test "names: options end at --, - is a standard stream, popt's trap is a name like any other" {
    printf 0123456789 >in
    cp in ./-l
    "$ZSLICE" -o 4 -- -l -o
    [ "$(cat ./-o)" = 456789 ]
    [ "$("$ZSLICE" -o 5 - - <in)" = 56789 ]
    cp in '!#:+'
    "$ZSLICE" -o 6 '!#:+' 'out!#:+'
    [ "$(cat 'out!#:+')" = 6789 ]
    "$ZSLICE" -o 7 '!#:+' >out
    [ "$(cat out)" = 789 ]
    expect_failure 2 --offset "'!#:+'" --offset '!#:+' in out
    expect_failure 2 --offset "'!#:+'" '--offset=!#:+' in out
}

@test "no configuration file is read" {
    printf 0123456789 >in
    printf 'zslice alias --tail --offset -3\nzslice alias -q --length 1\n' >.popt
    HOME=$PWD expect_failure 2 --tail "unknown option" --tail in out
    rm .popt
    mkfifo .popt
    [ "$(HOME=$PWD timeout 10 "$ZSLICE" -l 2 in)" = 01 ]
}

@test "--exact: every shortfall of a file is exit 3 before the target is touched" {
    local arguments before
    printf 0123456789 >in
    echo precious >existing
    before=$(fingerprint existing)
    for arguments in "-l 11" "-e 11" "-o -11" "-o 5 -l 6" "-o -11 -l 1" "-o -1 -l 2"; do
        # shellcheck disable=SC2086 # several words
        expect_failure 3 in "bytes asked for are not there" --exact $arguments in out
        [ ! -e out ]
        # shellcheck disable=SC2086
        expect_failure 3 in "bytes asked for are not there" -x $arguments in existing
        [ "$(fingerprint existing)" = "$before" ]
    done
}

@test "--exact: a slice that is all there is no error" {
    local arguments
    printf 0123456789 >in
    for arguments in "" "-l 10" "-e 10" "-o -10" "-o 5 -l 5" "-o 10 -l 0" "-o -0" "-o 5 -e 3" "-e -3"; do
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" -x $arguments in out
    done
}

@test "--exact: a stream that ends early is exit 3, as soon as it ends" {
    printf 0123456789 | expect_failure 3 "standard input" "it ended 5 bytes before the end" -x -l 15 - out
    printf 0123456789 >expected
    expect_same expected out
    grep -q "first 10 bytes are good" err
    printf 0123456789 | expect_failure 3 "standard input" "it ended" -x -o 4 -e 12 - out
    [ "$(cat out)" = 456789 ]
    : | expect_failure 3 "standard input" "it ended 5 bytes before" -x -l 5 - new
    [ ! -e new ]
    printf 0123456789 | "$ZSLICE" -x -o 2 -l 8 - out
    [ "$(cat out)" = 23456789 ]
}

@test "streams: offset drops, length and end stop, both clamp at the end" {
    seq 100000 >in
    cat in | "$ZSLICE" -o 300001 -l 100003 >out
    tail -c +300002 in | head -c 100003 | cmp - out
    cat in | "$ZSLICE" -o 300001 -e 400004 >out
    tail -c +300002 in | head -c 100003 | cmp - out
    cat in | "$ZSLICE" -o 7 -l 100M >out
    tail -c +8 in | cmp - out
    cat in | "$ZSLICE" -o 7 -e 5 >out
    [ ! -s out ]
    cat in | "$ZSLICE" -e -0 >out
    expect_same in out
}

@test "streams: what needs an end that is not known is refused" {
    : | expect_failure 2 "standard input" "the end of a pipe is not known" -r 0:1 -r -5: - out
    : | expect_failure 2 "standard input" "the end of a pipe is not known" -r 0:-5 -r 7: - out
    : | expect_failure 2 "standard input" "the end of a pipe is not known" --shard=1/2 - out
    expect_failure 2 /dev/zero "the end of a character device is not known" --shard=1/2 /dev/zero out
    [ ! -e out ]
}

@test "standard input: position 0 is where it stands, and its size is what remains" {
    printf 0123456789 >in
    { read -r -N 4 && "$ZSLICE" -o 1 -l 2 - out; } < <(cat in)
    [ "$(cat out)" = 56 ]
    exec 5<in
    dd bs=4 count=1 status=none <&5 >/dev/null
    "$ZSLICE" -o -3 - out <&5
    [ "$(cat out)" = 789 ]
    exec 5<in
    dd bs=4 count=1 status=none <&5 >/dev/null
    expect_failure 3 "standard input" "the offset 7 is beyond its end at 6" -o 7 - out <&5
    "$ZSLICE" -o -100 - out <&5
    [ "$(cat out)" = 456789 ]
    exec 5<&-
}
