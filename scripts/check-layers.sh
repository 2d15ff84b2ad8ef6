#!/bin/sh
# Rejects an #include in src that does not go down: a file may use headers of lower layers, and its own.
# Also: popt is used by options.c only, and nothing below main.c ends the process.
set -eu
cd "$(dirname "$0")/../src"

layer() {
    case $1 in
    error | signals | units) echo 0 ;;
    sys) echo 1 ;;
    behind | connect | diag | digest | facts | holes | path | progress | slice | stats | readahead | view) echo 2 ;;
    ahead | blocks | options | range | source | spool | staged) echo 3 ;;
    choice | engine | gather) echo 4 ;;
    dd | engine/*) echo 5 ;;
    plan) echo 6 ;;
    checksum | collapse | compare | explain | report | tally | target) echo 7 ;;
    transfer | watch) echo 8 ;;
    main) echo 9 ;;
    *) echo "check-layers.sh: $1 has no layer; give it one" >&2 && return 1 ;;
    esac
}

failed=0
complain() {
    echo "src/$1" >&2
    failed=1
}

for file in *.[ch] engine/*.c; do
    module=${file%.[ch]}
    own=$(layer "$module")
    # shellcheck disable=SC2013 # one header per line, no blanks in their names
    for header in $(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file"); do
        used=$(layer "$header")
        [ "$header" = "$module" ] || [ "$used" -lt "$own" ] ||
            complain "$file: $header.h is not of a lower layer"
    done
    if [ "$file" != options.c ] && grep -n '<popt\.h>' "$file"; then
        complain "$file: only options.c uses popt"
    fi
    if [ "$file" != main.c ] && grep -nE '\b(_?exit|abort|_Exit|raise) ?\(' "$file"; then
        complain "$file: only main.c ends the process"
    fi
done
exit $failed
