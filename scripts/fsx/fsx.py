"""Random copies between a few files, in the manner of fsx, against a model in memory.

usage: fsx.py [--seed SEED] [--operations N] PROGRAM FOLDER...

Each folder, on a file system of its own or not, has four files that come and go. Each operation is one
run of PROGRAM with random options from and to them, standard input, standard output and pipes; between
operations the files are rewritten, cut, removed, and holes are made in them. The model holds the bytes
of each file and says what must become of them, and by the rules of the man page which exit status the
run must have: where the page leaves it open, it accepts more than one. It knows nothing of how PROGRAM
works. Compared are exit status, messages, statistics, digest, the bytes of source and target, where
standard input and output are left, and what files there are.

An operation depends on nothing but the seed, its number, and what the files hold, so a failure is
repeated by the same seed, folders and at least as many operations. What the files held before is kept.
"""

import argparse
import collections
import ctypes
import fcntl
import hashlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile

FILES = 4
BLOCK = 4096
PIPE_BYTES = 1 << 20
LARGEST = 6 << 20     # a file that has grown beyond is made anew
PIECES = 3000         # at most, of a slice of records
RESUME_BYTES = 1 << 20
ENGINES = ["buffer", "splice", "sendfile", "map-write", "copy-range", "reflink"]
PLACES = ["seek", "keep", "append", "atomic", "no_clobber", "resume"]
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2

MAYBE = "the page does not say"

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Folder:
    def __init__(self, path):
        self.path = tempfile.mkdtemp(prefix="fsx.", dir=path)
        self.type = file_system(self.path)
        self.model = [None] * FILES

    def name(self, i):
        return os.path.join(self.path, f"f{i}")


def file_system(path):
    """The type of the file system that a folder is on, by the longest mount point above it."""
    best, kind = "", "unknown"
    path = os.path.realpath(path)
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            _, point, name, *_ = line.split(" ")
            point = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), point)
            if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, name
    return kind


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def random_size(rng):
    return rng.choice([0, 1, rng.randint(2, 100), rng.randint(100, 5000), BLOCK * rng.randint(1, 20),
                       rng.randint(5000, 100000), rng.randint(5000, 100000), rng.randint(100000, 400000),
                       rng.randint(1 << 20, 3 << 20) if rng.random() < 0.6 else 1 << 18])


def scribble(rng, folder, i):
    """Changes a file, by Python and not by the program, and the model with it."""
    path, content = folder.name(i), folder.model[i]
    luck = rng.random()
    if content is not None and luck < 0.08:
        os.unlink(path)
        folder.model[i] = None
    elif content and luck < 0.25:
        size = rng.randint(0, len(content) + 10000)
        os.truncate(path, size)
        folder.model[i] = content[:size] + bytes(max(size - len(content), 0))
    elif content and luck < 0.45:
        start = rng.randint(0, len(content) - 1)
        length = rng.choice([BLOCK, rng.randint(1, 50000)])
        if rng.random() < 0.7:
            start -= start % BLOCK
        with open(path, "r+b") as file:
            if libc.fallocate(file.fileno(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, length):
                return
        length = min(length, len(content) - start)
        folder.model[i] = content[:start] + bytes(length) + content[start + length:]
    else:
        make(rng, folder, i)


def make(rng, folder, i):
    size, made = random_size(rng), bytearray()
    with open(folder.name(i), "wb") as file:
        while len(made) < size:
            length = min(size - len(made), rng.choice([size, BLOCK * rng.randint(1, 40), rng.randint(1, size)]))
            kind = rng.choice(["data", "data", "zeros", "hole"])
            piece = rng.randbytes(length) if kind == "data" else bytes(length)
            if kind == "hole":
                file.seek(length, os.SEEK_CUR)
            else:
                file.write(piece)
            made += piece
        file.truncate(size)
    folder.model[i] = bytes(made)


# What is asked for

Slice = collections.namedtuple("Slice", "start stop length step")
Number = collections.namedtuple("Number", "value from_end text")  # in bytes


class Operation:
    """One command line; the fields are what it says, `words` how it says it."""

    def __init__(self, rng, folders):
        self.rng = rng
        self.wild = rng.random() < 0.12  # combinations that may be nonsense
        self.words = []
        self.choose_source(folders)
        self.place = None
        self.in_place = None
        self.sparse = self.reflink = self.engine = self.digest = None
        self.truncate = self.sync = self.verify = self.stable = self.no_cache = self.verbose = False
        self.at = Number(0, False, "")
        self.choose_slices()
        if rng.random() < 0.08:
            self.choose_in_place()
        else:
            self.choose_target(folders)
        self.choose_rest()
        rng.shuffle(self.words)

    def often(self, share):
        return self.rng.random() < share

    def choose_source(self, folders):
        rng = self.rng
        self.source_folder, self.source_file = rng.choice(folders), rng.randrange(FILES)
        for _ in range(3):  # mostly one that exists
            if self.source_folder.model[self.source_file] is None:
                self.source_folder, self.source_file = rng.choice(folders), rng.randrange(FILES)
        content = self.source_folder.model[self.source_file]
        self.source = rng.choice(["file"] * 3 + ["standing", "pipe"])
        if content is None:
            self.source = "file"
        self.standing = rng.choice([0, rng.randint(0, len(content) + 5)]) if self.source == "standing" else 0
        self.data = (content or b"")[self.standing:]
        if self.source == "pipe":
            self.data = self.data[:PIPE_BYTES]
        self.missing = content is None
        self.sized = self.source != "pipe"

    def number(self, limit, signed):
        rng, size = self.rng, len(self.data)
        value = rng.choice([0, limit, rng.randint(0, limit), rng.randint(0, limit), rng.randint(0, limit),
                            rng.randint(0, limit + limit // 8 + 2), BLOCK * rng.randint(0, limit // BLOCK)])
        from_end = signed and rng.random() < 0.2
        if from_end and rng.random() < 0.3 and size >= value:
            value = size - value
        if rng.random() < 0.4 or value % self.record:
            if self.record > 1 and rng.random() < 0.7:
                value -= value % self.record
            else:
                return Number(value, from_end, ("-" if from_end else "") + rng.choice([f"{value}B"]
                              + ([str(value), hex(value)] if self.record == 1 else [])))
        text = str(value // self.record) if value % self.record == 0 else f"{value}B"
        return Number(value, from_end, ("-" if from_end else "") + text)

    def choose_slices(self):
        rng, size = self.rng, len(self.data)
        self.record, self.has_record = 1, self.often(0.2)
        if self.has_record:
            self.record = rng.choice([1, 2, 16, 100, 512, rng.randint(1, 5000), 4096, 65536])
            self.record = max(self.record, size // PIECES)
            self.words.append(f"--record={self.record}")
        self.field, self.has_field, self.field_wrong = (0, self.record), False, False
        if self.often(0.4 if self.has_record else 0.01):
            first, last = sorted((rng.randint(0, self.record), rng.randint(0, self.record)))
            if self.wild and self.often(0.2):
                last = self.record + 1
            self.words.append(rng.choice([f"--field={first}:{last}", f"--field={first}+{last - first}"]))
            self.field_wrong = last > self.record or not self.has_record
            self.field, self.has_field = (first, last), True
        self.shard, self.align = None, self.record
        if self.often(0.1 if self.sized or self.wild else 0):
            count = rng.choice([1, 2, 3, 7, 64, 2**32 - 1])
            self.shard = (rng.randint(1, count), count)
            self.words.append(f"--shard={self.shard[0]}/{count}")
        if self.often(0.4 if self.shard else 0.005):
            self.align = rng.choice([1, 7, 4096, self.record * rng.randint(1, 4)])
            self.words.append(f"--align={self.align}")
            self.has_align = True
        else:
            self.has_align = False
        self.exact = self.often(0.15)
        if self.exact:
            self.words.append("--exact")
        self.mixed = False
        if self.often(0.6):
            self.slices = [self.plain_slice()]
        else:
            self.slices = self.ranges()
            if self.wild and self.often(0.1):
                self.words.append("--offset=0")
                self.mixed = True

    def plain_slice(self):
        size = len(self.data)
        start = self.number(size, True) if self.often(0.7) else None
        stop = length = None
        if self.often(0.35):
            length = self.number(size, False)
        if self.often(0.3) and (not length or self.wild):
            stop = self.number(size, True)
        for name, number in (("offset", start), ("length", length), ("end", stop)):
            if number:
                self.words.append(f"--{name}={number.text}")
        return Slice(start, stop, length, None)

    def ranges(self):
        rng, size, slices = self.rng, len(self.data), []
        count = rng.choice([1, 1, 2, 3, 5]) if not self.shard or self.wild else 1
        at = 0
        for _ in range(count):
            start, step, stop, length = self.number(size, True), None, None, None
            if not self.sized and count > 1 and not (self.wild and self.often(0.3)):  # ascending
                start = self.absolute(at + rng.randint(0, max(size // (2 * count), 1)))
                length = self.absolute(rng.randint(0, max(size // (2 * count), 1)))
                at = start.value + length.value
            elif self.often(0.4):
                length = self.number(size // count + 1, False)
            else:
                stop = self.number(size, True) if self.often(0.7) else None
                if self.often(0.35) and (not self.shard or self.wild):
                    least = max(size // PIECES, 1) + (0 if self.wild else self.record)
                    step = self.absolute(rng.choice([self.record, least, least + rng.randint(0, 10000)]))
            if length:
                text = f"{start.text}+{length.text}"
            else:
                text = f"{start.text}:{stop.text if stop else ''}" + (f":{step.text}" if step else "")
            self.words.append(f"--range={text}")
            slices.append(Slice(start, stop, length, step))
        # The words are shuffled, and of ranges the order counts.
        ranges = [w for w in self.words if w.startswith("--range=")]
        self.words = [w for w in self.words if not w.startswith("--range=")]
        self.tail = ranges
        return slices

    def absolute(self, value):
        return Number(value, False, f"{value}B")

    def choose_in_place(self):
        self.in_place = self.rng.choice(["collapse", "auto"])
        self.words.append(f"--in-place={self.in_place}")
        if self.source != "file" and not self.wild:
            self.source, self.sized, self.standing = "file", True, 0
            self.data = self.source_folder.model[self.source_file] or b""
        self.target = "none"
        self.target_folder, self.target_file = self.source_folder, self.source_file
        self.old = None
        self.output_position = 0
        if self.wild and self.often(0.3):
            self.choose_place()

    def choose_place(self):
        self.place = self.rng.choice(PLACES + ["seek", "keep", "atomic", "resume"])
        if self.place == "seek":
            limit = len(self.old or b"")
            value = self.rng.choice([0, limit, self.rng.randint(0, limit), self.rng.randint(0, limit + 9000),
                                     BLOCK * self.rng.randint(0, 10)])
            from_end = (self.old is not None or self.wild) and self.often(0.2)
            self.at = Number(value, from_end, f"-{value}" if from_end else f"{value}")
            self.words.append(f"--seek={self.at.text}")
        else:
            self.words.append({"keep": "--keep-offset", "append": "--append", "atomic": "--atomic",
                               "no_clobber": "--no-clobber", "resume": "--resume"}[self.place])

    def choose_target(self, folders):
        rng = self.rng
        self.target_folder, self.target_file = rng.choice(folders), rng.randrange(FILES)
        if self.often(0.5):
            self.target_folder = self.source_folder  # sharing blocks, the same file
        if self.same_file() and not self.often(0.5):
            self.target_file = (self.target_file + 1) % FILES
        self.target = rng.choice(["path"] * 5 + ["position", "append", "pipe"])
        if self.target in ("position", "append") and self.target_folder.model[self.target_file] is None:
            self.target = "path"
        self.old = self.target_folder.model[self.target_file]
        if self.target == "pipe":
            self.target_folder = self.target_file = self.old = None
        self.output_position = rng.randint(0, len(self.old) + 10) if self.target == "position" else 0
        if self.often(0.75 if self.target == "path" else 0.15):
            self.choose_place()
            if self.target != "path" and self.place in ("no_clobber", "atomic", "resume") and not self.wild:
                self.words.pop()
                self.place = None
        if self.place == "resume" and self.old is not None and self.often(0.8):
            self.prepare_resume()
        if self.often(0.4 if self.place in ("seek", "keep") else 0.01):
            self.truncate = True
            self.words.append("--truncate")

    def prepare_resume(self):
        """Mostly, what is there is the beginning of the slice, or nearly."""
        if self.same_file() or self.missing:
            return
        whole = Expected(self).everything()
        part = bytearray(whole[:self.rng.randint(0, len(whole))])
        if part and self.often(0.2):
            part[self.rng.choice([0, -1, self.rng.randrange(len(part))])] ^= 1
        if self.often(0.05):
            part = bytearray(whole) + b"x"
        self.old = self.target_folder.model[self.target_file] = bytes(part)
        with open(self.target_folder.name(self.target_file), "wb") as file:
            file.write(part)

    def same_file(self):
        return self.source != "pipe" and self.target_folder is self.source_folder \
            and self.target_file == self.source_file

    def choose_rest(self):
        rng = self.rng
        tame = self.in_place and not self.wild
        if self.often(0 if tame else 0.25):
            self.sparse = rng.choice(["auto", "always", "always", "never"])
            if not self.wild and self.sparse == "always" and self.is_append():
                self.sparse = "never"
            self.words.append(f"--sparse={self.sparse}")
        if self.often(0 if tame else 0.2):
            self.reflink = rng.choice(["auto", "always", "never"])
            self.words.append(f"--reflink={self.reflink}")
        if self.often(0 if tame else 0.4):
            self.engine = rng.choice(ENGINES)
            if not self.wild and self.sparse == "always":
                self.engine = "buffer"
            self.words.append(f"--engine={self.engine}")
        if self.often(0 if tame else 0.15):
            self.digest = rng.choice(["sha256", "xxh128"])
            self.words.append(f"--digest={self.digest}")
        self.sync = self.option("sync", 0.05 if self.target != "pipe" or self.wild else 0)
        self.verify = self.option("verify", 0 if tame else
                                  0.1 if self.target == "path" and self.sized or self.wild else 0)
        self.no_cache = self.option("no-cache", 0 if tame else 0.08)
        self.stable = self.option("stable", 0 if tame else 0.05)
        self.verbose = self.option("verbose", 0.05)
        self.stats = self.option("stats=json", 0.25)
        self.report = None
        if self.often((0.3 if self.stats or self.digest else 0.01) if not self.in_place else 0):
            self.report = self.source_folder.path + ".report"
            self.words.append(f"--report={self.report}")
        self.explain = self.option("explain", 0.03 if self.target in ("path", "pipe", "none") else 0)
        if self.often(0.15):
            self.words.append(f"--jobs={rng.choice(['auto', 1, 2, 5])}")

    def option(self, name, share):
        chosen = self.often(share)
        if chosen:
            self.words.append(f"--{name}")
        return chosen

    def is_append(self):
        return self.target == "append" or self.place == "append" and self.target in ("path", "position")

    def arguments(self):
        source = self.source_folder.name(self.source_file) if self.source == "file" else "-"
        words = self.words + getattr(self, "tail", [])
        if self.target == "none":
            return words + [source]
        target = self.target_folder.name(self.target_file) if self.target == "path" else "-"
        return words + [source] + ([target] if target != "-" or self.rng.random() < 0.5 else [])


# What must happen

class Expected:
    """statuses: those that are right. content: of the target, if the status is 0 or 3."""

    def __init__(self, operation):
        self.op = operation
        self.runs = []      # of each range: [(position, length)], counted from position 0 of the source
        self.spans = []     # of each range: where it begins
        self.short = None   # "untouched" or "written"
        self.in_pieces = False
        self.judged_left = True

    def everything(self):
        self.resolve()
        return self.joined()

    def joined(self):
        return b"".join(self.op.data[at:at + length] for runs in self.runs for at, length in runs)

    def place_of(self, number, size):
        return size - number.value if number.from_end else number.value

    def count(self, length, step):
        first, last = self.op.field
        return length // step * (last - first) + min(max(length % step - first, 0), last - first)

    def resolve_one(self, piece, size):
        """(asked start, asked stop, short, begin, runs)"""
        op = self.op
        start = self.place_of(piece.start, size) if piece.start else 0
        stop = start + piece.length.value if piece.length else \
            self.place_of(piece.stop, size) if piece.stop else size
        if start > size:
            return start, stop, True, size, []
        if piece.length:
            low, high = max(start, 0), min(max(start, 0) + piece.length.value, size)
        else:
            low, high = max(start, 0), min(max(stop, 0), size)
        low = min(low, size)
        high = max(low, high)
        step = piece.step.value if piece.step else op.record
        first, last = op.field
        short = False
        if op.exact and start < stop:
            asked = stop - max(start, 0)
            short = start < 0 or self.count(max(asked, 0), step) > self.count(high - low, step)
        if op.exact and first < last and 0 < (high - low) % step < last:
            short = True
        if op.shard:
            number, count = op.shard
            bounds = [k * (high - low) // count for k in (number - 1, number)]
            bounds = [b if k == count else b - b % op.align for b, k in zip(bounds, (number - 1, number))]
            low, high = low + bounds[0], low + bounds[1]
        if step == op.record and (first, last) == (0, op.record):
            return start, stop, short, low, [(low, high - low)] if high > low else []
        self.in_pieces = True
        runs = [(at + first, min(at + last, high) - at - first) for at in range(low, high, step)
                if at + first < min(at + last, high)]
        return start, stop, short, low, runs

    def is_held(self):
        """A position from the end of a stream; as a STOP, -0 is no such."""
        op = self.op
        return not op.sized and any(s.start and s.start.from_end or s.stop and s.stop.from_end and s.stop.value
                                    for s in op.slices)

    def asks_for_part(self, piece):
        first, last = self.op.field
        start = piece.start.value if piece.start else 0
        if not piece.length and (not piece.stop or piece.stop.from_end):
            return False
        length = piece.length.value if piece.length else piece.stop.value - start
        return first < last and length > 0 and \
            0 < length % (piece.step.value if piece.step else self.op.record) < last

    def resolve(self):
        op, size = self.op, len(self.op.data)
        self.runs, self.spans, self.short = [], [], None
        held = self.is_held()
        if not op.sized and not held and op.exact and any(self.asks_for_part(piece) for piece in op.slices):
            self.short = "untouched"  # a record that is cut off by what is asked for
            return
        for i, piece in enumerate(op.slices):
            start, stop, short, begin, runs = self.resolve_one(piece, size)
            if start > size:
                self.short = "untouched" if i == 0 or op.sized else "written"
            elif short:
                ahead = op.sized or held and piece.start and piece.start.from_end
                self.short = "untouched" if ahead else "written"
            if self.short and (op.sized or self.short == "untouched" or start > size):
                return
            self.runs.append(runs)
            self.spans.append(begin)
            if self.short:
                return

    # Refusals, in the words of the man page

    def usage(self):
        op = self.op
        sharing = op.reflink == "always" or op.engine == "reflink"
        named = op.place in ("no_clobber", "atomic", "resume") or op.verify
        yield op.mixed, "--range with --offset"
        yield bool(op.slices[0].stop and op.slices[0].length), "--end with --length"
        yield op.field_wrong, "a field out of its record, or without --record"
        yield op.has_field and op.align % op.record, "--align of parts of records"
        yield op.has_align and not op.shard, "--align without --shard"
        yield op.shard and len(op.slices) > 1, "--shard of ranges"
        yield op.shard and any(s.step for s in op.slices), "--shard of a STEP"
        yield any(s.step and s.step.value < op.record for s in op.slices), "a STEP below a record"
        yield op.truncate and op.place not in ("seek", "keep"), "--truncate alone"
        yield op.truncate and op.shard, "--truncate of a shard"
        yield op.place and op.in_place, "two places"
        yield op.place == "append" and op.verify, "--verify of what is appended"
        yield op.report and not op.digest and not op.stats, "--report of nothing"
        yield op.report and op.explain, "--report and --explain"
        yield op.reflink == "always" and op.engine not in (None, "reflink"), "--reflink=always, other engine"
        yield op.reflink == "never" and op.engine == "reflink", "--reflink=never, --engine=reflink"
        yield op.sparse in ("always", "never") and sharing, "--sparse with sharing"
        yield named and op.target not in ("path", "none"), "it needs a path"
        if op.in_place:
            yield op.source != "file", "--in-place of standard input"
            yield op.engine or op.reflink in ("always", "never") or op.sparse in ("always", "never") \
                or op.no_cache or op.stable or op.verify or op.digest or len(op.slices) > 1, "--in-place with"

    def refusals(self):
        """(whether, reason): what is refused, and what may be."""
        op = self.op
        yield op.missing, "no source"
        yield not op.sized and op.shard, "--shard of a stream"
        if not op.sized and len(op.slices) > 1:
            yield self.is_held(), "ranges from a stream's end"
            yield self.descends(), "ranges of a stream descend"
        if op.in_place:
            yield from self.in_place()
            return
        yield op.place == "no_clobber" and op.old is not None, "--no-clobber"
        yield (op.place == "resume" or op.verify) and not op.sized, "a stream cannot be read again"
        yield op.target == "pipe" and op.sync, "a pipe keeps no bytes"
        yield op.place in ("seek", "keep") and op.target in ("pipe", "append"), "no positions"
        if op.place == "seek" and op.at.from_end and op.target == "path" and op.old is None:
            yield True, "--seek from the end of nothing"
        if op.place == "seek" and op.at.from_end and op.old is not None:
            yield op.at.value > len(op.old), "--seek before the start"
        yield op.sparse == "always" and (op.target == "pipe" or op.is_append()), "no holes there"
        yield op.sparse == "always" and op.engine not in (None, "buffer"), "--sparse=always needs buffer"
        if op.place == "resume" and op.old is not None:
            yield from self.resume()
        if op.same_file():
            yield op.verify and op.truncate, "the source is cut before it is read again"
            yield from self.overwrites()
        if op.engine:
            yield from self.engine()
        if op.reflink == "always":
            yield from self.sharing()

    def descends(self):
        behind = 0
        for piece in self.op.slices:
            if (piece.start.value if piece.start else 0) < behind:
                return True
            if piece.length is None and (piece.stop is None or piece.stop.from_end):
                behind = 2**64
            else:
                start = piece.start.value if piece.start else 0
                behind = max(start + piece.length.value if piece.length else piece.stop.value, start)
        return False

    def in_place(self):
        op = self.op
        total = sum(length for runs in self.runs for _, length in runs)
        pieces = sum(len(runs) for runs in self.runs)
        if self.in_pieces:
            yield MAYBE if pieces <= 1 else True, "--in-place of pieces"
            return
        start = self.spans[0] if self.spans else 0
        if op.in_place == "collapse" and start and total:
            if op.source_folder.type in ("ext4", "xfs"):
                yield start % BLOCK != 0, "--in-place=collapse of parts of blocks"
            else:
                yield MAYBE if op.source_folder.type not in ("btrfs", "tmpfs") else True, "it cannot collapse"

    def resume(self):
        op, whole = self.op, self.joined()
        from_ = max(len(op.old) - RESUME_BYTES, 0)
        yield len(op.old) > len(whole), "--resume of a longer target"
        yield op.old[from_:] != whole[from_:len(op.old)], "--resume of other bytes"

    def regions(self):
        """Positions read and written, in the file."""
        op = self.op
        read_ = [(op.standing + at, op.standing + at + n) for runs in self.runs for at, n in runs]
        if op.place == "keep":
            written = [(a - op.standing, b - op.standing) for a, b in read_]
        else:
            start = self.position()
            total = sum(b - a for a, b in read_)
            written = [(start, start + total)] if total else []
        return read_, written

    def overwrites(self):
        op = self.op
        if op.is_append():
            return
        yield op.place not in ("seek", "keep"), "the target is the source"
        read_, written = self.regions()
        if not read_:
            return
        exact = any(a < d and c < b for a, b in read_ for c, d in written) \
            if len(read_) * len(written) < 10**6 else None
        spans = min(min(self.spans) + op.standing, read_[0][0]), max(b for _, b in read_)
        hull = min(spans[0], min(a for a, _ in read_)), spans[1]
        into = min(c for c, _ in written), max(d for _, d in written)
        touching = hull[0] < into[1] and into[0] < hull[1]
        yield True if exact else MAYBE if touching else False, "it would overwrite itself"

    def position(self):
        op = self.op
        old = len(op.old or b"")
        if op.place == "seek":
            return old - op.at.value if op.at.from_end else op.at.value
        if op.is_append():
            return old
        return op.output_position

    def engine(self):
        op, engine = self.op, self.op.engine
        files = op.sized and op.target != "pipe"
        scattered = op.place == "keep" and (len(op.slices) > 1 or self.in_pieces)
        held = self.is_held()
        if engine == "buffer":
            return
        if op.stable and op.target == "pipe" and engine in ("splice", "sendfile"):
            yield True, "--stable wants copies"
        if op.digest and not op.sized:
            yield True, "the digest of a stream"
        if held:
            yield MAYBE, "what is held of a stream"
        elif engine in ("map-write", "sendfile"):
            yield not op.sized, "a stream is not mapped"
        if engine in ("sendfile", "splice", "copy-range", "reflink"):
            yield op.is_append(), "it cannot append"
        if engine == "sendfile":
            yield scattered, "it cannot scatter"
        if engine == "copy-range":
            yield MAYBE if held and op.target != "pipe" else not files, "copy-range is for files"
            yield MAYBE if op.target_folder is not op.source_folder else False, "copy-range of two file systems"
        if engine == "reflink":
            yield from self.sharing()

    def sharing(self):
        """Whole blocks, at positions that agree, in one file system that can."""
        op = self.op
        total = sum(length for runs in self.runs for _, length in runs)
        only = op.engine == "reflink"
        if total == 0:
            yield MAYBE, "there is nothing to share"
            return
        if op.source == "pipe" or op.target == "pipe" or op.is_append():
            yield True, "sharing is for files"
            return
        if op.target_folder is not op.source_folder:
            yield True if op.target_folder.type != op.source_folder.type else MAYBE, "on two file systems"
        if op.source_folder.type in ("ext4", "tmpfs"):
            yield True, "it cannot share"
            return
        if self.in_pieces or op.place == "resume":
            yield MAYBE, "sharing of pieces"
            return
        at, some, all_ = self.position(), False, True
        for runs in self.runs:
            for position, length in runs:
                if op.place == "keep":
                    at = position
                first = op.standing + position
                aligned = first % BLOCK == at % BLOCK
                low, high = -(-first // BLOCK) * BLOCK, (first + length) // BLOCK * BLOCK
                some |= aligned and high > low
                all_ &= aligned and low == first and high == first + length
                at += length
        yield not (all_ if only else some), "no whole blocks"

    # The verdict

    def decide(self):
        op = self.op
        usage = [reason for wrong, reason in self.usage() if wrong]
        self.reasons, self.is_usage = usage, bool(usage)
        self.statuses, self.content, self.output = {2}, op.old, b""
        if usage:
            return
        self.resolve()
        found = list(self.refusals())
        self.reasons = [reason for wrong, reason in found if wrong]
        certain = any(wrong and wrong is not MAYBE for wrong, _ in found)
        if op.missing:
            return
        if self.short:
            # Which of the two is found first is not said, and what is refused depends on the slice.
            self.statuses = {2, 3} if self.reasons or op.place == "resume" or op.in_place else {3}
        elif certain:
            return
        else:
            self.statuses = {0, 2} if self.reasons else {0}
        self.place_bytes()

    def ends(self):
        return [runs[-1][0] + runs[-1][1] if runs else begin for runs, begin in zip(self.runs, self.spans)]

    def place_bytes(self):
        op, joined = self.op, self.joined()
        self.written = len(joined)
        if self.short == "untouched" or self.short and op.place == "atomic":
            self.written = 0
            self.content = op.old
            return
        if op.target == "pipe":
            self.output, self.content = joined, None
            return
        old = bytearray(op.old or b"")
        if op.place == "resume" and op.old is not None:  # only its end is compared
            self.content = op.old + joined[len(op.old):]
            return
        if op.in_place or op.place in ("atomic", "resume") or op.target == "path" and \
                op.place in (None, "no_clobber"):
            self.content = joined
            if self.short and not joined and op.old is None:
                self.content = None
            return
        if op.place == "keep":
            for runs in self.runs:
                for at, length in runs:
                    put(old, at, op.data[at:at + length])
            end = max(self.ends(), default=0)
        else:
            put(old, self.position(), joined)
            end = self.position() + len(joined)
        if op.truncate and not self.short:
            del old[end:]
        self.content = bytes(old)
        if self.short and not joined and op.old is None:
            self.content = None

    def left(self):
        """How far standard input is to be read, or None where that is not judged."""
        op = self.op
        if op.place == "resume" or op.source == "file" or not self.runs:
            return None
        if op.sized:  # behind the last byte used, or where the slice begins
            used = [end for end, runs in zip(self.ends(), self.runs) if runs]
            return used[-1] if used else self.ends()[-1]
        last = op.slices[-1]
        if self.in_pieces or any(n and n.from_end for s in op.slices for n in (s.start, s.stop)):
            return None
        return self.ends()[-1] if last.stop or last.length else len(op.data)


def put(content, position, piece):
    if piece:
        if len(content) < position:
            content.extend(bytes(position - len(content)))
        content[position:position + len(piece)] = piece


# The run

class Run:
    def __init__(self, program, op):
        self.command = [program] + op.arguments()
        path = op.source_folder.name(op.source_file)
        stdin = os.open(path if op.source == "standing" else os.devnull, os.O_RDONLY)
        if op.source == "standing":
            os.lseek(stdin, op.standing, os.SEEK_SET)
        elif op.source == "pipe":
            os.close(stdin)
            stdin = filled_pipe(op.data)
        output = subprocess.PIPE
        self.inode_before, _ = examine(op)
        if op.target == "position":
            output = os.open(op.target_folder.name(op.target_file), os.O_RDWR)
            os.lseek(output, op.output_position, os.SEEK_SET)
        elif op.target == "append":
            output = os.open(op.target_folder.name(op.target_file), os.O_WRONLY | os.O_APPEND)
        try:
            done = subprocess.run(self.command, stdin=stdin, stdout=output, stderr=subprocess.PIPE,
                                  timeout=60, check=False)
            self.status, self.output, self.message = done.returncode, done.stdout or b"", done.stderr.decode(
                errors="replace")
        except subprocess.TimeoutExpired:
            self.status, self.output, self.message = "none in 60 s", b"", ""
        self.take_report(op)
        self.left = None
        if op.source == "standing":
            self.left = os.lseek(stdin, 0, os.SEEK_CUR) - op.standing
        elif op.source == "pipe":
            self.left = len(op.data) - drain(stdin)
        os.close(stdin)
        self.output_left = None
        if output != subprocess.PIPE:
            self.output_left = os.lseek(output, 0, os.SEEK_CUR)
            os.close(output)
        self.inode, self.allocated = examine(op)

    def take_report(self, op):
        """What is in --report=FILE is put where it would have been on standard error."""
        self.misplaced = bool(op.report) and re.search(r'^(\{"version"|SHA256 |XXH128 )', self.message, re.M)
        if op.report and os.path.exists(op.report):
            with open(op.report, encoding="utf-8") as file:
                lines = file.readlines()
            os.unlink(op.report)
            numbers = [line for line in lines if line.startswith("{")]
            digests = [line for line in lines if not line.startswith("{")]
            self.message = "".join(digests) + self.message + "".join(numbers)


def examine(op):
    """Inode and allocated bytes of a target that is named; (None, 0) if there is none."""
    if op.target != "path":
        return None, 0
    try:
        status = os.stat(op.target_folder.name(op.target_file))
    except FileNotFoundError:
        return None, 0
    return status.st_ino, status.st_blocks * 512


def filled_pipe(data):
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(write_end, False)
    view = memoryview(data)
    while view:
        view = view[os.write(write_end, view):]
    os.close(write_end)
    return read_end


def drain(end):
    count = 0
    while more := os.read(end, 1 << 20):
        count += len(more)
    return count


def difference(wanted, got):
    if wanted is None or got is None:
        return "it exists, and should not" if wanted is None else "it does not exist, and should"
    at = next((i for i in range(0, min(len(wanted), len(got)), BLOCK)
               if wanted[i:i + BLOCK] != got[i:i + BLOCK]), 0)
    at = next((i for i in range(at, min(len(wanted), len(got))) if wanted[i] != got[i]),
              min(len(wanted), len(got)))
    return f"{len(got)} bytes, expected {len(wanted)}; the first difference is at {at}"


class Judge:
    def __init__(self, op, expected, run):
        self.op, self.expected, self.run = op, expected, run

    def verdict(self):
        """What is wrong, or None."""
        for check in (self.status, self.target, self.source, self.messages, self.statistics, self.ends,
                      self.file):
            problem = check()
            if problem:
                return problem
        return None

    def failed(self):
        return self.run.status != 0

    def status(self):
        statuses = self.expected.statuses
        if self.op.explain:
            statuses = statuses | {0, 2}
        if self.run.status not in statuses:
            reasons = ", ".join(self.expected.reasons) or "nothing is wrong with it"
            return f"exit status {self.run.status}, expected {sorted(statuses)}: {reasons}"
        return None

    def target(self):
        op, expected = self.op, self.expected
        wanted = expected.content
        output = expected.output
        if self.run.status == 2 or op.explain:
            wanted, output = op.old, b""
            if op.target == "none":
                wanted = None
        if op.target_folder is not None and op.target != "none" or op.in_place:
            if op.in_place and (self.failed() or op.explain):
                wanted = op.source_folder.model[op.source_file]
            folder, i = op.target_folder, op.target_file
            got = read(folder.name(i))
            if got != wanted:
                emptied = self.failed() and op.place == "keep" and op.old is None and got == b""
                cut = self.run.status == 0 and op.place == "keep" and op.truncate and not expected.written
                if not emptied and not (cut and got == (op.old or b"")[:len(got or b"")]):
                    return f"the target: {difference(wanted, got)}"
            folder.model[i] = got
        if op.target == "pipe" and not op.explain and self.run.output != output:
            return f"standard output: {difference(output, self.run.output)}"
        return None

    def source(self):
        op = self.op
        if op.in_place or op.same_file():
            return None
        got = read(op.source_folder.name(op.source_file))
        if got != op.source_folder.model[op.source_file]:
            return f"the source: {difference(op.source_folder.model[op.source_file], got)}"
        return None

    def file(self):
        """--atomic, and nothing else, makes another file of it; --sparse decides what room it takes."""
        op, run = self.op, self.run
        if op.target != "path" or self.failed() or op.explain:
            return None
        if run.inode and (run.inode != run.inode_before) != (op.place == "atomic") and run.inode_before:
            return "it is another file now" if op.place != "atomic" else "it is the same file as before"
        whole = op.place in (None, "atomic", "no_clobber") and op.source == "file" and len(op.slices) == 1 \
            and not self.expected.in_pieces and op.target_folder.type in ("ext4", "tmpfs")
        content = self.expected.content
        if not whole or not content:
            return None
        if op.sparse == "never" and run.allocated < len(content):
            return f"--sparse=never, and only {run.allocated} of {len(content)} bytes take room"
        data = sum(BLOCK for at in range(0, len(content), BLOCK) if content[at:at + BLOCK].strip(b"\0"))
        if op.sparse == "always" and run.allocated > data + 16 * BLOCK:
            return f"--sparse=always, and {run.allocated} bytes take room, for {data} of data"
        return None

    def lines(self):
        lines = self.run.message.splitlines()
        return lines[:-1] if self.op.stats and lines and lines[-1].startswith("{") else lines

    def messages(self):
        op, lines = self.op, self.lines()
        # A command line that is wrong opens no report.
        if self.run.misplaced and not self.expected.is_usage:
            return "what belongs into the report is on standard error"
        if self.failed():
            if len(lines) != 1 or not lines[0].startswith("zslice: "):
                return f"{len(lines)} lines of messages"
            return None
        if op.explain:
            return None
        if op.digest:
            problem = self.digest(lines.pop(0) if lines else "")
            if problem:
                return problem
        if op.verbose:
            if not lines or not lines.pop().startswith(f"zslice: {self.written()[0]} bytes ("):
                return "no summary, or of another number of bytes"
        return "more messages than asked for" if lines else None

    def written(self):
        """The bytes that are said to be in the target; of --resume the page does not say if all."""
        op, whole = self.op, self.expected.written
        if op.place == "resume" and op.old is not None:
            return whole - len(op.old), whole
        return (whole,)

    def digest(self, line):
        op = self.op
        tag, digits = ("SHA256", 64) if op.digest == "sha256" else ("XXH128", 32)
        found = re.fullmatch(rf"{tag} \((.*)\) = ([0-9a-f]{{{digits}}})", line)
        if not found:
            return f"no digest: {line!r}"
        whole = op.target == "path" and op.place in (None, "atomic", "no_clobber", "resume")
        source = op.source_folder.name(op.source_file) if op.source == "file" else "-"
        if whole and found[1] != op.target_folder.name(op.target_file) or \
                not whole and not found[1].startswith(source + "["):
            return f"the digest is of another object: {line}"
        if op.digest == "sha256" and found[2] != hashlib.sha256(self.expected.joined()).hexdigest():
            return "the digest is wrong"
        return None

    def statistics(self):
        op = self.op
        if not op.stats:
            return None
        lines = self.run.message.splitlines()
        try:
            stats = json.loads(lines[-1] if lines else "")
        except ValueError:
            return None if op.explain or op.report and self.run.status == 2 else "no statistics"
        if stats["exit_status"] != self.run.status or stats["complete"] != (self.run.status == 0):
            return "the statistics have another exit status"
        written = self.written() if self.run.status in (0, 3) and not op.explain else (0,)
        if stats["bytes"] not in written:
            return f"statistics of {stats['bytes']} bytes, expected {written}"
        return None

    def ends(self):
        op, run = self.op, self.run
        if self.failed() or op.explain:
            # An engine that only trying can refuse has been brought to a first byte.
            tried = self.expected.spans if 0 in self.expected.statuses else []
            if op.source == "standing" and run.status == 2 and run.left not in [0, *tried]:
                return f"refused, and standard input was moved to {run.left}"
            return None
        left = self.expected.left()
        if left is not None and run.left != left:
            return f"standard input is left at {run.left}, expected {left}"
        if op.target == "position":
            at = self.expected.position() + self.expected.written if op.place != "keep" else None
            if at is not None and self.expected.written and run.output_left != at:
                return f"standard output is left at {run.output_left}, expected {at}"
        return None


class Session:
    def __init__(self, program, paths, seed):
        self.program, self.seed = program, seed
        self.folders = [Folder(path) for path in paths]
        self.counts = collections.Counter()

    def begin(self):
        for folder in self.folders:
            for i in range(FILES - 1):
                make(random.Random(f"{self.seed}:{folder.path and self.folders.index(folder)}:{i}"), folder, i)

    def step(self, index):
        """One operation; what is wrong, or None."""
        rng = random.Random(f"{self.seed}:{index}")
        folder = rng.choice(self.folders)
        scribble(rng, folder, rng.randrange(FILES))
        for folder in self.folders:
            for i in range(FILES):
                if len(folder.model[i] or b"") > LARGEST:
                    make(rng, folder, i)
        op = Operation(rng, self.folders)
        expected = Expected(op)
        expected.written = 0
        expected.decide()
        before = {f.name(i): f.model[i] for f in self.folders for i in range(FILES)}
        run = Run(self.program, op)
        problem = Judge(op, expected, run).verdict()
        if not problem and (index % 50 == 0):
            problem = self.others()
        if not problem:
            problem = self.strangers()
        self.count(op, expected, run)
        return problem and self.report(index, op, run, before, problem)

    def others(self):
        for folder in self.folders:
            for i in range(FILES):
                if read(folder.name(i)) != folder.model[i]:
                    return f"{folder.name(i)}: {difference(folder.model[i], read(folder.name(i)))}"
        return None

    def strangers(self):
        """Files that nobody has made."""
        for folder in self.folders:
            names = {f"f{i}" for i in range(FILES) if folder.model[i] is not None}
            there = set(os.listdir(folder.path))
            if there != names:
                return f"files in {folder.path}: {sorted(there)}, expected {sorted(names)}"
        return None

    def count(self, op, expected, run):
        add = self.counts.update
        add([f"status {run.status}", f"source {op.source}", f"target {op.target}"])
        if len(expected.statuses) > 1:
            add(["more than one status is right"])
        if run.status == 0 and not op.explain:
            done = [f"place {op.place}" if op.place else f"in-place {op.in_place}" if op.in_place else "",
                    f"engine {op.engine}", f"sparse {op.sparse}", f"reflink {op.reflink}",
                    f"digest {op.digest}", f"on {op.source_folder.type}"]
            done += [name for name in ("sync", "verify", "no_cache", "stable", "truncate", "shard", "exact",
                                       "has_record", "verbose", "report") if getattr(op, name)]
            done += ["several ranges"] if len(op.slices) > 1 else []
            done += ["in pieces"] if expected.in_pieces else []
            done += ["same file"] if not op.in_place and op.same_file() else []
            done += ["with bytes" if expected.written else "empty"]
            add([f"done: {name}" for name in done if name and not name.endswith("None")])

    def report(self, index, op, run, before, problem):
        kept = tempfile.mkdtemp(prefix="fsx-failure.")
        for path, content in before.items():
            if content is not None:
                name = f"{os.path.basename(os.path.dirname(path))}.{os.path.basename(path)}"
                with open(os.path.join(kept, name), "wb") as file:
                    file.write(content)
        ends = f"source: {op.source}, of {len(op.data)} bytes, {op.source_folder.name(op.source_file)} " \
               f"from {op.standing} on ({op.source_folder.type}); target: {op.target}"
        if op.target_folder:
            ends += f" {op.target_folder.name(op.target_file)} ({op.target_folder.type}), " \
                    f"{'none' if op.old is None else len(op.old)} bytes before, at {op.output_position}"
        return (f"FAILED: operation {index}: {problem}\n  {shlex.join(run.command)}\n  {ends}\n"
                f"  {run.message.strip()[:600]}\n"
                f"  what all files held before: {kept}\n"
                f"  repeat: --seed {self.seed} --operations {index + 1}, with folders of: "
                f"{' '.join(f.type for f in self.folders)}")

    def close(self):
        for folder in self.folders:
            for name in os.listdir(folder.path):
                os.unlink(os.path.join(folder.path, name))
            os.rmdir(folder.path)


def main():
    parser = argparse.ArgumentParser(description="Random copies against a model.")
    parser.add_argument("--seed", default=str(random.SystemRandom().getrandbits(32)))
    parser.add_argument("--operations", type=int, default=20000)
    parser.add_argument("--keep-going", type=int, default=1, metavar="N", help="stop after N failures")
    parser.add_argument("--quiet", action="store_true", help="without the table of what was done")
    parser.add_argument("program")
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()
    session = Session(arguments.program, arguments.folders, arguments.seed)
    print(f"seed {arguments.seed}, on {' '.join(folder.type for folder in session.folders)}", flush=True)
    session.begin()
    failures = done = 0
    for index in range(arguments.operations):
        problem = session.step(index)
        done += 1
        if problem:
            failures += 1
            print(problem, flush=True)
            if failures >= arguments.keep_going:
                break
            for folder in session.folders:  # what is there now is what the model goes on with
                for name in set(os.listdir(folder.path)) - {f"f{i}" for i in range(FILES)}:
                    os.unlink(os.path.join(folder.path, name))
                folder.model = [read(folder.name(i)) for i in range(FILES)]
    session.close()
    if not arguments.quiet:
        for label, count in sorted(session.counts.items()):
            print(f"{count:7} {label}")
    print(f"{done} operations, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
