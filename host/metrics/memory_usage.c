/* memory_usage.c - see memory_usage.h. mincore() writes a byte for each page; a model of 100 GB has 25
 * million of them, and the thread that asks also keeps deadlines. */
#include "memory_usage.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAMPLE_PAGES 256
#define MAX_SAMPLES  64

/* Resident pages of [first, first + n), n <= SAMPLE_PAGES; false: not known. */
static bool count_pages(uintptr_t first, size_t n, size_t page_bytes, uint64_t *ret)
{
    unsigned char pages[SAMPLE_PAGES];
    void *vector = pages; /* char or unsigned char, by the system */
    if (mincore((void *)first, n * page_bytes, vector) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        *ret += pages[i] & 1;
    return true;
}

uint64_t memory_usage_mapping(const void *data, size_t size_bytes)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t first = (uintptr_t)data / page_bytes * page_bytes;
    if (data == NULL || size_bytes == 0)
        return 0;
    const size_t n_pages = ((uintptr_t)data + size_bytes - first + page_bytes - 1) / page_bytes;
    size_t n_samples = (n_pages + SAMPLE_PAGES - 1) / SAMPLE_PAGES;
    if (n_samples > MAX_SAMPLES)
        n_samples = MAX_SAMPLES;
    uint64_t n_seen = 0, n_resident = 0;
    for (size_t i = 0; i < n_samples; i++) {
        const size_t begin = n_samples * SAMPLE_PAGES >= n_pages
                                 ? i * SAMPLE_PAGES
                                 : (n_pages - SAMPLE_PAGES) / (n_samples - 1) * i;
        const size_t n = n_pages - begin < SAMPLE_PAGES ? n_pages - begin : SAMPLE_PAGES;
        if (!count_pages(first + begin * page_bytes, n, page_bytes, &n_resident))
            return 0;
        n_seen += n;
    }
    const double share = (double)n_resident / (double)n_seen;
    return (uint64_t)(share * (double)size_bytes);
}

#ifdef __linux__
uint64_t memory_usage_process(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    const int n = fscanf(file, "%llu %llu", &total, &resident);
    (void)fclose(file);
    return n == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Not getrusage(), which counts what the process held before exec(), too: the memory of whoever started it. */
uint64_t memory_usage_peak(void)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && kib == 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %llu", &kib) != 1)
            kib = 0;
    if (file != NULL)
        (void)fclose(file);
    return (uint64_t)kib * 1024;
}
#else
uint64_t memory_usage_process(void)
{
    return 0;
}

uint64_t memory_usage_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0; /* macOS: bytes */
}
#endif
