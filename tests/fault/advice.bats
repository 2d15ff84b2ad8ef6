# What is only advice or a question: whether the source is cached (preadv2, as on kernels without
# cachestat), read-ahead (fadvise64). No answer, and no wrong one, changes a byte.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup_file() {
    use_python
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    launcher=(timeout 60 "$PYTHON" "$PROJECT/tests/fault/without_cachestat.py")
    random_file in 17000001 # large enough for the question to be put
    tail -c +1001 in >expected
}

# expect_by ENGINE: it moved all bytes.
expect_by() {
    [[ $json = *"\"engines\":{\"$1\":{\"bytes\":$(stat -c %s expected),"* ]] || problem "not by $1: $json"
}

unanswered=(EIO EINVAL EOPNOTSUPP ENOSYS EBADF EPERM)

@test "whether the source is cached cannot be asked: it is copied as if it were, and not read ahead" {
    local code ends
    for code in "${unanswered[@]}" 0; do
        for ends in file-file file-tcp; do
            name="$ends, preadv2 $code"
            inject "preadv2@in:$(what_of "$code"):when=1+" fadvise64@in:error=EIO:when=1+
            injected_calls=(preadv2)
            transfer $ends -o 1000
            judge "done"
            expect_none_refused
            expect_by map-write
            ! grep -q ' fadvise64(' log || problem "read ahead"
        done
    done
    name="nothing of it is"
    inject preadv2@in:error=EAGAIN:when=1+
    transfer file-file -o 1000
    judge "done"
    expect_by splice
    all_good
}

@test "one of the samples fails, or is interrupted" {
    local code at
    for code in EIO EINVAL EOPNOTSUPP EAGAIN EINTR; do
        for at in 1 5 8; do
            name="preadv2 $code at $at"
            inject "preadv2@in:error=$code:when=$at"
            transfer file-file -o 1000
            judge "done"
            expect_none_refused
            expect_by map-write # the others say that it is cached
        done
    done
    all_good
}

@test "read-ahead fails: in its question, in its request, in both" {
    local code ends
    random_file in 3500000
    tail -c +1001 in >expected
    for ends in file-file file-pipe file-tcp; do
        for code in EIO EINVAL EOPNOTSUPP ENOMEM EINTR; do
            name="$ends, fadvise64 $code"
            inject preadv2@in:error=EAGAIN:when=1+ "fadvise64@in:error=$code:when=1+"
            transfer $ends --engine=map-write -o 1000
            judge "done"
            expect_none_refused
            name="$ends, preadv2 $code at 2"
            inject "preadv2@in:error=$code:when=2"
            transfer $ends --engine=map-write -o 1000
            judge "done"
            expect_none_refused
        done
    done
    all_good
}

@test "a question that is not answered is not asked again and again" {
    random_file in 9500000
    tail -c +1001 in >expected
    name="read-ahead"
    inject preadv2@in:error=EOPNOTSUPP:when=1+
    transfer file-file --engine=map-write -j 1 -o 1000
    judge "done"
    # Eight times to find out whether it is cached, if at all; then once.
    [ "$(grep -c ' preadv2(' log)" -le 9 ] || problem "$(grep -c ' preadv2(' log) calls"
    all_good
}

@test "the source cannot be read at all: it is named, though the questions failed first" {
    name="preadv2, write and pread64"
    inject preadv2@in:error=EIO:when=1+ write@out:error=EFAULT:when=3 pread64@in:error=EIO:when=1+
    transfer file-file -o 1000
    judge failed in "${reason_of[EIO]}"
    [ "$good" -eq 1048576 ] || problem "$good bytes are good"
    all_good
}

@test "--explain does not mind either" {
    local code
    for code in "${unanswered[@]}" EAGAIN; do
        name="$code"
        cases=$((cases + 1))
        "${launcher[@]}" strace -f -e quiet=all -o log -e trace=preadv2 -e "inject=preadv2:error=$code:when=1+" \
            "$ZSLICE" --explain -o 1000 in out >said 2>err || problem "exit status $?"
        grep -q INJECTED log || problem "the fault did not fire"
        [ ! -s err ] || problem "a message"
        grep -q "$([ "$code" = EAGAIN ] && echo 'by splice' || echo 'by map-write')" said || problem "$(<said)"
    done
    [ ! -e out ]
    all_good
}
