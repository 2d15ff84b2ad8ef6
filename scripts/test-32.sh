#!/bin/bash
# Builds the unit tests and the replays of the fuzz corpora for 32 bits (-m32) and runs them. What that
# needs of libraries is unpacked into a folder of its own, so that nothing is installed but
# gcc-multilib, and no architecture is added to the system. Where the packages cannot be had (no root,
# no Debian, no network, another processor) it says so and succeeds.
#
#     scripts/test-32.sh [FOLDER]
#
# FOLDER is kept, so that a second run is quicker; the default is build/m32.
set -euo pipefail

case ${1-} in
-h | --help)
    sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

cd "$(dirname "$0")/.."
folder=$(mkdir -p "${1:-build/m32}" && cd "${1:-build/m32}" && pwd)
root=$folder/root
libraries=$root/usr/lib/i386-linux-gnu
# Check's are linked statically, but for libsubunit where that has no archive; the digests are loaded.
packages=(libpopt-dev libpopt0 check libsubunit-dev libsubunit0 libssl3 libxxhash0)

skip() {
    echo "SKIPPED: the 32-bit tests: $1" >&2
    exit 0
}

[ "$(uname -m)" = x86_64 ] || skip "they run on x86-64 only"
command -v apt-get >/dev/null || skip "they need packages of Debian for i386"

compiles() {
    printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' |
        gcc -m32 -x c - -o "$folder/tried" 2>/dev/null && "$folder/tried" >/dev/null
}

if ! compiles; then
    [ "$(id -u)" -eq 0 ] || skip "gcc-multilib is not installed, and installing it needs root"
    apt-get install -y -qq --no-install-recommends gcc-multilib >"$folder/apt.log" 2>&1 ||
        skip "gcc-multilib cannot be installed (see $folder/apt.log)"
    compiles || skip "gcc -m32 makes no programs that run here"
fi

# Lists and a cache of its own: those of the system are for its architecture.
if [ ! -e "$libraries/pkgconfig/check.pc" ] || [ ! -e "$libraries/pkgconfig/popt.pc" ]; then
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/packages" "$root"
    options=(-o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache"
        -o APT::Architecture=i386 -o APT::Architectures=i386 -o APT::Sandbox::User=root)
    # One of several archives may be out of order: what is missing then shows below.
    apt-get "${options[@]}" update >"$folder/apt.log" 2>&1 || true
    for package in "${packages[@]}"; do
        (cd "$folder/packages" && apt-get "${options[@]}" download "$package:i386") \
            >>"$folder/apt.log" 2>&1 || skip "$package:i386 cannot be had (see $folder/apt.log)"
    done
    for package in "$folder"/packages/*.deb; do
        dpkg -x "$package" "$root"
    done
fi

export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$libraries/pkgconfig
export LD_LIBRARY_PATH=$libraries
# libpopt's archive would be looked for in the system's folders.
cmake -S . -B "$folder/build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS=-m32 \
    -DZSLICE_WERROR=ON -DZSLICE_POPT_ARCHIVE=OFF >"$folder/cmake.log"
cmake --build "$folder/build" -j "$(nproc)"
ctest --test-dir "$folder/build" --output-on-failure -R '^(unit|fuzz)/'
