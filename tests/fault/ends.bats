# Real faults of the ends: devices that cannot be read, connections that break, files and folders that
# cannot be written.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash; $device is set by attach_loop
load ../helper
load inject

setup_file() {
    use_python
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    without_faults
    random_file in 3500000
    tail -c +1001 in >expected
    random_file old 5000
}

# A loop device whose file lost its end: reading there is EIO.
@test "a device that cannot be read: it is named, with the true cause" {
    local engine ends
    random_file disk 8388608
    cp disk whole
    attach_loop disk
    source_path=$device
    truncate -s 2M disk
    if cat "$device" >/dev/null 2>&1; then
        skip "this device can be read"
    fi
    for engine in auto splice sendfile map-write buffer; do
        for ends in file-file file-pipe; do
            tail -c +1001 whole >expected
            name="$ends, $engine, an error in the middle"
            transfer $ends --engine=$engine -o 1000
            judge failed "$device" "${reason_of[EIO]}"
            [ "$good" -ge 1000000 ] || problem "only $good bytes"

            tail -c +4194305 whole >expected
            name="$ends, $engine, an error at once"
            transfer $ends --engine=$engine -o 4M
            judge failed "$device" "${reason_of[EIO]}"
        done
        old=old placement=at position=700
        name="$engine, into an existing target"
        transfer file-file --engine=$engine -o 4M --seek 700
        judge failed "$device" "${reason_of[EIO]}"
        old='' placement=whole position=0
    done
    old=old placement=at position=5000
    tail -c +1001 whole >expected
    for engine in auto map-write buffer; do
        name="$engine, appended"
        transfer file-file --engine=$engine -o 1000 --append
        judge failed "$device" "${reason_of[EIO]}"
    done
    all_good
}

# Shuts a file system down as if its device had died.
shut_down() {
    "$PYTHON" -IS -c '
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$1"
}

@test "a file system that dies under the target" {
    local type engine call
    for type in ext4 xfs; do
        for engine in splice:splice@in map-write:mmap@in buffer:pread64@in; do
            call=${engine#*:}
            engine=${engine%%:*}
            mount_file_system $type "$([ $type = xfs ] && echo 300 || echo 16)"
            target_path=mnt.$type/out
            name="$type, $engine"
            stop_at "$call" 1 file-file --engine="$engine" -o 1000
            shut_down mnt.$type
            resume
            cases=$((cases + 1))
            read_report || continue
            [ "$status" -eq 1 ] || problem "exit status $status"
            [[ $message = "zslice: $target_path: "*"${reason_of[EIO]}"* ]] || problem "the message"
            umount mnt.$type
            rm -f mnt.$type.image
        done
    done
    all_good
}

# resetting receive|send COUNT COMMAND...: COMMAND's output or input is a TCP connection whose peer takes
# or gives COUNT bytes (of in) and resets it.
resetting() {
    timeout 60 "$PYTHON" -IS -c '
import os, socket, struct, subprocess, sys, threading, time
direction, count, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
with socket.create_server(("127.0.0.1", 0)) as server:
    near = socket.create_connection(server.getsockname())
    far, _ = server.accept()
def peer():
    if direction == "send":
        far.sendall(open("in", "rb").read(count))
        time.sleep(0.2)  # for the bytes to be taken: a reset may overtake them
    else:
        left = count
        while left > 0 and (data := far.recv(min(left, 65536))):
            left -= len(data)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
end = {"stdin": near} if direction == "send" else {"stdout": near}
process = subprocess.Popen(command, **end)
near.close()
threading.Thread(target=peer, daemon=True).start()
status = process.wait()
os._exit(128 - status if status < 0 else status)' "$@"
}

# The first call after a reset says ECONNRESET and the next one EPIPE; splice and sendfile keep the first
# to themselves if they sent something. So it is a message or a silent death by SIGPIPE, as of cat.
@test "the peer resets the connection that is written to" {
    local engine count ignored
    random_file in 9500000
    for engine in auto splice sendfile map-write buffer; do
        for count in 0 1000 1500000; do
            for ignored in "" "trap '' PIPE;"; do
                name="$engine, reset after $count bytes, ${ignored:-SIGPIPE as usual}"
                without_faults bash -c "$ignored"' exec "$@"' -
                prepare_run --engine=$engine in -
                status=0
                resetting receive $count "${run[@]}" 2>err || status=$?
                cases=$((cases + 1))
                read_report || continue
                if [ "$status" -eq 141 ] && [ -z "$ignored" ]; then
                    [ -z "$message" ] || problem "killed by SIGPIPE, and a message"
                    [[ $json =~ \"bytes\":([0-9]+), ]] && good=${BASH_REMATCH[1]}
                else
                    [ "$status" -eq 1 ] || problem "exit status $status"
                    [[ $message = "zslice: standard output: writing: "* ]] || problem "which end?"
                    [[ $message = *"${reason_of[ECONNRESET]}"* || $message = *"${reason_of[EPIPE]}"* ]] ||
                        problem "for what reason?"
                    claimed_good
                fi
                [ "$good" -ge "$count" ] || problem "$good bytes, but $count were received"
                [ "$good" -lt 9500000 ] || problem "all bytes were delivered"
            done
        done
    done
    all_good
}

@test "the peer resets the connection that is read from" {
    local engine count
    for engine in auto splice buffer; do
        for count in 0 1000 1500000; do
            name="$engine, reset after $count bytes"
            rm -f out
            prepare_run --engine=$engine - out
            arrived=out status=0
            cp in expected
            resetting send $count "${run[@]}" 2>err || status=$?
            judge failed "standard input" "${reason_of[ECONNRESET]}"
        done
    done
    all_good
}

@test "a read-only file system" {
    mount_file_system tmpfs 8
    cp old mnt.tmpfs/existing
    mount -o remount,ro mnt.tmpfs
    name="a new target"
    target_path=mnt.tmpfs/out
    arrived=$target_path
    for arguments in "" "--seek 700" "--append" "--no-clobber"; do
        name="a new target, $arguments"
        # shellcheck disable=SC2086 # words
        prepare_run $arguments in "$target_path"
        status=0
        "${run[@]}" 2>err || status=$?
        judge refused "$target_path" "${reason_of[EROFS]}"
    done
    for arguments in "" "--seek 700" "--append"; do
        name="an existing target, $arguments"
        # shellcheck disable=SC2086 # words
        prepare_run $arguments in mnt.tmpfs/existing
        status=0
        "${run[@]}" 2>err || status=$?
        judge wrong-end 2 mnt.tmpfs/existing "${reason_of[EROFS]}"
        cmp old mnt.tmpfs/existing || problem "it was changed"
    done
    all_good
}

@test "immutable and append-only files and folders" {
    local folder=mnt.ext4
    # A file system of its own, so that nothing immutable is left behind.
    mount_file_system ext4 16
    for path in immutable only; do
        cp old $folder/$path
    done
    mkdir $folder/closed $folder/growing
    if ! chattr +i $folder/immutable $folder/closed || ! chattr +a $folder/only $folder/growing; then
        skip "needs chattr"
    fi
    for case in "immutable" "immutable --append" "immutable --seek=700" "only" "only --seek=700" \
        "closed/out" "closed/out --append"; do
        name="$case"
        path=$folder/${case%% *}
        # shellcheck disable=SC2086 # words
        prepare_run ${case#"${case%% *}"} in $path
        status=0
        "${run[@]}" 2>err || status=$?
        judge wrong-end 2 "$path" "${reason_of[EPERM]}"
    done
    cmp old $folder/immutable || problem "the immutable file was changed"
    cmp old $folder/only || problem "the append-only file was changed"
    [ ! -e $folder/closed/out ] || problem "there is a file in the immutable folder"

    name="append-only, --append"
    prepare_run --append -o 1000 in $folder/only
    arrived=$folder/only old=old placement=at position=5000 status=0
    "${run[@]}" 2>err || status=$?
    judge "done"

    name="append-only, >>"
    prepare_run -o 1000 in
    status=0
    "${run[@]}" 2>err >>$folder/only || status=$?
    cat old expected expected | cmp - $folder/only || problem "wrong bytes"
    [ "$status" -eq 0 ] || problem "exit status $status"

    name="append-only, and the copy fails"
    cp $folder/only was
    inject "write@$folder/only:error=EIO:when=2"
    prepare_run --append -o 1000 in $folder/only
    old=was position=$(stat -c %s was) status=0
    "${run[@]}" 2>err || status=$?
    judge failed $folder/only "${reason_of[EIO]}"
    [ "$(stat -c '%b' $folder/only)" -le $((($(stat -c %s $folder/only)) / 512 + 64)) ] ||
        problem "blocks are left: $(stat -c '%b, %s' $folder/only)"

    name="a new target in an append-only folder, and the copy fails"
    inject splice:error=EIO:when=2
    prepare_run -o 1000 in $folder/growing/out
    status=0
    "${run[@]}" 2>err || status=$?
    judge wrong-end 1 $folder/growing/out "${reason_of[EIO]}"
    [ "$(stat -c '%s %b' $folder/growing/out)" = "0 0" ] || problem "it has bytes or blocks"
    all_good
}

@test "a folder that was removed" {
    local here=$PWD
    mkdir folder
    cd folder
    rmdir "$here/folder"
    name="the current folder"
    status=0
    prepare_run "$here/in" out
    "${run[@]}" 2>"$here/err" || status=$?
    cd "$here"
    judge wrong-end 2 out "${reason_of[ENOENT]}"

    name="another folder"
    prepare_run in folder/out
    status=0
    "${run[@]}" 2>err || status=$?
    judge wrong-end 2 folder/out "${reason_of[ENOENT]}"
    [ ! -e folder ] || problem "it was made"
    all_good
}
