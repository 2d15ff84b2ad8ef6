#ifndef ZS_PATH_H
#define ZS_PATH_H

/* Names of files, beyond what open(2) makes of them. */

/* So many symbolic links are followed one after the other, as the kernel does. */
enum { ZS_PATH_MOST_LINKS = 40 };

/*
 * The path that a symbolic link names, relative to where `link` is. For the caller to free; NULL
 * with errno set: EINVAL if it is no link.
 */
char *zs_path_follow_link(const char *link);

/*
 * The path at which opening `path` would find or create a file: symbolic links of its last part
 * are followed, also to where nothing is yet. For the caller to free; NULL with errno set.
 */
char *zs_path_resolve(const char *path);

/* The last part of a path. */
const char *zs_path_name(const char *path);

/* Opens the folder that the path's last part is in, to be synced if it may be read. Or -errno. */
int zs_path_open_folder(const char *path);

/*
 * Syncs the folder, or, as it may not be read, the whole file system of `fd`. 0 or -errno; file
 * systems whose folders cannot be synced do that by themselves.
 */
int zs_path_sync_folder(int folder_fd, int fd);

#endif
