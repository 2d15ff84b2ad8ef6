/*
 * A file that takes another's place: what it keeps of the old one, what is in the folder meanwhile,
 * and what is left when a step of it fails. System calls fail when they are told to; each test runs
 * with O_TMPFILE and without.
 */

#include "staged.h"

#include "check_helpers.h"
#include "facts.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

int __real_zs_sys_sync(int fd);
int __wrap_zs_sys_sync(int fd);

enum { MOST_SYNCS = 4 };

static struct {
    int tmpfile, named; /* errno values; 0: do as the kernel does */
    int names_taken;    /* so many tries to create a named file meet another's */
    bool no_proc;
    int random;
    int links_taken, link;
    int rename, keep_other; /* the latter: of renameat2(2) with flags */
    int chown, chmod, set_attribute, get_attribute, remove_attribute;
    int sync[MOST_SYNCS]; /* by call: the file, its folder */
    int syncs;
    mode_t mode_when_synced;
    int links, names;
} calls;

static int answer(int code)
{
    errno = code;
    return -1;
}

/* In place of the C library's. */
int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    bool nameless = (flags & O_TMPFILE) == O_TMPFILE;

    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT || nameless ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (nameless && calls.tmpfile)
        return answer(calls.tmpfile);
    if (!nameless && flags & O_CREAT) {
        calls.names++;
        if (calls.named)
            return answer(calls.named);
        if (calls.names <= calls.names_taken)
            return answer(EEXIST);
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int access(const char *path, int mode)
{
    if (calls.no_proc && strncmp(path, "/proc/", 6) == 0)
        return answer(ENOENT);
    return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    return calls.random ? answer(calls.random)
                        : (ssize_t)syscall(SYS_getrandom, bytes, length, flags);
}

int linkat(int old_folder, const char *old, int folder, const char *path, int flags)
{
    if (calls.link)
        return answer(calls.link);
    if (++calls.links <= calls.links_taken)
        return answer(EEXIST);
    return (int)syscall(SYS_linkat, old_folder, old, folder, path, flags);
}

int renameat2(int old_folder, const char *old, int folder, const char *path, unsigned flags)
{
    if (flags && calls.keep_other)
        return answer(calls.keep_other);
    return calls.rename ? answer(calls.rename)
                        : (int)syscall(SYS_renameat2, old_folder, old, folder, path, flags);
}

int renameat(int old_folder, const char *old, int folder, const char *path)
{
    return renameat2(old_folder, old, folder, path, 0);
}

int fchown(int fd, uid_t user, gid_t group)
{
    return calls.chown ? answer(calls.chown)
                       : (int)syscall(SYS_fchownat, fd, "", user, group, AT_EMPTY_PATH);
}

int fchmod(int fd, mode_t mode)
{
    return calls.chmod ? answer(calls.chmod) : (int)syscall(SYS_fchmod, fd, mode);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    return calls.set_attribute ? answer(calls.set_attribute)
                               : (int)syscall(SYS_fsetxattr, fd, name, value, size, flags);
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
    return calls.get_attribute ? answer(calls.get_attribute)
                               : (ssize_t)syscall(SYS_lgetxattr, path, name, value, size);
}

int fremovexattr(int fd, const char *name)
{
    return calls.remove_attribute ? answer(calls.remove_attribute)
                                  : (int)syscall(SYS_fremovexattr, fd, name);
}

int __wrap_zs_sys_sync(int fd)
{
    struct stat status;
    int code = calls.sync[calls.syncs < MOST_SYNCS ? calls.syncs : MOST_SYNCS - 1];

    ck_assert_int_eq(fstat(fd, &status), 0);
    if (calls.syncs == 0)
        calls.mode_when_synced = status.st_mode & 07777;
    calls.syncs++;
    return code ? -code : __real_zs_sys_sync(fd);
}

static struct zs_staged staged;
static struct zs_error error;

static void begin_test(void)
{
    enter_scratch_folder();
    ck_assert_int_eq(mkdir("f", 0755), 0);
    memset(&calls, 0, sizeof calls);
    memset(&error, 0, sizeof error);
    (void)umask(022);
}

/* With a row of 1, the new file has a name from the start. */
static void use_names(int row)
{
    if (row == 1)
        calls.tmpfile = EOPNOTSUPP;
}

/* The folder's entries but `except`; *name is the last of them. */
static int entries(const char *folder, const char *except, char name[256])
{
    DIR *opened = opendir(folder);
    int count = 0;

    ck_assert_ptr_nonnull(opened);
    for (struct dirent *entry; (entry = readdir(opened)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            strcmp(entry->d_name, except) == 0)
            continue;
        count++;
        if (name)
            (void)snprintf(name, 256, "%s", entry->d_name);
    }
    (void)closedir(opened);
    return count;
}

/* As it is after the plan was made. */
static int open_for(const char *path)
{
    struct zs_facts facts = {.kind = ZS_KIND_NONE};

    (void)zs_facts_of_path(path, &facts);
    return zs_staged_open(&staged, path, &facts, "OUT", &error);
}

static void open_staged(const char *path)
{
    ck_assert_msg(open_for(path) == 0, "%s: %d %s", error.operation, error.code, error.detail);
    ck_assert_int_eq(error.kind, ZS_ERROR_NONE);
    ck_assert_int_ge(staged.fd, 0);
    ck_assert_int_ne(fcntl(staged.fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(fcntl(staged.fd, F_GETFL) & O_ACCMODE, O_RDWR);
}

static int commit(bool sync_folder)
{
    return zs_staged_commit(&staged, sync_folder, "OUT", &error);
}

static void let_go(void)
{
    int fd = staged.fd;
    zs_staged_free(&staged);
    ck_assert_int_eq(staged.fd, -1);
    ck_assert_int_eq(close(fd), 0);
}

static void replace(const char *path, const char *text)
{
    open_staged(path);
    write_all(staged.fd, text, strlen(text));
    ck_assert_msg(commit(false) == 0, "%s: %d %s", error.operation, error.code, error.detail);
    let_go();
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

/* Meanwhile, and in the end */

START_TEST(a_new_file_is_not_there_before_it_is_complete)
{
    char name[256];

    use_names(_i);
    open_staged("f/out");
    ck_assert(!staged.replaces);
    write_all(staged.fd, "new", 3);
    ck_assert(!exists("f/out"));
    ck_assert_int_eq(entries("f", "", name), _i);
    if (_i == 1) {
        struct stat status;
        ck_assert_uint_eq(strspn(name, ".zslice-0123456789abcdef"), strlen(name));
        ck_assert_uint_eq(strlen(name), strlen(".zslice-") + 16);
        ck_assert_int_eq(fstat(staged.fd, &status), 0);
        ck_assert_uint_eq(status.st_mode & 07777, 0600); /* nobody else's yet */
    }
    ck_assert_int_eq(commit(false), 0);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
    expect_file("f/out", "new", 3);
    let_go();
    expect_file("f/out", "new", 3);
}
END_TEST

START_TEST(a_new_file_has_the_mode_that_any_would_have)
{
    static const mode_t masks[] = {0, 022, 027, 077};

    for (int i = 0; i < ROWS(masks); i++) {
        use_names(_i);
        (void)umask(masks[i]);
        replace("f/out", "new");
        ck_assert_uint_eq(mode_of("f/out"), 0666 & ~masks[i]);
        ck_assert_uint_eq(umask(masks[i]), masks[i]); /* and the mask is what it was */
        ck_assert_int_eq(unlink("f/out"), 0);
    }
}
END_TEST

START_TEST(the_old_bytes_are_there_until_it_is_complete)
{
    use_names(_i);
    make_file("f/out", "old bytes", 9);
    open_staged("f/out");
    ck_assert(staged.replaces);
    write_all(staged.fd, "new", 3);
    expect_file("f/out", "old bytes", 9);
    ck_assert_int_eq(commit(true), 0);
    ck_assert_int_eq(calls.syncs, 2); /* the file, and then its folder */
    expect_file("f/out", "new", 3);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
    let_go();
}
END_TEST

START_TEST(one_that_is_given_up_leaves_nothing)
{
    use_names(_i);
    make_file("f/out", "old", 3);
    open_staged("f/out");
    write_all(staged.fd, "new", 3);
    let_go();
    expect_file("f/out", "old", 3);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
    ck_assert_int_eq(unlink("f/out"), 0);
    open_staged("f/out");
    let_go();
    ck_assert_int_eq(entries("f", "", NULL), 0);
}
END_TEST

START_TEST(other_hard_links_keep_the_old_bytes)
{
    use_names(_i);
    make_file("f/out", "old", 3);
    ck_assert_int_eq(link("f/out", "other"), 0);
    replace("f/out", "new");
    expect_file("f/out", "new", 3);
    expect_file("other", "old", 3);
}
END_TEST

START_TEST(links_are_followed)
{
    use_names(_i);
    make_file("f/real", "old", 3);
    ck_assert_int_eq(symlink("f/second", "first"), 0);
    ck_assert_int_eq(symlink("real", "f/second"), 0);
    ck_assert_int_eq(symlink("f/none", "to nothing"), 0);
    replace("first", "new");
    expect_file("f/real", "new", 3);
    replace("to nothing", "created");
    expect_file("f/none", "created", 7);
    struct stat status;
    ck_assert_int_eq(lstat("first", &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(lstat("f/second", &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(entries("f", "second", NULL), 2);
}
END_TEST

/* What somebody else has put there, or taken away, would be lost, or come back. */
static void take_away(void)
{
    ck_assert_int_eq(unlink("f/out"), 0);
}

static void put_another(void)
{
    make_file("f/other", "theirs", 6);
    ck_assert_int_eq(rename("f/other", "f/out"), 0);
}

static void make_folder(void)
{
    ck_assert_int_eq(mkdir("f/out", 0700), 0);
}

static void make_fifo(void)
{
    ck_assert_int_eq(mkfifo("f/out", 0600), 0);
}

static void make_link(void)
{
    ck_assert_int_eq(symlink("elsewhere", "f/out"), 0);
}

static const struct {
    bool old; /* there is a file to be replaced */
    void (*meddle)(void);
    const char *content; /* of the file that is there then; NULL: there is none */
} meddlers[] = {
    {true, take_away, NULL},    {true, put_another, "theirs"}, {false, put_another, "theirs"},
    {false, make_folder, NULL}, {false, make_fifo, NULL},      {false, make_link, NULL},
};

START_TEST(a_place_that_is_taken_meanwhile_is_left_alone)
{
    for (int row = 0; row < 2; row++) {
        use_names(row);
        if (meddlers[_i].old)
            make_file("f/out", "old", 3);
        open_staged("f/out");
        write_all(staged.fd, "new", 3);
        meddlers[_i].meddle();
        ck_assert_int_eq(commit(false), -1);
        ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
        ck_assert_str_eq(error.operation, "putting the new file in its place");
        ck_assert_ptr_nonnull(strstr(error.detail, "another file took its place meanwhile"));
        let_go();
        ck_assert_int_eq(entries("f", "out", NULL), 0);
        if (meddlers[_i].content)
            expect_file("f/out", meddlers[_i].content, strlen(meddlers[_i].content));
        ck_assert_int_eq(exists("f/out"), meddlers[_i].meddle != take_away);
        (void)remove("f/out");
        memset(&error, 0, sizeof error);
    }
}
END_TEST

/* The same between the plan and the opening. */
START_TEST(a_place_that_is_not_what_it_was_is_refused)
{
    struct zs_facts facts;

    make_file("f/out", "old", 3);
    ck_assert_int_eq(zs_facts_of_path("f/out", &facts), 0);
    if (_i == 0)
        put_another();
    else
        take_away();
    ck_assert_int_eq(zs_staged_open(&staged, "f/out", &facts, "OUT", &error), -1);
    ck_assert_str_eq(error.detail, "another file took its place meanwhile");
    facts = (struct zs_facts){.kind = ZS_KIND_NONE};
    if (_i == 0) {
        memset(&error, 0, sizeof error);
        ck_assert_int_eq(zs_staged_open(&staged, "f/out", &facts, "OUT", &error), -1);
        ck_assert_str_eq(error.detail, "another file took its place meanwhile");
    }
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

/* A folder that was renamed meanwhile is still the folder. */
START_TEST(the_folder_is_the_one_that_was_opened)
{
    use_names(_i);
    open_staged("f/out");
    write_all(staged.fd, "new", 3);
    ck_assert_int_eq(rename("f", "g"), 0);
    ck_assert_int_eq(mkdir("f", 0700), 0);
    ck_assert_int_eq(commit(false), 0);
    let_go();
    expect_file("g/out", "new", 3);
    ck_assert_int_eq(entries("f", "", NULL), 0);
    ck_assert_int_eq(entries("g", "out", NULL), 0);
}
END_TEST

/* What is kept of the old file */

START_TEST(the_mode_is_kept_and_is_set_before_the_file_is_synced)
{
    static const mode_t modes[] = {0600, 0644, 0640, 0755, 04711, 0000};

    for (int i = 0; i < ROWS(modes); i++) {
        if (modes[i] == 0 && geteuid() != 0)
            continue;
        use_names(_i);
        calls.syncs = 0;
        make_file("f/out", "old", 3);
        ck_assert_int_eq(chmod("f/out", modes[i]), 0);
        replace("f/out", "new");
        ck_assert_uint_eq(mode_of("f/out"), modes[i]);
        ck_assert_uint_eq(calls.mode_when_synced, modes[i]);
        ck_assert_int_eq(unlink("f/out"), 0);
    }
}
END_TEST

START_TEST(the_owner_is_kept)
{
    struct stat status;

    if (geteuid() != 0)
        return;
    use_names(_i);
    make_file("f/out", "old", 3);
    ck_assert_int_eq(chmod("f/out", 06755), 0);
    ck_assert_int_eq(chown("f/out", 1234, 4321), 0);
    ck_assert_int_eq(chmod("f/out", 06755), 0); /* chown takes it away */
    replace("f/out", "new");
    ck_assert_int_eq(stat("f/out", &status), 0);
    ck_assert_uint_eq(status.st_uid, 1234);
    ck_assert_uint_eq(status.st_gid, 4321);
    ck_assert_uint_eq(status.st_mode & 07777, 06755);
}
END_TEST

/* Whether the scratch folder's file system has attributes of users. */
static bool set(const char *path, const char *name, const void *value, size_t size)
{
    if (setxattr(path, name, value, size, 0) == 0)
        return true;
    ck_assert_msg(errno == EOPNOTSUPP, "%s: %s", name, strerror(errno));
    return false;
}

static void expect_attribute(const char *path, const char *name, const void *value, size_t size)
{
    char found[200];
    ssize_t got = getxattr(path, name, found, sizeof found);

    ck_assert_msg(got >= 0, "%s: %s", name, strerror(errno));
    ck_assert_uint_eq((size_t)got, size);
    ck_assert_mem_eq(found, value, size);
}

START_TEST(attributes_of_the_user_are_kept)
{
    use_names(_i);
    make_file("f/out", "old", 3);
    if (!set("f/out", "user.empty", "", 0))
        return;
    ck_assert(set("f/out", "user.binary", "a\0b\xff", 4));
    ck_assert(set("f/out", "user.long name of it", "value", 5));
    if (geteuid() == 0)
        (void)set("f/out", "trusted.others", "not kept", 8);
    replace("f/out", "new");
    expect_attribute("f/out", "user.empty", "", 0);
    expect_attribute("f/out", "user.binary", "a\0b\xff", 4);
    expect_attribute("f/out", "user.long name of it", "value", 5);
    ck_assert_int_eq((int)getxattr("f/out", "trusted.others", NULL, 0), -1);
}
END_TEST

/* user::rw-, user:1234:r--, group::r--, mask::r--, other::--- as in <linux/posix_acl_xattr.h> */
static const unsigned char acl[] = {
    2,  0, 0, 0,                         /* version */
    1,  0, 6, 0, 0xff, 0xff, 0xff, 0xff, /* user:: */
    2,  0, 4, 0, 0xd2, 4,    0,    0,    /* user:1234: */
    4,  0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* group:: */
    16, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* mask:: */
    32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* other:: */
};

START_TEST(the_access_control_list_is_kept)
{
    use_names(_i);
    make_file("f/out", "old", 3);
    if (!set("f/out", "system.posix_acl_access", acl, sizeof acl))
        return;
    mode_t mode = mode_of("f/out");
    replace("f/out", "new");
    expect_attribute("f/out", "system.posix_acl_access", acl, sizeof acl);
    ck_assert_uint_eq(mode_of("f/out"), mode);
}
END_TEST

/* What the folder gives to new files the old one does not have. */
START_TEST(a_file_without_a_list_stays_without_one)
{
    use_names(_i);
    make_file("f/out", "old", 3);
    ck_assert_int_eq(chmod("f/out", 0664), 0);
    if (!set("f", "system.posix_acl_default", acl, sizeof acl))
        return;
    replace("f/out", "new");
    ck_assert_int_eq((int)getxattr("f/out", "system.posix_acl_access", NULL, 0), -1);
    ck_assert_uint_eq(mode_of("f/out"), 0664);
}
END_TEST

/* A file that is new in that folder has what any new file there has. */
START_TEST(a_new_file_has_the_list_that_the_folder_gives)
{
    char expected[200], got[200];

    use_names(_i);
    if (!set("f", "system.posix_acl_default", acl, sizeof acl))
        return;
    make_file("f/like", "", 0);
    ck_assert_int_eq(unlink("f/like"), 0);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "f/like", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    replace("f/out", "new");
    ssize_t wanted = getxattr("f/like", "system.posix_acl_access", expected, sizeof expected);
    ssize_t length = getxattr("f/out", "system.posix_acl_access", got, sizeof got);
    ck_assert_int_gt((int)wanted, 0);
    ck_assert_int_eq((int)length, (int)wanted);
    ck_assert_uint_eq(mode_of("f/out"), mode_of("f/like"));
    ck_assert_mem_eq(got, expected, (size_t)wanted);
}
END_TEST

/* Refused: nothing is left, and the old file is as it was */

static void expect_refused(const char *path, const char *operation, int code, const char *detail)
{
    ck_assert_int_eq(open_for(path), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_REFUSED);
    ck_assert_str_eq(error.object, "OUT");
    ck_assert_str_eq(error.operation, operation);
    ck_assert_int_eq(error.code, code);
    ck_assert_str_eq(error.detail, detail);
    ck_assert_int_eq(staged.fd, -1);
    ck_assert_int_eq(staged.folder_fd, -1);
    ck_assert_ptr_null(staged.path);
    memset(&error, 0, sizeof error);
}

START_TEST(what_is_no_regular_file_is_refused)
{
    ck_assert_int_eq(mkdir("f/folder", 0700), 0);
    ck_assert_int_eq(mkfifo("f/fifo", 0600), 0);
    ck_assert_int_eq(symlink("loop", "f/loop"), 0);
    expect_refused("f/folder", "--atomic", 0, "only a regular file can be replaced");
    expect_refused("f/fifo", "--atomic", 0, "only a regular file can be replaced");
    expect_refused("/dev/null", "--atomic", 0, "only a regular file can be replaced");
    expect_refused("f/loop", "opening", ELOOP, "");
    expect_refused("none/out", "opening its folder", ENOENT, "");
    ck_assert_int_eq(entries("f", "", NULL), 3);
}
END_TEST

START_TEST(a_file_that_could_not_be_written_to_is_not_replaced)
{
    make_file("f/out", "old", 3);
    ck_assert_int_eq(chmod("f/out", 0444), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(".", 0755), 0);
        ck_assert_int_eq(chmod("f", 0777), 0);
        ck_assert_int_eq(seteuid(1234), 0);
    }
    expect_refused("f/out", "opening", EACCES, "");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    expect_file("f/out", "old", 3);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

START_TEST(a_file_that_is_fixed_is_not_replaced)
{
    int flags = 0;

    make_file("f/out", "old", 3);
    int fd = open("f/out", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    int result = ioctl(fd, FS_IOC_GETFLAGS, &flags);
    int fixed = flags | (_i == 0 ? FS_IMMUTABLE_FL : FS_APPEND_FL);
    if (result < 0 || ioctl(fd, FS_IOC_SETFLAGS, &fixed) < 0) {
        (void)close(fd);
        return; /* not here, or not by this user */
    }
    result = open_for("f/out");
    ck_assert_int_eq(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_REFUSED);
    ck_assert_str_eq(error.operation, "opening");
    ck_assert_int_eq(error.code, EPERM);
    (void)close(fd);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

/* A user who may not give files away, and whose old file is another's. */
START_TEST(an_owner_that_cannot_be_kept_is_refused)
{
    if (geteuid() != 0)
        return;
    use_names(_i);
    make_file("f/out", "old", 3);
    ck_assert_int_eq(chmod("f/out", 0666), 0);
    ck_assert_int_eq(chmod(".", 0755), 0);
    ck_assert_int_eq(chmod("f", 0777), 0);
    ck_assert_int_eq(seteuid(1234), 0);
    expect_refused("f/out", "--atomic", EPERM, "the new file cannot have the owner of the old");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
    expect_file("f/out", "old", 3);
}
END_TEST

static const struct {
    int *fault;
    int code;
    bool attribute;  /* the old file has one */
    bool named_only; /* is met only by files with a name */
    const char *operation, *detail;
} faults[] = {
    {&calls.named, ENOSPC, false, true, "creating a file in its folder", ""},
    {&calls.named, EROFS, false, true, "creating a file in its folder", ""},
    {&calls.named, EEXIST, false, true, "creating a file in its folder", ""},
    {&calls.random, ENOSYS, false, true, "creating a file in its folder", ""},
    {&calls.get_attribute, EIO, false, false, "--atomic",
     "the new file cannot have the attributes of the old"},
    {&calls.set_attribute, ENOSPC, true, false, "--atomic",
     "the new file cannot have the attributes of the old"},
    {&calls.set_attribute, EOPNOTSUPP, true, false, "--atomic",
     "the new file cannot have the attributes of the old"},
};

START_TEST(what_fails_before_a_byte_is_copied_is_a_refusal)
{
    for (int row = faults[_i].named_only; row < 2; row++) {
        use_names(row);
        make_file("f/out", "old", 3);
        if (faults[_i].attribute && !set("f/out", "user.a", "b", 1))
            return;
        *faults[_i].fault = faults[_i].code;
        expect_refused("f/out", faults[_i].operation, faults[_i].code, faults[_i].detail);
        expect_file("f/out", "old", 3);
        ck_assert_int_eq(entries("f", "out", NULL), 0);
        memset(&calls, 0, sizeof calls);
    }
}
END_TEST

/* Attributes that a file system does not have are none. */
START_TEST(without_attributes_there_are_none_to_keep)
{
    make_file("f/out", "old", 3);
    calls.get_attribute = EOPNOTSUPP;
    calls.remove_attribute = EOPNOTSUPP;
    replace("f/out", "new");
    expect_file("f/out", "new", 3);
}
END_TEST

static const int no_tmpfiles[] = {EOPNOTSUPP, EISDIR, EINVAL, ENOENT, 0};

START_TEST(without_o_tmpfile_it_has_a_name)
{
    char name[256];

    calls.tmpfile = no_tmpfiles[_i];
    calls.no_proc = no_tmpfiles[_i] == 0; /* or it could not get one in the end */
    open_staged("f/out");
    ck_assert_int_eq(entries("f", "", name), 1);
    ck_assert_int_eq(commit(false), 0);
    let_go();
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

START_TEST(a_name_that_is_taken_is_not_used)
{
    make_file("f/out", "old", 3);
    calls.tmpfile = EOPNOTSUPP;
    calls.names_taken = 3;
    replace("f/out", "new");
    ck_assert_int_eq(calls.names, 4);
    expect_file("f/out", "new", 3);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
    calls.tmpfile = 0;
    calls.links_taken = 5; /* it has no name at first, and looks for one in the end */
    replace("f/out", "newer");
    ck_assert_int_eq(calls.links, 6);
    expect_file("f/out", "newer", 5);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

/* Failures in the end: the old file is as it was */

static const struct {
    int *fault;
    int code;
    bool old;          /* there is a file to be replaced */
    bool unnamed_only; /* is met only by files without a name */
    const char *operation;
} failures[] = {
    {&calls.chmod, EIO, true, false, "setting the permissions of the new file"},
    {&calls.remove_attribute, EIO, true, false, "setting the permissions of the new file"},
    {&calls.sync[0], EIO, true, false, "syncing"},
    {&calls.sync[0], ENOSPC, false, false, "syncing"},
    {&calls.sync[0], EDQUOT, true, false, "syncing"},
    {&calls.rename, EIO, true, false, "putting the new file in its place"},
    {&calls.rename, ENOSPC, true, false, "putting the new file in its place"},
    {&calls.link, ENOSPC, false, true, "putting the new file in its place"},
    {&calls.link, EIO, true, true, "putting the new file in its place"},
    {&calls.link, EEXIST, true, true, "putting the new file in its place"},
    {&calls.random, EIO, true, true, "putting the new file in its place"},
};

START_TEST(what_fails_in_the_end_leaves_the_old_file)
{
    for (int row = 0; row < (failures[_i].unnamed_only ? 1 : 2); row++) {
        use_names(row);
        if (failures[_i].old)
            make_file("f/out", "old", 3);
        open_staged("f/out");
        write_all(staged.fd, "new", 3);
        *failures[_i].fault = failures[_i].code;
        ck_assert_int_eq(commit(true), -1);
        ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
        ck_assert_str_eq(error.object, "OUT");
        ck_assert_str_eq(error.operation, failures[_i].operation);
        ck_assert_int_eq(error.code, failures[_i].code);
        let_go();
        ck_assert_int_eq(entries("f", "out", NULL), 0);
        ck_assert_int_eq(exists("f/out"), failures[_i].old);
        if (failures[_i].old)
            expect_file("f/out", "old", 3);
        memset(&calls, 0, sizeof calls);
        memset(&error, 0, sizeof error);
    }
}
END_TEST

/* A file with a name, where the kernel cannot be asked to spare what is there. */
START_TEST(without_the_flag_a_new_file_is_renamed_all_the_same)
{
    use_names(1);
    calls.keep_other = _i == 0 ? EINVAL : ENOSYS;
    replace("f/out", "new");
    expect_file("f/out", "new", 3);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

START_TEST(a_folder_that_cannot_be_synced_is_told_when_the_new_file_is_there)
{
    use_names(_i);
    make_file("f/out", "old", 3);
    open_staged("f/out");
    write_all(staged.fd, "new", 3);
    calls.sync[1] = EIO;
    ck_assert_int_eq(commit(true), -1);
    ck_assert_str_eq(error.operation, "syncing its folder");
    ck_assert_int_eq(error.code, EIO);
    let_go();
    expect_file("f/out", "new", 3);
    ck_assert_int_eq(entries("f", "out", NULL), 0);
}
END_TEST

START_TEST(the_folder_is_synced_only_if_that_is_wanted)
{
    use_names(_i);
    open_staged("f/out");
    calls.sync[1] = EIO;
    ck_assert_int_eq(commit(false), 0);
    ck_assert_int_eq(calls.syncs, 1);
    let_go();
}
END_TEST

static void add_keeping(Suite *suite)
{
    TCase *kept = add_case(suite, "kept");
    tcase_add_checked_fixture(kept, begin_test, leave_scratch_folder);
    tcase_add_loop_test(kept, the_mode_is_kept_and_is_set_before_the_file_is_synced, 0, 2);
    tcase_add_loop_test(kept, the_owner_is_kept, 0, 2);
    tcase_add_loop_test(kept, attributes_of_the_user_are_kept, 0, 2);
    tcase_add_loop_test(kept, the_access_control_list_is_kept, 0, 2);
    tcase_add_loop_test(kept, a_file_without_a_list_stays_without_one, 0, 2);
    tcase_add_loop_test(kept, a_new_file_has_the_list_that_the_folder_gives, 0, 2);
    tcase_add_test(kept, without_attributes_there_are_none_to_keep);
}

int main(void)
{
    Suite *suite = suite_create("staged");
    TCase *place = add_case(suite, "place");
    tcase_add_checked_fixture(place, begin_test, leave_scratch_folder);
    tcase_add_loop_test(place, a_new_file_is_not_there_before_it_is_complete, 0, 2);
    tcase_add_loop_test(place, a_new_file_has_the_mode_that_any_would_have, 0, 2);
    tcase_add_loop_test(place, the_old_bytes_are_there_until_it_is_complete, 0, 2);
    tcase_add_loop_test(place, one_that_is_given_up_leaves_nothing, 0, 2);
    tcase_add_loop_test(place, other_hard_links_keep_the_old_bytes, 0, 2);
    tcase_add_loop_test(place, links_are_followed, 0, 2);
    add_rows(place, a_place_that_is_taken_meanwhile_is_left_alone, meddlers);
    tcase_add_loop_test(place, a_place_that_is_not_what_it_was_is_refused, 0, 2);
    tcase_add_loop_test(place, the_folder_is_the_one_that_was_opened, 0, 2);
    add_keeping(suite);

    TCase *refusals = add_case(suite, "refusals");
    tcase_add_checked_fixture(refusals, begin_test, leave_scratch_folder);
    tcase_add_test(refusals, what_is_no_regular_file_is_refused);
    tcase_add_test(refusals, a_file_that_could_not_be_written_to_is_not_replaced);
    tcase_add_loop_test(refusals, a_file_that_is_fixed_is_not_replaced, 0, 2);
    tcase_add_loop_test(refusals, an_owner_that_cannot_be_kept_is_refused, 0, 2);
    add_rows(refusals, what_fails_before_a_byte_is_copied_is_a_refusal, faults);

    TCase *ways = add_case(suite, "ways");
    tcase_add_checked_fixture(ways, begin_test, leave_scratch_folder);
    add_rows(ways, without_o_tmpfile_it_has_a_name, no_tmpfiles);
    tcase_add_loop_test(ways, without_the_flag_a_new_file_is_renamed_all_the_same, 0, 2);
    tcase_add_test(ways, a_name_that_is_taken_is_not_used);

    TCase *ends = add_case(suite, "ends");
    tcase_add_checked_fixture(ends, begin_test, leave_scratch_folder);
    add_rows(ends, what_fails_in_the_end_leaves_the_old_file, failures);
    tcase_add_loop_test(ends, a_folder_that_cannot_be_synced_is_told_when_the_new_file_is_there, 0,
                        2);
    tcase_add_loop_test(ends, the_folder_is_synced_only_if_that_is_wanted, 0, 2);
    return run_suite(suite);
}
