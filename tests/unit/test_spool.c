/* The file that holds the end of a stream: where it is made, and that it takes no more room. */

#include "spool.h"

#include "check_helpers.h"

#include <errno.h>
#include <limits.h>

enum { KIBIBYTE = 1024, MEBIBYTE = 1024 * 1024 };

static struct zs_error error;

static void begin(void)
{
    enter_scratch_folder();
    error = (struct zs_error){0};
    ck_assert_int_eq(setenv("TMPDIR", scratch_folder, 1), 0);
}

static struct zs_spool open_spool(uint64_t keep_bytes)
{
    struct zs_spool spool;

    ck_assert_msg(zs_spool_open(&spool, keep_bytes, &error) == 0, "%s: %s: %d", error.object,
                  error.operation, error.code);
    ck_assert_int_ge(spool.fd, 0);
    ck_assert_int_eq(fcntl(spool.fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(spool.facts.kind, ZS_KIND_REGULAR);
    ck_assert(spool.facts.positioned && spool.facts.sized && spool.facts.readable &&
              spool.facts.writable);
    ck_assert(spool.facts.shares_nothing);
    ck_assert_uint_eq(spool.held_start, 0);
    ck_assert_uint_gt(spool.chunk_bytes, 0);
    return spool;
}

static dev_t device_of(int fd)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    return status.st_dev;
}

static uint64_t allocated(int fd)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

/* By the name the kernel gives it: /memfd:zslice (deleted). */
static bool is_in_memory(int fd)
{
    char link[64], named[PATH_MAX] = "";

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ck_assert_int_gt(readlink(link, named, sizeof named - 1), 0);
    return strncmp(named, "/memfd:", 7) == 0;
}

static bool folder_is_empty(void)
{
    int count = 0;
    FILE *list = popen("ls -A", "r");
    ck_assert_ptr_nonnull(list);
    while (fgetc(list) != EOF)
        count++;
    (void)pclose(list);
    return count == 0;
}

static const struct {
    uint64_t keep_bytes;
    bool in_memory;
} places[] = {
    {0, true},         {1, true},           {64 * KIBIBYTE, true}, {64 * KIBIBYTE + 1, false},
    {MEBIBYTE, false}, {UINT64_MAX, false},
};

START_TEST(few_bytes_are_held_in_memory_and_many_on_disk)
{
    struct zs_spool spool = open_spool(places[_i].keep_bytes);

    ck_assert_int_eq(is_in_memory(spool.fd), places[_i].in_memory);
    ck_assert(folder_is_empty()); /* it has no name */
    /* Memory is not to hold much more than what must be kept. */
    if (places[_i].in_memory)
        ck_assert_uint_le(spool.chunk_bytes, 64 * KIBIBYTE);
    zs_spool_close(&spool);
}
END_TEST

START_TEST(tmpdir_names_the_folder)
{
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct zs_spool spool = open_spool(MEBIBYTE);

    ck_assert_uint_eq(device_of(spool.fd), device_of(folder));
    zs_spool_close(&spool);
    ck_assert_int_eq(setenv("TMPDIR", "/dev/shm", 1), 0);
    int shared = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shared >= 0) {
        spool = open_spool(MEBIBYTE);
        ck_assert_uint_eq(device_of(spool.fd), device_of(shared));
        zs_spool_close(&spool);
        (void)close(shared);
    }
    (void)close(folder);
}
END_TEST

START_TEST(without_tmpdir_it_is_tmp)
{
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int empty = 0; empty < 2; empty++) {
        ck_assert_int_eq(empty ? setenv("TMPDIR", "", 1) : unsetenv("TMPDIR"), 0);
        struct zs_spool spool = open_spool(MEBIBYTE);
        ck_assert_uint_eq(device_of(spool.fd), device_of(folder));
        zs_spool_close(&spool);
    }
    (void)close(folder);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error_that_names_it)
{
    struct zs_spool spool;

    ck_assert_int_eq(setenv("TMPDIR", "/no/such/folder", 1), 0);
    ck_assert_int_eq(zs_spool_open(&spool, MEBIBYTE, &error), -1);
    ck_assert_int_eq(spool.fd, -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_str_eq(error.object, "/no/such/folder");
    ck_assert_int_eq(error.code, ENOENT);
    ck_assert_ptr_nonnull(strstr(error.detail, "TMPDIR"));
    zs_spool_close(&spool);

    /* Few bytes need no folder. */
    error = (struct zs_error){0};
    spool = open_spool(KIBIBYTE);
    zs_spool_close(&spool);
}
END_TEST

START_TEST(a_file_in_place_of_the_folder_is_an_error)
{
    struct zs_spool spool;

    make_file("file", "", 0);
    ck_assert_int_eq(setenv("TMPDIR", "file", 1), 0);
    ck_assert_int_eq(zs_spool_open(&spool, MEBIBYTE, &error), -1);
    ck_assert_int_eq(spool.fd, -1);
    ck_assert_int_eq(error.code, ENOTDIR);
}
END_TEST

/* Both places, by how much is kept. */
static const uint64_t kept[] = {KIBIBYTE, MEBIBYTE};

START_TEST(what_is_received_lies_at_its_position_in_the_stream)
{
    struct zs_spool spool = open_spool(kept[_i]);
    unsigned char got[5];

    ck_assert_int_eq(zs_spool_begin(&spool, 5000000000, &error), 0);
    ck_assert_uint_eq(spool.held_start, 5000000000);
    write_all(spool.fd, "hello", 5);
    ck_assert_int_eq(pread(spool.fd, got, 5, 5000000000), 5);
    ck_assert_mem_eq(got, "hello", 5);
    ck_assert_uint_lt(allocated(spool.fd), MEBIBYTE);
    zs_spool_close(&spool);
}
END_TEST

START_TEST(a_position_beyond_the_largest_is_an_error)
{
    static const uint64_t positions[] = {(uint64_t)INT64_MAX + 1, UINT64_MAX};

    for (int i = 0; i < ROWS(positions); i++) {
        struct zs_spool spool = open_spool(kept[_i]);
        error = (struct zs_error){0};
        ck_assert_int_eq(zs_spool_begin(&spool, positions[i], &error), -1);
        ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
        ck_assert_str_eq(error.operation, "seeking");
        zs_spool_close(&spool);
    }
}
END_TEST

/* A long stream of which the last bytes are held: the room it takes is that of what is held. */
START_TEST(what_is_forgotten_takes_no_room)
{
    enum { CHUNK = 256 * KIBIBYTE, CHUNKS = 64, KEEP = 100 * KIBIBYTE };
    struct zs_spool spool = open_spool(kept[_i]);
    unsigned char *bytes = new_pattern(CHUNK);
    unsigned char got[KEEP];

    for (uint64_t n = 1; n <= CHUNKS; n++) {
        write_all(spool.fd, bytes, CHUNK);
        zs_spool_forget(&spool, n * CHUNK - KEEP);
        if (spool.held_start == 0) { /* a file system that makes no holes */
            zs_spool_close(&spool);
            free(bytes);
            return;
        }
        ck_assert_uint_eq(spool.held_start, n * CHUNK - KEEP);
        ck_assert_uint_le(allocated(spool.fd), 2 * CHUNK);
    }
    ck_assert_uint_eq(file_size(spool.fd), (uint64_t)CHUNKS * CHUNK);
    ck_assert_int_eq(pread(spool.fd, got, KEEP, (off_t)CHUNKS * CHUNK - KEEP), KEEP);
    ck_assert_mem_eq(got, bytes + CHUNK - KEEP, KEEP);
    zs_spool_close(&spool);
    free(bytes);
}
END_TEST

START_TEST(nothing_is_forgotten_twice_or_before_it_is_held)
{
    struct zs_spool spool = open_spool(kept[_i]);

    ck_assert_int_eq(zs_spool_begin(&spool, 10000, &error), 0);
    write_all(spool.fd, "0123456789", 10);
    zs_spool_forget(&spool, 0);
    zs_spool_forget(&spool, 9999);
    zs_spool_forget(&spool, 10000);
    ck_assert_uint_eq(spool.held_start, 10000);
    zs_spool_forget(&spool, 10003);
    zs_spool_forget(&spool, 10001);
    ck_assert_uint_eq(spool.held_start, 10003);
    unsigned char got[7];
    ck_assert_int_eq(pread(spool.fd, got, 7, 10003), 7);
    ck_assert_mem_eq(got, "3456789", 7);
    zs_spool_close(&spool);
}
END_TEST

START_TEST(closing_closes_and_may_be_done_again)
{
    struct zs_spool spool = open_spool(kept[_i]);
    struct stat status;
    int fd = spool.fd;

    zs_spool_close(&spool);
    ck_assert_int_eq(spool.fd, -1);
    ck_assert_int_eq(fstat(fd, &status), -1);
    zs_spool_close(&spool);
    ck_assert_int_eq(spool.fd, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *opening = add_case(suite, "opening");
    tcase_add_checked_fixture(opening, begin, leave_scratch_folder);
    add_rows(opening, few_bytes_are_held_in_memory_and_many_on_disk, places);
    tcase_add_test(opening, tmpdir_names_the_folder);
    tcase_add_test(opening, without_tmpdir_it_is_tmp);
    tcase_add_test(opening, a_folder_that_is_not_there_is_an_error_that_names_it);
    tcase_add_test(opening, a_file_in_place_of_the_folder_is_an_error);

    TCase *holding = add_case(suite, "holding");
    tcase_add_checked_fixture(holding, begin, leave_scratch_folder);
    add_rows(holding, what_is_received_lies_at_its_position_in_the_stream, kept);
    add_rows(holding, a_position_beyond_the_largest_is_an_error, kept);
    add_rows(holding, what_is_forgotten_takes_no_room, kept);
    add_rows(holding, nothing_is_forgotten_twice_or_before_it_is_held, kept);
    add_rows(holding, closing_closes_and_may_be_done_again, kept);
    return run_suite(suite);
}
