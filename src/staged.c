/*
 * Replacing a file at one instant. What the old file's users rely on is kept: mode, owner, access
 * control list, user attributes; where it cannot be, that is found before a byte is copied. Other
 * hard links keep the old bytes.
 */

#include "staged.h"

#include "path.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char acl_attribute[] = "system.posix_acl_access";

static int refused(const char *name, const char *operation, int code, const char *detail,
                   struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_REFUSED, name, operation, code, detail ? "%s" : NULL,
                        detail);
}

static int failed(const char *name, const char *operation, int code, struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_TRANSFER, name, operation, code, NULL);
}

/* Replacing it asks for no permission on the file itself, but writing to it would. */
static int check_old(const struct zs_staged *staged, const char *name, struct zs_error *error)
{
    struct statx status;

    if (!S_ISREG(staged->old.st_mode))
        return refused(name, "--atomic", 0, "only a regular file can be replaced", error);
    if (faccessat(staged->folder_fd, zs_path_name(staged->path), W_OK, AT_EACCESS) < 0)
        return refused(name, "opening", errno, NULL, error);
    if (statx(staged->folder_fd, zs_path_name(staged->path), AT_SYMLINK_NOFOLLOW, STATX_TYPE,
              &status) == 0 &&
        status.stx_attributes & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE))
        return refused(name, "opening", EPERM, NULL, error);
    return 0;
}

static bool is_same_file(const struct stat *a, dev_t device, ino_t inode)
{
    return a->st_dev == device && a->st_ino == inode;
}

static const char another_file[] = "another file took its place meanwhile";

static int examine_old(struct zs_staged *staged, const struct zs_facts *facts, const char *name,
                       struct zs_error *error)
{
    if (*zs_path_name(staged->path) == '\0')
        return refused(name, "creating", staged->path[0] == '\0' ? ENOENT : EISDIR, NULL, error);
    staged->old_fd =
        zs_sys_open_at(staged->folder_fd, zs_path_name(staged->path), O_PATH | O_NOFOLLOW, 0);
    staged->replaces = staged->old_fd >= 0;
    if (!staged->replaces && staged->old_fd != -ENOENT)
        return refused(name, "examining", -staged->old_fd, NULL, error);
    if (staged->replaces && fstat(staged->old_fd, &staged->old) < 0)
        return refused(name, "examining", errno, NULL, error);
    if (staged->replaces != (facts->kind != ZS_KIND_NONE) ||
        (staged->replaces && !is_same_file(&staged->old, facts->device, facts->inode)))
        return refused(name, "opening", 0, another_file, error);
    if (!staged->replaces)
        return 0;
    return check_old(staged, name, error);
}

static int choose_name(char *temporary, size_t size)
{
    uint64_t random;
    ssize_t got = getrandom(&random, sizeof random, 0);

    if (got != sizeof random)
        return got < 0 ? -errno : -EIO;
    (void)snprintf(temporary, size, ".zslice-%016" PRIx64, random);
    return 0;
}

enum { TRIES = 100 };

static int open_named(struct zs_staged *staged)
{
    int fd = -EEXIST;

    for (int i = 0; i < TRIES && fd == -EEXIST; i++) {
        int chosen = choose_name(staged->temporary, sizeof staged->temporary);
        if (chosen < 0)
            return chosen;
        fd = zs_sys_open_at(staged->folder_fd, staged->temporary, O_RDWR | O_CREAT | O_EXCL, 0600);
    }
    if (fd < 0)
        staged->temporary[0] = '\0';
    return fd;
}

/* Without /proc only root could give it a name in the end (before Linux 6.10). */
static bool can_be_named(int fd)
{
    char descriptor[32];
    (void)snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    return access(descriptor, F_OK) == 0;
}

static int open_unnamed(const struct zs_staged *staged)
{
    /* Nobody else can open it; so a new file may have its mode at once, as the folder wants it. */
    int fd =
        zs_sys_open_at(staged->folder_fd, ".", O_TMPFILE | O_RDWR, staged->replaces ? 0600 : 0666);
    if (fd < 0)
        return fd;
    if (can_be_named(fd))
        return fd;
    (void)close(fd);
    return -EOPNOTSUPP;
}

static int open_new(struct zs_staged *staged)
{
    staged->fd = open_unnamed(staged);
    /* EISDIR: a kernel without O_TMPFILE; others: a file system without; all else is met again */
    if (staged->fd < 0)
        staged->fd = open_named(staged);
    return staged->fd < 0 ? staged->fd : 0;
}

static int keep_owner(const struct zs_staged *staged)
{
    struct stat status;

    if (fstat(staged->fd, &status) < 0)
        return -errno;
    if (status.st_uid == staged->old.st_uid && status.st_gid == staged->old.st_gid)
        return 0;
    return fchown(staged->fd, staged->old.st_uid, staged->old.st_gid) < 0 ? -errno : 0;
}

/* An attribute of the old file; NULL with errno set. For the caller to free. */
static void *read_attribute(const struct zs_staged *staged, const char *attribute, size_t *bytes)
{
    ssize_t size = lgetxattr(staged->path, attribute, NULL, 0);
    void *value = size >= 0 ? malloc((size_t)size + 1) : NULL;

    if (value)
        size = lgetxattr(staged->path, attribute, value, (size_t)size);
    if (value && size < 0) {
        free(value);
        return NULL;
    }
    *bytes = (size_t)size;
    return value;
}

static bool is_absent(int code)
{
    return code == ENODATA || code == EOPNOTSUPP;
}

static int keep_acl(struct zs_staged *staged)
{
    staged->acl = read_attribute(staged, acl_attribute, &staged->acl_bytes);
    return staged->acl || is_absent(errno) ? 0 : -errno;
}

static int keep_attribute(const struct zs_staged *staged, const char *attribute)
{
    size_t bytes = 0;
    void *value = read_attribute(staged, attribute, &bytes);

    if (!value)
        return is_absent(errno) ? 0 : -errno;
    int result = fsetxattr(staged->fd, attribute, value, bytes, 0) < 0 ? -errno : 0;
    free(value);
    return result;
}

/* An access control list that is not POSIX's, as of NFS 4. */
static bool is_other_acl(const char *attribute)
{
    return strncmp(attribute, "system.", 7) == 0 && strstr(attribute, "acl") &&
           strcmp(attribute, acl_attribute) != 0;
}

static int keep_user_attributes(const struct zs_staged *staged)
{
    ssize_t size = llistxattr(staged->path, NULL, 0);
    int result = 0;

    if (size <= 0)
        return size < 0 && errno != EOPNOTSUPP ? -errno : 0;
    char *names = malloc((size_t)size);
    if (!names)
        return -ENOMEM;
    size = llistxattr(staged->path, names, (size_t)size);
    if (size < 0)
        result = -errno;
    for (ssize_t at = 0; at < size && result == 0; at += (ssize_t)strlen(names + at) + 1) {
        if (strncmp(names + at, "user.", 5) == 0)
            result = keep_attribute(staged, names + at);
        else if (is_other_acl(names + at))
            result = -EOPNOTSUPP;
    }
    free(names);
    return result;
}

static int keep_what_can_be_refused(struct zs_staged *staged, const char *name,
                                    struct zs_error *error)
{
    int result = keep_owner(staged);
    if (result < 0)
        return refused(name, "--atomic", -result, "the new file cannot have the owner of the old",
                       error);
    result = keep_acl(staged);
    if (result == 0)
        result = keep_user_attributes(staged);
    if (result < 0)
        return refused(name, "--atomic", -result,
                       "the new file cannot have the attributes of the old", error);
    return 0;
}

/* A folder in which files can be made, but neither renamed nor removed. */
static bool is_append_only(const struct zs_staged *staged)
{
    struct statx status;
    return statx(staged->folder_fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
           status.stx_attributes & STATX_ATTR_APPEND;
}

int zs_staged_open(struct zs_staged *staged, const char *path, const struct zs_facts *facts,
                   const char *name, struct zs_error *error)
{
    *staged = (struct zs_staged){.fd = -1, .folder_fd = -1, .old_fd = -1};

    staged->path = zs_path_resolve(path);
    if (!staged->path)
        return refused(name, "opening", errno, NULL, error);
    staged->folder_fd = zs_path_open_folder(staged->path);
    if (staged->folder_fd < 0) {
        (void)refused(name, "opening its folder", -staged->folder_fd, NULL, error);
        goto failed;
    }
    if (examine_old(staged, facts, name, error) < 0)
        goto failed;
    if (is_append_only(staged)) {
        (void)refused(name, "opening its folder", EPERM, "nothing can be replaced in it", error);
        goto failed;
    }
    int opened = open_new(staged);
    if (opened < 0) {
        (void)refused(name, "creating a file in its folder", -opened, NULL, error);
        goto failed;
    }
    if (staged->replaces && keep_what_can_be_refused(staged, name, error) < 0)
        goto failed;
    return 0;
failed:
    if (staged->fd >= 0)
        (void)zs_sys_close(staged->fd);
    zs_staged_free(staged);
    return -1;
}

static mode_t mask_of_new_files(void)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    return mask;
}

/* What a new file gets that is created with mode 0666: from the folder's list, else the umask. */
static int set_default_permissions(const struct zs_staged *staged)
{
    static const char attribute[] = "system.posix_acl_default";
    ssize_t size = fgetxattr(staged->folder_fd, attribute, NULL, 0);
    void *acl = size > 0 ? malloc((size_t)size) : NULL;
    struct stat status;
    int result = 0;

    if (!acl)
        return fchmod(staged->fd, 0666 & ~mask_of_new_files()) < 0 ? -errno : 0;
    size = fgetxattr(staged->folder_fd, attribute, acl, (size_t)size);
    if (size < 0 || fsetxattr(staged->fd, acl_attribute, acl, (size_t)size, 0) < 0 ||
        fstat(staged->fd, &status) < 0 || fchmod(staged->fd, status.st_mode & 0666) < 0)
        result = -errno;
    free(acl);
    return result;
}

/* Mode and access control list: only now, as others could open a file that has a name already. */
static int set_permissions(const struct zs_staged *staged)
{
    if (!staged->replaces)
        return staged->temporary[0] != '\0' ? set_default_permissions(staged) : 0;
    /* What the folder gives to new files the old one need not have had. */
    if (!staged->acl && fremovexattr(staged->fd, acl_attribute) < 0 && !is_absent(errno))
        return -errno;
    /* Before the mode, which without it would let the group in. */
    if (staged->acl && fsetxattr(staged->fd, acl_attribute, staged->acl, staged->acl_bytes, 0) < 0)
        return -errno;
    return fchmod(staged->fd, staged->old.st_mode & 07777) < 0 ? -errno : 0;
}

static int link_as(const struct zs_staged *staged, const char *name)
{
    char descriptor[32];

    (void)snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", staged->fd);
    return zs_sys_link(descriptor, staged->folder_fd, name);
}

/* Gives a file that has no name one to be renamed from. */
static int give_name(struct zs_staged *staged)
{
    char chosen[sizeof staged->temporary];
    int result = -EEXIST;

    for (int i = 0; i < TRIES && result == -EEXIST; i++) {
        result = choose_name(chosen, sizeof chosen);
        if (result == 0)
            result = link_as(staged, chosen);
    }
    if (result == 0)
        memcpy(staged->temporary, chosen, sizeof chosen);
    return result;
}

/* Whether the place is as it was: what somebody else has put there would be lost. */
static bool is_place_unchanged(const struct zs_staged *staged)
{
    struct stat there;
    bool taken =
        fstatat(staged->folder_fd, zs_path_name(staged->path), &there, AT_SYMLINK_NOFOLLOW) == 0;

    return taken == staged->replaces &&
           (!taken || is_same_file(&there, staged->old.st_dev, staged->old.st_ino));
}

/* A new name; that it is taken by now is an error. */
static int take_free_place(struct zs_staged *staged, const char *name)
{
    if (staged->temporary[0] == '\0')
        return link_as(staged, name);
    /* Where it cannot be asked for, somebody may come between looking and renaming. */
    int result = zs_sys_rename(staged->folder_fd, staged->temporary, name, true);
    if (result == -EINVAL || result == -ENOSYS)
        result = zs_sys_rename(staged->folder_fd, staged->temporary, name, false);
    if (result == 0)
        staged->temporary[0] = '\0';
    return result;
}

static int take_place(struct zs_staged *staged)
{
    const char *name = zs_path_name(staged->path);

    if (!staged->replaces)
        return take_free_place(staged, name);
    int result = staged->temporary[0] == '\0' ? give_name(staged) : 0;
    if (result == 0 && !is_place_unchanged(staged))
        return -ESTALE;
    if (result == 0)
        result = zs_sys_rename(staged->folder_fd, staged->temporary, name, false);
    if (result == 0)
        staged->temporary[0] = '\0';
    return result;
}

static int put_in_place(struct zs_staged *staged, const char *name, struct zs_error *error)
{
    int result = set_permissions(staged);
    if (result < 0)
        return failed(name, "setting the permissions of the new file", -result, error);
    result = zs_sys_sync(staged->fd);
    if (result < 0)
        return failed(name, "syncing", -result, error);
    result = is_place_unchanged(staged) ? take_place(staged) : -ESTALE;
    if (result == -ESTALE)
        return zs_error_set(error, ZS_ERROR_TRANSFER, name, "putting the new file in its place", 0,
                            "%s", another_file);
    return result < 0 ? failed(name, "putting the new file in its place", -result, error) : 0;
}

int zs_staged_commit(struct zs_staged *staged, bool sync_folder, const char *name,
                     struct zs_error *error)
{
    if (put_in_place(staged, name, error) < 0) {
        zs_error_append(error, "the target is as it was");
        return -1;
    }
    int result = sync_folder ? zs_path_sync_folder(staged->folder_fd, staged->fd) : 0;
    return result < 0 ? failed(name, "syncing its folder", -result, error) : 0;
}

void zs_staged_free(struct zs_staged *staged)
{
    if (staged->temporary[0] != '\0')
        (void)unlinkat(staged->folder_fd, staged->temporary, 0);
    if (staged->folder_fd >= 0)
        (void)zs_sys_close(staged->folder_fd);
    if (staged->old_fd >= 0)
        (void)zs_sys_close(staged->old_fd);
    free(staged->path);
    free(staged->acl);
    *staged = (struct zs_staged){.fd = -1, .folder_fd = -1, .old_fd = -1};
}
