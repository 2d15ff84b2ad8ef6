#ifndef ZS_UNITS_H
#define ZS_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The one number grammar of the command line.
 *
 *   SIZE = decimal digits [suffix] | "0x" hexadecimal digits
 *   POS  = SIZE | "-" SIZE          (counted from the end; "-0" is the end)
 *
 *   suffix = K M G T P E | KiB .. EiB   powers of 1024 (k is K)
 *          | KB .. EB (kB is KB)        powers of 1000
 *          | s                          512-byte sectors
 *          | B                          bytes
 *
 * A leading zero does not mean octal. Nothing else is accepted: no blanks, no "+", no fraction,
 * no sign on a SIZE, no trailing text, no value beyond 2^64-1.
 */

/* A position in bytes, counted from the start, or from the end backwards. */
struct zs_position {
    uint64_t distance_bytes;
    bool from_end;
};

/*
 * 0, or -EINVAL (not of the grammar), or -ERANGE (beyond 2^64-1). *size_bytes is set on success
 * only.
 */
int zs_units_parse_size(const char *text, uint64_t *size_bytes);

/* As zs_units_parse_size, for a POS. */
int zs_units_parse_position(const char *text, struct zs_position *position);

/* Whether a number of the grammar has no suffix, so that it may count something else than bytes. */
bool zs_units_is_bare(const char *text);

#endif
