# --atomic: a target that is the old file or all of the new one, on four file systems. What others do
# meanwhile is tested in fault/races.bats and fault/meanwhile.bats, faults in fault/real.bats.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; set by attach_loop
load ../helper

MIB=1048576

setup_file() {
    local name
    export MOUNTED=''
    mount_for_file ext4 ext4 64
    mount_for_file xfs xfs 400
    mount_for_file btrfs btrfs 400
    mount_for_file tmpfs tmpfs 64
    cd "$BATS_FILE_TMPDIR" || return 1
    random_file in $((3 * MIB + 1234))
    # Which opening is the one of a file without a name.
    if strace -o log -e trace=openat "$ZSLICE" --atomic in out; then
        NAMELESS=$(grep openat log | grep -n O_TMPFILE | head -n 1 | cut -d : -f 1)
        export NAMELESS
    fi
    for name in $MOUNTED; do
        cp "$BATS_FILE_TMPDIR/in" "$BATS_FILE_TMPDIR/$name/in"
        sync "$BATS_FILE_TMPDIR/$name/in"
    done
}

teardown_file() {
    unmount_for_file
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$BATS_FILE_TMPDIR/in" in
}

# on_each COMMAND...: runs it in a folder of its own on each file system, with a source in.
on_each() {
    each_mounted "${file_systems:-ext4 xfs btrfs tmpfs}" with_source "$@"
}

with_source() {
    cp ../in in
    "$@"
}

# expect_tidy [FOLDER]: no temporary file is left there.
expect_tidy() {
    local left
    left=$(find "${1:-.}" -name '.zslice-*')
    [ -z "$left" ] || { echo "left behind: $left" && return 1; }
}

# without_nameless ARGUMENT...: the program, with a source in, where a file without a name cannot be had. Its
# calls are in log.
without_nameless() {
    local at=${NAMELESS-} status=0
    [ -n "$at" ] || skip "needs strace, and a file system with O_TMPFILE"
    [[ " $* " != *" - "* ]] || at=$((at - 1)) # standard input is open already
    strace -f -y -o log -e trace=openat,linkat,renameat,renameat2,fsync,fdatasync \
        -e "inject=openat:error=EOPNOTSUPP:when=$at" "$ZSLICE" --atomic "$@" || status=$?
    grep -q 'O_TMPFILE.*EOPNOTSUPP.*INJECTED' log || { echo "the fault did not fire" && return 99; }
    return $status
}

sizes() {
    local size old before
    for size in 0 1 4096 $((MIB + 1)); do
        head -c "$size" in >source
        echo "$size bytes, new"
        rm -f out
        "$ZSLICE" --atomic --stats=json source out 2>stats
        cmp source out
        [ "$(statistic .bytes)" -eq "$size" ]
        [ "$(statistic .complete)" = true ]
        [ "$(stat -c %h out)" -eq 1 ]
        for old in 0 1 5000 $((2 * MIB)); do
            echo "$size bytes instead of $old"
            rm -f out
            tail -c "$old" in >out
            before=$(stat -c %i out)
            exec 5<out
            "$ZSLICE" --atomic source out
            cmp source out
            [ "$(stat -c %i out)" -ne "$before" ]
            tail -c "$old" in | cmp - /dev/fd/5 # who has it open goes on reading the old bytes
            exec 5<&-
        done
        expect_tidy
    done
}

@test "a new and an old target of many sizes, on four file systems" {
    on_each sizes
}

@test "ranges, records, fields, shards, holes" {
    local arguments
    truncate -s 4M in
    head -c 5000 in >old
    for arguments in "-o 1" "-o 4096 -l 1M" "-o -5" "-l 0" "-r 5:10 -r 0:3 -r 2M+1M" "-r ::3 -l0" "-r ::7" \
        "--record=100 --field=3:50 -r 1K::2" "--shard=2/3 --align=4K" "--sparse=always" "--sparse=never" \
        "--no-cache" "--engine=buffer" "--engine=map-write" "--engine=sendfile"; do
        [[ $arguments != *-l0 ]] || continue
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments in expected
        cp old out
        echo "$arguments"
        # shellcheck disable=SC2086
        "$ZSLICE" --atomic $arguments in out
        cmp expected out
        rm out
        # shellcheck disable=SC2086
        "$ZSLICE" --atomic $arguments in out
        cmp expected out
        [ "$(stat -c %b out)" -le $(($(stat -c %b expected) + 8)) ]
    done
    expect_tidy
}

@test "a stream, its end, what is held back of it, and files of /proc" {
    local arguments
    head -c 5000 in >old
    for arguments in "" "-o 5" "-o -5000" "-e -5000" "-o -200000 -l 100000" "-r 5:9 -r 100:2M" "-r ::3"; do
        # shellcheck disable=SC2086 # several words
        cat in | "$ZSLICE" $arguments - >expected
        cp old out
        echo "$arguments"
        # shellcheck disable=SC2086
        cat in | "$ZSLICE" --atomic $arguments - out
        cmp expected out
    done
    for arguments in "/proc/version" "-o 2 /proc/sys/kernel/ostype" "-l 4 /proc/version" "-o -3 /proc/version"; do
        # shellcheck disable=SC2086
        "$ZSLICE" $arguments >expected
        [ -s expected ]
        cp old out
        # shellcheck disable=SC2086
        "$ZSLICE" --atomic $arguments out
        cmp expected out
    done
    { dd bs=100 count=1 status=none >/dev/null && "$ZSLICE" --atomic -l 1000 - out && head -c 5 >rest; } <in
    cmp <(tail -c +101 in | head -c 1000) out
    cmp <(tail -c +1101 in | head -c 5) rest
    expect_tidy
}

@test "--explain says it and touches nothing" {
    local target before
    printf old >out
    for target in out new; do
        before=$(fingerprint "$PWD"/* 2>&1 | sed '/explained/d'; stat -c %y .)
        "$ZSLICE" --explain --atomic -o 1000 in $target >"$BATS_FILE_TMPDIR/explained"
        grep -qx 'placement: a new file takes the target.s place when it is complete' "$BATS_FILE_TMPDIR/explained"
        [ "$(fingerprint "$PWD"/* 2>&1; stat -c %y .)" = "$before" ]
    done
    [ ! -e new ]
    mkdir folder
    expect_failure 2 folder "Is a directory" --explain --atomic in folder
    mkfifo fifo
    expect_failure 2 fifo "--atomic: it must be a regular file, not a pipe" --explain --atomic in fifo
}

# identity FILE: all that is kept of the old file.
identity() {
    stat -c '%a %u %g' "$1"
    getfacl -cnp "$1"
    getfattr -d -e hex -m '^user\.' --absolute-names "$1" | tail -n +2 | sort
}

kept() {
    local how
    for how in unnamed named; do
        rm -f out other
        printf old >out
        setfattr -n user.colour -v 0x00ff0a out || echo "no attributes there"
        chown 1234:5678 out
        chmod 6750 out
        [ $how = unnamed ] || setfacl -m u:1111:rwx,g:2222:-,m::rx out
        ln out other
        identity out >before
        if [ $how = named ]; then
            without_nameless -o 5 in out
        else
            "$ZSLICE" --atomic -o 5 in out
        fi
        echo "$how"
        tail -c +6 in | cmp - out
        identity out | diff before -
        identity other | diff before -
        [ "$(<other)" = old ]
        [ "$(stat -c %h other out | tr '\n' ' ')" = "1 1 " ]
        expect_tidy
    done
}

@test "mode, owner, access control list and attributes are kept, other hard links keep the old bytes" {
    command -v setfacl >/dev/null && command -v setfattr >/dev/null || skip "needs setfacl and setfattr"
    on_each kept
}

# expect_followed LINK FILE: the link stays, and what it leads to has the bytes.
expect_followed() {
    local before
    before=$(readlink "$1")
    "$ZSLICE" --atomic in "$1"
    [ -L "$1" ]
    [ "$(readlink "$1")" = "$before" ]
    [ ! -L "$2" ]
    cmp in "$2"
    expect_tidy
}

links() {
    local old
    mkdir -p a/b
    for old in yes no; do
        ln -sf b/file a/link
        ln -sf a/link link
        ln -sf link again
        ln -sf "$PWD/a/b/file" absolute
        ln -sf ../../other/file a/b/up
        mkdir -p other
        for place in a/link:a/b/file link:a/b/file again:a/b/file absolute:a/b/file a/b/up:other/file; do
            rm -f a/b/file other/file
            [ $old = no ] || printf old | tee a/b/file >other/file
            echo "old: $old, $place"
            expect_followed "${place%:*}" "${place#*:}"
        done
    done
    rm -f loop pool
    ln -s loop pool
    ln -s pool loop
    expect_failure 2 loop "Too many levels of symbolic links" --atomic in loop
    ln -s nofolder/file dangling
    expect_failure 2 dangling "opening its folder: No such file or directory" --atomic in dangling
    [ -L dangling ]
    expect_tidy
}

@test "symbolic links are followed, dangling ones, too, and stay" {
    on_each links
}

@test "links are followed where the new file must have a name, too, beside the old one" {
    mkdir folder
    printf old >folder/file
    ln -s folder/file link
    without_nameless in link
    [ -L link ]
    cmp in folder/file
    grep -q 'renameat2\?(.*/folder>, "\.zslice-[0-9a-f]\{16\}", .*/folder>, "file"' log
    ln -s folder/new dangling
    without_nameless in dangling
    [ -L dangling ]
    cmp in folder/new
    expect_tidy
}

@test "what is no regular file is refused, and stays what it is" {
    local target
    mkdir folder
    mkfifo fifo
    use_python
    "$PYTHON" -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    fingerprint_of() { stat --format '%n %F %i %y %a %h' folder fifo socket; }
    before=$(fingerprint_of)
    expect_failure 2 folder "writing: Is a directory" --atomic in folder
    expect_failure 2 folder/ "writing: Is a directory" --atomic in folder/
    expect_failure 2 fifo "--atomic: it must be a regular file, not a pipe" --atomic in fifo
    expect_failure 2 socket "--atomic: it must be a regular file, not a socket" --atomic in socket
    expect_failure 2 /dev/null "--atomic: it must be a regular file, not a character device" --atomic in /dev/null
    expect_failure 2 --atomic "it needs TARGET to be a file given by its path" --atomic in - >got
    expect_failure 2 --atomic "it needs TARGET to be a file given by its path" --atomic in >got
    [ ! -s got ]
    expect_failure 2 "tcp://localhost:9" "--atomic: it must be a regular file, not a socket" \
        --atomic in tcp://localhost:9
    expect_failure 2 nofolder/out "opening its folder: No such file or directory" --atomic in nofolder/out
    expect_failure 2 new/ "opening its folder: No such file or directory" --atomic in new/
    expect_failure 2 "''" "No such file or directory" --atomic in ""
    expect_failure 2 in/out "Not a directory" --atomic in in/out
    [ "$(fingerprint_of)" = "$before" ]
    [ ! -e new ]
    expect_tidy
}

@test "a block device is refused, and keeps its bytes" {
    truncate -s 4M image
    attach_loop image
    expect_failure 2 "$device" "--atomic: it must be a regular file, not a block device" \
        --atomic in "$device"
    cmp -n 4194304 "$device" /dev/zero
}

@test "the source itself is refused under each of its names" {
    local name before
    ln in hard
    ln -s in soft
    before=$(fingerprint in)
    for name in in ./in hard soft /proc/self/cwd/in; do
        expect_failure 2 "$name" "it is the source, too" --atomic -o 5 in "$name"
        expect_failure 2 "$name" "it is the source, too" --atomic -o 5 - "$name" <in
    done
    [ "$(fingerprint in)" = "$before" ]
    expect_tidy
}

@test "what it cannot be combined with" {
    local other before
    printf old >out
    before=$(fingerprint out)
    for other in --seek=0:--atomic:--seek --keep-offset:--atomic:--keep-offset --append:--atomic:--append \
        --no-clobber:--no-clobber:--atomic --resume:--resume:--atomic; do
        IFS=: read -r option object with <<<"$other"
        expect_failure 2 "$object" "it cannot be combined with $with" --atomic "$option" in out
        expect_failure 2 "$object" "it cannot be combined with $with" "$option" --atomic in out
    done
    expect_failure 2 --in-place "it cannot be combined with --atomic" --atomic --in-place=auto -o 4096 out
    expect_failure 2 --truncate "it needs --seek or --keep-offset" --atomic --truncate in out
    [ "$(fingerprint out)" = "$before" ]
    expect_tidy
}

failures() {
    local how old
    for how in unnamed named; do
        for old in yes no; do
            echo "$how, an old target: $old"
            rm -f out
            [ $old = no ] || printf old >out
            # A stream that is too short, after 3 MiB of it are written.
            status=0
            if [ $how = named ]; then
                cat in | without_nameless --exact -l 4M - out 2>err || status=$?
            else
                cat in | "$ZSLICE" --atomic --exact -l 4M - out 2>err || status=$?
            fi
            [ "$status" -eq 3 ] || { cat err && return 1; }
            check_failed $old "standard input"
            # A limit to the size of files.
            status=0
            if [ $how = named ]; then
                (ulimit -f 1024 && without_nameless in out) 2>err || status=$?
            else
                (ulimit -f 1024 && "$ZSLICE" --atomic in out) 2>err || status=$?
            fi
            [ "$status" -eq 1 ] || { cat err && return 1; }
            check_failed $old out
        done
    done
}

# check_failed OLD OBJECT
check_failed() {
    if [ "$1" = yes ]; then
        grep -q "^zslice: $2: .*; the target is as it was$" err || { cat err && return 1; }
        [ "$(<out)" = old ]
    else
        grep -q "^zslice: $2: .*; no target was created$" err || { cat err && return 1; }
        [ ! -e out ]
    fi
    expect_tidy
}

@test "a failure leaves the old target or none, and nothing beside it" {
    file_systems="ext4 tmpfs"
    on_each failures
}

@test "a full disk leaves the old target, and the bytes that it has" {
    mount_file_system tmpfs 2
    printf old >mnt.tmpfs/out
    expect_failure 1 mnt.tmpfs/out "No space left on device" --atomic in mnt.tmpfs/out
    grep -q 'the target is as it was$' err
    [ "$(<mnt.tmpfs/out)" = old ]
    # It must hold the old and the new one.
    head -c 1200000 in >half
    "$ZSLICE" half mnt.tmpfs/out
    expect_failure 1 mnt.tmpfs/out "No space left on device" --atomic half mnt.tmpfs/out
    cmp half mnt.tmpfs/out
    "$ZSLICE" -o 5 half mnt.tmpfs/out
    expect_tidy mnt.tmpfs
}

named() {
    local old
    for old in yes no; do
        rm -f out
        [ $old = no ] || { printf old >out && chmod 604 out; }
        echo "an old target: $old"
        (umask 027 && without_nameless -o 1000 in out)
        tail -c +1001 in | cmp - out
        [ "$(stat -c %a out)" = "$([ $old = yes ] && echo 604 || echo 640)" ]
        grep -q 'openat(.*"\.zslice-[0-9a-f]\{16\}", O_RDWR.*O_CREAT.*O_EXCL.*, 0600)' log
        grep -q 'renameat2\?(.*"\.zslice-[0-9a-f]\{16\}", .*"out".*) = 0' log
        run ! grep -q 'linkat(' log
        # All of it is on the device before it is there.
        [ "$(grep -nE 'fsync\(.*\.zslice-' log | head -n 1 | cut -d : -f 1)" -lt \
            "$(grep -n 'renameat' log | head -n 1 | cut -d : -f 1)" ]
        expect_tidy
    done
}

@test "where a file without a name cannot be had: one with a name nobody can guess, on four file systems" {
    on_each named
}

@test "a new target has the mode 0666 less the umask, an old one keeps its own" {
    local mask how
    for mask in 000 022 027 077 0777; do
        for how in unnamed named; do
            echo "umask $mask, $how"
            rm -f out
            if [ $how = named ]; then
                (: >log && umask $mask && without_nameless -l 9 in out)
            else
                (umask $mask && "$ZSLICE" --atomic -l 9 in out)
            fi
            [ "$(stat -c %a out)" = "$(printf %o $((0666 & ~8#$mask)))" ]
            chmod 0640 out
            (umask $mask && "$ZSLICE" --atomic -l 8 in out)
            [ "$(stat -c '%a %s' out)" = "640 8" ]
        done
    done
    expect_tidy
}

# order_of PATTERN: the line of log where it is first; 0 if it is not.
order_of() {
    local line
    line=$(grep -nE "$1" log | head -n 1 | cut -d : -f 1)
    echo "${line:-0}"
}

synced() {
    local old sync file named folder
    for old in yes no; do
        for sync in "" --sync; do
            rm -f out
            [ $old = no ] || printf old >out
            # shellcheck disable=SC2086 # none, if empty
            strace -f -y -o log -e trace=fsync,fdatasync,linkat,renameat,renameat2,write,splice,sendfile,pwrite64 \
                "$ZSLICE" --atomic $sync in out
            cmp in out
            echo "an old target: $old, $sync"
            file=$(order_of ' fsync\([0-9]+<.*(#|deleted)')
            if [ $old = yes ]; then
                named=$(order_of 'renameat2?\(.*"out"')
            else
                named=$(order_of 'linkat\(.*"out"')
            fi
            folder=$(order_of " fsync\\([0-9]+<$(pwd -P)>\\) += 0")
            [ "$file" -gt 0 ]
            [ "$file" -gt "$(grep -nE '(splice|sendfile|write)\(' log | tail -n 1 | cut -d : -f 1)" ]
            [ "$file" -lt "$named" ]
            if [ -n "$sync" ]; then
                [ "$named" -lt "$folder" ]
            else
                [ "$folder" -eq 0 ]
            fi
        done
    done
}

@test "the file is synced before it takes the place, with --sync the folder is after that" {
    command -v strace >/dev/null || skip "needs strace"
    on_each synced
}

shared() {
    local old
    for old in yes no; do
        rm -f out
        [ $old = no ] || printf old >out
        "$ZSLICE" --atomic --stats=json -o 4096 -l 2M in out 2>stats
        [ "$(statistic .shared_bytes)" -eq $((2 * MIB)) ]
        tail -c +4097 in | head -c 2M | cmp - out
        "$ZSLICE" --atomic --stats=json -o 8192 in out 2>stats # its end is not on a block
        [ "$(statistic .shared_bytes)" -eq $(((3 * MIB + 1234) / 4096 * 4096 - 8192)) ]
        tail -c +8193 in | cmp - out
        "$ZSLICE" --atomic --stats=json --reflink=always --sync --verify -l 4096 in out 2>stats
        [ "$(statistic .shared_bytes)" -eq 4096 ]
        cmp -n 4096 in out
        "$ZSLICE" --atomic --stats=json --reflink=never in out 2>stats
        [ "$(statistic .shared_bytes)" -eq 0 ]
        cmp in out
        expect_tidy
    done
    before=$(fingerprint out)
    expect_failure 2 out "no block of 4096 bytes can be shared" --atomic --reflink=always -o 1 in out
    [ "$(fingerprint out)" = "$before" ]
    expect_tidy
}

@test "blocks are shared on XFS and btrfs" {
    local name
    for name in xfs btrfs; do
        enter "$name"
        echo "on $name"
        cp --reflink=always ../in in
        sync in
        shared
    done
}

@test "who looks all the time sees the old bytes or all of the new ones" {
    local round seen=' '
    head -c 2000000 in >old
    cp in new
    cp old out
    for round in 1 2 3 4 5 6 7 8; do
        if ((round % 2)); then "$ZSLICE" --atomic --engine=buffer new out & else "$ZSLICE" --atomic old out & fi
        while kill -0 $! 2>/dev/null; do
            size=$(stat -c %s out)
            [ "$size" -eq 2000000 ] || [ "$size" -eq $((3 * MIB + 1234)) ]
            [[ $seen = *" $size "* ]] || seen+="$size "
        done
        wait $!
        if ((round % 2)); then cmp new out; else cmp old out; fi
    done
    [ "$(wc -w <<<"$seen")" -eq 2 ]
    expect_tidy
}

@test "a name as long as a name can be, and many files in turn" {
    local name
    name=$(printf '%0255d' 0)
    "$ZSLICE" --atomic in "$name"
    cmp in "$name"
    "$ZSLICE" --atomic -o 5 in "$name"
    tail -c +6 in | cmp - "$name"
    expect_failure 2 "${name}0" "File name too long" --atomic in "${name}0"
    expect_tidy
}
