# Every engine with every kind of source and every kind of target: the bytes, the exit status and the
# engine that the statistics name; and where an engine cannot, that it is refused and nothing is touched.
#
# One test per kind of source. A combination that fails is named, and the others run all the same.

# shellcheck disable=SC2002,SC2154 # a pipe is wanted; setup_file sets what is in capitals
load ../helper

engines=(auto reflink copy-range splice sendfile map-write buffer)
targets=(new existing append pipe fifo socket null block redirected appended)

# Too long for the engine of the smallest copies, and not a multiple of anything.
CONTENT_BYTES=300017

setup_file() {
    use_python
    cd "$BATS_FILE_TMPDIR" || return 1
    random_file content "$CONTENT_BYTES"
    random_file older 400000
    random_file image.target 1048576
    head -c 300032 /dev/urandom >image.source # whole sectors
    export SOURCE_DEVICE='' TARGET_DEVICE=''
    if [ "$(id -u)" -eq 0 ]; then
        SOURCE_DEVICE=$(losetup --find --show image.source) || SOURCE_DEVICE=''
        TARGET_DEVICE=$(losetup --find --show image.target) || TARGET_DEVICE=''
    fi
}

teardown_file() {
    [ -z "$SOURCE_DEVICE" ] || losetup -d "$SOURCE_DEVICE"
    [ -z "$TARGET_DEVICE" ] || losetup -d "$TARGET_DEVICE"
}

# What there is to know of a kind of source, for run_matrix:
#   content     a file with the bytes that it delivers
#   source      how it is named on the command line
#   regular     1 if it is a regular file of known size
#   mappable    1 if its bytes lie in the page cache at known positions
#   spliceable  1 if the kernel can splice from it
#   limit       1 if it has no end, so that --length must stop it
describe_source() {
    content=$BATS_FILE_TMPDIR/content
    source=-
    regular=0
    mappable=0
    spliceable=1
    limit=0
    case $1 in
        regular) source=$content regular=1 mappable=1 ;;
        empty) : >empty && source=empty content=empty regular=1 mappable=1 ;;
        sparse)
            truncate -s "$CONTENT_BYTES" sparse
            printf one | dd of=sparse bs=1 seek=70000 conv=notrunc status=none
            printf two | dd of=sparse bs=1 seek=250000 conv=notrunc status=none
            source=sparse content=sparse regular=1 mappable=1
            ;;
        block) source=$SOURCE_DEVICE content=$BATS_FILE_TMPDIR/image.source mappable=1 ;;
        pipe | socket) ;;
        fifo) mkfifo fifo.source && source=fifo.source ;;
        zero) head -c 500000 /dev/zero >zeros && source=/dev/zero content=zeros limit=1 ;;
        seq) source=/proc/$$/limits content=limits spliceable=0 && cat "$source" >limits ;;
        sysfs)
            source=/sys/kernel/mm/transparent_hugepage/enabled
            [ -r "$source" ] || source=/sys/devices/system/cpu/modalias
            [ -r "$source" ] || skip "no file of sysfs is known here"
            content=attribute && cat "$source" >attribute
            ;;
    esac
}

# The engine that must move the bytes from the described source to this kind of target.
expected_engine() {
    local engine=$1 target=$2
    if [ ! -s expected ]; then
        echo ""
    elif [ "$engine" != auto ]; then
        echo "$engine"
    elif [ "$target" = append ] || [ "$target" = appended ]; then
        [ "$mappable" -eq 1 ] && echo map-write || echo buffer
    elif [ "$spliceable" -eq 0 ]; then
        echo buffer
    elif [ "$target" = socket ] && [ "$mappable" -eq 1 ]; then
        echo sendfile
    elif [ "$mappable" -eq 1 ] && [[ " new existing block redirected " = *" $target "* ]]; then
        echo map-write
    else
        echo splice
    fi
}

# Whether this engine must be refused. Nothing here is shared: the offsets are not on blocks, and neither
# the slice's end is. (See reflink.bats.)
is_refused() {
    local engine=$1 target=$2 appends=0 between_files=0
    case $target in
        append | appended) appends=1 ;;
        new | existing | redirected) between_files=$regular ;;
    esac
    case $engine in
        reflink) [ "$between_files" -eq 0 ] || [ -s expected ] ;;
        copy-range) [ "$between_files" -eq 0 ] ;;
        splice) [ "$appends" -eq 1 ] || [ "$spliceable" -eq 0 ] ;;
        sendfile) [ "$appends" -eq 1 ] || [ "$mappable" -eq 0 ] ;;
        map-write) [ "$mappable" -eq 0 ] ;;
        *) false ;;
    esac
}

# Runs "$@" with the described kind of source as its standard input or FIFO.
with_source() {
    local status=0
    case $kind in
        pipe) cat "$content" | "$@" ;;
        fifo)
            cat "$content" >fifo.source 2>/dev/null 3>&- &
            "$@" || status=$?
            wait $! || true # of SIGPIPE, if it was refused
            return "$status"
            ;;
        *) "$@" ;;
    esac
}

# Runs "$@" with its standard output going to this kind of target.
with_target() {
    local status=0
    case $target in
        pipe)
            "$@" | cat >got
            return "${PIPESTATUS[0]}"
            ;;
        fifo)
            if [ -n "$refused" ] && [ -z "$refused_late" ]; then
                "$@" # would wait for a reader if it opened the FIFO
                return
            fi
            cat fifo.target >got 3>&- &
            "$@" || status=$?
            wait $!
            return "$status"
            ;;
        redirected) "$@" >out ;;
        appended) "$@" >>out ;;
        *) "$@" ;;
    esac
}

# Brings the target into the state from before the copy.
prepare_target() {
    rm -f out got
    : >got
    case $target in
        existing) cp "$BATS_FILE_TMPDIR/older" out ;;
        append | appended) printf before >out ;;
        redirected) : >out ;;
        fifo) [ -p fifo.target ] || mkfifo fifo.target ;;
        block) cat "$BATS_FILE_TMPDIR/image.target" >"$TARGET_DEVICE" ;;
    esac
}

# The target holds the file expected and nothing else that is new.
target_is_right() {
    local length
    case $target in
        new | existing | redirected) cmp expected out ;;
        append | appended) { printf before && cat expected; } | cmp - out ;;
        pipe | fifo | socket) cmp expected got ;;
        null) [ -c /dev/null ] ;;
        block)
            length=$(stat --format %s expected)
            { cat expected && tail -c +$((length + 1)) "$BATS_FILE_TMPDIR/image.target"; } |
                cmp - "$TARGET_DEVICE"
            ;;
    esac
}

target_is_untouched() {
    case $target in
        new) [ ! -e out ] ;;
        existing) cmp "$BATS_FILE_TMPDIR/older" out ;;
        append | appended) [ "$(cat out)" = before ] ;;
        redirected) [ ! -s out ] ;;
        pipe | fifo | socket) [ ! -s got ] ;;
        null) [ -c /dev/null ] ;;
        block) cmp "$BATS_FILE_TMPDIR/image.target" "$TARGET_DEVICE" ;;
    esac
}

# The command line for the combination, as the array command.
build_command() {
    local -a prefix=() arguments=(--stats=json --engine="$engine" --offset "$offset")
    [ "$limit" -eq 0 ] || arguments+=(--length "$CONTENT_BYTES")
    [ "$kind" != socket ] || prefix+=(--source unix --feed "$content")
    [ "$target" != socket ] || prefix+=(--target unix --collect got)
    [ ${#prefix[@]} -eq 0 ] ||
        prefix=("$PYTHON" -IS "$PROJECT/tests/cli/peer.py" run "${prefix[@]}" --)
    case $target in
        new | existing) arguments+=("$source" out) ;;
        append) arguments+=(--append "$source" out) ;;
        fifo) arguments+=("$source" fifo.target) ;;
        null) arguments+=("$source" /dev/null) ;;
        block) arguments+=("$source" "$TARGET_DEVICE") ;;
        *) arguments+=("$source") ;;
    esac
    command=(timeout 20 "${prefix[@]}" "$ZSLICE" "${arguments[@]}")
}

# Sets bytes, user_copied, used from the statistics (a jq for each would take longer than the copies).
read_statistics() {
    local json rest
    json=$(tail -n 1 err)
    bytes='' user_copied='' used=''
    [[ $json =~ \"bytes\":([0-9]+), ]] && bytes=${BASH_REMATCH[1]}
    [[ $json =~ \"user_copied_bytes\":([0-9]+), ]] && user_copied=${BASH_REMATCH[1]}
    [[ $json =~ \"engines\":\{(.*)\},\"refused\" ]] && rest=${BASH_REMATCH[1]}
    while [[ $rest =~ ^,?\"([a-z-]+)\":\{[^}]*\} ]]; do
        used+=${used:+ }${BASH_REMATCH[1]}
        rest=${rest:${#BASH_REMATCH[0]}}
    done
}

# One combination; says what is wrong with it.
try() {
    local status=0 refused='' refused_late='' command bytes user_copied used expected length
    ! is_refused "$engine" "$target" || refused=1
    # That a file cannot be spliced is not known before it is tried.
    [ "$engine" != splice ] || [ "$spliceable" -eq 1 ] || refused_late=1
    prepare_target
    build_command
    with_source with_target "${command[@]}" 2>err || status=$?

    if [ -n "$refused" ]; then
        [ "$status" -eq 2 ] || { echo "exit status $status instead of 2" && return 1; }
        grep -q "^zslice: .*\(cannot do this copy\|engine=reflink\|it shares\)" err ||
            { echo "no reason given" && return 1; }
        target_is_untouched || { echo "refused, but the target was touched" && return 1; }
        return
    fi
    [ "$status" -eq 0 ] || { echo "exit status $status" && return 1; }
    target_is_right || { echo "wrong bytes" && return 1; }
    read_statistics
    length=$(stat --format %s expected)
    [ "$bytes" = "$length" ] || { echo "bytes: $bytes instead of $length" && return 1; }
    expected=$(expected_engine "$engine" "$target")
    [ "$used" = "$expected" ] || { echo "engine: '$used' instead of '$expected'" && return 1; }
    [ "$used" = buffer ] || length=0
    [ "$used" != buffer ] || length=$((length - $(statistic .holes_bytes err))) # these were not read
    [ "$user_copied" = "$length" ] || { echo "user_copied_bytes: $user_copied" && return 1; }
}

# run_matrix KIND: that kind of source with every engine and target, and some offsets.
run_matrix() {
    local kind=$1 engine target offset offsets failed=0 tried=0
    local content source regular mappable spliceable limit
    [ "$kind" != block ] || [ -n "$SOURCE_DEVICE" ] || skip "needs loop devices"
    describe_source "$kind"
    for engine in "${engines[@]}"; do
        offsets=(0 1 4097)
        [ "$(stat --format %s "$content")" -gt 4097 ] || offsets=(0 1 5)
        [ -s "$content" ] || offsets=(0)
        [ "$engine" = auto ] || offsets=("${offsets[-1]}")
        for offset in "${offsets[@]}"; do
            tail -c +$((offset + 1)) "$content" >expected
            [ "$limit" -eq 0 ] || truncate -s "$CONTENT_BYTES" expected
            for target in "${targets[@]}"; do
                [ "$target" != block ] || [ -n "$TARGET_DEVICE" ] || continue
                tried=$((tried + 1))
                try && continue
                echo "FAILED: --engine=$engine, source $kind, target $target, offset $offset"
                sed 's/^/    /' err
                failed=$((failed + 1))
            done
        done
    done
    echo "$failed of $tried combinations failed"
    [ "$failed" -eq 0 ] && [ "$tried" -ge 60 ]
}

@test "from a regular file" {
    run_matrix regular
}

@test "from an empty file" {
    run_matrix empty
}

@test "from a sparse file" {
    run_matrix sparse
}

@test "from a block device" {
    run_matrix block
}

@test "from a pipe" {
    run_matrix pipe
}

@test "from a FIFO" {
    run_matrix fifo
}

@test "from a socket" {
    run_matrix socket
}

@test "from /dev/zero" {
    run_matrix zero
}

@test "from a sequence file of /proc" {
    run_matrix seq
}

@test "from a file of sysfs" {
    run_matrix sysfs
}

# Its bytes cannot be compared with anything, but counted.
@test "from /dev/urandom" {
    local engine
    for engine in auto splice buffer; do
        "$ZSLICE" --engine="$engine" -o 1001 -l 300001 /dev/urandom out
        [ "$(stat --format %s out)" -eq 300001 ]
        "$ZSLICE" --engine="$engine" -o 1001 -l 300001 /dev/urandom | wc -c >got
        [ "$(cat got)" -eq 300001 ]
        "$ZSLICE" --engine="$engine" --stats=json -o 1001 -l 300001 /dev/urandom /dev/null 2>stats
        [ "$(statistic .bytes)" -eq 300001 ]
        rm out
    done
    for engine in copy-range sendfile map-write; do
        expect_failure 2 --engine "$engine: it cannot do this copy" --engine="$engine" -l 1 /dev/urandom out
        [ ! -e out ]
    done
}

# expect_engine ENGINE LENGTH TARGET: a slice of in that long, and its bytes.
expect_engine() {
    "$ZSLICE" --stats=json --reflink=never -o 1001 -l "$2" in "$3" 2>stats
    [ "$(engines_used)" = "$1" ] || {
        echo "$2 bytes: $(engines_used) instead of $1"
        return 1
    }
    cmp -n "$2" -i 1001:0 in "$3"
}

@test "file to file, by size: sendfile to 256 KiB, map-write to 1 MiB and from 16 MiB on if cached, else splice" {
    local target targets=(out)
    random_file in 16778218
    [ -z "$TARGET_DEVICE" ] || targets+=("$TARGET_DEVICE") # of 1 MiB
    for target in "${targets[@]}"; do
        expect_engine sendfile 1 "$target"
        expect_engine sendfile 262144 "$target"
        expect_engine map-write 262145 "$target"
        expect_engine map-write 1048576 "$target"
    done
    expect_engine splice 1048577 out
    expect_engine splice 16777215 out
    expect_engine map-write 16777216 out
    [ "$(stat --format %s out)" -eq 16777216 ]
    "$ZSLICE" --stats=json -o 1001 in 2>stats | cmp - <(tail -c +1002 in)
    [ "$(engines_used)" = splice ] # from memory to a pipe is a copy more
    "$ZSLICE" --stats=json -o 1001 in /dev/null 2>stats
    [ "$(engines_used)" = splice ]
    [ "$(stat -f -c %T .)" != tmpfs ] || return 0
    sync in
    dd if=in iflag=nocache count=0 status=none
    expect_engine splice 16777216 out
}
