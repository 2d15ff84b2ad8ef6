# Block devices: their real size, in and out. They are loop devices here, so most of this needs root.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; attach_loop sets $device
load ../helper

@test "a block device as source has its real size" {
    local engine
    random_file image 1048576
    attach_loop image
    for engine in auto splice sendfile map-write buffer; do
        "$ZSLICE" --engine=$engine "$device" out
        expect_same image out
        "$ZSLICE" --engine=$engine -o -1001 "$device" out
        tail -c 1001 image | cmp - out
        "$ZSLICE" --engine=$engine -o 1001 -e -512 "$device" | cat >out
        tail -c +1002 image | head -c -512 | cmp - out
    done
    "$ZSLICE" -o 1048576 "$device" out
    [ ! -s out ]
    expect_failure 3 "$device" "beyond its end at 1048576" -o 1048577 "$device" new
    expect_failure 3 "$device" "not there" -x -l 1048577 "$device" new
    [ ! -e new ]
}

@test "a block device as standard input is left after the slice" {
    random_file image 1048576
    attach_loop image
    { "$ZSLICE" -l 512 - a; "$ZSLICE" -o 3 -l 1000 - b; "$ZSLICE" -o -1000 - c; cat >rest; } <"$device"
    head -c 512 image | cmp - a
    tail -c +516 image | head -c 1000 | cmp - b
    tail -c 1000 image | cmp - c
    [ ! -s rest ]
}

@test "a block device as target keeps the bytes behind the slice" {
    local engine
    random_file in 300000
    for engine in auto splice sendfile map-write buffer; do
        random_file image 1048576
        { tail -c +1002 in; tail -c +299000 image; } >expected
        attach_loop image
        "$ZSLICE" --engine=$engine -o 1001 in "$device"
        cat "$device" >out
        expect_same expected out
    done
}

@test "a block device as target with --seek, from the start and from the end" {
    random_file in 30000
    random_file image 1048576
    { head -c 12345 image; cat in; tail -c +42346 image; } >expected
    attach_loop image
    "$ZSLICE" --seek 12345 in "$device"
    cat "$device" >out
    expect_same expected out
    cat in | "$ZSLICE" --seek -30000 - "$device"
    tail -c 30000 "$device" | cmp - in
    "$ZSLICE" --seek -0 -l 0 in "$device"
}

@test "a block device as standard output is written where it stands" {
    random_file in 30000
    random_file image 1048576
    { head -c 100 in; cat in in; tail -c +60101 image; } >expected
    attach_loop image
    { head -c 100 in; "$ZSLICE" in; cat in | "$ZSLICE"; } 1<>"$device"
    cat "$device" >out
    expect_same expected out
    "$ZSLICE" --seek 4096 -l 10 in >"$device"
    tail -c +4097 "$device" | head -c 10 | cmp - <(head -c 10 in)
}

@test "a block device that is too small is refused and untouched" {
    local before
    random_file in 70000
    random_file image 65536
    before=$(sha256sum <image)
    attach_loop image
    expect_failure 2 "$device" "do not fit" in "$device"
    expect_failure 2 "$device" "do not fit" --seek 1 -l 65536 in "$device"
    expect_failure 2 "$device" "do not fit" --seek 65537 -l 1 in "$device"
    expect_failure 2 "$device" "before its start" --seek -65537 -l 1 in "$device"
    expect_failure 2 "standard output" "do not fit" in 1<>"$device"
    [ "$(sha256sum <"$device")" = "$before" ]
    "$ZSLICE" -l 65536 in "$device"
    head -c 65536 in | cmp - "$device"
}

@test "a stream that does not fit a block device fails where the device ends" {
    random_file in 70000
    truncate -s 65536 image
    attach_loop image
    cat in | expect_failure 1 "$device" "No space left on device; the target's first 65536 bytes are good" \
        - "$device"
    cmp --bytes=65536 in "$device"
}

@test "a block device can be neither cut nor appended to nor created" {
    local before
    random_file in 1000
    random_file image 65536
    before=$(sha256sum <image)
    attach_loop image
    expect_failure 2 "$device" "cannot be cut" --seek 0 --truncate in "$device"
    expect_failure 2 "$device" "no end to add to" --append in "$device"
    expect_failure 2 "$device" "File exists" --no-clobber in "$device"
    expect_failure 2 "standard output" "" in >>"$device"
    [ "$(sha256sum <"$device")" = "$before" ]
}

@test "a mounted block device is refused and untouched" {
    local mounted
    mount_file_system ext4 16
    mounted=$(findmnt --noheadings --output SOURCE "$BATS_TEST_TMPDIR/mnt.ext4")
    random_file in 1000
    head -c 1000 "$mounted" >before
    expect_failure 2 "$mounted" "Device or resource busy; it is mounted or otherwise in use" in "$mounted"
    expect_failure 2 "$mounted" "busy" --seek 5 in "$mounted"
    head -c 1000 "$mounted" | cmp - before
    "$ZSLICE" -o 1080 -l 2 "$mounted" magic # reading it is no danger
    [ "$(od -A n -t x1 magic | xargs)" = "53 ef" ]
}

@test "a read-only block device is a source, and no target" {
    random_file in 1000
    random_file image 65536
    attach_loop image --read-only
    "$ZSLICE" "$device" out
    expect_same image out
    expect_failure 2 "$device" "read-only" in "$device"
    expect_failure 2 "standard output" "read-only" in 1<>"$device"
    cmp image "$device"
}

@test "one block device as source and target" {
    random_file image 65536
    { head -c 30000 image; head -c 1000 image; tail -c +31001 image; } >expected
    attach_loop image
    cp "$device" before
    expect_failure 2 "$device" "it is the source, too" "$device" "$device"
    expect_failure 2 "$device" "overwrite itself" --seek 999 -l 1000 "$device" "$device"
    expect_failure 2 "$device" "overwrite itself" -o 999 --seek 0 -l 1000 "$device" "$device"
    mknod node b "$(stat --format 0x%t "$device")" "$(stat --format 0x%T "$device")"
    expect_failure 2 node "it is the source, too" "$device" node
    expect_failure 2 "standard output" "it is the source, too" "$device" 1<>"$device"
    cmp before "$device"
    "$ZSLICE" --seek 30000 -l 1000 "$device" "$device"
    cmp expected "$device"
}

@test "a stream that must be longer than the block device is refused" {
    truncate -s 65536 image
    attach_loop image
    expect_failure 2 "$device" "do not fit" --exact -l 65537 /dev/urandom "$device"
    cmp --bytes=65536 "$device" /dev/zero
    "$ZSLICE" --exact -l 65536 /dev/urandom "$device"
}
