/*
 * map-write: the source is mapped, and a view of it, slice after slice, is what write(2) gets. What
 * remains after a short write is a smaller view of the same pages; no byte passes through memory of
 * the program's own. With two jobs a second thread maps pages ahead of the writer; there is still
 * one writer, so the target is never longer than its good bytes. It is the only in-place way to a
 * target that was opened for appending, and the one that gives pipes and sockets copies of the
 * bytes.
 */

#include "ahead.h"
#include "engine.h"
#include "readahead.h"
#include "sys.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>

/*
 * 512 MiB, page cache to ext4/XFS, Linux 6.18: windows of 16 MiB cost nothing measurable against
 * one mapping of everything (which would keep the whole file in our RSS); of 256 KiB, a tenth.
 */
#define WINDOW_BYTES ((size_t)16 * 1024 * 1024)

/*
 * With a thread ahead, which must stop where the window ends, and unmaps what was used.
 */
#define LONG_WINDOW_BYTES ((size_t)1024 * 1024 * 1024)

/*
 * How much one write takes, which is also how large the folios become that a file system makes for
 * it. A virtual machine that gives free memory back to its host, block by large block, has to fault
 * in what large folios are made of: writes of 2 MiB and more are 5 to 10 times slower there, and of
 * 1 MiB now and then. 512 MiB, page cache to ext4/XFS/tmpfs/btrfs, each run after a peer's, ms,
 * minimum (median), one thread: 256 KiB 151 (180) / 112 (114) / 201 (207) / 317 (409), 512 KiB 137
 * (164) / 109 (110) / 194 (213) / 323 (424), 1 MiB 148 (237) / 130 (140) / 197 (205) / 304 (410).
 * Linux 6.18.
 */
enum { PIECE_BYTES = 512 * 1024 };

struct mapping {
    struct zs_window window;
    size_t piece_bytes;       /* a copy of up to ZS_SMALL_BYTES is one piece: one system call */
    uint64_t populated_until; /* source position */
    struct zs_ahead *ahead;   /* NULL: the writer populates by itself */
    struct zs_readahead readahead;
};

static const char *refuse(const struct zs_facts *source, const struct zs_facts *target)
{
    (void)target;
    return zs_facts_mappable(source) ? NULL
                                     : "its source must be a file or block device of known size";
}

static int open_mapping(const struct zs_copy *copy, void **state)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return -ENOMEM;
    mapping->piece_bytes =
        zs_copy_span(copy, ZS_SMALL_BYTES + 1) <= ZS_SMALL_BYTES ? ZS_SMALL_BYTES : PIECE_BYTES;
    if (copy->jobs > 1)
        (void)zs_ahead_start(&mapping->ahead); /* no thread to be had: slower, and no less right */
    *state = mapping;
    return 0;
}

/* Maps what follows, in a long window if there is address space for one. 0 or -errno. */
static int move_window(const struct zs_copy *copy, struct mapping *mapping)
{
    uint64_t position = copy->source_position;
    struct zs_window *window = &mapping->window;
    bool is_one_piece = zs_copy_span(copy, WINDOW_BYTES) <= mapping->piece_bytes;
    size_t most = mapping->ahead ? LONG_WINDOW_BYTES : WINDOW_BYTES;
    int moved = -ENOMEM;

    if (mapping->ahead)
        zs_ahead_leave(mapping->ahead);
    for (; most >= WINDOW_BYTES && moved == -ENOMEM; most /= 8)
        moved = zs_window_move(window, copy->source_fd, position, zs_copy_span(copy, most),
                               is_one_piece);
    if (moved < 0)
        return moved;
    if (is_one_piece)
        mapping->populated_until = position + zs_copy_span(copy, mapping->piece_bytes);
    if (mapping->ahead) {
        zs_ahead_enter(mapping->ahead, zs_window_view(window, window->start, window->map_bytes));
        copy->stats->jobs = 2;
    }
    return 0;
}

/* Has the piece's pages mapped, by whoever does that. */
static void populate(struct mapping *mapping, uint64_t position, struct zs_view piece)
{
    if (mapping->ahead) {
        zs_ahead_advance(mapping->ahead, (size_t)(position - mapping->window.start),
                         piece.length_bytes);
    } else if (position + piece.length_bytes > mapping->populated_until) {
        zs_view_populate(piece);
        mapping->populated_until = position + piece.length_bytes;
    }
}

/*
 * A copy of less is over before read-ahead of more than the kernel's own could help; pieces with
 * gaps between them are left to the kernel.
 */
#define READAHEAD_FROM_BYTES ((uint64_t)2 * 1024 * 1024)

static void read_ahead(const struct zs_copy *copy, struct mapping *mapping)
{
    const struct zs_range *range = &copy->range;

    if (range->bounded && range->length_bytes >= READAHEAD_FROM_BYTES &&
        zs_range_is_contiguous(range))
        zs_readahead_advance(&mapping->readahead, copy->source_fd, copy->source_position,
                             copy->source_position + copy->remaining_bytes);
}

/* The next piece of the source as a view, its pages mapped. 0 or -errno. */
static int next_piece(const struct zs_copy *copy, struct mapping *mapping, struct zs_view *piece)
{
    uint64_t position = copy->source_position;
    size_t piece_bytes = zs_copy_most(copy, mapping->piece_bytes);

    read_ahead(copy, mapping);
    *piece = zs_window_view(&mapping->window, position, piece_bytes);
    if (piece->length_bytes == 0) {
        int moved = move_window(copy, mapping);
        if (moved < 0)
            return moved;
        *piece = zs_window_view(&mapping->window, position, piece_bytes);
    }
    populate(mapping, position, *piece);
    return 0;
}

/*
 * A page cannot be read, and EFAULT is all that a mapping has to say about it: read(2) knows why.
 * The page need not be the one at the position: a pipe takes a page's worth of bytes or none of
 * them.
 */
static struct zs_step unreadable_page(const struct zs_copy *copy)
{
    char page[4096];
    size_t most = zs_copy_most(copy, sizeof page);

    for (size_t seen = 0; seen < most;) {
        ssize_t got =
            zs_sys_pread(copy->source_fd, page, most - seen, copy->source_position + seen);
        if (got < 0)
            return zs_step_of_error(got, ZS_END_SOURCE);
        if (got == 0)
            return (struct zs_step){.verdict = ZS_STEP_END};
        seen += (size_t)got;
    }
    return zs_step_of_error(-EFAULT, ZS_END_SOURCE);
}

static struct zs_step step(const struct zs_copy *copy, void *state)
{
    struct zs_view piece;

    int mapped = next_piece(copy, state, &piece);
    if (mapped < 0)
        return (struct zs_step){
            .verdict = ZS_STEP_UNSUPPORTED, .code = -mapped, .end = ZS_END_SOURCE};

    ssize_t written = zs_copy_write(copy, piece.bytes, piece.length_bytes);
    copy->stats->engines[ZS_ENGINE_MAP_WRITE].calls++;
    if (written == -EFAULT)
        return unreadable_page(copy);
    return zs_step_of_write(written);
}

static void close_mapping(void *state)
{
    struct mapping *mapping = state;
    if (mapping->ahead)
        zs_ahead_stop(mapping->ahead);
    zs_window_unmap(&mapping->window);
    free(mapping);
}

const struct zs_engine zs_engine_map_write = {
    .id = ZS_ENGINE_MAP_WRITE,
    .refuse = refuse,
    .open = open_mapping,
    .step = step,
    .close = close_mapping,
    .scatters = true,
    .copies = true,
};
