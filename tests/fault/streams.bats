# Streams: what was taken from one cannot be taken again, so a fault in the middle must lose nothing.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file in 3500000
}

@test "file to pipe: splice" {
    tail -c +1001 in >expected
    # A pipe has no errors of its own but that nobody reads it.
    sweep_stream file-pipe splice@in "1 2 4" in yes splice auto -o 1000
    sweep_stream file-pipe splice@in "1 2 4" in yes splice forced -o 1000
    all_good
}

@test "file to pipe: sendfile" {
    tail -c +1001 in >expected
    sweep_stream file-pipe sendfile@in 1 "standard output" yes sendfile forced -o 1000
    all_good
}

@test "file to pipe: map-write and buffer" {
    tail -c +1001 in >expected
    # Nothing else is written before the statistics.
    sweep_stream file-pipe write "1 2 4" "standard output" yes map-write forced -o 1000
    sweep_stream file-pipe write "1 2 5" "standard output" yes buffer forced -o 1000
    codes=("${hard[@]}" "${soft[@]}" EINTR EAGAIN)
    sweep_stream file-pipe pread64@in "1 2 5" in no buffer forced -o 1000
    all_good
}

@test "pipe to file: splice into the private pipe" {
    cp in expected
    sweep_stream pipe-file splice@fifo "1 2 3" fifo yes splice auto
    sweep_stream pipe-file splice@fifo "1 3" fifo yes splice forced
    all_good
}

@test "pipe to file: splice out of the private pipe, and what it held arrives" {
    cp in expected
    sweep_stream pipe-file splice@out "1 2 3" out no splice auto
    sweep_stream pipe-file splice@out "1 3" out no splice forced
    all_good
}

@test "pipe to file: a slice with both ends, after dropping" {
    tail -c +1001 in | head -c 3000000 >expected
    sweep_stream pipe-file splice@out "1 2 3" out no splice auto -o 1000 -l 3000000
    all_good
}

@test "pipe to file: buffer" {
    cp in expected
    sweep_stream pipe-file write@out "1 2 5" out no buffer forced
    codes=("${hard[@]}" "${soft[@]}" EINTR EAGAIN)
    sweep_stream pipe-file read@fifo "1 2 5" fifo yes buffer forced
    all_good
}

@test "pipe to pipe: splice and buffer" {
    cp in expected
    sweep_stream pipe-pipe splice@fifo "1 2 4" fifo yes splice auto
    sweep_stream pipe-pipe splice@fifo "1 2" fifo yes splice forced
    sweep_stream pipe-pipe write "1 2 4" "standard output" yes buffer forced
    all_good
}

@test "dropping what precedes the slice: another way, or the source is named and the target untouched" {
    local code at
    random_file old 5000
    tail -c +2500001 in >expected
    for at in 1 2 4; do
        for code in "${soft[@]}" EINTR EAGAIN; do
            name="dropping, splice $code at $at"
            inject "splice@fifo:error=$code:when=$at"
            transfer pipe-file -o 2500000
            judge "done"
        done
        for code in "${hard[@]}"; do
            name="dropping, splice $code at $at"
            old=old
            inject "splice@fifo:error=$code:when=$at"
            transfer pipe-file -o 2500000
            judge failed fifo "${reason_of[$code]}"
            old=
        done
    done
    for code in EIO EINVAL ENOMEM; do
        name="dropping, splice EINVAL, then read $code"
        old=old
        inject "splice@fifo:error=EINVAL:when=2" "read@fifo:error=$code:when=2"
        transfer pipe-file -o 2500000
        judge failed fifo "${reason_of[$code]}"
        old=
    done
    all_good
}

@test "what the private pipe held meets the true cause: counted to the byte" {
    local code at
    cp in expected
    for at in 1 2 3; do
        for code in "${hard[@]}"; do
            name="splice EINVAL at its second use, then write $code at $at"
            # Both by the path, so that the count of write is of those to the target.
            inject "splice@out:error=EINVAL:when=2" "write@out:error=$code:when=$at"
            transfer pipe-file
            judge failed out "${reason_of[$code]}"
        done
        name="splice EINVAL at its second use, then write EINTR at $at"
        inject "splice@out:error=EINVAL:when=2" "write@out:error=EINTR:when=$at"
        transfer pipe-file
        judge "done"
    done
    name="splice EINVAL at once, then nothing can be written"
    inject "splice@out:error=EINVAL:when=1" "write@out:error=ENOSPC:when=1+"
    transfer pipe-file
    judge failed out "${reason_of[ENOSPC]}"
    all_good
}

@test "appending a stream: what was there stays, and what came is counted" {
    local code at
    random_file old 5000
    old=old placement=at position=5000
    cp in expected
    for at in 1 2 4; do
        for code in "${hard[@]}" EINTR; do
            name="append, write $code at $at"
            inject "write@out:error=$code:when=$at"
            transfer pipe-file --append
            judge_forced "$code" buffer out no
        done
    done
    all_good
}

@test "standard input stands behind what was delivered, whatever failed" {
    local engine call fault
    for engine in auto splice sendfile map-write buffer; do
        case $engine in
        auto | splice) call=splice@out ;;
        sendfile) call=sendfile@out ;;
        *) call=write@out ;;
        esac
        [ $engine != sendfile ] || random_file in 9500000
        tail -c +1001 in >expected
        for fault in error=ENOSPC:when=2 error=EIO:when=1 error=EINTR:when=2 error=EINVAL:when=2; do
            name="$engine, $call $fault"
            rm -f out
            inject "$call:$fault"
            prepare_run --engine=$engine -o 1000 -
            arrived=out
            {
                status=0
                "${run[@]}" out 2>err || status=$?
                cat >rest
            } <in
            check_fired
            read_report
            cases=$((cases + 1))
            if [ -e out ]; then
                claimed_good
                [ "$status" -eq 0 ] || [ "$good" -eq "$(stat -c %s out)" ] || problem "not good: $message"
                { head -c 1000 in; cat out rest; } | cmp - in || problem "bytes lost, or used twice"
            else
                [ "$status" -ne 0 ] || problem "no target"
                tail -c +1001 in | cmp - rest || problem "standard input is elsewhere"
            fi
        done
    done
    all_good
}

@test "what comes after the slice in a pipe is never lost, whatever failed" {
    local fault
    head -c 2000000 in >expected
    for fault in "" splice:error=EINVAL:when=1 splice:error=EINVAL:when=2 splice:error=EINVAL:when=4 \
        splice:error=ENOSYS:when=1+ splice:error=EINTR:when=3 splice:retval=0:when=2; do
        name="slice of a pipe, $fault"
        # shellcheck disable=SC2086 # none is no fault
        inject $fault
        [ -n "$fault" ] || faults=()
        prepare_run -l 2000000
        arrived=out
        # shellcheck disable=SC2002 # a pipe is wanted
        cat in | {
            "${run[@]}" - out 2>err || echo failed
            cat >rest
        } >said
        status=0
        judge "done"
        [ ! -s said ] || problem "it failed"
        tail -c +2000001 in | cmp - rest || problem "the rest is not there"
        rm out
    done
    all_good
}
