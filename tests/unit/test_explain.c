/* A plan in words, word for word. */

#include "explain.h"

#include "check_helpers.h"

#include <linux/magic.h>

#define MIB ((uint64_t)1024 * 1024)

#define MODES .readable = true, .writable = true
#define FILE_ON(type, size, number)                                                                \
    .kind = ZS_KIND_REGULAR, MODES, .positioned = true, .sized = true, .size_bytes = (size),       \
    .allocated_bytes = UINT64_MAX, .inode = (number), .filesystem = (type), .block_bytes = 4096
#define REGULAR(size, number) FILE_ON(EXT4_SUPER_MAGIC, size, number)
#define ON_XFS(size, number)  FILE_ON(XFS_SUPER_MAGIC, size, number)
#define DEVICE(size)                                                                               \
    .kind = ZS_KIND_BLOCK, MODES, .positioned = true, .sized = true, .size_bytes = (size)
#define STREAM(of_kind) .kind = (of_kind), MODES
#define ABSENT          .kind = ZS_KIND_NONE, .writable = true, .positioned = true, .sized = true

#define PATHS(source, target)                                                                      \
    .source_path = source, .source_name = source, .target_path = target, .target_name = target
#define TO_FILE   PATHS("in", "out")
#define TO_STDOUT PATHS("in", "-")

#define OFFSET(distance) .slice.offset = {(distance), false}
#define LENGTH(bytes)    .slice.has_length = true, .slice.length_bytes = (bytes)
#define RANGES(...)                                                                                \
    .ranges = (struct zs_slice[]){__VA_ARGS__},                                                    \
    .range_count = sizeof((struct zs_slice[]){__VA_ARGS__}) / sizeof(struct zs_slice)
#define SEEK(distance) .has_seek = true, .seek = {(distance), false}

static const struct {
    struct zs_options options;
    struct zs_facts source;
    struct zs_facts target;
    const char *text;
} plans[] = {
    /* clang-format off */
    {{TO_FILE, OFFSET(100), LENGTH(1000)}, {REGULAR(5000, 1)}, {ABSENT},
     "source: in, a regular file of 5000 bytes\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: bytes 100 to 1100 (1000), to position 0\n"
     "    by sendfile, else splice, else map-write, else buffer\n"
     "    because a small copy between files wants the fewest system calls\n"},
    {{TO_FILE}, {REGULAR(64 * MIB, 1)}, {REGULAR(7, 2)},
     "source: in, a regular file of 67108864 bytes\n"
     "target: out, a regular file of 7 bytes\n"
     "placement: the target is emptied, then written\n"
     "copy: bytes 0 to 67108864 (67108864), to position 0\n"
     "    by splice, else map-write, else sendfile, else buffer\n"
     "    because references to pages go through a pipe, 1 MiB at a time\n"},
    {{TO_FILE, .jobs = 2, .sync = true, .no_clobber = true},
     {REGULAR(64 * MIB, 1), .cached = true}, {ABSENT},
     "source: in, a regular file of 67108864 bytes\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created, and must not exist\n"
     "copy: bytes 0 to 67108864 (67108864), to position 0\n"
     "    by map-write, else splice, else sendfile, else buffer, with 2 threads\n"
     "    because a large slice that is cached is written from where it lies\n"
     "sync: at the end, to the device\n"},
    {{TO_FILE, OFFSET(100), SEEK(100), .truncate = true}, {ON_XFS(64 * MIB, 1)}, {ON_XFS(7, 2)},
     "source: in, a regular file of 67108864 bytes\n"
     "target: out, a regular file of 7 bytes\n"
     "placement: the target keeps its other bytes, and is cut behind the slice\n"
     "copy: bytes 100 to 4096 (3996), to position 100\n"
     "    by sendfile, else splice, else map-write, else buffer\n"
     "    because a small copy between files wants the fewest system calls\n"
     "copy: bytes 4096 to 67108864 (67104768), to position 4096\n"
     "    by reflink, else map-write, else splice, else sendfile, else buffer\n"
     "    because whole blocks of one file system are shared, not copied\n"
     "share: 67104768 bytes, if the file system can\n"},
    {{TO_FILE, .reflink = ZS_REFLINK_ALWAYS}, {ON_XFS(4096, 1)}, {ABSENT},
     "source: in, a regular file of 4096 bytes\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: bytes 0 to 4096 (4096), to position 0\n"
     "    by reflink\n"
     "    because whole blocks of one file system are shared, not copied\n"
     "share: 4096 bytes, if the file system can\n"},
    {{TO_FILE}, {FILE_ON(NFS_SUPER_MAGIC, 5000, 1)}, {ABSENT},
     "source: in, a regular file of 5000 bytes\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: bytes 0 to 5000 (5000), to position 0\n"
     "    by copy-range, else splice, else map-write, else sendfile, else buffer\n"
     "    because the server of the file system may copy by itself\n"},
    {{TO_STDOUT, OFFSET(5)}, {STREAM(ZS_KIND_SOCKET)}, {STREAM(ZS_KIND_PIPE)},
     "source: in, a socket\n"
     "target: -, a pipe\n"
     "placement: the target is written where it stands\n"
     "copy: bytes from 5 on\n"
     "    by splice, else buffer\n"
     "    because references to pages go through a pipe, 1 MiB at a time\n"},
    {{TO_STDOUT, LENGTH(7)}, {REGULAR(5000, 1), .position = 12}, {REGULAR(90, 2), .position = 90},
     "source: in, a regular file of 5000 bytes, that stands at 12\n"
     "target: -, a regular file of 90 bytes, that stands at 90\n"
     "placement: the target is written where it stands\n"
     "copy: bytes 0 to 7 (7), to position 90\n"
     "    by sendfile, else splice, else map-write, else buffer\n"
     "    because a small copy between files wants the fewest system calls\n"},
    {{TO_STDOUT}, {REGULAR(5000, 1)}, {STREAM(ZS_KIND_SOCKET)},
     "source: in, a regular file of 5000 bytes\n"
     "target: -, a socket\n"
     "placement: the target is written where it stands\n"
     "copy: bytes 0 to 5000 (5000)\n"
     "    by sendfile, else splice, else map-write, else buffer\n"
     "    because a socket sends from the source's pages, with one call for many\n"},
    {{TO_FILE, .selection.record_bytes = 8, .selection.field = {2, 3}}, {REGULAR(80, 1)}, {ABSENT},
     "source: in, a regular file of 80 bytes\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: 30 bytes, 3 of every 8 from 2 on, to position 0\n"
     "    by buffer\n"
     "    because short pieces, and those of a stream, are gathered in memory\n"},
    {{TO_FILE, .selection.record_bytes = 8, .selection.field = {2, 3}}, {STREAM(ZS_KIND_PIPE)},
     {ABSENT},
     "source: in, a pipe\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: bytes from 2 on, 3 of every 8 from 2 on, to position 0\n"
     "    by buffer\n"
     "    because short pieces, and those of a stream, are gathered in memory\n"},
    {{TO_FILE, RANGES({.offset = {6, false}, .has_length = true, .length_bytes = 2},
                      {.offset = {0, false}, .has_length = true, .length_bytes = 3}),
      .keep_offset = true}, {REGULAR(10, 1)}, {DEVICE(4096)},
     "source: in, a regular file of 10 bytes\n"
     "target: out, a block device of 4096 bytes\n"
     "placement: the target keeps its other bytes\n"
     "copy: bytes 6 to 8 (2), to position 6\n"
     "    by splice, else map-write, else buffer\n"
     "    because of sendfile: it cannot write at positions that do not follow each other\n"
     "copy: bytes 0 to 3 (3), to position 0\n"
     "    by splice, else map-write, else buffer\n"
     "    because of sendfile: it cannot write at positions that do not follow each other\n"},
    {{TO_FILE, .slice.offset = {70, true}}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     "source: in, a pipe\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "held: the last 70 bytes of the stream, until its end is known\n"
     "copy: what that end decides\n"},
    {{TO_FILE, .slice.has_end = true, .slice.end = {70, true}}, {STREAM(ZS_KIND_PIPE)}, {ABSENT},
     "source: in, a pipe\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "held: the last 70 bytes of the stream, until its end is known\n"
     "copy: bytes from 0 on, to position 0\n"
     "    by splice, else map-write, else sendfile, else buffer\n"
     "    because references to pages go through a pipe, 1 MiB at a time\n"},
    {{TO_FILE, .engine_forced = true, .engine = ZS_ENGINE_SPLICE}, {REGULAR(10, 1)}, {ABSENT},
     "source: in, a regular file of 10 bytes\n"
     "target: out, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: bytes 0 to 10 (10), to position 0\n"
     "    by splice\n"
     "    because it is the one that is wanted\n"},
    {{PATHS("a\nb", "\x1b[31m"), .no_cache = true}, {REGULAR(0, 1)}, {ABSENT},
     "source: a\\nb, a regular file of 0 bytes\n"
     "target: \\x1b[31m, a file that does not exist\n"
     "placement: the target is created\n"
     "copy: bytes 0 to 0 (0), to position 0\n"
     "    by sendfile, else splice, else map-write, else buffer\n"
     "    because a small copy between files wants the fewest system calls\n"
     "cache: given back as the copy goes\n"},
    {{TO_STDOUT, .stable = true}, {REGULAR(5000, 1)}, {STREAM(ZS_KIND_PIPE)},
     "source: in, a regular file of 5000 bytes\n"
     "target: -, a pipe\n"
     "placement: the target is written where it stands\n"
     "copy: bytes 0 to 5000 (5000)\n"
     "    by map-write, else buffer\n"
     "    because of splice: it may pass references to the source's pages on, and --stable wants"
     " copies\n"
     "stable: a pipe or socket gets copies\n"},
    {{TO_FILE, LENGTH(MIB), .append = true}, {REGULAR(64 * MIB, 1)}, {REGULAR(7, 2)},
     "source: in, a regular file of 67108864 bytes\n"
     "target: out, a regular file of 7 bytes\n"
     "placement: the target is added to\n"
     "copy: bytes 0 to 1048576 (1048576), to position 7\n"
     "    by map-write, else buffer\n"
     "    because up to 1 MiB is one write from where it lies\n"},
    {{TO_FILE, .append = true, .jobs = 2}, {REGULAR(64 * MIB, 1)}, {REGULAR(7, 2)},
     "source: in, a regular file of 67108864 bytes\n"
     "target: out, a regular file of 7 bytes\n"
     "placement: the target is added to\n"
     "copy: bytes 0 to 67108864 (67108864), to position 7\n"
     "    by map-write, else buffer, with 2 threads\n"
     "    because of splice: it cannot append\n"},
    {{TO_STDOUT, .jobs = 2}, {REGULAR(64 * MIB, 1), .cached = true}, {STREAM(ZS_KIND_SOCKET)},
     "source: in, a regular file of 67108864 bytes\n"
     "target: -, a socket\n"
     "placement: the target is written where it stands\n"
     "copy: bytes 0 to 67108864 (67108864)\n"
     "    by map-write, else sendfile, else splice, else buffer\n"
     "    because TCP takes long writes from memory faster than references to pages\n"},
    /* clang-format on */
};

/* The options of a row with what the parser puts in where it says nothing. */
static struct zs_options complete(const struct zs_options *row)
{
    struct zs_options options = *row;
    struct zs_selection *selection = &options.selection;

    if (selection->record_bytes == 0)
        selection->record_bytes = 1;
    if (selection->field.start == 0 && selection->field.length_bytes == 0)
        selection->field.length_bytes = selection->record_bytes;
    selection->align_bytes = selection->record_bytes;
    return options;
}

/* The caller's to free. */
static char *explained(const struct zs_options *row, const struct zs_facts *source,
                       const struct zs_facts *target)
{
    struct zs_options options = complete(row);
    struct zs_plan plan;
    struct zs_error error = {0};
    struct text text = {0};

    int result = zs_plan_make(&options, source, target, &plan, &error);
    ck_assert_msg(result == 0, "refused: %s: %s", error.object, error.detail);
    text_begin(&text);
    zs_explain(text.stream, &plan, source, target);
    text_end(&text);
    zs_plan_free(&plan);
    return text.chars;
}

START_TEST(a_plan_is_told_word_for_word)
{
    char *text = explained(&plans[_i].options, &plans[_i].source, &plans[_i].target);
    ck_assert_str_eq(text, plans[_i].text);
    free(text);
}
END_TEST

/* Every line is a key with its words, or goes on with the one before it: nothing else, whatever the
 * names are. */
START_TEST(every_line_has_a_key_or_goes_on)
{
    char *text = explained(&plans[_i].options, &plans[_i].source, &plans[_i].target);

    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        bool goes_on = strncmp(line, "    ", 4) == 0 && line[4] != ' ';
        size_t key = strspn(line, "abcdefghijklmnopqrstuvwxyz");
        ck_assert_msg(goes_on || (key > 0 && strncmp(line + key, ": ", 2) == 0), "'%s'", line);
        line = end + 1;
    }
    free(text);
}
END_TEST

/* A reason is one for the engine that comes first, also where the usual one may not be used. */
static const struct {
    struct zs_options options;
    struct zs_facts target;
    const char *wrong;
} reasons[] = {
    {{TO_STDOUT, .stable = true}, {STREAM(ZS_KIND_PIPE)}, "because references"},
    {{TO_STDOUT, .stable = true}, {STREAM(ZS_KIND_SOCKET)}, "sends from the source's pages"},
    {{TO_FILE, .append = true}, {REGULAR(7, 2)}, "because references"},
    {{TO_FILE, LENGTH(10), .append = true}, {REGULAR(7, 2)}, "fewest system calls"},
    {{TO_FILE, .append = true}, {REGULAR(7, 2)}, "is looked for first"},
    {{TO_FILE, .append = true}, {REGULAR(7, 2)}, "1 threads"},
};

START_TEST(a_reason_is_that_of_the_engine_that_is_used)
{
    static const struct zs_facts source = {REGULAR(64 * MIB, 1)};
    char *text = explained(&reasons[_i].options, &source, &reasons[_i].target);

    ck_assert_ptr_nonnull(strstr(text, "    by map-write, else buffer"));
    ck_assert_msg(!strstr(text, reasons[_i].wrong), "'%s' is not so: %s", reasons[_i].wrong, text);
    free(text);
}
END_TEST

START_TEST(what_is_stable_is_said)
{
    static const struct zs_options options = {TO_STDOUT, .stable = true};
    static const struct zs_facts source = {REGULAR(64 * MIB, 1)}, target = {STREAM(ZS_KIND_PIPE)};
    char *text = explained(&options, &source, &target);

    ck_assert_ptr_nonnull(strstr(text, "\nstable: a pipe or socket gets copies\n"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *words = add_case(suite, "words");
    add_rows(words, a_plan_is_told_word_for_word, plans);
    add_rows(words, every_line_has_a_key_or_goes_on, plans);
    add_rows(words, a_reason_is_that_of_the_engine_that_is_used, reasons);
    tcase_add_test(words, what_is_stable_is_said);
    return run_pure_suite(suite);
}
