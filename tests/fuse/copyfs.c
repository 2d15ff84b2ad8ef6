/*
 * A FUSE file system whose server copies: it passes a folder through, answers copy_file_range by
 * copying on its own side of the mount, and can be told to misbehave.
 *
 *     copyfs FOLDER MOUNT LOG [MISBEHAVIOUR]...
 *
 * It runs in the foreground, with one thread, until it is unmounted; then it exits with 0. LOG gets
 * a line of each request that moves bytes, so that a test can tell who moved them:
 *
 *     read OFFSET LENGTH RESULT
 *     write OFFSET LENGTH RESULT
 *     copy_file_range SOURCE_OFFSET TARGET_OFFSET LENGTH RESULT
 *
 * RESULT is a count or -errno. The misbehaviours:
 *
 *     copy=ERROR        copying fails so: enosys, eopnotsupp, exdev, einval, eperm, eio, enospc
 *     copy=eio-after=N  copying fails with EIO once it has copied N bytes in all
 *     copy=short=N      one request copies at most N bytes
 *     copy=zero         copying gives 0
 *     read=eio-at=N     a read that touches position N of a file gives EIO; a copy ends before it
 *     nonseekable       files can only be read and written from front to back
 */

#define FUSE_USE_VERSION 35

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Small enough that a copy with a bad position in it gets through some of its bytes first. */
enum { BLOCK_BYTES = 64 * 1024 };

static struct {
    int folder;
    int log;
    int copy_error;        /* errno that copying fails with, or 0 */
    uint64_t copy_left;    /* bytes until copying fails with EIO */
    uint64_t copy_most;    /* bytes that one request copies */
    uint64_t bad_position; /* that reads must not touch; UINT64_MAX: none */
    bool nonseekable;
} fs = {.copy_left = UINT64_MAX, .copy_most = UINT64_MAX, .bad_position = UINT64_MAX};

/* FUSE's paths start with a slash; ours are relative to the folder. */
static const char *below(const char *path)
{
    return path[1] ? path + 1 : ".";
}

static int fd_of(const struct fuse_file_info *file)
{
    return (int)file->fh;
}

static int result(int returned)
{
    return returned < 0 ? -errno : 0;
}

static void *start(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    /* Nothing is remembered: a test may change the folder behind the mount's back. */
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    config->use_ino = 1;
    config->hard_remove = 1; /* no .fuse_hidden files */
    return NULL;
}

static int get_attributes(const char *path, struct stat *status, struct fuse_file_info *file)
{
    if (file)
        return result(fstat(fd_of(file), status));
    return result(fstatat(fs.folder, below(path), status, AT_SYMLINK_NOFOLLOW));
}

static int set_size(const char *path, off_t size, struct fuse_file_info *file)
{
    if (file)
        return result(ftruncate(fd_of(file), size));
    int fd = openat(fs.folder, below(path), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int set = result(ftruncate(fd, size));
    (void)close(fd);
    return set;
}

static int open_file(const char *path, int flags, mode_t mode, struct fuse_file_info *file)
{
    /* The kernel knows where a write to an O_APPEND file goes, and says so. */
    int fd = openat(fs.folder, below(path), (flags & ~O_APPEND) | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    file->fh = (uint64_t)fd;
    file->nonseekable = fs.nonseekable;
    return 0;
}

static int create_file(const char *path, mode_t mode, struct fuse_file_info *file)
{
    return open_file(path, file->flags | O_CREAT, mode, file);
}

static int open_existing(const char *path, struct fuse_file_info *file)
{
    return open_file(path, file->flags, 0, file);
}

static int release_file(const char *path, struct fuse_file_info *file)
{
    (void)path;
    return result(close(fd_of(file)));
}

static int read_backing(int fd, char *bytes, size_t length, off_t offset)
{
    uint64_t from = (uint64_t)offset;
    if (from <= fs.bad_position && fs.bad_position - from < length)
        return -EIO;
    ssize_t got = pread(fd, bytes, length, offset);
    return got < 0 ? -errno : (int)got;
}

static int write_backing(int fd, const char *bytes, size_t length, off_t offset)
{
    ssize_t put = pwrite(fd, bytes, length, offset);
    return put < 0 ? -errno : (int)put;
}

static int read_file(const char *path, char *bytes, size_t length, off_t offset,
                     struct fuse_file_info *file)
{
    (void)path;
    int got = read_backing(fd_of(file), bytes, length, offset);
    (void)dprintf(fs.log, "read %jd %zu %d\n", (intmax_t)offset, length, got);
    return got;
}

static int write_file(const char *path, const char *bytes, size_t length, off_t offset,
                      struct fuse_file_info *file)
{
    (void)path;
    int put = write_backing(fd_of(file), bytes, length, offset);
    (void)dprintf(fs.log, "write %jd %zu %d\n", (intmax_t)offset, length, put);
    return put;
}

static ssize_t copy_backing(int source, off_t from, int target, off_t to, uint64_t length)
{
    static char bytes[BLOCK_BYTES];
    uint64_t copied = 0;

    while (copied < length) {
        uint64_t rest = length - copied;
        size_t block = rest < sizeof bytes ? (size_t)rest : sizeof bytes;
        int moved = read_backing(source, bytes, block, from + (off_t)copied);
        if (moved > 0)
            moved = write_backing(target, bytes, (size_t)moved, to + (off_t)copied);
        if (moved < 0 && copied == 0)
            return moved;
        if (moved <= 0)
            break;
        copied += (uint64_t)moved;
    }
    return (ssize_t)copied;
}

static ssize_t copy_limited(int source, off_t from, int target, off_t to, uint64_t length)
{
    if (fs.copy_error)
        return -fs.copy_error;
    if (fs.copy_left == 0)
        return -EIO;
    if (length > fs.copy_most)
        length = fs.copy_most;
    if (length > fs.copy_left)
        length = fs.copy_left;
    ssize_t copied = copy_backing(source, from, target, to, length);
    if (copied > 0 && fs.copy_left != UINT64_MAX)
        fs.copy_left -= (uint64_t)copied;
    return copied;
}

static ssize_t copy_range(const char *source_path, struct fuse_file_info *source, off_t from,
                          const char *target_path, struct fuse_file_info *target, off_t to,
                          size_t length, int flags)
{
    (void)source_path;
    (void)target_path;
    (void)flags;
    ssize_t copied = copy_limited(fd_of(source), from, fd_of(target), to, length);
    (void)dprintf(fs.log, "copy_file_range %jd %jd %zu %zd\n", (intmax_t)from, (intmax_t)to, length,
                  copied);
    return copied;
}

static int reserve(const char *path, int mode, off_t offset, off_t length,
                   struct fuse_file_info *file)
{
    (void)path;
    return result(fallocate(fd_of(file), mode, offset, length));
}

static int sync_file(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)path;
    return result(data_only ? fdatasync(fd_of(file)) : fsync(fd_of(file)));
}

static int remove_file(const char *path)
{
    return result(unlinkat(fs.folder, below(path), 0));
}

static int rename_file(const char *from, const char *to, unsigned int flags)
{
    return result(renameat2(fs.folder, below(from), fs.folder, below(to), flags));
}

static int describe(const char *path, struct statvfs *status)
{
    (void)path;
    return result(fstatvfs(fs.folder, status));
}

static int list_folder(const char *path, void *list, fuse_fill_dir_t add, off_t offset,
                       struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
    (void)offset;
    (void)file;
    (void)flags;
    int fd = openat(fs.folder, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        return -errno;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (add(list, entry->d_name, NULL, 0, 0))
            break;
    }
    return result(closedir(folder));
}

static const struct fuse_operations operations = {
    .init = start,
    .getattr = get_attributes,
    .truncate = set_size,
    .create = create_file,
    .open = open_existing,
    .release = release_file,
    .read = read_file,
    .write = write_file,
    .copy_file_range = copy_range,
    .fallocate = reserve,
    .fsync = sync_file,
    .unlink = remove_file,
    .rename = rename_file,
    .statfs = describe,
    .readdir = list_folder,
};

static int take_copy_error(const char *name)
{
    static const struct {
        const char *name;
        int code;
    } errors[] = {{"enosys", ENOSYS}, {"eopnotsupp", EOPNOTSUPP}, {"exdev", EXDEV},
                  {"einval", EINVAL}, {"eperm", EPERM},           {"eio", EIO},
                  {"enospc", ENOSPC}};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(name, errors[i].name) == 0) {
            fs.copy_error = errors[i].code;
            return 0;
        }
    }
    return -1;
}

/* A word that begins with key has a number behind it. */
static bool take_number(const char *word, const char *key, uint64_t *number)
{
    size_t length = strlen(key);
    char *end;

    if (strncmp(word, key, length) != 0)
        return false;
    *number = strtoull(word + length, &end, 10);
    return end != word + length && !*end;
}

static int take_misbehaviour(const char *word)
{
    if (take_number(word, "copy=eio-after=", &fs.copy_left) ||
        take_number(word, "copy=short=", &fs.copy_most) ||
        take_number(word, "read=eio-at=", &fs.bad_position))
        return 0;
    if (strcmp(word, "copy=zero") == 0)
        fs.copy_most = 0;
    else if (strcmp(word, "nonseekable") == 0)
        fs.nonseekable = true;
    else
        return strncmp(word, "copy=", 5) == 0 ? take_copy_error(word + 5) : -1;
    return 0;
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fputs("usage: copyfs FOLDER MOUNT LOG [MISBEHAVIOUR]...\n", stderr);
        return EXIT_FAILURE;
    }
    for (int i = 4; i < argc; i++) {
        if (take_misbehaviour(argv[i]) < 0) {
            (void)fprintf(stderr, "copyfs: no such misbehaviour: %s\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    fs.folder = open_or_die(argv[1], O_PATH | O_DIRECTORY);
    fs.log = open_or_die(argv[3], O_WRONLY | O_CREAT | O_APPEND);
    (void)umask(0); /* the modes that come have it applied already */

    char *arguments[] = {argv[0], "-f", "-s", "-o", "fsname=copyfs", argv[2], NULL};
    return fuse_main(6, arguments, &operations, NULL);
}
