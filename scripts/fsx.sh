#!/bin/bash
# Random copies between a few files on several file systems, against a model in memory, in the manner of
# fsx: see fsx/fsx.py. Prints the seed; after a failure, the command and how to repeat it.
#
#     scripts/fsx.sh [--seed SEED] [--operations N] [--keep-going N] [--quiet] [FOLDER]...
#
# Without a FOLDER, root gets loop file systems of ext4, XFS and btrfs, and tmpfs, made in a temporary
# folder; others get a temporary folder and /dev/shm. ZSLICE is the program (default: build/dev/zslice).
set -euo pipefail

project=$(cd "$(dirname "$0")/.." && pwd)
program=${ZSLICE:-$project/build/dev/zslice}
options=()
folders=()
while (($# > 0)); do
    case $1 in
    --seed | --operations | --keep-going)
        options+=("$1" "${2:?a value is missing}")
        shift
        ;;
    --quiet) options+=("$1") ;;
    -*)
        sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
        [[ $1 == -h || $1 == --help ]] && exit 0 || exit 2
        ;;
    *) folders+=("$1") ;;
    esac
    shift
done

if [ ! -x "$program" ]; then
    echo "fsx.sh: no program at $program; build it, or set ZSLICE" >&2
    exit 2
fi

work=
mounted=()
clean_up() {
    local folder
    for folder in "${mounted[@]}"; do
        umount "$folder" || umount -l "$folder"
    done
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}
trap clean_up EXIT

# Loop file systems, in a tmpfs where that can be: syncing costs nothing there.
make_file_systems() {
    local type folder
    mkdir "$work/images"
    mount -t tmpfs -o size=3G tmpfs "$work/images" && mounted=("$work/images")
    for type in ext4 xfs btrfs; do
        folder=$work/$type
        mkdir "$folder"
        truncate -s 512M "$work/images/$type"
        if command -v "mkfs.$type" >/dev/null && "mkfs.$type" -q "$work/images/$type" >/dev/null &&
            mount -o loop "$work/images/$type" "$folder"; then
            mounted=("$folder" "${mounted[@]}")
            folders+=("$folder")
        else
            echo "fsx.sh: no file system of type $type here" >&2
        fi
    done
    mkdir "$work/tmpfs"
    mount -t tmpfs -o size=512M tmpfs "$work/tmpfs"
    mounted=("$work/tmpfs" "${mounted[@]}")
    folders+=("$work/tmpfs")
}

if ((${#folders[@]} == 0)); then
    work=$(mktemp -d "${TMPDIR:-/tmp}/zslice-fsx.XXXXXX")
    if [ "$(id -u)" -eq 0 ]; then
        make_file_systems
    else
        folders=("$work" /dev/shm)
    fi
fi

python=$(python3 -c 'import sys; print(sys.executable)')
"$python" -IS "$project/scripts/fsx/fsx.py" "${options[@]}" "$program" "${folders[@]}"
