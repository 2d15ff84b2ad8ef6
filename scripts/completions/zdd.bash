# Completion of zdd for bash.

# shellcheck shell=bash

_zdd() {
    local current=${COMP_WORDS[COMP_CWORD]} operand='' value='' words before=''
    COMPREPLY=()

    # "conv=no" comes as three words, if COMP_WORDBREAKS has the "=".
    if [[ $current == *=* && $current != = ]]; then
        operand=${current%%=*} value=${current#*=} before=$operand=
    elif [[ $current == = ]]; then
        operand=${COMP_WORDS[COMP_CWORD - 1]}
    elif ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        operand=${COMP_WORDS[COMP_CWORD - 2]} value=$current
    fi

    case $operand in
        if | of)
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            compopt -o filenames 2>/dev/null
            ;;
        status) mapfile -t COMPREPLY < <(compgen -W 'none noxfer progress' -- "$value") ;;
        conv | iflag | oflag)
            words='append count_bytes direct directory dsync noatime nocache noctty nofollow nonblock seek_bytes
                skip_bytes sync'
            [[ $operand == iflag ]] && words+=' fullblock'
            [[ $operand == conv ]] && words='excl fdatasync fsync nocreat noerror notrunc sparse sync'
            # A list: the last word of it is completed.
            [[ $value != *,* ]] || before+=${value%,*},
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "${value##*,}")
            compopt -o nospace 2>/dev/null
            ;;
        '')
            words='if= of= bs= ibs= obs= skip= seek= count= iseek= oseek= conv= iflag= oflag= status='
            ((COMP_CWORD > 1)) || words+=' --help --version'
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
            ;;
    esac
    COMPREPLY=("${COMPREPLY[@]/#/$before}")
}

complete -F _zdd zdd
