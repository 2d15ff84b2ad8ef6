/* What the unit tests share: the runner, scratch files and folders, streams into memory. */

#ifndef CHECK_HELPERS_H
#define CHECK_HELPERS_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof *(table)))

/* One test per row of a table, so that every row that fails is named. */
#define add_rows(tcase, test, table) tcase_add_loop_test(tcase, test, 0, ROWS(table))

static inline TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60); /* a loaded machine with sanitizers; a hang is still found */
    suite_add_tcase(suite, tcase);
    return tcase;
}

static inline int finish_run(SRunner *runner)
{
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int run_suite(Suite *suite)
{
    return finish_run(srunner_create(suite));
}

/*
 * For code that changes nothing outside of its arguments, and many rows: each test in a process of
 * its own costs 10 ms with sanitizers.
 */
static inline int run_pure_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    return finish_run(runner);
}

/* Bytes that differ from place to place, so that one that is misplaced is seen. */
static inline void fill_pattern(void *memory, size_t length)
{
    unsigned char *bytes = memory;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)((uint32_t)(i + 1) * 2654435761U >> 24);
}

/* The caller's to free. Made once: byte by byte is slow with sanitizers. */
static inline unsigned char *new_pattern(size_t length)
{
    static unsigned char *longest;
    static size_t longest_length;

    if (length > longest_length || !longest) {
        free(longest);
        longest = malloc(length + 1);
        ck_assert_ptr_nonnull(longest);
        fill_pattern(longest, length);
        longest_length = length;
    }
    unsigned char *bytes = malloc(length + 1); /* never malloc(0) */
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, longest, length);
    return bytes;
}

static inline void write_all(int fd, const void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = write(fd, (const char *)bytes + done, length - done);
        ck_assert_int_gt(written, 0);
        done += (size_t)written;
    }
}

/* An unlinked file, open for reading and writing at position 0. */
static inline int scratch_file(const void *bytes, size_t length)
{
    int fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = memfd_create("scratch", MFD_CLOEXEC); /* a file system without O_TMPFILE */
    ck_assert_int_ge(fd, 0);
    write_all(fd, bytes, length);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static inline uint64_t file_size(int fd)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    return (uint64_t)status.st_size;
}

static inline void expect_content(int fd, const void *bytes, size_t length)
{
    ck_assert_uint_eq(file_size(fd), length);
    char *content = malloc(length + 1);
    ck_assert_ptr_nonnull(content);
    ck_assert_int_eq(pread(fd, content, length, 0), (ssize_t)length);
    ck_assert_mem_eq(content, bytes, length);
    free(content);
}

/* A folder of its own, which is the current one from setup to teardown. */
static char scratch_folder[64];
static int folder_before = -1;

static inline void enter_scratch_folder(void)
{
    folder_before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(scratch_folder, sizeof scratch_folder, "%s/zslice-unit.XXXXXX", P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(scratch_folder));
    ck_assert_int_eq(chdir(scratch_folder), 0);
}

static inline int remove_entry(const char *path, const struct stat *status, int type,
                               struct FTW *level)
{
    (void)status;
    (void)type;
    (void)level;
    return remove(path);
}

static inline void leave_scratch_folder(void)
{
    ck_assert_int_eq(fchdir(folder_before), 0);
    (void)close(folder_before);
    ck_assert_int_eq(nftw(scratch_folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void make_file(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    write_all(fd, bytes, length);
    ck_assert_int_eq(close(fd), 0);
}

static inline void expect_file(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "there is no file %s", path);
    expect_content(fd, bytes, length);
    ck_assert_int_eq(close(fd), 0);
}

static inline bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

/* What is printed into stream is in chars after text_end. */
struct text {
    FILE *stream;
    char *chars;
    size_t length;
};

static inline void text_begin(struct text *text)
{
    text->stream = open_memstream(&text->chars, &text->length);
    ck_assert_ptr_nonnull(text->stream);
}

static inline void text_end(struct text *text)
{
    ck_assert_int_eq(fclose(text->stream), 0);
}

#endif
