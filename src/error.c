/* Failures as values: filled where the context is known, printed by main only. */

#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int zs_error_set(struct zs_error *error, enum zs_error_kind kind, const char *object,
                 const char *operation, int code, const char *format, ...)
{
    if (error->kind != ZS_ERROR_NONE)
        return -1;

    error->kind = kind;
    error->object = object;
    error->operation = operation;
    error->code = code;
    error->detail[0] = '\0';
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error->detail, sizeof error->detail, format, arguments);
        va_end(arguments);
    }
    return -1;
}

void zs_error_append(struct zs_error *error, const char *format, ...)
{
    size_t used = strlen(error->detail);
    if (used > 0)
        used += (size_t)snprintf(error->detail + used, sizeof error->detail - used, "; ");
    if (used >= sizeof error->detail)
        return;

    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->detail + used, sizeof error->detail - used, format, arguments);
    va_end(arguments);
}
