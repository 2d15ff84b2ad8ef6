#ifndef ZS_TARGET_H
#define ZS_TARGET_H

#include "connect.h"
#include "error.h"
#include "facts.h"
#include "plan.h"
#include "staged.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * From which length on the space for the slice is looked after. On ext4 reserving it saves
 * allocating piece by piece: at 256 KiB 60 microseconds without and 58 with, at 1 MiB 224 and 176
 * (Linux 6.18).
 */
#define ZS_RESERVE_FROM_BYTES ((uint64_t)256 * 1024)

/* What the engines have put into the target. */
struct zs_written {
    uint64_t done_bytes;
    uint64_t excess_bytes; /* behind the last of them, and not the source's */
    uint64_t end;          /* position behind the last of them, if the target is a file */
    uint64_t furthest_end; /* the largest such position there was */
};

/*
 * The target, through its life: examined, opened, prepared, written by the engines, then finished
 * or abandoned. Each function returns 0, or -1 with *error.
 */
struct zs_target {
    const char *path; /* "-": standard output; borrowed */
    const char *name; /* for messages; borrowed */
    int fd;           /* -1 if not open */
    int flags;        /* for open(2), besides what the plan needs */
    bool inherited;
    enum zs_address_kind address; /* it is not a path */
    struct zs_facts facts;        /* from before anything was done to it */
    char *created_path; /* the file made by zs_target_open, symbolic links resolved; else NULL */
    bool joined;        /* another process created it while zs_target_open was about to */
    bool emptied;       /* it held bytes where the slice is to be and behind, and they are gone */
    struct zs_staged staged;
    bool is_staged;        /* fd is that of a file that takes the target's place in the end */
    uint64_t reserved_end; /* blocks are reserved up to this position; 0: none */
};

/*
 * Finds out what the target is. Changes nothing; opens only a block device, which has no other way
 * to tell its size. flags: for open(2), besides what the plan needs; with O_EXCL a block device
 * that is mounted or otherwise in use is refused.
 */
int zs_target_examine(struct zs_target *target, const char *path, const char *name, int flags,
                      struct zs_error *error);

/*
 * Opens it, creates it if it does not exist; an existing one keeps its bytes. REFUSED on failure.
 */
int zs_target_open(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error);

/*
 * Reserves space, empties it if the slice is to be all of it, and moves to where the slice begins.
 */
int zs_target_prepare(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error);

/* When no more will be written: cuts what the plan cuts, and syncs if it wants that. */
int zs_target_settle(struct zs_target *target, const struct zs_plan *plan,
                     const struct zs_written *written, struct zs_error *error);

/* The last step: a staged file takes its place; closes. */
int zs_target_finish(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error);

/*
 * After a failure, before zs_target_finish. Takes back bytes that are not the source's, gives back
 * reserved space, removes a file it created if nothing was written to it and nobody else may be
 * writing to it, closes. What is left in the target is added to *error, which is set.
 */
void zs_target_abandon(struct zs_target *target, const struct zs_plan *plan,
                       const struct zs_written *written, struct zs_error *error);

/* Closes what is still open (a plan that was never carried out) and frees. */
void zs_target_free(struct zs_target *target);

#endif
