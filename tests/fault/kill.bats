# SIGKILL at random moments, and loss of power: nothing can be cleaned up, and what is left must be right
# all the same. ZSLICE_SEED (printed) repeats the moments that were chosen, but not the machine's speed.
#
# Both tests of signals are done on the file system of the tests, and on an XFS if it can be mounted.

# shellcheck disable=SC2030,SC2031 # each test is its own process
load ../helper

MOMENTS=200

setup_file() {
    use_python
    mount_for_file xfs xfs 400
}

teardown_file() {
    unmount_for_file
}

setup_kill() {
    seed=${ZSLICE_SEED:-$RANDOM}
    RANDOM=$seed
    echo "ZSLICE_SEED=$seed"
    exec {never}<> <(:) # nothing ever comes: waits without starting a process
    folders=("$BATS_TEST_TMPDIR")
    if [[ " ${MOUNTED-} " = *" xfs "* ]]; then
        folders+=("$BATS_FILE_TMPDIR/xfs/test.$BATS_TEST_NUMBER")
        mkdir "${folders[1]}"
    fi
    problems=0
    declare -gA times=()
    trap - DEBUG # bats looks at each command, which takes as long as all the copies
}

problem() {
    problems=$((problems + 1))
    echo "--- moment $moment, in $PWD: ${arguments[*]}: $*"
}

now_us() {
    now=${EPOCHREALTIME/[.,]/}
}

# how_long: $takes_us is how long a run with ${arguments[@]} takes, the shortest of three.
how_long() {
    local begun _
    takes_us=10000000
    for _ in 1 2 3; do
        rm -f out
        now_us
        begun=$now
        "$ZSLICE" "${arguments[@]}"
        now_us
        ((now - begun >= takes_us)) || takes_us=$((now - begun))
    done
    rm -f out
}

# kill_at MICROSECONDS: runs the program with ${arguments[@]}, and kills it then. $killed is true if it
# was still running.
kill_at() {
    local delay status=0
    printf -v delay '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000))
    "$ZSLICE" "${arguments[@]}" 3>&- &
    read -rt "$delay" -u "$never" || true
    kill -KILL $! 2>/dev/null || true
    wait $! 2>/dev/null || status=$?
    killed=false
    case $status in
    137) killed=true ;;
    0) ;;
    *) problem "it failed by itself, with exit status $status" ;;
    esac
}

# A moment up to a bit more than the time that a run takes, which changes with what the machine does else:
# a run that was done makes the next moments of its kind earlier, one that was killed later.
random_moment() {
    at_us=$(((RANDOM << 15 | RANDOM) % (takes_us * 11 / 10 + 1)))
}

follow_speed() {
    if [ $killed = true ]; then
        times[$1]=$((times[$1] * 103 / 100))
    else
        times[$1]=$((times[$1] * 95 / 100))
    fi
}

# What --atomic must leave: the old bytes or the new ones. A name .zslice-* can be left from the instant
# between giving the complete file that name and renaming it; no others.
@test "SIGKILL at 200 random moments of --atomic leaves the old bytes or the new ones" {
    setup_kill
    local engines=(auto buffer map-write splice) seen_old=0 seen_new=0 running=0 leftovers=0 current=() leftover
    random_file a 2000000
    random_file b 1500000
    for folder in "${folders[@]:1}"; do
        cp a b "$folder"
    done
    for ((moment = 0; moment < MOMENTS; moment++)); do
        local index=$((moment % ${#folders[@]}))
        cd "${folders[index]}"
        if ((moment < ${#folders[@]})); then
            arguments=(--atomic a out)
            how_long
            times[$index]=$takes_us
            cp a out
            current[index]=a
        fi
        takes_us=${times[$index]}
        local old=${current[index]} new=a
        [ "$old" = b ] || new=b
        arguments=(--atomic --engine="${engines[RANDOM % 4]}" "$new" out)
        random_moment
        kill_at "$at_us"
        follow_speed "$index"
        [ $killed = false ] || running=$((running + 1))
        if cmp -s out "$new"; then
            seen_new=$((seen_new + 1))
            current[index]=$new
        elif [ $killed = false ]; then
            problem "it was done, and the new bytes are not there"
        elif cmp -s out "$old"; then
            seen_old=$((seen_old + 1))
        else
            problem "neither the old bytes nor the new ones: $(stat -c %s out || true) bytes"
            cp "$old" out
        fi
        for leftover in .zslice-*; do
            [ -e "$leftover" ] || continue
            leftovers=$((leftovers + 1))
            cmp "$leftover" "$new" || problem "$leftover is not complete"
            rm "$leftover"
        done
    done
    echo "$MOMENTS moments: $running of a running copy; $seen_old old, $seen_new new, $leftovers .zslice-* left"
    [ $problems -eq 0 ]
    [ $running -ge $((MOMENTS / 5)) ]
    [ $seen_old -ge $((MOMENTS / 20)) ]
    [ $seen_new -ge $((MOMENTS / 20)) ]
    [ $leftovers -le $((MOMENTS / 10)) ]
}

# look_at_rest: what a copy that was killed has left is good, as far as its size says; counts what it was.
look_at_rest() {
    local difference
    difference=$(LC_ALL=C cmp out "$expected_file" 2>&1) || true
    case $difference in
    '') complete=$((complete + 1)) ;;
    *'EOF on out which is empty'*) empty=$((empty + 1)) ;;
    *'EOF on out after byte '*) middle=$((middle + 1)) ;;
    *'No such file'*) absent=$((absent + 1)) ;;
    *)
        if [ -n "$had_old" ] && cmp -s out old; then
            had_old=still
            untouched=$((untouched + 1))
        else
            problem "not all of it is good: $difference"
        fi
        ;;
    esac
}

# go_on: --resume makes of it what the whole copy would have made; old bytes are not the slice's, and stay.
go_on() {
    local status=0
    if [ "$had_old" = still ]; then
        "$ZSLICE" --resume "${arguments[@]}" 2>err || status=$?
        [[ $status -eq 2 && $(<err) = *'is not the beginning of this slice'* ]] ||
            problem "old bytes were not refused: exit status $status, $(<err)"
        cmp out old || problem "old bytes were refused, and changed"
        return
    fi
    "$ZSLICE" --resume "${arguments[@]}" 2>err || status=$?
    [ "$status" -eq 0 ] || problem "it cannot be resumed: exit status $status, $(<err)"
    cmp out "$expected_file" || problem "resumed, and wrong"
}

@test "SIGKILL at 200 random moments of a copy leaves good bytes only, and --resume completes them" {
    setup_kill
    local absent=0 untouched=0 empty=0 middle=0 complete=0
    # Data, a hole, zeros, data: 4 MiB.
    {
        head -c 2M /dev/urandom
        head -c 1M /dev/zero
        head -c 1M /dev/urandom
    } >in
    cp --sparse=never in source
    fallocate --punch-hole --offset 2M --length 512K source 2>/dev/null || true
    random_file old 70000
    tail -c +1001 in >whole
    tail -c +3000001 in >reversed
    head -c 3000000 in >>reversed
    "$PYTHON" -c 'import sys
data = open("in", "rb").read()
sys.stdout.buffer.write(b"".join(data[i + 1000:i + 40000] for i in range(0, len(data), 50000)))' >records
    local forms=(
        "whole --offset 1000" "whole --offset 1000 --engine=buffer" "whole --offset 1000 --engine=splice"
        "whole --offset 1000 --engine=sendfile" "whole --offset 1000 --engine=map-write --jobs=2"
        "whole --offset 1000 --sparse=always" "whole --offset 1000 --sparse=never"
        "in --reflink=auto" "reversed --range 3000000: --range :3000000"
        "records --record 50000 --field 1000:40000"
    )
    for folder in "${folders[@]:1}"; do
        cp --sparse=always source old in whole reversed records "$folder"
    done
    for ((moment = 0; moment < MOMENTS; moment++)); do
        local number=$((moment / 2 % ${#forms[@]}))
        cd "${folders[moment % ${#folders[@]}]}"
        read -r expected_file form <<<"${forms[number]}"
        read -ra arguments <<<"$form source out"
        local key="$((moment % 2)) $number"
        if [ -z "${times[$key]-}" ]; then
            how_long
            times[$key]=$takes_us
        fi
        takes_us=${times[$key]}
        rm -f out
        had_old=
        if ((RANDOM % 4 == 0)); then
            had_old=yes
            cp old out
        fi
        random_moment
        kill_at "$at_us"
        follow_speed "$key"
        local complete_before=$complete
        look_at_rest
        [ $killed = true ] || [ $complete -gt $complete_before ] || problem "it was done, and not all is there"
        go_on
    done
    echo "$MOMENTS moments: $absent without a target, $untouched with its old bytes, $empty with an empty one," \
        "$middle in the middle, $complete complete"
    [ $problems -eq 0 ]
    [ $middle -ge $((MOMENTS / 10)) ]
    [ $((absent + untouched + empty)) -ge 1 ]
}

@test "after a loss of power there are the old bytes or the new ones" {
    need_root
    run "$PROJECT/scripts/power-loss.sh" --moments 5 --on ext4
    echo "$output"
    [[ $output != *"cannot"* && $output != *"no such file system"* ]] || skip "no loop file systems here: $output"
    [ "$status" -eq 0 ]
    [[ $output == *"5 moments"* ]]
}

@test "a copy that is not atomic, or not synced, is found out by the test of a loss of power" {
    need_root
    local real=$ZSLICE
    printf '#!/bin/bash\nshift 2\nexec "%s" "$@"\n' "$real" >plain
    chmod +x plain
    ZSLICE=$PWD/plain run "$PROJECT/scripts/power-loss.sh" --moments 5 --on ext4
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *FAILED* ]]
}
