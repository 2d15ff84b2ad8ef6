#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What the fuzz targets that read their input byte by byte have in common. */

/* The input; behind its end there are zeros. */
struct input {
    const uint8_t *bytes;
    size_t left;
};

static inline uint8_t take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++;
}

/* Ends the target with a message, which libFuzzer takes for a finding. */
static inline void require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "required: %s\n", what);
    abort();
}

#endif
