#ifndef ZS_SYS_H
#define ZS_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * System calls as the rest of the program wants them: a count of bytes (or 0) on success, -errno on
 * failure, repeated when a signal interrupted them that does not stop the copy (-EINTR is one that
 * does), one call never longer than ZS_SYS_MOST bytes. Nothing more: what an errno means is decided
 * by the engines and the driver.
 */

/*
 * 16 MiB: far below the 2 GiB at which calls are cut, and short enough to notice signals between,
 * as copying from file to file in the kernel is not interrupted.
 */
#define ZS_SYS_MOST ((size_t)16 << 20)

/*
 * The page that the largest file position, 2^63-1, is in: it cannot be mapped (EOVERFLOW), and
 * SEEK_DATA does not find data there on tmpfs (Linux 6.18).
 */
#define ZS_SYS_LAST_PAGE ((uint64_t)INT64_MAX & ~(uint64_t)4095)

ssize_t zs_sys_read(int fd, void *buffer, size_t length_bytes);
ssize_t zs_sys_pread(int fd, void *buffer, size_t length_bytes, uint64_t position);
ssize_t zs_sys_write(int fd, const void *bytes, size_t length_bytes);
ssize_t zs_sys_pwrite(int fd, const void *bytes, size_t length_bytes, uint64_t position);

/*
 * As zs_sys_write, but what is written goes to the device at once and then leaves the page cache
 * (RWF_DONTCACHE). -EOPNOTSUPP where that cannot be had: kernels before 6.14, some file systems.
 */
ssize_t zs_sys_write_uncached(int fd, const void *bytes, size_t length_bytes);

/* source_position: where to read, not changed; NULL reads at the descriptor's own position. */
ssize_t zs_sys_splice(int source_fd, const uint64_t *source_position, int target_fd,
                      size_t length_bytes);

/* As zs_sys_splice; -EAGAIN where it would have to wait for a pipe. */
ssize_t zs_sys_splice_at_once(int source_fd, const uint64_t *source_position, int target_fd,
                              size_t length_bytes);

/* From a pipe to target_position, which does not change; NULL: where the target stands. */
ssize_t zs_sys_splice_to(int pipe_fd, int target_fd, const uint64_t *target_position,
                         size_t length_bytes);
ssize_t zs_sys_sendfile(int target_fd, int source_fd, uint64_t source_position,
                        size_t length_bytes);

/* To target_position, or, if that is NULL, to where the target stands. */
ssize_t zs_sys_copy_file_range(int source_fd, uint64_t source_position, int target_fd,
                               const uint64_t *target_position, size_t length_bytes);

/*
 * Makes the target share the source's blocks from the positions on (FICLONERANGE), all length_bytes
 * of them or none; moves no descriptor. length_bytes is not 0, which the kernel takes for "to the
 * end". 0 or -errno.
 */
int zs_sys_clone_range(int source_fd, uint64_t source_position, int target_fd,
                       uint64_t target_position, uint64_t length_bytes);

/* A descriptor or -errno. O_CLOEXEC and O_NOCTTY are added. */
int zs_sys_open(const char *path, int flags, mode_t mode);

/* The same, relative to a folder. */
int zs_sys_open_at(int folder_fd, const char *path, int flags, mode_t mode);

/* Gives the file at `path` (symbolic links followed) another name, in a folder. 0 or -errno. */
int zs_sys_link(const char *path, int folder_fd, const char *name);

/*
 * Renames within a folder; what had the new name loses it, unless keep_other is true: then it is
 * -EEXIST, or -EINVAL or -ENOSYS where that cannot be had. 0 or -errno.
 */
int zs_sys_rename(int folder_fd, const char *from, const char *to, bool keep_other);

/* EINTR is success: on Linux the descriptor is gone and nothing is known to be lost. */
int zs_sys_close(int fd);

/* Moves the descriptor's position. */
int zs_sys_seek(int fd, uint64_t position);

int zs_sys_truncate(int fd, uint64_t size_bytes);

/* Reserves the blocks of [start, start + length_bytes) without changing the file's size. */
int zs_sys_reserve(int fd, uint64_t start, uint64_t length_bytes);

/* Makes [start, start + length_bytes) a hole; the file's size does not change. 0 or -errno. */
int zs_sys_punch(int fd, uint64_t start, uint64_t length_bytes);

/*
 * Takes [start, start + length_bytes) out of the file: what lay behind moves to `start`. Whole
 * blocks only, and some file systems only. 0 or -errno.
 */
int zs_sys_collapse(int fd, uint64_t start, uint64_t length_bytes);

/* The bytes, and what is needed to find them, are on the device (fdatasync). 0 or -errno. */
int zs_sys_sync_data(int fd);

/* Whatever there is to sync, as for a folder (fsync). 0 or -errno. */
int zs_sys_sync(int fd);

/* Everything on the file system of fd is on its device (syncfs). 0 or -errno. */
int zs_sys_sync_filesystem(int fd);

/*
 * Starts to write dirty pages of [start, start + length_bytes) to the device, and, if `wait` is
 * true, waits until they are there; the file's metadata is not synced. 0 or -errno.
 */
int zs_sys_write_back(int fd, uint64_t start, uint64_t length_bytes, bool wait);

/*
 * Whether the byte at the position is in the page cache: 1 or 0, or -errno if that cannot be told.
 * Does not wait for the device; where the kernel has no cachestat (before 6.5), asking starts to
 * read what is not there.
 */
int zs_sys_is_cached(int fd, uint64_t position);

/* Starts to read the range into the page cache. Only advice: 0 or -errno. */
int zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes);

/* Drops clean pages of the range from the page cache. Only advice: 0 or -errno. */
int zs_sys_drop_cache(int fd, uint64_t start, uint64_t length_bytes);

/* How many processors this process may run on; at least 1. */
unsigned zs_sys_processors(void);

/* Nanoseconds on a clock that is never set back. */
uint64_t zs_sys_now_ns(void);

/* Waits until fd is ready for events (POLLIN, POLLOUT), or has an error or hang-up to report. */
int zs_sys_wait(int fd, short events);

#endif
