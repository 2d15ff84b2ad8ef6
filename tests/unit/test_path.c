/* Links followed by hand as the kernel follows them, and folders opened and synced. */

#include "path.h"

#include "check_helpers.h"

#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>

/* fsync(2) and syncfs(2) are counted, and fail when they are told to. */
static struct {
    int folder_syncs, filesystem_syncs;
    int folder_code, filesystem_code;
} syncs;

int fsync(int fd)
{
    (void)fd;
    syncs.folder_syncs++;
    errno = syncs.folder_code;
    return syncs.folder_code ? -1 : 0;
}

int syncfs(int fd)
{
    (void)fd;
    syncs.filesystem_syncs++;
    errno = syncs.filesystem_code;
    return syncs.filesystem_code ? -1 : 0;
}

static void begin(void)
{
    enter_scratch_folder();
    memset(&syncs, 0, sizeof syncs);
    ck_assert_int_eq(mkdir("folder", 0700), 0);
}

/* One link */

static const struct {
    const char *link, *named, *path;
} links[] = {
    {"link", "file", "file"},
    {"./link", "file", "./file"},
    {"folder/link", "file", "folder/file"},
    {"folder//link", "file", "folder//file"},
    {"folder/link", "../file", "folder/../file"},
    {"folder/link", "/file", "/file"},
    {"link", "/", "/"},
    {"link", "folder/", "folder/"},
    {"link", "a b\n\xff", "a b\n\xff"},
};

START_TEST(a_link_names_a_path_relative_to_its_folder)
{
    ck_assert_int_eq(symlink(links[_i].named, links[_i].link), 0);
    char *path = zs_path_follow_link(links[_i].link);
    ck_assert_ptr_nonnull(path);
    ck_assert_str_eq(path, links[_i].path);
    free(path);
}
END_TEST

START_TEST(what_is_no_link_is_not_followed)
{
    make_file("file", "", 0);
    ck_assert_ptr_null(zs_path_follow_link("file"));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(zs_path_follow_link("folder"));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(zs_path_follow_link("none"));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(zs_path_follow_link(""));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(zs_path_follow_link("file/link"));
    ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

/* As long as a link can name: one byte less than a path with its null. */
START_TEST(the_longest_name_of_a_link_is_whole)
{
    char named[PATH_MAX];

    memset(named, 'n', sizeof named - 1);
    named[sizeof named - 1] = '\0';
    ck_assert_int_eq(symlink(named, "link"), 0);
    char *path = zs_path_follow_link("link");
    ck_assert_ptr_nonnull(path);
    ck_assert_str_eq(path, named);
    free(path);
}
END_TEST

/* All of them */

/* Where opening `path` creates a file, or finds one, is what the path resolves to. */
static void expect_resolved(const char *path)
{
    struct stat named, resolved;
    char *found = zs_path_resolve(path);

    ck_assert_msg(found, "%s is not resolved: %s", path, strerror(errno));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(fstat(fd, &named), 0);
    ck_assert_int_eq(lstat(found, &resolved), 0);
    ck_assert_uint_eq(named.st_ino, resolved.st_ino);
    ck_assert_uint_eq(named.st_dev, resolved.st_dev);
    (void)close(fd);
    free(found);
}

static const struct {
    const char *named, *link; /* NULL: there is none */
} chains[][4] = {
    {{NULL, NULL}},
    {{"folder/new", "path"}},
    {{"second", "path"}, {"folder/third", "second"}, {"../new", "folder/third"}},
    {{"folder/second", "path"}, {"new", "folder/second"}},
    {{"./folder/../folder/second", "path"}, {"./../new", "folder/second"}},
};

START_TEST(a_path_is_resolved_to_where_a_file_would_be_created)
{
    for (int i = 0; i < 4 && chains[_i][i].link; i++)
        ck_assert_int_eq(symlink(chains[_i][i].named, chains[_i][i].link), 0);
    expect_resolved("path"); /* there is none yet */
    expect_resolved("path"); /* now there is */
}
END_TEST

START_TEST(as_many_links_are_followed_as_the_kernel_follows)
{
    char link[16] = "l0", next[16];

    make_file("l0", "", 0);
    for (int count = 1; count <= 42; count++) {
        (void)snprintf(next, sizeof next, "l%d", count);
        ck_assert_int_eq(symlink(link, next), 0);
        int fd = open(next, O_RDONLY | O_CLOEXEC);
        int code = fd < 0 ? errno : 0;
        char *found = zs_path_resolve(next);
        ck_assert_msg((found != NULL) == (fd >= 0), "%d links: %s, and the kernel says %s", count,
                      found ? found : "refused", strerror(code));
        if (!found)
            ck_assert_int_eq(errno, code);
        free(found);
        if (fd >= 0)
            (void)close(fd);
        memcpy(link, next, sizeof link);
    }
    ck_assert(!zs_path_resolve("l42"));
}
END_TEST

START_TEST(a_loop_of_links_leads_nowhere)
{
    ck_assert_int_eq(symlink("b", "a"), 0);
    ck_assert_int_eq(symlink("a", "b"), 0);
    ck_assert_int_eq(symlink("self", "self"), 0);
    ck_assert_ptr_null(zs_path_resolve("a"));
    ck_assert_int_eq(errno, ELOOP);
    ck_assert_ptr_null(zs_path_resolve("self"));
    ck_assert_int_eq(errno, ELOOP);
}
END_TEST

START_TEST(a_folder_on_the_way_that_is_none_is_told)
{
    make_file("file", "", 0);
    ck_assert_ptr_null(zs_path_resolve("file/under"));
    ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

static const struct {
    const char *path, *name;
} named[] = {{"out", "out"}, {"./out", "out"}, {"a/b//out", "out"}, {"/out", "out"}, {"a/", ""}};

START_TEST(the_last_part_of_a_path_is_its_name)
{
    ck_assert_str_eq(zs_path_name(named[_i].path), named[_i].name);
}
END_TEST

/* Folders */

static void expect_folder(const char *path, const char *folder)
{
    struct stat opened, expected;
    int fd = zs_path_open_folder(path);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(-fd));
    ck_assert_int_eq(fstat(fd, &opened), 0);
    ck_assert_int_eq(stat(folder, &expected), 0);
    ck_assert_uint_eq(opened.st_ino, expected.st_ino);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    (void)close(fd);
}

START_TEST(the_folder_of_a_path_is_opened)
{
    expect_folder("out", ".");
    expect_folder("./out", ".");
    expect_folder("folder/out", "folder");
    expect_folder("folder//out", "folder");
    expect_folder("folder/", "folder");
    expect_folder("folder/../out", ".");
    expect_folder("/out", "/");
    expect_folder("", ".");
}
END_TEST

START_TEST(a_folder_that_there_is_not_cannot_be_opened)
{
    make_file("file", "", 0);
    ck_assert_int_eq(zs_path_open_folder("none/out"), -ENOENT);
    ck_assert_int_eq(zs_path_open_folder("file/out"), -ENOTDIR);
}
END_TEST

/* Who may write into a folder need not be allowed to read it. */
START_TEST(a_folder_that_may_not_be_read_is_opened_all_the_same)
{
    ck_assert_int_eq(chmod("folder", 0300), 0);
    ck_assert_int_eq(chmod(".", 0755), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown("folder", 1234, 1234), 0);
        ck_assert_int_eq(seteuid(1234), 0);
    }
    int fd = zs_path_open_folder("folder/out");
    ck_assert_msg(fd >= 0, "%s", strerror(-fd));
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_PATH, 0);
    int made = openat(fd, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(made, 0);
    (void)close(made);
    (void)close(fd);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod("folder", 0700), 0);
}
END_TEST

static const struct {
    int folder_code, filesystem_code;
    int result;
    int filesystem_syncs;
} answers[] = {
    {0, EIO, 0, 0},        {EINVAL, EIO, 0, 0}, {EIO, 0, -EIO, 0},     {ENOSPC, 0, -ENOSPC, 0},
    {EROFS, 0, -EROFS, 0}, {EBADF, 0, 0, 1},    {EBADF, EIO, -EIO, 1}, {EBADF, ENOSPC, -ENOSPC, 1},
};

START_TEST(a_folder_is_synced_or_its_file_system_is)
{
    syncs.folder_code = answers[_i].folder_code;
    syncs.filesystem_code = answers[_i].filesystem_code;
    int fd = zs_path_open_folder("out");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(zs_path_sync_folder(fd, fd), answers[_i].result);
    ck_assert_int_eq(syncs.folder_syncs, 1);
    ck_assert_int_eq(syncs.filesystem_syncs, answers[_i].filesystem_syncs);
    (void)close(fd);
}
END_TEST

/* What EBADF above stands for. */
START_TEST(a_folder_that_was_opened_without_reading_cannot_be_synced_itself)
{
    int fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)syscall(SYS_fsync, fd), -1);
    ck_assert_int_eq(errno, EBADF);
    (void)close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("path");
    TCase *following = add_case(suite, "links");
    tcase_add_checked_fixture(following, begin, leave_scratch_folder);
    add_rows(following, a_link_names_a_path_relative_to_its_folder, links);
    tcase_add_test(following, what_is_no_link_is_not_followed);
    tcase_add_test(following, the_longest_name_of_a_link_is_whole);
    add_rows(following, a_path_is_resolved_to_where_a_file_would_be_created, chains);
    tcase_add_test(following, as_many_links_are_followed_as_the_kernel_follows);
    tcase_add_test(following, a_loop_of_links_leads_nowhere);
    tcase_add_test(following, a_folder_on_the_way_that_is_none_is_told);
    add_rows(following, the_last_part_of_a_path_is_its_name, named);

    TCase *folders = add_case(suite, "folders");
    tcase_add_checked_fixture(folders, begin, leave_scratch_folder);
    tcase_add_test(folders, the_folder_of_a_path_is_opened);
    tcase_add_test(folders, a_folder_that_there_is_not_cannot_be_opened);
    tcase_add_test(folders, a_folder_that_may_not_be_read_is_opened_all_the_same);
    add_rows(folders, a_folder_is_synced_or_its_file_system_is, answers);
    tcase_add_test(folders, a_folder_that_was_opened_without_reading_cannot_be_synced_itself);
    return run_suite(suite);
}
