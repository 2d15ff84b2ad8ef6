#!/bin/bash
# Installs what is missing and runs all tests: static checks, everything with gcc, the unit tests with
# clang, everything again with the sanitizers.
#
# Tests that this machine cannot run (no root, no loop devices) are skipped and listed at the end; with
# ZSLICE_SKIPS_FAIL=1 they are a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

title() {
    printf '\n== %s\n' "$*"
}

scripts/setup.sh --tests

title 'Static checks'
git ls-files '*.[ch]' | xargs clang-format --dry-run -Werror
git ls-files '*.sh' '*.bash' .ci/run | xargs shellcheck

# run_preset PRESET [CTEST_ARGUMENT...]
run_preset() {
    local preset=$1
    shift
    title "Preset $preset"
    cmake --preset "$preset" >/dev/null
    cmake --build --preset "$preset" --parallel "$(nproc)"
    ctest --preset "$preset" "$@"
}

run_preset dev
run_preset dev-clang -R '^(unit|fuzz)/'
run_preset asan-ubsan

title 'Skipped'
if grep -h -E '^ok .* # skip' build/{dev,dev-clang,asan-ubsan}/Testing/Temporary/LastTest.log; then
    [ -z "${ZSLICE_SKIPS_FAIL:-}" ] || {
        echo 'test.sh: these tests were skipped, and ZSLICE_SKIPS_FAIL is set' >&2
        exit 1
    }
else
    echo none
fi
