#!/usr/bin/env bats
# What is built from the tree: installed, packaged, linked statically; and what is said if something is missing.

load ../helper

# The tree as it is, without what was built from it.
setup_file() {
    export SOURCE=$BATS_FILE_TMPDIR/source
    mkdir "$SOURCE"
    cp -r "$PROJECT"/{CMakeLists.txt,LICENSE,man,packaging,scripts,src,tests} "$SOURCE"
}

@test "a dependency that is missing is named, and how to get it" {
    PKG_CONFIG_LIBDIR=/nonexistent run ! cmake -S "$SOURCE" -B build
    [[ $output == *"libpopt is missing: install libpopt-dev (Debian)"* ]]
    mkdir packages
    cp "$(pkg-config --variable=pcfiledir popt)/popt.pc" packages
    PKG_CONFIG_LIBDIR=$PWD/packages run ! cmake -S "$SOURCE" -B build
    [[ $(tr -s ' \n' ' ' <<<"$output") == *"The tests need Check"*"-DBUILD_TESTING=OFF"* ]]
    PKG_CONFIG_LIBDIR=$PWD/packages cmake -S "$SOURCE" -B build -DBUILD_TESTING=OFF
}

@test "the package has no errors for lintian, installs, works, and is removed without a trace" {
    local package
    need_root
    command -v lintian && command -v dpkg-shlibdeps || skip "needs lintian and dpkg-dev"
    "$SOURCE/scripts/package.sh" "$PWD/packages" >out
    package=$(tail -n 1 out)
    [ -s "$package" ]
    mkdir -p root/var/lib/dpkg/{info,updates,triggers}
    touch root/var/lib/dpkg/{status,available}
    dpkg --root="$PWD/root" --force-depends --install "$package" 2>err
    (cd root && find usr ! -type d) >files
    for file in bin/zslice bin/zdd share/man/man1/{zslice,zdd}.1.gz share/bash-completion/completions/{zslice,zdd} \
        share/zsh/vendor-completions/_{zslice,zdd} share/fish/vendor_completions.d/{zslice,zdd}.fish; do
        grep -qx "usr/$file" files || { echo "the package does not have $file"; false; }
    done
    printf abcdef >in
    root/usr/bin/zslice --offset 2 in out
    [ "$(cat out)" = cdef ]
    [ "$(root/usr/bin/zdd if=in bs=2 skip=1 status=none)" = cdef ]
    dpkg --root="$PWD/root" --purge zslice
    [ "$(find root/usr | wc -l)" -le 2 ]
}

@test "linked statically it needs nothing, and works in an empty root" {
    need_root
    cmake -S "$SOURCE" -B build -DBUILD_TESTING=OFF -DZSLICE_STATIC=ON
    cmake --build build --parallel 2
    mkdir root
    cp build/zslice root/
    printf abcdef >root/in
    chroot root /zslice --offset 2 /in /out
    [ "$(cat root/out)" = cdef ]
}
