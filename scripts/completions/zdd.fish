# Completion of zdd for fish.

# Of a list separated by commas the last word is completed.
function __zdd_words
    set -l token (commandline -ct)
    set -l before (string replace -r '[^,=]*$' '' -- $token)
    for word in $argv
        echo $before$word
    end
end

function __zdd_operands
    set -l flags append count_bytes direct directory dsync noatime nocache noctty nofollow nonblock seek_bytes \
        skip_bytes sync
    switch (commandline -ct)
        case 'if=*' 'of=*'
            __fish_complete_path (string replace -r '^.f=' '' -- (commandline -ct)) | string replace -r '^' (string sub -l 3 -- (commandline -ct))
        case 'conv=*'
            __zdd_words excl fdatasync fsync nocreat noerror notrunc sparse sync
        case 'iflag=*'
            __zdd_words $flags fullblock
        case 'oflag=*'
            __zdd_words $flags
        case 'status=*'
            __zdd_words none noxfer progress
        case '*'
            printf '%s\n' if= of= bs= ibs= obs= skip= seek= count= iseek= oseek= conv= iflag= oflag= status=
    end
end

complete -c zdd -f -a '(__zdd_operands)'
complete -c zdd -l help -d 'Show the operands'
complete -c zdd -l version -d 'Show the version'
