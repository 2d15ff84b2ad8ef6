#ifndef ZS_VIEW_H
#define ZS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A view names bytes that lie in memory already, as Python's memoryview does: slicing it makes a
 * smaller view of the same bytes and never copies one. What remains of a view after a partial write
 * is such a slice.
 *
 * A view owns nothing; it is valid as long as what it was taken from (a window, a buffer).
 */
struct zs_view {
    const unsigned char *bytes;
    size_t length_bytes;
};

/*
 * view[start:stop], clamped: start and stop beyond the end are the end, stop before start is empty.
 */
struct zs_view zs_view_slice(struct zs_view view, size_t start, size_t stop);

/* view[count:], what remains after count bytes of it were used. */
struct zs_view zs_view_rest(struct zs_view view, size_t count);

/*
 * Asks the kernel to map the view's pages in one go, instead of faulting them in one by one as they
 * are used. Only a hint: where it fails, using the view meets the reason. Never touches the bytes,
 * so a file that shrinks meanwhile raises no SIGBUS here.
 */
void zs_view_populate(struct zs_view view);

/*
 * The opposite: unmaps the pages of a view that nobody needs any more (the mapping stays), up to
 * the last one that ends in it. They stay in the page cache.
 */
void zs_view_unpopulate(struct zs_view view);

/*
 * Calls use(context), which touches mapped bytes. 0, or -EFAULT if one of them cannot be had (the
 * file has shrunk below it, or its device failed): then `use` was left in the middle. The only
 * place that deals with SIGBUS; for any number of threads.
 */
int zs_view_guard(void (*use)(void *context), void *context);

/* A part of a file, mapped for reading. Owns the mapping. All zero: nothing is mapped. */
struct zs_window {
    void *map;
    size_t map_bytes;
    uint64_t start; /* file position of the first mapped byte, a multiple of the page size */
};

/*
 * Maps [position, position + length_bytes) of fd, enlarged to whole pages, in place of what the
 * window held; with `populate`, its pages as well (as zs_view_populate). 0 or -errno; on failure
 * nothing is mapped.
 */
int zs_window_move(struct zs_window *window, int fd, uint64_t position, size_t length_bytes,
                   bool populate);

/*
 * The mapped bytes from the file position on, at most length_bytes of them; empty if position is
 * outside the window.
 */
struct zs_view zs_window_view(const struct zs_window *window, uint64_t position,
                              size_t length_bytes);

void zs_window_unmap(struct zs_window *window);

#endif
