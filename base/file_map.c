/* file_map.c - see file_map.h. */
#include "file_map.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

model_status file_map_open_range(int fd, const char *path, uint64_t offset, uint64_t size_bytes,
                                 struct file_map *ret, struct model_error *err)
{
    /* Mapped from the page on in which it begins; closing goes back to there. */
    const size_t before = (size_t)(offset % page_bytes());
    struct file_map map = {NULL, (size_t)size_bytes, fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (map.fd < 0)
        return error_set_errno(err, errno, "cannot keep %s open", path);
    if (map.size_bytes > 0) {
        uint8_t *data = mmap(NULL, before + map.size_bytes, PROT_READ, MAP_SHARED, fd,
                             (off_t)(offset - before));
        if (data == MAP_FAILED) {
            model_status status = error_set_errno(err, errno, "cannot map %s", path);
            (void)close(map.fd);
            return status;
        }
        map.data = data + before;
    }
    *ret = map;
    return MODEL_OK;
}

model_status file_map_open_fd(int fd, const char *path, struct file_map *ret,
                              struct model_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set_errno(err, errno, "cannot stat %s", path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", path);
    return file_map_open_range(fd, path, 0, (uint64_t)info.st_size, ret, err);
}

model_status file_map_open(const char *path, struct file_map *ret, struct model_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    model_status status = file_map_open_fd(fd, path, ret, err);
    (void)close(fd);
    return status;
}

void file_map_discard(const struct file_map *map, const uint8_t *data, size_t size_bytes)
{
    if (data == NULL || data < map->data || size_bytes > map->size_bytes ||
        (size_t)(data - map->data) > map->size_bytes - size_bytes)
        return;
    const uintptr_t page = page_bytes();
    const uintptr_t start = ((uintptr_t)data + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)data + size_bytes) / page * page;
    if (end > start)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

void file_map_conceal(const struct file_map *map)
{
    if (map->data == NULL)
        return;
    const size_t before = (size_t)((uintptr_t)map->data % page_bytes());
    void *begin = (void *)((uintptr_t)map->data - before);
#ifdef MADV_DONTDUMP
    (void)madvise(begin, map->size_bytes + before, MADV_DONTDUMP);
#endif
    (void)mlock(begin, map->size_bytes + before);
}

void file_map_close(struct file_map *map)
{
    const size_t before = (size_t)((uintptr_t)map->data % page_bytes());
    if (map->data != NULL)
        (void)munmap((void *)((uintptr_t)map->data - before), map->size_bytes + before);
    bool was_open = map->data != NULL || map->fd > 0;
    if (was_open && map->fd >= 0)
        (void)close(map->fd);
    *map = (struct file_map){.fd = -1};
}
