# The target's life, and what is around a copy: opening, reserving, truncating, seeking, closing.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash; $device is set by attach_loop
load ../helper
load inject

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file in 3500000
    tail -c +1001 in >expected
    random_file old 5000
    random_file longer 4000000
    : >empty
}

# Reservations are not made everywhere.
need_reservations() {
    [ "$(stat -f -c %T .)" != btrfs ] || skip "no space is reserved on btrfs"
}

@test "close fails: the copy failed" {
    local code ends
    for code in EIO ENOSPC EDQUOT; do
        for ends in file-file pipe-file; do
            name="$ends, close $code"
            inject "close@out:error=$code:when=1"
            transfer $ends -o 1000
            judge wrong-end 1 out "${reason_of[$code]}"
            cmp -n "$(stat -c %s out)" expected out || problem "wrong bytes"
            [[ $json = *'"complete":false,"exit_status":1}' ]] || problem "statistics: $json"
        done
        name="standard output, close $code"
        rm -f out
        inject "close@out:error=$code:when=1"
        prepare_run -o 1000 in
        status=0
        "${run[@]}" >out 2>err || status=$?
        judge wrong-end 1 "standard output" "${reason_of[$code]}"
    done
    name="close EINTR"
    inject close@out:error=EINTR:when=1
    transfer file-file -o 1000
    judge "done"
    all_good
}

@test "close of what only helped fails: nothing is lost" {
    local code
    for code in EIO EINTR; do
        name="/dev/null, which took what is before the offset, close $code"
        faults=(-P /dev/null -e trace=close -e "inject=close:error=$code:when=1+")
        injected_calls=(close)
        transfer pipe-file -o 1000
        judge "done"

        name="the folder that was synced, close $code"
        faults=(-P "$here" -e trace=close -e "inject=close:error=$code:when=1+")
        transfer file-file -o 1000 --sync
        judge "done"
    done
    all_good
}

@test "after a failure the failure of close is not told" {
    name="splice ENOSPC, close EIO"
    inject splice@out:error=ENOSPC:when=2 close@out:error=EIO:when=1
    transfer file-file -o 1000
    judge failed out "${reason_of[ENOSPC]}"
    all_good
}

@test "the old bytes cannot be truncated: they stay" {
    local code
    for code in EIO EPERM EINVAL ENOSPC; do
        for old in old longer; do
            name="$old, ftruncate $code"
            inject "ftruncate@out:error=$code:when=1+"
            transfer file-file -o 1000
            judge fails out "${reason_of[$code]}"
            [ "$(stat -c %b out)" -le $(($(stat -c %b $old) + 16)) ] || name+=" (reserved)"
        done
    done
    old=longer
    name="ftruncate EINTR"
    inject ftruncate@out:error=EINTR:when=1
    transfer file-file -o 1000
    judge "done"
    all_good
}

@test "space that was reserved before the old bytes could not be truncated is given back" {
    need_reservations
    old=old
    name="ftruncate EIO once"
    inject ftruncate@out:error=EIO:when=1 # the next one gives back
    transfer file-file -o 1000
    judge failed out "${reason_of[EIO]}"
    [ "$(stat -c %b out)" -le $(($(stat -c %b old) + 16)) ] || problem "blocks: $(stat -c %b out)"
    all_good
}

@test "--truncate: the rest cannot be cut" {
    local code
    old=longer
    for code in EIO EPERM; do
        name="--truncate, ftruncate $code"
        inject "ftruncate@out:error=$code:when=1+"
        transfer file-file --seek 0 --truncate -o 1000
        judge wrong-end 1 out "${reason_of[$code]}"
        { cat expected; tail -c +3499001 longer; } | cmp - out || problem "wrong bytes"
    done
    name="--truncate, ftruncate EINTR"
    inject ftruncate@out:error=EINTR:when=1
    transfer file-file --seek 0 --truncate -o 1000
    judge "done"
    all_good
}

@test "a full disk found by the reservation: nothing is left, old bytes stay" {
    local code
    need_reservations
    for code in ENOSPC EDQUOT; do
        for old in "" empty old; do
            name="target '$old', fallocate $code"
            inject "fallocate@out:error=$code:when=1"
            transfer file-file -o 1000
            judge failed out "${reason_of[$code]}"
        done
        old=longer
        name="a longer target, emptied and then fallocate $code"
        inject "fallocate@out:error=$code:when=1"
        transfer file-file -o 1000
        judge failed out "${reason_of[$code]}"

        old=old placement=at position=1000
        name="--seek, fallocate $code"
        inject "fallocate@out:error=$code:when=1"
        transfer file-file --seek 1000 -o 1000
        judge failed out "${reason_of[$code]}"
        old='' placement=whole position=0
    done
    all_good
}

@test "space cannot be reserved: that is no failure" {
    local code
    need_reservations
    for code in EOPNOTSUPP ENOSYS EPERM EINVAL EIO ENODEV EFBIG EINTR; do
        name="fallocate $code"
        inject "fallocate@out:error=$code:when=1"
        transfer file-file -o 1000
        judge "done"
        [ $code != EINTR ] || [ "$(grep -c ' fallocate(' log)" -eq 2 ] || problem "not tried again"
    done
    name="fstatfs of the target"
    inject fstatfs@out:error=EIO:when=1
    transfer file-file -o 1000
    judge "done"
    all_good
}

@test "reserved space is given back when the copy fails, by every engine" {
    local engine call
    need_reservations
    for engine in splice:splice@out sendfile:sendfile@out map-write:write@out buffer:write@out; do
        call=${engine#*:}
        engine=${engine%%:*}
        random_file in 9500000
        tail -c +1001 in >expected
        name="$engine"
        inject "$call:error=ENOSPC:when=2"
        transfer file-file --engine="$engine" -o 1000
        judge failed out "${reason_of[ENOSPC]}"
        [ "$(stat -c '%b' out)" -le $((good / 512 + 32)) ] || problem "$(stat -c '%b blocks, %s' out)"
    done
    all_good
}

# The slice from 1000 on, from standard input to out.
from_input() {
    place_old
    prepare_run -o 1000 - out
    arrived=out status=0
    "${run[@]}" <in 2>err || status=$?
}

@test "positions that cannot be had or set" {
    local code
    for code in EIO EINVAL; do
        name="source, lseek $code"
        inject "lseek@in:error=$code:when=1"
        from_input
        judge refused "standard input" "${reason_of[$code]}"

        name="--seek, lseek $code"
        old=longer placement=at position=700
        inject "lseek@out:error=$code:when=1"
        transfer file-file -o 1000 --seek 700
        judge fails out "${reason_of[$code]}"
        old='' placement=whole position=0

        name="--seek in a new target, lseek $code"
        inject "lseek@out:error=$code:when=1"
        transfer file-file -o 1000 --seek 700
        judge fails out "${reason_of[$code]}"

        name="standard input is left, lseek $code"
        inject "lseek@in:error=$code:when=2"
        from_input
        judge wrong-end 1 "standard input" "${reason_of[$code]}"
        cmp expected out || problem "wrong bytes"
    done
    name="a source without positions"
    inject lseek@in:error=ESPIPE:when=1
    from_input
    judge "done"
    all_good
}

@test "what an end is cannot be found out: refused before anything is touched" {
    local code
    for old in "" longer; do
        for code in EIO EACCES ENOMEM; do
            name="target '$old', source fstat $code"
            inject "%fstat@in:error=$code:when=1"
            transfer file-file -o 1000
            judge refused in "${reason_of[$code]}"

            name="target '$old', source fstatfs $code"
            inject "fstatfs@in:error=$code:when=1"
            transfer file-file -o 1000
            judge refused in "${reason_of[$code]}"

            name="target '$old', source fcntl $code"
            inject "fcntl@in:error=$code:when=1"
            from_input
            judge refused "standard input" "${reason_of[$code]}"

            [ -n "$old" ] || continue
            name="target '$old', its fstat $code"
            inject "%fstat@out:error=$code:when=1"
            transfer file-file -o 1000
            judge refused out "${reason_of[$code]}"
        done
    done
    name="the source's size cannot be asked again"
    old=
    inject "%fstat@in:error=EIO:when=2+"
    transfer file-file -o 1000
    judge "done"
    all_good
}

@test "an end cannot be opened" {
    local code
    source_path=$here/in target_path=$here/out
    for old in "" longer; do
        for code in EIO EACCES EMFILE ENFILE ENOMEM ENXIO EROFS ENOSPC; do
            name="target '$old', source openat $code"
            inject "openat@in:error=$code:when=1"
            transfer file-file -o 1000
            judge refused "$source_path" "${reason_of[$code]}"

            name="target '$old', its openat $code"
            inject "openat@out:error=$code:when=1"
            transfer file-file -o 1000
            judge refused "$target_path" "${reason_of[$code]}"
        done
        for call in openat@in openat@out; do
            name="target '$old', $call EINTR"
            inject "$call:error=EINTR:when=1"
            transfer file-file -o 1000
            judge "done"
        done
    done
    for code in EIO EACCES ENOMEM; do
        name="target's stat $code"
        old=
        inject "%fstat@out:error=$code:when=1"
        transfer file-file -o 1000
        judge refused "$target_path" "${reason_of[$code]}"
    done
    all_good
}

@test "no private pipe: another way, or refused if none other may do" {
    local code ends
    for code in EMFILE ENFILE ENOMEM ENOSYS EPERM; do
        for ends in file-file pipe-file; do
            [ $ends = file-file ] || cp in expected
            [ $ends = pipe-file ] || tail -c +1 in >expected
            name="$ends, pipe2 $code"
            inject "pipe2:error=$code:when=1+"
            transfer $ends
            judge "done"
            expect_refused splice "$code"

            name="$ends, splice forced, pipe2 $code"
            transfer $ends --engine=splice
            judge_cannot "$code" splice "*"
        done
    done
    all_good
}

@test "pipes that cannot be grown are used as they are" {
    local code first ends
    cp in expected
    for ends in file-file pipe-file file-pipe pipe-pipe; do
        faults=(-e trace=fcntl)
        transfer $ends
        first=$(grep ' fcntl(' log | grep -n F_SETPIPE_SZ | head -n 1 | cut -d : -f 1)
        for code in EPERM EBUSY ENOMEM EINVAL; do
            name="$ends, fcntl F_SETPIPE_SZ $code"
            inject "fcntl:error=$code:when=$first+"
            transfer $ends
            judge "done"
            expect_none_refused
        done
        [ "$first" -gt 1 ] || continue # there is only the private pipe
        name="$ends, fcntl F_GETPIPE_SZ"
        inject "fcntl:error=EBADF:when=$((first - 1))+"
        transfer $ends
        judge "done"
    done
    all_good
}

# bats test_tags=memory
@test "no memory for the buffer" {
    local at
    faults=(-e trace=mmap)
    transfer file-file -o 1000 --engine=buffer
    at=$(grep ' mmap(' log | grep -n 'mmap(NULL, 7[89][0-9]*, [^,]*, [^,]*MAP_ANONYMOUS' | head -n 1 |
        cut -d : -f 1)
    name="forced"
    # malloc has two more ways to ask.
    inject "mmap:error=ENOMEM:when=$at+" brk:retval=0:when=4+
    transfer file-file -o 1000 --engine=buffer
    judge_cannot ENOMEM buffer '*'

    cp in expected
    name="to deliver what the private pipe held"
    inject splice:error=EINVAL:when=4 "mmap:error=ENOMEM:when=$at+" brk:retval=0:when=4+
    transfer pipe-file
    judge failed '*' "${reason_of[ENOMEM]}"
    all_good
}

@test "what zslice created it removes, and nothing else" {
    name="an empty target that was there stays"
    old=empty
    inject splice@out:error=ENOSPC:when=1
    transfer file-file -o 1000
    judge failed out "${reason_of[ENOSPC]}"

    name="a symbolic link to nothing stays, what it named is removed"
    old=
    ln -s named link
    target_path="link"
    inject splice@named:error=ENOSPC:when=1
    rm -f log
    prepare_run -o 1000 in link
    status=0
    "${run[@]}" 2>err || status=$?
    judge wrong-end 1 link "${reason_of[ENOSPC]}"
    [ -L link ] || problem "the link is gone"
    [ ! -e named ] || problem "the target is still there"
    target_path=out
    all_good
}

@test "the target's name is given to another file meanwhile" {
    random_file other 3000
    cp other aside
    name="renamed over"
    also=(splice:error=ENOSPC:when=2)
    stop_at pipe2 1 file-file -o 1000
    mv aside out
    resume
    judge wrong-end 1 out "${reason_of[ENOSPC]}"
    cmp other out || problem "the other file was touched"

    name="its folder is gone"
    mkdir folder
    target_path=folder/out
    stop_at pipe2 1 file-file -o 1000
    rm -r folder
    resume
    judge failed folder/out "${reason_of[ENOSPC]}"
    all_good
}

@test "a created target that cannot be removed is empty" {
    name="unlink EPERM"
    inject splice:error=ENOSPC:when=2 unlink:error=EPERM:when=1
    transfer file-file -o 1000
    judge wrong-end 1 out "${reason_of[ENOSPC]}"
    [ "$(stat -c %s out)" -eq 0 ] || problem "it has bytes"
    all_good
}

@test "a region of an existing target: what was not written is as it was" {
    local call engine code
    random_file longer 9900000
    old=longer placement=at position=700
    random_file in 9500000
    tail -c +1001 in >expected
    for engine in splice:splice@out sendfile:sendfile@out map-write:write@out buffer:write@out; do
        call=${engine#*:}
        engine=${engine%%:*}
        for code in EIO EINVAL EINTR; do
            for at in 1 2; do
                name="$engine, --seek, $code at $at"
                inject "$call:error=$code:when=$at"
                transfer file-file --engine="$engine" -o 1000 --seek 700
                judge_forced $code "$engine" out no
            done
        done
    done
    all_good
}

@test "a block device as target" {
    local engine call at
    cp longer disk
    truncate -s 12M disk
    attach_loop disk
    random_file in 9500000
    tail -c +1001 in >expected
    for engine in splice:splice sendfile:sendfile map-write:write buffer:write; do
        call=${engine#*:}
        engine=${engine%%:*}
        for at in 1 2; do
            name="$engine at $at"
            inject "$call:error=EIO:when=$at"
            faults+=(-P "$device")
            prepare_run --engine="$engine" -o 1000 in "$device"
            status=0
            "${run[@]}" 2>err || status=$?
            judge wrong-end 1 "$device" "${reason_of[EIO]}"
            claimed_good
            [ "$at" -eq 1 ] || [ "$good" -gt 0 ] || problem "nothing said of what is good"
            cmp -n "$good" expected "$device" || problem "wrong bytes"
        done
    done
    all_good
}
