/* Views are slices of the same memory; windows show a file at any position. */

#include "view.h"

#include "check_helpers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static size_t page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Python's len(view[start:stop]), for positions that are not negative. */
static size_t python_length(size_t length, size_t start, size_t stop)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += i >= start && i < stop;
    return count;
}

START_TEST(a_slice_clamps_as_memoryview_does)
{
    unsigned char memory[8];
    struct zs_view view = {.bytes = memory, .length_bytes = (size_t)_i};

    for (size_t start = 0; start <= 12; start++) {
        for (size_t stop = 0; stop <= 12; stop++) {
            struct zs_view slice = zs_view_slice(view, start, stop);
            ck_assert_uint_eq(slice.length_bytes, python_length(view.length_bytes, start, stop));
            if (slice.length_bytes > 0)
                ck_assert_ptr_eq(slice.bytes, memory + start);
            else
                ck_assert(slice.bytes >= memory && slice.bytes <= memory + view.length_bytes);
        }
    }
}
END_TEST

START_TEST(the_largest_bounds_are_the_end)
{
    unsigned char memory[8];
    struct zs_view view = {.bytes = memory, .length_bytes = sizeof memory};

    struct zs_view all = zs_view_slice(view, 0, SIZE_MAX);
    ck_assert_ptr_eq(all.bytes, memory);
    ck_assert_uint_eq(all.length_bytes, 8);
    ck_assert_uint_eq(zs_view_slice(view, SIZE_MAX, SIZE_MAX).length_bytes, 0);
    ck_assert_uint_eq(zs_view_slice(view, SIZE_MAX, 0).length_bytes, 0);
    ck_assert_uint_eq(zs_view_rest(view, SIZE_MAX).length_bytes, 0);
}
END_TEST

START_TEST(what_remains_after_a_part_is_the_rest_of_the_same_bytes)
{
    unsigned char memory[8];
    struct zs_view view = {.bytes = memory, .length_bytes = sizeof memory};

    struct zs_view rest = zs_view_rest(zs_view_rest(view, 3), 2);
    ck_assert_ptr_eq(rest.bytes, memory + 5);
    ck_assert_uint_eq(rest.length_bytes, 3);
    ck_assert_uint_eq(zs_view_rest(view, 0).length_bytes, 8);
    ck_assert_uint_eq(zs_view_rest(view, 8).length_bytes, 0);
    ck_assert_uint_eq(zs_view_rest(view, 9).length_bytes, 0);
}
END_TEST

START_TEST(slices_of_slices_add_up)
{
    unsigned char memory[100];
    struct zs_view view = {.bytes = memory, .length_bytes = sizeof memory};

    struct zs_view slice = zs_view_slice(zs_view_slice(view, 10, 90), 5, 1000);
    ck_assert_ptr_eq(slice.bytes, memory + 15);
    ck_assert_uint_eq(slice.length_bytes, 75);
}
END_TEST

START_TEST(a_slice_shows_what_is_written_to_the_original)
{
    unsigned char memory[] = "abcd";
    struct zs_view view = {.bytes = memory, .length_bytes = 4};
    struct zs_view slice = zs_view_slice(view, 1, 3);

    memory[2] = 'X';
    ck_assert_mem_eq(slice.bytes, "bX", 2);
}
END_TEST

START_TEST(nothing_sliced_is_nothing)
{
    struct zs_view nothing = {0};

    ck_assert_ptr_null(zs_view_slice(nothing, 1, 2).bytes);
    ck_assert_uint_eq(zs_view_slice(nothing, 0, 9).length_bytes, 0);
    ck_assert_uint_eq(zs_view_rest(nothing, 9).length_bytes, 0);
    zs_view_populate(nothing);
}
END_TEST

enum { FILE_PAGES = 5 };

struct mapped_file {
    int fd;
    size_t length;
    unsigned char *bytes;
};

static struct mapped_file begin_file(void)
{
    struct mapped_file file = {.length = FILE_PAGES * page() + 123};
    file.bytes = new_pattern(file.length);
    file.fd = scratch_file(file.bytes, file.length);
    return file;
}

static void end_file(struct mapped_file *file)
{
    free(file->bytes);
    (void)close(file->fd);
}

START_TEST(a_window_shows_the_file_at_any_position)
{
    static const size_t beside[] = {0, 1, 2, 511, 4095, 4096, 4097, 5000, 12288, 20479, 20602};
    static const size_t lengths[] = {1, 2, 100, 4095, 4096, 4097, 9000};
    struct mapped_file file = begin_file();
    struct zs_window window = {0};

    for (int p = 0; p < ROWS(beside); p++) {
        for (int l = 0; l < ROWS(lengths); l++) {
            size_t position = beside[p];
            size_t there = file.length > position ? file.length - position : 0;
            size_t length = lengths[l] < there ? lengths[l] : there;
            if (length == 0)
                continue;
            ck_assert_int_eq(zs_window_move(&window, file.fd, position, length, false), 0);
            ck_assert_uint_eq(window.start % page(), 0);
            ck_assert_uint_le(window.start, position);
            struct zs_view view = zs_window_view(&window, position, length);
            ck_assert_uint_eq(view.length_bytes, length);
            ck_assert_mem_eq(view.bytes, file.bytes + position, length);
        }
    }
    zs_window_unmap(&window);
    end_file(&file);
}
END_TEST

START_TEST(a_view_of_a_window_is_bounded_by_it)
{
    struct mapped_file file = begin_file();
    struct zs_window window = {0};
    size_t start = page() + 10;

    ck_assert_int_eq(zs_window_move(&window, file.fd, start, 1000, false), 0);
    ck_assert_uint_eq(zs_window_view(&window, start, SIZE_MAX).length_bytes, 1000);
    ck_assert_uint_eq(zs_window_view(&window, start + 999, 50).length_bytes, 1);
    ck_assert_uint_eq(zs_window_view(&window, start + 1000, 50).length_bytes, 0);
    ck_assert_uint_eq(zs_window_view(&window, start + 5 * page(), 50).length_bytes, 0);
    ck_assert_uint_eq(zs_window_view(&window, UINT64_MAX, 50).length_bytes, 0);
    ck_assert_uint_eq(zs_window_view(&window, page() - 1, 50).length_bytes, 0);
    ck_assert_uint_eq(zs_window_view(&window, 0, 50).length_bytes, 0);
    ck_assert_uint_eq(zs_window_view(&window, start, 0).length_bytes, 0);
    zs_window_unmap(&window);
    end_file(&file);
}
END_TEST

START_TEST(views_of_a_window_share_its_pages)
{
    struct mapped_file file = begin_file();
    struct zs_window window = {0};

    ck_assert_int_eq(zs_window_move(&window, file.fd, 10, 2 * page(), false), 0);
    struct zs_view whole = zs_window_view(&window, 10, 2 * page());
    struct zs_view later = zs_window_view(&window, 15, 100);
    ck_assert_ptr_eq(whole.bytes, (unsigned char *)window.map + 10);
    ck_assert_ptr_eq(later.bytes, whole.bytes + 5);

    /* Not even the mapping is a copy: what is written to the file is seen. */
    ck_assert_int_eq(pwrite(file.fd, "X", 1, 15), 1);
    ck_assert_int_eq(later.bytes[0], 'X');
    zs_window_unmap(&window);
    end_file(&file);
}
END_TEST

static bool is_mapped(const void *address)
{
    unsigned char resident;
    return mincore((void *)(uintptr_t)address, 1, &resident) == 0;
}

START_TEST(moving_unmaps_what_the_window_held)
{
    struct mapped_file file = begin_file();
    struct zs_window window = {0};

    /* Four pages, so that the one page mapped next cannot lie over all of them. */
    ck_assert_int_eq(zs_window_move(&window, file.fd, 0, 4 * page(), false), 0);
    unsigned char *before = window.map;
    ck_assert_int_eq(zs_window_move(&window, file.fd, 4 * page(), 1, false), 0);
    int still_mapped = 0;
    for (size_t i = 0; i < 4; i++)
        still_mapped += is_mapped(before + i * page()) && before + i * page() != window.map;
    ck_assert_int_eq(still_mapped, 0);
    ck_assert_uint_eq(zs_window_view(&window, 0, 1).length_bytes, 0);
    ck_assert_mem_eq(zs_window_view(&window, 4 * page(), 1).bytes, file.bytes + 4 * page(), 1);

    unsigned char *last = window.map;
    zs_window_unmap(&window);
    ck_assert(!is_mapped(last));
    end_file(&file);
}
END_TEST

START_TEST(unmapping_twice_or_nothing_does_no_harm)
{
    struct mapped_file file = begin_file();
    struct zs_window window = {0};

    zs_window_unmap(&window);
    ck_assert_int_eq(zs_window_move(&window, file.fd, 0, 1, false), 0);
    zs_window_unmap(&window);
    ck_assert_ptr_null(window.map);
    ck_assert_uint_eq(zs_window_view(&window, 0, 1).length_bytes, 0);
    zs_window_unmap(&window);
    end_file(&file);
}
END_TEST

START_TEST(a_window_that_cannot_be_mapped_says_why_and_holds_nothing)
{
    struct mapped_file file = begin_file();
    struct zs_window window = {0};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(zs_window_move(&window, file.fd, 0, 100, false), 0);
    ck_assert_int_eq(zs_window_move(&window, ends[0], 0, 100, false), -ENODEV);
    ck_assert_ptr_null(window.map);
    ck_assert_uint_eq(zs_window_view(&window, 0, 100).length_bytes, 0);
    ck_assert_int_eq(zs_window_move(&window, -1, 0, 100, false), -EBADF);
    ck_assert_int_eq(zs_window_move(&window, file.fd, 0, 0, false), -EINVAL);
    (void)close(ends[0]);
    (void)close(ends[1]);
    end_file(&file);
}
END_TEST

START_TEST(a_window_far_into_a_sparse_file_shows_its_place)
{
    struct zs_window window = {0};
    int fd = memfd_create("sparse", MFD_CLOEXEC);
    uint64_t position = ((uint64_t)1 << 40) + 4097;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, "here", 4, (off_t)position), 4);
    ck_assert_int_eq(zs_window_move(&window, fd, position, 4, false), 0);
    ck_assert_mem_eq(zs_window_view(&window, position, 4).bytes, "here", 4);
    zs_window_unmap(&window);
    (void)close(fd);
}
END_TEST

static long faults(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* Not instrumented: the shadow memory has faults of its own. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static long
faults_of_reading(struct zs_view view)
{
    long before = faults();
    for (size_t i = 0; i < view.length_bytes; i += page())
        (void)*(const volatile unsigned char *)&view.bytes[i];
    return faults() - before;
}

START_TEST(a_populated_view_is_read_without_faults)
{
    struct zs_window window = {0};
    size_t length = 1024 * page();
    unsigned char *bytes = new_pattern(length);
    int fd = memfd_create("populated", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    write_all(fd, bytes, length);
    free(bytes);
    ck_assert_int_eq(zs_window_move(&window, fd, 100, length - 100, false), 0);
    struct zs_view view = zs_window_view(&window, 100, length);
    zs_view_populate(view);
    ck_assert_int_lt(faults_of_reading(view), 16); /* 64, in steps of 16 pages, otherwise */
    zs_window_unmap(&window);
    (void)close(fd);
}
END_TEST

START_TEST(populating_a_file_that_shrank_raises_no_signal)
{
    struct mapped_file file = begin_file();
    struct zs_window window = {0};

    ck_assert_int_eq(zs_window_move(&window, file.fd, 0, file.length, false), 0);
    ck_assert_int_eq(ftruncate(file.fd, 0), 0);
    zs_view_populate(zs_window_view(&window, 0, file.length));
    zs_window_unmap(&window);
    end_file(&file);
}
END_TEST

/* The guard */

/* A mapped file of several pages, of which all but the first are cut off again. */
struct torn {
    int fd;
    struct zs_window window;
    struct zs_view view;
    size_t reached; /* so many bytes were read */
    uint64_t sum;
};

static void tear(struct torn *torn, size_t pages)
{
    unsigned char *bytes = new_pattern(pages * page());

    *torn = (struct torn){.fd = scratch_file(bytes, pages * page())};
    free(bytes);
    ck_assert_int_eq(zs_window_move(&torn->window, torn->fd, 0, pages * page(), false), 0);
    torn->view = zs_window_view(&torn->window, 0, pages * page());
    ck_assert_int_eq(ftruncate(torn->fd, (off_t)page()), 0);
}

static void mend(struct torn *torn)
{
    zs_window_unmap(&torn->window);
    (void)close(torn->fd);
}

static void read_all(void *context)
{
    struct torn *torn = context;

    for (torn->reached = 0; torn->reached < torn->view.length_bytes; torn->reached += 64)
        torn->sum += *(const volatile unsigned char *)&torn->view.bytes[torn->reached];
}

START_TEST(what_is_there_is_used_under_guard)
{
    struct torn torn;

    tear(&torn, 3);
    torn.view = zs_view_slice(torn.view, 0, page());
    ck_assert_int_eq(zs_view_guard(read_all, &torn), 0);
    ck_assert_uint_eq(torn.reached, page());
    mend(&torn);
}
END_TEST

START_TEST(what_a_file_has_lost_is_an_error_under_guard)
{
    struct torn torn;

    tear(&torn, 3);
    for (int i = 0; i < 100; i++) { /* as often as it happens */
        ck_assert_int_eq(zs_view_guard(read_all, &torn), -EFAULT);
        ck_assert_uint_eq(torn.reached, page());
        struct torn good = torn;
        good.view = zs_view_slice(torn.view, 0, page());
        ck_assert_int_eq(zs_view_guard(read_all, &good), 0);
    }
    sigset_t blocked;
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    ck_assert_int_eq(sigismember(&blocked, SIGBUS), 0);
    mend(&torn);
}
END_TEST

enum { GUARDED_THREADS = 2, GUARDED_TIMES = 500 };

static void *guard_often(void *context)
{
    pthread_barrier_t *start = context;
    struct torn torn;
    intptr_t right = 0;

    tear(&torn, 4);
    (void)pthread_barrier_wait(start);
    for (int i = 0; i < GUARDED_TIMES; i++) {
        struct torn good = torn;
        good.view = zs_view_slice(torn.view, 0, page());
        right += zs_view_guard(read_all, &torn) == -EFAULT && torn.reached == page();
        right += zs_view_guard(read_all, &good) == 0 && good.reached == page();
    }
    mend(&torn);
    return (void *)right;
}

/* The first one to guard anything, too, may be two at once. */
START_TEST(threads_are_guarded_at_the_same_time)
{
    pthread_t threads[GUARDED_THREADS];
    pthread_barrier_t start;

    free(new_pattern(4 * page())); /* made once, and not by two threads */
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, GUARDED_THREADS), 0);
    for (int i = 0; i < GUARDED_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, guard_often, &start), 0);
    for (int i = 0; i < GUARDED_THREADS; i++) {
        void *right;
        ck_assert_int_eq(pthread_join(threads[i], &right), 0);
        ck_assert_int_eq((intptr_t)right, 2 * GUARDED_TIMES);
    }
    (void)pthread_barrier_destroy(&start);
}
END_TEST

struct waiting {
    pthread_barrier_t inside, done;
};

static void wait_inside(void *context)
{
    struct waiting *waiting = context;
    (void)pthread_barrier_wait(&waiting->inside);
    (void)pthread_barrier_wait(&waiting->done);
}

static void *guard_and_wait(void *waiting)
{
    return (void *)(intptr_t)zs_view_guard(wait_inside, waiting);
}

/* Who is guarded in one thread does not save another, where the signal is what it always is. */
static void die_unguarded(bool while_guarded)
{
    struct waiting waiting;
    struct torn torn;
    pthread_t thread;

    /* A sanitizer reports the signal and ends the process otherwise. */
    (void)signal(SIGBUS, SIG_DFL);
    tear(&torn, 3);
    (void)zs_view_guard(read_all, &torn);
    if (while_guarded) {
        (void)pthread_barrier_init(&waiting.inside, NULL, 2);
        (void)pthread_barrier_init(&waiting.done, NULL, 2);
        (void)pthread_create(&thread, NULL, guard_and_wait, &waiting);
        (void)pthread_barrier_wait(&waiting.inside);
    }
    read_all(&torn);
}

START_TEST(outside_of_the_guard_the_signal_is_deadly)
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        die_unguarded(_i == 1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGBUS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *view = add_case(suite, "view");
    tcase_add_loop_test(view, a_slice_clamps_as_memoryview_does, 0, 9);
    tcase_add_test(view, the_largest_bounds_are_the_end);
    tcase_add_test(view, what_remains_after_a_part_is_the_rest_of_the_same_bytes);
    tcase_add_test(view, slices_of_slices_add_up);
    tcase_add_test(view, a_slice_shows_what_is_written_to_the_original);
    tcase_add_test(view, nothing_sliced_is_nothing);

    TCase *window = add_case(suite, "window");
    tcase_add_test(window, a_window_shows_the_file_at_any_position);
    tcase_add_test(window, a_view_of_a_window_is_bounded_by_it);
    tcase_add_test(window, views_of_a_window_share_its_pages);
    tcase_add_test(window, moving_unmaps_what_the_window_held);
    tcase_add_test(window, unmapping_twice_or_nothing_does_no_harm);
    tcase_add_test(window, a_window_that_cannot_be_mapped_says_why_and_holds_nothing);
    tcase_add_test(window, a_window_far_into_a_sparse_file_shows_its_place);
    tcase_add_test(window, a_populated_view_is_read_without_faults);
    tcase_add_test(window, populating_a_file_that_shrank_raises_no_signal);

    TCase *guard = add_case(suite, "guard");
    tcase_add_test(guard, what_is_there_is_used_under_guard);
    tcase_add_test(guard, what_a_file_has_lost_is_an_error_under_guard);
    tcase_add_test(guard, threads_are_guarded_at_the_same_time);
    tcase_add_loop_test(guard, outside_of_the_guard_the_signal_is_deadly, 0, 2);
    return run_suite(suite);
}
