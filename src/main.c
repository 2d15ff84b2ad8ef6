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
 * - zs_dd_parse(), zs_dd_fit(): dd's operands to the same values, if the program is called zdd
 *     - dd.[ch]
 *
 * - zs_source_open(), zs_target_examine(): what both ends are
 *     - source.[ch]    (the source, and where standard input is left)
 *     - target.[ch]    (the target's life: examine, open, prepare, settle, finish or abandon)
 *     - connect.[ch]   (targets that are addresses of sockets)
 *     - staged.[ch]    (a file that takes the target's place when it is complete)
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
 *     - view.[ch]      (views and windows of a mapped file; the one guard against SIGBUS)
 *     - holes.[ch]     (holes found in the source and made in the target)
 *     - compare.[ch]   (source and target read again, side by side)
 *     - checksum.[ch]  (the digest of the mapped source, beside the copy)
 *     - digest.[ch]    (digests, by libraries loaded on demand)
 *     - blocks.[ch]    (block by block, where dd's operands make that matter)
 *
 * - zs_collapse(): the slice in place, without a target
 *     - collapse.[ch]
 *
 * - zs_report_json(), zs_report_summary(): what it amounted to
 *     - report.[ch]
 *     - watch.[ch]     (what is shown while it is under way)
 *     - progress.[ch]  (how far it is, in figures and as a bar)
 *     - explain.[ch]   (a plan in words)
 *     - tally.[ch]     (statistics in the words of dd)
 *     - stats.[ch]     (counters; memory)
 *
 * - Utilities:
 *     - path.[ch]      (links followed, folders synced)
 *     - sys.[ch]       (system calls: EINTR, length caps, -errno)
 *     - signals.[ch]   (what asks a copy to stop, or how far it is)
 *     - error.[ch]     (a failure as a value)
 *     - diag.[ch]      (messages; escaping of names)
 */

#include "collapse.h"
#include "dd.h"
#include "diag.h"
#include "explain.h"
#include "options.h"
#include "plan.h"
#include "report.h"
#include "signals.h"
#include "source.h"
#include "sys.h"
#include "tally.h"
#include "target.h"
#include "transfer.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_REFUSED = 2,
    STATUS_SHORT = 3,
    STATUS_DIFFERENT = 4,
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

/* The copy has ended in order (standard input left where it should be); now the process does. */
static void die_of(int number)
{
    sigset_t set;

    (void)signal(number, SIG_DFL);
    (void)raise(number);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* A call that a signal ended has no reason of its own. */
static void name_signal(struct zs_error *error)
{
    struct zs_error named = *error;

    if (error->code != EINTR || !zs_signals_stopped_by())
        return;
    named.code = 0;
    named.detail[0] = '\0';
    zs_error_append(&named, "%s", zs_signals_reason());
    if (error->detail[0])
        zs_error_append(&named, "%s", error->detail);
    *error = named;
}

static int exit_status(const struct zs_error *error)
{
    if (error->kind != ZS_ERROR_NONE && zs_signals_stopped_by())
        return STATUS_SIGNAL + zs_signals_stopped_by();
    switch (error->kind) {
    case ZS_ERROR_NONE:
        return STATUS_DONE;
    case ZS_ERROR_USAGE:
    case ZS_ERROR_REFUSED:
        return STATUS_REFUSED;
    case ZS_ERROR_SHORT:
        return STATUS_SHORT;
    case ZS_ERROR_DIFFERENT:
        return STATUS_DIFFERENT;
    case ZS_ERROR_PIPE:
        return zs_signals_dies_of_pipe() ? STATUS_SIGNAL + SIGPIPE : STATUS_FAILED;
    case ZS_ERROR_DEVICE:
    case ZS_ERROR_TRANSFER:
        break;
    }
    return STATUS_FAILED;
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

static int open_source(struct zs_source *source, const struct zs_options *options,
                       struct zs_error *error)
{
    const char *path = options->source_path;
    const char *name = options->source_name;

    return options->explain ? zs_source_examine(source, path, name, error)
                            : zs_source_open(source, path, name, options->source_flags, error);
}

/* What is done in place has no target; the plan is made as if one were to be created. */
static int examine_target(struct zs_target *target, const struct zs_options *options,
                          struct zs_error *error)
{
    if (options->in_place == ZS_IN_PLACE_NO)
        return zs_target_examine(target, options->target_path, options->target_name,
                                 options->target_flags, error);
    target->facts = (struct zs_facts){.kind = ZS_KIND_NONE, .writable = true};
    return 0;
}

/* The digest is prepared before anything is touched, as its library may not be there. */
static int copy(struct zs_plan *plan, struct zs_source *source, struct zs_target *target,
                struct zs_stats *stats, struct zs_report *report, struct zs_error *error)
{
    const struct zs_options *options = plan->options;
    struct zs_digest *digest = NULL;

    if (options->in_place != ZS_IN_PLACE_NO)
        return zs_collapse(plan, source, stats, &report->bytes, error);
    if (options->digest != ZS_DIGEST_NONE && zs_digest_create(options->digest, &digest, error) < 0)
        return -1;
    int result = zs_transfer(plan, source, target, stats, digest, &report->bytes, error);
    if (result == 0 && digest) {
        result = zs_digest_finish(digest, report->digest, error);
        report->digest_object = zs_report_name_slice(plan, report->bytes);
    }
    zs_digest_free(digest);
    return result;
}

/* dd: operands that complete the options as soon as both ends are known; NULL: there are none. */
static int carry_out(struct zs_options *options, struct zs_dd *dd, struct zs_watch *watch,
                     struct zs_stats *stats, struct zs_report *report, struct zs_error *error)
{
    struct zs_source source;
    struct zs_target target = {.fd = -1};
    struct zs_plan plan = {.parts = NULL};
    int result = -1;

    if (open_source(&source, options, error) == 0 &&
        (!wants_sharing(options) || learn(&source, 0, source.facts.size_bytes, error) == 0) &&
        examine_target(&target, options, error) == 0 &&
        (!dd || zs_dd_fit(dd, &source.facts, &target.facts, options, error) == 0) &&
        zs_plan_make(options, &source.facts, &target.facts, &plan, error) == 0 &&
        refine(&plan, &source, &target, error) == 0) {
        watch->total_bytes = zs_plan_total_bytes(&plan);
        result = options->explain ? explain(&plan, &source.facts, &target.facts, error)
                                  : copy(&plan, &source, &target, stats, report, error);
    }

    zs_plan_free(&plan);
    zs_target_free(&target); /* the source was only read: the process's end closes it */
    return result;
}

/*
 * Everything goes to standard error in one write each, so that lines of several programs do not
 * mix. What scripts read goes to `paper`, which may be standard error, too.
 */
static void tell(const struct zs_options *options, const struct zs_report *report,
                 const struct zs_error *error, FILE *paper)
{
    if (error->kind != ZS_ERROR_NONE && report->exit_status != STATUS_SIGNAL + SIGPIPE)
        zs_diag_print_error(stderr, error);
    (void)fflush(stderr);
    zs_report_begin(paper);
    if (report->complete && report->digest[0] != '\0')
        zs_report_digest(paper, report);
    (void)fflush(stderr);
    if (options->verbose && report->complete)
        zs_report_summary(stderr, report);
    (void)fflush(stderr);
    if (options->stats_json)
        zs_report_json(paper, report);
    (void)fflush(stderr);
}

/* The exit status, or STATUS_SIGNAL and the number of the signal to die of. */
static int run(int argc, char **argv)
{
    struct zs_options options;
    struct zs_error error = {0};
    struct zs_stats stats = {0};
    struct zs_report report = {.stats = &stats};
    struct zs_watch watch = {.stats = &stats};
    enum zs_action action;
    uint64_t start_ns = zs_sys_now_ns();
    FILE *paper = stderr;

    if (zs_options_parse(argc, argv, &options, &action, &error) == 0 && action == ZS_ACTION_COPY) {
        stats.sample_memory = options.stats_json;
        zs_watch_begin(&watch, &options, start_ns);
        if (zs_report_open(&options, &paper, &error) == 0)
            (void)carry_out(&options, NULL, &watch, &stats, &report, &error);
        zs_watch_end(&watch, &options, error.kind == ZS_ERROR_NONE);
    }

    name_signal(&error);
    report.ranges = options.range_count > 0 ? options.range_count : 1;
    report.source = options.source_path;
    report.target = options.in_place == ZS_IN_PLACE_NO ? options.target_path : options.source_path;
    report.digest_kind = options.digest;
    report.nanoseconds = zs_sys_now_ns() - start_ns;
    report.complete = error.kind == ZS_ERROR_NONE;
    report.exit_status = exit_status(&error);
    if (action == ZS_ACTION_COPY || !report.complete)
        tell(&options, &report, &error, paper);
    if (zs_report_close(paper, &options, &error) < 0 && report.complete) {
        zs_diag_print_error(stderr, &error);
        (void)fflush(stderr);
        report.exit_status = STATUS_FAILED;
    }
    free(report.digest_object);
    zs_options_free(&options);
    return report.exit_status;
}

/* The same with dd's operands and dd's words, and 1 for every failure. */
static int run_as_dd(int argc, char **argv)
{
    struct zs_dd dd;
    struct zs_options options;
    struct zs_error error = {0};
    struct zs_stats stats = {0};
    struct zs_report report = {.stats = &stats};
    struct zs_watch watch = {.stats = &stats};
    struct zs_tally tally = {
        .dd = &dd, .options = &options, .stats = &stats, .start_ns = zs_sys_now_ns()};
    enum zs_action action;

    zs_diag_name_program("zdd");
    if (zs_dd_parse(argc, argv, &dd, &options, &action, &error) == 0 && action == ZS_ACTION_COPY) {
        zs_tally_begin(&tally);
        (void)carry_out(&options, &dd, &watch, &stats, &report, &error);
        zs_tally_end(&tally);
    }

    if (error.kind == ZS_ERROR_NONE && dd.cannot_sync)
        (void)zs_error_set(&error, ZS_ERROR_TRANSFER, options.target_name, "syncing", EINVAL, NULL);
    name_signal(&error);
    int status = exit_status(&error);
    bool silent = status == STATUS_SIGNAL + SIGPIPE ||
                  (status > STATUS_SIGNAL && dd.status == ZS_DD_STATUS_NONE);
    bool began = error.kind != ZS_ERROR_USAGE && error.kind != ZS_ERROR_REFUSED;
    if (action == ZS_ACTION_COPY && began)
        zs_tally_warn(&tally, stderr);
    if (error.kind != ZS_ERROR_NONE && !silent)
        zs_diag_print_error(stderr, &error);
    if (action == ZS_ACTION_COPY && began && !silent)
        zs_tally_print(&tally, zs_sys_now_ns() - tally.start_ns, stderr);
    bool told = fflush(stderr) == 0 && !ferror(stderr);
    zs_dd_free(&dd);
    if (status > STATUS_SIGNAL)
        return status;
    return status == STATUS_DONE && told ? STATUS_DONE : STATUS_FAILED;
}

int main(int argc, char **argv)
{
    static char line[BUFSIZ];

    (void)setvbuf(stderr, line, _IOFBF, sizeof line); /* it is flushed line by line */
    occupy_closed_descriptors();
    zs_signals_catch();
    int status = zs_dd_is_name(argv[0]) ? run_as_dd(argc, argv) : run(argc, argv);
    if (status > STATUS_SIGNAL)
        die_of(status - STATUS_SIGNAL);
    return status;
}
