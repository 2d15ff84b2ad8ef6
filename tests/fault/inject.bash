# Loaded after helper.bash by the tests in this folder: `load inject`. Runs the program with system
# calls made to fail, and judges what it says and what it leaves behind.
#
# A case is: set $name, call transfer (or stop_at ... resume), call judge. Judging never stops a table;
# it prints what is wrong with which case. The last line of each test is all_good.
#
# The source is $source_path (in) or the FIFO fifo with the bytes of in, the target is $target_path (out)
# or what is behind a pipe or socket (got); the slice's bytes are in expected. $old, if set, is a file
# that is copied to the target before each case; $position is where in it the slice goes, $placement is
# whole or at.

# shellcheck disable=SC2034,SC2154 # used by the tests; set by bats

faults=()         # of the next transfer: see inject
injected_calls=() # those that must fire
launcher=(timeout 60)
source_path=in
target_path=out
old=
placement=whole
position=0
name=
shown= # the last case whose evidence was printed
problems=0
cases=0

declare -gA reason_of=(
    [EPERM]="Operation not permitted" [EIO]="Input/output error" [ENXIO]="No such device or address"
    [EBADF]="Bad file descriptor" [EAGAIN]="Resource temporarily unavailable"
    [ENOMEM]="Cannot allocate memory" [EACCES]="Permission denied" [EFAULT]="Bad address"
    [EBUSY]="Device or resource busy" [ENODEV]="No such device" [EINVAL]="Invalid argument"
    [ENFILE]="Too many open files in system" [EMFILE]="Too many open files"
    [EFBIG]="File too large" [ENOSPC]="No space left on device" [ESPIPE]="Illegal seek"
    [EROFS]="Read-only file system" [EPIPE]="Broken pipe" [ENOSYS]="Function not implemented"
    [EOPNOTSUPP]="Operation not supported" [ECONNRESET]="Connection reset by peer"
    [EDQUOT]="Disk quota exceeded" [ENOENT]="No such file or directory" [ESTALE]="Stale file handle"
)

# What no engine overcomes; what says "not this way".
hard=(ENOSPC EDQUOT EIO)
soft=(EINVAL ENOSYS EOPNOTSUPP EPERM ENOMEM)
codes=("${hard[@]}" "${soft[@]}" EINTR EAGAIN 0) # of the next sweep; 0: the call moves nothing

setup_fault() {
    here=$(pwd -P)
    command -v strace >/dev/null || skip "needs strace"
}

# setup_real: for tests of faults that are real, not injected: source, slice and an old target.
# shellcheck disable=SC2119 # started as it is
setup_real() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    without_faults
    random_file in 3500000
    tail -c +1001 in >expected
    random_file old 600000
}

is_sanitized() {
    grep -q __asan_init "$ZSLICE"
}

problem() {
    problems=$((problems + 1))
    echo "--- $name: $*"
    [ "$name" != "$shown" ] || return 0
    shown=$name
    cut -c -400 err 2>/dev/null | sed 's/^/    err: /' || true
    grep -a INJECTED log 2>/dev/null | tail -n 1 | cut -c -160 | sed 's/^/    log: /' || true
}

all_good() {
    echo "$cases cases, $problems problems"
    [ "$cases" -gt 0 ] && [ "$problems" -eq 0 ]
}

# inject [CALL[@PATH]:WHAT]...: the faults of the next transfers. CALL@PATH counts and hits only calls on
# that file; WHAT is strace's: error=E, retval=N, signal=S, when=N.
inject() {
    local fault call path paths=() calls=
    faults=()
    injected_calls=()
    for fault in "$@"; do
        call=${fault%%:*}
        path=${call#*@}
        [ "$path" = "$call" ] || paths+=(-P "$here/$path")
        call=${call%%@*}
        injected_calls+=("$call")
        calls+=,$call
        faults+=(-e "inject=$call:${fault#*:}")
    done
    faults=("${paths[@]}" -e "trace=${calls#,}" "${faults[@]}")
}

# $run is the program with these arguments, under strace if there are faults.
prepare_run() {
    run=("${launcher[@]}")
    [ ${#faults[@]} -eq 0 ] || run+=(strace -f -e quiet=all -o log "${faults[@]}")
    run+=("$ZSLICE" --stats=json "$@")
}

# without_faults COMMAND...: the next transfers are not traced, but started by COMMAND; what happens
# to them is real.
# shellcheck disable=SC2120 # tests do
without_faults() {
    faults=()
    injected_calls=()
    launcher=(timeout 60 "$@")
}

place_old() {
    rm -f log err got "$target_path"
    [ -z "$old" ] || cp "$old" "$target_path"
}

# transfer ENDS ARGUMENT...: copies in to out or got, $status is the exit status.
transfer() {
    local ends=$1 feeder=
    shift
    place_old
    arrived=got
    status=0
    prepare_run "$@"
    case $ends in
    pipe-*)
        [ -p fifo ] || mkfifo fifo
        timeout 60 cat in >fifo 2>/dev/null 3>&- &
        feeder=$!
        ;;
    esac
    case $ends in
    file-file) arrived=$target_path && "${run[@]}" "$source_path" "$target_path" 2>err || status=$? ;;
    pipe-file) arrived=$target_path && "${run[@]}" fifo "$target_path" 2>err || status=$? ;;
    file-pipe) { "${run[@]}" "$source_path" - 2>err || echo $? >status; } | cat >got ;;
    pipe-pipe) { "${run[@]}" fifo - 2>err || echo $? >status; } | cat >got ;;
    file-tcp | file-unix)
        peer run --target "${ends#file-}" --collect got -- "${run[@]}" "$source_path" - 2>err || status=$?
        ;;
    tcp-file | unix-file)
        arrived=$target_path
        peer run --source "${ends%-file}" --feed in -- "${run[@]}" - "$target_path" 2>err ||
            status=$?
        ;;
    *) echo "no such ends: $ends" && return 1 ;;
    esac
    [ ! -e status ] || { status=$(<status) && rm status; }
    [ -z "$feeder" ] || wait "$feeder" || true
}

# calls_of CALL[@PATH] ENDS ARGUMENT...: $calls is how often a run without faults makes that call.
calls_of() {
    local call=$1
    shift
    inject "$call:"
    faults=("${faults[@]:0:${#faults[@]}-2}")
    transfer "$@"
    call=${call%%@*}
    calls=$(grep -cE " ${call/\%fstat/(new)?fstat(at)?}\\(" log)
}

# stop_at CALL[@PATH] N ENDS ARGUMENT...: starts it, and returns when it stands still behind the N-th
# such call (in it, if it is one that signals interrupt, as splice to a file is on Linux 6.18); `resume`
# lets it go on to its end. ENDS is file-file or file-pipe. Calls in $also fail.
also=()
stop_at() {
    local call=$1 count=$2 ends=$3 deadline=$((SECONDS + 30))
    shift 3
    place_old
    inject "$call:signal=STOP:when=$count" "${also[@]}"
    injected_calls=("${injected_calls[@]:1}")
    prepare_run "$@" "$source_path"
    if [ "$ends" = file-pipe ]; then
        arrived=got
        [ -p fifo ] || mkfifo fifo
        timeout 60 cat fifo >got 3>&- &
        collector=$!
        "${run[@]}" - <&0 >fifo 2>err 3>&- &
    else
        arrived=$target_path
        collector=
        "${run[@]}" "$target_path" <&0 2>err 3>&- &
    fi
    tracer=$!
    until grep -qs 'stopped by SIGSTOP' log; do
        if ! kill -0 "$tracer" 2>/dev/null || [ $SECONDS -gt $deadline ]; then
            problem "it did not stop there"
            return 0
        fi
        sleep 0.005
    done
}

resume() {
    local tracee
    tracee=$(awk '/stopped by SIGSTOP/ { print $1; exit }' log)
    [ -z "$tracee" ] || kill -CONT "$tracee"
    status=0
    wait "$tracer" || status=$?
    [ -z "$collector" ] || wait "$collector" || true
}

# Each fault fired.
check_fired() {
    local log='' call
    [ ${#injected_calls[@]} -eq 0 ] || log=$(<log)
    for call in "${injected_calls[@]}"; do
        [[ $log =~ [[:space:]]${call/\%fstat/(new)?fstat(at)?}(\(|' resumed>')[^$'\n']*\(INJECTED\) ]] ||
            problem "the fault of $call did not fire"
    done
}

# $message and $json from err, which holds at most one message, and the statistics.
read_report() {
    local lines=()
    mapfile -t lines <err
    message='' json=''
    [ ${#lines[@]} -eq 0 ] || json=${lines[-1]}
    if [[ $json != '{"version":'*'}' ]]; then
        problem "no statistics (exit status $status)"
        return 1
    fi
    if [ ${#lines[@]} -gt 2 ]; then
        problem "more than one message"
        return 1
    fi
    [ ${#lines[@]} -eq 1 ] || message=${lines[0]}
}

# The number that the message gives; excess: bytes that it says are not the source's.
claimed_good() {
    good=0 excess=0 good_position=0
    if [[ $message =~ the\ target\'s\ first\ ([0-9]+)\ bytes\ are\ good ]] ||
        [[ $message =~ ([0-9]+)\ bytes\ were\ delivered ]]; then
        good=${BASH_REMATCH[1]}
    elif [[ $message =~ ([0-9]+)\ bytes\ were\ appended ]]; then
        good=${BASH_REMATCH[1]}
        good_position=$position
    elif [[ $message =~ the\ target\'s\ ([0-9]+)\ bytes\ from\ position\ ([0-9]+)\ on\ are\ good ]]; then
        good=${BASH_REMATCH[1]}
        good_position=${BASH_REMATCH[2]}
    fi
    if [[ $message =~ the\ ([0-9]+)\ bytes\ behind\ them\ are\ not\ the\ source\'s ]]; then
        excess=${BASH_REMATCH[1]}
    fi
}

# same_bytes FILE: is what arrived.
same_bytes() {
    cmp "$1" "$arrived" >difference 2>&1 || problem "wrong bytes: $(<difference)"
}

# The target holds $good bytes of the slice and else what it held, or nothing was touched.
check_target() {
    touched=false
    if [ "$arrived" = got ]; then
        [ "$good" -eq 0 ] || touched=true
        head -c "$good" expected >wanted
        tail -c "+$((good + 1))" got | head -c "$excess" >>wanted
        same_bytes wanted
        return
    fi
    if [ "$good" -gt 0 ] && [ "$good_position" -ne "$position" ]; then
        problem "the message names the position $good_position, not $position"
    fi
    if [ -z "$old" ]; then
        if [ "$good" -eq 0 ]; then
            [ ! -e "$arrived" ] || problem "the target, for which nothing was written, is still there"
            return 0
        fi
        touched=true
        head -c "$good" expected >wanted
        same_bytes wanted
    elif [ "$good" -eq 0 ] && [[ $message != *"the target is empty now"* ]]; then
        same_bytes "$old"
    elif [ $placement = whole ]; then
        touched=true
        head -c "$good" expected >wanted
        same_bytes wanted
    else
        touched=true
        {
            head -c "$position" "$old"
            head -c "$good" expected
            tail -c "+$((position + good + 1))" "$arrived" | head -c "$excess"
            tail -c "+$((position + good + excess + 1))" "$old"
        } >wanted
        same_bytes wanted
    fi
}

# judge_failure STATUS... -- OBJECT REASON
judge_failure() {
    local statuses=" "
    while [ "$1" != -- ]; do
        statuses+="$1 "
        shift
    done
    [[ $statuses = *" $status "* ]] || problem "exit status $status, not$statuses"
    # shellcheck disable=SC2027 # the object may be a pattern
    [[ $message = "zslice: "$2": "*"$3"* ]] || problem "expected: zslice: $2: ...$3..."
    claimed_good
    check_target
    [[ $json = *"\"bytes\":$good,"* ]] || problem "the statistics count other bytes: $json"
    [[ $json = *"\"complete\":false,\"exit_status\":$status}" ]] || problem "statistics: $json"
    if [ "$status" -eq 2 ] && [ $touched = true ]; then
        problem "exit status 2, but the target was touched"
    fi
}

# judge done
# judge failed|refused|fails|given-up OBJECT REASON: fails is one of the first two; given-up is refused
# if nothing was touched, else failed.
# judge device OBJECT REASON: what had arrived was refused later, so nothing is claimed of the target.
# judge wrong-end STATUS OBJECT REASON: with no word of how many bytes are good.
judge() {
    local wanted=$1 object=${2-} reason=${3-}
    cases=$((cases + 1))
    [ "$status" -ne 124 ] || problem "it hangs"
    if [ "$wanted" != "done" ] && [ -z "$reason" ] && [ "$object" != '*' ]; then
        problem "no reason to look for"
    fi
    check_fired
    read_report || return 0
    case $wanted in
    done)
        [ "$status" -eq 0 ] || problem "exit status $status, not 0"
        [ -z "$message" ] || problem "a message"
        if [ "$status" -eq 0 ]; then
            good=$(stat -c %s expected) good_position=$position excess=0
            if [ -z "$old" ] || [ $placement = whole ]; then
                same_bytes expected
            else
                check_target
            fi
        fi
        ;;
    failed) judge_failure 1 -- "$object" "$reason" ;;
    refused) judge_failure 2 -- "$object" "$reason" ;;
    fails) judge_failure 1 2 -- "$object" "$reason" ;;
    device)
        [ "$status" -eq 1 ] || problem "exit status $status, not 1"
        [[ $message = "zslice: $object: $reason; how much of the target is good is not known" ]] ||
            problem "expected: zslice: $object: $reason; how much..., and nothing more"
        [[ $json = *"\"complete\":false,\"exit_status\":1}" ]] || problem "statistics: $json"
        ;;
    wrong-end)
        [ "$status" -eq "$2" ] || problem "exit status $status, not $2"
        [[ $message = "zslice: $3: "*"$4"* ]] || problem "expected: zslice: $3: ...$4..."
        ;;
    given-up)
        judge_failure 1 2 -- "$object" "$reason"
        if [ "$status" -eq 1 ] && [ $touched = false ]; then
            problem "exit status 1, but nothing was touched"
        fi
        ;;
    *) problem "no such judgement: $wanted" ;;
    esac
}

# expect_refused ENGINE ERRNO|null: the statistics say so, and of no other engine.
expect_refused() {
    local code=$2
    [ "$code" = null ] || code="\"$code\""
    [[ $json = *"\"refused\":{\"$1\":$code},"* ]] || problem "not refused: $1 with $2, but $json"
}

expect_none_refused() {
    [[ $json = *'"refused":{},'* ]] || problem "an engine was refused: $json"
}

# judge_auto ERRNO|0 ENGINE OBJECT WAITS: `auto` met it in ENGINE, on the end OBJECT; WAITS is yes if
# that end is one that can be waited for.
judge_auto() {
    local code=$1 engine=$2 object=$3 waits=$4
    case " ${hard[*]} " in
    *" $code "*)
        judge failed "$object" "${reason_of[$code]}"
        return
        ;;
    esac
    judge "done"
    if [ "$code" = EINTR ] || { [ "$code" = EAGAIN ] && [ "$waits" = yes ]; }; then
        expect_none_refused
    else
        expect_refused "$engine" "${code/#0/null}"
    fi
}

# Whether an errno is about the way of copying (then --engine=NAME is refused) and not of the moment.
is_about_the_engine() {
    case $1 in
    EINVAL | ENOSYS | EOPNOTSUPP | ENODEV | EACCES | ESPIPE | EBADF) return 0 ;;
    *) return 1 ;;
    esac
}

# judge_cannot ERRNO ENGINE OBJECT: --engine=ENGINE met an errno that `auto` falls back from.
judge_cannot() {
    if is_about_the_engine "$1"; then
        judge given-up "$3" "${reason_of[$1]}; --engine=$2 cannot do this copy"
    else
        judge failed "$3" "${reason_of[$1]}"
    fi
    expect_refused "$2" "$1"
}

# judge_forced ERRNO|0 ENGINE OBJECT WAITS: the same as judge_auto with --engine=ENGINE.
judge_forced() {
    local code=$1 engine=$2 object=$3 waits=$4
    case " ${hard[*]} " in
    *" $code "*)
        judge failed "$object" "${reason_of[$code]}"
        return
        ;;
    esac
    if [ "$code" = EINTR ] || { [ "$code" = EAGAIN ] && [ "$waits" = yes ]; }; then
        judge "done"
        expect_none_refused
    elif [ "$code" = 0 ]; then
        judge given-up '*' ""
    else
        judge_cannot "$code" "$engine" "$object"
    fi
}

# what_of ERRNO|0: strace's words for it.
what_of() {
    [ "$1" = 0 ] && echo retval=0 || echo "error=$1"
}

# sweep_stream ENDS CALL "WHEN..." OBJECT WAITS ENGINE forced|auto ARGUMENT...: all codes; forced, one of a kind.
sweep_stream() {
    local ends=$1 call=$2 whens=$3 object=$4 waits=$5 engine=$6 how=$7 code at
    shift 7
    [ "$how" = auto ] || set -- --engine="$engine" "$@"
    for at in $whens; do
        for code in "${codes[@]}"; do
            case $how-$code in
            forced-EDQUOT | forced-ENOSYS | forced-EOPNOTSUPP | forced-EPERM) continue ;;
            esac
            name="$ends, $engine $how, $call $code at $at"
            inject "$call:$(what_of "$code"):when=$at"
            transfer "$ends" "$@"
            "judge_$how" "$code" "$engine" "$object" "$waits"
        done
    done
}
