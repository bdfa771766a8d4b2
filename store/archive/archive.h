/* archive.h - a package in one file, opened for reading.
 *
 * Opening goes through steps, each of which refuses before the next one runs: header, metadata,
 * signature, decryption, decompression (limits only), digests. Nothing of an archive is used before. An
 * open archive is immutable and may be used by any thread; what it hands out lives until it is closed,
 * maps and files in memory until their owner closes them.
 *
 * How much is compared with its digest before it is used:
 *   ARCHIVE_CHECKSUM  metadata, and contents that are read or unpacked; not what is mapped from the file
 *   ARCHIVE_STANDARD  the same, and what is mapped
 *   ARCHIVE_PARANOID  at opening the whole file, that padding is zero, and that its metadata are written in the one
 *                     way there is; contents as they are seen in the mapping */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "archive_index.h"
#include "buffer.h"
#include "file_map.h"
#include "memory_file.h"

struct archive;

enum archive_level { ARCHIVE_CHECKSUM, ARCHIVE_STANDARD, ARCHIVE_PARANOID };

/* MODEL_NOT_FOUND; MODEL_CORRUPT and MODEL_UNSUPPORTED name the step that refuses. */
model_status archive_open(const char *path, enum archive_level level, struct archive **ret,
                          struct model_error *err);
/* NULL does nothing. */
void archive_close(struct archive *archive);

const char *archive_path(const struct archive *archive); /* absolute */
const struct archive_header *archive_header(const struct archive *archive);
const struct archive_index *archive_index(const struct archive *archive);
/* NULL when there is no such entry. */
const struct archive_entry *archive_find(const struct archive *archive, const char *path);

/* Appends the content of an entry. Over max_bytes: MODEL_CORRUPT, with both sizes. */
model_status archive_read(const struct archive *archive, const struct archive_entry *entry,
                          size_t max_bytes, struct buffer *ret, struct model_error *err);
/* A part of the content, which nothing is compared with: for who passes it on to one that compares the whole.
 * Compressed contents are read from the beginning of a frame on, to its end or that of a later one. */
model_status archive_read_part(const struct archive *archive, const struct archive_entry *entry,
                               uint64_t offset, size_t n_bytes, uint8_t *ret,
                               struct model_error *err);
/* Whether the content lies in the file as it is, from entry->offset on. */
bool archive_is_plain(const struct archive *archive, const struct archive_entry *entry);
int archive_descriptor(const struct archive *archive); /* the archive's own */
/* Writes the content to a file that is open; `target` names that. */
model_status archive_unpack(const struct archive *archive, const struct archive_entry *entry,
                            int fd, const char *target, struct model_error *err);
/* The content as a mapping: of the archive itself, or of a sealed file in memory if it is compressed. */
model_status archive_map(const struct archive *archive, const struct archive_entry *entry,
                         struct file_map *ret, struct model_error *err);
/* The same, but what is mapped from the archive itself is not compared: archive_check_mapped() does, at the
 * level that the archive was opened with. */
model_status archive_map_lazily(const struct archive *archive, const struct archive_entry *entry,
                                struct file_map *ret, struct model_error *err);
model_status archive_check_mapped(const struct archive *archive, const struct archive_entry *entry,
                                  const struct file_map *map, struct model_error *err);
/* The content as a sealed file in memory, to be opened by its path. */
model_status archive_memory_file(const struct archive *archive, const struct archive_entry *entry,
                                 struct memory_file *ret, struct model_error *err);

/* Compares the content with its digest. */
model_status archive_check_entry(const struct archive *archive, const struct archive_entry *entry,
                                 struct model_error *err);
/* The whole file's digest: finds any bit that is not as it was written. */
model_status archive_check_file(const struct archive *archive, struct model_error *err);

#endif
