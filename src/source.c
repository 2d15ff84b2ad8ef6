/* Opening the source, and leaving standard input where the next reader expects it. */

#include "source.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int zs_source_open(struct zs_source *source, const char *path, const char *name, int flags,
                   struct zs_error *error)
{
    *source = (struct zs_source){.name = name, .fd = STDIN_FILENO, .inherited = true};

    if (strcmp(path, "-") != 0) {
        source->inherited = false;
        source->fd = zs_sys_open(path, O_RDONLY | flags, 0);
        if (source->fd == -ENOENT && strstr(path, "://"))
            return zs_error_set(error, ZS_ERROR_REFUSED, name, "opening", ENOENT,
                                "only TARGET can be an address");
        if (source->fd < 0)
            return zs_error_set(error, ZS_ERROR_REFUSED, name, "opening", -source->fd, NULL);
    }
    int examined = source->inherited ? zs_facts_of_descriptor(source->fd, &source->facts)
                                     : zs_facts_of_opened(source->fd, O_RDONLY, &source->facts);
    if (examined < 0)
        return zs_error_set(error, ZS_ERROR_REFUSED, name, "examining", -examined, NULL);
    return 0;
}

int zs_source_examine(struct zs_source *source, const char *path, const char *name,
                      struct zs_error *error)
{
    struct zs_facts facts;

    if (strcmp(path, "-") == 0 || zs_facts_of_path(path, &facts) < 0 ||
        facts.kind == ZS_KIND_REGULAR || facts.kind == ZS_KIND_BLOCK || facts.kind == ZS_KIND_NONE)
        return zs_source_open(source, path, name, 0, error);
    *source = (struct zs_source){.name = name, .fd = -1, .facts = facts};
    return 0;
}

int zs_source_replace(struct zs_source *source, struct zs_view bytes, struct zs_error *error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "reading", errno, NULL);
    ssize_t written = zs_sys_write(ends[1], bytes.bytes, bytes.length_bytes);
    (void)zs_sys_close(ends[1]);
    zs_source_close(source);
    source->fd = ends[0];
    source->inherited = false;
    source->facts = (struct zs_facts){.kind = ZS_KIND_PIPE, .readable = true};
    if (written < 0 || (size_t)written < bytes.length_bytes)
        return zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "reading",
                            written < 0 ? (int)-written : ENOBUFS, NULL);
    return 0;
}

int zs_source_leave(struct zs_source *source, uint64_t position, struct zs_error *error)
{
    if (!source->inherited || !source->facts.positioned)
        return 0;
    if (lseek(source->fd, (off_t)position, SEEK_SET) < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "moving behind the slice",
                            errno, NULL);
    return 0;
}

void zs_source_close(struct zs_source *source)
{
    if (!source->inherited && source->fd >= 0)
        (void)zs_sys_close(source->fd); /* it was only read: nothing can be lost */
    source->fd = -1;
}
