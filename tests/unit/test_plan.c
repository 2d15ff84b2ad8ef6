/*
 * The plan as a value: every refusal, what a valid plan contains, the order of engines for every
 * pair of ends, and the exhaustive truth about a file that is copied to itself.
 */

#include "plan.h"

#include "check_helpers.h"
#include "engine.h"

#include <errno.h>
#include <linux/magic.h>

/* Ends. All of them may be read and written, unless a row says otherwise. */
#define MODES .readable = true, .writable = true
#define REGULAR(size, number)                                                                      \
    .kind = ZS_KIND_REGULAR, MODES, .positioned = true, .sized = true, .size_bytes = (size),       \
    .allocated_bytes = UINT64_MAX, .inode = (number)
#define WITH_HOLES(size, number)                                                                   \
    .kind = ZS_KIND_REGULAR, MODES, .positioned = true, .sized = true, .size_bytes = (size),       \
    .inode = (number)
#define BLOCK(size, number)                                                                        \
    .kind = ZS_KIND_BLOCK, MODES, .positioned = true, .sized = true, .size_bytes = (size),         \
    .special_device = (number)
#define STREAM(of_kind) .kind = (of_kind), MODES
#define PIPE(number)    STREAM(ZS_KIND_PIPE), .inode = (number)
#define PROC_FILE       .kind = ZS_KIND_REGULAR, MODES, .positioned = true, .inode = 7
#define ABSENT          .kind = ZS_KIND_NONE, .writable = true, .positioned = true, .sized = true
#define DIRECTORY       STREAM(ZS_KIND_DIRECTORY)

/* Options: from file to file, or with standard output as the target. */
#define TO_FILE .source_path = "in", .source_name = "in", .target_path = "out", .target_name = "out"
#define TO_STDOUT                                                                                  \
    .source_path = "in", .source_name = "in", .target_path = "-", .target_name = "stdout"

#define OFFSET(distance)    .slice.offset = {(distance), false}
#define BACKWARD(distance)  .slice.offset = {(distance), true}
#define LENGTH(bytes)       .slice.has_length = true, .slice.length_bytes = (bytes)
#define END(distance)       .slice.has_end = true, .slice.end = {(distance), false}
#define END_BACK(distance)  .slice.has_end = true, .slice.end = {(distance), true}
#define SEEK(distance)      .has_seek = true, .seek = {(distance), false}
#define SEEK_BACK(distance) .has_seek = true, .seek = {(distance), true}
#define ENGINE(name)        .engine_forced = true, .engine = (name)

#define GIB ((uint64_t)1 << 30)

/* As in choice.c and plan.c, which have the measurements: shorter pieces are gathered in memory,
 * and longer ones of a stream are copied one by one. */
#define GATHER_BELOW_BYTES ((uint64_t)4096)
#define PIECEWISE_BYTES    ((uint64_t)256 * 1024)

/* Several ranges. */
#define RANGES(...)                                                                                \
    .ranges = (struct zs_slice[]){__VA_ARGS__},                                                    \
    .range_count = sizeof((struct zs_slice[]){__VA_ARGS__}) / sizeof(struct zs_slice)
#define SPAN(first, stop)                                                                          \
    {                                                                                              \
        .offset = {(first), false}, .has_end = true, .end = {(stop), false }                       \
    }
#define FROM(first)                                                                                \
    {                                                                                              \
        .offset = {(first), false }                                                                \
    }
#define LAST(distance)                                                                             \
    {                                                                                              \
        .offset = {(distance), true }                                                              \
    }
#define ALL_BUT_LAST(distance)                                                                     \
    {                                                                                              \
        .has_end = true, .end = {(distance), true }                                                \
    }
#define STEPS(first, stop, step)                                                                   \
    {                                                                                              \
        .offset = {(first), false}, .has_end = true, .end = {(stop), false}, .has_step = true,     \
        .step_bytes = (step)                                                                       \
    }
#define RECORD(bytes)      .selection.record_bytes = (bytes)
#define FIELD(first, size) .selection.field = {(first), (size)}
#define SHARD(k, n)        .selection.shard = {(k), (n)}
#define KEEP               .keep_offset = true

/* The options of a row with what the parser puts in where it says nothing. */
static struct zs_options complete(const struct zs_options *row)
{
    struct zs_options options = *row;
    struct zs_selection *selection = &options.selection;

    if (selection->record_bytes == 0)
        selection->record_bytes = 1;
    if (selection->field.start == 0 && selection->field.length_bytes == 0)
        selection->field.length_bytes = selection->record_bytes;
    if (selection->align_bytes == 0)
        selection->align_bytes = selection->record_bytes;
    return options;
}

/* Whether there is a plan; it is freed. For tests that want no more than that. */
static bool is_planned(const struct zs_options *row, const struct zs_facts *source,
                       const struct zs_facts *target)
{
    struct zs_options options = complete(row);
    struct zs_plan plan;
    struct zs_error error = {0};

    int result = zs_plan_make(&options, source, target, &plan, &error);
    zs_plan_free(&plan);
    ck_assert_int_eq(result < 0, error.kind != ZS_ERROR_NONE);
    return result == 0;
}

static const struct {
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    enum zs_error_kind kind;
    const char *object;
    const char *operation;
    int code;
    const char *detail; /* a part of it */
} refused[] = {
    /* In each row, what is asked for, and below it the answer. */
    /* clang-format off */
    /* what the ends are */
    {{TO_FILE}, {DIRECTORY}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "reading", EISDIR, ""},
    {{TO_FILE}, {REGULAR(10, 1)}, {DIRECTORY},
     ZS_ERROR_REFUSED, "out", "writing", EISDIR, ""},
    {{TO_FILE}, {.kind = ZS_KIND_PIPE, .writable = true}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "reading", 0, "not open for reading"},
    {{TO_STDOUT}, {REGULAR(10, 1)}, {.kind = ZS_KIND_PIPE, .readable = true},
     ZS_ERROR_REFUSED, "stdout", "writing", 0, "not open for writing"},
    {{TO_FILE, .no_clobber = true}, {REGULAR(10, 1)}, {REGULAR(0, 2)},
     ZS_ERROR_REFUSED, "out", "creating", EEXIST, ""},
    {{TO_FILE, .no_clobber = true}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "out", "creating", EEXIST, ""},
    /* bytes that are not there */
    {{TO_FILE, OFFSET(11)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "11 is beyond its end at 10"},
    {{TO_FILE, OFFSET(1)}, {REGULAR(0, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "beyond"},
    {{TO_FILE, OFFSET(11), LENGTH(0)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "beyond"},
    {{TO_FILE, OFFSET(UINT64_MAX)}, {BLOCK(GIB, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "beyond"},
    {{TO_FILE, OFFSET(5)}, {REGULAR(10, 1), .position = 6}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "5 is beyond its end at 4"},
    {{TO_FILE, OFFSET(1)}, {REGULAR(10, 1), .position = 12}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "beyond its end at 0"},
    {{TO_FILE, LENGTH(11), .exact = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "1 of the bytes asked for are not there"},
    {{TO_FILE, END(13), .exact = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "3 of the bytes"},
    {{TO_FILE, BACKWARD(11), .exact = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "1 of the bytes"},
    {{TO_FILE, LENGTH(5), .exact = true}, {REGULAR(10, 1), .position = 6}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "it has 4 bytes"},
    {{TO_FILE, OFFSET((uint64_t)INT64_MAX + 1)}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "largest file position"},
    {{TO_FILE, OFFSET(UINT64_MAX)}, {PROC_FILE, .position = 5}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "largest file position"},
    {{TO_FILE, OFFSET(INT64_MAX)}, {PROC_FILE, .position = 1}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "largest file position"},
    /* what a stream cannot have */
    {{TO_FILE, RANGES(SPAN(0, 2), LAST(5))}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "several ranges cannot have: the end of a pipe"},
    {{TO_FILE, RANGES(ALL_BUT_LAST(5), FROM(2))}, {STREAM(ZS_KIND_SOCKET)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "the end of a socket is not known"},
    {{TO_FILE, RANGES(LAST(0), FROM(2))}, {STREAM(ZS_KIND_CHARACTER)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "a character device"},
    {{TO_FILE, RANGES(SPAN(0, 2), LAST(5))}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "a file without a size"},
    {{TO_FILE, SHARD(1, 1)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "--shard needs a known size: the end of a pipe"},
    {{TO_FILE, SHARD(2, 3), LENGTH(100)}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "a file without a size"},
    {{TO_FILE, RANGES(SPAN(0, 4), SPAN(3, 8))}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "range 2 begins before range 1 ends, and a pipe"},
    {{TO_FILE, RANGES(SPAN(0, 4), SPAN(4, 8), SPAN(7, 7))}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "range 3 begins before range 2 ends"},
    {{TO_FILE, RANGES(SPAN(4, 8), SPAN(0, 4))}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "range 2 begins before range 1 ends"},
    {{TO_FILE, RANGES(FROM(4), SPAN(5, 5))}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "range 2 begins before range 1 ends"},
    {{TO_FILE, RANGES(ALL_BUT_LAST(0), FROM(9))}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "range 2 begins before range 1 ends"},
    {{TO_FILE, RANGES(STEPS(0, 10, 4), FROM(8))}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "range 2 begins before range 1 ends"},
    /* what each range must be */
    {{TO_FILE, RANGES(SPAN(0, 4), FROM(11), FROM(12))}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "11 is beyond its end at 10"},
    {{TO_FILE, RANGES(SPAN(0, 4), SPAN(8, 12)), .exact = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "2 of the bytes asked for are not there"},
    {{TO_FILE, RECORD(4), .exact = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "the last record is cut off after 2 bytes"},
    {{TO_FILE, RECORD(4), SHARD(1, 2), .exact = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "the last record is cut off after 2 bytes"},
    {{TO_FILE, RECORD(4), LENGTH(10), .exact = true}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_SHORT, "in", "slicing", 0, "the last record is cut off after 2 bytes"},
    {{TO_FILE, RANGES(FROM(0), FROM(0))}, {BLOCK(1ULL << 63, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "in", "reading", EOVERFLOW, "more than 2^64-1 bytes in all"},
    {{TO_FILE, RANGES(SPAN(0, UINT64_MAX), SPAN(UINT64_MAX, UINT64_MAX)), .exact = true},
     {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    /* --keep-offset */
    {{TO_FILE, KEEP}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "out", "--keep-offset", 0, "pipe has no positions"},
    {{TO_STDOUT, KEEP}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_TERMINAL)},
     ZS_ERROR_REFUSED, "stdout", "--keep-offset", 0, "terminal"},
    {{TO_STDOUT, KEEP}, {REGULAR(10, 1)}, {REGULAR(10, 2), .append = true},
     ZS_ERROR_REFUSED, "stdout", "--keep-offset", 0, "appending"},
    {{TO_FILE, KEEP, .truncate = true}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "--truncate", 0, "block device"},
    {{TO_FILE, KEEP}, {REGULAR(GIB + 1, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "do not fit its 1073741824 bytes"},
    {{TO_FILE, KEEP, RANGES(SPAN(0, 1), SPAN(GIB, GIB + 1))}, {REGULAR(2 * GIB, 1)},
     {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "1 bytes at position 1073741824 do not fit"},
    {{TO_FILE, KEEP, RANGES(STEPS(0, GIB + 1, GIB))}, {REGULAR(2 * GIB, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "1073741825 bytes at position 0 do not fit"},
    {{TO_FILE, KEEP, OFFSET(GIB + 1)}, {PIPE(1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "do not fit"},
    {{TO_FILE, KEEP, OFFSET((uint64_t)INT64_MAX + 1)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, KEEP, OFFSET(INT64_MAX), LENGTH(1), .exact = true}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, KEEP}, {BLOCK(1ULL << 63, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, KEEP}, {REGULAR(10, 1)}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "the slice would overwrite itself"},
    {{TO_STDOUT, KEEP, OFFSET(2)}, {REGULAR(10, 1), .position = 3}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "stdout", "writing", 0, "the slice would overwrite itself"},
    {{TO_FILE, KEEP}, {PROC_FILE}, {PROC_FILE},
     ZS_ERROR_REFUSED, "out", "writing", 0, "the slice would overwrite itself"},
    {{TO_FILE}, {PIPE(1)}, {PIPE(1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "the same pipe"},
    /* several ranges, one behind the other in a device or file */
    {{TO_FILE, RANGES(SPAN(0, GIB), SPAN(0, 1))}, {REGULAR(GIB, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "1 bytes at position 1073741824 do not fit"},
    {{TO_FILE, RANGES(FROM(0), SPAN(0, 1))}, {REGULAR(INT64_MAX, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, RANGES(SPAN(0, 2), SPAN(6, 8)), SEEK(7)}, {REGULAR(10, 1)}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "the slice would overwrite itself"},
    /* --seek */
    {{TO_FILE, SEEK(0)}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "pipe"},
    {{TO_FILE, SEEK(0)}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_SOCKET)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "socket"},
    {{TO_FILE, SEEK(0)}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_TERMINAL)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "terminal"},
    {{TO_FILE, SEEK(0)}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_CHARACTER)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "character device"},
    {{TO_FILE, SEEK(0)}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_OTHER)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "special file"},
    {{TO_STDOUT, SEEK(0)}, {REGULAR(10, 1)}, {REGULAR(10, 2), .append = true},
     ZS_ERROR_REFUSED, "stdout", "--seek", 0, "appending"},
    {{TO_FILE, SEEK_BACK(11)}, {REGULAR(10, 1)}, {REGULAR(10, 2)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "-11 is before its start: it has 10 bytes"},
    {{TO_FILE, SEEK_BACK(UINT64_MAX)}, {REGULAR(10, 1)}, {REGULAR(10, 2)},
     ZS_ERROR_REFUSED, "out", "--seek", 0, "before its start"},
    {{TO_FILE, SEEK_BACK(0)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--seek", ENOENT, ""},
    {{TO_FILE, SEEK(0), .truncate = true}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "--truncate", 0, "block device"},
    {{TO_FILE, .append = true}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "--append", 0, "block device"},
    /* room: positions up to 2^63-1 in a file, up to its size in a device */
    {{TO_FILE, SEEK((uint64_t)INT64_MAX - 9)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, SEEK((uint64_t)INT64_MAX + 1), LENGTH(0)}, {REGULAR(10, 1)}, {REGULAR(0, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, SEEK(UINT64_MAX)}, {REGULAR(10, 1)}, {REGULAR(0, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, SEEK(UINT64_MAX)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_FILE, .append = true}, {REGULAR(10, 1)}, {REGULAR(INT64_MAX - 9, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "largest position"},
    {{TO_STDOUT}, {REGULAR(10, 1)}, {REGULAR(0, 2), .position = INT64_MAX - 9},
     ZS_ERROR_REFUSED, "stdout", "writing", 0, "largest position"},
    {{TO_FILE}, {REGULAR(GIB + 1, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "do not fit its 1073741824 bytes"},
    {{TO_FILE, SEEK(GIB - 9)}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "10 bytes at position 1073741815 do not fit"},
    {{TO_FILE, SEEK(GIB + 1), LENGTH(0)}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "do not fit"},
    {{TO_STDOUT}, {REGULAR(10, 1)}, {BLOCK(GIB, 2), .position = GIB - 9},
     ZS_ERROR_REFUSED, "stdout", "writing", 0, "do not fit"},
    {{TO_FILE, SEEK(GIB + 1)}, {PIPE(1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "do not fit"},
    /* the same file */
    {{TO_FILE, SEEK(4096), .reflink = ZS_REFLINK_ALWAYS}, {REGULAR(10, 1)}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "no block of"},
    {{TO_FILE}, {REGULAR(10, 1)}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "it is the source, too"},
    {{TO_FILE, LENGTH(0)}, {REGULAR(10, 1)}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "use --seek or --append"},
    {{TO_STDOUT}, {REGULAR(10, 1)}, {REGULAR(10, 1), .position = 10},
     ZS_ERROR_REFUSED, "stdout", "writing", 0, "it is the source, too"},
    {{TO_FILE}, {BLOCK(GIB, 1)}, {BLOCK(GIB, 1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "it is the source, too"},
    {{TO_FILE}, {PIPE(1)}, {PIPE(1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "the same pipe"},
    {{TO_FILE, SEEK(0)}, {PROC_FILE}, {PROC_FILE},
     ZS_ERROR_REFUSED, "out", "writing", 0, "overwrite itself"},
    /* engines that cannot */
    {{TO_FILE, ENGINE(ZS_ENGINE_SENDFILE)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "sendfile", 0, "this copy: its source must be a file"},
    {{TO_FILE, ENGINE(ZS_ENGINE_MAP_WRITE)}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "map-write", 0, "its source must be a file"},
    {{TO_FILE, ENGINE(ZS_ENGINE_SPLICE), .append = true}, {REGULAR(10, 1)}, {REGULAR(10, 2)},
     ZS_ERROR_REFUSED, "--engine", "splice", 0, "cannot append"},
    {{TO_FILE, ENGINE(ZS_ENGINE_SENDFILE), .append = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "sendfile", 0, "cannot append"},
    {{TO_STDOUT, ENGINE(ZS_ENGINE_SPLICE)}, {REGULAR(10, 1)}, {REGULAR(10, 2), .append = true},
     ZS_ERROR_REFUSED, "--engine", "splice", 0, "cannot append"},
    {{TO_FILE, ENGINE(ZS_ENGINE_SPLICE)}, {STREAM(ZS_KIND_TERMINAL)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "splice", 0, "terminal"},
    /* streams keep nothing that could be synced */
    {{TO_STDOUT, .sync = true}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "stdout", "--sync", 0, "a pipe keeps no bytes"},
    {{TO_FILE, .sync = true}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_CHARACTER)},
     ZS_ERROR_REFUSED, "out", "--sync", 0, "a character device keeps no bytes"},
    /* references where copies are wanted */
    {{TO_STDOUT, .stable = true, ENGINE(ZS_ENGINE_SPLICE)}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "--engine", "splice", 0, "--stable wants copies"},
    {{TO_STDOUT, .stable = true, ENGINE(ZS_ENGINE_SENDFILE)}, {REGULAR(10, 1)},
     {STREAM(ZS_KIND_SOCKET)},
     ZS_ERROR_REFUSED, "--engine", "sendfile", 0, "--stable wants copies"},
    /* copy-range between two files only */
    {{TO_STDOUT, ENGINE(ZS_ENGINE_COPY_RANGE)}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "--engine", "copy-range", 0, "both ends must be regular files"},
    {{TO_FILE, ENGINE(ZS_ENGINE_COPY_RANGE)}, {BLOCK(GIB, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "copy-range", 0, "both ends must be regular files"},
    {{TO_FILE, ENGINE(ZS_ENGINE_COPY_RANGE)}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "copy-range", 0, "both ends must be regular files"},
    {{TO_FILE, ENGINE(ZS_ENGINE_COPY_RANGE), .append = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "copy-range", 0, "cannot append"},
    /* blocks that must be shared, and cannot be */
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "only regular files share blocks"},
    {{TO_STDOUT, .reflink = ZS_REFLINK_ALWAYS}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "stdout", "--reflink=always", 0, "only regular files share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {BLOCK(GIB, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "only regular files share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "only regular files share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, END_BACK(5)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "only regular files share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, BACKWARD(5)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "only regular files share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, .append = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "appended cannot be shared"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS},
     {REGULAR(10, 1), .filesystem = EXT4_SUPER_MAGIC}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "file system cannot share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {REGULAR(10, 1), .shares_nothing = true}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "file system cannot share blocks"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {REGULAR(10, 1), .device = 1},
     {REGULAR(10, 2), .device = 2},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "on two file systems"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, ENGINE(ZS_ENGINE_BUFFER)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "another engine is wanted"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, OFFSET(1)}, {REGULAR(GIB, 1), .block_bytes = 4096},
     {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "no block of 4096 bytes can be shared"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, LENGTH(511)}, {REGULAR(GIB, 1), .block_bytes = 512},
     {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "no block of 512 bytes can be shared"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS, RECORD(4096), RANGES(STEPS(0, GIB, 8192))},
     {REGULAR(GIB, 1), .block_bytes = 4096}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--reflink=always", 0, "can be shared"},
    /* by the engine: all of it, or nothing */
    {{TO_FILE, ENGINE(ZS_ENGINE_REFLINK), LENGTH(8 * 4096 + 1)},
     {REGULAR(GIB, 1), .block_bytes = 4096}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "reflink", 0, "whole blocks of 4096 bytes only"},
    {{TO_FILE, ENGINE(ZS_ENGINE_REFLINK), RANGES(SPAN(0, 4096), SPAN(5, 6))},
     {REGULAR(GIB, 1), .block_bytes = 4096}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "reflink", 0, "whole blocks of 4096 bytes only"},
    {{TO_FILE, ENGINE(ZS_ENGINE_REFLINK)}, {REGULAR(10, 1), .filesystem = TMPFS_MAGIC}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--engine=reflink", 0, "file system cannot share blocks"},
    {{TO_FILE, ENGINE(ZS_ENGINE_REFLINK)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--engine=reflink", 0, "only regular files share blocks"},
    {{TO_FILE, ENGINE(ZS_ENGINE_REFLINK), .append = true}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--engine=reflink", 0, "appended cannot be shared"},
    {{TO_FILE, ENGINE(ZS_ENGINE_REFLINK), .reflink = ZS_REFLINK_NEVER}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "out", "--engine=reflink", 0, "--reflink=never"},
    /* what needs a file by its name, and a source that can be read again */
    {{TO_FILE, .atomic = true}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "out", "--atomic", 0, "it must be a regular file, not a pipe"},
    {{TO_FILE, .atomic = true}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "--atomic", 0, "it must be a regular file, not a block device"},
    {{TO_FILE, .resume = true}, {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     ZS_ERROR_REFUSED, "out", "--resume", 0, "it must be a regular file"},
    {{TO_FILE, .verify = true}, {REGULAR(10, 1)}, {STREAM(ZS_KIND_CHARACTER)},
     ZS_ERROR_REFUSED, "out", "--verify", 0, "it must be a regular file"},
    {{TO_FILE, .resume = true}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "--resume", 0, "to be read again, not a pipe"},
    {{TO_FILE, .verify = true}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "--verify", 0, "not a file without a size"},
    {{TO_FILE, .resume = true}, {REGULAR(10, 1)}, {REGULAR(11, 2)},
     ZS_ERROR_REFUSED, "out", "--resume", 0, "it has 11 bytes, and the slice only 10"},
    {{TO_FILE, .resume = true, RANGES(SPAN(0, 2), SPAN(5, 6))}, {REGULAR(10, 1)}, {REGULAR(4, 2)},
     ZS_ERROR_REFUSED, "out", "--resume", 0, "it has 4 bytes, and the slice only 3"},
    {{TO_FILE, .atomic = true}, {REGULAR(10, 1)}, {REGULAR(10, 1)},
     ZS_ERROR_REFUSED, "out", "writing", 0, "it is the source, too"},
    {{TO_STDOUT, .sparse = ZS_SPARSE_ALWAYS}, {REGULAR(10, 1)}, {PIPE(2)},
     ZS_ERROR_REFUSED, "stdout", "--sparse=always", 0, "a pipe has no holes"},
    {{TO_FILE, .sparse = ZS_SPARSE_ALWAYS, .append = true}, {REGULAR(10, 1)}, {REGULAR(10, 2)},
     ZS_ERROR_REFUSED, "out", "--sparse=always", 0, "what is appended has no holes"},
    {{TO_FILE, .sparse = ZS_SPARSE_ALWAYS, ENGINE(ZS_ENGINE_SPLICE)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "splice", 0, "--sparse=always looks at each byte"},
    {{TO_FILE, .digest = ZS_DIGEST_SHA256, ENGINE(ZS_ENGINE_SPLICE)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "--engine", "splice", 0, "the digest of a stream"},
    /* in place */
    {{TO_STDOUT, .in_place = ZS_IN_PLACE_AUTO}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "--in-place", 0, "it must be a regular file"},
    {{TO_STDOUT, .in_place = ZS_IN_PLACE_AUTO}, {BLOCK(GIB, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "--in-place", 0, "it must be a regular file"},
    {{TO_STDOUT, .in_place = ZS_IN_PLACE_AUTO, RECORD(4), FIELD(1, 2)}, {REGULAR(10, 1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "--in-place", 0, "do not lie together"},
    /* clang-format on */
};

START_TEST(a_plan_that_cannot_be_is_refused)
{
    struct zs_options options = complete(&refused[_i].options);
    struct zs_plan plan;
    struct zs_error error = {0};

    int result = zs_plan_make(&options, &refused[_i].source, &refused[_i].target, &plan, &error);
    zs_plan_free(&plan);
    ck_assert_msg(result == -1, "row %d is accepted, not '%s'", _i, refused[_i].detail);
    ck_assert_int_eq(error.kind, refused[_i].kind);
    ck_assert_str_eq(error.object, refused[_i].object);
    ck_assert_str_eq(error.operation, refused[_i].operation);
    ck_assert_int_eq(error.code, refused[_i].code);
    ck_assert_msg(strstr(error.detail, refused[_i].detail), "'%s' does not say '%s'", error.detail,
                  refused[_i].detail);
}
END_TEST

#define EXPECT_RANGE(first, bytes)                                                                 \
    .range = {.start = (first), .length_bytes = (bytes), .bounded = true}

/* The plan of a single range, but for the engines. */
struct expectation {
    struct zs_range range; /* without meaning for ZS_HOLD_TAIL */
    uint64_t source_position;
    bool exact;
    enum zs_hold hold;
    uint64_t hold_bytes;
    enum zs_placement placement;
    uint64_t target_position;
    bool shared, scattered;
    bool must_create;
    bool cut_after;
    uint64_t reserve_bytes;
};

static const struct {
    const char *name;
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    struct expectation expected;
} valid[] = {
    {"file to new file",
     {TO_FILE},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_WHOLE}},
    {"file to existing file",
     {TO_FILE, OFFSET(4)},
     {REGULAR(10, 1)},
     {REGULAR(99, 2)},
     {EXPECT_RANGE(4, 6), .source_position = 4, .reserve_bytes = 6, .placement = ZS_PLACE_WHOLE}},
    {"--no-clobber",
     {TO_FILE, .no_clobber = true},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_WHOLE, .must_create = true}},
    {"an offset at the end",
     {TO_FILE, OFFSET(10)},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(10, 0), .source_position = 10, .placement = ZS_PLACE_WHOLE}},
    {"what --exact accepts",
     {TO_FILE, OFFSET(4), LENGTH(6), .exact = true},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(4, 6), .source_position = 4, .reserve_bytes = 6, .exact = true,
      .placement = ZS_PLACE_WHOLE}},
    {"from the end",
     {TO_FILE, BACKWARD(4), END_BACK(1)},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(6, 3), .source_position = 6, .reserve_bytes = 3, .placement = ZS_PLACE_WHOLE}},
    {"an inherited source counts from where it stands",
     {TO_FILE, OFFSET(2), LENGTH(100)},
     {REGULAR(10, 1), .position = 3},
     {ABSENT},
     {EXPECT_RANGE(2, 5), .source_position = 5, .reserve_bytes = 5, .placement = ZS_PLACE_WHOLE}},
    {"an inherited source from its end",
     {TO_FILE, BACKWARD(2)},
     {REGULAR(10, 1), .position = 3},
     {ABSENT},
     {EXPECT_RANGE(5, 2), .source_position = 8, .reserve_bytes = 2, .placement = ZS_PLACE_WHOLE}},
    {"an inherited source never reaches before where it stands",
     {TO_FILE, BACKWARD(9)},
     {REGULAR(10, 1), .position = 3},
     {ABSENT},
     {EXPECT_RANGE(0, 7), .source_position = 3, .reserve_bytes = 7, .placement = ZS_PLACE_WHOLE}},
    {"an inherited source that stands beyond its end is empty",
     {TO_FILE},
     {REGULAR(10, 1), .position = 12},
     {ABSENT},
     {EXPECT_RANGE(0, 0), .source_position = 12, .placement = ZS_PLACE_WHOLE}},
    {"a block device as the source",
     {TO_FILE, OFFSET(4096), LENGTH(512)},
     {BLOCK(GIB, 1)},
     {ABSENT},
     {EXPECT_RANGE(4096, 512), .source_position = 4096, .reserve_bytes = 512,
      .placement = ZS_PLACE_WHOLE}},
    /* streams */
    {"a stream to its end",
     {TO_FILE, OFFSET(5)},
     {PIPE(1)},
     {ABSENT},
     {.range = {.start = 5}, .placement = ZS_PLACE_WHOLE}},
    {"a stream reserves nothing",
     {TO_FILE, OFFSET(5), LENGTH(GIB), .exact = true},
     {PIPE(1)},
     {ABSENT},
     {EXPECT_RANGE(5, GIB), .exact = true, .placement = ZS_PLACE_WHOLE}},
    {"a stream to -0",
     {TO_FILE, END_BACK(0)},
     {PIPE(1)},
     {ABSENT},
     {.range = {.start = 0}, .placement = ZS_PLACE_WHOLE}},
    {"a stream of any offset",
     {TO_FILE, OFFSET(UINT64_MAX)},
     {STREAM(ZS_KIND_CHARACTER)},
     {ABSENT},
     {.range = {.start = UINT64_MAX}, .placement = ZS_PLACE_WHOLE}},
    {"a file without a size",
     {TO_FILE, OFFSET(5)},
     {PROC_FILE},
     {ABSENT},
     {.range = {.start = 5}, .source_position = 5, .placement = ZS_PLACE_WHOLE}},
    {"an inherited file without a size",
     {TO_FILE, OFFSET(5), LENGTH(2)},
     {PROC_FILE, .position = 4},
     {ABSENT},
     {EXPECT_RANGE(5, 2), .source_position = 9, .placement = ZS_PLACE_WHOLE}},
    {"the largest position of a file without a size",
     {TO_FILE, OFFSET(INT64_MAX)},
     {PROC_FILE},
     {ABSENT},
     {.range = {.start = INT64_MAX}, .source_position = INT64_MAX, .placement = ZS_PLACE_WHOLE}},
    /* streams from whose end a position counts */
    {"the last bytes of a pipe",
     {TO_FILE, BACKWARD(5)},
     {PIPE(1)},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .hold_bytes = 5, .placement = ZS_PLACE_WHOLE}},
    {"none of a socket",
     {TO_FILE, BACKWARD(0)},
     {STREAM(ZS_KIND_SOCKET)},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .placement = ZS_PLACE_WHOLE}},
    {"all but the last bytes of a device",
     {TO_FILE, END_BACK(5)},
     {STREAM(ZS_KIND_CHARACTER)},
     {ABSENT},
     {.range = {.start = 0}, .hold = ZS_HOLD_BACK, .hold_bytes = 5, .placement = ZS_PLACE_WHOLE}},
    {"the last bytes of a file without a size",
     {TO_FILE, BACKWARD(5)},
     {PROC_FILE},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .hold_bytes = 5, .placement = ZS_PLACE_WHOLE}},
    {"all but the last bytes of a file without a size",
     {TO_FILE, OFFSET(3), END_BACK(5), .exact = true},
     {PROC_FILE, .position = 4},
     {ABSENT},
     {.range = {.start = 3},
      .source_position = 7,
      .hold = ZS_HOLD_BACK,
      .hold_bytes = 5,
      .exact = true,
      .placement = ZS_PLACE_WHOLE}},
    {"from the end to an end from there",
     {TO_FILE, BACKWARD(5), END_BACK(2)},
     {PIPE(1)},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .hold_bytes = 5, .placement = ZS_PLACE_WHOLE}},
    {"from the end to a position",
     {TO_FILE, BACKWARD(5), END(2)},
     {PIPE(1)},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .hold_bytes = 5, .placement = ZS_PLACE_WHOLE}},
    {"a length from the end",
     {TO_FILE, BACKWARD(UINT64_MAX), LENGTH(3)},
     {PIPE(1)},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .hold_bytes = UINT64_MAX, .placement = ZS_PLACE_WHOLE}},
    {"one range from the end",
     {TO_FILE, RANGES(LAST(7))},
     {PIPE(1)},
     {ABSENT},
     {.hold = ZS_HOLD_TAIL, .hold_bytes = 7, .placement = ZS_PLACE_WHOLE}},
    /* --keep-offset */
    {"--keep-offset goes where it comes from",
     {TO_FILE, KEEP, OFFSET(3), LENGTH(4)},
     {REGULAR(10, 1)},
     {REGULAR(5, 2)},
     {EXPECT_RANGE(3, 4), .source_position = 3, .placement = ZS_PLACE_AT, .target_position = 3,
      .shared = true, .reserve_bytes = 4}},
    {"--keep-offset counts from where an inherited source stands",
     {TO_FILE, KEEP, OFFSET(3)},
     {REGULAR(10, 1), .position = 2},
     {ABSENT},
     {EXPECT_RANGE(3, 5), .source_position = 5, .placement = ZS_PLACE_AT, .target_position = 3,
      .shared = true, .reserve_bytes = 5}},
    {"--keep-offset of a stream",
     {TO_FILE, KEEP, OFFSET(3)},
     {PIPE(1)},
     {BLOCK(GIB, 2)},
     {.range = {.start = 3}, .placement = ZS_PLACE_AT, .target_position = 3, .shared = true}},
    {"--keep-offset up to the last position",
     {TO_FILE, KEEP, OFFSET(INT64_MAX)},
     {PIPE(1)},
     {ABSENT},
     {.range = {.start = INT64_MAX},
      .placement = ZS_PLACE_AT,
      .target_position = INT64_MAX,
      .shared = true}},
    {"--keep-offset --truncate",
     {TO_FILE, KEEP, LENGTH(4), .truncate = true},
     {REGULAR(10, 1)},
     {REGULAR(50, 2)},
     {EXPECT_RANGE(0, 4), .placement = ZS_PLACE_AT, .shared = true, .cut_after = true,
      .reserve_bytes = 4}},
    {"--keep-offset of records with gaps reserves nothing",
     {TO_FILE, KEEP, RANGES(STEPS(2, 50, 10))},
     {REGULAR(100, 1)},
     {ABSENT},
     {EXPECT_RANGE(2, 5), .source_position = 2, .placement = ZS_PLACE_AT, .target_position = 2,
      .shared = true, .scattered = true}},
    /* records and shards */
    {"records with gaps, together in the target",
     {TO_FILE, RECORD(4), FIELD(1, 2)},
     {REGULAR(100, 1), .position = 8},
     {ABSENT},
     {EXPECT_RANGE(1, 46), .source_position = 9, .reserve_bytes = 46, .placement = ZS_PLACE_WHOLE}},
    {"a shard",
     {TO_FILE, SHARD(2, 3), OFFSET(10)},
     {REGULAR(100, 1)},
     {ABSENT},
     {EXPECT_RANGE(40, 30), .source_position = 40, .reserve_bytes = 30,
      .placement = ZS_PLACE_WHOLE}},
    {"a shard where it belongs",
     {TO_FILE, KEEP, SHARD(2, 3), .selection.align_bytes = 16},
     {REGULAR(100, 1)},
     {ABSENT},
     {EXPECT_RANGE(32, 32), .source_position = 32, .reserve_bytes = 32, .target_position = 32,
      .shared = true, .placement = ZS_PLACE_AT}},
    {"an empty shard",
     {TO_FILE, SHARD(1, 3)},
     {REGULAR(2, 1)},
     {ABSENT},
     {EXPECT_RANGE(0, 0), .placement = ZS_PLACE_WHOLE}},
    /* streams as targets */
    {"to a pipe",
     {TO_STDOUT},
     {REGULAR(10, 1)},
     {PIPE(2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_HERE}},
    {"to a FIFO by its path",
     {TO_FILE},
     {REGULAR(10, 1)},
     {PIPE(2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_HERE}},
    {"to a stream --append says nothing",
     {TO_STDOUT, .append = true},
     {REGULAR(10, 1)},
     {PIPE(2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_HERE}},
    {"from a socket to itself: two flows",
     {TO_STDOUT},
     {STREAM(ZS_KIND_SOCKET), .inode = 1},
     {STREAM(ZS_KIND_SOCKET), .inode = 1},
     {.range = {.start = 0}, .placement = ZS_PLACE_HERE}},
    /* standard output that is a file */
    {"where it stands",
     {TO_STDOUT},
     {REGULAR(10, 1)},
     {REGULAR(50, 2), .position = 20},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_HERE, .target_position = 20}},
    {"where it stands, in a device",
     {TO_STDOUT},
     {REGULAR(10, 1)},
     {BLOCK(GIB, 2), .position = GIB - 10},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_HERE,
      .target_position = GIB - 10}},
    {"opened by >>",
     {TO_STDOUT},
     {REGULAR(10, 1)},
     {REGULAR(50, 2), .append = true},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_APPEND,
      .target_position = 50}},
    {"--seek is absolute",
     {TO_STDOUT, SEEK(5)},
     {REGULAR(10, 1)},
     {REGULAR(50, 2), .position = 20},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT, .target_position = 5}},
    {"--seek from its end",
     {TO_STDOUT, SEEK_BACK(5)},
     {REGULAR(10, 1)},
     {REGULAR(50, 2), .position = 20},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT, .target_position = 45}},
    /* --append and --seek */
    {"--append",
     {TO_FILE, .append = true},
     {REGULAR(10, 1)},
     {REGULAR(50, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_APPEND,
      .target_position = 50}},
    {"--append creates",
     {TO_FILE, .append = true},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_APPEND}},
    {"--seek",
     {TO_FILE, SEEK(4), LENGTH(4)},
     {STREAM(ZS_KIND_CHARACTER)},
     {REGULAR(8, 2)},
     {EXPECT_RANGE(0, 4), .placement = ZS_PLACE_AT, .target_position = 4}},
    {"--seek creates",
     {TO_FILE, SEEK(4)},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT, .target_position = 4}},
    {"--seek beyond the end",
     {TO_FILE, SEEK(400)},
     {REGULAR(10, 1)},
     {REGULAR(8, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT, .target_position = 400}},
    {"--seek=-0 is the end",
     {TO_FILE, SEEK_BACK(0)},
     {REGULAR(10, 1)},
     {REGULAR(8, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT, .target_position = 8}},
    {"--seek to the start from the end",
     {TO_FILE, SEEK_BACK(8)},
     {REGULAR(10, 1)},
     {REGULAR(8, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT}},
    {"--truncate",
     {TO_FILE, SEEK(4), .truncate = true},
     {REGULAR(10, 1)},
     {REGULAR(50, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT, .target_position = 4,
      .cut_after = true}},
    /* devices and the last positions */
    {"a device by its path",
     {TO_FILE},
     {REGULAR(GIB, 1)},
     {BLOCK(GIB, 2)},
     {EXPECT_RANGE(0, GIB), .reserve_bytes = GIB, .placement = ZS_PLACE_AT}},
    {"up to the last byte of a device",
     {TO_FILE, SEEK(GIB - 10)},
     {REGULAR(10, 1)},
     {BLOCK(GIB, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT,
      .target_position = GIB - 10}},
    {"nothing at the end of a device",
     {TO_FILE, SEEK(GIB), LENGTH(0)},
     {REGULAR(10, 1)},
     {BLOCK(GIB, 2)},
     {EXPECT_RANGE(0, 0), .placement = ZS_PLACE_AT, .target_position = GIB}},
    {"--seek from the end of a device",
     {TO_FILE, SEEK_BACK(10)},
     {REGULAR(10, 1)},
     {BLOCK(GIB, 2)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT,
      .target_position = GIB - 10}},
    {"a stream may fit a device",
     {TO_FILE, LENGTH(2 * GIB)},
     {PIPE(1)},
     {BLOCK(GIB, 2)},
     {EXPECT_RANGE(0, 2 * GIB), .placement = ZS_PLACE_AT}},
    {"up to the last position of a file",
     {TO_FILE, SEEK((uint64_t)INT64_MAX - 10)},
     {REGULAR(10, 1)},
     {ABSENT},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_AT,
      .target_position = (uint64_t)INT64_MAX - 10}},
    {"the largest file",
     {TO_FILE},
     {REGULAR(INT64_MAX, 1), .filesystem = EXT4_SUPER_MAGIC},
     {ABSENT},
     {EXPECT_RANGE(0, INT64_MAX), .reserve_bytes = INT64_MAX, .placement = ZS_PLACE_WHOLE}},
    /* the same file, but not the same bytes */
    {"to the bytes behind the slice",
     {TO_FILE, LENGTH(4), SEEK(4)},
     {REGULAR(10, 1)},
     {REGULAR(10, 1)},
     {EXPECT_RANGE(0, 4), .reserve_bytes = 4, .placement = ZS_PLACE_AT, .target_position = 4}},
    {"to the bytes before the slice",
     {TO_FILE, OFFSET(4), LENGTH(4), SEEK(0)},
     {REGULAR(10, 1)},
     {REGULAR(10, 1)},
     {EXPECT_RANGE(4, 4), .source_position = 4, .reserve_bytes = 4, .placement = ZS_PLACE_AT}},
    {"a file appended to itself",
     {TO_FILE, .append = true},
     {REGULAR(10, 1)},
     {REGULAR(10, 1)},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_APPEND,
      .target_position = 10}},
    {"a file appended to itself by >>",
     {TO_STDOUT},
     {REGULAR(10, 1)},
     {REGULAR(10, 1), .append = true},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_APPEND,
      .target_position = 10}},
    {"inside one device",
     {TO_FILE, OFFSET(512), LENGTH(512), SEEK(1024)},
     {BLOCK(GIB, 1)},
     {BLOCK(GIB, 1)},
     {EXPECT_RANGE(512, 512), .source_position = 512, .reserve_bytes = 512,
      .placement = ZS_PLACE_AT, .target_position = 1024}},
    {"one inode number on two devices is two files",
     {TO_FILE},
     {REGULAR(10, 1), .device = 1},
     {REGULAR(10, 1), .device = 2},
     {EXPECT_RANGE(0, 10), .reserve_bytes = 10, .placement = ZS_PLACE_WHOLE}},
};

static void expect_part(const struct zs_part *part, const struct expectation *expected)
{
    ck_assert_uint_eq(part->range.start, expected->range.start);
    ck_assert_int_eq(part->range.bounded, expected->range.bounded);
    if (expected->range.bounded)
        ck_assert_uint_eq(part->range.length_bytes, expected->range.length_bytes);
    ck_assert_uint_eq(part->source_position, expected->source_position);
    ck_assert_uint_eq(part->target_position, expected->target_position);
    ck_assert_uint_gt(part->engine_count, 0);
}

static void expect_plan(const struct zs_plan *plan, const struct expectation *expected)
{
    ck_assert_int_eq(plan->hold, expected->hold);
    ck_assert_uint_eq(plan->hold_bytes, expected->hold_bytes);
    ck_assert_uint_eq(plan->part_count, expected->hold == ZS_HOLD_TAIL ? 0 : 1);
    if (plan->part_count > 0)
        expect_part(plan->parts, expected);
    ck_assert_int_eq(plan->shared, expected->shared);
    ck_assert_int_eq(plan->scattered, expected->scattered);
    ck_assert_int_eq(plan->exact, expected->exact);
    ck_assert_int_eq(plan->placement, expected->placement);
    ck_assert_uint_eq(plan->target_position, expected->target_position);
    ck_assert_int_eq(plan->must_create, expected->must_create);
    ck_assert_int_eq(plan->cut_after, expected->cut_after);
    ck_assert_uint_eq(plan->reserve_bytes, expected->reserve_bytes);
    ck_assert(!plan->engine_forced);
}

START_TEST(a_valid_plan_says_what_goes_where)
{
    struct zs_options options = complete(&valid[_i].options);
    struct zs_plan plan;
    struct zs_error error = {0};
    int result = zs_plan_make(&options, &valid[_i].source, &valid[_i].target, &plan, &error);

    ck_assert_msg(result == 0, "%s is refused: %s: %s", valid[_i].name, error.object, error.detail);
    ck_assert_int_eq(error.kind, ZS_ERROR_NONE);
    expect_plan(&plan, &valid[_i].expected);
    zs_plan_free(&plan);
    ck_assert_ptr_null(plan.parts);
}
END_TEST

/* Every slice of a file of 8 bytes to every position of itself: allowed if no byte is in both. */
START_TEST(a_copy_within_a_file_is_refused_exactly_where_a_byte_is_in_both_regions)
{
    static const struct zs_facts file = {REGULAR(8, 1)};
    uint64_t offset = (uint64_t)_i;

    for (uint64_t length = 0; length <= 8 - offset; length++) {
        for (uint64_t seek = 0; seek <= 12; seek++) {
            struct zs_options options = {TO_FILE, OFFSET(offset), LENGTH(length), SEEK(seek)};
            int in_both = 0;
            for (uint64_t at = 0; at < 30; at++)
                in_both += at >= offset && at < offset + length && at >= seek && at < seek + length;

            ck_assert_msg(is_planned(&options, &file, &file) == (in_both == 0),
                          "offset %d length %d seek %d: %d bytes in both", (int)offset, (int)length,
                          (int)seek, in_both);
        }
    }
}
END_TEST

START_TEST(a_copy_within_a_file_counts_from_where_an_inherited_source_stands)
{
    struct zs_facts source = {REGULAR(100, 1), .position = 50};
    struct zs_facts target = {REGULAR(100, 1)};
    struct zs_options behind = {TO_FILE, LENGTH(10), SEEK(60)};
    struct zs_options over = {TO_FILE, LENGTH(10), SEEK(59)};
    struct zs_options before = {TO_FILE, LENGTH(10), SEEK(0)};

    ck_assert(is_planned(&behind, &source, &target));
    ck_assert(is_planned(&before, &source, &target));
    ck_assert(!is_planned(&over, &source, &target));
}
END_TEST

/* The order of engines, for every source and target there is. */
#define SPLICE   ZS_ENGINE_SPLICE
#define SENDFILE ZS_ENGINE_SENDFILE
#define MAP      ZS_ENGINE_MAP_WRITE
#define BUFFER   ZS_ENGINE_BUFFER
#define NO_MORE  ZS_ENGINE_COUNT

/* As in choice.c: up to here the fewest calls, then up to ZS_SMALL_BYTES one write. */
#define FEW_CALLS_BYTES ((uint64_t)256 * 1024)

/* On a file system that shares no blocks; the others are below. */
static const struct zs_facts files[] = {{REGULAR(GIB, 1), .filesystem = EXT4_SUPER_MAGIC},
                                        {BLOCK(GIB, 1)}};

static const struct zs_facts streams[] = {{PIPE(1)},
                                          {STREAM(ZS_KIND_SOCKET)},
                                          {STREAM(ZS_KIND_CHARACTER)},
                                          {STREAM(ZS_KIND_OTHER)},
                                          {PROC_FILE}};

static const struct zs_facts terminal = {STREAM(ZS_KIND_TERMINAL)};

static const struct {
    struct zs_facts target;
    bool append;
    enum zs_engine_id small_file[ZS_ENGINE_COUNT + 1];
    enum zs_engine_id large_file[ZS_ENGINE_COUNT + 1];
    enum zs_engine_id stream[ZS_ENGINE_COUNT + 1];
} orders[] = {
    {{ABSENT},
     false,
     {SENDFILE, SPLICE, MAP, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{REGULAR(5, 2)},
     false,
     {SENDFILE, SPLICE, MAP, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{BLOCK(2 * GIB, 2)},
     false,
     {SENDFILE, SPLICE, MAP, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{REGULAR(5, 2), .append = true},
     false,
     {MAP, BUFFER, NO_MORE},
     {MAP, BUFFER, NO_MORE},
     {BUFFER, NO_MORE}},
    {{REGULAR(5, 2)}, true, {MAP, BUFFER, NO_MORE}, {MAP, BUFFER, NO_MORE}, {BUFFER, NO_MORE}},
    {{ABSENT}, true, {MAP, BUFFER, NO_MORE}, {MAP, BUFFER, NO_MORE}, {BUFFER, NO_MORE}},
    {{STREAM(ZS_KIND_SOCKET)},
     false,
     {SENDFILE, SPLICE, MAP, BUFFER, NO_MORE},
     {SENDFILE, SPLICE, MAP, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{PIPE(2)},
     false,
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{STREAM(ZS_KIND_TERMINAL)},
     false,
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{STREAM(ZS_KIND_CHARACTER)},
     false,
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
    {{STREAM(ZS_KIND_OTHER)},
     false,
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE},
     {SPLICE, BUFFER, NO_MORE}},
};

static bool appends(int order)
{
    return orders[order].append || orders[order].target.append;
}

/* What is neither among the smallest copies nor longer than one write. */
static const enum zs_engine_id *of_one_write(int order)
{
    static const enum zs_engine_id mapped[] = {MAP, SPLICE, SENDFILE, BUFFER, NO_MORE};
    bool flows = zs_facts_is_stream(&orders[order].target);
    return flows || appends(order) ? orders[order].large_file : mapped;
}

/* A large slice that is cached; the socket is one of a network. */
static const enum zs_engine_id *of_cached(int order)
{
    static const enum zs_engine_id sent[] = {MAP, SENDFILE, SPLICE, BUFFER, NO_MORE};
    bool network = orders[order].target.kind == ZS_KIND_SOCKET;
    return network ? sent : of_one_write(order);
}

/* One range, planned; the plan's options live as long as the bench. */
struct planned {
    struct zs_options options;
    struct zs_plan plan;
};

static const struct zs_part *plan_one(struct planned *planned, const struct zs_options *row,
                                      const struct zs_facts *source, const struct zs_facts *target)
{
    struct zs_error error = {0};

    planned->options = complete(row);
    int result = zs_plan_make(&planned->options, source, target, &planned->plan, &error);
    ck_assert_msg(result == 0, "refused: %s: %s", error.object, error.detail);
    ck_assert_uint_eq(planned->plan.part_count, 1);
    return planned->plan.parts;
}

static void expect_order(const struct zs_part *part, const enum zs_engine_id *expected,
                         const struct zs_facts *source, const struct zs_facts *target)
{
    for (size_t i = 0; i < part->engine_count; i++)
        ck_assert_msg(part->engines[i] == expected[i], "%s to %s: engine %zu is %s",
                      zs_facts_kind_name(source->kind), zs_facts_kind_name(target->kind), i,
                      zs_engine_names[part->engines[i]]);
    ck_assert_int_eq(expected[part->engine_count], NO_MORE);
}

static void expect_engines(const struct zs_facts *source, int order, uint64_t length,
                           const enum zs_engine_id *expected)
{
    struct zs_options row = {TO_FILE, LENGTH(length), .append = orders[order].append};
    struct planned planned;
    const struct zs_part *part = plan_one(&planned, &row, source, &orders[order].target);

    ck_assert(!part->piecewise);
    expect_order(part, expected, source, &orders[order].target);
    zs_plan_free(&planned.plan);
}

/* What pieces of a file are copied by that are not gathered. */
static const enum zs_engine_id large_pieces[] = {SPLICE, MAP, SENDFILE, BUFFER, NO_MORE};
static const enum zs_engine_id large_pieces_appended[] = {MAP, BUFFER, NO_MORE};
static const enum zs_engine_id only_gather[] = {BUFFER, NO_MORE};

static const enum zs_engine_id *of_large_pieces(int order)
{
    return appends(order) ? large_pieces_appended : large_pieces;
}

/* Every other piece; with a field it is the same, but for the form. */
static void expect_engines_of_pieces(const struct zs_facts *source, int order, uint64_t piece,
                                     const enum zs_engine_id *expected, bool piecewise)
{
    struct zs_options steps = {TO_FILE, RECORD(piece), RANGES(STEPS(0, 16 * piece, 2 * piece)),
                               .append = orders[order].append};
    struct zs_options field = {TO_FILE, RECORD(piece + 1), FIELD(1, piece), LENGTH(8 * piece),
                               .append = orders[order].append};
    const struct zs_options *const rows[] = {&steps, &field};

    for (int i = 0; i < ROWS(rows); i++) {
        struct planned planned;
        const struct zs_part *part = plan_one(&planned, rows[i], source, &orders[order].target);
        ck_assert_uint_eq(part->range.piece_bytes, piece);
        ck_assert_int_eq(part->piecewise, piecewise);
        expect_order(part, expected, source, &orders[order].target);
        zs_plan_free(&planned.plan);
    }
}

START_TEST(pieces_with_gaps_have_engines_of_their_own)
{
    static const uint64_t pieces[] = {1,
                                      2,
                                      GATHER_BELOW_BYTES - 1,
                                      GATHER_BELOW_BYTES,
                                      FEW_CALLS_BYTES / 2,
                                      PIECEWISE_BYTES - 1,
                                      PIECEWISE_BYTES,
                                      16 * PIECEWISE_BYTES};

    for (int i = 0; i < ROWS(pieces); i++) {
        bool gathered = pieces[i] < GATHER_BELOW_BYTES;
        bool piecewise = pieces[i] >= PIECEWISE_BYTES;
        for (int s = 0; s < ROWS(files); s++)
            expect_engines_of_pieces(&files[s], _i, pieces[i],
                                     gathered ? only_gather : of_large_pieces(_i), false);
        for (int s = 0; s < ROWS(streams); s++)
            expect_engines_of_pieces(&streams[s], _i, pieces[i],
                                     piecewise ? orders[_i].stream : only_gather, piecewise);
        expect_engines_of_pieces(&terminal, _i, pieces[i], only_gather, piecewise);
    }
}
END_TEST

/* It is read from the file that holds it. */
/* References to pages that are forgotten would be read as zeros. */
static const enum zs_engine_id *of_held(int order, const enum zs_engine_id *expected)
{
    static const enum zs_engine_id copying[] = {MAP, BUFFER, NO_MORE};
    return zs_facts_is_stream(&orders[order].target) ? copying : expected;
}

START_TEST(a_stream_that_is_held_is_copied_like_a_file_but_never_referred_to)
{
    for (int s = 0; s < ROWS(streams); s++) {
        struct zs_options row = {TO_FILE, END_BACK(5), .append = orders[_i].append};
        struct planned planned;
        const struct zs_part *part = plan_one(&planned, &row, &streams[s], &orders[_i].target);
        expect_order(part, of_held(_i, orders[_i].large_file), &streams[s], &orders[_i].target);
        ck_assert(!part->piecewise);
        zs_plan_free(&planned.plan);

        struct zs_options pieces = {TO_FILE, RECORD(2 * PIECEWISE_BYTES), FIELD(0, PIECEWISE_BYTES),
                                    END_BACK(5), .append = orders[_i].append};
        part = plan_one(&planned, &pieces, &streams[s], &orders[_i].target);
        expect_order(part, of_held(_i, of_large_pieces(_i)), &streams[s], &orders[_i].target);
        ck_assert(!part->piecewise);
        zs_plan_free(&planned.plan);

        for (int id = 0; id < ZS_ENGINE_COUNT; id++) {
            struct zs_options forced = {TO_FILE, END_BACK(5), ENGINE((enum zs_engine_id)id)};
            struct zs_facts end = orders[_i].target;
            bool refers = id == SPLICE || id == SENDFILE;
            /* The file that holds it is no file of a file system that shares. */
            bool can = id != ZS_ENGINE_REFLINK && !(zs_facts_is_stream(&end) && refers) &&
                       zs_engines[id]->refuse(&files[0], &end) == NULL;
            ck_assert_int_eq(is_planned(&forced, &streams[s], &end), can);
        }
    }
}
END_TEST

START_TEST(a_forced_engine_copies_a_stream_piece_by_piece_unless_it_gathers)
{
    const struct zs_facts *const sources[] = {&files[0], &streams[0], &streams[4]};

    for (int s = 0; s < ROWS(sources); s++) {
        for (int id = 0; id < ZS_ENGINE_COUNT; id++) {
            struct zs_options row = {TO_FILE,
                                     RECORD(4),
                                     FIELD(1, 1),
                                     LENGTH(400),
                                     .append = orders[_i].append,
                                     ENGINE((enum zs_engine_id)id)};
            struct zs_facts end = orders[_i].target;
            end.append |= orders[_i].append;
            /* Pieces with gaps between them are no blocks. */
            bool can = id != ZS_ENGINE_REFLINK && zs_engines[id]->refuse(sources[s], &end) == NULL;
            ck_assert_int_eq(is_planned(&row, sources[s], &orders[_i].target), can);
            if (!can)
                continue;
            struct planned planned;
            const struct zs_part *part = plan_one(&planned, &row, sources[s], &orders[_i].target);
            ck_assert_int_eq(part->piecewise, s > 0 && id != ZS_ENGINE_BUFFER);
            ck_assert_uint_eq(part->engine_count, 1);
            ck_assert_int_eq(part->engines[0], id);
            zs_plan_free(&planned.plan);
        }
    }
}
END_TEST

START_TEST(engines_are_ordered_by_the_kinds_of_both_ends)
{
    for (int s = 0; s < ROWS(files); s++) {
        struct zs_facts cached = files[s];
        cached.cached = true;
        expect_engines(&files[s], _i, 0, orders[_i].small_file);
        expect_engines(&files[s], _i, FEW_CALLS_BYTES, orders[_i].small_file);
        expect_engines(&files[s], _i, FEW_CALLS_BYTES + 1, of_one_write(_i));
        expect_engines(&files[s], _i, ZS_SMALL_BYTES, of_one_write(_i));
        expect_engines(&files[s], _i, ZS_SMALL_BYTES + 1, orders[_i].large_file);
        expect_engines(&files[s], _i, GIB, orders[_i].large_file);
        expect_engines(&cached, _i, ZS_LARGE_BYTES - 1, orders[_i].large_file);
        expect_engines(&cached, _i, ZS_LARGE_BYTES, of_cached(_i));
        expect_engines(&cached, _i, GIB, of_cached(_i));
    }
    for (int s = 0; s < ROWS(streams); s++)
        expect_engines(&streams[s], _i, GIB, orders[_i].stream);

    static const enum zs_engine_id only_buffer[] = {BUFFER, NO_MORE};
    expect_engines(&terminal, _i, GIB, only_buffer);
}
END_TEST

static const struct zs_facts sharing_file = {REGULAR(GIB, 1), .filesystem = XFS_SUPER_MAGIC,
                                             .block_bytes = 4096};
static const struct zs_facts server_file = {REGULAR(GIB, 1), .filesystem = FUSE_SUPER_MAGIC};

static bool is_regular(const struct zs_facts *facts)
{
    return facts->kind == ZS_KIND_REGULAR || facts->kind == ZS_KIND_NONE;
}

/* Whatever auto tries, the user may force, and nothing else; but copy-range, which auto leaves to
 * files of a server, between any two files. */
START_TEST(an_engine_may_be_forced_exactly_where_auto_would_try_it)
{
    const struct zs_facts *sources[] = {&files[0], &files[1],     &streams[0], &streams[4],
                                        &terminal, &sharing_file, &server_file};

    for (int s = 0; s < ROWS(sources); s++) {
        struct zs_options row = {TO_FILE, LENGTH(GIB), .append = orders[_i].append};
        struct zs_options options = complete(&row);
        struct zs_plan automatic;
        struct zs_error none = {0};
        bool tried[ZS_ENGINE_COUNT] = {false};
        ck_assert_int_eq(zs_plan_make(&options, sources[s], &orders[_i].target, &automatic, &none),
                         0);
        for (size_t i = 0; i < automatic.parts[0].engine_count; i++)
            tried[automatic.parts[0].engines[i]] = true;
        zs_plan_free(&automatic);
        tried[ZS_ENGINE_COPY_RANGE] = sources[s]->kind == ZS_KIND_REGULAR && sources[s]->sized &&
                                      is_regular(&orders[_i].target) && !appends(_i);
        ck_assert_int_eq(tried[ZS_ENGINE_REFLINK],
                         sources[s] == &sharing_file && tried[ZS_ENGINE_COPY_RANGE]);

        for (int id = 0; id < ZS_ENGINE_COUNT; id++) {
            struct zs_plan plan;
            struct zs_error error = {0};
            options.engine_forced = true;
            options.engine = (enum zs_engine_id)id;
            int result = zs_plan_make(&options, sources[s], &orders[_i].target, &plan, &error);
            ck_assert_int_eq(result, tried[id] ? 0 : -1);
            if (result == 0) {
                ck_assert(plan.engine_forced);
                ck_assert_uint_eq(plan.parts[0].engine_count, 1);
                ck_assert_int_eq(plan.parts[0].engines[0], id);
            }
            zs_plan_free(&plan);
        }
    }
}
END_TEST

/* What is not for every file system, or not for every target */

START_TEST(a_servers_file_is_first_copied_by_the_server)
{
    static const enum zs_engine_id to_file[] = {
        ZS_ENGINE_COPY_RANGE, SPLICE, MAP, SENDFILE, BUFFER, NO_MORE};
    bool regular = is_regular(&orders[_i].target) && !appends(_i);
    static const uint64_t lengths[] = {1, FEW_CALLS_BYTES, FEW_CALLS_BYTES + 1, ZS_SMALL_BYTES,
                                       GIB};

    for (int l = 0; l < ROWS(lengths); l++) {
        struct zs_options row = {TO_FILE, LENGTH(lengths[l]), .append = orders[_i].append};
        struct planned planned;
        const struct zs_part *part = plan_one(&planned, &row, &server_file, &orders[_i].target);
        if (regular)
            expect_order(part, to_file, &server_file, &orders[_i].target);
        for (size_t i = 0; i < part->engine_count; i++)
            ck_assert_int_eq(part->engines[i] == ZS_ENGINE_COPY_RANGE, regular && i == 0);
        zs_plan_free(&planned.plan);
    }
}
END_TEST

/* Copies only, where somebody else reads; what is kept at a position is a copy anyway. */
START_TEST(stable_leaves_to_streams_the_engines_that_copy)
{
    static const enum zs_engine_id copying[] = {MAP, BUFFER, NO_MORE};
    static const enum zs_engine_id buffering[] = {BUFFER, NO_MORE};
    const struct zs_facts *const sources[] = {&files[0], &files[1], &streams[0], &streams[4]};
    bool flows = zs_facts_is_stream(&orders[_i].target);

    for (int s = 0; s < ROWS(sources); s++) {
        struct zs_options row = {TO_FILE, LENGTH(GIB), .append = orders[_i].append, .stable = true};
        struct planned planned;
        const struct zs_part *part = plan_one(&planned, &row, sources[s], &orders[_i].target);
        const enum zs_engine_id *usual = s < 2 ? orders[_i].large_file : orders[_i].stream;
        expect_order(part, flows ? (s < 2 ? copying : buffering) : usual, sources[s],
                     &orders[_i].target);
        zs_plan_free(&planned.plan);

        for (int id = 0; id < ZS_ENGINE_COUNT; id++) {
            struct zs_options plain = {TO_FILE, LENGTH(GIB), .append = orders[_i].append,
                                       ENGINE((enum zs_engine_id)id)};
            struct zs_options stable = plain;
            stable.stable = true;
            bool can = is_planned(&plain, sources[s], &orders[_i].target);
            bool copies = zs_engines[id]->copies;
            ck_assert_int_eq(is_planned(&stable, sources[s], &orders[_i].target),
                             can && (!flows || copies));
        }
    }
}
END_TEST

START_TEST(sync_needs_a_target_that_keeps_bytes)
{
    struct zs_options row = {TO_FILE, .append = orders[_i].append, .sync = true};
    struct zs_options options = complete(&row);
    bool keeps = !zs_facts_is_stream(&orders[_i].target);
    struct zs_plan plan;
    struct zs_error error = {0};

    int result = zs_plan_make(&options, &files[0], &orders[_i].target, &plan, &error);
    ck_assert_int_eq(result, keeps ? 0 : -1);
    if (keeps) {
        ck_assert(plan.sync);
    } else {
        ck_assert_int_eq(error.kind, ZS_ERROR_REFUSED);
        ck_assert_str_eq(error.object, "out");
        ck_assert_str_eq(error.operation, "--sync");
        ck_assert_ptr_nonnull(strstr(error.detail, zs_facts_kind_name(orders[_i].target.kind)));
        ck_assert_ptr_nonnull(strstr(error.detail, "keeps no bytes"));
    }
    zs_plan_free(&plan);
}
END_TEST

START_TEST(the_cache_can_be_given_back_wherever_the_bytes_go)
{
    for (int on = 0; on < 2; on++) {
        struct zs_options row = {TO_FILE, .append = orders[_i].append, .no_cache = on};
        struct planned planned;
        (void)plan_one(&planned, &row, &files[0], &orders[_i].target);
        ck_assert_int_eq(planned.plan.no_cache, on);
        ck_assert(!planned.plan.sync);
        zs_plan_free(&planned.plan);
    }
}
END_TEST

static const struct zs_facts cached_file = {REGULAR(GIB, 1), .filesystem = EXT4_SUPER_MAGIC,
                                            .cached = true};

/* Threads: of the options, as far as the part can make use of them. */
START_TEST(a_part_has_the_jobs_that_it_can_use)
{
    static const unsigned allowed[] = {0, 1, 2, 64};

    for (int i = 0; i < ROWS(allowed); i++) {
        struct zs_options row = {TO_FILE, RANGES(SPAN(0, 1000), SPAN(0, GIB)), .jobs = allowed[i]};
        struct zs_options options = complete(&row);
        struct zs_facts target = {ABSENT};
        struct zs_plan plan;
        struct zs_error error = {0};
        ck_assert_int_eq(zs_plan_make(&options, &cached_file, &target, &plan, &error), 0);
        ck_assert_uint_eq(plan.parts[0].jobs, 1);
        ck_assert_uint_eq(plan.parts[1].jobs, allowed[i] > 1 ? 2 : 1);
        ck_assert_int_eq(plan.parts[1].engines[0], MAP);
        /* Where the user says nothing, of the processors. */
        struct zs_facts known = cached_file;
        known.processors = (unsigned)i;
        ck_assert_int_eq(zs_plan_remake(&plan, &known, &target, &error), 0);
        ck_assert_uint_eq(plan.parts[1].jobs, allowed[i] > 1 ? 2 : 1);
        options.jobs = 0;
        ck_assert_int_eq(zs_plan_remake(&plan, &known, &target, &error), 0);
        ck_assert_uint_eq(plan.parts[1].jobs, known.processors > 1 ? 2 : 1);
        for (size_t n = 0; n < plan.part_count; n++)
            ck_assert_str_ne(plan.parts[n].why, "");
        zs_plan_free(&plan);
    }
}
END_TEST

/* The engine that would come first, where it cannot do the copy, and why */

#define ON_SERVER(size, number) REGULAR(size, number), .filesystem = NFS_SUPER_MAGIC
#define ON_DISK(size, number)   REGULAR(size, number), .filesystem = EXT4_SUPER_MAGIC
#define NOBODY                  ZS_ENGINE_COUNT

static const struct {
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    enum zs_engine_id passed_over;
    enum zs_engine_id first;
    const char *why; /* a part of it */
} reasons[] = {
    /* clang-format off */
    {{TO_FILE}, {ON_DISK(10, 1)}, {ABSENT}, NOBODY, SENDFILE, "fewest system calls"},
    {{TO_FILE}, {ON_DISK(GIB, 1)}, {ABSENT}, NOBODY, SPLICE, "references to pages"},
    {{TO_FILE}, {PIPE(1)}, {ABSENT}, NOBODY, SPLICE, "references to pages"},
    /* it cannot append */
    {{TO_FILE, LENGTH(10), .append = true}, {ON_DISK(GIB, 1)}, {REGULAR(5, 2)},
     SENDFILE, MAP, "cannot append"},
    {{TO_FILE, LENGTH(10), .append = true}, {ON_DISK(GIB, 1)}, {ABSENT},
     SENDFILE, MAP, "cannot append"},
    {{TO_FILE, LENGTH(ZS_SMALL_BYTES), .append = true}, {ON_DISK(GIB, 1)}, {REGULAR(5, 2)},
     NOBODY, MAP, "up to 1 MiB"},
    {{TO_FILE, .append = true}, {ON_DISK(GIB, 1)}, {REGULAR(5, 2)},
     SPLICE, MAP, "cannot append"},
    {{TO_STDOUT}, {ON_DISK(GIB, 1)}, {REGULAR(5, 2), .append = true},
     SPLICE, MAP, "cannot append"},
    {{TO_FILE, .append = true}, {ON_DISK(GIB, 1), .cached = true}, {REGULAR(5, 2)},
     NOBODY, MAP, "large slice that is cached"},
    {{TO_FILE, .append = true}, {PIPE(1)}, {REGULAR(5, 2)}, SPLICE, BUFFER, "cannot append"},
    {{TO_FILE, .append = true}, {ON_SERVER(GIB, 1)}, {REGULAR(5, 2)},
     ZS_ENGINE_COPY_RANGE, MAP, "cannot append"},
    {{TO_FILE}, {ON_SERVER(GIB, 1)}, {BLOCK(GIB, 2)},
     NOBODY, SPLICE, "references"},
    {{TO_FILE, .reflink = ZS_REFLINK_NEVER}, {ON_SERVER(GIB, 1)}, {ABSENT},
     NOBODY, ZS_ENGINE_COPY_RANGE, "server"},
    {{TO_FILE}, {ON_SERVER(GIB, 1)}, {ABSENT}, NOBODY, ZS_ENGINE_REFLINK,
     "may share blocks, or copy by itself"},
    {{TO_FILE}, {REGULAR(GIB, 1), .filesystem = SMB2_SUPER_MAGIC}, {ABSENT},
     NOBODY, ZS_ENGINE_COPY_RANGE, "may copy by itself"},
    /* it would pass references on */
    {{TO_STDOUT, .stable = true}, {ON_DISK(GIB, 1)}, {PIPE(2)}, SPLICE, MAP, "--stable wants"},
    {{TO_STDOUT, .stable = true}, {ON_DISK(GIB, 1)}, {STREAM(ZS_KIND_SOCKET)},
     SENDFILE, MAP, "--stable wants"},
    {{TO_STDOUT, .stable = true}, {ON_DISK(GIB, 1), .cached = true}, {STREAM(ZS_KIND_SOCKET)},
     NOBODY, MAP, "TCP"},
    {{TO_FILE, .stable = true}, {ON_DISK(GIB, 1)}, {ABSENT}, NOBODY, SPLICE, "references"},
    {{TO_STDOUT, END_BACK(5)}, {PIPE(1)}, {PIPE(2)}, SPLICE, MAP, "held back of a stream"},
    {{TO_STDOUT, END_BACK(5), .stable = true}, {PIPE(1)}, {STREAM(ZS_KIND_SOCKET)},
     SENDFILE, MAP, "held back of a stream"},
    {{TO_FILE, END_BACK(5)}, {PIPE(1)}, {ABSENT}, NOBODY, SPLICE, "references"},
    /* it cannot write at positions, or not read from that */
    {{TO_FILE, KEEP, RANGES(SPAN(5, 6), SPAN(0, 1))}, {ON_DISK(10, 1)}, {ABSENT},
     SENDFILE, SPLICE, "positions that do not follow"},
    {{TO_STDOUT}, {PIPE(1)}, {STREAM(ZS_KIND_SOCKET)}, SENDFILE, SPLICE, "its source must be"},
    {{TO_FILE, LENGTH(10)}, {PIPE(1)}, {ABSENT}, SENDFILE, SPLICE, "its source must be"},
    {{TO_STDOUT}, {STREAM(ZS_KIND_TERMINAL)}, {PIPE(2)}, SPLICE, BUFFER, "cannot be a terminal"},
    /* there is no choice */
    {{TO_FILE, ENGINE(BUFFER)}, {ON_DISK(GIB, 1)}, {ABSENT}, NOBODY, BUFFER, "is wanted"},
    {{TO_FILE, ENGINE(MAP), .append = true}, {ON_DISK(GIB, 1)}, {REGULAR(5, 2)},
     NOBODY, MAP, "is wanted"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {REGULAR(GIB, 1), .filesystem = XFS_SUPER_MAGIC},
     {ABSENT}, NOBODY, ZS_ENGINE_REFLINK, "whole blocks"},
    {{TO_FILE, RECORD(2), FIELD(0, 1)}, {PIPE(1)}, {ABSENT}, NOBODY, BUFFER, "gathered"},
    /* clang-format on */
};

START_TEST(the_engine_that_is_passed_over_is_known_and_why)
{
    struct zs_options options = complete(&reasons[_i].options);
    struct zs_plan plan;
    struct zs_error error = {0};

    int result = zs_plan_make(&options, &reasons[_i].source, &reasons[_i].target, &plan, &error);
    ck_assert_msg(result == 0, "refused: %s: %s", error.object, error.detail);
    ck_assert_uint_ge(plan.part_count, 1);
    for (size_t i = 0; i < plan.part_count; i++) {
        const struct zs_part *part = &plan.parts[i];
        ck_assert_int_eq(part->passed_over, reasons[_i].passed_over);
        ck_assert_int_eq(part->engines[0], reasons[_i].first);
        ck_assert_msg(strstr(part->why, reasons[_i].why), "because %s, not because %s", part->why,
                      reasons[_i].why);
    }
    zs_plan_free(&plan);
}
END_TEST

/* Of every pair of ends: it is not used, and the reason is its own. */
static void expect_passed_over(const struct zs_part *part, int order)
{
    struct zs_facts end = orders[order].target;

    if (part->passed_over == NOBODY)
        return;
    for (size_t i = 0; i < part->engine_count; i++)
        ck_assert_int_ne(part->engines[i], part->passed_over);
    end.append = appends(order);
    bool refers = !zs_engines[part->passed_over]->copies && zs_facts_is_stream(&end);
    ck_assert(zs_engines[part->passed_over]->refuse(&files[0], &end) || refers ||
              zs_engines[part->passed_over]->refuse(&streams[0], &end));
}

START_TEST(an_engine_that_is_passed_over_is_not_used)
{
    const struct zs_facts *const sources[] = {&files[0], &files[1], &streams[0], &streams[4],
                                              &server_file};
    static const uint64_t lengths[] = {1, ZS_SMALL_BYTES, GIB};

    for (int s = 0; s < ROWS(sources); s++) {
        for (int l = 0; l < 2 * ROWS(lengths); l++) {
            struct zs_options row = {TO_FILE, LENGTH(lengths[l / 2]), .stable = l % 2,
                                     .append = orders[_i].append};
            struct planned planned;
            const struct zs_part *part = plan_one(&planned, &row, sources[s], &orders[_i].target);
            expect_passed_over(part, _i);
            zs_plan_free(&planned.plan);
        }
    }
}
END_TEST

/* The part for which it is worth finding more out */

#define MIB ((uint64_t)1024 * 1024)

static const struct {
    const char *name;
    struct zs_options options;
    struct zs_facts source;
    bool found;
    uint64_t start, length;
} longest[] = {
    /* clang-format off */
    {"the only one", {TO_FILE}, {ON_DISK(GIB, 1)}, true, 0, GIB},
    {"the only one, empty", {TO_FILE, OFFSET(7), LENGTH(0)}, {ON_DISK(GIB, 1)}, true, 7, 0},
    {"the first", {TO_FILE, RANGES(SPAN(0, 9), SPAN(3, 5), SPAN(20, 28))}, {ON_DISK(99, 1)},
     true, 0, 9},
    {"the last", {TO_FILE, RANGES(SPAN(0, 9), SPAN(3, 5), SPAN(20, 30))}, {ON_DISK(99, 1)},
     true, 20, 10},
    {"the first of two that are equal", {TO_FILE, RANGES(SPAN(5, 6), SPAN(20, 30), SPAN(7, 17))},
     {ON_DISK(99, 1)}, true, 20, 10},
    {"none with gaps", {TO_FILE, RANGES(STEPS(0, 1000, 2), SPAN(4, 6))}, {ON_DISK(GIB, 1)},
     true, 4, 2},
    {"nothing but gaps", {TO_FILE, RANGES(STEPS(0, 1000, 2))}, {ON_DISK(GIB, 1)}, false, 0, 0},
    {"fields", {TO_FILE, RECORD(8), FIELD(0, 7)}, {ON_DISK(GIB, 1)}, false, 0, 0},
    {"a stream", {TO_FILE, LENGTH(GIB)}, {PIPE(1)}, true, 0, GIB},
    {"a stream to its end", {TO_FILE}, {PIPE(1)}, false, 0, 0},
    {"a stream to its end, and a range before", {TO_FILE, RANGES(SPAN(1, 3), FROM(9))}, {PIPE(1)},
     true, 1, 2},
    {"the tail of a stream", {TO_FILE, BACKWARD(GIB)}, {PIPE(1)}, false, 0, 0},
    {"a stream but for its tail", {TO_FILE, END_BACK(5)}, {PIPE(1)}, false, 0, 0},
    {"what is shared, not its edges", {TO_FILE, OFFSET(100), SEEK(100)},
     {REGULAR(8 * MIB, 1), .filesystem = XFS_SUPER_MAGIC}, true, 4096, 8 * MIB - 4096},
    /* clang-format on */
};

START_TEST(the_longest_part_is_found)
{
    struct zs_options options = complete(&longest[_i].options);
    struct zs_facts target = {ABSENT};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, &longest[_i].source, &target, &plan, &error), 0);
    const struct zs_part *part = zs_plan_longest(&plan);
    ck_assert_msg((part != NULL) == longest[_i].found, "%s", longest[_i].name);
    if (part) {
        ck_assert(part >= plan.parts && part < plan.parts + plan.part_count);
        ck_assert_uint_eq(part->range.start, longest[_i].start);
        ck_assert_uint_eq(part->range.length_bytes, longest[_i].length);
    }
    zs_plan_free(&plan);
    ck_assert_ptr_null(zs_plan_longest(&plan)); /* of no parts */
}
END_TEST

/* Sharing blocks: what is cut out of each range */

#define BLOCK_ ((uint64_t)4096)

#define ON_XFS(size, number)                                                                       \
    REGULAR(size, number), .filesystem = XFS_SUPER_MAGIC, .block_bytes = BLOCK_

/* Up to here nothing is shared where the user leaves it open; and the fewest blocks that are. */
#define UNSHARED_BYTES ZS_SMALL_BYTES
#define SHARED_BYTES   (UNSHARED_BYTES + BLOCK_)

struct section {
    uint64_t start, length, target_position;
    bool shareable;
};

static const struct {
    const char *name;
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    size_t count;
    struct section sections[7];
    bool reserves; /* space for what is not shared */
} cuts[] = {
    /* clang-format off */
    {"all of a file", {TO_FILE}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, 8 * MIB, 0, true}}, true},
    {"all of a file that ends within a block", {TO_FILE}, {ON_XFS(8 * MIB + 123, 1)}, {ABSENT},
     2, {{0, 8 * MIB, 0, true}, {8 * MIB, 123, 8 * MIB, false}}, true},
    {"the blocks of a slice that ends before", {TO_FILE, LENGTH(4 * MIB + 5)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     2, {{0, 4 * MIB, 0, true}, {4 * MIB, 5, 4 * MIB, false}}, true},
    {"from a block on", {TO_FILE, OFFSET(BLOCK_)}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{BLOCK_, 8 * MIB - BLOCK_, 0, true}}, true},
    {"from within a block on there is none", {TO_FILE, OFFSET(1)}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{1, 8 * MIB - 1, 0, false}}, true},
    {"unless the target has it there, too", {TO_FILE, OFFSET(1), SEEK(1)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     2, {{1, BLOCK_ - 1, 1, false}, {BLOCK_, 8 * MIB - BLOCK_, BLOCK_, true}}, true},
    {"both edges", {TO_FILE, OFFSET(100), LENGTH(4 * MIB), SEEK(3 * BLOCK_ + 100)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     3, {{100, BLOCK_ - 100, 3 * BLOCK_ + 100, false},
         {BLOCK_, 4 * MIB - BLOCK_, 4 * BLOCK_, true},
         {4 * MIB, 100, 4 * MIB + 3 * BLOCK_, false}}, true},
    {"both edges, one byte each", {TO_FILE, OFFSET(BLOCK_ - 1), LENGTH(4 * MIB + 2), SEEK(BLOCK_ - 1)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     3, {{BLOCK_ - 1, 1, BLOCK_ - 1, false},
         {BLOCK_, 4 * MIB, BLOCK_, true},
         {4 * MIB + BLOCK_, 1, 4 * MIB + BLOCK_, false}}, true},
    {"positions that differ by half a block", {TO_FILE, OFFSET(2048), LENGTH(4 * MIB)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{2048, 4 * MIB, 0, false}}, true},
    {"larger blocks", {TO_FILE, OFFSET(64 * 1024), SEEK(0)},
     {REGULAR(8 * MIB, 1), .filesystem = XFS_SUPER_MAGIC, .block_bytes = 128 * 1024}, {ABSENT},
     1, {{64 * 1024, 8 * MIB - 64 * 1024, 0, false}}, true},
    {"blocks of a size that is not known are of 4 KiB", {TO_FILE, LENGTH(4 * MIB + 5)},
     {REGULAR(8 * MIB, 1), .filesystem = XFS_SUPER_MAGIC}, {ABSENT},
     2, {{0, 4 * MIB, 0, true}, {4 * MIB, 5, 4 * MIB, false}}, true},
    {"an inherited source counts from where it stands", {TO_FILE, OFFSET(BLOCK_ - 50)},
     {ON_XFS(8 * MIB, 1), .position = 50}, {ABSENT},
     1, {{BLOCK_ - 50, 8 * MIB - BLOCK_, 0, true}}, true},
    {"an inherited target, too", {TO_STDOUT, OFFSET(50)}, {ON_XFS(8 * MIB, 1)},
     {ON_XFS(50, 2), .position = 50},
     2, {{50, BLOCK_ - 50, 50, false}, {BLOCK_, 8 * MIB - BLOCK_, BLOCK_, true}}, true},
    /* the last block, which is not full, is never shared: a file may grow */
    {"the end of both files", {TO_FILE, OFFSET(BLOCK_), SEEK(2 * BLOCK_)},
     {ON_XFS(8 * MIB + 123, 1)}, {ON_XFS(20, 2)},
     2, {{BLOCK_, 8 * MIB - BLOCK_, 2 * BLOCK_, true},
         {8 * MIB, 123, 8 * MIB + BLOCK_, false}}, true},
    {"exactly over the target's end", {TO_FILE, SEEK(0)},
     {ON_XFS(8 * MIB + 123, 1)}, {ON_XFS(8 * MIB + 123, 2)},
     2, {{0, 8 * MIB, 0, true}, {8 * MIB, 123, 8 * MIB, false}}, true},
    {"a target that is longer", {TO_FILE, SEEK(0)},
     {ON_XFS(8 * MIB + 123, 1)}, {ON_XFS(8 * MIB + 124, 2)},
     2, {{0, 8 * MIB, 0, true}, {8 * MIB, 123, 8 * MIB, false}}, true},
    {"a target that is longer, and emptied", {TO_FILE},
     {ON_XFS(8 * MIB + 123, 1)}, {ON_XFS(20 * MIB, 2)},
     2, {{0, 8 * MIB, 0, true}, {8 * MIB, 123, 8 * MIB, false}}, true},
    {"a target that others write to", {TO_FILE, KEEP},
     {ON_XFS(8 * MIB + 123, 1)}, {ABSENT},
     2, {{0, 8 * MIB, 0, true}, {8 * MIB, 123, 8 * MIB, false}}, true},
    {"a slice that ends before the source", {TO_FILE, END(8 * MIB + 122)},
     {ON_XFS(8 * MIB + 123, 1)}, {ABSENT},
     2, {{0, 8 * MIB, 0, true}, {8 * MIB, 122, 8 * MIB, false}}, true},
    /* what is worth it */
    {"just worth it", {TO_FILE, LENGTH(SHARED_BYTES)}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, SHARED_BYTES, 0, true}}, true},
    {"just not worth it", {TO_FILE, LENGTH(UNSHARED_BYTES)}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, UNSHARED_BYTES, 0, false}}, true},
    {"longer, but by no block", {TO_FILE, LENGTH(SHARED_BYTES - 1)}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, SHARED_BYTES - 1, 0, false}}, true},
    {"a file that is just worth it", {TO_FILE}, {ON_XFS(SHARED_BYTES + 1, 1)}, {ABSENT},
     2, {{0, SHARED_BYTES, 0, true}, {SHARED_BYTES, 1, SHARED_BYTES, false}}, true},
    {"a file that is just not", {TO_FILE}, {ON_XFS(SHARED_BYTES - 1, 1)}, {ABSENT},
     1, {{0, SHARED_BYTES - 1, 0, false}}, true},
    {"worth it for its blocks only", {TO_FILE, OFFSET(1), LENGTH(SHARED_BYTES + BLOCK_), SEEK(1)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     3, {{1, BLOCK_ - 1, 1, false}, {BLOCK_, SHARED_BYTES, BLOCK_, true},
         {BLOCK_ + SHARED_BYTES, 1, BLOCK_ + SHARED_BYTES, false}}, true},
    {"a byte less", {TO_FILE, OFFSET(1), LENGTH(SHARED_BYTES + BLOCK_ - 2), SEEK(1)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{1, SHARED_BYTES + BLOCK_ - 2, 1, false}}, true},
    {"a block, if it is wanted", {TO_FILE, LENGTH(BLOCK_), .reflink = ZS_REFLINK_ALWAYS},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, BLOCK_, 0, true}}, true},
    {"a short file, if it is wanted", {TO_FILE, .reflink = ZS_REFLINK_ALWAYS},
     {ON_XFS(BLOCK_ + 5, 1)}, {ABSENT},
     2, {{0, BLOCK_, 0, true}, {BLOCK_, 5, BLOCK_, false}}, true},
    {"a block, by the engine", {TO_FILE, LENGTH(BLOCK_), ENGINE(ZS_ENGINE_REFLINK)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, BLOCK_, 0, true}}, true},
    {"nothing, though it is wanted", {TO_FILE, LENGTH(0), .reflink = ZS_REFLINK_ALWAYS},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, 0, 0, false}}, false},
    /* what is not */
    {"never", {TO_FILE, .reflink = ZS_REFLINK_NEVER}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"another engine", {TO_FILE, ENGINE(ZS_ENGINE_SPLICE)}, {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"ext4", {TO_FILE}, {REGULAR(8 * MIB, 1), .filesystem = EXT4_SUPER_MAGIC}, {ABSENT},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"a file system that was tried", {TO_FILE}, {ON_XFS(8 * MIB, 1), .shares_nothing = true},
     {ABSENT}, 1, {{0, 8 * MIB, 0, false}}, true},
    {"two file systems", {TO_FILE}, {ON_XFS(8 * MIB, 1), .device = 1},
     {ON_XFS(9, 2), .device = 2},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"two subvolumes", {TO_FILE},
     {REGULAR(8 * MIB, 1), .filesystem = BTRFS_SUPER_MAGIC, .device = 1},
     {REGULAR(9, 2), .filesystem = BTRFS_SUPER_MAGIC, .device = 2},
     1, {{0, 8 * MIB, 0, true}}, true},
    {"a device", {TO_FILE}, {BLOCK(8 * MIB, 1)}, {ABSENT},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"to a device", {TO_FILE}, {ON_XFS(8 * MIB, 1)}, {BLOCK(GIB, 2)},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"to a pipe", {TO_STDOUT}, {ON_XFS(8 * MIB, 1)}, {PIPE(2)},
     1, {{0, 8 * MIB, 0, false}}, true},
    {"what is appended", {TO_FILE, .append = true}, {ON_XFS(8 * MIB, 1)}, {ON_XFS(BLOCK_, 2)},
     1, {{0, 8 * MIB, BLOCK_, false}}, true},
    {"by >>", {TO_STDOUT}, {ON_XFS(8 * MIB, 1)}, {ON_XFS(BLOCK_, 2), .append = true},
     1, {{0, 8 * MIB, BLOCK_, false}}, true},
    {"pieces", {TO_FILE, RANGES(STEPS(0, 8 * MIB, 2 * MIB)), RECORD(MIB)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, 4 * MIB, 0, false}}, true},
    {"a stream", {TO_FILE, LENGTH(8 * MIB)}, {PIPE(1)}, {ABSENT},
     1, {{0, 8 * MIB, 0, false}}, false},
    {"records that lie together", {TO_FILE, RECORD(100), LENGTH(4 * MIB)},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     1, {{0, 4 * MIB, 0, true}}, true},
    /* several ranges */
    {"each by itself", {TO_FILE, RANGES(SPAN(0, 2 * MIB), SPAN(100, 200), FROM(4 * MIB))},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     3, {{0, 2 * MIB, 0, true}, {100, 100, 2 * MIB, false},
         {4 * MIB, 4 * MIB, 2 * MIB + 100, false}}, true},
    {"each where it was", {TO_FILE, KEEP, RANGES(SPAN(4 * MIB - 1, 6 * MIB + 1), SPAN(0, 2 * MIB))},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     4, {{4 * MIB - 1, 1, 4 * MIB - 1, false}, {4 * MIB, 2 * MIB, 4 * MIB, true},
         {6 * MIB, 1, 6 * MIB, false}, {0, 2 * MIB, 0, true}}, false},
    {"with empty ones between them", {TO_FILE, RANGES(SPAN(5, 5), SPAN(0, 2 * MIB), SPAN(9, 9))},
     {ON_XFS(8 * MIB, 1)}, {ABSENT},
     3, {{5, 0, 0, false}, {0, 2 * MIB, 0, true}, {9, 0, 2 * MIB, false}}, false},
    {"a shard", {TO_FILE, KEEP, SHARD(2, 3), .selection.align_bytes = BLOCK_},
     {ON_XFS(9 * MIB, 1)}, {ABSENT},
     1, {{3 * MIB, 3 * MIB, 3 * MIB, true}}, true},
    /* within a file */
    {"to another place of the file", {TO_FILE, LENGTH(2 * MIB), SEEK(4 * MIB)},
     {ON_XFS(8 * MIB, 1)}, {ON_XFS(8 * MIB, 1)},
     1, {{0, 2 * MIB, 4 * MIB, true}}, true},
    {"to behind its last block, which is not full", {TO_FILE, SEEK(16 * MIB)},
     {ON_XFS(8 * MIB + 123, 1)}, {ON_XFS(8 * MIB + 123, 1)},
     2, {{0, 8 * MIB, 16 * MIB, true}, {8 * MIB, 123, 24 * MIB, false}}, true},
    {"to behind the end of another file", {TO_FILE, SEEK(16 * MIB)},
     {ON_XFS(8 * MIB + 123, 1)}, {ON_XFS(8 * MIB + 123, 2)},
     2, {{0, 8 * MIB, 16 * MIB, true}, {8 * MIB, 123, 24 * MIB, false}}, true},
    {"both edges, behind its end", {TO_FILE, OFFSET(100), SEEK(16 * MIB + 100),
      .reflink = ZS_REFLINK_ALWAYS}, {ON_XFS(BLOCK_ * 3 + 5, 1)}, {ON_XFS(BLOCK_ * 3 + 5, 1)},
     3, {{100, BLOCK_ - 100, 16 * MIB + 100, false}, {BLOCK_, 2 * BLOCK_, 16 * MIB + BLOCK_, true},
         {3 * BLOCK_, 5, 16 * MIB + 3 * BLOCK_, false}}, true},
    /* clang-format on */
};

static void expect_section(int row, const struct zs_part *part, const struct section *section)
{
    static const enum zs_engine_id any[] = {ZS_ENGINE_REFLINK, MAP, SPLICE, SENDFILE, BUFFER};
    const struct zs_facts *source = &cuts[row].source;
    enum zs_reflink reflink = cuts[row].options.reflink;

    ck_assert_msg(part->range.start == section->start &&
                      part->range.length_bytes == section->length &&
                      part->target_position == section->target_position &&
                      part->shareable == section->shareable,
                  "%s: %ju bytes from %ju on to %ju, %s", cuts[row].name,
                  (uintmax_t)part->range.length_bytes, (uintmax_t)part->range.start,
                  (uintmax_t)part->target_position, part->shareable ? "shared" : "copied");
    if (source->positioned)
        ck_assert_uint_eq(part->source_position, source->position + section->start);
    for (size_t i = 0; i < part->engine_count; i++) {
        ck_assert(part->engines[i] != ZS_ENGINE_REFLINK || (i == 0 && part->shareable));
        if (part->shareable && reflink == ZS_REFLINK_AUTO && !cuts[row].options.engine_forced &&
            !cuts[row].options.keep_offset)
            ck_assert_int_eq(part->engines[i], any[i]);
    }
    if (part->shareable) {
        ck_assert_int_eq(part->engines[0], ZS_ENGINE_REFLINK);
        bool only = reflink == ZS_REFLINK_ALWAYS || cuts[row].options.engine_forced;
        ck_assert_int_eq(part->engine_count == 1, only);
    }
}

START_TEST(whole_blocks_are_cut_out_to_be_shared)
{
    struct zs_options options = complete(&cuts[_i].options);
    struct zs_plan plan;
    struct zs_error error = {0};
    bool shares = false;
    uint64_t copied_bytes = 0;

    int result = zs_plan_make(&options, &cuts[_i].source, &cuts[_i].target, &plan, &error);
    ck_assert_msg(result == 0, "%s is refused: %s: %s", cuts[_i].name, error.object, error.detail);
    ck_assert_msg(plan.part_count == cuts[_i].count, "%s: %zu parts", cuts[_i].name,
                  plan.part_count);
    for (size_t i = 0; i < plan.part_count; i++) {
        expect_section(_i, &plan.parts[i], &cuts[_i].sections[i]);
        shares |= cuts[_i].sections[i].shareable;
        copied_bytes += cuts[_i].sections[i].shareable ? 0 : cuts[_i].sections[i].length;
    }
    ck_assert_int_eq(plan.shares, shares);
    ck_assert_uint_eq(plan.reserve_bytes, cuts[_i].reserves ? copied_bytes : 0);
    zs_plan_free(&plan);
}
END_TEST

/* Every offset, length and target position of a few blocks: the parts are the slice, in order, and
 * what is to be shared is whole blocks of both files. */
static void expect_blocks(uint64_t offset, uint64_t length, uint64_t seek)
{
    enum { SMALL_BLOCK = 4, SIZE = 18, TARGET_SIZE = 14 };
    static const struct zs_facts source = {REGULAR(SIZE, 1), .filesystem = XFS_SUPER_MAGIC,
                                           .block_bytes = SMALL_BLOCK};
    static const struct zs_facts target = {REGULAR(TARGET_SIZE, 2), .filesystem = XFS_SUPER_MAGIC,
                                           .block_bytes = SMALL_BLOCK};
    struct zs_options row = {TO_FILE, OFFSET(offset), LENGTH(length), SEEK(seek),
                             .reflink = ZS_REFLINK_ALWAYS};
    struct zs_options options = complete(&row);
    struct zs_plan plan;
    struct zs_error error = {0};
    bool can = false;
    uint64_t end = offset + length;

    /* A block is shared exactly if it lies whole in the slice, in both files. */
    for (uint64_t at = 0; at < SIZE && offset % SMALL_BLOCK == seek % SMALL_BLOCK;
         at += SMALL_BLOCK)
        can |= at >= offset && at + SMALL_BLOCK <= end;
    int result = zs_plan_make(&options, &source, &target, &plan, &error);
    ck_assert_msg((result == 0) == (can || length == 0), "[%ju, %ju) to %ju: %d", (uintmax_t)offset,
                  (uintmax_t)end, (uintmax_t)seek, result);
    uint64_t next = offset;
    for (size_t i = 0; i < plan.part_count && result == 0; i++) {
        const struct zs_part *part = &plan.parts[i];
        uint64_t behind = next + part->range.length_bytes;
        ck_assert_uint_eq(part->source_position, next);
        ck_assert_uint_eq(part->target_position, next - offset + seek);
        ck_assert(!part->shareable || next % SMALL_BLOCK == 0);
        ck_assert(!part->shareable || behind % SMALL_BLOCK == 0);
        ck_assert(part->shareable || part->range.length_bytes < SMALL_BLOCK || !can);
        next = behind;
    }
    if (result == 0)
        ck_assert_uint_eq(next, end);
    zs_plan_free(&plan);
}

START_TEST(every_small_slice_is_cut_at_its_blocks)
{
    for (uint64_t length = 0; length <= 18 - (uint64_t)_i; length++) {
        for (uint64_t seek = 0; seek <= 20; seek++)
            expect_blocks((uint64_t)_i, length, seek);
    }
}
END_TEST

/* A plan that wanted to share, again, when it was found that these files do not. */
START_TEST(what_cannot_be_shared_is_planned_again_as_a_copy)
{
    struct zs_options row = {TO_FILE, OFFSET(100), SEEK(100)};
    struct zs_options options = complete(&row);
    struct zs_facts source = {ON_XFS(8 * MIB, 1)}, target = {ABSENT};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, &source, &target, &plan, &error), 0);
    ck_assert(plan.shares);
    ck_assert_uint_eq(plan.part_count, 2);
    source.shares_nothing = true;
    ck_assert_int_eq(zs_plan_remake(&plan, &source, &target, &error), 0);
    ck_assert(!plan.shares);
    ck_assert_uint_eq(plan.part_count, 1);
    ck_assert_uint_eq(plan.parts[0].range.length_bytes, 8 * MIB - 100);
    ck_assert_uint_eq(plan.reserve_bytes, 8 * MIB - 100);
    zs_plan_free(&plan);
}
END_TEST

START_TEST(facts_and_options_are_left_as_they_are)
{
    struct zs_options options = {TO_FILE, .append = true};
    struct zs_facts source = {REGULAR(10, 1)}, target = {REGULAR(5, 2)};

    ck_assert(is_planned(&options, &source, &target));
    ck_assert(!target.append);
    ck_assert_uint_eq(target.size_bytes, 5);
    ck_assert_uint_eq(source.size_bytes, 10);
}
END_TEST

/* Several ranges */

struct place {
    uint64_t start, length, source_position, target_position;
};

/* In each row, what is asked for, and below it the answer: the places, and then the target's
 * position and what is reserved. */
static const struct {
    const char *name;
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    size_t count;
    struct place places[4];
    uint64_t target_position;
    uint64_t reserve_bytes;
    bool scattered;
} layouts[] = {
    /* clang-format off */
    {"in the order given", {TO_FILE, RANGES(SPAN(6, 8), SPAN(0, 3), SPAN(6, 8))},
     {REGULAR(10, 1)}, {ABSENT},
     3, {{6, 2, 6, 0}, {0, 3, 0, 2}, {6, 2, 6, 5}}, 0, 7, false},
    {"from where the source stands", {TO_FILE, RANGES(SPAN(6, 8), LAST(1))},
     {REGULAR(10, 1), .position = 1}, {REGULAR(3, 2)},
     2, {{6, 2, 7, 0}, {8, 1, 9, 2}}, 0, 3, false},
    {"empty ones and clamped ones", {TO_FILE, RANGES(SPAN(5, 2), SPAN(8, 99), FROM(10), LAST(99))},
     {REGULAR(10, 1)}, {ABSENT},
     4, {{5, 0, 5, 0}, {8, 2, 8, 0}, {10, 0, 10, 2}, {0, 10, 0, 2}}, 0, 12, false},
    {"behind what the target has", {TO_FILE, RANGES(FROM(8), FROM(9)), .append = true},
     {REGULAR(10, 1)}, {REGULAR(50, 2)},
     2, {{8, 2, 8, 50}, {9, 1, 9, 52}}, 50, 3, false},
    {"where the target stands", {TO_STDOUT, RANGES(FROM(8), FROM(9))},
     {REGULAR(10, 1)}, {REGULAR(50, 2), .position = 7},
     2, {{8, 2, 8, 7}, {9, 1, 9, 9}}, 7, 3, false},
    {"at a position", {TO_FILE, RANGES(FROM(8), FROM(9)), SEEK_BACK(1)},
     {REGULAR(10, 1)}, {REGULAR(50, 2)},
     2, {{8, 2, 8, 49}, {9, 1, 9, 51}}, 49, 3, false},
    {"to a pipe there is no position", {TO_STDOUT, RANGES(FROM(8), FROM(9))},
     {REGULAR(10, 1)}, {PIPE(2)},
     2, {{8, 2, 8, 0}, {9, 1, 9, 0}}, 0, 3, false},
    {"up to the end of a device", {TO_FILE, RANGES(FROM(8), FROM(9)), SEEK(GIB - 3)},
     {REGULAR(10, 1)}, {BLOCK(GIB, 2)},
     2, {{8, 2, 8, GIB - 3}, {9, 1, 9, GIB - 1}}, GIB - 3, 3, false},
    {"up to the last position", {TO_FILE, RANGES(FROM(0), SPAN(0, 0))},
     {REGULAR(INT64_MAX, 1), .filesystem = EXT4_SUPER_MAGIC}, {ABSENT},
     2, {{0, INT64_MAX, 0, 0}, {0, 0, 0, INT64_MAX}}, 0, INT64_MAX, false},
    {"as many bytes as 64 bits count", {TO_STDOUT, RANGES(FROM(0), FROM(1))},
     {BLOCK(1ULL << 63, 1)}, {PIPE(2)},
     2, {{0, 1ULL << 63, 0, 0}, {1, INT64_MAX, 1, 0}}, 0, UINT64_MAX, false},
    {"records with gaps", {TO_FILE, RANGES(STEPS(0, 10, 3), STEPS(1, 10, 5))},
     {REGULAR(10, 1)}, {ABSENT},
     2, {{0, 4, 0, 0}, {1, 2, 1, 4}}, 0, 6, false},
    {"a stream", {TO_FILE, RANGES(SPAN(1, 3), SPAN(3, 3), SPAN(8, 9), FROM(9))},
     {PIPE(1)}, {ABSENT},
     4, {{1, 2, 0, 0}, {3, 0, 0, 2}, {8, 1, 0, 2}, {9, 0, 0, 3}}, 0, 0, false},
    {"a stream that must have them", {TO_FILE, RANGES(SPAN(1, 3), SPAN(8, 9), FROM(9)),
      .exact = true}, {PIPE(1)}, {ABSENT},
     3, {{1, 2, 0, 0}, {8, 1, 0, 2}, {9, 0, 0, 3}}, 0, 0, false},
    {"a file without a size", {TO_FILE, RANGES(SPAN(1, 3), FROM(9))},
     {PROC_FILE, .position = 4}, {ABSENT},
     2, {{1, 2, 5, 0}, {9, 0, 13, 2}}, 0, 0, false},
    {"in the gaps of the one before is behind it", {TO_FILE, RANGES(STEPS(0, 10, 4), FROM(9))},
     {PIPE(1)}, {ABSENT},
     2, {{0, 3, 0, 0}, {9, 0, 0, 3}}, 0, 0, false},
    {"--keep-offset", {TO_FILE, KEEP, RANGES(SPAN(6, 8), SPAN(0, 3), FROM(9))},
     {REGULAR(10, 1), .position = 0}, {REGULAR(50, 2)},
     3, {{6, 2, 6, 6}, {0, 3, 0, 0}, {9, 1, 9, 9}}, 6, 0, true},
    {"--keep-offset of a stream", {TO_FILE, KEEP, RANGES(SPAN(1, 3), SPAN(8, 9))},
     {PIPE(1)}, {ABSENT},
     2, {{1, 2, 0, 1}, {8, 1, 0, 8}}, 1, 0, true},
    {"--keep-offset to the last byte of a device",
     {TO_FILE, KEEP, RANGES(SPAN(GIB - 1, GIB), SPAN(0, 1))},
     {REGULAR(2 * GIB, 1)}, {BLOCK(GIB, 2)},
     2, {{GIB - 1, 1, GIB - 1, GIB - 1}, {0, 1, 0, 0}}, GIB - 1, 0, true},
    /* clang-format on */
};

static void expect_place(const struct zs_part *part, const struct place *place)
{
    ck_assert_uint_eq(part->range.start, place->start);
    if (part->range.bounded)
        ck_assert_uint_eq(part->range.length_bytes, place->length);
    ck_assert_uint_eq(part->source_position, place->source_position);
    ck_assert_uint_eq(part->target_position, place->target_position);
    ck_assert_uint_gt(part->engine_count, 0);
}

START_TEST(several_ranges_go_where_they_belong)
{
    struct zs_options options = complete(&layouts[_i].options);
    struct zs_plan plan;
    struct zs_error error = {0};
    int result = zs_plan_make(&options, &layouts[_i].source, &layouts[_i].target, &plan, &error);

    ck_assert_msg(result == 0, "%s is refused: %s: %s", layouts[_i].name, error.object,
                  error.detail);
    ck_assert_uint_eq(plan.part_count, layouts[_i].count);
    for (size_t i = 0; i < plan.part_count; i++)
        expect_place(&plan.parts[i], &layouts[_i].places[i]);
    ck_assert_uint_eq(plan.target_position, layouts[_i].target_position);
    ck_assert_uint_eq(plan.reserve_bytes, layouts[_i].reserve_bytes);
    ck_assert_int_eq(plan.scattered, layouts[_i].scattered);
    zs_plan_free(&plan);
}
END_TEST

/* Small spans of positions, and whether a position is in one. */
enum { SMALL_FILE = 5 };

static bool inside(uint64_t at, uint64_t from, uint64_t to)
{
    return at >= from && at < to;
}

/* Every two ranges of a file of 5 bytes to every position of itself. */
static void expect_two_ranges(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    static const struct zs_facts file = {REGULAR(SMALL_FILE, 1)};

    for (uint64_t seek = 0; seek <= 8; seek++) {
        struct zs_options row = {TO_FILE, RANGES(SPAN(a, b), SPAN(c, d)), SEEK(seek)};
        uint64_t length = b - a + d - c;
        bool in_both = false;
        for (uint64_t at = 0; at < 30; at++)
            in_both |= (inside(at, a, b) || inside(at, c, d)) && inside(at, seek, seek + length);
        ck_assert_msg(is_planned(&row, &file, &file) == !in_both,
                      "[%d, %d) and [%d, %d) to %d: in both %d", (int)a, (int)b, (int)c, (int)d,
                      (int)seek, in_both);
    }
}

START_TEST(two_ranges_within_a_file_are_refused_exactly_where_a_byte_is_in_both)
{
    uint64_t a = (uint64_t)_i;

    for (uint64_t b = a; b <= SMALL_FILE; b++) {
        for (uint64_t c = 0; c <= SMALL_FILE; c++) {
            for (uint64_t d = c; d <= SMALL_FILE; d++)
                expect_two_ranges(a, b, c, d);
        }
    }
}
END_TEST

/* Every range with gaps of a file of 12 bytes to every position of itself. */
static void expect_gaps(uint64_t a, uint64_t b, uint64_t step, uint64_t seek)
{
    static const struct zs_facts file = {REGULAR(12, 1)};
    struct zs_options row = {TO_FILE, RANGES(STEPS(a, b, step)), SEEK(seek)};
    uint64_t length = (b - a + step - 1) / step;
    uint64_t behind = length > 0 ? a + (length - 1) * step + 1 : a;
    bool in_both = false;

    for (uint64_t at = a; at < b; at += step)
        in_both |= inside(at, seek, seek + length);
    bool planned = is_planned(&row, &file, &file);
    ck_assert_msg(!planned || !in_both, "[%d, %d) by %d to %d overwrites itself", (int)a, (int)b,
                  (int)step, (int)seek);
    ck_assert_msg(planned || (length > 0 && seek < behind && a < seek + length),
                  "[%d, %d) by %d to %d is refused", (int)a, (int)b, (int)step, (int)seek);
}

START_TEST(a_range_with_gaps_within_a_file_never_overwrites_itself)
{
    uint64_t a = (uint64_t)_i;

    for (uint64_t b = a; b <= 12; b++) {
        for (uint64_t step = 1; step <= 5; step++) {
            for (uint64_t seek = 0; seek <= 14; seek++)
                expect_gaps(a, b, step, seek);
        }
    }
}
END_TEST

/*
 * Ranges with gaps, too, of an inherited source that stands at `position`: refused where a byte
 * that is written is read, and planned where all that is written lies apart from all that is read.
 */
static void expect_kept(uint64_t position, uint64_t a, uint64_t b, uint64_t c, uint64_t step)
{
    const struct zs_facts source = {REGULAR(30, 1), .position = position};
    const struct zs_facts target = {REGULAR(30, 1)};
    struct zs_options row = {TO_FILE, KEEP, RANGES(STEPS(a, b, step), SPAN(c, c + 2))};
    uint64_t read_first = UINT64_MAX, last = 0;
    bool read[64] = {false}, written[64] = {false}, in_both = false;

    for (uint64_t at = 0; at < 30; at++) {
        bool selected = (inside(at, a, b) && (at - a) % step == 0) || inside(at, c, c + 2);
        written[at] = selected;
        read[at + position] = selected;
        if (selected && at + position < read_first)
            read_first = at + position;
        if (selected)
            last = at;
    }
    for (uint64_t at = 0; at < 64; at++)
        in_both |= read[at] && written[at];
    bool planned = is_planned(&row, &source, &target);
    ck_assert_msg(!planned || !in_both, "from %d: [%d, %d) by %d overwrites itself", (int)position,
                  (int)a, (int)b, (int)step);
    ck_assert_msg(planned || last >= read_first, "from %d: [%d, %d) by %d is refused",
                  (int)position, (int)a, (int)b, (int)step);
}

START_TEST(kept_offsets_within_a_file_never_overwrite_what_is_read)
{
    for (uint64_t a = 0; a <= SMALL_FILE; a++) {
        for (uint64_t b = a; b <= SMALL_FILE; b++) {
            for (uint64_t c = 0; c <= SMALL_FILE; c++) {
                for (uint64_t step = 1; step <= 3; step++)
                    expect_kept((uint64_t)_i, a, b, c, step);
            }
        }
    }
}
END_TEST

/* Every two ranges: of a stream exactly those whose bytes come in the order in which it has them.
 */
START_TEST(a_stream_is_read_in_order)
{
    static const struct zs_facts pipe = {PIPE(1)}, file = {REGULAR(99, 1)}, target = {ABSENT};
    uint64_t a = (uint64_t)_i;

    for (uint64_t b = 0; b <= SMALL_FILE; b++) {
        for (uint64_t c = 0; c <= SMALL_FILE; c++) {
            for (uint64_t d = 0; d <= SMALL_FILE; d++) {
                struct zs_options row = {TO_FILE, RANGES(SPAN(a, b), SPAN(c, d))};
                uint64_t end = b > a ? b : a;
                ck_assert(is_planned(&row, &file, &target));
                ck_assert_int_eq(is_planned(&row, &pipe, &target), c >= end);
            }
        }
    }
}
END_TEST

/* A plan again, when the end of a stream is known */

START_TEST(a_plan_is_remade_when_the_end_is_known)
{
    struct zs_options row = {TO_FILE, BACKWARD(5), END_BACK(2), SEEK(9)};
    struct zs_options options = complete(&row);
    struct zs_facts pipe = {PIPE(1)}, held = {REGULAR(100, 7)}, target = {REGULAR(50, 2)};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, &pipe, &target, &plan, &error), 0);
    ck_assert_int_eq(plan.hold, ZS_HOLD_TAIL);
    ck_assert_int_eq(zs_plan_remake(&plan, &held, &target, &error), 0);
    ck_assert_ptr_eq(plan.options, &options);
    ck_assert_int_eq(plan.hold, ZS_HOLD_NOTHING);
    ck_assert_uint_eq(plan.part_count, 1);
    ck_assert_uint_eq(plan.parts[0].range.start, 95);
    ck_assert_uint_eq(plan.parts[0].range.length_bytes, 3);
    ck_assert_uint_eq(plan.parts[0].source_position, 95);
    ck_assert_uint_eq(plan.target_position, 9);
    ck_assert_int_eq(plan.placement, ZS_PLACE_AT);
    zs_plan_free(&plan);
}
END_TEST

START_TEST(a_plan_that_cannot_be_remade_stays)
{
    struct zs_options row = {TO_FILE, RANGES(SPAN(2, 4), SPAN(8, 9))};
    struct zs_options options = complete(&row);
    struct zs_facts pipe = {PIPE(1)}, held = {REGULAR(7, 7)}, target = {ABSENT};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, &pipe, &target, &plan, &error), 0);
    struct zs_part *parts = plan.parts;
    ck_assert_int_eq(zs_plan_remake(&plan, &held, &target, &error), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_SHORT);
    ck_assert_ptr_eq(plan.parts, parts);
    ck_assert_uint_eq(plan.part_count, 2);
    ck_assert_uint_eq(plan.parts[1].range.start, 8);
    zs_plan_free(&plan);
    zs_plan_free(&plan); /* may be called again */
}
END_TEST

START_TEST(a_tail_that_is_exact_is_judged_when_the_end_is_known)
{
    struct zs_options row = {TO_FILE, BACKWARD(5), .exact = true};
    struct zs_options options = complete(&row);
    struct zs_facts pipe = {PIPE(1)}, target = {ABSENT};

    for (uint64_t size = 0; size <= 10; size++) {
        struct zs_facts held = {REGULAR(size, 7)};
        struct zs_plan plan;
        struct zs_error error = {0};
        ck_assert_int_eq(zs_plan_make(&options, &pipe, &target, &plan, &error), 0);
        ck_assert_int_eq(zs_plan_remake(&plan, &held, &target, &error), size < 5 ? -1 : 0);
        ck_assert_int_eq(error.kind, size < 5 ? ZS_ERROR_SHORT : ZS_ERROR_NONE);
        zs_plan_free(&plan);
    }
}
END_TEST

/* What the target has already, over ranges of 10, 0, 5 and 20 bytes */

START_TEST(what_is_there_is_the_beginning_of_the_parts)
{
    static const uint64_t lengths[] = {10, 0, 5, 20};
    struct zs_options row = {TO_FILE, .resume = true,
                             RANGES(SPAN(50, 60), SPAN(0, 0), SPAN(1, 6), SPAN(0, 20))};
    struct zs_options options = complete(&row);
    struct zs_facts source = {REGULAR(100, 1)};

    for (uint64_t size = 0; size <= 35; size++) {
        struct zs_facts target = {REGULAR(size, 2)};
        struct zs_plan plan;
        struct zs_error error = {0};
        uint64_t before = 0;
        ck_assert_int_eq(zs_plan_make(&options, &source, &target, &plan, &error), 0);
        ck_assert_uint_eq(plan.resumed_bytes, size);
        ck_assert_uint_eq(plan.target_position, size);
        ck_assert_uint_eq(plan.reserve_bytes, 35 - size);
        ck_assert_uint_eq(zs_plan_total_bytes(&plan), 35 - size);
        for (int i = 0; i < ROWS(lengths); i++) {
            uint64_t present = size > before ? size - before : 0;
            ck_assert_uint_eq(plan.parts[i].present_bytes,
                              present < lengths[i] ? present : lengths[i]);
            ck_assert_uint_eq(plan.parts[i].target_position, before);
            before += lengths[i];
        }
        zs_plan_free(&plan);
    }
}
END_TEST

/* Blocks are shared from the first one on that is missing altogether. */
START_TEST(of_what_is_there_nothing_is_shared)
{
    enum { BLOCKS = 1024 };
    struct zs_options row = {TO_FILE, .resume = true};
    struct zs_options options = complete(&row);
    struct zs_facts source = {REGULAR(BLOCKS * 4096, 1), .block_bytes = 4096};
    static const uint64_t sizes[] = {1, 4095, 4096, 4097, 100 * 4096};

    for (int i = 0; i < ROWS(sizes); i++) {
        struct zs_facts target = {REGULAR(sizes[i], 2), .block_bytes = 4096};
        struct zs_plan plan;
        struct zs_error error = {0};
        uint64_t present = 0, shared = (sizes[i] + 4095) / 4096 * 4096;
        ck_assert_int_eq(zs_plan_make(&options, &source, &target, &plan, &error), 0);
        ck_assert(plan.shares);
        ck_assert_uint_eq(plan.part_count, 2);
        ck_assert(!plan.parts[0].shareable && plan.parts[1].shareable);
        for (size_t n = 0; n < plan.part_count; n++)
            present += plan.parts[n].present_bytes;
        ck_assert_uint_eq(present, sizes[i]);
        ck_assert_uint_eq(plan.parts[1].present_bytes, 0);
        ck_assert_uint_eq(plan.parts[1].range.start, shared);
        zs_plan_free(&plan);
    }
}
END_TEST

static const struct {
    struct zs_options options;
    struct zs_facts source, target;
    enum zs_holes_kept holes;
} hole_rows[] = {
    {{TO_FILE}, {WITH_HOLES(8192, 1)}, {ABSENT}, ZS_HOLES_KEPT},
    {{TO_FILE}, {WITH_HOLES(8192, 1)}, {REGULAR(5, 2)}, ZS_HOLES_KEPT},
    {{TO_FILE}, {REGULAR(8192, 1)}, {ABSENT}, ZS_HOLES_FILLED},
    {{TO_FILE}, {WITH_HOLES(8191, 1)}, {ABSENT}, ZS_HOLES_FILLED}, /* hardly a block */
    {{TO_FILE, .resume = true}, {WITH_HOLES(8192, 1)}, {REGULAR(5, 2)}, ZS_HOLES_KEPT},
    {{TO_FILE, .atomic = true}, {WITH_HOLES(8192, 1)}, {REGULAR(5, 2)}, ZS_HOLES_KEPT},
    {{TO_FILE, SEEK(0)}, {WITH_HOLES(8192, 1)}, {ABSENT}, ZS_HOLES_FILLED},
    {{TO_FILE, .append = true}, {WITH_HOLES(8192, 1)}, {ABSENT}, ZS_HOLES_FILLED},
    {{TO_FILE}, {WITH_HOLES(8192, 1)}, {BLOCK(GIB, 2)}, ZS_HOLES_FILLED},
    {{TO_STDOUT}, {WITH_HOLES(8192, 1)}, {PIPE(2)}, ZS_HOLES_FILLED},
    {{TO_FILE, .sparse = ZS_SPARSE_NEVER}, {WITH_HOLES(8192, 1)}, {ABSENT}, ZS_HOLES_FILLED},
    {{TO_FILE, .sparse = ZS_SPARSE_ALWAYS}, {REGULAR(10, 1)}, {ABSENT}, ZS_HOLES_MADE},
    {{TO_FILE, .sparse = ZS_SPARSE_ALWAYS}, {PIPE(1)}, {ABSENT}, ZS_HOLES_MADE},
    {{TO_FILE, .sparse = ZS_SPARSE_ALWAYS, SEEK(3)},
     {REGULAR(10, 1)},
     {BLOCK(GIB, 2)},
     ZS_HOLES_MADE},
};

START_TEST(holes_are_kept_made_or_filled)
{
    struct zs_options options = complete(&hole_rows[_i].options);
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(
        zs_plan_make(&options, &hole_rows[_i].source, &hole_rows[_i].target, &plan, &error), 0);
    ck_assert_int_eq(plan.parts[0].holes, hole_rows[_i].holes);
    ck_assert_int_eq(plan.looks_for_space, hole_rows[_i].holes == ZS_HOLES_KEPT);
    if (hole_rows[_i].holes == ZS_HOLES_MADE) {
        ck_assert_uint_eq(plan.reserve_bytes, 0);
        ck_assert_int_eq(plan.parts[0].engines[0], ZS_ENGINE_BUFFER);
    }
    zs_plan_free(&plan);
}
END_TEST

START_TEST(what_proves_a_copy_is_in_the_plan)
{
    struct zs_options row = {TO_FILE, .atomic = true, .verify = true, .digest = ZS_DIGEST_SHA256};
    struct zs_options options = complete(&row);
    struct zs_facts file = {REGULAR(10, 1)}, pipe = {PIPE(1)}, target = {REGULAR(5, 2)};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, &file, &target, &plan, &error), 0);
    ck_assert(plan.atomic && plan.verify && plan.sync && !plan.digest_fed);
    ck_assert_int_eq(plan.placement, ZS_PLACE_WHOLE);
    zs_plan_free(&plan);
    options.verify = options.atomic = false;
    ck_assert_int_eq(zs_plan_make(&options, &pipe, &target, &plan, &error), 0);
    ck_assert(plan.digest_fed && !plan.sync);
    ck_assert_uint_eq(plan.parts[0].engine_count, 1);
    ck_assert_int_eq(plan.parts[0].engines[0], ZS_ENGINE_BUFFER);
    zs_plan_free(&plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *refusal = add_case(suite, "refusal");
    add_rows(refusal, a_plan_that_cannot_be_is_refused, refused);

    TCase *content = add_case(suite, "content");
    add_rows(content, a_valid_plan_says_what_goes_where, valid);
    add_rows(content, the_longest_part_is_found, longest);
    tcase_add_loop_test(
        content, a_copy_within_a_file_is_refused_exactly_where_a_byte_is_in_both_regions, 0, 9);
    tcase_add_test(content, a_copy_within_a_file_counts_from_where_an_inherited_source_stands);
    tcase_add_test(content, facts_and_options_are_left_as_they_are);

    TCase *several = add_case(suite, "several");
    add_rows(several, several_ranges_go_where_they_belong, layouts);
    tcase_add_loop_test(several,
                        two_ranges_within_a_file_are_refused_exactly_where_a_byte_is_in_both, 0,
                        SMALL_FILE + 1);
    tcase_add_loop_test(several, a_range_with_gaps_within_a_file_never_overwrites_itself, 0, 13);
    tcase_add_loop_test(several, kept_offsets_within_a_file_never_overwrite_what_is_read, 0, 9);
    tcase_add_loop_test(several, a_stream_is_read_in_order, 0, SMALL_FILE + 1);

    TCase *again = add_case(suite, "again");
    tcase_add_test(again, a_plan_is_remade_when_the_end_is_known);
    tcase_add_test(again, a_plan_that_cannot_be_remade_stays);
    tcase_add_test(again, a_tail_that_is_exact_is_judged_when_the_end_is_known);

    TCase *engines = add_case(suite, "engines");
    add_rows(engines, engines_are_ordered_by_the_kinds_of_both_ends, orders);
    add_rows(engines, an_engine_may_be_forced_exactly_where_auto_would_try_it, orders);
    add_rows(engines, pieces_with_gaps_have_engines_of_their_own, orders);
    add_rows(engines, a_stream_that_is_held_is_copied_like_a_file_but_never_referred_to, orders);
    add_rows(engines, a_forced_engine_copies_a_stream_piece_by_piece_unless_it_gathers, orders);
    add_rows(engines, a_servers_file_is_first_copied_by_the_server, orders);
    add_rows(engines, stable_leaves_to_streams_the_engines_that_copy, orders);
    tcase_add_test(engines, a_part_has_the_jobs_that_it_can_use);
    add_rows(engines, the_engine_that_is_passed_over_is_known_and_why, reasons);
    add_rows(engines, an_engine_that_is_passed_over_is_not_used, orders);

    TCase *device = add_case(suite, "device");
    add_rows(device, sync_needs_a_target_that_keeps_bytes, orders);
    add_rows(device, the_cache_can_be_given_back_wherever_the_bytes_go, orders);

    TCase *sharing = add_case(suite, "sharing");
    add_rows(sharing, whole_blocks_are_cut_out_to_be_shared, cuts);
    tcase_add_loop_test(sharing, every_small_slice_is_cut_at_its_blocks, 0, 19);
    tcase_add_test(sharing, what_cannot_be_shared_is_planned_again_as_a_copy);

    TCase *proof = add_case(suite, "proof");
    tcase_add_test(proof, what_is_there_is_the_beginning_of_the_parts);
    tcase_add_test(proof, of_what_is_there_nothing_is_shared);
    add_rows(proof, holes_are_kept_made_or_filled, hole_rows);
    tcase_add_test(proof, what_proves_a_copy_is_in_the_plan);
    return run_pure_suite(suite);
}
