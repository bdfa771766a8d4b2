/* zip_fixture.h - zip archives in memory, written plainly, for tests that then break them. Included once by a
 * test program; one thread. */
#ifndef ZIP_FIXTURE_H
#define ZIP_FIXTURE_H

#include "buffer.h"
#include "crc32.h"
#include "testing.h"

#include <stdbool.h>

struct zip_fixture {
    struct buffer file, directory;
    unsigned n_entries;
    bool zip64; /* entries say their sizes in an extra field of 64-bit numbers */
};

#define ZIP64_EXTRA_BYTES 20

static inline void zip_put(struct buffer *buffer, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++, value >>= 8) {
        uint8_t byte = (uint8_t)value;
        assert_int_equal(buffer_append(buffer, &byte, 1), MODEL_OK);
    }
}

static inline struct zip_fixture zip_fixture_init(void)
{
    return (struct zip_fixture){.file = BUFFER_INIT(1 << 20), .directory = BUFFER_INIT(1 << 20)};
}

/* Flags to name length and extra length, as both headers have them. */
static inline void zip_put_common(struct buffer *buffer, const char *name, const void *data,
                                  size_t n, bool zip64)
{
    zip_put(buffer, 20, 2);
    zip_put(buffer, 0, 2 + 2 + 4);
    zip_put(buffer, crc32_update(0, data, n), 4);
    zip_put(buffer, zip64 ? 0xFFFFFFFFu : n, 4);
    zip_put(buffer, zip64 ? 0xFFFFFFFFu : n, 4);
    zip_put(buffer, strlen(name), 2);
    zip_put(buffer, zip64 ? ZIP64_EXTRA_BYTES : 0, 2);
}

/* The name and, behind it, the extra field. */
static inline void zip_put_name(struct buffer *buffer, const char *name, size_t n, bool zip64)
{
    assert_int_equal(buffer_append_text(buffer, name), MODEL_OK);
    if (!zip64)
        return;
    zip_put(buffer, 1, 2);
    zip_put(buffer, 16, 2);
    zip_put(buffer, n, 8);
    zip_put(buffer, n, 8);
}

static inline void zip_fixture_add(struct zip_fixture *zip, const char *name, const void *data,
                                   size_t n)
{
    uint64_t offset = zip->file.size;
    zip_put(&zip->file, 0x04034b50, 4);
    zip_put_common(&zip->file, name, data, n, zip->zip64);
    zip_put_name(&zip->file, name, n, zip->zip64);
    assert_int_equal(buffer_append(&zip->file, data, n), MODEL_OK);
    zip_put(&zip->directory, 0x02014b50, 4);
    zip_put(&zip->directory, 20, 2);
    zip_put_common(&zip->directory, name, data, n, zip->zip64);
    zip_put(&zip->directory, 0, 2 + 2 + 2 + 4);
    zip_put(&zip->directory, offset, 4);
    zip_put_name(&zip->directory, name, n, zip->zip64);
    zip->n_entries++;
}

/* Two more end records, of 64-bit numbers, before the usual one. */
static inline void zip_put_end64(struct zip_fixture *zip, uint64_t offset)
{
    uint64_t end64 = zip->file.size;
    zip_put(&zip->file, 0x06064b50, 4);
    zip_put(&zip->file, 44, 8);
    zip_put(&zip->file, 45, 2);
    zip_put(&zip->file, 45, 2);
    zip_put(&zip->file, 0, 8);
    zip_put(&zip->file, zip->n_entries, 8);
    zip_put(&zip->file, zip->n_entries, 8);
    zip_put(&zip->file, zip->directory.size, 8);
    zip_put(&zip->file, offset, 8);
    zip_put(&zip->file, 0x07064b50, 4);
    zip_put(&zip->file, 0, 4);
    zip_put(&zip->file, end64, 8);
    zip_put(&zip->file, 1, 4);
}

/* The directory and the end record; the file is then complete. */
static inline void zip_fixture_end(struct zip_fixture *zip)
{
    uint64_t offset = zip->file.size;
    assert_int_equal(buffer_append(&zip->file, zip->directory.data, zip->directory.size), MODEL_OK);
    if (zip->zip64)
        zip_put_end64(zip, offset);
    zip_put(&zip->file, 0x06054b50, 4);
    zip_put(&zip->file, 0, 4);
    zip_put(&zip->file, zip->n_entries, 2);
    zip_put(&zip->file, zip->n_entries, 2);
    zip_put(&zip->file, zip->directory.size, 4);
    zip_put(&zip->file, offset, 4);
    zip_put(&zip->file, 0, 2);
}

static inline void zip_fixture_finish(struct zip_fixture *zip)
{
    buffer_finish(&zip->file);
    buffer_finish(&zip->directory);
}

#endif
