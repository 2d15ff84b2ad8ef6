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

@test "fish completes options, values and files" {
    command -v fish >/dev/null || skip "needs fish"
    touch file.two
    export HOME=$PWD
    # complete_in_fish LINE
    complete_in_fish() {
        fish --no-config -c "source '$PROJECT/scripts/completions/zslice.fish'; complete -C '$1'" | cut -f 1 | sort
    }
    [ "$(complete_in_fish 'zslice --engine=sp')" = --engine=splice ]
    [ "$(complete_in_fish 'zslice --digest ')" = "$(printf 'sha256\nxxh128')" ]
    [ "$(complete_in_fish 'zslice --no-c')" = "$(printf -- '--no-cache\n--no-clobber')" ]
    [ "$(complete_in_fish 'zslice fil')" = file.two ]
}

@test "zsh completes options, values and files" {
    command -v zsh >/dev/null || skip "needs zsh"
    touch file.two
    # complete_in_zsh LINE: what is on the line after a Tab.
    complete_in_zsh() {
        zsh -f -c '
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "PS1=; unsetopt zle_bracketed_paste; fpath=($1/scripts/completions \$fpath)"
            zpty -w shell "autoload -U compinit; compinit -u -D; LISTMAX=1000; bindkey \"^I\" complete-word"
            zpty -w shell "zle -N show; show() { print -r -- \"<<\$BUFFER>>\"; }; bindkey \"^X\" show; print ready"
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
    [ "$(complete_in_zsh 'zslice --engine=sp')" = 'zslice --engine=splice ' ]
    [ "$(complete_in_zsh 'zslice --digest=xx')" = 'zslice --digest=xxh128 ' ]
    [ "$(complete_in_zsh 'zslice --keep-o')" = 'zslice --keep-offset ' ]
    [ "$(complete_in_zsh 'zslice fil')" = 'zslice file.two ' ]
}
