/* Notes that handlers take, and those who attend to them. */

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_number;   /* the signal that asks to stop, or 0 */
static volatile sig_atomic_t report_wanted; /* SIGUSR1 came */
static bool quiet;                          /* stopping: no signal is let through any more */
static bool dies_of_pipe;
static volatile sig_atomic_t alarmed; /* SIGALRM came */
static long tick_microseconds;        /* 0: no ticks */
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

/* setitimer is not on POSIX's list for handlers, but nothing more than a system call on Linux. */
static void set_alarm(long microseconds)
{
    struct timeval period = {microseconds / 1000000, microseconds % 1000000};
    struct itimerval timer = {period, period};
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void catch_with(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: waits are to end */
    struct sigaction before;

    (void)sigfillset(&action.sa_mask);
    if (sigaction(number, &action, &before) == 0 && before.sa_handler == SIG_IGN)
        (void)sigaction(number, &before, NULL);
}

static void catch_alarm(void)
{
    struct sigaction action = {.sa_handler = wake};
    (void)sigaction(SIGALRM, &action, NULL);
}

static void note(int number)
{
    int kept = errno;

    if (number == SIGUSR1)
        report_wanted = 1;
    else if (stop_number == 0)
        stop_number = number;
    catch_alarm();
    set_alarm(WAKE_MICROSECONDS);
    errno = kept;
}

void zs_signals_catch(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    dies_of_pipe = signal(SIGPIPE, SIG_IGN) != SIG_IGN;
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
    catch_alarm();
    set_alarm(microseconds);
}

/* SIGPIPE and SIGXFSZ are not among them: they are ignored. */
static void let_nothing_through(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)sigaddset(&set, numbers[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    set_alarm(0);
    quiet = true;
}

bool zs_signals_attend(void)
{
    if (stop_number != 0) {
        if (!quiet)
            let_nothing_through();
        return true;
    }
    bool asked = report_wanted != 0;
    bool tick = alarmed && tick_microseconds > 0;
    if ((asked || tick) && answer) {
        report_wanted = 0;
        alarmed = 0;
        if (asked)
            set_alarm(tick_microseconds);
        answer(answer_context, asked);
    }
    return false;
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
