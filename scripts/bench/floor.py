"""floor.py LENGTH TARGET [reserved]: so many bytes of one buffer that stays in the processor's cache.

With `reserved`, space for them is reserved first, without changing the file's size.
The time of the system calls alone goes into the file `own`: the start of Python is no part of a floor.
"""
import ctypes
import os
import sys
import time

KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE, which os.posix_fallocate does not have

rest = int(sys.argv[1])
buffer = memoryview(os.urandom(1 << 20))
fallocate = ctypes.CDLL(None).fallocate
fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
start = time.perf_counter()
target = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
if "reserved" in sys.argv[3:]:
    fallocate(target, KEEP_SIZE, 0, rest)
while rest:
    rest -= os.write(target, buffer[:rest])
os.close(target)
taken = time.perf_counter() - start
with open("own", "w") as own:
    print(f"{taken:.6f}", file=own)
