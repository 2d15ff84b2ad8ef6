# Source and target changed by others while a slice is copied. The program stands still behind a given
# call (strace stops it there), the change is made, and it goes on: a race that is always lost.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

stops=(auto:splice@in splice:splice@in splice:splice@out sendfile:sendfile@out map-write:mmap@in
    map-write:write@out buffer:pread64@in buffer:write@out)

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file whole 3500000
    restore whole
    tail -c +1001 in >expected
}

# restore FILE: in is a new file with its bytes (ext4 flushes one that was emptied and written again).
restore() {
    rm -f in
    cp "$1" in
}

# judge_shrunk: in lost bytes of the slice. What is left must be the source's, and it is no success.
judge_shrunk() {
    judge failed in shr
    [[ $message =~ shrank|shrunk ]] || problem "not a word of the cause"
}

@test "the source shrinks, by every engine, at every call, to every size: no NUL gets in" {
    local stop engine call size at
    for stop in "${stops[@]}"; do
        call=${stop#*:}
        engine=${stop%%:*}
        for at in 1 2; do
            # Those are called once.
            [[ $call-$at != mmap@in-2 && $call-$at != sendfile@out-2 ]] || continue
            for size in 0 1000 2500 8192 1048577 1500000 2098000; do
                name="$engine, to $size after $call $at"
                restore whole
                stop_at "$call" $at file-file --engine="$engine" -o 1000
                truncate -s $size in
                resume
                judge_shrunk
                [ ! -e out ] || [ "$(stat -c '%b' out)" -le $((good / 512 + 32)) ] ||
                    problem "reserved blocks: $(stat -c '%b, %s' out)"
            done
        done
    done
    all_good
}

@test "the source shrinks while its last bytes are copied: true in either case" {
    local stop engine call
    head -c 700000 whole >short # which `auto` maps
    tail -c +1001 short >expected
    for stop in auto:mmap@in auto:write@out "${stops[@]:1}"; do
        call=${stop#*:}
        engine=${stop%%:*}
        for size in 1500 4096 500000; do
            name="$engine, to $size after $call 1"
            restore short
            calls_of "$call" file-file --engine="$engine" -o 1000
            stop_at "$call" "$calls" file-file --engine="$engine" -o 1000
            truncate -s $size in
            resume
            if [ "$status" -eq 0 ]; then
                judge "done"
            else
                judge_shrunk
            fi
        done
    done
    all_good
}

@test "the source shrinks behind the slice: nobody's business" {
    local stop
    head -c 3000000 whole | tail -c +1001 >expected
    for stop in "${stops[@]}"; do
        name="$stop"
        restore whole
        stop_at "${stop#*:}" 1 file-file --engine="${stop%%:*}" -o 1000 -l 2999000
        truncate -s 3000000 in
        resume
        judge "done"
    done
    all_good
}

@test "the source grows: the slice is what it was" {
    local stop
    for stop in "${stops[@]}"; do
        name="$stop"
        restore whole
        stop_at "${stop#*:}" 1 file-file --engine="${stop%%:*}" -o 1000
        random_file more 100000
        cat more >>in
        resume
        judge "done"
    done
    all_good
}

@test "the source shrinks, and the slice goes into the middle or to the end of a target" {
    local stop engine call where
    random_file old 3900000
    old=old placement=at
    for stop in "${stops[@]}"; do
        call=${stop#*:}
        engine=${stop%%:*}
        for size in 2500 1500000; do
            for where in "--seek 700" "--append"; do
                position=700
                if [ "$where" = --append ]; then
                    position=3900000
                    case $stop in
                    auto:* | splice:* | sendfile:*) continue ;;
                    esac
                fi
                name="$engine $where, to $size after $call 1"
                restore whole
                # shellcheck disable=SC2086 # two words
                stop_at "$call" 1 file-file --engine="$engine" -o 1000 $where
                truncate -s $size in
                resume
                judge_shrunk
            done
        done
    done
    all_good
}

@test "the source shrinks, and what arrived in a pipe is counted" {
    local stop size
    for stop in map-write:mmap@in map-write:write buffer:pread64@in buffer:write; do
        for size in 0 2500 100000 1500000; do
            name="$stop, to $size"
            restore whole
            stop_at "${stop#*:}" 1 file-pipe --engine="${stop%%:*}" -o 1000
            truncate -s $size in
            resume
            judge_shrunk
        done
    done
    all_good
}

@test "the source shrinks: standard input stands behind what was delivered" {
    local stop
    for stop in "${stops[@]}"; do
        name="$stop"
        restore whole
        source_path=-
        # Position and end are told apart by what the next one reads.
        exec 4<in
        stop_at "${stop#*:}" 1 file-file --engine="${stop%%:*}" -o 1000 <&4
        truncate -s 1500000 in
        resume
        judge failed "standard input" shr
        # The position of the descriptor they share.
        [ "$(sed -n 's/^pos:[[:space:]]*//p' /proc/self/fdinfo/4)" -eq $((1000 + good)) ] ||
            problem "it stands at $(sed -n 's/^pos:[[:space:]]*//p' /proc/self/fdinfo/4)"
        exec 4<&-
    done
    all_good
}

@test "the source shrinks between the delivery of its bytes and the look at its size" {
    local engine call size
    for engine in splice:splice sendfile:sendfile map-write:write buffer:write; do
        call=${engine#*:}
        engine=${engine%%:*}
        for size in 0 300000; do
            name="$engine, to $size"
            restore whole
            rm -f out log
            inject "$call@out:" %fstat@in:delay_enter=300000:when=2
            faults=(-P "$here/in" -P "$here/out" -e "trace=$call,%fstat"
                -e inject=%fstat:delay_enter=300000:when=2)
            injected_calls=()
            prepare_run --engine="$engine" -o 1000 in out
            arrived=out
            "${run[@]}" 2>err 3>&- &
            tracer=$! collector=
            # Its own line is complete when the call that is delayed has begun.
            until grep -qs " $call(.*= [1-9][0-9]*$" log && [ -s out ]; do
                kill -0 "$tracer" 2>/dev/null || break
            done
            truncate -s $size in
            resume
            if grep -q 'fstat.*st_size=3500000.*DELAYED' log; then
                problem "it came too late"
            fi
            grep -q DELAYED log || problem "no delay"
            judge_shrunk
        done
    done
    all_good
}

@test "stopped and continued: nothing is lost" {
    local stop
    for stop in "${stops[@]}"; do
        name="$stop"
        stop_at "${stop#*:}" 1 file-file --engine="${stop%%:*}" -o 1000
        resume
        judge "done"
    done
    all_good
}
