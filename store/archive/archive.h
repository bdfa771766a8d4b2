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

#include "archive_contents.h"
#include "archive_index.h"
#include "archive_secret.h"
#include "buffer.h"
#include "file_map.h"
#include "memory_file.h"

struct archive;
struct manifest;
struct signature_policy;

enum archive_level { ARCHIVE_CHECKSUM, ARCHIVE_STANDARD, ARCHIVE_PARANOID };

/* MODEL_NOT_FOUND; MODEL_CORRUPT and MODEL_UNSUPPORTED name the step that refuses. An archive with metadata.json holds the
 * very files that this lists; one without is an author's own. */
model_status archive_open(const char *path, enum archive_level level, struct archive **ret,
                          struct model_error *err);
/* How an archive is opened, beyond its path. */
struct archive_access {
    enum archive_level level;
    /* For an encrypted one; NULL: its index and what is not encrypted can be read, other contents are
     * MODELHOST_UNAUTHORIZED. One that is not encrypted is MODEL_INVALID_ARGUMENT when a secret is given for it. */
    const struct archive_secret *secret;
    /* Contents that are taken from there; they live longer than the archive. NULL: none. */
    const struct archive_contents *contents;
    /* Who must have signed it, before anything else of it is looked at. MODELHOST_UNTRUSTED. NULL: that a signature has
     * its form is checked, and nothing else of it. */
    const struct signature_policy *signature;
};

/* The same. MODELHOST_UNAUTHORIZED: another passphrase or key than it was encrypted with. */
model_status archive_open_with(const char *path, const struct archive_access *access,
                               struct archive **ret, struct model_error *err);
/* NULL does nothing. */
void archive_close(struct archive *archive);

/* A package's folder as if it were an archive of the files that its manifest lists, and of no others: whatever is
 * read, unpacked or mapped is compared with its digest, by the file that was opened, also at ARCHIVE_CHECKSUM.
 * The folder is absolute and real. */
model_status archive_open_folder(const char *dir, const struct manifest *manifest,
                                 enum archive_level level, struct archive **ret,
                                 struct model_error *err);
bool archive_is_folder(const struct archive *archive);

const char *archive_path(const struct archive *archive); /* absolute */
/* The text of its signature, as beside a manifest; NULL: it has none. */
const char *archive_signature(const struct archive *archive);
const struct archive_header *archive_header(const struct archive *archive);
const struct archive_index *archive_index(const struct archive *archive);
/* Of an encrypted one: what its key is made of. */
enum archive_key_source archive_key_source(const struct archive *archive);
/* NULL when there is no such entry. */
const struct archive_entry *archive_find(const struct archive *archive, const char *path);

/* Appends the content of an entry. Over max_bytes: MODEL_CORRUPT, with both sizes. */
model_status archive_read(const struct archive *archive, const struct archive_entry *entry,
                          size_t max_bytes, struct buffer *ret, struct model_error *err);
/* The content into memory of entry->size_bytes, which is the content if it succeeds. */
model_status archive_read_into(const struct archive *archive, const struct archive_entry *entry,
                               uint8_t *memory, struct model_error *err);
/* A part of the content, which nothing is compared with: for who passes it on to one that compares the whole.
 * Compressed contents are read from the beginning of a frame on, to its end or that of a later one. */
model_status archive_read_part(const struct archive *archive, const struct archive_entry *entry,
                               uint64_t offset, size_t n_bytes, uint8_t *ret,
                               struct model_error *err);
int archive_descriptor(const struct archive *archive); /* the archive's own */
/* Writes the content to a file that is open; `target` names that. */
model_status archive_unpack(const struct archive *archive, const struct archive_entry *entry,
                            int fd, const char *target, struct model_error *err);
/* Whether the content lies in the file as it is, from entry->offset on, to be mapped or sent from there. */
bool archive_is_in_place(const struct archive_entry *entry);
/* Whether archive_map() needs no file in memory of its own, which a process in a sandbox cannot make. */
bool archive_is_mappable(const struct archive *archive, const struct archive_entry *entry);
/* The content as a mapping: of the archive itself, or of a sealed file in memory if it is compressed or encrypted.
 * What was encrypted is left out of core files, and locked where the limit allows. */
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
