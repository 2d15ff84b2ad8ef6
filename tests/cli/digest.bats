#!/usr/bin/env bats
# Digests, compared with what sha256sum and xxhsum make of the same bytes.

# shellcheck disable=SC2002,SC2086,SC2154 # pipes are wanted; options are words; set by the helper
load ../helper

SIZE=1300001

setup_file() {
    random_file "$BATS_FILE_TMPDIR/in" $SIZE
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    command -v xxhsum >/dev/null || skip "needs xxhsum"
    ln -s "$BATS_FILE_TMPDIR/in" in
}

# sum_of KIND: what others say of standard input.
sum_of() {
    local sum
    case $1 in
        sha256) sum=$(sha256sum) ;;
        xxh128) sum=$(xxhsum -H2 -q) ;;
    esac
    echo "${sum%% *}"
}

# said KIND NAME CONTENT: ./err is the one line with the digest of the file CONTENT.
said() {
    local wanted
    wanted="${1^^} ($2) = $(sum_of "$1" <"$3")"
    if [ "$(<err)" != "$wanted" ]; then
        printf 'expected: %s\n     got: %s\n' "$wanted" "$(<err)"
        return 1
    fi
}

# both NAME ARGUMENT...: copies in to out with each digest, which is that of out and called NAME.
both() {
    local kind name=$1
    shift
    for kind in sha256 xxh128; do
        rm -f out
        echo "$kind: ${*@Q}"
        "$ZSLICE" --digest=$kind "$@" in out 2>err
        said $kind "$name" out
    done
}

# both_of_stream NAME ARGUMENT...: the same from a pipe.
both_of_stream() {
    local kind name=$1
    shift
    for kind in sha256 xxh128; do
        rm -f out
        echo "$kind of a pipe: ${*@Q}"
        cat in | "$ZSLICE" --digest=$kind "$@" - out 2>err
        said $kind "$name" out
    done
}

@test "files: whole ones, slices, ranges, strides, fields, shards, empty slices" {
    both out
    both out -o 1000 -l 100000
    both out -o -10
    both out -l 0
    both out -o $SIZE --sync
    both out -r 5:10 -r 0:100000 -r 0:100000 -r -10:
    both out -r ::2
    both out --record=16 --field=4:8
    both out --record=10000 -r 1::3
    both out --record=100 --field=0:50 -r 5:2000 # as in a column of a part
    both out --shard=2/3
    both out --shard=3/3 --align=4K
    both out --shard=1/9 -l 3
}

@test "files of every kind of size, with every engine and one job" {
    local bytes engine
    for bytes in 1 262144; do
        both out -l $bytes -j1
    done
    for engine in splice sendfile map-write buffer copy-range; do
        both out -o 3 --engine=$engine
    done
    both out -o 3 --stable
    both out --sparse=always
    both out --sparse=never
    both out -o 5 --atomic
    both out -j1 --record=16 --field=4:8
    cat in in in in in in in in in in in in in in >big
    for option in -j1 -j2 --no-cache; do
        "$ZSLICE" --digest=sha256 $option -o 7 big out 2>err
        said sha256 out out
    done
}

@test "a source with holes, and one that is nothing but a hole" {
    local option
    rm in
    truncate -s 5000001 in
    printf x | dd of=in oflag=seek_bytes seek=1000001 conv=notrunc status=none
    for option in auto always never; do
        both out --sparse=$option -o 1000002
        both out --sparse=$option -o 100
    done
}

@test "streams: pipes, what is held of their end, files of /proc" {
    local kind
    both_of_stream out
    both_of_stream out -o 1000 -l 1000000
    both_of_stream out -r 5:10 -r 100:200000
    both_of_stream out --record=16 --field=4:8
    both_of_stream out --record=300000 -r ::2
    both_of_stream out -o -100
    both_of_stream out -o -1000000
    both_of_stream out -o -1000000 -l 500000
    both_of_stream out -e -100
    both_of_stream out -e -1000000
    both_of_stream out -o 5 -e -300000
    both_of_stream out -o -1000000 -e -200000
    both_of_stream out --sparse=always
    for kind in sha256 xxh128; do
        : | "$ZSLICE" --digest=$kind - out 2>err
        said $kind out /dev/null
        "$ZSLICE" --digest=$kind /proc/version out 2>err
        said $kind out /proc/version
        "$ZSLICE" --digest=$kind -o 5 -l 8 /proc/version out 2>err
        said $kind out out
        "$ZSLICE" --digest=$kind -l 100001 /dev/urandom out 2>err
        said $kind out out
    done
}

@test "standard input that stands somewhere" {
    { dd bs=1000 count=1 status=none >skipped; "$ZSLICE" --digest=sha256 -o 5 -l 100000 - out 2>err; cat >rest; } <in
    said sha256 out out
    cmp out <(tail -c +1006 in | head -c 100000)
    cmp rest <(tail -c +101006 in)
    { dd bs=1000 count=1 status=none >skipped; "$ZSLICE" --digest=sha256 -o 5 -l 100000 2>err >out; } <in
    said sha256 "-[5:100005]" out
}

@test "to a pipe, into a region, appended, in several parts: it is called after the source" {
    local kind source
    random_file old 4000000
    for kind in sha256 xxh128; do
        "$ZSLICE" --digest=$kind -o 3 in 2>err | cat >got
        said $kind "in[3:$SIZE]" got
        cat in | "$ZSLICE" --digest=$kind -o 3 -l 100 2>err | cat >got
        said $kind "-[3:103]" got
        cat in | "$ZSLICE" --digest=$kind -o 3 2>err | cat >got
        said $kind "-[3:$SIZE]" got
        "$ZSLICE" --digest=$kind -r 5:10 -r 100:50000 in 2>err | cat >got
        said $kind "in[5:10,100:50000]" got
        "$ZSLICE" --digest=$kind -o 3 in >got 2>err
        said $kind "in[3:$SIZE]" got
        "$ZSLICE" --digest=$kind --stable -l 0 in >got 2>err
        said $kind "in[0:0]" got
        for source in in -; do
            cp old out
            "$ZSLICE" --digest=$kind -o 100 -l 1000000 --seek 5000 "$source" out 2>err <in
            tail -c +101 in | head -c 1000000 >expected
            said $kind "${source}[100:1000100]" expected
            cp old out
            "$ZSLICE" --digest=$kind --keep-offset -o 100 -l 1000000 "$source" out 2>err <in
            said $kind "${source}[100:1000100]" expected
            cp old out
            "$ZSLICE" --digest=$kind --append -o 100 -l 1000000 "$source" out 2>err <in
            said $kind "${source}[100:1000100]" expected
        done
        "$ZSLICE" --digest=$kind --seek 0 --truncate in out 2>err
        said $kind "in[0:$SIZE]" in
        "$ZSLICE" --digest=$kind in /dev/null 2>err
        grep -q "^${kind^^} (.*) = $(sum_of $kind <in)\$" err
        # The whole slice, also what was there.
        head -c 1000000 in >out
        "$ZSLICE" --digest=$kind --resume in out 2>err
        said $kind out in
    done
}

@test "sha256sum and xxhsum read the lines back, whatever the name" {
    local name names
    names=("plain" "with blank" $'new\nline' 'back\slash' $'return\r' "a) = b" '*star' $'\\n' "(x" $'\xc3\xa9')
    rm -f sums
    for name in "${names[@]}"; do
        "$ZSLICE" --digest=sha256 -o "${#name}" in "$name" 2>>sums
    done
    [ "$(wc -l <sums)" -eq ${#names[@]} ]
    sha256sum --check --strict sums >checked
    [ "$(grep -c ': OK$' checked)" -eq ${#names[@]} ]
    printf x >>plain
    sha256sum --check sums >checked 2>/dev/null && false
    [ "$(grep -c ': OK$' checked)" -eq $((${#names[@]} - 1)) ]
    "$ZSLICE" --digest=xxh128 -o 1 in out 2>sums
    xxhsum --check sums | grep -q 'out.*OK'
    # As coreutils writes them.
    name=$'a\nb\\c\rd'
    "$ZSLICE" --digest=sha256 in "$name" 2>err
    cmp err <(sha256sum --tag "$name")
}

@test "names that would drive a terminal do not" {
    local name=$'esc\e[31m'
    "$ZSLICE" --digest=sha256 in "$name" 2>err
    grep -q '^SHA256 (esc' err
    "$ZSLICE" --digest=sha256 --stats=json in "$name" 2>err
    [ "$(jq -r .digest.of <<<"$(tail -n 1 err)")" = "$name" ]
}

@test "the statistics, and --report" {
    local sum
    sum=$(sum_of sha256 <in)
    "$ZSLICE" --digest=sha256 --stats=json in out 2>stats
    [ "$(wc -l <stats)" -eq 2 ]
    [ "$(head -n 1 stats)" = "SHA256 (out) = $sum" ]
    [ "$(statistic '.digest | "\(.algorithm) \(.of) \(.value)"')" = "sha256 out $sum" ]
    "$ZSLICE" --digest=xxh128 --stats=json -l 10 in 2>stats >out
    [ "$(statistic '.digest | "\(.algorithm) \(.of) \(.value)"')" = "xxh128 in[0:10] $(sum_of xxh128 <out)" ]
    "$ZSLICE" --stats=json in out 2>stats
    [ "$(statistic .digest)" = null ]
    "$ZSLICE" --digest=sha256 --stats=json -o 4M in out 2>stats && false
    [ "$(statistic .digest)" = null ]
    "$ZSLICE" --digest=sha256 --report=report in out 2>err
    [ ! -s err ]
    [ "$(<report)" = "SHA256 (out) = $sum" ]
    "$ZSLICE" --digest=sha256 --stats=json --report=report in out
    [ "$(statistic .digest.value report)" = "$sum" ]
    "$ZSLICE" --digest=sha256 -v in out 2>err
    grep -qx "SHA256 (out) = $sum" err
    "$ZSLICE" --digest=xxh128 --digest=sha256 in out 2>err # the last one counts
    said sha256 out in
    "$ZSLICE" --digest=sha256 --explain in out >plan 2>err
    grep -qx 'digest: sha256, from the mapped source, beside the copy' plan
    [ ! -s err ]
    cat in | "$ZSLICE" --digest=xxh128 --explain - out >plan
    grep -qx 'digest: xxh128, as the bytes pass through memory' plan
}

@test "a library that is missing or broken: exit 2 before anything is touched" {
    local kind library before status
    mkdir broken
    for library in libcrypto.so.3 libxxhash.so.0; do
        printf 'not a library' >broken/$library
    done
    printf old >out
    before=$(fingerprint out)
    for kind in sha256,libcrypto.so.3 xxh128,libxxhash.so.0; do
        library=${kind#*,} kind=${kind%,*}
        LD_LIBRARY_PATH=$PWD/broken expect_failure 2 --digest "$kind: $library cannot be loaded" --digest=$kind in out
        LD_LIBRARY_PATH=$PWD/broken expect_failure 2 --digest "$library" --digest=$kind in new
        seq 100 | { LD_LIBRARY_PATH=$PWD/broken expect_failure 2 --digest "$library" --digest=$kind - new; cat >rest; }
        [ "$(wc -l <rest)" -eq 100 ]
        [ "$(fingerprint out)" = "$before" ]
        [ ! -e new ]
    done
    # A library without the functions.
    cp "$(ldconfig -p | awk '/libcrypto\.so\.3 / { print $NF; exit }')" broken/libxxhash.so.0
    LD_LIBRARY_PATH=$PWD/broken expect_failure 2 --digest "xxh128: libxxhash.so.0 does not work here" \
        --digest=xxh128 in out
    [ "$(fingerprint out)" = "$before" ]
}

@test "a library that cannot be found" {
    local at status=0
    command -v strace >/dev/null || skip "needs strace"
    strace -e quiet=all -o log -e trace=openat "$ZSLICE" --digest=xxh128 -l 1 in out 2>err
    at=$(grep -n 'libxxhash' log | head -n 1 | cut -d : -f 1)
    [ -n "$at" ]
    rm out
    strace -e quiet=all -o log -e trace=openat -e "inject=openat:error=ENOENT:when=$at+" \
        "$ZSLICE" --digest=xxh128 in out 2>"$BATS_TEST_TMPDIR/err" || status=$?
    grep -q 'libxxhash.*INJECTED' log
    [ "$status" -eq 2 ]
    expect_message --digest "xxh128: libxxhash.so.0 cannot be loaded"
    [ ! -e out ]
    run ! grep -q '"out"' log
}

@test "without --digest no library for it is opened" {
    local option
    command -v strace >/dev/null || skip "needs strace"
    strace -f -e quiet=all -o log -e trace=openat,open "$ZSLICE" --stats=json in out 2>stats
    run ! grep -qE 'crypto|xxhash' log
    strace -f -e quiet=all -o log -e trace=openat,open "$ZSLICE" --digest=sha256 in out 2>err
    grep -q libcrypto log
    run ! grep -q xxhash log
    strace -f -e quiet=all -o log -e trace=openat,open "$ZSLICE" --digest=xxh128 in out 2>err
    grep -q libxxhash log
    run ! grep -q crypto log
}

@test "nothing is printed of a copy that failed, or whose reader is gone" {
    local status option
    for option in "" -j1; do
        (ulimit -f 1024 && expect_failure 1 out "File too large" --digest=sha256 $option in out)
        rm -f out
        expect_failure 1 "standard output" "No space left on device" --digest=sha256 $option in >/dev/full
        expect_failure 3 in "" --digest=xxh128 $option -x -l 2M in out
        cat in | expect_failure 3 "standard input" "" --digest=xxh128 $option -x -l 2M - out
        for source in in -; do
            { { "$ZSLICE" --digest=sha256 $option $source 2>err <in || echo $? >status; } | head -c 1 >first; }
            [ "$(<status)" -eq 141 ]
            [ ! -s err ]
        done
    done
}

@test "what cannot be is refused" {
    local engine
    for engine in splice map-write sendfile; do
        cat in | expect_failure 2 --engine "$engine: it cannot do this copy" --digest=sha256 --engine=$engine - new
    done
    cat in | expect_failure 2 --engine "the digest of a stream is made as it passes through memory" \
        --digest=sha256 --engine=splice - new
    expect_failure 2 --digest "" --digest=md5 in new
    expect_failure 2 --digest "" --digest= in new
    expect_failure 2 --digest "" --digest=SHA256 in new
    expect_failure 2 --digest "" in new --digest
    [ ! -e new ]
    both_of_stream out --engine=buffer
}

@test "a column of 64 MiB does not take long" {
    local begin passed
    head -c 64M </dev/zero | tr '\0' 'x' >wide
    for options in "--record=16 --field=4:8" "-r ::4" "--record=16 --field=4:8 -j1"; do
        begin=${EPOCHREALTIME/./}
        "$ZSLICE" --digest=sha256 $options wide out 2>err
        passed=$((${EPOCHREALTIME/./} - begin))
        echo "$options: $passed us"
        said sha256 out out
        [ "$passed" -lt 5000000 ]
    done
}
