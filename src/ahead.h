#ifndef ZS_AHEAD_H
#define ZS_AHEAD_H

#include "view.h"

#include <stddef.h>

/*
 * A second thread that maps the pages of a view ahead of the one that uses them, and unmaps them
 * behind it. It touches page tables only: the bytes are never read, so it does no harm to a file
 * that shrinks, and a page that cannot be had is met by the user of the view, as without it.
 *
 * All functions are for the one thread that uses the view.
 */
struct zs_ahead;

/* Starts the thread, with nothing to do. 0 or -errno; *ahead is for zs_ahead_stop. */
int zs_ahead_start(struct zs_ahead **ahead);

/* Goes to work on a view, of whole pages. It must stay mapped until zs_ahead_leave or _stop. */
void zs_ahead_enter(struct zs_ahead *ahead, struct zs_view view);

/*
 * The first used_bytes of the view are not needed any more, and the wanted_bytes behind them are
 * next: returns when they are mapped.
 */
void zs_ahead_advance(struct zs_ahead *ahead, size_t used_bytes, size_t wanted_bytes);

/* Returns when the thread has let go of the view. */
void zs_ahead_leave(struct zs_ahead *ahead);

void zs_ahead_stop(struct zs_ahead *ahead);

#endif
