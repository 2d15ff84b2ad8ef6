"""copy.py SOURCE OFFSET LENGTH [read]: a slice of a file to standard output, by a memoryview of the mapped file.

With `read`, of what read() gives, as the article has it that this project comes from.
"""
import mmap
import os
import sys

offset, length = map(int, sys.argv[2:4])
with open(sys.argv[1], "rb") as source:
    content = source.read() if "read" in sys.argv[4:] else mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ)
    with memoryview(content)[offset:offset + length] as view:
        while view:
            view = view[os.write(1, view):]
