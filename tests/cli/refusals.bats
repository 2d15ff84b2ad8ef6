# Command lines and plans that are refused: the exit status, one message that names what is at fault
# and why, and nothing touched.

# shellcheck disable=SC2002,SC2094 # a pipe is wanted; one file for both as well
load ../helper

# refuse_all STATUS OBJECT REASON: each line of standard input is a command line (of the words that it
# splits into) that is refused so. The files in and out are as before afterwards, and new does not exist.
refuse_all() {
    local line words before failed=0
    printf 0123456789 >in
    echo precious >out
    before=$(fingerprint in out)
    while IFS= read -r line; do
        read -r -a words <<<"$line"
        expect_failure "$1" "$2" "$3" "${words[@]}" </dev/null >stdout || failed=1
        [ ! -s stdout ] || failed=1
    done
    [ "$(fingerprint in out)" = "$before" ]
    [ ! -e new ]
    [ "$failed" -eq 0 ]
}

# What the number grammar does not take; %s is the number in these command lines.
bad_sizes=(x 1x 1.5 '1,5' 0x 0xg 0x1K 0x1B5x 0X1F 1e3 K 5KK 5KiBB 5b 5S 5m 5KIB ++5 +5 5+ 1_000
    18446744073709551616 16E 99999999999999999999 0x10000000000000000 19EB '٣' '5″')

@test "bad numbers" {
    local number failed=0
    printf 0123456789 >in
    for number in "${bad_sizes[@]}" "" " 5" "5 " $'5\n' $'\t5' "5 K" "1 2" "- 5" "--5" "-+5" "-"; do
        expect_failure 2 --offset "(see zslice --help)" --offset "$number" in new || failed=1
        expect_failure 2 --length "(see zslice --help)" "--length=$number" in new || failed=1
        expect_failure 2 --end "(see zslice --help)" -e "$number" in new || failed=1
        expect_failure 2 --seek "(see zslice --help)" --seek "$number" in new || failed=1
    done
    expect_failure 2 --length "not a number of bytes such as 4096, 64K, 10MB, 8s or 0x1f: '-5'" --length -5 in new || failed=1
    expect_failure 2 --length "not a number of bytes" -l -0 in new || failed=1
    expect_failure 2 --offset "beyond 64 bits (2^64-1 bytes): '18446744073709551616'" \
        -o 18446744073709551616 in new || failed=1
    expect_failure 2 --offset "beyond 64 bits" -o -16E in new || failed=1
    [ ! -e new ]
    [ "$failed" -eq 0 ]
}

@test "a number that is much too long is still called so" {
    local digits
    digits=$(printf '9%.0s' {1..400})
    printf 0123456789 >in
    expect_failure 2 --offset "beyond 64 bits" --offset "$digits" in new
    expect_failure 2 --offset "not a number" --offset "${digits}x" in new
}

@test "unknown options and engines, missing and unwanted values, too many files" {
    refuse_all 2 --bogus "unknown option" <<'END'
--bogus
--bogus in out
in out --bogus
-l 3 --bogus in out
END
    refuse_all 2 -q "unknown option" <<<"-q in out"
    refuse_all 2 -xq "unknown option -q" <<<"-xq in out"
    refuse_all 2 --off "unknown option" <<<"--off 3 in out"
    refuse_all 2 --len=3 "unknown option" <<<"--len=3 in out"
    refuse_all 2 --offset "it needs a value" <<<"in out --offset"
    refuse_all 2 -l "it needs a value" <<<"in out -l"
    refuse_all 2 --exact=1 "it takes no value" <<<"--exact=1 in out"
    refuse_all 2 extra "unexpected" <<<"in out extra"
    refuse_all 2 extra "unexpected" <<<"in out extra words -l 3"
    refuse_all 2 --engine "'warp'" <<<"--engine=warp in out"
    refuse_all 2 --engine "not one of auto, reflink, copy-range, splice, sendfile, map-write, buffer: 'Splice'" <<<"--engine Splice in out"
    refuse_all 2 --engine "not one of" <<<"--engine splice,buffer in out"
    refuse_all 2 --stats "'xml'" <<<"--stats=xml in out"
    refuse_all 2 --stats "'JSON'" <<<"--stats JSON in out"
}

@test "combinations of options" {
    refuse_all 2 --end "cannot be combined with --length" <<<"--length 3 --end 5 in out"
    refuse_all 2 --append "cannot be combined with --seek" <<<"--seek 3 --append in out"
    refuse_all 2 --no-clobber "cannot be combined" <<<"--seek 3 --no-clobber in new"
    refuse_all 2 --no-clobber "cannot be combined" <<<"-n -a in new"
    refuse_all 2 --truncate "it needs --seek" <<<"--truncate in out"
    refuse_all 2 --truncate "it needs --seek" <<<"--truncate --append in out"
    refuse_all 2 --no-clobber "it needs TARGET" <<<"--no-clobber in"
    refuse_all 2 --no-clobber "it needs TARGET" <<<"--no-clobber in -"
}

@test "sources that are not there or cannot be read" {
    mkdir folder
    ln -s nowhere dangling
    ln -s loop loop
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    refuse_all 2 missing "opening: No such file or directory" <<<"missing out"
    refuse_all 2 missing "opening: No such file or directory" <<<"missing new"
    refuse_all 2 missing/in "opening: No such file or directory" <<<"missing/in out"
    refuse_all 2 in/in "opening: Not a directory" <<<"in/in out"
    refuse_all 2 dangling "opening: No such file or directory" <<<"dangling out"
    refuse_all 2 loop "opening: Too many levels of symbolic links" <<<"loop out"
    refuse_all 2 folder "reading: Is a directory" <<<"folder out"
    refuse_all 2 . "reading: Is a directory" <<<". new"
    refuse_all 2 socket "opening: No such device or address" <<<"socket out"
    printf 0123456789 >in
    expect_failure 2 "standard input" "reading: Is a directory" - out <folder
    expect_failure 2 "''" "opening: No such file or directory" "" out
    [ ! -e new ]
}

@test "targets that cannot be written" {
    mkdir folder
    ln -s folder link
    ln -s loop loop
    refuse_all 2 folder "writing: Is a directory" <<<"in folder"
    refuse_all 2 link "writing: Is a directory" <<<"in link"
    refuse_all 2 . "writing: Is a directory" <<<"--append in ."
    refuse_all 2 missing/out "No such file or directory" <<<"in missing/out"
    refuse_all 2 in/out "Not a directory" <<<"in in/out"
    refuse_all 2 loop "Too many levels of symbolic links" <<<"in loop"
    refuse_all 2 /proc/version/x "Not a directory" <<<"in /proc/version/x"
    expect_failure 2 "''" "No such file or directory" in ""
    expect_failure 2 "standard output" "not open for writing" in 1<folder
    [ -z "$(ls folder)" ]
    cp "$(command -v sleep)" program
    ./program 60 3>&- &
    expect_failure 2 program "Text file busy" in program
    kill $!
}

@test "files without permission" {
    printf 0123456789 >in
    cp in secret
    chmod 000 secret
    if [ "$(id -u)" -eq 0 ]; then # root, but not above permissions
        printf '#!/bin/sh\nexec setpriv --bounding-set=%s "%s" "$@"\n' \
            -dac_override,-dac_read_search "$ZSLICE" >unprivileged
        chmod +x unprivileged
        ZSLICE=$PWD/unprivileged
    fi
    expect_failure 2 secret "opening: Permission denied" secret new
    expect_failure 2 secret "opening: Permission denied" in secret
    [ ! -e new ]
}

@test "a target that may not be changed" {
    need_root
    printf 0123456789 >in
    echo precious >out
    chattr +i out 2>/dev/null || skip "needs a file system with immutable files"
    expect_failure 2 out "Operation not permitted" in out || { chattr -i out && false; }
    chattr -i out
    [ "$(cat out)" = precious ]
}

@test "source and target are the same file" {
    local name
    printf 0123456789 >in
    ln in hard
    ln -s in soft
    mkdir folder
    for name in in hard soft ./in folder/../in "$PWD/in"; do
        expect_failure 2 "$name" "it is the source, too" in "$name"
        expect_failure 2 "$name" "it is the source, too" --length 0 in "$name"
        expect_failure 2 "$name" "it is the source, too" - "$name" <in
        expect_failure 2 in "it is the source, too" "$name" in
    done
    expect_failure 2 "standard output" "it is the source, too" in 1<>in
    expect_failure 2 "standard output" "it is the source, too" <in 1<>in
    [ "$(cat in)" = 0123456789 ]
}

@test "source and target are the same file, and the regions overlap" {
    printf 0123456789 >in
    ln in hard
    expect_failure 2 in "would overwrite itself" --seek 0 in in
    expect_failure 2 hard "would overwrite itself" --seek 9 in hard
    expect_failure 2 hard "would overwrite itself" -o 3 -l 4 --seek 6 in hard
    expect_failure 2 hard "would overwrite itself" -o 3 -l 4 --seek 0 in hard
    expect_failure 2 in "would overwrite itself" -o 3 -l 4 --seek -4 - in <hard
    [ "$(cat in)" = 0123456789 ]
}

@test "source and target are the same file, and the regions do not overlap" {
    printf 0123456789 >in
    "$ZSLICE" -l 3 --seek 3 in in
    [ "$(cat in)" = 0120126789 ]
    "$ZSLICE" -o 6 -l 4 --seek 2 in in
    [ "$(cat in)" = 0167896789 ]
    "$ZSLICE" -l 2 --append in in
    [ "$(cat in)" = 016789678901 ]
    "$ZSLICE" in >>in
    [ "$(cat in)" = 016789678901016789678901 ]
    "$ZSLICE" -l 2 --seek 2 --truncate in in
    [ "$(cat in)" = 0101 ]
}

@test "one pipe as source and target" {
    mkfifo fifo
    exec 5<>fifo
    expect_failure 2 "standard output" "same pipe" <&5 >&5
    expect_failure 2 fifo "same pipe" - fifo <&5
    exec 5>&-
}

@test "an offset beyond the end" {
    refuse_all 3 in "the offset 11 is beyond its end at 10" <<'END'
-o 11 in out
-o 11 in new
-o 11 -l 0 in new
-o 11 -e 5 in new
-o 0xb --append in out
-o 11 --seek 2 in out
END
    refuse_all 3 in "beyond its end at 10" <<<"-o 18446744073709551615 in new"
    refuse_all 3 "standard input" "it ended before the offset 1" <<<"-o 1 - new"
}

@test "positions beyond what a file can have" {
    refuse_all 2 out "largest position" <<'END'
--seek 9223372036854775807 in out
--seek 9223372036854775798 in out
--seek 18446744073709551615 in out
END
    refuse_all 2 new "largest position" <<<"--seek 9223372036854775800 in new"
    refuse_all 3 "/proc/$$/limits" "" <<<"-o 9223372036854775808 /proc/$$/limits new"
    refuse_all 3 "/proc/$$/limits" "" <<<"-o 18446744073709551615 /proc/$$/limits new"
}

@test "a forced engine that cannot do this copy is refused with its reason" {
    mkfifo fifo
    refuse_all 2 --engine "splice: it cannot do this copy: it cannot append" <<'END'
--engine=splice --append in out
--engine=splice --append in new
END
    refuse_all 2 --engine "sendfile: it cannot do this copy: it cannot append" \
        <<<"--engine=sendfile --append in out"
    refuse_all 2 --engine "sendfile: it cannot do this copy: its source must be a file" <<END
--engine=sendfile - out
--engine=sendfile /dev/zero out
--engine=sendfile /proc/version new
--engine=sendfile /dev/zero fifo
END
    refuse_all 2 --engine "map-write: it cannot do this copy: its source must be a file" <<END
--engine=map-write - out
--engine=map-write /dev/urandom new
--engine=map-write /proc/$$/limits out
END
    printf 0123456789 >in
    echo precious >out
    expect_failure 2 --engine "splice: it cannot do this copy" --engine=splice in >>out
    cat in | expect_failure 2 --engine "map-write: it cannot do this copy" --engine=map-write - new
    [ "$(cat out)" = precious ]
    [ ! -e new ]
}

@test "names in messages: control characters and invalid UTF-8 are escaped, the rest is not" {
    local name
    printf 0123456789 >in
    expect_failure 2 'new\nline' "No such file" $'new\nline' out
    expect_failure 2 '\x1b[31mred\x07' "No such file" $'\e[31mred\a' out
    expect_failure 2 'tab\t\r\x7f' "No such file" $'tab\t\r\x7f' out
    expect_failure 2 'back\\slash\\n' "No such file" 'back\slash\n' out
    expect_failure 2 '\xff\xc3' "No such file" $'\xff\xc3' out
    expect_failure 2 '\xc2\x9b31m' "No such file" $'\xc2\x9b31m' out # a C1 control, valid UTF-8
    expect_failure 2 '\xed\xa0\x80\xc0\xaf' "No such file" $'\xed\xa0\x80\xc0\xaf' out
    expect_failure 2 'größe €𝄞' "No such file" 'größe €𝄞' out
    expect_failure 2 'folder\n/out' "" in $'folder\n/out'
    expect_failure 2 '--bo\x1bgus' "unknown option" $'--bo\egus' in out
    expect_failure 2 '\x1b' "unexpected" in out $'\e'
    expect_failure 2 --engine "'\\x1b[2J'" --engine=$'\e[2J' in out
    expect_failure 2 --stats "'\\xfe'" --stats=$'\xfe' in out
    expect_failure 2 --offset "'5\\n'" --offset $'5\n' in out
    [ ! -e out ]
    name=$'out\e[1m\n\xff'
    cp in "$name"
    expect_failure 2 'out\x1b[1m\n\xff' "File exists" --no-clobber in "$name"
}

@test "the exit status and the one message are the same for standard error on a full device" {
    local status=0
    printf 0123456789 >in
    "$ZSLICE" missing out 2>/dev/full || status=$?
    [ "$status" -eq 2 ]
    status=0
    "$ZSLICE" -o 11 in out 2>/dev/full || status=$?
    [ "$status" -eq 3 ]
    [ ! -e out ]
}

@test "many bad words on one command line: the first one is named" {
    expect_failure 2 -x=5 "it takes no value" -x=5 -x=6 -x=7 -x=8 -x=9 --bogus -vq in out
    expect_failure 2 --bogus "unknown option" --bogus --bogus=1 -x=9 -q -q -q -q
}
