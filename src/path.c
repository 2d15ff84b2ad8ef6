/* Links followed by hand, and folders. */

#include "path.h"

#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *zs_path_follow_link(const char *link)
{
    char named[4096];
    char *path = NULL;

    ssize_t length = readlink(link, named, sizeof named);
    if (length < 0)
        return NULL;
    if ((size_t)length == sizeof named) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    const char *slash = strrchr(link, '/');
    int folder_length = named[0] == '/' || !slash ? 0 : (int)(slash - link) + 1;
    if (asprintf(&path, "%.*s%.*s", folder_length, link, (int)length, named) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    return path;
}

char *zs_path_resolve(const char *path)
{
    char *current = strdup(path);

    for (int links = 0; current; links++) {
        char *next = zs_path_follow_link(current);
        if (!next && (errno == EINVAL || errno == ENOENT))
            return current;
        free(current);
        current = next;
        if (links == ZS_PATH_MOST_LINKS) {
            free(current);
            errno = ELOOP;
            return NULL;
        }
    }
    return NULL;
}

const char *zs_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int zs_path_open_folder(const char *path)
{
    size_t length = (size_t)(zs_path_name(path) - path);

    if (length > 1)
        length--; /* the slash */
    char *folder = length > 0 ? strndup(path, length) : strdup(".");

    if (!folder)
        return -ENOMEM;
    int fd = zs_sys_open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd == -EACCES)
        fd = zs_sys_open(folder, O_PATH | O_DIRECTORY, 0);
    free(folder);
    return fd;
}

int zs_path_sync_folder(int folder_fd, int fd)
{
    int result = zs_sys_sync(folder_fd);

    if (result == -EBADF) /* O_PATH */
        result = zs_sys_sync_filesystem(fd);
    return result == -EINVAL ? 0 : result;
}
