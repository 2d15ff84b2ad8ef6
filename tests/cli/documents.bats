#!/usr/bin/env bats
# Help, man page and README agree with each other and with what the program does.

load ../helper

options_of_help() {
    "$ZSLICE" --help | grep -oE -- '--[a-z-]+' | sort -u
}

options_of_man_page() {
    sed -n '/^\.Sh OPTIONS/,/^\.Sh EXIT/s/^\.It //p' "$PROJECT/man/zslice.1" |
        grep -oE -- '(Fl -[a-z-]+)' | sed 's/Fl -/--/' | sort -u
}

letters_of_help() {
    "$ZSLICE" --help | sed -nE 's/^  -([a-z]), --([a-z-]+).*/\1 \2/p' | sort
}

letters_of_man_page() {
    sed -nE 's/^\.It Fl ([a-z]) , Fl -([a-z-]+).*/\1 \2/p' "$PROJECT/man/zslice.1" | sort
}

# The commands of the README's recipes, and of the man page's examples.
recipes() {
    sed -n '/^## Recipes/,/^## /p' "$PROJECT/README.md" | sed -n '/^```sh/,/^```/p' |
        grep -vE '^(```|#|$)'
}

examples() {
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh [^E]/s/^\.Dl //p' "$1"
}

prepare_files() {
    rm -rf work
    mkdir work
    random_file work/in 20000
    random_file work/disk.img 65536
    random_file work/out 8
    random_file work/boot.bin 700
    random_file work/payload.ref 5000
    { printf '#!/bin/sh\nexit\n__PAYLOAD__\n' && cat work/payload.ref; } >work/installer
    cp work/disk.img work/disk.before
    random_file work/log 70000
    cp work/out work/out.before
    cp work/log work/log.before
}

# Run in the folder of the files after the command: what other tools say the result must be.
check_result() {
    case $1 in
    'zslice --offset 1024 in out') tail -c +1025 in | cmp - out ;;
    'zslice --offset 1 --end 3 in out') head -c 3 in | tail -c 2 | cmp - out ;;
    'zslice --offset -4 in out') tail -c 4 in | cmp - out ;;
    'zslice --range 10:100:3 in out')
        python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[10:100:3])' <in | cmp - out
        ;;
    'zslice --range 0:100:2 in out')
        python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[0:100:2])' <in | cmp - out
        ;;
    'zslice --offset '*' installer payload') cmp payload.ref payload ;;
    'zslice --seek 1s boot.bin disk.img')
        cp disk.before expected && dd if=boot.bin of=expected bs=512 seek=1 conv=notrunc status=none &&
            cmp expected disk.img
        ;;
    'zslice --offset -4K in out') tail -c 4096 in | cmp - out ;;
    'seq 5000 | zslice --offset -4K > out') seq 5000 | tail -c 4096 | cmp - out ;;
    'seq 5000 | zslice --end -2 > out') seq 5000 | head -c -2 | cmp - out ;;
    'seq 1000 | zslice --end -2 > out') seq 1000 | head -c -2 | cmp - out ;;
    'zslice -r 0:512 -r 4K+1K -r -512: in out')
        { head -c 512 in && dd if=in bs=1K skip=4 count=1 status=none && tail -c 512 in; } | cmp - out
        ;;
    'zslice --record 16 --offset 100B --field 4:8 in column')
        python3 -c 'import sys
view = memoryview(sys.stdin.buffer.read())[100:]
for i in range(0, len(view), 16): sys.stdout.buffer.write(view[i + 4:i + 8])' <in | cmp - column
        ;;
    'zslice --record 16 --range 100B::10 in records')
        python3 -c 'import sys
view = memoryview(sys.stdin.buffer.read())[100:]
for i in range(0, len(view), 160): sys.stdout.buffer.write(view[i:i + 16])' <in | cmp - records
        ;;
    'for part in 1 2 3 4; do'*)
        # In blocks of 4 KiB that the file has 4.9 of, the bounds are 1, 2 and 3.
        split --bytes=4096 --numeric-suffixes=1 --suffix-length=1 in reference. &&
            cat reference.4 reference.5 >last && cmp reference.1 part.1 && cmp reference.2 part.2 &&
            cmp reference.3 part.3 && cmp last part.4
        ;;
    'zslice --shard 2/4 --align 4K in part.2')
        dd if=in bs=4K skip=1 count=1 status=none | cmp - part.2
        ;;
    'parallel zslice '*) cmp in out ;;
    'zslice --offset 16s --length 8s disk.img partition')
        dd if=disk.img bs=512 skip=16 count=8 status=none | cmp - partition
        ;;
    'zslice --length 4 --seek 4 /dev/urandom out')
        [ "$(stat -c %s out)" -eq 8 ] && cmp -n 4 out out.before && ! cmp -s out out.before
        ;;
    '{ zslice --length 512 - head; zslice --offset 16 - body; } < in')
        head -c 512 in | cmp - head && tail -c +529 in | cmp - body
        ;;
    'seq 1000 | zslice --exact --length 100 > out') seq 1000 | head -c 100 | cmp - out ;;
    'zslice --offset -4K in >> log') { cat log.before && tail -c 4096 in; } | cmp - log ;;
    'zslice --sync --no-cache --offset 1024 in out') tail -c +1025 in | cmp - out ;;
    'zslice --atomic --verify --offset 1024 in out') tail -c +1025 in | cmp - out ;;
    'zslice --length 10K in copy && zslice --resume in copy') cmp in copy ;;
    'zslice --in-place=auto --offset 64K log') tail -c +65537 log.before | cmp - log ;;
    'zslice --sparse=always --digest=sha256 disk.img copy 2> sums && sha256sum --check sums')
        cmp disk.img copy && [ "$(cat sums)" = "$(sha256sum --tag copy)" ]
        ;;
    'zslice --sparse=always --digest=sha256 disk.img copy') cmp disk.img copy ;;
    'zslice --progress in out') cmp in out ;;
    'zslice --explain --offset 1024 in out') cmp out out.before ;;
    'zslice --stable --offset 1024 in | sha256sum > sum')
        diff <(tail -c +1025 in | sha256sum) sum
        ;;
    "zslice in tcp://localhost:\$PORT") wait && cmp in received ;;
    "zslice in > /dev/tcp/127.0.0.1/\$PORT") wait && cmp in received ;;
    'zdd if=disk.img of=partition bs=512 skip=16 count=8')
        dd if=disk.img bs=512 skip=16 count=8 status=none | cmp - partition
        ;;
    'zdd bs=1K skip=1 if=in of=out') tail -c +1025 in | cmp - out ;;
    'zdd iflag=skip_bytes,count_bytes skip=1024 count=10000 if=in of=out')
        tail -c +1025 in | head -c 10000 | cmp - out
        ;;
    'zdd if=boot.bin of=disk.img bs=446 count=1 conv=notrunc')
        { head -c 446 boot.bin && tail -c +447 disk.before; } | cmp - disk.img
        ;;
    'zdd if=/dev/null of=out bs=1 count=0 seek=1G') [ "$(stat --format '%s' out)" -eq 1073741824 ] ;;
    'seq 1000 | zdd bs=100 count=1 iflag=fullblock of=out') seq 1000 | head -c 100 | cmp - out ;;
    'zdd if=disk.img of=out bs=4K conv=noerror,sync status=progress') cmp disk.img out ;;
    *)
        echo "no reference for: $1"
        return 1
        ;;
    esac
}

# start_receiver: sets PORT; what is sent there is in ./received when the receiver has ended.
start_receiver() {
    python3 - 3>&- <<'PYTHON' &
import os, socket
server = socket.create_server(("127.0.0.1", 0))
with open("port.new", "w") as port:
    port.write(str(server.getsockname()[1]))
os.rename("port.new", "port")
connection, _ = server.accept()
with open("received", "wb") as received:
    while piece := connection.recv(65536):
        received.write(piece)
PYTHON
    until [ -e port ]; do
        kill -0 $! # is it still there?
        sleep 0.02
    done
    PORT=$(cat port)
    export PORT
}

run_documented() {
    local command
    local -i count=0
    mkdir -p bin
    ln -sf "$ZSLICE" bin/zslice
    ln -sf "$ZSLICE" bin/zdd
    PATH=$PWD/bin:$PATH
    while IFS= read -r command; do
        echo "running: $command"
        prepare_files
        cd work
        case $command in
        *PORT*) start_receiver ;;
        esac
        bash -c "set -e; $command" </dev/null
        check_result "$command"
        cd ..
        count+=1
    done
    [ "$count" -ge "$1" ]
}

@test "the recipes of the README do what they say" {
    run_documented 28 < <(recipes)
}

@test "the examples of the man pages do what they say" {
    run_documented 20 < <(examples "$PROJECT/man/zslice.1")
    run_documented 6 < <(examples "$PROJECT/man/zdd.1")
}

# operands_of FILE, words_of OPERAND FILE: what a text of zdd has of those.
operands_of() {
    grep -oE '\b(if|of|bs|ibs|obs|skip|seek|count|iseek|oseek|conv|iflag|oflag|status|cbs)=' "$1" | sort -u
}

@test "the plan for many machines does what it says, on one and with fewer shards" {
    local command
    local -i commands=0
    # shellcheck disable=SC2016 # it is a pattern
    sed -n '/^\.Sh BEYOND/,/^\.Sh C/s/^\.Dl //p' "$PROJECT/man/zslice.1" |
        sed 's/10000/40/g; s/--sshloginfile nodes //; s/--align 1M/--align 4K/; s,/scratch/,,g; s/ 64 40/ 2 40/' >plan
    mkdir bin
    ln -s "$ZSLICE" bin/zslice
    PATH=$PWD/bin:$PATH
    random_file in 400001
    while read -r command; do
        echo "running: $command"
        case $command in
        *--resume-failed*) # two are lost, one of them halfway
            sed -i 's/\t0\t0\t\(zslice --shard 7\/40\)/\t1\t0\t\1/; /shard 9\/40/d' log
            [ "$(cut -f 7 log | grep -c 1)" = 1 ]
            printf x | dd of=out bs=1 seek=62000 conv=notrunc status=none
            ;;
        *--resume\ *)
            mkdir -p parts
            head -c 3000 in >parts/1
            ;;
        *SLURM*) rm out ;;
        esac
        SLURM_PROCID=0 bash -c "$command" </dev/null
        [[ $command != *SLURM* ]] || SLURM_PROCID=1 bash -c "$command" </dev/null
        [[ $command != *keep-offset* ]] || cmp in out
        commands+=1
    done <plan
    [ "$commands" -eq 7 ]
    [ "$(cat sums/*.sent | wc -l)" -eq 40 ]
    [ "$(wc -l <log)" -ge 41 ]
    for command in $(seq 40); do cat "parts/$command"; done | cmp - in
}

@test "help, man page and completions of zdd have the same operands and words" {
    local operand completions=$PROJECT/scripts/completions
    "$(dirname "$ZSLICE")/zdd" --help >help
    mandoc -T ascii -O width=200 "$PROJECT/man/zdd.1" | sed 's/.\x08//g' >page
    [ "$(operands_of help | wc -l)" -eq 15 ]
    for file in page "$completions"/{zdd.bash,_zdd,zdd.fish}; do
        diff <(operands_of help | grep -v cbs) <(operands_of "$file" | grep -v cbs)
    done
    # The words that the program takes are those of each text.
    sed -n '/^  conv=/,/^  status=/p' help | grep -v '^  status' | tr -cs 'a-z_' '\n' |
        grep -vxE 'WORDS|conv|iflag|oflag|the|same|without|' | sort -u >words
    [ "$(wc -l <words)" -eq 21 ]
    while read -r word; do
        grep -qE "\b$word\b" page || { echo "the man page does not have $word"; false; }
        for file in "$completions"/{zdd.bash,_zdd,zdd.fish}; do
            grep -qE "\b$word\b" "$file" || { echo "$file does not have $word"; false; }
        done
        for operand in conv iflag; do
            "$(dirname "$ZSLICE")/zdd" if=help of=/dev/null count=0 "$operand=$word" 2>&1 || true
        done >said
        [ "$(grep -c "'$word' is not known" said)" -le 1 ]
    done <words
    for operand in none noxfer progress; do
        for file in help page "$completions"/{zdd.bash,_zdd,zdd.fish}; do
            grep -qw "$operand" "$file" || { echo "$file does not have status=$operand"; false; }
        done
    done
}

@test "help and man page have the same options" {
    [ "$(options_of_help | wc -l)" -ge 20 ]
    diff <(options_of_help) <(options_of_man_page)
    [ "$(letters_of_help | wc -l)" -ge 9 ]
    diff <(letters_of_help) <(letters_of_man_page)
}

@test "help and man page name all engines" {
    local name
    for name in $(grep -oE '\[ZS_ENGINE_[A-Z_]+\] = "[a-z-]+"' "$PROJECT/src/stats.c" | cut -d '"' -f 2); do
        "$ZSLICE" --help | tr -s ' \n' ' ' | grep -qw -- "$name"
        grep -q "^\.It Cm $name\$" "$PROJECT/man/zslice.1"
    done
}

@test "the man page names every key of the statistics" {
    local key
    "$ZSLICE" --stats=json /dev/null /dev/null 2>stats
    for key in $(statistic 'keys[]'); do
        grep -qw "$key" "$PROJECT/man/zslice.1"
    done
}

@test "mandoc finds nothing wrong with the man pages" {
    # It also asks whether the pages in SEE ALSO are installed here.
    mandoc -T lint "$PROJECT/man/zslice.1" "$PROJECT/man/zdd.1" 2>err | grep -v 'referenced manual not found' >complaints ||
        true
    diff /dev/null complaints
}

@test "CONTRIBUTING's map has every source file and script" {
    local file name
    for file in "$PROJECT"/src/*.c "$PROJECT"/src/engine/*.c; do
        name=$(basename "$file" .c)
        grep -qE "(\`|/)$name(\.c|\.\[ch\])?\`" "$PROJECT/CONTRIBUTING.md" ||
            { echo "CONTRIBUTING.md does not have $name"; false; }
    done
    for file in "$PROJECT"/scripts/*; do
        grep -q "\`$(basename "$file")\`" "$PROJECT/CONTRIBUTING.md" ||
            { echo "CONTRIBUTING.md does not have $(basename "$file")"; false; }
    done
}

# The words of other tools that the man page translates, a command of theirs, and ours: with the same result.
translations() {
    cat <<'END'
if=A of=B|dd if=in of=theirs|zslice in ours
bs=1M|dd bs=1M if=in of=theirs|zslice in ours
skip=N|dd bs=512 skip=3 if=in of=theirs|zslice -o 3s in ours
seek=N|dd bs=512 seek=3 count=4 if=in of=theirs|zslice --seek=3s --truncate -l 4s in ours
seek=N conv=notrunc|dd bs=512 seek=3 count=4 conv=notrunc if=in of=theirs|zslice --seek=3s -l 4s in ours
count=N|dd bs=1K count=5 if=in of=theirs|zslice -l 5K in ours
iflag=skip_bytes,count_bytes|dd iflag=skip_bytes,count_bytes skip=1000 count=7001 if=in of=theirs|zslice -o 1000 -l 7001 in ours
oflag=seek_bytes|dd oflag=seek_bytes seek=77 conv=notrunc if=in of=theirs|zslice --seek=77 in ours
iflag=fullblock|cat in \| dd bs=9000 count=2 iflag=fullblock of=theirs|cat in \| zslice -l 18000 - ours
conv=notrunc|dd conv=notrunc if=in of=theirs|zslice --seek=0 in ours
oflag=append conv=notrunc|dd oflag=append conv=notrunc if=in of=theirs|zslice -a in ours
conv=excl|rm theirs; dd conv=excl if=in of=theirs|rm ours; zslice -n in ours
conv=fsync , conv=fdatasync|dd conv=fsync if=in of=theirs|zslice --sync in ours
conv=sparse|dd conv=sparse if=in of=theirs|zslice --sparse=always in ours
conv=noerror,sync|dd bs=4K conv=noerror,sync if=in of=theirs|zdd bs=4K conv=noerror,sync if=in of=ours
oflag=nocache|dd oflag=nocache if=in of=theirs|zslice --no-cache in ours
status=progress|dd status=progress if=in of=theirs|zslice -p in ours
head -c N|head -c 1234 in >theirs|zslice -l 1234 in ours
head -c -N|head -c -1234 in >theirs|zslice -e -1234 in ours
tail -c N|tail -c 1234 in >theirs|zslice -o -1234 in ours
tail -c +N|tail -c +1234 in >theirs|zslice -o 1233 in ours
split -n K/N|split -n 2/4 in >theirs|zslice --shard=2/4 in ours
END
}

@test "the words of other tools mean what the man page says" {
    local words theirs ours line
    random_file in.all 19999
    { cat in.all; head -c 20001 /dev/zero; } >in # four equal parts, and zeros
    random_file before 50000
    mkdir bin
    ln -s "$ZSLICE" bin/zslice
    ln -s "$ZSLICE" bin/zdd
    PATH=$PWD/bin:$PATH
    diff <(translations | cut -d '|' -f 1) \
        <(sed -n '/^\.Sh COMING FROM/,/^\.Sh NOTES/s/^\.It Li \(.*\) Ta .*/\1/p' "$PROJECT/man/zslice.1")
    while IFS= read -r line; do
        line=${line//\\|/$'\x01'}
        IFS='|' read -r words theirs ours <<<"$line"
        echo "$words"
        cp before theirs
        cp before ours
        bash -ec "${theirs//$'\x01'/|}" 2>/dev/null
        bash -ec "${ours//$'\x01'/|}" 2>/dev/null
        cmp theirs ours
    done < <(translations)
}
