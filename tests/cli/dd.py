"""Random operand lists of dd, given to a program and to GNU dd, which must agree.

usage: dd.py PROGRAM CASES [FOLDER]

Each case is a source (a file, standard input that stands somewhere in a file, a pipe that holds all it
will ever have, a device of memory, a file of /proc), a target (new, there already, standard output that
stands somewhere in a file or appends, a pipe, /dev/null; now and then the source itself) and operands.
Both programs get files of their own, made alike. Compared are: whether it succeeded, the target's bytes,
where standard input and output are left, and what is printed, but for times, rates and the wording of
failures. The files are made in FOLDER (default: a temporary one).

A case depends on nothing but ZSLICE_SEED (default: a new one, printed) and its number; ZSLICE_CASE
repeats only that one.

What is known to differ, and is not asked for: a target that would be cut before it is read as the
source, or is emptied although some bytes at its beginning are to be kept, where seek= is less than a
block; zeros that conv=sparse leaves out although the target appends; a source that is written to itself and gets longer; where a descriptor stands after it was moved behind a source's end, or appends; and operands that
GNU dd before 9.2 refuses.
"""

import os
import random
import re
import shlex
import subprocess
import sys
import tempfile

SIZES = [0, 1, 2, 3, 7, 63, 64, 511, 512, 513, 1000, 1024, 4095, 4096, 4097, 9999, 20000, 65536]
BLOCKS = ["1", "2", "3", "7", "64", "100", "512", "1b", "1000", "1kB", "1K", "1KiB", "2x3", "4096", "2w", "64k",
          "10c", "+5", " 9", "1M", "20x1b", "k"]
NUMBERS = ["0", "1", "2", "3", "5", "10", "100", "1000B", "512B", "1KB", "1KiB", "3B", "2x2", "1b", "70000B", "0B"]
WRONG = ["bs=0", "bs=", "count=x", "count=-1", "skip=1x", "bs=1xB", "seek=1m", "foo", "foo=1", "conv=none", "conv=",
         "iflag=cio", "oflag=fullblock", "status=some", "count=9223372036854775808", "bs=9223372036854775807",
         "conv=excl,nocreat", "iflag=direct,nocache", "ibs=1BB", "iflag=directory",
         "if=/nowhere", "of=/nowhere/file", "of=/", "of=", "if="]


def pattern(rng, size):
    """Bytes with runs of zeros in between, that tell where they come from."""
    data = bytearray(rng.randbytes(size))
    for _ in range(rng.randint(0, 3)):
        start = rng.randint(0, size)
        end = min(size, start + rng.choice([1, 64, 512, 4096]))
        data[start:end] = bytes(end - start)
    return bytes(data)


class Case:
    def __init__(self, seed, number):
        rng = random.Random(f"{seed}/{number}")
        self.number = number
        self.words = []
        self.data = pattern(rng, rng.choice(SIZES))
        self.old = pattern(rng, rng.choice(SIZES[:15]))
        self.source = rng.choice(["path"] * 5 + ["stdin"] * 2 + ["pipe"] * 3 + ["zero", "random", "proc", "null"])
        self.target = rng.choice(["new"] * 3 + ["old"] * 5 + ["stdout"] * 2 + ["append", "pipe", "pipe", "null", "itself"])
        if self.target == "itself" and self.source != "path":
            self.target = "old"
        self.start_in = rng.randint(0, len(self.data) + 5) if self.source == "stdin" else 0
        self.start_out = rng.randint(0, len(self.old) + 5) if self.target == "stdout" else 0
        self.choose_operands(rng)
        rng.shuffle(self.words)

    def choose_operands(self, rng):
        words = self.words
        endless = self.source in ("zero", "random")
        path = {"path": "in", "zero": "/dev/zero", "random": "/dev/zero", "proc": "/proc/version", "null": "/dev/null"}
        if self.source in path:
            words.append("if=" + path[self.source])
        path = {"new": "out", "old": "out", "null": "/dev/null", "itself": "in"}
        if self.target in path:
            words.append("of=" + path[self.target])
        if rng.random() < 0.6:
            words.append("bs=" + rng.choice(BLOCKS))
        else:
            if rng.random() < 0.5:
                words.append("ibs=" + rng.choice(BLOCKS))
            if rng.random() < 0.5:
                words.append("obs=" + rng.choice(BLOCKS))
        if endless:
            words.append("count=" + rng.choice(["0", "1", "2", "5", "1000B", "3B", "1KB"]))
        elif rng.random() < 0.4:
            words.append("count=" + rng.choice(NUMBERS))
        # GNU dd leaves standard input where it wanted to go, be there something or not.
        if rng.random() < 0.4 and self.source != "stdin":
            words.append(rng.choice(["skip=", "skip=", "iseek="]) + rng.choice(NUMBERS))
        elif rng.random() < 0.4 and self.source == "stdin" and self.start_in < len(self.data):
            words.append(f"skip={rng.randint(0, len(self.data) - self.start_in)}B")
        if rng.random() < 0.4 and self.target not in ("pipe",):
            words.append(rng.choice(["seek=", "seek=", "oseek="]) + rng.choice(NUMBERS))
            # GNU dd empties a file first if less than a block of it is to be kept.
            if "B" in words[-1]:
                words[:] = [word for word in words if not word.startswith(("bs=", "obs="))] + ["obs=1"]
        conversions = []
        for name, chance in (("notrunc", 0.35), ("sync", 0.15), ("noerror", 0.1), ("sparse", 0.15), ("excl", 0.04),
                             ("nocreat", 0.08), ("fsync", 0.03), ("fdatasync", 0.03)):
            if rng.random() < chance or (name == "notrunc" and self.target == "itself"):
                conversions.append(name)
        if self.target == "append":
            conversions = [name for name in conversions if name != "sparse"]
        if conversions:
            words.append("conv=" + ",".join(conversions))
        if self.target == "itself":
            self.stay_inside(rng)
        self.choose_flags(rng)
        if rng.random() < 0.3:
            words.append("status=" + rng.choice(["none", "noxfer", "progress", "none,noxfer"]))
        if rng.random() < 0.05:
            words.append(rng.choice(WRONG))

    def stay_inside(self, rng):
        """GNU dd reads what it has written behind the end, for ever; we take the size once."""
        skip = rng.randint(0, len(self.data))
        self.words[:] = [word for word in self.words if not word.startswith(("skip", "iseek", "count"))]
        self.words += [f"skip={skip}B", f"count={rng.randint(0, len(self.data) - skip)}B"]

    def choose_flags(self, rng):
        names = [name for name in ("fullblock", "count_bytes", "skip_bytes", "nocache", "noatime", "nofollow", "noctty",
                                   "append", "sync", "nonblock")
                 if rng.random() < (0.3 if name == "fullblock" else 0.08)]
        if self.source != "stdin" and names:
            self.words.append("iflag=" + ",".join(names))
        # With appending, GNU dd loses zeros; of a target whose beginning is to be kept, see above.
        sparse = any(word.startswith("conv=") and "sparse" in word for word in self.words)
        unsure = "seek_bytes" if not any(word in ("obs=1", "bs=1") for word in self.words) else None
        names = [name for name in ("append", "seek_bytes", "nocache", "noatime", "nofollow", "noctty", "sync", "dsync")
                 if rng.random() < 0.07 and not (name == "append" and (self.target == "itself" or sparse)) and
                 name != unsure and not (name in ("sync", "dsync") and len(self.data) > 1024)]  # takes long
        if names:
            self.words.append("oflag=" + ",".join(names))

    def run(self, program, folder):
        """What the program makes of it: a dictionary of everything that can be seen."""
        os.makedirs(folder, exist_ok=True)
        inside = os.path.join(folder, "in")
        outside = os.path.join(folder, "out")
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        with open(inside, "wb") as file:
            file.write(self.data)
        if self.target in ("old", "stdout", "append"):
            with open(outside, "wb") as file:
                file.write(self.old)
        stdin = stdout = subprocess.DEVNULL
        read_end = None
        if self.source == "stdin":
            stdin = os.open(inside, os.O_RDONLY)
            os.lseek(stdin, self.start_in, os.SEEK_SET)
        elif self.source == "pipe":
            stdin, write_end = os.pipe()
            os.write(write_end, self.data)
            os.close(write_end)
        if self.target in ("stdout", "append"):
            stdout = os.open(outside, os.O_WRONLY | (os.O_APPEND if self.target == "append" else 0))
            os.lseek(stdout, self.start_out, os.SEEK_SET)
        elif self.target == "pipe":
            read_end, stdout = os.pipe()
        done = subprocess.Popen([program, *self.words], cwd=folder, stdin=stdin, stdout=stdout,
                                stderr=subprocess.PIPE, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
        seen = {}
        if read_end is not None:
            os.close(stdout)
            with open(read_end, "rb") as file:
                seen["delivered"] = file.read()
        said = done.communicate(timeout=60)[1].decode(errors="replace")
        seen["failed"] = done.returncode != 0
        if done.returncode not in (0, 1):
            seen["status"] = done.returncode
        if self.source == "stdin":
            seen["stdin"] = os.lseek(stdin, 0, os.SEEK_CUR)
        if self.target == "stdout":
            seen["stdout"] = os.lseek(stdout, 0, os.SEEK_CUR)
        for name, descriptor in (("stdin", stdin), ("stdout", stdout)):
            if descriptor >= 0 and not (name == "stdout" and read_end is not None):
                os.close(descriptor)
        for name in ("in", "out"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                with open(path, "rb") as file:
                    seen[name] = file.read()
        seen["said"] = [] if seen["failed"] else self.lines(said)
        if seen["failed"]:
            self.forgive(seen)
        return seen, said

    def forgive(self, seen):
        """What is refused is refused earlier: nothing is created or emptied for it, and the source not read."""
        for name in ("out", "stdin", "stdout", "delivered"):
            seen.pop(name, None)

    def lines(self, said):
        """What is printed, without program name, times and rates, and the final word of warnings."""
        kept = []
        said = re.sub(r"\r[^\r\n]*", "", said)  # what status=progress showed, by the clock
        for line in said.splitlines():
            if "oflag=append" in line and "conv=notrunc" in line:
                continue  # which versions say that differs
            if "cannot skip" in line and (self.source == "proc" or not self.data):
                continue  # 9.1 says it of files that seem to be empty, later versions do not
            line = re.sub(r" copied, .*", " copied", line)
            line = re.sub(r"^(dd|zdd|[^ ]*/dd|[^ ]*/zdd): ", "", line)
            line = re.sub(r"^'?([^':]*)'?: cannot skip", r"\1: cannot skip", line)
            kept.append(line)
        return kept


def show(value):
    if isinstance(value, bytes):
        return f"{len(value)} bytes, {value[:40].hex()}..."
    return str(value)


def check(case, program, reference, folder):
    got, said = case.run(program, os.path.join(folder, "zdd"))
    expected, reference_said = case.run(reference, os.path.join(folder, "dd"))
    differences = [key for key in {**got, **expected} if got.get(key) != expected.get(key)]
    if not differences:
        return not expected["failed"]
    print(f"FAILED: case {case.number}: {shlex.join(case.words)}")
    print(f"  source {case.source}, {len(case.data)} bytes from {case.start_in}; "
          f"target {case.target}, {len(case.old)} bytes from {case.start_out}")
    for key in differences:
        print(f"  {key}: is {show(got.get(key))}, of GNU dd {show(expected.get(key))}")
    print("  said:", said.strip().replace("\n", "\n        "))
    print("  GNU dd:", reference_said.strip().replace("\n", "\n        "))
    return None


def main():
    program, count = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    reference = os.environ.get("ZSLICE_DD", "dd")
    seed = os.environ.get("ZSLICE_SEED") or str(random.randrange(2**32))
    print(f"ZSLICE_SEED={seed}", flush=True)
    failures = successes = 0
    numbers = [int(os.environ["ZSLICE_CASE"])] if "ZSLICE_CASE" in os.environ else range(count)
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as folder:
        for number in numbers:
            result = check(Case(seed, number), program, reference, folder)
            failures += result is None
            successes += bool(result)
            if failures == 10:
                break
    print(f"{successes} copies alike, {len(numbers) - successes - failures} refused by both, {failures} differ")
    if count >= 500 and successes < count / 2:
        sys.exit("too few cases were copies")
    sys.exit(failures > 0)


main()
