#!/bin/bash
# Times zslice against its peers: the commands of each comparison in turn, round by round, so that a
# machine whose speed drifts treats them alike. Prints a Markdown table of ratios; above 1, zslice is
# faster.
#
#     scripts/bench.sh [FOLDER...]      (default: a folder in /tmp, and /dev/shm)
#
# The Python programs are timed as whole processes, as everything is. ROUNDS (7) and MEBIBYTES (512) of the source can be set in the environment; zslice is the release
# build.
set -euo pipefail

PATH=$(realpath "$(dirname "$0")/../build/release"):$PATH
rounds=${ROUNDS:-7}
mebibytes=${MEBIBYTES:-512}
[ $# -gt 0 ] || set -- /tmp /dev/shm

# compare ROUNDS WORK PEER COMMAND ZSLICE_COMMAND: the target, out, is removed before each run.
compare() {
    local count=$1 work=$2 peer=$3 round start
    local -a commands=("$4" "$5")
    : >times.log
    for ((round = 0; round < count; round++)); do
        for side in 0 1; do
            rm -f out
            start=$EPOCHREALTIME
            eval "${commands[side]}" 2>/dev/null
            echo "$side $start $EPOCHREALTIME" >>times.log
        done
    done
    awk -v work="$work" -v peer="$peer" '
        function median(values, n) {
            return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
        }
        { taken = ($3 - $2) * 1000; n = ++count[$1]
          for (i = n; i > 1 && time[$1, i - 1] > taken; i--) time[$1, i] = time[$1, i - 1]
          time[$1, i] = taken }
        END {
            for (i = 1; i <= count[0]; i++) { theirs[i] = time[0, i]; ours[i] = time[1, i] }
            printf "| %s | %s | %.1f ms | %.1f ms | %.2f | %.2f |\n", work, peer, theirs[1], ours[1],
                theirs[1] / ours[1], median(theirs, count[0]) / median(ours, count[1])
        }' times.log
}

# The Python that has numpy, if there is one: Debian's own may not be the first in PATH.
numpy_python=
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import numpy' 2>/dev/null; then
        numpy_python=$python
        break
    fi
done

write_python_programs() {
    cat >column_by_loop.py <<'PYTHON'
with open("in", "rb") as source, open("out", "wb") as target:
    view = memoryview(source.read())
    for start in range(4, len(view), 16):
        target.write(view[start:start + 4])
PYTHON
    cat >column_by_numpy.py <<'PYTHON'
import numpy
records = numpy.memmap("in", dtype=[("a", "<i4"), ("f", "<i4"), ("b", "<i8")], mode="r")
records["f"].tofile("out")
PYTHON
}

echo "$(uname -sr), $(nproc) processors, $mebibytes MiB, hot page cache, $rounds rounds"
echo
echo '| work | peer | its minimum | zslice'\''s minimum | ratio of minima | ratio of medians |'
echo '| --- | --- | --- | --- | --- | --- |'

for folder in "$@"; do
    work=$(mktemp -d "$folder/zslice-bench.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    head -c "${mebibytes}M" /dev/urandom >in
    write_python_programs
    kind=$(df --output=fstype . | tail -n 1)

    compare "$rounds" "file to file, $kind" 'dd bs=1M iflag=skip_bytes skip=1024' \
        'dd if=in of=out bs=1M iflag=skip_bytes skip=1024' 'zslice --offset 1024 in out'
    compare "$rounds" "file to file, $kind" 'tail -c +1025' \
        'tail -c +1025 in >out' 'zslice --offset 1024 in out'
    compare "$rounds" "file to pipe, $kind" 'cat' \
        'cat in | cat >/dev/null' 'zslice --offset 1024 in | cat >/dev/null'
    compare "$rounds" "pipe to file, $kind" 'cat' \
        'cat in | cat >out' 'cat in | zslice >out'
    [ -z "$numpy_python" ] ||
        compare "$rounds" "4 of every 16 bytes, $kind" 'numpy, memmap tofile' \
            "$numpy_python column_by_numpy.py" 'zslice --record 16 --field 4:8 in out'
    compare 3 "4 of every 16 bytes, $kind" 'Python, memoryview loop' \
        'python3 column_by_loop.py' 'zslice --record 16 --field 4:8 in out'
    for piece in 4K 16K 64K 1M; do
        compare "$rounds" "a quarter, in pieces of $piece, $kind" 'the same amount in one piece' \
            "zslice --length $((mebibytes / 4))M in out" "zslice --record $piece --range ::4 in out"
    done
    compare 200 'one byte: the whole process' 'dd bs=1 count=1' \
        'dd if=in of=/dev/null bs=1 count=1' 'zslice --length 1 in /dev/null'

    cd / && rm -rf "$work"
done
