"""floor.py LENGTH TARGET: so many bytes of one buffer that stays in the processor's cache.

The time of the writes alone goes into the file `own`: the start of Python is no part of a floor.
"""
import os
import sys
import time

rest = int(sys.argv[1])
buffer = memoryview(os.urandom(1 << 20))
start = time.perf_counter()
target = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
while rest:
    rest -= os.write(target, buffer[:rest])
os.close(target)
taken = time.perf_counter() - start
with open("own", "w") as own:
    print(f"{taken:.6f}", file=own)
