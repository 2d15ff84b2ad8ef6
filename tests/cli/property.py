"""Random command lines against an oracle made of Python's own slices.

usage: property.py PROGRAM CASES

Each case is a source (a file, standard input that stands somewhere in a file, a pipe), what is asked
of it and where that goes. What the program must do is told by Python: the numbers of the bytes are
range(size)[start:stop], and everything else picks from that list. Compared are the exit status, the
bytes of the target, what of it stays, and where standard input is left.

A case depends on nothing but ZSLICE_SEED (default: a new one, printed) and its number; ZSLICE_CASE
repeats only that one.
"""

import collections
import multiprocessing
import os
import random
import shlex
import subprocess
import sys
import tempfile

LIMIT = 2**64 - 1
LARGEST_POSITION = 2**63 - 1
SUFFIXES = {"B": 1, "s": 512, "K": 1024, "kB": 1000, "KiB": 1024}
EDGES = [(str(LIMIT), LIMIT, True), (hex(LIMIT), LIMIT, True), ("15E", 15 * 2**60, False),
         (str(2**63), 2**63, True), (str(2**63 - 1), 2**63 - 1, True), (str(2**62), 2**62, True),
         ("18EB", 18 * 10**18, False), (str(2**32), 2**32, True), ("4G", 2**32, False)]
OVERFLOWS = ["18446744073709551616", "16E", "0x10000000000000000", "19EB"]


class Number:
    """A number as it stands on the command line, and what it means once --record is known."""

    def __init__(self, text, value, bare, from_end=False, overflows=False):
        self.text = ("-" if from_end else "") + text
        self.value = value
        self.bare = bare
        self.from_end = from_end
        self.overflows = overflows

    def scaled(self, record):
        value = self.value * record if self.bare else self.value
        return -value if self.from_end else value

    def too_large(self, record):
        return self.overflows or abs(self.scaled(record)) > LIMIT


def number(rng, scale, signed, record):
    """Mostly of the order of `scale` bytes."""
    from_end = signed and rng.random() < 0.3
    luck = rng.random()
    if luck < 0.03:
        text, value, bare = rng.choice(EDGES)
        return Number(text, value, bare, from_end)
    if luck < 0.035:
        return Number(rng.choice(OVERFLOWS), 0, False, from_end, overflows=True)
    value = rng.choice([0, 1, scale // 2, scale - 1, scale, scale + 1, rng.randint(0, scale),
                        rng.randint(0, scale), rng.randint(0, scale), rng.randint(0, 2 * scale + 2)])
    value = max(value, 0)
    if luck < 0.35:
        suffix = rng.choice(list(SUFFIXES)) if rng.random() < 0.3 else "B"
        value //= SUFFIXES[suffix]
        return Number(f"{value}{suffix}", value * SUFFIXES[suffix], False, from_end)
    if rng.random() < 0.85:
        value //= record
    text = rng.choice([str(value), str(value), "0" + str(value), hex(value)])
    return Number(text, value, True, from_end)


class Slice:
    """One range, or what --offset, --length and --end say."""

    def __init__(self, start=None, stop=None, length=None, step=None):
        self.start, self.stop, self.length, self.step = start, stop, length, step

    def numbers(self):
        return [n for n in (self.start, self.stop, self.length, self.step) if n]

    def as_range(self):
        def text(n):
            return n.text if n else ""
        if self.length:
            return f"{self.start.text}+{self.length.text}"
        return f"{text(self.start)}:{text(self.stop)}" + (f":{self.step.text}" if self.step else "")


def random_slice(rng, size, record, plain):
    luck = rng.random()
    start = number(rng, size, True, record) if luck < 0.8 else None
    result = Slice(start)
    luck = rng.random()
    if luck < 0.35:
        result.stop = number(rng, size, True, record)
    elif luck < 0.65:
        result.length = number(rng, max(size // 2, 1), False, record)
        if not plain and not start:
            result.start = number(rng, size, True, record)
    if not plain and not result.length and rng.random() < 0.4:
        result.step = number(rng, rng.choice([3, 10, 3 * record, size]), False, record)
    return result


class Case:
    def __init__(self, seed, index):
        rng = random.Random(f"{seed}:{index}")
        self.index = index
        self.size = rng.choice([0, 1, 2, rng.randint(3, 40), rng.randint(3, 40), rng.randint(3, 40),
                                rng.randint(41, 5000), rng.randint(41, 5000), 4096, 20000, 60000])
        self.data = rng.randbytes(self.size)
        self.source = rng.choice(["file", "file", "standing", "pipe", "pipe"])
        self.before = rng.randint(0, 30) if self.source == "standing" else 0
        self.options = []

        self.record = 1
        self.has_record = rng.random() < 0.5
        if self.has_record:
            self.record = rng.choice([1, 2, 3, 4, 8, 16, 100, rng.randint(1, 50), 1000, 4096, 5000])
            text = rng.choice([str(self.record), f"{self.record}B"])
            self.options += [rng.choice([f"--record={text}", f"--record {text}"])]

        self.field, self.field_range = self.random_field(rng), None
        if self.field:
            self.options.append(f"--field={self.field.as_range()}")
        self.shard = None
        if rng.random() < (0.05 if self.source == "pipe" else 0.25):
            count = rng.choice([1, 2, 3, 7, 8, 64, 1000, 10000, 2**32 - 1])
            self.shard = (rng.choice([1, count, rng.randint(1, count)]), count)
            self.options.append(f"--shard={self.shard[0]}/{self.shard[1]}")
        self.align = self.record
        if self.shard and rng.random() < 0.4:
            self.align = rng.choice([1, 7, 16, 512, 4096, self.record * rng.randint(1, 4)])
            self.options.append(f"--align={self.align}")

        self.slices = self.random_slices(rng)
        self.exact = rng.random() < 0.3
        if self.exact:
            self.options.append(rng.choice(["-x", "--exact"]))
        self.random_place(rng)
        if rng.random() < 0.2:
            self.options.append("--engine=buffer")
        rng.shuffle(self.options)

    def random_field(self, rng):
        """None, or a slice of the record. Without --record it is refused."""
        if rng.random() >= (0.4 if self.has_record else 0.03):
            return None
        record = self.record

        def place(limit):
            value = rng.randint(0, limit + (1 if rng.random() < 0.03 else 0))
            return Number(f"{value}{rng.choice(['', 'B'])}", value, False, rng.random() < 0.3)
        start = place(record) if rng.random() < 0.8 else None
        if start and rng.random() < 0.3:
            at = record - start.value if start.from_end else start.value
            length = place(max(record - at, 0))
            length.text, length.from_end = length.text.lstrip("-"), False
            return Slice(start, length=length)
        return Slice(start, stop=place(record) if rng.random() < 0.7 else None)

    def random_slices(self, rng):
        if rng.random() < 0.3:
            plain = random_slice(rng, self.size, self.record, plain=True)
            for n, name in ((plain.start, "--offset"), (plain.length, "--length"),
                            (plain.stop, "--end")):
                if n:
                    self.options.append(f"{name}={n.text}")
            return [plain]
        count = 1 if rng.random() < 0.5 else rng.randint(2, 6)
        if self.shard and rng.random() < 0.9:
            count = 1
        slices = [random_slice(rng, self.size, self.record, plain=False) for _ in range(count)]
        if self.shard and rng.random() < 0.9:
            slices[0].step = None
        if self.source == "pipe" and rng.random() < 0.8 and count > 1:
            slices = self.ascending(rng, count)
        self.ranges = [f"--range={s.as_range()}" if rng.random() < 0.5 else f"-r{s.as_range()}"
                       for s in slices]
        return slices

    def ascending(self, rng, count):
        """What a stream can have: one range behind the other, some of them beyond its end."""
        records = max(self.size // self.record, 1) + (2 if rng.random() < 0.2 else 0)
        bounds = sorted(rng.randint(0, records) for _ in range(2 * count))

        def plain(value):
            return Number(str(value), value, True)
        slices = []
        for i in range(count):
            start, stop = bounds[2 * i], bounds[2 * i + 1]
            if rng.random() < 0.3:
                slices.append(Slice(plain(start), length=plain(stop - start)))
            else:
                step = plain(rng.randint(1, 4)) if rng.random() < 0.4 else None
                slices.append(Slice(plain(start), stop=plain(stop), step=step))
        return slices

    def random_place(self, rng):
        self.place = rng.choice(["new", "old", "output", "position", "append", "seek", "seek",
                                 "keep", "keep"])
        self.old = None
        self.truncate = False
        if self.place in ("old", "position") or self.place in ("append", "seek", "keep") \
                and rng.random() < 0.7:
            length = rng.choice([0, 5, self.size // 2, self.size, self.size + 10, 2 * self.size])
            self.old = rng.randbytes(length)
        self.at = 0
        if self.place == "seek":
            if self.old and rng.random() < 0.3:
                back = rng.randint(0, len(self.old))
                self.at = len(self.old) - back
                self.options.append(f"--seek=-{back}")
            else:
                self.at = rng.randint(0, 100)
                self.options.append(f"--seek={self.at}")
        elif self.place == "position":
            self.at = rng.randint(0, len(self.old))
        elif self.place == "append":
            self.at = len(self.old or b"")
            self.options.append("--append")
        elif self.place == "keep":
            self.options.append(rng.choice(["-k", "--keep-offset"]))
        if self.place in ("seek", "keep") and rng.random() < 0.4:
            self.truncate = True
            self.options.append("--truncate")

    def arguments(self):
        words = []
        for option in self.options:
            words += option.split(" ")
        return words + getattr(self, "ranges", [])


class Expected:
    """What must happen. `statuses` has more than one only where several are right."""

    def __init__(self, case):
        self.case = case
        self.statuses = {0}
        self.pieces = []     # (position in the source, its bytes), in the order they are written
        self.untouched = False
        self.left = None     # where the source is left; None: not judged
        self.ends = []       # of each range: behind its last byte, or where it begins
        if self.usage_error():
            self.refuse(2)
        elif case.source == "pipe":
            self.stream()
        else:
            self.sized()

    def refuse(self, *statuses):
        self.statuses = set(statuses)
        self.pieces = []
        self.untouched = True
        self.left = 0

    def usage_error(self):
        case, record = self.case, self.case.record
        if any(n.too_large(record) for s in case.slices for n in s.numbers()):
            return True
        for s in case.slices:
            if s.step and (s.step.scaled(record) < record or case.shard):
                return True
        if case.shard and (len(case.slices) > 1 or case.truncate):
            return True
        case.field_range = (0, record)
        if case.field:
            if not case.has_record or case.align % record:
                return True
            start, stop = case.field.start, case.field.stop
            if any(n and n.value > record for n in (start, stop)):
                return True
            # Spelled out: -0 is the record's end, and -record its start.
            first = 0 if not start else record - start.value if start.from_end else start.value
            last = record if not stop else record - stop.value if stop.from_end else stop.value
            if case.field.length:
                last = first + case.field.length.value
                if last > record:
                    return True
            case.field_range = (first, max(first, last))
        return False

    def asked(self, s, size):
        """The positions asked for, not clamped."""
        record = self.case.record

        def place(n):
            return size + n.scaled(record) if n.from_end else n.scaled(record)
        start = place(s.start) if s.start else 0
        if s.length:
            return start, start + s.length.scaled(record)
        return start, place(s.stop) if s.stop else size

    def resolve(self, s, size):
        """(start of the span, its selected positions, status), the positions by Python's slices."""
        case, record = self.case, self.case.record
        start, stop = self.asked(s, size)
        if start > size:
            return size, [], 3
        if s.length and start < 0:
            span = range(size)[:s.length.scaled(record)]
        else:
            span = range(size)[max(start, 0):max(stop, 0)]
        begin = min(max(start, 0), size)
        status = 0
        step = s.step.scaled(record) if s.step else record
        first, last = case.field_range
        if case.exact and start < stop:
            asked = self.count(stop - max(start, 0), step) if stop > max(start, 0) else 0
            if start < 0 or asked > self.count(len(span), step):
                status = 3
        if case.exact and first < last and 0 < len(span) % step < last:
            status = 3
        if case.shard:
            number_, count = case.shard
            bounds = [k * len(span) // count for k in (number_ - 1, number_)]
            bounds = [b if k == count else b - b % case.align
                      for b, k in zip(bounds, (number_ - 1, number_))]
            begin += bounds[0]
            span = span[bounds[0]:bounds[1]]
        first, last = case.field_range
        if step == record and first == 0 and last == record:
            return begin, list(span), status
        selected = []
        for at in range(0, len(span), step):
            selected += span[at:at + record][first:last]
        return begin, selected, status

    def count(self, length, step):
        """How many bytes are selected of a span that begins with a record."""
        first, last = self.case.field_range
        return length // step * (last - first) + min(max(length % step - first, 0), last - first)

    def take(self, begin, selected):
        data = self.case.data
        run = []
        for position in selected:
            if run and position == run[-1] + 1:
                run.append(position)
                continue
            if run:
                self.pieces.append((run[0], data[run[0]:run[-1] + 1]))
            run = [position]
        if run:
            self.pieces.append((run[0], data[run[0]:run[-1] + 1]))
        self.ends.append(selected[-1] + 1 if selected else begin)
        self.left = self.ends[-1]

    def sized(self):
        for s in self.case.slices:
            begin, selected, status = self.resolve(s, self.case.size)
            if status:
                self.refuse(status)
                return
            left = self.left if any(self.pieces) and not selected else None
            self.take(begin, selected)
            if left is not None:
                self.left = left  # an empty range uses nothing

    def stream(self):
        case, size = self.case, self.case.size
        if case.shard:
            self.refuse(2)
            return
        ends_at_end = [not s.length and (not s.stop or s.stop.from_end and s.stop.value == 0)
                       for s in case.slices]
        counts_from_end = [s.start and s.start.from_end or
                           s.stop and s.stop.from_end and s.stop.value > 0 for s in case.slices]
        if any(counts_from_end):
            if len(case.slices) > 1:
                self.refuse(2)
                return
            self.held()
            return
        huge = case_is_huge(case)
        order = self.order(ends_at_end)
        if order == "wrong":
            self.refuse(*({2, 3} if case.exact else {2}))  # both are at fault, in either order
            return
        for i, s in enumerate(case.slices):
            start, stop = self.asked(s, size)
            step = s.step.scaled(case.record) if s.step else case.record
            if case.exact and not ends_at_end[i] and stop > start \
                    and case.field_range[0] < case.field_range[1] \
                    and 0 < (stop - start) % step < case.field_range[1]:
                self.refuse(*({2, 3} if huge else {3}))
                return
        for i, s in enumerate(case.slices):
            start, stop = self.asked(s, size)
            begin, selected, status = self.resolve(s, size)
            if start > size:
                self.statuses = {3}
                self.untouched = i == 0
                self.left = size
                break
            self.take(begin, selected)
            reads_on = self.reads_on(s, start, stop, ends_at_end[i])
            if status:
                self.statuses = {3}
                self.left = size
                break
            if reads_on:
                self.left = size
        if huge and (case.exact or case.place == "keep"):
            self.statuses.add(2)
        if order == "either":
            self.statuses.add(2)

    def reads_to(self, s, start, stop):
        """Behind the last byte that a stream with no end would have to give."""
        case = self.case
        first, last = case.field_range
        step = s.step.scaled(case.record) if s.step else case.record
        if stop <= start or first == last:
            return start
        length = stop - start
        at = (length - 1) // step * step
        if length - at <= first:  # the last record's field lies behind the stop
            at -= step
            if at < 0:
                return start
        return start + min(at + last, length)

    def reads_on(self, s, start, stop, to_the_end):
        """Whether the stream's end is met."""
        if self.case.field_range[0] == self.case.field_range[1]:
            return False
        return to_the_end or stop > self.case.size and \
            self.reads_to(s, start, stop) > self.case.size

    def held(self):
        """Its size is known in the end, so it is as a file of that size."""
        s = self.case.slices[0]
        begin, selected, status = self.resolve(s, self.case.size)
        start, _ = self.asked(s, self.case.size)
        if status and (s.start and s.start.from_end or start > self.case.size):
            self.refuse(status)
        else:
            self.take(begin, selected)
            self.statuses = {status}
        if case_is_huge(self.case):
            self.statuses.add(2)
        self.left = None  # held: all of it was read

    def order(self, ends_at_end):
        """Whether the spans ascend: right, wrong (selected bytes do not), or either."""
        case = self.case
        result = "right"
        for i in range(1, len(case.slices)):
            (start, stop), (following, _) = (self.asked(case.slices[i - 1], case.size),
                                             self.asked(case.slices[i], case.size))
            first, last = case.field_range
            if first == last:
                return "either"
            if ends_at_end[i - 1]:
                return "wrong"
            if following >= max(start, stop):
                continue
            if following + first >= self.reads_to(case.slices[i - 1], start, stop):
                result = "either"
                continue
            return "wrong"
        return result

    def target(self, status):
        """The target's content afterwards; None: it does not exist."""
        case = self.case
        old = bytearray(case.old or b"")
        if self.untouched:
            return case.old
        written = b"".join(piece for _, piece in self.pieces)
        if case.place in ("new", "old", "output"):
            return written
        if case.place == "keep":
            for position, piece in self.pieces:
                put(old, position, piece)
            end = max(self.ends)
        else:
            put(old, case.at, written)
            end = case.at + len(written)
        if case.truncate and status == 0:
            del old[end:]
        return bytes(old)


def case_is_huge(case):
    """A target has no such positions, which is refused before the stream is known to be shorter."""
    return any(abs(n.scaled(case.record)) >= 2**62 for s in case.slices for n in s.numbers())


def put(content, position, piece):
    if piece and len(content) < position:
        content.extend(bytes(position - len(content)))
    if piece:
        content[position:position + len(piece)] = piece


class Run:
    """The program, run on a case, and everything it did."""

    def __init__(self, program, folder, case):
        self.case = case
        self.path = os.path.join(folder, "out")
        source = os.path.join(folder, "in")
        with open(source, "wb") as file:
            file.write(bytes(case.before) + case.data)
        if os.path.lexists(self.path):
            os.unlink(self.path)
        if case.old is not None:
            with open(self.path, "wb") as file:
                file.write(case.old)
        words = [source if case.source == "file" else "-"]
        output = subprocess.PIPE
        if case.place == "position":
            output = os.open(self.path, os.O_RDWR)
            os.lseek(output, case.at, os.SEEK_SET)
        elif case.place != "output":
            words.append(self.path)
        self.command = [program] + case.arguments() + words

        end = os.open(source, os.O_RDONLY)
        if case.source == "pipe":
            os.close(end)
            end = filled_pipe(case.data)
        else:
            os.lseek(end, case.before, os.SEEK_SET)
        try:
            done = subprocess.run(self.command, stdin=end, stdout=output, stderr=subprocess.PIPE,
                                  timeout=30, check=False)
            self.status, self.output, self.message = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            self.status, self.output, self.message = "none in 30 s", b"", b""
        if case.source == "pipe":
            self.left = case.size - len(drain(end))
        else:
            self.left = os.lseek(end, 0, os.SEEK_CUR) - case.before
        os.close(end)
        self.output_position = None
        if case.place == "position":
            self.output_position = os.lseek(output, 0, os.SEEK_CUR)
            os.close(output)

    def content(self):
        if self.case.place == "output":
            return self.output
        if not os.path.exists(self.path):
            return None
        with open(self.path, "rb") as file:
            return file.read()


def filled_pipe(data):
    read_end, write_end = os.pipe()
    assert os.write(write_end, data) == len(data)
    os.close(write_end)
    return read_end


def drain(end):
    rest = b""
    while more := os.read(end, 65536):
        rest += more
    return rest


def difference(expected, got):
    if expected is None or got is None:
        return f"target expected {'not' if expected is None else ''} to exist, and it does" \
               f"{' not' if got is None else ''}"
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b),
              min(len(expected), len(got)))
    return f"{len(expected)} bytes expected, got {len(got)}; the first difference is at {at}"


def judge(case, run, expected):
    """What is wrong, or None."""
    if run.status not in expected.statuses:
        return f"exit status {run.status}, expected {sorted(expected.statuses)}"
    if run.status == 2 and expected.statuses != {2}:
        expected.refuse(2)
    lines = run.message.decode(errors="replace").splitlines()
    if len(lines) != (0 if run.status == 0 else 1):
        return f"{len(lines)} lines of messages"
    if lines and not lines[0].startswith("zslice: "):
        return "not a message of zslice"
    content, wanted = run.content(), expected.target(run.status)
    if run.status != 0 and wanted is not None and case.old is None and content is None \
            and not expected.pieces and case.place not in ("keep", "output", "position"):
        wanted = None  # it was created, nothing was written, so it was removed
    if case.place == "output":
        wanted = wanted or b""
    if run.status != 0 and case.place == "keep" and not expected.pieces and content in (None, b"") \
            and case.old is None:
        wanted = content
    if case.place == "keep" and case.truncate and case.source == "pipe" and not expected.pieces \
            and case.field and run.status == 0:
        # Nothing to cut behind: where the record begins is as good as where its field would have.
        end, field = max(expected.ends), case.field_range[0]
        if content in ((case.old or b"")[:end], (case.old or b"")[:end + field]):
            wanted = content
    if content != wanted:
        return difference(wanted, content)
    if expected.left is not None and case.source != "file" and run.left != expected.left:
        return f"the source is left at {run.left}, expected {expected.left}"
    if case.source == "file" and run.left != 0:
        return "standard input was moved, although the source is a file"
    written = sum(len(piece) for _, piece in expected.pieces)
    if case.place == "position" and run.output_position != case.at + written:
        return f"standard output is left at {run.output_position}, expected {case.at + written}"
    return None


def labels(case, run, expected):
    """What the case was an example of."""
    yield f"status {run.status}"
    yield f"source {case.source}"
    yield f"place {case.place}"
    if run.status == 0:
        yield "done, with bytes" if expected.pieces else "done, empty"
        for name in ("has_record", "field", "shard", "exact", "truncate"):
            if getattr(case, name):
                yield f"done with {name}"
        if len(case.slices) > 1:
            yield f"done with several ranges from {case.source}"
        if any(s.step for s in case.slices):
            yield f"done with step from {case.source}"
        if case.source == "pipe" and expected.left is None:
            yield "done with a position from a pipe's end"
        if len(expected.pieces) > 1 and case.place == "keep":
            yield "done, kept apart"
    if run.status == 3:
        yield f"short {case.source}"
    if run.status == 3 and expected.pieces:
        yield "short in the middle"


def try_case(program, folder, seed, index):
    case = Case(seed, index)
    expected = Expected(case)
    run = Run(program, folder, case)
    problem = judge(case, run, expected)
    if not problem:
        return None, list(labels(case, run, expected))
    return (f"FAILED: case {index} (repeat: ZSLICE_SEED={seed} ZSLICE_CASE={index})\n"
            f"  {problem}\n  {shlex.join(run.command)}\n"
            f"  source: {case.source} of {case.size} bytes, standing at {case.before}; target: "
            f"{case.place} at {case.at}, "
            f"{'none' if case.old is None else len(case.old)} bytes before\n"
            f"  {run.message.decode(errors='replace').strip()}"), []


def try_cases(arguments):
    program, seed, indices = arguments
    counts = collections.Counter()
    failures = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for index in indices:
            failure, seen = try_case(program, os.path.abspath(folder), seed, index)
            counts.update(seen)
            if failure:
                failures.append(failure)
    return counts, failures


# The least share of the cases that must be examples of each, so that nothing goes untested in silence.
LEAST = {"status 0": 0.4, "status 2": 0.02, "status 3": 0.04, "done, with bytes": 0.25,
         "done, empty": 0.02, "source file": 0.3, "source standing": 0.1, "source pipe": 0.3,
         "short file": 0.02, "short standing": 0.01, "short pipe": 0.02, "short in the middle": 0.005,
         "done with has_record": 0.15, "done with field": 0.05, "done with shard": 0.04,
         "done with exact": 0.05, "done with truncate": 0.04, "done, kept apart": 0.01,
         "done with several ranges from file": 0.03, "done with several ranges from standing": 0.01,
         "done with several ranges from pipe": 0.02, "done with step from file": 0.02,
         "done with step from standing": 0.01, "done with step from pipe": 0.02,
         "done with a position from a pipe's end": 0.03,
         **{f"place {place}": 0.05
            for place in ("new", "old", "output", "position", "append", "seek", "keep")}}


def main():
    program, cases = sys.argv[1], int(sys.argv[2])
    seed = os.environ.get("ZSLICE_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"ZSLICE_SEED={seed}")
    if os.environ.get("ZSLICE_CASE"):
        _, failures = try_cases((program, seed, [int(os.environ["ZSLICE_CASE"])]))
        print("\n".join(failures) or "as expected")
        return 1 if failures else 0
    counts = collections.Counter()
    failures = []
    jobs = [(program, seed, range(i, cases, 16)) for i in range(16)]
    with multiprocessing.Pool(2) as pool:
        for more, failed in pool.imap_unordered(try_cases, jobs):
            counts += more
            failures += failed
    for label, count in sorted(counts.items()):
        print(f"{count:6} {label}")
    print("\n".join(failures[:20]))
    print(f"{cases} cases, {len(failures)} failed")
    too_few = [label for label, share in LEAST.items() if counts[label] < share * cases]
    if too_few and not failures:
        print(f"too few examples of: {', '.join(too_few)}")
    return 1 if failures or too_few else 0


if __name__ == "__main__":
    sys.exit(main())
