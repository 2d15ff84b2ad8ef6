#!/bin/bash
# Measures how shards scale over machines that share a file system, and prints a Markdown table.
#
#     scripts/scaling.sh [--nodes "1 2 4 8"] [--size MIB] [--link MBIT] [--rounds N] [--program FILE]
#
# The machines are network namespaces, each with a link of its own of --link Mbit/s in both directions (a token
# bucket, tc-tbf(8)), and mount one folder of this machine by SFTP (sshfs, without ssh: no encryption). Node K of
# N runs `zslice --shard K/N --align 1M --keep-offset` on a file in it, into another one in it. A round copies the
# file once with each number of nodes; the time is from the start of the first process to the end of the last one,
# and each result is compared with the source. What it cannot show is a file server that is the limit: this one is
# the memory of this machine.
#
# Needs root, ip, tc, sshfs, sftp-server and socat (Debian: iproute2 sshfs openssh-sftp-server socat).
set -euo pipefail
export LC_ALL=C

counts='1 2 4 8' mebibytes=256 mbit=400 rounds=3
program=$(dirname "$0")/../build/release/zslice
while (($# > 0)); do
    case $1 in
    --nodes) counts=${2:?} ;;
    --size) mebibytes=${2:?} ;;
    --link) mbit=${2:?} ;;
    --rounds) rounds=${2:?} ;;
    --program) program=${2:?} ;;
    *)
        sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
        [[ $1 == -h || $1 == --help ]] && exit 0 || exit 2
        ;;
    esac
    shift 2
done

fail() {
    echo "scaling.sh: $*" >&2
    exit 1
}

server=
for candidate in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server; do
    [ ! -x "$candidate" ] || server=$candidate
done
[ "$(id -u)" -eq 0 ] || fail 'it needs root'
[ -n "$server" ] || fail 'sftp-server is missing'
for needed in ip tc sshfs socat; do
    command -v $needed >/dev/null || fail "$needed is missing"
done
program=$(realpath -e "$program") || fail 'the program is not built'

work=$(mktemp -d)
name=zs$$
most=1
for count in $counts; do
    ((count <= most)) || most=$count
done

clean_up() {
    local node
    for ((node = 1; node <= most; node++)); do
        umount -l "$work/node.$node" 2>/dev/null || true
        ip netns delete "$name.$node" 2>/dev/null || true
        ip link delete "$name.$node" 2>/dev/null || true
    done
    [ -z "${listener-}" ] || kill "$listener" 2>/dev/null || true
    umount -l "$work/shared" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT

mkdir "$work/shared"
mount -t tmpfs tmpfs "$work/shared"
head -c "${mebibytes}M" /dev/urandom >"$work/shared/in"
socat TCP-LISTEN:20022,fork,reuseaddr EXEC:"$server" &
listener=$!

limit() { # limit [NAMESPACE] DEVICE
    local in=()
    [ $# -eq 1 ] || in=(nsenter --net="/run/netns/$1")
    "${in[@]}" tc qdisc add dev "${!#}" root tbf rate "${mbit}mbit" burst 256kb latency 50ms
}

# Not by `ip netns exec`, which has a mount namespace of its own.
mount_shared() { # mount_shared NODE
    nsenter --net="/run/netns/$name.$1" sshfs -o directport=20022 "10.213.$1.1:$work/shared" "$work/node.$1"
}

for ((node = 1; node <= most; node++)); do
    ip netns add "$name.$node"
    ip link add "$name.$node" type veth peer name eth0 netns "$name.$node"
    ip address add "10.213.$node.1/24" dev "$name.$node"
    ip link set "$name.$node" up
    ip -n "$name.$node" address add "10.213.$node.2/24" dev eth0
    ip -n "$name.$node" link set eth0 up
    limit "$name.$node"
    limit "$name.$node" eth0
    mkdir "$work/node.$node"
    mount_shared "$node"
done

copy() { # copy COUNT: prints seconds
    local node pids=() start end
    rm -f "$work/shared/out"
    for ((node = 1; node <= $1; node++)); do # nothing of an earlier round is cached
        umount "$work/node.$node"
        mount_shared "$node"
    done
    start=$EPOCHREALTIME
    for ((node = 1; node <= $1; node++)); do
        nsenter --net="/run/netns/$name.$node" "$program" --shard "$node/$1" --align 1M --keep-offset \
            "$work/node.$node/in" "$work/node.$node/out" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || fail "a shard of $1 failed"
    done
    end=$EPOCHREALTIME
    cmp "$work/shared/in" "$work/shared/out" || fail "the copy by $1 nodes is not the same"
    awk "BEGIN { print $end - $start }"
}

for ((round = 0; round < rounds; round++)); do
    for count in $counts; do
        copy "$count" >>"$work/times.$count"
    done
done

printf '| nodes | minimum | median | MB/s together | of the links | against one node |\n| --- | --- | --- | --- | --- | --- |\n'
for count in $counts; do
    sort -n "$work/times.$count" | awk -v nodes="$count" -v bytes="$((mebibytes * 1048576))" -v mbit="$mbit" \
        -v one="$(sort -n "$work/times.${counts%% *}" | head -n 1)" '
        { time[NR] = $1 }
        END {
            rate = bytes / time[1] / 1e6
            printf "| %d | %.2f s | %.2f s | %.0f | %.0f %% | %.2f |\n", nodes, time[1], time[int((NR + 1) / 2)], rate,
                100 * rate / (nodes * mbit / 8), one / time[1]
        }'
done
