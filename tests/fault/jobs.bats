# Two threads on one copy: what fails in either, and a source that shrinks between them.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file some 9000000
    cat some some some some some some some some >whole # 64 MiB and more are worth two threads
    cp whole in
    tail -c +1001 in >expected
}

two_jobs() {
    [[ $json = *'"jobs":2,'* ]] || problem "not two jobs: $json"
}

@test "mapping ahead is only advice" {
    local code at
    for code in EINVAL EFAULT EHWPOISON; do
        for at in 1+ $([ $code = EHWPOISON ] && echo 3); do
            name="madvise $code at $at"
            inject "madvise:error=$code:when=$at"
            transfer file-file -j 2 -o 1000
            judge "done"
            expect_none_refused
            two_jobs
        done
    done
    all_good
}

@test "no address space for a window: a shorter one, or another engine" {
    local code
    random_file old 5000
    name="mmap ENOMEM once"
    inject mmap@in:error=ENOMEM:when=1
    transfer file-file -j 2 -o 1000
    judge "done"
    two_jobs
    for code in ENOMEM ENODEV EACCES; do
        name="mmap $code"
        inject "mmap@in:error=$code:when=1+"
        transfer file-file -j 2 -o 1000
        judge "done"
        expect_refused map-write "$code"
        [[ $json = *'"splice":{"bytes":71999000'* ]] || problem "not by splice: $json"

        name="mmap $code, forced"
        transfer file-file -j 2 --engine=map-write -o 1000
        judge_cannot "$code" map-write in
    done
    old=old placement=at position=5000
    name="mmap ENOMEM, append"
    inject mmap@in:error=ENOMEM:when=1+
    transfer file-file -j 2 --append -o 1000
    judge "done"
    expect_refused map-write ENOMEM
    all_good
}

@test "no memory or thread for the second job" {
    local call
    for call in clone3 mprotect; do
        name="$call"
        inject "$call:error=EAGAIN:when=1+"
        [ $call = clone3 ] || inject "mprotect:error=ENOMEM:when=8+" # of the thread's stack
        transfer file-file -j 2 -o 1000
        [ $call = clone3 ] || grep -q INJECTED log || continue
        judge "done"
        [[ $json = *'"jobs":1,'* ]] || problem "two jobs: $json"
    done
    all_good
}

@test "writing fails: at the first piece, in the middle, at the last" {
    local code codes at
    for at in 1 5 69; do
        [ $at -eq 5 ] && codes=("${hard[@]}" EINVAL EINTR) || codes=(EIO EINVAL)
        for code in "${codes[@]}"; do
            name="write $code at $at"
            inject "write@out:error=$code:when=$at"
            transfer file-file -j 2 -o 1000
            case " ${hard[*]} " in
            *" $code "*) judge failed out "${reason_of[$code]}" ;;
            *) judge "done" ;;
            esac
            two_jobs
        done
    done
    all_good
}

@test "EFAULT is the source's, and read finds out" {
    local at
    for at in 1 7 69; do
        name="forced, at $at"
        inject "write@out:error=EFAULT:when=$at"
        transfer file-file -j 2 --engine=map-write -o 1000
        judge_cannot EFAULT map-write in
        name="by itself, at $at"
        transfer file-file -j 2 -o 1000
        judge "done"
        expect_refused map-write EFAULT
    done
    all_good
}

@test "the source shrinks, at every call, to every size: no NUL gets in" {
    local stop size
    for stop in mmap@in:1 write@out:1 write@out:9; do
        for size in 0 12000000 71999999; do
            name="to $size after $stop"
            rm -f in
            cp whole in
            stop_at "${stop%:*}" "${stop#*:}" file-file -j 2 -o 1000
            truncate -s $size in
            resume
            judge failed in shr
            two_jobs
        done
    done
    all_good
}

@test "the source shrinks behind the slice, or grows: nobody's business" {
    head -c 70000000 whole | tail -c +1001 >expected
    name="it shrinks behind the slice"
    stop_at write@out 3 file-file -j 2 -o 1000 -l 69999000
    truncate -s 70000000 in
    resume
    judge "done"
    name="it grows"
    rm in
    cp whole in
    stop_at write@out 3 file-file -j 2 -o 1000 -l 69999000
    head -c 1000000 whole >>in
    resume
    judge "done"
    all_good
}
