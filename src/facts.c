/* What the ends of a copy are, from stat, statfs, fcntl and lseek. */

#include "facts.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static enum zs_kind kind_of_mode(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return ZS_KIND_REGULAR;
    case S_IFBLK:
        return ZS_KIND_BLOCK;
    case S_IFIFO:
        return ZS_KIND_PIPE;
    case S_IFSOCK:
        return ZS_KIND_SOCKET;
    case S_IFCHR:
        return ZS_KIND_CHARACTER;
    case S_IFDIR:
        return ZS_KIND_DIRECTORY;
    default:
        return ZS_KIND_OTHER; /* anonymous inodes have no type bits (eventfd, Linux 6.18) */
    }
}

/* File systems on a server; linux/magic.h has the last four since Linux 5.17 only. */
enum { NFS = 0x6969, CEPH = 0x00c36400, FUSE = 0x65735546, SMB = 0x517b };
#define CIFS ((uint32_t)0xff534d42)
#define SMB2 ((uint32_t)0xfe534d42)

/*
 * File systems whose regular files are made up as they are read: st_size is 0 (procfs) or one page
 * (sysfs), whatever the file holds.
 */
static bool is_pseudo_filesystem(uint32_t filesystem)
{
    static const uint32_t pseudo[] = {
        PROC_SUPER_MAGIC,
        SYSFS_MAGIC,
        CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,
        TRACEFS_MAGIC,
        SECURITYFS_MAGIC,
        SELINUX_MAGIC,
        SMACK_MAGIC,
        PSTOREFS_MAGIC,
        EFIVARFS_MAGIC,
        BPF_FS_MAGIC,
        NSFS_MAGIC,
        BINFMTFS_MAGIC,
        0x62656570 /* configfs, not in linux/magic.h */,
        0x65735543 /* fusectl, likewise */,
    };
    for (size_t i = 0; i < sizeof pseudo / sizeof *pseudo; i++) {
        if (filesystem == pseudo[i])
            return true;
    }
    return false;
}

/*
 * A file that says it is empty and is not: the size of some FUSE files is not known before reading.
 */
static bool hides_its_bytes(int fd, const struct stat *status)
{
    char byte;
    return status->st_size == 0 && zs_sys_pread(fd, &byte, 1, 0) > 0;
}

static int examine_filesystem(int fd, struct zs_facts *facts)
{
    struct statfs filesystem;

    if (fstatfs(fd, &filesystem) < 0)
        return -errno;
    facts->filesystem = (uint32_t)filesystem.f_type;
    if (filesystem.f_bsize > 0 && (uint64_t)filesystem.f_bsize < facts->block_bytes)
        facts->block_bytes = (uint64_t)filesystem.f_bsize;
    return 0;
}

/*
 * Every file system that makes files up as they are read, or keeps them on a server, has a device
 * number with major 0 (Linux 6.18; FUSE over a block device has the device's, and is like a local
 * one). The type of others is not worth a system call here.
 */
static int examine_regular(int fd, const struct stat *status, struct zs_facts *facts)
{
    facts->block_bytes = (uint64_t)status->st_blksize;
    facts->allocated_bytes = (uint64_t)status->st_blocks * 512;
    int result = major(status->st_dev) == 0 ? examine_filesystem(fd, facts) : 0;
    if (result < 0)
        return result;
    facts->sized = !is_pseudo_filesystem(facts->filesystem) &&
                   !(facts->readable && hides_its_bytes(fd, status));
    facts->size_bytes = facts->sized ? (uint64_t)status->st_size : 0;
    return 0;
}

static int examine_block(int fd, struct zs_facts *facts)
{
    if (ioctl(fd, BLKGETSIZE64, &facts->size_bytes) < 0)
        return -errno;
    facts->sized = true;

    /* Opening a read-only device for writing succeeds; only the writes fail (Linux 6.18). */
    int read_only = 0;
    if (ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
        facts->writable = false;
    return 0;
}

static int examine_position(int fd, struct zs_facts *facts)
{
    off_t position = lseek(fd, 0, SEEK_CUR);
    if (position < 0) {
        if (errno != ESPIPE)
            return -errno;
        facts->sized = false; /* a FUSE file that can only be read from front to back: a stream */
        facts->size_bytes = 0;
        return 0;
    }
    facts->positioned = true;
    facts->position = (uint64_t)position;
    return 0;
}

static bool is_stream_socket(int fd)
{
    int type = 0;
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

static bool is_local_socket(int fd)
{
    int domain = 0;
    socklen_t length = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

static struct zs_facts facts_of_status(const struct stat *status)
{
    return (struct zs_facts){
        .kind = kind_of_mode(status->st_mode),
        .device = status->st_dev,
        .inode = status->st_ino,
        .modified = status->st_mtim,
        .special_device = status->st_rdev,
    };
}

static void set_flags(struct zs_facts *facts, int flags)
{
    int access = flags & O_ACCMODE;

    facts->readable = access != O_WRONLY && !(flags & O_PATH);
    facts->writable = access != O_RDONLY && !(flags & O_PATH);
    facts->append = (flags & O_APPEND) != 0;
    facts->messages = facts->kind == ZS_KIND_PIPE && (flags & O_DIRECT);
}

/*
 * Whether every file of this file system has positions. Those without are files of FUSE and of
 * kernel interfaces.
 */
static bool always_positioned(const struct stat *status, const struct zs_facts *facts)
{
    return major(status->st_dev) != 0 || facts->filesystem == TMPFS_MAGIC ||
           facts->filesystem == BTRFS_SUPER_MAGIC;
}

/* fresh: it was just opened, and stands at 0 if it has positions at all. */
static int examine(int fd, const struct stat *status, bool fresh, struct zs_facts *facts)
{
    int result = 0;

    switch (facts->kind) {
    case ZS_KIND_REGULAR:
        result = examine_regular(fd, status, facts);
        if (result == 0 && fresh && always_positioned(status, facts))
            facts->positioned = true;
        else if (result == 0)
            result = examine_position(fd, facts);
        break;
    case ZS_KIND_BLOCK:
        result = examine_block(fd, facts);
        if (result == 0)
            result = examine_position(fd, facts);
        break;
    case ZS_KIND_CHARACTER:
        /*
         * Not asked for a position: lseek succeeds on /dev/urandom and the like and means nothing.
         */
        if (isatty(fd))
            facts->kind = ZS_KIND_TERMINAL;
        break;
    case ZS_KIND_SOCKET:
        facts->messages = !is_stream_socket(fd);
        facts->local = is_local_socket(fd);
        break;
    default:
        break;
    }
    return result;
}

static int facts_of(int fd, int flags, bool fresh, struct zs_facts *facts)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    struct zs_facts found = facts_of_status(&status);
    set_flags(&found, flags);
    int result = examine(fd, &status, fresh, &found);
    if (result == 0)
        *facts = found;
    return result;
}

int zs_facts_of_descriptor(int fd, struct zs_facts *facts)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -errno : facts_of(fd, flags, false, facts);
}

int zs_facts_of_opened(int fd, int flags, struct zs_facts *facts)
{
    return facts_of(fd, flags, true, facts);
}

/*
 * A few bytes of a large slice, all over it, stand for the rest: asking about each page takes as
 * long as copying a good deal of it.
 */
static bool is_cached(int fd, uint64_t start, uint64_t length_bytes)
{
    enum { SAMPLES = 8 };
    int cached = 0;

    for (uint64_t i = 0; i < SAMPLES; i++)
        cached += zs_sys_is_cached(fd, start + length_bytes / SAMPLES * i) != 0;
    return cached > SAMPLES / 2;
}

int zs_facts_learn(int fd, uint64_t start, uint64_t length_bytes, struct zs_facts *facts)
{
    if (!zs_facts_mappable(facts))
        return 0;
    if (length_bytes >= ZS_LARGE_BYTES) {
        facts->cached = is_cached(fd, start, length_bytes);
        facts->processors = zs_sys_processors();
    }
    return facts->kind == ZS_KIND_REGULAR && facts->filesystem == 0 ? examine_filesystem(fd, facts)
                                                                    : 0;
}

int zs_facts_of_path(const char *path, struct zs_facts *facts)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        if (errno != ENOENT)
            return -errno;
        *facts = (struct zs_facts){
            .kind = ZS_KIND_NONE, .writable = true, .sized = true, .positioned = true};
        return 0;
    }
    *facts = facts_of_status(&status);
    facts->readable = facts->writable = true;
    if (facts->kind == ZS_KIND_REGULAR) {
        facts->positioned = facts->sized = true;
        facts->size_bytes = (uint64_t)status.st_size;
        facts->block_bytes = (uint64_t)status.st_blksize;
    }
    return 0;
}

bool zs_facts_same_file(const struct zs_facts *a, const struct zs_facts *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ZS_KIND_REGULAR:
    case ZS_KIND_PIPE:
        return a->device == b->device && a->inode == b->inode;
    case ZS_KIND_BLOCK:
        return a->special_device == b->special_device;
    default:
        /* A terminal, socket or device that is read from and written to has two separate flows. */
        return false;
    }
}

bool zs_facts_is_file(const struct zs_facts *facts)
{
    return facts->kind == ZS_KIND_REGULAR || facts->kind == ZS_KIND_BLOCK ||
           facts->kind == ZS_KIND_NONE;
}

bool zs_facts_mappable(const struct zs_facts *facts)
{
    return facts->positioned && facts->sized;
}

bool zs_facts_is_sparse(const struct zs_facts *facts)
{
    return facts->kind == ZS_KIND_REGULAR && zs_facts_mappable(facts) &&
           facts->allocated_bytes < facts->size_bytes;
}

bool zs_facts_is_remote(const struct zs_facts *facts)
{
    switch (facts->filesystem) {
    case NFS:
    case CEPH:
    case FUSE:
    case SMB:
    case CIFS:
    case SMB2:
        return facts->kind == ZS_KIND_REGULAR;
    default:
        return false;
    }
}

/*
 * The most common ones that cannot (Linux 6.18), and SMB, which can: but its client sets the
 * target's size before it asks the server, so that even a try would touch the target. Any other is
 * asked by trying.
 */
static bool never_shares(uint32_t filesystem)
{
    return filesystem == EXT4_SUPER_MAGIC || filesystem == TMPFS_MAGIC ||
           filesystem == RAMFS_MAGIC || filesystem == FUSE || filesystem == SMB ||
           filesystem == CIFS || filesystem == SMB2 || is_pseudo_filesystem(filesystem);
}

const char *zs_facts_refuse_sharing(const struct zs_facts *source, const struct zs_facts *target)
{
    if (source->kind != ZS_KIND_REGULAR || !source->sized || !source->positioned ||
        (target->kind != ZS_KIND_REGULAR && target->kind != ZS_KIND_NONE))
        return "only regular files share blocks";
    if (target->append)
        return "what is appended cannot be shared";
    if (source->shares_nothing || never_shares(source->filesystem))
        return "the source's file system cannot share blocks";
    /* The subvolumes of btrfs have a device number each, and share. */
    if (target->kind == ZS_KIND_REGULAR && source->device != target->device &&
        source->filesystem != BTRFS_SUPER_MAGIC)
        return "they are on two file systems";
    return NULL;
}

bool zs_facts_is_stream(const struct zs_facts *facts)
{
    switch (facts->kind) {
    case ZS_KIND_PIPE:
    case ZS_KIND_SOCKET:
    case ZS_KIND_TERMINAL:
    case ZS_KIND_CHARACTER:
    case ZS_KIND_OTHER:
        return true;
    default:
        return false;
    }
}

const char *zs_facts_kind_name(enum zs_kind kind)
{
    switch (kind) {
    case ZS_KIND_NONE:
        return "a file that does not exist";
    case ZS_KIND_REGULAR:
        return "a regular file";
    case ZS_KIND_BLOCK:
        return "a block device";
    case ZS_KIND_PIPE:
        return "a pipe";
    case ZS_KIND_SOCKET:
        return "a socket";
    case ZS_KIND_TERMINAL:
        return "a terminal";
    case ZS_KIND_CHARACTER:
        return "a character device";
    case ZS_KIND_DIRECTORY:
        return "a directory";
    case ZS_KIND_OTHER:
        break;
    }
    return "a special file";
}
