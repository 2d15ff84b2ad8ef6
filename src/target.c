/*
 * The target's life. Invariants: nothing is created, emptied or written before the plan is known to
 * be valid; the file is never longer than its good bytes (space is reserved behind its end, not by
 * growing it); what a failure leaves behind is either nothing or described.
 */

#include "target.h"

#include "path.h"
#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

typedef unsigned long long ull; /* for printf */

/* A failure before anything was touched. */
static int refused(const struct zs_target *target, const char *operation, int code,
                   const char *detail, struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_REFUSED, target->name, operation, code,
                        detail ? "%s" : NULL, detail);
}

static int failed(const struct zs_target *target, const char *operation, int code,
                  struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_TRANSFER, target->name, operation, code, NULL);
}

static int examine_block_device(struct zs_target *target, int flags, struct zs_error *error)
{
    target->fd = zs_sys_open(target->path, O_WRONLY | flags, 0);
    if (target->fd < 0)
        return refused(target, "opening", -target->fd,
                       target->fd == -EBUSY ? "it is mounted or otherwise in use" : NULL, error);
    int examined = zs_facts_of_descriptor(target->fd, &target->facts);
    return examined < 0 ? refused(target, "examining", -examined, NULL, error) : 0;
}

/* tcp:// and unix://, which are connected to when everything else is known to be in order. */
static int examine_address(struct zs_target *target, struct zs_error *error)
{
    const char *reason = NULL;
    int examined = zs_connect_examine(target->path, &target->address, &reason);

    if (examined < 0)
        return refused(target, "connecting", reason ? 0 : -examined, reason, error);
    target->facts = (struct zs_facts){
        .kind = ZS_KIND_SOCKET, .writable = true, .local = target->address == ZS_ADDRESS_UNIX};
    return 0;
}

static int open_connection(struct zs_target *target, struct zs_error *error)
{
    const char *reason = NULL;

    target->fd = zs_connect_open(target->path, target->address, &reason);
    if (target->fd >= 0)
        return 0;
    return zs_error_set(error, ZS_ERROR_TRANSFER, target->name, "connecting",
                        reason ? 0 : -target->fd, reason ? "%s" : NULL, reason);
}

int zs_target_examine(struct zs_target *target, const char *path, const char *name, int flags,
                      struct zs_error *error)
{
    *target = (struct zs_target){.path = path, .name = name, .fd = -1, .flags = flags & ~O_EXCL};

    if (strcmp(path, "-") == 0) {
        target->inherited = true;
        target->fd = STDOUT_FILENO;
        int examined = zs_facts_of_descriptor(target->fd, &target->facts);
        return examined < 0 ? refused(target, "examining", -examined, NULL, error) : 0;
    }
    if (examine_address(target, error) < 0)
        return -1;
    if (target->address != ZS_ADDRESS_NONE)
        return 0;
    int examined = zs_facts_of_path(path, &target->facts);
    if (examined < 0)
        return refused(target, "examining", -examined, NULL, error);
    if (target->facts.kind == ZS_KIND_BLOCK)
        return examine_block_device(target, flags, error);
    return 0;
}

/*
 * Creates the file with O_EXCL, so that it is certain to be ours to remove again. A symbolic link
 * to nothing counts as existing for O_EXCL; it is followed by hand, as open(2) would without
 * O_EXCL. A descriptor or -errno; *created_path is the caller's to free.
 */
static int create_file(const char *path, int access, bool follow, char **created_path)
{
    char *current = strdup(path);

    for (int links = 0; current; links++) {
        int fd = zs_sys_open(current, access | O_CREAT | O_EXCL, 0666);
        if (fd >= 0) {
            *created_path = current;
            return fd;
        }
        char *next = fd == -EEXIST && follow && links < ZS_PATH_MOST_LINKS
                         ? zs_path_follow_link(current)
                         : NULL;
        if (!next) {
            free(current);
            return fd;
        }
        free(current);
        current = next;
    }
    return -ENOMEM;
}

/* Only who compares what is there needs to read it. */
static int access_of(const struct zs_target *target, const struct zs_plan *plan)
{
    return target->flags | (plan->verify || plan->resumed_bytes > 0 ? O_RDWR : O_WRONLY) |
           (plan->placement == ZS_PLACE_APPEND ? O_APPEND : 0);
}

/* Another process of the same work was faster in creating the file. */
static int join(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error)
{
    target->joined = true;
    target->fd = zs_sys_open(target->path, access_of(target, plan), 0);
    int result = target->fd < 0 ? target->fd : zs_facts_of_descriptor(target->fd, &target->facts);
    if (result < 0)
        return refused(target, "opening", -result, NULL, error);
    if (target->facts.kind != ZS_KIND_REGULAR)
        return refused(target, "opening", 0, "another file took its place meanwhile", error);
    return 0;
}

static int open_new(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error)
{
    bool follow = !plan->must_create && !(target->flags & O_NOFOLLOW);

    target->fd = create_file(target->path, access_of(target, plan), follow, &target->created_path);
    if (target->fd == -EEXIST && plan->shared)
        return join(target, plan, error);
    if (target->fd < 0)
        return refused(target, "creating", -target->fd,
                       target->fd == -ENOENT && *target->path ? "its folder does not exist" : NULL,
                       error);
    return 0;
}

static int open_existing(struct zs_target *target, const struct zs_plan *plan,
                         struct zs_error *error)
{
    bool regular = target->facts.kind == ZS_KIND_REGULAR;
    struct stat status;

    /* A FIFO that has taken the place of a file is not waited for. */
    target->fd = zs_sys_open(target->path, access_of(target, plan) | (regular ? O_NONBLOCK : 0), 0);
    if (target->fd < 0)
        return refused(target, "opening", -target->fd, NULL, error);
    if (fstat(target->fd, &status) < 0)
        return refused(target, "examining", errno, NULL, error);
    if (status.st_dev != target->facts.device || status.st_ino != target->facts.inode ||
        regular != S_ISREG(status.st_mode))
        return refused(target, "opening", 0, "another file took its place meanwhile", error);
    return 0;
}

static int open_staged(struct zs_target *target, struct zs_error *error)
{
    if (zs_staged_open(&target->staged, target->path, &target->facts, target->name, error) < 0)
        return -1;
    target->fd = target->staged.fd;
    target->is_staged = true;
    return 0;
}

int zs_target_open(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error)
{
    if (target->fd >= 0)
        return 0;
    if (target->address != ZS_ADDRESS_NONE)
        return open_connection(target, error);
    if (plan->atomic)
        return open_staged(target, error);
    return target->facts.kind == ZS_KIND_NONE ? open_new(target, plan, error)
                                              : open_existing(target, plan, error);
}

/* Frees blocks behind the end of the file. Best effort: they are lost to nobody but this file. */
static void give_back(struct zs_target *target)
{
    struct stat status;

    if (target->reserved_end > 0 && fstat(target->fd, &status) == 0 &&
        (uint64_t)status.st_size < target->reserved_end)
        (void)zs_sys_truncate(target->fd, (uint64_t)status.st_size);
    target->reserved_end = 0;
}

static int no_space(struct zs_target *target, int code, uint64_t missing_bytes,
                    struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_TRANSFER, target->name, "reserving space", code,
                        "the slice needs %llu bytes more", (ull)missing_bytes);
}

static int reserve_blocks(struct zs_target *target, uint64_t start, uint64_t end,
                          struct zs_error *error)
{
    target->reserved_end = end;
    int result = zs_sys_reserve(target->fd, start, end - start);
    if (result == 0)
        return 0;
    give_back(target); /* ext4 keeps what it got before it found the disk full */
    return result == -ENOSPC || result == -EDQUOT ? no_space(target, -result, end - start, error)
                                                  : 0;
}

/*
 * Finds a full disk before the copy starts, in the way that suits the file system: [start, end) is
 * what the file does not have yet. That it cannot be done is no error.
 *
 * - tmpfs: its free space is exact, and looking at it is free. Reserving clears every page: 413 ms
 *   with and 235 ms without, for 512 MiB over a short old file (Linux 6.18).
 * - btrfs: its free space is looked at, too; only where that is about to run out, and so may be
 *   wrong, blocks are reserved and given back at once. For a new file that is ftruncate(0), after
 *   which btrfs writes everything out before close returns: 512 MiB take 625 ms so, 287 without.
 *   Keeping them would give up compression, and a write into reserved space can find the disk full
 *   all the same, as it goes to new blocks (Linux 6.18).
 * - others: blocks are reserved behind the end of the file, whose size does not change.
 */
static int secure_space(struct zs_target *target, uint64_t start, uint64_t end,
                        struct zs_error *error)
{
    struct statfs filesystem;

    if (start >= end || end - start < ZS_RESERVE_FROM_BYTES || fstatfs(target->fd, &filesystem) < 0)
        return 0;
    uint64_t needed = end - start;
    uint64_t free_bytes = (uint64_t)filesystem.f_bavail * (uint64_t)filesystem.f_bsize;
    switch ((uint32_t)filesystem.f_type) {
    case BTRFS_SUPER_MAGIC: {
        if (needed + needed / 64 < free_bytes) /* checksums take a thousandth */
            return 0;
        int reserved = reserve_blocks(target, start, end, error);
        give_back(target);
        return reserved;
    }
    case TMPFS_MAGIC: {
        bool limited = filesystem.f_blocks > 0;
        return limited && free_bytes < needed ? no_space(target, ENOSPC, needed - free_bytes, error)
                                              : 0;
    }
    default:
        return reserve_blocks(target, start, end, error);
    }
}

static bool is_local_disk(uint32_t type)
{
    return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == TMPFS_MAGIC;
}

/*
 * The same where other processes write to the file: blocks are given back by cutting the file,
 * which could cut what they have written since; and for a file with holes. The free space is only
 * looked at, where it is exact, counting what only root may use, and what somebody has reserved for
 * the file already.
 */
static int look_for_space(struct zs_target *target, const struct stat *status, uint64_t start,
                          uint64_t end, struct zs_error *error)
{
    struct statfs filesystem;
    uint64_t allocated = (uint64_t)status->st_blocks * 512;
    uint64_t size = (uint64_t)status->st_size;

    if (start >= end || fstatfs(target->fd, &filesystem) < 0 || filesystem.f_blocks == 0 ||
        !is_local_disk((uint32_t)filesystem.f_type))
        return 0;
    uint64_t free_bytes = (uint64_t)filesystem.f_bfree * (uint64_t)filesystem.f_bsize +
                          (allocated > size ? allocated - size : 0);
    return free_bytes < end - start ? no_space(target, ENOSPC, end - start - free_bytes, error) : 0;
}

/*
 * Cuts off the old bytes from `end` on; makes a shorter file so long, if the plan wants that. The
 * space that the slice needs beyond the old bytes is looked for first, so that a full disk is found
 * while they are still there.
 */
static int cut_first(struct zs_target *target, const struct stat *status,
                     const struct zs_plan *plan, uint64_t end, struct zs_error *error)
{
    uint64_t size = (uint64_t)status->st_size;
    uint64_t start = size > end ? size : end;
    uint64_t new_end = end + plan->reserve_bytes;

    if ((plan->looks_for_space ? look_for_space(target, status, start, new_end, error)
                               : secure_space(target, start, new_end, error)) < 0)
        return -1;
    if (zs_signals_attend()) {
        give_back(target);
        return failed(target, "preparing", EINTR, error);
    }
    int cut = zs_sys_truncate(target->fd, end);
    if (cut < 0) {
        give_back(target);
        return failed(target, "truncating", -cut, error);
    }
    target->emptied = size > end;
    return 0;
}

static int prepare_regular(struct zs_target *target, const struct zs_plan *plan,
                           struct zs_error *error)
{
    struct stat status = {.st_size = 0};
    uint64_t position = plan->target_position;

    /* Again: what came before the slice in a stream may have taken long to read. */
    if (!target->created_path && fstat(target->fd, &status) < 0)
        return failed(target, "examining", errno, error);
    uint64_t size = (uint64_t)status.st_size;
    if ((plan->placement == ZS_PLACE_WHOLE && size > 0) || (plan->cut_before && size != position)) {
        if (cut_first(target, &status, plan, position, error) < 0)
            return -1;
        size = position;
    }
    /* Not where others may append: giving the space back could cut what they have added by then. */
    if (plan->reserve_bytes == 0 || plan->placement == ZS_PLACE_APPEND)
        return 0;
    uint64_t start = position > size ? position : size;
    uint64_t end = position + plan->reserve_bytes;
    return plan->shared || plan->looks_for_space
               ? look_for_space(target, &status, start, end, error)
               : secure_space(target, start, end, error);
}

static int seek(struct zs_target *target, uint64_t position, struct zs_error *error)
{
    int moved = zs_sys_seek(target->fd, position);
    /* EINVAL: beyond what the file system can have */
    return moved < 0 ? zs_error_set(error, ZS_ERROR_REFUSED, target->name, "seeking", -moved,
                                    "to position %llu", (ull)position)
                     : 0;
}

int zs_target_prepare(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error)
{
    bool regular = target->facts.kind == ZS_KIND_REGULAR || target->facts.kind == ZS_KIND_NONE;

    if ((regular || target->facts.kind == ZS_KIND_BLOCK) && !target->facts.append &&
        plan->target_position != target->facts.position &&
        seek(target, plan->target_position, error) < 0)
        return -1;
    return regular ? prepare_regular(target, plan, error) : 0;
}

static int cut(struct zs_target *target, uint64_t end, struct zs_error *error)
{
    struct stat status;

    if (fstat(target->fd, &status) < 0)
        return failed(target, "examining", errno, error);
    /* Only if it differs: XFS flushes the file even then (13 ms for 64 MiB, Linux 6.18). */
    int result = (uint64_t)status.st_size > end ? zs_sys_truncate(target->fd, end) : 0;
    return result < 0 ? failed(target, "truncating", -result, error) : 0;
}

static int close_target(struct zs_target *target, struct zs_error *error)
{
    int closed = zs_sys_close(target->fd);
    target->fd = -1;
    return closed < 0 ? failed(target, "closing", -closed, error) : 0;
}

/*
 * A new file that others fill, too, may have been removed by one of them: then so are these bytes.
 */
static int check_name(struct zs_target *target, struct zs_error *error)
{
    struct stat status;

    if ((!target->created_path && !target->joined) || fstat(target->fd, &status) < 0 ||
        status.st_nlink > 0)
        return 0;
    return zs_error_set(error, ZS_ERROR_TRANSFER, target->name, "writing", 0,
                        "the new file was removed meanwhile");
}

/* Explicit positions do not move a descriptor that the script goes on to use. */
static void leave_behind(struct zs_target *target, const struct zs_plan *plan,
                         const struct zs_written *written)
{
    if (plan->scattered && target->inherited)
        (void)zs_sys_seek(target->fd, written->end);
}

static int sync_folder(struct zs_target *target, struct zs_error *error)
{
    char *path = zs_path_resolve(target->path);
    int fd = path ? zs_path_open_folder(path) : -errno;
    int result = fd >= 0 ? zs_path_sync_folder(fd, target->fd) : fd;

    free(path);
    if (fd >= 0)
        (void)zs_sys_close(fd);
    return result < 0 ? failed(target, "syncing its folder", -result, error) : 0;
}

/* What was written is on the device, and a new file's name, too. */
static int sync_target(struct zs_target *target, struct zs_error *error)
{
    int result = zs_sys_sync_data(target->fd);
    if (result == -EINVAL || result == -ENOSYS)
        result = zs_sys_sync(target->fd);
    if (result < 0)
        return zs_error_set(error, result == -EINTR ? ZS_ERROR_TRANSFER : ZS_ERROR_DEVICE,
                            target->name, "syncing", -result, NULL);
    return target->created_path || target->joined ? sync_folder(target, error) : 0;
}

int zs_target_settle(struct zs_target *target, const struct zs_plan *plan,
                     const struct zs_written *written, struct zs_error *error)
{
    int result = 0;

    if (plan->cut_after)
        result = cut(target, written->furthest_end, error);
    if (result == 0 && plan->shared)
        result = check_name(target, error);
    leave_behind(target, plan, written);
    if (written->end < target->reserved_end)
        give_back(target);
    if (result == 0 && plan->sync)
        result = sync_target(target, error);
    return result;
}

static int finish_connection(struct zs_target *target, struct zs_error *error)
{
    int finished = zs_connect_finish(target->fd, target->address);

    return finished < 0 ? zs_error_set(error, ZS_ERROR_TRANSFER, target->name, "finishing",
                                       -finished, "how much has arrived is not known")
                        : 0;
}

int zs_target_finish(struct zs_target *target, const struct zs_plan *plan, struct zs_error *error)
{
    int result = 0;

    if (target->is_staged)
        result = zs_staged_commit(&target->staged, plan->sync, target->name, error);
    else if (target->address != ZS_ADDRESS_NONE)
        result = finish_connection(target, error);
    if (close_target(target, error) < 0 && result == 0) {
        zs_error_append(error, "how much of the target is good is not known");
        return -1;
    }
    return result;
}

/* Moves an inherited descriptor back behind the good bytes. True if the excess is gone, too. */
static bool take_back(struct zs_target *target, const struct zs_plan *plan,
                      const struct zs_written *written)
{
    struct stat status;

    if (fstat(target->fd, &status) < 0 || !S_ISREG(status.st_mode))
        return false;
    if (!target->facts.append)
        (void)lseek(target->fd, (off_t)written->end, SEEK_SET);
    /* Not where others write: what they have added since would be cut, too. */
    return !plan->shared && (uint64_t)status.st_size == written->end + written->excess_bytes &&
           zs_sys_truncate(target->fd, written->end) == 0;
}

/*
 * Removes the file that was created, unless somebody wrote to it or gave its name to another, or
 * may have it open to write to it.
 */
static bool remove_created(const struct zs_target *target, const struct zs_plan *plan)
{
    struct stat ours, named;

    return target->created_path && !plan->shared && fstat(target->fd, &ours) == 0 &&
           ours.st_size == 0 && lstat(target->created_path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino &&
           unlink(target->created_path) == 0;
}

static void describe_remains(const struct zs_target *target, const struct zs_plan *plan,
                             uint64_t done_bytes, struct zs_error *error)
{
    if (done_bytes == 0) {
        if (target->emptied && plan->cut_before)
            zs_error_append(error, "the target was cut at position %llu",
                            (ull)plan->target_position);
        else if (target->emptied)
            zs_error_append(error, "the target is empty now");
        else if (target->created_path)
            zs_error_append(error, "the new target stays");
        else if (plan->resumed_bytes > 0 && error->kind != ZS_ERROR_REFUSED)
            zs_error_append(error, "the target's first %llu bytes are good",
                            (ull)plan->resumed_bytes);
        return;
    }
    if (target->address != ZS_ADDRESS_NONE)
        zs_error_append(error,
                        "%llu bytes were given to the socket; how many the peer has is not known",
                        (ull)done_bytes);
    else if (zs_facts_is_stream(&target->facts))
        zs_error_append(error, "%llu bytes were delivered", (ull)done_bytes);
    else if (plan->placement == ZS_PLACE_APPEND)
        zs_error_append(error, "%llu bytes were appended", (ull)done_bytes);
    else if (plan->scattered)
        zs_error_append(error, "the first %llu bytes of the slice are in their places",
                        (ull)done_bytes);
    else if (plan->target_position == plan->resumed_bytes)
        zs_error_append(error, "the target's first %llu bytes are good",
                        (ull)(plan->resumed_bytes + done_bytes));
    else
        zs_error_append(error, "the target's %llu bytes from position %llu on are good",
                        (ull)done_bytes, (ull)plan->target_position);
}

void zs_target_abandon(struct zs_target *target, const struct zs_plan *plan,
                       const struct zs_written *written, struct zs_error *error)
{
    struct zs_error ignored = {0};

    if (target->fd < 0)
        return;
    /* Who closes a pipe has had enough; a connection of ours that is closed has failed. */
    if (target->address != ZS_ADDRESS_NONE && error->kind == ZS_ERROR_PIPE)
        error->kind = ZS_ERROR_TRANSFER;
    leave_behind(target, plan, written);
    bool wrong = written->excess_bytes > 0 && !take_back(target, plan, written);
    if (target->is_staged) {
        zs_error_append(error, target->staged.replaces ? "the target is as it was"
                                                       : "no target was created");
        wrong = false;
    } else if (error->kind == ZS_ERROR_DIFFERENT) {
        zs_error_append(error, "the target stays as it is");
    } else if (error->kind == ZS_ERROR_DEVICE) {
        zs_error_append(error, "how much of the target is good is not known");
    } else if (written->done_bytes > 0 || wrong || !remove_created(target, plan)) {
        give_back(target);
        describe_remains(target, plan, written->done_bytes, error);
    }
    if (wrong)
        zs_error_append(error, "the %llu bytes behind them are not the source's",
                        (ull)written->excess_bytes);
    (void)close_target(target, &ignored); /* the first failure is the one to report */
}

void zs_target_free(struct zs_target *target)
{
    if (!target->inherited && target->fd >= 0)
        (void)zs_sys_close(target->fd);
    if (target->is_staged)
        zs_staged_free(&target->staged);
    free(target->created_path);
    *target = (struct zs_target){.fd = -1};
}
