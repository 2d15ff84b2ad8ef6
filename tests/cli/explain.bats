# --explain: what it says of a plan, and that it does nothing else.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; attach_loop sets $device
load ../helper

# explain ARGUMENT...: its output is in said.
explain() {
    "$ZSLICE" --explain "$@" >said 2>err
    [ ! -s err ]
}

# expect_unsaid PATTERN: no line of a file (default: of the output) has it.
expect_unsaid() {
    if grep -E -- "$1" "${2:-said}"; then
        return 1
    fi
}

# expect_said LINE...: each is part of a line of the output.
expect_said() {
    local line
    for line in "$@"; do
        grep -qF -- "$line" said || {
            echo "not said: $line"
            cat said
            return 1
        }
    done
}

@test "a file to a new file: both ends, the placement, the copy, the engines and why" {
    random_file in 300000
    explain -o 1000 -l 20000 in out
    expect_said "source: in, a regular file of 300000 bytes" \
        "target: out, a file that does not exist" \
        "placement: the target is created" \
        "copy: bytes 1000 to 21000 (20000), to position 0" \
        "    by sendfile, else splice, else map-write, else buffer" \
        "    because a small copy between files wants the fewest system calls"
    [ ! -e out ]
    expect_unsaid '^(share|space|sync|cache|stable|held)'
    explain -o 1000 in out
    expect_said "    by map-write, else splice, else sendfile, else buffer" \
        "    because up to 1 MiB is one write from where it lies"
    explain --sync --no-cache --no-clobber in out
    expect_said "sync: at the end" "cache: given back" "must not exist"
}

@test "every kind of plan says its engines and a reason" {
    local arguments
    random_file in 300000
    printf old >old
    while read -r arguments; do
        # shellcheck disable=SC2086 # several words
        explain $arguments
        grep -q '^source: in, ' said
        grep -q '^placement: ' said
        [ "$(grep -c '^copy: ' said)" -eq "$(grep -c '^    by [a-z]' said)" ]
        [ "$(grep -c '^copy: ' said)" -eq "$(grep -c '^    because [a-z]' said)" ]
        [ "$(grep -c '^copy: ' said)" -ge 1 ]
    done <<'END'
in out
in old
in -
in /dev/null
--append in old
--seek 1 in old
--seek 1 --truncate in old
--keep-offset -o 5 in old
--record 16 --field 4:8 in out
--record 100K -r ::2 in out
-r 0:100 -r 5:7 in out
--shard 2/3 in out
--engine buffer in out
--engine copy-range in out
-l 0 in out
--stable in -
END
    explain -r 0:100 -r 5:7 in out
    expect_said "bytes 0 to 100 (100), to position 0" "bytes 5 to 7 (2), to position 100"
    explain --record 16 --field 4:8 in out
    expect_said "by buffer" "4 of every 16 from 4 on" "gathered"
    explain --seek 1 --truncate in old
    expect_said "keeps its other bytes" "cut behind the slice"
    explain --append in old
    expect_said "the target is added to"
    explain in old
    expect_said "emptied, then written"
    explain --engine buffer in out
    expect_said "by buffer" "it is the one that is wanted"
    [ "$(cat old)" = old ]
}

@test "what would be shared, by how many threads" {
    local type
    for type in xfs btrfs; do
        mount_file_system $type 300
        truncate -s 80M mnt.$type/in
        cat mnt.$type/in >/dev/null
        explain -o 4097 --seek 1 mnt.$type/in mnt.$type/out
        expect_said "by reflink, else" "blocks of one file system are shared" \
            "share: 83877888 bytes, if the file system can" "copy: bytes 4097 to 8192 (4095), to position 1"
        [ ! -e mnt.$type/out ]
        explain --reflink=always mnt.$type/in mnt.$type/out
        expect_said "share: 83886080 bytes"
        explain --reflink=never --jobs 2 mnt.$type/in mnt.$type/out
        expect_said "by map-write, else" "buffer, with 2 threads"
        expect_unsaid '^share:'
        umount mnt.$type
    done
}

@test "an engine that would come first and cannot do it is named, with the reason" {
    random_file in 3000000
    printf old >old
    explain --append in old
    expect_said "    by map-write, else buffer" "    because of splice: it cannot append"
    explain --append -l 1000 in old
    expect_said "    by map-write, else buffer" "    because of sendfile: it cannot append"
    explain --append -l 300000 in old
    expect_said "    because up to 1 MiB"
    mkfifo fifo
    explain --stable in fifo
    expect_said "    by map-write, else buffer" "    because of splice: it may pass references" "stable: "
    explain --keep-offset -r 0:2M -r 2900000: in out # sendfile has no positions to write at
    expect_said "    because references to pages" "    because of sendfile: it cannot write at positions"
    explain --jobs 2 -l 2M in out
    expect_unsaid "threads|because of"
}

@test "streams: what is held, and nothing of them is read" {
    seq 20000 >in
    mkfifo fifo
    cat in | { explain -o 10 -l 100; cat >rest; }
    expect_said "source: standard input, a pipe" "copy: bytes 10 to 110 (100)"
    expect_same in rest
    cat in | { explain -o 10; cat >rest; }
    expect_said "copy: bytes from 10 on"
    cat in | { explain -e -500; cat >rest; }
    expect_said "held: the last 500 bytes"
    expect_same in rest
    cat in | { explain -o -500; cat >rest; }
    expect_said "held: the last 500 bytes" "copy: what that end decides"
    expect_same in rest
    { explain -o 100 - out; cat >rest; } <in
    expect_said "a regular file of 108894 bytes"
    expect_same in rest
    { head -c 50 >/dev/null; explain -o 100 - out; cat >rest; } <in
    [ ! -e out ]
    # Where head left it is head's business; explain left it there.
    tail -c "$(stat -c %s rest)" in | cmp - rest
}

@test "nothing is touched: not an old target, not a device, not what it stands at" {
    local before arguments
    random_file in 300000
    random_file old 400000
    before=$(fingerprint in old)
    for arguments in "" "--append" "--seek 5" "--seek 5 --truncate" "-k" "--sync" "--no-cache" "-j 2"; do
        # shellcheck disable=SC2086 # several words
        explain $arguments in old
        [ "$(fingerprint in old)" = "$before" ]
        # shellcheck disable=SC2086
        explain $arguments in out
        [ ! -e out ]
    done
    explain in folderless/out || true # creating it is not tried
    [ ! -e folderless ]
    mkfifo fifo
    timeout 10 "$ZSLICE" --explain in fifo >said # without waiting for a reader
    expect_said "target: fifo, a pipe"
    truncate -s 1M image
    attach_loop image
    explain in "$device"
    expect_said "a block device of 1048576 bytes"
    cmp "$device" <(head -c 1M /dev/zero)
}

# The trace: no call that changes a file, or reads one. (libc opens itself before.)
@test "no file is created, written, read, locked or moved in" {
    random_file in 20000000
    printf old >old
    for target in out old; do
        strace -f -e quiet=all -o log "$ZSLICE" --explain --sync --no-cache --jobs 2 -o 1 in $target >said
        sed -i '1,/openat(.*"in"/d' log
        grep -q 'exit_group' log
        sed -i '/preadv2(.*RWF_NOWAIT/d' log # whether a source is cached
        expect_unsaid 'O_CREAT|O_WRONLY|O_RDWR|O_TRUNC|read|splice|sendfile|copy_file|CLONE|clone' log
        expect_unsaid 'ftruncate|fallocate|unlink|sync|fadvise|lseek' log
    done
}

@test "what would be refused is refused, with the same message and status" {
    local arguments status said
    random_file in 3000
    printf old >old
    cp in both
    while read -r arguments; do
        rm -f out
        status=0
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" --explain $arguments >said 2>err || status=$?
        [ ! -s said ] || { echo "$arguments: printed" && return 1; }
        cp err err.explained
        said=$status
        status=0
        # shellcheck disable=SC2086
        "$ZSLICE" $arguments >got 2>err || status=$?
        [ "$status" -eq "$said" ] && [ "$status" -ne 0 ] || { echo "$arguments: $said, but $status" && return 1; }
        cmp err err.explained
    done <<'END'
-o 3001 in out
--exact -l 3001 in out
--no-clobber in old
--seek -4 in old
--seek 5 in /dev/null
--append --engine splice in old
--engine sendfile /dev/zero out
--reflink=always -o 1 in out
--sync in /dev/null
--stable --engine splice in /dev/null
both both
missing out
in .
. out
--shard 1/2 /dev/zero out
END
    [ "$(cat old)" = old ]
    [ ! -e out ]
}

@test "--reflink=always that only trying shows to be in vain is refused, but explained with an if" {
    mount_file_system xfs 300
    truncate -s 5M mnt.xfs/in
    expect_failure 2 out "share" --reflink=always mnt.xfs/in out
    [ ! -e out ]
    explain --reflink=always mnt.xfs/in out # what shares is found out by trying, which needs the target
    expect_said "share: 5242880 bytes, if the file system can" "    by reflink"
    expect_unsaid ", else "
    [ ! -e out ]
    printf old >out # what shows without trying is refused here, too
    expect_failure 2 out "they are on two file systems" --explain --reflink=always mnt.xfs/in out >said
    [ ! -s said ]
    [ "$(cat out)" = old ]
}

@test "what cannot be printed is a failure" {
    random_file in 1000
    expect_failure 1 "standard output" "No space left on device" --explain in out >/dev/full
    [ ! -e out ]
}

@test "names cannot drive a terminal" {
    local name=$'a\e[31m\nb'
    random_file "$name" 1000
    explain "$name" out
    [ "$(LC_ALL=C tr -d '\n' <said | LC_ALL=C tr -d '[:print:]' | wc -c)" -eq 0 ]
    [ "$(grep -c '^source: ' said)" -eq 1 ]
}

@test "--explain with --stats=json and -v: no copy was made" {
    random_file in 1000
    "$ZSLICE" --explain --stats=json in out >said 2>stats
    [ "$(statistic .bytes)" -eq 0 ]
    [ "$(statistic .exit_status)" -eq 0 ]
    [ ! -e out ]
}

@test "--explain leaves the file of --report alone" {
    printf 0123 >in
    printf old >rep
    expect_failure 2 --report "it cannot be combined with --explain" --explain --digest=sha256 --report=rep in out
    [ "$(cat rep)" = old ]
}
