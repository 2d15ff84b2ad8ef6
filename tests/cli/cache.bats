# What is left in the page cache, what is on the device, and what a reader gets: --no-cache, --sync, --stable.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; attach_loop sets $device
load ../helper

setup_file() {
    use_python
    export MOUNTED=''
    mount_for_file ext4 ext4 400
    mount_for_file xfs xfs 400
    mount_for_file btrfs btrfs 400
}

teardown_file() {
    unmount_for_file
}

# everywhere COMMAND...: runs it in the test's folder, and on each file system that could be mounted.
everywhere() {
    local name
    command -v fincore >/dev/null || skip "needs fincore"
    if [ "$(stat -f -c %T .)" != tmpfs ]; then # whose files have no other place
        echo "in $PWD"
        "$@"
    fi
    for name in $MOUNTED; do
        enter "$name"
        echo "on $name"
        "$@"
        cd "$BATS_TEST_TMPDIR" || return 1
        rm -r "$BATS_FILE_TMPDIR/$name/test.$BATS_TEST_NUMBER"
    done
}

# cached FILE: how many bytes of it are.
cached() {
    fincore -b -n -r -o RES "$1"
}

# expect_uncached FILE...
expect_uncached() {
    local file
    for file in "$@"; do
        [ "$(cached "$file")" -eq 0 ] || {
            echo "$(cached "$file") bytes of $file are cached"
            return 1
        }
    done
}

# warm FILE: all of it is cached, and on the device.
warm() {
    sync "$1"
    cat "$1" >/dev/null
    [ "$(cached "$1")" -gt 0 ]
}

every_engine() {
    local engine size
    for size in 100 300017 5000001; do
        random_file in $size
        for engine in auto copy-range splice sendfile map-write buffer; do
            warm in
            rm -f out
            "$ZSLICE" --no-cache --reflink=auto --engine=$engine -o 3 in out
            echo "$size bytes by $engine"
            expect_uncached in out
            tail -c +4 in | cmp - out
        done
    done
    warm in
    "$ZSLICE" --no-cache in out # shared, where that can be
    expect_uncached in out
    cmp in out
}

@test "--no-cache leaves nothing of either end in the cache, by every engine" {
    everywhere every_engine
}

large() {
    local jobs
    random_file in 70000003
    for jobs in 1 2; do
        warm in
        rm -f out
        "$ZSLICE" --no-cache -j $jobs -o 4097 --reflink=never in out
        expect_uncached in out
        tail -c +4098 in | cmp - out
    done
    warm in
    dd if=out iflag=nocache count=0 status=none
    expect_uncached out
    "$ZSLICE" --no-cache -o 4097 --seek 50000001 -l 45000001 in out # an old target
    expect_uncached out
    [ "$(cached in)" -le 27000000 ] # what is not of the slice is not its business
    tail -c +50000002 out | head -c 45000001 | cmp - <(tail -c +4098 in | head -c 45000001)
}

@test "--no-cache: 70 MB, with one thread and two" {
    everywhere large
}

pieces() {
    local arguments
    random_file in 20000000
    while read -r arguments; do
        rm -f out expected
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments in expected
        warm in
        # shellcheck disable=SC2086
        "$ZSLICE" --no-cache $arguments in out
        echo "$arguments"
        expect_uncached out
        cmp expected out
        # Of the source, what was used, here nearly all of it; but the kernel reads around what it maps.
        [ "$(cached in)" -le 6291456 ] || { echo "$(cached in) bytes of in are cached" && return 1; }
    done <<'END'
-r 10M: -r :10M
-r 0:7000000 -r 7000001:13000000 -r 13000000:
--record 16 --field 4:8
--record 100000 -r ::2
--record 512 -r ::3 --keep-offset
--shard 1/1 --keep-offset
END
}

@test "--no-cache: ranges, records, shards" {
    everywhere pieces
}

@test "--no-cache: pipes and standard streams" {
    random_file in 20000000
    warm in
    "$ZSLICE" --no-cache in | cat >got
    echo "$(cached in) bytes of in are cached"
    [ "$(cached in)" -le 4194304 ] # the pipe may have held the last of it
    cmp in got
    cat in | "$ZSLICE" --no-cache - out
    expect_uncached out
    cmp in out
    cat in | "$ZSLICE" --no-cache -o -5000000 - out
    expect_uncached out
    tail -c 5000000 in | cmp - out
    cat in | "$ZSLICE" --no-cache -e -5000000 - out
    expect_uncached out
    head -c -5000000 in | cmp - out
    warm in
    "$ZSLICE" --no-cache - <in >out
    expect_uncached in out
    printf before >out
    "$ZSLICE" --no-cache in >>out
    expect_uncached out
    { printf before; cat in; } | cmp - out
    "$ZSLICE" --no-cache in /dev/null
    expect_uncached in
}

@test "--no-cache: a block device" {
    random_file in 20000000
    truncate -s 24M image
    attach_loop image
    "$ZSLICE" --no-cache in "$device"
    cmp -n 20000000 in "$device"
    "$ZSLICE" --no-cache -l 20000000 "$device" out
    expect_uncached out
    cmp in out
}

# trace_sync ARGUMENT...: what it synced, line after line: call and object.
trace_sync() {
    command -v strace >/dev/null || skip "needs strace"
    strace -f -y -e quiet=all -e trace=fdatasync,fsync,sync_file_range,syncfs,sync -o log "$ZSLICE" "$@"
    sed -E "s/^[0-9]+ +([a-z_]+)\\([0-9]+<([^>]*)>.*/\\1 \\2/; s:$PWD/::; s:$PWD\$:.:" log >synced
}

@test "--sync: the target, and its folder if the target is new" {
    random_file in 300000
    mkdir folder
    trace_sync --sync in out
    [ "$(tr '\n' , <synced)" = "fdatasync out,fsync .," ]
    trace_sync --sync in folder/out
    [ "$(tr '\n' , <synced)" = "fdatasync folder/out,fsync folder," ]
    trace_sync --sync in "$PWD/folder/new"
    [ "$(tr '\n' , <synced)" = "fdatasync folder/new,fsync folder," ]
    ln -s folder/linked link
    trace_sync --sync in link
    [ "$(tr '\n' , <synced)" = "fdatasync folder/linked,fsync folder," ]
    for arguments in "in out" "--seek 5 in out" "--append in out" "-k in out" "-l 0 in out"; do
        # shellcheck disable=SC2086 # several words
        trace_sync --sync $arguments # an old one
        [ "$(tr '\n' , <synced)" = "fdatasync out," ] || { cat synced && return 1; }
    done
    trace_sync --sync in - >out
    [ "$(tr '\n' , <synced)" = "fdatasync out," ]
    trace_sync --sync -l 0 in empty
    [ "$(tr '\n' , <synced)" = "fdatasync empty,fsync .," ]
    trace_sync in out
    [ ! -s synced ]
    trace_sync in new
    [ ! -s synced ]
}

@test "--sync: what is large is written to the device as the copy goes" {
    local options
    random_file in 64000001
    for options in "" -j2 -j1 --engine=splice --engine=buffer; do
        rm -f out
        # shellcheck disable=SC2086 # none or one
        trace_sync --sync $options -o 1 in out
        [ "$(grep -c '^sync_file_range out$' synced)" -ge 6 ]
        tail -c +2 in | cmp - out
        [ "$(tail -n 2 synced | tr '\n' ,)" = "fdatasync out,fsync .," ]
    done
    # They come between the writes, not behind them all.
    strace -f -e quiet=all -e trace=write,splice,sync_file_range -o log "$ZSLICE" --sync -j1 -o 1 in out
    [ "$(awk '/sync_file_range/ { if (wrote) spells++; wrote = 0 } /write\(|splice\(/ { wrote = 1 } END { print spells + 0 }' log)" -ge 5 ]
    cat in | trace_sync --sync -o 1 - out
    [ "$(grep -c '^sync_file_range out$' synced)" -ge 6 ]
}

@test "--sync of a block device" {
    random_file in 3000000
    truncate -s 4M image
    attach_loop image
    trace_sync --sync in "$device"
    [ "$(tail -n 1 synced)" = "fdatasync $device" ]
    cmp -n 3000000 in image
}

@test "--sync: what keeps no bytes is refused" {
    random_file in 3000
    mkfifo fifo
    expect_failure 2 "standard output" "a pipe keeps no bytes" --sync in | cat >got
    [ ! -s got ]
    expect_failure 2 fifo "a pipe keeps no bytes" --sync in fifo
    expect_failure 2 /dev/null "a character device keeps no bytes" --sync in /dev/null
    for kind in unix tcp; do
        # shellcheck disable=SC2016 # for another shell
        run ! peer run --target $kind --collect got -- bash -c '"$ZSLICE" --sync in 2>err'
        expect_message "standard output" "a socket keeps no bytes"
        [ ! -s got ]
    done
}

# changed_in_between EXPECTED KIND ARGUMENT...: the source is changed after zslice has written it and before
# the reader reads it. EXPECTED: old, new (the change is seen).
changed_in_between() {
    local expected=$1 kind=$2
    shift 2
    "$PYTHON" -IS - "$expected" "$kind" "$ZSLICE" "$@" <<'PYTHON'
import os, socket, subprocess, sys

expected, kind, *command = sys.argv[1:]
SIZE = 50000
old = os.urandom(SIZE)
new = bytes(byte ^ 255 for byte in old)
with open("in", "wb") as file:
    file.write(old)
os.sync()
if kind == "pipe":
    reader, writer = os.pipe()
elif kind == "unix":
    ends = [end.detach() for end in socket.socketpair()]
    reader, writer = ends
else:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    reader, writer = near.detach(), far.detach()
subprocess.run(command, stdout=writer, check=True)
os.close(writer)
with open("in", "r+b") as file:  # the pages that are cached, in place
    file.write(new)
got = b""
while data := os.read(reader, SIZE):
    got += data
wanted = {"old": old, "new": new}[expected]
if got != wanted:
    seen = "the old bytes" if got == old else "the new ones" if got == new else "neither"
    sys.exit(f"{kind} {command[1:]}: {len(got)} bytes, {seen}")
PYTHON
}

@test "--stable: the reader gets what was there, whatever is done to the source afterwards" {
    local kind
    for kind in pipe unix tcp; do
        changed_in_between new $kind in # which is what the option is for
        changed_in_between old $kind --stable in
        changed_in_between old $kind --stable --engine map-write in
        changed_in_between old $kind --stable --engine buffer in
        changed_in_between old $kind --stable --stats=json -r 0:20000 -r 20000: in 2>stats
        [[ $(engines_used) = map-write ]]
    done
    changed_in_between new pipe --engine splice in
    changed_in_between new pipe --engine sendfile in
    changed_in_between new tcp --engine sendfile in
}

@test "--stable: of a stream that holds references to a file's pages" {
    random_file in 50000
    cp in expected
    mkfifo gate
    { "$ZSLICE" in | { sleep 0.1; "$ZSLICE" --stable; }; tr '\0-\377' '\377\0-\376' <expected >changed
        dd if=changed of=in conv=notrunc status=none; echo >gate; } | { read -r <gate; cat >got; }
    cmp expected got
    cp expected in
    { "$ZSLICE" in | { sleep 0.1; "$ZSLICE"; }
        dd if=changed of=in conv=notrunc status=none; echo >gate; } | { read -r <gate; cat >got; }
    cmp changed got
}

@test "--stable: streams that are held back, and tails" {
    local held
    seq 200000 >in
    for held in 10 5000 300000; do
        cat in | "$ZSLICE" --stable -e -$held | { sleep 0.05; cat; } >got
        head -c -$held in | cmp - got
        cat in | "$ZSLICE" --stable -o -$held | { sleep 0.05; cat; } >got
        tail -c $held in | cmp - got
    done
    cat in | "$ZSLICE" --stable -o 5 -l 700000 | cat >got
    tail -c +6 in | head -c 700000 | cmp - got
}

@test "--stable: an engine that passes references is refused, and to a file it does not matter" {
    random_file in 300000
    for engine in splice sendfile; do
        expect_failure 2 --engine "$engine: it cannot do this copy: it may pass references" \
            --stable --engine=$engine in | cat >got
        [ ! -s got ]
        "$ZSLICE" --stable --engine=$engine in out
        cmp in out
    done
    random_file in 1100000
    "$ZSLICE" --stats=json --stable -o 1 in out 2>stats
    [ "$(engines_used)" = splice ]
    cmp out <(tail -c +2 in)
}
