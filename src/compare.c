/* Source and target, read again side by side: for --verify and --resume. */

#include "compare.h"

#include "gather.h"
#include "holes.h"
#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Two of them stay under the 1 MiB of anonymous memory that zslice promises. With cold caches the
 * device decides; with hot ones 512 MiB take 100 ms.
 */
enum { CHUNK_BYTES = 256 * 1024 };

struct chunks {
    unsigned char source[CHUNK_BYTES];
    unsigned char target[CHUNK_BYTES];
};

/* All length_bytes; 0, or -1 with *error. */
static int read_all(int fd, const char *name, unsigned char *bytes, size_t length_bytes,
                    uint64_t position, struct zs_error *error)
{
    for (size_t done = 0; done < length_bytes;) {
        ssize_t got = zs_sys_pread(fd, bytes + done, length_bytes - done, position + done);
        if (got < 0)
            return zs_error_set(error, ZS_ERROR_TRANSFER, name, "reading it again", (int)-got,
                                NULL);
        if (got == 0)
            return zs_error_set(error, ZS_ERROR_TRANSFER, name, "reading it again", 0,
                                "it ends at %llu, before the slice does",
                                (unsigned long long)(position + done));
        done += (size_t)got;
    }
    return 0;
}

static int check_stop(const struct zs_compared *files, struct zs_error *error)
{
    return zs_signals_attend() ? zs_error_set(error, ZS_ERROR_TRANSFER, files->target_name,
                                              "comparing", 0, "%s", zs_signals_reason())
                               : 0;
}

/* Where two stretches differ; length_bytes if they do not. */
static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t length_bytes)
{
    size_t at = 0;

    if (memcmp(a, b, length_bytes) == 0)
        return length_bytes;
    while (a[at] == b[at])
        at++;
    return at;
}

/* After a chunk of zeros: how many bytes more are a hole in both files, and so the same. */
static uint64_t skip_holes(const struct zs_compared *files, struct zs_difference *at,
                           uint64_t length_bytes)
{
    struct zs_extent source =
        zs_holes_find(files->source_fd, at->source_position, at->source_position + length_bytes);
    struct zs_extent target =
        zs_holes_find(files->target_fd, at->target_position, at->target_position + length_bytes);
    uint64_t of_source = source.end - at->source_position;
    uint64_t of_target = target.end - at->target_position;
    uint64_t both = of_source < of_target ? of_source : of_target;

    if (!source.hole || !target.hole)
        return 0;
    at->source_position += both;
    at->target_position += both;
    return both;
}

/* Bytes that lie together in both files. */
static int compare_run(const struct zs_compared *files, struct chunks *chunks,
                       struct zs_difference *at, uint64_t length_bytes, struct zs_error *error)
{
    while (length_bytes > 0) {
        size_t next = length_bytes < CHUNK_BYTES ? (size_t)length_bytes : CHUNK_BYTES;

        if (check_stop(files, error) < 0)
            return -1;
        if (read_all(files->source_fd, files->source_name, chunks->source, next,
                     at->source_position, error) < 0 ||
            read_all(files->target_fd, files->target_name, chunks->target, next,
                     at->target_position, error) < 0)
            return -1;
        size_t same = first_difference(chunks->source, chunks->target, next);
        at->source_position += same;
        at->target_position += same;
        at->found = same < next;
        if (at->found)
            return 0;
        length_bytes -= next;
        if (length_bytes > 0 && next == CHUNK_BYTES && chunks->source[0] == 0 &&
            memcmp(chunks->source, chunks->source + 1, next - 1) == 0)
            length_bytes -= skip_holes(files, at, length_bytes);
    }
    return 0;
}

/*
 * Pieces shorter than this are read with the gaps between them and gathered; a system call for each
 * would take longer: 3.5 MB in pieces of 7 bytes of every 11 are 636,371 calls.
 */
enum { GATHER_BELOW_BYTES = 4096 };

/* Where byte number `index` of a part lies in both files. */
static void place(const struct zs_plan *plan, const struct zs_part *part, uint64_t index,
                  struct zs_difference *at)
{
    uint64_t offset = zs_range_offset(&part->range, index);

    at->source_position = part->source_position + offset;
    at->target_position = part->target_position + (plan->scattered ? offset : index);
}

/* As many short pieces as fit a chunk, from byte number *index on, which is moved behind them. */
static int compare_pieces(const struct zs_plan *plan, const struct zs_part *part,
                          const struct zs_compared *files, struct chunks *chunks, uint64_t *index,
                          uint64_t end, struct zs_difference *at, struct zs_error *error)
{
    const struct zs_range *range = &part->range;
    uint64_t span = zs_range_offset(range, end - 1) + 1 - zs_range_offset(range, *index);
    size_t most = span < CHUNK_BYTES ? (size_t)span : CHUNK_BYTES;

    place(plan, part, *index, at);
    if (read_all(files->source_fd, files->source_name, chunks->source, most, at->source_position,
                 error) < 0)
        return -1;
    size_t count = zs_gather(range, *index, chunks->source, most);
    if (read_all(files->target_fd, files->target_name, chunks->target,
                 plan->scattered ? most : count, at->target_position, error) < 0)
        return -1;
    if (plan->scattered)
        (void)zs_gather(range, *index, chunks->target, most);
    size_t same = first_difference(chunks->source, chunks->target, count);
    at->found = same < count;
    *index += same;
    if (at->found)
        place(plan, part, *index, at);
    return 0;
}

/* The bytes [start, end) of one part. */
static int compare_part(const struct zs_plan *plan, const struct zs_part *part,
                        const struct zs_compared *files, struct chunks *chunks, uint64_t start,
                        uint64_t end, struct zs_difference *at, struct zs_error *error)
{
    const struct zs_range *range = &part->range;
    bool gathers = !zs_range_is_contiguous(range) && range->piece_bytes < GATHER_BELOW_BYTES &&
                   range->stride_bytes < CHUNK_BYTES;

    for (uint64_t index = start; index < end && !at->found;) {
        uint64_t run = zs_range_run(range, index);

        if (check_stop(files, error) < 0)
            return -1;
        if (gathers) {
            if (compare_pieces(plan, part, files, chunks, &index, end, at, error) < 0)
                return -1;
            continue;
        }
        run = run < end - index ? run : end - index;
        place(plan, part, index, at);
        if (compare_run(files, chunks, at, run, error) < 0)
            return -1;
        index += run;
    }
    return 0;
}

int zs_compare(const struct zs_plan *plan, const struct zs_compared *files, uint64_t start,
               uint64_t end, struct zs_difference *difference, struct zs_error *error)
{
    struct chunks *chunks = malloc(sizeof *chunks);
    uint64_t before = 0; /* bytes of the parts before this one */
    int result = 0;

    *difference = (struct zs_difference){.found = false};
    if (!chunks)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "zslice", "comparing", ENOMEM, NULL);
    for (size_t i = 0; i < plan->part_count && result == 0 && !difference->found; i++) {
        const struct zs_part *part = &plan->parts[i];
        uint64_t length_bytes = part->range.length_bytes;
        uint64_t from = start > before ? start - before : 0;
        uint64_t to = end > before ? end - before : 0;

        if (to > length_bytes)
            to = length_bytes;
        if (from < to)
            result = compare_part(plan, part, files, chunks, from, to, difference, error);
        before += length_bytes;
    }
    free(chunks);
    return result;
}
