# What the device says late: fdatasync, fsync of a folder, sync_file_range; and advice that is not taken.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file in 3500000
    tail -c +1001 in >expected
    random_file old 5000
}

# expect_failed_late REASON: every byte is in the target, and it is a failure all the same.
expect_failed_late() {
    judge wrong-end 1 out "$1"
    cmp expected "$arrived" || problem "wrong bytes"
    [[ $json = *'"complete":false,"exit_status":1}' ]] || problem "statistics: $json"
}

@test "--sync: fdatasync fails" {
    local code
    for code in "${hard[@]}" EROFS ESTALE; do
        [ -n "${reason_of[$code]-}" ] || continue
        for old in "" old; do
            name="fdatasync $code, target '$old'"
            inject "fdatasync@out:error=$code:when=1"
            transfer file-file -o 1000 --sync
            expect_failed_late "syncing: ${reason_of[$code]}"
        done
    done
    old=
    for code in EINVAL ENOSYS; do
        name="fdatasync $code: fsync takes its place"
        inject "fdatasync@out:error=$code:when=1"
        transfer file-file -o 1000 --sync
        judge "done"
        name="fdatasync $code, and no fsync either"
        inject "fdatasync@out:error=$code:when=1" "fsync@out:error=EIO:when=1"
        transfer file-file -o 1000 --sync
        expect_failed_late "syncing: ${reason_of[EIO]}"
    done
    cp in expected
    name="fdatasync EIO, a stream"
    inject fdatasync@out:error=EIO:when=1
    transfer pipe-file --sync
    expect_failed_late "syncing: ${reason_of[EIO]}"
    tail -c +1001 in >expected
    name="fdatasync EINTR"
    inject fdatasync@out:error=EINTR:when=1
    transfer file-file -o 1000 --sync
    judge "done"
    [ "$(grep -c ' fdatasync(' log)" -eq 2 ] || problem "not tried again"
    name="standard output"
    inject fdatasync@out:error=EIO:when=1
    prepare_run -o 1000 --sync in
    place_old
    status=0 arrived=out
    "${run[@]}" >out 2>err || status=$?
    judge wrong-end 1 "standard output" "syncing: ${reason_of[EIO]}"
    all_good
}

# The folder's own path, and not those in it.
inject_folder() {
    faults=(-P "$here" -e "trace=$1" -e "inject=$1:$2")
    injected_calls=("$1")
}

@test "--sync: the folder of a new file cannot be synced" {
    local code
    for code in "${hard[@]}"; do
        name="fsync $code"
        inject_folder fsync "error=$code:when=1"
        transfer file-file -o 1000 --sync
        expect_failed_late "folder: ${reason_of[$code]}"
    done
    name="fsync EINVAL: folders of this file system cannot be synced"
    inject_folder fsync error=EINVAL:when=1
    transfer file-file -o 1000 --sync
    judge "done"
    name="fsync EINTR"
    inject_folder fsync error=EINTR:when=1
    transfer file-file -o 1000 --sync
    judge "done"
    target_path=$here/out
    name="the folder, openat EMFILE"
    inject_folder openat error=EMFILE:when=1
    transfer file-file -o 1000 --sync
    judge wrong-end 1 "$here/out" "folder: ${reason_of[EMFILE]}"
    name="the folder cannot be read, openat EACCES: all of the file system is synced"
    inject_folder openat error=EACCES:when=1
    transfer file-file -o 1000 --sync
    judge "done"
    all_good
}

# sweep_write_back ENDS "ARGUMENTS": at its first call, one in the middle, and (about) the last: what the
# device says is a failure, what the file system says of the call is not.
the_device=("${hard[@]}")
not_the_device=(EINVAL ENOSYS EOPNOTSUPP ESPIPE EINTR)
sweep_write_back() {
    local ends=$1 arguments=$2 code at last
    # shellcheck disable=SC2086 # several words
    calls_of sync_file_range@out "$ends" $arguments
    [ "$calls" -gt 0 ] || problem "$ends $arguments: there is no such call"
    last=$calls
    # How many a long stream needs depends on how its bytes come.
    [[ $ends != pipe-* || $calls -le 3 ]] || last=$((calls * 3 / 4))
    for at in $(printf "%s\n" 1 $(((calls + 1) / 2)) $last | sort -nu); do
        for code in "${the_device[@]}"; do
            name="$ends $arguments, sync_file_range $code at $at"
            inject "sync_file_range@out:error=$code:when=$at"
            # shellcheck disable=SC2086 # several words
            transfer "$ends" $arguments
            judge device out "writing to the device: ${reason_of[$code]}"
        done
        for code in "${not_the_device[@]}"; do
            name="$ends $arguments, sync_file_range $code at $at"
            inject "sync_file_range@out:error=$code:when=$at+"
            [ "$code" != EINTR ] || inject "sync_file_range@out:error=$code:when=$at"
            # shellcheck disable=SC2086
            transfer "$ends" $arguments
            judge "done"
            expect_none_refused
        done
    done
}

@test "--sync, --no-cache: write-back fails as the copy goes" {
    not_the_device=(EINVAL EINTR)
    truncate -s 30000000 in # three times, however little comes at once
    tail -c +1001 in >expected
    sweep_write_back file-file "--sync --sparse=never -o 1000"
    the_device=(EIO)
    sweep_write_back file-file "--sync --sparse=never -j 2 -o 1000"
    sweep_write_back file-file "--no-cache --sparse=never --engine=splice -o 1000"
    cp in expected
    sweep_write_back pipe-file "--sync"
    all_good
}

@test "--no-cache: the last that is written back fails" {
    sweep_write_back file-file "--no-cache -o 1000"
    cp in expected
    sweep_write_back pipe-file "--no-cache"
    all_good
}

@test "--no-cache, into a region: what was written is told" {
    random_file old 3900000
    old=old placement=at position=700
    sweep_write_back file-file "--no-cache -o 1000 --seek 700"
    all_good
}

@test "--no-cache: writing past the page cache fails, or cannot be had" {
    local code at engine
    for engine in map-write buffer; do
        calls_of pwritev2@out file-file --no-cache --engine=$engine -o 1000
        [ "$calls" -gt 0 ] || skip "no engine writes past the page cache"
        for at in 1 2 "$calls"; do
            for code in "${hard[@]}"; do
                name="$engine, pwritev2 $code at $at"
                inject "pwritev2@out:error=$code:when=$at"
                transfer file-file --no-cache --engine=$engine -o 1000
                judge failed out "${reason_of[$code]}"
            done
            for code in EOPNOTSUPP ENOSYS EINVAL EINTR; do
                name="$engine, pwritev2 $code at $at"
                inject "pwritev2@out:error=$code:when=$at"
                transfer file-file --no-cache --engine=$engine -o 1000
                judge "done"
                expect_none_refused
            done
        done
    done
    all_good
}

# What it could not have once it does not ask for again.
@test "--no-cache, by itself: past the page cache into a new, an old and the middle of a target" {
    local code at target
    for target in new old middle; do
        case $target in
        new) old='' placement=whole position=0 ;;
        old) old=old placement=whole position=0 ;;
        middle) random_file old 3900000 && old=old placement=at position=700 ;;
        esac
        args=(--no-cache -o 1000)
        [ $target != middle ] || args+=(--seek 700)
        for at in 1 3; do
            for code in EIO ENOSPC; do
                name="$target, pwritev2 $code at $at"
                inject "pwritev2@out:error=$code:when=$at"
                transfer file-file "${args[@]}"
                judge failed out "${reason_of[$code]}"
                [ "$good" -eq $(((at - 1) * 524288)) ] || problem "$good bytes are good"
            done
            for code in EOPNOTSUPP EINVAL; do
                name="$target, pwritev2 $code at $at"
                inject "pwritev2@out:error=$code:when=$at"
                transfer file-file "${args[@]}"
                judge "done"
                expect_none_refused
                [ "$(grep -c ' pwritev2(' log)" -eq "$at" ] || problem "asked for again"
            done
            name="$target, pwritev2 EOPNOTSUPP at $at, then write ENOSPC"
            inject "pwritev2@out:error=EOPNOTSUPP:when=$at" write@out:error=ENOSPC:when=1
            transfer file-file "${args[@]}"
            judge failed out "${reason_of[ENOSPC]}"
            name="$target, pwritev2 moves nothing at $at"
            inject "pwritev2@out:retval=0:when=$at"
            transfer file-file "${args[@]}"
            judge "done"
            expect_refused map-write null
        done
    done
    all_good
}

@test "--no-cache: a file system that cannot write past the page cache" {
    mount_file_system tmpfs 16
    target_path=mnt.tmpfs/out
    name="tmpfs"
    faults=(-e trace=pwritev2)
    injected_calls=()
    transfer file-file --no-cache -o 1000
    judge "done"
    expect_none_refused
    [ "$(grep -c ' pwritev2(' log)" -eq 1 ] || problem "$(grep -c ' pwritev2(' log) calls"
    grep -q EOPNOTSUPP log || skip "tmpfs can"
    all_good
}

@test "--no-cache: the page cache is not given back: that is no failure" {
    local code file
    for file in in out; do
        for code in EINVAL EBADF ENOSYS ESPIPE EIO; do
            name="fadvise64 $code of $file"
            inject "fadvise64@$file:error=$code:when=1+"
            transfer file-file --no-cache -o 1000
            judge "done"
        done
    done
    all_good
}
