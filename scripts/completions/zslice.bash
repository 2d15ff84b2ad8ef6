# Completion of zslice for bash.

# shellcheck shell=bash

_zslice() {
    local current=${COMP_WORDS[COMP_CWORD]} option='' value='' words
    COMPREPLY=()

    # "--engine=sp" comes as three words, if COMP_WORDBREAKS has the "=".
    if [[ $current == --*=* ]]; then
        option=${current%%=*} value=${current#*=}
    elif [[ $current == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]}
    elif ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]} value=$current
    elif ((COMP_CWORD > 1)); then
        option=${COMP_WORDS[COMP_CWORD - 1]} value=$current
    fi

    case $option in
        --engine) words='auto reflink copy-range splice sendfile map-write buffer' ;;
        --digest) words='sha256 xxh128' ;;
        --sparse | --reflink) words='auto always never' ;;
        --in-place) words='collapse auto' ;;
        --stats) words='json' ;;
        -j | --jobs) words='auto 1 2' ;;
        --report)
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            compopt -o filenames 2>/dev/null
            return
            ;;
        -o | --offset | -l | --length | -e | --end | -r | --range | --record | --field | --shard | --align | --seek)
            return # a number
            ;;
        *) words='' ;;
    esac
    if [[ $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$value")
        [[ $current != --*=* ]] || COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        return
    fi

    if [[ $current == -* ]]; then
        words='--offset= --length= --end= --range= --record= --field= --shard= --align= --exact --seek= --keep-offset
            --append --truncate --no-clobber --resume --atomic --in-place= --sparse= --reflink= --sync --no-cache
            --engine= --jobs= --stable --explain --digest= --verify --progress --verbose --stats= --report= --help
            --usage --version -o -l -e -r -x -k -a -n -j -p -v'
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
        return
    fi
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
}

complete -F _zslice zslice
