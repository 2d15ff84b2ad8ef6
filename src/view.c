/* Views, and the windows of a mapped file they are taken from. */

#include "view.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

struct zs_view zs_view_slice(struct zs_view view, size_t start, size_t stop)
{
    if (stop > view.length_bytes)
        stop = view.length_bytes;
    if (start > stop)
        start = stop;
    return (struct zs_view){.bytes = view.bytes ? view.bytes + start : NULL,
                            .length_bytes = stop - start};
}

struct zs_view zs_view_rest(struct zs_view view, size_t count)
{
    return zs_view_slice(view, count, view.length_bytes);
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void zs_view_populate(struct zs_view view)
{
#ifdef MADV_POPULATE_READ
    if (view.length_bytes == 0)
        return;
    uintptr_t address = (uintptr_t)view.bytes;
    uintptr_t inside_page = address % page_size();
    (void)madvise((void *)(address - inside_page), view.length_bytes + inside_page,
                  MADV_POPULATE_READ);
#else
    (void)view;
#endif
}

void zs_view_unpopulate(struct zs_view view)
{
    uintptr_t start = (uintptr_t)view.bytes;
    uintptr_t end = start + view.length_bytes;

    start -= start % page_size();
    end -= end % page_size();
    if (start < end)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

static _Thread_local sigjmp_buf *guarded; /* where to go on from; NULL: nothing is guarded */

static void leave_guarded(int number)
{
    if (guarded)
        siglongjmp(*guarded, 1);
    /* Not ours: the instruction is tried again, and the signal does what it does by default. */
    (void)signal(number, SIG_DFL);
}

static void catch_bus_error(void)
{
    struct sigaction action = {.sa_handler = leave_guarded, .sa_flags = SA_NODEFER};
    (void)sigaction(SIGBUS, &action, NULL);
}

int zs_view_guard(void (*use)(void *context), void *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigjmp_buf here;

    (void)pthread_once(&once, catch_bus_error);
    if (sigsetjmp(here, 0) != 0) {
        guarded = NULL;
        return -EFAULT;
    }
    guarded = &here;
    use(context);
    guarded = NULL;
    return 0;
}

int zs_window_move(struct zs_window *window, int fd, uint64_t position, size_t length_bytes,
                   bool populate)
{
    size_t inside_page = (size_t)(position % page_size());

    zs_window_unmap(window);
    void *map =
        mmap(NULL, length_bytes + inside_page, PROT_READ,
             MAP_SHARED | (populate ? MAP_POPULATE : 0), fd, (off_t)(position - inside_page));
    if (map == MAP_FAILED)
        return -errno;
    *window = (struct zs_window){
        .map = map, .map_bytes = length_bytes + inside_page, .start = position - inside_page};
    return 0;
}

struct zs_view zs_window_view(const struct zs_window *window, uint64_t position,
                              size_t length_bytes)
{
    struct zs_view all = {.bytes = window->map, .length_bytes = window->map_bytes};

    if (position < window->start || position - window->start >= window->map_bytes)
        return (struct zs_view){0};
    struct zs_view rest = zs_view_rest(all, (size_t)(position - window->start));
    return zs_view_slice(rest, 0, length_bytes);
}

void zs_window_unmap(struct zs_window *window)
{
    if (window->map)
        (void)munmap(window->map, window->map_bytes); /* fails only for arguments we never pass */
    *window = (struct zs_window){0};
}
