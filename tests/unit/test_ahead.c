/*
 * The second thread: what is mapped when, by /proc/self/pagemap, on real files that are longer than
 * its lead; and that it lets go of a view whenever it is told to.
 */

#include "ahead.h"

#include "check_helpers.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#define MIB ((size_t)1024 * 1024)

/*
 * As in ahead.c: how far ahead is mapped, and what may be left behind before it is unmapped. The
 * kernel may map a whole folio (2 MiB) where one page of it was asked for.
 */
#define LEAD_BYTES   (8 * MIB)
#define BEHIND_BYTES (4 * MIB)
#define FOLIO_BYTES  (2 * MIB)

/* What random cases come from: printed with each failure; ZSLICE_TEST_SEED repeats it. */
static uint64_t seed, random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static size_t page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* A sparse file on disk, and all of it mapped. */
struct mapped {
    int fd;
    struct zs_window window;
    struct zs_view view;
};

static struct mapped map_file(size_t length)
{
    struct mapped mapped = {.fd = scratch_file("", 0)};

    ck_assert_int_eq(ftruncate(mapped.fd, (off_t)length), 0);
    ck_assert_int_eq(zs_window_move(&mapped.window, mapped.fd, 0, length, false), 0);
    mapped.view = zs_window_view(&mapped.window, 0, length);
    ck_assert_uint_eq(mapped.view.length_bytes, length);
    return mapped;
}

static void unmap_file(struct mapped *mapped)
{
    zs_window_unmap(&mapped->window);
    (void)close(mapped->fd);
}

/* How many of the pages that [start, stop) of the view lies in are in this process's page tables.
 */
static size_t present_pages(struct zs_view view, size_t start, size_t stop)
{
    enum { AT_ONCE = 4096 };
    static uint64_t entries[AT_ONCE];
    static int pagemap = -1;
    size_t count = 0;

    if (pagemap < 0)
        pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(pagemap, 0);
    uint64_t first = (uintptr_t)(view.bytes + start) / page();
    uint64_t behind = ((uintptr_t)(view.bytes + stop) + page() - 1) / page();
    for (uint64_t at = first; at < behind;) {
        uint64_t most = behind - at < AT_ONCE ? behind - at : AT_ONCE;
        ssize_t got = pread(pagemap, entries, (size_t)most * 8, (off_t)(at * 8));
        ck_assert_int_eq(got, (ssize_t)most * 8);
        for (uint64_t i = 0; i < most; i++)
            count += (size_t)(entries[i] >> 63);
        at += most;
    }
    return count;
}

static size_t present_bytes(struct zs_view view, size_t start, size_t stop)
{
    return present_pages(view, start, stop) * page();
}

/*
 * The kernel takes single pages out of the page tables again, of a file in memory, too, in three of
 * some 700,000 stretches (Linux 6.18); so a few may lack, in few of all stretches.
 */
static size_t stretches, stretches_with_gaps;

static void expect_present(struct zs_view view, size_t start, size_t length)
{
    size_t stop = start + length < view.length_bytes ? start + length : view.length_bytes;
    size_t pages = start < stop ? (stop + page() - 1) / page() - start / page() : 0;

    if (pages == 0)
        return;
    size_t present = present_pages(view, start, stop);
    stretches++;
    stretches_with_gaps += present < pages;
    ck_assert_msg(present <= pages && present + 2 + pages / 64 >= pages,
                  "seed %ju: of [%zu, %zu) %zu of %zu pages are mapped", (uintmax_t)seed, start,
                  stop, present, pages);
}

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    (void)nanosleep(&moment, NULL);
}

/* Waits, at most some seconds, until the thread has mapped as much of [start, stop) as that. */
static bool comes_to(struct zs_view view, size_t start, size_t stop, size_t least, size_t most)
{
    for (int i = 0; i < 2000; i++) {
        size_t now = present_bytes(view, start, stop);
        if (now >= least && now <= most)
            return true;
        pause_a_moment();
    }
    return false;
}

static struct zs_ahead *begin(void)
{
    struct zs_ahead *ahead = NULL;

    ck_assert_int_eq(zs_ahead_start(&ahead), 0);
    ck_assert_ptr_nonnull(ahead);
    return ahead;
}

/* As the writer does with what it was given. Not instrumented: a file may have shrunk, and it is
 * only pages that are of interest. */
__attribute__((no_sanitize("address", "thread"))) static void use(struct zs_view view, size_t start,
                                                                  size_t length)
{
    for (size_t i = start; i < start + length && i < view.length_bytes; i += 64)
        (void)*(const volatile unsigned char *)&view.bytes[i];
}

START_TEST(what_is_wanted_is_mapped_when_it_is_given)
{
    struct mapped file = map_file(40 * MIB + 5000);
    struct zs_ahead *ahead = begin();

    ck_assert_uint_eq(present_pages(file.view, 0, file.view.length_bytes), 0);
    zs_ahead_enter(ahead, file.view);
    for (size_t used = 0; used < file.view.length_bytes; used += MIB) {
        zs_ahead_advance(ahead, used, MIB);
        expect_present(file.view, used, MIB);
    }
    zs_ahead_advance(ahead, file.view.length_bytes, MIB);
    zs_ahead_leave(ahead);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

/* Without being asked: else there would be nothing ahead of the user. */
START_TEST(the_lead_is_mapped_and_no_more)
{
    struct mapped file = map_file(64 * MIB);
    struct zs_ahead *ahead = begin();
    static const size_t used[] = {0, 5 * MIB, 20 * MIB};

    zs_ahead_enter(ahead, file.view);
    for (int i = 0; i < ROWS(used); i++) {
        zs_ahead_advance(ahead, used[i], 1);
        /* Up to the whole lead, but it waits until there is a batch to do. */
        ck_assert(comes_to(file.view, used[i], file.view.length_bytes, LEAD_BYTES / 2, SIZE_MAX));
        for (int n = 0; n < 20; n++) {
            pause_a_moment();
            ck_assert_uint_le(present_bytes(file.view, used[i], file.view.length_bytes),
                              LEAD_BYTES + FOLIO_BYTES);
        }
        expect_present(file.view, used[i], LEAD_BYTES / 2);
    }
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

START_TEST(what_is_used_is_unmapped)
{
    struct mapped file = map_file(64 * MIB);
    struct zs_ahead *ahead = begin();

    zs_ahead_enter(ahead, file.view);
    for (size_t used = 0; used <= 30 * MIB; used += MIB)
        zs_ahead_advance(ahead, used, MIB);
    ck_assert(comes_to(file.view, 0, 30 * MIB, 0, BEHIND_BYTES + FOLIO_BYTES));
    expect_present(file.view, 30 * MIB, MIB);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

/* A user that reads what it gets. */
START_TEST(memory_stays_bounded_while_a_long_view_goes_by)
{
    struct mapped file = map_file(256 * MIB);
    struct zs_ahead *ahead = begin();
    size_t most = 0;

    zs_ahead_enter(ahead, file.view);
    for (size_t used = 0; used < file.view.length_bytes; used += MIB) {
        zs_ahead_advance(ahead, used, MIB);
        use(file.view, used, MIB);
        if (used % (4 * MIB) != 0)
            continue;
        size_t now = present_bytes(file.view, 0, file.view.length_bytes);
        most = now > most ? now : most;
    }
    ck_assert_msg(most <= 2 * (LEAD_BYTES + BEHIND_BYTES + FOLIO_BYTES), "%zu MiB were mapped",
                  most / MIB);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

/* A user that is faster than the thread, as one that writes to /dev/null: what it leaves behind is
 * unmapped all the same. */
START_TEST(memory_stays_bounded_however_fast_the_view_is_used)
{
    struct mapped file = map_file(256 * MIB);
    struct zs_ahead *ahead = begin();
    size_t most = 0;

    zs_ahead_enter(ahead, file.view);
    for (size_t used = 0; used < file.view.length_bytes; used += MIB) {
        zs_ahead_advance(ahead, used, MIB);
        if (used % (32 * MIB) != 0)
            continue;
        size_t now = present_bytes(file.view, 0, file.view.length_bytes);
        most = now > most ? now : most;
    }
    size_t now = present_bytes(file.view, 0, file.view.length_bytes);
    most = now > most ? now : most;
    ck_assert_msg(most <= 2 * (LEAD_BYTES + BEHIND_BYTES + FOLIO_BYTES), "%zu MiB were mapped",
                  most / MIB);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

static const size_t lengths[] = {
    1,       4095,    4096,           4097,       MIB - 1,        MIB,
    MIB + 1, 4 * MIB, LEAD_BYTES - 1, LEAD_BYTES, LEAD_BYTES + 1, 12 * MIB + 7};

START_TEST(a_view_of_any_length_is_mapped_to_its_end)
{
    struct mapped file = map_file(lengths[_i]);
    struct zs_ahead *ahead = begin();

    zs_ahead_enter(ahead, file.view);
    zs_ahead_advance(ahead, 0, LEAD_BYTES); /* the most that it has at a time */
    expect_present(file.view, 0, LEAD_BYTES);
    zs_ahead_advance(ahead, lengths[_i] / 2, LEAD_BYTES);
    expect_present(file.view, lengths[_i] / 2, LEAD_BYTES);
    zs_ahead_advance(ahead, lengths[_i] - 1, 1);
    zs_ahead_advance(ahead, lengths[_i], 0);
    zs_ahead_advance(ahead, lengths[_i], 100);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

/* After leaving, the thread does not come near the view: it may be unmapped, and another thing may
 * lie at its addresses. */
START_TEST(a_view_that_was_left_is_not_touched)
{
    struct zs_ahead *ahead = begin();

    for (int i = 0; i < 60; i++) {
        struct mapped file = map_file(20 * MIB);
        zs_ahead_enter(ahead, file.view);
        if (i % 3 > 0)
            zs_ahead_advance(ahead, (size_t)(i % 7) * MIB, i % 3 == 2 ? MIB : 0);
        zs_ahead_leave(ahead);

        size_t length = file.view.length_bytes;
        size_t at_once = present_pages(file.view, 0, length);
        if (i % 10 == 0)
            pause_a_moment();
        ck_assert_uint_eq(present_pages(file.view, 0, length), at_once);
        void *address = file.window.map;
        unmap_file(&file);
        unsigned char *other = mmap(address, length, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        ck_assert_ptr_eq(other, address);
        memset(other, 'x', 3 * page());
        ck_assert_int_eq(other[0] + other[3 * page() - 1] + other[3 * page()], 2 * 'x');
        ck_assert_int_eq(munmap(other, length), 0);
    }
    zs_ahead_stop(ahead);
}
END_TEST

START_TEST(another_view_begins_at_its_beginning)
{
    struct mapped first = map_file(24 * MIB), second = map_file(24 * MIB);
    struct zs_ahead *ahead = begin();

    zs_ahead_enter(ahead, first.view);
    for (size_t used = 0; used <= 24 * MIB; used += MIB)
        zs_ahead_advance(ahead, used, MIB);
    zs_ahead_leave(ahead);
    size_t left = present_pages(first.view, 0, first.view.length_bytes);

    zs_ahead_enter(ahead, second.view);
    for (size_t used = 0; used <= 24 * MIB; used += MIB) {
        zs_ahead_advance(ahead, used, MIB);
        expect_present(second.view, used, MIB);
    }
    ck_assert(comes_to(second.view, 0, 24 * MIB, 0, BEHIND_BYTES + FOLIO_BYTES));
    ck_assert_uint_eq(present_pages(first.view, 0, first.view.length_bytes), left);
    zs_ahead_stop(ahead);
    unmap_file(&first);
    unmap_file(&second);
}
END_TEST

START_TEST(the_thread_stops_whatever_it_is_doing)
{
    struct mapped file = map_file(48 * MIB);

    for (int i = 0; i < 120; i++) {
        struct zs_ahead *ahead = begin();
        if (i % 4 > 0)
            zs_ahead_enter(ahead, file.view);
        if (i % 4 > 1)
            zs_ahead_advance(ahead, (size_t)(i % 40) * MIB, MIB);
        if (i % 4 > 2)
            zs_ahead_advance(ahead, (size_t)(i % 40 + 5) * MIB, 0);
        for (int n = 0; n < i % 5; n++)
            (void)sched_yield();
        zs_ahead_stop(ahead);
    }
    unmap_file(&file);
}
END_TEST

START_TEST(leaving_where_it_is_not_does_no_harm)
{
    struct mapped file = map_file(MIB);
    struct zs_ahead *ahead = begin();

    zs_ahead_leave(ahead);
    zs_ahead_leave(ahead);
    zs_ahead_advance(ahead, 0, 100); /* of nothing */
    zs_ahead_enter(ahead, file.view);
    zs_ahead_leave(ahead);
    zs_ahead_leave(ahead);
    zs_ahead_enter(ahead, file.view);
    zs_ahead_advance(ahead, 0, MIB);
    expect_present(file.view, 0, MIB);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

/* Pages that are not there any more cannot be mapped, and nobody waits for them. */
static const size_t cuts[] = {0, 1, 5 * MIB, 12 * MIB + 3, 30 * MIB};

START_TEST(a_file_that_shrinks_under_it_does_no_harm)
{
    struct mapped file = map_file(40 * MIB);
    struct zs_ahead *ahead = begin();

    zs_ahead_enter(ahead, file.view);
    for (size_t used = 0; used <= 40 * MIB; used += MIB) {
        zs_ahead_advance(ahead, used, MIB);
        if (used == 10 * MIB)
            ck_assert_int_eq(ftruncate(file.fd, (off_t)cuts[_i]), 0);
        if (used > 10 * MIB && used + MIB <= cuts[_i])
            expect_present(file.view, used, MIB);
    }
    zs_ahead_leave(ahead);
    zs_ahead_stop(ahead);
    unmap_file(&file);
}
END_TEST

/* Random steps, and random wishes, through views of random lengths, some left before their end. */
START_TEST(random_advances_give_what_is_wanted)
{
    struct zs_ahead *ahead = begin();
    struct mapped file = map_file(24 * MIB + 77);
    int advances = 0;

    random_state = seed + (uint64_t)_i;
    while (advances < 1500) {
        size_t length = 1 + (size_t)next_random() % file.view.length_bytes;
        struct zs_view view = zs_view_slice(file.view, 0, length);
        size_t used = 0;
        zs_ahead_enter(ahead, view);
        while (used < length) {
            static const size_t most[] = {100, 5000, 70000, MIB, 3 * MIB, 11 * MIB};
            size_t wanted = (size_t)next_random() % most[next_random() % 5];
            zs_ahead_advance(ahead, used, wanted);
            advances++;
            expect_present(view, used, wanted);
            if (next_random() % 40 == 0)
                break;
            used += (size_t)next_random() % most[next_random() % 6];
        }
        if (next_random() % 3 == 0)
            zs_ahead_advance(ahead, length, 0);
        zs_ahead_leave(ahead);
    }
    zs_ahead_stop(ahead);
    unmap_file(&file);
    ck_assert_uint_gt(stretches, 1000);
    ck_assert_uint_le(stretches_with_gaps, 3);
}
END_TEST

/* It may not be possible to have one: whoever asks is told why. */
START_TEST(a_thread_that_cannot_be_had_is_an_error)
{
    struct rlimit before, limit;
    struct zs_ahead *ahead = NULL;

    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    limit = before;
    limit.rlim_cur = 0;
    if (geteuid() == 0) /* whom the limit does not bind */
        ck_assert_int_eq(setresuid(65531, 65531, 0), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    int started = zs_ahead_start(&ahead);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
    (void)setresuid(0, 0, 0);
    ck_assert_int_eq(started, -EAGAIN);
    ck_assert_ptr_null(ahead);
}
END_TEST

int main(void)
{
    const char *wanted = getenv("ZSLICE_TEST_SEED");
    seed = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);

    Suite *suite = suite_create("ahead");
    TCase *mapping = add_case(suite, "mapping");
    tcase_add_test(mapping, what_is_wanted_is_mapped_when_it_is_given);
    tcase_add_test(mapping, the_lead_is_mapped_and_no_more);
    tcase_add_test(mapping, what_is_used_is_unmapped);
    tcase_add_test(mapping, memory_stays_bounded_while_a_long_view_goes_by);
    tcase_add_test(mapping, memory_stays_bounded_however_fast_the_view_is_used);
    add_rows(mapping, a_view_of_any_length_is_mapped_to_its_end, lengths);
    tcase_add_loop_test(mapping, random_advances_give_what_is_wanted, 0, 4);

    TCase *life = add_case(suite, "life");
    tcase_add_test(life, a_view_that_was_left_is_not_touched);
    tcase_add_test(life, another_view_begins_at_its_beginning);
    tcase_add_test(life, the_thread_stops_whatever_it_is_doing);
    tcase_add_test(life, leaving_where_it_is_not_does_no_harm);
    add_rows(life, a_file_that_shrinks_under_it_does_no_harm, cuts);
    tcase_add_test(life, a_thread_that_cannot_be_had_is_an_error);
    return run_suite(suite);
}
