# copy-range: copies that the server of a file system makes, on FUSE, whose server is copyfs
# (tests/fuse/copyfs.c). Its log says what it copied; its misbehaviours are those of real servers.
#
# What of them reaches a program, on Linux 6.18: EINVAL, EPERM, EIO, ENOSPC, a short count and 0 do.
# ENOSYS, EOPNOTSUPP and EXDEV do not: the kernel then copies itself, through the page cache, and the
# call succeeds. So it does between two FUSE mounts, without asking either server. Between FUSE and
# another file system the call fails with EXDEV.

# shellcheck disable=SC2002 # a pipe is wanted
load ../helper

bytes=3500000

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    servers=()
    if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/fuse ] || [ ! -x "${COPYFS:-}" ]; then
        skip "needs FUSE"
    fi
    random_file in $bytes
}

# Not the helper's: mountpoint(1) does not see the mount of a server that died. A server ends when it is
# unmounted; it is told to only if that fails.
teardown() {
    local folder server
    for folder in "$BATS_TEST_TMPDIR"/mnt.*; do
        [ "${folder%\*}" = "$folder" ] || continue # there is none
        if ! umount "$folder"; then
            umount -l "$folder" || true
            kill "${servers[@]}" 2>/dev/null || true
        fi
    done
    for server in "${servers[@]}"; do
        wait "$server" || true
    done
}

# serve NAME [MISBEHAVIOUR]...: the folder NAME, which holds in, is on mnt.NAME as well; the server,
# process $server, logs to log.NAME.
serve() {
    local name=$1
    shift
    mkdir -p "$name" "mnt.$name"
    cp in "$name/in"
    rm -f "log.$name"
    "$COPYFS" "$name" "mnt.$name" "log.$name" "$@" 3>&- &
    server=$!
    servers+=("$server")
    until mountpoint -q "mnt.$name"; do
        kill -0 "$server" 2>/dev/null || skip "cannot mount FUSE"
        sleep 0.005
    done
}

# stop NAME: unmounts it; its server, the last one started, ends well.
stop() {
    umount "mnt.$1"
    rmdir "mnt.$1"
    wait "$server"
    unset 'servers[-1]'
}

# slice OFFSET LENGTH: of in, to standard output.
slice() {
    tail -c "+$(($1 + 1))" in | head -c "$2"
}

# What the server of NAME copied, and how often it was asked to.
copied_bytes() {
    awk '$1 == "copy_file_range" && $5 > 0 { sum += $5 } END { print sum + 0 }' "log.$1"
}

copy_requests() {
    awk '$1 == "copy_file_range" { count++ } END { print count + 0 }' "log.$1"
}

# expect_server_copied NAME BYTES: the server copied so many, nobody else any, and the statistics of
# the program say the same.
expect_server_copied() {
    if [ "$(copied_bytes "$1")" -ne "$2" ] || grep -E '^(read|write) ' "log.$1"; then
        echo "expected $2 bytes, all copied by the server; its log:"
        tail -n 20 "log.$1"
        return 1
    fi
    [ "$(engines_used)" = copy-range ]
    [ "$(statistic .bytes)" -eq "$2" ]
    [ "$(statistic '.engines["copy-range"].bytes')" -eq "$2" ]
    [ "$(statistic '.engines["copy-range"].calls')" -ge "$(copy_requests "$1")" ]
    [ "$(statistic .user_copied_bytes)" -eq 0 ]
    [ "$(statistic .complete)" = true ]
}

# expect_refused VALUE: of copy-range, by the statistics; null: for no reason that the kernel gave.
expect_refused() {
    local refused
    refused=$(statistic '.refused | has("copy-range"), .["copy-range"]' | xargs)
    if [ "$refused" != "true $1" ]; then
        echo "expected that copy-range was refused by $1: $(tail -n 1 stats)"
        return 1
    fi
}

# fail_with_good STATUS OBJECT REASON TARGET ARGUMENT...: the program fails so, and the first bytes of
# TARGET, as many as the message says, are those of the file expected; there are no others. $good is how
# many.
fail_with_good() {
    local target=$4
    expect_failure "${@:1:3}" "${@:5}"
    good=0
    if [[ $(<err) =~ the\ target\'s\ first\ ([0-9]+)\ bytes\ are\ good ]]; then
        good=${BASH_REMATCH[1]}
    fi
    if [ "$good" -eq 0 ]; then
        [ ! -e "$target" ]
    else
        head -c "$good" expected | cmp - "$target"
    fi
}

@test "the server ends when it is unmounted, and its mistakes are its own" {
    serve a
    cmp in mnt.a/in
    cp mnt.a/in mnt.a/out
    cmp in a/out
    stop a
    serve a read=eio-at=2000000
    run cat mnt.a/in
    [ "$status" -ne 0 ]
    [[ $output = *"Input/output error"* ]]
    stop a
}

@test "a whole file: the server copies it" {
    serve a
    "$ZSLICE" --stats=json mnt.a/in mnt.a/out 2>stats
    expect_same in a/out
    expect_server_copied a $bytes
    expect_same in mnt.a/out
}

@test "a whole file over an older, longer one" {
    serve a
    random_file a/out 5000000
    cat mnt.a/out >/dev/null
    : >log.a
    "$ZSLICE" --stats=json mnt.a/in mnt.a/out 2>stats
    expect_same in a/out
    expect_server_copied a $bytes
    expect_same in mnt.a/out
}

@test "slices" {
    local offset length
    serve a
    while read -r offset length; do
        rm -f a/out
        : >log.a
        slice "$offset" "$length" >expected
        "$ZSLICE" --stats=json -o "$offset" -l "$length" mnt.a/in mnt.a/out 2>stats
        expect_same expected a/out
        expect_server_copied a "$length"
    done <<'END'
1024 3498976
1 3499998
4095 1000001
1048577 1048575
4096 2097152
3000000 500000
END
    slice 1024 $bytes >expected
    : >log.a
    "$ZSLICE" --stats=json -o 1024 -l 1T mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a $((bytes - 1024))
}

# Which engine is best for these is the plan's affair.
@test "small and empty slices" {
    local offset length
    serve a
    while read -r offset length; do
        rm -f a/out
        "$ZSLICE" -o "$offset" -l "$length" mnt.a/in mnt.a/out
        slice "$offset" "$length" | cmp - a/out
    done <<'END'
0 1
1024 65536
3499999 1
1000 0
3500000 0
END
    : >a/in
    "$ZSLICE" mnt.a/in mnt.a/out
    [ -e a/out ]
    [ ! -s a/out ]
}

@test "--seek into an existing target leaves its other bytes" {
    serve a
    random_file before 2000000
    cp before a/out
    cat mnt.a/out >/dev/null # so that there are cached pages that the copy makes stale
    : >log.a
    { head -c 4097 before; slice 1023 1000001; tail -c +1004099 before; } >expected
    "$ZSLICE" --stats=json -o 1023 -l 1000001 --seek 4097 mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a 1000001
    expect_same expected mnt.a/out

    : >log.a
    { head -c 4097 before; slice 1023 1000001; } >expected
    "$ZSLICE" --stats=json -o 1023 -l 1000001 --seek 4097 --truncate mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a 1000001
}

@test "--seek beyond the end of a target leaves a hole" {
    serve a
    { head -c 5000000 /dev/zero; cat in; } >expected
    "$ZSLICE" --stats=json --seek 5000000 mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a $bytes
}

@test "within one file" {
    serve a
    { head -c 2000001 in; slice 1024 1000000; tail -c +3000002 in; } >expected
    "$ZSLICE" --stats=json -o 1024 -l 1000000 --seek 2000001 mnt.a/in mnt.a/in 2>stats
    expect_same expected a/in
    expect_server_copied a 1000000
}

@test "--keep-offset, one range and several" {
    serve a
    random_file a/out $bytes
    { head -c 1024 a/out; slice 1024 2000000; tail -c +2001025 a/out; } >expected
    "$ZSLICE" --stats=json -k -o 1024 -l 2000000 mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a 2000000

    : >log.a
    rm a/out
    { head -c 1023 /dev/zero; slice 1023 500000; head -c 998977 /dev/zero; slice 1500000 300000; } \
        >expected
    "$ZSLICE" --stats=json -k -r 1500000+300000 -r 1023+500000 mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a 800000
}

@test "several ranges, in any order, with overlaps" {
    serve a
    { slice 2000000 500000; slice 1024 1000000; slice 500000 400001; slice 3300000 200000; } >expected
    "$ZSLICE" --stats=json -r 2000000+500000 -r 1024+1000000 -r 500000:900001 -r -200000: \
        mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    expect_server_copied a 2100001
}

# Many short copies may cost more than they save: whose they are is the plan's affair.
@test "records" {
    local arguments
    serve a
    for arguments in "-r ::2 --record 65536" "--record 65536 --field 100:20000" "--record 16 --field 4:8" \
        "--record 1M --field 1:-1" "--record 65536 --field 100:20000 --keep-offset"; do
        rm -f a/out out
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments in out
        # shellcheck disable=SC2086
        "$ZSLICE" $arguments mnt.a/in mnt.a/out
        expect_same out a/out
    done
}

@test "inherited descriptors are left behind the last byte" {
    serve a
    { printf abc; slice 1024 1000000; printf xyz; } >expected
    { printf abc; "$ZSLICE" --stats=json -o 1024 -l 1000000 mnt.a/in 2>stats; printf xyz; } >mnt.a/out
    expect_same expected a/out
    [ "$(copied_bytes a)" -eq 1000000 ]
    [ "$(engines_used)" = copy-range ]

    : >log.a
    { "$ZSLICE" -l 1000000 - mnt.a/one; "$ZSLICE" -o 24 -l 1000000 - mnt.a/two; cat >rest; } <mnt.a/in
    slice 0 1000000 | cmp - a/one
    slice 1000024 1000000 | cmp - a/two
    slice 2000024 $bytes | cmp - rest
    [ "$(copied_bytes a)" -eq 2000000 ]
}

# copy_file_range(2) fails with EBADF on what is open for appending.
@test "appending goes by another way" {
    serve a
    { printf abc; cat in; slice 1024 $bytes; } >expected
    printf abc >a/out
    "$ZSLICE" --append mnt.a/in mnt.a/out
    "$ZSLICE" -o 1024 mnt.a/in >>mnt.a/out
    expect_same expected a/out
    [ "$(copied_bytes a)" -eq 0 ]
}

@test "shards at the same time" {
    local shard shards=()
    serve a
    for shard in 1 2 3 4; do
        "$ZSLICE" --stats=json --shard $shard/4 -k mnt.a/in mnt.a/out 2>stats.$shard 3>&- &
        shards+=($!)
    done
    for shard in "${shards[@]}"; do
        wait "$shard"
    done
    expect_same in a/out
    [ "$(copied_bytes a)" -eq $bytes ]
    for shard in 1 2 3 4; do
        [ "$(engines_used stats.$shard)" = copy-range ]
    done
}

@test "short copies are continued" {
    local most length
    while read -r most length; do
        serve a copy=short="$most"
        rm -f a/out
        slice 1024 "$length" >expected
        "$ZSLICE" --stats=json -o 1024 -l "$length" mnt.a/in mnt.a/out 2>stats
        expect_same expected a/out
        expect_server_copied a "$length"
        [ "$(copy_requests a)" -eq $(((length + most - 1) / most)) ]
        stop a
    done <<'END'
97 200000
65537 3000000
1000000 3498976
END
}

@test "0 before the end is not the end: the next engine goes on" {
    serve a copy=zero
    slice 1024 $bytes >expected
    "$ZSLICE" --stats=json -o 1024 mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    [ "$(copy_requests a)" -ge 1 ]
    expect_refused null
    [ "$(statistic .complete)" = true ]

    slice 1024 500000 >expected
    "$ZSLICE" --stats=json -r 1024+200000 -r 201024+300000 mnt.a/in mnt.a/out 2>stats
    expect_same expected a/out
    { printf abc; "$ZSLICE" -o 1024 -l 500000 mnt.a/in; printf xyz; } >mnt.a/out
    { printf abc; cat expected; printf xyz; } | cmp - a/out
}

# The kernel copies itself, so that the call succeeds; that the program counts it as copy-range's is
# right as far as it can know.
@test "a server that cannot copy" {
    local misbehaviour
    slice 1024 $bytes >expected
    for misbehaviour in enosys eopnotsupp exdev; do
        serve a copy=$misbehaviour
        rm -f a/out
        "$ZSLICE" --stats=json -o 1024 mnt.a/in mnt.a/out 2>stats
        expect_same expected a/out
        [ "$(copy_requests a)" -ge 1 ]
        [ "$(copied_bytes a)" -eq 0 ]
        [ "$(statistic .complete)" = true ]
        [ "$(statistic .user_copied_bytes)" -eq 0 ]
        stop a
    done
}

@test "a server that refuses: the next engine does it" {
    local misbehaviour
    slice 1024 $bytes >expected
    for misbehaviour in einval eperm; do
        serve a copy=$misbehaviour
        rm -f a/out
        "$ZSLICE" --stats=json -o 1024 mnt.a/in mnt.a/out 2>stats
        expect_same expected a/out
        [ "$(copy_requests a)" -ge 1 ]
        [ "$(copied_bytes a)" -eq 0 ]
        expect_refused ${misbehaviour^^}
        [[ " $(engines_used) " != *" copy-range "* ]]
        [ "$(statistic .complete)" = true ]
        stop a
    done
}

@test "a server that fails: the error, and what is there is good" {
    slice 1024 $bytes >expected
    serve a copy=eio
    fail_with_good 1 mnt.a/out "Input/output error" a/out -o 1024 mnt.a/in mnt.a/out
    [ "$good" -eq 0 ]
    stop a
    serve a copy=enospc
    fail_with_good 1 mnt.a/out "No space left on device" a/out -o 1024 mnt.a/in mnt.a/out
    [ "$good" -eq 0 ]
    stop a
    serve a copy=eio-after=1000000
    fail_with_good 1 mnt.a/out "Input/output error" a/out -o 1024 mnt.a/in mnt.a/out
    [ "$good" -eq 1000000 ]
    [ "$(copied_bytes a)" -eq 1000000 ]
}

@test "a server that fails in the second range, and in a target that exists" {
    serve a copy=eio-after=300000
    { slice 0 200000; slice 1000000 200000; } >expected
    fail_with_good 1 mnt.a/out "Input/output error" a/out -r :200000 -r 1000000+200000 mnt.a/in mnt.a/out
    [ "$good" -eq 300000 ]
    stop a

    serve a copy=eio-after=300000
    random_file before 2000000
    cp before a/out
    { head -c 1000 before; slice 1024 300000; tail -c +301001 before; } >expected
    expect_failure 1 mnt.a/out "300000 bytes from position 1000 on are good" \
        -o 1024 -l 500000 --seek 1000 mnt.a/in mnt.a/out
    expect_same expected a/out
}

# The server's first answer ends right before the bad position: the next byte cannot be read.
@test "a source that cannot be read: the source is named" {
    slice 1024 $bytes >expected
    serve a read=eio-at=$((1024 + 20 * 65536))
    fail_with_good 1 mnt.a/in "Input/output error" a/out -o 1024 mnt.a/in mnt.a/out
    [ "$good" -gt 1000000 ]
    [ "$good" -le $((20 * 65536)) ]
}

# The server fails at a block of 64 KiB, of which the first pages can be read: a read of the next byte
# does not tell which end is at fault.
@test "a source that cannot be read somewhere in what the server would not copy" {
    slice 1024 $bytes >expected
    serve a read=eio-at=2000000
    fail_with_good 1 mnt.a/in "Input/output error" a/out -o 1024 mnt.a/in mnt.a/out
    [ "$good" -ge 1900000 ]
    [ "$good" -le $((2000000 - 1024)) ]
}

@test "a source that cannot be read, and a server that cannot copy" {
    local misbehaviour
    slice 1024 $bytes >expected
    for misbehaviour in copy=enosys copy=einval copy=zero; do
        serve a $misbehaviour read=eio-at=2000000
        rm -f a/out
        fail_with_good 1 mnt.a/in "Input/output error" a/out -o 1024 mnt.a/in mnt.a/out
        [ "$good" -ge 1900000 ]
        [ "$good" -le $((2000000 - 1024)) ]
        stop a
    done
}

@test "between two mounts: neither server copies" {
    serve a
    serve b
    slice 1024 $bytes >expected
    "$ZSLICE" --stats=json -o 1024 mnt.a/in mnt.b/out 2>stats
    expect_same expected b/out
    [ "$(statistic .complete)" = true ]
    [ "$(copy_requests a)" -eq 0 ]
    [ "$(copy_requests b)" -eq 0 ]
}

@test "from FUSE to another file system, and back" {
    serve a
    slice 1024 $bytes >expected
    "$ZSLICE" --stats=json -o 1024 mnt.a/in out 2>stats
    expect_same expected out
    expect_refused EXDEV
    [[ " $(engines_used) " != *" copy-range "* ]]
    "$ZSLICE" --stats=json -o 1024 in mnt.a/out 2>stats
    expect_same expected a/out
    [[ " $(engines_used) " != *" copy-range "* ]]
    { printf abc; "$ZSLICE" -o 1024 mnt.a/in; printf xyz; } >out
    { printf abc; cat expected; printf xyz; } | cmp - out
    [ "$(copy_requests a)" -eq 0 ]
}

@test "FUSE files that are read and written from front to back only" {
    serve a nonseekable
    slice 1024 1000000 >expected
    "$ZSLICE" -o 1024 -l 1000000 mnt.a/in mnt.a/out
    expect_same expected a/out
    "$ZSLICE" -o 1024 -l 1000000 mnt.a/in >mnt.a/out
    expect_same expected a/out
    expect_failure 2 --engine "cannot do this copy" --engine=copy-range mnt.a/in mnt.a/out
    expect_same expected a/out
}

@test "forced: it does the copy" {
    local length
    serve a copy=short=100000
    for length in 1 1000 $((bytes - 1024)); do
        : >log.a
        slice 1024 $length >expected
        "$ZSLICE" --stats=json --engine=copy-range -o 1024 -l $length mnt.a/in mnt.a/out 2>stats
        expect_same expected a/out
        expect_server_copied a $length
    done
}

@test "forced: refused by the plan where there is no such call" {
    serve a
    mkfifo fifo
    printf precious >a/out
    expect_failure 2 --engine "cannot do this copy" --engine=copy-range mnt.a/in /dev/null
    expect_failure 2 --engine "cannot do this copy" --engine=copy-range /dev/zero mnt.a/out
    expect_failure 2 --engine "cannot do this copy" --engine=copy-range --append mnt.a/in mnt.a/out
    expect_failure 2 --engine "cannot do this copy" --engine=copy-range mnt.a/in >>mnt.a/out
    cat in | expect_failure 2 --engine "cannot do this copy" --engine=copy-range - mnt.a/out
    { expect_failure 2 --engine "cannot do this copy" --engine=copy-range mnt.a/in - && touch refused; } | cat
    [ -e refused ]
    [ "$(cat a/out)" = precious ]
    [ "$(copy_requests a)" -eq 0 ]
}

@test "forced: a refusal of the kernel or the server is not made up for" {
    local misbehaviour status
    serve a
    # By the plan, or by the kernel (EXDEV).
    status=0
    "$ZSLICE" --engine=copy-range mnt.a/in out 2>err || status=$?
    [ $status -eq 2 ]
    grep 'cannot do this copy' err
    [ ! -e out ]
    stop a

    serve a copy=einval
    expect_failure 2 mnt.a/out "Invalid argument; --engine=copy-range cannot do this copy" \
        --engine=copy-range mnt.a/in mnt.a/out
    [ ! -e a/out ]
    stop a

    # The read(2) that finds that this is not the end may leave its bytes in the target.
    slice 1024 $bytes >expected
    serve a copy=zero
    status=0
    "$ZSLICE" --engine=copy-range -o 1024 mnt.a/in mnt.a/out 2>err || status=$?
    [ $status -eq 1 ] || [ $status -eq 2 ]
    [ "$(wc -l <err)" -eq 1 ]
    if [ -e a/out ]; then
        [ "$(stat -c %s a/out)" -le 65536 ]
        head -c "$(stat -c %s a/out)" expected | cmp - a/out
    fi
}

# Whether it works there or is refused is open: the kernel's own copying would do (ext4 and tmpfs of
# Linux 6.18 take the call within one file system), but no server is there to gain from.
@test "forced, where there is no server: it is done or refused" {
    local status=0
    "$ZSLICE" --stats=json --engine=copy-range -o 1024 in out 2>err || status=$?
    if [ $status -eq 0 ]; then
        slice 1024 $bytes | cmp - out
        [ "$(engines_used err)" = copy-range ]
    else
        [ $status -eq 2 ]
        grep 'cannot do this copy' err
        [ ! -e out ]
    fi
}

@test "by itself, not where there is no server" {
    "$ZSLICE" --stats=json -o 1024 in out 2>stats
    slice 1024 $bytes | cmp - out
    [[ " $(engines_used) " != *" copy-range "* ]]
}
