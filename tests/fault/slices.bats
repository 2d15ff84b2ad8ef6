# Several ranges and pieces of records, copied together: each call fails in each way, at its first, second
# and last use.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject
load pieces

ranges=(-r 1000:300000 -r 500000+200000 -r 100:5000)
ascending=(-r 1000:300000 -r 350000+200000 -r 700000:)

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_pieces
    random_file in 1900000
}

slice_ranges() {
    slice 1000:300000:: 500000:700000:: 100:5000::
}

slice_ascending() {
    slice 1000:300000:: 350000:550000:: 700000:::
}

@test "three ranges, file to file" {
    what="ranges"
    slice_ranges
    auto_calls="mmap@in write@out sendfile@out"
    sweep_file_to_file "${ranges[@]}"
    all_good
}

@test "three ranges, into the middle of a file" {
    what="ranges, --seek"
    slice_ranges
    random_file old 600000
    old=old placement=at position=700
    all_codes=(EIO EINVAL 0) few_codes=(EIO 0)
    forced_codes=(EIO) few_forced_codes=(EIO)
    auto_calls="mmap@in write@out sendfile@out"
    sweep_file_to_file "${ranges[@]}" --seek 700
    all_good
}

@test "--engine=splice never hands all of its work to another engine in silence" {
    what="EINVAL each time"
    slice 0:1900000:12288:4096
    name="pieces of 4 KiB, pipe to file"
    inject "splice@out:error=EINVAL"
    transfer pipe-file --engine=splice --record=4K -r ::3
    judge_rule must out "${reason_of[EINVAL]}"
    name="three ranges, pipe to file"
    slice_ascending
    transfer pipe-file --engine=splice "${ascending[@]}"
    judge_rule must out "${reason_of[EINVAL]}"
    all_good
}

@test "three ranges, file to pipe" {
    what="ranges"
    slice_ranges
    sweep_call splice@in "1 2 3" file-pipe auto in yes --engine=auto "${ranges[@]}"
    sweep_call splice@in "1 2 3" file-pipe alone in yes --engine=splice "${ranges[@]}"
    sweep_call sendfile@in "1 2 3" file-pipe alone "standard output" yes --engine=sendfile "${ranges[@]}"
    sweep_call pread64@in "1 2 3" file-pipe alone in no --engine=buffer "${ranges[@]}"
    # Nothing else is written before the statistics.
    sweep_call write "1 2 3" file-pipe alone "standard output" yes --engine=buffer "${ranges[@]}"
    sweep_call write "1 2 3" file-pipe alone "@(standard output|in)" yes --engine=map-write "${ranges[@]}"
    all_good
}

@test "three ranges, pipe to file" {
    what="ranges"
    slice_ascending
    # The gaps go to /dev/null, in whatever way, so that a forced engine may go on, too.
    sweep_call splice@fifo "1 2 3" pipe-file auto fifo yes --engine=auto "${ascending[@]}"
    sweep_call splice@out "1 2 3" pipe-file auto out no --engine=auto "${ascending[@]}"
    sweep_call splice@out "1 2 3" pipe-file held out no --engine=splice "${ascending[@]}"
    sweep_call write@out "1 2 3" pipe-file alone out no --engine=buffer "${ascending[@]}"
    sweep_call read@fifo "1 2 3" pipe-file alone fifo yes --engine=buffer "${ascending[@]}"
    all_good
}

@test "pieces of 3 bytes, from a file and from a pipe" {
    what="3 bytes"
    random_file in 7000000
    slice 0:6999999:9:3
    auto_calls="pread64@in write@out"
    local forced=(--record=3 -r ::3)
    for call in $auto_calls; do
        first_and_last "$call" file-file "${forced[@]}"
        [ "$calls" -ge 3 ] || problem "only $calls calls of $call"
        sweep_call "$call" "$whens" file-file alone "${call#*@}" no --engine=auto "${forced[@]}"
    done
    all_codes=(EIO EINVAL EAGAIN EINTR 0)
    sweep_call write "1 2" file-pipe alone "standard output" yes --engine=auto "${forced[@]}"
    sweep_call pread64@in "1 2" file-pipe alone in no --engine=auto "${forced[@]}"
    few_codes=(EIO EINTR)
    # read@fifo is the gaps, too.
    sweep_call read@fifo "1 2 9" pipe-file alone fifo yes --engine=auto "${forced[@]}"
    sweep_call write@out "1 2 9" pipe-file alone out no --engine=auto "${forced[@]}"

    what="3 bytes, forced"
    random_file in 3000
    slice 0:3000:30:3
    auto_calls="pread64@in write@out"
    few_codes=(EIO)
    sweep_file_to_file --record=3 -r ::10
    all_good
}

@test "pieces of 4 KiB, from a file and from a pipe" {
    what="4 KiB"
    slice 0:1900000:12288:4096
    auto_calls="splice@in splice@out"
    few_codes=(EIO EINVAL)
    forced_codes=(EINVAL EFAULT) few_forced_codes=(EIO)
    sweep_file_to_file --record=4K -r ::3
    sweep_call splice@in "1 2 3" file-pipe auto in yes --engine=auto --record=4K -r ::3
    sweep_call read@fifo "1 2 3" pipe-file alone fifo yes --engine=auto --record=4K -r ::3
    sweep_call write@out "1 2 3" pipe-file alone out no --engine=auto --record=4K -r ::3
    sweep_call splice@out "1 2 3" pipe-file held out no --engine=splice --record=4K -r ::3
    all_good
}

@test "pieces of 300 KiB, from a file and from a pipe" {
    what="300 KiB"
    few_codes=(EIO EINVAL)
    forced_codes=(EINVAL EFAULT) few_forced_codes=(EIO)
    slice 0:1900000:614400:307200
    auto_calls="splice@in splice@out"
    sweep_file_to_file --record=300K -r ::2
    sweep_call splice@in "1 2 3" file-pipe auto in yes --engine=auto --record=300K -r ::2
    sweep_call splice@fifo "1 2 3" pipe-file auto fifo yes --engine=auto --record=300K -r ::2
    sweep_call splice@out "1 2 3" pipe-file auto out no --engine=auto --record=300K -r ::2
    sweep_call splice@out "1 2 3" pipe-file held out no --engine=splice --record=300K -r ::2
    sweep_call splice@fifo "1 2 3" pipe-pipe auto fifo yes --engine=auto --record=300K -r ::2
    all_good
}

@test "what comes before and behind: seeking, reserving, examining, cutting" {
    local code options
    random_file old 600000
    slice_ranges
    for options in "--seek 700" "--engine=buffer --seek 700"; do
        for code in EINVAL EIO EOVERFLOW; do
            old=old placement=at position=700
            name="$options, lseek $code"
            inject "lseek@out:error=$code"
            # shellcheck disable=SC2086 # two words
            transfer file-file "${ranges[@]}" $options
            judge_rule must out ""
            [ "$status" -eq 2 ] || problem "exit status $status"
        done
    done
    for code in ENOSPC EDQUOT; do
        old='' placement=whole position=0
        name="fallocate $code"
        inject "fallocate@out:error=$code"
        transfer file-file "${ranges[@]}"
        judge_rule must out "${reason_of[$code]}"
    done
    for code in EOPNOTSUPP EINVAL EPERM EINTR ENOSYS; do
        name="fallocate $code"
        inject "fallocate@out:error=$code:when=1"
        transfer file-file "${ranges[@]}"
        judge_rule never out ""
    done
    for at in 1 2 3 4; do
        for code in EIO ENOMEM; do
            old=old placement=whole position=0
            name="fstat out $code at $at"
            calls_of %fstat@out file-file "${ranges[@]}"
            [ "$at" -le "$calls" ] || continue
            inject "%fstat@out:error=$code:when=$at"
            transfer file-file "${ranges[@]}"
            judge_rule may out "${reason_of[$code]}"
            name="fstat in $code at $at"
            inject "%fstat@in:error=$code:when=$at"
            transfer file-file "${ranges[@]}"
            judge_rule may in "${reason_of[$code]}"
        done
    done
    # The slice is there, and so is what should not be behind it.
    old=old placement=at position=700
    for code in EIO EPERM EINVAL; do
        name="ftruncate $code"
        inject "ftruncate@out:error=$code"
        transfer file-file -r 5:1000 -r 2000:5000 --seek 700 --truncate
        slice 5:1000:: 2000:5000::
        cases=$((cases + 1))
        check_fired
        read_report
        [ "$status" -eq 1 ] || problem "exit status $status"
        [[ $message = "zslice: out: truncating: ${reason_of[$code]}"* ]] || problem "another message"
        good=3995 good_position=700 excess=0
        check_image
    done
    all_good
}

@test "the source shrinks between two ranges, and in the middle of pieces" {
    local stop call engine size at
    cp in whole
    for stop in ranges:auto:mmap@in ranges:auto:write@out ranges:splice:splice@out ranges:buffer:write@out \
        ranges:sendfile:sendfile@out ranges:map-write:write@out \
        3:buffer:write@out 3:auto:pread64@in 4K:auto:splice@in 4K:splice:splice@out 4K:buffer:pread64@in \
        4K:map-write:write@out 300K:auto:splice@in 300K:splice:splice@out 300K:buffer:write@out; do
        IFS=: read -r what engine call <<<"$stop"
        cp whole in
        case $what in
        ranges) args=("${ranges[@]}") && slice_ranges ;;
        3) args=(--record=3 -r ::3) && slice 0:1900000:9:3 ;;
        4K) args=(--record=4K -r ::3) && slice 0:1900000:12288:4096 ;;
        300K) args=(--record=300K -r ::2) && slice 0:1900000:614400:307200 ;;
        esac
        for size in 2500 299500 650000; do
            name="$what, $engine, to $size after $call"
            rm -f in && cp whole in
            at=1
            stop_at "$call" $at file-file --engine="$engine" "${args[@]}"
            truncate -s $size in
            resume
            # All may have arrived already, or been read.
            judge_rule may in shr
        done
        # Not a byte of what is still to come is there.
        rm -f in && cp whole in
        name="$what, $engine, to nothing after $call"
        stop_at "$call" 1 file-file --engine="$engine" "${args[@]}"
        : >in
        resume
        [ "$what-$engine" = 3-buffer ] || [ "$what-$engine" = 3-auto ] || judge_rule must in shr
    done
    all_good
}

# Room for so many bytes on a file system of that type, in the file target_path.
little_room() {
    local folder=mnt.$1 room=$2
    mount_file_system "$1" 16
    target_path=$folder/out
    touch "$folder/inode"
    cp old "$folder/old"
    cat /dev/zero >"$folder/filler" 2>/dev/null || true
    sync -f "$folder"
    truncate -s "-$room" "$folder/filler"
    sync -f "$folder"
}

@test "a full file system: what is there is good, and counted" {
    local type engine room
    random_file old 300000
    for type in tmpfs ext4; do
        for room in 8192 250000; do
            without_faults
            little_room $type $room
            for what in ranges stream 3 4K 300K; do
                for engine in auto splice buffer map-write; do
                    ends=file-file
                    case $what in
                    ranges) args=("${ranges[@]}") && slice_ranges ;;
                    stream) args=("${ascending[@]}") && slice_ascending && ends=pipe-file ;;
                    3) args=(--record=3 -r ::3) && slice 0:1900000:9:3 ;;
                    4K) args=(--record=4K -r ::3) && slice 0:1900000:12288:4096 ;;
                    300K) args=(--record=300K -r ::2) && slice 0:1900000:614400:307200 ;;
                    esac
                    case $room-$what-$engine in
                    8192-*-buffer | 8192-*-splice) continue ;;
                    esac
                    case $what-$engine in
                    3-splice | 3-map-write | stream-map-write) continue ;;
                    esac
                    name="$type, $room, $what, $engine"
                    rm -f "$target_path"
                    sync -f mnt.$type
                    transfer $ends --engine=$engine "${args[@]}"
                    judge_rule must "$target_path" "${reason_of[ENOSPC]}"
                done
            done
            umount mnt.$type
        done
    done
    all_good
}

@test "a limit on the size of files, in the middle of a range and of a piece" {
    local engine
    without_faults bash -c 'ulimit -f 350 && exec "$@"' -
    for what in ranges 3 4K 300K; do
        for engine in auto splice sendfile map-write buffer; do
            case $what in
            ranges) args=("${ranges[@]}") && slice_ranges ;;
            3) args=(--record=3 -r ::3) && slice 0:1900000:9:3 ;;
            4K) args=(--record=4K -r ::3) && slice 0:1900000:12288:4096 ;;
            300K) args=(--record=300K -r ::2) && slice 0:1900000:614400:307200 ;;
            esac
            [[ $what-$engine != 3-[sm]* ]] || continue
            name="$what, $engine"
            transfer file-file --engine=$engine "${args[@]}"
            judge_rule must out "${reason_of[EFBIG]}"
            [ "$good" -eq $((350 * 1024)) ] || problem "$good bytes, not the 350 KiB"
        done
    done
    all_good
}

@test "the reader of a pipe goes away between two ranges: silent death by SIGPIPE" {
    local engine
    # More than a pipe holds, of pieces, too.
    random_file in 7000000
    for engine in auto splice sendfile map-write buffer; do
        for what in ranges 4K; do
            args=(-r 0:3000 -r 10:3500000)
            [ $what = ranges ] || args=(--record=4K -r ::3)
            name="$engine, $what"
            cases=$((cases + 1))
            # The first range is read, and nobody reads the second.
            rm -f err status
            exec 4<in
            {
                status=0
                timeout 60 "$ZSLICE" --engine=$engine "${args[@]}" - - <&4 2>err || status=$?
                echo $status >status
            } | head -c 3000 >got
            [ "$(<status)" -eq 141 ] || problem "exit status $(<status)"
            [ ! -s err ] || problem "a message: $(<err)"
            head -c 3000 in | cmp - got || problem "other bytes"
            exec 4<&-
        done
    done
    all_good
}

# stands_at POSITION: that of descriptor 4.
stands_at() {
    local at
    at=$(sed -n 's/^pos:[[:space:]]*//p' /proc/self/fdinfo/4)
    [ "$at" -eq "$1" ] || problem "standard input stands at $at, not $1"
}

@test "standard input stands where what was delivered ends" {
    local engine call at code
    slice 1000:300000:: 500000:700000::
    source_path=-
    # Bytes that one step moves of the second range are not all of it: the fault is in its second write.
    without_faults bash -c 'ulimit -f 400 && exec "$@"' -
    for engine in auto splice sendfile map-write buffer; do
        name="$engine, a limit in the second range"
        exec 4<in
        transfer file-file --engine=$engine -r 1000:300000 -r 500000+200000 <&4
        judge_rule must out "${reason_of[EFBIG]}"
        [ "$good" -eq $((400 * 1024)) ] || problem "$good bytes"
        stands_at $((500000 + good - 299000))
        exec 4<&-
    done
    slice 0:1900000:12288:4096
    for engine in auto splice sendfile map-write buffer; do
        name="$engine, a limit in the middle of a piece"
        exec 4<in
        transfer file-file --engine=$engine --record=4K -r ::3 <&4
        judge_rule must out "${reason_of[EFBIG]}"
        stands_at $(((good - 1) / 4096 * 12288 + (good - 1) % 4096 + 1))
        exec 4<&-
    done
    # The first call of the second range: nothing of it was delivered.
    slice 1000:300000:: 500000:700000::
    for engine in splice:splice@out:2 sendfile:sendfile@out:2 map-write:write@out:2 buffer:write@out:2; do
        IFS=: read -r engine call at <<<"$engine"
        name="$engine, $call at $at"
        launcher=(timeout 60)
        inject "$call:error=EIO:when=$at"
        exec 4<in
        transfer file-file --engine="$engine" -r 1000:300000 -r 500000+200000 <&4
        judge_rule must out "${reason_of[EIO]}"
        [ "$good" -eq 299000 ] || problem "$good bytes"
        stands_at 300000
        exec 4<&-
    done
    all_good
}
