/*
 * Preloaded into the program by sweep.py: the N-th call of one function moves fewer bytes than it
 * was asked to, as the kernel may at any time. ZSLICE_SHORT is CALL:N:one|half; that it happened is
 * written to the file ZSLICE_SHORT_LOG.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_uint calls;

static void *next_of(const char *function)
{
    return dlsym(RTLD_NEXT, function);
}

static void tell(const char *call, size_t asked, size_t given)
{
    const char *path = getenv("ZSLICE_SHORT_LOG");
    FILE *log = path ? fopen(path, "a") : NULL;

    if (!log)
        return;
    (void)fprintf(log, "SHORTENED %s from %zu to %zu\n", call, asked, given);
    (void)fclose(log);
}

/* How many of these bytes this call is to ask for. */
static size_t shorten(const char *call, size_t length)
{
    const char *wanted = getenv("ZSLICE_SHORT");
    const char *count = wanted ? strchr(wanted, ':') : NULL;
    char *how;

    if (length < 2 || !count || (size_t)(count - wanted) != strlen(call) ||
        strncmp(wanted, call, strlen(call)) != 0)
        return length;
    if (atomic_fetch_add(&calls, 1) + 1 != strtoul(count + 1, &how, 10))
        return length;
    size_t given = strcmp(how, ":one") == 0 ? 1 : length / 2;
    tell(call, length, given);
    return given;
}

ssize_t read(int fd, void *bytes, size_t length)
{
    ssize_t (*next)(int, void *, size_t) = next_of("read");
    return next(fd, bytes, shorten("read", length));
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    ssize_t (*next)(int, const void *, size_t) = next_of("write");
    return next(fd, bytes, shorten("write", length));
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t position)
{
    ssize_t (*next)(int, void *, size_t, off64_t) = next_of("pread64");
    return next(fd, bytes, shorten("pread64", length), position);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t position)
{
    ssize_t (*next)(int, const void *, size_t, off64_t) = next_of("pwrite64");
    return next(fd, bytes, shorten("pwrite64", length), position);
}

ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t position, int flags)
{
    ssize_t (*next)(int, const struct iovec *, int, off64_t, int) = next_of("pwritev64v2");
    struct iovec only = *vector;

    if (count != 1)
        return next(fd, vector, count, position, flags);
    only.iov_len = shorten("pwritev2", only.iov_len);
    return next(fd, &only, 1, position, flags);
}

ssize_t splice(int from, off64_t *from_position, int to, off64_t *to_position, size_t length,
               unsigned flags)
{
    ssize_t (*next)(int, off64_t *, int, off64_t *, size_t, unsigned) = next_of("splice");
    return next(from, from_position, to, to_position, shorten("splice", length), flags);
}

ssize_t sendfile64(int to, int from, off64_t *position, size_t length)
{
    ssize_t (*next)(int, int, off64_t *, size_t) = next_of("sendfile64");
    return next(to, from, position, shorten("sendfile", length));
}

ssize_t copy_file_range(int from, off64_t *from_position, int to, off64_t *to_position,
                        size_t length, unsigned flags)
{
    ssize_t (*next)(int, off64_t *, int, off64_t *, size_t, unsigned) = next_of("copy_file_range");
    return next(from, from_position, to, to_position, shorten("copy_file_range", length), flags);
}
