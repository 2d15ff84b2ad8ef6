/*
 * Copies in blocks: which read and which write is a block, what is padded, left out, skipped and
 * counted, and what is left of it when a call fails.
 */

#include "blocks.h"

#include "check_helpers.h"
#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

/* Nothing is allocated that has no room: AddressSanitizer is to say so as malloc(3) does. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

ssize_t __real_zs_sys_read(int fd, void *buffer, size_t length_bytes);
ssize_t __wrap_zs_sys_read(int fd, void *buffer, size_t length_bytes);
ssize_t __real_zs_sys_write(int fd, const void *bytes, size_t length_bytes);
ssize_t __wrap_zs_sys_write(int fd, const void *bytes, size_t length_bytes);
int __real_zs_sys_sync(int fd);
int __wrap_zs_sys_sync(int fd);
int __wrap_zs_sys_drop_cache(int fd, uint64_t start, uint64_t length_bytes);

/* What calls do, one after the other: those that are not listed are left alone. */
enum { MOST_CALLS = 8 };

struct call {
    int code;    /* it fails with this errno value */
    size_t most; /* it moves no more than this; 0: what there is */
    int raises;  /* a signal comes meanwhile */
    bool moves_nothing;
};

struct calls {
    struct call calls[MOST_CALLS];
    int count;
    int flags; /* of the descriptor, during the last one */
    size_t asked_bytes[MOST_CALLS];
};

static struct calls reads, writes;
static int syncs;
static struct {
    int fds[4];
    uint64_t starts[4];
    int count, code;
} drops;

/* The length to go on with, or a result that is not positive. */
static ssize_t begin_call(struct calls *calls, int fd, size_t length_bytes)
{
    const struct call *call = calls->count < MOST_CALLS ? &calls->calls[calls->count] : NULL;

    calls->flags = fcntl(fd, F_GETFL);
    if (call)
        calls->asked_bytes[calls->count] = length_bytes;
    calls->count++;
    if (!call)
        return (ssize_t)length_bytes;
    if (call->raises)
        (void)raise(call->raises);
    if (call->code || call->moves_nothing)
        return -call->code;
    return (ssize_t)(call->most > 0 && call->most < length_bytes ? call->most : length_bytes);
}

ssize_t __wrap_zs_sys_read(int fd, void *buffer, size_t length_bytes)
{
    ssize_t length = begin_call(&reads, fd, length_bytes);
    return length > 0 ? __real_zs_sys_read(fd, buffer, (size_t)length) : length;
}

ssize_t __wrap_zs_sys_write(int fd, const void *bytes, size_t length_bytes)
{
    ssize_t length = begin_call(&writes, fd, length_bytes);
    return length > 0 ? __real_zs_sys_write(fd, bytes, (size_t)length) : length;
}

int __wrap_zs_sys_sync(int fd)
{
    syncs++;
    return __real_zs_sys_sync(fd);
}

int __wrap_zs_sys_drop_cache(int fd, uint64_t start, uint64_t length_bytes)
{
    ck_assert_uint_eq(length_bytes, 0); /* to the end */
    ck_assert_int_lt(drops.count, ROWS(drops.fds));
    drops.fds[drops.count] = fd;
    drops.starts[drops.count++] = start;
    return -drops.code;
}

static struct zs_stats stats;
static struct zs_blocks_done done;
static struct zs_error error;
static struct {
    int count, codes[MOST_CALLS];
} complaints;

static void begin_test(void)
{
    memset(&reads, 0, sizeof reads);
    memset(&writes, 0, sizeof writes);
    memset(&drops, 0, sizeof drops);
    memset(&complaints, 0, sizeof complaints);
    stats = (struct zs_stats){.jobs = 0};
    done = (struct zs_blocks_done){0};
    error = (struct zs_error){0};
    syncs = 0;
    ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
}

static void complain(void *context, const char *source_name, int code)
{
    ck_assert_ptr_eq(context, &complaints);
    ck_assert_str_eq(source_name, "in");
    ck_assert_int_lt(complaints.count, MOST_CALLS);
    complaints.codes[complaints.count++] = code;
}

#define SIZES(read, write)                                                                         \
    .read_bytes = (read), .write_bytes = (write), .most_blocks = UINT64_MAX, .complain = complain, \
    .context = &complaints
#define BLOCKS(bytes) SIZES(bytes, bytes), .unchanged = true

/* The source may give so many bytes. */
static int copy_most(const struct zs_blocks *blocks, int source_fd, int target_fd,
                     uint64_t most_bytes)
{
    struct zs_blocks_ends ends = {.source_fd = source_fd,
                                  .target_fd = target_fd,
                                  .source_name = "in",
                                  .target_name = "out",
                                  .most_bytes = most_bytes};
    struct zs_blocks_run *run;
    int result = zs_blocks_begin(&run, blocks, &ends, &stats, &done, &error);
    if (result == 0)
        result = zs_blocks_copy(run, &error);
    zs_blocks_end(run);
    ck_assert_int_eq(result < 0, error.kind != ZS_ERROR_NONE);
    return result;
}

static int copy(const struct zs_blocks *blocks, int source_fd, int target_fd)
{
    return copy_most(blocks, source_fd, target_fd, UINT64_MAX);
}

static void expect_counts(uint64_t full_in, uint64_t partial_in, uint64_t full_out,
                          uint64_t partial_out)
{
    ck_assert_uint_eq(stats.read_blocks.full, full_in);
    ck_assert_uint_eq(stats.read_blocks.partial, partial_in);
    ck_assert_uint_eq(stats.written_blocks.full, full_out);
    ck_assert_uint_eq(stats.written_blocks.partial, partial_out);
}

/* What was used of the source, and what of the target is accounted for: both as bytes. */
static void expect_done(uint64_t used_bytes, uint64_t written_bytes)
{
    ck_assert_uint_eq(done.used_bytes, used_bytes);
    ck_assert_uint_eq(done.written_bytes, written_bytes);
    ck_assert_uint_eq(zs_stats_bytes(&stats), written_bytes);
}

static void expect_error(enum zs_error_kind kind, const char *object, const char *operation,
                         int code)
{
    ck_assert_int_eq(error.kind, kind);
    ck_assert_str_eq(error.object, object);
    ck_assert_str_eq(error.operation, operation);
    ck_assert_int_eq(error.code, code);
}

/* Text as a file's bytes; 0 stands for a byte of zero. */
static int text_file(const char *text)
{
    char bytes[64];
    size_t length = strlen(text);

    ck_assert_uint_lt(length, sizeof bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(text[i] == '0' ? 0 : text[i]);
    return scratch_file(bytes, length);
}

static void expect_text(int fd, const char *text)
{
    char bytes[64] = "";
    ssize_t length = pread(fd, bytes, sizeof bytes - 1, 0);

    ck_assert_int_ge(length, 0);
    for (ssize_t i = 0; i < length; i++)
        bytes[i] = (char)(bytes[i] == 0 ? '0' : bytes[i]);
    ck_assert_str_eq(bytes, text);
}

static void expect_position(int fd, int64_t position)
{
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), position);
}

/*
 * A pipe that holds these words, separated by blanks, and ends behind them: each read gives one.
 * That is what the kernel calls packets.
 */
static int pipe_of(const char *words)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_DIRECT | O_CLOEXEC), 0);
    while (*words) {
        size_t length = strcspn(words, " ");
        write_all(ends[1], words, length);
        words += length + (words[length] == ' ');
    }
    ck_assert_int_eq(close(ends[1]), 0);
    return ends[0];
}

static int new_file(void)
{
    return scratch_file("", 0);
}

/* Blocks in, blocks out */

START_TEST(each_read_of_a_pipe_is_a_block)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef ghij k lmno"), target), 0);
    expect_text(target, "abcdefghijklmno");
    expect_counts(3, 2, 3, 2);
    expect_done(15, 15);
    ck_assert_int_eq(writes.count, 5);
    ck_assert_uint_eq(stats.engines[ZS_ENGINE_BUFFER].calls, 5);
    ck_assert_uint_eq(stats.engines[ZS_ENGINE_BUFFER].bytes, 15);
    ck_assert_uint_eq(stats.user_copied_bytes, 15);
    ck_assert_uint_eq(stats.partial_read_bytes, 0); /* nobody asked to be warned */
}
END_TEST

START_TEST(whole_blocks_are_read_until_they_are_full)
{
    struct zs_blocks blocks = {BLOCKS(4), .whole = true};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("ab cd efg h ij k"), target), 0);
    expect_text(target, "abcdefghijk");
    expect_counts(2, 1, 2, 1);
    expect_done(11, 11);
    /* What is missing is asked for, and no more. */
    static const size_t asked[] = {4, 2, 4, 1, 4, 2, 1};
    for (int i = 0; i < ROWS(asked); i++)
        ck_assert_uint_eq(reads.asked_bytes[i], asked[i]);
}
END_TEST

START_TEST(short_blocks_are_padded_with_zeros)
{
    struct zs_blocks blocks = {BLOCKS(4), .padded = true};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef ghij k"), target), 0);
    expect_text(target, "abcdef00ghijk000");
    expect_counts(2, 2, 4, 0);
    expect_done(11, 16);
}
END_TEST

START_TEST(padding_fills_the_blocks_that_are_written)
{
    struct zs_blocks blocks = {SIZES(4, 6), .padded = true};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef ghij k"), target), 0);
    expect_text(target, "abcdef00ghijk000");
    expect_counts(2, 2, 2, 1);
    expect_done(11, 16);
}
END_TEST

START_TEST(whole_blocks_are_padded_at_the_end_only)
{
    struct zs_blocks blocks = {BLOCKS(4), .whole = true, .padded = true};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef gh ijk"), target), 0);
    expect_text(target, "abcdefghijk0");
    expect_counts(2, 1, 3, 0);
    expect_done(11, 12);
}
END_TEST

/* Every two sizes, of a file and of a pipe whose reads are short. */
START_TEST(blocks_that_are_read_fill_those_that_are_written)
{
    static const char text[] = "abcdefghijklmnopq";
    uint64_t length = (uint64_t)_i;

    for (uint64_t in = 1; in <= 9; in++) {
        for (uint64_t out = 1; out <= 9; out++) {
            struct zs_blocks blocks = {SIZES(in, out)};
            int source = scratch_file(text, (size_t)length), target = new_file();
            begin_test();
            ck_assert_int_eq(copy(&blocks, source, target), 0);
            expect_content(target, text, (size_t)length);
            expect_counts(length / in, length % in > 0, length / out, length % out > 0);
            expect_done(length, length);
            ck_assert_int_eq(writes.count, (int)((length + out - 1) / out));
            expect_position(source, (int64_t)length);
            (void)close(source);
            (void)close(target);
        }
    }
}
END_TEST

START_TEST(short_reads_do_not_show_in_what_is_written)
{
    struct zs_blocks blocks = {SIZES(4, 6)};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("ab c defg h ij klmn o"), target), 0);
    expect_text(target, "abcdefghijklmno");
    expect_counts(2, 5, 2, 1);
    ck_assert_uint_eq(writes.asked_bytes[0], 6);
    ck_assert_uint_eq(writes.asked_bytes[1], 6);
    ck_assert_uint_eq(writes.asked_bytes[2], 3);
}
END_TEST

/* Of one size that bs= did not give: they are gathered all the same. */
START_TEST(equal_sizes_are_not_unchanged_blocks)
{
    struct zs_blocks blocks = {SIZES(4, 4)};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef ghij k"), target), 0);
    expect_text(target, "abcdefghijk");
    expect_counts(2, 2, 2, 1);
}
END_TEST

START_TEST(short_writes_go_on)
{
    struct zs_blocks blocks = {BLOCKS(8)};
    int target = new_file();

    writes.calls[0].most = writes.calls[1].most = 3;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghij"), target), 0);
    expect_text(target, "abcdefghij");
    expect_counts(1, 1, 1, 1);
    ck_assert_uint_eq(stats.engines[ZS_ENGINE_BUFFER].calls, 4);
    ck_assert_uint_eq(writes.asked_bytes[1], 5);
    ck_assert_uint_eq(writes.asked_bytes[2], 2);
}
END_TEST

/* No call is for more than 16 MiB, which must not show. */
enum { MEBIBYTE = 1024 * 1024, LARGE = 40 * MEBIBYTE };

static int large_file(void)
{
    int fd = memfd_create("large", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, LARGE), 0);
    return fd;
}

static int nowhere(const char *device)
{
    int fd = open(device, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_large_block_is_one_block)
{
    struct zs_blocks blocks = {BLOCKS(LARGE)};
    int source = large_file();

    ck_assert_int_eq(copy(&blocks, source, nowhere("/dev/null")), 0);
    expect_counts(1, 0, 1, 0);
    expect_done(LARGE, LARGE);
    ck_assert_uint_eq(reads.asked_bytes[0], ZS_SYS_MOST);
    ck_assert_uint_eq(reads.asked_bytes[2], LARGE - 2 * ZS_SYS_MOST);
}
END_TEST

START_TEST(a_large_block_is_delivered_up_to_what_cannot_be_read)
{
    struct zs_blocks blocks = {BLOCKS(LARGE), .whole = _i == 1};

    reads.calls[1].code = EIO;
    ck_assert_int_eq(copy(&blocks, large_file(), nowhere("/dev/null")), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EIO);
    expect_counts(0, 1, 0, 1);
    expect_done(ZS_SYS_MOST, ZS_SYS_MOST);
    ck_assert_int_eq(reads.count, 2);
}
END_TEST

/* How much of it */

static const struct {
    uint64_t most_blocks, last_bytes;
    const char *text;
    uint64_t full, partial;
} limits[] = {
    {0, 0, "", 0, 0},
    {1, 0, "abcd", 1, 0},
    {2, 0, "abcdefgh", 2, 0},
    {3, 0, "abcdefghij", 2, 1},
    {4, 0, "abcdefghij", 2, 1},
    {INT64_MAX, 0, "abcdefghij", 2, 1},
    {UINT64_MAX, 0, "abcdefghij", 2, 1},
    {0, 3, "abc", 0, 1},
    {1, 1, "abcde", 1, 1},
    {1, 3, "abcdefg", 1, 1},
    {2, 1, "abcdefghi", 2, 1},
    {2, 3, "abcdefghij", 2, 1},
    {3, 1, "abcdefghij", 2, 1},
    {INT64_MAX, 3, "abcdefghij", 2, 1},
};

START_TEST(no_more_blocks_are_read_than_are_wanted)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int source = text_file("abcdefghij"), target = new_file();
    size_t length = strlen(limits[_i].text);

    blocks.most_blocks = limits[_i].most_blocks;
    blocks.last_bytes = limits[_i].last_bytes;
    ck_assert_int_eq(copy(&blocks, source, target), 0);
    expect_text(target, limits[_i].text);
    expect_counts(limits[_i].full, limits[_i].partial, limits[_i].full, limits[_i].partial);
    expect_done(length, length);
    expect_position(source, (int64_t)length);
}
END_TEST

START_TEST(short_blocks_count_as_blocks)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int source = pipe_of("ab c defg h ij"), target = new_file();
    char rest[5] = "";

    blocks.most_blocks = 3;
    ck_assert_int_eq(copy(&blocks, source, target), 0);
    expect_text(target, "abcdefg");
    expect_counts(1, 2, 1, 2);
    ck_assert_int_eq(read(source, rest, 4), 1); /* and nothing more was read */
    ck_assert_str_eq(rest, "h");
}
END_TEST

START_TEST(the_last_bytes_are_one_block)
{
    struct zs_blocks blocks = {BLOCKS(4), .last_bytes = 3};
    int target = new_file();

    blocks.most_blocks = 1;
    blocks.whole = _i == 1;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd e fg hi"), target), 0);
    expect_text(target, _i == 1 ? "abcdefg" : "abcde");
    expect_counts(1, 1, 1, 1);
}
END_TEST

START_TEST(a_shorter_last_block_is_padded_to_the_size_of_a_block)
{
    struct zs_blocks blocks = {BLOCKS(4), .padded = true, .last_bytes = 1};
    int target = new_file();

    blocks.most_blocks = 1;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghij"), target), 0);
    expect_text(target, "abcde000");
    expect_counts(1, 1, 2, 0);
    expect_done(5, 8);
}
END_TEST

START_TEST(a_source_gives_no_more_than_it_had)
{
    static const char text[] = "abcdefghij";

    for (uint64_t most = 0; most <= 12; most++) {
        struct zs_blocks blocks = {BLOCKS(4)};
        uint64_t length = most < 10 ? most : 10;
        int target = new_file();
        begin_test();
        ck_assert_int_eq(copy_most(&blocks, text_file(text), target, most), 0);
        expect_content(target, text, (size_t)length);
        expect_counts(length / 4, length % 4 > 0, length / 4, length % 4 > 0);
        (void)close(target);
    }
}
END_TEST

START_TEST(a_file_that_is_appended_to_itself_ends)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int fd = text_file("abcdefghij");
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int target = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ck_assert_int_ge(target, 0);
    ck_assert_int_eq(copy_most(&blocks, fd, target, 10), 0);
    expect_text(fd, "abcdefghijabcdefghij");
    expect_counts(2, 1, 2, 1);
}
END_TEST

/* Short reads that are warned of: the first one that was not the last. */
static const struct {
    const char *words;
    bool whole;
    uint64_t partial_bytes;
} warnings[] = {
    {"", false, 0},        {"abcd efgh", false, 0},    {"abcd ef", false, 0},
    {"ab cdef", false, 2}, {"abcd e fg hi", false, 1}, {"ab c", false, 2},
};

START_TEST(a_short_block_that_is_not_the_last_is_noted)
{
    struct zs_blocks blocks = {BLOCKS(4), .warns = true};

    ck_assert_int_eq(copy(&blocks, pipe_of(warnings[_i].words), new_file()), 0);
    ck_assert_uint_eq(stats.partial_read_bytes, warnings[_i].partial_bytes);
}
END_TEST

START_TEST(what_is_skipped_in_short_blocks_is_noted_too)
{
    struct zs_blocks blocks = {BLOCKS(4), .warns = true, .skip_blocks = 2};

    ck_assert_int_eq(copy(&blocks, pipe_of("abc d efgh"), new_file()), 0);
    ck_assert_uint_eq(stats.partial_read_bytes, 3);
}
END_TEST

/* Where it begins */

static const struct {
    uint64_t blocks, bytes;
    const char *text; /* what is left, of "ab c defg h ij" in blocks of 4 */
    uint64_t skipped;
    bool past_end; /* fewer bytes than so many full blocks */
} skips[] = {
    {0, 0, "abcdefghij", 0, false},
    {1, 0, "cdefghij", 2, true},
    {2, 0, "defghij", 3, true},
    {3, 0, "hij", 7, true},
    {4, 0, "ij", 8, true},
    {5, 0, "", 10, true},
    {6, 0, "", 10, true},
    {INT64_MAX, 0, "", 10, true},
    {(uint64_t)1 << 62, 0, "", 10, true}, /* 2^64 bytes */
    {UINT64_MAX, 3, "", 10, true},
    /* bytes are one block, too, with which the rest of the packet is lost */
    {0, 1, "cdefghij", 1, false},
    {0, 2, "cdefghij", 2, false},
    {0, 3, "cdefghij", 2, true},
    {1, 1, "defghij", 3, true},
};

START_TEST(blocks_of_a_pipe_are_read_and_dropped)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int target = new_file();

    blocks.skip_blocks = skips[_i].blocks;
    blocks.skip_bytes = skips[_i].bytes;
    ck_assert_int_eq(copy(&blocks, pipe_of("ab c defg h ij"), target), 0);
    expect_text(target, skips[_i].text);
    ck_assert_int_eq(stats.past_end, skips[_i].past_end);
    ck_assert_uint_eq(done.written_bytes, strlen(skips[_i].text));
    ck_assert_uint_eq(done.used_bytes, skips[_i].skipped + strlen(skips[_i].text));
    ck_assert_uint_eq(stats.read_blocks.full + stats.read_blocks.partial,
                      stats.written_blocks.full + stats.written_blocks.partial);
}
END_TEST

START_TEST(whole_blocks_are_skipped_whole)
{
    struct zs_blocks blocks = {BLOCKS(4), .whole = true, .skip_blocks = 2, .skip_bytes = 1};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, pipe_of("ab cd efg h i jk"), target), 0);
    expect_text(target, "jk");
    expect_done(11, 2);
    ck_assert(!stats.past_end);
}
END_TEST

/* Of a source that can be moved: not a read. */
START_TEST(a_source_with_positions_is_moved)
{
    struct zs_blocks blocks = {BLOCKS(4), .skip_blocks = 1, .skip_bytes = 1};
    int source = text_file("abcdefghij"), target = new_file();

    ck_assert_int_eq(lseek(source, 2, SEEK_SET), 2);
    ck_assert_int_eq(copy(&blocks, source, target), 0);
    expect_text(target, "hij");
    expect_done(8, 3);
    expect_counts(0, 1, 0, 1);
    ck_assert(!stats.past_end);
    ck_assert_int_eq(reads.count, 2);
    begin_test();
    blocks.skip_blocks = 9;
    ck_assert_int_eq(copy(&blocks, source, new_file()),
                     0); /* there is nothing; it may stand there */
    expect_position(source, 10 + 37);
    expect_done(37, 0);
}
END_TEST

START_TEST(a_position_that_there_is_not_cannot_be_skipped_to)
{
    static const struct {
        uint64_t blocks, bytes;
        int code;
    } beyond[] = {
        {UINT64_MAX, 0, EOVERFLOW},
        {(uint64_t)1 << 62, 0, EOVERFLOW}, /* 2^64 */
        {(uint64_t)1 << 61, 0, EOVERFLOW}, /* 2^63 */
        {UINT64_MAX / 4, 3 + 1, EOVERFLOW},
    };
    for (int i = 0; i < ROWS(beyond); i++) {
        struct zs_blocks blocks = {BLOCKS(4)};
        int source = text_file("abcdefghij"), target = new_file();
        begin_test();
        blocks.skip_blocks = beyond[i].blocks;
        blocks.skip_bytes = beyond[i].bytes;
        ck_assert_int_eq(copy(&blocks, source, target), -1);
        expect_error(ZS_ERROR_TRANSFER, "in", "skipping", beyond[i].code);
        expect_position(source, 0);
        expect_done(0, 0);
    }
}
END_TEST

START_TEST(what_cannot_be_read_cannot_be_skipped)
{
    struct zs_blocks blocks = {BLOCKS(4), .skip_blocks = 2, .skips_errors = true};
    int target = new_file();

    reads.calls[1].code = EIO;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd efgh ijkl"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EIO);
    expect_counts(0, 0, 0, 0);
    expect_done(4, 0);
    ck_assert_int_eq(complaints.count, 0);
}
END_TEST

START_TEST(a_target_is_moved_from_where_it_stands)
{
    struct zs_blocks blocks = {BLOCKS(4), .seek_bytes = 3};
    int target = text_file("0123456789abcdef");

    ck_assert_int_eq(lseek(target, 2, SEEK_SET), 2);
    ck_assert_int_eq(copy(&blocks, text_file("xyz"), target), 0);
    expect_text(target, "01234xyz89abcdef");
    expect_done(3, 3);
}
END_TEST

START_TEST(a_target_that_cannot_be_moved_is_refused)
{
    struct zs_blocks blocks = {BLOCKS(4), .seek_bytes = 3};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(copy(&blocks, text_file("xyz"), ends[1]), -1);
    expect_error(ZS_ERROR_REFUSED, "out", "seeking", ESPIPE);
    expect_counts(0, 0, 0, 0);
    ck_assert_int_eq(reads.count, 0);
}
END_TEST

/* What cannot be read */

static const struct {
    const char *source; /* NULL: a pipe of these words */
    const char *words;
    struct call reads[MOST_CALLS];
    bool padded, whole;
    const char *target;
    uint64_t full_in, partial_in, full_out, partial_out, used;
    int complaints;
} gaps[] = {
    /* In each row, what the reads of "abcdefghijkl" do, and below it what becomes of it. */
    /* clang-format off */
    /* a block that is not read is passed */
    {"abcdefghijkl", NULL, {{.code = EIO}}, false, false,
     "efghijkl", 2, 0, 2, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 0}, {.code = EIO}}, false, false,
     "abcdijkl", 2, 0, 2, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 0}, {.most = 0}, {.code = EIO}}, false, false,
     "abcdefgh", 2, 0, 2, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.code = EIO}, {.code = EBADMSG}}, false, false,
     "ijkl", 1, 0, 1, 0, 12, 2},
    {"abcdefghijkl", NULL, {{.code = EIO}, {.code = EIO}, {.code = EIO}}, false, false,
     "", 0, 0, 0, 0, 12, 3},
    {"abcdefghij", NULL, {{.most = 0}, {.most = 0}, {.code = EIO}}, false, false,
     "abcdefgh", 2, 0, 2, 0, 12, 1},
    /* or zeros, and a block that was read in part */
    {"abcdefghijkl", NULL, {{.code = EIO}}, true, false,
     "0000efghijkl", 2, 1, 3, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 0}, {.code = EIO}}, true, false,
     "abcd0000ijkl", 2, 1, 3, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.code = EIO}, {.code = EIO}, {.code = EIO}}, true, false,
     "000000000000", 0, 3, 3, 0, 12, 3},
    /* what a block still lacks is passed, when its beginning was read */
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}}, false, false,
     "abcefghijkl", 2, 1, 2, 1, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}}, true, false,
     "abc0efghijkl", 2, 1, 3, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}, {.most = 0}, {.code = EIO}}, true, false,
     "abc0efgh0000", 1, 2, 3, 0, 12, 2},
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}, {.code = EIO}}, false, false,
     "abcijkl", 1, 1, 1, 1, 12, 2},
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}, {.code = EIO}}, true, false,
     "abc00000ijkl", 1, 2, 3, 0, 12, 2},
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}}, false, true,
     "abcefghijkl", 2, 1, 2, 1, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 3}, {.code = EIO}}, true, true,
     "abc0efghijkl", 2, 1, 3, 0, 12, 1},
    {"abcdefghijkl", NULL, {{.most = 1}, {.most = 2}, {.code = EIO}}, true, true,
     "abc0efghijkl", 2, 1, 3, 0, 12, 1},
    /* in a pipe there is nothing to pass */
    {NULL, "abcd efgh ijkl", {{.most = 0}, {.code = EIO}}, false, false,
     "abcdefghijkl", 3, 0, 3, 0, 12, 1},
    {NULL, "abcd efgh ijkl", {{.most = 0}, {.code = EIO}}, true, false,
     "abcd0000efghijkl", 3, 1, 4, 0, 12, 1},
    /* clang-format on */
};

START_TEST(what_cannot_be_read_is_left_out_or_zeros)
{
    struct zs_blocks blocks = {BLOCKS(4), .skips_errors = true};
    int source = gaps[_i].source ? text_file(gaps[_i].source) : pipe_of(gaps[_i].words);
    int target = new_file();

    blocks.padded = gaps[_i].padded;
    blocks.whole = gaps[_i].whole;
    memcpy(reads.calls, gaps[_i].reads, sizeof reads.calls);
    ck_assert_int_eq(copy(&blocks, source, target), 0);
    expect_text(target, gaps[_i].target);
    expect_counts(gaps[_i].full_in, gaps[_i].partial_in, gaps[_i].full_out, gaps[_i].partial_out);
    expect_done(gaps[_i].used, strlen(gaps[_i].target));
    ck_assert_int_eq(complaints.count, gaps[_i].complaints);
    for (int i = 0, call = 0; i < complaints.count; i++, call++) {
        while (reads.calls[call].code == 0)
            call++;
        ck_assert_int_eq(complaints.codes[i], reads.calls[call].code);
    }
}
END_TEST

START_TEST(what_cannot_be_read_is_left_out_of_the_blocks_that_are_written)
{
    struct zs_blocks blocks = {SIZES(4, 6), .skips_errors = true, .padded = _i == 1};
    int target = new_file();

    reads.calls[1].code = EIO;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghijkl"), target), 0);
    expect_text(target, _i == 1 ? "abcd0000ijkl" : "abcdijkl");
    expect_counts(2, _i == 1, _i == 1 ? 2 : 1, _i == 0);
}
END_TEST

START_TEST(nobody_needs_to_hear_of_errors)
{
    struct zs_blocks blocks = {BLOCKS(4), .skips_errors = true};
    int target = new_file();

    blocks.complain = NULL;
    reads.calls[0].code = EIO;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), target), 0);
    expect_text(target, "efgh");
}
END_TEST

/* As many blocks as there are, and then no more, however many were wanted. */
START_TEST(a_source_that_can_never_be_read_ends)
{
    struct zs_blocks blocks = {BLOCKS(4), .skips_errors = true, .padded = true};
    int target = new_file();

    for (int i = 0; i < 4; i++)
        reads.calls[i].code = EIO;
    ck_assert_int_eq(copy_most(&blocks, text_file("abcdefghij"), target, 10), 0);
    expect_text(target, "000000000000");
    expect_counts(0, 3, 3, 0);
    expect_done(10, 12);
    ck_assert_int_eq(complaints.count, 3);
}
END_TEST

START_TEST(blocks_that_cannot_be_read_count_only_as_zeros)
{
    struct zs_blocks blocks = {BLOCKS(4), .skips_errors = true, .padded = _i == 1};
    int target = new_file();

    blocks.most_blocks = 2;
    reads.calls[0].code = EIO;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghijkl"), target), 0);
    expect_text(target, _i == 1 ? "0000efgh" : "efghijkl");
}
END_TEST

/* It stands where nothing is behind it. */
START_TEST(where_it_cannot_move_on_it_fails_in_the_end)
{
    struct zs_blocks blocks = {BLOCKS(4), .skips_errors = true};
    int source = memfd_create("source", MFD_CLOEXEC), target = new_file();

    ck_assert_int_ge(source, 0);
    ck_assert_int_eq(lseek(source, INT64_MAX - 2, SEEK_SET), INT64_MAX - 2);
    reads.calls[0].code = EIO;
    reads.calls[1].moves_nothing = true;
    ck_assert_int_eq(copy(&blocks, source, target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "seeking", 0);
    ck_assert_str_eq(error.detail, "it could not be moved behind what cannot be read");
    ck_assert_int_eq(complaints.count, 1);
    ck_assert_int_eq(reads.count, 2);
}
END_TEST

START_TEST(an_error_that_is_not_skipped_leaves_what_was_read)
{
    struct zs_blocks blocks = {SIZES(4, 10), .padded = true};
    int target = new_file();

    reads.calls[3].code = EIO;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghijklmnop"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EIO);
    expect_text(target, "abcdefghijkl");
    expect_counts(3, 0, 1, 1);
    expect_done(12, 12);
    ck_assert_int_eq(complaints.count, 0);
    ck_assert_int_eq(reads.count, 4);
}
END_TEST

/* A call that a signal ended is no block that cannot be read. */
START_TEST(a_signal_is_no_error_to_skip)
{
    struct zs_blocks blocks = {BLOCKS(4), .skips_errors = true};
    int target = new_file();

    reads.calls[1].code = EINTR;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EINTR);
    expect_text(target, "abcd");
    ck_assert_int_eq(complaints.count, 0);
}
END_TEST

START_TEST(a_signal_stops_it_between_blocks)
{
    struct zs_blocks blocks = {SIZES(4, 6)};
    int target = new_file();

    zs_signals_catch();
    reads.calls[1].raises = SIGTERM;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghijkl"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "out", "writing", 0);
    ck_assert_str_eq(error.detail, "stopped by SIGTERM");
    expect_text(target,
                "abcdef"); /* what would be written might have to wait, and nothing interrupts it */
    expect_counts(2, 0, 1, 0);
    expect_done(8, 6);
}
END_TEST

/* Zeros that are left out */

static const struct {
    const char *source, *before, *after;
    uint64_t in, out; /* the sizes of blocks; 0: as they were read */
    int writes;
} zeros[] = {
    /* at the end, the file gets its length all the same */
    {"abcd0000", "", "abcd0000", 4, 0, 1},
    {"abcd00", "", "abcd00", 4, 0, 1},
    {"0000", "", "0000", 4, 0, 0},
    {"0", "", "0", 4, 0, 0},
    {"000000000000", "", "000000000000", 4, 0, 0},
    {"", "", "", 4, 0, 0},
    /* and what is there stays */
    {"abcd0000efgh0000", "################", "abcd####efgh####", 4, 0, 2},
    {"abcd0000", "######", "abcd##00", 4, 0, 1},
    {"abcd0000", "##########", "abcd######", 4, 0, 1},
    {"abcd00", "##########", "abcd######", 4, 0, 1},
    {"0000abcd", "##########", "####abcd##", 4, 0, 1},
    {"0000", "##", "##00", 4, 0, 0},
    /* a block is all zeros or none */
    {"000a0000", "########", "000a####", 4, 0, 1},
    {"a0000000", "########", "a000####", 4, 0, 1},
    {"00a00000", "########", "00a0####", 4, 0, 1},
    {"0a000000", "########", "0a00####", 4, 0, 1},
    {"aaaa0000", "########", "aaaa####", 4, 0, 1},
    /* of those that are written, not of those that are read */
    {"0000abcd0000", "############", "0000abcd0000", 2, 6, 2},
    {"abcd00000000", "############", "abcd########", 6, 2, 2},
    {"abcd0000", "########", "abcd0000", 2, 8, 1},
    {"abcdefgh00", "##########", "abcdefgh##", 3, 8, 1},
};

START_TEST(blocks_of_zeros_are_left_out)
{
    uint64_t in = zeros[_i].in, out = zeros[_i].out ? zeros[_i].out : in;
    struct zs_blocks blocks = {SIZES(in, out), .leaves_zeros = true};
    int target = text_file(zeros[_i].before);
    size_t length = strlen(zeros[_i].source);

    blocks.unchanged = zeros[_i].out == 0;
    ck_assert_int_eq(copy(&blocks, text_file(zeros[_i].source), target), 0);
    expect_text(target, zeros[_i].after);
    expect_done(length, length);
    expect_position(target, (int64_t)length);
    /* They count as if they were. */
    expect_counts(length / in, length % in > 0, length / out, length % out > 0);
    ck_assert_int_eq(writes.count, zeros[_i].writes);
    ck_assert_uint_eq(stats.engines[ZS_ENGINE_BUFFER].calls, (uint64_t)writes.count);
}
END_TEST

/* What is padded is zeros, too. */
START_TEST(padding_is_left_out_where_all_is_zeros)
{
    struct zs_blocks blocks = {BLOCKS(4), .leaves_zeros = true, .padded = true};
    int target = text_file("############");

    ck_assert_int_eq(copy(&blocks, text_file("abcdef00"), target), 0);
    expect_text(target, "abcdef00####");
    target = text_file("############");
    ck_assert_int_eq(copy(&blocks, text_file("abcde00"), target), 0);
    expect_text(target, "abcde000####");
    target = text_file("######");
    ck_assert_int_eq(copy(&blocks, text_file("abcd0"), target), 0);
    expect_text(target, "abcd##00");
}
END_TEST

START_TEST(a_target_without_positions_gets_all_zeros)
{
    struct zs_blocks blocks = {BLOCKS(4), .leaves_zeros = true};
    int ends[2];
    char got[16] = "";

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(copy(&blocks, text_file("0000abcd0000"), ends[1]), 0);
    expect_counts(3, 0, 3, 0);
    expect_done(12, 12);
    ck_assert_int_eq(writes.count, 3);
    ck_assert_int_eq(read(ends[0], got, sizeof got), 12);
    ck_assert_mem_eq(got, "\0\0\0\0abcd\0\0\0\0", 12);
}
END_TEST

/* Of what failed behind it the gap does not know. */
START_TEST(a_gap_at_the_end_of_a_failure_is_in_the_file)
{
    struct zs_blocks blocks = {BLOCKS(4), .leaves_zeros = true};
    int target = new_file();

    reads.calls[2].code = EIO;
    ck_assert_int_eq(copy(&blocks, text_file("abcd0000efgh"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EIO);
    expect_text(target, "abcd0000");
    expect_done(8, 8);
}
END_TEST

/* What cannot be written */

START_TEST(a_full_device_has_none_of_it)
{
    struct zs_blocks blocks = {SIZES(4, 4), .unchanged = _i == 1};
    int source = text_file("abcdefgh");

    ck_assert_int_eq(copy(&blocks, source, nowhere("/dev/full")), -1);
    expect_error(ZS_ERROR_TRANSFER, "out", "writing", ENOSPC);
    expect_counts(1, 0, 0, 0);
    expect_done(4, 0);
    ck_assert_uint_eq(stats.engines[ZS_ENGINE_BUFFER].calls, 0);
    ck_assert_int_eq(writes.count, 1); /* it is not tried again */
    expect_position(source, 4);
}
END_TEST

START_TEST(what_arrived_of_a_block_is_counted)
{
    struct zs_blocks blocks = {SIZES(2, 6)};
    int target = new_file();

    writes.calls[1].most = 4;
    writes.calls[2].code = EDQUOT;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefghijklmnopqr"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "out", "writing", EDQUOT);
    expect_text(target, "abcdefghij");
    expect_counts(6, 0, 1, 1);
    expect_done(12, 10);
    ck_assert_int_eq(writes.count, 3);
}
END_TEST

START_TEST(the_last_block_may_be_the_one_that_fails)
{
    struct zs_blocks blocks = {SIZES(2, 6)};
    int target = new_file();

    writes.calls[1].code = EIO;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "out", "writing", EIO);
    expect_text(target, "abcdef");
    expect_counts(4, 0, 1, 0);
    expect_done(8, 6);
}
END_TEST

START_TEST(a_device_that_takes_nothing_is_at_its_end)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int target = new_file();

    writes.calls[1].moves_nothing = true;
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "out", "writing", ENOSPC);
    expect_counts(2, 0, 1, 0);
    expect_done(8, 4);
}
END_TEST

START_TEST(a_reader_that_is_gone_is_an_error_of_its_own)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    (void)close(ends[0]);
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), ends[1]), -1);
    expect_error(ZS_ERROR_PIPE, "out", "writing", EPIPE);
    expect_counts(1, 0, 0, 0);
}
END_TEST

START_TEST(the_first_error_is_told)
{
    struct zs_blocks blocks = {SIZES(4, 10)};

    reads.calls[1].code = EIO;
    writes.calls[0].code = ENOSPC; /* of what was read before */
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), new_file()), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EIO);
    expect_counts(1, 0, 0, 0);
    expect_done(4, 0);
    ck_assert_int_eq(writes.count, 1);
}
END_TEST

/* Memory */

static const struct {
    uint64_t in, out;
    const char *detail;
} absurd[] = {
    {(uint64_t)1 << 62, 4, "it has 4611686018427387904 bytes"},
    {INT64_MAX - 1, 4, "it has 9223372036854775806 bytes"},
    {UINT64_MAX, 4, "it has 18446744073709551615 bytes"},
    {4, INT64_MAX - 1, "it has 9223372036854775806 bytes"},
};

START_TEST(a_block_that_memory_has_no_room_for_is_refused)
{
    struct zs_blocks blocks = {SIZES(absurd[_i].in, absurd[_i].out)};
    int source = text_file("abcdefgh"), target = new_file();

    ck_assert_int_eq(copy(&blocks, source, target), -1);
    expect_error(ZS_ERROR_REFUSED, absurd[_i].in > 4 ? "in" : "out", "making room for a block",
                 ENOMEM);
    ck_assert_str_eq(error.detail, absurd[_i].detail);
    expect_position(source, 0);
    expect_text(target, "");
    expect_counts(0, 0, 0, 0);
    ck_assert_int_eq(reads.count, 0);
}
END_TEST

/* What is written as it was read needs no memory to be rearranged in. */
START_TEST(unchanged_blocks_are_in_memory_once)
{
    struct zs_blocks blocks = {SIZES(4, INT64_MAX - 1), .unchanged = true};
    int target = new_file();

    ck_assert_int_eq(copy(&blocks, text_file("abcdef"), target), 0);
    expect_text(target, "abcdef");
    expect_counts(1, 1, 1, 1);
}
END_TEST

/* Flags of descriptors that are somebody else's */

static int flags_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    ck_assert_int_ge(flags, 0);
    return flags;
}

START_TEST(flags_are_set_while_it_lasts)
{
    struct zs_blocks blocks = {BLOCKS(4), .source_flags = O_NONBLOCK, .target_flags = O_APPEND};
    int source = pipe_of("abcd ef"), target = text_file("##########");
    int source_before = flags_of(source), target_before = flags_of(target);

    writes.calls[1].code = _i == 1 ? EIO : 0; /* and be it a failure */
    ck_assert_int_eq(copy(&blocks, source, target), -_i);
    ck_assert_int_eq(reads.flags, source_before | O_NONBLOCK);
    ck_assert_int_eq(writes.flags, target_before | O_APPEND);
    ck_assert_int_eq(flags_of(source), source_before);
    ck_assert_int_eq(flags_of(target), target_before);
    expect_text(target, _i == 1 ? "##########abcd" : "##########abcdef");
}
END_TEST

START_TEST(flags_that_are_set_stay_set)
{
    struct zs_blocks blocks = {BLOCKS(4), .source_flags = O_NONBLOCK, .target_flags = O_APPEND};
    int source = pipe_of("abcd ef"), target = text_file("##########");

    ck_assert_int_eq(fcntl(source, F_SETFL, flags_of(source) | O_NONBLOCK), 0);
    ck_assert_int_eq(fcntl(target, F_SETFL, flags_of(target) | O_APPEND | O_NONBLOCK), 0);
    int source_before = flags_of(source), target_before = flags_of(target);
    ck_assert_int_eq(copy(&blocks, source, target), 0);
    ck_assert_int_eq(flags_of(source), source_before);
    ck_assert_int_eq(flags_of(target), target_before);
}
END_TEST

START_TEST(other_flags_stay_as_they_are)
{
    struct zs_blocks blocks = {BLOCKS(4), .target_flags = O_APPEND};
    int target = text_file("##########");

    ck_assert_int_eq(fcntl(target, F_SETFL, flags_of(target) | O_NONBLOCK), 0);
    int before = flags_of(target);
    ck_assert_int_eq(copy(&blocks, text_file("abcd"), target), 0);
    ck_assert_int_eq(writes.flags, before | O_APPEND);
    ck_assert_int_eq(flags_of(target), before);
}
END_TEST

START_TEST(what_is_not_asked_for_is_not_set)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int source = pipe_of("abcd ef"), target = new_file();

    ck_assert_int_eq(copy(&blocks, source, target), 0);
    ck_assert_int_eq(reads.flags, flags_of(source));
    ck_assert_int_eq(writes.flags, flags_of(target));
}
END_TEST

START_TEST(flags_that_cannot_be_set_are_refused)
{
    struct zs_blocks blocks = {BLOCKS(4), .source_flags = O_NONBLOCK, .target_flags = O_DIRECT};
    int source = pipe_of("abcd ef"), before = flags_of(source);
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    ck_assert_int_eq(copy(&blocks, source, sockets[0]), -1);
    expect_error(ZS_ERROR_REFUSED, "out", "setting flags", EINVAL);
    ck_assert_int_eq(reads.count, 0);
    ck_assert_int_eq(flags_of(source), before);
    begin_test();
    blocks.source_flags = O_DIRECT;
    ck_assert_int_eq(copy(&blocks, sockets[0], new_file()), -1);
    expect_error(ZS_ERROR_REFUSED, "in", "setting flags", EINVAL);
    ck_assert_int_eq(reads.count, 0);
}
END_TEST

/* Whoever was given a descriptor that does not wait waits himself; who asked for it does not. */
START_TEST(a_source_that_has_nothing_yet_is_waited_for)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int target = new_file();

    reads.calls[0].code = reads.calls[1].code = reads.calls[3].code = EAGAIN;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef"), target), 0);
    expect_text(target, "abcdef");
    expect_counts(1, 1, 1, 1);
}
END_TEST

START_TEST(a_source_that_is_not_to_wait_fails)
{
    struct zs_blocks blocks = {BLOCKS(4), .source_flags = O_NONBLOCK};
    int target = new_file();

    reads.calls[1].code = EAGAIN;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EAGAIN);
    expect_text(target, "abcd");
}
END_TEST

START_TEST(a_target_that_has_no_room_yet_is_waited_for)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    writes.calls[0].code = writes.calls[1].code = EAGAIN;
    writes.calls[2].most = 1;
    writes.calls[3].code = EAGAIN;
    ck_assert_int_eq(copy(&blocks, text_file("abcdef"), ends[1]), 0);
    expect_counts(1, 1, 1, 1);
    expect_done(6, 6);
}
END_TEST

START_TEST(a_target_that_is_not_to_wait_fails)
{
    struct zs_blocks blocks = {BLOCKS(4), .target_flags = O_NONBLOCK};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    writes.calls[1].code = EAGAIN;
    ck_assert_int_eq(copy(&blocks, text_file("abcdef"), ends[1]), -1);
    expect_error(ZS_ERROR_TRANSFER, "out", "writing", EAGAIN);
    expect_counts(1, 1, 1, 0);
}
END_TEST

/* Of a pipe that is empty, or full. */
START_TEST(a_signal_ends_the_wait_for_an_end)
{
    struct zs_blocks blocks = {BLOCKS(4)};
    bool source = _i == 0;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    while (!source && write(ends[1], &blocks, sizeof blocks) > 0)
        continue;
    zs_signals_catch();
    (source ? &reads : &writes)->calls[0] = (struct call){.code = EAGAIN, .raises = SIGTERM};
    ck_assert_int_eq(source ? copy(&blocks, ends[0], new_file())
                            : copy(&blocks, text_file("abcd"), ends[1]),
                     -1);
    expect_error(ZS_ERROR_TRANSFER, source ? "in" : "out", source ? "reading" : "writing", EINTR);
    expect_counts(source ? 0 : 1, 0, 0, 0);
}
END_TEST

/* O_DIRECT, which pipes take for packets */

enum { PAGE = 4096, PAGES = 3 * PAGE + 100 };

START_TEST(what_is_too_short_for_direct_is_written_without)
{
    struct zs_blocks blocks = {BLOCKS(PAGE), .target_flags = O_DIRECT};
    unsigned char *bytes = new_pattern(PAGES);
    int target = new_file(), before = flags_of(target);

    if (fcntl(target, F_SETFL, before | O_DIRECT) < 0) {
        free(bytes);
        return; /* a file system without it */
    }
    ck_assert_int_eq(fcntl(target, F_SETFL, before), 0);
    ck_assert_int_eq(copy(&blocks, scratch_file(bytes, PAGES), target), 0);
    expect_content(target, bytes, PAGES);
    expect_counts(3, 1, 3, 1);
    ck_assert_int_eq(writes.flags, before); /* of the last one */
    ck_assert_int_eq(flags_of(target), before);
    ck_assert_int_eq(syncs, 1); /* what was to be on the device is */
    ck_assert_int_eq(drops.count, 1);
    ck_assert_int_eq(drops.fds[0], target);
    free(bytes);
}
END_TEST

START_TEST(whole_blocks_are_direct_to_the_end)
{
    struct zs_blocks blocks = {BLOCKS(4), .target_flags = O_DIRECT};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    int before = flags_of(ends[1]);
    ck_assert_int_eq(copy(&blocks, text_file("abcdefgh"), ends[1]), 0);
    ck_assert_int_eq(writes.flags, before | O_DIRECT);
    ck_assert_int_eq(flags_of(ends[1]), before);
    ck_assert_int_eq(syncs, 0);
    ck_assert_int_eq(drops.count, 0);
}
END_TEST

START_TEST(a_target_that_cannot_be_synced_for_it_fails)
{
    struct zs_blocks blocks = {BLOCKS(4), .target_flags = O_DIRECT};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(copy(&blocks, text_file("abcdef"), ends[1]), -1);
    expect_error(ZS_ERROR_DEVICE, "out", "syncing", EINVAL);
    expect_counts(1, 1, 1, 1);
    expect_done(6, 6);
}
END_TEST

/* The kernel has it that what is behind the last short block is not aligned. */
START_TEST(direct_ends_behind_a_short_block)
{
    struct zs_blocks blocks = {BLOCKS(4), .source_flags = O_DIRECT};
    int target = new_file();

    reads.calls[2].code = EINVAL;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef ghij"), target), 0);
    expect_text(target, "abcdef");
    expect_counts(1, 1, 1, 1);
}
END_TEST

START_TEST(what_direct_does_not_like_is_an_error_elsewhere)
{
    struct zs_blocks blocks = {BLOCKS(4), .source_flags = _i < 2 ? O_DIRECT : 0};
    int target = new_file();

    reads.calls[_i].code = EINVAL; /* the first, the one behind a full one, without O_DIRECT */
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd ef ghij"), target), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "reading", EINVAL);
    expect_text(target, (const char *[]){"", "abcd", "abcdef"}[_i]);
}
END_TEST

/* The page cache */

START_TEST(the_cache_of_an_end_is_dropped_in_the_end)
{
    struct zs_blocks blocks = {BLOCKS(PAGES), .drops_source = _i & 1, .drops_target = _i & 2};
    unsigned char *bytes = new_pattern(PAGES);
    int source = scratch_file(bytes, PAGES), target = new_file();

    ck_assert_int_eq(copy(&blocks, source, target), 0);
    ck_assert_int_eq(drops.count, (_i & 1) + (_i >> 1));
    if (_i & 1)
        ck_assert_int_eq(drops.fds[0], source);
    if (_i & 2)
        ck_assert_int_eq(drops.fds[drops.count - 1], target);
    ck_assert_uint_eq(drops.starts[0], 0); /* all of it, wherever it stands */
    ck_assert_uint_eq(drops.starts[1], 0);
    free(bytes);
}
END_TEST

START_TEST(that_the_cache_cannot_be_dropped_does_not_matter)
{
    struct zs_blocks blocks = {BLOCKS(4), .drops_source = true, .drops_target = true};
    int target = new_file();

    drops.code = EIO;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd"), target), 0);
    ck_assert_int_eq(drops.count, 1); /* of the pipe it is not tried */
    expect_text(target, "abcd");
    begin_test();
    blocks.most_blocks = 0;
    blocks.last_bytes = 3; /* be it little that was copied */
    drops.code = EIO;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd"), target), 0);
    expect_text(target, "abcdabc");
}
END_TEST

/* Unless nothing else was to be done: then it is all that lies behind, and a failure if not. */
START_TEST(with_nothing_to_copy_the_cache_is_the_purpose)
{
    struct zs_blocks blocks = {BLOCKS(4), .drops_source = _i % 2 == 0, .drops_target = _i % 2 == 1};
    int fd = new_file(), other = new_file();
    int source = _i % 2 == 0 ? fd : other, target = _i % 2 == 0 ? other : fd;

    blocks.most_blocks = 0;
    ck_assert_int_eq(lseek(fd, 3 * PAGE + 5, SEEK_SET), 3 * PAGE + 5);
    drops.code = _i < 2 ? 0 : EIO;
    ck_assert_int_eq(copy(&blocks, source, target), _i < 2 ? 0 : -1);
    ck_assert_int_eq(drops.count, 1);
    ck_assert_int_eq(drops.fds[0], fd);
    ck_assert_uint_eq(drops.starts[0], 3 * PAGE);
    if (_i >= 2)
        expect_error(ZS_ERROR_TRANSFER, _i % 2 == 0 ? "in" : "out", "dropping its cache", EIO);
}
END_TEST

START_TEST(a_pipe_has_no_cache_to_be_dropped)
{
    struct zs_blocks blocks = {BLOCKS(4), .drops_source = true};

    blocks.most_blocks = 0;
    ck_assert_int_eq(copy(&blocks, pipe_of("abcd"), new_file()), -1);
    expect_error(ZS_ERROR_TRANSFER, "in", "dropping its cache", ESPIPE);
    ck_assert_int_eq(drops.count, 0);
}
END_TEST

static TCase *add_blocks_case(Suite *suite, const char *name)
{
    TCase *tcase = add_case(suite, name);
    tcase_add_checked_fixture(tcase, begin_test, NULL);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("blocks");
    TCase *both = add_blocks_case(suite, "in and out");
    tcase_add_test(both, each_read_of_a_pipe_is_a_block);
    tcase_add_test(both, whole_blocks_are_read_until_they_are_full);
    tcase_add_test(both, short_blocks_are_padded_with_zeros);
    tcase_add_test(both, padding_fills_the_blocks_that_are_written);
    tcase_add_test(both, whole_blocks_are_padded_at_the_end_only);
    tcase_add_loop_test(both, blocks_that_are_read_fill_those_that_are_written, 0, 18);
    tcase_add_test(both, short_reads_do_not_show_in_what_is_written);
    tcase_add_test(both, equal_sizes_are_not_unchanged_blocks);
    tcase_add_test(both, short_writes_go_on);
    tcase_add_test(both, a_large_block_is_one_block);
    tcase_add_loop_test(both, a_large_block_is_delivered_up_to_what_cannot_be_read, 0, 2);

    TCase *amount = add_blocks_case(suite, "amount");
    add_rows(amount, no_more_blocks_are_read_than_are_wanted, limits);
    tcase_add_test(amount, short_blocks_count_as_blocks);
    tcase_add_loop_test(amount, the_last_bytes_are_one_block, 0, 2);
    tcase_add_test(amount, a_shorter_last_block_is_padded_to_the_size_of_a_block);
    tcase_add_test(amount, a_source_gives_no_more_than_it_had);
    tcase_add_test(amount, a_file_that_is_appended_to_itself_ends);
    add_rows(amount, a_short_block_that_is_not_the_last_is_noted, warnings);
    tcase_add_test(amount, what_is_skipped_in_short_blocks_is_noted_too);

    TCase *place = add_blocks_case(suite, "place");
    add_rows(place, blocks_of_a_pipe_are_read_and_dropped, skips);
    tcase_add_test(place, whole_blocks_are_skipped_whole);
    tcase_add_test(place, a_source_with_positions_is_moved);
    tcase_add_test(place, a_position_that_there_is_not_cannot_be_skipped_to);
    tcase_add_test(place, what_cannot_be_read_cannot_be_skipped);
    tcase_add_test(place, a_target_is_moved_from_where_it_stands);
    tcase_add_test(place, a_target_that_cannot_be_moved_is_refused);

    TCase *reading = add_blocks_case(suite, "reading");
    add_rows(reading, what_cannot_be_read_is_left_out_or_zeros, gaps);
    tcase_add_loop_test(reading, what_cannot_be_read_is_left_out_of_the_blocks_that_are_written, 0,
                        2);
    tcase_add_test(reading, nobody_needs_to_hear_of_errors);
    tcase_add_test(reading, a_source_that_can_never_be_read_ends);
    tcase_add_loop_test(reading, blocks_that_cannot_be_read_count_only_as_zeros, 0, 2);
    tcase_add_test(reading, where_it_cannot_move_on_it_fails_in_the_end);
    tcase_add_test(reading, an_error_that_is_not_skipped_leaves_what_was_read);
    tcase_add_test(reading, a_signal_is_no_error_to_skip);
    tcase_add_test(reading, a_signal_stops_it_between_blocks);

    TCase *sparse = add_blocks_case(suite, "zeros");
    add_rows(sparse, blocks_of_zeros_are_left_out, zeros);
    tcase_add_test(sparse, padding_is_left_out_where_all_is_zeros);
    tcase_add_test(sparse, a_target_without_positions_gets_all_zeros);
    tcase_add_test(sparse, a_gap_at_the_end_of_a_failure_is_in_the_file);

    TCase *writing = add_blocks_case(suite, "writing");
    tcase_add_loop_test(writing, a_full_device_has_none_of_it, 0, 2);
    tcase_add_test(writing, what_arrived_of_a_block_is_counted);
    tcase_add_test(writing, the_last_block_may_be_the_one_that_fails);
    tcase_add_test(writing, a_device_that_takes_nothing_is_at_its_end);
    tcase_add_test(writing, a_reader_that_is_gone_is_an_error_of_its_own);
    tcase_add_test(writing, the_first_error_is_told);

    TCase *memory = add_blocks_case(suite, "memory");
    add_rows(memory, a_block_that_memory_has_no_room_for_is_refused, absurd);
    tcase_add_test(memory, unchanged_blocks_are_in_memory_once);

    TCase *flags = add_blocks_case(suite, "flags");
    tcase_add_loop_test(flags, flags_are_set_while_it_lasts, 0, 2);
    tcase_add_test(flags, flags_that_are_set_stay_set);
    tcase_add_test(flags, other_flags_stay_as_they_are);
    tcase_add_test(flags, what_is_not_asked_for_is_not_set);
    tcase_add_test(flags, flags_that_cannot_be_set_are_refused);
    tcase_add_test(flags, a_source_that_has_nothing_yet_is_waited_for);
    tcase_add_test(flags, a_source_that_is_not_to_wait_fails);
    tcase_add_test(flags, a_target_that_has_no_room_yet_is_waited_for);
    tcase_add_test(flags, a_target_that_is_not_to_wait_fails);
    tcase_add_loop_test(flags, a_signal_ends_the_wait_for_an_end, 0, 2);

    TCase *direct = add_blocks_case(suite, "direct");
    tcase_add_test(direct, what_is_too_short_for_direct_is_written_without);
    tcase_add_test(direct, whole_blocks_are_direct_to_the_end);
    tcase_add_test(direct, a_target_that_cannot_be_synced_for_it_fails);
    tcase_add_test(direct, direct_ends_behind_a_short_block);
    tcase_add_loop_test(direct, what_direct_does_not_like_is_an_error_elsewhere, 0, 3);

    TCase *cache = add_blocks_case(suite, "cache");
    tcase_add_loop_test(cache, the_cache_of_an_end_is_dropped_in_the_end, 0, 4);
    tcase_add_test(cache, that_the_cache_cannot_be_dropped_does_not_matter);
    tcase_add_loop_test(cache, with_nothing_to_copy_the_cache_is_the_purpose, 0, 4);
    tcase_add_test(cache, a_pipe_has_no_cache_to_be_dropped);
    return run_suite(suite);
}
