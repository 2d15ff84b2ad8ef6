/* A file without a name that holds the end of a stream. */

#include "spool.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Up to here a stream's end is held in memory: what a pipe holds. */
#define MEMORY_BYTES ((uint64_t)64 * 1024)

/* What one step of the copy moves at most; in memory, as much again as is held. */
#define CHUNK_BYTES ((uint64_t)1024 * 1024)

/* A file in the folder, its name removed at once if it had to have one. A descriptor or -errno. */
static int open_in_folder(const char *folder)
{
    char *path = NULL;

    int fd = zs_sys_open(folder, O_RDWR | O_TMPFILE | O_EXCL, 0600);
    if (fd >= 0 || (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL))
        return fd;
    if (asprintf(&path, "%s/zslice.XXXXXX", folder) < 0)
        return -ENOMEM;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    else
        (void)unlink(path);
    free(path);
    return fd;
}

static const char *folder_name(void)
{
    const char *named = getenv("TMPDIR");
    return named && *named ? named : "/tmp";
}

int zs_spool_open(struct zs_spool *spool, uint64_t keep_bytes, struct zs_error *error)
{
    const char *folder = folder_name();
    const char *where = "memory";

    *spool = (struct zs_spool){.fd = -1, .chunk_bytes = CHUNK_BYTES};
    if (keep_bytes <= MEMORY_BYTES) {
        spool->chunk_bytes = MEMORY_BYTES;
        spool->fd = memfd_create("zslice", MFD_CLOEXEC);
        if (spool->fd < 0)
            spool->fd = -errno;
    }
    if (spool->fd < 0) {
        where = folder;
        spool->fd = open_in_folder(folder);
    }
    if (spool->fd < 0) {
        int code = -spool->fd;
        spool->fd = -1;
        return zs_error_set(
            error, ZS_ERROR_TRANSFER, where, "creating a temporary file", code,
            "the end of the stream is to be held there; TMPDIR can name another folder");
    }
    int examined = zs_facts_of_descriptor(spool->fd, &spool->facts);
    if (examined < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, where, "examining the temporary file",
                            -examined, NULL);
    spool->facts.sized = true;          /* of whatever it will hold */
    spool->facts.shares_nothing = true; /* and of that no block outlives it */
    return 0;
}

int zs_spool_begin(struct zs_spool *spool, uint64_t position, struct zs_error *error)
{
    int moved = zs_sys_seek(spool->fd, position);
    if (moved < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "the temporary file", "seeking", -moved,
                            "to position %llu", (unsigned long long)position);
    spool->held_start = position;
    return 0;
}

/* Holes are made of whole pages: what was forgotten of the first one before is forgotten again. */
#define HOLE_ALIGN_BYTES ((uint64_t)64 * 1024)

void zs_spool_forget(struct zs_spool *spool, uint64_t position)
{
    uint64_t start = spool->held_start - spool->held_start % HOLE_ALIGN_BYTES;

    if (position <= spool->held_start)
        return;
    if (fallocate(spool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
                  (off_t)(position - start)) == 0)
        spool->held_start = position;
}

void zs_spool_close(struct zs_spool *spool)
{
    if (spool->fd >= 0)
        (void)zs_sys_close(spool->fd); /* nobody will read it again */
    spool->fd = -1;
}
