/* What a run amounted to, and how far it has come, in the forms that are printed. */

#include "report.h"

#include "diag.h"
#include "progress.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the file is what is read, or is to be written. */
static bool is_end(const struct zs_facts *facts, const char *path, int standard_fd)
{
    struct zs_facts end;
    int examined = strcmp(path, "-") == 0 ? zs_facts_of_descriptor(standard_fd, &end)
                                          : zs_facts_of_path(path, &end);

    return examined == 0 && facts->kind == ZS_KIND_REGULAR && zs_facts_same_file(facts, &end);
}

static int check_report(int fd, const struct zs_options *options, struct zs_error *error)
{
    struct zs_facts facts;
    int examined = zs_facts_of_descriptor(fd, &facts);

    if (examined < 0)
        return zs_error_set(error, ZS_ERROR_REFUSED, options->report_path, "examining", -examined,
                            NULL);
    if (is_end(&facts, options->source_path, STDIN_FILENO) ||
        is_end(&facts, options->target_path, STDOUT_FILENO))
        return zs_error_set(error, ZS_ERROR_REFUSED, options->report_path, "--report", 0,
                            "it is the source or the target, too");
    return 0;
}

int zs_report_open(const struct zs_options *options, FILE **paper, struct zs_error *error)
{
    const char *path = options->report_path;

    *paper = stderr;
    if (!path)
        return 0;
    int fd = zs_sys_open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    bool created = fd >= 0;
    if (fd == -EEXIST)
        fd = zs_sys_open(path, O_WRONLY | O_CREAT, 0666); /* or a link to where nothing is yet */
    if (fd < 0)
        return zs_error_set(error, ZS_ERROR_REFUSED, path, "opening", -fd, NULL);

    FILE *opened = NULL;
    if (check_report(fd, options, error) == 0) {
        opened = fdopen(fd, "w");
        if (!opened)
            (void)zs_error_set(error, ZS_ERROR_TRANSFER, path, "opening", errno, NULL);
    }
    if (!opened) {
        (void)zs_sys_close(fd);
        if (created)
            (void)unlink(path);
        return -1;
    }
    *paper = opened;
    return 0;
}

void zs_report_begin(FILE *paper)
{
    if (paper != stderr)
        (void)zs_sys_truncate(fileno(paper), 0); /* not a pipe or device */
}

int zs_report_close(FILE *paper, const struct zs_options *options, struct zs_error *error)
{
    if (paper == stderr)
        return 0;
    bool failed = ferror(paper) != 0;
    errno = 0;
    if (fclose(paper) == 0 && !failed)
        return 0;
    return zs_error_set(error, ZS_ERROR_TRANSFER, options->report_path, "writing",
                        errno ? errno : EIO, NULL);
}

static void print_json_string(FILE *stream, const char *text)
{
    (void)fputc('"', stream);
    while (*text) {
        unsigned code_point = 0;
        size_t length = zs_diag_utf8_length(text, &code_point);

        if (length == 0) {
            (void)fprintf(stream, "\\udc%02x", (unsigned char)*text++);
            continue;
        }
        if (code_point == '"' || code_point == '\\')
            (void)fprintf(stream, "\\%c", *text);
        else if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
            (void)fprintf(stream, "\\u%04x", code_point);
        else
            (void)fwrite(text, 1, length, stream);
        text += length;
    }
    (void)fputc('"', stream);
}

static void print_text(FILE *stream, const char *key, const char *value)
{
    (void)fprintf(stream, "\"%s\":", key);
    print_json_string(stream, value);
    (void)fputc(',', stream);
}

static void print_number(FILE *stream, const char *key, uint64_t value)
{
    (void)fprintf(stream, "\"%s\":%llu,", key, (unsigned long long)value);
}

static double seconds(const struct zs_report *report)
{
    return (double)report->nanoseconds / 1e9;
}

static double bytes_per_second(const struct zs_report *report)
{
    return report->nanoseconds ? (double)report->bytes / seconds(report) : 0;
}

static void print_engines(FILE *stream, const struct zs_stats *stats)
{
    const char *comma = "";

    (void)fputs("\"engines\":{", stream);
    for (int i = 0; i < ZS_ENGINE_COUNT; i++) {
        const struct zs_engine_stats *engine = &stats->engines[i];
        if (engine->bytes == 0)
            continue;
        (void)fprintf(stream, "%s\"%s\":{\"bytes\":%llu,\"calls\":%llu}", comma, zs_engine_names[i],
                      (unsigned long long)engine->bytes, (unsigned long long)engine->calls);
        comma = ",";
    }
    (void)fputs("},", stream);
}

static void print_refused(FILE *stream, const struct zs_stats *stats)
{
    const char *comma = "";

    (void)fputs("\"refused\":{", stream);
    for (int i = 0; i < ZS_ENGINE_COUNT; i++) {
        const struct zs_engine_stats *engine = &stats->engines[i];
        if (!engine->refused)
            continue;
        const char *name = engine->refused_code ? strerrorname_np(engine->refused_code) : NULL;
        (void)fprintf(stream, "%s\"%s\":", comma, zs_engine_names[i]);
        if (name)
            print_json_string(stream, name);
        else
            (void)fputs("null", stream);
        comma = ",";
    }
    (void)fputs("},", stream);
}

static void print_digest(FILE *stream, const struct zs_report *report)
{
    (void)fputs("\"digest\":", stream);
    if (!report->complete || report->digest[0] == '\0') {
        (void)fputs("null,", stream);
        return;
    }
    (void)fputc('{', stream);
    print_text(stream, "algorithm", zs_digest_names[report->digest_kind]);
    print_text(stream, "of", report->digest_object ? report->digest_object : "");
    (void)fprintf(stream, "\"value\":\"%s\"},", report->digest);
}

void zs_report_json(FILE *stream, const struct zs_report *report)
{
    struct zs_memory memory = zs_stats_memory();
    uint64_t anonymous = report->stats->peak_anonymous_bytes;

    (void)fputc('{', stream);
    print_text(stream, "version", ZSLICE_VERSION);
    print_text(stream, "source", report->source);
    print_text(stream, "target", report->target);
    print_number(stream, "bytes", report->bytes);
    (void)fprintf(stream, "\"seconds\":%.9f,", seconds(report));
    (void)fprintf(stream, "\"bytes_per_second\":%.0f,", bytes_per_second(report));
    print_number(stream, "ranges", report->ranges);
    print_number(stream, "holes_bytes", report->stats->holes_bytes);
    print_number(stream, "shared_bytes", report->stats->engines[ZS_ENGINE_REFLINK].bytes);
    print_number(stream, "user_copied_bytes", report->stats->user_copied_bytes);
    print_number(stream, "jobs", report->stats->jobs > 0 ? report->stats->jobs : 1);
    print_engines(stream, report->stats);
    print_refused(stream, report->stats);
    print_number(stream, "peak_rss_bytes", memory.peak_rss_bytes);
    print_number(stream, "peak_anonymous_bytes",
                 memory.anonymous_bytes > anonymous ? memory.anonymous_bytes : anonymous);
    print_number(stream, "major_faults", memory.major_faults);
    print_number(stream, "minor_faults", memory.minor_faults);
    print_digest(stream, report);
    (void)fprintf(stream, "\"complete\":%s,", report->complete ? "true" : "false");
    (void)fprintf(stream, "\"exit_status\":%d}\n", report->exit_status);
}

/* Ranges that are named in full; of more the number is. */
enum { RANGES_NAMED = 16 };

/* Where the first done_bytes of a range end. */
static uint64_t end_of(const struct zs_range *range, uint64_t done_bytes)
{
    if (range->bounded && done_bytes >= range->length_bytes)
        return zs_range_end(range);
    return range->start + (done_bytes > 0 ? zs_range_offset(range, done_bytes - 1) + 1 : 0);
}

/* Whether a part goes on where the one before it ends: a range of which the middle is shared. */
static bool goes_on(const struct zs_plan *plan, size_t i)
{
    return i > 0 && i < plan->part_count && zs_range_is_contiguous(&plan->parts[i].range) &&
           zs_range_is_contiguous(&plan->parts[i - 1].range) &&
           zs_range_end(&plan->parts[i - 1].range) == plan->parts[i].range.start;
}

char *zs_report_name_slice(const struct zs_plan *plan, uint64_t done_bytes)
{
    const struct zs_options *options = plan->options;
    char *name = NULL;
    size_t length = 0;

    if (plan->placement == ZS_PLACE_WHOLE || options->resume)
        return strdup(options->target_path);
    FILE *stream = open_memstream(&name, &length);
    if (!stream)
        return NULL;
    (void)fprintf(stream, "%s[", options->source_path);
    for (size_t i = 0; i < plan->part_count && i < RANGES_NAMED; i++) {
        const struct zs_range *range = &plan->parts[i].range;
        if (!goes_on(plan, i))
            (void)fprintf(stream, "%s%llu:", i > 0 ? "," : "", (unsigned long long)range->start);
        if (!goes_on(plan, i + 1))
            (void)fprintf(stream, "%llu", (unsigned long long)end_of(range, done_bytes));
        if (!zs_range_is_contiguous(range))
            (void)fprintf(stream, ":%llu", (unsigned long long)range->stride_bytes);
        done_bytes -= done_bytes < range->length_bytes ? done_bytes : range->length_bytes;
    }
    if (plan->part_count > RANGES_NAMED)
        (void)fprintf(stream, ",... %zu in all", plan->part_count);
    (void)fputc(']', stream);
    return fclose(stream) == 0 ? name : NULL;
}

/* As coreutils does: a name with a backslash or line break is escaped, and the line begins so. */
static void print_checked_name(FILE *stream, const char *name)
{
    for (; *name; name++) {
        switch (*name) {
        case '\n':
            (void)fputs("\\n", stream);
            break;
        case '\r':
            (void)fputs("\\r", stream);
            break;
        case '\\':
            (void)fputs("\\\\", stream);
            break;
        default:
            (void)fputc(*name, stream);
        }
    }
}

void zs_report_digest(FILE *stream, const struct zs_report *report)
{
    const char *name = report->digest_object ? report->digest_object : "";

    if (strpbrk(name, "\\\n\r"))
        (void)fputc('\\', stream);
    (void)fprintf(stream, "%s (", zs_digest_tags[report->digest_kind]);
    print_checked_name(stream, name);
    (void)fprintf(stream, ") = %s\n", report->digest);
}

static void print_scaled(FILE *stream, double value)
{
    char text[32];
    zs_progress_scale(value, text, sizeof text);
    (void)fputs(text, stream);
}

void zs_report_progress(FILE *stream, uint64_t done_bytes, uint64_t total_bytes,
                        uint64_t nanoseconds)
{
    double elapsed = (double)nanoseconds / 1e9;

    (void)fprintf(stream, "zslice: %llu bytes (", (unsigned long long)done_bytes);
    print_scaled(stream, (double)done_bytes);
    (void)fputc(')', stream);
    if (total_bytes > 0)
        (void)fprintf(stream, " of %llu, %.1f %%,", (unsigned long long)total_bytes,
                      100 * (double)done_bytes / (double)total_bytes);
    (void)fprintf(stream, " so far in %.3f s, ", elapsed);
    print_scaled(stream, elapsed > 0 ? (double)done_bytes / elapsed : 0);
    (void)fputs("/s\n", stream);
}

void zs_report_summary(FILE *stream, const struct zs_report *report)
{
    const char *separator = ", by ";

    (void)fprintf(stream, "zslice: %llu bytes (", (unsigned long long)report->bytes);
    print_scaled(stream, (double)report->bytes);
    (void)fprintf(stream, ") in %.6f s, ", seconds(report));
    print_scaled(stream, bytes_per_second(report));
    (void)fputs("/s", stream);
    for (int i = 0; i < ZS_ENGINE_COUNT; i++) {
        if (report->stats->engines[i].bytes == 0)
            continue;
        (void)fprintf(stream, "%s%s", separator, zs_engine_names[i]);
        separator = ", ";
    }
    (void)fputc('\n', stream);
}
