#!/usr/bin/env bats
# --progress: a bar on a terminal, lines elsewhere.

load ../helper

# on_terminal COLUMNS COMMAND...: runs it with a new terminal as standard error and in the foreground there;
# what it wrote is in ./screen, its status in $status. After RESIZE_AFTER seconds the terminal has
# RESIZE_TO columns; after SIGNAL_AFTER seconds the command gets SIGUSR1; BACKGROUND=1 has it run behind another job.
on_terminal() {
    status=0
    timeout 30 python3 - "$@" 3>&- <<'PYTHON' || status=$?
import fcntl, os, pty, select, signal, struct, sys, termios, time

columns, command = int(sys.argv[1]), sys.argv[2:]
master, slave = pty.openpty()

def resize(width):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

resize(columns)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    if os.environ.get("BACKGROUND"):
        other = os.fork()
        if other:
            os.setpgid(other, other)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
        time.sleep(0.1)
    os.dup2(slave, 2)
    os.execvp(command[0], command)
os.close(slave)
begin = time.monotonic()
events = []
if "RESIZE_AFTER" in os.environ:
    events.append((float(os.environ["RESIZE_AFTER"]), lambda: resize(int(os.environ["RESIZE_TO"]))))
if "SIGNAL_AFTER" in os.environ:
    events.append((float(os.environ["SIGNAL_AFTER"]), lambda: os.kill(child, signal.SIGUSR1)))
with open("screen", "wb") as screen:
    while True:
        while events and time.monotonic() - begin >= events[0][0]:
            events.pop(0)[1]()
        if not select.select([master], [], [], 0.02)[0]:
            continue
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        screen.write(piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
PYTHON
    # One line per drawing, without what clears the rest of the line.
    tr '\r' '\n' <screen | sed 's/\x1b\[K//g' | grep -v '^$' >drawings || true
}

# A stream that takes SECONDS (in tenths) and has COUNT thousand bytes each tenth.
slow_stream() {
    local -i tenth
    for ((tenth = 0; tenth < $1; tenth++)); do
        head -c $(($2 * 1000)) /dev/zero
        sleep 0.1
    done
}

longest_drawing() {
    awk '{ if (length($0) > most) most = length($0) } END { print most + 0 }' drawings
}

@test "a bar on a terminal: percentage, rates, time left; at most 10 drawings a second" {
    local -i count
    mkfifo slow
    truncate -s 300M in
    # Reading is throttled by the pipe's reader.
    { for _ in $(seq 12); do head -c 26214400 | wc -c; sleep 0.1; done; } <slow >/dev/null &
    on_terminal 80 "$ZSLICE" --progress in slow
    wait
    cat drawings
    [ "$status" -eq 0 ]
    count=$(wc -l <drawings)
    [ "$count" -ge 5 ]
    [ "$count" -le 40 ]
    grep -qE '^[0-9.]+ MB [0-9]+% \[=*> *\] [0-9.]+ [kMG]?B/s [0-9:-]+ left' drawings
    [[ "$(tail -n 1 drawings)" =~ ^'314.6 MB 100% ['=+'] '.*' 0:'[0-9]+' in all' ]]
    [ "$(longest_drawing)" -le 79 ]
    [ "$(tail -c 1 screen)" = "" ] # it ends its line
}

@test "where the end is not known: no percentage, and the time gone by" {
    slow_stream 8 50 >stream &
    wait
    mkfifo slow
    slow_stream 8 50 >slow &
    on_terminal 80 "$ZSLICE" -p slow out
    [ "$status" -eq 0 ]
    cmp stream out
    cat drawings
    run ! grep -q % drawings
    [[ "$(tail -n 1 drawings)" =~ ^'400.0 kB '.*' 0:01 gone by, mean ' ]]
}

@test "a terminal that is made narrower, and one that says nothing of its width" {
    mkfifo slow
    slow_stream 12 50 >slow &
    RESIZE_AFTER=0.6 RESIZE_TO=20 on_terminal 60 "$ZSLICE" -p slow out
    [ "$status" -eq 0 ]
    cat drawings
    [ "$(longest_drawing)" -gt 30 ]
    [ "$(tail -n 3 drawings | awk '{ if (length($0) > most) most = length($0) } END { print most }')" -le 19 ]
    slow_stream 3 50 >slow &
    on_terminal 0 "$ZSLICE" -p slow out
    [ "$(longest_drawing)" -le 79 ]
    [ "$(longest_drawing)" -gt 20 ]
}

@test "elsewhere: a line each second, and one at the end" {
    mkfifo slow
    slow_stream 23 10 >slow &
    "$ZSLICE" --progress slow out 2>err
    cat err
    [ "$(wc -l <err)" -ge 3 ]
    [ "$(wc -l <err)" -le 5 ]
    run ! grep -qv '^zslice: [0-9.]* kB [0-9.]* kB/s [0-9:]* gone by, mean ' err
    run ! grep -q $'\r' err
}

@test "a copy that is over at once shows one line" {
    random_file in 1000
    "$ZSLICE" -p in out 2>err
    [ "$(wc -l <err)" -eq 1 ]
    [[ "$(cat err)" = "zslice: 1.0 kB 100% "*" 0:00 in all, mean "*", of 1.0 kB" ]]
    cmp in out
}

@test "holes count, and what is there already does not" {
    truncate -s 10M in
    "$ZSLICE" -p in out 2>err
    grep -q '^zslice: 10.5 MB 100% ' err
    random_file in 5000000
    head -c 3000000 in >out
    "$ZSLICE" -p --resume in out 2>err
    grep -q '^zslice: 2.0 MB 100% ' err
    cmp in out
}

@test "messages have a line of their own, and nothing is shown of a copy that never began" {
    mkfifo slow
    slow_stream 5 50 >slow &
    on_terminal 80 "$ZSLICE" -p -x -l 1M slow out
    [ "$status" -eq 3 ]
    grep -q '^zslice: slow: slicing: ' drawings
    run ! grep -q 'meanzslice\|Bzslice' drawings
    on_terminal 80 "$ZSLICE" -p missing out
    [ "$status" -eq 2 ]
    [ "$(wc -l <drawings)" -eq 1 ]
    grep -q '^zslice: missing: opening: ' drawings
}

@test "SIGUSR1 prints its line above the bar, which goes on" {
    mkfifo slow
    slow_stream 10 50 >slow &
    SIGNAL_AFTER=0.5 on_terminal 80 "$ZSLICE" -p slow out
    [ "$status" -eq 0 ]
    cat drawings
    grep -qE '^zslice: [0-9]+ bytes \(.*so far in 0\.[0-9]+ s' drawings
    grep -q ' gone by' <(tail -n 1 drawings)
}

@test "a job in the background does not draw" {
    mkfifo slow
    slow_stream 6 50 >slow &
    BACKGROUND=1 on_terminal 80 "$ZSLICE" -p slow out
    [ "$(stat -c %s out)" -eq 300000 ]
    run ! grep -q 'gone by' drawings
}

@test "the bar costs nothing that can be counted: no system call more for a short copy but the clock's" {
    command -v strace >/dev/null || skip "needs strace"
    random_file in 100000
    strace -f -o plain "$ZSLICE" in out
    strace -f -o shown "$ZSLICE" -p in out 2>/dev/null
    echo "$(wc -l <plain) and $(wc -l <shown) calls"
    [ $(($(wc -l <shown) - $(wc -l <plain))) -le 10 ]
}
