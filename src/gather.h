#ifndef ZS_GATHER_H
#define ZS_GATHER_H

#include "range.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Of the length_bytes at `bytes`, the first of which is the range's byte number `index`, moves
 * those that belong to the range to the front, one behind the other. How many they are.
 */
size_t zs_gather(const struct zs_range *range, uint64_t index, unsigned char *bytes,
                 size_t length_bytes);

#endif
