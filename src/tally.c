/* What dd prints on standard error, so that scripts that read it go on to work. */

#include "tally.h"

#include "diag.h"
#include "signals.h"
#include "sys.h"

#include <string.h>

typedef unsigned long long ull; /* for printf */

enum { SECOND_MICROSECONDS = 1000000 };

/* numerator / denominator, rounded to nearest, ties to even; 2 * denominator must fit. */
static uint64_t divide(uint64_t numerator, uint64_t denominator)
{
    uint64_t quotient = numerator / denominator;
    uint64_t twice = 2 * (numerator % denominator);

    return quotient + (twice > denominator || (twice == denominator && quotient % 2 == 1));
}

void zs_tally_scale(uint64_t bytes, unsigned base, char *text, size_t size_bytes)
{
    const char *letters = base == 1000 ? "kMGTPE" : "KMGTPE";
    const char *ending = base == 1000 ? "B" : "iB";
    uint64_t unit = 1; /* up to 2^60 */
    size_t power = 0;

    while (bytes / unit >= base) {
        unit *= base;
        power++;
    }
    if (power == 0) {
        (void)snprintf(text, size_bytes, "%llu B", (ull)bytes);
        return;
    }
    uint64_t whole = bytes / unit;
    uint64_t tenths = divide(bytes % unit * 10, unit);
    if (whole < 10 && tenths < 10) {
        (void)snprintf(text, size_bytes, "%llu.%llu %c%s", (ull)whole, (ull)tenths,
                       letters[power - 1], ending);
        return;
    }
    if (whole < 9 && tenths == 10) { /* 1.96 is 2.0 */
        (void)snprintf(text, size_bytes, "%llu.0 %c%s", (ull)(whole + 1), letters[power - 1],
                       ending);
        return;
    }
    whole = divide(bytes, unit);
    if (whole == base && letters[power] != '\0')
        (void)snprintf(text, size_bytes, "1.0 %c%s", letters[power], ending);
    else
        (void)snprintf(text, size_bytes, "%llu %c%s", (ull)whole, letters[power - 1], ending);
}

/* Bytes a second, in kB at least. */
static void scale_rate(uint64_t bytes, uint64_t nanoseconds, char *text, size_t size_bytes)
{
    static const char letters[] = "kMGTPEZY";
    size_t power = 0;

    if (nanoseconds == 0) {
        (void)snprintf(text, size_bytes, "Infinity B/s");
        return;
    }
    double rate = (double)bytes / ((double)nanoseconds / 1e9) / 1000;
    for (; rate >= 1000 && letters[power + 1]; power++)
        rate /= 1000;
    (void)snprintf(text, size_bytes, rate < 99.95 ? "%.1f %cB/s" : "%.0f %cB/s", rate,
                   letters[power]);
}

/* "1600 bytes (1.6 kB, 1.6 KiB) copied, 0.1 s, 16.0 kB/s" */
static int print_transfer(uint64_t bytes, uint64_t nanoseconds, const char *seconds_format,
                          FILE *stream)
{
    char decimal[32], binary[32], rate[32], seconds[32];
    char both[72] = "";

    zs_tally_scale(bytes, 1000, decimal, sizeof decimal);
    zs_tally_scale(bytes, 1024, binary, sizeof binary);
    scale_rate(bytes, nanoseconds, rate, sizeof rate);
    (void)snprintf(seconds, sizeof seconds, *seconds_format == 'g' ? "%g s" : "%.0f s",
                   (double)nanoseconds / 1e9);
    if (bytes >= 1024)
        (void)snprintf(both, sizeof both, " (%s, %s)", decimal, binary);
    else if (bytes >= 1000)
        (void)snprintf(both, sizeof both, " (%s)", decimal);
    return fprintf(stream, "%llu byte%s%s copied, %s, %s", (ull)bytes, bytes == 1 ? "" : "s", both,
                   seconds, rate);
}

static struct zs_block_count blocks_of(uint64_t bytes, uint64_t block_bytes)
{
    return (struct zs_block_count){.full = bytes / block_bytes, .partial = bytes % block_bytes > 0};
}

void zs_tally_print(const struct zs_tally *tally, uint64_t nanoseconds, FILE *stream)
{
    const struct zs_dd *dd = tally->dd;
    bool counted = tally->options->blocks;
    uint64_t bytes = zs_stats_bytes(tally->stats);
    struct zs_block_count in =
        counted ? tally->stats->read_blocks : blocks_of(bytes, dd->read_bytes);
    struct zs_block_count out =
        counted ? tally->stats->written_blocks : blocks_of(bytes, dd->write_bytes);

    if (dd->status == ZS_DD_STATUS_NONE)
        return;
    (void)fprintf(stream, "%llu+%llu records in\n%llu+%llu records out\n", (ull)in.full,
                  (ull)in.partial, (ull)out.full, (ull)out.partial);
    if (dd->status == ZS_DD_STATUS_NO_TRANSFER)
        return;
    (void)print_transfer(bytes, nanoseconds, "g", stream);
    (void)fputc('\n', stream);
}

void zs_tally_warn(const struct zs_tally *tally, FILE *stream)
{
    const struct zs_dd *dd = tally->dd;
    uint64_t partial_bytes = tally->stats->partial_read_bytes;

    if (dd->zero_multiplier)
        (void)fputs("zdd: warning: '0x' multiplies by zero; write '00x' if that is intended\n",
                    stream);
    if (dd->status == ZS_DD_STATUS_NONE)
        return;
    if (dd->cuts_appended)
        (void)fputs("zdd: warning: oflag=append emptied the file first; it needs conv=notrunc to "
                    "keep what is there\n",
                    stream);
    if (dd->past_end || tally->stats->past_end) {
        (void)fputs("zdd: ", stream);
        zs_diag_print_escaped(stream, tally->options->source_name);
        (void)fputs(": cannot skip to specified offset\n", stream);
    }
    if (partial_bytes > 0)
        (void)fprintf(stream, "zdd: warning: partial read (%llu byte%s); suggest iflag=fullblock\n",
                      (ull)partial_bytes, partial_bytes == 1 ? "" : "s");
}

/* The line is overwritten, or left as it is by beginning another one. */
static void show_progress(struct zs_tally *tally, uint64_t nanoseconds)
{
    (void)fputc('\r', stderr);
    int length = print_transfer(zs_stats_bytes(tally->stats), nanoseconds, "f", stderr);
    if (length < 0)
        return;
    if ((size_t)length < tally->line_length)
        (void)fprintf(stderr, "%*s", (int)(tally->line_length - (size_t)length), "");
    tally->line_length = (size_t)length;
    (void)fflush(stderr);
}

static void leave_line(struct zs_tally *tally)
{
    if (tally->line_length > 0)
        (void)fputc('\n', stderr);
    tally->line_length = 0;
}

static void answer(void *context, bool asked)
{
    struct zs_tally *tally = context;
    uint64_t nanoseconds = zs_sys_now_ns() - tally->start_ns;

    if (!asked) {
        show_progress(tally, nanoseconds);
        return;
    }
    leave_line(tally);
    zs_tally_print(tally, nanoseconds, stderr);
    (void)fflush(stderr);
}

/* A block that could not be read. */
static void complain(void *context, const char *source_name, int code)
{
    struct zs_tally *tally = context;
    struct zs_error error = {0};

    leave_line(tally);
    (void)zs_error_set(&error, ZS_ERROR_TRANSFER, source_name, "reading", code, NULL);
    if (tally->dd->status != ZS_DD_STATUS_NONE)
        zs_diag_print_error(stderr, &error);
    zs_tally_print(tally, zs_sys_now_ns() - tally->start_ns, stderr);
    (void)fflush(stderr);
}

void zs_tally_begin(struct zs_tally *tally)
{
    tally->dd->blocks.complain = complain;
    tally->dd->blocks.context = tally;
    zs_signals_answer(answer, tally);
    if (tally->dd->status == ZS_DD_STATUS_PROGRESS)
        zs_signals_tick(SECOND_MICROSECONDS);
}

void zs_tally_end(struct zs_tally *tally)
{
    zs_signals_tick(0);
    leave_line(tally);
}
