# --jobs: the second thread, that maps the source ahead of the one that writes. The bytes are the same,
# memory is bounded, and at no moment is the target longer than its good bytes.

# shellcheck disable=SC2002 # a pipe is wanted
load ../helper

MIB=1048576
AHEAD_BYTES=67108864 # from here on a second thread has work to do
IN_BYTES=71303169    # 68 MiB and a byte

setup_file() {
    use_python
    random_file "$BATS_FILE_TMPDIR/in" $IN_BYTES
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cat "$BATS_FILE_TMPDIR/in" >/dev/null # a source that is not cached is spliced
    ln -s "$BATS_FILE_TMPDIR/in" in
}

# slice OFFSET LENGTH: of in, to standard output.
slice() {
    tail -c "+$(($1 + 1))" in | head -c "$2"
}

expect_jobs() {
    [ "$(statistic .jobs)" -eq "$1" ] || {
        echo "jobs: $(statistic .jobs) instead of $1"
        return 1
    }
}

@test "file to file: one job, two, auto, at odd offsets, around 16 MiB and 64 MiB" {
    local offset length jobs
    while read -r offset length; do
        for jobs in 1 2 auto; do
            echo "offset $offset, length $length, $jobs"
            "$ZSLICE" --stats=json --reflink=never -j $jobs -o "$offset" -l "$length" in out 2>stats
            [ "$(stat -c %s out)" -eq "$length" ]
            cmp -n "$length" -i "0:$offset" out in
            [ "$jobs" != 1 ] || expect_jobs 1
            [ "$jobs" != 2 ] || [ "$length" -lt $AHEAD_BYTES ] || expect_jobs 2
            [ "$length" -ge $AHEAD_BYTES ] || expect_jobs 1
            [ "$(statistic .user_copied_bytes)" -eq 0 ]
        done
    done <<'END'
0 16777215
1 16777216
4095 16777217
4096 20975617
1024 67108863
12345 67108864
4194303 67108866
0 71303169
END
}

@test "into an old target, at a position of it, and to its end" {
    local jobs
    cat in in | head -c 90000000 >old
    for jobs in 1 2 auto; do
        cp old out
        "$ZSLICE" --stats=json -j $jobs -o 4097 -l 70000001 --seek 10000001 in out 2>stats
        { head -c 10000001 old; slice 4097 70000001; tail -c +80000003 old; } | cmp - out
        head -c 5 old >out
        "$ZSLICE" --stats=json -j $jobs --append -o 4097 -l 70000001 in out 2>stats
        { head -c 5 old; slice 4097 70000001; } | cmp - out
        head -c 5 old >out
        "$ZSLICE" -j $jobs -o 4097 -l 70000001 in >>out
        { head -c 5 old; slice 4097 70000001; } | cmp - out
        rm out
        "$ZSLICE" -j $jobs --keep-offset -o 4097 -l 70000001 in out
        { head -c 4097 /dev/zero; slice 4097 70000001; } | cmp - out
        { printf 12345; "$ZSLICE" -j $jobs -o 4097 -l 70000001 in; echo tail; } >out
        { printf 12345; slice 4097 70000001; echo tail; } | cmp - out
    done
}

@test "several ranges, each with its own thread" {
    "$ZSLICE" --stats=json --reflink=never -j 2 -r 1000+70000001 -r 5:7 -r 1M: -r :17M in out 2>stats
    expect_jobs 2
    { slice 1000 70000001; slice 5 2; tail -c +1048577 in; slice 0 17825792; } | cmp - out
}

@test "to pipes, Unix and TCP sockets, --stable" {
    local jobs kind
    slice 12345 50000001 >expected
    for jobs in 1 2 auto; do
        "$ZSLICE" --stats=json --stable -j $jobs -o 12345 -l 50000001 in 2>stats | cmp - expected
        [ "$(engines_used)" = map-write ]
        for kind in unix tcp; do
            rm -f got
            peer run --target $kind --collect got -- "$ZSLICE" --stats=json --stable -j $jobs \
                -o 12345 -l 50000001 in 2>stats
            cmp got expected
            [ "$(engines_used)" = map-write ]
        done
    done
}

@test "one processor to run on: one job, unless two are asked for" {
    taskset -c 0 "$ZSLICE" --stats=json --reflink=never -o 1 in out 2>stats
    expect_jobs 1
    cmp out <(tail -c +2 in)
    taskset -c 0 "$ZSLICE" --stats=json --reflink=never -j 2 -o 1 in out 2>stats
    expect_jobs 2
    cmp out <(tail -c +2 in)
}

@test "several processors: two jobs for 64 MiB and more from file to file, else one" {
    [ "$(nproc)" -gt 1 ] || skip "needs two processors"
    "$ZSLICE" --stats=json -o 1 in out 2>stats
    expect_jobs 2
    "$ZSLICE" --stats=json -o 1 -l $((AHEAD_BYTES - 1)) in out 2>stats
    expect_jobs 1
    "$ZSLICE" --stats=json -o 1 in 2>stats | cmp - <(tail -c +2 in)
    expect_jobs 1
    "$ZSLICE" --stats=json -j 1000 -o 1 in out 2>stats
    expect_jobs 2
}

@test "numbers of jobs that are none" {
    local jobs
    for jobs in 0 -1 1K 2s x "" +2 " 2" 0.5 1e3; do
        expect_failure 2 --jobs "" --jobs="$jobs" in out
    done
    [ ! -e out ]
    "$ZSLICE" -j 0x2 -l 5 in out
    "$ZSLICE" -j auto -l 5 in out
    "$ZSLICE" -j18446744073709551615 -l 5 in out
}

# bats test_tags=memory
@test "512 MiB with two jobs: no more than 40 MiB resident, whoever is faster" {
    local rss
    truncate -s 512M sparse
    "$ZSLICE" --stats=json -j 2 -o 1 --engine map-write sparse /dev/null 2>stats
    rss=$(statistic .peak_rss_bytes)
    echo "to /dev/null: $rss"
    [ "$rss" -lt $((40 * MIB)) ]
    "$ZSLICE" --stats=json -j 2 -o 1 --stable sparse 2>stats | cat >/dev/null
    rss=$(statistic .peak_rss_bytes)
    echo "to a pipe: $rss"
    [ "$rss" -lt $((40 * MIB)) ]
    "$ZSLICE" --stats=json -j 2 -o 1 --reflink=never --sparse=never --engine map-write sparse out 2>stats
    expect_jobs 2
    rss=$(statistic .peak_rss_bytes)
    echo "to a file: $rss"
    [ "$rss" -lt $((40 * MIB)) ]
    [ "$(stat -c %s out)" -eq 536870911 ]
    rm out
}

# bats test_tags=memory
@test "less address space than a long window wants" {
    local limit
    truncate -s 1700M sparse
    slice 0 100000 | dd of=sparse bs=64K oflag=seek_bytes seek=1500000001 conv=notrunc status=none
    for limit in 300000 100000 48000 20000 8000; do
        (ulimit -v $limit && "$ZSLICE" --stats=json -j 2 -o 1500000000 -l 70M sparse out 2>stats)
        echo "limit $limit KiB: $(engines_used), $(statistic .jobs)"
        { head -c 1 /dev/zero; slice 0 100000; head -c 73300319 /dev/zero; } | cmp - out
    done
    (ulimit -v 100000 && "$ZSLICE" --stats=json -j 2 -o 1 -l 600M --engine map-write sparse /dev/null 2>stats)
    [ "$(statistic .bytes)" -eq 629145600 ]
}

@test "no thread to be had: one job, the same bytes" {
    local code
    need_root
    for code in EAGAIN ENOMEM EPERM; do
        strace -f -e quiet=all -o log -e trace=clone,clone3 -e "inject=clone,clone3:error=$code" \
            "$ZSLICE" --stats=json -j 2 --reflink=never -o 1 in out 2>stats
        grep -q INJECTED log
        expect_jobs 1
        cmp out <(tail -c +2 in)
    done
    # The user's limit on processes, which counts this one.
    setpriv --reuid 64321 --clear-groups test -x "$ZSLICE" || return 0
    setpriv --reuid 64321 --clear-groups prlimit --nproc=1 \
        "$ZSLICE" --stats=json -j 2 --engine map-write -o 1 - - 2>stats <in >out
    expect_jobs 1
    cmp out <(tail -c +2 in)
}

@test "killed at any moment: what the target has is the slice's beginning" {
    local delay duration length round partial=0 program start
    cat in in >twice
    start=$(date +%s%N)
    "$ZSLICE" -j 2 --reflink=never -o 4097 twice out
    duration=$((($(date +%s%N) - start) / 1000)) # microseconds
    for round in $(seq 14); do
        rm -f out
        delay=$((RANDOM * duration / 32768))
        "$ZSLICE" -j 2 --reflink=never -o 4097 twice out 3>&- &
        program=$!
        sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
        kill -KILL $program || true
        wait $program || true
        [ -e out ] || continue
        length=$(stat -c %s out)
        cmp -n "$length" -i 0:4097 out twice || {
            echo "round $round, killed after $delay us: $length bytes"
            return 1
        }
        if [ "$length" -gt 0 ] && [ "$length" -lt $((2 * IN_BYTES - 4097)) ]; then
            partial=$((partial + 1))
        fi
    done
    echo "$partial of 14 were stopped halfway"
    [ "$partial" -ge 2 ]
}

@test "SIGTERM ends both threads at once" {
    local status=0
    truncate -s 64G sparse
    timeout 10 timeout --preserve-status -s TERM 0.1 "$ZSLICE" -j 2 --engine map-write sparse /dev/null || status=$?
    [ "$status" -eq 143 ]
}
