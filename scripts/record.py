#!/usr/bin/env python3
"""Records a command in a terminal of 80 columns, as a picture that moves.

    scripts/record.py [--size MIB] [--program FILE] OUTPUT.svg

What runs is the bar of the README: a slice of a disk image that gzip compresses, so that it takes some
seconds. The image is made for it, of bytes that compress, in a temporary folder. Nothing is drawn that the
program did not print: what it prints goes through a small terminal (carriage return, line feed, erase to the
end of the line), and each state of the screen becomes a frame.
"""

import argparse
import fcntl
import html
import os
import pty
import random
import struct
import subprocess
import sys
import tempfile
import termios
import time

COLUMNS, ROWS = 80, 5
COMMAND = "zslice --progress --offset 1024 disk.img | gzip -1 > disk.gz"
FRAME_SECONDS = 0.2
REST_SECONDS = 2.5


class Screen:
    """As much of a terminal as the bar needs."""

    def __init__(self):
        self.lines = [[]]
        self.column = 0

    def write(self, text):
        while text:
            if text.startswith("\033[K"):
                del self.lines[-1][self.column:]
                text = text[3:]
                continue
            character, text = text[0], text[1:]
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.lines.append([])
                self.column = 0
            elif character == "\033":
                raise ValueError(f"an escape that the bar does not use: {text[:8]!r}")
            else:
                line = self.lines[-1]
                line.extend(" " * (self.column + 1 - len(line)))
                line[self.column] = character
                self.column += 1

    def text(self):
        return tuple("".join(line).rstrip() for line in self.lines[-ROWS:])


def make_image(path, mebibytes):
    generator = random.Random(1)
    words = [generator.randbytes(generator.randint(3, 9)) for _ in range(3000)]
    block = b"".join(generator.choice(words) for _ in range(180000))[:1 << 20]
    with open(path, "wb") as image:
        for _ in range(mebibytes):
            image.write(block)


def record(program, folder):
    """Frames: (seconds, lines)."""
    screen = Screen()
    screen.write(f"$ {COMMAND}\r\n")
    os.symlink(program, os.path.join(folder, "zslice"))
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start = time.monotonic()
    environment = dict(os.environ, PATH=folder + ":" + os.environ["PATH"], TERM="xterm")
    shell = subprocess.Popen(["bash", "-c", "set -o pipefail; " + COMMAND], cwd=folder, stdin=child, stdout=child,
                             stderr=child, env=environment, start_new_session=True)
    os.close(child)
    frames = [(0.0, screen.text())]
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:  # EIO: the last writer is gone
            break
        if not piece:
            break
        screen.write(piece.decode())
        frames.append((time.monotonic() - start, screen.text()))
    if shell.wait() != 0:
        sys.exit(f"record.py: the command failed: {screen.text()}")
    screen.write("$ ")
    frames.append((time.monotonic() - start, screen.text()))
    return frames


def thin_out(frames):
    kept = frames[:1]
    for frame in frames[1:-1]:
        if frame[0] - kept[-1][0] >= FRAME_SECONDS and frame[1] != kept[-1][1]:
            kept.append(frame)
    return kept + frames[-1:]


def draw(frames):
    """An SVG in which one frame after the other is shown; without animation, it is the last one."""
    total = frames[-1][0] + REST_SECONDS
    width, height, line_height = 16 + COLUMNS * 7.8, 20 + ROWS * 20, 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
           f'viewBox="0 0 {width:g} {height:g}" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13">',
           f"<title>{html.escape(COMMAND)}</title>",
           f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#1e1e1e"/>',
           f'<text x="8" y="20" fill="#d4d4d4" xml:space="preserve">{html.escape(frames[0][1][0])}</text>']
    for i, (seconds, lines) in enumerate(frames):
        last = i + 1 == len(frames)
        begin, end = seconds / total, 1 if last else frames[i + 1][0] / total
        times = [(0, int(i == 0)), (begin, 1)] + ([] if last else [(end, 0)])
        times = times[1:] if i == 0 else times
        out.append(f'<g fill="#d4d4d4" opacity="{int(last)}"><animate attributeName="opacity" dur="{total:.2f}s" '
                   f'repeatCount="indefinite" calcMode="discrete" '
                   f'keyTimes="{";".join(f"{at:.4f}" for at, _ in times)}" '
                   f'values="{";".join(str(value) for _, value in times)}"/>')
        for number, line in enumerate(lines):
            if line and number > 0:
                out.append(f'<text x="8" y="{20 + number * line_height}" xml:space="preserve" '
                           f'textLength="{len(line) * 7.8:.1f}">{html.escape(line)}</text>')
        out.append("</g>")
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=200, metavar="MIB")
    parser.add_argument("--program", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build",
                                                          "release", "zslice"))
    parser.add_argument("output")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_image(os.path.join(folder, "disk.img"), options.size)
        frames = thin_out(record(os.path.realpath(options.program), folder))
    with open(options.output, "w") as file:
        file.write(draw(frames))
    print(f"{len(frames)} frames, {frames[-1][0]:.1f} s")


main()
