/*
 * The plan as a value: every refusal, what a valid plan contains, the order of engines for every
 * pair of ends, and the exhaustive truth about a file that is copied to itself.
 */

#include "plan.h"

#include "check_helpers.h"
#include "engine.h"

#include <errno.h>

/* Ends. All of them may be read and written, unless a row says otherwise. */
#define MODES .readable = true, .writable = true
#define REGULAR(size, number)                                                                      \
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
    /* a stream has no end to count from */
    {{TO_FILE, BACKWARD(5)}, {PIPE(1)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "the end of a pipe is not known"},
    {{TO_FILE, BACKWARD(0)}, {STREAM(ZS_KIND_SOCKET)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "a socket"},
    {{TO_FILE, END_BACK(5)}, {STREAM(ZS_KIND_CHARACTER)}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "a character device"},
    {{TO_FILE, BACKWARD(5)}, {PROC_FILE}, {ABSENT},
     ZS_ERROR_REFUSED, "in", "slicing", 0, "a file without a size"},
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
    /* clang-format on */
};

START_TEST(a_plan_that_cannot_be_is_refused)
{
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(
        zs_plan_make(&refused[_i].options, &refused[_i].source, &refused[_i].target, &plan, &error),
        -1);
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

static const struct {
    const char *name;
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    struct zs_plan expected; /* but for the engines */
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
     {REGULAR(INT64_MAX, 1)},
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

static void expect_plan(const struct zs_plan *plan, const struct zs_plan *expected)
{
    ck_assert_uint_eq(plan->range.start, expected->range.start);
    ck_assert_int_eq(plan->range.bounded, expected->range.bounded);
    if (expected->range.bounded)
        ck_assert_uint_eq(plan->range.length_bytes, expected->range.length_bytes);
    ck_assert_uint_eq(plan->source_position, expected->source_position);
    ck_assert_int_eq(plan->exact, expected->exact);
    ck_assert_int_eq(plan->placement, expected->placement);
    ck_assert_uint_eq(plan->target_position, expected->target_position);
    ck_assert_int_eq(plan->must_create, expected->must_create);
    ck_assert_int_eq(plan->cut_after, expected->cut_after);
    ck_assert_uint_eq(plan->reserve_bytes, expected->reserve_bytes);
    ck_assert(!plan->engine_forced);
    ck_assert_uint_gt(plan->engine_count, 0);
}

START_TEST(a_valid_plan_says_what_goes_where)
{
    struct zs_plan plan;
    struct zs_error error = {0};
    int result =
        zs_plan_make(&valid[_i].options, &valid[_i].source, &valid[_i].target, &plan, &error);

    ck_assert_msg(result == 0, "%s is refused: %s: %s", valid[_i].name, error.object, error.detail);
    ck_assert_int_eq(error.kind, ZS_ERROR_NONE);
    expect_plan(&plan, &valid[_i].expected);
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
            struct zs_plan plan;
            struct zs_error error = {0};
            int in_both = 0;
            for (uint64_t at = 0; at < 30; at++)
                in_both += at >= offset && at < offset + length && at >= seek && at < seek + length;

            int result = zs_plan_make(&options, &file, &file, &plan, &error);
            ck_assert_msg((result == 0) == (in_both == 0),
                          "offset %d length %d seek %d: %d bytes in both, result %d", (int)offset,
                          (int)length, (int)seek, in_both, result);
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
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&behind, &source, &target, &plan, &error), 0);
    ck_assert_int_eq(zs_plan_make(&before, &source, &target, &plan, &error), 0);
    ck_assert_int_eq(zs_plan_make(&over, &source, &target, &plan, &error), -1);
}
END_TEST

/* The order of engines, for every source and target there is. */
#define SPLICE   ZS_ENGINE_SPLICE
#define SENDFILE ZS_ENGINE_SENDFILE
#define MAP      ZS_ENGINE_MAP_WRITE
#define BUFFER   ZS_ENGINE_BUFFER
#define NO_MORE  ZS_ENGINE_COUNT

#define SMALL (128 * 1024)

static const struct zs_facts files[] = {{REGULAR(GIB, 1)}, {BLOCK(GIB, 1)}};

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

static void expect_engines(const struct zs_facts *source, int order, uint64_t length,
                           const enum zs_engine_id *expected)
{
    struct zs_options options = {TO_FILE, LENGTH(length), .append = orders[order].append};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, source, &orders[order].target, &plan, &error), 0);
    for (size_t i = 0; i < plan.engine_count; i++)
        ck_assert_msg(plan.engines[i] == expected[i], "%s to %s: engine %zu is %s",
                      zs_facts_kind_name(source->kind),
                      zs_facts_kind_name(orders[order].target.kind), i,
                      zs_engine_names[plan.engines[i]]);
    ck_assert_int_eq(expected[plan.engine_count], NO_MORE);
}

START_TEST(engines_are_ordered_by_the_kinds_of_both_ends)
{
    for (int s = 0; s < ROWS(files); s++) {
        expect_engines(&files[s], _i, 0, orders[_i].small_file);
        expect_engines(&files[s], _i, SMALL, orders[_i].small_file);
        expect_engines(&files[s], _i, SMALL + 1, orders[_i].large_file);
        expect_engines(&files[s], _i, GIB, orders[_i].large_file);
    }
    for (int s = 0; s < ROWS(streams); s++)
        expect_engines(&streams[s], _i, GIB, orders[_i].stream);

    static const enum zs_engine_id only_buffer[] = {BUFFER, NO_MORE};
    expect_engines(&terminal, _i, GIB, only_buffer);
}
END_TEST

/* Whatever auto tries, the user may force, and nothing else. */
START_TEST(an_engine_may_be_forced_exactly_where_auto_would_try_it)
{
    const struct zs_facts *sources[] = {&files[0], &files[1], &streams[0], &streams[4], &terminal};

    for (int s = 0; s < ROWS(sources); s++) {
        struct zs_options options = {TO_FILE, LENGTH(GIB), .append = orders[_i].append};
        struct zs_plan automatic;
        struct zs_error none = {0};
        bool tried[ZS_ENGINE_COUNT] = {false};
        ck_assert_int_eq(zs_plan_make(&options, sources[s], &orders[_i].target, &automatic, &none),
                         0);
        for (size_t i = 0; i < automatic.engine_count; i++)
            tried[automatic.engines[i]] = true;

        for (int id = 0; id < ZS_ENGINE_COUNT; id++) {
            struct zs_plan plan;
            struct zs_error error = {0};
            options.engine_forced = true;
            options.engine = (enum zs_engine_id)id;
            int result = zs_plan_make(&options, sources[s], &orders[_i].target, &plan, &error);
            ck_assert_int_eq(result, tried[id] ? 0 : -1);
            if (result < 0)
                continue;
            ck_assert(plan.engine_forced);
            ck_assert_uint_eq(plan.engine_count, 1);
            ck_assert_int_eq(plan.engines[0], id);
        }
    }
}
END_TEST

START_TEST(facts_and_options_are_left_as_they_are)
{
    struct zs_options options = {TO_FILE, .append = true};
    struct zs_facts source = {REGULAR(10, 1)}, target = {REGULAR(5, 2)};
    struct zs_plan plan;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_plan_make(&options, &source, &target, &plan, &error), 0);
    ck_assert(!target.append);
    ck_assert_uint_eq(target.size_bytes, 5);
    ck_assert_uint_eq(source.size_bytes, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *refusal = add_case(suite, "refusal");
    add_rows(refusal, a_plan_that_cannot_be_is_refused, refused);

    TCase *content = add_case(suite, "content");
    add_rows(content, a_valid_plan_says_what_goes_where, valid);
    tcase_add_loop_test(
        content, a_copy_within_a_file_is_refused_exactly_where_a_byte_is_in_both_regions, 0, 9);
    tcase_add_test(content, a_copy_within_a_file_counts_from_where_an_inherited_source_stands);
    tcase_add_test(content, facts_and_options_are_left_as_they_are);

    TCase *engines = add_case(suite, "engines");
    add_rows(engines, engines_are_ordered_by_the_kinds_of_both_ends, orders);
    add_rows(engines, an_engine_may_be_forced_exactly_where_auto_would_try_it, orders);
    return run_pure_suite(suite);
}
