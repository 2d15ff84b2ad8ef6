#!/bin/bash
# Loss of power while `zslice --atomic --sync` replaces a file: the old bytes or the new ones must be there
# afterwards, never a mixture, never nothing; and after exit status 0, the new ones.
#
#     scripts/power-loss.sh [--moments N] [--seed S] [--on TYPE[,TYPE]...]
#
# The file system under test (ext4, xfs and btrfs by default) lies in an image on an XFS of its own, behind
# a loop device with direct I/O. A moment's state of the device is a clone of the image (reflink), for which
# the XFS stops all writes to it: what the device had finished by then is in it, what was under way or still
# in the page cache is not. Nothing is unmounted, and nothing synced for it. Each clone is mounted, which
# replays the journal, as after a real loss of power, and the file is compared.
#
# What this cannot show: a device that finishes writes in another order than it says, within the bounds of
# its flushes.
#
# Moments are spread over the time that a copy takes, more than half of them over its end, where the files
# change places; every tenth is right behind the end. Both old and new bytes must be seen. Needs root.
# ZSLICE is the program (default: build/dev/zslice).
set -euo pipefail

project=$(cd "$(dirname "$0")/.." && pwd)
program=${ZSLICE:-$project/build/dev/zslice}
moments=100
seed=$RANDOM
types=ext4,xfs,btrfs
while (($# > 0)); do
    case $1 in
    --moments) moments=$2 ;;
    --seed) seed=$2 ;;
    --on) types=$2 ;;
    *)
        sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
        [[ $1 == -h || $1 == --help ]] && exit 0 || exit 2
        ;;
    esac
    shift 2
done
if [ "$(id -u)" -ne 0 ] || [ ! -x "$program" ]; then
    echo "power-loss.sh: needs root, and a program (now $program)" >&2
    exit 2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/zslice-power.XXXXXX")
host=$work/host
live=$work/live
check=$work/check
loop=
exec {clock}<> <(:) # nothing ever comes: waits without starting a process

# release FOLDER: unmounts it; a loop device that lets go a moment later is waited for, and then left to the kernel.
release() {
    local try
    for try in 1 2 3 4 5 6 7 8 9 10; do
        ! umount "$1" 2>/dev/null || return 0
        sleep "0.$try"
    done
    umount -l "$1"
}

clean_up() {
    local folder
    for folder in "$check" "$live"; do
        ! mountpoint -q "$folder" || release "$folder"
    done
    [ -z "$loop" ] || losetup -d "$loop" || true
    ! mountpoint -q "$host" || release "$host"
    ! mountpoint -q "$work/memory" || release "$work/memory"
    rm -rf --one-file-system "$work" || true
}
trap clean_up EXIT

wait_us() {
    local seconds
    printf -v seconds '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000))
    read -rt "$seconds" -u "$clock" || true
}

now_us() {
    local time=$EPOCHREALTIME
    now=${time/[.,]/}
}

# The XFS that clones. In memory, where there is enough: nothing depends on how fast a disk is.
make_host() {
    mkdir "$host" "$live" "$check" "$work/memory"
    mount -t tmpfs -o size=4G tmpfs "$work/memory"
    truncate -s 3G "$work/memory/host"
    mkfs.xfs -q -m reflink=1 "$work/memory/host"
    mount -o loop "$work/memory/host" "$host"
}

# mount_live TYPE: the image, behind a loop device whose writes go to the XFS at once.
mount_live() {
    loop=$(losetup --find --show --direct-io=on --sector-size 512 "$host/image")
    mount -t "$1" "$loop" "$live"
}

unmount_live() {
    release "$live"
    losetup -d "$loop"
    loop=
}

start_copy() {
    "$program" --atomic --sync --offset 1000 "$work/new" "$live/file" 2>"$work/err" &
    copy=$!
}

# look TYPE FINISHED: mounts the clone and says what is there: $seen is old or new, or it is a failure.
look() {
    local leftover
    if ! mount -t "$1" -o loop "$host/moment" "$check" 2>"$work/mount"; then
        seen="nothing: it cannot be mounted: $(<"$work/mount")"
        return
    fi
    if cmp -s "$check/file" "$work/expected"; then
        seen=new
    elif cmp -s "$check/file" "$work/old"; then
        seen=old
    elif [ -e "$check/file" ]; then
        seen="a mixture: $(cmp "$check/file" "$work/expected" 2>&1 || true)"
    else
        seen="no file at all"
    fi
    if ! cmp -s "$check/bystander" "$work/old"; then
        seen="another file that was not touched is gone or changed"
    fi
    for leftover in "$check"/.zslice-*; do
        [ ! -e "$leftover" ] || leftovers=$((leftovers + 1))
    done
    if [ "$2" = yes ] && [ "$seen" = old ]; then
        seen="the old bytes, although the copy had exit status 0"
    fi
    release "$check"
}

# one_moment TYPE INDEX: a copy, and the device as it was at one moment of it.
one_moment() {
    local type=$1 index=$2 at finished=no status=0
    case $((index % 10)) in
    0) at=$(((RANDOM << 15 | RANDOM) % (takes / 4 + 1))) ;;
    4) at=end ;;
    1 | 2 | 3) at=$(((RANDOM << 15 | RANDOM) % (takes * 5 / 4 + 1))) ;;
    *) at=$((takes * 3 / 4 + (RANDOM << 15 | RANDOM) % (takes / 2 + 1))) ;;
    esac
    mount_live "$type"
    cp "$work/old" "$live/file"
    sync -f "$live/file"
    start_copy
    if [ "$at" = end ]; then
        wait "$copy" || status=$?
        finished=yes
    else
        wait_us "$at"
        # Not `wait`: the moment must not be later than it is.
        kill -0 "$copy" 2>/dev/null || finished=maybe
    fi
    cp --reflink=always "$host/image" "$host/moment"
    [ "$at" = end ] || wait "$copy" || status=$?
    if [ "$status" -ne 0 ]; then
        echo "power-loss.sh: the copy failed: $(<"$work/err")" >&2
        exit 1
    fi
    [ "$finished" != maybe ] || finished=yes
    unmount_live
    look "$type" "$finished"
    rm "$host/moment"
    case $finished-$seen in
    *-old) old=$((old + 1)) ;;
    no-new) new=$((new + 1)) ;;
    yes-new) after=$((after + 1)) ;;
    *)
        problems=$((problems + 1))
        echo "FAILED: $type, moment $index, $at us of $takes after the start: $seen"
        ;;
    esac
    # Towards where one turns into the other, on a machine that is now faster and now slower.
    case $at-$seen in
    *[0-9]-old) takes=$((takes * 106 / 100)) ;;
    *[0-9]-new) takes=$((takes * 94 / 100)) ;;
    esac
}

# How long a copy takes, from its start to its end: the shortest of three.
measure() {
    local begun _
    takes=60000000
    for _ in 1 2 3; do
        mount_live "$1"
        cp "$work/old" "$live/file"
        sync -f "$live/file"
        now_us
        begun=$now
        start_copy
        wait "$copy"
        now_us
        ((now - begun >= takes)) || takes=$((now - begun))
        unmount_live
    done
}

try_type() {
    local type=$1 i options=()
    [ "$type" != ext4 ] || options=(-b 4096) # as on disks of the usual size
    old=0 new=0 after=0 leftovers=0
    truncate -s 400M "$host/image"
    if ! command -v "mkfs.$type" >/dev/null || ! "mkfs.$type" -q "${options[@]}" "$host/image" >/dev/null; then
        echo "$type: no such file system here"
        problems=$((problems + 1))
        return
    fi
    mount_live "$type"
    cp "$work/old" "$live/bystander"
    sync -f "$live/bystander"
    unmount_live
    measure "$type"
    for ((i = 0; i < moments; i++)); do
        one_moment "$type" "$i"
    done
    rm "$host/image"
    echo "$type: $moments moments (a copy takes $((takes / 1000)) ms): $old old, $new new during the copy," \
        "$after new after its exit, $leftovers .zslice-* left"
    if ((moments >= 5 && (old == 0 || new + after == 0))); then
        echo "FAILED: $type: both must be seen"
        problems=$((problems + 1))
    fi
}

make_host
head -c 20001000 /dev/urandom >"$work/new"
tail -c +1001 "$work/new" >"$work/expected"
head -c 15000000 /dev/urandom >"$work/old"
problems=0
RANDOM=$seed
echo "seed $seed"
for type in ${types//,/ }; do
    try_type "$type"
done
((problems == 0))
