#!/usr/bin/env bats
# zdd does what GNU dd does: compared with it, on random operands and in what people use dd for.

load ../helper

setup_file() {
    use_python
    ZDD=$(dirname "$ZSLICE")/zdd
    export ZDD
    # The random comparison is with a GNU dd that is new enough.
    [[ $(dd --version | head -n 1) =~ coreutils\)\ 9\.([0-9]+) && ${BASH_REMATCH[1]} -ge 1 ]] || skip "needs GNU dd 9"
}

# both SETUP OPERAND...: runs both programs, each in a folder of its own that SETUP filled; their exit statuses
# must be the same, and their files, and what they print but for times, rates and names.
both() {
    local program status
    for program in dd "$ZDD"; do
        rm -rf "files.${program##*/}"
        mkdir "files.${program##*/}"
        (
            cd "files.${program##*/}" || exit
            eval "$1"
            status=0
            timeout 60 "$program" "${@:2}" 2>err </dev/null || status=$?
            echo "$status" >status
        )
    done
    alike
}

alike() {
    local program
    for program in dd zdd; do
        # The words for errors differ, and are no concern of this.
        sed -Ei -e 's/ copied, .*/ copied/' -e '/^z?dd: .*(failed|error|reading|writing|cannot|opening)/d' "files.$program/err"
    done
    diff -r files.dd files.zdd
}

@test "random operands: GNU dd and zdd agree on bytes, statistics, positions, exit status" {
    local cases=2500
    ! grep -q __asan_init "$ZDD" || cases=800
    "$PYTHON" -IS "$PROJECT/tests/cli/dd.py" "$ZDD" "$cases" /dev/shm
}

@test "the comparison finds programs that are wrong" {
    local real=$ZDD
    # wrong_program NAME COMMAND
    wrong_program() {
        printf '#!/bin/bash\n%s\n' "$2" >"$1"
        chmod +x "$1"
        ZSLICE_SEED=1 run -1 "$PYTHON" -IS "$PROJECT/tests/cli/dd.py" "./$1" 300
        [[ $output == *"FAILED: case "* ]] || { echo "not found out: $1"; false; }
    }
    wrong_program nothing 'exit 0'
    wrong_program never_notrunc "exec '$real' \"\${@//notrunc/sync}\""
    wrong_program loses_status "'$real' \"\$@\"; exit 0"
    wrong_program reads_all "'$real' \"\$@\"; status=\$?; cat >/dev/null; exit \$status"
    wrong_program miscounts "'$real' \"\$@\" 2> >(sed 's/0+1 records/1+0 records/' >&2)"
    wrong_program other_blocks "exec '$real' \"\${@/#ibs=/obs=}\""
}

@test "what changes bytes is refused and sent to GNU dd" {
    local operand
    printf abcd >in
    for operand in conv={ascii,ebcdic,ibm,block,unblock,swab,lcase,ucase} conv=notrunc,swab cbs=80; do
        run -1 --separate-stderr "$ZDD" if=in of=out "$operand"
        # shellcheck disable=SC2154 # set by run
        [ "$stderr" = "zdd: $operand: it would change bytes; use GNU dd for that (see zdd --help)" ]
        [ ! -e out ]
    done
}

@test "wrong operands: one message, exit 1, nothing touched" {
    local operand
    printf abcd >in
    for operand in nothing frob=1 bs=0 bs= bs=x bs=1xB count=-1 count=9223372036854775808 conv=odd conv= iflag=cio \
        oflag=fullblock status=much --bs=1 -x iflag=direct,nocache oflag=nocache,direct conv=excl,nocreat \
        bs=9223372036854775807 skip=1Y "if"; do
        run -1 --separate-stderr "$ZDD" if=in of=out "$operand"
        [[ $stderr == "zdd: ${operand%%,nocreat}"*"(see zdd --help)" || $stderr == "zdd: "[io]flag=direct:* ]] || {
            echo "$operand: $stderr"
            false
        }
        [[ $stderr != *$'\n'* ]]
        [ ! -e out ]
    done
}

@test "a file is not emptied by being copied to itself" {
    printf abcd >in
    ln in link
    for target in in link; do
        run -1 "$ZDD" if=in of="$target"
        [[ $output == "zdd: $target: writing: it is the source, too"* ]]
        run -1 "$ZDD" bs=1 seek=1 if=in of="$target"
        [ "$(cat in)" = abcd ]
    done
    "$ZDD" if=in of=in conv=notrunc status=none
    "$ZDD" bs=1 count=1 seek=4 if=in of=link status=none
    [ "$(cat in)" = abcda ]
}

@test "moving within a file, to the front and to the back" {
    # shellcheck disable=SC2016 # for eval
    local files='seq 2000 >f'
    both "$files" if=f of=f bs=100 skip=5 conv=notrunc
    both "$files" if=f of=f bs=100 skip=5 count=7 conv=notrunc
    both "$files" if=f of=f bs=100 skip=5 seek=7 count=20 conv=notrunc
    both "$files" if=f of=f bs=1 seek=1 count=500 conv=notrunc
}

@test "of a pipe one read is one block, unless they are to be full" {
    slowly() {
        printf abc && sleep 0.3 && printf defgh
    }
    [ "$(slowly | "$ZDD" bs=6 count=1 2>err)" = abc ]
    [ "$(slowly | "$ZDD" bs=6 count=1 iflag=fullblock 2>err)" = abcdef ]
    [ "$(head -n 1 err)" = "1+0 records in" ]
    [ "$(slowly | "$ZDD" bs=6 count=2 2>err)" = abcdefgh ]
    grep -qx "zdd: warning: partial read (3 bytes); suggest iflag=fullblock" err
    grep -qx "0+2 records in" err
    [ "$(slowly | "$ZDD" bs=6 skip=1 2>err)" = defgh ]
    [ "$(slowly | "$ZDD" bs=4 conv=sync count=2 status=none | tr '\0' .)" = abc.defg ]
}

@test "of a terminal one read is one line" {
    "$PYTHON" -IS - "$ZDD" <<'PYTHON'
import os, pty, subprocess, sys
parent, child = pty.openpty()
program = subprocess.Popen([sys.argv[1], "bs=100", "count=1"], stdin=child, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
os.write(parent, b"one line\nanother\n")
assert program.communicate(timeout=20)[0] == b"one line\n"
PYTHON
}

@test "two of them share standard input and output" {
    seq 1000 >in
    { "$ZDD" bs=10 count=3 status=none && "$ZDD" bs=1 skip=5 count=7 status=none && cat; } <in >ours
    { dd bs=10 count=3 status=none && dd bs=1 skip=5 count=7 status=none && cat; } <in >theirs
    cmp ours theirs
    { "$ZDD" if=in bs=9 count=1 seek=2 status=none && "$ZDD" if=in bs=9 count=1 seek=1 status=none; } >ours
    { dd if=in bs=9 count=1 seek=2 status=none && dd if=in bs=9 count=1 seek=1 status=none; } >theirs
    cmp ours theirs
}

@test "where one write is one message, each block is one" {
    "$PYTHON" -IS - "$ZDD" <<'PYTHON'
import os, socket, subprocess, sys
socket.setdefaulttimeout(10) # what does not arrive is a failure, and not waited for
DGRAM, SEQPACKET = socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
def run(*operands, **streams):
    done = subprocess.run([sys.argv[1], "status=noxfer", *operands], stderr=subprocess.PIPE, timeout=20, **streams)
    assert done.returncode == 0, done.stderr
    return done.stderr.decode()
with open("in", "wb") as file:
    file.write(b"0123456789abcdef")
for kind in DGRAM, SEQPACKET:
    for operands, expected in ((["bs=5"], [5, 5, 5, 1]), (["ibs=3", "obs=7"], [7, 7, 2])):
        here, there = socket.socketpair(socket.AF_UNIX, kind)
        run("if=in", *operands, stdin=subprocess.DEVNULL, stdout=there)
        assert [len(here.recv(100)) for _ in expected] == expected
    here, there = socket.socketpair(socket.AF_UNIX, kind)
    for message in b"abc", b"defghijk", b"lm":
        here.send(message)
    read, write = os.pipe()
    # Of a message that is longer than a block, the rest is lost.
    assert "1+2 records in\n" in run("bs=4", "count=3", stdin=there, stdout=write)
    assert os.read(read, 100) == b"abcdefglm"
udp = socket.socket(socket.AF_INET, DGRAM)
udp.bind(("127.0.0.1", 0))
sender = socket.socket(socket.AF_INET, DGRAM)
sender.connect(udp.getsockname())
run("if=in", "bs=6", stdin=subprocess.DEVNULL, stdout=sender)
assert [udp.recv(100) for _ in range(3)] == [b"012345", b"6789ab", b"cdef"]
read, write = os.pipe2(os.O_DIRECT)
os.set_blocking(read, False)
run("if=in", "bs=6", stdin=subprocess.DEVNULL, stdout=write)
assert [os.read(read, 100) for _ in range(3)] == [b"012345", b"6789ab", b"cdef"]
# As a source, such a pipe loses nothing of packets that are longer than a block.
os.set_blocking(read, True)
os.write(write, b"0123456789")
os.close(write)
done = subprocess.run([sys.argv[1], "bs=4", "status=none"], stdin=read, stdout=subprocess.PIPE, timeout=20)
assert done.stdout == b"0123456789"
PYTHON
}

@test "a file that is both standard input and standard output" {
    local operands program
    for operands in "count=3" "count=1 skip=1" "bs=1000 count=2 conv=notrunc" "bs=100 count=2 seek=1"; do
        for program in dd "$ZDD"; do
            seq 300 >"${program##*/}.file"
            # shellcheck disable=SC2086,SC2094 # several operands; one file is what this is about
            timeout 20 "$program" $operands status=none <"${program##*/}.file" 1<>"${program##*/}.file"
        done
        cmp dd.file zdd.file
    done
}

@test "conv=fsync of what keeps no bytes fails, after the bytes were delivered" {
    local status=0
    printf abc >in
    { "$ZDD" if=in conv=fsync 2>err || echo $? >status; } | cat >out
    [ "$(cat status)" = 1 ]
    cmp in out
    grep -qx "zdd: standard output: syncing: Invalid argument" err
    grep -qx "3 bytes copied, .*" err
}

@test "a file system without fdatasync is synced by fsync" {
    command -v strace >/dev/null || skip "needs strace"
    seq 100 >in
    strace -qq -o log -e inject=fdatasync:error=EINVAL "$ZDD" if=in of=out conv=fdatasync status=none
    grep -q 'fdatasync.*INJECTED' log
    grep -qE ' *fsync\([0-9]+\) += 0' log
    cmp in out
}

@test "file names are names" {
    mkdir tcp:
    printf abc | "$ZDD" of=tcp://x status=none
    [ "$(cat tcp:/x)" = abc ]
    [ "$("$ZDD" if=tcp://x status=none)" = abc ]
    printf abc >./-
    "$ZDD" if=- of=copy status=none
    cmp ./- copy
    printf abcd | "$ZDD" of=- status=none
    [ "$(cat ./-)" = abcd ]
    printf xyz >$'new\nline\e'
    run -1 "$ZDD" if=$'new\nline\e' of=/
    run -1 "$ZDD" if=$'no\nfile\e'
    [ "$output" = 'zdd: no\nfile\x1b: opening: No such file or directory' ]
}

@test "a file is made as long as seek= says, though nothing is written" {
    "$ZDD" if=/dev/null of=out bs=1 seek=5G status=none
    [ "$(stat --format '%s %b' out)" = "5368709120 0" ]
    "$ZDD" if=/dev/zero of=out bs=1M count=0 seek=10 status=none
    [ "$(stat --format %s out)" -eq 10485760 ]
    "$ZDD" if=/dev/null of=out bs=1M seek=20 conv=notrunc status=none
    [ "$(stat --format %s out)" -eq 10485760 ]
}

@test "conv=excl and nocreat" {
    printf abc >in
    "$ZDD" if=in of=out conv=excl status=none
    run -1 "$ZDD" if=in of=out conv=excl
    [ "$output" = "zdd: out: creating: File exists" ]
    run -1 "$ZDD" if=in of=missing conv=nocreat
    [ "$output" = "zdd: missing: opening: No such file or directory" ]
    [ ! -e missing ]
    "$ZDD" if=in of=out conv=nocreat,notrunc status=none
    ln -s nowhere link
    run -1 "$ZDD" if=in of=link oflag=nofollow
    [ ! -e nowhere ]
    "$ZDD" if=in of=link status=none
    cmp in nowhere
}

@test "blocks that cannot be read: as GNU dd leaves them out, or fills them" {
    local conversions blocks when program
    command -v strace >/dev/null || skip "needs strace"
    random_file random 20000
    for conversions in noerror noerror,sync sync,noerror,notrunc; do
        for blocks in bs=512 ibs=1000 bs=4096 "ibs=300 obs=700"; do
            for when in 1 2 3..4 1..5; do
                for program in dd "$ZDD"; do
                    rm -rf "files.${program##*/}"
                    mkdir "files.${program##*/}"
                    (
                        cd "files.${program##*/}" || exit
                        cp ../random in
                        # shellcheck disable=SC2086 # two operands
                        strace -qq -o ../log -P "$PWD/in" -e trace=read -e "inject=read:error=EIO:when=$when" \
                            "$program" if=in of=out $blocks conv=$conversions 2>err || echo "$?" >status
                        grep -q INJECTED ../log
                        grep -c "Input/output error" err >count
                    )
                done
                echo "$conversions $blocks $when"
                alike
            done
        done
    done
}

@test "a read that fails otherwise: what was read is written, exit 1, statistics" {
    local status=0
    command -v strace >/dev/null || skip "needs strace"
    seq 2000 >in
    strace -qq -o log -P "$PWD/in" -e trace=read -e inject=read:error=EIO:when=4 "$ZDD" if=in of=out ibs=100 obs=1000 \
        conv=sync 2>err || status=$?
    grep -q INJECTED log
    [ "$status" -eq 1 ]
    cmp <(head -c 300 in) out
    grep -q "^zdd: in: reading: Input/output error" err
    grep -qx "3+0 records in" err
    grep -qx "0+1 records out" err
}

@test "direct: past the page cache, with an end that does not fit, on ext4 and XFS" {
    local type
    need_root
    for type in ext4 xfs; do
        mount_file_system $type 320
        random_file "mnt.$type/in" 1001001
        strace -qq -o log -e trace=openat "$ZDD" bs=64K iflag=direct oflag=direct if="mnt.$type/in" of="mnt.$type/out" 2>err
        grep -qE '"mnt.*/in", .*O_DIRECT' log
        grep -qE '"mnt.*/out", .*O_DIRECT' log
        cmp "mnt.$type/in" "mnt.$type/out"
        grep -qx "15+1 records in" err
        run -1 "$ZDD" bs=100 iflag=direct if="mnt.$type/in"
        [[ $output == *"reading: Invalid argument"* ]]
    done
}

@test "sync flags wait for the device, conv=fsync at the end" {
    seq 100 >in
    strace -qq -f -o log "$ZDD" bs=100 if=in of=out oflag=dsync status=none
    grep -qE '"out".*O_DSYNC' log
    [ "$(grep -c '^[0-9]* *write(' log)" -eq 3 ]
    strace -qq -f -o log "$ZDD" bs=100 if=in of=out conv=fdatasync status=none
    grep -qE 'f(data)?sync\(' log
    cmp in out
}

@test "nocache with count=0 gives the cache of a file back" {
    need_root
    mount_file_system ext4 64
    random_file mnt.ext4/in 4194304
    sync mnt.ext4/in
    strace -qq -o log "$ZDD" if=mnt.ext4/in iflag=nocache count=0 status=none
    grep -qE 'fadvise64\([0-9]+, 0, 0, POSIX_FADV_DONTNEED\) = 0' log
    run -1 "$ZDD" iflag=nocache count=0 < <(true)
}

@test "a device that is mounted is written, as those who install boot loaders need it" {
    need_root
    truncate -s 64M disk
    mkfs.ext4 -q disk
    attach_loop disk
    mkdir mnt.used
    # shellcheck disable=SC2154 # set by attach_loop
    mount "$device" mnt.used
    random_file boot 446
    run -2 "$ZSLICE" --seek 0 boot "$device"
    "$ZDD" if=boot of="$device" bs=446 count=1 conv=notrunc status=none
    cmp -n 446 boot "$device"
}

@test "a device is filled up to its end" {
    need_root
    truncate -s 3M disk
    attach_loop disk
    for program in dd "$ZDD"; do
        run -1 "$program" if=/dev/zero of="$device" bs=1M
        [[ $output == *"No space left on device"* ]]
        [[ $output == *"3145728 bytes (3.1 MB, 3.0 MiB) copied, "* ]]
    done
    random_file in 1000
    "$ZDD" if=in of="$device" bs=512 seek=2 status=none
    cmp <(head -c 1024 /dev/zero && cat in) <(head -c 2024 "$device")
    run -1 "$ZDD" if="$device" bs=1M skip=4 of=out
    [ ! -e out ]
}

@test "devices of memory: skip and seek" {
    [ "$("$ZDD" if=/dev/zero bs=1K skip=1G count=2 status=none | wc -c)" -eq 2048 ]
    "$ZDD" if=/dev/zero of=/dev/null bs=1M count=3 seek=1K 2>err
    grep -qx "3+0 records in" err
    run -1 "$ZDD" if=/dev/zero of=/dev/full count=1
    [[ $output == "zdd: /dev/full: writing: No space left on device"* ]]
    [[ $output == *"0+0 records out"* ]]
}

@test "status= and the last line" {
    local pattern='^4096 bytes \(4\.1 kB, 4\.0 KiB\) copied, [0-9.e-]+ s, [0-9.]+ [kMG]B/s$'
    head -c 4096 /dev/zero >in
    "$ZDD" if=in of=out 2>err
    [ "$(head -n 2 err)" = $'8+0 records in\n8+0 records out' ]
    [[ $(tail -n 1 err) =~ $pattern ]]
    "$ZDD" if=in of=out status=noxfer 2>err
    [ "$(cat err)" = $'8+0 records in\n8+0 records out' ]
    "$ZDD" if=in of=out status=none 2>err
    [ ! -s err ]
}

@test "status=progress shows a line every second, and the statistics behind it" {
    (sleep 0.2 && printf 12345 && sleep 1.3 && printf 67890) | "$ZDD" status=progress 2>err >out
    [ "$(cat out)" = 1234567890 ]
    [[ $(tr '\r' '\n' <err | grep -c '^5 bytes copied, 1 s, 0.0 kB/s') -ge 1 ]]
    [ "$(tail -n 3 err | head -n 1)" = "0+1 records in" ]
    # The line is overwritten, not repeated: nothing but the last one ends.
    [ "$(wc -l <err)" -eq 4 ]
}

@test "SIGUSR1 prints the statistics and goes on; SIGINT prints them and ends it" {
    local status=0
    mkfifo fifo
    "$ZDD" if=fifo of=out bs=5 2>err &
    exec 7>fifo
    printf 12345 >&7
    until [ "$(stat --format %s out 2>/dev/null)" = 5 ] || ((SECONDS > 60)); do sleep 0.02; done
    kill -USR1 $!
    until grep -q "^5 bytes copied" err || ((SECONDS > 60)); do sleep 0.02; done
    grep -qx "1+0 records in" err
    printf 67890 >&7
    exec 7>&-
    wait $!
    [ "$(cat out)" = 1234567890 ]
    [ "$(grep -c "records out" err)" -eq 2 ]

    "$PYTHON" -IS - "$ZDD" <<'PYTHON'
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    read, write = os.pipe()
    program = subprocess.Popen([sys.argv[1], "bs=5"], stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.write(write, b"12345")
    assert program.stdout.read(5) == b"12345"
    program.send_signal(number)
    said = program.communicate(timeout=20)[1].decode()
    assert program.returncode == -number, program.returncode
    assert "1+0 records out\n5 bytes copied, " in said, said
PYTHON
}

@test "SIGINT ends it though a block is half full and nobody reads the pipe" {
    "$PYTHON" -IS - "$ZDD" <<'PYTHON'
import fcntl, os, signal, subprocess, sys, termios, time
source, feed = os.pipe()
unread, target = os.pipe()
capacity = fcntl.fcntl(unread, fcntl.F_GETPIPE_SZ)
program = subprocess.Popen([sys.argv[1], "ibs=4096", f"obs={capacity}", "conv=sync"], stdin=source, stdout=target,
                           stderr=subprocess.PIPE)
fcntl.fcntl(feed, fcntl.F_SETPIPE_SZ, 2 * capacity)
os.write(feed, b"x" * (capacity + 4096))
def held(descriptor):
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
while held(source) > 0 or held(unread) < capacity: # the pipe is full, and the rest is in the program
    assert program.poll() is None
    time.sleep(0.01)
program.send_signal(signal.SIGINT)
said = program.communicate(timeout=10)[1].decode()
assert program.returncode == -signal.SIGINT, program.returncode
assert "\n1+0 records out\n" in said, said
PYTHON
}

@test "a reader that is gone ends it silently" {
    local status=0
    exec 5> >(exec true)
    wait $! # the reader is gone
    "$ZDD" if=/dev/zero bs=1M count=100 >&5 2>err || status=$?
    exec 5>&-
    [ "$status" -eq 141 ]
    [ ! -s err ]
}

@test "standard descriptors that are closed" {
    local status=0
    printf abc >in
    "$ZDD" if=in of=out status=none <&- >&-
    cmp in out
    "$ZDD" if=in 2>err >&- || status=$?
    [ "$status" -eq 1 ]
    status=0
    "$ZDD" of=out2 2>err <&- || status=$?
    [ "$status" -eq 1 ]
    [ ! -e out2 ]
    # That it could not print its statistics is a failure, as with GNU dd.
    for redirection in '2>&-' '2>/dev/full'; do
        rm -f out2
        status=0
        eval "\"\$ZDD\" if=in of=out2 $redirection" || status=$?
        [ "$status" -eq 1 ]
        cmp in out2
        eval "\"\$ZDD\" if=in of=out2 status=none $redirection"
    done
}

@test "flags of the shell's descriptors are left as they were" {
    mkfifo fifo
    exec 7<>fifo
    printf abc >&7
    "$ZDD" bs=3 count=1 iflag=nonblock <&7 status=none >out
    [ "$(cat out)" = abc ]
    run -1 "$ZDD" bs=3 count=1 iflag=nonblock <&7
    [[ $output == *"Resource temporarily unavailable"* ]]
    # A descriptor that does not wait would make this fail at once.
    (sleep 0.3 && printf xyz >&7) &
    head -c 3 <&7 >out
    [ "$(cat out)" = xyz ]
}

@test "zslice under any other name is zslice" {
    local status=0
    ln -s "$ZSLICE" other
    printf abcdef >in
    ./other --offset 2 in out
    [ "$(cat out)" = cdef ]
    [[ $("$ZDD" --version) =~ ^zdd\ \(zslice\)\ [0-9.]+$ ]]
    "$ZDD" --help 2>err >/dev/full || status=$?
    [ "$status" -eq 1 ]
    [ "$(cat err)" = "zdd: standard output: writing: No space left on device" ]
}
