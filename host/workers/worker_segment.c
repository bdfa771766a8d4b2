/* worker_segment.c - see worker_segment.h: memfd on Linux, an unlinked shm object elsewhere. */
#include "worker_segment.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 65536ull /* the largest page of the processors that we know */

#ifdef __linux__
static int make_memory(uint64_t size_bytes)
{
    int fd = memfd_create("modelhost-worker", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, (off_t)size_bytes) != 0 ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
        const int why = errno;
        (void)close(fd);
        errno = why;
        fd = -1;
    }
    return fd;
}
#else
/* Its size can be set once only there. */
static int make_memory(uint64_t size_bytes)
{
    static _Atomic uint32_t counter;
    char name[40];
    (void)snprintf(name, sizeof name, "/mh.%ld.%u", (long)getpid(), atomic_fetch_add(&counter, 1));
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return -1;
    (void)shm_unlink(name);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (ftruncate(fd, (off_t)size_bytes) == 0)
        return fd;
    (void)close(fd);
    return -1;
}
#endif

static model_status map(int fd, uint64_t size_bytes, struct worker_segment **ret,
                        struct model_error *err)
{
    struct worker_segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL)
        return error_no_memory(err, "shared memory");
    void *data = mmap(NULL, (size_t)size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        free(segment);
        return error_set_errno(err, errno, "cannot map %llu bytes of shared memory",
                               (unsigned long long)size_bytes);
    }
    atomic_store(&segment->references, 1);
    segment->data = data;
    segment->size_bytes = size_bytes;
    *ret = segment;
    return MODEL_OK;
}

model_status worker_segment_create(uint64_t size_bytes, struct worker_segment **ret, int *ret_fd,
                                   struct model_error *err)
{
    if (size_bytes > INT64_MAX - PAGE_BYTES)
        return error_no_memory(err, "shared memory");
    size_bytes = (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    const int fd = make_memory(size_bytes);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %llu bytes of shared memory",
                               (unsigned long long)size_bytes);
    model_status status = map(fd, size_bytes, ret, err);
    if (status == MODEL_OK)
        *ret_fd = fd;
    else
        (void)close(fd);
    return status;
}

model_status worker_segment_map(int fd, uint64_t size_bytes, struct worker_segment **ret,
                                struct model_error *err)
{
    struct stat file;
    model_status status = MODEL_OK;
    if (fstat(fd, &file) != 0 || size_bytes == 0 || (uint64_t)file.st_size != size_bytes)
        status = error_set(err, MODEL_CORRUPT, "shared memory is not of %llu bytes as was said",
                           (unsigned long long)size_bytes);
    if (status == MODEL_OK)
        status = map(fd, size_bytes, ret, err);
    (void)close(fd);
    return status;
}

void worker_segment_retain(struct worker_segment *segment)
{
    (void)atomic_fetch_add(&segment->references, 1);
}

void worker_segment_drop(void *memory)
{
    struct worker_segment *segment = memory;
    if (segment == NULL || atomic_fetch_sub(&segment->references, 1) != 1)
        return;
    (void)munmap(segment->data, (size_t)segment->size_bytes);
    free(segment);
}
