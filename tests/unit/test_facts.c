/* What descriptors and paths are: real ones of every kind. */

#include "facts.h"

#include "check_helpers.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

static struct zs_facts facts_of(int fd)
{
    struct zs_facts facts;
    int result = zs_facts_of_descriptor(fd, &facts);
    ck_assert_msg(result == 0, "examining gives %d", result);
    return facts;
}

/* Opens a path, examines and closes it. False if there is no such file here (a container). */
static bool examine(const char *path, int flags, struct zs_facts *facts)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    *facts = facts_of(fd);
    ck_assert_int_eq(close(fd), 0);
    return true;
}

START_TEST(a_regular_file_has_size_position_and_identity)
{
    struct stat status;
    int fd = scratch_file("0123456789", 10);
    ck_assert_int_eq(lseek(fd, 4, SEEK_SET), 4);
    ck_assert_int_eq(fstat(fd, &status), 0);

    struct zs_facts facts = facts_of(fd);
    ck_assert_int_eq(facts.kind, ZS_KIND_REGULAR);
    ck_assert(facts.sized && facts.positioned);
    ck_assert(facts.readable && facts.writable && !facts.append);
    ck_assert_uint_eq(facts.size_bytes, 10);
    ck_assert_uint_eq(facts.position, 4);
    ck_assert_uint_eq(facts.device, status.st_dev);
    ck_assert_uint_eq(facts.inode, status.st_ino);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 4);
    (void)close(fd);
}
END_TEST

START_TEST(a_position_may_lie_beyond_the_end)
{
    int fd = scratch_file("0123456789", 10);
    ck_assert_int_eq(lseek(fd, (off_t)1 << 40, SEEK_SET), (off_t)1 << 40);

    struct zs_facts facts = facts_of(fd);
    ck_assert_uint_eq(facts.position, 1ULL << 40);
    ck_assert_uint_eq(facts.size_bytes, 10);
    (void)close(fd);
}
END_TEST

static const struct {
    int flags;
    bool readable;
    bool writable;
    bool append;
} modes[] = {
    {O_RDONLY, true, false, false},
    {O_WRONLY, false, true, false},
    {O_RDWR, true, true, false},
    {O_WRONLY | O_APPEND, false, true, true},
    {O_RDWR | O_APPEND, true, true, true},
    {O_RDONLY | O_NONBLOCK, true, false, false},
    {O_WRONLY | O_NONBLOCK, false, true, false},
};

START_TEST(the_access_mode_is_the_descriptors)
{
    struct zs_facts facts;

    make_file("file", "content", 7);
    ck_assert(examine("file", modes[_i].flags, &facts));
    ck_assert_int_eq(facts.readable, modes[_i].readable);
    ck_assert_int_eq(facts.writable, modes[_i].writable);
    ck_assert_int_eq(facts.append, modes[_i].append);
    ck_assert(facts.sized && facts.positioned);
    ck_assert_uint_eq(facts.size_bytes, 7);
}
END_TEST

START_TEST(an_empty_file_is_empty_whatever_its_access_mode)
{
    struct zs_facts facts;

    make_file("file", "", 0);
    ck_assert(examine("file", modes[_i].flags, &facts));
    ck_assert_int_eq(facts.kind, ZS_KIND_REGULAR);
    ck_assert(facts.sized);
    ck_assert_uint_eq(facts.size_bytes, 0);
}
END_TEST

static void expect_stream(const struct zs_facts *facts, enum zs_kind kind)
{
    ck_assert_int_eq(facts->kind, kind);
    ck_assert(!facts->sized);
    ck_assert(!facts->positioned);
    ck_assert(zs_facts_is_stream(facts));
    ck_assert(!zs_facts_mappable(facts));
}

START_TEST(the_ends_of_a_pipe_are_one_stream)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);

    struct zs_facts read_end = facts_of(ends[0]);
    struct zs_facts write_end = facts_of(ends[1]);
    expect_stream(&read_end, ZS_KIND_PIPE);
    expect_stream(&write_end, ZS_KIND_PIPE);
    ck_assert(read_end.readable && !read_end.writable);
    ck_assert(!write_end.readable && write_end.writable);
    ck_assert(zs_facts_same_file(&read_end, &write_end));

    int others[2];
    ck_assert_int_eq(pipe2(others, O_CLOEXEC), 0);
    struct zs_facts other = facts_of(others[1]);
    ck_assert(!zs_facts_same_file(&read_end, &other));
}
END_TEST

START_TEST(a_fifo_is_a_pipe)
{
    struct zs_facts by_descriptor, by_path;

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert(examine("fifo", O_RDWR, &by_descriptor));
    expect_stream(&by_descriptor, ZS_KIND_PIPE);
    ck_assert_int_eq(zs_facts_of_path("fifo", &by_path), 0);
    expect_stream(&by_path, ZS_KIND_PIPE);
    ck_assert(zs_facts_same_file(&by_descriptor, &by_path));
}
END_TEST

START_TEST(a_socket_flows_both_ways_and_is_never_the_same_file)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);

    struct zs_facts facts = facts_of(ends[0]);
    expect_stream(&facts, ZS_KIND_SOCKET);
    ck_assert(facts.readable && facts.writable);
    ck_assert(!zs_facts_same_file(&facts, &facts));
}
END_TEST

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"};

START_TEST(a_character_device_is_a_stream_though_it_can_seek)
{
    struct zs_facts facts;

    if (!examine(devices[_i], O_RDWR, &facts))
        return;
    expect_stream(&facts, ZS_KIND_CHARACTER);
    ck_assert(!zs_facts_same_file(&facts, &facts));
}
END_TEST

START_TEST(a_terminal_is_told_from_other_devices)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        return; /* no devpts here */
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);

    struct zs_facts facts;
    ck_assert(examine(ptsname(master), O_RDWR, &facts));
    expect_stream(&facts, ZS_KIND_TERMINAL);
    ck_assert(!zs_facts_same_file(&facts, &facts));
}
END_TEST

START_TEST(an_eventfd_is_something_else)
{
    int fd = eventfd(1, EFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);

    struct zs_facts facts = facts_of(fd);
    expect_stream(&facts, ZS_KIND_OTHER);
}
END_TEST

START_TEST(a_directory_is_one)
{
    struct zs_facts by_descriptor, by_path;

    ck_assert(examine(".", O_RDONLY, &by_descriptor));
    ck_assert_int_eq(by_descriptor.kind, ZS_KIND_DIRECTORY);
    ck_assert(!zs_facts_is_stream(&by_descriptor));
    ck_assert(!zs_facts_mappable(&by_descriptor));
    ck_assert_int_eq(zs_facts_of_path(".", &by_path), 0);
    ck_assert_int_eq(by_path.kind, ZS_KIND_DIRECTORY);
}
END_TEST

static const char *const made_up[] = {"/proc/self/status", "/proc/version", "/proc/self/maps",
                                      "/sys/kernel/mm/transparent_hugepage/enabled",
                                      "/sys/class/net/lo/mtu"};

START_TEST(a_file_made_up_as_it_is_read_has_positions_and_no_size)
{
    struct zs_facts facts;

    if (!examine(made_up[_i], O_RDONLY, &facts))
        return;
    ck_assert_int_eq(facts.kind, ZS_KIND_REGULAR);
    ck_assert(facts.positioned && !facts.sized);
    ck_assert(!zs_facts_mappable(&facts));
    ck_assert(!zs_facts_is_stream(&facts));
    ck_assert_uint_eq(facts.size_bytes, 0);
}
END_TEST

START_TEST(a_memfd_is_a_regular_file)
{
    int fd = memfd_create("facts", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    write_all(fd, "12345", 5);

    struct zs_facts facts = facts_of(fd);
    ck_assert_int_eq(facts.kind, ZS_KIND_REGULAR);
    ck_assert(zs_facts_mappable(&facts));
    ck_assert_uint_eq(facts.size_bytes, 5);
    ck_assert_uint_eq(facts.position, 5);
    (void)close(fd);
}
END_TEST

static void expect_block_device(const char *name)
{
    char path[300];
    unsigned long long sectors;
    struct zs_facts facts;

    (void)snprintf(path, sizeof path, "/dev/%s", name);
    if (!examine(path, O_RDONLY, &facts))
        return;
    (void)snprintf(path, sizeof path, "/sys/class/block/%s/size", name);
    FILE *size = fopen(path, "r");
    ck_assert_ptr_nonnull(size);
    ck_assert_int_eq(fscanf(size, "%llu", &sectors), 1);
    (void)fclose(size);
    ck_assert_int_eq(facts.kind, ZS_KIND_BLOCK);
    ck_assert(facts.sized && facts.positioned && !facts.writable);
    ck_assert_uint_eq(facts.size_bytes, sectors * 512);
    ck_assert(zs_facts_mappable(&facts));
    ck_assert(!zs_facts_is_stream(&facts));
    ck_assert(zs_facts_same_file(&facts, &facts));
}

/* Those that there are: none in a container. The CLI tests make loop devices where they can. */
START_TEST(block_devices_have_their_real_size)
{
    DIR *folder = opendir("/sys/class/block");
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.')
            expect_block_device(entry->d_name);
    }
    (void)closedir(folder);
}
END_TEST

START_TEST(a_descriptor_that_is_not_open_has_no_facts)
{
    struct zs_facts facts = {.size_bytes = 77};

    ck_assert_int_eq(zs_facts_of_descriptor(-1, &facts), -EBADF);
    ck_assert_int_eq(zs_facts_of_descriptor(100000, &facts), -EBADF);
    ck_assert_uint_eq(facts.size_bytes, 77);
}
END_TEST

START_TEST(a_path_is_examined_without_opening_it)
{
    struct zs_facts facts;

    make_file("file", "12345", 5);
    ck_assert_int_eq(chmod("file", 0), 0);
    ck_assert_int_eq(zs_facts_of_path("file", &facts), 0);
    ck_assert_int_eq(facts.kind, ZS_KIND_REGULAR);
    ck_assert(facts.readable && facts.writable && !facts.append);
    ck_assert(facts.sized && facts.positioned);
    ck_assert_uint_eq(facts.size_bytes, 5);
    ck_assert_uint_eq(facts.position, 0);
}
END_TEST

static const char *const absent[] = {"absent", "absent/file", "dangling", ""};

START_TEST(a_path_that_does_not_exist_is_a_target_to_create)
{
    struct zs_facts facts;

    ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
    ck_assert_int_eq(zs_facts_of_path(absent[_i], &facts), 0);
    ck_assert_int_eq(facts.kind, ZS_KIND_NONE);
    ck_assert(facts.writable && facts.positioned);
    ck_assert_uint_eq(facts.size_bytes, 0);
}
END_TEST

START_TEST(a_path_that_cannot_be_examined_gives_its_errno)
{
    struct zs_facts facts = {.size_bytes = 77};
    char name[300];

    make_file("file", "", 0);
    ck_assert_int_eq(symlink("loop", "loop"), 0);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(zs_facts_of_path("file/below", &facts), -ENOTDIR);
    ck_assert_int_eq(zs_facts_of_path("loop", &facts), -ELOOP);
    ck_assert_int_eq(zs_facts_of_path(name, &facts), -ENAMETOOLONG);
    ck_assert_uint_eq(facts.size_bytes, 77);
}
END_TEST

START_TEST(links_are_the_same_file_and_equal_files_are_not)
{
    struct zs_facts facts, hard, soft, other;

    make_file("file", "same", 4);
    make_file("other", "same", 4);
    ck_assert_int_eq(link("file", "hard"), 0);
    ck_assert_int_eq(symlink("file", "soft"), 0);
    ck_assert_int_eq(zs_facts_of_path("file", &facts), 0);
    ck_assert_int_eq(zs_facts_of_path("hard", &hard), 0);
    ck_assert_int_eq(zs_facts_of_path("soft", &soft), 0);
    ck_assert_int_eq(zs_facts_of_path("other", &other), 0);
    ck_assert(zs_facts_same_file(&facts, &hard));
    ck_assert(zs_facts_same_file(&facts, &soft));
    ck_assert(!zs_facts_same_file(&facts, &other));

    struct zs_facts by_descriptor;
    ck_assert(examine("hard", O_RDONLY, &by_descriptor));
    ck_assert(zs_facts_same_file(&facts, &by_descriptor));
}
END_TEST

START_TEST(same_file_needs_the_same_kind_device_and_number)
{
    struct zs_facts a = {.kind = ZS_KIND_REGULAR, .device = 1, .inode = 2, .special_device = 3};
    struct zs_facts b = a;

    ck_assert(zs_facts_same_file(&a, &b));
    b.device = 9;
    ck_assert(!zs_facts_same_file(&a, &b));
    b = a;
    b.kind = ZS_KIND_PIPE;
    ck_assert(!zs_facts_same_file(&a, &b));

    /* Two nodes of one block device. */
    a.kind = b.kind = ZS_KIND_BLOCK;
    b.inode = 9;
    ck_assert(zs_facts_same_file(&a, &b));
    b.special_device = 9;
    ck_assert(!zs_facts_same_file(&a, &b));

    /* Nothing is not the same as nothing. */
    a.kind = b.kind = ZS_KIND_NONE;
    ck_assert(!zs_facts_same_file(&a, &a));
}
END_TEST

/* A descriptor that was just opened needs not be asked for its flags and position */

/* Paths of many kinds, how to open them, and whether that may fail here (a container). */
static const struct {
    const char *path;
    int flags;
} openings[] = {
    {"file", O_RDONLY},
    {"file", O_WRONLY},
    {"file", O_RDWR},
    {"file", O_WRONLY | O_APPEND},
    {"file", O_RDWR | O_APPEND | O_NONBLOCK},
    {"empty", O_RDONLY},
    {"empty", O_WRONLY},
    {"large", O_RDONLY},
    {"large", O_WRONLY | O_APPEND},
    {"fifo", O_RDWR},
    {".", O_RDONLY},
    {"/dev/null", O_RDWR},
    {"/dev/zero", O_RDONLY},
    {"/dev/full", O_WRONLY},
    {"/dev/tty", O_RDWR},
    {"/dev/vda", O_RDONLY},
    {"/dev/loop0", O_RDONLY},
    {"/proc/version", O_RDONLY},
    {"/proc/self/mem", O_RDONLY},
    {"/sys/class/net/lo/mtu", O_RDONLY},
    {"/dev/shm", O_RDONLY},
    {"/proc/self/fd/0", O_RDONLY},
};

enum { LARGE = 1024 * 1024 + 1 };

static void make_files(void)
{
    enter_scratch_folder();
    make_file("file", "0123456789", 10);
    make_file("empty", "", 0);
    make_file("large", "", 0);
    ck_assert_int_eq(truncate("large", LARGE), 0);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
}

static void expect_equal(const struct zs_facts *a, const struct zs_facts *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_int_eq(a->readable, b->readable);
    ck_assert_int_eq(a->writable, b->writable);
    ck_assert_int_eq(a->append, b->append);
    ck_assert_int_eq(a->messages, b->messages);
    ck_assert_int_eq(a->positioned, b->positioned);
    ck_assert_int_eq(a->sized, b->sized);
    ck_assert_uint_eq(a->position, b->position);
    ck_assert_uint_eq(a->size_bytes, b->size_bytes);
    ck_assert_uint_eq(a->block_bytes, b->block_bytes);
    ck_assert_uint_eq(a->filesystem, b->filesystem);
    ck_assert_int_eq(a->shares_nothing, b->shares_nothing);
    ck_assert_int_eq(a->cached, b->cached);
    ck_assert_int_eq(a->local, b->local);
    ck_assert_uint_eq(a->processors, b->processors);
    ck_assert_uint_eq(a->device, b->device);
    ck_assert_uint_eq(a->inode, b->inode);
    ck_assert_uint_eq(a->special_device, b->special_device);
}

START_TEST(what_was_just_opened_has_the_facts_of_its_descriptor)
{
    struct zs_facts opened, asked;
    int fd = open(openings[_i].path, openings[_i].flags | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return;
    int result = zs_facts_of_descriptor(fd, &asked);
    ck_assert_int_eq(zs_facts_of_opened(fd, openings[_i].flags, &opened), result);
    if (result == 0)
        expect_equal(&opened, &asked);
    (void)close(fd);
}
END_TEST

START_TEST(what_is_not_open_was_not_just_opened)
{
    struct zs_facts facts = {.size_bytes = 77};

    ck_assert_int_eq(zs_facts_of_opened(-1, O_RDONLY, &facts), -EBADF);
    ck_assert_uint_eq(facts.size_bytes, 77);
}
END_TEST

/* Neither the file system of a file on a disk nor whether it is cached is found out before it is
 * known how much is copied. */

static bool is_of_a_disk(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && major(status.st_dev) != 0;
}

static uint32_t filesystem_of(const char *path)
{
    struct statfs filesystem;
    ck_assert_int_eq(statfs(path, &filesystem), 0);
    return (uint32_t)filesystem.f_type;
}

static const off_t sizes[] = {0, 10, LARGE - 1, LARGE, (off_t)ZS_LARGE_BYTES, (off_t)1 << 40};

START_TEST(the_file_system_of_a_disk_is_not_asked_for)
{
    struct zs_facts facts;

    ck_assert_int_eq(truncate("large", sizes[_i]), 0);
    ck_assert(examine("large", O_RDONLY, &facts));
    ck_assert_uint_eq(facts.filesystem, is_of_a_disk("large") ? 0 : filesystem_of("large"));
    ck_assert_uint_eq(facts.size_bytes, (uint64_t)sizes[_i]);
    ck_assert(!facts.shares_nothing && !facts.cached);
}
END_TEST

/* By a position that it cannot have: where it is not asked for, it is taken to be 0. */
START_TEST(only_what_may_have_no_position_is_asked_for_it_when_it_was_just_opened)
{
    const struct {
        int fd;
        bool asked;
    } files[] = {{memfd_create("facts", MFD_CLOEXEC), false},
                 {open("file", O_RDONLY | O_CLOEXEC), !is_of_a_disk("file")},
                 {open("/proc/version", O_RDONLY | O_CLOEXEC), true}};

    for (int i = 0; i < ROWS(files); i++) {
        struct zs_facts facts;
        uint32_t type = i == 1 ? filesystem_of("file") : 0;
        if (type == TMPFS_MAGIC || type == BTRFS_SUPER_MAGIC)
            continue; /* on no disk, and not asked either */
        ck_assert_int_eq(lseek(files[i].fd, 7, SEEK_SET), 7);
        ck_assert_int_eq(zs_facts_of_opened(files[i].fd, O_RDONLY, &facts), 0);
        ck_assert(facts.positioned);
        ck_assert_uint_eq(facts.position, files[i].asked ? 7 : 0);
        ck_assert_int_eq(zs_facts_of_descriptor(files[i].fd, &facts), 0);
        ck_assert_uint_eq(facts.position, 7);
        (void)close(files[i].fd);
    }
}
END_TEST

/* What is learnt for a copy of a length */

/* Of a file, which is cached until it is dropped; not of holes: they are cached at once. */
enum { LEARNT_MIB = 32 };

#define MIB ((uint64_t)1024 * 1024)

static int written_file(void)
{
    unsigned char *bytes = new_pattern(LEARNT_MIB * MIB);
    int fd = scratch_file(bytes, LEARNT_MIB * MIB);

    free(bytes);
    return fd;
}

static void drop(int fd)
{
    ck_assert_int_eq(fsync(fd), 0);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

/* Caches these pages and no more: by a descriptor for which the kernel reads nothing ahead. */
static void warm(int fd, uint64_t start, uint64_t length)
{
    char name[64];
    char *bytes = malloc((size_t)length);

    ck_assert_ptr_nonnull(bytes);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int other = open(name, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(posix_fadvise(other, 0, 0, POSIX_FADV_RANDOM), 0);
    ck_assert_int_eq(pread(other, bytes, (size_t)length, (off_t)start), (ssize_t)length);
    (void)close(other);
    free(bytes);
}

/* tmpfs keeps every page. */
static bool can_be_dropped_here(void)
{
    struct statfs filesystem;
    return statfs(P_tmpdir, &filesystem) == 0 && (uint32_t)filesystem.f_type != TMPFS_MAGIC &&
           (uint32_t)filesystem.f_type != RAMFS_MAGIC;
}

static struct zs_facts learnt(int fd, uint64_t start, uint64_t length)
{
    struct zs_facts facts = facts_of(fd);
    ck_assert_int_eq(zs_facts_learn(fd, start, length, &facts), 0);
    return facts;
}

static uint32_t type_of(int fd)
{
    struct statfs filesystem;
    ck_assert_int_eq(fstatfs(fd, &filesystem), 0);
    return (uint32_t)filesystem.f_type;
}

static const uint64_t small[] = {0, 1, 4096, ZS_SMALL_BYTES - 1, ZS_SMALL_BYTES};

START_TEST(for_a_small_copy_only_the_file_system_is_learnt)
{
    int fd = written_file();
    struct zs_facts before = facts_of(fd), facts = learnt(fd, 0, small[_i]);

    ck_assert_uint_eq(facts.filesystem, type_of(fd));
    before.filesystem = facts.filesystem;
    expect_equal(&facts, &before);
    (void)close(fd);
}
END_TEST

static const struct {
    uint64_t length;
    bool cached;
} lengths[] = {{ZS_SMALL_BYTES + 1, false},
               {ZS_LARGE_BYTES - 1, false}, /* not asked */
               {ZS_LARGE_BYTES, true},
               {LEARNT_MIB * MIB, true}};

START_TEST(for_a_longer_one_the_file_system_is_and_for_a_large_one_what_is_cached)
{
    int fd = written_file();
    struct zs_facts before = facts_of(fd), facts = learnt(fd, 0, lengths[_i].length);

    ck_assert_uint_eq(facts.filesystem, type_of(fd));
    ck_assert_int_eq(facts.cached, lengths[_i].cached);
    ck_assert_int_eq(facts.processors > 0, lengths[_i].length >= ZS_LARGE_BYTES);
    before.filesystem = facts.filesystem; /* nothing else has changed */
    before.cached = facts.cached;
    before.processors = facts.processors;
    expect_equal(&facts, &before);
    (void)close(fd);
}
END_TEST

/* Each question is asked of a file of its own: the answer may bring a page into the cache. */
static const struct {
    uint64_t warm_start, warm_length; /* in MiB, as all of these */
    uint64_t start, length;
    bool cached;
} caches[] = {
    /* clang-format off */
    {0, 0, 0, 16, false},
    {0, 0, 0, 32, false},
    {0, 32, 0, 32, true},
    /* it is this slice that counts */
    {16, 16, 0, 16, false},
    {16, 16, 16, 16, true},
    {0, 16, 0, 16, true},
    {0, 16, 16, 16, false},
    /* half of it is not most of it */
    {0, 8, 0, 32, false},
    {0, 16, 0, 32, false},
    {0, 20, 0, 32, true},
    {12, 20, 0, 32, true},
    {0, 1, 0, 16, false},
    {31, 1, 16, 16, false},
    /* clang-format on */
};

START_TEST(what_is_in_the_cache_is_learnt)
{
    int fd = written_file();

    drop(fd);
    if (caches[_i].warm_length > 0)
        warm(fd, caches[_i].warm_start * MIB, caches[_i].warm_length * MIB);
    struct zs_facts facts = learnt(fd, caches[_i].start * MIB, caches[_i].length * MIB);
    ck_assert_int_eq(facts.cached, caches[_i].cached);
    (void)close(fd);
}
END_TEST

/* What was learnt before, of another file or another time, does not count. */
START_TEST(what_is_not_cached_any_more_is_learnt_too)
{
    int fd = written_file();
    struct zs_facts facts = learnt(fd, 0, LEARNT_MIB * MIB);

    ck_assert(facts.cached);
    drop(fd);
    ck_assert_int_eq(zs_facts_learn(fd, 0, LEARNT_MIB * MIB, &facts), 0);
    ck_assert(!facts.cached);
    (void)close(fd);
}
END_TEST

/* A device has no file system of its own. A file stands for it: what is asked is the same. */
START_TEST(of_a_device_it_is_learnt_what_is_cached)
{
    int fd = written_file();
    struct zs_facts facts = {
        .kind = ZS_KIND_BLOCK, .readable = true, .positioned = true, .sized = true};

    ck_assert_int_eq(zs_facts_learn(fd, 0, ZS_LARGE_BYTES, &facts), 0);
    ck_assert(facts.cached);
    ck_assert_uint_eq(facts.filesystem, 0);
    (void)close(fd);
}
END_TEST

START_TEST(what_lies_in_memory_is_cached)
{
    int fd = memfd_create("facts", MFD_CLOEXEC);
    unsigned char *bytes = new_pattern(ZS_LARGE_BYTES);

    write_all(fd, bytes, ZS_LARGE_BYTES);
    free(bytes);
    struct zs_facts facts = learnt(fd, 0, ZS_LARGE_BYTES);
    ck_assert(facts.cached);
    ck_assert_uint_eq(facts.filesystem, TMPFS_MAGIC);
    (void)close(fd);
}
END_TEST

START_TEST(of_a_stream_nothing_is_learnt)
{
    int ends[2], sockets[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    write_all(ends[1], "bytes", 5);
    int fds[] = {ends[0], sockets[0], open("/dev/zero", O_RDONLY | O_CLOEXEC),
                 open("/proc/version", O_RDONLY | O_CLOEXEC)};

    for (int i = 0; i < ROWS(fds); i++) {
        struct zs_facts before = facts_of(fds[i]), facts = learnt(fds[i], 0, (uint64_t)1 << 40);
        expect_equal(&facts, &before);
    }
    char got[8];
    ck_assert_int_eq(read(ends[0], got, sizeof got), 5); /* nor was any of it read */
}
END_TEST

START_TEST(a_file_system_that_cannot_be_asked_is_an_error)
{
    struct zs_facts facts = {
        .kind = ZS_KIND_REGULAR, .readable = true, .positioned = true, .sized = true};

    ck_assert_int_eq(zs_facts_learn(-1, 0, 1, &facts), -EBADF);
    ck_assert_uint_eq(facts.filesystem, 0);
    facts.filesystem = NFS_SUPER_MAGIC; /* known already */
    ck_assert_int_eq(zs_facts_learn(-1, 0, ZS_SMALL_BYTES + 1, &facts), 0);
    ck_assert_uint_eq(facts.filesystem, NFS_SUPER_MAGIC);
}
END_TEST

START_TEST(a_socket_of_this_machine_is_told_from_one_of_a_network)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct zs_facts facts = facts_of(ends[0]);
    ck_assert(facts.local);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return; /* no network here */
    facts = facts_of(fd);
    ck_assert(!facts.local && !facts.messages);
    (void)close(fd);
}
END_TEST

START_TEST(the_file_system_of_what_is_on_no_disk_is_known)
{
    struct zs_facts facts;
    int fd = memfd_create("facts", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    facts = facts_of(fd);
    ck_assert_uint_eq(facts.filesystem, TMPFS_MAGIC);
    if (examine("/proc/version", O_RDONLY, &facts))
        ck_assert_uint_eq(facts.filesystem, PROC_SUPER_MAGIC);
    if (examine("/sys/class/net/lo/mtu", O_RDONLY, &facts))
        ck_assert_uint_eq(facts.filesystem, SYSFS_MAGIC);
    (void)close(fd);
}
END_TEST

START_TEST(blocks_are_those_of_the_file)
{
    struct stat status;
    struct zs_facts by_descriptor, by_path;

    ck_assert_int_eq(stat("file", &status), 0);
    ck_assert(examine("file", O_RDONLY, &by_descriptor));
    ck_assert_int_eq(zs_facts_of_path("file", &by_path), 0);
    ck_assert_uint_eq(by_descriptor.block_bytes, (uint64_t)status.st_blksize);
    ck_assert_uint_eq(by_path.block_bytes, (uint64_t)status.st_blksize);
    ck_assert(examine("fifo", O_RDWR, &by_descriptor));
    ck_assert_uint_eq(by_descriptor.block_bytes, 0);
}
END_TEST

static const struct {
    uint32_t filesystem;
    bool remote;
} servers[] = {
    {NFS_SUPER_MAGIC, true},
    {CIFS_SUPER_MAGIC, true},
    {SMB2_SUPER_MAGIC, true},
    {CEPH_SUPER_MAGIC, true},
    {FUSE_SUPER_MAGIC, true},
    {0x517b, true},
    {0, false},
    {EXT4_SUPER_MAGIC, false},
    {XFS_SUPER_MAGIC, false},
    {BTRFS_SUPER_MAGIC, false},
    {TMPFS_MAGIC, false},
    {PROC_SUPER_MAGIC, false},
    {UINT32_MAX, false},
};

START_TEST(a_file_is_remote_by_its_file_system)
{
    for (int kind = ZS_KIND_NONE; kind <= ZS_KIND_OTHER; kind++) {
        struct zs_facts facts = {.kind = (enum zs_kind)kind, .filesystem = servers[_i].filesystem};
        ck_assert_int_eq(zs_facts_is_remote(&facts), servers[_i].remote && kind == ZS_KIND_REGULAR);
    }
}
END_TEST

#define FILE_ON(type)                                                                              \
    .kind = ZS_KIND_REGULAR, .positioned = true, .sized = true, .filesystem = (type)
#define ABSENT .kind = ZS_KIND_NONE, .positioned = true, .sized = true

static const struct {
    struct zs_facts source, target;
    const char *refusal; /* a part of it; NULL: there is none */
} sharings[] = {
    {{FILE_ON(XFS_SUPER_MAGIC)}, {ABSENT}, NULL},
    {{FILE_ON(XFS_SUPER_MAGIC)}, {FILE_ON(0)}, NULL},
    {{FILE_ON(0)}, {ABSENT}, NULL}, /* not known: only trying tells */
    {{FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT}, NULL},
    {{FILE_ON(UINT32_MAX)}, {ABSENT}, NULL},
    {{FILE_ON(EXT4_SUPER_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(TMPFS_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(RAMFS_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(FUSE_SUPER_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(PROC_SUPER_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(0x517b)}, {ABSENT}, "cannot share"}, /* SMB_SUPER_MAGIC, not in linux/magic.h once */
    {{FILE_ON(CIFS_SUPER_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(SMB2_SUPER_MAGIC)}, {ABSENT}, "cannot share"},
    {{FILE_ON(CEPH_SUPER_MAGIC)}, {ABSENT}, NULL},
    {{FILE_ON(XFS_SUPER_MAGIC), .shares_nothing = true}, {ABSENT}, "cannot share"},
    {{FILE_ON(XFS_SUPER_MAGIC), .device = 1}, {FILE_ON(0), .device = 2}, "two file systems"},
    {{FILE_ON(XFS_SUPER_MAGIC), .device = 1}, {ABSENT}, NULL}, /* its device is not known yet */
    {{FILE_ON(BTRFS_SUPER_MAGIC), .device = 1}, {FILE_ON(0), .device = 2}, NULL}, /* subvolumes */
    {{FILE_ON(XFS_SUPER_MAGIC)}, {FILE_ON(0), .append = true}, "appended"},
    {{FILE_ON(XFS_SUPER_MAGIC)}, {.kind = ZS_KIND_BLOCK, .sized = true}, "only regular files"},
    {{FILE_ON(XFS_SUPER_MAGIC)}, {.kind = ZS_KIND_PIPE}, "only regular files"},
    {{.kind = ZS_KIND_BLOCK, .sized = true, .positioned = true}, {ABSENT}, "only regular files"},
    {{.kind = ZS_KIND_PIPE}, {ABSENT}, "only regular files"},
    {{.kind = ZS_KIND_REGULAR, .positioned = true}, {ABSENT}, "only regular files"},
    {{.kind = ZS_KIND_REGULAR, .sized = true}, {ABSENT}, "only regular files"},
};

START_TEST(files_that_cannot_share_blocks_are_known)
{
    const char *refusal = zs_facts_refuse_sharing(&sharings[_i].source, &sharings[_i].target);

    if (!sharings[_i].refusal)
        ck_assert_ptr_null(refusal);
    else
        ck_assert_msg(refusal && strstr(refusal, sharings[_i].refusal), "%s, not %s",
                      refusal ? refusal : "nothing", sharings[_i].refusal);
}
END_TEST

START_TEST(a_file_is_what_keeps_bytes_at_positions)
{
    for (int kind = ZS_KIND_NONE; kind <= ZS_KIND_OTHER; kind++) {
        struct zs_facts facts = {.kind = (enum zs_kind)kind};
        bool keeps = kind == ZS_KIND_NONE || kind == ZS_KIND_REGULAR || kind == ZS_KIND_BLOCK;
        ck_assert_int_eq(zs_facts_is_file(&facts), keeps);
    }
}
END_TEST

START_TEST(every_kind_has_words_of_its_own)
{
    for (int kind = ZS_KIND_NONE; kind <= ZS_KIND_OTHER; kind++) {
        const char *words = zs_facts_kind_name((enum zs_kind)kind);
        ck_assert_int_eq(strncmp(words, "a ", 2), 0);
        for (int other = ZS_KIND_NONE; other < kind; other++)
            ck_assert_str_ne(words, zs_facts_kind_name((enum zs_kind)other));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts");
    TCase *descriptor = add_case(suite, "descriptor");
    tcase_add_checked_fixture(descriptor, enter_scratch_folder, leave_scratch_folder);
    tcase_add_test(descriptor, a_regular_file_has_size_position_and_identity);
    tcase_add_test(descriptor, a_position_may_lie_beyond_the_end);
    add_rows(descriptor, the_access_mode_is_the_descriptors, modes);
    add_rows(descriptor, an_empty_file_is_empty_whatever_its_access_mode, modes);
    tcase_add_test(descriptor, the_ends_of_a_pipe_are_one_stream);
    tcase_add_test(descriptor, a_fifo_is_a_pipe);
    tcase_add_test(descriptor, a_socket_flows_both_ways_and_is_never_the_same_file);
    add_rows(descriptor, a_character_device_is_a_stream_though_it_can_seek, devices);
    tcase_add_test(descriptor, a_terminal_is_told_from_other_devices);
    tcase_add_test(descriptor, an_eventfd_is_something_else);
    tcase_add_test(descriptor, a_directory_is_one);
    add_rows(descriptor, a_file_made_up_as_it_is_read_has_positions_and_no_size, made_up);
    tcase_add_test(descriptor, a_memfd_is_a_regular_file);
    tcase_add_test(descriptor, block_devices_have_their_real_size);
    tcase_add_test(descriptor, a_descriptor_that_is_not_open_has_no_facts);

    TCase *path = add_case(suite, "path");
    tcase_add_checked_fixture(path, enter_scratch_folder, leave_scratch_folder);
    tcase_add_test(path, a_path_is_examined_without_opening_it);
    add_rows(path, a_path_that_does_not_exist_is_a_target_to_create, absent);
    tcase_add_test(path, a_path_that_cannot_be_examined_gives_its_errno);
    tcase_add_test(path, links_are_the_same_file_and_equal_files_are_not);

    TCase *value = add_case(suite, "value");
    tcase_add_test(value, same_file_needs_the_same_kind_device_and_number);
    tcase_add_test(value, every_kind_has_words_of_its_own);
    tcase_add_test(value, a_file_is_what_keeps_bytes_at_positions);
    add_rows(value, a_file_is_remote_by_its_file_system, servers);
    add_rows(value, files_that_cannot_share_blocks_are_known, sharings);

    TCase *opened = add_case(suite, "opened");
    tcase_add_checked_fixture(opened, make_files, leave_scratch_folder);
    add_rows(opened, what_was_just_opened_has_the_facts_of_its_descriptor, openings);
    tcase_add_test(opened, what_is_not_open_was_not_just_opened);
    add_rows(opened, the_file_system_of_a_disk_is_not_asked_for, sizes);
    tcase_add_test(opened, only_what_may_have_no_position_is_asked_for_it_when_it_was_just_opened);
    tcase_add_test(opened, a_socket_of_this_machine_is_told_from_one_of_a_network);
    tcase_add_test(opened, the_file_system_of_what_is_on_no_disk_is_known);
    tcase_add_test(opened, blocks_are_those_of_the_file);

    TCase *learning = add_case(suite, "learning");
    add_rows(learning, for_a_small_copy_only_the_file_system_is_learnt, small);
    add_rows(learning, for_a_longer_one_the_file_system_is_and_for_a_large_one_what_is_cached,
             lengths);
    tcase_add_test(learning, of_a_device_it_is_learnt_what_is_cached);
    tcase_add_test(learning, what_lies_in_memory_is_cached);
    tcase_add_test(learning, of_a_stream_nothing_is_learnt);
    tcase_add_test(learning, a_file_system_that_cannot_be_asked_is_an_error);
    if (can_be_dropped_here()) {
        add_rows(learning, what_is_in_the_cache_is_learnt, caches);
        tcase_add_test(learning, what_is_not_cached_any_more_is_learnt_too);
    } else {
        (void)puts("SKIPPED: all tests of what is learnt of the page cache: " P_tmpdir
                   " keeps its pages, as tmpfs does");
    }
    return run_suite(suite);
}
