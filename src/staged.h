#ifndef ZS_STAGED_H
#define ZS_STAGED_H

#include "error.h"
#include "facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/*
 * A file that takes the place of another, or of none, at one instant and only when it is complete.
 * Until then it has no name where the file system can do that (O_TMPFILE), else one that cannot be
 * guessed, in the same folder, and is for its owner only.
 */
struct zs_staged {
    int fd; /* to read and write; -1: not open */
    int folder_fd;
    char *path;         /* the place to take, symbolic links followed */
    char temporary[32]; /* the name it has meanwhile; empty: none */
    bool replaces;      /* there is a file to be replaced */
    int old_fd;         /* that file (O_PATH): as long as it is open, no other has its inode */
    struct stat old;    /* what it was */
    void *acl;          /* its access control list; NULL: none */
    size_t acl_bytes;
};

/*
 * Makes the new file, with the owner of the one that it will replace, which must be what `facts`
 * say, and its user attributes. 0, or -1 with *error (REFUSED): nothing is left then. name: for
 * messages, borrowed.
 */
int zs_staged_open(struct zs_staged *staged, const char *path, const struct zs_facts *facts,
                   const char *name, struct zs_error *error);

/*
 * Gives it the mode and access control list of the old one, syncs it, and puts it in its place, if
 * nothing else has taken that meanwhile; with sync_folder, the name is on the device as well. 0, or
 * -1 with *error: the old file is there still, unless syncing the folder was what failed.
 */
int zs_staged_commit(struct zs_staged *staged, bool sync_folder, const char *name,
                     struct zs_error *error);

/* Lets go of everything but fd; a file that was not committed is gone when that is closed. */
void zs_staged_free(struct zs_staged *staged);

#endif
