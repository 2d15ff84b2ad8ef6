/* The digest of the mapped source. */

#include "checksum.h"

#include "signals.h"
#include "sys.h"
#include "view.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* As map-write: what is mapped at a time bounds what counts as resident. */
enum { WINDOW_BYTES = 16 * 1024 * 1024, PIECE_BYTES = 1024 * 1024, WIDE_GAP_BYTES = 64 * 1024 };

struct zs_checksum {
    const struct zs_plan *plan;
    int source_fd;
    const char *source_name;
    struct zs_digest *digest;
    struct zs_window window;

    const struct zs_part *part; /* being read */
    uint64_t index;             /* its next byte */
    uint64_t position;          /* where the piece begins in the source */
    uint64_t furthest;          /* behind the last byte read */
    struct zs_view piece;       /* mapped, or a copy of the page that cannot be */
    unsigned char page[4096];

    struct zs_error error;
    atomic_bool cancelled;
    bool aside; /* there is a thread */
    pthread_t thread;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As many bytes of the part as lie in the piece; called under the guard. */
static void digest_piece(void *context)
{
    struct zs_checksum *checksum = context;
    const struct zs_range *range = &checksum->part->range;
    uint64_t before = checksum->position - checksum->part->source_position;

    while (checksum->index < range->length_bytes) {
        uint64_t offset = zs_range_offset(range, checksum->index) - before;
        if (offset >= checksum->piece.length_bytes)
            return;
        uint64_t length_bytes = zs_range_run(range, checksum->index);
        length_bytes = least(length_bytes, range->length_bytes - checksum->index);
        length_bytes = least(length_bytes, checksum->piece.length_bytes - offset);
        zs_digest_update(checksum->digest, checksum->piece.bytes + offset, (size_t)length_bytes);
        checksum->index += length_bytes;
        if (checksum->furthest < checksum->position + offset + length_bytes)
            checksum->furthest = checksum->position + offset + length_bytes;
    }
}

static int fail(struct zs_checksum *checksum, int code, const char *detail)
{
    return zs_error_set(&checksum->error, ZS_ERROR_TRANSFER, checksum->source_name,
                        "reading it for the digest", code, detail ? "%s" : NULL, detail);
}

static const char shrank[] = "it shrank meanwhile, or its device failed";

static int read_last_page(struct zs_checksum *checksum, size_t most)
{
    ssize_t got = zs_sys_pread(checksum->source_fd, checksum->page, most, checksum->position);

    if (got <= 0)
        return fail(checksum, got < 0 ? (int)-got : 0, got < 0 ? NULL : shrank);
    checksum->piece = (struct zs_view){.bytes = checksum->page, .length_bytes = (size_t)got};
    return 0;
}

/* Maps what comes next of the part, gaps included. */
static int map_piece(struct zs_checksum *checksum)
{
    const struct zs_range *range = &checksum->part->range;
    uint64_t offset = zs_range_offset(range, checksum->index);
    uint64_t span_bytes = zs_range_end(range) - range->start - offset;
    checksum->position = checksum->part->source_position + offset;
    if (checksum->position >= ZS_SYS_LAST_PAGE)
        return read_last_page(checksum, (size_t)least(span_bytes, sizeof checksum->page));
    span_bytes = least(span_bytes, ZS_SYS_LAST_PAGE - checksum->position);
    size_t most = (size_t)least(span_bytes, PIECE_BYTES);
    checksum->piece = zs_window_view(&checksum->window, checksum->position, most);
    if (checksum->piece.length_bytes == 0) {
        int moved = zs_window_move(&checksum->window, checksum->source_fd, checksum->position,
                                   (size_t)least(span_bytes, WINDOW_BYTES), false);
        if (moved < 0)
            return fail(checksum, -moved, NULL);
        checksum->piece = zs_window_view(&checksum->window, checksum->position, most);
    }
    /* Where most of the pages are gaps, those that are needed are faulted in one by one. */
    if (range->stride_bytes - range->piece_bytes < WIDE_GAP_BYTES)
        zs_view_populate(checksum->piece);
    return 0;
}

static int digest_part(struct zs_checksum *checksum, const struct zs_part *part)
{
    checksum->part = part;
    checksum->index = 0;
    while (checksum->index < part->range.length_bytes) {
        if (atomic_load(&checksum->cancelled) || (!checksum->aside && zs_signals_attend()))
            return fail(checksum, EINTR, NULL);
        if (map_piece(checksum) < 0)
            return -1;
        if (zs_view_guard(digest_piece, checksum) < 0)
            return fail(checksum, 0, shrank);
    }
    return 0;
}

/* What is cut within the last page reads as zeros, and raises no SIGBUS. */
static void check_size(struct zs_checksum *checksum)
{
    struct stat status;

    if (fstat(checksum->source_fd, &status) < 0)
        (void)fail(checksum, errno, NULL);
    else if (S_ISREG(status.st_mode) && (uint64_t)status.st_size < checksum->furthest)
        (void)fail(checksum, 0, shrank);
}

static void *run(void *context)
{
    struct zs_checksum *checksum = context;
    int result = 0;

    for (size_t i = 0; i < checksum->plan->part_count && result == 0; i++)
        result = digest_part(checksum, &checksum->plan->parts[i]);
    if (result == 0)
        check_size(checksum);
    zs_window_unmap(&checksum->window);
    return NULL;
}

/* Signals are for the thread that copies. */
static bool start_thread(struct zs_checksum *checksum)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGBUS); /* the guard's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&checksum->thread, NULL, run, checksum) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

int zs_checksum_start(struct zs_checksum **checksum, const struct zs_plan *plan, int source_fd,
                      const char *source_name, struct zs_digest *digest, bool aside,
                      struct zs_error *error)
{
    struct zs_checksum *created = calloc(1, sizeof *created);

    if (!created)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "zslice", "preparing the digest", ENOMEM,
                            NULL);
    created->plan = plan;
    created->source_fd = source_fd;
    created->source_name = source_name;
    created->digest = digest;
    created->aside = aside; /* before the thread looks at it */
    if (aside && !start_thread(created))
        created->aside = false;
    *checksum = created;
    return 0;
}

/* While the thread works, signals are attended to. */
enum { LOOK_NANOSECONDS = 20000000 };

static void join(struct zs_checksum *checksum)
{
    struct timespec until;

    do {
        if (zs_signals_attend())
            atomic_store(&checksum->cancelled, true);
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_NANOSECONDS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    } while (pthread_clockjoin_np(checksum->thread, NULL, CLOCK_MONOTONIC, &until) == ETIMEDOUT);
}

int zs_checksum_wait(struct zs_checksum *checksum, struct zs_error *error)
{
    if (checksum->aside)
        join(checksum);
    else
        (void)run(checksum);
    bool failed = checksum->error.kind != ZS_ERROR_NONE;
    if (failed && error->kind == ZS_ERROR_NONE)
        *error = checksum->error;
    free(checksum);
    return failed ? -1 : 0;
}

void zs_checksum_cancel(struct zs_checksum *checksum)
{
    if (!checksum)
        return;
    atomic_store(&checksum->cancelled, true);
    if (checksum->aside)
        (void)pthread_join(checksum->thread, NULL);
    free(checksum);
}
