/* The choice of engines: each row of the table, and both sides of every bound in it. */

#include "choice.h"

#include "check_helpers.h"

#include <linux/magic.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* As in choice.c, which has the measurements. */
#define FEW_CALLS_BYTES    (256 * KIB)
#define AHEAD_BYTES        (64 * MIB)
#define GATHER_BELOW_BYTES (4 * KIB)

/* Ends. */
#define FILE_ON(type)                                                                              \
    .kind = ZS_KIND_REGULAR, .readable = true, .writable = true, .positioned = true,               \
    .sized = true, .size_bytes = 64 * GIB, .filesystem = (type)
#define REGULAR      FILE_ON(EXT4_SUPER_MAGIC)
#define CACHED       REGULAR, .cached = true
#define UNIX_SOCKET  .kind = ZS_KIND_SOCKET, .local = true
#define BLOCK_DEVICE .kind = ZS_KIND_BLOCK, .positioned = true, .sized = true
#define ABSENT       .kind = ZS_KIND_NONE, .positioned = true, .sized = true
#define STREAM(of)   .kind = (of)
#define PROC_FILE    .kind = ZS_KIND_REGULAR, .positioned = true

/* Ranges. */
#define TOGETHER(bytes)                                                                            \
    .piece_bytes = 1, .stride_bytes = 1, .length_bytes = (bytes), .bounded = true
#define TO_THE_END .piece_bytes = 1, .stride_bytes = 1
#define PIECES(piece, bytes)                                                                       \
    .piece_bytes = (piece), .stride_bytes = 2 * (piece), .length_bytes = (bytes), .bounded = true

/* The rows of the table, by their engines and the words of their reason. */
enum row {
    GATHER,
    SHARE_OR_SERVER,
    SHARE,
    SERVER,
    TCP,
    SEND,
    FEWEST,
    UNCACHED,
    SMALL,
    LARGE,
    REFERENCES,
    ROW_COUNT
};

#define REFLINK    ZS_ENGINE_REFLINK
#define COPY_RANGE ZS_ENGINE_COPY_RANGE
#define SPLICE     ZS_ENGINE_SPLICE
#define SENDFILE   ZS_ENGINE_SENDFILE
#define MAP_WRITE  ZS_ENGINE_MAP_WRITE
#define BUFFER     ZS_ENGINE_BUFFER
#define NO_MORE    ZS_ENGINE_COUNT

static const struct {
    enum zs_engine_id engines[ZS_ENGINE_COUNT + 1];
    const char *why; /* a part of it */
} rows[ROW_COUNT] = {
    [GATHER] = {{BUFFER, NO_MORE}, "gathered in memory"},
    [SHARE_OR_SERVER] = {{REFLINK, COPY_RANGE, MAP_WRITE, SPLICE, SENDFILE, BUFFER, NO_MORE},
                         "may share blocks, or copy by itself"},
    [SHARE] = {{REFLINK, MAP_WRITE, SPLICE, SENDFILE, BUFFER, NO_MORE}, "shared, not copied"},
    [SERVER] = {{COPY_RANGE, SPLICE, MAP_WRITE, SENDFILE, BUFFER, NO_MORE}, "server"},
    [TCP] = {{MAP_WRITE, SENDFILE, SPLICE, BUFFER, NO_MORE}, "TCP takes long writes"},
    [SEND] = {{SENDFILE, SPLICE, MAP_WRITE, BUFFER, NO_MORE}, "a socket sends"},
    [UNCACHED] = {{MAP_WRITE, SPLICE, SENDFILE, BUFFER, NO_MORE}, "past the page cache"},
    [FEWEST] = {{SENDFILE, SPLICE, MAP_WRITE, BUFFER, NO_MORE}, "fewest system calls"},
    [SMALL] = {{MAP_WRITE, SPLICE, SENDFILE, BUFFER, NO_MORE}, "up to 1 MiB is one write"},
    [LARGE] = {{MAP_WRITE, SPLICE, SENDFILE, BUFFER, NO_MORE}, "cached is written from where"},
    [REFERENCES] = {{SPLICE, MAP_WRITE, SENDFILE, BUFFER, NO_MORE}, "references to pages"},
};

enum { PIECEWISE = 1, SHAREABLE = 2, NO_CACHE = 4 };

static const struct {
    const char *name;
    struct zs_range range;
    struct zs_facts source;
    struct zs_facts target;
    unsigned flags;
    unsigned jobs;
    enum row expected;
    unsigned expected_jobs;
} choices[] = {
    /* clang-format off */
    /* short pieces, and those of a stream, are gathered; up to a bound, exactly */
    {"bytes of a file", {PIECES(1, GIB)}, {REGULAR}, {ABSENT}, 0, 1, GATHER, 1},
    {"short pieces", {PIECES(GATHER_BELOW_BYTES - 1, GIB)}, {REGULAR}, {ABSENT},
     0, 1, GATHER, 1},
    {"long pieces", {PIECES(GATHER_BELOW_BYTES, GIB)}, {REGULAR}, {ABSENT},
     0, 1, REFERENCES, 1},
    {"short pieces into a pipe", {PIECES(GATHER_BELOW_BYTES - 1, GIB)}, {BLOCK_DEVICE},
     {STREAM(ZS_KIND_PIPE)}, 0, 1, GATHER, 1},
    {"long pieces into a socket", {PIECES(GATHER_BELOW_BYTES, GIB)}, {REGULAR},
     {STREAM(ZS_KIND_SOCKET)}, 0, 1, REFERENCES, 1},
    {"long pieces of a pipe", {PIECES(GATHER_BELOW_BYTES, GIB)}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     0, 1, GATHER, 1},
    {"long pieces of a file without a size", {PIECES(GIB, 4 * GIB)}, {PROC_FILE}, {ABSENT},
     0, 1, GATHER, 1},
    {"long pieces of a pipe, one by one", {PIECES(GATHER_BELOW_BYTES, GIB)},
     {STREAM(ZS_KIND_PIPE)}, {ABSENT}, PIECEWISE, 1, REFERENCES, 1},
    {"short pieces, one by one", {PIECES(1, GIB)}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     PIECEWISE, 1, REFERENCES, 1},
    {"short pieces of a server's file", {PIECES(1, GIB)}, {FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT},
     0, 1, GATHER, 1},
    {"long pieces of a server's file", {PIECES(GATHER_BELOW_BYTES, GIB)},
     {FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT}, 0, 1, REFERENCES, 1},
    {"few long pieces", {PIECES(GATHER_BELOW_BYTES, 2 * GATHER_BELOW_BYTES)}, {REGULAR}, {ABSENT},
     0, 1, REFERENCES, 1},
    /* what can be shared is, whatever else may be said for it */
    {"blocks", {TOGETHER(4 * KIB)}, {REGULAR}, {ABSENT}, SHAREABLE, 1, SHARE, 1},
    {"many blocks", {TOGETHER(GIB)}, {REGULAR}, {REGULAR}, SHAREABLE, 1, SHARE, 1},
    {"many blocks, two jobs", {TOGETHER(GIB)}, {REGULAR}, {REGULAR}, SHAREABLE, 2, SHARE, 2},
    {"blocks on a server", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT},
     SHAREABLE, 1, SHARE_OR_SERVER, 1},
    {"blocks on a server, within it", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC), .device = 5},
     {REGULAR, .device = 5}, SHAREABLE, 2, SHARE_OR_SERVER, 2},
    {"blocks on a server, to elsewhere", {TOGETHER(GIB)},
     {FILE_ON(NFS_SUPER_MAGIC), .device = 5}, {REGULAR, .device = 6}, SHAREABLE, 1, SHARE, 1},
    /* a server may copy by itself: NFS, SMB, Ceph, FUSE; only from file to file */
    {"NFS", {TOGETHER(1)}, {FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT}, 0, 1, SERVER, 1},
    {"CIFS", {TOGETHER(GIB)}, {FILE_ON(CIFS_SUPER_MAGIC)}, {REGULAR}, 0, 1, SERVER, 1},
    {"SMB", {TOGETHER(GIB)}, {FILE_ON(SMB2_SUPER_MAGIC)}, {ABSENT}, 0, 1, SERVER, 1},
    {"Ceph", {TOGETHER(GIB)}, {FILE_ON(CEPH_SUPER_MAGIC)}, {ABSENT}, 0, 1, SERVER, 1},
    {"FUSE", {TOGETHER(GIB)}, {FILE_ON(FUSE_SUPER_MAGIC)}, {ABSENT}, 0, 2, SERVER, 2},
    {"NFS within it", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC), .device = 5},
     {REGULAR, .device = 5}, 0, 1, SERVER, 1},
    {"NFS to elsewhere", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC), .device = 5},
     {REGULAR, .device = 6}, 0, 1, REFERENCES, 1},
    {"NFS to elsewhere, a byte", {TOGETHER(1)}, {FILE_ON(NFS_SUPER_MAGIC), .device = 5},
     {REGULAR, .device = 6}, 0, 1, FEWEST, 1},
    {"NFS to a device", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC)}, {BLOCK_DEVICE},
     0, 1, REFERENCES, 1},
    {"NFS, large and cached", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC), .cached = true}, {ABSENT},
     0, 1, SERVER, 1},
    {"NFS to a pipe", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC)}, {STREAM(ZS_KIND_PIPE)},
     0, 1, REFERENCES, 1},
    {"NFS to a socket", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC)}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    {"to NFS from elsewhere", {TOGETHER(GIB)}, {REGULAR}, {FILE_ON(NFS_SUPER_MAGIC)},
     0, 1, REFERENCES, 1},
    {"a file system that is not known", {TOGETHER(GIB)}, {FILE_ON(0)}, {ABSENT},
     0, 1, REFERENCES, 1},
    /* a socket, however much it gets */
    {"a byte to a socket", {TOGETHER(1)}, {REGULAR}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    {"much to a socket", {TOGETHER(GIB)}, {BLOCK_DEVICE}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    {"a pipe to a socket", {TO_THE_END}, {STREAM(ZS_KIND_PIPE)}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    /* past the page cache: of files, to files, together */
    {"no cache", {TOGETHER(GIB)}, {REGULAR}, {ABSENT}, NO_CACHE, 1, UNCACHED, 1},
    {"no cache, two jobs", {TOGETHER(GIB)}, {BLOCK_DEVICE}, {REGULAR},
     NO_CACHE, 2, UNCACHED, 2},
    {"no cache, a byte", {TOGETHER(1)}, {REGULAR}, {REGULAR}, NO_CACHE, 1, FEWEST, 1},
    {"no cache, a pipe", {TOGETHER(GIB)}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     NO_CACHE, 1, REFERENCES, 1},
    {"no cache, to a pipe", {TOGETHER(GIB)}, {REGULAR}, {STREAM(ZS_KIND_PIPE)},
     NO_CACHE, 1, REFERENCES, 1},
    {"no cache, to a socket", {TOGETHER(GIB)}, {REGULAR}, {STREAM(ZS_KIND_SOCKET)},
     NO_CACHE, 1, SEND, 1},
    {"no cache, pieces", {PIECES(MIB, GIB)}, {REGULAR}, {ABSENT},
     NO_CACHE, 1, REFERENCES, 1},
    {"no cache, blocks", {TOGETHER(GIB)}, {REGULAR}, {ABSENT}, SHAREABLE | NO_CACHE, 1, SHARE, 1},
    {"no cache, NFS", {TOGETHER(GIB)}, {FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT},
     NO_CACHE, 1, SERVER, 1},
    {"no cache, to a device", {TOGETHER(FEW_CALLS_BYTES + 1)}, {REGULAR}, {BLOCK_DEVICE},
     NO_CACHE, 1, UNCACHED, 1},
    {"no cache, to the end of a file without a size", {TO_THE_END}, {PROC_FILE}, {ABSENT},
     NO_CACHE, 1, REFERENCES, 1},
    {"no cache, large and cached, to TCP", {TOGETHER(GIB)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)},
     NO_CACHE, 1, TCP, 1},
    /* the smallest copies between files; up to a bound, exactly */
    {"nothing", {TOGETHER(0)}, {REGULAR}, {ABSENT}, 0, 1, FEWEST, 1},
    {"a byte", {TOGETHER(1)}, {REGULAR}, {REGULAR}, 0, 1, FEWEST, 1},
    {"the most that wants few calls", {TOGETHER(FEW_CALLS_BYTES)}, {BLOCK_DEVICE}, {BLOCK_DEVICE},
     0, 1, FEWEST, 1},
    {"the most of a pipe that does", {TOGETHER(FEW_CALLS_BYTES)}, {STREAM(ZS_KIND_PIPE)}, {REGULAR},
     0, 1, FEWEST, 1},
    {"the least of a pipe that does not", {TOGETHER(FEW_CALLS_BYTES + 1)}, {STREAM(ZS_KIND_PIPE)},
     {REGULAR}, 0, 1, REFERENCES, 1},
    {"the least of a file without a size", {TOGETHER(FEW_CALLS_BYTES + 1)}, {PROC_FILE}, {REGULAR},
     0, 1, REFERENCES, 1},
    {"few long pieces that are small", {PIECES(GATHER_BELOW_BYTES, FEW_CALLS_BYTES)}, {REGULAR},
     {ABSENT}, 0, 1, REFERENCES, 1},
    /* small copies between files; up to a bound, exactly, and cached or not */
    {"the least of one write", {TOGETHER(FEW_CALLS_BYTES + 1)}, {BLOCK_DEVICE}, {BLOCK_DEVICE},
     0, 1, SMALL, 1},
    {"the most of one write", {TOGETHER(ZS_SMALL_BYTES)}, {REGULAR}, {ABSENT}, 0, 1, SMALL, 1},
    {"the most of one write, two jobs", {TOGETHER(ZS_SMALL_BYTES)}, {CACHED}, {REGULAR},
     0, 2, SMALL, 1},
    {"the least of several", {TOGETHER(ZS_SMALL_BYTES + 1)}, {REGULAR}, {ABSENT},
     0, 1, REFERENCES, 1},
    {"the least of several, cached", {TOGETHER(ZS_SMALL_BYTES + 1)}, {CACHED}, {REGULAR},
     0, 1, REFERENCES, 1},
    {"one write into a pipe", {TOGETHER(ZS_SMALL_BYTES)}, {REGULAR}, {STREAM(ZS_KIND_PIPE)},
     0, 1, REFERENCES, 1},
    {"one write to TCP", {TOGETHER(ZS_SMALL_BYTES)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    {"one write to a server", {TOGETHER(ZS_SMALL_BYTES)}, {REGULAR}, {FILE_ON(NFS_SUPER_MAGIC)},
     0, 1, SMALL, 1},
    {"one write from a server", {TOGETHER(ZS_SMALL_BYTES)}, {FILE_ON(NFS_SUPER_MAGIC)}, {ABSENT},
     0, 1, SERVER, 1},
    {"pieces of one write", {PIECES(64 * KIB, ZS_SMALL_BYTES)}, {REGULAR}, {ABSENT},
     0, 1, REFERENCES, 1},
    {"a small one into a pipe", {TOGETHER(1)}, {REGULAR}, {STREAM(ZS_KIND_PIPE)},
     0, 1, REFERENCES, 1},
    {"a small one into a device", {TOGETHER(1)}, {REGULAR}, {STREAM(ZS_KIND_CHARACTER)},
     0, 1, REFERENCES, 1},
    {"a small part of a pipe", {TOGETHER(1)}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     0, 1, FEWEST, 1},
    {"a pipe to its end", {TO_THE_END}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     0, 1, REFERENCES, 1},
    /* a large source that is cached, to a file or TCP; from a bound on */
    {"large and cached", {TOGETHER(GIB)}, {CACHED}, {ABSENT}, 0, 1, LARGE, 1},
    {"large and not cached", {TOGETHER(GIB)}, {REGULAR}, {ABSENT}, 0, 1, REFERENCES, 1},
    {"just large", {TOGETHER(ZS_LARGE_BYTES)}, {CACHED}, {BLOCK_DEVICE}, 0, 1, LARGE, 1},
    {"just not large", {TOGETHER(ZS_LARGE_BYTES - 1)}, {CACHED}, {BLOCK_DEVICE},
     0, 1, REFERENCES, 1},
    {"large and cached, into a pipe", {TOGETHER(GIB)}, {CACHED}, {STREAM(ZS_KIND_PIPE)},
     0, 1, REFERENCES, 1},
    {"large and cached, pieces", {PIECES(MIB, GIB)}, {CACHED}, {ABSENT}, 0, 1, REFERENCES, 1},
    {"large and cached, to TCP", {TOGETHER(GIB)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, TCP, 1},
    {"just large, to TCP", {TOGETHER(ZS_LARGE_BYTES)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, TCP, 1},
    {"just not large, to TCP", {TOGETHER(ZS_LARGE_BYTES - 1)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    {"large and not cached, to TCP", {TOGETHER(GIB)}, {REGULAR}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, SEND, 1},
    {"large and cached, to a local socket", {TOGETHER(GIB)}, {CACHED}, {UNIX_SOCKET},
     0, 1, SEND, 1},
    {"large and cached pieces, to TCP", {PIECES(MIB, GIB)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)},
     0, 1, REFERENCES, 1},
    {"blocks that are large and cached", {TOGETHER(GIB)}, {CACHED}, {ABSENT},
     SHAREABLE, 1, SHARE, 1},
    /* a second thread: for files only, if it may be used, from a bound on */
    {"one job", {TOGETHER(GIB)}, {CACHED}, {ABSENT}, 0, 1, LARGE, 1},
    {"two jobs", {TOGETHER(GIB)}, {CACHED}, {ABSENT}, 0, 2, LARGE, 2},
    {"many jobs", {TOGETHER(GIB)}, {CACHED}, {ABSENT}, 0, 4096, LARGE, 2},
    {"two jobs, not cached", {TOGETHER(GIB)}, {REGULAR}, {ABSENT}, 0, 2, REFERENCES, 2},
    {"two jobs, just not worth it", {TOGETHER(AHEAD_BYTES - 1)}, {CACHED}, {REGULAR},
     0, 2, LARGE, 1},
    {"two jobs, just worth it", {TOGETHER(AHEAD_BYTES)}, {CACHED}, {REGULAR}, 0, 2, LARGE, 2},
    {"two jobs to TCP", {TOGETHER(GIB)}, {CACHED}, {STREAM(ZS_KIND_SOCKET)}, 0, 2, TCP, 1},
    {"two jobs to a pipe", {TOGETHER(GIB)}, {CACHED}, {STREAM(ZS_KIND_PIPE)}, 0, 2, REFERENCES, 1},
    {"two jobs, a small copy", {TOGETHER(1)}, {CACHED}, {ABSENT}, 0, 2, FEWEST, 1},
    {"two jobs, a file without a size", {TOGETHER(GIB)}, {PROC_FILE}, {ABSENT},
     0, 2, REFERENCES, 1},
    {"two jobs, a pipe", {TOGETHER(GIB)}, {STREAM(ZS_KIND_PIPE)}, {ABSENT}, 0, 2, REFERENCES, 1},
    {"two jobs, pieces", {PIECES(MIB, GIB)}, {CACHED}, {ABSENT}, 0, 2, REFERENCES, 1},
    {"two jobs, short pieces", {PIECES(1, GIB)}, {CACHED}, {ABSENT}, 0, 2, GATHER, 1},
    {"a file that is held, to an end that is not known", {TO_THE_END}, {CACHED}, {ABSENT},
     0, 2, REFERENCES, 1},
    /* everything else */
    {"a file into a pipe", {TOGETHER(GIB)}, {REGULAR}, {STREAM(ZS_KIND_PIPE)},
     0, 1, REFERENCES, 1},
    {"a pipe into a pipe", {TO_THE_END}, {STREAM(ZS_KIND_PIPE)}, {STREAM(ZS_KIND_PIPE)},
     0, 1, REFERENCES, 1},
    {"a device into a terminal", {TO_THE_END}, {STREAM(ZS_KIND_CHARACTER)},
     {STREAM(ZS_KIND_TERMINAL)}, 0, 1, REFERENCES, 1},
    {"something else", {TO_THE_END}, {STREAM(ZS_KIND_OTHER)}, {STREAM(ZS_KIND_OTHER)},
     0, 1, REFERENCES, 1},
    /* clang-format on */
};

static struct zs_choice choose(int row, unsigned jobs)
{
    const struct zs_choice_of of = {.range = &choices[row].range,
                                    .source = &choices[row].source,
                                    .target = &choices[row].target,
                                    .piecewise = choices[row].flags & PIECEWISE,
                                    .shareable = choices[row].flags & SHAREABLE,
                                    .no_cache = choices[row].flags & NO_CACHE,
                                    .jobs = jobs};
    return zs_choice_make(&of);
}

START_TEST(a_row_of_the_table_is_chosen)
{
    struct zs_choice choice = choose(_i, choices[_i].jobs);
    enum row expected = choices[_i].expected;

    ck_assert_msg(strstr(choice.why, rows[expected].why), "%s: because %s, not because %s",
                  choices[_i].name, choice.why, rows[expected].why);
    for (size_t i = 0; i < choice.count; i++)
        ck_assert_msg(choice.engines[i] == rows[expected].engines[i], "%s: engine %zu is %s",
                      choices[_i].name, i, zs_engine_names[choice.engines[i]]);
    ck_assert_int_eq(rows[expected].engines[choice.count], NO_MORE);
    ck_assert_uint_eq(choice.jobs, choices[_i].expected_jobs);
}
END_TEST

/* Whatever is chosen: no engine twice, the one that can always do it last, a reason, and never more
 * threads than may be used. */
START_TEST(a_choice_ends_with_what_always_works)
{
    for (unsigned jobs = 1; jobs <= 3; jobs++) {
        struct zs_choice choice = choose(_i, jobs);
        bool seen[ZS_ENGINE_COUNT] = {false};

        ck_assert_uint_ge(choice.count, 1);
        ck_assert_uint_le(choice.count, ZS_ENGINE_COUNT);
        ck_assert_int_eq(choice.engines[choice.count - 1], BUFFER);
        for (size_t i = 0; i < choice.count; i++) {
            ck_assert(!seen[choice.engines[i]]);
            seen[choice.engines[i]] = true;
        }
        ck_assert_str_ne(choice.why, "");
        ck_assert_uint_ge(choice.jobs, 1);
        ck_assert_uint_le(choice.jobs, jobs);
    }
}
END_TEST

/* reflink is for what the plan has found to be shareable, copy-range for a server's files: neither
 * is tried on anything else, where it would only cost a call. */
START_TEST(engines_for_some_file_systems_are_chosen_for_those_only)
{
    struct zs_choice choice = choose(_i, choices[_i].jobs);

    for (size_t i = 0; i < choice.count; i++) {
        if (choice.engines[i] == REFLINK)
            ck_assert(choices[_i].flags & SHAREABLE);
        if (choice.engines[i] == COPY_RANGE)
            ck_assert(zs_facts_is_remote(&choices[_i].source));
    }
}
END_TEST

/* One row after the other is the first that fits: all are met above. */
START_TEST(every_row_of_the_table_is_tested)
{
    int met[ROW_COUNT] = {0};

    for (int i = 0; i < ROWS(choices); i++)
        met[choices[i].expected]++;
    for (int row = 0; row < ROW_COUNT; row++)
        ck_assert_int_ge(met[row], 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("choice");
    TCase *table = add_case(suite, "table");
    add_rows(table, a_row_of_the_table_is_chosen, choices);
    add_rows(table, a_choice_ends_with_what_always_works, choices);
    add_rows(table, engines_for_some_file_systems_are_chosen_for_those_only, choices);
    tcase_add_test(table, every_row_of_the_table_is_tested);
    return run_pure_suite(suite);
}
