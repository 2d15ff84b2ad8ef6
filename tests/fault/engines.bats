# Every engine from file to file: each system call it copies with fails in each way, at its first,
# second and last use.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file in 3500000
    tail -c +1001 in >expected
}

# sweep CALL@PATH OBJECT ENGINE forced|auto ARGUMENT...: all codes, at three of its calls.
sweep() {
    local call=$1 object=$2 engine=$3 how=$4 code at
    shift 4
    [ "$how" = auto ] || set -- --engine="$engine" "$@"
    calls_of "$call" file-file "$@"
    for at in $(printf '%s\n' 1 2 "$calls" | sort -nu); do
        [ "$at" -le "$calls" ] || continue
        for code in "${codes[@]}"; do
            name="$engine $how, $call $code at $at of $calls"
            inject "$call:$(what_of "$code"):when=$at"
            transfer file-file "$@"
            "judge_$how" "$code" "$engine" "$object" no
        done
    done
}

@test "splice, forced and by itself: taking from the source, giving to the target" {
    local how
    for how in forced auto; do
        sweep splice@in in splice $how -o 1000
        sweep splice@out out splice $how -o 1000
    done
    all_good
}

@test "sendfile, forced: three calls" {
    random_file in 9500000
    tail -c +1001 in >expected
    sweep sendfile@out out sendfile forced -o 1000
    all_good
}

@test "sendfile, by itself for a small slice, forced for one that is all of the source" {
    random_file in 100000
    cp in expected
    sweep sendfile@out out sendfile auto -o 0
    sweep sendfile@out out sendfile forced -o 0
    all_good
}

@test "copy-range, forced: three calls" {
    # One call copies up to 16 MiB.
    sweep copy_file_range@out out copy-range forced -r 1000:1200000 -r 1200000:2400000 -r 2400000:
    all_good
}

@test "copy-range: the source is blamed if it cannot be read, and both are if they shrink" {
    local at
    for at in 1 2 3; do
        name="copy_file_range EIO at $at"
        inject "copy_file_range@in:error=EIO:when=$at" "pread64@in:error=EIO:when=1"
        transfer file-file --engine=copy-range -r 1000:1200000 -r 1200000:2400000 -r 2400000:
        judge failed in "${reason_of[EIO]}"
    done
    cp in whole
    for at in 2500 1500000; do
        name="it shrinks to $at"
        rm -f in # ext4 flushes a file that was emptied and written again
        cp whole in
        stop_at copy_file_range@out 1 file-file --engine=copy-range -o 1000
        truncate -s $at in
        resume
        judge failed in shr
    done
    all_good
}

@test "map-write, forced: writing" {
    sweep write@out out map-write forced -o 1000
    all_good
}

@test "map-write, by itself for appending: writing" {
    random_file old 5000
    old=old placement=at position=5000
    sweep write@out out map-write auto --append -o 1000
    all_good
}

@test "map-write, by itself for up to 1 MiB: writing, into a new and an old target" {
    random_file in 1049576
    tail -c +1001 in >expected
    sweep write@out out map-write auto -o 1000
    random_file older 5000
    old=older
    sweep write@out out map-write auto -o 1000
    random_file older 1100000
    placement=at position=700
    sweep write@out out map-write auto -o 1000 --seek 700
    all_good
}

@test "map-write: mapping the first, second and last window" {
    local code at
    codes=(EINVAL EACCES ENODEV ENOMEM EPERM EAGAIN EIO)
    truncate -s 36M in
    tail -c +1001 in >expected
    random_file old 5000
    for at in 1 2 3; do
        for code in "${codes[@]}"; do
            # Mapping fails for reasons of mapping only: reading may do, whatever the reason.
            name="map-write forced, mmap $code at $at"
            old='' placement=whole position=0
            inject "mmap@in:error=$code:when=$at"
            transfer file-file --engine=map-write --jobs 1 --sparse=never -o 1000
            judge_cannot "$code" map-write in

            [ "$code" = EINVAL ] || [ "$code" = EIO ] || continue
            name="map-write by itself, mmap $code at $at"
            old=old placement=at position=5000
            inject "mmap@in:error=$code:when=$at"
            transfer file-file --append --jobs 1 -o 1000
            judge "done"
            expect_refused map-write "$code"
        done
    done
    all_good
}

@test "map-write: populating the view is only advice" {
    local code at
    for code in EINVAL ENOMEM EFAULT EIO EAGAIN EINTR; do
        name="map-write, madvise $code"
        # Sanitizers have uses for madvise of their own: it always fails.
        inject "madvise:error=$code:when=1+"
        transfer file-file --engine=map-write -o 1000
        judge "done"
        expect_none_refused
    done
    all_good
}

@test "map-write: EFAULT is the source's, and read finds out" {
    local at
    random_file old 5000
    for at in 1 2 3; do
        name="forced, at $at"
        old='' placement=whole position=0
        inject "write@out:error=EFAULT:when=$at"
        transfer file-file --engine=map-write -o 1000
        judge_cannot EFAULT map-write in

        name="by itself, at $at"
        old=old placement=at position=5000
        transfer file-file --append -o 1000
        judge "done"
        expect_refused map-write EFAULT

        name="by itself, at $at, and it is EIO"
        inject "write@out:error=EFAULT:when=$at" "pread64@in:error=EIO:when=1+"
        transfer file-file --append -o 1000
        judge failed in "${reason_of[EIO]}"
    done
    all_good
}

@test "buffer, forced: reading and writing" {
    codes=("${hard[@]}" "${soft[@]}" EINTR EAGAIN)
    sweep pread64@in in buffer forced -o 1000
    codes+=(0)
    sweep write@out out buffer forced -o 1000
    all_good
}

@test "buffer: a source that reads as ended before its end is an error" {
    local at
    for at in 1 2 3; do
        name="pread64 0 at $at"
        inject "pread64@in:retval=0:when=$at"
        transfer file-file --engine=buffer -o 1000
        judge failed in shrunk
    done
    all_good
}

@test "short and lone: the last byte, one byte, by every engine" {
    local engine call
    for engine in splice:splice@in splice:splice@out sendfile:sendfile@out map-write:write@out \
        buffer:write@out buffer:pread64@in; do
        call=${engine#*:}
        engine=${engine%%:*}
        for code in EIO EINVAL EINTR; do
            name="one byte by $engine, $call $code"
            tail -c 1 in >expected
            inject "$call:error=$code:when=1"
            transfer file-file --engine="$engine" -o -1
            judge_forced $code "$engine" '*' no
        done
    done
    all_good
}

@test "a kernel without one, two or three of the ways: the next one, to the byte" {
    local at code
    for at in 1+ 2+; do
        for code in ENOSYS EPERM EINVAL; do
            name="no splice ($code, $at)"
            inject "splice:error=$code:when=$at"
            transfer file-file -o 1000
            judge "done"
            expect_refused splice "$code"
            [[ $json = *'"map-write":{"bytes"'* ]] || problem "not by map-write: $json"

            name="no splice, no mmap ($code, $at)"
            inject "splice@in:error=$code:when=$at" "mmap@in:error=ENODEV:when=1+"
            transfer file-file -o 1000
            judge "done"
            [[ $json = *"\"refused\":{\"splice\":\"$code\",\"map-write\":\"ENODEV\"}"* ||
                $json = *"\"refused\":{\"map-write\":\"ENODEV\",\"splice\":\"$code\"}"* ]] ||
                problem "refused: $json"
            [[ $json = *'"sendfile":{"bytes"'* ]] || problem "not by sendfile: $json"

            name="only read and write ($code, $at)"
            inject "splice@in:error=$code:when=$at" "mmap@in:error=ENODEV:when=1+" \
                "sendfile@in:error=$code:when=1+"
            transfer file-file -o 1000
            judge "done"
            [[ $json = *'"buffer":{"bytes"'* ]] || problem "not by buffer: $json"
        done
    done
    all_good
}

@test "the last way meets the true cause, and the message names it" {
    local at code call object blaming
    # sendfile's error is one of two ends: the source is read to find out which, before `buffer` reads it.
    inject "splice@in:error=EINVAL:when=2+" "mmap@in:error=ENODEV:when=1+" \
        "sendfile@in:error=ENOSYS:when=1+" pread64@in:
    faults=("${faults[@]:0:${#faults[@]}-2}")
    transfer file-file -o 1000
    blaming=$(grep -a ' pread64(' log | grep -n 'pread64([0-9]*, "\?.*, 786432, ' | head -n 1 | cut -d : -f 1)
    blaming=$((blaming - 1))
    for at in 1 2 4; do
        for code in "${hard[@]}" EINVAL; do
            for call in write@out pread64@in; do
                name="nothing but read and write, $call $code at $at"
                object=${call#*@}
                inject "splice@in:error=EINVAL:when=2+" "mmap@in:error=ENODEV:when=1+" \
                    "sendfile@in:error=ENOSYS:when=1+" \
                    "$call:error=$code:when=$([ $call = write@out ] && echo "$at" || echo $((at + blaming)))"
                transfer file-file -o 1000
                judge failed "$object" "${reason_of[$code]}"
            done
        done
    done
    all_good
}

@test "a call that reads and writes in one: the source is blamed if it cannot be read" {
    local at
    random_file in 9500000
    tail -c +1001 in >expected
    for at in 1 2 3; do
        name="sendfile EIO at $at"
        inject "sendfile@in:error=EIO:when=$at" "pread64@in:error=EIO:when=1"
        transfer file-file --engine=sendfile -o 1000
        judge failed in "${reason_of[EIO]}"
    done
    all_good
}

@test "with statistics that cannot be had the copy is made all the same" {
    local fault
    for fault in openat:error=EACCES openat:error=ENOENT openat:error=EMFILE; do
        name="/proc/self/status, $fault"
        strace -e quiet=all -o log -P /proc/self/status -e trace=openat -e "inject=$fault" \
            "$ZSLICE" --stats=json -o 1000 in out 2>err && status=0 || status=$?
        injected_calls=(openat)
        arrived=out
        judge "done"
        rm out
    done
    all_good
}
