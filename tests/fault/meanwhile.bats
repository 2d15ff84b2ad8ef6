#!/usr/bin/env bats
# What others do to source and target while a copy is held up at a certain system call.

load ../helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    command -v strace >/dev/null || skip "needs strace"
}

# held CALL[:when=N] ARGUMENT...: starts the program, which is held for a while before that call; returns when
# it is. $held is its process; its messages go to ./err. finish waits for it and sets $status.
held() {
    local call=${1%%:*} when=
    [ "$call" = "$1" ] || when=:${1#*:}
    rm -f log err
    timeout 60 strace -f -o log -e "trace=$call,getpid" -e "inject=$call:delay_enter=400000$when" \
        "$ZSLICE" "${@:2}" 2>err 3>&- &
    held=$!
    # strace writes the call when it begins.
    for _ in {1..200}; do
        ! grep -q "$call(" log 2>/dev/null || [ "$(grep -c "$call(" log)" -lt "${when#:when=}" ] 2>/dev/null || break
        sleep 0.02
    done
    grep -q "$call(" log
}

finish() {
    status=0
    wait "$held" || status=$?
    cat err
    grep -q 'DELAYED' log
}

@test "two shards that keep holes fill one target: what the other wrote is not cut" {
    { head -c 8192 /dev/zero && head -c 8192 /dev/urandom; } >in
    held pwrite64 --shard 1/2 --keep-offset --sparse=always in out
    "$ZSLICE" --shard 2/2 --keep-offset in out
    finish
    [ "$status" -eq 0 ]
    cmp in out
    run ! grep -q ftruncate log
}

@test "--atomic: a file that is put in the target's place meanwhile is not replaced" {
    random_file in 300000
    printf old >out
    held fsync --atomic in out
    printf other >new
    mv new out
    finish
    [ "$status" -eq 1 ]
    grep -q '^zslice: out: putting the new file in its place: another file took its place meanwhile; the target is as it was' err
    [ "$(cat out)" = other ]
    [ -z "$(find . -name '.zslice*')" ]
    # And where there was none.
    held fsync --atomic in new
    printf other >new
    finish
    [ "$status" -eq 1 ]
    [ "$(cat new)" = other ]
}

@test "--atomic: a link, a FIFO or nothing in the target's place meanwhile is not replaced either" {
    local kind
    random_file in 300000
    for kind in link fifo nothing; do
        rm -f out elsewhere
        printf old >out
        printf elsewhere >elsewhere
        held fsync --atomic in out
        rm out
        case $kind in
            link) ln -s elsewhere out ;;
            fifo) mkfifo out ;;
        esac
        finish
        echo "$kind: $status"
        [ "$status" -eq 1 ]
        [ "$(cat elsewhere)" = elsewhere ]
        case $kind in
            link) [ -L out ] ;;
            fifo) [ -p out ] ;;
            nothing) [ ! -e out ] ;;
        esac
    done
}

@test "--resume: a target that grew before it was opened is refused, also if it was empty" {
    random_file in 3000000
    : >out
    # The third file that is opened after the program's libraries is the target: hold its opening.
    rm -f log
    strace -o log -e trace=openat "$ZSLICE" --resume in out
    at=$(grep -n '"out"' log | head -n 1 | cut -d : -f 1)
    : >out
    held "openat:when=$at" --resume in out
    head -c 4000000 /dev/urandom >out
    cp out out.before
    finish
    [ "$status" -eq 2 ]
    grep -q '^zslice: out: --resume: it was changed meanwhile' err
    cmp out out.before
}

@test "--digest: a source that is cut within its last page gives no digest" {
    random_file in 4000
    # With one job the digest is made after the copy: it is cut before it is mapped for that.
    strace -f -o log -e trace=sendfile,mmap "$ZSLICE" -j1 --digest=sha256 in out 2>err
    at=$(awk '/mmap\(/ { n++ } /mmap\(.*MAP_SHARED, [0-9]/ { print n; exit }' log)
    [ -n "$at" ]
    held "mmap:when=$at" -j1 --digest=sha256 in out
    truncate -s 100 in
    finish
    [ "$status" -eq 1 ]
    grep -q '^zslice: in: reading it for the digest: it shrank meanwhile' err
    run ! grep -q SHA256 err
}

@test "--in-place: what is appended while the beginning is taken out is not cut off, and exit is not 0" {
    [ "$(stat -f -c %T .)" = ext2/ext3 ] || [ "$(stat -f -c %T .)" = xfs ] || skip "needs ext4 or XFS"
    random_file in 300000
    cp in out
    held fallocate --in-place=collapse -o 8192 out
    printf appended >>out
    finish
    [ "$status" -eq 1 ]
    grep -q '^zslice: out: truncating: it was changed meanwhile: its first 291808 bytes are the slice' err
    cmp out <(tail -c +8193 in && printf appended)
    cp in out
    held fallocate --in-place=collapse -o 8192 -l 100000 out
    printf appended >>out
    finish
    [ "$status" -eq 1 ]
    cmp out <(tail -c +8193 in && printf appended)
}

@test "--in-place: a file that was written to since it was looked at is refused" {
    random_file in 300000
    cp in out
    rm -f log
    strace -o log -e trace=openat "$ZSLICE" --explain --in-place=auto -o 1 out >explained
    # The second opening is the one for writing.
    cp in out
    strace -o log -e trace=openat "$ZSLICE" --in-place=auto -o 1 out
    at=$(grep -n '"out"' log | sed -n 2p | cut -d : -f 1)
    cp in out
    held "openat:when=$at" --in-place=auto -o 1 out
    printf X | dd of=out conv=notrunc status=none
    cp out out.before
    finish
    [ "$status" -eq 2 ]
    grep -q '^zslice: out: --in-place: it was changed meanwhile' err
    cmp out out.before
}

@test "--in-place: an error of the device while the beginning is taken out is exit 1, and promises nothing" {
    local status=0
    random_file out 300000
    strace -o log -e inject=fallocate:error=EIO "$ZSLICE" --in-place=collapse -o 8192 out 2>err || status=$?
    grep -q INJECTED log
    cat err
    [ "$status" -eq 1 ]
    grep -q '^zslice: out: taking out its beginning: Input/output error; how much of that was done is not known' err
}

@test "a signal that comes before the old bytes are gone leaves them" {
    random_file in 3000000
    random_file out 100000
    cp out out.before
    held fallocate in out
    # The program's own process is the tracer's child.
    pkill -TERM -P "$held" -x strace 2>/dev/null || true
    kill -TERM "$(pgrep -f "^$ZSLICE in out" | head -n 1)"
    finish
    [ "$status" -ne 0 ]
    cmp out out.before
    run ! grep -q 'ftruncate(.*, 0)' log
}

@test "a digest that takes longer than the copy can be stopped, and reported on" {
    local status=0
    truncate -s 20G in
    "$ZSLICE" --digest=sha256 in out 2>err &
    sleep 0.5
    kill -USR1 $!
    sleep 0.3
    kill -TERM $!
    begin=${EPOCHREALTIME/./}
    wait $! || status=$?
    passed=$((${EPOCHREALTIME/./} - begin))
    cat err
    [ "$status" -eq 143 ]
    [ "$passed" -lt 500000 ]
    grep -q '^zslice: 21474836480 bytes .*so far in' err
    grep -q 'reading it for the digest: stopped by SIGTERM' err
}

@test "the time limit that somebody else has set by SIGALRM is kept" {
    local status=0
    command -v perl >/dev/null || skip "needs perl"
    perl -e 'alarm 1; exec @ARGV' "$ZSLICE" /dev/urandom /dev/null 2>err &
    sleep 0.3
    kill -USR1 $!
    wait $! || status=$?
    [ "$status" -eq 142 ]
    grep -q 'so far in' err
}
