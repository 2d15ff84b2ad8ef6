# The largest positions, a TiB of holes, and more than 2 GiB by every engine. What is read are holes and
# what is written goes nowhere, or to holes, so that it takes seconds; samples are compared byte by byte.

load ../helper

# The current folder may be in what is to be unmounted.
teardown() {
    local folder
    cd "$BATS_TEST_TMPDIR" || return 1
    for folder in mnt.*; do
        if mountpoint -q "$folder"; then
            umount "$folder"
        fi
    done
    detach_loops
}

LAST=9223372036854775807 # 2^63-1, the largest size of a file

# put POSITION TEXT FILE
put() {
    printf %s "$2" | dd of="$3" bs=64K oflag=seek_bytes seek="$1" conv=notrunc status=none
}

# get POSITION BYTES FILE
get() {
    dd if="$3" bs=64K iflag=skip_bytes,count_bytes skip="$1" count="$2" status=none
}

# On the file system of TYPE, which has files that large.
enter_large() {
    mount_file_system "$1" 400
    cd "mnt.$1" || return 1
    truncate -s "$LAST" in || skip "no files of 2^63-1 bytes on $1"
}

# The last bytes of the largest file, by every engine and whatever becomes of holes.
copy_the_end() {
    local engine sparse
    put $((LAST - 6)) needle in
    put $((LAST - 70000)) begin in
    # Not map-write: the kernel maps no page that ends behind 2^63-1.
    for engine in auto splice sendfile buffer; do
        echo "$engine"
        [ "$("$ZSLICE" --engine=$engine -o -6 in)" = needle ]
        [ "$("$ZSLICE" --engine=$engine -o $((LAST - 5)) -l 4 in)" = eedl ]
        [ "$("$ZSLICE" --engine=$engine -r "$((LAST - 70000)):$((LAST - 69995))" -r "-6:" in)" = beginneedle ]
        get $((LAST - 70000)) 70000 in >expected
        for sparse in auto always never; do
            [ "$sparse" != always ] || [ "$engine" = auto ] || [ "$engine" = buffer ] || continue
            "$ZSLICE" --engine=$engine --sparse=$sparse -o -70000 in out
            expect_same expected out
        done
    done
    "$ZSLICE" --verify --atomic -o -70000 in out
    expect_same expected out
    [ "$("$ZSLICE" --engine=map-write -o -70000 -l 5 in)" = begin ]
    expect_failure 3 in "beyond" -o 9223372036854775808 in out
    expect_failure 3 in "" -x -o -6 -l 7 in out
}

# Bytes at the end of the largest target, and none behind it.
write_the_end() {
    printf 0123456789 >ten
    "$ZSLICE" --seek=$((LAST - 10)) ten out
    [ "$(stat -c %s out)" = "$LAST" ]
    [ "$(get $((LAST - 10)) 10 out)" = 0123456789 ]
    expect_failure 2 out "largest position" --seek=$((LAST - 9)) ten out
    expect_failure 2 out "largest position" --append ten out
    [ "$(get $((LAST - 10)) 10 out)" = 0123456789 ]
    rm out
    truncate -s $((LAST - 10)) out
    "$ZSLICE" --append ten out
    [ "$(get $((LAST - 10)) 10 out)" = 0123456789 ]
    rm out
    "$ZSLICE" --keep-offset -o -70000 in out
    cmp <(get $((LAST - 70000)) 70000 in) <(get $((LAST - 70000)) 70000 out)
}

@test "8 EiB on tmpfs: the last bytes are copied" {
    enter_large tmpfs
    copy_the_end
}

@test "8 EiB on XFS: the last bytes are copied" {
    enter_large xfs
    copy_the_end
}

# auto has map-write first where it appends, and the digest is made of mapped pages.
@test "8 EiB: what cannot be mapped is read in another way" {
    enter_large tmpfs
    put $((LAST - 6)) needle in
    get $((LAST - 70000)) 70000 in >expected
    "$ZSLICE" --sparse=never --append -o -70000 in out
    expect_same expected out
    "$ZSLICE" --sparse=never --digest=sha256 -o -70000 in out 2>sums
    expect_same expected out
    sha256sum --check --quiet sums
}

@test "8 EiB on tmpfs: the last bytes are written" {
    enter_large tmpfs
    put $((LAST - 70000)) begin in
    put $((LAST - 9000)) needle in
    write_the_end
}

@test "8 EiB on XFS: the last bytes are written" {
    enter_large xfs
    put $((LAST - 70000)) begin in
    put $((LAST - 9000)) needle in
    write_the_end
}

@test "8 EiB of holes are copied as holes" {
    enter_large tmpfs
    put 5 front in
    put $((LAST / 2)) middle in
    put $((LAST - 9000)) needle in
    timeout 20 "$ZSLICE" --stats=json -o 5 in out 2>stats
    [ "$(stat -c %s out)" = $((LAST - 5)) ]
    [ "$(get 0 5 out)" = front ]
    [ "$(get $((LAST / 2 - 5)) 6 out)" = middle ]
    [ "$(get $((LAST - 9005)) 6 out)" = needle ]
    [ "$(statistic .bytes)" = $((LAST - 5)) ]
    [ "$(stat -c %b out)" -le 200 ]
}

@test "1 TiB of holes: kept in seconds, resumed, and cut to what is wanted" {
    local size=$((1 << 40)) position
    truncate -s "$size" in
    for position in 0 $((size / 3)) $((size / 2 + 1)) $((size - 6)); do
        put "$position" needle in
    done
    timeout 20 "$ZSLICE" --stats=json in out 2>stats
    [ "$(stat -c %s out)" = "$size" ]
    [ "$(stat -c %b out)" -le 200 ]
    [ "$(statistic .bytes)" = "$size" ]
    [ "$(statistic .holes_bytes)" -ge $((size - 4 * 65536)) ]
    for position in 0 $((size / 3)) $((size / 2 + 1)) $((size - 6)); do
        [ "$(get "$position" 6 out)" = needle ]
    done
    truncate -s $((size / 2)) out
    timeout 20 "$ZSLICE" --resume in out
    [ "$(stat -c %s out)" = "$size" ]
    [ "$(get $((size - 6)) 6 out)" = needle ]
    [ "$(stat -c %b out)" -le 200 ]
    timeout 20 "$ZSLICE" --atomic -o 1 -e -5 in out
    [ "$(stat -c %s out)" = $((size - 6)) ]
    [ "$(get $((size - 7)) 1 out)" = n ]
    [ "$(get $((size / 3 - 1)) 6 out)" = needle ]
}

# More than 2^31 bytes, some of them beyond 2^32: a source of holes, but for what is looked at.
beyond() {
    truncate -s $((5 << 30)) in
    put 2147483646 needle in
    put 4294967294 second in
    put $(((5 << 30) - 6)) last-6 in
}

# bats test_tags=large
@test "more than 2 GiB by every engine, into a pipe" {
    local engine
    beyond
    for engine in splice sendfile map-write buffer; do
        echo "$engine"
        [ "$("$ZSLICE" --engine=$engine -o $((2100 << 20)) -l 2200M in |
            tail -c $((2100 * 1048576 + 2200 * 1048576 - 4294967294)) | head -c 6)" = second ]
    done
}

# bats test_tags=large
@test "more than 2 GiB by every engine, into /dev/null" {
    local engine
    beyond
    for engine in splice map-write; do
        echo "$engine"
        "$ZSLICE" --engine=$engine --stats=json -o 1M -l 2200M in /dev/null 2>stats
        [ "$(statistic .bytes)" -eq $((2200 << 20)) ]
    done
}

# bats test_tags=large
@test "more than 2 GiB, of which zeros become holes" {
    beyond
    "$ZSLICE" --engine=buffer --sparse=always -o 2147483646 -l 2200M in out
    [ "$(get 0 6 out)" = needle ]
    [ "$(get 2147483648 6 out)" = second ]
    [ "$(stat -c %s out)" -eq $((2200 << 20)) ]
    [ "$(stat -c %b out)" -le 200 ]
}

@test "more than 4 GiB are shared" {
    mount_file_system xfs 400
    cd mnt.xfs
    beyond
    "$ZSLICE" --reflink=always --stats=json -o 4K in out 2>stats
    [ "$(statistic .shared_bytes)" -eq $(((5 << 30) - 4096)) ]
    [ "$(get $((4294967294 - 4096)) 6 out)" = second ]
    [ "$(tail -c 6 out)" = last-6 ]
}
