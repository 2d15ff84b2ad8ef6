#ifndef ZS_ENGINE_H
#define ZS_ENGINE_H

#include "behind.h"
#include "digest.h"
#include "error.h"
#include "facts.h"
#include "holes.h"
#include "range.h"
#include "stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The capacity that every pipe in the way is grown to, and what goes through one at a time. File to
 * pipe, 512 MiB into `cat >/dev/null`, Linux 6.18: 0.32 s with the default 64 KiB, 0.07 s from 256
 * KiB on; file to file 2.7 GB/s (the 64 KiB of sendfile's hidden pipe) against 4.7 GB/s with 1 MiB.
 * 1 MiB is also the default limit of users without privileges.
 */
#define ZS_PIPE_BYTES ((size_t)1024 * 1024)

/* A pipe as it is created. Copies that fit are not worth a system call to grow it. */
#define ZS_DEFAULT_PIPE_BYTES ((size_t)64 * 1024)

/* A pipe of the program's own. */
struct zs_pipe {
    int read_fd; /* -1: there is none yet */
    int write_fd;
    bool grown; /* to ZS_PIPE_BYTES, as far as that was possible */
};

/*
 * The copy of one range under way, between two open descriptors. The first part is filled by the
 * caller, the rest by zs_copy_begin and then by the driver.
 */
struct zs_copy {
    int source_fd;
    int target_fd;
    const struct zs_facts *source;
    const struct zs_facts *target;
    const char *source_name; /* for messages */
    const char *target_name;
    struct zs_stats *stats;
    struct zs_pipe *pipe;     /* kept, empty, from copy to copy; NULL: an engine makes its own */
    struct zs_holes *holes;   /* where runs of zeros become holes; NULL: they are written */
    struct zs_digest *digest; /* is given each byte that arrives; NULL: is not */
    struct zs_behind *behind; /* what follows the copy through the page cache; NULL: nothing */
    unsigned jobs;  /* threads that may work on it, the caller's included; 0 counts as 1 */
    bool scattered; /* the target, a file, gets each byte as far from the range's first one as in
                       the source, written at explicit positions */

    struct zs_range range;
    uint64_t source_start; /* where the range's first byte lies, if source->positioned */
    uint64_t target_start; /* where it goes, if the target is a file */

    uint64_t done_bytes;      /* the range's bytes that are in the target */
    uint64_t source_position; /* where the next byte is read, if source->positioned */
    uint64_t run_bytes;       /* from the next byte on, that lie together in the source */
    uint64_t remaining_bytes; /* still to copy, if bounded; else until the source ends */
    bool bounded;             /* always, if source->sized */

    uint64_t excess_bytes; /* behind the done_bytes in the target, not the source's */
    bool source_ended;     /* the source ended before remaining_bytes were copied */
    uint64_t
        trailing_bytes; /* of a stream that has ended: in the gap behind the last byte copied */
};

/* Puts the copy before its range's first byte. */
void zs_copy_begin(struct zs_copy *copy, const struct zs_range *range, uint64_t source_start,
                   uint64_t target_start);

/* Goes on behind the range's first present_bytes, which are in the target already. */
void zs_copy_skip(struct zs_copy *copy, uint64_t present_bytes);

/*
 * Lets the copy go on up to the range's byte number end_bytes, which is not less than done_bytes:
 * for a range whose length becomes known bit by bit.
 */
void zs_copy_extend(struct zs_copy *copy, uint64_t end_bytes);

/* How far behind the range's first byte the last one that was copied ends; 0 if none was. */
uint64_t zs_copy_used_bytes(const struct zs_copy *copy);

/* Behind the last byte copied, in a target that is a file. */
uint64_t zs_copy_target_end(const struct zs_copy *copy);

enum zs_verdict {
    ZS_STEP_MOVED,       /* moved_bytes (at least 1) went from source to target */
    ZS_STEP_END,         /* the source seems to have no more; no byte of a stream is held */
    ZS_STEP_UNSUPPORTED, /* this engine cannot go on; another one may */
    ZS_STEP_FAILED,      /* the copy cannot go on */
};

enum zs_end {
    ZS_END_SOURCE,
    ZS_END_TARGET,
    ZS_END_EITHER, /* a call that reads and writes does not say; the driver asks the source */
};

/* The outcome of one step. */
struct zs_step {
    enum zs_verdict verdict;
    uint64_t moved_bytes;    /* with MOVED */
    uint64_t trailing_bytes; /* with END, of a stream: the gap behind the last byte had so many */
    int code;        /* with UNSUPPORTED and FAILED: errno, or 0 for "moved nothing, no reason" */
    enum zs_end end; /* with UNSUPPORTED and FAILED: which end said so */
};

/*
 * One way to move bytes. A step moves the bytes at copy->source_position (or the next ones of a
 * stream) to the target's current position, at most zs_copy_most(copy) of them, and reports how
 * many arrived; of *copy it changes nothing but the statistics. An engine that gathers may move
 * more than lie together; of a stream it then reads the gaps as well.
 */
struct zs_engine {
    enum zs_engine_id id;

    /* Why this engine cannot do a copy between such ends, or NULL if it may. Pure. */
    const char *(*refuse)(const struct zs_facts *source, const struct zs_facts *target);

    /* Sets up *state; 0 or -errno (then the next engine is tried). May be NULL. */
    int (*open)(const struct zs_copy *copy, void **state);

    struct zs_step (*step)(const struct zs_copy *copy, void *state);

    /*
     * Bytes that it took from the source and that are not in the target yet: how many, and the
     * descriptor they can be read from. NULL: it never holds any that matter to others.
     */
    uint64_t (*held)(const void *state, int *fd);

    void (*close)(void *state); /* may be NULL */

    bool end_is_certain; /* its END is the answer of read(2) itself */
    bool scatters;       /* it can write at explicit positions: run a scattered copy */
    bool finds_zeros;    /* it minds copy->holes */
    bool feeds_digest;   /* it minds copy->digest */
    bool copies;         /* a pipe or socket gets copies of the bytes, not references to pages */
};

extern const struct zs_engine zs_engine_reflink;
extern const struct zs_engine zs_engine_copy_range;
extern const struct zs_engine zs_engine_splice;
extern const struct zs_engine zs_engine_sendfile;
extern const struct zs_engine zs_engine_map_write;
extern const struct zs_engine zs_engine_buffer;

/* All of them, by id. */
extern const struct zs_engine *const zs_engines[ZS_ENGINE_COUNT];

/*
 * Copies until remaining_bytes are done or the source has ended, by the engines in the order given;
 * one that cannot go on is followed by the next one at the exact byte.
 *
 * 0: done, or copy->source_ended is set. -1: *error is filled; copy->done_bytes are in the target
 * nonetheless.
 */
int zs_engine_run(struct zs_copy *copy, const struct zs_engine *const *engines, size_t count,
                  struct zs_error *error);

/*
 * Whether the target's file system shares blocks with the source at all, found without changing
 * anything. 0, or -errno that says why not.
 */
int zs_reflink_try(int source_fd, int target_fd);

/* For engines. */

/* min(run, remaining, most): how many bytes a step may move. Never 0 during a step. */
size_t zs_copy_most(const struct zs_copy *copy, size_t most);

/* Where the next byte goes if the copy is scattered; NULL: where the target stands. */
const uint64_t *zs_copy_place(const struct zs_copy *copy, uint64_t *position);

/* write(2) to where the next byte goes. A count, 0, or -errno. */
ssize_t zs_copy_write(const struct zs_copy *copy, const void *bytes, size_t length_bytes);

/* At most `most`: how many bytes the source has up to the range's last one, gaps included. */
size_t zs_copy_span(const struct zs_copy *copy, size_t most);

/*
 * The step that -errno stands for: UNSUPPORTED if another engine may do better, else FAILED. errno
 * values that no engine overcomes are FAILED at once, so that the message names the first cause.
 */
struct zs_step zs_step_of_error(ssize_t negative_errno, enum zs_end end);

struct zs_step zs_step_moved(uint64_t moved_bytes);

/* The step that the result of a write to the target stands for: a count, 0, or -errno. */
struct zs_step zs_step_of_write(ssize_t written);

/*
 * Grows a pipe of capacity_bytes to ZS_PIPE_BYTES, or as near as the user's limits allow; never
 * shrinks one.
 */
void zs_pipe_grow(int fd, size_t capacity_bytes);

#endif
