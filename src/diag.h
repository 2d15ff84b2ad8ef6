#ifndef ZS_DIAG_H
#define ZS_DIAG_H

#include "error.h"

#include <stddef.h>
#include <stdio.h>

/*
 * Text for people. No file name can drive a terminal: control characters, and bytes that are not
 * valid UTF-8, come out as \n, \t, \r or \xHH, and a backslash as \\.
 */

void zs_diag_print_escaped(FILE *stream, const char *text);

/*
 * The length of the valid UTF-8 sequence at text (which is not ""), 0 if there is none. *code_point
 * is set if there is one.
 */
size_t zs_diag_utf8_length(const char *text, unsigned *code_point);

/* The name under which the program speaks, "zslice" at first; it must live as long as that. */
void zs_diag_name_program(const char *name);

/* Prints the one line of an error that is set: "zslice: OBJECT: OPERATION: REASON; DETAIL". */
void zs_diag_print_error(FILE *stream, const struct zs_error *error);

#endif
