/* Figures and text of a copy's progress. */

#include "progress.h"

#include <stdio.h>
#include <string.h>

/* The rate now is that of so long: shorter jumps about, longer is late to tell a stall. */
#define NOW_NS ((uint64_t)3000000000)

/* Samples are taken so far apart that the ring holds NOW_NS of them. */
#define SAMPLE_NS (NOW_NS / (ZS_PROGRESS_SAMPLES - 2))

void zs_progress_begin(struct zs_progress *progress, uint64_t now_ns)
{
    *progress = (struct zs_progress){.start_ns = now_ns, .now_ns = now_ns};
    progress->samples[0].now_ns = now_ns;
    progress->sample_count = 1;
}

void zs_progress_update(struct zs_progress *progress, uint64_t now_ns, uint64_t done_bytes,
                        uint64_t total_bytes)
{
    size_t last = (progress->sample_count - 1) % ZS_PROGRESS_SAMPLES;

    progress->now_ns = now_ns;
    progress->done_bytes = done_bytes;
    progress->total_bytes = total_bytes;
    if (now_ns - progress->samples[last].now_ns < SAMPLE_NS)
        return;
    size_t next = progress->sample_count++ % ZS_PROGRESS_SAMPLES;
    progress->samples[next].now_ns = now_ns;
    progress->samples[next].done_bytes = done_bytes;
}

static double rate(uint64_t bytes, uint64_t nanoseconds)
{
    return nanoseconds > 0 ? (double)bytes * 1e9 / (double)nanoseconds : 0;
}

double zs_progress_rate_now(const struct zs_progress *progress)
{
    size_t kept =
        progress->sample_count < ZS_PROGRESS_SAMPLES ? progress->sample_count : ZS_PROGRESS_SAMPLES;

    /* From the oldest sample that is young enough, or from the last one if none is. */
    for (size_t age = kept; age > 0; age--) {
        size_t i = (progress->sample_count - age) % ZS_PROGRESS_SAMPLES;
        uint64_t passed = progress->now_ns - progress->samples[i].now_ns;
        if (passed <= NOW_NS || age == 1)
            return rate(progress->done_bytes - progress->samples[i].done_bytes, passed);
    }
    return 0;
}

double zs_progress_rate_mean(const struct zs_progress *progress)
{
    return rate(progress->done_bytes, progress->now_ns - progress->start_ns);
}

double zs_progress_seconds_left(const struct zs_progress *progress)
{
    double now = zs_progress_rate_now(progress);

    if (progress->total_bytes == 0 || now <= 0)
        return -1;
    if (progress->done_bytes >= progress->total_bytes)
        return 0;
    return (double)(progress->total_bytes - progress->done_bytes) / now;
}

void zs_progress_scale(double value, char *text, size_t size_bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;

    for (; value >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1000;
    (void)snprintf(text, size_bytes, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* "1:02" or "3:04:05"; beyond 99 hours "-". */
static void print_time(double seconds, char *text, size_t size_bytes)
{
    unsigned long whole = seconds < 0 || seconds >= 360000 ? 0 : (unsigned long)(seconds + 0.5);

    if (seconds < 0 || seconds >= 359999)
        (void)snprintf(text, size_bytes, "-");
    else if (whole >= 3600)
        (void)snprintf(text, size_bytes, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60,
                       whole % 60);
    else
        (void)snprintf(text, size_bytes, "%lu:%02lu", whole / 60, whole % 60);
}

/* A text that grows at its end, and then takes nothing that does not fit. */
struct line {
    char *text;
    size_t length;
    size_t most;
};

static void add(struct line *line, const char *before, const char *piece)
{
    size_t length = strlen(before) + strlen(piece);

    if (line->length + length > line->most) {
        line->most = line->length; /* what follows matters less */
        return;
    }
    (void)sprintf(line->text + line->length, "%s%s", before, piece);
    line->length += length;
}

enum { LEAST_BAR = 10, MOST_BAR = 50 };

/* What is left of the line between what was added and `rest` characters that are still to come. */
static void add_bar(struct line *line, double fraction, size_t rest)
{
    char bar[MOST_BAR + 3];
    size_t room = line->most > line->length + rest ? line->most - line->length - rest : 0;

    if (room < LEAST_BAR + 3)
        return;
    size_t width = room - 3 > MOST_BAR ? MOST_BAR : room - 3;
    size_t full = (size_t)(fraction * (double)width);
    bar[0] = '[';
    for (size_t i = 0; i < width; i++)
        bar[1 + i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[1 + width] = ']';
    bar[2 + width] = '\0';
    add(line, " ", bar);
}

void zs_progress_text(const struct zs_progress *progress, size_t columns, char *text,
                      size_t size_bytes)
{
    char done[32], total[32], now[32], mean[32], time[32], all[192];
    double fraction = 0;
    const char *of_time = "gone by";
    struct line line = {.text = text, .most = size_bytes - 1};

    if (columns > 0 && columns < line.most)
        line.most = columns;
    text[0] = '\0';
    zs_progress_scale((double)progress->done_bytes, done, sizeof done);
    zs_progress_scale((double)progress->total_bytes, total, sizeof total);
    zs_progress_scale(zs_progress_rate_now(progress), now, sizeof now);
    zs_progress_scale(zs_progress_rate_mean(progress), mean, sizeof mean);
    add(&line, "", done);
    if (progress->total_bytes > 0) {
        fraction = (double)progress->done_bytes / (double)progress->total_bytes;
        fraction = fraction > 1 ? 1 : fraction;
        /* 100 % is when all is done, and not before. */
        (void)snprintf(all, sizeof all, "%d%%", (int)(fraction * 100));
        add(&line, " ", all);
        of_time = fraction < 1 ? "left" : "in all";
    }
    print_time(progress->total_bytes > 0 && fraction < 1
                   ? zs_progress_seconds_left(progress)
                   : (double)(progress->now_ns - progress->start_ns) / 1e9,
               time, sizeof time);
    (void)snprintf(all, sizeof all, " %s/s %s %s, mean %s/s, of %s", now, time, of_time, mean,
                   total);
    if (columns > 0 && progress->total_bytes > 0)
        add_bar(&line, fraction, strlen(all));
    add(&line, " ", now);
    add(&line, "/s", "");
    (void)snprintf(all, sizeof all, "%s %s", time, of_time);
    add(&line, " ", all);
    (void)snprintf(all, sizeof all, "mean %s/s", mean);
    add(&line, ", ", all);
    if (progress->total_bytes > 0)
        add(&line, ", of ", total);
}
