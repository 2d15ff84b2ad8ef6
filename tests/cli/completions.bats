#!/usr/bin/env bats
# Completions agree with --help, and work in the shells they are for.

load ../helper

# complete_in_bash WORD...: what bash offers for the last word.
complete_in_bash() {
    bash --norc -c '
        source "$PROJECT/scripts/completions/zslice.bash"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _zslice
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort
}

options_of_help() {
    "$ZSLICE" --help | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort
}

letters_of_help() {
    "$ZSLICE" --help | grep -oE '^  -[a-z],' | grep -oE -- '-[a-z]' | sort
}

# values_of_help OPTION: the words that its line offers, as the program itself names them on error.
values_of() {
    "$ZSLICE" "$1=nonsense" 2>&1 | sed -nE "s/.*: not one of ([a-z0-9, -]+): 'nonsense'.*/\1/p" | tr -d ' ' | tr ',' '\n' |
        sort
}

# complete_in_fish PROGRAM LINE EXPECTED: what fish offers at the end of the line, sorted.
complete_in_fish() {
    diff <(echo "$3") <(HOME=$PWD fish --no-config -c "source '$PROJECT/scripts/completions/$1.fish'; complete -C '$2'" |
        cut -f 1 | sort)
}

# complete_in_zsh LINE: what is on the line after a Tab.
complete_in_zsh() {
    zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1=; unsetopt zle_bracketed_paste; fpath=($1/scripts/completions \$fpath)"
        zpty -w shell "autoload -U compinit; compinit -u -D; LISTMAX=1000; bindkey \"^I\" complete-word"
        zpty -w shell "zle -N show; show() { print -r -- \"<<\$BUFFER>>\"; }; bindkey \"^X\" show; print \${:-rea}dy" # the echo of this line is not it
        line=
        until [[ $line == *ready* ]]; do zpty -r shell line || exit 1; done
        zpty -n -w shell "$2"$'"'\\t\\x18'"'
        for ((i = 0; i < 100; i++)); do
            while zpty -r -t shell line; do
                [[ $line != *"<<"*">>"* ]] || { print -r -- "${${line#*<<}%%>>*}"; exit; }
            done
            sleep 0.1
        done
        exit 1' zsh "$PROJECT" "$1"
}

@test "all three have the options of --help, and the letters" {
    local file=$PROJECT/scripts/completions
    [ "$(options_of_help | wc -l)" -ge 34 ]
    diff <(options_of_help) <(complete_in_bash zslice -- | tr -d =)
    diff <(letters_of_help) <(complete_in_bash zslice - | grep -E '^-[a-z]$')
    diff <(options_of_help) <(grep -oE -- '--[a-z-]+(=?\[|=?\}|,)' "$file/_zslice" | grep -oE -- '--[a-z-]+' | sort -u)
    diff <(options_of_help) <(sed -nE 's/^complete .* -l ([a-z-]+) .*/--\1/p' "$file/zslice.fish" | sort)
    diff <(letters_of_help) <(sed -nE 's/^complete -c zslice -s ([a-z]) .*/-\1/p' "$file/zslice.fish" | sort)
}

@test "all three have the words that an option takes" {
    local option words file=$PROJECT/scripts/completions
    for option in --engine --digest --sparse --reflink --in-place; do
        words=$(values_of $option)
        echo "$option: $words"
        [ "$(wc -l <<<"$words")" -ge 2 ]
        diff <(echo "$words") <(complete_in_bash zslice "$option" = '')
        diff <(echo "$words") <(grep -oE -- "$option=\[.*:\(.*\)" "$file/_zslice" | sed -E 's/.*\((.*)\)/\1/' | tr ' ' '\n' | sort)
        diff <(echo "$words") <(sed -nE "s/^complete .* -l ${option#--} -x -a '([^']*)'.*/\1/p" "$file/zslice.fish" | tr ' ' '\n' | sort)
    done
}

@test "bash: values in every form, files, and nothing for numbers" {
    touch 'file one' file.two
    [ "$(complete_in_bash zslice --engine=sp)" = --engine=splice ]
    [ "$(complete_in_bash zslice --engine = sp)" = splice ]
    [ "$(complete_in_bash zslice --engine sp)" = splice ]
    [ "$(complete_in_bash zslice --digest =)" = "$(printf 'sha256\nxxh128')" ]
    [ "$(complete_in_bash zslice --offset '')" = "" ]
    [ "$(complete_in_bash zslice fil)" = "$(printf 'file one\nfile.two' | sort)" ]
    [ "$(complete_in_bash zslice --report fil | wc -l)" -eq 2 ]
    [ "$(complete_in_bash zslice --no)" = "$(printf -- '--no-cache\n--no-clobber')" ]
    [ "$(complete_in_bash zslice --nonsense)" = "" ]
}

@test "bash, fish and zsh complete the operands of zdd, the last word of a list, and files" {
    touch file.two
    # complete_zdd_in_bash WORD...
    complete_zdd_in_bash() {
        bash --norc -c '
            source "$PROJECT/scripts/completions/zdd.bash"
            COMP_WORDS=("$@")
            COMP_CWORD=$(($# - 1))
            _zdd
            printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort | paste -s -d ' '
    }
    [ "$(complete_zdd_in_bash zdd is)" = "iseek=" ]
    [ "$(complete_zdd_in_bash zdd conv=notrunc,sp)" = "conv=notrunc,sparse" ]
    [ "$(complete_zdd_in_bash zdd bs=1 conv = noe)" = "noerror" ]
    [ "$(complete_zdd_in_bash zdd of = fil)" = "file.two" ]
    [ "$(complete_zdd_in_bash zdd if=fil)" = "if=file.two" ]
    [ "$(complete_zdd_in_bash zdd status=)" = "status=none status=noxfer status=progress" ]
    [ "$(complete_zdd_in_bash zdd bs=)" = "" ]
    command -v fish >/dev/null || skip "needs fish"
    complete_in_fish zdd 'zdd is' iseek=
    complete_in_fish zdd 'zdd conv=notrunc,sp' conv=notrunc,sparse
    complete_in_fish zdd 'zdd if=fil' if=file.two
    command -v zsh >/dev/null || skip "needs zsh"
    [ "$(complete_in_zsh 'zdd ise')" = 'zdd iseek=' ]
    [ "$(complete_in_zsh 'zdd conv=notrunc,sp')" = 'zdd conv=notrunc,sparse' ]
    [ "$(complete_in_zsh 'zdd if=fil')" = 'zdd if=file.two ' ]
}

@test "fish completes options, values and files" {
    command -v fish >/dev/null || skip "needs fish"
    touch file.two
    complete_in_fish zslice 'zslice --engine=sp' --engine=splice
    complete_in_fish zslice 'zslice --digest ' "$(printf 'sha256\nxxh128')"
    complete_in_fish zslice 'zslice --no-c' "$(printf -- '--no-cache\n--no-clobber')"
    complete_in_fish zslice 'zslice fil' file.two
}

@test "zsh completes options, values and files" {
    command -v zsh >/dev/null || skip "needs zsh"
    touch file.two
    [ "$(complete_in_zsh 'zslice --engine=sp')" = 'zslice --engine=splice ' ]
    [ "$(complete_in_zsh 'zslice --digest=xx')" = 'zslice --digest=xxh128 ' ]
    [ "$(complete_in_zsh 'zslice --keep-o')" = 'zslice --keep-offset ' ]
    [ "$(complete_in_zsh 'zslice fil')" = 'zslice file.two ' ]
}
