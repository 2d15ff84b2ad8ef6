# --range: both forms, many ranges, every end, and every refusal. What the bytes must be is told by
# Python, dd, head and tail.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; $device is set by attach_loop
load ../helper

setup_file() {
    use_python
}

# expect_text TEXT ARGUMENT...: what is selected of the ten digits must be, from a file and standard
# input, which stands behind two other bytes.
expect_text() {
    local expected=$1 got
    shift
    printf 0123456789 >in
    printf ab0123456789 >standing
    got=$("$ZSLICE" "$@" in && printf .)
    [ "$got" = "$expected." ] || {
        echo "zslice ${*@Q} of 0123456789: expected '$expected', got '${got%.}'"
        return 1
    }
    got=$({ dd bs=2 count=1 status=none >prefix && "$ZSLICE" "$@"; } <standing && printf .)
    [ "$got" = "$expected." ] || {
        echo "zslice ${*@Q} of standard input at 2: expected '$expected', got '${got%.}'"
        return 1
    }
}

# expect_streamed TEXT ARGUMENT...: what is selected of the ten digits from a pipe.
expect_streamed() {
    local expected=$1 got
    shift
    got=$(printf 0123456789 | "$ZSLICE" "$@" && printf .)
    [ "$got" = "$expected." ] || {
        echo "zslice ${*@Q} of a pipe with 0123456789: expected '$expected', got '${got%.}'"
        return 1
    }
}

# refuse_ranges REASON: each line of standard input is the words of a command line that is refused with
# one message about --range; nothing is touched.
refuse_ranges() {
    local line words before tried=0 failed=0
    printf 0123456789 >in
    echo precious >out
    before=$(fingerprint in out)
    while IFS= read -r line; do
        read -r -a words <<<"$line"
        expect_failure 2 --range "$1" "${words[@]}" </dev/null >stdout || failed=1
        [ ! -s stdout ] || failed=1
        tried=$((tried + 1))
    done
    [ "$tried" -gt 0 ]
    [ "$(fingerprint in out)" = "$before" ]
    [ ! -e new ]
    [ "$failed" -eq 0 ]
}

@test "both forms, and every part may be left out" {
    expect_text 12 --range 1:3
    expect_text 12 -r1:3
    expect_text 12 --range=1+2
    expect_text 0123456789 --range=:
    expect_text 0123456789 --range=::
    expect_text 3456789 --range=3:
    expect_text 012 --range=:3
    expect_text 6789 --range=-4:
    expect_text 0123456 --range=:-3
    expect_text 678 --range=-4:-1
    expect_text 67 --range=-4+2
    expect_text 0123456789 --range=:-0
    expect_text "" --range=-0:
    expect_text "" --range=-0+5
    expect_text 0369 --range=::3
    expect_text 1357 --range=1:9:2
    expect_text 0 --range=::100
    expect_text 23456 --range=2:7:
    expect_text 89 --range=-2::1
    expect_text 0 --range=:1:18446744073709551615
    expect_text 34 --range=0x3:0x5
    expect_text 34 --range=003:5B
    expect_text "" --range=10:
    expect_text "" --range=5:3
    expect_text "" --range=5+0
}

@test "every START:STOP:STEP gives what Python gives" {
    printf abcde >in
    "$PYTHON" - >table <<'END2'
data = b"abcde"
for start in ["", *range(-7, 6)]:
    for stop in ["", *range(-7, 8)]:
        for step in ["", 1, 2, 3, 5, 7]:
            part = data[slice(*(int(n) if n != "" else None for n in (start, stop, step)))]
            print(f"{start}:{stop}" + (f":{step}" if step else ""), part.decode())
END2
    "$PYTHON" -c '
import subprocess, sys
wrong = 0
for line in open("table"):
    text, expected = line.rstrip("\n").split(" ")
    for source in ("in", "-"):
        with open("in", "rb") as stdin:
            got = subprocess.run([sys.argv[1], "-r", text, source], stdin=stdin, stdout=subprocess.PIPE)
        if (got.returncode, got.stdout.decode()) != (0, expected):
            print(f"--range={text} of {source}: {got}, expected {expected}")
            wrong += 1
sys.exit(wrong > 0)' "$ZSLICE"
    [ "$(wc -l <table)" -eq $((14 * 16 * 6)) ]
}

@test "many ranges: in the order given, overlaps and repeats included" {
    expect_text 789012 -r7: -r:3
    expect_text 123345345 -r1:4 -r3+3 -r3:6
    expect_text 012345678901234567890123456789 -r: -r: -r:
    expect_text 9876543210 -r9: -r8+1 -r7+1 -r6+1 -r5+1 -r4+1 -r3+1 -r2+1 -r1+1 -r0+1
    expect_text 90864 -r-1: -r:1 -r8:3 -r8+1 -r6:7 -r4+1
    expect_text 025 -r0+1 -r5:5 -r2+1 -r10: -r5+1
    expect_text 02468013579 -r::2 -r0+1 -r1::2
}

@test "5,000 ranges in one command line: into a file, into a pipe, from a pipe" {
    local -a ranges
    random_file in 200000
    "$PYTHON" - <<'END2'
import random
data = open("in", "rb").read()
for name, ascending in (("any", False), ("ascending", True)):
    starts = [random.randrange(len(data)) for _ in range(5000)]
    if ascending:
        starts.sort()
    with open(name, "w") as ranges, open("expected." + name, "wb") as expected:
        for i, start in enumerate(starts):
            room = starts[i + 1] - start if ascending and i + 1 < len(starts) else 99
            stop = min(start + random.randint(0, min(room, 99)), len(data))
            text = f"{start}:{stop}" if i % 2 else f"{start}+{stop - start}"
            print("--range=" + text, file=ranges)
            expected.write(data[start:stop])
END2
    mapfile -t ranges <any
    [ "${#ranges[@]}" -eq 5000 ]
    "$ZSLICE" --stats=json "${ranges[@]}" in out 2>stats
    expect_same expected.any out
    [ "$(statistic .ranges)" -eq 5000 ]
    [ "$(statistic .user_copied_bytes)" -eq 0 ]
    [ "$(statistic .bytes)" -eq "$(stat --format %s expected.any)" ]
    "$ZSLICE" "${ranges[@]}" in | cmp - expected.any
    mapfile -t ranges <ascending
    [ "${#ranges[@]}" -eq 5000 ]
    cat in | "$ZSLICE" "${ranges[@]}" - out
    expect_same expected.ascending out
    cat in | "$ZSLICE" "${ranges[@]}" | cmp - expected.ascending
    cp in same
    "$ZSLICE" "${ranges[@]}" --keep-offset in same
    expect_same in same
}

# The ranges of in that are used from here on, and what they are.
some_ranges=(-r 100000:250001 -r -5+5 -r :3 -r 100K+70000 -r 7:7 -r 1::100001)

make_expected() {
    random_file in 300017
    "$PYTHON" -c '
data = open("in", "rb").read()
with open("expected", "wb") as expected:
    for part in (data[100000:250001], data[-5:], data[:3], data[102400:172400], data[1::100001]):
        expected.write(part)'
    [ "$(stat --format %s expected)" -eq $((150001 + 5 + 3 + 70000 + 4)) ]
}

@test "several ranges, by every engine, into a file, a pipe, a socket" {
    local engine
    make_expected
    for engine in auto splice sendfile map-write buffer; do
        "$ZSLICE" --engine=$engine "${some_ranges[@]}" in out
        expect_same expected out
        "$ZSLICE" --engine=$engine "${some_ranges[@]}" - out <in
        expect_same expected out
        "$ZSLICE" --engine=$engine "${some_ranges[@]}" in | cat >out
        expect_same expected out
        peer run --target unix --collect got -- "$ZSLICE" --engine=$engine "${some_ranges[@]}" in
        expect_same expected got
        peer run --target tcp --collect got -- "$ZSLICE" --engine=$engine "${some_ranges[@]}" in
        expect_same expected got
    done
}

@test "several ranges, at a position, at the end, where standard output stands" {
    make_expected
    random_file old 500000
    { head -c 1234 old; cat expected; tail -c +$((1234 + 220013 + 1)) old; } >wanted
    cp old out
    "$ZSLICE" --seek 1234 "${some_ranges[@]}" in out
    expect_same wanted out
    cp old out
    "$ZSLICE" --seek 1234 --truncate "${some_ranges[@]}" in out
    { head -c 1234 old; cat expected; } | cmp - out
    cp old out
    "$ZSLICE" --append "${some_ranges[@]}" in out
    cat old expected | cmp - out
    { printf x; "$ZSLICE" "${some_ranges[@]}" in; printf y; } >>out
    { cat old expected; printf x; cat expected; printf y; } | cmp - out
    { printf x; "$ZSLICE" "${some_ranges[@]}" in; printf y; } >out
    { printf x; cat expected; printf y; } | cmp - out
    cp old out
    "$ZSLICE" "${some_ranges[@]}" in out
    expect_same expected out
}

@test "several ranges of a file pass through no memory of the program" {
    local target
    make_expected
    for target in new /dev/null -; do
        "$ZSLICE" --stats=json -r 100000:250001 -r -5+5 -r :3 -r 100K+70000 in $target 2>stats >got
        [ "$(statistic .bytes)" -eq 220009 ]
        [ "$(statistic .user_copied_bytes)" -eq 0 ]
        [ "$(statistic .ranges)" -eq 4 ]
    done
    "$ZSLICE" --stats=json -r 100000:250001 -r -5+5 in 2>stats | cat >got
    [ "$(statistic .user_copied_bytes)" -eq 0 ]
    [ "$(stat --format %s got)" -eq 150006 ]
}

@test "several ranges from and to a block device" {
    random_file image 1048576
    attach_loop image
    "$ZSLICE" -r 512s+1001 -r -7: -r 3:5 "$device" out
    { tail -c +262145 image | head -c 1001; tail -c 7 image; tail -c +4 image | head -c 2; } | cmp - out
    { "$ZSLICE" -r 5:9 -r 2:3 - out; cat >rest; } <"$device"
    { tail -c +6 image | head -c 4; tail -c +3 image | head -c 1; } | cmp - out
    tail -c +4 image | cmp - rest
    expect_failure 3 "$device" "beyond its end at 1048576" -r 0:1 -r 1048577: "$device" new
    [ ! -e new ]
    random_file in 300000
    cp image wanted
    { tail -c +200001 in | head -c 100; head -c 50001 in; } |
        dd of=wanted bs=64K oflag=seek_bytes seek=777 conv=notrunc iflag=fullblock status=none
    "$ZSLICE" --seek 777 -r 200000+100 -r :50001 in "$device"
    cmp wanted "$device"
}

@test "standard input is left behind the last byte of the last range given" {
    printf 0123456789 >in
    { "$ZSLICE" -r 5:8 -r 1:3 - out; cat >rest; } <in
    [ "$(cat out)" = 56712 ]
    [ "$(cat rest)" = 3456789 ]
    { read -r -N 2 _; } <in
    { dd bs=2 count=1 status=none >skipped; "$ZSLICE" -r :2 -r 4:5 - out; cat >rest; } <in
    [ "$(cat out)" = 236 ]
    [ "$(cat rest)" = 789 ]
    { "$ZSLICE" -r ::4 - out; cat >rest; } <in
    [ "$(cat out)" = 048 ]
    [ "$(cat rest)" = 9 ]
}

@test "pipes: ascending ranges, and what follows them stays in the pipe" {
    expect_streamed 12 -r1:3
    expect_streamed 0123456789 -r:
    expect_streamed 0123456789 -r:-0
    expect_streamed 0369 -r::3
    expect_streamed 01567 -r:2 -r5+3
    expect_streamed 0123456789 -r:5 -r5:
    expect_streamed 13789 -r1:4:2 -r7:10 -r10:
    expect_streamed 12389 -r1:4 -r8:100
    expect_streamed 6789 -r6+100
    expect_streamed "" -r5:3
    expect_streamed 7 -r5:3 -r5+0 -r7:8
    printf 0123456789 | { "$ZSLICE" -r1:3 -r5:6 - out; cat >rest; }
    [ "$(cat out)" = 125 ]
    [ "$(cat rest)" = 6789 ]
    printf 0123456789 | { "$ZSLICE" -r1:8:3 - out; cat >rest; }
    [ "$(cat out)" = 147 ]
    [ "$(cat rest)" = 89 ]
    random_file in 3000000
    { head -c 1000000 in | tail -c 999990; tail -c +1500001 in | head -c 1000001; } >expected
    cat in | { "$ZSLICE" -r10:1000000 -r1500000+1000001 - out; cat >rest; }
    expect_same expected out
    tail -c +2500002 in | cmp - rest
}

@test "pipes: ranges that do not ascend are refused before a byte is read" {
    local arguments tried=0
    for arguments in "-r1:3 -r2:4" "-r5: -r7:8" "-r: -r:" "-r5:6 -r1:2" "-r5+1 -r5+1" "-r:3 -r3:4 -r3:5" \
        "-r0:10:2 -r1:10:2" "-r5+18446744073709551615 -r6:" "-r:-0 -r5:"; do
        printf 0123456789 | {
            # shellcheck disable=SC2086 # several words
            expect_failure 2 "standard input" "begins before range" $arguments - new
            cat >rest
        }
        [ "$(cat rest)" = 0123456789 ]
        tried=$((tried + 1))
    done
    [ ! -e new ]
    [ "$tried" -eq 9 ]
    printf 0123456789 | expect_failure 2 "standard input" "several ranges" -r1:3 -r-2: - new
    printf 0123456789 | expect_failure 2 "standard input" "several ranges" -r-3:-2 -r-2: - new
    printf 0123456789 | expect_failure 2 "standard input" "several ranges" -r:1 -r2:-2 - new
    [ ! -e new ]
}

@test "files of /proc: ascending ranges, and beyond the end" {
    cat "/proc/$$/limits" >limits

    "$ZSLICE" -r 5:9 -r 20:100 -r 200+150 "/proc/$$/limits" out
    { tail -c +6 limits | head -c 4; tail -c +21 limits | head -c 80; tail -c +201 limits | head -c 150; } |
        cmp - out
    "$ZSLICE" -r 5::3 "/proc/$$/limits" out
    "$PYTHON" -c 'import sys; sys.stdout.buffer.write(open("limits", "rb").read()[5::3])' | cmp - out
    expect_failure 2 "/proc/$$/limits" "begins before range" -r 5:9 -r 8:10 "/proc/$$/limits" new
    expect_failure 3 "/proc/$$/limits" "it ended before the offset 1000000" \
        -r 1000000: "/proc/$$/limits" new
    [ ! -e new ]
    expect_failure 3 "/proc/$$/limits" "it ended before the offset 1000000" \
        -r :10 -r 1000000: "/proc/$$/limits" out
    head -c 10 limits | cmp - out
}

@test "a START beyond the end of a file is exit 3 before the target is touched" {
    local arguments before tried=0
    printf 0123456789 >in
    echo precious >out
    before=$(fingerprint out)
    for arguments in "-r11:" "-r11:5" "-r11+0" "-r:3 -r11:" "-r:3 -r11:12 -r4:5" "-r11::3" "-r0xb:" \
        "-r18446744073709551615:" "-r15E:" "-r1s:" "--record=4 -r3:" "--record=4 -r:1 -r11B:"; do
        # shellcheck disable=SC2086 # several words
        expect_failure 3 in "beyond its end at 10" $arguments in out
        # shellcheck disable=SC2086
        expect_failure 3 in "beyond its end at 10" $arguments in new
        # shellcheck disable=SC2086
        expect_failure 3 in "beyond its end at 10" $arguments --append in out
        # shellcheck disable=SC2086
        expect_failure 3 "standard input" "beyond its end at 10" $arguments --seek 2 - out <in
        tried=$((tried + 1))
    done
    [ ! -e new ]
    [ "$(fingerprint out)" = "$before" ]
    [ "$tried" -eq 12 ]
}

@test "a START beyond the end of a stream is exit 3 as the stream ends" {
    local before
    echo precious >out
    before=$(fingerprint out)
    printf 0123456789 | expect_failure 3 "standard input" "it ended before the offset 11" -r11: - out
    printf 0123456789 | expect_failure 3 "standard input" "it ended before the offset 11" -r11:5 - out
    printf 0123456789 | expect_failure 3 "standard input" "it ended before the offset 11" -r11+1 - new
    [ "$(fingerprint out)" = "$before" ]
    [ ! -e new ]
    printf 0123456789 | expect_failure 3 "standard input" "it ended before the offset 11" -r2:4 -r11: - out
    [ "$(cat out)" = 23 ]
    printf 0123456789 | expect_failure 3 "standard input" "it ended before the offset 20" \
        -r2:4 -r8:12 -r20: - out
    [ "$(cat out)" = 2389 ]
    printf 0123456789 | "$ZSLICE" -r2:4 -r10: - out
    [ "$(cat out)" = 23 ]
}

@test "ranges are clamped" {
    expect_text 789 -r7:100
    expect_text 789 -r7+100
    expect_text 012 -r-100:3
    expect_text 012 -r-100+3
    expect_text "" -r:-100
    expect_text "" -r3:-100
    expect_text 0123456789 -r-18446744073709551615:18446744073709551615
    expect_text 0123456789 -r-15E+15E
    expect_text 9999 -r9:15E -r9+18446744073709551615 -r-1+0xffffffffffffffff -r9::18446744073709551615
    expect_text 048 -r::4
    expect_text 26 -r2:7:4
}

@test "--exact: every shape of shortfall is exit 3, on files before the target is touched" {
    local arguments before tried=0
    printf 0123456789 >in
    echo precious >out
    before=$(fingerprint out)
    for arguments in "-r:11" "-r5+6" "-r-11:" "-r-11+1" "-r-1+2" "-r10:11" "-r10+1" "-r:5 -r:11" \
        "-r:11 -r:5" "-r:15E" "-r-15E:" "-r1:18446744073709551615" "-r-11:-10" "--record=4 -r:" \
        "--record=4 -r:3" "--record=4 -r1+2" "--record=4 -r-3:" "--record=4 -r:9B" "--record=3 -r::8B" \
        "--record=3 -r9B::3" "--record=4 --field=0:3 -r:"; do
        # shellcheck disable=SC2086 # several words
        expect_failure 3 in "slicing: " --exact $arguments in out
        # shellcheck disable=SC2086
        expect_failure 3 "standard input" "slicing: " --exact $arguments - new <in
        tried=$((tried + 1))
    done
    [ "$(fingerprint out)" = "$before" ]
    [ ! -e new ]
    [ "$tried" -eq 21 ]
    expect_text 0123456789 -x -r:10
    expect_text 56789 -x -r5+5
    expect_text 0123456789 -x -r-10:
    expect_text "" -x -r10+0
    expect_text "" -x -r5:3
    expect_text 0369 -x -r::3
    expect_text 01234567 -x --record=4 -r:2
    expect_text 0156 -x --record=2 -r0:5B:5B -r5B:9B:4B --field=:
    expect_text 0189 -x --record=2 -r::4
}

@test "--exact on streams: exit 3 as the stream ends, with what there was" {
    local arguments expected tried=0
    while read -r expected arguments; do
        # shellcheck disable=SC2086 # several words
        printf 0123456789 | expect_failure 3 "standard input" "slicing: " --exact $arguments - out
        [ "$(cat out)" = "$expected" ] || { echo "$arguments: '$(cat out)'" && return 1; }
        tried=$((tried + 1))
    done <<'END2'
0123456789 -r:11
56789 -r5+6
012389 -r:4 -r8:12
0123456789 --record=4 -r:
456789 --record=4 -r1:3
END2
    [ "$tried" -eq 5 ]
}

@test "64-bit edges of every number" {
    printf 0123456789 >in
    expect_text 0123456789 -r0:18446744073709551615:1
    expect_text 0123456789 -r0x0:0xffffffffffffffff:0x1
    expect_text 0123456789 -r-0xffffffffffffffff+0xffffffffffffffff
    expect_text 0123456789 -r:15E
    expect_text 0123456789 --record=1 -r:18446744073709551615
    expect_text 0123456789 --record=3 -r:6148914691236517205
    expect_text 0123456789 --record=18446744073709551615 -r:1
    expect_text 0123456789 --record=15E -r0+1
    expect_text 3456789 --record=18446744073709551615 -r3B:
    expect_text 34 --record=18446744073709551615 --field=3:5 -r:
    expect_text "" --record=18446744073709551615 --field=-2: -r3B:
    expect_text 3 -r3::18446744073709551615
    refuse_ranges "beyond 64 bits (2^64-1 bytes): '" <<'END2'
-r18446744073709551616: in out
-r:18446744073709551616 in new
-r0+18446744073709551616 in new
-r::18446744073709551616 in new
-r-18446744073709551616: in out
-r:-16E in out
-r16E: in out
-r0+16E in out
-r::16E in out
-r0x10000000000000000: in out
-r0:1:99999999999999999999 in out
-r19EB: in new
-r:3 -r16E: in new
END2
}

@test "--record: products beyond 64 bits are refused" {
    local arguments before tried=0
    printf 0123456789 >in
    echo precious >out
    before=$(fingerprint out)
    for arguments in "--record=2 -r9223372036854775808:" "--record=2 -r:9223372036854775808" \
        "--record=2 -r0+0x8000000000000000" "--record=2 -r::9223372036854775808" \
        "--record=3 -r:6148914691236517206" "--record=15E -r2:" "--record=4294967296 -r4294967296:" \
        "--record=2 -r-9223372036854775808:" "--record=18446744073709551615 -r:2" \
        "-r18446744073709551615: --record=2" "--record=2 -r:3 -r18446744073709551615:" \
        "--record=2 -o 9223372036854775808" "--record=2 -l 9223372036854775808" \
        "--record=2 -e -9223372036854775808"; do
        # shellcheck disable=SC2086 # several words
        expect_failure 2 --record "a position is beyond 64 bits" $arguments in out
        tried=$((tried + 1))
    done
    [ "$tried" -eq 14 ]
    [ "$(fingerprint out)" = "$before" ]
    expect_text "" --record=2 -r10B:9223372036854775807
    expect_text 0123456789 --record=2 -r:9223372036854775807
    expect_text 0123456789 --record=4 -r:15E
}

@test "what is not a range is refused, with one message that names --range" {
    local text failed=0 tried=0
    printf 0123456789 >in
    for text in 5 -5 "" + "+5" "1+" "1+-2" "1+-0" " 1:2" "1 :2" "1: 2" "1:2 " "1:2+3" "1+2:3" "1+2+3" \
        "1:2:3:4" ":::" "1:2:-1" "1:2:x" x "x:" ":x" "x+1" "1+x" "1..3" "1-3" "1,3" "--1:" "+1:3" ":+3" \
        "1::+1" "1.5:" "5m:" "0x:" "0x1K:" "-:" ":-" "-+3" $'1:2\n' $'\t1:2' "٣:" "1:2,4:5" "[1:2]"; do
        expect_failure 2 --range "not START:STOP, START:STOP:STEP or START+LENGTH" \
            "--range=$text" in new || failed=1
        expect_failure 2 --range "not START:STOP" -r "$text" in new || failed=1
        expect_failure 2 --range "not START:STOP" -r 0:1 -r "$text" in new || failed=1
        tried=$((tried + 1))
    done
    [ "$tried" -eq 43 ]
    [ "$failed" -eq 0 ]
    refuse_ranges "STEP must be at least 1" <<'END2'
-r::0 in out
-r1:5:0 in new
-r1:5:0B in new
-r::0x0 in new
-r-5:-1:000 in new
-r::0K in new
END2
    expect_failure 2 --range "it needs a value" in new --range
    expect_failure 2 -r "it needs a value" in new -r
    expect_failure 2 --range "'!#:+'" '--range=!#:+' in new
    expect_failure 2 --range "'1:\\x1b'" $'--range=1:\e' in new
    [ ! -e new ]
}

@test "options that do not go together are refused, and nothing is touched" {
    refuse_ranges "cannot be combined with --offset, --length or --end" <<'END2'
--range=1:3 --offset=5 in out
--offset=5 --range=1:3 in out
-l 3 -r1:3 in new
-e 3 -r1:3 in new
-o 0 -r : in new
-r1:3 -r2:4 -o -0 in new
END2
    refuse_ranges "shorter than a record" <<'END2'
--record=4 -r::3B in out
--record=100 -r5::99B in new
--record=2K -r:3:2047B in new
-r::4B --record=1s in new
END2
    local option arguments before tried=0
    before=$(fingerprint in out)
    while read -r option arguments; do
        # shellcheck disable=SC2086 # several words
        expect_failure 2 "$option" "" $arguments in out
        # shellcheck disable=SC2086
        expect_failure 2 "$option" "" $arguments in new
        tried=$((tried + 1))
    done <<'END2'
--shard --shard=1/2 -r1:3 -r5:6
--shard --shard=1/2 -r::2
--shard --shard=1/2 -r1:9:1
--shard --shard=1/1 --record=2 -r1:3:2
--field --field=0:1
--field --field=0:1 -r1:3
--field --field=0:5 --record=4
--field --field=-5:2 --record=4
--field --field=0:1:1 --record=4
--field --field=1 --record=4
--field --field=3+2 --record=4
--field --field=16E: --record=4
--field --field=x:2 --record=4
--field --field= --record=4
--align --align=4
--align --align=4 --record=2
--align --align=0 --shard=1/2
--align --align=-4 --shard=1/2
--record --record=0
--record --record=0B
--record --record=-4
--record --record=x
--record --record=16E
--shard --shard=0/2
--shard --shard=3/2
--shard --shard=0/0
--shard --shard=1
--shard --shard=/2
--shard --shard=1/
--shard --shard=1/2/3
--shard --shard=-1/2
--shard --shard=1/-2
--shard --shard=+1/2
--shard --shard=1K/2K
--shard --shard=1B/2
--shard --shard=1/4294967296
--shard --shard=1/18446744073709551616
--shard --shard=x/y
--shard --shard=
--keep-offset --keep-offset --seek=3
--keep-offset --seek=3 --keep-offset
--append --keep-offset --append
--no-clobber --keep-offset --no-clobber
--append --append --seek=1
--no-clobber --append --no-clobber
--no-clobber --seek=1 --no-clobber
--append -k -a -n
--truncate --truncate
--truncate --truncate -r1:3
END2
    [ "$tried" -eq 49 ]
    [ "$(fingerprint in out)" = "$before" ]
    [ ! -e new ]
}
