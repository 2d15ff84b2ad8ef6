# What a small slice costs: system calls, from the opening of the source on. (Before it comes what every
# program does to start, and the options.)

load ../helper

# calls ARGUMENT...: $calls is how many there are, without the one that ends the process.
calls() {
    command -v strace >/dev/null || skip "needs strace"
    strace -f -e quiet=all -o log "$ZSLICE" "$@"
    sed -i '1,/ openat(.*"in"/{/ openat(.*"in"/!d}' log
    calls=$(grep -cv 'exit_group(' log)
    sed 's/(.*//' log | awk '{ printf "%s ", $NF } END { print "" }'
}

# expect_calls MOST ARGUMENT...: into out; what it copied is the last argument of these, a length.
expect_calls() {
    local most=$1
    shift
    calls -o 1000 "$@" in out
    echo "$calls calls, not more than $most wanted: $*"
    [ "$calls" -le "$most" ]
    tail -c +1001 in | head -c "${*: -1}" | cmp - out
}

# few_calls: in the current folder.
few_calls() {
    local length
    random_file in 3000000
    for length in 1M 300000 65536 1; do
        rm -f out
        expect_calls 12 -l $length
    done
    rm out
    expect_calls 9 -l 1
    # An old target is looked at again and emptied, and space for the slice is looked for before and after.
    random_file out 3000
    expect_calls 17 -l 1M
    expect_calls 12 -l 1
    rm out
    calls -l 1M in out # of whole blocks
    [ "$calls" -le 12 ]
}

@test "a slice of 1 MiB takes at most 12 system calls, one byte no more: where the tests are" {
    few_calls
}

@test "the same on ext4" {
    mount_file_system ext4 64
    (cd mnt.ext4 && few_calls)
}

@test "the same on tmpfs" {
    mount_file_system tmpfs 64
    (cd mnt.tmpfs && few_calls)
}

@test "the same on XFS, where more than this is shared" {
    mount_file_system xfs 300
    (cd mnt.xfs && few_calls)
}

@test "a large source costs a small slice nothing more" {
    local small
    random_file in 100000
    calls -o 1000 -l 100 in out
    small=$calls
    truncate -s 1G in
    rm out
    calls -o 1000 -l 100 in out
    [ "$calls" -le "$small" ]
}

@test "zdd: the bytes stay in the kernel, whatever bs= is" {
    random_file in 3000000
    strace -qq -f -o log "$(dirname "$ZSLICE")/zdd" if=in of=out bs=512 count=5000 skip=3 2>err
    cmp <(tail -c +1537 in | head -c 2560000) out
    grep -qx "5000+0 records in" err
    # Reads are those of the loader and of one byte that tells what a file is.
    [ "$(grep -cE '\b(read|pread64)\(' log)" -lt 10 ]
    [ "$(wc -l <log)" -lt 100 ]
}
