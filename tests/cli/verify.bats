# --verify: what the device gives back is compared with the source. What happens to either side meanwhile
# in a plain copy is in fault/real.bats.

# shellcheck disable=SC2002,SC2086 # a pipe is wanted; options are words
load ../helper

setup_file() {
    export MOUNTED=''
    mount_for_file ext4 ext4 64
    mount_for_file xfs xfs 400
    mount_for_file btrfs btrfs 400
    [ "$(id -u)" -ne 0 ] || {
        mkdir "$BATS_FILE_TMPDIR/tmpfs"
        ! mount -t tmpfs -o size=64M tmpfs "$BATS_FILE_TMPDIR/tmpfs" || MOUNTED+=' tmpfs'
    }
    random_file "$BATS_FILE_TMPDIR/in" 1500003
}

teardown_file() {
    unmount_for_file
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$BATS_FILE_TMPDIR/in" in
}

# flip FILE POSITION: another byte is there.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# held ARGUMENT...: starts the program, which stands before it gives up the target's cached pages.
held() {
    command -v strace >/dev/null || skip "needs strace"
    rm -f log err
    timeout 60 strace -f -o log -e trace=fadvise64 -e inject=fadvise64:delay_enter=300000 "$ZSLICE" "$@" 2>err 3>&- &
    held=$!
    until grep -qs 'fadvise64(' log; do
        kill -0 $held
        sleep 0.01
    done
    program=$(awk 'NR == 1 { print $1 }' log)
}

finish() {
    status=0
    wait "$held" || status=$?
    cat err
    grep -q DELAYED log
}

@test "passes on four file systems, for all that a slice can be" {
    local name arguments
    for name in ext4 xfs btrfs tmpfs; do
        enter $name
        cp "$BATS_FILE_TMPDIR/in" in
        for arguments in "" "-o 1000" "-r 5:9 -r 0:1M" "-r ::3" "--record=100 --field=3:50" "--seek=77" \
            "--shard=2/3 --keep-offset" "--sparse=always" "--atomic" "--resume" "-l 0"; do
            rm -f out plain
            "$ZSLICE" ${arguments/--atomic/} in plain
            echo "on $name: $arguments"
            "$ZSLICE" --verify $arguments in out
            cmp plain out
        done
        cd "$BATS_TEST_TMPDIR" || return 1
    done
}

@test "a byte of the target that changed is exit status 4, with both positions" {
    local arguments at of
    while IFS=: read -r arguments at of; do
        rm -f out
        echo "$arguments"
        held --verify --stats=json $arguments in out
        flip out "$at"
        cp out changed
        finish
        [ "$status" -eq 4 ]
        grep -q "^zslice: out: verifying: its byte $at differs from byte $of of in; the target stays as it is$" err
        [ "$(statistic .exit_status err)" -eq 4 ]
        [ "$(statistic .complete err)" = false ]
        cmp changed out
    done <<'END'
-o 1000:1499002:1500002
--seek=500:500:0
--shard=2/3 --keep-offset:1000001:1000001
--record=1000 --field=10+100:100:1010
END
}

@test "with --atomic the old target stays then" {
    local descriptor
    printf old >out
    held --verify --atomic in out
    descriptor=$(awk -F '[(,]' 'NR == 1 { print $2 }' log)
    flip "/proc/$program/fd/$descriptor" 70000
    finish
    [ "$status" -eq 4 ]
    grep -q "^zslice: out: verifying: its byte 70000 differs from byte 70000 of in; the target is as it was$" err
    [ "$(<out)" = old ]
    [ -z "$(find . -name '.zslice-*')" ]
}

@test "a source that changed is exit status 4, one that shrank 1, and what is not the slice's does not count" {
    held --verify in out
    flip in 300000
    finish
    [ "$status" -eq 4 ]
    grep -q "^zslice: out: verifying: its byte 300000 differs from byte 300000 of in" err
    rm out
    held --verify in out
    truncate -s 1M in
    finish
    [ "$status" -eq 1 ]
    grep -q "^zslice: in: reading it again: it ends at 1048576, before the slice does" err
    cp "$BATS_FILE_TMPDIR/in" in
    cp in out
    held --verify -l 1000 --seek=5000 in out
    flip out 4999
    flip out 6000
    finish
    [ "$status" -eq 0 ]
}

@test "what cannot be read again is exit status 1, and named" {
    local status=0
    command -v strace >/dev/null || skip "needs strace"
    : >out
    strace -o log -P "$(pwd -P)/out" -e trace=pread64 -e inject=pread64:error=EIO:when=2 "$ZSLICE" --verify in out \
        2>err || status=$?
    grep -q INJECTED log
    [ "$status" -eq 1 ]
    expect_message out "reading it again: Input/output error"
}

@test "it is synced before it is read again, and so is the folder of a new file" {
    command -v strace >/dev/null || skip "needs strace"
    strace -y -o log -e trace=fdatasync,fsync,fadvise64,pread64 "$ZSLICE" --verify in out
    [ "$(grep -E '/in>|/out>|fsync' log | head -n 3 | sed 's/(.*//' | xargs)" = "fdatasync fsync fadvise64" ]
}

@test "what it cannot be combined with" {
    cp in out
    cat in | expect_failure 2 "standard input" "--verify: it must be a file or block device" --verify - out
    expect_failure 2 --verify "it cannot be combined with --append" --verify --append in out
    expect_failure 2 --verify "it needs TARGET to be a file given by its path" --verify in - >got
    [ ! -s got ]
    expect_failure 2 /dev/null "--verify: it must be a regular file" --verify in /dev/null
    cmp in out
}

@test "--verify: a source that is cut as the target cannot be compared, and that is known before" {
    local before
    random_file in 9000
    before=$(fingerprint in)
    expect_failure 2 in "--truncate may cut what is to be compared" --verify --truncate --seek 0 -o 5000 -l 1000 in in
    [ "$(fingerprint in)" = "$before" ]
    "$ZSLICE" --verify --seek 0 -o 5000 -l 1000 in in
}
