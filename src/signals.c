/* Notes that handlers take, and those who attend to them. */

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_number;   /* the signal that asks to stop, or 0 */
static volatile sig_atomic_t report_wanted; /* SIGUSR1 came */
static volatile sig_atomic_t alarmed;       /* the timer has run out */
static bool quiet;                          /* stopping: no signal is let through any more */
static bool dies_of_pipe;
static bool has_timer;
static timer_t timer;
static int timer_signal;       /* one of our own: SIGALRM may be somebody else's time limit */
static long tick_microseconds; /* 0: no ticks */
static void (*answer)(void *context, bool asked);
static void *answer_context;

/*
 * How often a wait is interrupted until the note is attended to: often enough for the 0.2 s within
 * which a copy stops.
 */
enum { WAKE_MICROSECONDS = 20000 };

static void wake(int number)
{
    (void)number;
    alarmed = 1; /* and a wait has been interrupted, which may be all */
}

/* May be called by handlers. period_microseconds 0: once. */
static void set_alarm(long microseconds, long period_microseconds)
{
    struct itimerspec when = {
        .it_value = {microseconds / 1000000, microseconds % 1000000 * 1000},
        .it_interval = {period_microseconds / 1000000, period_microseconds % 1000000 * 1000}};
    if (has_timer)
        (void)timer_settime(timer, 0, &when, NULL);
}

/* No SA_RESTART: waits are to end. */
static void catch_with(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    struct sigaction before;

    (void)sigfillset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        (void)sigaction(number, &action, NULL);
}

static void note(int number)
{
    int kept = errno;

    if (number == SIGUSR1)
        report_wanted = 1;
    else if (stop_number == 0)
        stop_number = number;
    set_alarm(WAKE_MICROSECONDS, WAKE_MICROSECONDS);
    errno = kept;
}

/* Where no timer can be had, a signal that comes just before a wait is noticed after it. */
static void create_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL};

    timer_signal = SIGRTMIN;
    event.sigev_signo = timer_signal;
    catch_with(timer_signal, wake);
    has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
}

void zs_signals_catch(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    dies_of_pipe = signal(SIGPIPE, SIG_IGN) != SIG_IGN;
    create_timer();
    catch_with(SIGINT, note);
    catch_with(SIGTERM, note);
    catch_with(SIGHUP, note);
    catch_with(SIGUSR1, note);
}

bool zs_signals_dies_of_pipe(void)
{
    return dies_of_pipe;
}

void zs_signals_answer(void (*report)(void *context, bool asked), void *context)
{
    answer = report;
    answer_context = context;
}

void zs_signals_tick(long microseconds)
{
    tick_microseconds = microseconds;
    set_alarm(microseconds, 0);
}

/* SIGPIPE and SIGXFSZ are not among them: they are ignored. */
static void let_nothing_through(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, timer_signal};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)sigaddset(&set, numbers[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    set_alarm(0, 0);
    quiet = true;
}

/*
 * A tick is one interruption, set anew when it has been answered: a call that is begun again from
 * its start each time would else never end.
 */
static void answer_once(void)
{
    bool asked = report_wanted != 0;

    report_wanted = 0;
    alarmed = 0;
    answer(answer_context, asked);
    set_alarm(tick_microseconds, 0);
}

bool zs_signals_attend(void)
{
    /* Looked at again after the timer was set: that may have put out the alarm of a new note. */
    while (stop_number == 0 && answer && (report_wanted || (alarmed && tick_microseconds > 0)))
        answer_once();
    if (stop_number == 0)
        return false;
    if (!quiet)
        let_nothing_through();
    return true;
}

int zs_signals_stopped_by(void)
{
    return stop_number;
}

const char *zs_signals_reason(void)
{
    switch (stop_number) {
    case SIGINT:
        return "stopped by SIGINT";
    case SIGTERM:
        return "stopped by SIGTERM";
    default:
        return "stopped by SIGHUP";
    }
}
