# Sharing blocks, on XFS and btrfs: FICLONERANGE fails in each way, where it is tried and where it is meant.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup_file() {
    local name
    export MOUNTED=''
    mount_for_file xfs xfs 300
    mount_for_file btrfs btrfs 300
    for name in $MOUNTED; do
        random_file "$BATS_FILE_TMPDIR/$name/whole" 3502080
        sync "$BATS_FILE_TMPDIR/$name/whole"
    done
}

teardown_file() {
    unmount_for_file
}

# work_on NAME: in a folder there, with a source in of which all but the first block is asked for.
work_on() {
    enter "$1"
    setup_fault
    restore
    tail -c +4097 in >expected
    old='' placement=whole position=0
}

# find_clones ARGUMENT...: clones are the numbers of the FICLONERANGE among all ioctl of the target; the
# first one only tries.
find_clones() {
    faults=(-P "$here/out" -e trace=ioctl)
    injected_calls=()
    transfer file-file "$@"
    mapfile -t clones < <(grep ' ioctl(' log | grep -n FICLONERANGE | cut -d : -f 1)
    [ ${#clones[@]} -ge 2 ] || problem "nothing is shared"
}

restore() {
    rm -f in
    cp --reflink=always ../whole in
}

codes=("${hard[@]}" "${soft[@]}" EINTR EXDEV ENOTTY EBADF EAGAIN ETXTBSY)
reason_of[EXDEV]="Invalid cross-device link"
reason_of[ENOTTY]="Inappropriate ioctl for device"
reason_of[ETXTBSY]="Text file busy"

is_hard() {
    [[ " ${hard[*]} ETXTBSY " = *" $1 "* ]]
}

@test "tried in vain: a copy, and --reflink=always is refused" {
    local type code
    for type in xfs btrfs; do
        work_on $type
        for code in "${codes[@]}"; do
            [ "$code" != EINVAL ] || continue # which says that it can
            name="$type, auto, $code"
            inject "ioctl@out:error=$code:when=1"
            old=
            transfer file-file -o 4096
            judge "done"
            if [ "$code" = EINTR ]; then
                expect_none_refused
                continue
            fi
            expect_refused reflink "$code"
            [[ $json = *'"shared_bytes":0,'* ]] || problem "shared: $json"
            for option in --reflink=always --engine=reflink; do
                for old in "" ../whole; do
                    [[ $option = --reflink=always || $code-$old = E[IXO]*-?* ]] || continue
                    name="$type, $option, $code, target '$old'"
                    inject "ioctl@out:error=$code:when=1"
                    transfer file-file $option -o 4096
                    judge refused out "${reason_of[$code]}"
                    expect_refused reflink "$code"
                done
            done
        done
    done
    all_good
}

@test "sharing fails: a copy in its place, or the reason" {
    local type code
    for type in xfs btrfs; do
        work_on $type
        find_clones -o 4096
        for code in "${codes[@]}"; do
            name="$type, auto, $code"
            inject "ioctl@out:error=$code:when=${clones[1]}"
            transfer file-file -o 4096
            if is_hard "$code"; then
                judge failed out "${reason_of[$code]}"
                continue
            fi
            judge "done"
            if [ "$code" = EINTR ]; then
                expect_none_refused
            else
                expect_refused reflink "$code"
                name="$type, always, $code"
                transfer file-file --reflink=always -o 4096
                judge fails out "${reason_of[$code]}"
            fi
        done
    done
    all_good
}

# What was tried before was true of the file systems, and not of these blocks.
@test "sharing fails over an old target, after it was tried: emptied or in its middle" {
    local type code option
    for type in xfs btrfs; do
        work_on $type
        cat ../whole in >older
        old=older
        find_clones -o 4096
        for code in EIO ENOSPC EINVAL; do
            for option in auto always; do
                name="$type, emptied, $option, $code"
                placement=whole position=0
                inject "ioctl@out:error=$code:when=${clones[1]}"
                transfer file-file --reflink=$option -o 4096
                if is_hard "$code" || [ $option = always ]; then
                    judge failed out "${reason_of[$code]}; the target is empty now"
                else
                    judge "done"
                    expect_refused reflink "$code"
                fi
                [ "$(grep -c FICLONERANGE log)" -eq 2 ] || problem "not at its second use"

                name="$type, in its middle, $option, $code"
                placement=at position=8192
                transfer file-file --reflink=$option -o 4096 --seek 8192
                if is_hard "$code" || [ $option = always ]; then
                    judge fails out "${reason_of[$code]}"
                    [ "$good" -eq 0 ] || problem "$good bytes are good"
                else
                    judge "done"
                    expect_refused reflink "$code"
                fi
            done
            name="$type, --engine=reflink, $code"
            placement=at position=8192
            transfer file-file --engine=reflink -o 4096 -l 2M --seek 8192
            judge fails out "${reason_of[$code]}"
            cmp -s out older || problem "the target was touched"
        done
        name="$type, the source is to blame" # of which an ioctl counts here, too
        placement=whole position=0
        inject "ioctl@out:error=EIO:when=$((clones[1] + 1))" pread64@in:error=EIO:when=1+
        transfer file-file -o 4096
        judge failed in "${reason_of[EIO]}"
        name="$type, and the copy in its place fails, too"
        inject "ioctl@out:error=EINVAL:when=${clones[1]}" splice@out:error=ENOSPC:when=2 write@out:error=ENOSPC:when=2
        injected_calls=(ioctl)
        transfer file-file -o 4096
        judge failed out "${reason_of[ENOSPC]}"
        [ "$good" -eq 524288 ] || problem "$good bytes are good"
    done
    all_good
}

# Of the file's flags, which tell whether btrfs has checksums.
@test "the flags of the files cannot be read: sharing is tried" {
    local type code file
    for type in xfs btrfs; do
        work_on $type
        for code in ENOTTY EOPNOTSUPP EIO; do
            for file in in out; do
                name="$type, FS_IOC_GETFLAGS $code of $file"
                faults=(-P "$here/$file" -e trace=ioctl)
                transfer file-file -o 4096
                at=$(grep ' ioctl(' log | grep -n GETFLAGS | head -n 1 | cut -d : -f 1)
                [ -n "$at" ] || continue
                inject "ioctl@$file:error=$code:when=$at"
                transfer file-file -o 4096
                judge "done"
                expect_none_refused
                [[ $json = *'"shared_bytes":3497984,'* ]] || problem "not shared: $json"
            done
        done
    done
    all_good
}

@test "one of three ranges cannot be shared: it is copied, the others are not" {
    local type code at
    for type in xfs btrfs; do
        work_on $type
        cp in expected
        find_clones -r 0:1100K -r 1100K:2200K -r 2200K:
        for code in EINVAL EXDEV EOPNOTSUPP; do
            for at in "${clones[@]:1}"; do
                name="$type, $code at $at"
                inject "ioctl@out:error=$code:when=$at"
                transfer file-file -r 0:1100K -r 1100K:2200K -r 2200K:
                judge "done"
                expect_refused reflink "$code"
                [[ $json = *'"shared_bytes":'[12][0-9]* ]] || problem "shared: $json"
                name="$type, $code from $at on"
                inject "ioctl@out:error=$code:when=$at+"
                transfer file-file -r 0:1100K -r 1100K:2200K -r 2200K:
                judge "done"
            done
        done
    done
    all_good
}

@test "an edge cannot be copied: what was shared counts" {
    local type
    for type in xfs btrfs; do
        work_on $type
        tail -c +4097 in | head -c 2097157 >expected
        name="$type, the last edge"
        inject sendfile@out:error=ENOSPC:when=1
        transfer file-file -o 4096 -l 2097157
        judge failed out "${reason_of[ENOSPC]}"
        [ "$good" -eq 2097152 ] || problem "$good bytes are good"

        name="$type, sharing, behind the first edge"
        tail -c +1001 in >expected
        old=../whole placement=at position=5096
        find_clones -o 1000 --seek 5096
        inject "ioctl@out:error=ENOSPC:when=${clones[1]}"
        transfer file-file -o 1000 --seek 5096
        judge failed out "${reason_of[ENOSPC]}"
        [ "$good" -eq 3096 ] || problem "$good bytes are good"

        name="$type, an edge by the last way there is"
        tail -c +1001 in >expected
        inject sendfile@out:error=EINVAL:when=1+ splice@out:error=EINVAL:when=1+
        transfer file-file -o 1000 --seek 5096
        judge "done"
    done
    all_good
}

@test "the target cannot be moved on behind what was shared" {
    local type
    for type in xfs btrfs; do
        work_on $type
        name="$type, lseek EINVAL"
        inject lseek@out:error=EINVAL:when=1
        transfer file-file -o 4096
        judge "done"
    done
    all_good
}

@test "the source shrinks before it is shared" {
    local type size
    for type in xfs btrfs; do
        work_on $type
        for size in 0 1000 8192 2000000; do
            name="$type, to $size"
            restore
            stop_at ioctl@out 1 file-file -o 4096
            truncate -s $size in
            resume
            judge failed in shr
        done
        name="$type, behind the slice"
        restore
        tail -c +4097 in | head -c 2M >expected
        stop_at ioctl@out 1 file-file -o 4096 -l 2M
        truncate -s 2101248 in
        resume
        judge "done"
        expect_none_refused
        name="$type, it grows: its last block is full now, and not all of it is the slice's"
        restore
        tail -c +4097 in >expected
        stop_at ioctl@out 1 file-file -o 4096
        cat ../whole >>in
        resume
        judge "done"
    done
    all_good
}

@test "the target grows before its end is shared: what others added stays" {
    local type
    for type in xfs btrfs; do
        work_on $type
        head -c 1M in >short
        old=short placement=at position=0
        name="$type"
        stop_at ioctl@out 1 file-file -o 4096 --seek 0
        cp ../whole more
        cat more more >expected.out
        cat more more | dd of=out conv=notrunc status=none bs=1M
        resume
        cases=$((cases + 1))
        [ "$status" -eq 0 ] || problem "exit status $status"
        { cat expected; tail -c "+$(($(stat -c %s expected) + 1))" expected.out; } | cmp - out || problem "wrong bytes"
    done
    all_good
}
