# Real faults: full file systems, limits on file sizes, memory and descriptors.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup() {
    setup_real
}

# fill TYPE ROOM: a file system of that type on ./mnt.TYPE, target_path in it, with about ROOM bytes
# free, and as many inodes as anyone may want.
fill() {
    local folder=mnt.$1 room=$2 megabytes=16
    [ "$1" != xfs ] || megabytes=300
    mount_file_system "$1" $megabytes
    target_path=$folder/out
    # One of many, so that XFS keeps room for it.
    touch "$folder"/inode.{1..70}
    cp old "$folder/old"
    # The bulk without writing it, the rest by writing until it is full.
    fallocate -l $((($(stat -f -c '%f * %S' "$folder")) - 8000000)) "$folder/bulk"
    cat /dev/zero >"$folder/filler" 2>/dev/null || true
    rm "$folder/inode.7"
    sync -f "$folder"
    truncate -s "-$room" "$folder/filler"
    sync -f "$folder"
}

# XFS frees the blocks of a removed file some time later.
settle() {
    rm -f "$target_path"
    sync -f "${target_path%/*}"
    stat -f "${target_path%/*}" >/dev/null
}

# Blocks behind the end of what is there were given back.
check_blocks() {
    local blocks
    [ -e "$target_path" ] || return 0
    blocks=$(stat -c %b "$target_path")
    [ $((blocks * 512)) -le $((good + 32768)) ] || problem "$blocks blocks for $good good bytes"
}

@test "a full file system, a file of known size: found before a byte is written" {
    local type engine
    for type in tmpfs ext4 xfs; do
        fill $type 0
        for engine in auto splice sendfile map-write buffer; do
            name="$type, $engine, a new target"
            transfer file-file --engine=$engine -o 1000
            judge fails "$target_path" "${reason_of[ENOSPC]}"
        done
        # Hard links: a copy would need room.
        for engine in auto splice sendfile map-write buffer; do
            name="$type, $engine, a target with old bytes"
            rm -f "$target_path" err
            ln mnt.$type/old "$target_path"
            prepare_run --engine=$engine -o 1000 in "$target_path"
            arrived=$target_path status=0
            "${run[@]}" 2>err || status=$?
            judge wrong-end 1 "$target_path" "${reason_of[ENOSPC]}"
            cmp old "$target_path" || problem "the old bytes are not there"
            good=600000
            check_blocks
        done
        umount mnt.$type
    done
    all_good
}

@test "a full file system, a stream: nothing is left" {
    local type engine
    cp in expected
    for type in tmpfs ext4 xfs; do
        fill $type 0
        for engine in auto splice buffer; do
            name="$type, $engine"
            transfer pipe-file --engine=$engine
            judge fails "$target_path" "${reason_of[ENOSPC]}"
        done
        umount mnt.$type
    done
    all_good
}

@test "a file system that fills up: what is there is good, and the message counts it" {
    local type engine
    for type in tmpfs ext4 xfs; do
        fill $type 1200000
        cp in expected
        for engine in auto splice buffer; do
            name="$type, stream, $engine"
            settle
            transfer pipe-file --engine=$engine
            judge failed "$target_path" "${reason_of[ENOSPC]}"
            [ "$good" -ge 200000 ] || problem "only $good bytes"
            check_blocks
        done
        umount mnt.$type
    done
    all_good
}

@test "a file system that fills up under a slice too small for a reservation" {
    local type engine
    random_file in 250000
    # XFS would not create a file with so little left.
    for type in tmpfs ext4; do
        fill $type 100000
        tail -c +1001 in >expected
        for engine in auto splice sendfile map-write buffer; do
            name="$type, file, $engine"
            settle
            transfer file-file --engine=$engine -o 1000
            judge failed "$target_path" "${reason_of[ENOSPC]}"
            check_blocks
        done
        umount mnt.$type
    done
    all_good
}

@test "btrfs, where nothing is reserved, fills up" {
    local engine
    mount_file_system btrfs 128
    target_path=mnt.btrfs/out
    # Random bytes: zeros might be compressed.
    head -c 200M /dev/urandom >mnt.btrfs/filler 2>/dev/null || true
    sync -f mnt.btrfs
    truncate -s -1500000 mnt.btrfs/filler
    sync -f mnt.btrfs
    random_file in 112000000
    cp in expected
    for engine in auto splice sendfile map-write buffer; do
        name="btrfs, $engine"
        settle
        transfer file-file --engine=$engine
        judge failed "$target_path" "${reason_of[ENOSPC]}"
    done
    all_good
}

@test "/dev/full" {
    local engine
    random_file in 3500000
    for engine in auto buffer; do
        for source in in -; do
            name="/dev/full, $engine, from $source"
            status=0
            prepare_run --engine=$engine "$source" /dev/full
            # shellcheck disable=SC2002 # a pipe is wanted
            cat in | "${run[@]}" 2>err || status=$?
            judge wrong-end 1 /dev/full "${reason_of[ENOSPC]}"
        done
    done
    for engine in splice sendfile map-write; do
        name="/dev/full, $engine"
        status=0
        prepare_run --engine=$engine in /dev/full
        "${run[@]}" 2>err || status=$?
        cases=$((cases + 1))
        read_report || continue
        [[ $status = [12] && $message = "zslice: /dev/full: writing: "* ]] || problem "status $status"
    done
    all_good
}

@test "a limit on the size of files: File too large, exactly up to it, and no signal" {
    local engine ends
    for ends in file-file pipe-file; do
        for engine in auto splice sendfile map-write buffer; do
            case $ends-$engine in
            pipe-file-sendfile | pipe-file-map-write) continue ;;
            esac
            for limit in 4 1000 1025; do
                name="$ends, $engine, $limit KiB"
                without_faults bash -c "ulimit -f $limit"' && exec "$@"' -
                transfer $ends --engine=$engine -o 1000
                judge failed out "${reason_of[EFBIG]}"
                [ "$good" -eq $((limit * 1024)) ] || problem "$good bytes, not the $limit KiB"
            done
        done
    done
    without_faults bash -c 'ulimit -f 1000 && exec "$@"' -
    old=old placement=at position=600000
    for engine in auto map-write buffer; do
        name="append, $engine"
        transfer file-file --engine=$engine -o 1000 --append
        judge failed out "${reason_of[EFBIG]}"
        [ "$good" -eq 424000 ] || problem "$good bytes, not 424000"
    done
    position=500000
    for engine in auto splice sendfile map-write buffer; do
        name="seek, $engine"
        transfer file-file --engine=$engine -o 1000 --seek 500000
        judge failed out "${reason_of[EFBIG]}"
        [ "$good" -eq 524000 ] || problem "$good bytes, not 524000"
    done
    all_good
}

@test "no descriptors" {
    local limit
    # Whatever the caller has open is closed, so that the numbers are what they are.
    # shellcheck disable=SC2016 # for another shell
    closing='for fd in 3 4 5 6 7 8 9; do eval "exec $fd>&-"; done; '
    for limit in 5 6; do
        without_faults bash -c "$closing ulimit -n $limit"' && exec "$@"' -
        name="a limit of $limit: no private pipe"
        transfer file-file -o 1000
        judge "done"
        expect_refused splice EMFILE
        name="a limit of $limit, splice forced"
        transfer file-file -o 1000 --engine=splice
        judge_cannot EMFILE splice '*'
    done
    without_faults bash -c "$closing"'ulimit -n 7 && exec "$@"' -
    name="a limit of 7: no statistics while it copies"
    transfer file-file -o 1000
    judge "done"
    expect_none_refused
    without_faults bash -c "$closing"'ulimit -n 4 && exec "$@"' -
    name="a limit of 4: no target"
    transfer file-file -o 1000
    judge refused out "${reason_of[EMFILE]}"
    all_good
}

# bats test_tags=memory
@test "no address space for a window" {
    truncate -s 40M in
    tail -c +1001 in >expected
    without_faults bash -c 'ulimit -v 14000 && exec "$@"' -
    name="map-write, forced"
    transfer file-file --sparse=never -o 1000 --engine=map-write
    judge_cannot ENOMEM map-write in

    name="append"
    old=old placement=at position=600000
    transfer file-file -o 1000 --append
    judge "done"
    expect_refused map-write ENOMEM

    name="a whole file"
    old='' placement=whole position=0
    transfer file-file -o 1000
    judge "done"
    all_good
}

@test "a file with holes: a slice of holes fits where its data would not, and one of data does not" {
    truncate -s 60M in
    head -c 10M /dev/urandom | dd of=in bs=1M conv=notrunc status=none
    mount_file_system tmpfs 5
    "$ZSLICE" --stats=json -o 10M in mnt.tmpfs/out 2>stats
    [ "$(stat -c %s mnt.tmpfs/out)" -eq 52428800 ]
    [ "$(statistic .holes_bytes)" -eq 52428800 ]
    printf old >mnt.tmpfs/out
    for options in "" "-l 59M"; do
        # shellcheck disable=SC2086 # words
        expect_failure 1 mnt.tmpfs/out "No space left on device" $options in mnt.tmpfs/out
        [ "$(cat mnt.tmpfs/out)" = old ] # found before it lost its bytes
    done
    # What is not known beforehand is found when it happens.
    expect_failure 1 mnt.tmpfs/out "No space left on device" -r :8M -r 30M: in mnt.tmpfs/out
}
