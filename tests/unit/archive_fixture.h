/* archive_fixture.h - what the tests of archives write and compare. */
#ifndef ARCHIVE_FIXTURE_H
#define ARCHIVE_FIXTURE_H

#include "archive.h"
#include "errors.h"
#include "in_folder.h"

/* Text that compresses to about a half. */
static inline void fill_text(uint8_t *ret, size_t size_bytes, uint64_t seed)
{
    for (size_t i = 0; i < size_bytes; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ret[i] = (uint8_t)("abcdefghijklmnop"[(uint32_t)(seed >> 33) & 15]);
    }
}

/* The entry holds what the file of this name does, read and mapped. */
static inline void expect_content(const struct archive *archive, const char *name)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer want = BUFFER_INIT(1u << 24), found = BUFFER_INIT(1u << 24);
    const struct archive_entry *entry = archive_find(archive, name);
    struct file_map map = {.fd = -1};
    assert_non_null(entry);
    assert_int_equal(file_read(in_folder(name), 1u << 24, &want, &err), MODEL_OK);
    if (archive_read(archive, entry, 1u << 24, &found, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(found.size, want.size);
    assert_memory_equal(found.data, want.data, want.size);
    if (archive_map(archive, entry, &map, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(map.size_bytes, want.size);
    if (want.size > 0)
        assert_memory_equal(map.data, want.data, want.size);
    file_map_close(&map);
    buffer_finish(&want);
    buffer_finish(&found);
}

#endif
