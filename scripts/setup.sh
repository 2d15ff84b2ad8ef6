#!/bin/sh
# Installs what building needs (Debian and its relatives); with --tests, what the tests need as well.
set -eu

packages="cmake gcc libc6-dev libpopt-dev make pkg-config"
tests="acl attr bats btrfs-progs check clang clang-format dpkg-dev e2fsprogs fish git jq libclang-rt-dev libfuse3-dev mandoc mount munge
    lintian openmpi-bin parallel openssl procps python3 shellcheck slurm-client slurmctld slurmd strace util-linux util-linux-extra
    xfsprogs xxhash zsh"

[ "${1:-}" = --tests ] && packages="$packages $tests"

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

run_as_root=
[ "$(id -u)" -eq 0 ] || run_as_root=sudo
export DEBIAN_FRONTEND=noninteractive
$run_as_root apt-get update -q
# shellcheck disable=SC2086 # one word per package
$run_as_root apt-get install -q -y --no-install-recommends $missing
