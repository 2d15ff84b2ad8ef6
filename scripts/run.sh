#!/bin/sh
# Installs what is missing, builds a release, and does the main job on a real file: the program itself.
set -eu
cd "$(dirname "$0")/.."

scripts/setup.sh
cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release --parallel

zslice=build/release/zslice
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo "$zslice --verbose --offset 1024 $zslice $folder/out"
"$zslice" --verbose --offset 1024 "$zslice" "$folder/out"
tail -c +1025 "$zslice" | cmp - "$folder/out"
echo "The slice equals what tail -c +1025 makes of it. The program is $zslice; to install it:"
echo "    cmake --install build/release"
