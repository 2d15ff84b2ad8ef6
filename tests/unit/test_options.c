/* The command line: every option, every wrong combination, and what popt would do to the words. */

#include "options.h"

#include "check_helpers.h"

#include <errno.h>
#include <limits.h>
#include <sys/wait.h>

enum { MOST_WORDS = 10 };

struct parsed {
    int argc;
    char *argv[MOST_WORDS + 2];
    struct zs_options options;
    enum zs_action action;
    struct zs_error error;
    int result;
};

static void parse(struct parsed *parsed, const char *const *words)
{
    *parsed = (struct parsed){.argc = 1, .argv = {strdup("zslice")}};
    for (; words[parsed->argc - 1]; parsed->argc++)
        parsed->argv[parsed->argc] = strdup(words[parsed->argc - 1]);
    parsed->result = zs_options_parse(parsed->argc, parsed->argv, &parsed->options, &parsed->action,
                                      &parsed->error);
}

static void end(struct parsed *parsed)
{
    zs_options_free(&parsed->options);
    for (int i = 0; i < parsed->argc; i++)
        free(parsed->argv[i]);
}

#define AT(distance)                                                                               \
    {                                                                                              \
        (distance), false                                                                          \
    }
#define BEFORE(distance)                                                                           \
    {                                                                                              \
        (distance), true                                                                           \
    }
#define PATHS(source, target)                                                                      \
    .source_path = source, .source_name = source, .target_path = target, .target_name = target

#define RECORDS(bytes) .selection = {(bytes), {0, (bytes)}, {0, 0}, (bytes)}
#define RANGES(...)                                                                                \
    .ranges = (struct zs_slice[]){__VA_ARGS__},                                                    \
    .range_count = sizeof((struct zs_slice[]){__VA_ARGS__}) / sizeof(struct zs_slice)

static const struct {
    const char *words[MOST_WORDS];
    struct zs_options expected; /* paths and names that are NULL: "-" and the stream's name */
} accepted[] = {
    {{NULL}, {.exact = false}},
    /* positions and sizes, in every spelling popt knows */
    {{"-o", "5"}, {.slice.offset = AT(5)}},
    {{"-o5"}, {.slice.offset = AT(5)}},
    {{"--offset", "5"}, {.slice.offset = AT(5)}},
    {{"--offset=5"}, {.slice.offset = AT(5)}},
    {{"-o", "-5"}, {.slice.offset = BEFORE(5)}},
    {{"-o-5"}, {.slice.offset = BEFORE(5)}},
    {{"--offset", "-5"}, {.slice.offset = BEFORE(5)}},
    {{"--offset=-5"}, {.slice.offset = BEFORE(5)}},
    {{"-o", "-0"}, {.slice.offset = BEFORE(0)}},
    {{"--offset=-0x10"}, {.slice.offset = BEFORE(16)}},
    {{"-o010"}, {.slice.offset = AT(10)}},
    {{"-o", "18446744073709551615"}, {.slice.offset = AT(UINT64_MAX)}},
    {{"-l", "7"}, {.slice = {.has_length = true, .length_bytes = 7}}},
    {{"-l0"}, {.slice = {.has_length = true}}},
    {{"--length=4K"}, {.slice = {.has_length = true, .length_bytes = 4096}}},
    {{"--length", "8s"}, {.slice = {.has_length = true, .length_bytes = 4096}}},
    {{"-e", "7"}, {.slice = {.has_end = true, .end = AT(7)}}},
    {{"-e-7"}, {.slice = {.has_end = true, .end = BEFORE(7)}}},
    {{"--end", "-0"}, {.slice = {.has_end = true, .end = BEFORE(0)}}},
    {{"--end=1MB"}, {.slice = {.has_end = true, .end = AT(1000000)}}},
    {{"-o", "1", "-e", "3"}, {.slice = {.offset = AT(1), .has_end = true, .end = AT(3)}}},
    {{"-o1", "-l3"}, {.slice = {.offset = AT(1), .has_length = true, .length_bytes = 3}}},
    /* records: numbers without a suffix count them */
    {{"--record=8"}, {RECORDS(8)}},
    {{"--record", "4K"}, {RECORDS(4096)}},
    {{"--record=8", "-o5"}, {RECORDS(8), .slice.offset = AT(40)}},
    {{"-o5", "--record=8"}, {RECORDS(8), .slice.offset = AT(40)}},
    {{"-o5B", "--record=8"}, {RECORDS(8), .slice.offset = AT(5)}},
    {{"-o-5", "--record=8", "-l2"},
     {RECORDS(8), .slice = {.offset = BEFORE(40), .has_length = true, .length_bytes = 16}}},
    {{"-e", "-1", "--record=8"}, {RECORDS(8), .slice = {.has_end = true, .end = BEFORE(8)}}},
    {{"-o1B", "-o2", "--record=8"}, {RECORDS(8), .slice.offset = AT(16)}},
    {{"--seek=3", "--record=8"}, {RECORDS(8), .has_seek = true, .seek = AT(3)}},
    {{"--record=8", "--record=3", "-l2"},
     {RECORDS(3), .slice = {.has_length = true, .length_bytes = 6}}},
    {{"--record=18446744073709551615", "-l1"},
     {RECORDS(UINT64_MAX), .slice = {.has_length = true, .length_bytes = UINT64_MAX}}},
    /* fields, shards */
    {{"--field=2:4", "--record=8"}, {.selection = {8, {2, 2}, {0, 0}, 8}}},
    {{"--record=8", "--field", "-1:"}, {.selection = {8, {7, 1}, {0, 0}, 8}}},
    {{"--shard=2/3"}, {.selection = {1, {0, 1}, {2, 3}, 1}}},
    {{"--shard", "2/3", "--record=8"}, {.selection = {8, {0, 8}, {2, 3}, 8}}},
    {{"--shard=2/3", "--record=8", "--align=12"}, {.selection = {8, {0, 8}, {2, 3}, 12}}},
    {{"--align=4K", "--shard=2/3"}, {.selection = {1, {0, 1}, {2, 3}, 4096}}},
    {{"--align=16", "--shard=2/3", "--record=8", "--field=1:2"},
     {.selection = {8, {1, 1}, {2, 3}, 16}}},
    {{"--shard=1/2", "--shard=2/2"}, {.selection = {1, {0, 1}, {2, 2}, 1}}},
    /* ranges */
    {{"-r", "1:3"}, {RANGES({.offset = AT(1), .has_end = true, .end = AT(3)})}},
    {{"-r1:3"}, {RANGES({.offset = AT(1), .has_end = true, .end = AT(3)})}},
    {{"--range=-4:"}, {RANGES({.offset = BEFORE(4)})}},
    {{"-r", "-4:"}, {RANGES({.offset = BEFORE(4)})}},
    {{"-r:"}, {RANGES({.offset = AT(0)})}},
    {{"-r::2"}, {RANGES({.has_step = true, .step_bytes = 2})}},
    {{"-r", "::2", "--record=8"}, {RECORDS(8), RANGES({.has_step = true, .step_bytes = 16})}},
    {{"-r", "::8B", "--record=8"}, {RECORDS(8), RANGES({.has_step = true, .step_bytes = 8})}},
    {{"-r5+2", "-r1+1B", "--record=4"},
     {RECORDS(4), RANGES({.offset = AT(20), .has_length = true, .length_bytes = 8},
                         {.offset = AT(4), .has_length = true, .length_bytes = 1})}},
    {{"-r3:", "in", "-r:2", "out", "-r3:"},
     {PATHS("in", "out"),
      RANGES({.offset = AT(3)}, {.has_end = true, .end = AT(2)}, {.offset = AT(3)})}},
    {{"--shard=1/2", "-r2:"}, {.selection = {1, {0, 1}, {1, 2}, 1}, RANGES({.offset = AT(2)})}},
    /* switches */
    {{"-k"}, {.keep_offset = true}},
    {{"--keep-offset", "--truncate"}, {.keep_offset = true, .truncate = true}},
    {{"-xk"}, {.exact = true, .keep_offset = true}},
    {{"-x"}, {.exact = true}},
    {{"--exact"}, {.exact = true}},
    {{"-a"}, {.append = true}},
    {{"--append"}, {.append = true}},
    {{"-v"}, {.verbose = true}},
    {{"--verbose"}, {.verbose = true}},
    {{"-n", "in", "out"}, {PATHS("in", "out"), .no_clobber = true}},
    {{"--no-clobber", "in", "out"}, {PATHS("in", "out"), .no_clobber = true}},
    {{"--seek", "9"}, {.has_seek = true, .seek = AT(9)}},
    {{"--seek=-9"}, {.has_seek = true, .seek = BEFORE(9)}},
    {{"--seek=9", "--truncate"}, {.has_seek = true, .seek = AT(9), .truncate = true}},
    {{"--truncate", "--seek=0"}, {.has_seek = true, .truncate = true}},
    {{"--stats=json"}, {.stats_json = true}},
    {{"--stats", "json"}, {.stats_json = true}},
    /* engines */
    {{"--engine=auto"}, {.engine_forced = false}},
    {{"--engine", "splice"}, {.engine_forced = true, .engine = ZS_ENGINE_SPLICE}},
    {{"--engine=sendfile"}, {.engine_forced = true, .engine = ZS_ENGINE_SENDFILE}},
    {{"--engine=map-write"}, {.engine_forced = true, .engine = ZS_ENGINE_MAP_WRITE}},
    {{"--engine=buffer"}, {.engine_forced = true, .engine = ZS_ENGINE_BUFFER}},
    {{"--engine=reflink"}, {.engine_forced = true, .engine = ZS_ENGINE_REFLINK}},
    {{"--engine=copy-range"}, {.engine_forced = true, .engine = ZS_ENGINE_COPY_RANGE}},
    /* how it is copied, and what is left of it */
    {{"--reflink=auto"}, {.reflink = ZS_REFLINK_AUTO}},
    {{"--reflink=always"}, {.reflink = ZS_REFLINK_ALWAYS}},
    {{"--reflink", "never"}, {.reflink = ZS_REFLINK_NEVER}},
    {{"--reflink=always", "--engine=reflink"},
     {.reflink = ZS_REFLINK_ALWAYS, .engine_forced = true, .engine = ZS_ENGINE_REFLINK}},
    {{"--jobs=auto"}, {.jobs = 0}},
    {{"--jobs=1"}, {.jobs = 1}},
    {{"--jobs", "2"}, {.jobs = 2}},
    {{"-j", "3"}, {.jobs = 3}},
    {{"-j4"}, {.jobs = 4}},
    {{"-jauto"}, {.jobs = 0}},
    {{"-j", "auto"}, {.jobs = 0}},
    {{"-j0x10"}, {.jobs = 16}},
    {{"-j", "010"}, {.jobs = 10}},
    {{"-j4294967295"}, {.jobs = UINT_MAX}},
    {{"-j4294967296"}, {.jobs = UINT_MAX}},
    {{"-j18446744073709551615"}, {.jobs = UINT_MAX}},
    {{"-j2", "--record=8"}, {RECORDS(8), .jobs = 2}},
    {{"-xj2"}, {.exact = true, .jobs = 2}},
    {{"--sync"}, {.sync = true}},
    {{"--no-cache"}, {.no_cache = true}},
    {{"--stable"}, {.stable = true}},
    {{"--explain"}, {.explain = true}},
    {{"--sync", "--no-cache", "--stable", "--explain", "-j2", "--reflink=never", "in", "out"},
     {PATHS("in", "out"), .sync = true, .no_cache = true, .stable = true, .explain = true,
      .jobs = 2, .reflink = ZS_REFLINK_NEVER}},
    /* what protects a copy, and proves it */
    {{"--resume", "in", "out"}, {PATHS("in", "out"), .resume = true}},
    {{"--atomic", "in", "out"}, {PATHS("in", "out"), .atomic = true}},
    {{"--verify", "in", "out"}, {PATHS("in", "out"), .verify = true}},
    {{"--atomic", "--verify", "--sync", "in", "out"},
     {PATHS("in", "out"), .atomic = true, .verify = true, .sync = true}},
    {{"--resume", "--verify", "-x", "in", "out"},
     {PATHS("in", "out"), .resume = true, .verify = true, .exact = true}},
    {{"--in-place=collapse", "f"},
     {.source_path = "f", .source_name = "f", .in_place = ZS_IN_PLACE_COLLAPSE}},
    {{"--in-place", "auto", "f"},
     {.source_path = "f", .source_name = "f", .in_place = ZS_IN_PLACE_AUTO}},
    {{"f", "-", "--in-place=collapse", "--in-place=auto", "--sync"},
     {.source_path = "f", .source_name = "f", .in_place = ZS_IN_PLACE_AUTO, .sync = true}},
    {{"--sparse=auto"}, {.sparse = ZS_SPARSE_AUTO}},
    {{"--sparse=always"}, {.sparse = ZS_SPARSE_ALWAYS}},
    {{"--sparse", "never"}, {.sparse = ZS_SPARSE_NEVER}},
    {{"--sparse=always", "--sparse=auto"}, {.sparse = ZS_SPARSE_AUTO}},
    {{"--sparse=never", "--reflink=never"},
     {.sparse = ZS_SPARSE_NEVER, .reflink = ZS_REFLINK_NEVER}},
    {{"--digest=sha256"}, {.digest = ZS_DIGEST_SHA256}},
    {{"--digest", "xxh128"}, {.digest = ZS_DIGEST_XXH128}},
    {{"--digest=xxh128", "--digest=sha256"}, {.digest = ZS_DIGEST_SHA256}},
    {{"-p"}, {.progress = true}},
    {{"--progress"}, {.progress = true}},
    {{"-pxv"}, {.progress = true, .exact = true, .verbose = true}},
    {{"--report=r", "--stats=json"}, {.report_path = "r", .stats_json = true}},
    {{"--digest=sha256", "--report", "a!#:+b"},
     {.report_path = "a!#:+b", .digest = ZS_DIGEST_SHA256}},
    /* clusters */
    {{"-xa"}, {.exact = true, .append = true}},
    {{"-xav"}, {.exact = true, .append = true, .verbose = true}},
    {{"-xo5"}, {.exact = true, .slice.offset = AT(5)}},
    {{"-xo", "5"}, {.exact = true, .slice.offset = AT(5)}},
    {{"-vxl0x10"},
     {.verbose = true, .exact = true, .slice = {.has_length = true, .length_bytes = 16}}},
    /* of a repeated one the last wins */
    {{"-o1", "-o2"}, {.slice.offset = AT(2)}},
    {{"-o1", "--offset=-2", "-o", "3"}, {.slice.offset = AT(3)}},
    {{"-o-1", "-o2"}, {.slice.offset = AT(2)}},
    {{"-l1", "-l2"}, {.slice = {.has_length = true, .length_bytes = 2}}},
    {{"-e1", "-e-2"}, {.slice = {.has_end = true, .end = BEFORE(2)}}},
    {{"--seek=1", "--seek=2"}, {.has_seek = true, .seek = AT(2)}},
    {{"--engine=splice", "--engine=buffer"}, {.engine_forced = true, .engine = ZS_ENGINE_BUFFER}},
    {{"--engine=splice", "--engine=auto"}, {.engine_forced = false}},
    {{"-x", "-x", "--exact"}, {.exact = true}},
    {{"--stats=json", "--stats=json"}, {.stats_json = true}},
    {{"--reflink=always", "--reflink=never"}, {.reflink = ZS_REFLINK_NEVER}},
    {{"--reflink=always", "--reflink=auto"}, {.reflink = ZS_REFLINK_AUTO}},
    {{"-j7", "--jobs=2"}, {.jobs = 2}},
    {{"--jobs=2", "-jauto"}, {.jobs = 0}},
    {{"--sync", "--sync", "--no-cache", "--no-cache"}, {.sync = true, .no_cache = true}},
    /* positionals, wherever they stand */
    {{"in"}, {.source_path = "in", .source_name = "in"}},
    {{"in", "out"}, {PATHS("in", "out")}},
    {{"-x", "in", "out"}, {PATHS("in", "out"), .exact = true}},
    {{"in", "-x", "out"}, {PATHS("in", "out"), .exact = true}},
    {{"in", "out", "-x"}, {PATHS("in", "out"), .exact = true}},
    {{"in", "-o", "5", "out", "-l", "6"},
     {PATHS("in", "out"), .slice = {.offset = AT(5), .has_length = true, .length_bytes = 6}}},
    {{"-"}, {.exact = false}},
    {{"-", "-"}, {.exact = false}},
    {{"-", "out"}, {.target_path = "out", .target_name = "out"}},
    {{"in", "-"}, {.source_path = "in", .source_name = "in"}},
    {{"-o", "5", "-", "-x"}, {.slice.offset = AT(5), .exact = true}},
    {{"./-", "./--"}, {PATHS("./-", "./--")}},
    {{"", "out"}, {PATHS("", "out")}},
    {{"in", ""}, {PATHS("in", "")}},
    {{"5", "6"}, {PATHS("5", "6")}},
    {{"in=1", "out=2"}, {PATHS("in=1", "out=2")}},
    {{"in put", "out\nput"}, {PATHS("in put", "out\nput")}},
    {{"na\xc3\xafve", "\xff"}, {PATHS("na\xc3\xafve", "\xff")}},
    {{"$HOME", "`x` 'y' \"z\" \\"}, {PATHS("$HOME", "`x` 'y' \"z\" \\")}},
    /* -- ends the options */
    {{"--", "in", "out"}, {PATHS("in", "out")}},
    {{"--", "-x", "-o"}, {PATHS("-x", "-o")}},
    {{"--", "--exact", "--"}, {PATHS("--exact", "--")}},
    {{"in", "--", "-o5"}, {PATHS("in", "-o5")}},
    {{"-x", "--", "--help"}, {.source_path = "--help", .source_name = "--help", .exact = true}},
    {{"--", "-", "-"}, {.exact = false}},
    {{"--"}, {.exact = false}},
    /* popt puts the next word in place of !#:+ in a value; in a name it must stay what it is */
    {{"!#:+", "out"}, {PATHS("!#:+", "out")}},
    {{"a!#:+b", "c!#:+d"}, {PATHS("a!#:+b", "c!#:+d")}},
    {{"!#:+!#:+", "!!#:+#:+"}, {PATHS("!#:+!#:+", "!!#:+#:+")}},
    {{"-o", "5", "a!#:+", "b"}, {PATHS("a!#:+", "b"), .slice.offset = AT(5)}},
    {{"--", "-!#:+", "--!#:+"}, {PATHS("-!#:+", "--!#:+")}},
    {{"a!#\x01+", "b!#:+"}, {PATHS("a!#\x01+", "b!#:+")}},
    {{"!#\x01+!#\x02+!#\x03+", "!#:+\x04!#\x05+"},
     {PATHS("!#\x01+!#\x02+!#\x03+", "!#:+\x04!#\x05+")}},
    {{"!#:", "#:+"}, {PATHS("!#:", "#:+")}},
};

static void expect_position(const char *name, struct zs_position position,
                            struct zs_position expected)
{
    ck_assert_msg(position.distance_bytes == expected.distance_bytes &&
                      position.from_end == expected.from_end,
                  "%s is %s%ju", name, position.from_end ? "-" : "",
                  (uintmax_t)position.distance_bytes);
}

static void expect_slice(const struct zs_slice *slice, const struct zs_slice *expected)
{
    expect_position("offset", slice->offset, expected->offset);
    ck_assert_int_eq(slice->has_length, expected->has_length);
    ck_assert_int_eq(slice->has_end, expected->has_end);
    if (expected->has_length)
        ck_assert_uint_eq(slice->length_bytes, expected->length_bytes);
    if (expected->has_end)
        expect_position("end", slice->end, expected->end);
    ck_assert_int_eq(slice->has_step, expected->has_step);
    ck_assert_uint_eq(slice->step_bytes, expected->step_bytes);
    ck_assert(!slice->offset_bare && !slice->length_bare && !slice->end_bare && !slice->step_bare);
}

/* A row that says nothing of it means single bytes. */
static void expect_selection(const struct zs_selection *selection, const struct zs_selection *row)
{
    static const struct zs_selection plain = {1, {0, 1}, {0, 0}, 1};
    const struct zs_selection *expected = row->record_bytes ? row : &plain;

    ck_assert_uint_eq(selection->record_bytes, expected->record_bytes);
    ck_assert_uint_eq(selection->field.start, expected->field.start);
    ck_assert_uint_eq(selection->field.length_bytes, expected->field.length_bytes);
    ck_assert_uint_eq(selection->shard.number, expected->shard.number);
    ck_assert_uint_eq(selection->shard.count, expected->shard.count);
    ck_assert_uint_eq(selection->align_bytes, expected->align_bytes);
}

static void expect_ranges(const struct zs_options *options, const struct zs_options *expected)
{
    size_t count;
    const struct zs_slice *slices = zs_options_slices(options, &count);

    ck_assert_uint_eq(options->range_count, expected->range_count);
    ck_assert_uint_eq(count, expected->range_count ? expected->range_count : 1);
    if (expected->range_count == 0)
        ck_assert_ptr_eq(slices, &options->slice);
    for (size_t i = 0; i < expected->range_count; i++)
        expect_slice(&slices[i], &expected->ranges[i]);
}

static void expect_text(const char *text, const char *expected, const char *otherwise)
{
    ck_assert_str_eq(text, expected ? expected : otherwise);
}

static void expect_options(const struct zs_options *options, const struct zs_options *expected)
{
    expect_text(options->source_path, expected->source_path, "-");
    expect_text(options->target_path, expected->target_path, "-");
    expect_text(options->source_name, expected->source_name, "standard input");
    expect_text(options->target_name, expected->target_name, "standard output");
    expect_slice(&options->slice, &expected->slice);
    expect_selection(&options->selection, &expected->selection);
    expect_ranges(options, expected);
    ck_assert_int_eq(options->keep_offset, expected->keep_offset);
    ck_assert_int_eq(options->exact, expected->exact);
    ck_assert_int_eq(options->has_seek, expected->has_seek);
    if (expected->has_seek)
        expect_position("seek", options->seek, expected->seek);
    ck_assert_int_eq(options->append, expected->append);
    ck_assert_int_eq(options->truncate, expected->truncate);
    ck_assert_int_eq(options->no_clobber, expected->no_clobber);
    ck_assert_int_eq(options->engine_forced, expected->engine_forced);
    if (expected->engine_forced)
        ck_assert_int_eq(options->engine, expected->engine);
    ck_assert_int_eq(options->reflink, expected->reflink);
    ck_assert_uint_eq(options->jobs, expected->jobs);
    ck_assert_int_eq(options->sync, expected->sync);
    ck_assert_int_eq(options->no_cache, expected->no_cache);
    ck_assert_int_eq(options->stable, expected->stable);
    ck_assert_int_eq(options->explain, expected->explain);
    ck_assert_int_eq(options->stats_json, expected->stats_json);
    ck_assert_int_eq(options->verbose, expected->verbose);
    ck_assert_int_eq(options->resume, expected->resume);
    ck_assert_int_eq(options->atomic, expected->atomic);
    ck_assert_int_eq(options->verify, expected->verify);
    ck_assert_int_eq(options->in_place, expected->in_place);
    ck_assert_int_eq(options->sparse, expected->sparse);
    ck_assert_int_eq(options->digest, expected->digest);
    ck_assert_int_eq(options->progress, expected->progress);
    ck_assert_pstr_eq(options->report_path, expected->report_path);
}

START_TEST(a_command_line_is_understood)
{
    struct parsed parsed;

    parse(&parsed, accepted[_i].words);
    ck_assert_msg(parsed.result == 0, "'%s %s' is refused: %s: %s", accepted[_i].words[0],
                  accepted[_i].words[1], parsed.error.object, parsed.error.detail);
    ck_assert_int_eq(parsed.error.kind, ZS_ERROR_NONE);
    ck_assert_int_eq(parsed.action, ZS_ACTION_COPY);
    expect_options(&parsed.options, &accepted[_i].expected);
    end(&parsed);
}
END_TEST

START_TEST(the_words_of_argv_are_left_as_they_are)
{
    struct parsed parsed;

    parse(&parsed, accepted[_i].words);
    for (int i = 1; i < parsed.argc; i++)
        ck_assert_str_eq(parsed.argv[i], accepted[_i].words[i - 1]);
    end(&parsed);
}
END_TEST

static const struct {
    const char *words[MOST_WORDS];
    const char *object;
    const char *value;  /* as it was written, in the message */
    const char *reason; /* a part of it */
} refused[] = {
    /* numbers, and the option that each came with */
    {{"-o", "x"}, "--offset", "'x'", "number"},
    {{"--offset", ""}, "--offset", "''", "number"},
    {{"--offset="}, "--offset", "''", "number"},
    {{"-o", ""}, "--offset", "''", "number"},
    {{"-o", " 5"}, "--offset", "' 5'", "number"},
    {{"-o", "+5"}, "--offset", "'+5'", "number"},
    {{"-o", "5 "}, "--offset", "'5 '", "number"},
    {{"-o", "--5"}, "--offset", "'--5'", "number"},
    {{"-o", "-"}, "--offset", "'-'", "number"},
    {{"-o", "--"}, "--offset", "'--'", "number"},
    {{"-o", "-x"}, "--offset", "'-x'", "number"},
    {{"--offset=5=6"}, "--offset", "'5=6'", "number"},
    {{"-offset", "5"}, "--offset", "'ffset'", "number"},
    {{"-l", "-1"}, "--length", "'-1'", "number"},
    {{"-l", "-0"}, "--length", "'-0'", "number"},
    {{"-l", "1.5K"}, "--length", "'1.5K'", "number"},
    {{"--length="}, "--length", "''", "number"},
    {{"-l5x"}, "--length", "'5x'", "number"},
    {{"-e", "x"}, "--end", "'x'", "number"},
    {{"--seek", "x"}, "--seek", "'x'", "number"},
    {{"--seek="}, "--seek", "''", "number"},
    {{"-o", "16E"}, "--offset", "'16E'", "64 bits"},
    {{"-o", "-16E"}, "--offset", "'-16E'", "64 bits"},
    {{"-l", "18446744073709551616"}, "--length", "'18446744073709551616'", "64 bits"},
    {{"-e", "16E"}, "--end", "", "beyond 64 bits"},
    {{"--seek", "0x10000000000000000"}, "--seek", "", "beyond 64 bits"},
    {{"-o", "x", "-o", "5"}, "--offset", "'x'", "number"},
    /* names of engines and formats */
    {{"--engine", "magic"}, "--engine", "'magic'", "map-write"},
    {{"--engine="}, "--engine", "''", "map-write"},
    {{"--engine=Splice"}, "--engine", "'Splice'", "map-write"},
    {{"--engine=map_write"}, "--engine", "'map_write'", "map-write"},
    {{"--engine=spl"}, "--engine", "'spl'", "map-write"},
    {{"--engine=splice,buffer"}, "--engine", "'splice,buffer'", "map-write"},
    {{"--stats=xml"}, "--stats", "'xml'", "json"},
    {{"--stats="}, "--stats", "''", "json"},
    {{"--stats=JSON"}, "--stats", "'JSON'", "json"},
    {{"--engine=copy_range"}, "--engine", "'copy_range'", "reflink, copy-range, splice"},
    {{"--reflink=yes"}, "--reflink", "'yes'", "auto, always, never"},
    {{"--reflink="}, "--reflink", "''", "auto, always, never"},
    {{"--reflink=Always"}, "--reflink", "'Always'", "auto, always, never"},
    {{"--reflink", "!#:+", "auto"}, "--reflink", "'!#:+'", "auto, always, never"},
    {{"--jobs=0"}, "--jobs", "'0'", "auto or a number from 1 on"},
    {{"-j0"}, "--jobs", "'0'", "auto or a number"},
    {{"-j-1"}, "--jobs", "'-1'", "auto or a number"},
    {{"-j", "-1"}, "--jobs", "'-1'", "auto or a number"},
    {{"-j", ""}, "--jobs", "''", "auto or a number"},
    {{"--jobs="}, "--jobs", "''", "auto or a number"},
    {{"-j2K"}, "--jobs", "'2K'", "auto or a number"},
    {{"-j2B"}, "--jobs", "'2B'", "auto or a number"},
    {{"-j8s"}, "--jobs", "'8s'", "auto or a number"},
    {{"-j1.5"}, "--jobs", "'1.5'", "auto or a number"},
    {{"-jAuto"}, "--jobs", "'Auto'", "auto or a number"},
    {{"-j18446744073709551616"}, "--jobs", "'18446744073709551616'", "auto or a number"},
    {{"-j0", "-j2"}, "--jobs", "'0'", "auto or a number"},
    {{"--in-place=yes", "f"}, "--in-place", "'yes'", "not one of collapse, auto"},
    {{"--in-place=", "f"}, "--in-place", "''", "not one of collapse, auto"},
    {{"--in-place=no", "f"}, "--in-place", "'no'", "not one of collapse, auto"},
    {{"--in-place=Auto", "f"}, "--in-place", "'Auto'", "not one of collapse, auto"},
    {{"--sparse=yes"}, "--sparse", "'yes'", "not one of auto, always, never"},
    {{"--sparse="}, "--sparse", "''", "not one of auto, always, never"},
    {{"--sparse", "!#:+", "auto"}, "--sparse", "'!#:+'", "not one of auto, always, never"},
    {{"--digest=md5"}, "--digest", "'md5'", "not one of sha256, xxh128"},
    {{"--digest="}, "--digest", "''", "not one of sha256, xxh128"},
    {{"--digest=SHA256"}, "--digest", "'SHA256'", "not one of sha256, xxh128"},
    {{"--digest=none"}, "--digest", "'none'", "not one of sha256, xxh128"},
    /* values that are missing, or not wanted */
    {{"--in-place"}, "--in-place", "", "needs a value"},
    {{"--sparse"}, "--sparse", "", "needs a value"},
    {{"--digest"}, "--digest", "", "needs a value"},
    {{"--report"}, "--report", "", "needs a value"},
    {{"--resume=1"}, "--resume=1", "", "takes no value"},
    {{"--atomic=1"}, "--atomic=1", "", "takes no value"},
    {{"--verify=1"}, "--verify=1", "", "takes no value"},
    {{"--progress=1"}, "--progress=1", "", "takes no value"},
    {{"-o"}, "-o", "", "needs a value"},
    {{"--offset"}, "--offset", "", "needs a value"},
    {{"-x", "--length"}, "--length", "", "needs a value"},
    {{"-e"}, "-e", "", "needs a value"},
    {{"--seek"}, "--seek", "", "needs a value"},
    {{"--engine"}, "--engine", "", "needs a value"},
    {{"--stats"}, "--stats", "", "needs a value"},
    {{"--reflink"}, "--reflink", "", "needs a value"},
    {{"--jobs"}, "--jobs", "", "needs a value"},
    {{"-j"}, "-j", "", "needs a value"},
    {{"--sync=1"}, "--sync=1", "", "takes no value"},
    {{"--no-cache=1"}, "--no-cache=1", "", "takes no value"},
    {{"--stable=1"}, "--stable=1", "", "takes no value"},
    {{"--explain=all"}, "--explain=all", "", "takes no value"},
    {{"--exact=1"}, "--exact=1", "", "takes no value"},
    {{"--append=yes"}, "--append=yes", "", "takes no value"},
    /* options that there are not; no abbreviations */
    {{"--bogus"}, "--bogus", "", "unknown option"},
    {{"--off", "5"}, "--off", "", "unknown option"},
    {{"--off=5"}, "--off=5", "", "unknown option"},
    {{"--o", "5"}, "--o", "", "unknown option"},
    {{"--offsets", "5"}, "--offsets", "", "unknown option"},
    {{"--Offset=5"}, "--Offset=5", "", "unknown option"},
    {{"--ver"}, "--ver", "", "unknown option"},
    {{"--hel"}, "--hel", "", "unknown option"},
    {{"--job=2"}, "--job=2", "", "unknown option"},
    {{"--cache"}, "--cache", "", "unknown option"},
    {{"-q"}, "-q", "", "unknown option"},
    {{"-X"}, "-X", "", "unknown option"},
    {{"-?"}, "-?", "", "unknown option"},
    {{"-h"}, "-h", "", "unknown option"},
    {{"-5"}, "-5", "", "unknown option"},
    {{"in", "--bogus", "out"}, "--bogus", "", "unknown option"},
    /* a cluster names its bad letter */
    {{"-xq"}, "-xq", "", "unknown option -q"},
    {{"-qx"}, "-qx", "", "unknown option"},
    {{"-xaqv"}, "-xaqv", "", "unknown option -q"},
    {{"-xav5"}, "-xav5", "", "unknown option -5"},
    {{"-x-"}, "-x-", "", "unknown option --"},
    /* what the trap must not turn into something else */
    {{"-o", "!#:+", "5"}, "--offset", "'!#:+'", "number"},
    {{"--offset=!#:+", "5"}, "--offset", "'!#:+'", "number"},
    {{"-o!#:+", "5", "6"}, "--offset", "'!#:+'", "number"},
    {{"-o", "1!#:+", "0"}, "--offset", "'1!#:+'", "number"},
    {{"-l", "!#:+K", "5"}, "--length", "'!#:+K'", "number"},
    {{"--seek", "!#:+!#:+", "5"}, "--seek", "'!#:+!#:+'", "number"},
    {{"--engine=!#:+", "splice"}, "--engine", "'!#:+'", "map-write"},
    {{"--engine", "s!#:+e", "plic"}, "--engine", "'s!#:+e'", "map-write"},
    {{"--stats", "!#:+", "json"}, "--stats", "'!#:+'", "json"},
    {{"--!#:+"}, "--!#:+", "", "unknown option"},
    {{"--!#:+=5"}, "--!#:+=5", "", "unknown option"},
    {{"-!#:+"}, "-!#:+", "", "unknown option"},
    {{"-x!#:+"}, "-x!#:+", "", "unknown option -!"},
    {{"-o", "5", "a", "b", "!#:+"}, "!#:+", "", "unexpected"},
    {{"-o", "!#:+", "!#\x01+"}, "--offset", "'!#:+'", "number"},
    /* the slice language */
    {{"-r", "5"}, "--range", "'5'", "START:STOP"},
    {{"-r", ""}, "--range", "''", "START:STOP"},
    {{"--range=1:2:3:4"}, "--range", "'1:2:3:4'", "START:STOP"},
    {{"-r", "1+2:3"}, "--range", "'1+2:3'", "START:STOP"},
    {{"-r", "1:2", "-r", "x:"}, "--range", "'x:'", "START:STOP"},
    {{"-r", "16E:"}, "--range", "'16E:'", "64 bits"},
    {{"-r", "::0"}, "--range", "'::0'", "at least 1"},
    {{"-r", "!#:+", "5"}, "--range", "'!#:+'", "START:STOP"},
    {{"-r", "::3B", "--record=4"}, "--range", "", "3 bytes is shorter than a record of 4"},
    {{"--record=0"}, "--record", "", "at least 1"},
    {{"--record=-1"}, "--record", "'-1'", "number"},
    {{"--record=4", "-o0x4000000000000000"}, "--record", "", "beyond 64 bits"},
    {{"--record=4", "-l0x4000000000000000"}, "--record", "", "beyond 64 bits"},
    {{"-r", ":0x4000000000000000", "--record=4"}, "--record", "", "beyond 64 bits"},
    {{"--field=1:2"}, "--field", "", "needs --record"},
    {{"--field=1:9", "--record=8"}, "--field", "'1:9'", "out of the record of 8 bytes"},
    {{"--field=1", "--record=8"}, "--field", "'1'", "A:B"},
    {{"--field=1:2:1", "--record=8"}, "--field", "'1:2:1'", "A:B"},
    {{"--field=16E:", "--record=8"}, "--field", "'16E:'", "64 bits"},
    {{"--field=1:2", "--record=8", "--shard=1/2", "--align=12"}, "--field", "", "multiple"},
    {{"--shard=0/2"}, "--shard", "'0/2'", "from 1 to N"},
    {{"--shard=3/2"}, "--shard", "'3/2'", "from 1 to N"},
    {{"--shard=1/4294967296"}, "--shard", "'1/4294967296'", "4294967295"},
    {{"--shard=1"}, "--shard", "'1'", "K/N"},
    {{"--shard=1/2K"}, "--shard", "'1/2K'", "K/N"},
    {{"--align=4"}, "--align", "", "needs --shard"},
    {{"--align=0", "--shard=1/2"}, "--align", "", "at least 1"},
    {{"--shard=1/2", "-r", "::2"}, "--shard", "", "cannot be combined with a STEP"},
    {{"--shard=1/2", "-r:1", "-r2:"}, "--shard", "", "cannot be combined with several ranges"},
    {{"-r"}, "-r", "", "needs a value"},
    {{"--keep-offset=1"}, "--keep-offset=1", "", "takes no value"},
    /* combinations */
    {{"-r:", "-o1"}, "--range", "", "cannot be combined with --offset"},
    {{"-l1", "-r:"}, "--range", "", "cannot be combined with --offset"},
    {{"-e1", "-r:"}, "--range", "", "cannot be combined with --offset"},
    {{"-k", "--seek=1"}, "--keep-offset", "", "cannot be combined with --seek"},
    {{"-k", "-a"}, "--append", "", "cannot be combined with --keep-offset"},
    {{"-k", "-n", "in", "out"}, "--no-clobber", "", "cannot be combined with --keep-offset"},
    {{"-l", "5", "-e", "6"}, "--end", "", "cannot be combined with --length"},
    {{"-e", "6", "-l", "5"}, "--end", "", "cannot be combined with --length"},
    {{"--seek=1", "-a"}, "--append", "", "cannot be combined"},
    {{"-a", "--seek=1"}, "--append", "", "cannot be combined"},
    {{"-n", "--seek=1", "in", "out"}, "--no-clobber", "", "cannot be combined"},
    {{"-n", "-a", "in", "out"}, "--no-clobber", "", "cannot be combined"},
    {{"--truncate"}, "--truncate", "", "needs --seek"},
    {{"--truncate", "in", "out"}, "--truncate", "", "needs --seek"},
    {{"--truncate", "-a", "in", "out"}, "--truncate", "", "needs --seek"},
    {{"-n"}, "--no-clobber", "", "needs TARGET to be a file"},
    {{"-n", "in"}, "--no-clobber", "", "needs TARGET to be a file"},
    {{"-n", "in", "-"}, "--no-clobber", "", "needs TARGET to be a file"},
    {{"--atomic"}, "--atomic", "", "needs TARGET to be a file"},
    {{"--resume", "in", "-"}, "--resume", "", "needs TARGET to be a file"},
    {{"--verify", "in"}, "--verify", "", "needs TARGET to be a file"},
    {{"--verify", "--append", "in", "out"}, "--verify", "", "cannot be combined with --append"},
    {{"--atomic", "--seek=1", "in", "out"}, "--atomic", "", "cannot be combined with --seek"},
    {{"--atomic", "-k", "in", "out"}, "--atomic", "", "cannot be combined with --keep-offset"},
    {{"--atomic", "-a", "in", "out"}, "--atomic", "", "cannot be combined with --append"},
    {{"-n", "--atomic", "in", "out"}, "--no-clobber", "", "cannot be combined with --atomic"},
    {{"--resume", "--seek=1", "in", "out"}, "--resume", "", "cannot be combined with --seek"},
    {{"--resume", "-k", "in", "out"}, "--resume", "", "cannot be combined with --keep-offset"},
    {{"--resume", "-a", "in", "out"}, "--resume", "", "cannot be combined with --append"},
    {{"--resume", "-n", "in", "out"}, "--resume", "", "cannot be combined with --no-clobber"},
    {{"--resume", "--atomic", "in", "out"}, "--resume", "", "cannot be combined with --atomic"},
    {{"--in-place=auto", "--seek=1", "f"}, "--in-place", "", "cannot be combined with --seek"},
    {{"--in-place=auto", "-k", "f"}, "--in-place", "", "cannot be combined with --keep-offset"},
    {{"--in-place=auto", "-a", "f"}, "--in-place", "", "cannot be combined with --append"},
    {{"--in-place=auto", "--atomic", "f"}, "--in-place", "", "cannot be combined with --atomic"},
    {{"--in-place=auto", "-n", "f"}, "--no-clobber", "", "cannot be combined with --in-place"},
    {{"--in-place=auto", "--resume", "f"}, "--resume", "", "cannot be combined with --in-place"},
    {{"--in-place=auto"}, "--in-place", "", "needs SOURCE to be a file"},
    {{"--in-place=auto", "-"}, "--in-place", "", "needs SOURCE to be a file"},
    {{"--in-place=auto", "f", "g"}, "--in-place", "", "there is no TARGET"},
    {{"--in-place=auto", "--engine=buffer", "f"}, "--in-place", "", "combined with --engine"},
    {{"--in-place=auto", "--reflink=never", "f"}, "--in-place", "", "combined with --reflink"},
    {{"--in-place=auto", "--sparse=always", "f"}, "--in-place", "", "combined with --sparse"},
    {{"--in-place=auto", "--no-cache", "f"}, "--in-place", "", "combined with --no-cache"},
    {{"--in-place=auto", "--stable", "f"}, "--in-place", "", "combined with --stable"},
    {{"--in-place=auto", "--verify", "f"}, "--in-place", "", "combined with --verify"},
    {{"--in-place=auto", "--digest=sha256", "f"}, "--in-place", "", "combined with --digest"},
    {{"--in-place=auto", "-r:1", "-r2:", "f"}, "--in-place", "", "combined with several ranges"},
    {{"--sparse=never", "--reflink=always"}, "--sparse=never", "", "sharing blocks"},
    {{"--sparse=never", "--engine=reflink"}, "--sparse=never", "", "sharing blocks"},
    {{"--sparse=always", "--reflink=always"}, "--sparse=always", "", "sharing blocks"},
    {{"--sparse=always", "--engine=reflink"}, "--sparse=always", "", "sharing blocks"},
    {{"--report=r"}, "--report", "", "nothing to report without --digest or --stats"},
    {{"--report=r", "-v", "-p"}, "--report", "", "nothing to report"},
    /* positionals */
    {{"a", "b", "c"}, "c", "", "unexpected"},
    {{"a", "b", "c", "d"}, "c", "", "unexpected"},
    {{"a", "b", ""}, "", "", "unexpected"},
    {{"-", "-", "-"}, "-", "", "unexpected"},
    {{"--", "a", "b", "-c"}, "-c", "", "unexpected"},
    {{"a", "b", "--", "--"}, "--", "", "unexpected"},
};

START_TEST(a_wrong_command_line_is_refused_with_the_word_at_fault)
{
    struct parsed parsed;

    parse(&parsed, refused[_i].words);
    ck_assert_msg(parsed.result == -1, "'%s %s' is accepted", refused[_i].words[0],
                  refused[_i].words[1]);
    ck_assert_int_eq(parsed.error.kind, ZS_ERROR_USAGE);
    ck_assert_str_eq(parsed.error.object, refused[_i].object);
    ck_assert_msg(strstr(parsed.error.detail, refused[_i].value), "'%s' does not show %s",
                  parsed.error.detail, refused[_i].value);
    ck_assert_msg(strstr(parsed.error.detail, refused[_i].reason), "'%s' does not say '%s'",
                  parsed.error.detail, refused[_i].reason);
    end(&parsed);
}
END_TEST

START_TEST(a_long_word_is_named_as_far_as_the_message_has_room)
{
    struct parsed parsed;
    char word[2000];
    const char *words[] = {"-o", word, NULL};

    memset(word, '9', sizeof word - 2);
    word[sizeof word - 2] = 'x';
    word[sizeof word - 1] = '\0';
    parse(&parsed, words);
    ck_assert_int_eq(parsed.result, -1);
    ck_assert_ptr_nonnull(strstr(parsed.error.detail, "'9999"));
    end(&parsed);
}
END_TEST

/*
 * In a process of its own, with descriptor 1 on target_fd: information is printed on standard
 * output, which is closed then. 0, or the errno value of the failure.
 */
static int print_information(const char *const *words, int target_fd)
{
    int status;

    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct parsed parsed;
        (void)dup2(target_fd, STDOUT_FILENO);
        parse(&parsed, words);
        int code = parsed.error.kind == ZS_ERROR_TRANSFER ? parsed.error.code : 255;
        if (parsed.result == 0)
            code = parsed.action == ZS_ACTION_DONE ? 0 : 254;
        end(&parsed);
        _exit(code);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const char *const informing[][4] = {
    {"--help"},       {"--usage"},           {"--version"},
    {"in", "--help"}, {"--help", "--bogus"}, {"-x", "--version", "a"},
};

static char *information(const char *const *words)
{
    int fd = scratch_file("", 0);

    ck_assert_int_eq(print_information(words, fd), 0);
    size_t length = (size_t)file_size(fd);
    char *text = calloc(1, length + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(fd, text, length, 0), (ssize_t)length);
    (void)close(fd);
    return text;
}

START_TEST(information_is_printed_on_standard_output)
{
    char *text = information(informing[_i]);
    ck_assert_ptr_nonnull(strstr(text, _i == 2 || _i == 5 ? "zslice " : "--"));
    free(text);
}
END_TEST

START_TEST(information_that_cannot_be_written_is_a_failure)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(print_information(informing[_i], fd), ENOSPC);
    (void)close(fd);
}
END_TEST

START_TEST(help_and_usage_name_every_option)
{
    static const char *const names[] = {
        "-r, --range=RANGE", "--record=SIZE",
        "--field=A:B",       "--shard=K/N",
        "--align=SIZE",      "-k, --keep-offset",
        "-o, --offset=POS",  "-l, --length=SIZE",
        "-e, --end=POS",     "-x, --exact",
        "--seek=POS",        "-a, --append",
        "--truncate",        "-n, --no-clobber",
        "--engine=NAME",     "--stats=json",
        "-v, --verbose",     "--help",
        "--usage",           "--version",
        "[SOURCE [TARGET]]", "--reflink=WHEN",
        "-j, --jobs=N",      "--stable",
        "--explain",         "--sync",
        "--no-cache",        "--resume",
        "--atomic",          "--in-place=HOW",
        "--sparse=WHEN",     "--digest=NAME",
        "--verify",          "-p, --progress",
        "--report=FILE",
    };
    char *help = information(informing[0]);
    char *usage = information(informing[1]);

    for (int i = 0; i < ROWS(names); i++) {
        ck_assert_msg(strstr(help, names[i]), "--help does not show %s", names[i]);
        const char *long_name = strstr(names[i], "--");
        if (long_name)
            ck_assert_msg(strstr(usage, long_name), "--usage does not show %s", long_name);
    }
    free(help);
    free(usage);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *good = add_case(suite, "accepted");
    add_rows(good, a_command_line_is_understood, accepted);
    add_rows(good, the_words_of_argv_are_left_as_they_are, accepted);

    TCase *bad = add_case(suite, "refused");
    add_rows(bad, a_wrong_command_line_is_refused_with_the_word_at_fault, refused);
    tcase_add_test(bad, a_long_word_is_named_as_far_as_the_message_has_room);

    TCase *info = add_case(suite, "information");
    add_rows(info, information_is_printed_on_standard_output, informing);
    tcase_add_loop_test(info, information_that_cannot_be_written_is_a_failure, 0, 3);
    tcase_add_test(info, help_and_usage_name_every_option);
    return run_pure_suite(suite);
}
