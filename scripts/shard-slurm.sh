#!/bin/sh
# A job script for a Slurm job array: each task copies its shard of one file, to the positions it has in
# SOURCE.
#
#     sbatch --wait --array=1-8 scripts/shard-slurm.sh SOURCE TARGET [ZSLICE OPTION]...
#
# The array's ids need not start at 1, but none may be left out. The program is $ZSLICE, or zslice in
# PATH. TARGET should not exist, or be no longer than SOURCE.
#
# sbatch --wait returns the highest exit status of the tasks. What a task had to say is in its log,
# slurm-JOB_ID.out. To repeat one shard alone, say how many there are; the id is then K, counted from 1
# whatever the array's ids were:
#
#     sbatch --wait --array=5 --export=ALL,ZSLICE_SHARDS=8 scripts/shard-slurm.sh SOURCE TARGET ...
set -eu

fail() {
    echo "shard-slurm.sh: $*" >&2
    exit 2
}

[ $# -ge 2 ] || fail 'usage: sbatch --array=1-N shard-slurm.sh SOURCE TARGET [ZSLICE OPTION]...'
for word in "$1" "$2"; do
    case $word in
    -) fail 'SOURCE and TARGET must be paths: the tasks do not share a standard input or output' ;;
    -*) fail "SOURCE and TARGET come before the options: '$word'" ;;
    esac
done
for word in "$@"; do
    case $word in
    --shard | --shard=*) fail "$word: the task's id says which shard it is" ;;
    --truncate) fail '--truncate: each task would cut off what the others have written' ;;
    esac
done

[ -n "${SLURM_ARRAY_TASK_ID:-}" ] ||
    fail 'no SLURM_ARRAY_TASK_ID in the environment: start it with sbatch --array=1-N'
id=$SLURM_ARRAY_TASK_ID
if [ -n "${ZSLICE_SHARDS:-}" ]; then
    names='SLURM_ARRAY_TASK_ID and ZSLICE_SHARDS'
    first=1 count=$ZSLICE_SHARDS last=$ZSLICE_SHARDS
else
    names='SLURM_ARRAY_TASK_ID, _MIN, _MAX and _COUNT'
    first=${SLURM_ARRAY_TASK_MIN:-} count=${SLURM_ARRAY_TASK_COUNT:-} last=${SLURM_ARRAY_TASK_MAX:-}
fi

for number in "$id" "$first" "$last" "$count"; do
    case $number in
    '' | *[!0-9]*) fail "$names are not all numbers: '$id', '$first', '$last', '$count'" ;;
    esac
done
[ $((last - first + 1)) -eq "$count" ] ||
    fail "the array has $count ids from $first to $last: none may be left out, or ZSLICE_SHARDS be set"
if [ "$id" -lt "$first" ] || [ "$id" -gt "$last" ]; then
    fail "the id $id is not from $first to $last, which are the $count shards"
fi

exec "${ZSLICE:-zslice}" --shard="$((id - first + 1))/$count" --keep-offset "$@"
