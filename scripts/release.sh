#!/bin/bash
# Makes the source archive of a release, and proves that it can be built from nothing else.
#
#     scripts/release.sh [FOLDER]
#
# The tree must be committed. CMakeLists.txt and packaging/changelog must name the same version. The archive,
# zslice-VERSION.tar.gz in FOLDER (default: build/release-archive), is the same for the same commit; it is unpacked into
# an empty folder, built there as a release, and tested (the tests that go by the clock or need hours are left to
# scripts/test.sh). What it prints at the end is its SHA-256.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "release.sh: $*" >&2
    exit 1
}

version=$(sed -n 's/^project(zslice VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
packaged=$(sed -n '1s/^zslice (\([0-9.]*\)).*/\1/p' packaging/changelog)
[ -n "$version" ] || fail 'CMakeLists.txt has no version'
[ "$version" = "$packaged" ] || fail "CMakeLists.txt has version $version, packaging/changelog $packaged"
[ -z "$(git status --porcelain)" ] || fail 'there are changes that are not committed'

scripts/setup.sh --tests
folder=$(realpath -m "${1:-build/release-archive}")
archive=$folder/zslice-$version.tar.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"
git archive --format=tar --prefix="zslice-$version/" HEAD | gzip --best --no-name >"$archive"

tar -xzf "$archive" -C "$work"
cd "$work/zslice-$version"
cmake --preset release >/dev/null
cmake --build --preset release --parallel "$(nproc)" >/dev/null
built=$(build/release/zslice --version)
[ "$built" = "zslice $version" ] || fail "the program says that it is '$built'"
ctest --test-dir build/release --output-on-failure --parallel "$(nproc)" \
    -R '^(unit|fuzz|layers)|^cli/(documents|information|slice|ranges|refusals|completions)' | tail -n 3
DESTDIR=$work/installed cmake --install build/release >/dev/null
for name in zslice zdd; do
    [ -x "$work/installed/usr/local/bin/$name" ] || fail "$name is not installed where it should be"
done
cd "$folder"
sha256sum "${archive##*/}"
