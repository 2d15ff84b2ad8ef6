#ifndef ZS_STATS_H
#define ZS_STATS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Every way to move bytes. The names, in the order of zs_engine_names, are option values, file
 * names and statistics keys.
 */
enum zs_engine_id {
    ZS_ENGINE_REFLINK,
    ZS_ENGINE_COPY_RANGE,
    ZS_ENGINE_SPLICE,
    ZS_ENGINE_SENDFILE,
    ZS_ENGINE_MAP_WRITE,
    ZS_ENGINE_BUFFER,
    ZS_ENGINE_COUNT,
};

extern const char *const zs_engine_names[ZS_ENGINE_COUNT];

/* What one engine did. */
struct zs_engine_stats {
    uint64_t bytes; /* that arrived in the target */
    uint64_t calls; /* system calls that moved bytes, into a private pipe included */
    bool refused;
    int refused_code; /* errno that says why; 0: it stopped before the end without an error */
};

/* Blocks, as dd counts them: those that had all the bytes they can have, and the others. */
struct zs_block_count {
    uint64_t full;
    uint64_t partial;
};

struct zs_stats {
    struct zs_engine_stats engines[ZS_ENGINE_COUNT];
    unsigned jobs;                 /* threads that worked on one copy at a time; 0 counts as 1 */
    uint64_t skipped_bytes;        /* of the slice, left holes, that no engine moved */
    uint64_t holes_bytes;          /* of the target, left or made holes */
    uint64_t user_copied_bytes;    /* that passed through memory of the program's own */
    bool sample_memory;            /* set by whoever wants the peak below; costs a read of /proc */
    uint64_t peak_anonymous_bytes; /* the largest sample */

    /* Of what is copied block by block. */
    struct zs_block_count read_blocks;
    struct zs_block_count written_blocks;
    uint64_t
        partial_read_bytes; /* a read that had fewer bytes than a block, and was not the last */
    bool past_end;          /* the source ended before the offset */
};

/* The process's memory, from /proc/self/status; zeros where it cannot be read. */
struct zs_memory {
    uint64_t peak_rss_bytes; /* VmHWM: ru_maxrss would count the shell that forked us */
    uint64_t anonymous_bytes;
    uint64_t major_faults;
    uint64_t minor_faults;
};

/* How much of the slice is in the target, holes included. */
uint64_t zs_stats_bytes(const struct zs_stats *stats);

struct zs_memory zs_stats_memory(void);

/* Raises the peak of anonymous memory to what it is now, if sampling was asked for. */
void zs_stats_sample(struct zs_stats *stats);

#endif
