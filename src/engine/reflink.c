/*
 * reflink: the target gets references to the source's blocks (extents shared until one side is
 * written to), so that any number of bytes takes no time and no space. Only whole blocks of one
 * file system can be shared; the plan cuts a slice into what can be and its edges.
 */

#include "engine.h"
#include "sys.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * What one call shares: a call cannot be interrupted, and a badly fragmented file has many extents.
 * 4 GiB in one piece, XFS and btrfs on a loop device, Linux 6.18: no difference to 1 GiB.
 */
enum { PIECE_BYTES = 1024 * 1024 * 1024 };

static const char *refuse(const struct zs_facts *source, const struct zs_facts *target)
{
    if (source->kind != ZS_KIND_REGULAR || !zs_facts_mappable(source) ||
        (target->kind != ZS_KIND_REGULAR && target->kind != ZS_KIND_NONE))
        return "only regular files share blocks";
    if (target->append)
        return "it cannot append";
    return NULL;
}

static struct zs_step step(const struct zs_copy *copy, void *state)
{
    (void)state;
    size_t piece_bytes = zs_copy_most(copy, PIECE_BYTES);
    uint64_t position = copy->target_start + copy->done_bytes;

    /* The engine that comes next writes where the target stands. Moved first: that can be undone.
     */
    off_t stood = copy->scattered ? 0 : lseek(copy->target_fd, 0, SEEK_CUR);
    int shared = stood < 0 ? -errno : 0;
    if (shared == 0 && !copy->scattered)
        shared = zs_sys_seek(copy->target_fd, position + piece_bytes);
    if (shared < 0)
        return zs_step_of_error(shared, ZS_END_TARGET);

    shared = zs_sys_clone_range(copy->source_fd, copy->source_position, copy->target_fd, position,
                                piece_bytes);
    copy->stats->engines[ZS_ENGINE_REFLINK].calls++;
    if (shared < 0 && !copy->scattered)
        (void)zs_sys_seek(copy->target_fd, (uint64_t)stood);
    return shared < 0 ? zs_step_of_error(shared, ZS_END_EITHER) : zs_step_moved(piece_bytes);
}

/*
 * btrfs shares nothing between a file with checksums and one without (chattr +C), and says EINVAL
 * to that, too (Linux 6.18).
 */
static bool differ_in_checksums(int source_fd, int target_fd)
{
    int source_flags = 0;
    int target_flags = 0;

    return ioctl(source_fd, FS_IOC_GETFLAGS, &source_flags) == 0 &&
           ioctl(target_fd, FS_IOC_GETFLAGS, &target_flags) == 0 &&
           ((source_flags ^ target_flags) & FS_NOCOW_FL);
}

int zs_reflink_try(int source_fd, int target_fd)
{
    /*
     * Whole blocks beyond the end of any file: a file system that can share, or its server, has to
     * refuse that as such, with EINVAL. (A range that is not on blocks would not reach a server.)
     */
    static const uint64_t nowhere = (uint64_t)1 << 62;
    static const uint64_t length_bytes = (uint64_t)1 << 20;
    int result = zs_sys_clone_range(source_fd, nowhere, target_fd, 0, length_bytes);

    return result == -EINVAL && !differ_in_checksums(source_fd, target_fd) ? 0 : result;
}

const struct zs_engine zs_engine_reflink = {
    .id = ZS_ENGINE_REFLINK,
    .refuse = refuse,
    .step = step,
    .scatters = true,
};
