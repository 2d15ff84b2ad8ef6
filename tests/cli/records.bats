# Records, steps and fields: which bytes they select, by every engine. What they must be is told by
# Python or dd.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted
load ../helper

# Around what is gathered and what is spliced, and sizes that divide nothing.
pieces=(1 2 3 4 8 16 100 1000 4095 4096 5000 65536 300000 1048576)

setup_file() {
    use_python
    cd "$BATS_FILE_TMPDIR" || return 1
    random_file large 3145731 # 3 MiB and a bit
    random_file small 50021
}

# pick FILE START STOP STEP RECORD FIRST LAST: of each record of FILE[START:STOP], one every STEP bytes,
# the bytes FIRST to LAST.
pick() {
    "$PYTHON" -c '
import sys
data = open(sys.argv[1], "rb").read()
start, stop, step, record, first, last = map(int, sys.argv[2:])
span = data[start:stop]
sys.stdout.buffer.write(
    b"".join(span[at:at + record][first:last] for at in range(0, len(span), step)))' "$@"
}

# choose_source PIECE: $in is long enough for several pieces, but a short one for small pieces.
choose_source() {
    in=$BATS_FILE_TMPDIR/large
    [ "$1" -gt 5000 ] || in=$BATS_FILE_TMPDIR/small
    size=$(stat --format %s "$in")
}

@test "each second record, from file and pipe, into file, pipe, end of a file" {
    local piece in size
    for piece in "${pieces[@]}"; do
        choose_source "$piece"
        pick "$in" 0 "$size" $((2 * piece)) "$piece" 0 "$piece" >expected
        [ -s expected ]
        [ "$(stat --format %s expected)" -lt "$size" ]
        echo "pieces of $piece"
        "$ZSLICE" --record="$piece" -r ::2 "$in" out
        expect_same expected out
        "$ZSLICE" --record="$piece" -r ::2 "$in" | cat >out
        expect_same expected out
        cat "$in" | "$ZSLICE" --record="$piece" -r ::2 - out
        expect_same expected out
        cat "$in" | "$ZSLICE" --record="$piece" -r ::2 | cat >out
        expect_same expected out
        printf before >out
        "$ZSLICE" --append --record="$piece" -r ::2 "$in" out
        { printf before; cat expected; } | cmp - out
        printf before >out
        cat "$in" | "$ZSLICE" --append --record="$piece" -r ::2 - out
        { printf before; cat expected; } | cmp - out
        { "$ZSLICE" --record="$piece" -r ::2 - out; } <"$in"
        expect_same expected out
    done
}

@test "every engine selects the same pieces" {
    local piece engine in size
    for piece in "${pieces[@]}"; do
        choose_source "$piece"
        [ "$piece" -ge 100 ] || { head -c 3001 "$in" >short && in=short && size=3001; }
        pick "$in" 7 $((size - 5)) $((2 * piece + 1)) "$piece" 0 "$piece" >expected
        [ -s expected ]
        for engine in auto splice sendfile map-write buffer; do
            echo "pieces of $piece by $engine"
            "$ZSLICE" --stats=json --engine=$engine --record="$piece" -r "7B:-5B:$((2 * piece + 1))B" "$in" \
                out 2>stats
            expect_same expected out
            [ $engine = auto ] || [ "$(engines_used)" = $engine ]
            "$ZSLICE" --engine=$engine --record="$piece" -r "7B:-5B:$((2 * piece + 1))B" "$in" | cat >out
            expect_same expected out
        done
        for engine in splice buffer; do
            cat "$in" | "$ZSLICE" --engine=$engine --record="$piece" -r "7B:$((size - 5))B:$((2 * piece + 1))B" \
                - out
            expect_same expected out
        done
        for engine in map-write buffer; do
            printf before >out
            "$ZSLICE" --engine=$engine --append --record="$piece" -r "7B:-5B:$((2 * piece + 1))B" "$in" out
            { printf before; cat expected; } | cmp - out
        done
    done
}

@test "fields of records, from file and pipe" {
    local record first last in size tried=0
    in=$BATS_FILE_TMPDIR/large
    size=$(stat --format %s "$in")
    while read -r record first last; do
        echo "field $first:$last of records of $record"
        pick "$in" 0 "$size" "$record" "$record" "$first" "$last" >expected
        [ -s expected ]
        "$ZSLICE" --record="$record" --field="$first:$last" "$in" out
        expect_same expected out
        "$ZSLICE" --record="$record" --field="$first+$((last - first))" "$in" | cmp - expected
        "$ZSLICE" --record="$record" --field="-$((record - first)):-$((record - last))" "$in" out
        expect_same expected out
        cat "$in" | "$ZSLICE" --record="$record" --field="$first:${last}B" - out
        expect_same expected out
        cat "$in" | "$ZSLICE" --record="$record" --field="$first:$last" | cmp - expected
        tried=$((tried + 1))
    done <<'END2'
2 0 1
2 1 2
8 0 4
8 4 8
16 3 4
100 99 100
100 0 99
4096 0 4095
5000 1 4999
5000 4096 4100
65536 1 65536
300000 17 299999
1048576 0 300000
1048576 1048575 1048576
3145731 5 3145730
END2
    [ "$tried" -eq 15 ]
}

@test "the columns of a table, put together again" {
    printf 'aaBBBc11AAbbbC22' >in
    [ "$("$ZSLICE" --record=8 --field=:2 in)" = aaAA ]
    [ "$("$ZSLICE" --record=8 --field=2:5 in)" = BBBbbb ]
    [ "$("$ZSLICE" --record=8 --field=-3:-2 in)" = cC ]
    [ "$("$ZSLICE" --record=8 --field=6: in)" = 1122 ]
    [ "$("$ZSLICE" --record=8 --field=: in)" = "$(cat in)" ]
    [ "$("$ZSLICE" --record=8 --field=6+2 -r 1: in)" = 22 ]
    [ "$("$ZSLICE" --record=8 --field=6+2 -o -2 -l 1 in)" = 11 ]
    "$ZSLICE" --record=8 --field=3:3 in out
    [ -f out ]
    [ ! -s out ]
    "$ZSLICE" --record=8 --field=5:3 in out
    [ ! -s out ]
    [ "$("$ZSLICE" --record=4 --field=1:3 -r ::2 in)" = aBAb ]
}

@test "numbers without a suffix count records, the others bytes" {
    random_file in 10000
    "$ZSLICE" --record=64 -o 3 -l 5 in | cmp - <(tail -c +193 in | head -c 320)
    "$ZSLICE" --record=64 -o 3 -e 8 in | cmp - <(tail -c +193 in | head -c 320)
    "$ZSLICE" --record=64 -r 3+5 in | cmp - <(tail -c +193 in | head -c 320)
    "$ZSLICE" --record=64 -r 3:8 in | cmp - <(tail -c +193 in | head -c 320)
    "$ZSLICE" --record=64 -r 0x3:0x8 in | cmp - <(tail -c +193 in | head -c 320)
    "$ZSLICE" --record=64 -r 1K:8 in | cmp - /dev/null
    "$ZSLICE" --record=64 -r 192B:512B in | cmp - <(tail -c +193 in | head -c 320)
    "$ZSLICE" --record=64 -o -2 in | cmp - <(tail -c 128 in)
    "$ZSLICE" --record=64 -o -2B in | cmp - <(tail -c 2 in)
    "$ZSLICE" --record=64 -e -2 in | cmp - <(head -c -128 in)
    "$ZSLICE" --record=1K -o 2 -l 1 in | cmp - <(tail -c +2049 in | head -c 1024)
    "$ZSLICE" --record=64 -r "0:20:2" in | cmp - <(pick in 0 1280 128 64 0 64)
    "$ZSLICE" --record=64 -r "0:20:100B" in | cmp - <(pick in 0 1280 100 64 0 64)
    printf ABCDEFGH >out
    printf 0123456789 >digits
    "$ZSLICE" --record=4 -l 1 --seek 3 digits out
    [ "$(cat out)" = ABC0123H ]
}

@test "a header is skipped: -o 100B -l 1000 --record=64" {
    random_file in 70000
    tail -c +101 in | head -c 64000 >expected
    "$ZSLICE" -o 100B -l 1000 --record=64 in out
    expect_same expected out
    cat in | "$ZSLICE" -o 100B -l 1000 --record=64 - out
    expect_same expected out
    cat in | "$ZSLICE" -x -o 100B -l 1000 --record=64 | cmp - expected
    pick in 100 64100 64 64 8 12 >expected
    [ "$(stat --format %s expected)" -eq 4000 ]
    "$ZSLICE" -o 100B -l 1000 --record=64 --field=8:12 in out
    expect_same expected out
    cat in | "$ZSLICE" -o 100B -l 1000 --record=64 --field=8:12 - out
    expect_same expected out
    { "$ZSLICE" -o 100B -l 10 --record=64 --field=8:12 - out; head -c 5 >rest; } <in
    tail -c +$((100 + 9 * 64 + 12 + 1)) in | head -c 5 | cmp - rest
}

@test "a partial last record is copied, and an error with --exact" {
    local engine
    random_file in 300001
    for engine in auto splice buffer; do
        "$ZSLICE" --engine=$engine --record=1000 in out
        expect_same in out
        "$ZSLICE" --engine=$engine --record=1000 -r 299::2 in out
        tail -c 1001 in | head -c 1000 | cmp - out
        "$ZSLICE" --engine=$engine --record=1000 -r 300::2 in out
        tail -c 1 in | cmp - out
        "$ZSLICE" --engine=$engine --record=1000 --field=0:5 -r 299: in out
        { tail -c 1001 in | head -c 5; tail -c 1 in; } | cmp - out
        "$ZSLICE" --engine=$engine --record=1000 --field=1:5 -r 299: in out
        tail -c 1000 in | head -c 4 | cmp - out
        cat in | "$ZSLICE" --engine=$engine --record=1000 --field=0:5 -r 299: - out
        { tail -c 1001 in | head -c 5; tail -c 1 in; } | cmp - out
        rm out
        expect_failure 3 in "the last record is cut off after 1 bytes" \
            --engine=$engine -x --record=1000 in out
        expect_failure 3 in "the last record is cut off after 1 bytes" \
            --engine=$engine -x --record=1000 --field=0:2 in out
        expect_failure 3 in "the last record is cut off after 1 bytes" \
            --engine=$engine -x --record=1000 -r ::2 in out
        expect_failure 3 in "the last record is cut off after 7 bytes" \
            --engine=$engine -x --record=1000 -r :1007B in out
        [ ! -e out ]
        "$ZSLICE" --engine=$engine -x --record=1000 -r 1::2 in out
        pick in 1000 300001 2000 1000 0 1000 | cmp - out
        cat in | expect_failure 3 "standard input" "the last record is cut off after 1 bytes" \
            --engine=$engine -x --record=1000 - out
        expect_same in out
        cat in | expect_failure 3 "standard input" "the last record is cut off after 1 bytes" \
            --engine=$engine -x --record=1000 -r ::2 - out
        rm out
    done
}

@test "--exact: what is not selected may be missing" {
    local slice
    printf 0123 >in
    for slice in "--record=8 --field=0:4" "--record=8 --field=0:4 -l 1" "-r 0:6:3" \
        "--record=8 --field=3:3" "--record=8 --field=3:3 -l 9"; do
        # shellcheck disable=SC2086 # one word per option
        "$ZSLICE" -x $slice in out
        # shellcheck disable=SC2086
        cat in | "$ZSLICE" -x $slice - streamed
        expect_same out streamed
    done
    for slice in "--record=8 --field=0:5" "--record=8 --field=0:5 -l 1" "-r 0:2 -r 4:8" \
        "--record=8 --field=4:" "--record=4 --field=0:1 -l 2"; do
        # shellcheck disable=SC2086
        expect_failure 3 in "" -x $slice in new
        # shellcheck disable=SC2086
        cat in | expect_failure 3 "standard input" "" -x $slice - out
    done
    [ ! -e new ]
}

@test "--exact: an empty slice or field of a stream held back is no shortfall" {
    printf 01234567 >in
    "$ZSLICE" -x --record=2 --field=0:0 -e -1 in out
    cat in | "$ZSLICE" -x --record=2 --field=0:0 -e -1 - out
    cat in | "$ZSLICE" -x -r 6:-6 - out
    [ ! -s out ]
}

@test "pieces pass through memory of the program only where they are small" {
    local piece
    for piece in 4096 65536 300000; do
        "$ZSLICE" --stats=json --record=$piece -r ::2 "$BATS_FILE_TMPDIR/large" out 2>stats
        pick "$BATS_FILE_TMPDIR/large" 0 3145731 $((2 * piece)) $piece 0 $piece | cmp - out
        [ "$(statistic .user_copied_bytes)" -eq 0 ]
        [ "$(statistic .bytes)" -eq "$(stat --format %s out)" ]
    done
    "$ZSLICE" --stats=json --record=16 --field=0:4 "$BATS_FILE_TMPDIR/small" out 2>stats
    [ "$(statistic .user_copied_bytes)" -gt 0 ]
    [ "$(engines_used)" = buffer ]
}

@test "records against dd" {
    random_file in 1000003
    dd if=in of=expected bs=4000 skip=3 count=50 status=none
    "$ZSLICE" --record=4000 -o 3 -l 50 in out
    expect_same expected out
    dd if=in of=expected bs=4000 skip=240 status=none
    "$ZSLICE" --record=4000 -o 240 in out
    expect_same expected out
    : >expected
    for ((i = 2; i < 251; i += 83)); do
        dd if=in bs=4000 skip=$i count=1 status=none >>expected
    done
    "$ZSLICE" --record=4000 -r 2::83 in out
    expect_same expected out
    cat in | "$ZSLICE" --record=4000 -r 2::83 | cmp - expected
}
