/*
 * sendfile: one call from a file's page cache to the target. The best way into a socket. To a file
 * it goes through a hidden pipe of 64 KiB, which makes it slow for large copies and the one with
 * the fewest system calls for small ones.
 */

#include "engine.h"
#include "sys.h"

#include <errno.h>

/* What one step may move: between two steps the source's size is looked at. */
enum { PIECE_BYTES = 4 * 1024 * 1024 };

static const char *refuse(const struct zs_facts *source, const struct zs_facts *target)
{
    if (!zs_facts_mappable(source))
        return "its source must be a file or block device of known size";
    if (target->append && target->kind != ZS_KIND_PIPE)
        return "it cannot append";
    return NULL;
}

static struct zs_step step(const struct zs_copy *copy, void *state)
{
    (void)state;
    ssize_t moved = zs_sys_sendfile(copy->target_fd, copy->source_fd, copy->source_position,
                                    zs_copy_most(copy, PIECE_BYTES));
    copy->stats->engines[ZS_ENGINE_SENDFILE].calls++;
    if (moved == -EAGAIN)
        return zs_step_of_error(moved, ZS_END_TARGET);
    if (moved < 0)
        return zs_step_of_error(moved, ZS_END_EITHER);
    if (moved == 0)
        return (struct zs_step){.verdict = ZS_STEP_END};
    return zs_step_moved((uint64_t)moved);
}

const struct zs_engine zs_engine_sendfile = {
    .id = ZS_ENGINE_SENDFILE,
    .refuse = refuse,
    .step = step,
};
