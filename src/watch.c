/* The terminal while a copy is under way. */

#include "watch.h"

#include "report.h"
#include "signals.h"
#include "sys.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * Updates per second: of a bar as many as the eye can follow, of lines in a log as many as one
 * wants to read. 512 MiB from file to file take the same time with and without.
 */
enum { BAR_MICROSECONDS = 100000, LINE_MICROSECONDS = 1000000, SLOW_MICROSECONDS = 1600000 };

/* A job in the background does not draw over what the one in the foreground shows. */
static bool may_draw(void)
{
    pid_t foreground = tcgetpgrp(STDERR_FILENO);
    return foreground < 0 || foreground == getpgrp();
}

static void draw(struct zs_watch *watch)
{
    struct winsize size = {.ws_col = 0};
    char text[256];
    size_t columns = 0;

    if (watch->bar && !may_draw())
        return;
    if (watch->bar)
        columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1
                      ? (size_t)size.ws_col - 1
                      : 79;
    zs_progress_text(&watch->progress, columns, text, sizeof text);
    /* In one write, so that lines of several programs do not mix. */
    (void)fprintf(stderr, watch->bar ? "\r%s\033[K" : "zslice: %s\n", text);
    (void)fflush(stderr);
    watch->drawn = watch->bar;
}

/*
 * What takes long without a byte arriving is interrupted less and less often: a call that begins
 * again when it is interrupted, as those of a file server may, has to come to its end.
 */
static void set_pace(struct zs_watch *watch, bool stalled)
{
    long usual = watch->bar ? BAR_MICROSECONDS : LINE_MICROSECONDS;

    watch->pace = !stalled                          ? usual
                  : watch->pace < SLOW_MICROSECONDS ? 2 * watch->pace
                                                    : watch->pace;
    zs_signals_tick(watch->pace);
}

static void answer(void *context, bool asked)
{
    struct zs_watch *watch = context;
    uint64_t done_bytes = zs_stats_bytes(watch->stats);
    uint64_t now = zs_sys_now_ns();

    bool stalled = done_bytes == watch->progress.done_bytes;
    zs_progress_update(&watch->progress, now, done_bytes, watch->total_bytes);
    if (!asked) {
        set_pace(watch, stalled);
        draw(watch);
        return;
    }
    if (watch->drawn)
        (void)fputs("\r\033[K", stderr);
    zs_report_progress(stderr, done_bytes, watch->total_bytes, now - watch->progress.start_ns);
    (void)fflush(stderr);
}

void zs_watch_begin(struct zs_watch *watch, const struct zs_options *options, uint64_t start_ns)
{
    zs_progress_begin(&watch->progress, start_ns);
    zs_signals_answer(answer, watch);
    if (!options->progress || options->explain)
        return;
    watch->bar = isatty(STDERR_FILENO);
    set_pace(watch, false);
}

void zs_watch_end(struct zs_watch *watch, const struct zs_options *options, bool complete)
{
    if (!options->progress || options->explain)
        return;
    zs_signals_tick(0);
    zs_progress_update(&watch->progress, zs_sys_now_ns(), zs_stats_bytes(watch->stats),
                       watch->total_bytes);
    if (complete || watch->drawn)
        draw(watch);
    if (watch->drawn)
        (void)fputc('\n', stderr);
    (void)fflush(stderr);
}
