/* Holes found and made. */

#include "holes.h"

#include "sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct zs_extent zs_holes_find(int fd, uint64_t position, uint64_t limit)
{
    struct zs_extent rest = {.end = limit};

    off_t data = lseek(fd, (off_t)position, SEEK_DATA);
    if (data < 0 && errno == ENXIO) {
        struct stat status;
        /* From here on there are no data, if the file has not become shorter than this. */
        rest.hole = position < ZS_SYS_LAST_PAGE && fstat(fd, &status) == 0 &&
                    (uint64_t)status.st_size >= limit;
        if (rest.hole && rest.end > ZS_SYS_LAST_PAGE)
            rest.end = ZS_SYS_LAST_PAGE;
        return rest;
    }
    if (data < 0 || (uint64_t)data < position)
        return rest;
    if ((uint64_t)data > position)
        return (struct zs_extent){.end = (uint64_t)data < limit ? (uint64_t)data : limit,
                                  .hole = true};
    off_t hole = lseek(fd, (off_t)position, SEEK_HOLE);
    if (hole >= 0 && (uint64_t)hole > position && (uint64_t)hole < limit)
        rest.end = (uint64_t)hole;
    return rest;
}

int zs_holes_learn(struct zs_holes *holes)
{
    struct statfs filesystem;

    if (fstatfs(holes->fd, &filesystem) < 0)
        return -errno;
    holes->preallocates = filesystem.f_type == XFS_SUPER_MAGIC;
    return 0;
}

/*
 * XFS puts room behind what is written, more the longer the file is, and gives it back when the
 * file is closed, but not from before a part that was written later: two MiB of data on both sides
 * of a hole of 3 MiB took 4 MiB too many (Linux 6.18). Best effort: it reads as zeros.
 */
static void close_hole(struct zs_holes *holes)
{
    if (holes->preallocates && holes->open_start < holes->open_end)
        (void)zs_sys_punch(holes->fd, holes->open_start, holes->open_end - holes->open_start);
    holes->open_start = holes->open_end;
}

/* What most file systems allocate in: of less than that no hole can be made. */
#define BLOCK_BYTES ((uint64_t)4096)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * Gives back the room of what is there between two positions. A block is given back only if it is
 * punched as a whole: so one that was begun by the last punch is punched again, and one that the
 * file ends in is punched beyond the end.
 */
static int punch_old(struct zs_holes *holes, uint64_t position, uint64_t end)
{
    uint64_t limit = holes->size_bytes;
    uint64_t start = position;

    if (position >= holes->size_bytes)
        return 0;
    if (limit <= INT64_MAX - BLOCK_BYTES)
        limit = (limit + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    if (position == holes->punched_end && position - position % BLOCK_BYTES >= holes->punched_start)
        start -= position % BLOCK_BYTES;
    int result = holes->cannot_punch ? -EOPNOTSUPP
                                     : zs_sys_punch(holes->fd, start, least(end, limit) - start);
    if (result == -EOPNOTSUPP || result == -ENOSYS || result == -EPERM || result == -EINVAL) {
        holes->cannot_punch = true;
        return -EOPNOTSUPP;
    }
    if (result < 0)
        return result;
    if (position != holes->punched_end)
        holes->punched_start = position;
    holes->punched_end = end;
    return 0;
}

int zs_holes_make(struct zs_holes *holes, uint64_t position, uint64_t length_bytes)
{
    uint64_t end = position + length_bytes;

    /* Room behind the end of the file cannot be punched: only when there are data behind it. */
    bool goes_on = position == holes->open_end && holes->open_start < holes->open_end;
    if (!goes_on)
        close_hole(holes);
    /* Moved first: that can be undone. */
    off_t stood = position < holes->size_bytes ? lseek(holes->fd, 0, SEEK_CUR) : (off_t)position;
    int moved = stood < 0 ? -errno : zs_sys_seek(holes->fd, end);
    if (moved < 0)
        return moved;
    int punched = punch_old(holes, position, end);
    if (punched < 0) {
        (void)zs_sys_seek(holes->fd, (uint64_t)stood);
        return punched;
    }
    holes->made_bytes += length_bytes;
    if (holes->end < end)
        holes->end = end;
    if (!goes_on)
        holes->open_start = position > holes->size_bytes ? position : holes->size_bytes;
    holes->open_end = end > holes->open_start ? end : holes->open_start;
    return 0;
}

/* By its last byte, which is a zero of ours; so it cannot become shorter, whoever writes to it. */
static int lengthen(int fd, uint64_t end)
{
    ssize_t written = zs_sys_pwrite(fd, "", 1, end - 1);
    return written < 0 ? (int)written : 0;
}

int zs_holes_finish(struct zs_holes *holes)
{
    struct stat status;

    if (holes->made_bytes == 0)
        return 0;
    close_hole(holes);
    if (fstat(holes->fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size >= holes->end)
        return 0;
    return holes->shared ? lengthen(holes->fd, holes->end) : zs_sys_truncate(holes->fd, holes->end);
}

static bool is_zero(const unsigned char *bytes, size_t length_bytes)
{
    return length_bytes == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length_bytes - 1) == 0);
}

size_t zs_holes_run(const unsigned char *bytes, size_t length_bytes, uint64_t position, bool *zero)
{
    size_t run = 0;

    while (run < length_bytes) {
        size_t block = (size_t)(BLOCK_BYTES - (position + run) % BLOCK_BYTES);
        if (block > length_bytes - run)
            block = length_bytes - run;
        bool empty = is_zero(bytes + run, block);
        if (run == 0)
            *zero = empty;
        else if (empty != *zero)
            break;
        run += block;
    }
    return run;
}
