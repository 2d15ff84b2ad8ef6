/*
 * zslice: copies a slice of a file, device or stream without a buffer in between.
 *
 * Bytes never enter the program; offsets flow one way:
 *
 *     argv -> options -> plan -> engine -> target
 *                         ^        |
 *               facts, range      view (mapped source)
 *
 * - main(): wiring, signals, messages, and the only place that decides the exit status
 *     - main.c         (this file)
 *
 * - zs_options_parse(): argv to values; the only user of libpopt
 *     - options.[ch]
 *     - slice.[ch]     (the slice language: ranges, fields, shards)
 *     - units.[ch]     (the number grammar)
 *
 * - zs_source_open(), zs_target_examine(): what both ends are
 *     - source.[ch]    (the source, and where standard input is left)
 *     - target.[ch]    (the target's life: examine, open, prepare, finish or abandon)
 *     - facts.[ch]     (kind, size, positions, identity of a file)
 *
 * - zs_plan_make(): options and facts to a plan, or a refusal; pure
 *     - plan.[ch]      (placement, same-file check, what can be shared)
 *     - choice.[ch]    (which engines, in which order, and why)
 *     - range.[ch]     (slice algebra: which bytes these are)
 *
 * - zs_transfer(): carries a plan out
 *     - transfer.[ch]  (the order of things)
 *     - engine.[ch]    (the driver: fallback, ends, waiting; read its opening comment)
 *     - engine/        (reflink, copy-range, splice, sendfile, map-write, buffer: one way each)
 *     - ahead.[ch]     (the second thread, that maps pages ahead of the writer)
 *     - readahead.[ch] (a source that is not cached, read ahead of the copy)
 *     - behind.[ch]    (write-back as the copy goes, and page cache given back)
 *     - gather.[ch]    (short pieces, moved together in memory)
 *     - spool.[ch]     (the end of a stream, held until it is known)
 *     - view.[ch]      (views and windows of a mapped file)
 *
 * - zs_report_json(), zs_report_summary(): what it amounted to
 *     - report.[ch]
 *     - explain.[ch]   (a plan in words)
 *     - stats.[ch]     (counters; memory)
 *
 * - Utilities:
 *     - sys.[ch]       (system calls: EINTR, length caps, -errno)
 *     - error.[ch]     (a failure as a value)
 *     - diag.[ch]      (messages; escaping of names)
 */

#include "diag.h"
#include "explain.h"
#include "options.h"
#include "plan.h"
#include "report.h"
#include "source.h"
#include "target.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_REFUSED = 2,
    STATUS_SHORT = 3,
    STATUS_SIGNAL = 128, /* plus the signal: what the shell makes of a death by it */
};

/*
 * Takes the numbers of standard descriptors that are closed, before a file of ours gets them. With
 * O_PATH they can be neither read nor written, not even by a name such as /dev/stdout.
 */
static void occupy_closed_descriptors(void)
{
    struct pollfd standard[] = {{.fd = STDIN_FILENO}, {.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};

    (void)poll(standard, 3, 0); /* one system call instead of three */
    for (int i = 0; i < 3; i++) {
        if (standard[i].revents & POLLNVAL)
            (void)open("/", O_PATH | O_DIRECTORY); /* fails for want of memory; then so do we */
    }
}

/*
 * SIGPIPE: the copy must end in order (standard input left where it should be) before we die of it.
 * True if it was not ignored when we started. SIGXFSZ: EFBIG says the same, with a message.
 */
static bool hold_signals(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    return signal(SIGPIPE, SIG_IGN) != SIG_IGN;
}

static void die_of_sigpipe(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
    (void)raise(SIGPIPE);
}

static int exit_status(const struct zs_error *error, bool dies_of_sigpipe)
{
    switch (error->kind) {
    case ZS_ERROR_NONE:
        return STATUS_DONE;
    case ZS_ERROR_USAGE:
    case ZS_ERROR_REFUSED:
        return STATUS_REFUSED;
    case ZS_ERROR_SHORT:
        return STATUS_SHORT;
    case ZS_ERROR_PIPE:
        return dies_of_sigpipe ? STATUS_SIGNAL + SIGPIPE : STATUS_FAILED;
    case ZS_ERROR_DEVICE:
    case ZS_ERROR_TRANSFER:
        break;
    }
    return STATUS_FAILED;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails only for clocks that do not exist */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What is not shared then is refused, so the blocks must be known exactly. */
static bool wants_sharing(const struct zs_options *options)
{
    return options->reflink == ZS_REFLINK_ALWAYS ||
           (options->engine_forced && options->engine == ZS_ENGINE_REFLINK);
}

static int learn(struct zs_source *source, uint64_t start, uint64_t length_bytes,
                 struct zs_error *error)
{
    int result = zs_facts_learn(source->fd, start, length_bytes, &source->facts);
    return result < 0
               ? zs_error_set(error, ZS_ERROR_REFUSED, source->name, "examining", -result, NULL)
               : 0;
}

/*
 * A plan for a large slice is made again with what only then is worth finding out: the source's
 * file system, whether it is cached, how many processors there are.
 */
static int refine(struct zs_plan *plan, struct zs_source *source, const struct zs_target *target,
                  struct zs_error *error)
{
    const struct zs_part *part = zs_plan_longest(plan);

    if (!part || part->range.length_bytes <= ZS_SMALL_BYTES || !zs_facts_mappable(&source->facts))
        return 0;
    if (learn(source, part->source_position, part->range.length_bytes, error) < 0)
        return -1;
    return zs_plan_remake(plan, &source->facts, &target->facts, error);
}

static int explain(const struct zs_plan *plan, const struct zs_facts *source,
                   const struct zs_facts *target, struct zs_error *error)
{
    zs_explain(stdout, plan, source, target);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return zs_error_set(error, errno == EPIPE ? ZS_ERROR_PIPE : ZS_ERROR_TRANSFER,
                        "standard output", "writing", errno ? errno : EIO, NULL);
}

static int carry_out(const struct zs_options *options, struct zs_stats *stats, uint64_t *done_bytes,
                     struct zs_error *error)
{
    struct zs_source source;
    struct zs_target target = {.fd = -1};
    struct zs_plan plan = {.parts = NULL};
    int result = -1;

    if ((options->explain ? zs_source_examine : zs_source_open)(&source, options->source_path,
                                                                options->source_name, error) == 0 &&
        (!wants_sharing(options) || learn(&source, 0, source.facts.size_bytes, error) == 0) &&
        zs_target_examine(&target, options->target_path, options->target_name, error) == 0 &&
        zs_plan_make(options, &source.facts, &target.facts, &plan, error) == 0 &&
        refine(&plan, &source, &target, error) == 0)
        result = options->explain ? explain(&plan, &source.facts, &target.facts, error)
                                  : zs_transfer(&plan, &source, &target, stats, done_bytes, error);

    zs_plan_free(&plan);
    zs_target_free(&target); /* the source was only read: the process's end closes it */
    return result;
}

/*
 * Everything goes to standard error in one write each, so that lines of several programs do not
 * mix.
 */
static void tell(const struct zs_options *options, const struct zs_report *report,
                 const struct zs_error *error)
{
    static char line[BUFSIZ];

    (void)setvbuf(stderr, line, _IOFBF, sizeof line);
    if (error->kind != ZS_ERROR_NONE && report->exit_status < STATUS_SIGNAL)
        zs_diag_print_error(stderr, error);
    (void)fflush(stderr);
    if (options->verbose && report->complete)
        zs_report_summary(stderr, report);
    (void)fflush(stderr);
    if (options->stats_json)
        zs_report_json(stderr, report);
    (void)fflush(stderr);
}

int main(int argc, char **argv)
{
    struct zs_options options;
    struct zs_error error = {0};
    struct zs_stats stats = {0};
    struct zs_report report = {.stats = &stats};
    enum zs_action action;
    uint64_t start_ns = now_ns();

    occupy_closed_descriptors();
    bool dies_of_sigpipe = hold_signals();
    if (zs_options_parse(argc, argv, &options, &action, &error) == 0 && action == ZS_ACTION_COPY) {
        stats.sample_memory = options.stats_json;
        (void)carry_out(&options, &stats, &report.bytes, &error);
    }

    report.ranges = options.range_count > 0 ? options.range_count : 1;
    report.source = options.source_path;
    report.target = options.target_path;
    report.nanoseconds = now_ns() - start_ns;
    report.complete = error.kind == ZS_ERROR_NONE;
    report.exit_status = exit_status(&error, dies_of_sigpipe);
    if (action == ZS_ACTION_COPY || !report.complete)
        tell(&options, &report, &error);
    zs_options_free(&options);
    if (report.exit_status == STATUS_SIGNAL + SIGPIPE)
        die_of_sigpipe();
    return report.exit_status;
}
