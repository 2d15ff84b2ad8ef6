/* Both forms of a report, byte for byte; what differs from run to run is masked. */

#include "report.h"

#include "check_helpers.h"

#include <ctype.h>
#include <errno.h>

static char *printed(void (*print)(FILE *, const struct zs_report *),
                     const struct zs_report *report)
{
    struct text text = {0};
    text_begin(&text);
    print(text.stream, report);
    text_end(&text);
    return text.chars;
}

/* Puts "#" in place of the value of a key, up to the next comma. */
static void mask(char *json, const char *key)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", key);
    char *value = strstr(json, quoted);
    ck_assert_msg(value, "there is no key %s in %s", key, json);
    value += strlen(quoted);
    size_t length = strcspn(value, ",}");
    ck_assert_uint_gt(length, 0);
    *value = '#';
    memmove(value + 1, value + length, strlen(value + length) + 1);
}

static char *masked_json(const struct zs_report *report)
{
    char *json = printed(zs_report_json, report);
    mask(json, "version");
    mask(json, "peak_rss_bytes");
    mask(json, "peak_anonymous_bytes");
    mask(json, "major_faults");
    mask(json, "minor_faults");
    return json;
}

#define MEMORY                                                                                     \
    "\"peak_rss_bytes\":#,\"peak_anonymous_bytes\":#,\"major_faults\":#,\"minor_faults\":#,"       \
    "\"digest\":null,"

START_TEST(a_run_that_did_nothing)
{
    struct zs_stats stats = {0};
    struct zs_report report = {.source = "-", .target = "-", .exit_status = 2, .stats = &stats};
    char *json = masked_json(&report);

    ck_assert_str_eq(
        json,
        "{\"version\":#,\"source\":\"-\",\"target\":\"-\",\"bytes\":0,"
        "\"seconds\":0.000000000,\"bytes_per_second\":0,\"ranges\":0,"
        "\"holes_bytes\":0,\"shared_bytes\":0,\"user_copied_bytes\":0,\"jobs\":1,\"engines\":{},"
        "\"refused\":{}," MEMORY "\"complete\":false,\"exit_status\":2}\n");
    free(json);
}
END_TEST

static const struct zs_stats busy = {
    .engines = {[ZS_ENGINE_REFLINK] = {.bytes = 65536, .calls = 1},
                [ZS_ENGINE_COPY_RANGE] = {.calls = 1, .refused = true, .refused_code = EXDEV},
                [ZS_ENGINE_SPLICE] = {.refused = true, .refused_code = EINVAL},
                [ZS_ENGINE_SENDFILE] = {.bytes = 4096, .calls = 2, .refused = true},
                [ZS_ENGINE_MAP_WRITE] = {.calls = 1, .refused = true, .refused_code = EACCES},
                [ZS_ENGINE_BUFFER] = {.bytes = UINT64_MAX, .calls = 18}},
    .jobs = 2,
    .user_copied_bytes = 905,
};

START_TEST(a_run_that_tried_everything)
{
    struct zs_report report = {.source = "in",
                               .target = "out",
                               .bytes = 5001,
                               .ranges = 17,
                               .nanoseconds = 2000000001,
                               .complete = true,
                               .stats = &busy};
    char *json = masked_json(&report);

    ck_assert_str_eq(
        json, "{\"version\":#,\"source\":\"in\",\"target\":\"out\",\"bytes\":5001,"
              "\"seconds\":2.000000001,\"bytes_per_second\":2500,\"ranges\":17,"
              "\"holes_bytes\":0,\"shared_bytes\":65536,\"user_copied_bytes\":905,\"jobs\":2,"
              "\"engines\":{\"reflink\":{\"bytes\":65536,\"calls\":1},"
              "\"sendfile\":{\"bytes\":4096,\"calls\":2},"
              "\"buffer\":{\"bytes\":18446744073709551615,\"calls\":18}},"
              "\"refused\":{\"copy-range\":\"EXDEV\",\"splice\":\"EINVAL\",\"sendfile\":null,"
              "\"map-write\":\"EACCES\"}," MEMORY "\"complete\":true,\"exit_status\":0}\n");
    free(json);
}
END_TEST

static const struct {
    const char *name;
    const char *expected;
} names[] = {
    {"", "\"\""},
    {"a b", "\"a b\""},
    {"a\"b", "\"a\\\"b\""},
    {"a\\b", "\"a\\\\b\""},
    {"a/b", "\"a/b\""},
    {"a\nb", "\"a\\u000ab\""},
    {"\t\r\b\f", "\"\\u0009\\u000d\\u0008\\u000c\""},
    {"\x01\x1f", "\"\\u0001\\u001f\""},
    {"\x1b[m", "\"\\u001b[m\""},
    {"\x7f", "\"\\u007f\""},
    {"\xc2\x9b", "\"\\u009b\""},
    {"\xc3\xa9", "\"\xc3\xa9\""},
    {"\xf0\x9f\x8d\x80", "\"\xf0\x9f\x8d\x80\""},
    {"\xff", "\"\\udcff\""},
    {"\x80", "\"\\udc80\""},
    {"a\xc3", "\"a\\udcc3\""},
    {"\xc3\"", "\"\\udcc3\\\"\""},
    {"\xed\xa0\x80", "\"\\udced\\udca0\\udc80\""},
    {"\xc0\xaf", "\"\\udcc0\\udcaf\""},
    {"100%s%n", "\"100%s%n\""},
};

START_TEST(a_name_is_a_json_string)
{
    char expected[128];
    struct zs_stats stats = {0};
    struct zs_report report = {.source = names[_i].name, .target = names[_i].name, .stats = &stats};
    char *json = printed(zs_report_json, &report);

    (void)snprintf(expected, sizeof expected, ",\"source\":%s,\"target\":%s,", names[_i].expected,
                   names[_i].expected);
    ck_assert_msg(strstr(json, expected), "%s is not in %s", expected, json);
    free(json);
}
END_TEST

/* Enough of RFC 8259 to tell an object from something that is none. NULL: it is none. */
static const char *skip_value(const char *at);

static const char *skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\' && *++at == 'u') {
            for (int i = 0; i < 4; i++) {
                if (!isxdigit((unsigned char)*++at))
                    return NULL;
            }
        } else if (at[-1] == '\\' && !strchr("\"\\/bfnrt", *at)) {
            return NULL;
        }
    }
    return at + 1;
}

static const char *skip_object(const char *at)
{
    if (*++at == '}')
        return at + 1;
    for (;; at++) {
        at = skip_string(at);
        if (!at || *at != ':')
            return NULL;
        at = skip_value(at + 1);
        if (!at || (*at != ',' && *at != '}'))
            return NULL;
        if (*at == '}')
            return at + 1;
    }
}

static const char *skip_value(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    char *end;

    if (*at == '{')
        return skip_object(at);
    if (*at == '"')
        return skip_string(at);
    for (int i = 0; i < ROWS(words); i++) {
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    }
    if (!isdigit((unsigned char)*at))
        return NULL;
    (void)strtod(at, &end);
    return end;
}

START_TEST(the_object_parses_whatever_the_names_are)
{
    struct zs_report report = {
        .source = names[_i].name, .target = "out", .nanoseconds = 1, .stats = &busy};
    char *json = printed(zs_report_json, &report);

    const char *end = skip_value(json);
    ck_assert_msg(end && strcmp(end, "\n") == 0, "this is no JSON: %s", json);
    free(json);
}
END_TEST

static uint64_t number_of(const char *json, const char *key)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *value = strstr(json, quoted);
    ck_assert_ptr_nonnull(value);
    return strtoull(value + strlen(quoted), NULL, 10);
}

START_TEST(the_larger_sample_of_anonymous_memory_is_reported)
{
    struct zs_stats stats = {.peak_anonymous_bytes = (uint64_t)1 << 60};
    struct zs_report report = {.source = "-", .target = "-", .stats = &stats};
    char *json = printed(zs_report_json, &report);
    ck_assert_uint_eq(number_of(json, "peak_anonymous_bytes"), (uint64_t)1 << 60);
    free(json);

    stats.peak_anonymous_bytes = 1;
    json = printed(zs_report_json, &report);
    ck_assert_uint_gt(number_of(json, "peak_anonymous_bytes"), 1);
    ck_assert_uint_gt(number_of(json, "peak_rss_bytes"), 0);
    ck_assert_uint_gt(number_of(json, "minor_faults"), 0);
    free(json);
}
END_TEST

/* What is shared is what reflink put into the target; no count of threads is one thread. */
START_TEST(shared_bytes_and_jobs_are_numbers_of_their_own)
{
    static const unsigned jobs[] = {0, 1, 2, 7};

    for (int i = 0; i < ROWS(jobs); i++) {
        struct zs_stats stats = {
            .jobs = jobs[i],
            .engines = {
                [ZS_ENGINE_REFLINK] = {.bytes = UINT64_MAX}, [ZS_ENGINE_SPLICE] = {.bytes = 77}}};
        struct zs_report report = {.source = "-", .target = "-", .stats = &stats};
        char *json = printed(zs_report_json, &report);
        ck_assert_uint_eq(number_of(json, "shared_bytes"), UINT64_MAX);
        ck_assert_uint_eq(number_of(json, "jobs"), jobs[i] > 0 ? jobs[i] : 1);
        free(json);
    }
}
END_TEST

static const struct {
    uint64_t bytes;
    uint64_t nanoseconds;
    const char *line;
} summaries[] = {
    {0, 0, "zslice: 0 bytes (0 B) in 0.000000 s, 0 B/s\n"},
    {0, 1000, "zslice: 0 bytes (0 B) in 0.000001 s, 0 B/s\n"},
    {999, 1000000000, "zslice: 999 bytes (999 B) in 1.000000 s, 999 B/s\n"},
    {1000, 1000000000, "zslice: 1000 bytes (1.0 kB) in 1.000000 s, 1.0 kB/s\n"},
    {999499, 1000000000, "zslice: 999499 bytes (999.5 kB) in 1.000000 s, 999.5 kB/s\n"},
    {999500, 1000000000, "zslice: 999500 bytes (1.0 MB) in 1.000000 s, 1.0 MB/s\n"},
    {1234567, 500000000, "zslice: 1234567 bytes (1.2 MB) in 0.500000 s, 2.5 MB/s\n"},
    {10485760000, 1500000, "zslice: 10485760000 bytes (10.5 GB) in 0.001500 s, 7.0 TB/s\n"},
    {UINT64_MAX, 1000000000,
     "zslice: 18446744073709551615 bytes (18.4 EB) in 1.000000 s, 18.4 EB/s\n"},
};

START_TEST(the_summary_is_one_line)
{
    struct zs_stats stats = {0};
    struct zs_report report = {
        .bytes = summaries[_i].bytes, .nanoseconds = summaries[_i].nanoseconds, .stats = &stats};
    char *line = printed(zs_report_summary, &report);

    ck_assert_str_eq(line, summaries[_i].line);
    free(line);
}
END_TEST

START_TEST(the_summary_names_the_engines_that_moved_bytes)
{
    struct zs_report report = {.bytes = 1, .nanoseconds = 1000000000, .stats = &busy};
    char *line = printed(zs_report_summary, &report);

    ck_assert_str_eq(line,
                     "zslice: 1 bytes (1 B) in 1.000000 s, 1 B/s, by reflink, sendfile, buffer\n");
    free(line);
}
END_TEST

/* As sha256sum --tag, escapes and all. */
static const struct {
    const char *name, *line;
} digests[] = {
    {"out", "SHA256 (out) = 12ab\n"},
    {"a b) = c", "SHA256 (a b) = c) = 12ab\n"},
    {"in[1:5,7:9]", "SHA256 (in[1:5,7:9]) = 12ab\n"},
    {"a\nb", "\\SHA256 (a\\nb) = 12ab\n"},
    {"a\rb", "\\SHA256 (a\\rb) = 12ab\n"},
    {"a\\nb", "\\SHA256 (a\\\\nb) = 12ab\n"},
    {"\xff\x1b", "SHA256 (\xff\x1b) = 12ab\n"},
    {"", "SHA256 () = 12ab\n"},
};

START_TEST(a_digest_is_a_line_that_can_be_checked)
{
    char *name = strdup(digests[_i].name);
    struct zs_report report = {
        .digest_kind = ZS_DIGEST_SHA256, .digest = "12ab", .digest_object = name};
    char *line = printed(zs_report_digest, &report);

    ck_assert_str_eq(line, digests[_i].line);
    free(line);
    free(name);
}
END_TEST

static const struct {
    enum zs_placement placement;
    bool resume;
    struct zs_range ranges[3];
    size_t count;
    uint64_t done_bytes;
    const char *name;
} slice_names[] = {
#define SPAN(first, length)                                                                        \
    {                                                                                              \
        .start = (first), .piece_bytes = 1, .stride_bytes = 1, .length_bytes = (length),           \
        .bounded = true                                                                            \
    }
    {ZS_PLACE_WHOLE, false, {SPAN(5, 10)}, 1, 10, "out"},
    {ZS_PLACE_AT, true, {SPAN(5, 10)}, 1, 10, "out"},
    {ZS_PLACE_AT, false, {SPAN(5, 10)}, 1, 10, "in[5:15]"},
    {ZS_PLACE_HERE, false, {SPAN(5, 10), SPAN(0, 3)}, 2, 13, "in[5:15,0:3]"},
    {ZS_PLACE_HERE, false, {SPAN(5, 10), SPAN(15, 3)}, 2, 13, "in[5:18]"},
    {ZS_PLACE_HERE, false, {{.start = 5, .piece_bytes = 1, .stride_bytes = 1}}, 1, 7, "in[5:12]"},
    {ZS_PLACE_HERE, false, {{.start = 5, .piece_bytes = 1, .stride_bytes = 1}}, 1, 0, "in[5:5]"},
};

START_TEST(a_slice_has_the_name_of_what_holds_exactly_it)
{
    struct zs_options options = {
        .source_path = "in", .target_path = "out", .resume = slice_names[_i].resume};
    struct zs_part parts[3] = {0};
    struct zs_plan plan = {.options = &options,
                           .placement = slice_names[_i].placement,
                           .parts = parts,
                           .part_count = slice_names[_i].count};

    for (size_t i = 0; i < plan.part_count; i++)
        parts[i].range = slice_names[_i].ranges[i];
    char *name = zs_report_name_slice(&plan, slice_names[_i].done_bytes);
    ck_assert_pstr_eq(name, slice_names[_i].name);
    free(name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *json = add_case(suite, "json");
    tcase_add_test(json, a_run_that_did_nothing);
    tcase_add_test(json, a_run_that_tried_everything);
    add_rows(json, a_name_is_a_json_string, names);
    add_rows(json, the_object_parses_whatever_the_names_are, names);
    tcase_add_test(json, the_larger_sample_of_anonymous_memory_is_reported);
    tcase_add_test(json, shared_bytes_and_jobs_are_numbers_of_their_own);

    TCase *digest = add_case(suite, "digest");
    add_rows(digest, a_digest_is_a_line_that_can_be_checked, digests);
    add_rows(digest, a_slice_has_the_name_of_what_holds_exactly_it, slice_names);

    TCase *summary = add_case(suite, "summary");
    add_rows(summary, the_summary_is_one_line, summaries);
    tcase_add_test(summary, the_summary_names_the_engines_that_moved_bytes);
    return run_pure_suite(suite);
}
