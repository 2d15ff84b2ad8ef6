/* EINTR, length caps and -errno, nothing more. */

#include "sys.h"

#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * Evaluates call until it is not interrupted, or is to stop; its value is the result, or -errno.
 */
#define RETRY(call)                                                                                \
    __extension__({                                                                                \
        __typeof__(call) result_;                                                                  \
        int code_;                                                                                 \
        do {                                                                                       \
            result_ = (call);                                                                      \
            code_ = result_ < 0 ? errno : 0;                                                       \
        } while (code_ == EINTR && !zs_signals_attend());                                          \
        code_ ? -code_ : result_;                                                                  \
    })

static size_t cap(size_t length_bytes)
{
    return length_bytes < ZS_SYS_MOST ? length_bytes : ZS_SYS_MOST;
}

ssize_t zs_sys_read(int fd, void *buffer, size_t length_bytes)
{
    return RETRY(read(fd, buffer, cap(length_bytes)));
}

ssize_t zs_sys_pread(int fd, void *buffer, size_t length_bytes, uint64_t position)
{
    return RETRY(pread(fd, buffer, cap(length_bytes), (off_t)position));
}

ssize_t zs_sys_write(int fd, const void *bytes, size_t length_bytes)
{
    return RETRY(write(fd, bytes, cap(length_bytes)));
}

ssize_t zs_sys_pwrite(int fd, const void *bytes, size_t length_bytes, uint64_t position)
{
    return RETRY(pwrite(fd, bytes, cap(length_bytes), (off_t)position));
}

ssize_t zs_sys_write_uncached(int fd, const void *bytes, size_t length_bytes)
{
    enum { DONTCACHE = 0x80 }; /* RWF_DONTCACHE, which C libraries do not have yet */
    struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = cap(length_bytes)};
    return RETRY(pwritev2(fd, &vector, 1, -1, DONTCACHE));
}

static ssize_t splice_with(int source_fd, const uint64_t *source_position, int target_fd,
                           size_t length_bytes, unsigned flags)
{
    off_t position = source_position ? (off_t)*source_position : 0;
    return RETRY(splice(source_fd, source_position ? &position : NULL, target_fd, NULL,
                        cap(length_bytes), SPLICE_F_MOVE | flags));
}

ssize_t zs_sys_splice(int source_fd, const uint64_t *source_position, int target_fd,
                      size_t length_bytes)
{
    return splice_with(source_fd, source_position, target_fd, length_bytes, 0);
}

ssize_t zs_sys_splice_at_once(int source_fd, const uint64_t *source_position, int target_fd,
                              size_t length_bytes)
{
    return splice_with(source_fd, source_position, target_fd, length_bytes, SPLICE_F_NONBLOCK);
}

ssize_t zs_sys_splice_to(int pipe_fd, int target_fd, const uint64_t *target_position,
                         size_t length_bytes)
{
    off_t position = target_position ? (off_t)*target_position : 0;
    return RETRY(splice(pipe_fd, NULL, target_fd, target_position ? &position : NULL,
                        cap(length_bytes), SPLICE_F_MOVE));
}

ssize_t zs_sys_sendfile(int target_fd, int source_fd, uint64_t source_position, size_t length_bytes)
{
    off_t position = (off_t)source_position;
    return RETRY(sendfile(target_fd, source_fd, &position, cap(length_bytes)));
}

ssize_t zs_sys_copy_file_range(int source_fd, uint64_t source_position, int target_fd,
                               const uint64_t *target_position, size_t length_bytes)
{
    off_t from = (off_t)source_position;
    off_t to = target_position ? (off_t)*target_position : 0;
    return RETRY(copy_file_range(source_fd, &from, target_fd, target_position ? &to : NULL,
                                 cap(length_bytes), 0));
}

int zs_sys_clone_range(int source_fd, uint64_t source_position, int target_fd,
                       uint64_t target_position, uint64_t length_bytes)
{
    struct file_clone_range range = {.src_fd = source_fd,
                                     .src_offset = source_position,
                                     .src_length = length_bytes,
                                     .dest_offset = target_position};
    return RETRY(ioctl(target_fd, FICLONERANGE, &range));
}

int zs_sys_open(const char *path, int flags, mode_t mode)
{
    return RETRY(open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
}

int zs_sys_open_at(int folder_fd, const char *path, int flags, mode_t mode)
{
    return RETRY(openat(folder_fd, path, flags | O_CLOEXEC | O_NOCTTY, mode));
}

int zs_sys_link(const char *path, int folder_fd, const char *name)
{
    return RETRY(linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW));
}

int zs_sys_rename(int folder_fd, const char *from, const char *to, bool keep_other)
{
    return RETRY(renameat2(folder_fd, from, folder_fd, to, keep_other ? RENAME_NOREPLACE : 0));
}

int zs_sys_close(int fd)
{
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

int zs_sys_seek(int fd, uint64_t position)
{
    return lseek(fd, (off_t)position, SEEK_SET) < 0 ? -errno : 0;
}

int zs_sys_truncate(int fd, uint64_t size_bytes)
{
    return RETRY(ftruncate(fd, (off_t)size_bytes));
}

int zs_sys_reserve(int fd, uint64_t start, uint64_t length_bytes)
{
    return RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)length_bytes));
}

int zs_sys_punch(int fd, uint64_t start, uint64_t length_bytes)
{
    return RETRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
                           (off_t)length_bytes));
}

int zs_sys_collapse(int fd, uint64_t start, uint64_t length_bytes)
{
    return RETRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, (off_t)start, (off_t)length_bytes));
}

int zs_sys_sync_data(int fd)
{
    return RETRY(fdatasync(fd));
}

int zs_sys_sync(int fd)
{
    return RETRY(fsync(fd));
}

int zs_sys_sync_filesystem(int fd)
{
    return RETRY(syncfs(fd));
}

int zs_sys_write_back(int fd, uint64_t start, uint64_t length_bytes, bool wait)
{
    unsigned flags = SYNC_FILE_RANGE_WRITE |
                     (wait ? SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER : 0);
    return RETRY(sync_file_range(fd, (off_t)start, (off_t)length_bytes, flags));
}

static int read_if_cached(int fd, uint64_t position)
{
    char byte;
    struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    ssize_t got = RETRY(preadv2(fd, &vector, 1, (off_t)position, RWF_NOWAIT));
    return got == -EAGAIN ? 0 : got < 0 ? (int)got : 1;
}

int zs_sys_is_cached(int fd, uint64_t position)
{
    enum { CACHESTAT = 451 }; /* its number on every architecture; C libraries do not have it yet */
    struct {
        uint64_t start;
        uint64_t length_bytes;
    } range = {position, 1};
    struct {
        uint64_t cached_pages;
        uint64_t others[4];
    } found;

    if (syscall(CACHESTAT, fd, &range, &found, 0) < 0)
        return read_if_cached(fd, position);
    return found.cached_pages > 0;
}

int zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes)
{
    return -posix_fadvise(fd, (off_t)start, (off_t)length_bytes, POSIX_FADV_WILLNEED);
}

int zs_sys_drop_cache(int fd, uint64_t start, uint64_t length_bytes)
{
    return -posix_fadvise(fd, (off_t)start, (off_t)length_bytes, POSIX_FADV_DONTNEED);
}

unsigned zs_sys_processors(void)
{
    cpu_set_t processors;
    /* EINVAL: more than 1,024 of them */
    return sched_getaffinity(0, sizeof processors, &processors) < 0
               ? 2
               : (unsigned)CPU_COUNT(&processors);
}

int zs_sys_wait(int fd, short events)
{
    struct pollfd waited = {.fd = fd, .events = events};
    int ready = RETRY(poll(&waited, 1, -1));
    return ready < 0 ? ready : 0;
}

uint64_t zs_sys_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails only for clocks that do not exist */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
