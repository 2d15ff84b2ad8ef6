"""The sweep of faults behind faults.sh, which has the usage: python3 sweep.py FOLDER PROGRAM SHIM [OPTION]...

FOLDER holds one folder for each file system (plain, ext4, xfs, tmpfs) that there is. A kind of copy is run
once without a fault, under strace, to see which calls it makes on which of its files; a site is a call with
the files it names. Each case is one more run with one fault at the first, second or last call of a site.
"""

import argparse
import collections
import concurrent.futures
import fcntl
import fnmatch
import hashlib
import json
import os
import queue
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time

TIMEOUT_SECONDS = 20
F_SETPIPE_SZ = 1031
SIZE = 1300000
START = 1001
CODES = ("EIO", "ENOSPC", "EDQUOT", "EINVAL", "ENOSYS", "EOPNOTSUPP", "EPERM", "EINTR", "EAGAIN", "ENOMEM")
HARD = ("EIO", "ENOSPC", "EDQUOT")
LASTING = ("EIO", "ENOSPC", "EINVAL", "EPERM", "ENOMEM")  # from the first such call on
MOVES = {"read", "pread64", "write", "pwrite64", "pwritev2", "splice", "sendfile", "copy_file_range"}
# What engines do; all else is the same with each of them, and is made to fail with auto only.
OF_ENGINES = MOVES | {"ioctl", "mmap", "madvise", "pipe2", "fcntl", "poll", "fadvise64", "fallocate"}
# The program repeats these: an interruption without a signal is no failure.
REPEATED = MOVES | {"ioctl", "fdatasync", "fsync", "ftruncate", "poll", "sync_file_range"}
# Calls that name no file, and count once the program has begun with its own. (Not brk: libc takes what strace
# returns for a failure for the new end of the heap.)
NAMELESS = {"pipe2", "madvise", "munmap", "clone3", "getrandom", "memfd_create", "sched_getaffinity"}
ALL_ENGINES = ("auto", "splice", "sendfile", "map-write", "buffer", "copy-range", "reflink")
OBJECTS = ("in", "out", "standard input", "standard output", "zslice", "--digest", "tmp",
           "the temporary file that holds the end of the stream", "memory")


def random_bytes(length, seed):
    return random.Random(seed).randbytes(length)


def with_holes(length):
    """Data and zeros in turn; write_sparse makes holes of the zeros."""
    content = bytearray(random_bytes(length, 2))
    for start, end in ((0, 65536), (262144, 524288), (786432, 1048576), (1200128, 1204224)):
        content[start:end] = bytes(end - start)
    return bytes(content)


DATA = random_bytes(SIZE, 1)
PIPED = DATA[:1000003]  # no more than a pipe may hold
HOLES = with_holes(SIZE)
OLD = random_bytes(2000003, 3)
OTHERS_ID = 65534
# user::rw-, user:1234:r--, group::r--, mask::r--, other::---: mode 0640
ACCESS_LIST = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
    (0x01, 6, 0xffffffff), (0x02, 4, 1234), (0x04, 4, 0xffffffff), (0x10, 4, 0xffffffff), (0x20, 0, 0xffffffff)))

Kind = collections.namedtuple(
    "Kind",
    "name arguments source target content slice old position result engines file_systems extra",
    defaults=("file", "file", DATA, None, None, 0, None, ALL_ENGINES, ("",), {}))


def make_kinds():
    """Every kind of copy, as Kinds. slice is what is copied, result the target if all goes well."""
    kinds = []

    def kind(name, arguments, *, start=START, end=SIZE, **fields):
        content = fields.setdefault("content", PIPED if fields.get("source") == "pipe" else DATA)
        part = fields.setdefault("slice", content[start:end])
        old = fields.get("old")
        position = fields.get("position", 0)
        before = (old or b"")[:position].ljust(position, b"\0")
        fields.setdefault("result", before + part + ((old or b"")[position + len(part):] if position else b""))
        kinds.append(Kind(name, arguments, **fields))

    at = ["--offset", str(START)]
    few = ("auto", "splice", "map-write", "buffer")
    auto = ("auto",)
    kind("new", at, file_systems=("", "xfs", "tmpfs"))
    kind("small", [*at, "--length", "200000"], end=START + 200000, engines=auto)
    kind("medium", [*at, "--length", "700000"], end=START + 700000, engines=auto)
    kind("seek", [*at, "--seek", "5003"], old=OLD, position=5003)
    kind("seek-0", [*at, "--seek", "0"], old=OLD, result=DATA[START:] + OLD[SIZE - START:], extra={"at": True},
         engines=few)
    kind("seek-truncate", [*at, "--seek", "5003", "--truncate"], old=OLD, position=5003,
         result=OLD[:5003] + DATA[START:], engines=few)
    kind("emptied", at, old=OLD, file_systems=("", "tmpfs"))
    kind("append", [*at, "--append"], old=OLD[:70001], position=70001, engines=few)
    kind("keep-offset", [*at, "--keep-offset"], position=START, engines=few)
    kind("no-clobber", [*at, "--no-clobber"], engines=auto)
    kind("pipe-in", [], start=0, source="pipe", extra={"small": True})
    kind("pipe-in-full", [], start=0, source="pipe", engines=few)
    kind("pipe-in-offset", at, source="pipe", engines=few)
    kind("pipe-in-seek", ["--seek", "5003"], start=0, source="pipe", old=OLD, position=5003, engines=few)
    kind("pipe-out", at, target="pipe")
    kind("pipe-out-stable", [*at, "--stable"], target="pipe", engines=auto)
    kind("pipe-pipe", at, source="pipe", target="pipe", extra={"small": True})
    kind("pipe-tail", ["--offset", "-600000"], start=len(PIPED) - 600000, source="pipe", engines=few)
    kind("pipe-tail-short", ["--offset", "-30000"], start=len(PIPED) - 30000, source="pipe", engines=auto)
    kind("atomic", [*at, "--atomic"], engines=few, file_systems=("", "xfs", "tmpfs"))
    kind("atomic-old", [*at, "--atomic"], old=OLD, engines=few, file_systems=("", "tmpfs"))
    kind("atomic-named", [*at, "--atomic"], engines=auto, extra={"base": ("openat", "O_TMPFILE", "EOPNOTSUPP")})
    kind("atomic-named-old", [*at, "--atomic"], old=OLD, engines=auto,
         extra={"base": ("openat", "O_TMPFILE", "EOPNOTSUPP")})
    kind("atomic-kept", [*at, "--atomic"], old=OLD, engines=auto, extra={"owner": True}, file_systems=("", "tmpfs"))
    kind("atomic-link", [*at, "--atomic"], old=OLD, engines=auto, extra={"link": True})
    kind("new-link", at, engines=auto, extra={"link": True})
    kind("atomic-sync", [*at, "--atomic", "--sync"], old=OLD, engines=auto)
    kind("atomic-pipe-in", ["--atomic"], start=0, source="pipe", old=OLD, engines=auto)
    kind("resume", [*at, "--resume"], old=DATA[START:START + 400001], position=400001, start=START + 400001,
         engines=few)
    kind("sparse", at, content=HOLES, file_systems=("", "xfs", "tmpfs"))
    kind("sparse-emptied", at, content=HOLES, old=OLD, engines=few)
    kind("sparse-never", [*at, "--sparse=never"], content=HOLES, engines=few)
    kind("sparse-always", [*at, "--sparse=always"], content=HOLES, engines=("auto", "buffer"))
    kind("sparse-always-seek", [*at, "--sparse=always", "--seek", "5003"], content=HOLES, old=OLD, position=5003,
         engines=("auto", "buffer"))
    kind("sparse-always-pipe", ["--sparse=always"], content=HOLES, start=0, source="pipe", engines=auto)
    kind("sync", [*at, "--sync"], engines=few)
    kind("sync-seek", [*at, "--sync", "--seek", "5003"], old=OLD, position=5003, engines=auto)
    kind("no-cache", [*at, "--no-cache"], engines=few)
    kind("verify", [*at, "--verify"], engines=few)
    kind("verify-seek", [*at, "--verify", "--seek", "5003"], old=OLD, position=5003, engines=auto)
    kind("atomic-verify", [*at, "--atomic", "--verify"], old=OLD, engines=auto)
    kind("digest", [*at, "--digest=sha256"], engines=few)
    kind("digest-xxh128", [*at, "--digest=xxh128"], engines=auto)
    kind("digest-pipe-in", ["--digest=sha256"], start=0, source="pipe", engines=auto)
    kind("digest-pipe-out", [*at, "--digest=sha256"], target="pipe", engines=auto)
    kind("digest-sparse", [*at, "--digest=sha256"], content=HOLES, engines=auto)
    kind("ranges", ["-r", "7:400007", "-r", "900001:1200001", "-r", "5:50005"], engines=few,
         slice=DATA[7:400007] + DATA[900001:1200001] + DATA[5:50005])
    fields = b"".join(DATA[i + 4:i + 600] for i in range(0, SIZE, 1024))
    kind("records", ["--record=1024", "--field=4:600"], slice=fields, engines=("auto", "map-write", "buffer"))
    kind("records-pipe-in", ["--record=1024", "--field=4:600"], source="pipe", engines=auto,
         slice=b"".join(PIPED[i + 4:i + 600] for i in range(0, len(PIPED), 1024)))
    kind("in-place-move", ["--in-place=auto", *at, "--end", "1200000"], end=1200000, target="in-place", engines=auto)
    kind("in-place-holes", ["--in-place=auto", *at], content=HOLES, target="in-place", engines=auto)
    kind("in-place-out", ["--in-place=auto", "--offset", "65536", "--end", "1200000"], start=65536, end=1200000,
         target="in-place", engines=auto, file_systems=("", "xfs"))
    kind("in-place-out-blocks", ["--in-place=auto", "--offset", "65536", "--end", "1204224"], start=65536,
         end=1204224, target="in-place", engines=auto, file_systems=("xfs",))
    kind("in-place-sync", ["--in-place=auto", "--sync", "--offset", "65536"], start=65536, target="in-place",
         engines=auto)
    # Blocks shared.
    blocks = ["--offset", "4096", "--length", "1228800"]
    clone = {"start": 4096, "end": 4096 + 1228800, "file_systems": ("xfs",), "engines": ("auto", "reflink")}
    kind("clone", blocks, **clone)
    kind("clone-always", [*blocks, "--reflink=always"], **{**clone, "engines": auto})
    kind("clone-emptied", blocks, old=OLD, **clone)
    kind("clone-seek", [*blocks, "--seek", "8192"], old=OLD, position=8192, **clone)
    kind("clone-edges", [*at, "--seek", str(4096 + START)], old=OLD, position=4096 + START, file_systems=("xfs",),
         engines=auto)
    kind("clone-atomic", [*blocks, "--atomic"], old=OLD, **clone)
    kind("clone-verify", [*blocks, "--verify"], **clone)
    kind("clone-sparse", blocks, content=HOLES, **clone)
    # A second fault on the way out of a failure.
    for name, arguments, fields in (
            ("new", [], {}), ("emptied", [], {"old": OLD}), ("atomic", ["--atomic"], {"old": OLD}),
            ("seek", ["--seek", "5003"], {"old": OLD, "position": 5003}),
            ("resume", ["--resume"],
             {"old": DATA[START:START + 400001], "position": 400001, "start": START + 400001})):
        for which in (0, 1) if name != "resume" else (0,):
            kind(f"failing-{name}-{which + 1}", [*at, *arguments], engines=auto,
                 extra={"base": ("splice", "/w/out>|/w/#", "EIO", which), "failing": True}, **fields)
    kind("failing-pipe-in", [], start=0, source="pipe", engines=auto,
         extra={"base": ("splice", "/w/out>", "EINVAL", 0), "failing": True})
    kind("failing-pipe-out", at, target="pipe", engines=auto,
         extra={"base": ("splice", "1<pipe", "EINVAL", 0), "failing": True})
    kind("falling-back", at, engines=auto, extra={"base": ("pipe2", "", "ENOMEM", 0), "failing": True})
    return kinds


def write_file(path, content, sparse=False):
    with open(path, "wb") as file:
        if not sparse:
            file.write(content)
            return
        file.truncate(len(content))  # at first: XFS allocates more than it is asked to behind the end
        for start in range(0, len(content), 4096):
            block = content[start:start + 4096]
            if block.strip(b"\0"):
                file.seek(start)
                file.write(block)


def read_file(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def full_pipe(content):
    """The end to read of a pipe with all of this in it, so that no run waits for it; None if it cannot be so large."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, F_SETPIPE_SZ, 1024 * 1024)
        os.set_blocking(writing, False)
        if os.write(writing, content) == len(content):
            return os.fdopen(reading, "rb")
    except OSError:
        pass  # beyond what a user's pipes may hold
    finally:
        os.close(writing)
    os.close(reading)
    return None


def same_beginning(left, right):
    """How many bytes from the start on are the same."""
    low, high = 0, min(len(left), len(right))
    if left[:high] == right[:high]:
        return high
    while low < high:  # left[:low] is the same, left[:high + 1] is not
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


CALL = re.compile(rb"^(\d+) +(?:<\.\.\. )?([a-z_0-9]+)(?:\((.*)$| resumed>(.*)$)", re.S)
THING = re.compile(rb'(?:(AT_FDCWD|\d+)<([^>]*)>(\(deleted\))?)|(")((?:[^"\\]|\\.)*)"')


class Place:
    """A folder in which one run after the other is made."""

    def __init__(self, folder, name):
        self.base = os.path.join(folder, name)
        self.work = os.path.join(self.base, "w")
        os.makedirs(os.path.join(self.work, "tmp"))
        self.content = None  # of the source that is there
        self.stamp = None
        self.paths = {name: os.path.join(self.base, name) for name in ("log", "err", "short")}
        self.environment = dict(os.environ, TMPDIR="tmp", LC_ALL="C", ASAN_OPTIONS="detect_leaks=0")

    def stamp_of_source(self):
        status = os.stat(os.path.join(self.work, "in"))
        return status.st_ino, status.st_size, status.st_mtime_ns

    def prepare(self, kind):
        source = os.path.join(self.work, "in")
        target = os.path.join(self.work, "out")
        for name in os.listdir(self.work):
            if name not in ("in", "tmp"):
                os.unlink(os.path.join(self.work, name))
        for name in os.listdir(os.path.join(self.work, "tmp")):
            os.unlink(os.path.join(self.work, "tmp", name))
        for path in self.paths.values():
            if os.path.exists(path):
                os.unlink(path)
        if self.content is not kind.content or self.stamp != self.stamp_of_source():
            write_file(source, kind.content, kind.content is HOLES)
            if kind.content is HOLES:  # XFS knows its holes only then
                with open(source, "rb") as file:
                    os.fsync(file)
            self.content = kind.content
            self.stamp = self.stamp_of_source()
        if "link" in kind.extra:
            os.symlink("real", target)
        if kind.old is not None:
            write_file(target, kind.old)
            os.chmod(target, 0o640)
            if "owner" in kind.extra and os.geteuid() == 0:
                os.chown(target, OTHERS_ID, OTHERS_ID)
                os.setxattr(target, "system.posix_acl_access", ACCESS_LIST)
            try:
                os.setxattr(target, "user.note", b"kept")
                self.has_attributes = True
            except OSError:
                self.has_attributes = False

    def run(self, kind, engine, tracer, environment=None):
        """What the program does, under this tracer."""
        self.prepare(kind)
        command = [*tracer, PROGRAM, "--stats=json"]
        if engine != "auto":
            command.append(f"--engine={engine}")
        command += kind.arguments
        command.append("-" if kind.source == "pipe" else "in")
        if kind.target != "in-place":
            command.append("-" if kind.target == "pipe" else "out")
        run = Run()
        filled = full_pipe(kind.content) if kind.source == "pipe" and "small" not in kind.extra else None
        streams = {"stdin": filled or (subprocess.PIPE if kind.source == "pipe" else subprocess.DEVNULL),
                   "stdout": subprocess.PIPE if kind.target == "pipe" else subprocess.DEVNULL}
        with open(self.paths["err"], "wb") as err, \
                subprocess.Popen(command, cwd=self.work, stderr=err, start_new_session=True, **streams,
                                 env={**self.environment, **(environment or {})}) as process:
            try:
                if filled:
                    filled.close()
                run.arrived = process.communicate(kind.content if process.stdin else None,
                                                  timeout=TIMEOUT_SECONDS)[0]
            except subprocess.TimeoutExpired:
                run.hangs = True
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            run.status = process.returncode
        run.errors = read_file(self.paths["err"]) or b""
        run.log = read_file(self.paths["log"]) or b""
        if kind.target == "file":
            run.arrived = read_file(os.path.join(self.work, "out"))
        if kind.target == "in-place":
            run.arrived = read_file(os.path.join(self.work, "in"))
        elif self.stamp != self.stamp_of_source():
            run.source_changed = read_file(os.path.join(self.work, "in")) != kind.content
        run.left = [name for name in os.listdir(self.work) if name not in ("in", "out", "real", "tmp")]
        run.left += os.listdir(os.path.join(self.work, "tmp"))
        return run

    def things(self, arguments, call):
        """The files that a call's arguments, as strace shows them, name."""
        found = []
        work = self.work.encode()
        for match in THING.finditer(arguments):
            descriptor, path, deleted, quote, text = match.groups()
            thing = None
            if quote:
                name = text.removeprefix(work + b"/")
                if name in (b"in", b"out", b"real"):
                    thing = "source" if name == b"in" else "target"
                elif name.startswith(b".zslice-") or name.startswith(b"/proc/self/fd/"):
                    thing = "temporary"
                elif name == b"." or text == work:
                    thing = "folder"
                elif name == b"tmp":
                    thing = "spool"
            elif path.startswith(b"pipe:"):
                thing = {b"0": "source", b"1": "target", b"2": None}.get(descriptor, "pipe")
            elif path.startswith(work + b"/"):
                name = path[len(work) + 1:]
                if name.startswith(b"tmp/"):
                    thing = "spool"
                elif name == b"in":
                    thing = "source"
                elif name in (b"out", b"real"):
                    thing = "target"
                else:
                    thing = "temporary"
            elif path == work and descriptor != b"AT_FDCWD":
                thing = "folder"
            elif path.startswith(b"/memfd:"):
                thing = "spool"
            if thing and thing not in found:
                found.append(thing)
        if not found and call == "mmap" and b"MAP_ANONYMOUS" in arguments and b"MAP_FIXED" not in arguments:
            return ["memory"]
        return ["none"] if not found and call in NAMELESS else found


class Run:
    """What a run came to."""

    def __init__(self):
        self.status = None
        self.errors = b""
        self.log = b""
        self.arrived = None
        self.hangs = False
        self.source_changed = False
        self.left = []


def calls_of(place, log):
    """(thread, call, number of it in the thread, files, arguments) for each call of the program's own."""
    main = None
    begun = False
    counts = collections.Counter()
    for line in log.split(b"\n"):
        match = CALL.match(line)
        if not match or match[3] is None:
            continue
        thread, call, arguments = match[1], match[2].decode(), match[3]
        main = main or thread
        counts[thread, call] += 1
        things = place.things(arguments, call)
        named = things and things not in (["none"], ["memory"])
        begun = begun or (named and call != "poll")
        if begun and things:
            yield thread == main, call, counts[thread, call], things, arguments


STRACE = ["strace", "-f", "-y", "-s", "0", "-o"]

Site = collections.namedtuple("Site", "call things main numbers")
Case = collections.namedtuple("Case", "name kind file_system engine site number fault base")


def base_fault(place, kind, engine):
    """The fault that all runs of this kind have, as arguments of strace; None if there is no such call."""
    if "base" not in kind.extra:
        return [], None
    call, pattern, code, *which = kind.extra["base"]
    run = place.run(kind, engine, [*STRACE, place.paths["log"]])
    numbers = [number for main, called, number, _, arguments in calls_of(place, run.log)
               if main and called == call and re.search(pattern.encode(), arguments)]
    index = which[0] if which else 0
    if index >= len(numbers):
        return None, None
    return ["-e", f"inject={call}:error={code}:when={numbers[index]}"], call


def sites_of(place, kind, engine):
    """The sites of a run, and why there are none."""
    base, base_call = base_fault(place, kind, engine)
    if base is None:
        return [], [], "its first fault has no place"
    run = place.run(kind, engine, [*STRACE, place.paths["log"], *base])
    if run.status != 0 and not kind.extra.get("failing"):
        message = run.errors.decode(errors="replace").split("\n")[0]
        return [], [], message if engine != "auto" else f"exit status {run.status} without a fault: {message}"
    # Of a run that fails, only what comes behind its first fault.
    before = run.log.split(b"(INJECTED)")[0] if kind.extra.get("failing") else b""
    calls_before = collections.Counter(match[2].decode() for match in map(CALL.match, before.split(b"\n"))
                                       if match and match[3] is not None)
    found = collections.OrderedDict()
    for main, call, number, things, _ in calls_of(place, run.log):
        if call == base_call or number <= calls_before[call]:
            continue
        if not main and (call == "munmap" or (things != ["source"] and call not in ("madvise", "clone3"))):
            continue  # the same number may be one of libc's beginning in the first thread
        if engine != "auto" and call not in OF_ENGINES:
            continue
        found.setdefault((call, "+".join(things), main), []).append(number)
    return [Site(call, things, main, numbers) for (call, things, main), numbers in found.items()], base, None


def cases_of(place, kind, file_system, engine, has_shim):
    sites, base, reason = sites_of(place, kind, engine)
    prefix = f"{file_system}:{kind.name}" if file_system else kind.name
    cases = []
    shortened = collections.OrderedDict()

    def add(site, which, number, fault):
        thread = "" if site.main else "-thread"
        cases.append(Case(f"{prefix}/{engine}/{site.call}-{site.things}{thread}/{which}/{fault}", kind, file_system,
                          engine, site, number, fault, base))

    for site in sites:
        numbers = site.numbers
        if not site.main:  # in this thread only calls on the source are counted
            numbers = list(range(1, len(numbers) + 1)) if site.things == "source" else numbers
        chosen = {"first": numbers[0]}
        if len(numbers) > 2:
            chosen["second"] = numbers[1]
        if len(numbers) > 1:
            chosen["last"] = numbers[-1]
        for which, number in chosen.items():
            for code in CODES:
                add(site, which, number, code)
            if site.call in MOVES:
                add(site, which, number, "zero")
        # Messages are written, too: only where the target has a name can its calls be told from those.
        if site.call != "write" or (site.things == "target" and kind.target == "file" and not base):
            for code in LASTING:
                add(site, "from-first", 1 if site.call == "write" else numbers[0], code)
        if site.call in MOVES and site.main:
            shortened.setdefault(site.call, []).extend(numbers)
    if has_shim and "base" not in kind.extra:
        for call, numbers in shortened.items():
            count = len(numbers)
            site = Site(call, "any", True, numbers)
            for which, number in {"first": 1, "second": 2, "last": count}.items():
                if (which == "second" and count < 3) or (which == "last" and count < 2):
                    continue
                for how in ("short-one", "short-half"):
                    add(site, which, number, how)
    return cases, reason


def tracer_of(place, case):
    """The command that causes the fault, and the environment that does."""
    if case.fault.startswith("short-"):
        how = case.fault.removeprefix("short-")
        return [], {"LD_PRELOAD": SHIM, "ZSLICE_SHORT": f"{case.site.call}:{case.number}:{how}",
                    "ZSLICE_SHORT_LOG": place.paths["short"]}
    what = "retval=0" if case.fault == "zero" else f"error={case.fault}"
    when = f"{case.number}+" if "/from-first/" in case.name else str(case.number)
    calls = case.site.call + ("," + case.kind.extra["base"][0] if case.base else "")
    paths = []
    if "+" in when and case.site.call == "write":
        paths = ["-P", os.path.join(place.work, "out")]
    elif not case.site.main and case.site.things == "source":
        paths = ["-P", os.path.join(place.work, "in")]
    return [*STRACE, place.paths["log"], *paths, "-e", f"trace={calls}", *case.base,
            "-e", f"inject={case.site.call}:{what}:when={when}"], {}


def fired(place, case, run):
    """The files of the calls that failed by this fault; None if none did."""
    if case.fault.startswith("short-"):
        return ["any"] if read_file(place.paths["short"]) else None
    hit = None
    begun = {}
    for line in run.log.split(b"\n"):
        match = CALL.match(line)
        if not match or match[2].decode() != case.site.call:
            continue
        thread = match[1]
        arguments = match[3] if match[3] is not None else begun.get(thread, b"") + match[4]
        if b"<unfinished ...>" in line:
            begun[thread] = arguments
        if b"(INJECTED)" in line:
            hit = (hit or []) + place.things(arguments, case.site.call)
    return hit


CLAIMS = (
    (re.compile(r"the target's first (\d+) bytes are good"), "from 0"),
    (re.compile(r"(\d+) bytes were delivered"), "count"),
    (re.compile(r"(\d+) bytes were appended"), "count"),
    (re.compile(r"the target's (\d+) bytes from position (\d+) on are good"), "at"),
    (re.compile(r"the first (\d+) bytes of the slice are in their places"), "count"),
    (re.compile(r"its first (\d+) bytes are the slice's, which goes on at position (\d+)"), "count"),
    (re.compile(r"[Ii]ts first (\d+) bytes are the slice\b(?!')"), "count"),
)


def claim_of(kind, message):
    """How many bytes of the slice the message says are good; None: nothing is said."""
    for pattern, how in CLAIMS:
        match = pattern.search(message)
        if not match:
            continue
        count = int(match[1])
        if how == "at" and int(match[2]) != kind.position:
            return -1
        return count - kind.position if how == "from 0" else count
    return None


def wrong_target(kind, run, message):
    """What is wrong with what a run that failed has left; None if nothing is."""
    old, part, position, arrived = kind.old, kind.slice, kind.position, run.arrived
    claim = claim_of(kind, message)
    unknown = "how much of the target is good is not known" in message
    atomic = "--atomic" in kind.arguments
    in_place = kind.target == "in-place"

    if claim is not None and not 0 <= claim <= len(part):
        return f"the message speaks of {claim} bytes"
    if atomic:
        if "the target is as it was" in message or "no target was created" in message or run.status != 1:
            return None if arrived == old else "the message says the target is as it was, which it is not"
        return None if arrived in (old, part) else "neither the old bytes nor the new ones"
    if run.status == 2 and not in_place:
        if arrived == old or (arrived == b"" and kind.target == "pipe"):
            return None
        if "--keep-offset" in kind.arguments and arrived == b"":
            return None
        return "exit status 2, but the target was touched"
    if kind.target == "pipe":
        good = same_beginning(arrived, part)
        if good < len(arrived):
            return f"byte {good} is not the source's"
        return None if good == (claim or 0) or unknown else f"{good} bytes arrived, the message says {claim}"
    if arrived is None:
        return None if old is None and not claim else "the target is gone"
    if in_place:
        start = int(kind.arguments[kind.arguments.index("--offset") + 1])
        if claim is None and arrived in (kind.content, kind.content[start:], part):
            return None
        return None if arrived == part[:claim] + kind.content[claim or 0:] or (
            claim == len(part) and arrived.startswith(part)) else f"not the first {claim} bytes and then the old ones"
    whole = position == 0 and "at" not in kind.extra and "--seek" not in kind.arguments
    base = b"" if whole else old or b""
    if claim is None and not unknown:
        if arrived == (old if old is not None else None):
            return None
        if arrived == b"" and ("the target is empty now" in message or "the new target stays" in message):
            return None
        return f"the target holds {len(arrived)} bytes, of which the message says nothing"
    if unknown:
        if arrived == old:
            return None
        claim = same_beginning(arrived[position:], part)
    before = base[:position].ljust(position, b"\0") if claim else base[:position]
    wanted = before + part[:claim] + base[position + claim:]
    if arrived == wanted or (claim == len(part) and arrived == kind.result):
        return None
    at = same_beginning(arrived, wanted)
    return f"{claim} bytes said to be good, but byte {at} is wrong (it has {len(arrived)} bytes, not {len(wanted)})"


def must_fail(case, hit):
    """Whether success after this fault would be a lie."""
    call = case.site.call
    if case.fault not in HARD:
        return False
    if call in MOVES and "--sparse=always" in case.kind.arguments:
        return False  # a run of zeros went before it; what failed is tried again, and then succeeds
    into = "target" in hit or "temporary" in hit
    if call in ("write", "pwrite64", "pwritev2") and into:
        return True
    if call in ("splice", "sendfile", "copy_file_range") and into:
        return True
    if call in ("fsync", "fdatasync") and (into or "folder" in hit or case.kind.target == "in-place"):
        return True
    # With --atomic the target is the old file, which was only looked at.
    return call == "close" and ("temporary" if "--atomic" in case.kind.arguments else "target") in hit


def judge(place, case, run, hit):
    """All that is wrong with a run."""
    kind = case.kind
    wrong = []
    lines = run.errors.decode("utf-8", "surrogateescape").split("\n")[:-1]
    statistics = None
    if lines and lines[-1].startswith('{"version":'):
        statistics = json.loads(lines.pop())
    digests = [line for line in lines if re.match(r"(SHA256|XXH128) \(", line)]
    lines = [line for line in lines if line not in digests]
    message = lines[0] if lines else ""
    stream_ended = case.fault == "zero" and kind.source == "pipe" and (
        "source" in hit or "spool" in hit or "pipe" in hit)

    if run.hangs:
        return ["it hangs"]
    if run.status < 0 or run.status > 128:
        return [f"it died of signal {abs(run.status) % 128}"]
    if statistics is None:
        wrong.append(f"no statistics (exit status {run.status}, {message!r})")
    elif statistics["complete"] != (run.status == 0) or statistics["exit_status"] != run.status:
        wrong.append("the statistics say otherwise")
    if run.source_changed:
        wrong.append("the source was changed")
    excused = case.site.call in ("unlink", "unlinkat")
    if run.left and not excused:
        wrong.append(f"left behind: {' '.join(run.left)}")

    if run.status == 0:
        if message:
            wrong.append(f"exit status 0 with a message: {message}")
        if stream_ended:
            if kind.slice and run.arrived is not None and kind.target == "pipe" and \
                    not kind.slice.startswith(run.arrived):
                wrong.append("not a beginning of the slice")
        elif run.arrived != kind.result:
            at = same_beginning(run.arrived or b"", kind.result)
            wrong.append(f"exit status 0, but byte {at} is wrong "
                         f"({len(run.arrived or b'')} bytes, not {len(kind.result)})")
        elif "--atomic" in kind.arguments:
            wrong += wrong_attributes(place, case)
        if must_fail(case, hit):
            wrong.append("exit status 0, though the fault was of the kind that loses bytes")
        if any(argument.startswith("--digest") for argument in kind.arguments) and len(digests) != 1:
            wrong.append("no digest")
    else:
        if run.status not in (1, 2, 3, 4):
            wrong.append(f"exit status {run.status}")
        if run.status == 3 and not stream_ended:
            wrong.append(f"exit status 3 ({message})")
        if run.status == 4 and "--verify" not in kind.arguments:
            wrong.append("exit status 4 without --verify")
        if len(lines) != 1:
            wrong.append(f"{len(lines)} messages")
        match = re.match(r"zslice: (.*?): ", message)
        if not match or match[1] not in OBJECTS:
            wrong.append(f"the message names no object: {message!r}")
        if case.fault == "EINTR" and case.site.call in REPEATED and not kind.extra.get("failing"):
            wrong.append(f"an interruption was not overcome: {message}")
        if digests:
            wrong.append("a digest after a failure")
        problem = wrong_target(kind, run, message)
        if problem:
            wrong.append(f"{problem} (exit status {run.status}, {message})")
    for line in digests:
        if line.startswith("SHA256") and not stream_ended and \
                not line.endswith(" = " + hashlib.sha256(kind.slice).hexdigest()):
            wrong.append("a wrong digest")
    return wrong


def wrong_attributes(place, case):
    kind = case.kind
    path = os.path.join(place.work, "out")
    mode = os.stat(path).st_mode & 0o7777
    if "link" in kind.extra and not os.path.islink(path):
        return ["the symbolic link is gone"]
    if kind.old is None:
        return [] if mode == 0o666 & ~UMASK else [f"the new file has mode {mode:o}"]
    wrong = [] if mode == 0o640 else [f"the mode was not kept: {mode:o}"]
    if "owner" in kind.extra and os.geteuid() == 0 and os.stat(path).st_uid != OTHERS_ID:
        wrong.append("the owner was not kept")
    if case.site.call.endswith("xattr") and case.fault == "EOPNOTSUPP":
        return wrong  # it has been told that there are none
    if "owner" in kind.extra and os.geteuid() == 0 and \
            os.getxattr(path, "system.posix_acl_access") != ACCESS_LIST:
        wrong.append("the access control list was not kept")
    if place.has_attributes and "user.note" not in os.listxattr(path):
        wrong.append("the attributes were not kept")
    return wrong


class Sweep:
    """The places, one for each thread on each file system."""

    def __init__(self, folder, deadline):
        self.folder = folder
        self.deadline = deadline
        self.local = threading.local()
        self.numbers = queue.SimpleQueue()
        for number in range(100):
            self.numbers.put(number)

    def file_systems(self):
        return [name for name in ("ext4", "xfs", "tmpfs") if os.path.isdir(os.path.join(self.folder, name))]

    def place(self, file_system):
        places = self.local.__dict__.setdefault("places", {})
        if file_system not in places:
            first = "ext4" if "ext4" in self.file_systems() else "plain"
            places[file_system] = Place(os.path.join(self.folder, file_system or first), f"p{self.numbers.get()}")
        return places[file_system]

    def cases(self, chunk, has_shim):
        kind, file_system, engine = chunk
        return cases_of(self.place(file_system), kind, file_system, engine, has_shim)

    def run(self, case):
        """(case, whether its fault fired, what is wrong, what happened); nothing after the deadline."""
        if self.deadline and time.monotonic() > self.deadline:
            return case, False, [], None
        place = self.place(case.file_system)
        tracer, environment = tracer_of(place, case)
        run = place.run(case.kind, case.engine, tracer, environment)
        for _ in range(3):
            if run.errors.startswith(b"strace: "):  # it could not start the program
                time.sleep(0.5)
                run = place.run(case.kind, case.engine, tracer, environment)
        hit = fired(place, case, run)
        # None of the files: the number of calls on a pipe varies, and it was the message that could not be written.
        wrong = judge(place, case, run, hit or []) if hit != [] else []
        return case, bool(hit), wrong, run


def matches(pattern, name):
    return fnmatch.fnmatchcase(name, pattern if "/" in pattern else f"*{pattern}*")


def wanted_chunk(pattern, name, engine):
    """Whether a case of this kind and engine may match."""
    if not pattern or "/" not in pattern:
        return True
    parts = pattern.split("/")
    if "*" in parts[0] and not fnmatch.fnmatchcase(name, parts[0]):
        return parts[0].endswith("*") and fnmatch.fnmatchcase(f"{name}/", parts[0])
    if not fnmatch.fnmatchcase(name, parts[0]):
        return False
    return len(parts) < 3 or fnmatch.fnmatchcase(engine, parts[1])


def parse_arguments():
    parser = argparse.ArgumentParser(prog="faults.sh")
    parser.add_argument("folder")
    parser.add_argument("program")
    parser.add_argument("shim")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def show(run):
    for line in run.errors.decode("utf-8", "backslashreplace").rstrip("\n").split("\n"):
        print(f"    err: {line[:400]}")
    for line in run.log.decode("utf-8", "backslashreplace").split("\n"):
        if "(INJECTED)" in line:
            print(f"    log: {line[:200]}")


def main():
    options = parse_arguments()
    begun = time.monotonic()
    sweep = Sweep(options.folder, options.seconds and begun + options.seconds)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    chunks = []
    for kind in make_kinds():
        for file_system in kind.file_systems:
            if file_system and file_system not in sweep.file_systems():
                print(f"# {file_system}:{kind.name} is left out: no such file system here")
                continue
            name = f"{file_system}:{kind.name}" if file_system else kind.name
            chunks += [(kind, file_system, engine) for engine in kind.engines
                       if (engine != "reflink" or file_system == "xfs") and wanted_chunk(options.only, name, engine)]
    chosen = random.Random(seed)
    if options.sample is not None and not options.only:
        # Of some kinds only: each has to be run to find its cases.
        chunks = chosen.sample(chunks, min(len(chunks), options.sample // 5 + 5))
    if not SHIM:
        print("# short counts are left out: they need a C compiler and a program without sanitizers")

    cases = []
    passed = failed = unfired = left_out = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for chunk, (found, reason) in zip(chunks, pool.map(lambda chunk: sweep.cases(chunk, bool(SHIM)), chunks)):
            name = f"{chunk[1]}:{chunk[0].name}" if chunk[1] else chunk[0].name
            if reason and chunk[2] == "auto":  # what no engine was chosen for has to succeed
                failed += 1
                print(f"FAILED {name}/auto: {reason} -- scripts/faults.sh --only '{name}/auto/*'", flush=True)
            elif reason and options.verbose:
                print(f"# {name} with {chunk[2]} is left out: {reason}")
            cases += [case for case in found if not options.only or matches(options.only, case.name)]
        if options.sample is not None:
            print(f"# {options.sample} of {len(cases)} cases, --seed {seed}")
            cases = chosen.sample(cases, min(options.sample, len(cases)))
        if options.list:
            for case in cases:
                print(case.name)
            print(f"# {len(cases)} cases")
            return 0
        for case, has_fired, wrong, run in pool.map(sweep.run, cases):
            if run is None:
                left_out += 1
            elif wrong:
                failed += 1
                print(f"FAILED {case.name}: {'; '.join(wrong)} -- scripts/faults.sh --only '{case.name}'", flush=True)
            elif has_fired:
                passed += 1
            else:
                unfired += 1
                if options.verbose:
                    print(f"NOT FIRED {case.name}")
            if options.verbose and (wrong or len(cases) == 1):
                show(run)
    if left_out:
        print(f"# {left_out} cases were left out, as the time was over")
    print(f"{len(cases) - left_out} cases: {passed} passed, {failed} failed, {unfired} did not fire "
          f"({time.monotonic() - begun:.0f} s)")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    UMASK = os.umask(0)
    os.umask(UMASK)
    PROGRAM = sys.argv[2] if len(sys.argv) > 2 else ""
    SHIM = sys.argv[3] if len(sys.argv) > 3 and os.path.exists(sys.argv[3]) else ""
    sys.exit(main())
