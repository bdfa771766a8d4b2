/* zip_reader.h - zip archives as torch.save() writes them: entries stored as they are, so that they are
 * read where they lie in a mapped file.
 *
 * By PKWARE's APPNOTE 6.3, and stricter: one disk, no comment, nothing behind the end record and nothing
 * between the central directory and it; each local header says the same as the central one (name, method,
 * sizes, checksum, in the header or in the descriptor behind the data); entries lie before the
 * directory without overlap; names differ and hold no control characters; nothing is compressed or
 * encrypted. Zip64 records are believed only where the old fields say so, and only if both agree.
 *
 * The archive borrows the bytes; immutable after it is opened. [any-thread] */
#ifndef ZIP_READER_H
#define ZIP_READER_H

#include "string_map.h"

#define ZIP_MAX_ENTRIES    1000000u
#define ZIP_MAX_NAME_BYTES 1024u

struct zip_entry {
    const char *name; /* (name_bytes), not terminated: in the archive */
    uint32_t name_bytes;
    uint32_t crc;
    const uint8_t *data; /* (size_bytes), in the archive */
    uint64_t size_bytes;
};

struct zip_archive {
    const char *what;          /* for errors */
    struct zip_entry *entries; /* (n_entries), in the order of the directory */
    size_t n_entries;
    struct string_map by_name;
};

/* `what` names the file in errors and must outlive the archive. MODEL_CORRUPT; MODEL_UNSUPPORTED for what
 * other zip writers do and torch does not. The entries' data is not read. */
model_status zip_open(const uint8_t *file, uint64_t file_bytes, const char *what,
                      struct zip_archive *ret, struct model_error *err);
void zip_close(struct zip_archive *archive);

/* The entry of this name, or NULL. */
const struct zip_entry *zip_find(const struct zip_archive *archive, const char *name);
/* Reads an entry's data and compares its checksum: MODEL_CORRUPT when it differs. passed() (NULL: none) is
 * told of each few megabytes that were read. */
struct zip_progress {
    void (*passed)(void *context, const uint8_t *data, size_t size_bytes);
    void *context;
};

model_status zip_check(const struct zip_archive *archive, const struct zip_entry *entry,
                       const struct zip_progress *progress, struct model_error *err);

#endif
