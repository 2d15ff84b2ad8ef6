#!/bin/bash
# Runs every fuzz target for a while, from its corpus on; what it finds stays in a folder that is
# named at the end, and the corpora of the project are not changed.
#
#     scripts/fuzz.sh [SECONDS]
#
# SECONDS is how long each target runs, 60 if it is not given. Needs clang.
set -euo pipefail

usage() {
    sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
}

seconds=${1:-60}
case $seconds in
-h | --help)
    usage
    exit 0
    ;;
'' | *[!0-9]* | 0)
    usage >&2
    exit 2
    ;;
esac
if (($# > 1)); then
    usage >&2
    exit 2
fi

cd "$(dirname "$0")/.."
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz

work=$(mktemp -d "${TMPDIR:-/tmp}/zslice-fuzz.XXXXXX")
failed=()
for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    name=${target#fuzz_}
    mkdir "$work/$name"
    echo "== $target: $seconds s"
    # The first folder takes what is new, the second is only read.
    if ! "build/fuzz/tests/$target" -max_total_time="$seconds" -max_len=250 -print_final_stats=1 \
        -artifact_prefix="$work/$name-" "$work/$name" "tests/fuzz/corpus/$name" \
        >"$work/$name.log" 2>&1; then
        failed+=("$target")
        tail -n 40 "$work/$name.log"
    fi
    grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "$work/$name.log" || true
done

if ((${#failed[@]})); then
    echo "failed: ${failed[*]}; the inputs and the logs are in $work" >&2
    exit 1
fi
rm -r "$work"
echo "nothing was found"
