# Loaded after inject.bash by the tests of ranges, records, shards and held streams: `load pieces`.
# Which bytes a slice of several pieces has, where they belong, and the one rule that every case is
# judged by.
#
# `slice` makes expected and places from the source; with $scattered the bytes belong at the places,
# as with --keep-offset, else together at $position. $spool is the folder for temporary files.

# shellcheck disable=SC2034,SC2154 # used by the tests; set by inject.bash

scattered=false
engines=(auto splice sendfile map-write buffer) # that can do it
writing="write"                                 # by which call the last two do

setup_pieces() {
    setup_fault
    use_python
    spool=$here/spool
    mkdir "$spool"
    export TMPDIR=$spool
}

# slice START:STOP:STRIDE:PIECE...: of the bytes of in; STOP may be empty.
slice() {
    "$PYTHON" -IS - "$@" <<'PYTHON'
import sys

data = open("in", "rb").read()
with open("expected", "wb") as expected, open("places", "w") as places:
    for piece in sys.argv[1:]:
        start, stop, stride, length = piece.split(":")
        stop = int(stop or len(data))
        for at in range(int(start), stop, int(stride or stop)):
            end = min(at + int(length or stop), stop)
            expected.write(data[at:end])
            print(at, end, file=places)
PYTHON
    rm -f whole_image
}

# scatter GOOD: wanted is the old target with that many bytes of the slice in their places. A file that
# was created is as long as what was written to it.
scatter() {
    "$PYTHON" -IS - "$1" "$old" <<'PYTHON'
import sys

good = int(sys.argv[1])
image = bytearray(open(sys.argv[2], "rb").read() if sys.argv[2] else b"")
expected = open("expected", "rb").read()
done = 0
for line in open("places"):
    start, end = map(int, line.split())
    end = min(end, start + good - done)
    if end <= start:
        break
    image.extend(bytes(max(0, end - len(image))))
    image[start:end] = expected[done : done + end - start]
    done += end - start
open("wanted", "wb").write(image)
PYTHON
}

# The target is what it was, and in it the first $good bytes of the slice.
check_image() {
    if [ $scattered = false ]; then
        check_target
        return
    fi
    [ "$excess" -eq 0 ] || problem "$excess bytes are not the source's"
    if [ ! -e "$arrived" ]; then
        problem "the target, which others may write to, was removed"
        return 0
    fi
    if [ "$good" -eq "$(stat -c %s expected)" ]; then
        [ -e whole_image ] || { scatter "$good" && mv wanted whole_image; }
        same_bytes whole_image
    else
        scatter "$good"
        same_bytes wanted
    fi
}

# What the message says of the bytes in their places, too.
claimed() {
    claimed_good
    if [[ $message =~ the\ first\ ([0-9]+)\ bytes\ of\ the\ slice\ are\ in\ their\ places ]]; then
        good=${BASH_REMATCH[1]}
        good_position=$position
    fi
}

check_no_temporary() {
    local left=("$spool"/*)
    [ "${left[*]}" = "$spool/*" ] || problem "a temporary file is left: ${left[*]}"
}

# judge_rule must|may|never OBJECT REASON: whether it fails. If not, every byte is right; else one message
# names the object, and the target has exactly what it says.
judge_rule() {
    local fails=$1 object=$2 reason=$3
    cases=$((cases + 1))
    touched=false
    [ "$status" -ne 124 ] || problem "it hangs"
    check_fired
    check_no_temporary
    read_report || return 0
    if [ "$status" -eq 0 ]; then
        [ "$fails" != must ] || problem "success"
        [ -z "$message" ] || problem "a message"
        [[ $json = *'"complete":true,"exit_status":0}' ]] || problem "statistics: $json"
        good=$(stat -c %s expected) good_position=$position excess=0
        check_image
        return
    fi
    [ "$fails" != never ] || problem "exit status $status"
    [[ $status = [12] ]] || problem "exit status $status"
    # shellcheck disable=SC2027 # the object may be a pattern
    [[ $message = "zslice: "$object": "*"$reason"* ]] ||
        problem "expected: zslice: $object: ...$reason..."
    claimed
    check_image
    [[ $json = *"\"bytes\":$good,"* ]] || problem "the statistics count other bytes: $json"
    [[ $json = *"\"complete\":false,\"exit_status\":$status}" ]] || problem "statistics: $json"
    if [ "$status" -eq 2 ] && [ "$good" -gt 0 ]; then
        problem "exit status 2, but the target was touched"
    fi
}

is_hard() {
    case " ${hard[*]} " in
    *" $1 "*) return 0 ;;
    *) return 1 ;;
    esac
}

# judge_call CALL ERRNO|0 first|later auto|alone|held OBJECT WAITS: a call that copies met it. It reads, if its
# object is the source; alone: there is no other engine to go on with; held: what the engine held is delivered
# in another way, which may be all. What is not the first of its step may be repeated; what fails from then on
# (when=N+) counts as the first.
judge_call() {
    local call=$1 code=$2 when=$3 how=$4 object=$5 waits=$6 fails=must
    case $code in
    EINTR) fails=never ;;
    EAGAIN) [ "$waits" = no ] || fails=never ;;
    esac
    if [ $fails = must ]; then
        if [ "$how" = auto ] && { ! is_hard "$code" || [ "$call" = mmap@in ]; }; then
            fails=never # mapping fails for reasons of mapping only
        elif [ "$how" = held ] && ! is_hard "$code"; then
            fails=may
        elif [ "$when" = later ] || [ "$code" = 0 ]; then
            case $call in
            splice@in | splice@fifo | pread64@in | read@fifo | pwrite64@out) fails=may ;;
            *) [ "$code" != 0 ] || fails=may ;;
            esac
        fi
    fi
    if [ "$code" = 0 ]; then
        judge_rule $fails '*' ""
    else
        judge_rule $fails "$object" "${reason_of[$code]}"
    fi
}

all_codes=(EIO ENOSPC EINVAL EPERM ENOMEM EFAULT EINTR EAGAIN 0)
few_codes=(EIO EINVAL EINTR EAGAIN 0)
forced_codes=(ENOSPC EINVAL EFAULT 0)
few_forced_codes=(EIO 0)

# sweep_call CALL "WHEN..." ENDS auto|alone|held OBJECT WAITS ENGINE ARGUMENT...: all codes at the first, fewer
# at the others, and of a forced engine one of a kind.
sweep_call() {
    local call=$1 whens=$2 ends=$3 how=$4 object=$5 waits=$6 at code when codes
    shift 6
    for at in $whens; do
        when=later
        [[ $at != 1 && $at != *+ ]] || when=first
        case $1-$when in
        --engine=auto-first) codes=("${all_codes[@]}") ;;
        --engine=auto-later) codes=("${few_codes[@]}") ;;
        *-first) codes=("${forced_codes[@]}") ;;
        *) codes=("${few_forced_codes[@]}") ;;
        esac
        for code in "${codes[@]}"; do
            # Mapping is not interrupted and gives an address; reading nothing is the end of a stream.
            case $call-$code in
            mmap*-0 | mmap*-EINTR | read@fifo-0) continue ;;
            esac
            name="$what, $ends, $how, ${*:1:1}, $call $code at $at"
            inject "$call:$(what_of "$code"):when=$at"
            transfer "$ends" "$@"
            judge_call "$call" "$code" $when "$how" "$object" "$waits"
        done
    done
}

# first_and_last CALL ENDS ARGUMENT...: $whens, the first, second and last such call of a good run.
first_and_last() {
    calls_of "$@"
    [ "$calls" -gt 0 ] || problem "$1 is not called: ${*:2}"
    whens=$(printf '%s\n' 1 2 "$calls" | sort -nu | awk -v "calls=$calls" '$1 <= calls')
}

# sweep_file_to_file ARGUMENT...: every engine that copies from file to file, by each of its calls. Of auto,
# those that it makes are in $auto_calls.
sweep_file_to_file() {
    local engine call object how
    for engine in "${engines[@]}"; do
        case $engine in
        auto) calls_to_hit=$auto_calls ;;
        splice) calls_to_hit="splice@in splice@out" ;;
        sendfile) calls_to_hit="sendfile@out" ;;
        map-write) calls_to_hit="mmap@in $writing@out" ;;
        buffer) calls_to_hit="pread64@in $writing@out" ;;
        esac
        for call in $calls_to_hit; do
            object=${call#*@} how=alone
            [ "$engine" != auto ] || how=auto
            # All that auto has for short pieces is buffer, which reads.
            [[ $engine != auto || $auto_calls != *pread64@in* ]] || how=alone
            # A page that cannot be read is the source's.
            [ "$engine-$call" != "map-write-$writing@out" ] || object='@(in|out)'
            name="$what, $engine, $call"
            first_and_last "$call" file-file --engine="$engine" "$@"
            sweep_call "$call" "$whens" file-file $how "$object" no --engine="$engine" "$@"
        done
    done
}
