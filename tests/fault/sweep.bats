#!/usr/bin/env bats
# A random sample of the sweep of faults; the whole of it is scripts/faults.sh. ZSLICE_SEED repeats a sample
# that failed, and each line of a failure has the command for it alone.

load ../helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    command -v strace >/dev/null || skip "needs strace"
    faults="$PROJECT/scripts/faults.sh"
    seed=${ZSLICE_SEED:-$((RANDOM * 32768 + RANDOM))}
    echo "seed: ZSLICE_SEED=$seed"
}

@test "one call of a copy fails: a sample of all cases" {
    local status=0
    "$faults" --sample 400 --seconds 10 --seed "$seed" >report || status=$?
    cat report
    [ "$status" -eq 0 ]
    [[ $(tail -n 1 report) =~ ^([0-9]+)\ cases:\ ([0-9]+)\ passed,\ 0\ failed,\ ([0-9]+)\ did\ not\ fire ]]
    # Where a pipe is read, how many calls it takes varies a little.
    ((BASH_REMATCH[1] >= 20 && BASH_REMATCH[3] * 10 <= BASH_REMATCH[1]))
}

@test "the sweep sees a program that fails and does not say so" {
    # Made up: it copies less than it was asked to.
    printf '%s\n' '#!/bin/bash' "exec '$ZSLICE' --length 1000000 \"\$@\"" >liar
    chmod +x liar
    ZSLICE="$PWD/liar" run "$faults" --only 'new/buffer/write-target/*/EINTR'
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *"FAILED new/buffer/write-target/first/EINTR: exit status 0, but byte 1000000 is wrong"* ]]
}
