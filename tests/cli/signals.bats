# SIGINT, SIGTERM and SIGHUP stop a copy in order, wherever it waits; SIGUSR1 asks how far it is.

# shellcheck disable=SC2154 # set by `outcome`
load ../helper

TERA=1099511627776

setup_file() {
    use_python
    cat >"$BATS_FILE_TMPDIR/signal.py" <<'END'
"""signal.py NAME[,NAME...] [KEY=VALUE...] -- COMMAND: sends each signal to COMMAND, 0.06 s after it has
its handlers, and prints what becomes of it as assignments of the shell. KEY: stdin, stdout: pipe,
socket or a file; feed: text that stdin gets first; then: text that it gets after the signals, and the
end; ignore=1: the signals are ignored before; times: how often each is sent; pause: between them;
wait: seconds until the first; give_up: seconds that it may take. What came out of a pipe or socket is
in got."""
import os, signal, socket, subprocess, sys, threading, time

at = sys.argv.index("--")
numbers = [getattr(signal, "SIG" + name) for name in sys.argv[1].split(",")]
options = dict(item.split("=", 1) for item in sys.argv[2:at])


def end(key, flags):
    kind = options.get(key)
    if kind == "pipe":
        reader, writer = os.pipe()
        return (reader, writer) if key == "stdin" else (writer, reader)
    if kind == "socket":
        return [side.detach() for side in socket.socketpair()]
    return (os.open(kind, flags, 0o666), None) if kind else (None, None)


def prepare():
    for number in numbers:
        signal.signal(number, signal.SIG_IGN if "ignore" in options else signal.SIG_DFL)


(stdin, feed), (stdout, drain) = end("stdin", os.O_RDONLY), end("stdout", os.O_WRONLY | os.O_CREAT)
process = subprocess.Popen(sys.argv[at + 1:], stdin=stdin, stdout=stdout, stderr=open("err", "wb"),
                           preexec_fn=prepare, start_new_session=True)
if feed is not None:
    os.write(feed, options.get("feed", "").encode())
patience = time.monotonic() + 2
while process.poll() is None and time.monotonic() < patience:
    with open("/proc/%d/status" % process.pid, encoding="ascii", errors="replace") as status:
        masks = dict(line.split(":\t") for line in status.read().splitlines() if line.startswith("Sig"))
    wanted = int(masks["SigIgn" if "ignore" in options else "SigCgt"], 16)
    if all(wanted >> number - 1 & 1 for number in numbers):
        break
    time.sleep(0.002)
time.sleep(float(options.get("wait", 0.06)))
early = process.poll() is not None
sent = 0
for _ in range(int(options.get("times", 1))):
    if process.poll() is not None:
        break
    for number in numbers:
        if process.poll() is None:
            process.send_signal(number)
            sent += 1
    time.sleep(float(options.get("pause", 0)))
if "then" in options:
    os.write(feed, options["then"].encode())
    os.close(feed)
start = time.monotonic()
hung = 0
try:
    process.wait(float(options.get("give_up", 3)))
except subprocess.TimeoutExpired:
    hung = 1
    process.kill()
    process.wait()
took = time.monotonic() - start
if drain is not None:
    os.close(stdout)
    with open("got", "wb") as got:
        while piece := os.read(drain, 1 << 20):
            got.write(piece)
where = os.lseek(stdin, 0, os.SEEK_CUR) if os.path.isfile(options.get("stdin", "")) else -1
print("early=%d hung=%d died_of=%d exited=%d milliseconds=%d sent=%d where=%d" % (
    early, hung, max(-process.returncode, 0), process.returncode, took * 1000, sent, where))
END
}

# outcome SIGNALS KEY=VALUE... -- ARGUMENT...: $died_of and the others of signal.py, for the program.
outcome() {
    local before=()
    while [ "$1" != -- ]; do
        before+=("$1")
        shift
    done
    shift
    eval "$("$PYTHON" -IS "$BATS_FILE_TMPDIR/signal.py" "${before[@]}" -- "$ZSLICE" "$@")"
}

# expect_stopped SIGNAL OBJECT REASON KEY=VALUE... -- ARGUMENT...: it dies of the signal within 0.5 s, with
# this one message.
expect_stopped() {
    local name=$1 object=$2 reason=$3
    shift 3
    rm -f out
    outcome "$name" "$@"
    echo "SIG$name: zslice ${*@Q}: early $early, hung $hung, died of $died_of, after $milliseconds ms: $(<err)"
    [ "$early" -eq 0 ] && [ "$hung" -eq 0 ]
    [ "$died_of" -eq "$(kill -l "$name")" ]
    [ "$milliseconds" -lt 500 ]
    expect_message "$object" "${reason/SIGNAL/SIG$name}"
}

# good_bytes: what the message says is good or was delivered.
good_bytes() {
    [[ $(<err) =~ (first\ |;\ )([0-9]+)\ bytes\ (are\ good|were\ delivered) ]] && echo "${BASH_REMATCH[2]}"
}

# expect_good SOURCE [OFFSET]: out is as long as the message says, more than nothing, and right.
expect_good() {
    local good
    good=$(good_bytes)
    [ "$good" -gt 0 ]
    [ "$(stat -c %s out)" -eq "$good" ]
    cmp -n "$good" -i "${2:-0}:0" "$1" out
}

expect_no_target() {
    [ ! -e out ]
    [ -z "$(find . -name '.zslice*')" ]
}

each_signal() {
    local name
    for name in INT TERM HUP; do
        "$@" "$name"
    done
}

empty_source() {
    expect_stopped "$1" out "stopped by SIGNAL" stdin="$2" -- - out
    expect_no_target
    expect_stopped "$1" out "stopped by SIGNAL; the target's first 5 bytes are good" stdin="$2" feed=hello -- - out
    [ "$(<out)" = hello ]
    expect_stopped "$1" out "stopped by SIGNAL" stdin="$2" feed=hello -- --atomic - out
    expect_no_target
    expect_stopped "$1" out "stopped by SIGNAL" stdin="$2" feed=hello -- --digest=sha256 - out
    [ "$(<out)" = hello ]
    ! grep -q SHA256 err
}

pipe_and_socket() {
    empty_source "$1" pipe
    empty_source "$1" socket
}

@test "stopped while the source, a pipe or a socket, gives nothing" {
    each_signal pipe_and_socket
}

@test "stopped while the end of a stream is held: no target is left" {
    local name
    for name in INT TERM HUP; do
        outcome $name stdin=pipe feed=hello -- -o -3 - out
        [ "$early" -eq 0 ] && [ "$died_of" -eq "$(kill -l $name)" ]
        [ "$milliseconds" -lt 500 ]
        [ "$(wc -l <err)" -eq 1 ]
        grep -q "^zslice: .*: stopped by SIG$name\$" err
        expect_no_target
    done
}

full_target() {
    local end
    for end in pipe socket; do
        expect_stopped "$1" "standard output" "stopped by SIGNAL" stdin=in stdout=$end -- - -
        [ "$(stat -c %s got)" -eq "$(good_bytes)" ]
        cmp -n "$(good_bytes)" in got
        [ "$where" -eq "$(good_bytes)" ]
        expect_stopped "$1" "standard output" "stopped by SIGNAL" stdin=in stdout=$end -- -o 1001 --stable - -
        [ "$(stat -c %s got)" -eq "$(good_bytes)" ]
        cmp -n "$(good_bytes)" -i 1001:0 in got
        [ "$where" -eq $((1001 + $(good_bytes))) ]
    done
}

@test "stopped while the target is full: what was delivered is said, and where standard input is left" {
    random_file in 5000000
    each_signal full_target
}

opening() {
    expect_stopped "$1" fifo "opening: stopped by SIGNAL" wait=0.1 -- fifo out
    expect_no_target
    expect_stopped "$1" fifo "opening: stopped by SIGNAL" wait=0.1 -- in fifo
}

@test "stopped while a FIFO that nobody else has open is being opened" {
    mkfifo fifo
    random_file in 100
    each_signal opening
}

endless() {
    expect_stopped "$1" out "stopped by SIGNAL; the target's first" wait=0.05 -- /dev/zero out
    expect_good /dev/zero
    expect_stopped "$1" out "stopped by SIGNAL; the target's first" wait=0.05 -- --no-cache /dev/zero out
    expect_good /dev/zero
    expect_stopped "$1" out "stopped by SIGNAL; the target's first" wait=0.05 -- /dev/urandom out
    [ "$(stat -c %s out)" -eq "$(good_bytes)" ]
    expect_stopped "$1" out "stopped by SIGNAL" wait=0.05 -- --atomic /dev/urandom out
    expect_no_target
    expect_stopped "$1" /dev/null "bytes were delivered" wait=0.05 -- /dev/urandom /dev/null
}

@test "stopped while an endless source is copied" {
    each_signal endless
}

large() {
    expect_stopped "$1" out "stopped by SIGNAL; the target's first" wait=0.05 -- -o 1 --sparse=always huge out
    expect_good /dev/zero
}

@test "stopped while a large file is copied, or its zeros are looked for" {
    truncate -s $TERA huge
    each_signal large
}

@test "stopped while the digest is made, behind the copy or beside it" {
    local name jobs algorithm
    truncate -s $TERA huge
    for name in INT TERM HUP; do
        for jobs in 2 1; do
            for algorithm in sha256 xxh128; do
                rm -f out
                outcome $name give_up=1 -- -j $jobs --digest=$algorithm huge out
                echo "SIG$name, $jobs jobs, $algorithm: hung $hung, died of $died_of, $milliseconds ms: $(<err)"
                [ "$early" -eq 0 ] && [ "$hung" -eq 0 ]
                [ "$died_of" -eq "$(kill -l $name)" ]
                [ "$milliseconds" -lt 500 ]
                [ "$(wc -l <err)" -eq 1 ]
            done
        done
    done
}

@test "stopped in the digest: the message says so, and no digest is printed" {
    local jobs
    truncate -s $TERA huge
    for jobs in 1 2; do
        rm -f out
        outcome TERM give_up=1 -- -j $jobs --digest=sha256 huge out
        grep -q "^zslice: [a-z]*: .*: stopped by SIGTERM; the target's first $TERA bytes are good\$" err
        [ "$(wc -l <err)" -eq 1 ]
    done
}

@test "SIGUSR1 while only the digest is still being made prints a line" {
    truncate -s $TERA huge
    outcome USR1 times=3 pause=0.05 give_up=0.3 -- --digest=xxh128 huge out
    [ "$(grep -c '^zslice: .* bytes ' err)" -ge 1 ]
}

@test "stopped while a file is moved in place: its message says how much is the slice's" {
    local good name size
    random_file in 1000000
    for name in INT TERM HUP; do
        size=3000000000
        { cat in; } >moved
        truncate -s $size moved
        rm -f err
        outcome $name wait=0.05 -- --in-place=auto -o 1 moved
        [ "$early" -eq 0 ] && [ "$died_of" -eq "$(kill -l $name)" ]
        [ "$milliseconds" -lt 500 ]
        expect_message moved "stopped by SIG$name; its first "
        [[ $(<err) =~ "its first "([0-9]+)" bytes are the slice's, which goes on at position "([0-9]+) ]]
        good=${BASH_REMATCH[1]}
        [ "${BASH_REMATCH[2]}" -eq $((good + 1)) ]
        [ "$(stat -c %s moved)" -eq $size ]
        cmp -n 999999 -i 1:0 in moved
    done
}

@test "two signals, or ten: one message, and it dies of one of them" {
    outcome INT,TERM,HUP stdin=pipe feed=hello -- - out
    [ "$died_of" -gt 0 ]
    [ "$(wc -l <err)" -eq 1 ]
    [ "$(<out)" = hello ]
    outcome TERM times=10 stdin=pipe feed=hello -- - out
    [ "$died_of" -eq 15 ]
    [ "$(wc -l <err)" -eq 1 ]
}

@test "an existing target: what it holds behind the slice stays; what is good is counted from the position" {
    random_file old 100000
    cp old out
    outcome TERM stdin=pipe feed=hello -- --seek 1000 - out
    expect_message out "stopped by SIGTERM"
    grep -q '5 bytes' err
    { head -c 1000 old; printf hello; tail -c +1006 old; } | cmp - out
    cp old out
    outcome TERM stdin=pipe feed=hello -- --append - out
    expect_message out "5 bytes were appended"
    { cat old; printf hello; } | cmp - out
    cp old out
    outcome TERM stdin=pipe feed=hello -- --atomic - out
    cmp old out
    [ "$(find . -name '.zslice*' | wc -l)" -eq 0 ]
}

@test "the statistics of a copy that was stopped say so" {
    outcome TERM stdin=pipe feed=hello -- --stats=json - out
    [ "$died_of" -eq 15 ]
    [ "$(statistic .bytes err)" -eq 5 ]
    [ "$(statistic .complete err)" = false ]
}

@test "signals that were ignored stay so" {
    outcome INT,TERM,HUP,USR1 ignore=1 stdin=pipe feed=he then=llo -- - out
    [ "$early" -eq 0 ] && [ "$sent" -eq 4 ]
    [ "$exited" -eq 0 ] && [ "$died_of" -eq 0 ]
    [ ! -s err ]
    [ "$(<out)" = hello ]
}

@test "SIGUSR1 prints a line each time while it waits, and changes nothing" {
    outcome USR1 times=5 pause=0.05 stdin=pipe feed=he then=llo -- - out
    [ "$exited" -eq 0 ] && [ "$died_of" -eq 0 ]
    [ "$(<out)" = hello ]
    [ "$(wc -l <err)" -eq 5 ]
    [ "$(grep -c '^zslice: 2 bytes (2 B) so far in [0-9.]* s, ' err)" -eq 5 ]
    outcome USR1 times=3 pause=0.05 stdin=socket feed=hello then=, -- -o -3 - out
    [ "$exited" -eq 0 ]
    [ "$(<out)" = "lo," ]
    [ "$(grep -c '^zslice: .* so far' err)" -eq 3 ]
}

@test "SIGUSR1 while it works: the bytes of a known length, in per cent" {
    truncate -s 1G zeros
    outcome USR1 wait=0.05 give_up=30 times=2 pause=0.02 -- --digest=xxh128 --sparse=never zeros /dev/null
    [ "$exited" -eq 0 ] && [ "$died_of" -eq 0 ]
    [ "$sent" -ge 1 ]
    grep -q '^zslice: [0-9]* bytes (.*) of 1073741824, [0-9.]* %, so far in ' err
}

@test "a storm of SIGUSR1 breaks no byte and does not stop it" {
    local arguments try
    random_file in 60000000
    for arguments in "" --engine=splice --engine=map-write --sparse=always --verify --digest=sha256 -o-50000000; do
        # A copy may be over before there is a storm: then once more.
        for try in 1 2 3 4 5 6 7 8; do
            rm -f out
            # shellcheck disable=SC2086 # none or one
            outcome USR1 wait=0 give_up=10 times=20000 pause=0.00002 -- $arguments in out
            [ "$sent" -lt 3 ] || break
        done
        echo "with '$arguments': exit $exited, $sent signals, try $try, $(wc -l <err) lines"
        [ "$hung" -eq 0 ] && [ "$exited" -eq 0 ] && [ "$died_of" -eq 0 ]
        tail -c "$(stat -c %s out)" in | cmp - out
        [ "$(stat -c %s out)" -ge 50000000 ]
        [ "$sent" -ge 3 ]
    done
}

@test "SIGPIPE is as silent as ever" {
    local statuses
    random_file in 3000000
    "$ZSLICE" in 2>err | head -c 1 >/dev/null && statuses=("${PIPESTATUS[@]}")
    [ "${statuses[0]}" -eq 141 ]
    [ ! -s err ]
    outcome TERM,PIPE ignore=1 wait=0 stdout=pipe stdin=in times=0 give_up=0.3 -- - -
    [ "$hung" -eq 1 ] # its reader is there: it only waits
}
