/* Signals that stop a copy in order, or ask how far it has come: noted, woken for, attended to. */

#include "signals.h"

#include "check_helpers.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* timer_create(2) fails if it is told to. */
int __real_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer);

static int timer_code;

int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    if (timer_code == 0)
        return __real_timer_create(clock, event, timer);
    errno = timer_code;
    return -1;
}

static const struct {
    int number;
    const char *reason;
} stops[] = {
    {SIGINT, "stopped by SIGINT"}, {SIGTERM, "stopped by SIGTERM"}, {SIGHUP, "stopped by SIGHUP"}};

/* Another process that sends a signal after so many milliseconds, `times` times. */
static pid_t send_later(int number, long milliseconds, int times)
{
    pid_t to = getpid(), child = fork();
    struct timespec pause = {0, milliseconds * 1000000};

    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    for (int i = 0; i < times; i++) {
        (void)nanosleep(&pause, NULL);
        (void)kill(to, number);
    }
    _exit(0);
}

static void await(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
}

static double now(void)
{
    struct timespec time;
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct {
    int asked, ticks;
    int raises;   /* this signal, when it is called */
    int write_fd; /* a byte is written here by the call number `writes_at` */
    int writes_at;
} answered = {.write_fd = -1};

static void count_call(void *context, bool asked)
{
    ck_assert_ptr_eq(context, &answered);
    if (asked)
        answered.asked++;
    else
        answered.ticks++;
    if (answered.raises)
        (void)raise(answered.raises);
    if (answered.write_fd >= 0 && answered.asked + answered.ticks == answered.writes_at)
        write_all(answered.write_fd, "x", 1);
}

/* Stopping */

START_TEST(a_signal_that_stops_is_noted)
{
    zs_signals_catch();
    ck_assert(!zs_signals_attend());
    ck_assert_int_eq(zs_signals_stopped_by(), 0);
    ck_assert_int_eq(raise(stops[_i].number), 0);
    ck_assert_int_eq(zs_signals_stopped_by(), stops[_i].number);
    ck_assert(zs_signals_attend());
    ck_assert(zs_signals_attend());
    ck_assert_str_eq(zs_signals_reason(), stops[_i].reason);
}
END_TEST

START_TEST(the_first_one_counts)
{
    zs_signals_catch();
    ck_assert_int_eq(raise(stops[_i].number), 0);
    ck_assert_int_eq(raise(stops[(_i + 1) % 3].number), 0);
    ck_assert_int_eq(zs_signals_stopped_by(), stops[_i].number);
}
END_TEST

/* nohup(1), and jobs that a shell runs in the background. */
START_TEST(who_ignored_it_has_it_ignored)
{
    ck_assert_ptr_ne(signal(stops[_i].number, SIG_IGN), SIG_ERR);
    zs_signals_catch();
    ck_assert_int_eq(raise(stops[_i].number), 0);
    ck_assert(!zs_signals_attend());
}
END_TEST

START_TEST(a_wait_ends_when_a_signal_stops_it)
{
    char byte;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    pid_t child = send_later(stops[_i].number, 30, 1);
    double start = now();
    ck_assert_int_eq((int)zs_sys_read(ends[0], &byte, 1), -EINTR);
    ck_assert_msg(now() - start < 5, "it took %f s", now() - start);
    ck_assert_int_eq(zs_signals_stopped_by(), stops[_i].number);
    await(child);
}
END_TEST

/* It came between looking and waiting: the timer wakes who waits. */
START_TEST(a_signal_before_the_wait_is_not_lost)
{
    char byte;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    ck_assert(!zs_signals_attend());
    ck_assert_int_eq(raise(stops[_i].number), 0);
    ck_assert_int_eq((int)zs_sys_read(ends[0], &byte, 1), -EINTR);
}
END_TEST

/* Cleaning up is done in peace, whatever else comes. */
START_TEST(when_it_stops_no_signal_interrupts_any_more)
{
    char byte;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    ck_assert_int_eq(raise(SIGTERM), 0);
    ck_assert(zs_signals_attend());
    pid_t child = send_later(stops[_i].number, 5, 5);
    await(child);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct timespec pause = {0, 60000000}; /* as long as the timer would have taken thrice */
        (void)nanosleep(&pause, NULL);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    ck_assert_int_eq((int)read(ends[0], &byte, 1), 1); /* and not EINTR */
    await(child);
    ck_assert_int_eq(zs_signals_stopped_by(), SIGTERM);
}
END_TEST

START_TEST(without_a_timer_a_wait_is_interrupted_all_the_same)
{
    char byte;
    int ends[2];

    timer_code = EAGAIN;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    pid_t child = send_later(SIGTERM, 30, 1);
    ck_assert_int_eq((int)zs_sys_read(ends[0], &byte, 1), -EINTR);
    await(child);
}
END_TEST

/* Reports */

START_TEST(a_report_is_asked_for_while_it_waits)
{
    char byte = 0;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    zs_signals_answer(count_call, &answered);
    answered.write_fd = ends[1];
    answered.writes_at = 3;
    pid_t child = send_later(SIGUSR1, 20, 3);
    ck_assert_int_eq((int)zs_sys_read(ends[0], &byte, 1), 1); /* the copy goes on */
    await(child);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(answered.asked, 3);
    ck_assert_int_eq(answered.ticks, 0);
    ck_assert(!zs_signals_attend());
    ck_assert_int_eq(zs_signals_stopped_by(), 0);
}
END_TEST

START_TEST(what_was_asked_before_somebody_answers_is_answered_then)
{
    zs_signals_catch();
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert(!zs_signals_attend());
    zs_signals_answer(count_call, &answered);
    ck_assert(!zs_signals_attend());
    ck_assert_int_eq(answered.asked, 1);
    ck_assert(!zs_signals_attend());
    ck_assert_int_eq(answered.asked, 1);
}
END_TEST

/* The timer is put out after an answer, but not for what has come meanwhile. */
START_TEST(a_stop_that_comes_while_it_answers_is_seen)
{
    zs_signals_catch();
    zs_signals_answer(count_call, &answered);
    answered.raises = stops[_i].number;
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert(zs_signals_attend());
    ck_assert_int_eq(answered.asked, 1);
    ck_assert_int_eq(zs_signals_stopped_by(), stops[_i].number);
}
END_TEST

START_TEST(ticks_come_while_it_waits)
{
    char byte;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    zs_signals_answer(count_call, &answered);
    answered.write_fd = ends[1];
    answered.writes_at = 4;
    zs_signals_tick(10000);
    double start = now();
    ck_assert_int_eq((int)zs_sys_read(ends[0], &byte, 1), 1);
    ck_assert_msg(now() - start >= 0.039, "four ticks of 10 ms took %f s", now() - start);
    ck_assert_int_eq(answered.ticks, 4);
    ck_assert_int_eq(answered.asked, 0);
    zs_signals_tick(0); /* no more of them */
    struct timespec pause = {0, 50000000};
    ck_assert_int_eq(nanosleep(&pause, NULL), 0);
    ck_assert(!zs_signals_attend());
    ck_assert_int_eq(answered.ticks, 4);
}
END_TEST

START_TEST(a_tick_does_not_hide_a_stop)
{
    char byte;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    zs_signals_catch();
    zs_signals_answer(count_call, &answered);
    zs_signals_tick(3000);
    pid_t child = send_later(SIGINT, 40, 1);
    ck_assert_int_eq((int)zs_sys_read(ends[0], &byte, 1), -EINTR);
    await(child);
    ck_assert_int_gt(answered.ticks, 1);
}
END_TEST

/* What is ignored, and what is left alone */

START_TEST(a_pipe_without_a_reader_is_an_error)
{
    int ends[2];
    bool ignored = _i == 1;

    ck_assert_ptr_ne(signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL), SIG_ERR);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    (void)close(ends[0]);
    zs_signals_catch();
    ck_assert_int_eq((int)zs_sys_write(ends[1], "x", 1), -EPIPE);
    ck_assert_int_eq(zs_signals_dies_of_pipe(), !ignored);
}
END_TEST

START_TEST(other_signals_are_left_alone)
{
    static const int numbers[] = {SIGALRM, SIGUSR2, SIGCHLD, SIGTSTP, SIGCONT, SIGQUIT, SIGVTALRM};

    struct sigaction before[ROWS(numbers)], after;

    for (int i = 0; i < ROWS(numbers); i++)
        ck_assert_int_eq(sigaction(numbers[i], NULL, &before[i]), 0);
    zs_signals_catch();
    zs_signals_tick(1000000);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    for (int i = 0; i < ROWS(numbers); i++) {
        ck_assert_int_eq(sigaction(numbers[i], NULL, &after), 0);
        ck_assert_msg(after.sa_handler == before[i].sa_handler, "signal %d", numbers[i]);
    }
    ck_assert_ptr_eq(signal(SIGXFSZ, SIG_DFL), SIG_IGN);
}
END_TEST

START_TEST(a_handler_leaves_errno_as_it_was)
{
    zs_signals_catch();
    errno = 12345;
    (void)raise(SIGUSR1);
    (void)raise(SIGTERM);
    ck_assert_int_eq(errno, 12345);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *stopping = add_case(suite, "stopping");
    add_rows(stopping, a_signal_that_stops_is_noted, stops);
    add_rows(stopping, the_first_one_counts, stops);
    add_rows(stopping, who_ignored_it_has_it_ignored, stops);
    add_rows(stopping, a_wait_ends_when_a_signal_stops_it, stops);
    add_rows(stopping, a_signal_before_the_wait_is_not_lost, stops);
    add_rows(stopping, when_it_stops_no_signal_interrupts_any_more, stops);
    tcase_add_test(stopping, without_a_timer_a_wait_is_interrupted_all_the_same);

    TCase *reports = add_case(suite, "reports");
    tcase_add_test(reports, a_report_is_asked_for_while_it_waits);
    tcase_add_test(reports, what_was_asked_before_somebody_answers_is_answered_then);
    add_rows(reports, a_stop_that_comes_while_it_answers_is_seen, stops);
    tcase_add_test(reports, ticks_come_while_it_waits);
    tcase_add_test(reports, a_tick_does_not_hide_a_stop);

    TCase *others = add_case(suite, "others");
    tcase_add_loop_test(others, a_pipe_without_a_reader_is_an_error, 0, 2);
    tcase_add_test(others, other_signals_are_left_alone);
    tcase_add_test(others, a_handler_leaves_errno_as_it_was);
    return run_suite(suite);
}
