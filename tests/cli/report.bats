#!/usr/bin/env bats
# --report: digest and statistics in a file.

load ../helper

@test "the digest's line and the JSON object go to the file, which is emptied first" {
    random_file in 30000
    random_file report 100000
    "$ZSLICE" --report report --digest=sha256 --stats=json -v -o 5 in out 2>err
    [ "$(wc -l <report)" -eq 2 ]
    sha256sum --check <(head -n 1 report)
    [ "$(statistic .bytes report)" -eq 29995 ]
    [ "$(wc -l <err)" -eq 1 ]
    grep -q '^zslice: 29995 bytes' err
}

@test "messages stay on standard error, and the object is there after a failure" {
    local status=0
    random_file in 30
    "$ZSLICE" --report report --digest=sha256 --stats=json -o 31 in out 2>err || status=$?
    [ "$status" -eq 3 ]
    [ "$(wc -l <err)" -eq 1 ]
    [ "$(wc -l <report)" -eq 1 ]
    [ "$(statistic .exit_status report)" -eq 3 ]
    [ "$(statistic .digest report)" = null ]
}

@test "a FIFO, and standard output by its name" {
    random_file in 30
    mkfifo fifo
    cat fifo >got &
    "$ZSLICE" --report fifo --stats=json in out
    wait
    [ "$(statistic .bytes got)" -eq 30 ]
    "$ZSLICE" --report /dev/stdout --digest=xxh128 in out >got
    grep -q '^XXH128 (out) = [0-9a-f]\{32\}$' got
}

@test "a report that is the source or the target is refused, and nothing is touched" {
    local status
    random_file in 3000
    random_file out 2000
    cp in in.before
    cp out out.before
    ln in hard
    ln -s out link
    for report in in hard out link; do
        status=0
        "$ZSLICE" --report $report --stats=json in out 2>err || status=$?
        [ "$status" -eq 2 ]
        grep -q "^zslice: $report: --report: it is the source or the target, too" err
    done
    cmp in in.before
    cmp out out.before
    # Of one that had to be made for that nothing is left.
    status=0
    "$ZSLICE" --report new --stats=json in new 2>err || status=$?
    [ "$status" -eq 2 ]
    [ ! -e new ]
    # Whatever else is wrong.
    for report in in out; do
        status=0
        "$ZSLICE" --report $report --stats=json -o 5000 in out 2>err || status=$?
        [ "$status" -eq 2 ]
        "$ZSLICE" --report $report --stats=json --no-such in out 2>err || true
    done
    status=0
    "$ZSLICE" --report out --stats=json missing out 2>err || status=$?
    [ "$status" -eq 2 ]
    cmp in in.before
    cmp out out.before
    status=0
    "$ZSLICE" --report in --stats=json - - <in >>out 2>err || status=$?
    [ "$status" -eq 2 ]
    "$ZSLICE" --report out --stats=json in - >>out 2>err || status=$?
    [ "$status" -eq 2 ]
    cmp in in.before
    cmp out out.before
}

@test "a report that cannot be opened: exit 2 and no target; one that cannot be written: exit 1" {
    local status=0
    random_file in 30
    "$ZSLICE" --report missing/report --stats=json in out 2>err || status=$?
    [ "$status" -eq 2 ]
    grep -q '^zslice: missing/report: opening: No such file or directory' err
    [ ! -e out ]
    status=0
    "$ZSLICE" --report /dev/full --stats=json in out 2>err || status=$?
    [ "$status" -eq 1 ]
    grep -q '^zslice: /dev/full: writing: No space left on device' err
    cmp in out
}

@test "a report of nothing is refused" {
    local status=0
    random_file in 30
    "$ZSLICE" --report report in out 2>err || status=$?
    [ "$status" -eq 2 ]
    grep -q '^zslice: --report: there is nothing to report' err
    [ ! -e report ]
    [ ! -e out ]
}
