# Positions that count from a stream's end, against tail -c and head -c -N, and what holding the end costs.

# shellcheck disable=SC2002,SC2016,SC2154 # a pipe is wanted
load ../helper

# Around what is held in memory, what a pipe holds, and one step of the copy.
counts=(0 1 2 1000 4095 4096 4097 65535 65536 65537 100000 131072 1048575 1048576 1048577 2000000)
sizes=(0 1 4096 65535 65536 65537 200000 1048576 3000001)

setup_file() {
    local size
    use_python
    for size in "${sizes[@]}"; do
        random_file "$BATS_FILE_TMPDIR/in.$size" "$size"
    done
}

@test "--offset=-N of a pipe is tail -c N" {
    local size count in
    for size in "${sizes[@]}"; do
        in=$BATS_FILE_TMPDIR/in.$size
        for count in "${counts[@]}"; do
            echo "$size bytes, the last $count"
            tail -c "$count" "$in" >expected
            cat "$in" | "$ZSLICE" --offset=-"$count" - out
            expect_same expected out
            cat "$in" | "$ZSLICE" --offset=-"$count" | cmp - expected
        done
    done
}

@test "--end=-N of a pipe into a file is head -c -N" {
    local size count in
    for size in "${sizes[@]}"; do
        in=$BATS_FILE_TMPDIR/in.$size
        for count in "${counts[@]}"; do
            echo "$size bytes, all but the last $count"
            head -c "-$count" "$in" >expected
            cat "$in" | "$ZSLICE" --end=-"$count" - out
            expect_same expected out
        done
    done
}

@test "--end=-N of a pipe into a pipe is head -c -N" {
    local size count in
    for size in "${sizes[@]}"; do
        in=$BATS_FILE_TMPDIR/in.$size
        for count in "${counts[@]}"; do
            echo "$size bytes, all but the last $count"
            head -c "-$count" "$in" >expected
            cat "$in" | "$ZSLICE" --end=-"$count" | cmp - expected
        done
    done
}

@test "--end=-N into a pipe or socket whose reader is late: what was sent stays as it was" {
    local count engine in=$BATS_FILE_TMPDIR/in.200000
    head -c 4096 "$in" >short
    head -c 3096 short >expected
    for engine in auto map-write buffer; do
        cat short | "$ZSLICE" --engine=$engine --end=-1000 | { sleep 0.2; cat >got; }
        expect_same expected got || { echo "--engine=$engine" && return 1; }
    done
    for engine in splice sendfile; do
        cat short | { "$ZSLICE" --engine=$engine --end=-1000 2>err || echo $? >status; } | cat >got
        [ "$(cat status)" -eq 2 ]
        grep -q "$engine: it cannot do this copy: .* must be copied into a pipe or socket" err
        [ ! -s got ]
    done
    for count in 1 65536 65537; do
        head -c "-$count" "$in" >expected
        cat "$in" | "$ZSLICE" --end=-$count | { sleep 0.2; cat >got; }
        expect_same expected got || { echo "all but $count" && return 1; }
        peer run --source pipe --feed "$in" --target unix --collect got --pause 0.05 -- \
            "$ZSLICE" --end=-$count
        expect_same expected got || { echo "all but $count, socket" && return 1; }
    done
}

@test "both positions from the end, one from each, and lengths" {
    local in=$BATS_FILE_TMPDIR/in.200000
    cat "$in" | "$ZSLICE" -o -70000 -e -100 - out
    tail -c 70000 "$in" | head -c -100 | cmp - out
    cat "$in" | "$ZSLICE" -o -70000 -l 10 - out
    tail -c 70000 "$in" | head -c 10 | cmp - out
    cat "$in" | "$ZSLICE" -o 70000 -e -100 - out
    tail -c +70001 "$in" | head -c -100 | cmp - out
    cat "$in" | "$ZSLICE" -r -70000:150000 - out
    tail -c 70000 "$in" | head -c 20000 | cmp - out
    cat "$in" | "$ZSLICE" -r -100:-200 - out
    [ ! -s out ]
    cat "$in" | "$ZSLICE" -o -0 - out
    [ ! -s out ]
    cat "$in" | "$ZSLICE" -o -100000000000 - out
    expect_same "$in" out
    cat "$in" | "$ZSLICE" -o 200000 -e -5 - out
    [ ! -s out ]
    cat "$in" | "$ZSLICE" -o -18446744073709551615 -e -0 - out
    expect_same "$in" out
}

@test "what is not there: exit 3, and the target as it was" {
    local before
    printf 0123456789 >in
    echo precious >out
    before=$(fingerprint out)
    cat in | expect_failure 3 "standard input" "not there" -x -o -11 - out
    cat in | expect_failure 3 "standard input" "not there" -x -o -11 - new
    cat in | expect_failure 3 "standard input" "not there" -x -o -1 -l 2 - out
    cat in | expect_failure 3 "standard input" "before the offset 11" -o 11 -e -1 - out
    cat in | expect_failure 3 "standard input" "last record" -x --record=4 -r -5B: - out
    [ "$(fingerprint out)" = "$before" ]
    [ ! -e new ]
    cat in | "$ZSLICE" -x -o -10 - out
    expect_same in out
    cat in | "$ZSLICE" -x -e -10 - out
    [ ! -s out ]
}

@test "from sockets and files of /proc" {
    local in=$BATS_FILE_TMPDIR/in.200000 kind
    for kind in unix tcp pipe; do
        peer run --source $kind --feed "$in" -- "$ZSLICE" -o -70001 - out
        tail -c 70001 "$in" | cmp - out
        peer run --source $kind --feed "$in" -- "$ZSLICE" -e -1001 - out
        head -c -1001 "$in" | cmp - out
    done
    cat "/proc/$$/limits" >limits
    [ -s limits ]
    "$ZSLICE" -o -100 "/proc/$$/limits" out
    tail -c 100 limits | cmp - out
    "$ZSLICE" -e -100 "/proc/$$/limits" out
    head -c -100 limits | cmp - out
    "$ZSLICE" -o 50 -e -100 "/proc/$$/limits" out
    head -c -100 limits | tail -c +51 | cmp - out
    "$ZSLICE" -o -2 /proc/sys/kernel/pid_max out
    tail -c 2 /proc/sys/kernel/pid_max | cmp - out
}

@test "with steps, records and fields, into new and existing targets" {
    local arguments in=$BATS_FILE_TMPDIR/in.200000 tried=0
    for arguments in "--record=8 -o -1000" "--record=8 -r -1000::3" "--record=8 --field=2:4 -r -20000:" \
        "--record=8 --field=2:4 -e -1" "--record=8 --field=2:4 -r 5:-20000" "--record=300 -r 1:-2:2" \
        "--record=5000 -r -30::2" "--record=5000 --field=1:4500 -r :-1" "--record=70000 -r -2:" \
        "-r 3:-3:7" "-r -100000:-3:70000" "--record=30000 -r 1:-20001B:2"; do
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments "$in" expected # the file's own positions, tested in records.bats
        [ -s expected ]
        # shellcheck disable=SC2086
        cat "$in" | "$ZSLICE" $arguments - out
        expect_same expected out || { echo "$arguments" && return 1; }
        # shellcheck disable=SC2086
        cat "$in" | "$ZSLICE" $arguments | cmp - expected || { echo "$arguments" && return 1; }
        # shellcheck disable=SC2086
        cat "$in" | "$ZSLICE" $arguments --append - out
        cat expected expected | cmp - out
        tried=$((tried + 1))
    done
    [ "$tried" -eq 12 ]
    "$PYTHON" -c 'import sys; sys.stdout.buffer.write(open(sys.argv[1], "rb").read()[3:-3:7])' "$in" >expected
    cat "$in" | "$ZSLICE" -r 3:-3:7 | cmp - expected
    random_file older 300000
    { head -c 100 older; tail -c 1000 "$in"; tail -c +1101 older; } >expected
    cp older out
    cat "$in" | "$ZSLICE" -o -1000 --seek 100 - out
    expect_same expected out
    { head -c 199000 older; tail -c 1000 "$in"; tail -c +200001 older; } >expected
    cp older out
    cat "$in" | "$ZSLICE" -o -1000 --keep-offset - out
    expect_same expected out
}

@test "all but the last byte of a stream without an end goes on, and ends with its reader" {
    timeout 30 bash -c 'yes | "$ZSLICE" --end=-1 | head -c 1M' >out
    yes | head -c 1M | cmp - out
    timeout 30 bash -c 'yes | "$ZSLICE" --end=-100K | head -c 1M' >out
    yes | head -c 1M | cmp - out
}

# bats test_tags=memory
@test "memory stays bounded: the last 4 KiB, or all but them, of 300 MiB" {
    local option
    for option in --offset=-4K --end=-4K; do
        head -c 300M /dev/zero | "$ZSLICE" --stats=json $option - /dev/null 2>stats
        [ "$(statistic .complete)" = true ]
        [ "$(statistic .peak_rss_bytes)" -gt 0 ]
        [ "$(statistic .peak_rss_bytes)" -lt 8388608 ]
    done
    head -c 300M /dev/zero | "$ZSLICE" --stats=json --offset=-4K - out 2>stats
    head -c 4096 /dev/zero | cmp - out
    [ "$(statistic .bytes)" -eq 4096 ]
}

@test "the temporary file stays bounded: 10 MiB held of 100 on a file system of 16" {
    local option
    mount_file_system tmpfs 16
    for option in --offset=-10M --end=-10M; do
        { head -c 90M /dev/zero; cat "$BATS_FILE_TMPDIR/in.3000001"; head -c 10M /dev/zero; } |
            TMPDIR=$PWD/mnt.tmpfs "$ZSLICE" $option - got
        [ -s got ]
        if [ $option = --offset=-10M ]; then
            head -c 10M /dev/zero | cmp - got
        else
            { head -c 90M /dev/zero; cat "$BATS_FILE_TMPDIR/in.3000001"; } | cmp - got
        fi
        [ -z "$(ls -A mnt.tmpfs)" ]
        [ "$(df --output=used mnt.tmpfs | tail -n 1)" -eq 0 ]
    done
    head -c 100M /dev/zero | TMPDIR=$PWD/mnt.tmpfs expect_failure 1 \
        "the temporary file that holds the end of the stream" "No space left on device" --offset=-20M - new
    [ ! -e new ]
    [ -z "$(ls -A mnt.tmpfs)" ]
    [ "$(df --output=used mnt.tmpfs | tail -n 1)" -eq 0 ]
}

@test "a folder for temporary files that is not there, or no folder, or full" {
    local before
    echo precious >out
    : >file
    before=$(fingerprint out)
    random_file in 200000
    cat in | TMPDIR=$PWD/missing expect_failure 1 "$PWD/missing" "TMPDIR" -o -100K - out
    cat in | TMPDIR=$PWD/missing expect_failure 1 "$PWD/missing" "No such file or directory" -e -100K - out
    cat in | TMPDIR=$PWD/file expect_failure 1 "$PWD/file" "Not a directory" -o -100K - out
    cat in | TMPDIR=$PWD/missing expect_failure 1 "$PWD/missing" "No such file" -o -100K - new
    cat in | TMPDIR=$PWD/missing expect_failure 1 "$PWD/missing" "No such file" -e -100K - new
    [ "$(fingerprint out)" = "$before" ]
    [ ! -e new ]
    # What memory holds needs no folder, and an empty TMPDIR is none.
    cat in | TMPDIR=$PWD/missing "$ZSLICE" -o -64K - out
    tail -c 64K in | cmp - out
    cat in | TMPDIR='' "$ZSLICE" -o -100K - out
    tail -c 100K in | cmp - out
}

@test "no temporary file is left, whatever happens" {
    random_file in 3000000
    mkdir temporary
    export TMPDIR=$PWD/temporary
    cat in | "$ZSLICE" -o -1M - out
    [ -z "$(ls -A temporary)" ]
    cat in | "$ZSLICE" -e -1M - out
    [ -z "$(ls -A temporary)" ]
    (ulimit -f 4000 && cat in | expect_failure 1 out "are good" --seek 2M -o -2M - out)
    cat in | "$ZSLICE" -e -1M 2>err | head -c 1 >one || [ $? -eq 141 ]
    [ "$(head -c 1 in | od -A n -t x1)" = "$(od -A n -t x1 one)" ]
    [ -z "$(ls -A temporary)" ]
    mkfifo fifo
    "$ZSLICE" -o -1M fifo new 3>&- &
    local killed=$!
    exec 5>fifo
    head -c 2M in >&5
    kill -KILL $killed
    wait $killed || [ $? -eq 137 ]
    exec 5>&-
    [ -z "$(ls -A temporary)" ]
}

@test "a target that cannot be written is found before a byte of the stream is used" {
    printf 0123456789 | {
        expect_failure 2 missing/out "No such file or directory" -o -3 - missing/out
        expect_failure 2 . "Is a directory" -e -3 - .
        cat >rest
    }
    [ "$(cat rest)" = 0123456789 ]
    printf 0123456789 | expect_failure 1 /dev/full "No space left on device" -o -3 - /dev/full
    printf 0123456789 | expect_failure 1 /dev/full "No space left on device" -e -3 - /dev/full
    printf 0123456789 | expect_failure 2 "standard output" "not open for writing" -o -3 >&-
}
