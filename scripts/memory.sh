#!/bin/bash
# Measures the memory of the programs of the article that zslice comes from, and of zslice doing the
# same, and prints a Markdown table. Peak memory is what the kernel has counted: VmHWM, and RssAnon for
# the part that is memory of the program's own.
#
#     scripts/memory.sh [ZSLICE]        (default: build/release/zslice)
set -euo pipefail

zslice=$(realpath "${1:-$(dirname "$0")/../build/release/zslice}")
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

# row WORK PROGRAM PEAK_BYTES ANONYMOUS_BYTES USER_COPIED
row() {
    printf '| %s | %s | %s | %s | %s |\n' "$1" "$2" "$(mebibytes "$3")" "$(mebibytes "$4")" "$5"
}

mebibytes() {
    awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'
}

# zslice_row WORK ARGUMENT...: runs zslice with the arguments; standard input and output are the caller's.
zslice_row() {
    local work=$1
    shift
    "$zslice" --stats=json "$@" 2>stats
    row "$work" "\`zslice $*\`" "$(jq .peak_rss_bytes stats)" "$(jq .peak_anonymous_bytes stats)" \
        "$(jq .user_copied_bytes stats)" >&3
}

# python_row WORK TITLE CODE: CODE is the article's program.
python_row() {
    local peak anonymous
    read -r peak anonymous < <(python3 -c "$3
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(*(int(status[key].split()[0]) * 1024 for key in ('VmHWM', 'RssAnon')))")
    row "$1" "$2" "$peak" "$anonymous" "all"
}

exec 3>&1
echo '| work | program | peak memory | of its own | bytes copied through it |'
echo '| --- | --- | --- | --- | --- |'

work="10,240,000 random bytes, all but the first 1,024 to /dev/null"
python_row "$work" 'Python, sliced bytes' "
with open('/dev/urandom', 'rb') as source:
    content = source.read(1024 * 10000)
to_write = content[1024:]
with open('/dev/null', 'wb') as target:
    target.write(to_write)
del source, target"
python_row "$work" 'Python, sliced memoryview' "
with open('/dev/urandom', 'rb') as source:
    content = source.read(1024 * 10000)
to_write = memoryview(content)[1024:]
with open('/dev/null', 'wb') as target:
    target.write(to_write)
del source, target"
zslice_row "$work" --offset 1024 --length 10238976 /dev/urandom /dev/null

for size in 1M 64M 1G 4G; do
    truncate -s "$size" in
    for engine in auto map-write; do
        zslice_row "a file of ${size%?} ${size: -1}iB to a file" --engine="$engine" --offset 1024 in out
        rm -f out
    done
done

head -c 102400000 /dev/urandom >in
python3 - >received 3>&- <<'PYTHON' &
import hashlib, socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
server.bind(("127.0.0.1", 0))
server.listen()
open("port.new", "w").write(str(server.getsockname()[1]))
__import__("os").rename("port.new", "port")
connection, _ = server.accept()
digest = hashlib.sha256()
started = time.monotonic()
while piece := connection.recv(65536):
    digest.update(piece)
    if time.monotonic() - started < 1:
        time.sleep(0.001)
print(digest.hexdigest())
PYTHON
until [ -e port ]; do
    kill -0 $! # is the reader still there?
    sleep 0.05
done
zslice_row '100,000 KiB to a slow reader over TCP' in >"/dev/tcp/127.0.0.1/$(cat port)"
wait
[ "$(cat received)" = "$(sha256sum <in | cut -d ' ' -f 1)" ] || {
    echo 'memory.sh: the reader got other bytes' >&2
    exit 1
}
