# --keep-offset: bytes in the places they have in the source, of a target that others write to at the same
# time. What fails takes nothing of theirs with it, and running it again completes it.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject
load pieces

# The source's bytes are not the target's: what is written and what is left is told apart.
setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_pieces
    random_file in 1900000
    scattered=true placement=at
    at_positions
}

# Several ranges and pieces are written at explicit positions, one range where the descriptor stands.
at_positions() {
    engines=(auto splice map-write buffer) writing=pwrite64
}

at_the_descriptor() {
    engines=(auto splice sendfile map-write buffer) writing=write
}

ranges=(-r 1000:300000 -r 500000:700000 -r 400:900)
ascending=(-r 1000:300000 -r 350000:550000 -r 700000:)

slice_ranges() {
    slice 1000:300000:: 500000:700000:: 400:900::
}

# with_each_old FUNCTION ARGUMENT...: with a target to create, a shorter and a longer one.
with_each_old() {
    local size
    for size in none 2500000; do
        old=
        if [ $size != none ]; then
            random_file old $size
            old=old
        fi
        rm -f whole_image
        what="$kind, over $size"
        "$@"
    done
}

@test "three ranges in their places, file to file" {
    kind="ranges"
    slice_ranges
    few_codes=(EIO EINVAL 0)
    forced_codes=(EIO EINVAL 0)
    auto_calls="mmap@in pwrite64@out splice@in splice@out"
    position=1000
    with_each_old sweep_file_to_file "${ranges[@]}" -k
    all_good
}

@test "three ranges in their places, pipe to file" {
    kind="ranges" what="ranges"
    slice 1000:300000:: 350000:550000:: 700000:::
    few_codes=(EIO EINVAL 0)
    random_file old 200000
    old=old position=1000
    sweep_call splice@fifo "1 2 3" pipe-file auto fifo yes --engine=auto "${ascending[@]}" -k
    sweep_call splice@out "1 2 3" pipe-file auto out no --engine=auto "${ascending[@]}" -k
    sweep_call pwrite64@out "1 2 3" pipe-file alone out no --engine=buffer "${ascending[@]}" -k
    all_good
}

@test "pieces in their places: 3 bytes, 4 KiB, 300 KiB, from a file and from a pipe" {
    few_codes=(EIO)
    forced_codes=(EIO)
    few_forced_codes=(EIO)
    all_codes=(EIO ENOSPC EINVAL EAGAIN)
    random_file old 500000
    old=old
    what="4 KiB"
    slice 0:1900000:12288:4096
    auto_calls="splice@in splice@out"
    sweep_file_to_file --record=4K -r ::3 -k
    sweep_call pwrite64@out "1 2 3" pipe-file alone out no --engine=auto --record=4K -r ::3 -k
    what="300 KiB"
    slice 0:1900000:614400:307200
    sweep_file_to_file --record=300K -r ::2 -k
    sweep_call splice@fifo "1 2 3" pipe-file auto fifo yes --engine=auto --record=300K -r ::2 -k
    sweep_call splice@out "1 2 3" pipe-file auto out no --engine=auto --record=300K -r ::2 -k
    what="3 bytes"
    random_file in 3000
    slice 0:3000:30:3
    auto_calls="pread64@in pwrite64@out"
    sweep_file_to_file --record=3 -r ::10 -k
    sweep_call pwrite64@out "1 2 100" pipe-file alone out no --engine=auto --record=3 -r ::10 -k
    # The whole source is read at once.
    sweep_call pwrite64@out "2+ 100+" file-file alone out no --engine=auto --record=3 -r ::10 -k
    sweep_call pread64@in "1+" file-file alone in no --engine=auto --record=3 -r ::10 -k
    all_good
}

@test "the target cannot be moved to where the next bytes go: the rest is not touched" {
    local code at ends args
    random_file old 500000
    for what in ranges ascending 4K 300K stream-4K stream-300K; do
        ends=file-file
        case $what in
        ranges) args=("${ranges[@]}") && slice_ranges && position=1000 ;;
        ascending) args=("${ascending[@]}") && ends=pipe-file &&
            slice 1000:300000:: 350000:550000:: 700000::: ;;
        *4K) args=(--record=4K -r ::3) position=0 && slice 0:1900000:12288:4096 ;;
        *300K) args=(--record=300K -r ::2) position=0 && slice 0:1900000:614400:307200 ;;
        esac
        [[ $what != stream* ]] || ends=pipe-file
        for old in "" old; do
            rm -f whole_image
            # One at the most: the rest is written at explicit positions.
            calls_of lseek@out $ends "${args[@]}" -k || continue
            for at in $(printf '%s\n' 1 2 "$calls" | sort -nu | awk -v "calls=$calls" '$1 <= calls'); do
                for code in EINVAL EIO; do
                    name="$what over ${old:-nothing}, lseek $code at $at of $calls"
                    inject "lseek@out:error=$code:when=$at"
                    transfer $ends "${args[@]}" -k
                    judge_rule must out "${reason_of[$code]}"
                done
            done
        done
    done
    all_good
}

@test "a target that has no such position: what was written before is told, and it is no refusal" {
    mount_file_system tmpfs 16
    mount_file_system ext4 16
    without_faults
    slice 0:1000::
    # tmpfs has positions that ext4 does not.
    truncate -s 18T mnt.tmpfs/in
    dd if=in of=mnt.tmpfs/in bs=1000 count=1 conv=notrunc status=none
    source_path=mnt.tmpfs/in target_path=mnt.ext4/out
    name="the second range"
    transfer file-file -r 0:1000 -r 17T+10 -k
    judge_rule must mnt.ext4/out ""
    [ "$status" -eq 1 ] || problem "exit status $status"
    name="the second piece"
    transfer file-file --record=1000 -r 0B::17T -k
    judge_rule must mnt.ext4/out ""
    [ "$status" -eq 1 ] || problem "exit status $status"
    all_good
}

# Part 2 of 3 of in is 633333..1266666.
@test "a shard, into a target that is created, and into those of others" {
    kind="shard"
    at_the_descriptor
    slice 633333:1266666::
    position=633333
    few_codes=(EIO EINVAL 0)
    forced_codes=(EIO EINVAL 0)
    auto_calls="mmap@in write@out"
    with_each_old sweep_file_to_file --shard 2/3 -k
    all_good
}

@test "a shard that fails at once leaves the file that it created" {
    local engine fault
    slice 633333:1266666::
    position=633333
    for fault in auto:lseek@out:error=EIO auto:write@out:error=EIO auto:write@out:error=ENOSPC \
        splice:splice@out:error=EIO splice:splice@in:error=ENOSPC splice:splice@in:error=EIO; do
        name="$fault"
        engine=${fault%%:*}
        inject "${fault#*:}"
        transfer file-file --engine="$engine" --shard 2/3 -k
        # What is looked at when it was created already is a matter of choice.
        judge_rule may '@(in|out)' ""
        [ -e out ] || problem "it was removed"
    done
    all_good
}

@test "no shard reserves space, or gives any back: it could cut what others wrote" {
    local engine
    slice 633333:1266666::
    position=633333
    random_file old 1000000
    for old in "" old; do
        for engine in auto splice sendfile map-write buffer; do
            name="$engine over ${old:-nothing}"
            rm -f whole_image
            faults=(-e "trace=fallocate,ftruncate,truncate,unlink,unlinkat,rename,renameat,renameat2,openat")
            injected_calls=()
            transfer file-file --engine=$engine --shard 2/3 -k
            judge_rule never out ""
            ! grep -E 'fallocate|truncate\(|unlink|rename|O_TRUNC' log || problem "see above"
        done
    done
    all_good
}

@test "two shards at a time: one fails, the other's bytes stay, and running it again completes it" {
    local engine call fails
    for stop in auto:write@out splice:splice@out sendfile:sendfile@out map-write:write@out \
        buffer:write@out; do
        IFS=: read -r engine call <<<"$stop"
        for fails in EIO ENOSPC; do
            name="$engine, $fails"
            cases=$((cases + 1))
            old=
            # The first one creates the file and stands still; the others come and go; then it fails.
            rm -f out log
            inject "lseek@out:signal=STOP:when=1" "$call:error=$fails:when=1"
            prepare_run --engine="$engine" --shard 2/3 -k in out
            arrived=out collector=
            "${run[@]}" 2>err 3>&- &
            tracer=$!
            until grep -qs 'stopped by SIGSTOP' log || ! kill -0 $tracer 2>/dev/null; do sleep 0.005; done
            "$ZSLICE" --shard 1/3 -k in out || problem "the first shard"
            "$ZSLICE" --shard 3/3 -k in out || problem "the third shard"
            resume
            injected_calls=("${call%%@*}")
            check_fired
            read_report || continue
            [ $status -eq 1 ] || problem "exit status $status"
            [[ $message = "zslice: out: "*"${reason_of[$fails]}"* ]] || problem "another message"
            [ "$(stat -c %s out)" -eq 1900000 ] || problem "the file has $(stat -c %s out) bytes"
            cmp -n 633333 in out || problem "the first shard's bytes"
            cmp -i 1266666 in out || problem "the third shard's bytes"
            cmp -i 633333:0 -n 633333 out /dev/zero || problem "the failed shard's bytes"
            "$ZSLICE" --engine="$engine" --shard 2/3 -k in out || problem "it fails again"
            cmp in out || problem "it is not complete"
        done
    done
    all_good
}

@test "a limit on the size of files: another shard's bytes stay, and it can be completed" {
    local engine
    random_file old 1900000
    old=old
    for engine in auto splice sendfile map-write buffer; do
        for what in shard ranges 4K 300K; do
            [[ $engine != sendfile || $what = shard ]] || continue
            case $what in
            shard) args=(--shard 2/3) && slice 633333:1266666:: && position=633333 ;;
            ranges) args=(-r 1000:300000 -r 900000:1100000 -r 1200000:) && position=1000 &&
                slice 1000:300000:: 900000:1100000:: 1200000::: ;;
            4K) args=(--record=4K -r ::3) && slice 0:1900000:12288:4096 && position=0 ;;
            300K) args=(--record=300K -r ::2) && slice 0:1900000:614400:307200 && position=0 ;;
            esac
            name="$engine, $what"
            without_faults bash -c 'ulimit -f 1000 && exec "$@"' -
            transfer file-file --engine=$engine "${args[@]}" -k
            judge_rule must out "${reason_of[EFBIG]}"
            "$ZSLICE" --engine=$engine "${args[@]}" -k in out || problem "it fails again"
            good=$(stat -c %s expected) excess=0
            check_image
        done
    done
    all_good
}

@test "a full file system: other shards' bytes stay, and it can be completed when there is room" {
    local type engine
    for type in tmpfs ext4; do
        mount_file_system $type 16
        target_path=mnt.$type/out
        # A hole where the shard belongs.
        old=$here/old
        rm -f old
        truncate -s 1900000 old
        dd if=/dev/urandom of=old bs=1000 count=600 conv=notrunc status=none
        dd if=/dev/urandom of=old bs=1000 count=600 seek=1300 conv=notrunc status=none
        cp --sparse=always old "$target_path"
        cat /dev/zero >mnt.$type/filler 2>/dev/null || true
        sync -f mnt.$type
        truncate -s -250000 mnt.$type/filler
        sync -f mnt.$type
        for engine in auto splice sendfile map-write buffer; do
            for what in shard ranges 4K 300K stream; do
                [[ $engine != sendfile || $what = shard ]] || continue
                ends=file-file
                case $what in
                shard) args=(--shard 2/3) && slice 633333:1266666:: && position=633333 ;;
                ranges) args=(-r 1000:3000 -r 600000:800000 -r 800000:1000000) && position=1000 &&
                    slice 1000:3000:: 600000:800000:: 800000:1000000:: ;;
                stream) args=(-r 1000:3000 -r 600000:800000 -r 800000:1000000) && position=1000 &&
                    ends=pipe-file && slice 1000:3000:: 600000:800000:: 800000:1000000:: ;;
                4K) args=(--record=4K -r ::2) && slice 0:1900000:8192:4096 && position=0 ;;
                300K) args=(--record=300K -r 100K::2) && slice 102400:1900000:614400:307200 &&
                    position=102400 ;;
                esac
                [[ $ends-$engine != pipe-file-map* ]] || continue
                name="$type, $engine, $what"
                without_faults
                # Copied anew, so that the hole is one.
                place_old() {
                    rm -f log err got "$target_path"
                    sync -f mnt.$type
                    cp --sparse=always "$old" "$target_path"
                    sync -f mnt.$type
                }
                transfer $ends --engine=$engine "${args[@]}" -k
                judge_rule must "$target_path" "${reason_of[ENOSPC]}"
            done
        done
        rm mnt.$type/filler
        name="$type, again"
        "$ZSLICE" "${args[@]}" -k in "$target_path" || problem "it fails again"
        good=$(stat -c %s expected) excess=0
        check_image
        umount mnt.$type
    done
    all_good
}

@test "the source shrinks: what is not its own is told, and not one byte of others is cut" {
    local stop call engine size
    cp in whole
    random_file old 1900000
    old=old
    for stop in ranges:splice:splice@in ranges:splice:splice@out ranges:buffer:pwrite64@out \
        ranges:map-write:pwrite64@out shard:sendfile:sendfile@out 4K:splice:splice@in \
        4K:splice:splice@out 4K:buffer:pread64@in 4K:buffer:pwrite64@out 300K:auto:splice@in \
        300K:buffer:pwrite64@out 300K:map-write:mmap@in shard:auto:mmap@in shard:auto:write@out shard:splice:splice@in \
        shard:buffer:pread64@in; do
        IFS=: read -r what engine call <<<"$stop"
        cp whole in
        case $what in
        shard) args=(--shard 2/3) && slice 633333:1266666:: && position=633333 ;;
        ranges) args=("${ranges[@]}") && slice_ranges && position=1000 ;;
        4K) args=(--record=4K -r ::3) && slice 0:1900000:12288:4096 && position=0 ;;
        300K) args=(--record=300K -r ::2) && slice 0:1900000:614400:307200 && position=0 ;;
        esac
        for size in 0 2500 150000 650000; do
            name="$stop, to $size"
            cases=$((cases + 1))
            rm -f in && cp whole in
            stop_at "$call" 1 file-file --engine="$engine" "${args[@]}" -k
            truncate -s $size in
            resume
            read_report || continue
            if [ $status -eq 0 ]; then
                cmp -s out <(scatter "$(stat -c %s expected)" && cat wanted) || problem "wrong bytes"
                continue
            fi
            [ $status -eq 1 ] || problem "exit status $status"
            [[ $message = "zslice: in: "*shr* ]] || problem "another message"
            claimed
            [[ $json = *"\"bytes\":$good,"* ]] || problem "the statistics count other bytes: $json"
            [ "$(stat -c %s out)" -eq 1900000 ] || problem "the file was cut"
            check_excess
        done
    done
    all_good
}

# The first $good bytes are in their places, in those of the next $excess is anything, all else is as it was.
check_excess() {
    scatter "$good"
    "$PYTHON" -IS - "$good" "$excess" <<'PYTHON' || problem "other bytes than it says"
import sys

good, excess = map(int, sys.argv[1:])
out, wanted = (bytearray(open(name, "rb").read()) for name in ("out", "wanted"))
done = 0
for line in open("places"):
    start, end = map(int, line.split())
    first = max(start, start + good - done)
    last = min(end, start + good + excess - done)
    if first < last:
        out[first:last] = wanted[first:last]
    done += end - start
if out != wanted:
    wrong = [i for i in range(len(wanted)) if out[i] != wanted[i]]
    print(len(wrong), "from", wrong[0], "to", wrong[-1])
    raise SystemExit(1)
PYTHON
}
