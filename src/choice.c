/* Which engines, in which order, and why. The figures of each engine are in its own file. */

#include "choice.h"

/*
 * Sizes up to which a copy from file to file is best made with the fewest system calls, of which
 * sendfile needs 1, map-write 4, and splice 7 where the slice is not on pages: the whole process on
 * ext4 / XFS / tmpfs, Linux 6.18, microseconds (minimum of 150), at offset 1000:
 *
 *                  256 KiB           512 KiB           1 MiB             2 MiB
 *     sendfile     1398/1452/1164    1258/1195/1092    1257/1275/1246    1513/1519/1480
 *     map-write    1391/1439/1089    1261/1113/1103    1210/1215/1244    1419/1500/1504
 *     splice       1382/1453/1099    1132/1120/1108    1211/1210/1237    1411/1345/1495
 */
#define FEW_CALLS_BYTES ((uint64_t)256 * 1024)

/*
 * From here on a second thread that maps the source ahead of the writer is worth its start. Page
 * cache to ext4 / XFS / tmpfs, Linux 6.18, 2 processors, ms (minimum of 9, of 40 below 512 MiB):
 *
 *                               16 MiB          64 MiB            512 MiB         at offset 1001
 *     splice                    4.5/3.6/6.1     18.4/16.8/24.0    136/114/192     139/130/188
 *     map-write, one thread     4.1/3.3/6.4     17.3/15.2/25.2    126/ 97/192     128/108/194
 *     map-write, two            4.4/3.3/6.4     17.0/15.3/25.8    120/ 99/176     142/110/193
 *
 * The source lay in large folios on ext4 and XFS, which are mapped quickly; on tmpfs in single
 * pages. One that was written 4 KiB at a time, on ext4, 512 MiB: splice 234, one thread 217, two
 * 164.
 *
 * Into TCP on this machine, 512 MiB, ms, and CPU time: map-write with one thread 119 and 65, with
 * two 161 and 88, sendfile 170 and 68, splice 206 and 92, cat 162 and 105. Into a local socket:
 * sendfile 96 and 24, map-write 110 and 58.
 *
 * A source that is not cached is read best by splice: ms for 512 MiB into a pipe, with the
 * device's read-ahead at 128 KiB / 8 MiB: splice 404/390, map-write 857/569, or 546/549 with the
 * read-ahead of readahead.c, which it has; dd bs=1M to /dev/null 365/400 to 1200.
 */
#define AHEAD_BYTES ((uint64_t)64 * 1024 * 1024)

/*
 * Pieces of records shorter than this are gathered in memory by `buffer`, longer ones never leave
 * the kernel. A quarter of 256 MiB, page cache to ext4 / XFS / a pipe, Linux 6.18, ms, where a
 * contiguous copy of the same 64 MiB takes 15 / 7 / 8:
 *
 *     pieces of          4 bytes    64         1 KiB      2 KiB      4 KiB      64 KiB
 *     buffer             48/39/53   43/35/49   41/34/46   41/34/46   42/35/46   39/33/45
 *     splice                        -          81/79/68   50/44/39   32/25/21   16/8/9
 *     writev of a map               223/164/-  41/34/40   34/24/36   31/20/36   27/15/30
 *     gather from a map  43/29/40   36/23/34   36/23/34   36/23/33   34/21/31   32/20/31
 *
 * Gathering from a map is faster than from read(2), but a source that shrinks raises SIGBUS under
 * it, and a stream cannot be mapped: not worth a second way.
 */
#define GATHER_BELOW_BYTES ((uint64_t)4096)

#define REFLINK    ZS_ENGINE_REFLINK
#define COPY_RANGE ZS_ENGINE_COPY_RANGE
#define SPLICE     ZS_ENGINE_SPLICE
#define SENDFILE   ZS_ENGINE_SENDFILE
#define MAP_WRITE  ZS_ENGINE_MAP_WRITE
#define BUFFER     ZS_ENGINE_BUFFER
#define END        ZS_ENGINE_COUNT

/* As far as that can be known of a target that is to be created. */
static bool is_same_filesystem(const struct zs_choice_of *of)
{
    return of->target->kind == ZS_KIND_NONE ||
           (of->target->kind == ZS_KIND_REGULAR && of->target->device == of->source->device);
}

/* The choice, row by row: the first one that fits. */
static void choose(const struct zs_choice_of *of, struct zs_choice *choice)
{
    const struct zs_range *range = of->range;
    bool strided = !zs_range_is_contiguous(range);
    bool mappable = zs_facts_mappable(of->source);
    bool to_file = zs_facts_is_file(of->target);
    bool tiny = range->bounded && range->length_bytes <= FEW_CALLS_BYTES;
    bool whole = mappable && !strided && range->bounded; /* all of what can be mapped is wanted */
    bool large = whole && range->length_bytes >= ZS_LARGE_BYTES && of->source->cached;
    bool small = whole && range->length_bytes <= ZS_SMALL_BYTES;
    bool remote = zs_facts_is_remote(of->source) && is_same_filesystem(of);
    bool tcp = of->target->kind == ZS_KIND_SOCKET && !of->target->local;

    const struct {
        bool fits;
        enum zs_engine_id engines[ZS_ENGINE_COUNT + 1];
        const char *why;
    } rows[] = {
        {strided && !of->piecewise && (range->piece_bytes < GATHER_BELOW_BYTES || !mappable),
         {BUFFER, END},
         "short pieces, and those of a stream, are gathered in memory"},
        {of->shareable && remote,
         {REFLINK, COPY_RANGE, MAP_WRITE, SPLICE, SENDFILE, BUFFER, END},
         "the server of the file system may share blocks, or copy by itself"},
        {of->shareable,
         {REFLINK, MAP_WRITE, SPLICE, SENDFILE, BUFFER, END},
         "whole blocks of one file system are shared, not copied"},
        {!strided && remote,
         {COPY_RANGE, SPLICE, MAP_WRITE, SENDFILE, BUFFER, END},
         "the server of the file system may copy by itself"},
        {large && tcp,
         {MAP_WRITE, SENDFILE, SPLICE, BUFFER, END},
         "TCP takes long writes from memory faster than references to pages"},
        {!strided && of->target->kind == ZS_KIND_SOCKET,
         {SENDFILE, SPLICE, MAP_WRITE, BUFFER, END},
         "a socket sends from the source's pages, with one call for many"},
        {!strided && to_file && tiny,
         {SENDFILE, SPLICE, MAP_WRITE, BUFFER, END},
         "a small copy between files wants the fewest system calls"},
        {to_file && whole && of->no_cache,
         {MAP_WRITE, SPLICE, SENDFILE, BUFFER, END},
         "what is written from memory can go past the page cache"},
        {to_file && small,
         {MAP_WRITE, SPLICE, SENDFILE, BUFFER, END},
         "up to 1 MiB is one write from where it lies"},
        {to_file && large,
         {MAP_WRITE, SPLICE, SENDFILE, BUFFER, END},
         "a large slice that is cached is written from where it lies"},
        {true,
         {SPLICE, MAP_WRITE, SENDFILE, BUFFER, END},
         "references to pages go through a pipe, 1 MiB at a time"},
    };
    size_t row = 0;

    while (!rows[row].fits)
        row++;
    choice->why = rows[row].why;
    for (; rows[row].engines[choice->count] != END; choice->count++)
        choice->engines[choice->count] = rows[row].engines[choice->count];
}

struct zs_choice zs_choice_make(const struct zs_choice_of *of)
{
    const struct zs_range *range = of->range;
    struct zs_choice choice = {.jobs = 1};

    choose(of, &choice);
    if (of->jobs > 1 && zs_facts_is_file(of->target) && zs_facts_mappable(of->source) &&
        zs_range_is_contiguous(range) && range->bounded && range->length_bytes >= AHEAD_BYTES)
        choice.jobs = 2;
    return choice;
}
