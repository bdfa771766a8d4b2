/* archive_index.h - an archive's metadata: which files it holds, where their bytes lie, and how they are
 * stored. Any thread; read as hostile.
 *
 *   {"format_version":1, "frame_bytes":4194304, "entries":[
 *     {"path":"backends/cpu/model.safetensors","size":440449768,"sha256":"...","offset":8192,
 *      "stored":440449768,"method":"stored"},
 *     {"path":"vocab.txt","size":231508,"sha256":"...","offset":440459264,"stored":109540,
 *      "method":"zstd-frames","frames":[109540]}]}
 */
#ifndef ARCHIVE_INDEX_H
#define ARCHIVE_INDEX_H

#include "archive_format.h"
#include "digest.h"

#define ARCHIVE_MAX_ENTRIES     100000
#define ARCHIVE_FRAME_BYTES     (4u << 20) /* of content, in what we write */
#define ARCHIVE_MIN_FRAME_BYTES 4096u
#define ARCHIVE_MAX_FRAME_BYTES (16u << 20)
#define ARCHIVE_MAX_BYTES       ((uint64_t)1 << 44) /* of all contents together */
#define ARCHIVE_MAX_RATIO       1000u /* of an entry's content to what it is stored as */

enum archive_method { ARCHIVE_STORED, ARCHIVE_ZSTD_FRAMES };

struct archive_entry {
    char *path; /* path_is_safe() */
    uint64_t size_bytes;
    char sha256[SHA256_HEX_BYTES]; /* of the content */
    uint64_t offset, stored_bytes; /* in the file */
    uint64_t payload_bytes; /* of these, before they were encrypted: frames, or the content */
    bool is_encrypted;      /* until a key is needed: false, and payload_bytes is stored_bytes */
    enum archive_method method;
    uint32_t *frames; /* (n_frames): stored bytes of each; NULL for ARCHIVE_STORED */
    size_t n_frames;
};

struct archive_index {
    struct archive_entry *entries; /* (n_entries), ordered by path */
    size_t n_entries;
    uint32_t frame_bytes; /* content of each frame but an entry's last */
};

/* Checks the text, paths (safe, ordered, none twice, no file that is the folder of another) and the
 * layout: entries follow each other in the file in the order of their paths, each at the next multiple
 * of ARCHIVE_ALIGNMENT, and fill it. `what` names the file. MODEL_CORRUPT, MODEL_UNSUPPORTED. */
model_status archive_index_parse(const char *text, size_t size_bytes,
                                 const struct archive_header *header, const char *what,
                                 struct archive_index *ret, struct model_error *err);
/* The limits against decompression bombs: the frames of each entry fit its size, no entry grows beyond
 * ARCHIVE_MAX_RATIO, nor all of them beyond ARCHIVE_MAX_BYTES. MODEL_CORRUPT. */
model_status archive_index_check_sizes(const struct archive_index *index, const char *what,
                                       struct model_error *err);
/* NULL when there is no such path. */
const struct archive_entry *archive_index_find(const struct archive_index *index, const char *path);
/* The only text that says this: the same index gives the same bytes. To be freed; NULL without memory. */
char *archive_index_print(const struct archive_index *index);
/* Where everything goes: sets the offsets of entries whose stored sizes are known, and the header's file_bytes
 * and metadata_bytes; its other regions' sizes are known. *ret_text, the metadata, is to be freed. MODEL_INVALID_ARGUMENT:
 * they become too large. */
model_status archive_index_place(struct archive_index *index, struct archive_header *header,
                                 char **ret_text, struct model_error *err);
void archive_index_finish(struct archive_index *index);

/* How many frames so many bytes are cut into. */
size_t archive_n_frames(uint64_t size_bytes, uint32_t frame_bytes);

#endif
