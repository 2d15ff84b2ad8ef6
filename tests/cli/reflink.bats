# Blocks shared instead of copied, on XFS and btrfs: the bytes, how many are shared, that they are by what
# the file systems say of their extents, and what is refused.

# shellcheck disable=SC2002 # a pipe is wanted
load ../helper

MIB=1048576
BLOCK=4096
SOURCE_BYTES=20000003 # ends inside a block

setup_file() {
    local name
    export MOUNTED=''
    mount_for_file xfs xfs 400
    mount_for_file btrfs btrfs 400
    mount_for_file plain xfs 300 -m reflink=0
    for name in $MOUNTED; do
        random_file "$BATS_FILE_TMPDIR/$name/in" $SOURCE_BYTES
        sync "$BATS_FILE_TMPDIR/$name/in"
    done
}

teardown_file() {
    unmount_for_file
}

# on_each COMMAND...: runs it in a folder of its own on each file system that shares, with a source in.
on_each() {
    each_mounted "xfs btrfs" with_shared_source "$@"
}

with_shared_source() {
    cp --reflink=always ../in in
    "$@"
}

# slice OFFSET LENGTH: of in, to standard output.
slice() {
    tail -c "+$(($1 + 1))" in | head -c "$2"
}

# own_blocks FILE: how many of its blocks no other file has.
own_blocks() {
    sync "$1"
    filefrag -v "$1" | awk '
        /^ *[0-9]+: / && !/shared/ { sub(/^[^:]*:[^:]*:[^:]*:/, ""); sub(/:.*/, ""); own += $1 }
        END { print own + 0 }'
}

# expect_shared BYTES [OWN_BLOCKS [FILE]]: the statistics say so, and the file system that the target has
# so many blocks of its own.
expect_shared() {
    local shared own
    shared=$(statistic .shared_bytes)
    if [ "$shared" -ne "$1" ]; then
        echo "shared_bytes: $shared instead of $1"
        tail -n 1 stats
        return 1
    fi
    if [ "$shared" -gt 0 ] && [[ $(tail -n 1 stats) != *'"engines":{"reflink":{"bytes":'"$shared,"* ]]; then
        echo "not by reflink"
        return 1
    fi
    [ $# -gt 1 ] || return 0
    own=$(own_blocks "${3:-out}")
    if [ "$own" -ne "$2" ]; then
        echo "the target has $own blocks of its own instead of $2"
        filefrag -v "${3:-out}"
        return 1
    fi
}

free_bytes() {
    sync -f .
    echo $(($(stat -f -c '%f * %S' .)))
}

aligned_slices() {
    local arguments offset length before end=$((SOURCE_BYTES / BLOCK * BLOCK))
    before=$(free_bytes)
    while read -r arguments offset length; do
        arguments=${arguments//,/ }
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" --stats=json $arguments in out 2>stats
        expect_shared "$length" 0
        [ "$(statistic .user_copied_bytes)" -eq 0 ]
        [ "$(engines_used)" = reflink ]
        grep -qF '"refused":{},' stats
        slice "$offset" "$length" | cmp - out
        rm out
    done <<END
--offset,1M,--length,16M $MIB 16777216
--offset,4096,--end,$end $BLOCK $((end - BLOCK))
--length,1052672 0 1052672
--reflink=always,--end,$end 0 $end
--engine=reflink,-o,8K,-l,4K 8192 4096
END
    "$ZSLICE" in out
    [ $((before - $(free_bytes))) -le $MIB ]
}

@test "a slice of whole blocks is shared: the bytes, the statistics, the extents, and no space taken" {
    on_each aligned_slices
}

# expect_cut OFFSET LENGTH SEEK: the middle of the slice is shared to the block, its edges are copied.
expect_cut() {
    local offset=$1 length=$2 seek=$3 first end shared=0 own=0
    first=$(((offset + BLOCK - 1) / BLOCK * BLOCK))
    end=$(((offset + length) / BLOCK * BLOCK))
    if [ $((offset % BLOCK)) -eq $((seek % BLOCK)) ] && [ $((end - first)) -gt $MIB ]; then
        shared=$((end - first))
        own=$(((first > offset) + (offset + length > end)))
    else
        own=$(((seek % BLOCK + length + BLOCK - 1) / BLOCK))
    fi
    rm -f out
    "$ZSLICE" --stats=json -o "$offset" -l "$length" --seek "$seek" in out 2>stats
    echo "offset $offset, length $length, seek $seek"
    expect_shared "$shared" "$own"
    slice "$offset" "$length" | cmp - <(tail -c "+$((seek + 1))" out)
    [ "$(stat -c %s out)" -eq $((seek + length)) ]
}

unaligned_ends() {
    expect_cut 0 2097153 0
    expect_cut 0 2097151 0
    expect_cut 4096 5000000 8192
    expect_cut 1 5000000 1
    expect_cut 4095 5000000 4095
    expect_cut 1000 3000000 5096
    expect_cut 100 1056667 100 # a megabyte of whole blocks is not worth it...
    expect_cut 100 1056668 100 # ...but one block more
    expect_cut 0 $MIB 0
    expect_cut 0 $((MIB + BLOCK)) 0
    expect_cut 12289 $((SOURCE_BYTES - 12289)) 1
    "$ZSLICE" --stats=json -o 4097 -l 5M --seek 1 in new 2>stats
    expect_shared 5238784 2 new # 5 MiB less 4,095 and 1 bytes of edges
}

@test "where the ends are not on blocks the middle is shared, and the edges are copied" {
    on_each unaligned_ends
}

elsewhere_in_a_block() {
    expect_cut 1 5000000 0
    expect_cut 4096 5000000 1
    expect_cut 512 5000000 1024
    expect_cut 1024 $((SOURCE_BYTES - 1024)) 0
}

@test "positions that differ by less than a block share nothing" {
    on_each elsewhere_in_a_block
}

copies() {
    "$ZSLICE" --stats=json --reflink=never -o 1M -l 4M in out 2>stats
    expect_shared 0 1024
    slice $MIB 4194304 | cmp - out
    for engine in copy-range splice sendfile map-write buffer; do
        "$ZSLICE" --stats=json --engine=$engine -o 1M -l 4M in "out.$engine" 2>stats
        [ "$(engines_used)" = $engine ]
        cmp out "out.$engine"
        # That one is made by the file system itself, which shares.
        [ $engine = copy-range ] || expect_shared 0 1024 "out.$engine"
    done
    "$ZSLICE" --stats=json -l 1M in out 2>stats # not worth it
    expect_shared 0 256
}

@test "--reflink=never copies, and so do other engines and short slices" {
    on_each copies
}

few_blocks() {
    "$ZSLICE" --stats=json --reflink=always -o 4096 -l 4096 in out 2>stats
    expect_shared 4096 0
    "$ZSLICE" --stats=json --reflink=always -o 4000 -l 4300 --seek 8096 in new 2>stats
    expect_shared 4096 2 new
    slice 4000 4300 | cmp - <(tail -c +8097 new)
    "$ZSLICE" --reflink=always -l 0 in empty
    [ -f empty ]
    [ ! -s empty ]
    head -c 100 in >short # no whole block
    expect_failure 2 copy "no block of 4096 bytes can be shared" --reflink=always short copy
    [ ! -e copy ]
}

@test "--reflink=always shares a single block, too" {
    on_each few_blocks
}

# expect_refusal TARGET REASON[|OF_AN_OLD_ONE] ARGUMENT...: exit 2 with the reason; an absent target stays
# absent, an old one keeps its bytes. {} among the arguments is the target.
expect_refusal() {
    local target=$1 reason=$2 before
    shift 2
    rm -f "$target"
    expect_failure 2 "$target" "${reason%|*}" "${@/\{\}/$target}"
    [ ! -e "$target" ]
    head -c 50000 /dev/zero >"$target"
    before=$(fingerprint "$target")
    expect_failure 2 "$target" "${reason#*|}" "${@/\{\}/$target}"
    [ "$(fingerprint "$target")" = "$before" ]
    rm "$target"
}

refused_positions() {
    local arguments
    for arguments in "-o 1" "-o 4096 -l 4095" "-o 1 -l 4096 --seek 1" "--seek 1" "-l 4096 --seek 512" \
        "--record 100 -r ::2" "-r 1:4M -r 5:5M" "-o 4097 --keep-offset -l 4096"; do
        # shellcheck disable=SC2086 # several words
        expect_refusal out "no block of 4096 bytes can be shared" --reflink=always $arguments in {}
    done
    for arguments in "-o 4096 -l 5000" "-o 1 --seek 1" "-o 1" "-r 4096+4096 -r 1:2"; do
        rm -f out
        # shellcheck disable=SC2086
        expect_failure 2 --engine "reflink: it shares whole blocks of 4096 bytes only" \
            --engine=reflink $arguments in out
        [ ! -e out ]
    done
}

@test "--reflink=always, --engine=reflink: positions that do not fit are refused" {
    on_each refused_positions
}

refused_ends() {
    local option
    head -c 5M in >small
    for option in --reflink=always --engine=reflink; do
        expect_refusal out "what is appended cannot be shared" $option --append small {}
        cp small old
        expect_failure 2 "standard output" "what is appended cannot be shared" $option small >>old
        cmp small old
        expect_failure 2 "standard output" "only regular files share blocks" $option small | cat >got
        [ ! -s got ]
        expect_failure 2 /dev/null "only regular files share blocks" $option small /dev/null
        rm -f out
        cat small | expect_failure 2 out "only regular files share blocks" $option - out
        [ ! -e out ]
    done
}

@test "--reflink=always, --engine=reflink: ends that share nothing are refused" {
    on_each refused_ends
}

# What is said where the target is not there and where it is.
@test "--reflink=always between file systems, and on one that cannot, is refused" {
    local source target reason folders
    need_mounted xfs
    need_mounted btrfs
    need_mounted plain
    mount_file_system tmpfs 64
    mount_file_system ext4 64
    folders=(mnt.tmpfs mnt.ext4 "$BATS_FILE_TMPDIR"/{xfs,btrfs,plain})
    cp "$BATS_FILE_TMPDIR/xfs/in" in
    cp in mnt.tmpfs/in
    cp in mnt.ext4/in
    for source in "${folders[@]}"; do
        for target in "${folders[@]}"; do
            reason="it shares none with $source/in|they are on two file systems"
            case ${source##*[./]}-${target##*[./]} in
                xfs-xfs | btrfs-btrfs) continue ;;
                plain-plain) reason="Operation not supported; it shares none with" ;;
                btrfs-*) reason="it shares none with" ;; # a subvolume, for all one knows
                tmpfs-* | ext4-*) reason="the source's file system cannot share blocks" ;;
            esac
            echo "from $source to $target"
            expect_refusal "$target/out" "$reason" --reflink=always "$source/in" {}
            expect_refusal "$target/out" "$reason" --engine=reflink -l 4M "$source/in" {}
        done
        "$ZSLICE" --stats=json "$source/in" out 2>stats
        cmp "$source/in" out
        expect_shared 0
    done
}

@test "XFS made without reflink: a copy, and the statistics say why" {
    enter plain
    "$ZSLICE" --stats=json -o 4096 ../in out 2>stats
    tail -c +4097 ../in | cmp - out
    expect_shared 0
    [ "$(statistic .refused.reflink)" = EOPNOTSUPP ]
    # Space for it is looked for all the same.
    strace -e quiet=all -o log -e trace=fallocate "$ZSLICE" -o 4096 ../in out2
    grep -q 'fallocate(.*= 0' log
}

into_old_targets() {
    head -c 12M ../in | tail -c +3 >old
    cp old out
    "$ZSLICE" --stats=json -o 1M -l 4M --seek 2M in out 2>stats
    expect_shared 4194304
    { head -c 2M old; slice $MIB 4194304; tail -c +6291457 old; } | cmp - out

    cp old out
    "$ZSLICE" --stats=json -o 1000 -l 4M --seek 2098152 in out 2>stats
    expect_shared 4190208
    { head -c 2098152 old; slice 1000 4194304; tail -c +6292457 old; } | cmp - out

    # The last block of the source is not full: what the target has behind it must stay.
    cp old out
    "$ZSLICE" --stats=json -o 16M --seek 4M in out 2>stats
    expect_shared $(((SOURCE_BYTES - 16777216) / BLOCK * BLOCK))
    { head -c 4M old; tail -c +16777217 in; tail -c "+$((4194305 + SOURCE_BYTES - 16777216))" old; } |
        cmp - out

    cp old out
    "$ZSLICE" --stats=json -o 1M -l 2M --seek -4M in out 2>stats
    { head -c -4M old; slice $MIB 2097152; tail -c 2M old; } | cmp - out

    cp old out
    "$ZSLICE" --stats=json -o 1M -l 2M --seek 0 --truncate in out 2>stats
    expect_shared 2097152 0
    slice $MIB 2097152 | cmp - out

    cp old out
    "$ZSLICE" --stats=json -o 1M -l 2M in out 2>stats # emptied
    expect_shared 2097152 0
    slice $MIB 2097152 | cmp - out
}

@test "--seek into a target that keeps its other bytes" {
    on_each into_old_targets
}

kept_offsets() {
    local part
    "$ZSLICE" --stats=json --keep-offset -o 3M -l 4000000 in out 2>stats
    expect_shared 3997696
    slice 3145728 4000000 | cmp - <(tail -c +3145729 out)
    [ "$(stat -c %s out)" -eq 7145728 ]
    rm out
    for part in 3 1 4 2; do
        "$ZSLICE" --stats=json --shard $part/4 --keep-offset in out 2>stats
        [ "$(statistic .shared_bytes)" -ge 4900000 ]
    done
    cmp in out
    rm out
    for part in 4 2 3 1; do
        "$ZSLICE" --stats=json --shard $part/4 --align 4K --keep-offset in out 2>stats
        [ "$(statistic .bytes)" -lt 5000000 ] || [ "$(statistic .shared_bytes)" -ge 4900000 ]
    done
    cmp in out
    rm out
    "$ZSLICE" --stats=json --keep-offset -r 8M+2M -r 1000:2000 -r 1M+2M in out 2>stats
    expect_shared 4194304
    truncate -s 10M wanted
    for part in "8388608 2097152" "1000 1000" "1048576 2097152"; do
        # shellcheck disable=SC2086 # two words
        slice $part | dd of=wanted bs=64K oflag=seek_bytes seek="${part% *}" conv=notrunc status=none
    done
    cmp wanted out
}

@test "--keep-offset, alone, of shards and of several ranges" {
    on_each kept_offsets
}

several_ranges() {
    "$ZSLICE" --stats=json -r 1M+4M -r 8M+3M -r 100:200 -r 4M+2M in out 2>stats
    expect_shared 7340032
    { slice $MIB 4194304; slice 8388608 3145728; slice 100 100; slice 4194304 2097152; } | cmp - out
    "$ZSLICE" --stats=json -r 0:2M -r 0:2M -r 1M:3M in out 2>stats # repeats, and overlaps
    expect_shared 6291456 0
    { slice 0 2097152; slice 0 2097152; slice $MIB 2097152; } | cmp - out
    # The source's end, which is not on a block, in the middle of the target: its last block is copied.
    "$ZSLICE" --stats=json -r 16M: -r 0:1M in out 2>stats
    { tail -c +16777217 in; slice 0 $MIB; } | cmp - out
}

@test "several ranges: each is shared or copied by itself" {
    on_each several_ranges
}

descriptors() {
    { "$ZSLICE" --stats=json -l 2M in 2>stats; echo tail; } >out
    expect_shared 2097152
    { slice 0 2097152; echo tail; } | cmp - out

    { head -c 4096 in; "$ZSLICE" --stats=json -o 1M -l 2M in 2>stats; echo tail; } >out
    expect_shared 2097152
    { slice 0 4096; slice $MIB 2097152; echo tail; } | cmp - out

    { printf 12345; "$ZSLICE" --stats=json -o 5 -l 4M in 2>stats; echo tail; } >out
    expect_shared 4190208
    { printf 12345; slice 5 4194304; echo tail; } | cmp - out

    { printf 12345; "$ZSLICE" --stats=json -l 4M in 2>stats; echo tail; } >out
    expect_shared 0
    { printf 12345; slice 0 4194304; echo tail; } | cmp - out

    { "$ZSLICE" --stats=json -o 1M -l 2M - out 2>stats; head -c 5 >rest; } <in
    expect_shared 2097152 0
    slice $MIB 2097152 | cmp - out
    slice 3145728 5 | cmp - rest

    exec 5<in
    dd bs=1000 count=1 status=none <&5 >/dev/null
    "$ZSLICE" --stats=json -o 3096 -l 2M - out <&5 2>stats
    exec 5<&-
    expect_shared 2097152 0
    slice 4096 2097152 | cmp - out
}

@test "inherited descriptors: where they stand, and where they are left" {
    on_each descriptors
}

within_a_file() {
    cp --reflink=always in same
    "$ZSLICE" --stats=json -o 4M -l 8M --seek 24M same same 2>stats
    expect_shared 8388608
    { cat in; head -c $((25165824 - SOURCE_BYTES)) /dev/zero; slice 4194304 8388608; } | cmp - same

    cp --reflink=always in same
    "$ZSLICE" --stats=json -o 8M -l 4M --seek 1M same same 2>stats
    expect_shared 4194304
    { slice 0 $MIB; slice 8388608 4194304; tail -c +5242881 in; } | cmp - same

    cp --reflink=always in same
    "$ZSLICE" --stats=json -o 1000 -l 4M --seek 25166824 same same 2>stats
    expect_shared 4190208
    tail -c 4M same | cmp - <(slice 1000 4194304)
    expect_failure 2 same "overwrite itself" --reflink=always -o 4M -l 8M --seek 8M same same
}

@test "source and target are one file" {
    on_each within_a_file
}

# The first edge makes the file longer, so that the source's last block is not its last one any more.
@test "source and target are one file, and the slice goes from inside a block to the end" {
    local option
    for option in auto always; do
        enter xfs
        cp --reflink=always ../in same
        "$ZSLICE" --stats=json --reflink=$option -o 1 --seek 25165825 same same 2>stats
        head -c $SOURCE_BYTES same | cmp - ../in
        tail -c +25165826 same | cmp - <(tail -c +2 ../in)
    done
    [ "$(statistic .shared_bytes)" -ge $((SOURCE_BYTES - 2 * BLOCK)) ]
}

@test "btrfs: from subvolume to subvolume, which have a device number each" {
    enter btrfs
    btrfs subvolume create one >/dev/null
    btrfs subvolume create two >/dev/null
    cp --reflink=always ../in one/in
    printf old >two/old
    [ "$(stat -c %d one/in)" -ne "$(stat -c %d two/old)" ]
    for target in two/new two/old; do
        "$ZSLICE" --stats=json --reflink=always -o 1M one/in $target 2>stats
        expect_shared $((SOURCE_BYTES / BLOCK * BLOCK - MIB)) 1 $target
        tail -c +1048577 one/in | cmp - $target
    done
}

@test "btrfs: a source that is not copied on write, and a target that is, share nothing" {
    local before
    enter btrfs
    touch in
    chattr +C in
    cat ../in >>in
    sync in
    "$ZSLICE" --stats=json in out 2>stats
    cmp in out
    expect_shared 0
    [ "$(statistic .refused.reflink)" = EINVAL ]
    expect_failure 2 new "" --reflink=always in new
    [ ! -e new ]
    echo old >old
    before=$(fingerprint old)
    expect_failure 2 old "" --reflink=always in old
    [ "$(fingerprint old)" = "$before" ]
}

holes() {
    truncate -s 64M sparse
    slice 0 100000 | dd of=sparse bs=64K oflag=seek_bytes seek=10000000 conv=notrunc status=none
    slice 5 100000 | dd of=sparse bs=64K oflag=seek_bytes seek=60000000 conv=notrunc status=none
    sync sparse
    "$ZSLICE" --stats=json -o 1M -l 60M sparse out 2>stats
    expect_shared 62914560
    tail -c +1048577 sparse | head -c 60M | cmp - out
    [ "$(stat -c %b out)" -le "$(stat -c %b sparse)" ]
    "$ZSLICE" --stats=json -o 64K -l 5M sparse hole 2>stats
    expect_shared 5242880
    [ "$(stat -c %b hole)" -eq 0 ]
    head -c 5M /dev/zero | cmp - hole
    cp ../in out # the holes hide what was there
    "$ZSLICE" -o 1M -l 8M --seek 4M sparse out
    { slice 0 4194304; head -c 8M /dev/zero; tail -c +12582913 in; } | cmp - out
}

@test "a sparse source: its holes, too" {
    on_each holes
}

a_terabyte() {
    local position
    truncate -s 1T sparse
    for position in 1073741825 549755813888 1099511627000; do
        slice $((position % 1000)) 500 |
            dd of=sparse bs=64K oflag=seek_bytes seek=$position conv=notrunc status=none
    done
    timeout 20 "$ZSLICE" --stats=json -o 1G sparse out 2>stats
    expect_shared $((1099511627776 - 1073741824))
    [ "$(stat -c %s out)" -eq $((1099511627776 - 1073741824)) ]
    for position in 1 549755813888 1099511627000; do
        [ "$position" -eq 1 ] || position=$((position - 1073741824))
        cmp -n 500 -i "$position:$((position + 1073741824))" out sparse
    done
    [ "$(head -c 501 out | tail -c 500 | tr -d '\0' | wc -c)" -gt 400 ]
}

@test "an aligned slice of 1 TiB takes no time" {
    on_each a_terabyte
}

changed_afterwards() {
    "$ZSLICE" --stats=json -o 1M -l 8M in out 2>stats
    expect_shared 8388608
    slice $MIB 8388608 >expected
    tr '\0-\377' '\377\0-\376' <in | dd of=in conv=notrunc status=none bs=1M
    cmp expected out
    truncate -s 0 in
    cmp expected out
    cp ../in in --reflink=never
    "$ZSLICE" -o 1M -l 8M in out
    head -c 8M /dev/zero | dd of=out conv=notrunc status=none bs=1M
    cmp in ../in
}

@test "what is changed afterwards on one side does not change the other" {
    on_each changed_afterwards
}

written_just_now() {
    random_file fresh 5000000 # none of it on the device yet
    "$ZSLICE" --stats=json -o 4096 fresh out 2>stats
    expect_shared 4993024 1
    tail -c +4097 fresh | cmp - out
}

@test "a source that is not on the device yet" {
    on_each written_just_now
}

streams() {
    local folder held
    for folder in "$BATS_TEST_TMPDIR" "$PWD"; do # where what is held is
        for held in 1048576 5000000 $SOURCE_BYTES; do
            cat in | TMPDIR=$folder "$ZSLICE" --stats=json -o "-$held" - out 2>stats
            [ "$(statistic .bytes)" -eq "$held" ]
            tail -c "$held" in | cmp - out
            cat in | TMPDIR=$folder "$ZSLICE" -o "-$held" -l 3M - out
            tail -c "$held" in | head -c 3M | cmp - out
            cat in | TMPDIR=$folder "$ZSLICE" -e "-$held" - out
            head -c "-$held" in | cmp - out
        done
    done
    cat in | "$ZSLICE" --stats=json -o 1M -l 4M - out 2>stats
    expect_shared 0
    slice $MIB 4194304 | cmp - out
}

@test "streams share nothing, wherever they are held" {
    on_each streams
}

@test "a full disk: sharing takes none of it" {
    local type
    for type in xfs btrfs; do
        mount_file_system $type 300
        cp "$BATS_FILE_TMPDIR/xfs/in" mnt.$type/in
        sync mnt.$type/in
        # The bulk without writing it; random bytes, as zeros might be compressed.
        fallocate -l $(($(stat -f -c '%a * %S' mnt.$type) - 90000000)) mnt.$type/bulk
        cat /dev/urandom >mnt.$type/filler 2>/dev/null || true
        sync -f mnt.$type
        truncate -s -1500000 mnt.$type/filler
        sync -f mnt.$type
        expect_failure 1 mnt.$type/out "No space left on device" --reflink=never -o 1M mnt.$type/in mnt.$type/out
        rm -f mnt.$type/out
        "$ZSLICE" --stats=json -o 1M mnt.$type/in mnt.$type/out 2>stats
        expect_shared $((SOURCE_BYTES / BLOCK * BLOCK - MIB))
        tail -c +1048577 mnt.$type/in | cmp - mnt.$type/out
        umount mnt.$type
    done
}

@test "a file that is shared in pieces of 1 GiB, and its edges" {
    need_mounted xfs
    enter xfs
    truncate -s 5G in
    for position in 1000 1073741820 3221225470 5368709000; do
        head -c 100 ../in | dd of=in bs=64K oflag=seek_bytes seek=$position conv=notrunc status=none
    done
    "$ZSLICE" --stats=json -o 1001 --seek 1001 in out 2>stats
    expect_shared 5368705024
    [ "$(statistic .engines.reflink.calls)" -ge 5 ]
    for position in 1001 1073741820 3221225470; do
        cmp -n 5000 -i $position in out
    done
    cmp -i 5368700000 in out
    [ "$(stat -c %s out)" -eq 5368709120 ]
}

@test "--reflink and engines: what cannot go together" {
    printf 0123456789 >in
    expect_failure 2 --reflink=always "another --engine" --reflink=always --engine=splice in out
    expect_failure 2 --reflink=never "--engine=reflink" --reflink=never --engine=reflink in out
    expect_failure 2 --reflink "" --reflink=sometimes in out
    expect_failure 2 --reflink "" --reflink= in out
    [ ! -e out ]
    "$ZSLICE" --reflink=always --reflink=never in out
    cmp in out
}
