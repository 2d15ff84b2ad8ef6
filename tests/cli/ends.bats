# Both ends as they are found in scripts: standard streams, pipes, FIFOs, devices, made-up files,
# terminals, and descriptors that are closed or not as they should be.

# shellcheck disable=SC2002,SC2094 # a pipe is wanted; reading and writing one descriptor as well
load ../helper

setup_file() {
    use_python
}

@test "a seekable standard input is left right after the slice" {
    local engine
    random_file image 1000000
    head -c 512 image >expected.first
    tail -c +529 image >expected.body
    for engine in auto splice sendfile map-write buffer; do
        { "$ZSLICE" --engine=$engine -l 512 - first; "$ZSLICE" --engine=$engine -o 16 - body; } <image
        expect_same expected.first first
        expect_same expected.body body
    done
}

@test "a seekable standard input is left after the slice, whatever the target is" {
    random_file image 300000
    tail -c +100001 image >expected
    { "$ZSLICE" -l 100000 | cat >first; cat >rest; } <image
    expect_same expected rest
    { "$ZSLICE" -l 100000 - /dev/null; cat >rest; } <image
    expect_same expected rest
    { "$ZSLICE" -o 50000 -l 50000 >>first; cat >rest; } <image
    expect_same expected rest
    { "$ZSLICE" -o 100000 -l 0 >first; cat >rest; } <image
    expect_same expected rest
    { "$ZSLICE" - /dev/null; cat >rest; } <image
    [ ! -s rest ]
}

@test "a refused plan leaves standard input where it stood" {
    random_file image 30000
    tail -c +101 image >expected
    {
        head -c 100 >first
        expect_failure 3 "standard input" "beyond its end" -o 1M - out
        expect_failure 3 "standard input" "not there" -x -l 1M - out
        expect_failure 2 missing/out "" - missing/out
        cat >rest
    } <image
    expect_same expected rest
    [ ! -e out ]
}

@test "a failure leaves standard input where what was delivered ends" {
    local engine
    random_file image 3000000
    tail -c +1048577 image >expected
    for engine in auto splice sendfile map-write buffer; do
        rm -f out
        {
            (ulimit -f 1024 && expect_failure 1 out "File too large" --engine=$engine - out)
            cat >rest
        } <image
        expect_same expected rest
    done
    {
        expect_failure 1 /dev/full "No space left on device" - /dev/full
        cat >rest
    } <image
    expect_same image rest
}

@test "a reader that goes away leaves standard input where what was delivered ends" {
    random_file image 3000000
    { { "$ZSLICE" || true; } | head -c 1000 >out; cat >rest; } <image
    [ "$(stat --format %s rest)" -lt 3000000 ]
    tail -c "$(stat --format %s rest)" image | cmp - rest
    head -c 1000 image | cmp - out
}

@test "a pipe is never read past the slice" {
    local engine
    for engine in auto splice buffer; do
        printf 0123456789 | { "$ZSLICE" --engine=$engine -l 5 - out; cat >rest; }
        [ "$(cat out rest)" = 0123456789 ]
        [ "$(cat rest)" = 56789 ]
        printf 0123456789 | { "$ZSLICE" --engine=$engine -o 2 -l 3 - out; cat >rest; }
        [ "$(cat out)" = 234 ]
        [ "$(cat rest)" = 56789 ]
        printf 0123456789 | { "$ZSLICE" --engine=$engine -l 5 | cat >out; cat >rest; }
        [ "$(cat out)" = 01234 ]
        [ "$(cat rest)" = 56789 ]
        printf 0123456789 | { "$ZSLICE" --engine=$engine -o 5 -l 0 | cat >out; cat >rest; }
        [ ! -s out ]
        [ "$(cat rest)" = 56789 ]
        printf 0123456789 | { "$ZSLICE" --engine=$engine -l 0 - out; cat >rest; }
        [ ! -s out ]
        [ "$(cat rest)" = 0123456789 ]
    done
    : >out
    printf 0123456789 | { "$ZSLICE" -l 5 >>out; cat >rest; }
    [ "$(cat out)" = 01234 ]
    [ "$(cat rest)" = 56789 ]
}

@test "a pipe is never read past a large slice, in large or small writes" {
    local engine
    random_file in 3000000
    head -c 1100002 in | tail -c 1000001 >expected
    tail -c +1100003 in >expected.rest
    for engine in auto splice buffer; do
        cat in | { "$ZSLICE" --engine=$engine -o 100001 -l 1000001 - out; cat >rest; }
        expect_same expected out
        expect_same expected.rest rest
        dd if=in bs=1000 status=none | {
            "$ZSLICE" --engine=$engine -o 100001 -l 1000001 | cat >out
            cat >rest
        }
        expect_same expected out
        expect_same expected.rest rest
    done
}

@test "several slices of one pipe, one after the other" {
    seq 100000 >in
    cat in | { "$ZSLICE" -l 7 - a; "$ZSLICE" -o 3 -l 70000 - b; "$ZSLICE" - c; }
    head -c 7 in | cmp - a
    tail -c +11 in | head -c 70000 | cmp - b
    tail -c +70011 in | cmp - c
}

@test "FIFOs as source and as target" {
    local writer reader
    random_file in 300000
    tail -c +8 in >expected
    mkfifo source target
    cat in >source 3>&- &
    writer=$!
    cat target >got 3>&- &
    reader=$!
    timeout 20 "$ZSLICE" -o 7 source target
    wait "$writer"
    wait "$reader"
    expect_same expected got
    [ -p target ]
}

@test "a FIFO as target is not opened when the plan is refused" {
    printf 0123 >in
    mkfifo target
    expect_failure 3 in "beyond its end" -o 5 in target
    expect_failure 2 target "--seek: a pipe has no positions" --seek 1 in target
}

@test "process substitutions and /dev/fd as source and target" {
    seq 100000 >in
    mkfifo finished
    "$ZSLICE" -o 7 <(cat in) >(cat >got && echo >finished) 3>&-
    timeout 20 cat finished
    tail -c +8 in | cmp - got
    cat in | "$ZSLICE" -o 7 /dev/stdin /dev/stdout | cmp - got
    "$ZSLICE" -o 7 /dev/stdin /dev/fd/1 <in >out
    expect_same got out
}

@test "descriptors that are no files at all: eventfd" {
    python3 - "$ZSLICE" <<'END'
import os, subprocess, sys
counter = os.eventfd(5)
subprocess.run([sys.argv[1], "-l", "8", "-", "out"], stdin=counter, check=True)
with open("out", "rb") as file:
    assert file.read() == (5).to_bytes(8, sys.byteorder)
subprocess.run([sys.argv[1], "out"], stdout=counter, check=True)
assert os.eventfd_read(counter) == 5
END
}

@test "a file that grows meanwhile: its size is taken once, at the start" {
    local engine
    for engine in auto splice sendfile map-write buffer; do
        random_file in 3000000
        cp in expected
        "$ZSLICE" --engine=$engine in | {
            head -c 1
            cat expected >>in
            cat
        } >got
        expect_same expected got
    done
}

@test "a file that shrinks below the slice meanwhile is exit 1" {
    local engine
    for engine in auto splice sendfile map-write buffer; do
        random_file in 8000000
        head -c 1000000 in >expected
        { expect_failure 1 in "" --engine=$engine in || echo "$engine" >failed; } | {
            head -c 1
            truncate -s 5000000 in
            cat
        } >got
        [ ! -e failed ] || { cat failed err && false; }
        grep -qE "shrank|ended early" err
        cmp --bytes=1000000 expected got
    done
}

# Made-up files: one that can be spliced, one that cannot, one in sysfs with a size that is not true.
made_up_files() {
    local file
    echo "/proc/version"
    echo "/proc/$$/limits"
    echo "/proc/$$/environ"
    for file in /sys/kernel/mm/transparent_hugepage/enabled /sys/devices/system/cpu/modalias \
        /sys/kernel/btf/vmlinux; do
        [ ! -r "$file" ] || echo "$file"
    done
}

@test "files of /proc and /sys: the content is what cat shows" {
    local file
    for file in $(made_up_files); do
        cat "$file" >expected
        [ -s expected ]
        "$ZSLICE" "$file" out
        expect_same expected out
        "$ZSLICE" "$file" | cat >out
        expect_same expected out
        "$ZSLICE" - out <"$file"
        expect_same expected out
        : >out
        "$ZSLICE" "$file" >>out
        expect_same expected out
        "$ZSLICE" "$file" >out
        expect_same expected out
    done
}

@test "files of /proc and /sys: offsets, lengths and ends are streams'" {
    local file size
    for file in $(made_up_files); do
        cat "$file" >expected
        size=$(stat --format %s expected)
        "$ZSLICE" -o 3 -l 7 "$file" out
        tail -c +4 expected | head -c 7 | cmp - out
        "$ZSLICE" -o 3 -e 9 "$file" out
        tail -c +4 expected | head -c 6 | cmp - out
        "$ZSLICE" -o 3 -l 100G "$file" out
        tail -c +4 expected | cmp - out
        "$ZSLICE" -o "$size" "$file" out
        [ ! -s out ]
        rm out
        expect_failure 3 "$file" "it ended before the offset" -o $((size + 1)) "$file" out
        expect_failure 3 "$file" "it ended before the offset" -o $((size + 100000)) "$file" out
        "$ZSLICE" -o -5 "$file" out
        tail -c 5 expected | cmp - out
        "$ZSLICE" -o 3 -e -2 "$file" out
        tail -c +4 expected | head -c -2 | cmp - out
        rm out
        expect_failure 2 "$file" "is not known" --shard=1/2 "$file" out
        [ ! -e out ]
        expect_failure 3 "$file" "it ended 1 bytes before the end" -x -l $((size + 1)) "$file" out
        expect_same expected out
    done
}

@test "files of /proc and /sys as standard input are left after the slice" {
    local file
    for file in $(made_up_files); do
        { "$ZSLICE" -o 1 -l 4 - a; "$ZSLICE" -o 1 -l 2 - b; cat >rest; } <"$file"
        tail -c +2 "$file" | head -c 4 | cmp - a
        tail -c +7 "$file" | head -c 2 | cmp - b
        tail -c +9 "$file" | cmp - rest
    done
}

@test "a file of /proc as target" {
    local pid file
    sleep 60 3>&- &
    pid=$!
    file=/proc/$pid/oom_score_adj
    printf 511 | "$ZSLICE" --stats=json - "$file" 2>stats # taken from the pipe before it is refused
    [ "$(cat "$file")" = 511 ]
    [ "$(statistic .bytes)" -eq 3 ]
    [ "$(statistic .engines.buffer.bytes)" -eq 3 ]
    printf 123512 >in
    "$ZSLICE" -o 3 in "$file"
    [ "$(cat "$file")" = 512 ]
    "$ZSLICE" -l 3 <in >"$file"
    [ "$(cat "$file")" = 123 ]
    kill "$pid"
}

@test "/dev/full says that no space is left" {
    random_file in 300000
    expect_failure 1 /dev/full "writing: No space left on device" in /dev/full
    expect_failure 1 "standard output" "writing: No space left on device" in >/dev/full
    expect_failure 1 "standard output" "No space left on device" -l 1 in >>/dev/full
    cat in | expect_failure 1 /dev/full "No space left on device" - /dev/full
    expect_failure 1 /dev/full "No space left on device" --engine=map-write in /dev/full
    expect_failure 1 /dev/full "No space left on device" --engine=buffer in /dev/full
    "$ZSLICE" -l 0 in /dev/full
}

@test "/dev/null as source and target, /dev/zero and /dev/urandom as sources" {
    random_file in 300000
    "$ZSLICE" in /dev/null
    "$ZSLICE" --append in /dev/null
    "$ZSLICE" in >>/dev/null
    cat in | "$ZSLICE" - /dev/null
    "$ZSLICE" /dev/null out
    [ -f out ]
    [ ! -s out ]
    expect_failure 3 /dev/null "it ended before the offset 1" -o 1 /dev/null out
    "$ZSLICE" -o 12345 -l 1000001 /dev/zero out
    head -c 1000001 /dev/zero | cmp - out
    "$ZSLICE" -l 1000001 /dev/urandom a
    "$ZSLICE" -o 4096 -e 1004097 /dev/urandom | cat >b
    [ "$(stat --format %s a b | xargs)" = "1000001 1000001" ]
    run ! cmp --silent a b
    [ -c /dev/null ]
}

@test "closed descriptors do no harm" {
    printf 0123456789 >in
    "$ZSLICE" -o 2 in out >&-
    [ "$(cat out)" = 23456789 ]
    "$ZSLICE" -o 3 in out <&-
    [ "$(cat out)" = 3456789 ]
    "$ZSLICE" -o 4 in out 2>&-
    [ "$(cat out)" = 456789 ]
    "$ZSLICE" -o 5 in out <&- >&- 2>&-
    [ "$(cat out)" = 56789 ]
    "$ZSLICE" -o 6 in <&- 2>&- | cat >out
    [ "$(cat out)" = 6789 ]
    "$ZSLICE" -o 7 - out <in >&- 2>&-
    [ "$(cat out)" = 789 ]
}

@test "closed descriptors that are needed are refused" {
    printf 0123456789 >in
    expect_failure 2 "standard input" "not open for reading" <&-
    expect_failure 2 "standard input" "not open for reading" - out <&-
    expect_failure 2 "standard output" "not open for writing" in >&-
    expect_failure 2 "standard output" "not open for writing" - <in >&-
    [ ! -e out ]
}

@test "no message and no statistics get into files when standard error is closed" {
    local status=0
    printf 0123456789 >in
    "$ZSLICE" -v --stats=json in out 2>&-
    expect_same in out
    "$ZSLICE" -v --stats=json in out >&- 2>&-
    expect_same in out
    "$ZSLICE" -v --stats=json in out <&- >&- 2>&-
    expect_same in out
    cat in | { "$ZSLICE" -v --stats=json -x -l 11 - out 2>&- || status=$?; [ "$status" -eq 3 ]; }
    expect_same in out
    status=0
    "$ZSLICE" missing new >&- 2>&- || status=$?
    [ "$status" -eq 2 ]
    [ ! -e new ]
    "$ZSLICE" --append --bogus in out 2>&- || status=$?
    expect_same in out
}

@test "descriptors open the wrong way round are refused" {
    printf 0123456789 >in
    expect_failure 2 "standard output" "not open for writing" in 1<in
    echo precious >keep
    expect_failure 2 "standard input" "not open for reading" - out 0>>keep
    [ "$(cat keep)" = precious ]
    [ ! -e out ]
}

# `env` undoes what the harness may have done to SIGPIPE.
@test "a reader that goes away: dies of SIGPIPE, silently" {
    local engine status
    random_file in 3000000
    for engine in auto splice sendfile map-write buffer; do
        { env --default-signal=PIPE "$ZSLICE" --engine=$engine in 2>err || echo $? >status; } |
            head -c 1 >out
        status=$(cat status)
        [ "$status" -eq 141 ] || {
            echo "$engine: exit status $status"
            return 1
        }
        [ ! -s err ]
    done
    cat in | { env --default-signal=PIPE "$ZSLICE" 2>err || echo $? >status; } | head -c 1 >out
    [ "$(cat status)" -eq 141 ]
    [ ! -s err ]
}

@test "a reader that goes away is a failure with a message where SIGPIPE is ignored" {
    local engine
    random_file in 3000000
    for engine in auto splice sendfile map-write buffer; do
        (
            trap '' PIPE
            expect_failure 1 "standard output" "Broken pipe" --engine=$engine in
        ) | head -c 1 >out
        [ "${PIPESTATUS[0]}" -eq 0 ]
    done
}

@test "statistics of a run that dies of SIGPIPE" {
    random_file in 3000000
    { env --default-signal=PIPE "$ZSLICE" --stats=json in 2>stats || true; } | head -c 1 >out
    [ "$(wc -l <stats)" -eq 1 ]
    [ "$(statistic .exit_status)" -eq 141 ]
    [ "$(statistic .complete)" = false ]
    [ "$(statistic .bytes)" -lt 3000000 ]
}

# Little CPU time: waiting, not spinning. The other end takes 0.2 s.
@test "non-blocking pipes with a slow other end" {
    local engine
    random_file in 1000000
    for engine in auto splice buffer; do
        peer run --nonblocking --pause 0.01 --chunk 50000 --cpu cpu --source pipe --feed in \
            -- "$ZSLICE" --engine=$engine - out
        expect_same in out
        [ "$(cat cpu)" -lt 100 ]
        peer run --nonblocking --pause 0.01 --chunk 50000 --cpu cpu --source pipe --feed in \
            --target pipe --collect got -- "$ZSLICE" --engine=$engine
        expect_same in got
        [ "$(cat cpu)" -lt 100 ]
    done
    for engine in auto splice sendfile map-write buffer; do
        peer run --nonblocking --pause 0.01 --chunk 50000 --cpu cpu --target pipe --collect got \
            -- "$ZSLICE" --engine=$engine in
        expect_same in got
        [ "$(cat cpu)" -lt 100 ]
    done
}

@test "non-blocking sockets with a slow other end" {
    local engine kind
    random_file in 1000000
    for kind in unix tcp; do
        for engine in auto splice buffer; do
            peer run --nonblocking --pause 0.01 --chunk 50000 --cpu cpu --source $kind --feed in \
                -- "$ZSLICE" --engine=$engine - out
            expect_same in out
            [ "$(cat cpu)" -lt 100 ]
        done
        for engine in auto splice sendfile map-write buffer; do
            peer run --nonblocking --pause 0.01 --chunk 50000 --cpu cpu --target $kind --collect got \
                -- "$ZSLICE" --engine=$engine in
            expect_same in got
            [ "$(cat cpu)" -lt 100 ]
        done
        peer run --nonblocking --pause 0.01 --chunk 50000 --cpu cpu --source $kind --feed in \
            --target $kind --collect got -- "$ZSLICE" -o 1001
        tail -c +1002 in | cmp - got
        [ "$(cat cpu)" -lt 100 ]
    done
}

@test "a pipe that trickles: bytes come through as they arrive" {
    local engine
    mkfifo fifo
    exec 5<>fifo
    for engine in auto splice buffer; do
        printf 'one\n' >&5
        timeout 20 "$ZSLICE" --engine=$engine -l 8 <fifo |
            {
                read -r line
                printf 'two\n' >&5
                echo "$line"
                cat
            } >out
        [ "$(xargs <out)" = "one two" ]
    done
    exec 5>&-
}

@test "a terminal as source: one end-of-file is enough" {
    printf 'hello\nworld\n' >in
    timeout 20 "$PYTHON" -IS "$PROJECT/tests/cli/peer.py" run --source terminal --feed in \
        -- "$ZSLICE" -o 2 - out
    [ "$(cat out)" = "llo"$'\n'world ]
    timeout 20 "$PYTHON" -IS "$PROJECT/tests/cli/peer.py" run --source terminal --feed in \
        -- "$ZSLICE" -l 6 - out
    [ "$(cat out)" = hello ]
}

@test "a terminal as target" {
    local engine
    seq 2000 >in
    for engine in auto map-write buffer; do
        peer run --target terminal --collect got -- "$ZSLICE" --engine=$engine in
        expect_same in got
    done
    cat in | peer run --target terminal --collect got -- "$ZSLICE" -o 4 -
    tail -c +5 in | cmp - got
}

@test "nothing is printed on success" {
    random_file in 300000
    "$ZSLICE" in out >stdout 2>stderr
    cat in | "$ZSLICE" --seek 3 - out >stdout 2>>stderr
    [ ! -s stdout ]
    [ ! -s stderr ]
}

@test "files that give all or nothing: what precedes the offset is dropped all the same" {
    local file=/proc/sys/kernel/pid_max size
    size=$(wc -c <$file)
    cat $file | tail -c +3 >expected
    "$ZSLICE" -o 2 $file out
    expect_same expected out
    "$ZSLICE" -o 2 -l 1 <$file >out
    head -c 1 expected | cmp - out
    "$ZSLICE" -o "$size" $file out
    [ ! -s out ]
    expect_failure 3 $file "ended before the offset $((size + 1))" -o $((size + 1)) $file out
    expect_failure 3 $file "ended 1 bytes before" --exact -o 2 -l $((size - 1)) $file out
}

@test "a device opened for appending is written without trying what cannot append" {
    random_file in 300000
    cat in | "$ZSLICE" --stats=json >>/dev/null 2>stats
    [ "$(statistic '.refused | length')" -eq 0 ]
    [ "$(engines_used)" = buffer ]
}

@test "closed descriptors that are named by a path are refused" {
    local name
    printf keep >out
    printf abc >in
    for name in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
        expect_failure 2 $name "" in $name >&-
    done
    for name in /dev/stdin /dev/fd/0; do
        expect_failure 2 $name "" $name out <&-
    done
    [ "$(cat out)" = keep ]
}
