# --shard: parts that together are the whole, one after the other and all at once. The bounds are told by
# Python.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; $device is set by attach_loop
load ../helper

setup_file() {
    use_python
}

need_parallel() {
    parallel --version 2>/dev/null | grep -q GNU || skip "needs GNU parallel"
}

# check_shards SIZE ALIGN COUNT NUMBER...: the program's parts of in, as the formula has them. Without
# NUMBERs all of them, and that together they are in, one behind the other and each in its place.
check_shards() {
    "$PYTHON" - "$ZSLICE" "$@" <<'END2'
import os, subprocess, sys
program = sys.argv[1]
size, align, count, *numbers = map(int, sys.argv[2:])
data = open("in", "rb").read()
assert len(data) == size
older = os.urandom(size + 1000)

def bound(k):
    at = k * size // count
    return at if k == count else at - at % align

def run(*arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode}: zslice {arguments}")
    return done.stdout

extra = [] if align == 1 else [f"--align={align}"]
joined = b""
with open("longer", "wb") as file:
    file.write(older)
if os.path.exists("new"):
    os.unlink("new")
for k in numbers or range(1, count + 1):
    got = run(f"--shard={k}/{count}", *extra, "in")
    if got != data[bound(k - 1):bound(k)]:
        sys.exit(f"--shard={k}/{count} of {size} bytes: {len(got)} bytes, expected "
                 f"{bound(k - 1)} to {bound(k)}")
    joined += got
    if not numbers:
        run(f"--shard={k}/{count}", *extra, "--keep-offset", "in", "new")
        run(f"--shard={k}/{count}", *extra, "-k", "in", "longer")
if not numbers:
    if joined != data:
        sys.exit(f"{count} shards of {size} bytes are not the whole")
    if open("new", "rb").read() != data:
        sys.exit(f"{count} shards of {size} bytes: wrong in a new file")
    if open("longer", "rb").read() != data + older[size:]:
        sys.exit(f"{count} shards of {size} bytes: wrong in an existing file")
END2
}

@test "every N from 1 to 64, for sizes from 0: one behind the other, into a new file, into a longer one" {
    local size count
    for size in 0 63 1000; do
        random_file in $size
        for count in {1..64}; do
            [ $((count % 8)) -eq 0 ] || [ $size -eq 63 ] || [ "$count" -lt 4 ] || continue
            check_shards $size 1 "$count"
        done
    done
    random_file in 100003
    for count in 1 2 7 64; do
        check_shards 100003 1 "$count"
    done
}

@test "--align: inner bounds are multiples of it" {
    local size align count
    for size in 0 5 1000 100003; do
        random_file in $size
        for align in 7 512 4096; do
            for count in 1 2 8 13; do
                check_shards $size $align "$count"
            done
        done
    done
    random_file in 1000
    "$ZSLICE" --shard=1/3 --align=1K in a
    "$ZSLICE" --shard=2/3 --align=1K in b
    "$ZSLICE" --shard=3/3 --align=1K in c
    [ ! -s a ]
    [ ! -s b ]
    expect_same in c
}

@test "large N: the first, the middle and the last" {
    random_file in 100003
    check_shards 100003 1 1000 1 2 500 501 999 1000
    check_shards 100003 1 10000 1 2 5000 5001 9999 10000
    check_shards 100003 16 10000 1 5000 5001 9999 10000
    check_shards 100003 1 4294967295 1 2147483648 4294967294 4294967295
    random_file in 7
    check_shards 7 1 1000 1 142 143 144 500 1000
    truncate -s 8E in 2>/dev/null || truncate -s 15T in 2>/dev/null || truncate -s 1T in
    local size
    size=$(stat --format %s in)
    [ "$size" -ge 1099511627776 ]
    "$PYTHON" - "$ZSLICE" "$size" <<'END2'
import json, subprocess, sys
size, count = int(sys.argv[2]), 4294967295
for k in (1, 2, count // 2, count - 1, count):
    done = subprocess.run([sys.argv[1], "--stats=json", f"--shard={k}/{count}", "in", "/dev/null"],
                          stderr=subprocess.PIPE, check=True)
    assert json.loads(done.stderr)["bytes"] == k * size // count - (k - 1) * size // count
END2
}

@test "the default of --align is the record; records stay whole" {
    local k
    random_file in 10007
    : >out
    for k in 1 2 3 4 5 6 7; do
        "$ZSLICE" --record=100 --shard=$k/7 in part
        [ $k -eq 7 ] || [ $(($(stat --format %s part) % 100)) -eq 0 ]
        [ -s part ]
        cat part >>out
    done
    expect_same in out
    : >out
    for k in 1 2 3 4 5 6 7; do
        "$ZSLICE" --record=100 --field=3:5 --shard=$k/7 in >>out
    done
    "$PYTHON" -c 'data = open("in", "rb").read()
open("expected", "wb").write(b"".join(data[i:i + 100][3:5] for i in range(0, len(data), 100)))'
    expect_same expected out
    random_file older 20000
    cp older out
    cp older expected
    for k in 3 1 2; do
        "$ZSLICE" --record=100 --field=3:5 --shard=$k/3 --keep-offset in out
    done
    "$PYTHON" -c 'data = open("in", "rb").read(); out = bytearray(open("older", "rb").read())
for i in range(0, len(data), 100): out[i + 3:min(i + 5, len(data))] = data[i + 3:i + 5]
open("expected", "wb").write(out)'
    expect_same expected out
    expect_failure 2 --field "multiple of --record" --record=100 --field=3:5 --align=150 --shard=1/2 in new
    [ ! -e new ]
}

@test "a shard of a slice: of an offset, a range, what is left of standard input" {
    local k
    random_file in 100003
    : >a
    : >b
    : >c
    for k in 1 2 3; do
        "$ZSLICE" -o 1001 -l 50000 --shard=$k/3 in >>a
        "$ZSLICE" -r -7001:-1 --align=1000 --shard=$k/3 in >>b
        { dd bs=100 count=1 status=none >skipped; "$ZSLICE" --shard=$k/3; } <in >>c
    done
    tail -c +1002 in | head -c 50000 | cmp - a
    tail -c 7001 in | head -c 7000 | cmp - b
    tail -c +101 in | cmp - c
    "$ZSLICE" -r -7001:-1 --align=1000 --shard=2/3 in out
    tail -c 7001 in | tail -c +2001 | head -c 2000 | cmp - out
    { "$ZSLICE" --shard=2/4 --align=1 - out; head -c 3 >rest; } <in
    tail -c +$((2 * 100003 / 4 + 1)) in | head -c 3 | cmp - rest
    expect_failure 3 in "beyond its end" -o 100004 --shard=1/2 in new
    expect_failure 3 in "not there" -x -l 100004 --shard=1/2 in new
    [ ! -e new ]
}

@test "shards of a stream are refused, before a byte is read" {
    printf 0123456789 | {
        expect_failure 2 "standard input" "the end of a pipe is not known" --shard=1/2 - new
        cat >rest
    }
    [ "$(cat rest)" = 0123456789 ]
    expect_failure 2 /proc/version "a file without a size is not known" --shard=1/2 /proc/version new
    expect_failure 2 /dev/zero "not known" --shard=1/2 /dev/zero new
    [ ! -e new ]
}

@test "GNU parallel: all shards at once into one new file, many times over" {
    local round
    need_parallel
    random_file in 3000017
    for round in {1..15}; do
        rm -f out
        parallel --will-cite -j 8 "$ZSLICE" --shard {}/8 --keep-offset in out ::: {1..8}
        expect_same in out || { echo "round $round" && return 1; }
    done
    rm in
    random_file in 1001
    for round in {1..5}; do
        rm -f out
        parallel --will-cite -j 32 "$ZSLICE" --shard {}/32 --align=64 --keep-offset in out ::: {1..32}
        expect_same in out || { echo "round $round" && return 1; }
    done
}

@test "all shards at once, started by the shell" {
    local round k pids pid
    random_file in 3000017
    for round in {1..20}; do
        rm -f out
        pids=()
        for k in {1..8}; do
            "$ZSLICE" --shard "$k"/8 --keep-offset in out 3>&- &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do
            wait "$pid"
        done
        expect_same in out || { echo "round $round" && return 1; }
    done
}

@test "GNU parallel: a shard that fails is seen, and can be run again alone" {
    local status=0
    need_parallel
    random_file in 4000000
    # Of 4 shards the last two lie beyond what may be written.
    (ulimit -f 2048 && parallel --will-cite -j 4 "$ZSLICE" --shard {}/4 --keep-offset in out ::: 1 2 3 4) \
        2>errors || status=$?
    [ "$status" -eq 2 ] # how many failed
    [ "$(grep -c '^zslice: out: writing: File too large' errors)" -eq 2 ]
    cmp --bytes=2000000 in out
    run ! cmp -s in out
    parallel --will-cite "$ZSLICE" --shard {}/4 --keep-offset in out ::: 3 4
    expect_same in out
    status=0
    parallel --will-cite --halt now,fail=1 "$ZSLICE" --shard {}/4 --keep-offset missing out ::: 1 2 3 4 \
        2>errors || status=$?
    [ "$status" -ne 0 ]
    expect_same in out
}

@test "a shard that fails does not remove the file that another one has open" {
    random_file in 4000000
    (ulimit -f 1 && expect_failure 1 out "File too large" --shard=2/2 --keep-offset in out)
    [ -e out ]
    "$ZSLICE" --shard=1/2 --keep-offset in out
    "$ZSLICE" --shard=2/2 --keep-offset in out
    expect_same in out
}

@test "shards of a block device, and onto one" {
    local k
    random_file image 1048576
    attach_loop image
    : >joined
    for k in 1 2 3; do
        "$ZSLICE" --shard=$k/3 --align=4096 --keep-offset "$device" out
        "$ZSLICE" --shard=$k/3 "$device" >>joined
    done
    expect_same image out
    expect_same image joined
    random_file in 700001
    { cat in; tail -c +700002 image; } >expected
    for k in 3 1 2; do
        "$ZSLICE" --shard=$k/3 --align=4096 --keep-offset in "$device"
    done
    cmp expected "$device"
}
