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
static void (*answer)(void *context);
static void *answer_context;

/*
 * How often a wait is interrupted until the note is attended to: often enough for the 0.2 s within
 * which a copy stops.
 */
enum { WAKE_MICROSECONDS = 20000 };

static void wake(int number)
{
    (void)number; /* to interrupt was all */
}

/* setitimer is not on POSIX's list for handlers, but nothing more than a system call on Linux. */
static void set_alarm(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
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

static void note(int number)
{
    int kept = errno;
    struct sigaction alarm_action = {.sa_handler = wake};

    if (number == SIGUSR1)
        report_wanted = 1;
    else if (stop_number == 0)
        stop_number = number;
    (void)sigaction(SIGALRM, &alarm_action, NULL);
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

void zs_signals_answer(void (*report)(void *context), void *context)
{
    answer = report;
    answer_context = context;
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
    if (report_wanted && answer) {
        set_alarm(0);
        report_wanted = 0;
        answer(answer_context);
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
