# Races for names: what others put where the target was, or is to be; temporary files; whose file it is
# afterwards; and names that are more than names.

# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2103,SC2154 # variables of inject.bash; options are words
load ../helper
load inject

setup_file() {
    use_python
    mount_for_file own ext4 24 -b 4096 -m 0
}

teardown_file() {
    unmount_for_file
}

setup() {
    setup_real
    random_file victim 5000
    cp victim victim.was
}

# check_tidy [FOLDER]: no temporary file is left there.
check_tidy() {
    local left
    left=$(find "${1:-.}" -name '.zslice-*' -print -quit)
    [ -z "$left" ] || problem "left behind: $left"
}

# make WHAT PATH
make() {
    case $1 in
    link) ln -s "$PWD/victim" "$2" ;;
    dangling) ln -s "$PWD/nowhere" "$2" ;;
    fifo) mkfifo "$2" ;;
    device) mknod "$2" c 1 3 ;;
    file) cp victim "$2" ;;
    folder) mkdir "$2" ;;
    *) return 1 ;;
    esac
}

# put WHAT PATH: it is there instead of what was there, under another inode number.
put() {
    [ "$1" = nothing ] || make "$1" made
    rm -rf "$2"
    [ "$1" = nothing ] || mv -T made "$2"
}

# check_put WHAT PATH: it still is, and has got nothing.
check_put() {
    cmp victim victim.was || problem "what the link leads to was written to"
    [ ! -e nowhere ] || problem "what the link leads to was created"
    case $1 in
    link | dangling) [ -L "$2" ] || problem "the link is gone: $(stat -c %F "$2")" ;;
    fifo) [ -p "$2" ] || problem "the FIFO is gone: $(stat -c %F "$2")" ;;
    device) [ -c "$2" ] || problem "the device is gone: $(stat -c %F "$2")" ;;
    file) cmp victim "$2" || problem "the other file was written to" ;;
    folder) [ -d "$2" ] || problem "the folder is gone" ;;
    nothing) [ ! -e "$2" ] || problem "it was created" ;;
    esac
}

# Calls that look at a file by its name, as strace names them on any architecture.
looks='/^(newfstatat|fstatat64|stat|stat64|statx|lstat)$'

# held CALL N PATH ARGUMENT...: starts the program, which stands still behind its N-th call CALL (on the
# file PATH, if that is not empty). `released` lets it go on, and waits for its end.
held() {
    local call=$1 count=$2 path=$3
    shift 3
    rm -f log err
    faults=(-e "trace=$looks,openat,linkat,renameat,renameat2" -e "inject=$call:signal=STOP:when=$count")
    [ -z "$path" ] || faults+=(-P "$path")
    timeout 5 strace -f -e quiet=all -o log "${faults[@]}" "$ZSLICE" --stats=json "$@" 2>err 3>&- &
    tracer=$!
    wait_for grep -q 'stopped by SIGSTOP' log
}

# wait_for COMMAND...: until it succeeds, for so long as the program runs.
wait_for() {
    until "$@" 2>/dev/null; do
        kill -0 "$tracer" 2>/dev/null || { problem "it has ended before: $*" && return 0; }
        sleep 0.005
    done
}

released() {
    kill -CONT "$(awk '/stopped by SIGSTOP/ { print $1; exit }' log)" || problem "it does not stand still"
    status=0
    wait "$tracer" || status=$?
    cases=$((cases + 1))
    [ "$status" -ne 124 ] || problem "it hangs"
    read_report || true
}

# looks_before CALL ARGUMENT...: $count is how often a run looks at files before its first CALL.
looks_before() {
    local call=$1
    shift
    strace -f -o log -e "trace=$looks,$call" "$ZSLICE" "$@"
    count=$(sed "/ $call(/,\$d" log | grep -c '(')
}

@test "another file takes the target's place before it is opened: it is not touched" {
    local options what
    for options in "" --seek=0 --append --resume; do
        for what in link dangling fifo device file folder nothing; do
            [[ -z $options || $what != [ln]* ]] || continue
            name="$options, a target that becomes: $what"
            cp old out
            [ "$options" != --resume ] || head -c 5000 expected >out
            held "$looks" 1 "$here/out" $options -o 1000 in "$here/out"
            put $what out
            released
            [ "$status" -eq 2 ] || problem "exit status $status: $message"
            [[ $message = "zslice: $here/out: opening: "* ]] || problem "the message: $message"
            check_put $what out
            rm -rf out
        done
    done
    all_good
}

# Inode numbers are used again at once: it is the same number, and not the same file.
@test "another file takes the target's place and its inode number before it is opened" {
    local what number
    for what in device fifo; do
        name="a target that becomes: $what"
        for _ in 1 2 3 4 5; do
            rm -f out
            cp old out
            number=$(stat -c %i out)
            held "$looks" 1 "$here/out" --seek=0 -o 1000 in "$here/out"
            rm out
            make $what out
            released
            [ "$(stat -c %i out)" -ne "$number" ] || break
        done
        [ "$(stat -c %i out)" -eq "$number" ] || skip "needs a file system that uses inode numbers again"
        [ "$status" -eq 2 ] || problem "exit status $status: $message"
        check_put $what out
        rm -f out
    done
    all_good
}

@test "a file appears where there was none" {
    local options what
    for options in "" --resume --no-clobber; do
        for what in link fifo device file; do
            name="$options, a new target that is: $what"
            rm -rf out
            held "$looks" 1 "$here/out" $options -o 1000 in "$here/out"
            put $what out
            released
            [ "$status" -eq 2 ] || problem "exit status $status: $message"
            [[ $message = "zslice: $here/out: creating: File exists"* ]] || problem "$message"
            grep -q 'O_EXCL' log || problem "not by O_EXCL"
            check_put $what out
            rm -rf out
        done
    done
    all_good
}

@test "--atomic: another file takes the target's place while it is copied" {
    local what before
    for before in old ""; do
        for what in link dangling fifo device folder file nothing; do
            name="$what in place of ${before:-nothing}"
            old=$before
            rm -rf out
            stop_at splice@in 2 file-file --atomic -o 1000
            [ -z "$before" ] || cmp -s old out || problem "it was not stopped in the middle"
            put $what out
            resume
            cases=$((cases + 1))
            read_report || continue
            if [ $what-$before = nothing- ]; then
                # As it was at the start.
                [ "$status" -eq 0 ] || problem "exit status $status: $message"
                cmp expected out || problem "wrong bytes"
            else
                [ "$status" -eq 1 ] || problem "exit status $status: $message"
                [[ $message = "zslice: out: putting the new file in its place: "* ]] || problem "$message"
                check_put $what out
            fi
            check_tidy
            rm -rf out
        done
    done
    all_good
}

@test "--atomic: another file takes the target's place at the last moment" {
    local what before count
    strace -f -o log -e trace=newfstatat,linkat "$ZSLICE" --atomic -o 1000 in out
    count=$(sed '/ linkat(/,$d' log | grep -c newfstatat)
    [ "$count" -gt 0 ] || problem "it does not look"
    for before in old ""; do
        for what in fifo device link folder; do
            name="$what in place of ${before:-nothing}, when all is done but its name"
            rm -rf out
            if [ -n "$before" ]; then
                cp "$before" out
                held linkat 1 "" --atomic -o 1000 in out
            else
                held newfstatat "$count" "" --atomic -o 1000 in out
            fi
            put $what out
            released
            grep -q SIGSTOP log || problem "it was not held"
            [ "$status" -eq 1 ] || problem "exit status $status: $message"
            check_put $what out
            check_tidy
        done
    done
    all_good
}

@test "--atomic follows the links that there were at the start" {
    local leads_to
    mkdir folder
    for leads_to in folder/old folder/new; do
        name="to $leads_to"
        rm -f folder/* log out
        cp old folder/old
        ln -sfn $leads_to second
        ln -s "$PWD/second" out
        strace -f -o log -e trace=splice -e inject=splice:signal=STOP:when=2 "$ZSLICE" --stats=json --atomic -o 1000 \
            in out 2>err 3>&- &
        tracer=$!
        wait_for grep -q 'stopped by SIGSTOP' log
        # Whoever changes the links now changes nothing.
        ln -sfn "$PWD/victim" second
        kill -CONT "$(awk '/stopped by SIGSTOP/ { print $1; exit }' log)"
        status=0 cases=$((cases + 1))
        wait "$tracer" || status=$?
        [ "$status" -eq 0 ] || problem "exit status $status: $(<err)"
        cmp expected "$leads_to" || problem "not what the links led to"
        check_put link out
        check_put link second
        [ $leads_to = folder/old ] || cmp old folder/old || problem "the other file was changed"
        check_tidy
    done
    name="a circle"
    cases=$((cases + 1))
    ln -s two one
    ln -s one two
    expect_failure 2 one "Too many levels of symbolic links" --atomic in one || problem "a circle"
    check_tidy
    all_good
}

@test "--no-clobber is O_EXCL" {
    local round winners first second
    name="a link that leads nowhere"
    ln -s nowhere out
    status=0 cases=$((cases + 1))
    "$ZSLICE" --no-clobber in out 2>err || status=$?
    [ "$status" -eq 2 ] || problem "exit status $status"
    expect_message out "" || problem "the message"
    [ ! -e nowhere ] && [ -L out ] || problem "it was followed"
    for what in fifo device folder link file; do
        name="a target that is a $what"
        put $what out
        status=0 cases=$((cases + 1))
        timeout 10 "$ZSLICE" --no-clobber in out 2>err || status=$?
        [ "$status" -eq 2 ] || problem "exit status $status"
        check_put $what out
    done
    # Two at a time: one of them makes it, and the other leaves it alone.
    cp old in2
    for round in {1..20}; do
        name="round $round"
        rm -rf out
        first=0 second=0 cases=$((cases + 1))
        "$ZSLICE" --no-clobber in out 2>err1 3>&- &
        tracer=$!
        "$ZSLICE" --no-clobber in2 out 2>err2 || second=$?
        wait $tracer || first=$?
        case $first-$second in
        0-2) cmp in out || problem "not the winner's bytes" ;;
        2-0) cmp in2 out || problem "not the winner's bytes" ;;
        *) problem "exit statuses $first and $second" ;;
        esac
    done
    all_good
}

# named ARGUMENT...: starts an --atomic copy into folder/out on a file system that knows no files without
# a name; it stands still in the middle of the copy. $temporary is its temporary file.
named() {
    local found
    rm -f log err
    # The first file that is opened relative to the folder is the one without a name.
    # SIGINT is ignored in what a shell has in the background.
    env --default-signal=INT strace -f -e quiet=all -o log -e trace=openat,splice \
        -e inject=splice:signal=STOP:when=2 -e "inject=openat:error=${code:-EOPNOTSUPP}:when=$nameless" \
        "$ZSLICE" --stats=json --atomic "$@" 2>err 3>&- &
    tracer=$!
    wait_for grep -q 'stopped by SIGSTOP' log
    grep -q 'O_TMPFILE.*(INJECTED)' log || problem "it was not without O_TMPFILE"
    tracee=$(awk '/stopped by SIGSTOP/ { print $1; exit }' log)
    found=("${!#%/*}"/.zslice-*)
    temporary=${found[0]}
    [[ ${#found[@]} -eq 1 && -e $temporary ]] || problem "no temporary file, or more than one: ${found[*]}"
}

# find_nameless TARGET: $nameless is which openat of a run it is that asks for a file without a name.
find_nameless() {
    strace -f -o log -e trace=openat "$ZSLICE" --atomic in "$1"
    nameless=$(grep -n O_TMPFILE log | head -n 1 | cut -d: -f1)
    rm -f "$1"
}

end_named() {
    kill "-${1:-CONT}" "$tracee"
    [ "${1:-CONT}" = CONT ] || kill -CONT "$tracee"
    status=0
    wait "$tracer" || status=$?
    cases=$((cases + 1))
}

@test "temporary files have names that nobody can guess, and are nobody else's until they are complete" {
    local code seen=() i number
    enter own
    chmod 755 .
    head -c 3500000 /dev/urandom >in
    mkdir -p folder
    chmod 777 folder
    echo public >folder/public
    chmod 644 folder/public
    find_nameless folder/out
    for code in EOPNOTSUPP EISDIR EINVAL; do
        for i in 1 2; do
            name="$code, run $i"
            [ "$i" = 2 ] || rm -f folder/out
            [ "$i" = 1 ] || { echo old >folder/out && chmod 666 folder/out; }
            named in folder/out
            [ "$(stat -c '%a %u %h' "$temporary")" = "600 0 1" ] || problem "it is $(stat -c '%a %u %h' "$temporary")"
            [[ ${temporary##*/} =~ ^\.zslice-[0-9a-f]{16}$ ]] || problem "its name is $temporary"
            [[ " ${seen[*]} " != *" $temporary "* ]] || problem "the same name again"
            seen+=("$temporary")
            (
                cd folder
                other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
                "${other[@]}" cat public >/dev/null || exit 1
                ! "${other[@]}" cat "${temporary##*/}" >/dev/null 2>&1 || exit 2
                # shellcheck disable=SC2016 # for another shell
                ! "${other[@]}" bash -c ': >>"$1"' - "${temporary##*/}" 2>/dev/null || exit 3
            ) || problem "others can open it, or nothing at all: $?"
            if [ "$i" = 2 ]; then
                [ "$(tr -d '\0' <folder/out)" = old ] || problem "the old bytes are gone"
            else
                [ ! -e folder/out ] || problem "it is there already"
            fi
            end_named
            [ "$status" -eq 0 ] || problem "exit status $status: $(<err)"
            cmp in folder/out || problem "wrong bytes"
            number=644
            [ "$i" = 1 ] || number=666
            [ "$(stat -c %a folder/out)" = $number ] || problem "its mode is $(stat -c %a folder/out)"
            check_tidy folder
        done
    done
    [ ${#seen[@]} -eq 6 ] || problem "not six names"
    all_good
}

@test "temporary files are removed: after signals, after faults" {
    local signal number fault
    enter own
    head -c 3500000 /dev/urandom >in
    mkdir -p folder
    echo old >folder/out
    find_nameless folder/out
    echo old >folder/out
    code=EOPNOTSUPP
    for signal in INT:130 TERM:143 HUP:129; do
        name="SIG${signal%:*}"
        number=${signal#*:}
        named in folder/out
        end_named "${signal%:*}"
        [ "$status" -eq "$number" ] || problem "exit status $status"
        [ "$(tr -d '\0' <folder/out)" = old ] || problem "it was changed"
        grep -q "^zslice: folder/out: .*SIG${signal%:*}; the target is as it was" err || problem "$(<err)"
        check_tidy folder
    done
    # Without a name there is nothing to remove.
    for fault in splice:error=EIO:when=2 fsync:error=EIO fchmod:error=EPERM renameat:error=EIO linkat:error=EIO \
        linkat:error=EMLINK "renameat:error=EXDEV"; do
        for how in unnamed named; do
            [ $how-${fault%%:*} != named-linkat ] || continue
            name="$how, $fault"
            faults=(-e "trace=openat,${fault%%:*}" -e "inject=$fault")
            [ $how = unnamed ] || faults+=(-e "inject=openat:error=EOPNOTSUPP:when=$nameless")
            status=0 cases=$((cases + 1))
            strace -f -o log "${faults[@]}" "$ZSLICE" --stats=json --atomic in folder/out 2>err || status=$?
            grep -v openat log | grep -q INJECTED || problem "the fault did not fire"
            read_report || continue
            # An engine that cannot go on is not the end.
            [ "$status" -eq 1 ] || problem "exit status $status: $message"
            [[ $message = "zslice: folder/out: "*"; the target is as it was" ||
                $message = "zslice: folder/out: "* || $message = "zslice: in: "* ]] || problem "$message"
            [ "$(tr -d '\0' <folder/out)" = old ] || problem "it was changed"
            check_tidy folder
        done
    done
    all_good
}

# identity FILE: all that --atomic keeps.
identity() {
    stat -c '%a %u %g' "$1"
    getfacl -cnp "$1"
    getfattr -d -e hex -m '^user\.' --absolute-names "$1" | tail -n +2 | sort
}

@test "--atomic keeps mode, owner, access control list, user attributes; other hard links keep the old bytes" {
    local mode how acl
    command -v setfacl >/dev/null && command -v setfattr >/dev/null || skip "needs setfacl and setfattr"
    enter own
    head -c 700000 /dev/urandom >in
    mkdir -p folder
    find_nameless folder/out
    for how in unnamed named; do
        for default in no yes; do
            rm -rf folder
            mkdir folder
            [ $default = no ] || setfacl -d -m u:4242:rwx,g:4343:rx,o::rwx folder
            for mode in 640 6755 000; do
                for acl in "" "u:1111:rwx,g::-,m::r"; do
                    name="$how, default list: $default, mode $mode, list: $acl"
                    rm -f folder/*
                    echo old >folder/out
                    setfacl -b folder/out
                    setfattr -n user.one -v "a value" folder/out
                    setfattr -n user.binary -v 0x00ff000a folder/out
                    setfattr -n user.empty -v "" folder/out
                    chown 1234:5678 folder/out
                    chmod $mode folder/out
                    [ -z "$acl" ] || setfacl -m "$acl" folder/out
                    ln folder/out folder/other
                    identity folder/out >before
                    status=0 cases=$((cases + 1))
                    if [ $how = named ]; then
                        strace -o log -e trace=openat -e "inject=openat:error=EOPNOTSUPP:when=$nameless" \
                            "$ZSLICE" --atomic in folder/out 2>err || status=$?
                        grep -q 'O_TMPFILE.*INJECTED' log || problem "the fault did not fire"
                    else
                        "$ZSLICE" --atomic in folder/out 2>err || status=$?
                    fi
                    [ "$status" -eq 0 ] || problem "exit status $status"
                    cmp in folder/out || problem "wrong bytes"
                    identity folder/out | diff before - >difference || problem "not kept: $(<difference)"
                    [ "$(<folder/other)" = old ] || problem "the other hard link has other bytes"
                    identity folder/other | diff before - >difference || problem "the other's: $(<difference)"
                    check_tidy folder
                done
            done
        done
    done
    # A new file is as any new file in that folder.
    for default in no yes; do
        for how in unnamed named; do
            name="a new file, $how, default list: $default"
            rm -rf folder
            mkdir folder
            [ $default = no ] || setfacl -d -m u:4242:rwx,g:4343:rx,o::r folder
            cases=$((cases + 1))
            if [ $how = named ]; then
                strace -o log -e trace=openat -e "inject=openat:error=EOPNOTSUPP:when=$nameless" \
                    "$ZSLICE" --atomic in folder/out
            else
                "$ZSLICE" --atomic in folder/out
            fi
            "$ZSLICE" in folder/plain
            identity folder/plain >before
            identity folder/out | diff before - >difference || problem "not as other new files: $(<difference)"
        done
    done
    all_good
}

@test "--atomic is refused where the owner cannot be kept, or the file could not be written to" {
    local who
    enter own
    head -c 70000 /dev/urandom >in
    cp "$ZSLICE" program
    chmod 755 . program
    mkdir -p folder
    chmod 777 folder
    who=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    # OWNER MODE MESSAGE
    while read -r owner mode wanted; do
        name="$owner, mode $mode"
        rm -f folder/*
        echo old >folder/out
        chmod "$mode" folder/out
        chown "$owner" folder/out
        identity=$(stat -c '%a %u %g %i %y' folder/out)
        status=0 cases=$((cases + 1))
        "${who[@]}" ./program --atomic in folder/out 2>err || status=$?
        if [ "$wanted" = "done" ]; then
            [ "$status" -eq 0 ] || problem "exit status $status: $(<err)"
            cmp in folder/out || problem "wrong bytes"
            [ "$(stat -c '%a %u %g' folder/out)" = "${mode#0} ${owner/:/ }" ] || problem "not kept"
        else
            [ "$status" -eq 2 ] || problem "exit status $status"
            [[ $(<err) = "zslice: folder/out: "*"$wanted"* ]] || problem "the message: $(<err)"
            [ "$(tr -d '\0' <folder/out)" = old ] || problem "it was changed"
            [ "$(stat -c '%a %u %g %i %y' folder/out)" = "$identity" ] || problem "it is another one"
        fi
        check_tidy folder
    done <<'TABLE'
65534:65534 0600 done
65534:65534 0640 done
0:0 0666 the new file cannot have the owner of the old
65534:0 0664 the new file cannot have the owner of the old
0:65534 0664 the new file cannot have the owner of the old
0:0 0644 Permission denied
65534:65534 0444 Permission denied
TABLE
    name="a folder in which nothing can be created"
    rm -f folder/*
    echo old >folder/out
    chmod 666 folder/out
    chown 65534:65534 folder/out
    chmod 755 folder
    status=0 cases=$((cases + 1))
    "${who[@]}" ./program --atomic in folder/out 2>err || status=$?
    [ "$status" -eq 2 ] || problem "exit status $status"
    [[ $(<err) = "zslice: folder/out: creating a file in its folder: ${reason_of[EACCES]}" ]] || problem "$(<err)"
    [ "$(tr -d '\0' <folder/out)" = old ] || problem "it was changed"
    all_good
}

# Names that are more than names: to a terminal, to a reader of lines, to an option parser.
strange_names() {
    names=(
        $'line\nbreak' $'carriage\rreturn' $'escape\e[31mred\e[0m' $'bell\a' $'not\xffUTF\xc3' 'back\slash' ' blanks '
        $'tab\there' '-leading' '--digest=sha256' 'paren) = 0' 'SHA256 (x) = 00' $'\u202eoverride' $'C1\u009b31m'
        'ünïcode' '%s%n' '[0:1]' $'\\n\n\\' $'overlong\xc0\xaf' $'surrogate\xed\xa0\x80')
}

# clean FILE: it can be shown on any terminal, line by line.
clean() {
    iconv -f UTF-8 -t UTF-8 <"$1" >/dev/null 2>&1 || problem "invalid UTF-8: $(tr -d '\n' <"$1" | cat -v)"
    ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$1" || problem "control bytes: $(cat -v "$1")"
    ! grep -qP '[\x{80}-\x{9f}\x{200e}\x{200f}\x{2028}-\x{202e}]' "$1" || problem "obeyed by terminals: $(cat -v "$1")"
}

@test "strange names: every message is one line that drives no terminal" {
    local strange option words status lines
    strange_names
    export LC_ALL=C.UTF-8
    mkdir work
    cd work
    for strange in "${names[@]}"; do
        name="$(printf %q "$strange")"
        printf 'ten bytes.' >data
        printf 'other bytes' >other
        cp data ./"$strange"
        lines=0
        : >../err
        # What fails, by where the name is. No name has a bar.
        for arguments in "--atomic|--|data|no/$strange" "--|$strange/x|out" "--no-clobber|--|data|$strange" \
            "--resume|--|other|$strange" "--|$strange|$strange" "--in-place=collapse|-o|3|--|$strange" \
            "--exact|-l|1M|--|$strange|out" "-o|1M|--|$strange|out" "--atomic|--|data|$strange/x"; do
            IFS='|' read -rd '' -a words <<<"$arguments" || true
            words[-1]=${words[-1]%$'\n'}
            status=0 cases=$((cases + 1)) lines=$((lines + 1))
            "$ZSLICE" "${words[@]}" 2>>../err </dev/null >/dev/null || status=$?
            [[ $status = [23] ]] || problem "exit status $status of $arguments"
        done
        [ "$(grep -ac '^zslice: ' ../err)" -eq $lines ] && [ "$(wc -l <../err)" -eq $lines ] ||
            problem "not one line of each: $(cat -v ../err)"
        # What succeeds, and tells of it.
        for option in --explain --verbose "--verify --verbose"; do
            cases=$((cases + 1))
            "$ZSLICE" $option -- "$strange" to >>../err 2>&1 || problem "$option failed"
        done
        clean ../err
        rm -rf ./*
    done
    cd ..
    all_good
}

@test "strange names: what difference --verify found, what a signal left" {
    local strange
    strange_names
    export LC_ALL=C.UTF-8
    mkdir work
    for strange in "${names[@]:0:6}"; do
        name="$(printf %q "$strange")"
        cp old work/"$strange"
        head -c 500000 old >work/to
        for cause in changed SIGTERM; do
            rm -f log err
            cd work
            strace -f -o ../log -e trace=fdatasync -e inject=fdatasync:signal=STOP "$ZSLICE" --verify -- "$strange" to \
                2>../err 3>&- &
            tracer=$!
            cd ..
            wait_for grep -q 'stopped by SIGSTOP' log
            tracee=$(awk '/stopped by SIGSTOP/ { print $1; exit }' log)
            if [ $cause = changed ]; then
                printf 'other bytes' | dd of=work/"$strange" conv=notrunc status=none
            else
                kill -TERM "$tracee"
            fi
            kill -CONT "$tracee"
            status=0
            wait "$tracer" || status=$?
            cases=$((cases + 1))
            [[ $cause-$status = changed-4 || $cause-$status = SIGTERM-143 ]] || problem "exit status $status"
            [ "$(wc -l <err)" -eq 1 ] || problem "not one line: $(cat -v err)"
            clean err
        done
        rm -rf work/*
    done
    all_good
}

@test "strange names: sha256sum and xxhsum accept the digest's line, and JSON has the very bytes" {
    local strange kind options
    strange_names
    mkdir work
    head -c 20000 in >work/data
    cd work
    for strange in "${names[@]}"; do
        for kind in sha256 xxh128; do
            name="$(printf %q "$strange"), $kind"
            for options in "" "--atomic -o 10"; do
                [[ -z $options || $kind = sha256 ]] || continue
                rm -f ./"$strange"
                cases=$((cases + 1))
                "$ZSLICE" --digest=$kind --stats=json $options -- data "$strange" 2>../told ||
                    problem "it failed: $(cat -v ../told)"
                sed '$d' ../told >../sums
                [ "$(wc -l <../sums)" -eq 1 ] || problem "not one line"
                case $kind-$strange in
                sha256-*)
                    sha256sum --strict --status --check ../sums || problem "sha256sum does not accept $(cat -v ../sums)"
                    # The very line that it prints itself.
                    sha256sum --tag -- "$strange" | cmp - ../sums || problem "it is not what sha256sum prints"
                    ;;
                xxh128-*[$'\n\r\\']* | 'xxh128-paren) = 0' | 'xxh128-SHA256 (x) = 00') ;; # xxhsum knows no escapes
                xxh128-*)
                    xxhsum --quiet --strict --check ../sums >/dev/null 2>&1 ||
                        problem "xxhsum does not accept $(cat -v ../sums)"
                    ;;
                esac
            done
            # A target without a name: the line names SOURCE[START:END].
            rm -f ./"$strange"
            cp data ./"$strange"
            cases=$((cases + 1))
            "$ZSLICE" --digest=$kind -l 10 -- "$strange" 2>../sums >/dev/null || problem "it failed"
            [ "$(wc -l <../sums)" -eq 1 ] || problem "not one line: $(cat -v ../sums)"
            rm -f ./"$strange"
            cp data from
            "$ZSLICE" --digest=$kind --stats=json -- from "$strange" 2>>../json
        done
        printf '%s\0' "$strange" "$strange" >>../wanted
        rm -f ./"$strange"
    done
    cd ..
    name="JSON"
    "$PYTHON" -IS -c '
import json, os, sys
names = open("wanted", "rb").read().split(b"\0")[:-1]
lines = [line for line in open("json", "rb").read().split(b"\n") if line.startswith(b"{")]
assert len(names) == len(lines) > 0, (len(names), len(lines))
for name, line in zip(names, lines):
    report = json.loads(line.decode("utf-8"))  # valid UTF-8
    for value in (report["target"], report["digest"]["of"]):
        assert value.encode("utf-8", "surrogateescape") == name, (name, value)
    assert not any(byte < 32 or byte == 127 for byte in line), line' || problem "JSON"
    all_good
}
