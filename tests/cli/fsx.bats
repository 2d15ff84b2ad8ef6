# Random copies with random options between a few files, against a model in memory: see
# scripts/fsx/fsx.py. Here a few hundred; scripts/fsx.sh does tens of thousands. A failure prints how to
# repeat it; ZSLICE_SEED repeats the whole.

# shellcheck disable=SC2030,SC2031 # each test is its own process
load ../helper

setup_file() {
    use_python
    mount_for_file xfs xfs 400
    if [ "$(id -u)" -eq 0 ]; then
        mkdir "$BATS_FILE_TMPDIR/tmpfs"
        if mount -t tmpfs -o size=400M tmpfs "$BATS_FILE_TMPDIR/tmpfs"; then
            export MOUNTED="${MOUNTED-} tmpfs"
        fi
    fi
}

teardown_file() {
    unmount_for_file
}

# The folder of the tests, and what could be mounted.
folders() {
    local name
    folders=("$BATS_TEST_TMPDIR")
    for name in xfs tmpfs; do
        [[ " ${MOUNTED-} " != *" $name "* ]] || folders+=("$BATS_FILE_TMPDIR/$name")
    done
}

fsx() {
    TMPDIR=$BATS_TEST_TMPDIR "$PYTHON" -IS "$PROJECT/scripts/fsx/fsx.py" "$@"
}

@test "hundreds of random copies between files of up to three file systems do as a model of them does" {
    folders
    mkdir work
    fsx --operations 600 --seed "${ZSLICE_SEED:-$RANDOM$RANDOM}" "$ZSLICE" "${folders[0]}/work" "${folders[@]:1}"
}

# wrong_program NAME COMMAND: the model must find that what the shell makes of COMMAND is not zslice.
wrong_program() {
    mkdir work
    printf '#!/bin/bash\n%s\n' "$2" >"$1"
    chmod +x "$1"
    run -1 fsx --operations 400 --seed 1 --quiet "$PWD/$1" work
    rm -r work
    [[ $output == *"FAILED: operation "*"repeat: --seed 1"* ]] || {
        echo "not found out: $1"
        return 1
    }
}

# without NAME: a program that does not heed an option.
without() {
    wrong_program "no$1" "for a; do [ \"\$a\" = \"$1\" ] || set -- \"\$@\" \"\$a\"; shift; done; exec '$ZSLICE' \"\$@\""
}

@test "the model finds programs that are wrong" {
    local real=$ZSLICE
    mkdir work
    fsx --operations 400 --seed 1 --quiet "$ZSLICE" work
    rm -r work
    wrong_program nothing 'exit 0'
    wrong_program loses_status "'$real' \"\$@\"; exit 0"
    wrong_program appends_a_byte "'$real' \"\$@\"; status=\$?; [ ! -f \"\${!#}\" ] || printf x >>\"\${!#}\"
        exit \$status"
    wrong_program reads_on "'$real' \"\$@\"; status=\$?; head -c 1 >/dev/null; exit \$status"
    wrong_program leaves_a_file "'$real' \"\$@\"; status=\$?; target=\${!#}
        [ ! -f \"\$target\" ] || : >\"\${target%/*}/.zslice-x\"; exit \$status"
    without --truncate
    without --exact
    without --keep-offset
    without --atomic
    without --sparse=always
}
