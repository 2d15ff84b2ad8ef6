#!/bin/bash
# Installs what is missing and runs all tests: static checks, everything with gcc, the unit tests with
# clang, everything again with the sanitizers.
#
# Tests that this machine cannot run (no root, no loop devices) are skipped and listed at the end; with
# ZSLICE_SKIPS_FAIL=1 they are a failure.
#
# The unit tests of shared blocks run in the folder that ZSLICE_REFLINK_DIR names, on btrfs or XFS. Where
# it is not set, root gets one for as long as the tests run.
set -euo pipefail
cd "$(dirname "$0")/.."

title() {
    printf '\n== %s\n' "$*"
}

sharing=

# What make_sharing_folder has made goes away, however this script ends.
remove_sharing_folder() {
    [ -n "$sharing" ] || return 0
    if mountpoint -q "$sharing/mnt"; then
        umount "$sharing/mnt" || umount --lazy "$sharing/mnt" || true
    fi
    rm -rf --one-file-system "$sharing" || true
}
trap remove_sharing_folder EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# make_sharing_folder: a small file system that shares blocks, in a file, if that can be had.
make_sharing_folder() {
    local type
    [ -z "${ZSLICE_REFLINK_DIR:-}" ] && [ "$(id -u)" -eq 0 ] || return 0
    sharing=$(mktemp -d)
    mkdir "$sharing/mnt"
    for type in btrfs xfs; do
        command -v "mkfs.$type" >/dev/null || continue
        rm -f "$sharing/image"
        truncate -s 512M "$sharing/image"
        if "mkfs.$type" -q "$sharing/image" >/dev/null && mount -o loop "$sharing/image" "$sharing/mnt"; then
            export ZSLICE_REFLINK_DIR=$sharing/mnt
            return
        fi
    done
}

scripts/setup.sh --tests
make_sharing_folder

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
# Of bats, and of the Check programs; ctest writes all output there, also of what has passed.
if grep -h -E '^ok .* # skip|^SKIPPED: ' build/{dev,dev-clang,asan-ubsan}/Testing/Temporary/LastTest.log; then
    [ -z "${ZSLICE_SKIPS_FAIL:-}" ] || {
        echo 'test.sh: these tests were skipped, and ZSLICE_SKIPS_FAIL is set' >&2
        exit 1
    }
else
    echo none
fi
