#ifndef ZS_PROGRESS_H
#define ZS_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/*
 * How far a copy has come, in figures and as a line of text. Pure: the time comes from outside, and
 * nothing is printed here.
 */

/* What was seen before, to tell the rate now from the mean. */
enum { ZS_PROGRESS_SAMPLES = 32 };

struct zs_progress {
    uint64_t start_ns;
    uint64_t total_bytes; /* 0: not known */
    uint64_t now_ns;
    uint64_t done_bytes;
    struct {
        uint64_t now_ns;
        uint64_t done_bytes;
    } samples[ZS_PROGRESS_SAMPLES]; /* a ring */
    size_t sample_count;            /* ever taken */
};

void zs_progress_begin(struct zs_progress *progress, uint64_t now_ns);

/* It has come as far as done_bytes of total_bytes (0: not known). Time does not go back. */
void zs_progress_update(struct zs_progress *progress, uint64_t now_ns, uint64_t done_bytes,
                        uint64_t total_bytes);

/* Bytes a second over the last seconds, and since the start. 0 as long as that cannot be told. */
double zs_progress_rate_now(const struct zs_progress *progress);
double zs_progress_rate_mean(const struct zs_progress *progress);

/* Seconds left at the rate now; negative if that cannot be told. */
double zs_progress_seconds_left(const struct zs_progress *progress);

/*
 * One line, without its end: bytes, percentage, a bar, rate now and mean, time left or, at
 * the end, in all, or, where the end is not known, gone by. Never longer than `columns` characters
 * (nor than size_bytes - 1): what matters least is left out first. columns 0: as long as needed,
 * and no bar.
 */
void zs_progress_text(const struct zs_progress *progress, size_t columns, char *text,
                      size_t size_bytes);

/* 1234567 as "1.2 MB": decimal units, as dd and pv have them for rates. */
void zs_progress_scale(double value, char *text, size_t size_bytes);

#endif
