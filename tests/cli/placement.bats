# Where the bytes go, and what of the target stays as it was.

# shellcheck disable=SC2002,SC2030,SC2031,SC2154 # each test is its own process; attach_loop sets $device
load ../helper

# expect_content FILE TEXT
expect_content() {
    if [ "$(cat "$1")" != "$2" ]; then
        echo "$1: expected '$2', got '$(cat "$1")'"
        return 1
    fi
}

@test "readinto(memoryview(ba)[4:]): 4 bytes at offset 4 of an existing 8, the others as they were" {
    printf ABCDEFGH >ba
    "$ZSLICE" --length 4 --seek 4 /dev/urandom ba
    [ "$(stat --format %s ba)" -eq 8 ]
    [ "$(head -c 4 ba)" = ABCD ]
    [ "$(tail -c 4 ba | od -A n -t x1)" != "$(printf EFGH | od -A n -t x1)" ]
}

@test "--seek leaves the bytes before and behind the slice" {
    local engine
    random_file in 300000
    random_file before 1000000
    { head -c 4097 before; head -c 204097 in | tail -c 200000; tail -c +204098 before; } >expected
    for engine in auto splice sendfile map-write buffer; do
        cp before out
        "$ZSLICE" --engine=$engine --offset 4097 --length 200000 --seek 4097 in out
        expect_same expected out
        cp before out
        cat in | "$ZSLICE" --offset 4097 --length 200000 --seek 4097 - out
        expect_same expected out
    done
}

@test "--seek over the end of the target makes it longer" {
    printf 0123456789 >in
    printf ABCDEFGH >out
    "$ZSLICE" --seek 6 in out
    expect_content out ABCDEF0123456789
}

@test "--seek beyond the end, and into a new file, leaves a hole of zeros" {
    printf 0123 >in
    printf AB >out
    printf 'AB\0\0\0\0000123' >expected
    "$ZSLICE" --seek 6 in out
    expect_same expected out
    printf '\0\0\0000123' >expected
    "$ZSLICE" --seek 3 in new
    expect_same expected new
    "$ZSLICE" --seek 3G in new
    [ "$(stat --format %s new)" -eq $((3 * 1024 * 1024 * 1024 + 4)) ]
    [ "$(tail -c 4 new)" = 0123 ]
    [ "$(du -k new | cut -f 1)" -lt 1024 ]
}

@test "--seek from the end of the target" {
    printf 0123 >in
    printf ABCDEFGH >out
    "$ZSLICE" --seek -3 --length 2 in out
    expect_content out ABCDE01H
    "$ZSLICE" --seek -0 --length 2 in out
    expect_content out ABCDE01H01
    "$ZSLICE" --seek -10 --length 1 in out
    expect_content out 0BCDE01H01
}

@test "--seek from the end: refused before the start of the target and where there is none" {
    local before
    printf 0123 >in
    printf ABCDEFGH >out
    before=$(fingerprint out)
    expect_failure 2 out "-9 is before its start: it has 8 bytes" --seek -9 in out
    [ "$(fingerprint out)" = "$before" ]
    expect_failure 2 new "no end to count from" --seek -1 in new
    expect_failure 2 new "no end to count from" --seek -0 in new
    [ ! -e new ]
}

@test "--seek --truncate cuts the target after the slice, not before" {
    printf 0123456789 >in
    printf ABCDEFGH >out
    "$ZSLICE" --seek 2 --truncate --length 3 in out
    expect_content out AB012
    printf ABCDEFGH >out
    "$ZSLICE" --seek 0 --truncate --length 3 in out
    expect_content out 012
    printf ABCDEFGH >out
    "$ZSLICE" --seek 2 --truncate --length 0 in out
    expect_content out AB
    printf 0123 | "$ZSLICE" --seek 1 --truncate - out
    expect_content out A0123
    printf ABCDEFGH >out
    printf 01 | "$ZSLICE" --seek 1 --truncate --length 100 - out
    expect_content out A01
    "$ZSLICE" --seek 3 --truncate --length 2 in new
    printf '\0\0\00001' | cmp - new
}

@test "--seek on standard output is absolute" {
    printf 01 >in
    printf ABCDEFGH >out
    { printf abc; "$ZSLICE" --seek 5 in; printf xy; } 1<>out
    expect_content out abcDE01xy
    printf ABCDEFGH >out
    { "$ZSLICE" --seek -6 --truncate in; printf xy; } 1<>out
    expect_content out AB01xy
}

@test "--seek is refused on what has no positions and where everything goes to the end" {
    printf 01 >in
    printf ABCD >out
    mkfifo fifo
    exec 5<>fifo
    expect_failure 2 "standard output" "a pipe has no positions" --seek 2 in >&5
    exec 5>&-
    expect_failure 2 "standard output" "open for appending" --seek 2 in >>out
    expect_content out ABCD
    expect_failure 2 /dev/null "a character device has no positions" --seek 2 in /dev/null
    expect_failure 2 fifo "a pipe has no positions" --seek 2 in fifo
}

@test "--append adds at the end, and creates" {
    local engine
    random_file in 300000
    for engine in auto map-write buffer; do
        rm -f out
        printf before >expected
        cp expected out
        "$ZSLICE" --engine=$engine --append --offset 5 in out
        tail -c +6 in >>expected
        expect_same expected out
        cat in | "$ZSLICE" -a - out
        cat in >>expected
        expect_same expected out
    done
    "$ZSLICE" --append in new
    expect_same in new
    "$ZSLICE" --append --length 0 in new
    expect_same in new
}

@test "--append to standard output goes to the end of what it is" {
    printf 0123 >in
    printf ABCDEFGH >out
    "$ZSLICE" --append in 1<>out
    expect_content out ABCDEFGH0123
    "$ZSLICE" --append in | cat >got
    expect_content got 0123
    "$ZSLICE" --append in /dev/null
}

@test ">> is honoured, and the next writer goes on behind" {
    printf 0123 >in
    printf ABCD >out
    { "$ZSLICE" in; "$ZSLICE" --offset 2 in; cat in | "$ZSLICE"; printf xy; } >>out
    expect_content out ABCD0123230123xy
}

@test "> with several writers holds them all" {
    printf 0123 >in
    { printf A; "$ZSLICE" in; "$ZSLICE" --offset 2 in; cat in | "$ZSLICE"; printf xy; } >out
    expect_content out A0123230123xy
    random_file in 300000
    cat in in in in >expected
    { "$ZSLICE" in; "$ZSLICE" --engine=sendfile in; "$ZSLICE" --engine=map-write in
        cat in | "$ZSLICE"; } >out
    expect_same expected out
}

@test "standard output is never truncated" {
    printf 0123 >in
    printf ABCDEFGH >out
    { "$ZSLICE" --length 2 in; printf x; } 1<>out
    expect_content out 01xDEFGH
}

@test "an existing target is emptied first: no byte of a longer one is left" {
    local engine inode
    random_file in 300000
    random_file out 1000000
    inode=$(stat --format %i out)
    for engine in auto splice sendfile map-write buffer; do
        "$ZSLICE" --engine=$engine in out
        expect_same in out
        random_file out 1000000
    done
    cat in | "$ZSLICE" - out
    expect_same in out
    "$ZSLICE" --length 0 in out
    [ ! -s out ]
    [ "$(stat --format %i out)" = "$inode" ]
}

@test "a new target has the mode 0666 less the umask; an existing one keeps its mode" {
    printf 0123 >in
    chmod 600 in
    (umask 022 && "$ZSLICE" in a)
    (umask 077 && "$ZSLICE" in b)
    (umask 000 && "$ZSLICE" in c && "$ZSLICE" --seek 1 in d && "$ZSLICE" --append in e &&
        "$ZSLICE" --no-clobber in f)
    [ "$(stat --format %a a b c d e f | xargs)" = "644 600 666 666 666 666" ]
    chmod 640 a
    (umask 000 && "$ZSLICE" in a)
    [ "$(stat --format %a a)" = 640 ]
}

@test "--no-clobber creates, and refuses whatever exists" {
    local name before
    printf 0123 >in
    "$ZSLICE" --no-clobber in out
    expect_same in out
    ln -s in link
    ln -s nowhere dangling
    mkfifo fifo
    before=$(fingerprint in out)
    for name in out in link dangling fifo . /dev/null; do
        expect_failure 2 "$name" "" --no-clobber in "$name"
    done
    expect_failure 2 out "File exists" -n in out
    expect_failure 2 dangling "File exists" -n in dangling
    [ "$(fingerprint in out)" = "$before" ]
    [ ! -e nowhere ]
}

@test "a symbolic link to a target is followed, and stays a link" {
    local before
    printf 0123 >in
    printf ABCDEFGH >real
    mkdir folder
    ln -s ../real folder/link
    ln -s folder/link chain
    "$ZSLICE" in chain
    expect_content real 0123
    "$ZSLICE" --append in chain
    expect_content real 01230123
    [ -L chain ]
    [ -L folder/link ]
    before=$(fingerprint in)
    ln -s "$PWD/in" absolute
    "$ZSLICE" absolute out
    expect_same in out
    [ "$(fingerprint in)" = "$before" ]
}

@test "a dangling symbolic link names the file that is created" {
    printf 0123 >in
    mkdir folder
    ln -s created folder/relative
    ln -s folder/relative chain
    "$ZSLICE" in chain
    expect_same in folder/created
    [ -L chain ]
    [ -L folder/relative ]
    ln -s "$PWD/absolute" link
    "$ZSLICE" in link
    expect_same in absolute
}

@test "a dangling symbolic link that cannot be followed is refused" {
    printf 0123 >in
    ln -s missing/file link
    expect_failure 2 link "No such file or directory" in link
    ln -s loop loop
    expect_failure 2 loop "Too many levels of symbolic links" in loop
    [ -L link ]
    [ ! -e missing ]
}

@test "what a dangling link made is removed again if nothing was written, the link is not" {
    ln -s created link
    : | expect_failure 3 "standard input" "" --offset 1 - link
    [ -L link ]
    [ ! -e created ]
}

@test "hard links of the target get the new bytes" {
    printf 0123 >in
    printf ABCDEFGH >out
    ln out other
    "$ZSLICE" in out
    expect_content other 0123
    [ "$(stat --format '%h %i' out)" = "2 $(stat --format %i other)" ]
}

@test "a target in another folder, with a trailing slash, without a folder" {
    printf 0123 >in
    mkdir folder
    "$ZSLICE" in folder/out
    expect_same in folder/out
    expect_failure 2 folder/new/ "" in folder/new/
    expect_failure 2 missing/out "folder" in missing/out
    expect_failure 2 in/out "Not a directory" in in/out
    [ ! -e missing ]
    [ ! -e folder/new ]
}

@test "an existing target is unchanged after a refused plan" {
    local before
    printf 0123456789 >in
    echo precious >out
    touch --date=2001-02-03 out
    before=$(fingerprint out)
    expect_failure 3 in "beyond its end" --offset 11 in out
    expect_failure 3 in "not there" --exact --length 11 in out
    expect_failure 2 missing "No such file" missing out
    expect_failure 2 --length "not a number" --length x in out
    expect_failure 2 out "before its start" --seek -10 in out
    expect_failure 2 out "File exists" --no-clobber in out
    expect_failure 2 . "Is a directory" . out
    cat in | expect_failure 2 "standard input" "not known" --shard=1/2 - out
    cat in | expect_failure 2 --engine "it cannot do this copy" --engine=sendfile - out
    cat in | expect_failure 3 "standard input" "before the offset" --offset 11 - out
    expect_failure 2 "standard input" "not open for reading" - out <&-
    [ "$(fingerprint out)" = "$before" ]
}

@test "an existing target keeps its bytes where the forced engine turns out not to work" {
    local before
    echo precious >out
    before=$(fingerprint out)
    expect_failure 2 "/proc/$$/limits" "--engine=splice cannot do this copy" \
        --engine=splice "/proc/$$/limits" out
    [ "$(fingerprint out)" = "$before" ]
}

@test "a created target that nothing was written to is removed on failure" {
    : | expect_failure 3 "standard input" "" --offset 1 - out
    : | expect_failure 3 "standard input" "" --exact --length 1 - out
    expect_failure 2 "/proc/$$/limits" "" --engine=splice "/proc/$$/limits" out
    : | expect_failure 3 "standard input" "" --offset 1 --seek 5 - out
    : | expect_failure 3 "standard input" "" --offset 1 --append - out
    [ ! -e out ]
}

@test "a target that was there is not removed, even if it was empty" {
    : >out
    : | expect_failure 3 "standard input" "" --exact --length 1 - out
    [ -f out ]
}

@test "a failure in the middle leaves the good bytes, and says how many there are" {
    local engine
    random_file in 3000000
    head -c 1048576 in >expected
    for engine in auto splice sendfile map-write buffer; do
        rm -f out
        (ulimit -f 1024 && expect_failure 1 out "File too large; the target's first 1048576 bytes are good" \
            --engine=$engine in out)
        expect_same expected out
    done
    rm -f out
    cat in | (ulimit -f 1024 && expect_failure 1 out "first 1048576 bytes are good" - out)
    expect_same expected out
    printf 0123456789 >out
    (ulimit -f 1024 && expect_failure 1 out "1048566 bytes were appended" \
        --append in out)
}

@test "a failure names the good bytes also where the target's name is very long" {
    local name
    name=$(printf 'n%.0s' {1..250})
    mkdir -p "$name/$name"
    random_file in 2000000
    (ulimit -f 1024 && expect_failure 1 "$name/$name/out" "first 1048576 bytes are good" \
        in "$name/$name/out")
}

@test "a full disk is found before an existing target loses its bytes" {
    local folder
    mount_file_system tmpfs 2
    folder=mnt.tmpfs
    random_file in 4000000
    random_file expected 5000
    cp expected "$folder/out"
    expect_failure 1 "$folder/out" "No space left on device" in "$folder/out"
    expect_same expected "$folder/out"
    expect_failure 1 "$folder/new" "No space left on device" in "$folder/new"
    [ ! -e "$folder/new" ]
}

@test "a disk that fills up in the middle leaves the good bytes and no others" {
    local folder size
    mount_file_system tmpfs 2
    folder=mnt.tmpfs
    random_file in 4000000
    cat in | expect_failure 1 "$folder/out" "No space left on device" - "$folder/out"
    size=$(stat --format %s "$folder/out")
    [ "$size" -gt 1000000 ]
    grep -q "first $size bytes are good" err
    cmp --bytes="$size" in "$folder/out"
}

@test "no space stays reserved behind the end of the target" {
    random_file in 8000000
    head -c 100000 in | "$ZSLICE" --length 8000000 - short
    "$ZSLICE" --length 7999999 in long
    (ulimit -f 1024 && expect_failure 1 failed "File too large" in failed)
    [ "$(du -k short | cut -f 1)" -le 128 ]
    [ "$(du -k failed | cut -f 1)" -le 1056 ]
    [ "$(du -k long | cut -f 1)" -le 7840 ]
}

@test "other file systems: the same bytes, new, emptied, at a position and at the end" {
    local type folder
    random_file in 3000001
    for type in ext4 xfs btrfs tmpfs; do
        mount_file_system "$type" 320
        folder=mnt.$type
        "$ZSLICE" --offset 1001 in "$folder/out"
        tail -c +1002 in | cmp - "$folder/out"
        random_file "$folder/out" 5000000
        "$ZSLICE" "$folder/out" "$folder/copy"
        expect_same "$folder/out" "$folder/copy"
        "$ZSLICE" --offset 7 in "$folder/out"
        tail -c +8 in | cmp - "$folder/out"
        "$ZSLICE" --append "$folder/copy" "$folder/out"
        { tail -c +8 in; cat "$folder/copy"; } | cmp - "$folder/out"
        "$ZSLICE" --seek 12345 --length 2000000 in "$folder/copy"
        cmp --bytes=2000000 --ignore-initial=0:12345 in "$folder/copy"
        [ "$(stat --format %s "$folder/copy")" -eq 5000000 ]
    done
}

@test "a target that grew while the stream's beginning was dropped is emptied all the same" {
    local copy
    mkfifo source
    printf '' >out
    "$ZSLICE" --offset 5 source out 3>&- &
    copy=$!
    exec 5>source
    printf 1234 >&5
    printf 'what somebody else wrote meanwhile' >out
    printf 5SLICE >&5
    exec 5>&-
    wait $copy
    [ "$(cat out)" = SLICE ]
}

@test "what others append while a copy that appends runs out of space is not cut off" {
    mount_file_system ext4 16
    random_file in 20000000
    printf 'before\n' >mnt.ext4/log
    "$ZSLICE" in >>mnt.ext4/log 2>err || [ $? -eq 1 ]
    expect_message "standard output" "No space left on device"
    cmp --bytes=7 mnt.ext4/log - <<<before
    [ "$(stat --format %s mnt.ext4/log)" -gt 7 ] # it was not reserved: what fits is there
}

@test "a position that the file system cannot have is refused" {
    mount_file_system ext4 16
    random_file in 10
    printf keep >mnt.ext4/old
    expect_failure 2 mnt.ext4/new "Invalid argument; to position" --seek 7E in mnt.ext4/new
    [ ! -e mnt.ext4/new ]
    expect_failure 2 mnt.ext4/old "Invalid argument; to position" --seek 7E in mnt.ext4/old
    [ "$(cat mnt.ext4/old)" = keep ]
}

@test "btrfs: a full disk is found before an existing target loses its bytes, and nothing stays reserved" {
    mount_file_system btrfs 200
    random_file mnt.btrfs/old 1000
    cp mnt.btrfs/old expected
    truncate -s 600M in
    expect_failure 1 mnt.btrfs/old "No space left on device" --sparse=never in mnt.btrfs/old
    expect_same expected mnt.btrfs/old
    expect_failure 1 mnt.btrfs/new "No space left on device" --sparse=never in mnt.btrfs/new
    [ ! -e mnt.btrfs/new ]
    truncate -s 10M in
    "$ZSLICE" in mnt.btrfs/old
    sync mnt.btrfs/old
    [ "$(stat --format %b mnt.btrfs/old)" -le 20480 ]
}

@test "--keep-offset writes each byte at the position it has in the source" {
    local engine
    random_file in 300000
    random_file before 1000000
    { head -c 4097 before; head -c 204097 in | tail -c 200000; tail -c +204098 before; } >expected
    for engine in auto splice sendfile map-write buffer; do
        cp before out
        "$ZSLICE" --engine=$engine --keep-offset --offset 4097 --length 200000 in out
        expect_same expected out
        cp before out
        cat in | "$ZSLICE" -k --offset 4097 --length 200000 - out
        expect_same expected out
    done
    printf 0123456789 >in
    printf ABCDEFGHIJKLMN >out
    "$ZSLICE" -k -o -3 in out
    expect_content out ABCDEFG789KLMN
    { dd bs=4 count=1 status=none >skipped; "$ZSLICE" -k -o 1 -l 2 - out; } <in
    expect_content out A56DEFG789KLMN
    { printf abc; "$ZSLICE" -k -r 5:7 in; printf xy; } 1<>out
    expect_content out abcDE56xy9KLMN
}

@test "--keep-offset with several ranges or a step writes those bytes and no others" {
    local source engine
    printf 0123456789 >in
    for engine in auto splice buffer; do
        for source in in - pipe; do
            printf ABCDEFGHIJKLMN >out
            case $source in
                pipe) cat in | "$ZSLICE" --engine=$engine -k -r 1:3 -r 5:6 -r 7::2 - out ;;
                *) "$ZSLICE" --engine=$engine -k -r 1:3 -r 5:6 -r 7::2 "$source" out <in ;;
            esac
            expect_content out A12DE5G7I9KLMN
        done
    done
    printf ABCDEFGHIJKLMN >out
    "$ZSLICE" -k -r 7::2 -r 1:3 -r 5:6 -r 1:2 in out
    expect_content out A12DE5G7I9KLMN
    "$ZSLICE" -k --record=4 --field=1:2 in new
    printf '\0001\0\0\0005\0\0\0009' | cmp - new
    random_file in 3000000
    random_file before 4000000
    python3 -c '
data = open("in", "rb").read(); out = bytearray(open("before", "rb").read())
for at in range(0, len(data), 300000): out[at:at + 100000] = data[at:at + 100000]
open("expected", "wb").write(out)'
    for engine in auto splice map-write buffer; do
        cp before out
        "$ZSLICE" --engine=$engine -k --record=100000 -r ::3 in out
        expect_same expected out
    done
    expect_failure 2 --engine "sendfile: it cannot do this copy" \
        --engine=sendfile -k --record=100000 -r ::3 in out
    expect_same expected out
    cp before out
    cat in | "$ZSLICE" -k --record=100000 -r ::3 - out
    expect_same expected out
}

@test "--keep-offset --truncate cuts behind the furthest byte" {
    printf 0123456789 >in
    printf ABCDEFGHIJKLMN >out
    "$ZSLICE" -k --truncate -l 3 in out
    expect_content out 012
    printf ABCDEFGHIJKLMN >out
    "$ZSLICE" -k --truncate -r 5:7 -r 1:2 in out
    expect_content out A1CDE56
    printf ABCDEFGHIJKLMN >out
    "$ZSLICE" -k --truncate -r ::4 in out
    expect_content out 0BCD4FGH8
    printf ABCDEFGHIJKLMN >out
    cat in | "$ZSLICE" -k --truncate -r ::4 - out
    expect_content out 0BCD4FGH8
    printf ABCDEFGHIJKLMN >out
    cat in | "$ZSLICE" -k --truncate -r 1:2 -r 5:7 - out
    expect_content out A1CDE56
    printf ABC >out
    "$ZSLICE" -k --truncate -r 5:7 in out
    printf 'ABC\0\00056' | cmp - out
}

@test "--seek --truncate with several ranges of a stream cuts behind all of them" {
    printf 0123456789 >in
    printf ABCDEFGHIJKLMN >out
    "$ZSLICE" --seek 2 --truncate -r 1:4 -r 8: in out
    expect_content out AB12389
    printf ABCDEFGHIJKLMN >out
    cat in | "$ZSLICE" --seek 2 --truncate -r 1:4 -r 8: - out
    expect_content out AB12389
    printf ABCDEFGHIJKLMN >out
    cat in | "$ZSLICE" --seek -4 --truncate -r 1:4 -r 6:6 - out
    expect_content out ABCDEFGHIJ123
    printf ABCDEFGHIJKLMN >out
    cat in | "$ZSLICE" --exact --seek 2 --truncate -r 1:4 -r 8:10 - out
    expect_content out AB12389
}

@test "a failure in a later range of a stream keeps all the good bytes" {
    random_file in 3000000
    { head -c 600000 in; tail -c +1000001 in | head -c 448576; } >expected
    cat in | (ulimit -f 1024 && expect_failure 1 out "File too large; the target's first 1048576 bytes are good" \
        -r :600000 -r 1000000: - out)
    expect_same expected out
    rm out
    (ulimit -f 1024 && expect_failure 1 out "File too large; the target's first 1048576 bytes are good" \
        -r :600000 -r 1000000: in out)
    expect_same expected out
    head -c 1000 in | expect_failure 3 "standard input" "it ended before the offset 2000" \
        --seek 5 -r :10 -r 500:510 -r 2000: - new
    { printf '\0\0\0\0\0'; head -c 10 in; tail -c +501 in | head -c 10; } | cmp - new
}

# data_of FILE: where its data begins and ends, holes left out.
data_of() {
    python3 -c '
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size, at, runs = os.fstat(fd).st_size, 0, []
while at < size:
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        break
    at = os.lseek(fd, start, os.SEEK_HOLE)
    runs.append(f"{start}-{at}")
print(*runs)' "$1"
}

# In a folder of an empty ext4.
check_holes() {
    "$ZSLICE" --seek 4M --length 8192 ../in seek
    [ "$(data_of seek)" = 4194304-4202496 ]
    [ "$(stat --format %b seek)" -le 32 ]
    "$ZSLICE" -k -r 1M+4096 -r 8M+4096 ../in ranges
    [ "$(data_of ranges)" = "1048576-1052672 8388608-8392704" ]
    [ "$(stat --format %s ranges)" -eq $((8 * 1024 * 1024 + 4096)) ]
    [ "$(stat --format %b ranges)" -le 32 ]
    "$ZSLICE" -k --record=4K -r ::1024 ../in step
    [ "$(data_of step)" = "0-4096 4194304-4198400 8388608-8392704" ]
    "$ZSLICE" -k --shard=3/3 --align=4K ../in shard
    [[ "$(data_of shard)" == 5996544-* ]]
    cmp --bytes=3003456 --ignore-initial=5996544 ../in shard
    # A hole of an existing target before the slice stays one, too.
    truncate -s 12M old
    printf x | dd of=old bs=64K oflag=seek_bytes seek=12582911 conv=notrunc status=none
    "$ZSLICE" --seek 4M --length 4096 ../in old
    [[ "$(data_of old)" == "4194304-4198400 125"*-12582912 ]]
}

@test "what is not written stays a hole: before --seek, and between ranges with --keep-offset" {
    mount_file_system ext4 64
    random_file in 9000000
    (
        cd mnt.ext4
        check_holes
    )
}

@test "--keep-offset is refused on what has no positions, and where everything goes to the end" {
    printf 01 >in
    printf ABCD >out
    mkfifo fifo
    exec 5<>fifo
    expect_failure 2 "standard output" "a pipe has no positions" -k in >&5
    exec 5>&-
    expect_failure 2 "standard output" "open for appending" -k in >>out
    expect_failure 2 /dev/null "a character device has no positions" -k in /dev/null
    expect_failure 2 fifo "a pipe has no positions" -k in fifo
    expect_content out ABCD
}

# shellcheck disable=SC2094 # one file for both is wanted
@test "one file as source and target: --keep-offset and several ranges" {
    local arguments before tried=0
    printf 0123456789 >in
    before=$(fingerprint in)
    for arguments in "-k" "-k -o 3" "-k -r 1:2 -r 5:6" "-k -r ::2" "-r 1:2 -r 5:6" "--seek 5 -r 1:2 -r 5:6" \
        "--seek 1 -r 5:6 -r 1:2" "--seek 2 -r 0:3 -r 7:9" "-k --shard=2/2" "--seek -1 -r 8: -r 0:1" "-r 0:3"; do
        # shellcheck disable=SC2086 # several words
        expect_failure 2 in "it is the source, too" $arguments in in
        # shellcheck disable=SC2086
        expect_failure 2 in "it is the source, too" $arguments - in <in
        tried=$((tried + 1))
    done
    [ "$tried" -eq 11 ]
    [ "$(fingerprint in)" = "$before" ]
    "$ZSLICE" --seek 6 -r 3:5 -r 0:2 in in
    expect_content in 0123453401
    "$ZSLICE" --append -r 9: -r 0:2 -r 9: in in
    expect_content in 01234534011011
    "$ZSLICE" -r 1::5 -r 5:6 in >>in
    expect_content in 012345340110111305
    printf 0123456789 >in
    { dd bs=5 count=1 status=none >skipped; "$ZSLICE" -k -r 0:2 -r 3:4 - in; } <in
    expect_content in 5628456789
}
