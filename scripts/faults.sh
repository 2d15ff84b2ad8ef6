#!/bin/bash
# Makes one system call of a copy fail, in thousands of ways, and checks what is left.
#
#     scripts/faults.sh [OPTION]...
#
# Each call that touches source or target is made to fail with each of EIO, ENOSPC, EDQUOT, EINVAL,
# ENOSYS, EOPNOTSUPP, EPERM, EINTR, EAGAIN, ENOMEM, to move nothing, and to move less than it was asked
# to; the first, the second and the last such call, and (some of these) all from the first on; in each
# kind of copy and with each engine. A case is named KIND/ENGINE/CALL-FILES/WHICH/FAULT.
#
# The rule: exit status 0 only with exactly the right bytes; else one message that names the object, the
# exit status of the man page, the source as it was, no byte in the target that was not the source's and
# as many of them as the message says, old bytes outside the slice, nothing left behind, no hang, no
# death by a signal. A case whose fault did not fire has not passed; it is counted apart.
#
#     --list           print the names of the cases
#     --only PATTERN   only these: a pattern for the whole name if there is a / in it, else a part of it
#     --sample N       only N of them, taken at random
#     --seed S         the same N again; without it one is chosen, and printed
#     --seconds T      begin no case when so many seconds are over
#     --jobs N         so many at a time; the default is 2
#     --verbose        say which cases did not fire, and show what a case that failed said
#
# The program is $ZSLICE, else that of the preset dev. Needs strace and Python; as root it mounts ext4,
# XFS and tmpfs for itself, else it works in $TMPDIR and leaves out what needs XFS or tmpfs.
set -euo pipefail

usage() {
    sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
}

for option in "$@"; do
    case $option in
    -h | --help)
        usage
        exit 0
        ;;
    esac
done

here=$(cd "$(dirname "$0")" && pwd -P)
program=$(realpath "${ZSLICE:-$here/../build/dev/zslice}")
for tool in strace python3 "$program"; do
    command -v "$tool" >/dev/null || { echo "faults.sh: needs $tool" >&2 && exit 2; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/zslice-faults.XXXXXX")
work=$(cd "$work" && pwd -P)

clean() {
    local name
    for name in ext4 xfs tmpfs; do
        ! mountpoint -q "$work/$name" || umount "$work/$name" || umount -l "$work/$name"
    done
    rm -rf "$work"
}
trap clean EXIT

# mount_image TYPE MEGABYTES: on $work/TYPE, out of an image in memory; no folder if that cannot be.
mount_image() {
    local image="$work/tmpfs/$1.image"
    command -v "mkfs.$1" >/dev/null || return 0
    mkdir "$work/$1"
    truncate -s "$2M" "$image"
    if ! { "mkfs.$1" -q "$image" >/dev/null && mount -o loop "$image" "$work/$1"; }; then
        rmdir "$work/$1"
    fi
}

cp "$program" "$work/zslice" # it may be built anew meanwhile
mkdir "$work/plain" "$work/tmpfs"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=1G tmpfs "$work/tmpfs" 2>/dev/null; then
    mount_image ext4 200
    mount_image xfs 300
else
    rmdir "$work/tmpfs"
fi

shim="$work/short.so"
if grep -q __asan_init "$program" || ! command -v cc >/dev/null ||
    ! cc -O -shared -fPIC -o "$shim" "$here/faults/short.c" -ldl; then
    shim=
fi

python=$(python3 -c 'import sys; print(sys.executable)')
"$python" -IS "$here/faults/sweep.py" "$work" "$work/zslice" "$shim" "$@"
