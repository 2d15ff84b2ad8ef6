#ifndef ZS_SIGNALS_H
#define ZS_SIGNALS_H

#include <stdbool.h>

/*
 * Signals that a copy answers in order, instead of dying in the middle: SIGINT, SIGTERM and SIGHUP
 * stop it, SIGUSR1 asks how far it has come. Whoever ignored one of them when he started the
 * program (nohup, a shell's background job) has it ignored.
 *
 * A handler only takes a note. Whoever waits in a system call is woken, and woken again every few
 * milliseconds until somebody attends to the note, so that none is lost between looking and
 * waiting.
 */

/* Takes charge of the signals. SIGXFSZ is ignored: EFBIG says the same, with a message. */
void zs_signals_catch(void);

/* Whether SIGPIPE was not ignored when the program started: then it dies of EPIPE, silently. */
bool zs_signals_dies_of_pipe(void);

/*
 * Who answers SIGUSR1 (then `asked` is true) and the ticks of zs_signals_tick; called from
 * zs_signals_attend, so it may do anything. NULL: nobody yet.
 */
void zs_signals_answer(void (*report)(void *context, bool asked), void *context);

/* Has it called every so often, too (0: no more); waits are interrupted for that. */
void zs_signals_tick(long microseconds);

/*
 * Attends to what was noted: has SIGUSR1 answered. True if the copy is to stop; from then on no
 * signal interrupts any more, so that cleaning up is done in peace.
 */
bool zs_signals_attend(void);

/* The signal that stopped the copy, or 0. */
int zs_signals_stopped_by(void);

/* That as a reason, for messages: "stopped by SIGINT". */
const char *zs_signals_reason(void);

#endif
