"""column.py loop|numpy SOURCE: bytes 4 to 8 of each record of 16 to standard output, which is a file."""
import sys

way, name = sys.argv[1:]
if way == "numpy":
    import numpy
    records = numpy.memmap(name, dtype=[("a", "<i4"), ("field", "<i4"), ("b", "<i8")], mode="r")
    records["field"].tofile(sys.stdout)
else:
    with open(name, "rb") as source:
        view = memoryview(source.read())
    for start in range(4, len(view), 16):
        sys.stdout.buffer.write(view[start:start + 4])
