#ifndef ZS_FACTS_H
#define ZS_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * What a file or an open descriptor is, as far as a copy depends on it. Facts are values: taken
 * once.
 */

enum zs_kind {
    ZS_KIND_NONE, /* there is no such file (a target to be created) */
    ZS_KIND_REGULAR,
    ZS_KIND_BLOCK,
    ZS_KIND_PIPE, /* a pipe or FIFO */
    ZS_KIND_SOCKET,
    ZS_KIND_TERMINAL,
    ZS_KIND_CHARACTER, /* any other character device */
    ZS_KIND_DIRECTORY,
    ZS_KIND_OTHER, /* eventfd, timerfd and their like */
};

/*
 * A slice of up to ZS_SMALL_BYTES pays for no question that makes it no faster. From ZS_LARGE_BYTES
 * on it matters to the choice of engines what is cached, and how many processors there are.
 */
#define ZS_SMALL_BYTES ((uint64_t)1024 * 1024)
#define ZS_LARGE_BYTES ((uint64_t)16 * 1024 * 1024)

struct zs_facts {
    enum zs_kind kind;
    bool readable;     /* by the descriptor's access mode */
    bool writable;     /* likewise; false for a read-only block device */
    bool append;       /* O_APPEND is set: every write goes to the end */
    bool messages;     /* each write is one: a socket that is no byte stream, of whose messages the
                          rest is lost if one is not read in one call; a pipe of packets (O_DIRECT) */
    bool positioned;   /* reads and writes at explicit positions work */
    bool sized;        /* size_bytes is the truth; false for a stream */
    uint64_t position; /* where the descriptor stands, if positioned */
    uint64_t size_bytes;      /* of the whole file or device, if sized */
    uint64_t allocated_bytes; /* likewise: how much room it takes */
    uint64_t block_bytes;     /* of a regular file: what it is allocated in, or a multiple */
    uint32_t filesystem; /* of a regular file: its type (f_type), 0 if that was not asked for */
    bool cached;         /* of ZS_LARGE_BYTES and more: most of it seems to be in the page cache */
    bool local;          /* a socket of this machine only (AF_UNIX) */
    unsigned processors; /* this process may run on, if it was worth asking; else 0 */
    bool shares_nothing; /* its file system cannot share blocks with the other end: it was tried */
    struct timespec modified; /* of a regular file */
    dev_t device;             /* with inode: identity of a file */
    ino_t inode;
    dev_t special_device; /* identity of a block or character device */
};

/*
 * What an open descriptor is. Reads at most one byte, by pread, and only from a regular file that
 * claims to be empty. 0 or -errno.
 */
int zs_facts_of_descriptor(int fd, struct zs_facts *facts);

/*
 * The same for one that was just opened with these flags, so that they and the position, which is
 * 0, need not be asked for.
 */
int zs_facts_of_opened(int fd, int flags, struct zs_facts *facts);

/*
 * Finds out what matters to sharing blocks, and to a long copy, of length_bytes from `start` on:
 * the file system, and, from ZS_LARGE_BYTES on, what is cached and how many processors there are;
 * nothing of a stream. 0 or -errno.
 */
int zs_facts_learn(int fd, uint64_t start, uint64_t length_bytes, struct zs_facts *facts);

/*
 * What stat(2) alone tells of a path (symbolic links followed), for a file that must not be opened
 * yet: position 0, both access modes assumed; a block device's size is not known. 0 or -errno; a
 * path that does not exist is success with ZS_KIND_NONE.
 */
int zs_facts_of_path(const char *path, struct zs_facts *facts);

/* Whether the bytes of both lie in the same place: one regular file, one pipe, one block device. */
bool zs_facts_same_file(const struct zs_facts *a, const struct zs_facts *b);

/* A regular file, there or to be created, or a block device: it keeps what is written to it. */
bool zs_facts_is_file(const struct zs_facts *facts);

/* Whether the page cache holds its bytes at known positions: it can be mapped and sent from. */
bool zs_facts_mappable(const struct zs_facts *facts);

/* Whether it seems to have holes: it takes less room than it has bytes. */
bool zs_facts_is_sparse(const struct zs_facts *facts);

/* Whether a server keeps its bytes, which may be able to copy them by itself. */
bool zs_facts_is_remote(const struct zs_facts *facts);

/*
 * Why files at these ends cannot share blocks, or NULL if they may: some file systems are known
 * not to.
 */
const char *zs_facts_refuse_sharing(const struct zs_facts *source, const struct zs_facts *target);

/*
 * Whether it passes bytes on in order and keeps none: pipe, socket, terminal, character device,
 * other.
 */
bool zs_facts_is_stream(const struct zs_facts *facts);

/* The kind in words: "a pipe". */
const char *zs_facts_kind_name(enum zs_kind kind);

#endif
