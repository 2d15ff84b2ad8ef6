# Thousands of random command lines against an oracle: see property.py. A failure prints the seed and the
# case's number, which repeat it: ZSLICE_SEED=... ZSLICE_CASE=... property.py PROGRAM 1

# shellcheck disable=SC2030,SC2031 # each test is its own process
load ../helper

setup_file() {
    use_python
}

@test "random slices of random sources into random targets are what Python's slices are" {
    "$PYTHON" -IS "$PROJECT/tests/cli/property.py" "$ZSLICE" 4000
}

# wrong_program NAME COMMAND: the oracle must find that what the shell makes of COMMAND is not zslice.
wrong_program() {
    printf '#!/bin/bash\n%s\n' "$2" >"$1"
    chmod +x "$1"
    ZSLICE_SEED=1 run -1 "$PYTHON" -IS "$PROJECT/tests/cli/property.py" "./$1" 200
    [[ $output == *"FAILED: case "* ]] || {
        echo "not found out: $1"
        return 1
    }
}

@test "the oracle finds programs that are wrong" {
    local real=$ZSLICE
    wrong_program nothing 'exit 0'
    wrong_program fails 'echo "zslice: x" >&2; exit 3'
    wrong_program never_exact "for a; do case \$a in -x | --exact) ;; *) set -- \"\$@\" \"\$a\" ;; esac; shift; done
        exec '$real' \"\$@\""
    wrong_program never_cuts "for a; do [ \"\$a\" = --truncate ] || set -- \"\$@\" \"\$a\"; shift; done
        exec '$real' \"\$@\""
    wrong_program reads_all "'$real' \"\$@\"; status=\$?; cat >/dev/null; exit \$status"
    wrong_program loses_status "'$real' \"\$@\"; exit 0"
}
