#!/usr/bin/env bats
# tcp:// and unix:// as targets.

load ../helper

# serve FAMILY ADDRESS BEHAVIOUR [ARGUMENT]: a peer for one connection; $server is its process, $port its port
# (TCP). BEHAVIOUR: read (all, into ./got), slow (64 KiB every 20 ms), reset (after ARGUMENT bytes), leave (closes
# after ARGUMENT bytes, the rest unread), stall (reads nothing until ./go is there, then all).
serve() {
    rm -f port got go
    timeout 60 python3 - "$@" 3>&- <<'PYTHON' &
import os, socket, struct, sys, time

family, address, behaviour = sys.argv[1:4]
argument = int(sys.argv[4]) if len(sys.argv) > 4 else 0
if family == "unix":
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
else:
    server = socket.socket(socket.AF_INET6 if family == "ipv6" else socket.AF_INET)
    if behaviour in ("slow", "stall"):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    server.bind((address, 0))
server.listen(1)
with open("port.new", "w") as port:
    port.write(str(server.getsockname()[1]) if family != "unix" else "-")
os.rename("port.new", "port")
connection, _ = server.accept()
server.close()
left = argument
while behaviour in ("reset", "leave") and left > 0:
    left -= len(connection.recv(min(left, 65536)))
if behaviour == "reset":
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
if behaviour in ("reset", "leave"):
    connection.close()
    sys.exit()
while behaviour == "stall" and not os.path.exists("go"):
    time.sleep(0.01)
with open("got", "wb") as got:
    while piece := connection.recv(65536):
        got.write(piece)
        if behaviour == "slow":
            time.sleep(0.02)
PYTHON
    server=$!
    until [ -e port ]; do
        kill -0 "$server"
        sleep 0.01
    done
    port=$(cat port)
}

# expect_failure STATUS TEXT: of `run --separate-stderr`-like runs whose messages are in ./err.
expect_failure() {
    cat err
    [ "$status" -eq "$1" ]
    [ "$(wc -l <err)" -eq 1 ]
    grep -qF -- "$2" err
}

attempt() {
    status=0
    timeout 30 "$ZSLICE" "$@" 2>err || status=$?
}

@test "TCP over IPv4: everything, a slice, ranges, nothing, a stream" {
    random_file in 3000000
    serve ipv4 127.0.0.1 read
    "$ZSLICE" in "tcp://127.0.0.1:$port"
    wait "$server"
    cmp in got
    serve ipv4 127.0.0.1 read
    "$ZSLICE" -o 1000 -l 5 in "tcp://127.0.0.1:$port"
    wait "$server"
    cmp got <(tail -c +1001 in | head -c 5)
    serve ipv4 127.0.0.1 read
    "$ZSLICE" -r 5:10 -r 100000:2000000 -r 0:3 in "tcp://127.0.0.1:$port"
    wait "$server"
    cmp got <("$ZSLICE" -r 5:10 -r 100000:2000000 -r 0:3 in)
    serve ipv4 127.0.0.1 read
    "$ZSLICE" -l 0 in "tcp://127.0.0.1:$port"
    wait "$server"
    [ ! -s got ]
    serve ipv4 127.0.0.1 read
    cat in | "$ZSLICE" -o 7 - "tcp://127.0.0.1:$port"
    wait "$server"
    cmp got <(tail -c +8 in)
}

@test "TCP over IPv6, and a name of which only one address answers" {
    random_file in 300000
    [ -e /proc/net/if_inet6 ] || skip "needs IPv6"
    serve ipv6 ::1 read
    "$ZSLICE" in "tcp://[::1]:$port"
    wait "$server"
    cmp in got
    getent ahosts localhost | grep -q . || skip "needs a name"
    serve ipv4 127.0.0.1 read
    "$ZSLICE" in "tcp://localhost:$port"
    wait "$server"
    cmp in got
}

@test "a Unix socket" {
    random_file in 3000000
    serve unix "$PWD/socket" read
    "$ZSLICE" -o 1 in "unix://$PWD/socket"
    wait "$server"
    cmp got <(tail -c +2 in)
    attempt in "unix://$PWD/nobody"
    expect_failure 1 "/nobody: connecting: No such file or directory"
    attempt in "unix://$PWD/socket" # its server has gone
    expect_failure 1 "/socket: connecting: Connection refused"
    attempt in "unix:///$(printf 'x%.0s' {1..120})"
    expect_failure 2 "connecting: File name too long"
}

@test "addresses that are none are refused, and a file of such a name can be written" {
    local address
    random_file in 100
    for address in tcp:// tcp://host tcp://host: tcp://:80 tcp://a:b:80 'tcp://[::1]' 'tcp://[::1]80' \
        'tcp://[]:80' tcp://host:80/path unix:// unix://relative unix:///; do
        attempt in "$address"
        expect_failure 2 "$address: connecting: it must be "
    done
    attempt in tcp://127.0.0.1:nosuchservice
    expect_failure 1 "tcp://127.0.0.1:nosuchservice: connecting: "
    attempt in tcp://no.such.host.invalid:80
    expect_failure 1 "tcp://no.such.host.invalid:80: connecting: "
    mkdir tcp:
    "$ZSLICE" in ./tcp:/file
    cmp in tcp:/file
}

@test "what only a file can be is refused before anybody is connected to" {
    local option
    random_file in 100
    serve ipv4 127.0.0.1 stall
    for option in --atomic --resume --no-clobber --verify --sync --seek=0 --keep-offset --sparse=always; do
        attempt $option in "tcp://127.0.0.1:$port"
        cat err
        [ "$status" -eq 2 ]
    done
    attempt -o 101 in "tcp://127.0.0.1:$port"
    expect_failure 3 "beyond its end"
    kill -0 "$server" # it still waits for its one connection
    touch go
    "$ZSLICE" in "tcp://127.0.0.1:$port"
    wait "$server"
    cmp in got
}

@test "nobody listens: exit 1, and standard input has lost nothing" {
    random_file in 1000
    serve ipv4 127.0.0.1 leave 0
    "$ZSLICE" -l 0 in "tcp://127.0.0.1:$port"
    wait "$server"
    attempt in "tcp://127.0.0.1:$port"
    expect_failure 1 "connecting: Connection refused"
    { "$ZSLICE" - "tcp://127.0.0.1:$port" 2>err || true; cat; } <in >rest
    cmp in rest
}

@test "a peer that resets, or leaves bytes unread: exit 1" {
    local behaviour count
    random_file in 20000000
    for behaviour in reset leave; do
        for count in 0 1 100000 5000000; do
            serve ipv4 127.0.0.1 $behaviour $count
            attempt in "tcp://127.0.0.1:$port"
            echo "$behaviour after $count: $status"
            cat err
            [ "$status" -eq 1 ]
            grep -qE 'writing: (Broken pipe|Connection reset by peer)|finishing: ' err
            wait "$server"
        done
    done
}

@test "a reset that comes when everything has been sent, but not received" {
    random_file in 50000
    # It all fits the buffers: only the end can tell.
    serve ipv4 127.0.0.1 reset 1
    attempt in "tcp://127.0.0.1:$port"
    wait "$server"
    expect_failure 1 "finishing: Connection reset by peer; how much has arrived is not known"
}

@test "exit 0 waits until the peer's kernel has it all" {
    random_file in 4000000
    serve ipv4 127.0.0.1 stall
    "$ZSLICE" in "tcp://127.0.0.1:$port" &
    sleep 0.5
    kill -0 $! # the peer reads nothing, and its buffer is small
    touch go
    wait $!
    wait "$server"
    cmp in got
}

@test "a slow peer gets it all" {
    random_file in 3000000
    serve ipv4 127.0.0.1 slow
    "$ZSLICE" in "tcp://127.0.0.1:$port"
    wait "$server"
    cmp in got
}

@test "SIGTERM ends the wait for a peer that stalls" {
    local begin passed
    random_file in 30000000
    serve ipv4 127.0.0.1 stall
    "$ZSLICE" in "tcp://127.0.0.1:$port" 2>err &
    sleep 0.3
    begin=${EPOCHREALTIME/./}
    kill -TERM $!
    status=0
    wait $! || status=$?
    passed=$((${EPOCHREALTIME/./} - begin))
    cat err
    [ "$status" -eq 143 ]
    [ "$passed" -lt 500000 ]
    grep -q 'stopped by SIGTERM; [0-9]* bytes were given to the socket; how many the peer has is not known' err
    kill "$server"
}

@test "a port is a number up to 65535, or a name" {
    local port
    random_file in 100
    for port in 0 65536 99999 4294967376 99999999999999999999 -1 0x50 12a; do
        attempt in "tcp://127.0.0.1:$port"
        expect_failure 2 "the port must be 1 to 65535, or the name of a service"
    done
    attempt tcp://127.0.0.1:1 out
    expect_failure 2 "only TARGET can be an address"
    [ ! -e out ]
}
