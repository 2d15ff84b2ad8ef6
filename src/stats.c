/* Counters of a copy, and what the kernel knows of the process's memory. */

#include "stats.h"

#include "sys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

const char *const zs_engine_names[ZS_ENGINE_COUNT] = {
    [ZS_ENGINE_REFLINK] = "reflink",     [ZS_ENGINE_COPY_RANGE] = "copy-range",
    [ZS_ENGINE_SPLICE] = "splice",       [ZS_ENGINE_SENDFILE] = "sendfile",
    [ZS_ENGINE_MAP_WRITE] = "map-write", [ZS_ENGINE_BUFFER] = "buffer",
};

/* The value of a line such as "VmHWM:     1234 kB", in bytes; 0 if there is none. */
static uint64_t status_value(const char *status, const char *key)
{
    const char *line = strstr(status, key);
    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

uint64_t zs_stats_bytes(const struct zs_stats *stats)
{
    uint64_t bytes = stats->skipped_bytes;

    for (int i = 0; i < ZS_ENGINE_COUNT; i++)
        bytes += stats->engines[i].bytes;
    return bytes;
}

struct zs_memory zs_stats_memory(void)
{
    struct zs_memory memory = {0};
    struct rusage usage;
    char status[65536]; /* one line lists the user's groups, of which there may be many */

    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        memory.major_faults = (uint64_t)usage.ru_majflt;
        memory.minor_faults = (uint64_t)usage.ru_minflt;
    }

    int fd = zs_sys_open("/proc/self/status", O_RDONLY, 0);
    if (fd < 0)
        return memory;
    ssize_t length = zs_sys_read(fd, status, sizeof status - 1);
    (void)zs_sys_close(fd);
    if (length < 0)
        return memory;
    status[length] = '\0';
    memory.peak_rss_bytes = status_value(status, "\nVmHWM:");
    memory.anonymous_bytes = status_value(status, "\nRssAnon:");
    return memory;
}

void zs_stats_sample(struct zs_stats *stats)
{
    if (!stats->sample_memory)
        return;
    uint64_t now = zs_stats_memory().anonymous_bytes;
    if (now > stats->peak_anonymous_bytes)
        stats->peak_anonymous_bytes = now;
}
