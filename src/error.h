#ifndef ZS_ERROR_H
#define ZS_ERROR_H

#include <stdbool.h>

/* What kind of failure it is; main turns the kind into the exit status. */
enum zs_error_kind {
    ZS_ERROR_NONE = 0,
    ZS_ERROR_USAGE,   /* the command line is wrong; hint at --help */
    ZS_ERROR_REFUSED, /* the plan cannot be carried out and nothing was touched */
    ZS_ERROR_SHORT,   /* the source has fewer bytes than were asked for */
    ZS_ERROR_DEVICE,  /* the device refused what had arrived: how much of it is good is not known */
    ZS_ERROR_TRANSFER,  /* a read, write, map, truncate or close failed */
    ZS_ERROR_DIFFERENT, /* the target, read again, differs from the source */
    ZS_ERROR_PIPE,      /* the reader of the target is gone (EPIPE) */
};

/*
 * One failure, ready to be printed as "zslice: OBJECT: OPERATION: REASON; DETAIL".
 * The first error wins: setting one that is already set changes nothing.
 */
struct zs_error {
    enum zs_error_kind kind;
    const char *object;    /* file, end or option at fault; borrowed, outlives the error */
    const char *operation; /* what was being done, static; NULL leaves the part out */
    int code;              /* errno value whose text is the reason, or 0 */
    char detail[256]; /* more of the reason, or all of it where code is 0; may hold user text */
};

/* Fills *error unless it holds one already. format may be NULL: no detail. Always returns -1. */
int zs_error_set(struct zs_error *error, enum zs_error_kind kind, const char *object,
                 const char *operation, int code, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Appends "; TEXT" (just TEXT to an empty one) to the detail of an error that is set. */
void zs_error_append(struct zs_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
