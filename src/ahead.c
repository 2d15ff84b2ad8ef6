/*
 * Populating a view ahead of its user.
 *
 * The user copies 1 MiB in about 100 microseconds; waking a thread takes 5 to 50. So the thread
 * wakes only when there is a batch to do, and does it in pieces, each of which the user may have as
 * soon as it is mapped.
 */

#include "ahead.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * How far ahead of its user a view is mapped, how much at a time, in which pieces, and how much is
 * unmapped behind at a time. Leads of 4, 8 and 16 MiB, batches of 1 and 4, 4 and 16 behind made no
 * difference that could be told from noise (512 MiB to ext4 and tmpfs, Linux 6.18); together they
 * bound the mapped memory at 16 MiB.
 */
enum {
    LEAD_BYTES = 8 * 1024 * 1024,
    BATCH_BYTES = 4 * 1024 * 1024,
    PIECE_BYTES = 1024 * 1024,
    BEHIND_BYTES = 4 * 1024 * 1024,
};

/* More than the thread needs; the default would be 8 MiB of address space. */
enum { STACK_BYTES = 64 * 1024 };

struct zs_ahead {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;  /* the thread waits for something to do */
    pthread_cond_t done;  /* the user waits for something to be done */
    struct zs_view view;
    size_t mapped; /* bytes of the view */
    size_t used;
    size_t unmapped;
    size_t wanted; /* the user has no use for less being mapped */
    bool busy;     /* the thread is in the view, without the lock */
    bool stopping;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How far the view is to be mapped now. */
static size_t goal(const struct zs_ahead *ahead)
{
    size_t lead = ahead->used + LEAD_BYTES;
    return least(ahead->view.length_bytes, lead > ahead->wanted ? lead : ahead->wanted);
}

/* The user must not wait; apart from that, less than a batch is not worth waking up for. */
static bool has_lead_to_gain(const struct zs_ahead *ahead)
{
    return ahead->mapped < goal(ahead) &&
           (ahead->mapped < ahead->wanted || goal(ahead) - ahead->mapped >= BATCH_BYTES ||
            goal(ahead) == ahead->view.length_bytes);
}

static bool has_bytes_behind(const struct zs_ahead *ahead)
{
    return ahead->used - ahead->unmapped >= BEHIND_BYTES;
}

/* However fast the view is used, what lies behind is let go of between two pieces. */
static void let_go_behind(struct zs_ahead *ahead)
{
    struct zs_view piece = zs_view_slice(ahead->view, ahead->unmapped, ahead->used);
    ahead->unmapped = ahead->used;
    (void)pthread_mutex_unlock(&ahead->lock);
    zs_view_unpopulate(piece);
    (void)pthread_mutex_lock(&ahead->lock);
}

static void map_piece(struct zs_ahead *ahead)
{
    size_t start = ahead->mapped;
    size_t end = least(goal(ahead), start + PIECE_BYTES);
    struct zs_view piece = zs_view_slice(ahead->view, start, end);

    (void)pthread_mutex_unlock(&ahead->lock);
    zs_view_populate(piece);
    (void)pthread_mutex_lock(&ahead->lock);
    ahead->mapped = end;
    if (end >= ahead->wanted)
        (void)pthread_cond_signal(&ahead->done);
}

static void gain_lead(struct zs_ahead *ahead)
{
    while (!ahead->stopping && ahead->mapped < goal(ahead)) {
        if (has_bytes_behind(ahead) && ahead->mapped >= ahead->wanted)
            let_go_behind(ahead);
        map_piece(ahead);
    }
}

static void *run(void *argument)
{
    struct zs_ahead *ahead = argument;

    (void)pthread_mutex_lock(&ahead->lock);
    while (!ahead->stopping) {
        ahead->busy = true;
        if (has_lead_to_gain(ahead))
            gain_lead(ahead);
        else if (has_bytes_behind(ahead))
            let_go_behind(ahead);
        else
            ahead->busy = false;
        if (!ahead->busy) {
            (void)pthread_cond_signal(&ahead->done);
            (void)pthread_cond_wait(&ahead->work, &ahead->lock);
        }
    }
    (void)pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* Signals are for the thread that copies. */
static int create_thread(struct zs_ahead *ahead)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    int result = pthread_attr_init(&attributes);
    if (result != 0)
        return -result;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&ahead->thread, &attributes, run, ahead);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return -result;
}

int zs_ahead_start(struct zs_ahead **ahead)
{
    struct zs_ahead *created = malloc(sizeof *created);
    if (!created)
        return -ENOMEM;
    *created = (struct zs_ahead){.lock = PTHREAD_MUTEX_INITIALIZER,
                                 .work = PTHREAD_COND_INITIALIZER,
                                 .done = PTHREAD_COND_INITIALIZER};
    int result = create_thread(created);
    if (result < 0)
        free(created);
    else
        *ahead = created;
    return result;
}

/* With the lock held: lets the thread see what there is to do. */
static void wake(struct zs_ahead *ahead)
{
    if (!ahead->busy && (ahead->stopping || has_lead_to_gain(ahead) || has_bytes_behind(ahead)))
        (void)pthread_cond_signal(&ahead->work);
}

static void begin_view(struct zs_ahead *ahead, struct zs_view view)
{
    ahead->view = view;
    ahead->mapped = ahead->used = ahead->unmapped = ahead->wanted = 0;
}

void zs_ahead_enter(struct zs_ahead *ahead, struct zs_view view)
{
    (void)pthread_mutex_lock(&ahead->lock);
    begin_view(ahead, view);
    wake(ahead);
    (void)pthread_mutex_unlock(&ahead->lock);
}

void zs_ahead_advance(struct zs_ahead *ahead, size_t used_bytes, size_t wanted_bytes)
{
    (void)pthread_mutex_lock(&ahead->lock);
    ahead->used = used_bytes;
    ahead->wanted = least(ahead->view.length_bytes, used_bytes + wanted_bytes);
    wake(ahead);
    while (ahead->mapped < ahead->wanted)
        (void)pthread_cond_wait(&ahead->done, &ahead->lock);
    (void)pthread_mutex_unlock(&ahead->lock);
}

void zs_ahead_leave(struct zs_ahead *ahead)
{
    (void)pthread_mutex_lock(&ahead->lock);
    begin_view(ahead, (struct zs_view){0});
    while (ahead->busy)
        (void)pthread_cond_wait(&ahead->done, &ahead->lock);
    begin_view(ahead, (struct zs_view){0}); /* the thread has booked its last piece meanwhile */
    (void)pthread_mutex_unlock(&ahead->lock);
}

void zs_ahead_stop(struct zs_ahead *ahead)
{
    (void)pthread_mutex_lock(&ahead->lock);
    ahead->stopping = true;
    (void)pthread_cond_signal(&ahead->work);
    (void)pthread_mutex_unlock(&ahead->lock);
    (void)pthread_join(ahead->thread, NULL);
    (void)pthread_mutex_destroy(&ahead->lock);
    (void)pthread_cond_destroy(&ahead->work);
    (void)pthread_cond_destroy(&ahead->done);
    free(ahead);
}
