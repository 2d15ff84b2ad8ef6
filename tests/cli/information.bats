# What the program says of itself and of a run.

load ../helper

@test "--help, --usage and --version go to standard output" {
    local option
    for option in --help --usage --version; do
        "$ZSLICE" "$option" >text 2>err
        [ -s text ]
        [ ! -s err ]
        "$ZSLICE" --length 3 "$option" missing files and more >again
        expect_same text again
    done
    [ "$(wc -l <text)" -eq 1 ]
    [[ "$(cat text)" =~ ^zslice\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "--help shows every option and the groups" {
    local word
    "$ZSLICE" --help >text
    for word in --offset --length --end --exact --seek --append --truncate --no-clobber --engine \
        --verbose --stats --help --usage --version "Which bytes:" "Where they go:"; do
        grep -qe "$word" text || { echo "$word is missing" && return 1; }
    done
    grep -q "^Usage: zslice" text
    "$ZSLICE" --usage >text
    for word in --offset --length --end --exact --seek --append --truncate --no-clobber --engine \
        --verbose --stats; do
        grep -qe "$word" text || { echo "$word is missing" && return 1; }
    done
}

@test "--help fits two screens of 24 lines and 80 columns, and so does that of zdd" {
    local program
    for program in "$ZSLICE" "$(dirname "$ZSLICE")/zdd"; do
        "$program" --help >text
        [ "$(wc -l <text)" -le 48 ]
        [ "$(wc -L <text)" -le 79 ]
    done
}

@test "--help, --usage and --version: a write error is exit 1" {
    local option
    for option in --help --usage --version; do
        expect_failure 1 "standard output" "writing: No space left on device" "$option" >/dev/full
        expect_failure 1 "standard output" "writing:" "$option" >&-
    done
}

@test "-v prints one summary line" {
    local pattern='^zslice: 300000 bytes \(300\.0 kB\) in [0-9.]+ s, [0-9.]+ [kMGT]?B/s, by map-write$'
    random_file in 300000
    "$ZSLICE" -v in out >stdout 2>err
    [ ! -s stdout ]
    [ "$(wc -l <err)" -eq 1 ]
    [[ "$(cat err)" =~ $pattern ]]
    "$ZSLICE" --verbose --length 0 in out 2>err
    grep -q "^zslice: 0 bytes" err
    expect_failure 3 in "beyond its end" -v -o 1M in out
}

@test "--stats=json is one line of valid JSON with every key, in the terms of the copy" {
    local keys
    random_file in 300000
    "$ZSLICE" --stats=json -o 1001 in out >stdout 2>stats
    [ ! -s stdout ]
    [ "$(wc -l <stats)" -eq 1 ]
    jq -e . stats
    keys="bytes bytes_per_second complete digest engines exit_status holes_bytes jobs major_faults minor_faults"
    keys+=" peak_anonymous_bytes peak_rss_bytes ranges refused seconds shared_bytes source target"
    keys+=" user_copied_bytes version"
    [ "$(statistic 'keys | join(" ")')" = "$keys" ]
    [ "$(statistic '[.source, .target, .version] | join(" ")')" = "in out $("$ZSLICE" --version | cut -d ' ' -f 2)" ]
    [ "$(statistic '[.bytes, .ranges, .user_copied_bytes, .complete, .exit_status] | map(tostring) | join(" ")')" \
        = "298999 1 0 true 0" ]
    [ "$(statistic '[.shared_bytes, .jobs] | map(tostring) | join(" ")')" = "0 1" ]
    [ "$(statistic '[.engines[].bytes] | add')" -eq 298999 ]
    [ "$(statistic '[.engines[].calls] | add >= 1')" = true ]
    [ "$(statistic '.seconds > 0 and .seconds < 60 and .bytes_per_second > 0')" = true ]
    [ "$(statistic '.peak_rss_bytes > 0 and .peak_anonymous_bytes > 0 and .minor_faults > 0')" = true ]
}

@test "--stats=json: bytes that went through user space, and engines that could not" {
    random_file in 300000
    "$ZSLICE" --stats=json --engine=buffer in out 2>stats
    [ "$(statistic .user_copied_bytes)" -eq 300000 ]
    "$ZSLICE" --stats=json "/proc/$$/limits" out 2>stats
    [ "$(statistic .user_copied_bytes)" -eq "$(stat --format %s out)" ]
    [ "$(statistic .refused.splice)" = EINVAL ]
    [ "$(engines_used)" = buffer ]
    # shellcheck disable=SC2002 # a pipe is wanted
    cat in | "$ZSLICE" --stats=json --engine=buffer -o 100000 -l 0 - out 2>stats
    [ "$(statistic .bytes)" -eq 0 ]
}

@test "--stats=json is printed on failure too, behind the message" {
    local status=0
    printf 0123456789 >in
    "$ZSLICE" --stats=json -o 11 in out 2>err || status=$?
    [ "$status" -eq 3 ]
    [ "$(wc -l <err)" -eq 2 ]
    head -n 1 err | grep -q "^zslice: in: "
    [ "$(statistic '[.exit_status, .complete, .bytes] | map(tostring) | join(" ")' err)" = "3 false 0" ]
    "$ZSLICE" --stats=json missing out 2>err || true
    [ "$(statistic '[.exit_status, .complete, .source] | map(tostring) | join(" ")' err)" = "2 false missing" ]
    "$ZSLICE" --stats=json in /dev/full 2>err || true
    [ "$(statistic '[.exit_status, .complete, .bytes] | map(tostring) | join(" ")' err)" = "1 false 0" ]
    random_file in 2000000
    (ulimit -f 1024 && "$ZSLICE" --stats=json in out 2>err) || true
    [ "$(statistic '[.exit_status, .complete, .bytes] | map(tostring) | join(" ")' err)" = "1 false 1048576" ]
}

@test "--stats=json is printed for a wrong command line too, wherever on it the option stands" {
    local status
    for arguments in "--stats=json --offset x in out" "--offset x --stats=json in out" \
        "in out --length 1 --end 2 --stats=json" "--stats=json in out --bogus"; do
        status=0
        # shellcheck disable=SC2086 # several words
        "$ZSLICE" $arguments 2>err || status=$?
        [ "$status" -eq 2 ]
        [ "$(statistic '[.exit_status, .complete] | map(tostring) | join(" ")' err)" = "2 false" ] || {
            echo "$arguments: $(cat err)"
            return 1
        }
    done
}

@test "--stats=json: names are JSON strings, whatever bytes they are made of" {
    local name=$'q"\\\n\t\e\x7f größe \xff\xc2'
    printf 0123 >"$name"
    "$ZSLICE" --stats=json "$name" /dev/null 2>stats
    python3 - "$name" <<'END'
import json, sys
line = open("stats", "rb").read()
assert line.count(b"\n") == 1 and all(byte >= 32 for byte in line[:-1]), line
statistics = json.loads(line.decode())
assert statistics["source"] == sys.argv[1], statistics["source"]
END
    jq -e . stats
    "$ZSLICE" --stats=json - - <"$name" 2>stats >out
    [ "$(statistic '[.source, .target] | join(" ")')" = "- -" ]
}

@test "-v and --stats=json together: first the line, then the object" {
    random_file in 1000
    "$ZSLICE" -v --stats=json in out 2>stats
    [ "$(wc -l <stats)" -eq 2 ]
    head -n 1 stats | grep -q "^zslice: 1000 bytes"
    [ "$(statistic .bytes)" -eq 1000 ]
}

@test "--help to a reader that is gone dies of SIGPIPE, silently" {
    local status=0
    exec 5> >(exec true)
    wait $! # the reader is gone
    "$ZSLICE" --help >&5 2>err || status=$?
    exec 5>&-
    [ "$status" -eq 141 ]
    [ ! -s err ]
}

@test "the environment and the name of the program do not change what a command line means" {
    printf abc >in
    bash -c "exec -a $'\\e[31mred' \"\$0\" --usage" "$ZSLICE" >usage
    head -n 1 usage | grep -q '^Usage: zslice \['
    POSIXLY_CORRECT=1 "$ZSLICE" in out -o 1
    [ "$(cat out)" = bc ]
    mkdir home
    echo 'zslice alias --offset --length' >home/.popt
    HOME=$PWD/home "$ZSLICE" --offset 1 in out
    [ "$(cat out)" = bc ]
}
