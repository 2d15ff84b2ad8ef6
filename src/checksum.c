/* The digest of the mapped source. */

#include "checksum.h"

#include "signals.h"
#include "view.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* As map-write: what is mapped at a time bounds what counts as resident. */
enum { WINDOW_BYTES = 16 * 1024 * 1024, PIECE_BYTES = 1024 * 1024 };

struct zs_checksum {
    const struct zs_plan *plan;
    int source_fd;
    const char *source_name;
    struct zs_digest *digest;
    struct zs_window window;
    struct zs_view piece; /* for the guard */
    struct zs_error error;
    atomic_bool cancelled;
    bool aside; /* there is a thread */
    pthread_t thread;
};

static void digest_piece(void *context)
{
    const struct zs_checksum *checksum = context;
    zs_digest_update(checksum->digest, checksum->piece.bytes, checksum->piece.length_bytes);
}

static int fail(struct zs_checksum *checksum, int code, const char *detail)
{
    return zs_error_set(&checksum->error, ZS_ERROR_TRANSFER, checksum->source_name,
                        "reading it for the digest", code, detail ? "%s" : NULL, detail);
}

/* Bytes that lie together in the source. */
static int digest_run(struct zs_checksum *checksum, uint64_t position, uint64_t length_bytes)
{
    while (length_bytes > 0) {
        size_t most = length_bytes < PIECE_BYTES ? (size_t)length_bytes : PIECE_BYTES;

        if (atomic_load(&checksum->cancelled) || (!checksum->aside && zs_signals_attend()))
            return fail(checksum, EINTR, NULL);
        checksum->piece = zs_window_view(&checksum->window, position, most);
        if (checksum->piece.length_bytes == 0) {
            size_t wanted = length_bytes < WINDOW_BYTES ? (size_t)length_bytes : WINDOW_BYTES;
            int moved =
                zs_window_move(&checksum->window, checksum->source_fd, position, wanted, false);
            if (moved < 0)
                return fail(checksum, -moved, NULL);
            checksum->piece = zs_window_view(&checksum->window, position, most);
        }
        zs_view_populate(checksum->piece);
        if (zs_view_guard(digest_piece, checksum) < 0)
            return fail(checksum, 0, "it shrank meanwhile, or its device failed");
        position += checksum->piece.length_bytes;
        length_bytes -= checksum->piece.length_bytes;
    }
    return 0;
}

static int digest_part(struct zs_checksum *checksum, const struct zs_part *part)
{
    for (uint64_t index = 0; index < part->range.length_bytes;) {
        uint64_t run = zs_range_run(&part->range, index);

        if (run > part->range.length_bytes - index)
            run = part->range.length_bytes - index;
        uint64_t position = part->source_position + zs_range_offset(&part->range, index);
        if (digest_run(checksum, position, run) < 0)
            return -1;
        index += run;
    }
    return 0;
}

static void *run(void *context)
{
    struct zs_checksum *checksum = context;

    for (size_t i = 0; i < checksum->plan->part_count; i++) {
        if (digest_part(checksum, &checksum->plan->parts[i]) < 0)
            break;
    }
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
    checksum->aside = true; /* before the thread looks */
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
    created->aside = aside && start_thread(created);
    *checksum = created;
    return 0;
}

int zs_checksum_wait(struct zs_checksum *checksum, struct zs_error *error)
{
    if (checksum->aside)
        (void)pthread_join(checksum->thread, NULL);
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
