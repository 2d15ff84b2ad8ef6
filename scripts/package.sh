#!/bin/bash
# Builds a Debian package of this tree into the folder given (default: build/package).
#
#     scripts/package.sh [FOLDER]
#
# What it needs: dpkg-dev and gzip besides what building needs. Where lintian is installed, its errors are errors here.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
for program in dpkg-shlibdeps gzip; do
    command -v "$program" >/dev/null || { echo "package.sh: $program is missing (dpkg-dev, gzip)" >&2 && exit 1; }
done

folder=$(realpath -m "${1:-build/package}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake -S . -B "$work" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DBUILD_TESTING=OFF \
    -DZSLICE_HARDENING=ON -DZSLICE_POPT_ARCHIVE=OFF -DZSLICE_PACKAGE=ON >/dev/null
cmake --build "$work" --parallel "$(nproc)" >/dev/null
(cd "$work" && cpack -G DEB >/dev/null)
mkdir -p "$folder"
rm -f "$folder"/zslice_*.deb
cp "$work"/zslice_*.deb "$folder/"
if command -v lintian >/dev/null; then
    lintian --fail-on error "$folder"/zslice_*.deb
else
    echo 'package.sh: lintian is not installed; the package was not checked' >&2
fi
echo "$folder"/zslice_*.deb
