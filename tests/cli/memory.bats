# How much memory a copy takes: the same few MiB for a source of any size.

# shellcheck disable=SC2002 # a pipe is wanted
load ../helper

MIB=1048576

# expect_memory RSS_BYTES WHAT: peak RSS below that, anonymous below 1 MiB.
expect_memory() {
    local rss anonymous
    rss=$(statistic .peak_rss_bytes)
    anonymous=$(statistic .peak_anonymous_bytes)
    echo "$2: peak RSS $rss, anonymous $anonymous"
    [ "$rss" -gt 0 ] && [ "$rss" -le "$1" ] && [ "$anonymous" -gt 0 ] && [ "$anonymous" -lt "$MIB" ]
}

# expect_no_growth RSS_BYTES WHAT: no more than 1 MiB above that. A second thread maps as far ahead as it
# gets: then no more than 40 MiB, whatever the size.
expect_no_growth() {
    local rss most=$(($1 + MIB))
    rss=$(statistic .peak_rss_bytes)
    [ "$(statistic .jobs)" -eq 1 ] || most=$((40 * MIB))
    echo "$2: peak RSS $rss"
    [ "$rss" -lt "$most" ]
}

# bats test_tags=memory
@test "10,240,000 bytes of urandom, all but the first 1,024: RSS under 6 MiB, anonymous under 1 MiB" {
    "$ZSLICE" --stats=json --offset 1024 --length 10238976 /dev/urandom /dev/null 2>stats
    [ "$(statistic .bytes)" -eq 10238976 ]
    expect_memory $((6 * MIB)) urandom
}

# bats test_tags=memory
@test "file to file, pipe and /dev/null: memory does not grow with the source, with any engine" {
    local engine size small
    for engine in auto splice sendfile map-write buffer; do
        for size in 1 64 512; do
            truncate -s "${size}M" in
            "$ZSLICE" --stats=json --engine=$engine -o 1024 in /dev/null 2>stats
            expect_memory $((64 * MIB)) "$engine, $size MiB to /dev/null"
            "$ZSLICE" --stats=json --engine=$engine -o 1024 in 2>stats | cat >/dev/null
            expect_memory $((64 * MIB)) "$engine, $size MiB to a pipe"
            [ "$size" -ne 64 ] || small=$(statistic .peak_rss_bytes)
        done
        expect_no_growth "$small" "$engine, 512 MiB to a pipe"
        "$ZSLICE" --stats=json --sparse=never --engine=$engine -o 1024 in out 2>stats
        expect_memory $((64 * MIB)) "$engine, 512 MiB to a file"
        rm -f in out
    done
}

# bats test_tags=memory
@test "from a pipe: memory does not grow with what comes" {
    local engine
    truncate -s 512M in
    for engine in auto splice buffer; do
        cat in | "$ZSLICE" --stats=json --engine=$engine -o 100M - /dev/null 2>stats
        expect_memory $((6 * MIB)) "$engine, a pipe to /dev/null"
    done
    : >out
    cat in | "$ZSLICE" --stats=json -o 100M -l 200M >>out 2>stats
    expect_memory $((6 * MIB)) "a pipe to the end of a file"
    rm in out
}

# The statistics are the program's own word; this limit is the kernel's.
# bats test_tags=memory
@test "a limit of 48 MiB on all its memory is enough" {
    local engine
    truncate -s 512M in
    for engine in auto splice sendfile map-write buffer; do
        (ulimit -v 49152 && "$ZSLICE" --stats=json --engine=$engine -o 1001 in /dev/null 2>stats)
        [ "$(statistic .bytes)" -eq $((512 * MIB - 1001)) ]
    done
    rm in
}

# bats test_tags=memory,large
@test "1 MiB to 4 GiB: memory is the same, with any engine" {
    local engine size first
    truncate -s 4G in
    for engine in auto splice sendfile map-write buffer; do
        first=
        for size in 64 1024 4096; do
            "$ZSLICE" --stats=json --engine=$engine -o 1024 -l "${size}M" in 2>stats | cat >/dev/null
            expect_memory $((64 * MIB)) "$engine, $size MiB"
            : "${first:=$(statistic .peak_rss_bytes)}"
            expect_no_growth "$first" "$engine, $size MiB"
        done
    done
    rm in
}

# bats test_tags=memory,large
@test "file to file, 4 GiB: RSS as with 64 MiB, no byte through user space" {
    local first
    truncate -s 64M in
    "$ZSLICE" --stats=json --sparse=never --offset 1024 in out 2>stats
    first=$(statistic .peak_rss_bytes)
    truncate -s 4G in
    "$ZSLICE" --stats=json --sparse=never --offset 1024 in out 2>stats
    rm in out
    [ "$(statistic .user_copied_bytes)" -eq 0 ]
    expect_memory $((64 * MIB)) "4 GiB"
    expect_no_growth "$first" "4 GiB"
}
