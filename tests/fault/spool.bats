# Positions from the end of a stream: its end is held in memory, or in a file without a name, and whatever
# happens to that file, the target is right or as it was, and no file is left.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject
load pieces

held_name="the temporary file that holds the end of the stream"

# What is held: little, in memory, or more, in a file. The slice's name, its arguments, its bytes.
kinds=(back-little back-much tail-little tail-much tail-end-little tail-pieces)

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_pieces
    random_file in 2000000
}

set_kind() {
    what=$1
    case $1 in
    back-little) args=(-o 1000 -e -5000) && slice 1000:1995000:: ;;
    back-much) args=(-o 1000 -e -300000) && slice 1000:1700000:: ;;
    back-pieces) args=(--record=4K -r "0B:-300000B:3") && slice 0:1700000:12288:4096 ;;
    tail-little) args=(-o -50000) && slice 1950000:2000000:: ;;
    tail-much) args=(-o -700000) && slice 1300000:2000000:: ;;
    tail-end-little) args=(-o -60000 -e -100) && slice 1940000:1999900:: ;;
    tail-pieces) args=(--record=4K -r "-1200000B::3") && slice 800000:2000000:12288:4096 ;;
    esac
}

# inject_any CALL:WHAT: the fault hits calls on every file, and the log names it.
inject_any() {
    inject "$1"
    faults=(-y "${faults[@]}")
}

# The object that the call that was hit is about; $hit_side is source, spool or target. A copy goes out of its
# first descriptor, and into its second.
find_hit() {
    local line from to
    line=$(grep -a -m1 INJECTED log) || line=
    hit_call=$line
    hit_object='*' hit_side=none
    [[ $line =~ \ (splice|sendfile|read|write|pread64|fallocate|lseek|fstat|newfstatat|ftruncate)\((.*)\)\ +=\  ]] ||
        return 0
    line=${BASH_REMATCH[2]}
    # Whose name is in it: both ends of a private pipe are none of these.
    case $line in
    *"/fifo>"*) hit_side=source hit_object=fifo ;;
    *"zslice>(deleted)"* | *"$spool/"*) hit_side=spool ;;
    *"/out>"*) hit_side=target hit_object=out ;;
    *"/dev/null>"*) hit_side=source hit_object=fifo ;;
    esac
    # Read from the spool, or written to it: both are its faults.
    [ $hit_side != spool ] || hit_object="*temporary file*"
}

# count_of CALL ENDS ARGUMENT...: how many such calls there are on whatever file.
count_of() {
    local call=$1
    shift
    faults=(-y -e "trace=$call")
    injected_calls=()
    transfer "$@"
    calls=$(grep -acE " ${call/\%fstat/(new)?fstat(at)?}\(" log) || true
}

@test "held in memory and in a file: every call that copies fails, wherever it is made" {
    local kind code at engine
    for kind in "${kinds[@]}" back-pieces; do
        set_kind $kind
        old=old
        random_file old 3000
        for call in splice; do
            count_of $call pipe-file "${args[@]}"
            for at in 1 2 3 4 5 6 $((calls - 1)) $calls; do
                for code in EIO ENOSPC EINVAL EAGAIN EINTR 0; do
                    case $code-$at in
                    EINTR-[2-9]* | EAGAIN-[3-9]* | ENOSPC-[3-9]*) continue ;;
                    esac
                    name="$kind, $call $code at $at"
                    inject_any "$call:$(what_of "$code"):when=$at"
                    transfer pipe-file "${args[@]}"
                    # There may be fewer calls than the last time.
                    grep -aq INJECTED log || continue
                    find_hit
                    name+=", $hit_side"
                    fails=never
                    is_hard $code && fails=must
                    # Of several pieces that one step takes, it is met again.
                    [[ $kind != *pieces || $fails = never || $hit_side != spool ]] || fails=may
                    if [ $code = 0 ]; then
                        judge_rule never '*' ""
                    else
                        judge_rule $fails "$hit_object" "${reason_of[$code]}"
                    fi
                    # The target of a tail is not touched before all of the stream is there.
                    if [[ $kind = tail* && $hit_side = source && $status -ne 0 ]]; then
                        cmp -s old out || problem "the target was touched"
                    fi
                done
            done
        done
    done
    all_good
}

@test "held in memory, by buffer" {
    local kind code at call object
    for kind in back-little tail-little tail-end-little; do
        set_kind $kind
        for call in read pread64 write; do
            for at in 1 2 3 5; do
                for code in EIO EINVAL EINTR; do
                    name="$kind, buffer, $call $code at $at"
                    # The paths keep the fault from the loader's reading.
                    faults=(-y -P "$here/fifo" -P "$here/out" -P /memfd:zslice
                        -e "trace=splice,sendfile,$call" -e inject=splice,sendfile:error=EINVAL
                        -e "inject=$call:error=$code:when=$at")
                    injected_calls=(splice)
                    transfer pipe-file "${args[@]}"
                    case $(grep -a INJECTED log | grep -aE " $call\(" | head -n 1) in
                    *"/fifo>"*) object=fifo ;;
                    *"(deleted)"*) object="*temporary file*" ;;
                    *"/out>"*) object=out ;;
                    *) continue ;;
                    esac
                    fails=must
                    [ $code != EINTR ] || fails=never
                    # Looking at what the descriptor is may go on without, and so may mapping and writing.
                    [[ $call != pread64 && $call-$code != write-EINVAL ]] || [ $fails = never ] || fails=may
                    judge_rule $fails "$object" "${reason_of[$code]-}"
                done
            done
        done
    done
    all_good
}

@test "reading what is held fails: it is the temporary file's fault, not the stream's" {
    set_kind tail-little
    local at
    name="in memory, splice"
    set_kind back-little
    count_of splice pipe-file "${args[@]}"
    at=$(grep -a ' splice(' log | grep -anE ' splice\([0-9]+</memfd' | head -n 1 | cut -d : -f 1)
    inject_any "splice:error=EIO:when=$at"
    transfer pipe-file "${args[@]}"
    grep -a INJECTED log | grep -qaE ' splice\([0-9]+</memfd' || problem "another call was hit"
    judge_rule must "*temporary file*" "${reason_of[EIO]}"
    all_good
}

@test "no memory to hold it in: a file is taken" {
    local kind code
    for kind in back-little tail-little tail-end-little; do
        set_kind $kind
        for code in EPERM ENOSYS ENOMEM EMFILE EINVAL; do
            name="$kind, memfd_create $code"
            inject memfd_create:error=$code
            faults+=(-e "trace=memfd_create,openat")
            transfer pipe-file "${args[@]}"
            judge_rule never '*' ""
            grep -q "\"$spool\", .*O_TMPFILE" log || problem "no file was taken"
        done
    done
    all_good
}

# temporary_at: $at, which of all calls of openat is the one for the temporary file.
temporary_at() {
    count_of openat pipe-file "${args[@]}"
    at=$(grep -a ' openat(' log | grep -an O_TMPFILE | head -n 1 | cut -d : -f 1)
    [ -n "$at" ] || problem "no temporary file"
}

@test "no files without names: one that is unlinked at once" {
    local kind code before
    for kind in back-much tail-much; do
        set_kind $kind
        temporary_at
        for code in EOPNOTSUPP EISDIR EINVAL; do
            name="$kind, $code"
            inject openat:error=$code:when="$at"
            faults+=(-e "trace=openat,unlink,unlinkat,splice,read")
            transfer pipe-file "${args[@]}"
            judge_rule never '*' ""
            grep -aA 2 INJECTED log >after
            grep -q 'openat(.*"'"$spool"'/zslice\.[^"]*", .*O_CREAT|O_EXCL.*0600' after ||
                problem "no file with a name and a mode of 0600"
            tail -n 1 after | grep -q "unlink.*\"$spool/zslice" || problem "it is not unlinked at once"
        done
    done
    all_good
}

@test "no place for a temporary file: its folder is named, and the target is as it was" {
    local kind code
    for kind in back-much tail-much; do
        set_kind $kind
        for old in "" old; do
            [ -z "$old" ] || random_file old 5000
            temporary_at
            for code in EACCES ENOSPC EROFS EMFILE ENOENT EIO; do
                name="$kind over ${old:-nothing}, openat $code"
                inject openat:error=$code:when="$at"
                transfer pipe-file "${args[@]}"
                judge_rule must "$spool" "${reason_of[$code]}"
                [[ $status -eq 1 && $good -eq 0 ]] || problem "exit status $status, $good bytes"
                [ -n "$old" ] || [ ! -e out ] || problem "the target is there"
            done
            # Neither without a name nor with one.
            for code in EOPNOTSUPP EINVAL; do
                name="$kind over ${old:-nothing}, openat $code twice"
                inject openat:error=$code:when="$at+"
                transfer pipe-file "${args[@]}"
                judge_rule must "$spool" "${reason_of[$code]}"
            done
        done
    done
    old=
    name="a folder that does not exist"
    without_faults env TMPDIR=/nowhere/at/all
    transfer pipe-file "${args[@]}"
    judge_rule must /nowhere/at/all "${reason_of[ENOENT]}"
    all_good
}

@test "what is no longer needed cannot be given back: it stays until the end" {
    local kind code
    for kind in back-little back-much tail-little tail-much; do
        set_kind $kind
        for code in EOPNOTSUPP EIO ENOSPC EPERM EINTR; do
            for at in 1 2+; do
                # The target's is repeated when it is interrupted.
                [ $code-$at != EINTR-2+ ] || continue
                name="$kind, fallocate $code at $at"
                inject_any "fallocate:error=$code:when=$at"
                transfer pipe-file "${args[@]}"
                grep -aq INJECTED log || continue
                grep -a INJECTED log | grep -qa PUNCH_HOLE || continue
                # That of the target, which is of known size then, may be hit, too.
                if grep -a INJECTED log | grep -qa '/out>'; then
                    judge_rule may out ""
                else
                    judge_rule never '*' ""
                fi
            done
        done
    done
    all_good
}

@test "the temporary file cannot be examined or moved in" {
    local kind code at
    for kind in back-little back-much tail-little tail-much; do
        set_kind $kind
        random_file old 5000
        old=old
        for call in lseek %fstat fcntl fstatfs; do
            count_of "$call" pipe-file "${args[@]}"
            for at in $(grep -anE '^[0-9]+ +[a-z0-9]+\([0-9]+<[^>]*>\(deleted\)' log | cut -d : -f 1 | head -n 3); do
                for code in EIO EINVAL; do
                    name="$kind, $call $code at $at"
                    inject_any "$call:error=$code:when=$at"
                    transfer pipe-file "${args[@]}"
                    grep -a INJECTED log | grep -qa '(deleted)' || continue
                    judge_rule may "@(memory|$spool|*temporary file*)" "${reason_of[$code]}"
                    if [ "$status" -ne 0 ]; then
                        [ "$good" -gt 0 ] || cmp -s old out || problem "the target was touched"
                    fi
                done
            done
        done
    done
    all_good
}

@test "the stream cannot be read any more: a tail leaves the target, what was held back counts" {
    local kind code at
    for kind in "${kinds[@]}"; do
        set_kind $kind
        random_file old 5000
        for old in "" old; do
            for at in 1 2 4; do
                name="$kind over ${old:-nothing}, at $at"
                inject splice@fifo:error=EIO:when=$at
                transfer pipe-file "${args[@]}"
                grep -q INJECTED log || continue
                judge_rule must fifo "${reason_of[EIO]}"
                [[ $kind = back* || $good -eq 0 ]] || problem "$good bytes were written"
                [[ $kind = back* || -z $old ]] || cmp -s old out || problem "the target was touched"
            done
        done
    done
    all_good
}

@test "the target fails under a stream that is held" {
    local kind code at
    for kind in "${kinds[@]}"; do
        set_kind $kind
        for call in splice@out sendfile@out; do
            calls_of $call pipe-file "${args[@]}" || continue
            for at in $(printf '%s\n' 1 2 "$calls" | sort -nu); do
                [ "$at" -le "$calls" ] || continue
                for code in EIO ENOSPC EINVAL 0; do
                    name="$kind, $call $code at $at of $calls"
                    inject "$call:$(what_of $code):when=$at"
                    transfer pipe-file "${args[@]}"
                    grep -q INJECTED log || continue
                    fails=never
                    ! is_hard $code || fails=must
                    judge_rule $fails out "${reason_of[$code]-}"
                done
            done
        done
    done
    all_good
}

@test "the folder for temporary files is full: the temporary file is named" {
    local kind type
    for type in tmpfs ext4; do
        mount_file_system $type 16
        cat /dev/zero >mnt.$type/filler 2>/dev/null || true
        sync -f mnt.$type
        truncate -s -200000 mnt.$type/filler
        sync -f mnt.$type
        random_file old 5000
        for kind in back-much back-pieces tail-much tail-pieces; do
            set_kind $kind
            for old in "" old; do
                for engine in auto splice buffer; do
                    name="$type, $kind over ${old:-nothing}, $engine"
                    without_faults env TMPDIR="$here/mnt.$type"
                    transfer pipe-file --engine=$engine "${args[@]}"
                    judge_rule must "$held_name" "${reason_of[ENOSPC]}"
                    [ "$status" -eq 1 ] || problem "exit status $status"
                    [[ $kind = back* || $good -eq 0 ]] || problem "$good bytes were written"
                    [[ $kind = back* || -z $old ]] || cmp -s old out || problem "the target was touched"
                    [ "$(ls mnt.$type | grep -v lost+found)" = filler ] || problem "a temporary file is left"
                done
            done
        done
        umount mnt.$type
    done
    all_good
}

@test "a limit on the size of files: that of the temporary file is named" {
    local kind
    random_file old 5000
    for kind in back-little back-much tail-little tail-much; do
        set_kind $kind
        for old in "" old; do
            name="$kind over ${old:-nothing}"
            without_faults bash -c 'ulimit -f 100 && exec "$@"' -
            transfer pipe-file "${args[@]}"
            judge_rule must '@(out|'"$held_name"')' "${reason_of[EFBIG]}"
            [[ $kind = back* || $good -eq 0 ]] || problem "$good bytes were written"
            [[ $kind = back* || -z $old ]] || cmp -s old out || problem "the target was touched"
        done
    done
    all_good
}

@test "the target is full, what is held is not" {
    local kind engine
    for type in tmpfs ext4; do
        mount_file_system $type 16
        cat /dev/zero >mnt.$type/filler 2>/dev/null || true
        rm -f mnt.$type/out
        sync -f mnt.$type
        truncate -s -150000 mnt.$type/filler
        sync -f mnt.$type
        target_path=mnt.$type/out
        for kind in back-little back-much tail-much tail-pieces; do
            set_kind $kind
            for engine in auto splice buffer; do
                name="$type, $kind, $engine"
                without_faults
                transfer pipe-file --engine=$engine "${args[@]}"
                judge_rule must "$target_path" "${reason_of[ENOSPC]}"
                rm -f "$target_path"
                sync -f mnt.$type
            done
        done
        umount mnt.$type
    done
    all_good
}

@test "nobody reads what comes out of a stream that is held: death by SIGPIPE, and no file is left" {
    local kind engine
    random_file in 9000000
    for args in "-o 1000 -e -5000" "-e -300000" "-o -4000000"; do
        # Not splice: it would let the pipe refer to bytes that are given back.
        for engine in auto buffer; do
            name="$args, $engine"
            cases=$((cases + 1))
            rm -f status err
            {
                status=0
                # shellcheck disable=SC2086,SC2002 # several words; a pipe is wanted
                cat in | timeout 60 "$ZSLICE" --engine=$engine $args 2>err || status=$?
                echo $status >status
            } | head -c 100 >got
            case $(<status) in
            141) [ ! -s err ] || problem "a message: $(<err)" ;;
            *) problem "exit status $(<status): $(<err)" ;;
            esac
            check_no_temporary
        done
    done
    all_good
}

@test "an interrupted copy leaves no temporary file" {
    local kind at
    for kind in back-much tail-much; do
        set_kind $kind
        temporary_at
        name="$kind, a file with a name"
        for signal in TERM INT KILL; do
            cases=$((cases + 1))
            inject openat:error=EOPNOTSUPP:when="$at"
            faults=(-e trace=openat,splice -e "inject=openat:error=EOPNOTSUPP:when=$at"
                -e "inject=splice:signal=$signal:when=3")
            transfer pipe-file "${args[@]}"
            check_fired
            [ "$status" -gt 128 ] || problem "exit status $status"
            check_no_temporary
        done
    done
    all_good
}
