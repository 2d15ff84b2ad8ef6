# Real faults of what proves and protects a copy (--atomic, --resume, --in-place, --sparse, --verify,
# --digest): full disks, limits, files that others change, devices that fail, folders and terminals
# that go away. Without these options see space, ends and shrink.

# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154 # variables of inject.bash; options are words
load ../helper
load inject

setup_file() {
    use_python
    mount_for_file quota btrfs 128
    # A file of this one loses its device (see lose_device).
    mount_for_file broken ext4 32 -b 4096 -O ^has_journal
    mount_for_file disk ext4 24 -b 4096 -m 0
}

teardown_file() {
    unmount_for_file
}

setup() {
    setup_real
}

# take_digest: digest lines go from err to the file digest.
take_digest() {
    grep -aE '^\\?(SHA256|XXH128) \(' err >digest || true
    sed -i -E '/^\\?(SHA256|XXH128) \(/d' err
}

# No temporary file is left beside the target.
check_tidy() {
    local folder=. left
    [[ $target_path != */* ]] || folder=${target_path%/*}
    left=$(find "$folder" -maxdepth 1 -name '.zslice-*' -print -quit)
    [ -z "$left" ] || problem "left behind: $left"
}

# check_digest FILE: the digest that was printed is that of FILE.
check_digest() {
    local wanted tag=SHA256
    [ "$(wc -l <digest)" -eq 1 ] || { problem "$(wc -l <digest) digest lines" && return 0; }
    grep -aq '^SHA256' digest || tag=XXH128
    if [ $tag = SHA256 ]; then
        wanted=$(sha256sum <"$1")
    else
        wanted=$(xxhsum -H2 <"$1")
    fi
    [[ $(<digest) = "$tag ("*") = ${wanted%% *}" ]] || problem "not the digest of $1: $(<digest)"
}

# assess WHAT...: judge, for copies that print a digest, with what must be true of every one of them.
assess() {
    take_digest
    [ "$1" = "done" ] || [ ! -s digest ] || problem "a digest of a copy that failed"
    judge "$@"
    check_tidy
}

# clear FOLDER: nothing is in it.
clear() {
    find "$1" -mindepth 1 -maxdepth 1 ! -name 'lost+found' -delete
}

# room BLOCKS FOLDER: of the file system on FOLDER exactly so many blocks of 4 KiB are left.
room() {
    local free
    rm -f "$2/out" "$2/filler"
    sync -f "$2"
    free=$(stat -f -c %a "$2")
    fallocate -l $(((free - $1) * 4096)) "$2/filler"
    sync -f "$2"
    # The file system needs a block or two for itself.
    free=$(stat -f -c %a "$2")
    if [ "$free" -ne "$1" ]; then
        truncate -s $(($(stat -c %s "$2/filler") + (free - $1) * 4096)) "$2/filler"
        fallocate -l "$(stat -c %s "$2/filler")" "$2/filler"
        sync -f "$2"
    fi
    [ "$(stat -f -c %a "$2")" -eq "$1" ] || problem "$(stat -f -c %a "$2") blocks are free, not $1"
}

# use_disks: $disks are folders with a small file system of their own: ext4, and tmpfs.
use_disks() {
    need_mounted disk
    mount_file_system tmpfs 8
    disks=("$BATS_FILE_TMPDIR/disk" mnt.tmpfs)
    clear "${disks[0]}"
}

@test "a full disk with --atomic: at the start, in the middle, at the last page; the old bytes stay" {
    local free folder options
    use_disks
    for folder in "${disks[@]}"; do
        target_path=$folder/out
        # The slice has 855 blocks, the old file 147.
        for free in 0 464 854; do
            for options in "" --sparse=always "--engine=buffer --digest=sha256" --verify; do
                old=old
                [ "$options" != --verify ] || old=
                name="$folder, $free blocks free, $options, old: $old"
                room $((free + ${#old} * 49)) "$folder"
                transfer file-file --atomic -o 1000 $options
                assess fails "$target_path" "${reason_of[ENOSPC]}"
            done
        done
        # It was the room that was missing.
        old=
        room 900 "$folder"
        name="$folder, enough"
        transfer file-file --atomic -o 1000
        assess "done"
        clear "$folder"
    done
    all_good
}

@test "a full disk with --resume: what is there is good, and it can be resumed again" {
    local free folder size
    use_disks
    head -c 500000 expected >have
    for folder in "${disks[@]}"; do
        target_path=$folder/out
        # 123 blocks are there, 732 are missing.
        for free in 0 1 464 731; do
            name="$folder, --resume, $free blocks free"
            cp have "$folder/have"
            room $free "$folder"
            mv "$folder/have" "$target_path"
            arrived=$target_path status=0 cases=$((cases + 1))
            prepare_run --resume -o 1000 in "$target_path"
            "${run[@]}" 2>err || status=$?
            read_report || continue
            claimed_good
            [ "$status" -eq 1 ] || problem "exit status $status"
            [[ $message = "zslice: $target_path: "*"${reason_of[ENOSPC]}"* ]] || problem "the message"
            size=$(stat -c %s "$target_path")
            [ "$size" -ge 500000 ] || problem "bytes were lost: $size are left"
            [ "$good" -eq 0 ] || [ "$good" -eq "$size" ] || problem "$good are good, of $size"
            head -c "$size" expected | cmp - "$target_path" || problem "wrong bytes"
            rm -f "$folder/filler"
            status=0
            "${run[@]}" 2>err || status=$?
            [ "$status" -eq 0 ] || problem "with room it cannot be resumed: $(<err)"
            cmp expected "$target_path" || problem "wrong bytes after it was resumed"
        done
        clear "$folder"
    done
    all_good
}

@test "a full disk with --sparse: holes take no room, data must have some" {
    local free folder options
    use_disks
    # Holes at both ends: 660 or 661 blocks of data.
    { head -c 300000 /dev/zero && head -c 2700000 in && head -c 500000 /dev/zero; } >holes
    mv holes in
    fallocate -d in
    tail -c +1001 in >expected
    for folder in "${disks[@]}"; do
        target_path=$folder/out
        for options in --sparse=always --sparse=auto "--sparse=always --atomic"; do
            for free in 0 340 658; do
                name="$folder, $options, $free blocks free"
                room "$free" "$folder"
                transfer file-file -o 1000 $options
                assess fails "$target_path" "${reason_of[ENOSPC]}"
            done
            name="$folder, $options, enough"
            room 670 "$folder"
            transfer file-file -o 1000 $options
            assess "done"
        done
        name="$folder, --sparse=never"
        room 670 "$folder"
        transfer file-file -o 1000 --sparse=never
        assess fails "$target_path" "${reason_of[ENOSPC]}"
        clear "$folder"
    done
    all_good
}

@test "a full disk with --in-place=auto: a hole must be filled, and it is told how far it came" {
    local folder free path goes_on
    use_disks
    for folder in "${disks[@]}"; do
        path=$folder/log
        for free in 0 1 256; do
            name="$folder, $free blocks free"
            rm -f "$path" "$folder/filler"
            truncate -s 2100224 "$path"
            cat in >>"$path"
            sync -f "$folder"
            tail -c +2101225 "$path" >expected
            room $free "$folder"
            status=0 cases=$((cases + 1))
            # The offset is not that of a block: bytes are moved down, to where the hole is.
            "$ZSLICE" --in-place=auto -o 2101224 "$path" 2>err || status=$?
            if [ "$status" -ne 1 ]; then
                problem "exit status $status"
                continue
            fi
            message=$(<err)
            [[ $message = "zslice: $path: "*"${reason_of[ENOSPC]}"* ]] || problem "the message: $message"
            if [[ $message =~ its\ first\ ([0-9]+)\ bytes\ are\ the\ slice\'s,.*\ position\ ([0-9]+) ]]; then
                good=${BASH_REMATCH[1]} goes_on=${BASH_REMATCH[2]}
                # The rest of the slice has not been touched: nothing is lost.
                { head -c "$good" "$path" && tail -c "+$((goes_on + 1))" "$path"; } | cmp - expected ||
                    problem "bytes of the slice are lost"
            else
                problem "nothing on how far it came"
            fi
        done
        clear "$folder"
    done
    all_good
}

@test "a quota: with each of them at the start, in the middle, at the last page" {
    local folder=$BATS_FILE_TMPDIR/quota limit options
    need_mounted quota
    btrfs quota enable "$folder" || skip "needs quotas of btrfs"
    btrfs -q subvolume create "$folder/sub" || skip "needs subvolumes"
    target_path=$folder/sub/out
    for limit in 0 $((1024 * 1024)) $((3 * 1024 * 1024)); do
        for options in --atomic --resume --sparse=always --sparse=never "--digest=xxh128" "--atomic --verify"; do
            name="quota, $limit bytes, $options"
            rm -f "$target_path"
            sync -f "$folder"
            btrfs qgroup limit $((limit + 32768)) "$folder/sub"
            transfer file-file -o 1000 $options
            assess fails "$target_path" "${reason_of[EDQUOT]}"
        done
    done
    btrfs qgroup limit none "$folder/sub"
    name="quota, none"
    transfer file-file -o 1000 --atomic
    assess "done"
    all_good
}

@test "another process cuts the target meanwhile: --verify finds it, --resume refuses it" {
    local stop engine call size options
    for stop in splice:splice@in sendfile:sendfile@in map-write:mmap@in buffer:pread64@in; do
        engine=${stop%%:*} call=${stop#*:}
        for size in 0 400000; do
            [ $engine-$size != sendfile-400000 ] || continue
            name="$engine, cut to $size, --verify"
            stop_at $call 1 file-file --engine=$engine -o 1000 --seek=0 --verify
            # As much of the beginning as the target has by then, so that it is a cut, or a hole.
            printf 'not the slice' >>out
            truncate -s $size out
            head -c 13 /dev/zero | dd of=out bs=1 seek=0 conv=notrunc status=none
            resume
            cases=$((cases + 1))
            read_report || continue
            if [ "$status" -eq 0 ]; then
                cmp -s expected out || problem "exit status 0 and wrong bytes"
            else
                [[ $status = [14] ]] || problem "exit status $status"
                [[ $message = "zslice: out: "* ]] || problem "which file? $message"
            fi
        done
    done

    name="cut between the copy and its proof"
    for size in 0 100 4096 3498999; do
        name="cut to $size between the copy and its proof"
        stop_at fdatasync 1 file-file -o 1000 --verify
        cmp -s expected out || problem "it is not complete yet"
        truncate -s $size out
        resume
        cases=$((cases + 1))
        read_report || continue
        [[ $status = [14] ]] || problem "exit status $status"
        [[ $message = "zslice: out: "* ]] || problem "which file? $message"
    done
    for byte in 0 4096 1048576 3498999; do
        name="byte $byte changed between the copy and its proof"
        stop_at fdatasync 1 file-file -o 1000 --verify
        printf '%b' "\\x$(printf %02x $((0x$(od -An -t x1 -j $byte -N 1 out | tr -d ' ') ^ 1)))" |
            dd of=out bs=1 seek=$byte conv=notrunc status=none
        resume
        cases=$((cases + 1))
        read_report || continue
        [ "$status" -eq 4 ] || problem "exit status $status"
        [[ $message = "zslice: out: verifying: its byte $byte differs from byte $((byte + 1000)) of in"* ]] ||
            problem "the message: $message"
    done

    # Between the look at the size and the comparison.
    head -c 700000 expected >have
    old=have
    for change in "truncate -s 600000 out" "truncate -s 0 out" "truncate -s 3600000 out"; do
        name="--resume: $change"
        place_old
        fingerprint in >before
        faults=(-e "trace=openat" -P "$here/out" -e "inject=openat:delay_exit=300000")
        injected_calls=() status=0 arrived=out
        prepare_run --resume -o 1000 in "$here/out"
        "${run[@]}" 2>err 3>&- &
        tracer=$! collector=
        until grep -qs 'openat(' log; do kill -0 $tracer 2>/dev/null || break; done
        $change
        cp out changed
        resume
        grep -q DELAYED log || problem "no delay"
        cases=$((cases + 1))
        read_report || continue
        [ "$status" -eq 2 ] || problem "exit status $status"
        [[ $message = "zslice: $here/out: --resume: it was changed meanwhile"* ]] || problem "$message"
        cmp changed out || problem "it was touched"
    done
    all_good
}

# change_source HOW: what happens to in meanwhile.
change_source() {
    case $1 in
    cut-*) truncate -s "${1#cut-}" in ;;
    grow) head -c 70000 old >>in ;;
    rewrite) dd if=old of=in bs=4096 conv=notrunc status=none ;;
    esac
}

@test "the source changes while its digest is made: no crash, no digest of what is not the slice" {
    local kind jobs at change
    cp in whole
    for kind in sha256 xxh128; do
        # One job digests behind the copy, two beside it.
        for jobs in 1 2; do
            # When it is mapped, and before its last piece.
            for at in mmap@in:1 madvise:4; do
                [[ $jobs-$kind-$at != 2-sha256-mad* && $jobs-$kind-$at != 1-xxh128-mad* ]] || continue
                # Sanitizers make such calls of their own.
                [[ $at != madvise* ]] || ! is_sanitized || continue
                for change in cut-0 cut-4097 cut-3499000 grow rewrite; do
                    name="--digest=$kind --jobs=$jobs, $change after $at"
                    rm -f in
                    cp whole in
                    stop_at "${at%:*}" "${at#*:}" file-file --digest=$kind --jobs=$jobs -o 1000
                    change_source $change
                    resume
                    cases=$((cases + 1))
                    take_digest
                    read_report || continue
                    if [ "$status" -eq 0 ]; then
                        [[ $change != cut-* || $at = madvise* ]] || problem "a digest of a source that is not there"
                        # It may be that of the slice as it was, or of what came in its place.
                        if [ $change != rewrite ]; then
                            check_digest expected
                            cmp expected out || problem "wrong bytes"
                        fi
                    else
                        [ "$status" -eq 1 ] || problem "exit status $status"
                        [[ $change = cut-* ]] || problem "it was not cut"
                        [[ $message = "zslice: in: "*shr* ]] || problem "the message: $message"
                        [ ! -s digest ] || problem "a digest"
                        claimed_good
                        [ ! -e out ] || head -c "$good" expected | cmp - out || problem "wrong bytes"
                    fi
                done
            done
        done
    done
    all_good
}

@test "the source changes before --verify reads it again: exit status 4 or 1, never 0 with other bytes" {
    local change atomic options
    cp in whole
    for atomic in "" --atomic; do
        for options in "" "--field=:700 --record=1100" "--sparse=always" "-r 0:90000 -r 5:3000000"; do
            for change in cut-0 cut-3400000 grow rewrite; do
                [[ $options != --sparse* || $change != cut-0 ]] || continue
                [[ -z $atomic || $options != --[fs]* ]] || continue
                name="--verify $atomic $options, $change"
                rm -f in
                cp whole in
                old=
                {
                    "$ZSLICE" $options in wanted
                    stop_at "fdatasync" 1 file-file --verify $atomic $options
                }
                change_source $change
                resume
                cases=$((cases + 1))
                read_report || continue
                case $change in
                grow)
                    [ "$status" -eq 0 ] || problem "exit status $status"
                    [[ $options = *-r* ]] || cmp wanted out || problem "wrong bytes"
                    continue
                    ;;
                rewrite)
                    [ "$status" -eq 4 ] || problem "exit status $status"
                    [[ $message = "zslice: out: verifying: its byte "*" differs from byte "*" of in"* ]] ||
                        problem "the message: $message"
                    ;;
                cut-*)
                    # A slice that ends before is whole.
                    [[ $options = *-r* && $change = cut-3400000 && $status = 0 ]] && continue
                    [[ $status = [14] ]] || problem "exit status $status"
                    [[ $message = "zslice: in: "* || $status = 4 ]] || problem "the message: $message"
                    ;;
                esac
                [ -z "$atomic" ] || [ ! -e out ] || problem "a target without proof"
                check_tidy
            done
        done
    done
    all_good
}

@test "the source is rewritten while it is copied: --verify lets only what is there now pass" {
    local stop engine call
    cp in whole
    for stop in splice:splice@in sendfile:sendfile@in map-write:mmap@in buffer:pread64@in; do
        engine=${stop%%:*} call=${stop#*:}
        for at in 1 2; do
            [[ $call-$at != mmap@in-2 && $call-$at != sendfile@in-2 ]] || continue
            name="$engine, $call $at"
            rm -f in
            cp whole in
            stop_at $call $at file-file --engine=$engine -o 1000 --verify
            change_source rewrite
            resume
            cases=$((cases + 1))
            read_report || continue
            tail -c +1001 in >now
            if [ "$status" -eq 0 ]; then
                cmp now out || problem "exit status 0 and wrong bytes"
            else
                [ "$status" -eq 4 ] || problem "exit status $status"
            fi
        done
    done
    all_good
}

@test "the source changes under --field and --record: what arrived is its own" {
    local stop options at change
    cp in whole
    for options in "--record=16 --field=4:8" "--record=4097 --field=1:4000" "--record=400000 --field=7:90000"; do
        rm -f in
        cp whole in
        "$ZSLICE" $options in expected
        for stop in pread64@in splice@in mmap@in; do
            calls_of $stop file-file $options || true
            [ "$calls" -gt 0 ] || continue
            for at in 1 $((calls / 2 + 1)); do
                for change in cut-0 cut-4097 cut-3280000 grow; do
                    name="$options, $change after $stop $at of $calls"
                    rm -f in
                    cp whole in
                    stop_at $stop $at file-file $options
                    change_source $change
                    resume
                    if [ "$status" -eq 0 ]; then
                        [[ $change = grow || $at = "$calls" ]] || problem "a success"
                        judge "done"
                    else
                        judge failed in shr
                    fi
                done
            done
        done
    done
    [ "$cases" -gt 20 ] || problem "too few stops"
    all_good
}

@test "holes are walked, and filled or cut off meanwhile" {
    local options call at change
    # data, hole, data, hole, data, hole; the only NULs are those of holes.
    {
        tr -d '\0' <in | head -c 262144
        head -c 524288 /dev/zero
        tr -d '\0' <old | head -c 262144
        head -c 524288 /dev/zero
        tr -d '\0' <in | tail -c 262144
        head -c 1000000 /dev/zero
    } >expected
    tr '\0' x <expected >filled
    cp --sparse=always expected sparse
    [ "$(stat -c %b sparse)" -lt 2000 ] || skip "needs a file system with holes"
    rm in
    for options in --sparse=auto --sparse=always; do
        call=lseek@in
        [ $options = --sparse=auto ] || call=pread64@in
        cp --sparse=always sparse in
        calls_of $call file-file $options
        [ "$calls" -gt 3 ] || problem "only $calls calls of $call"
        for at in 1 2 $((calls / 2)) $((calls - 1)) "$calls"; do
            for change in cut-300000 cut-1835008 cut-1840000 fill; do
                name="$options, $change after $call $at of $calls"
                rm -f in
                cp --sparse=always sparse in
                stop_at $call "$at" file-file $options
                if [ $change = fill ]; then
                    dd if=filled of=in conv=notrunc bs=1M status=none
                else
                    change_source $change
                fi
                resume
                if [ $change = fill ]; then
                    cases=$((cases + 1))
                    read_report || continue
                    [ "$status" -eq 0 ] || problem "exit status $status"
                    # Each byte is what it was, or what it became.
                    tr '\0' x <out | cmp - filled || problem "bytes of neither"
                elif [ "$status" -eq 0 ]; then
                    # There was nothing left to read.
                    [ "$at" -ge $((calls - 2)) ] || problem "a success"
                    judge "done"
                else
                    judge failed in shr
                fi
            done
        done
    done
    all_good
}

# use_broken: $broken is a file, $whole has its bytes. lose_device: from its middle on it cannot be read any
# more, as its device is gone.
use_broken() {
    need_mounted broken
    broken=$BATS_FILE_TMPDIR/broken/in whole=$BATS_FILE_TMPDIR/whole
    [ ! -e "$whole" ] || return 0
    random_file "$whole" 9000000
    fallocate -l 9000000 "$broken"
    cp "$whole" "$broken"
    sync -f "$broken"
}

lose_device() {
    local start
    start=$(filefrag -v -b4096 "$broken" | awk '$1 == "0:" { sub(/\.\./, "", $4); print $4 }')
    truncate -s $(((start + 1200) * 4096)) "$BATS_FILE_TMPDIR/images/broken"
    # Not what was cached.
    dd if="$broken" iflag=nocache count=0 status=none
}

@test "a file cannot be read any more when its digest is made: no crash, and its name" {
    use_broken
    ln -sf "$broken" in # stop_at knows files by such names
    tail -c +1001 "$whole" >expected
    cat "$broken" >/dev/null || skip "its device is lost already"
    name="--digest=sha256, behind the copy"
    stop_at mmap@in 1 file-file --digest=sha256 --jobs=1 -o 1000
    cmp expected out || problem "the copy was not complete"
    lose_device
    ! cat "$broken" >/dev/null 2>&1 || skip "this device can be read"
    resume
    take_digest
    [ ! -s digest ] || problem "a digest"
    judge failed in "reading it for the digest"
    all_good
}

@test "an error in the middle of a mapped file: each engine, digest, and proof" {
    local engine kind jobs options
    use_broken
    lose_device
    ! cat "$broken" >/dev/null 2>&1 || skip "this device can be read"
    source_path=$broken
    tail -c +1001 "$whole" >expected
    for engine in auto splice sendfile map-write buffer; do
        for options in "" --atomic --sparse=always --sparse=never --verify --digest=sha256 \
            "--digest=xxh128 --jobs=1"; do
            [[ $engine-$options != sendfile-*always && $engine-$options != splice-*always &&
                $engine-$options != map-write-*always ]] || continue
            [[ $engine = auto || $options != *never && $options != *xxh128* ]] || continue
            name="$engine $options"
            transfer file-file --engine=$engine -o 1000 $options
            assess failed "$broken" reading
            [[ $message = *"${reason_of[EIO]}"* || $message = *"its device failed"* ]] || problem "the reason"
            [[ $options = --atomic || $options = --digest* ]] || [ "$good" -ge 1000000 ] ||
                problem "only $good bytes"
        done
    done
    name="a field"
    "$ZSLICE" --record=4096 --field=:8 "$whole" expected
    transfer file-file --record=4096 --field=:8
    judge failed "$broken" "${reason_of[EIO]}"
    name="--resume compares what cannot be read"
    tail -c +1001 "$whole" | head -c 8900000 >old
    old=old arrived=out
    transfer file-file --resume -o 1000
    cases=$((cases + 1))
    read_report && [[ $message = "zslice: $broken: reading it again: ${reason_of[EIO]}"* ]] ||
        problem "the message: $message"
    cmp old out || problem "it was touched"
    # Only what was read for it fails, not the copy.
    name="the digest alone"
    head -c 4000000 "$whole" >expected
    old=
    for kind in sha256 xxh128; do
        transfer file-file --digest=$kind -l 4000000
        assess "done"
        check_digest expected
    done
    all_good
}

@test "what --verify and --resume read again cannot be read" {
    local options end
    head -c 700000 expected >have
    for options in --verify "--verify --atomic" --resume; do
        for end in in out; do
            # What has no name has no path to be known by.
            [[ $options-$end != *atomic-out ]] || continue
            for code in EIO ESTALE; do
                name="$options, reading $end: $code"
                old=
                [ "$options" != --resume ] || old=have
                inject "pread64@$end:error=$code:when=1"
                transfer file-file -o 1000 $options
                cases=$((cases + 1))
                check_fired
                check_tidy
                read_report || continue
                [ "$status" -eq 1 ] || problem "exit status $status"
                [[ $message = "zslice: $end: reading it again: ${reason_of[$code]}"* ]] || problem "$message"
                case $options in
                *atomic) [ ! -e out ] || problem "a target without proof" ;;
                --resume) cmp have out || problem "it was touched" ;;
                *) cmp expected out || problem "wrong bytes" ;;
                esac
            done
        done
    done
    all_good
}

@test "a limit on the size of files: --atomic and --sparse, a hole behind it included" {
    local limit options
    {
        head -c 262144 in
        head -c 900000 /dev/zero
    } >whole
    cp --sparse=always whole in.sparse
    for limit in 4 300; do
        for options in --atomic "--atomic --sparse=always" --sparse=always --sparse=never "--digest=sha256" \
            --resume --verify; do
            name="$options, $limit KiB"
            without_faults bash -c "ulimit -f $limit"' && exec "$@"' -
            source_path=in
            tail -c +1001 in >expected
            transfer file-file -o 1000 $options
            assess failed out "${reason_of[EFBIG]}"
            [[ $options = --atomic* ]] || [ "$good" -eq $((limit * 1024)) ] || problem "$good bytes, not $limit KiB"

            name="$options, $limit KiB, a hole behind it"
            source_path=in.sparse
            cp whole expected
            transfer file-file $options
            assess failed out "${reason_of[EFBIG]}"
        done
    done
    name="what is moved down in place needs no more room"
    cp in log
    tail -c +1001 in >expected
    status=0 arrived=log cases=$((cases + 1))
    bash -c 'ulimit -f 4000 && exec "$@"' - "$ZSLICE" --in-place=auto -o 1000 log 2>err || status=$?
    [ "$status" -eq 0 ] && cmp expected log || problem "exit status $status: $(<err)"
    all_good
}

# bats test_tags=memory
@test "no address space for the digest's window" {
    local kind jobs megabytes done_ones=0
    truncate -s 24M in
    cp in expected
    for kind in sha256 xxh128; do
        for jobs in 1 2; do
            for megabytes in 4 14 60; do
                name="--digest=$kind --jobs=$jobs, $megabytes MB"
                without_faults bash -c "ulimit -v ${megabytes}000"' && exec "$@"' -
                transfer file-file --digest=$kind --jobs=$jobs
                cases=$((cases + 1))
                take_digest
                check_tidy
                if [ "$status" -eq 0 ]; then
                    done_ones=$((done_ones + 1))
                    cmp expected out || problem "wrong bytes"
                    check_digest expected
                    continue
                fi
                [ "$status" -lt 124 ] || [ "$megabytes" -lt 8 ] || problem "it died: $status"
                [ ! -s digest ] || problem "a digest of a copy that failed"
                if [ "$status" -eq 2 ]; then
                    [ ! -e out ] || problem "refused, and touched"
                fi
            done
        done
    done
    echo "$done_ones succeeded"
    [ $done_ones -lt $cases ] || problem "no limit was too low"
    all_good
}

@test "no free descriptor: a message, the right exit status, and nothing left" {
    local limit options succeeded failed_ones
    # shellcheck disable=SC2016 # for another shell
    local closing='for fd in 3 4 5 6 7 8 9; do eval "exec $fd>&-"; done; '
    for options in --atomic --digest=sha256 --digest=xxh128 --verify --sparse=always --resume; do
        succeeded=0 failed_ones=0
        for limit in 3 4 5 12; do
            for old in "" old; do
                [[ $options = --atomic* || $options = --resume || -z $old ]] || continue
                [ "$options" != --resume ] || head -c 5000 expected >old
                name="$options, a limit of $limit, old: $old"
                without_faults bash -c "$closing ulimit -n $limit"' && exec "$@"' -
                transfer file-file -o 1000 $options
                cases=$((cases + 1))
                take_digest
                check_tidy
                if ! read_report; then
                    # The library of the C language itself cannot be loaded: not of our doing.
                    [ "$limit" -le 3 ] || problem "no report"
                    shown='' problems=$((limit <= 3 ? problems - 1 : problems))
                    continue
                fi
                if [ "$status" -eq 0 ]; then
                    succeeded=$((succeeded + 1))
                    cmp expected out || problem "wrong bytes"
                    continue
                fi
                failed_ones=$((failed_ones + 1))
                [[ $status = [12] ]] || problem "exit status $status"
                [[ $message = "zslice: "* ]] || problem "no message"
                [[ $options = *digest* || $message = *"${reason_of[EMFILE]}"* ]] || problem "the reason"
                claimed_good
                [[ $status = 1 && $options = --sync || $status = 1 && $options = --verify ]] ||
                    [ "$status" -eq 1 ] || check_target
                if [[ $options = --atomic* ]]; then
                    [ -z "$old" ] && [ ! -e out ] || cmp old out || problem "it is not as it was"
                fi
            done
        done
        [ $succeeded -gt 0 ] || problem "none succeeded"
        [ $failed_ones -gt 0 ] || problem "none failed"
        random_file old 600000
    done
    all_good
}

@test "a file system that can only be read" {
    local options path
    mount_file_system tmpfs 8
    cp old in mnt.tmpfs
    head -c 5000 expected >mnt.tmpfs/begun
    fingerprint mnt.tmpfs/* >before
    mount -o remount,ro mnt.tmpfs
    for options in --atomic "--atomic --digest=sha256" --resume "--sparse=always" --verify; do
        for path in mnt.tmpfs/new mnt.tmpfs/begun; do
            name="$options, $path"
            prepare_run $options -o 1000 in $path
            status=0 cases=$((cases + 1))
            "${run[@]}" 2>err || status=$?
            read_report || continue
            [ "$status" -eq 2 ] || problem "exit status $status"
            [[ $message = "zslice: $path: "*"${reason_of[EROFS]}"* ]] || problem "the message: $message"
        done
    done
    for options in --in-place=auto --in-place=collapse; do
        name="$options"
        status=0 cases=$((cases + 1))
        "$ZSLICE" $options -o 4096 mnt.tmpfs/old 2>err || status=$?
        [ "$status" -eq 2 ] || problem "exit status $status"
        [[ $(<err) = "zslice: mnt.tmpfs/old: "*"${reason_of[EROFS]}"* ]] || problem "the message: $(<err)"
    done
    [ "$(fingerprint mnt.tmpfs/*)" = "$(<before)" ] || problem "something was changed"
    all_good
}

@test "immutable and append-only: --atomic, --resume, --in-place" {
    local folder=$BATS_FILE_TMPDIR/disk path options was
    need_mounted disk
    clear "$folder"
    mkdir -p "$folder/a/closed" "$folder/a/growing"
    for path in immutable only closed/out growing/out; do
        head -c 5000 expected >"$folder/a/$path"
    done
    chattr +i "$folder/a/immutable" "$folder/a/closed" || skip "needs chattr"
    chattr +a "$folder/a/only" "$folder/a/growing"
    for path in immutable only closed/out closed/new growing/out; do
        for options in --atomic "--atomic --sync" --resume --in-place=auto --in-place=collapse; do
            # What these are allowed to do.
            [[ $path-$options != growing/out-[!-]* ]] || continue
            [[ $path-$options != closed/out---resume && $path-$options != closed/out---in-place* &&
                $path-$options != growing/out---resume && $path-$options != growing/out---in-place* &&
                $path-$options != closed/new---in-place* ]] || continue
            name="$options, $path"
            target_path=$folder/a/$path
            was=
            [ ! -e "$target_path" ] || was=$(sha256sum <"$target_path")
            case $options in
            --in-place*) prepare_run $options -o 4096 "$target_path" ;;
            *) prepare_run $options -o 1000 in "$target_path" ;;
            esac
            status=0 cases=$((cases + 1))
            "${run[@]}" 2>err || status=$?
            if read_report; then
                # That names cannot be taken back is seen only when the new file is to take the place.
                [ "$status" -eq 2 ] || [[ $path = growing/* && $status = 1 ]] || problem "exit status $status"
                [[ $message = "zslice: $target_path: "*"${reason_of[EPERM]}"* ]] || problem "$message"
            fi
            if [ -n "$was" ]; then
                [ "$(sha256sum <"$target_path")" = "$was" ] || problem "it was changed"
            else
                [ ! -e "$target_path" ] || problem "it was created"
            fi
            check_tidy
        done
    done
    chattr -i "$folder/a/immutable" "$folder/a/closed"
    chattr -a "$folder/a/only" "$folder/a/growing"
    all_good
}

@test "the target's folder is removed, or renamed, during an --atomic copy" {
    local change old_one
    for change in "rm -r folder" "mv folder elsewhere" "mv folder elsewhere && mkdir folder"; do
        for old_one in "" old; do
            name="$change, old: $old_one"
            rm -rf folder elsewhere
            mkdir folder
            [ -z "$old_one" ] || cp old folder/out
            target_path=folder/out
            old=$old_one
            mkdir -p folder
            stop_at splice@in 2 file-file --atomic -o 1000
            # It stands in the middle: all of the old bytes, none of the new.
            if [ -n "$old_one" ]; then
                cmp -s old folder/out || problem "it was not stopped in the middle"
            else
                [ ! -e folder/out ] || problem "it was not stopped in the middle"
            fi
            grep -qs 'stopped by SIGSTOP' log || problem "it was not stopped"
            bash -c "$change"
            resume
            cases=$((cases + 1))
            if read_report; then
                if [ "$change" = "rm -r folder" ]; then
                    [ "$status" -eq 1 ] || problem "exit status $status"
                    [[ $message = "zslice: folder/out: putting the new file in its place: "* ]] || problem "$message"
                    [ ! -e folder ] || problem "the folder is there again"
                elif [ "$status" -eq 0 ]; then
                    # It is in the folder that was there at the start, wherever that is now.
                    cmp expected elsewhere/out || problem "wrong bytes"
                    [ ! -e folder/out ] || problem "in the wrong folder"
                else
                    problem "exit status $status: $message"
                fi
            fi
            [ -z "$(find . -name '.zslice-*')" ] || problem "left behind: $(find . -name '.zslice-*')"
        done
    done
    all_good
}

# terminal ACTION COMMAND...: COMMAND's standard error is a terminal of its own, which is hung up when
# the target `out` (or, with --atomic, what COMMAND has read of the FIFO) shows that it is under way.
terminal() {
    timeout 60 "$PYTHON" -IS -c '
import fcntl, os, pty, subprocess, sys, termios, time
ignored, as_input, command = sys.argv[1] == "nohup", sys.argv[2] == "input", sys.argv[3:]
master, slave = pty.openpty()
def child():
    import signal
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    if ignored:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
process = subprocess.Popen(command, stdin=slave if as_input else subprocess.DEVNULL, stderr=slave,
                           preexec_fn=child, close_fds=True)
os.close(slave)
data = open("in", "rb").read()
if as_input:
    os.write(master, b"line\n" * 200)
    time.sleep(0.2)
else:
    feeder = os.open("fifo", os.O_WRONLY)
    sent = 0
    while sent < 2000000:
        sent += os.write(feeder, data[sent:sent + 65536])
assert process.poll() is None, "it has ended already"
print("hung up while it was under way", flush=True)
os.close(master)
if not as_input:
    if ignored:
        while sent < len(data):
            sent += os.write(feeder, data[sent:sent + 65536])
        os.close(feeder)
    deadline = time.monotonic() + 10
begun = time.monotonic()
status = process.wait(timeout=10)
print("took", "long" if time.monotonic() - begun > 1 else "little")
print("status", 128 - status if status < 0 else status)' "$@" 3>&- >said
    status=$(awk '$1 == "status" { print $2 }' said)
    grep -q '^hung up' said || problem "it was not under way"
    grep -q '^took little' said || problem "it took long to end"
}

@test "a terminal that hangs up" {
    local options
    cp in expected
    for options in "" "--atomic --sync" "--digest=sha256"; do
        name="the terminal of a copy, $options"
        rm -f out fifo
        mkfifo fifo
        cases=$((cases + 1))
        terminal hup none "$ZSLICE" $options fifo out
        [ "$status" = 129 ] || problem "it did not die of SIGHUP: $status"
        if [[ $options = *atomic* ]]; then
            [ ! -e out ] || problem "a target"
        elif [ -s out ]; then
            head -c "$(stat -c %s out)" in | cmp - out || problem "wrong bytes"
        fi
        check_tidy
        name="with nohup, $options"
        rm -f out
        cases=$((cases + 1))
        terminal nohup none "$ZSLICE" $options fifo out
        # Its digest could not be told; that is all that may be missing.
        [ "$status" = 0 ] || [[ $options = *digest* && $status = 1 ]] || problem "exit status $status"
        cmp expected out || problem "wrong bytes"
    done
    for options in "" --atomic; do
        name="a terminal that is read, $options"
        rm -f out
        cases=$((cases + 1))
        terminal hup input "$ZSLICE" $options - out
        [ "$status" = 129 ] || problem "it did not die of SIGHUP: $status"
        name="a terminal that is read, nohup, $options"
        rm -f out
        cases=$((cases + 1))
        terminal nohup input "$ZSLICE" $options - out
        # As cat has it: an error, for nobody can know if there was to be more.
        [ "$status" = 1 ] || [ "$status" = 0 ] || problem "exit status $status"
        check_tidy
    done
    all_good
}

@test "stopped and continued, twice: nothing is lost" {
    local options
    for options in --atomic --resume --sparse=always --sparse=never --verify "--digest=sha256" "--atomic --verify" \
        "--digest=xxh128 --jobs=1" "--sync --no-cache"; do
        name="$options"
        stop_at pread64,pwritev2,splice,fdatasync "2+3" file-file -o 1000 $options
        # Every third call stops it anew.
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
            kill -0 "$tracer" 2>/dev/null || break
            tracee=$(awk '/stopped by SIGSTOP/ { print $1; exit }' log)
            kill -CONT "$tracee" 2>/dev/null || break
            sleep 0.01
        done
        while kill -0 "$tracer" 2>/dev/null; do
            kill -CONT "$tracee" 2>/dev/null || true
            sleep 0.01
        done
        status=0
        wait "$tracer" || status=$?
        [ "$(grep -c 'stopped by SIGSTOP' log)" -ge 2 ] || problem "it was not stopped twice"
        assess "done"
        [[ $options != *digest* ]] || check_digest expected
    done
    all_good
}
