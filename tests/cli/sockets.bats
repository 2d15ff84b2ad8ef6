# Sockets that the shell opened, as targets and as sources.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; $port is set by serve
load ../helper

setup_file() {
    use_python
}

# serve receive|send FILE [OPTION]...: $port is where the peer waits for one connection, $server its
# process.
serve() {
    local work=$1 file=$2
    shift 2
    rm -f port
    timeout 100 "$PYTHON" -IS "$PROJECT/tests/cli/peer.py" "$work" "$@" port "$file" 3>&- &
    server=$!
    until [ -e port ]; do
        kill -0 "$server"
        sleep 0.01
    done
    port=$(cat port)
}

@test "100,000 KiB to a slow reader with a small receive buffer: no byte through user space" {
    head -c 102400000 /dev/urandom >in
    serve receive got --receive-buffer 16384 --pause 0.0002
    "$ZSLICE" --stats=json in >"/dev/tcp/127.0.0.1/$port" 2>stats
    wait "$server"
    [ "$(sha256sum <got)" = "$(sha256sum <in)" ]
    [ "$(statistic .bytes)" -eq 102400000 ]
    [ "$(statistic .user_copied_bytes)" -eq 0 ]
    [ "$(engines_used)" = map-write ] # it is cached: it was written just now
    [ "$(statistic '.refused | length')" -eq 0 ]
    rm in got
}

@test "TCP: map-write for 16 MiB and more that are cached, else sendfile; to a Unix socket sendfile" {
    local length expected
    random_file in 17000001
    while read -r length expected; do
        serve receive got
        "$ZSLICE" --stats=json -o 1001 -l "$length" in >"/dev/tcp/127.0.0.1/$port" 2>stats
        wait "$server"
        cmp -n "$length" -i 1001:0 in got
        [ "$(stat --format %s got)" -eq "$length" ]
        [ "$(engines_used)" = "$expected" ]
        [ "$(statistic .jobs)" -eq 1 ]
    done <<'END'
1 sendfile
1048577 sendfile
16777215 sendfile
16777216 map-write
END
    peer run --target unix --collect got -- "$ZSLICE" --stats=json -o 1001 in 2>stats
    cmp got <(tail -c +1002 in)
    [ "$(engines_used)" = sendfile ]
    [ "$(stat -f -c %T .)" != tmpfs ] || return 0
    sync in
    dd if=in iflag=nocache count=0 status=none
    serve receive got
    "$ZSLICE" --stats=json -o 1001 in >"/dev/tcp/127.0.0.1/$port" 2>stats
    wait "$server"
    cmp got <(tail -c +1002 in)
    [ "$(engines_used)" = sendfile ]
}

@test "every engine into a TCP socket" {
    local engine
    random_file in 3000000
    tail -c +1002 in >expected
    for engine in auto splice sendfile map-write buffer; do
        serve receive got --receive-buffer 16384
        "$ZSLICE" --stats=json --engine=$engine -o 1001 in >"/dev/tcp/127.0.0.1/$port" 2>stats
        wait "$server"
        expect_same expected got
        [ $engine = auto ] || [ "$(engines_used)" = $engine ]
    done
}

@test "a TCP socket as source" {
    local engine
    random_file in 3000000
    for engine in auto splice buffer; do
        serve send in
        exec 5<>"/dev/tcp/127.0.0.1/$port"
        "$ZSLICE" --stats=json --engine=$engine -o 100001 -l 2000000 - out <&5 2>stats
        tail -c +100002 in | head -c 2000000 | cmp - out
        "$ZSLICE" - rest <&5
        tail -c +2100002 in | cmp - rest
        exec 5>&-
        wait "$server"
        [ $engine = buffer ] || [ "$(statistic .user_copied_bytes)" -eq 0 ]
    done
}

@test "an inherited socket is left open for the next writer" {
    random_file a 300000
    random_file b 200001
    serve receive got
    {
        "$ZSLICE" a
        cat b | "$ZSLICE"
        printf end
        "$ZSLICE" --engine=map-write b
    } >"/dev/tcp/127.0.0.1/$port"
    wait "$server"
    { cat a b; printf end; cat b; } | cmp - got
}

@test "unix sockets as source and target" {
    local engine
    random_file in 3000000
    tail -c +1002 in >expected
    for engine in auto splice sendfile map-write buffer; do
        peer run --target unix --collect got -- "$ZSLICE" --engine=$engine -o 1001 in
        expect_same expected got
    done
    for engine in auto splice buffer; do
        peer run --source unix --feed in -- "$ZSLICE" --engine=$engine -o 1001 - out
        expect_same expected out
        peer run --source unix --feed in --target unix --collect got \
            -- "$ZSLICE" --engine=$engine -o 1001
        expect_same expected got
        : >out
        peer run --source unix --feed in --target tcp --collect got \
            -- "$ZSLICE" --engine=$engine -o 1001
        expect_same expected got
    done
}

@test "a socket is never read past the slice" {
    local kind
    random_file in 300000
    for kind in unix tcp; do
        # shellcheck disable=SC2016 # expanded by that shell
        peer run --source $kind --feed in -- \
            sh -c '"$1" -o 7 -l 70001 - a && "$1" --engine=buffer -l 80001 - b && cat >rest' - "$ZSLICE"
        { head -c 7 in; cat a b rest; } | cmp - in
        [ "$(stat --format %s a b | xargs)" = "70001 80001" ]
    done
}

@test "a socket has no positions to seek to" {
    printf 0123 >in
    peer run --target unix --collect got -- "$ZSLICE" --seek 1 in 2>err || [ $? -eq 2 ]
    expect_message "standard output" "a socket has no positions"
    [ ! -s got ]
    peer run --source unix --feed in -- "$ZSLICE" --shard=1/2 - out 2>err || [ $? -eq 2 ]
    expect_message "standard input" "the end of a socket is not known"
    [ ! -e out ]
}

@test "a peer that resets the connection is a failure, and standard input stands where it was sent" {
    local status=0 rest
    random_file in 30000000
    # shellcheck disable=SC2016 # expanded by that shell
    "$PYTHON" -IS - "$ZSLICE" <<'END' || status=$?
import socket, struct, subprocess, sys, threading

server = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(server.getsockname())
far, _ = server.accept()
far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
with open("in", "rb", buffering=0) as source, open("err", "wb") as errors, \
        open("rest", "wb") as rest:
    command = subprocess.Popen([sys.argv[1], "--stats=json"], stdin=source, stdout=near, stderr=errors)
    far.recv(1000)
    far.close()
    status = command.wait()
    rest.write(source.read())
    # SIGPIPE, if the reset was seen before the last write
    sys.exit(0 if status in (1, -13) else 1)
END
    [ "$status" -eq 0 ]
    [ "$(statistic .complete err)" = false ]
    rest=$(stat --format %s rest)
    [ "$rest" -eq $((30000000 - $(statistic .bytes err))) ]
    tail -c "$rest" in | cmp - rest
}

@test "a socket as source that is reset is named, not the target" {
    "$PYTHON" -IS - "$ZSLICE" <<'END'
import socket, struct, subprocess, sys

for target in ("pipe", "file"):
    server = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(server.getsockname())
    far, _ = server.accept()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    out = subprocess.PIPE if target == "pipe" else open("out", "wb")
    command = subprocess.Popen([sys.argv[1]], stdin=near, stdout=out, stderr=subprocess.PIPE)
    far.close()
    message = command.communicate()[1]
    assert command.returncode == 1, command.returncode
    assert message == b"zslice: standard input: reading: Connection reset by peer\n", message
END
}

@test "socket to pipe: the reader gets what has come, while more is waited for" {
    timeout 20 "$PYTHON" -IS - "$ZSLICE" <<'END'
import os, select, socket, subprocess, sys, time

for engine in ("auto", "splice", "buffer"):
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    command = subprocess.Popen([sys.argv[1], "--engine=" + engine], stdin=theirs, stdout=write_end)
    theirs.close()
    os.close(write_end)
    for word in (b"one", b"two", b"three"):
        ours.send(word)
        assert select.select([read_end], [], [], 10)[0]
        time.sleep(0.1)  # zslice waits for more by now
        os.set_blocking(read_end, False)  # must not block, whoever holds the pipe's lock
        started = time.monotonic()
        assert os.read(read_end, 100) == word
        assert time.monotonic() - started < 1
    ours.close()
    assert command.wait() == 0
    os.close(read_end)
END
}

@test "pipe to socket: the writer is not stuck while the socket's reader is slow" {
    timeout 20 "$PYTHON" -IS - "$ZSLICE" <<'END'
import os, socket, subprocess, sys, time

ours, theirs = socket.socketpair()
read_end, write_end = os.pipe()
command = subprocess.Popen([sys.argv[1]], stdin=read_end, stdout=theirs)
theirs.close()
os.close(read_end)
os.set_blocking(write_end, False)
sent = full = 0
while full < 50:  # until the socket and everything before it is full
    try:
        started = time.monotonic()
        sent += os.write(write_end, bytes(65536))
        full = 0
    except BlockingIOError:
        full += 1
        time.sleep(0.01)
    assert time.monotonic() - started < 1
os.close(write_end)
got = 0
while piece := ours.recv(1 << 20):
    got += len(piece)
assert (command.wait(), got) == (0, sent)
END
}

@test "a socket of messages is refused as a source, and gets a small file as one message" {
    "$PYTHON" -IS - "$ZSLICE" <<'END'
import socket, subprocess, sys

for kind in (socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.send(b"0123456789")
    refused = subprocess.run([sys.argv[1], "-l", "5"], stdin=theirs, capture_output=True)
    assert (refused.returncode, refused.stdout) == (2, b""), refused
    assert refused.stderr.startswith(b"zslice: standard input: reading: it is a socket of messages")
    assert theirs.recv(100) == b"0123456789"
    with open("in", "wb") as source:
        source.write(b"abcdef")
    subprocess.run([sys.argv[1], "-o", "1", "in"], stdout=theirs, check=True)
    assert ours.recv(100) == b"bcdef"
END
}
