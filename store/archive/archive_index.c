/* archive_index.c - see archive_index.h. The metadata say how large everything is before a byte of it is
 * read, so each size is bounded here. */
#include "archive_index.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "printable_text.h"
#include "size.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SHOWN 200
#define EXACT     ((int64_t)1 << 53)

static const char *const methods[] = {
    [ARCHIVE_STORED] = "stored", [ARCHIVE_ZSTD_FRAMES] = "zstd-frames"};

size_t archive_n_frames(uint64_t size_bytes, uint32_t frame_bytes)
{
    return (size_t)(size_bytes / frame_bytes + (size_bytes % frame_bytes > 0));
}

/* What to do about metadata that are as they were written. */
#define PACK_ANEW "get the file again, or have its author pack it anew"

/* ---- reading one entry */

static model_status refuse(const char *what, const char *path, const char *problem,
                           struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES];
    return error_set(err, MODEL_CORRUPT, "%s: entry '%s': %s", what, printable(path, shown),
                     problem);
}

static bool read_size(const json_node *node, const char *key, uint64_t *ret)
{
    int64_t value = 0;
    if (!json_integer(json_member(node, key), 0, EXACT, &value))
        return false;
    *ret = (uint64_t)value;
    return true;
}

static bool is_hex_digest(const char *text)
{
    return text != NULL && strlen(text) == SHA256_HEX_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

static model_status read_frames(const json_node *frames, const char *what,
                                struct archive_entry *entry, struct model_error *err)
{
    if (!json_is_array(frames) || json_count(frames) == 0)
        return refuse(what, entry->path, "no list of frames", err);
    entry->frames = calloc(json_count(frames), sizeof *entry->frames);
    if (entry->frames == NULL)
        return error_no_memory(err, "the frames of an archive");
    for (const json_node *frame = json_first(frames); frame != NULL; frame = json_next(frame)) {
        int64_t bytes = 0;
        if (!json_integer(frame, 1, UINT32_MAX, &bytes))
            return refuse(what, entry->path, "the size of a frame is no positive number", err);
        entry->frames[entry->n_frames++] = (uint32_t)bytes;
    }
    return MODEL_OK;
}

static model_status read_entry(const json_node *node, const char *what, struct archive_entry *entry,
                               struct model_error *err)
{
    const char *path = json_string_or(json_member(node, "path"), "");
    const char *sha256 = json_string_or(json_member(node, "sha256"), NULL);
    const char *method = json_string_or(json_member(node, "method"), "");
    if (!path_is_safe(path))
        return refuse(what, path, "the path leaves the package, or is none", err);
    entry->path = text_format("%s", path);
    if (entry->path == NULL)
        return error_no_memory(err, "the entries of an archive");
    if (json_check_unique_keys(node, what, err) != MODEL_OK)
        return MODEL_CORRUPT;
    if (!read_size(node, "size", &entry->size_bytes) ||
        !read_size(node, "offset", &entry->offset) ||
        !read_size(node, "stored", &entry->stored_bytes))
        return refuse(what, path, "size, offset and stored are not all whole numbers", err);
    entry->payload_bytes = entry->stored_bytes;
    if (!is_hex_digest(sha256))
        return refuse(what, path, "sha256 is not 64 lower-case hexadecimal digits", err);
    memcpy(entry->sha256, sha256, sizeof entry->sha256);
    if (strcmp(method, methods[ARCHIVE_STORED]) == 0)
        return MODEL_OK;
    char shown[PRINTABLE_TEXT_BYTES];
    if (strcmp(method, methods[ARCHIVE_ZSTD_FRAMES]) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: entry '%.*s': method '%.40s' is not known, want stored or "
                         "zstd-frames; use a newer program",
                         what, MAX_SHOWN, path, printable(method, shown));
    entry->method = ARCHIVE_ZSTD_FRAMES;
    return read_frames(json_member(node, "frames"), what, entry, err);
}

/* ---- what they are together */

/* Sorted paths may have others between a file and what is below it as a folder: "a", "a-b", "a/b". */
static bool is_below_a_file(const struct archive_index *index, const char *path)
{
    char folder[1025];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const size_t n = (size_t)(slash - path);
        memcpy(folder, path, n);
        folder[n] = '\0';
        if (archive_index_find(index, folder) != NULL)
            return true;
    }
    return false;
}

static model_status check_layout(const struct archive_index *index,
                                 const struct archive_header *header, const char *what,
                                 struct model_error *err)
{
    uint64_t end = archive_entries_offset(header);
    for (size_t i = 0; i < index->n_entries; i++) {
        const struct archive_entry *entry = &index->entries[i];
        if (i > 0 && strcmp(index->entries[i - 1].path, entry->path) >= 0)
            return refuse(what, entry->path, "it stands twice, or not in the order of paths", err);
        if (entry->offset != archive_align(end))
            return refuse(what, entry->path, "it does not begin where the one before it ends", err);
        if (entry->stored_bytes > header->file_bytes - entry->offset ||
            entry->offset > header->file_bytes)
            return refuse(what, entry->path, "it does not end in the file", err);
        end = entry->offset + entry->stored_bytes;
    }
    for (size_t i = 0; i < index->n_entries; i++)
        if (is_below_a_file(index, index->entries[i].path))
            return refuse(what, index->entries[i].path, "a folder on its path is a file", err);
    if (end != header->file_bytes)
        return error_set(err, MODEL_CORRUPT, "%s: the entries end at byte %llu, the file at %llu",
                         what, (unsigned long long)end, (unsigned long long)header->file_bytes);
    return MODEL_OK;
}

static model_status read_root(const json_node *root, const char *what, struct archive_index *index,
                              struct model_error *err)
{
    int64_t version = 0, frame_bytes = 0;
    const json_node *entries = json_member(root, "entries");
    model_status status = json_check_unique_keys(root, what, err);
    if (status != MODEL_OK)
        return status;
    if (!json_integer(json_member(root, "format_version"), ARCHIVE_FORMAT_VERSION,
                      ARCHIVE_FORMAT_VERSION, &version))
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: format_version is not %d; use a newer program", what,
                         ARCHIVE_FORMAT_VERSION);
    if (!json_integer(json_member(root, "frame_bytes"), ARCHIVE_MIN_FRAME_BYTES,
                      ARCHIVE_MAX_FRAME_BYTES, &frame_bytes))
        return error_set(err, MODEL_CORRUPT, "%s: frame_bytes is not %u to %u", what,
                         ARCHIVE_MIN_FRAME_BYTES, ARCHIVE_MAX_FRAME_BYTES);
    if (!json_is_array(entries) || json_count(entries) == 0 ||
        json_count(entries) > ARCHIVE_MAX_ENTRIES)
        return error_set(err, MODEL_CORRUPT, "%s: want a list of 1 to %d entries", what,
                         ARCHIVE_MAX_ENTRIES);
    index->frame_bytes = (uint32_t)frame_bytes;
    index->entries = calloc(json_count(entries), sizeof *index->entries);
    if (index->entries == NULL)
        return error_no_memory(err, "the entries of an archive");
    for (const json_node *node = json_first(entries); node != NULL && status == MODEL_OK;
         node = json_next(node))
        status = read_entry(node, what, &index->entries[index->n_entries++], err);
    return status;
}

model_status archive_index_parse(const char *text, size_t size_bytes,
                                 const struct archive_header *header, const char *what,
                                 struct archive_index *ret, struct model_error *err)
{
    struct archive_index index = {0};
    json_node *root = NULL;
    char *step = text_format("%s: metadata", what); /* how each sentence begins */
    if (step == NULL)
        return error_no_memory(err, what);
    model_status status = json_parse(text, size_bytes, step, &root, err);
    if (status == MODEL_OK)
        status = read_root(root, step, &index, err);
    if (status == MODEL_OK)
        status = check_layout(&index, header, step, err);
    json_free(root);
    free(step);
    if (status == MODEL_OK)
        *ret = index;
    else
        archive_index_finish(&index);
    if (status == MODEL_CORRUPT)
        error_advise(err, PACK_ANEW);
    return status;
}

/* ---- bombs */

static const char *frames_problem(const struct archive_index *index,
                                  const struct archive_entry *entry)
{
    uint64_t sum = 0;
    if (entry->n_frames != archive_n_frames(entry->size_bytes, index->frame_bytes))
        return "its number of frames does not fit its size";
    for (size_t i = 0; i < entry->n_frames; i++)
        sum += entry->frames[i];
    if (sum != entry->payload_bytes)
        return "its frames are not as long together as it is stored";
    if (entry->size_bytes > entry->payload_bytes * ARCHIVE_MAX_RATIO)
        return "it would grow to more than 1000 times what is stored";
    return NULL;
}

model_status archive_index_check_sizes(const struct archive_index *index, const char *what,
                                       struct model_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < index->n_entries; i++) {
        const struct archive_entry *entry = &index->entries[i];
        const char *problem = NULL;
        if (entry->method == ARCHIVE_ZSTD_FRAMES)
            problem = frames_problem(index, entry);
        else if (entry->size_bytes != entry->payload_bytes)
            problem = "it is stored as it is, but in another size";
        if (problem != NULL)
            return error_set(err, MODEL_CORRUPT, "%s: decompression: entry '%.*s': %s; " PACK_ANEW,
                             what, MAX_SHOWN, entry->path, problem);
        if (!size_add(total, entry->size_bytes, &total) || total > ARCHIVE_MAX_BYTES)
            return error_set(
                err, MODEL_CORRUPT,
                "%s: decompression: the entries have more than %llu bytes together; " PACK_ANEW,
                what, (unsigned long long)ARCHIVE_MAX_BYTES);
    }
    return MODEL_OK;
}

/* ---- the rest */

static int compare_path(const void *path, const void *entry)
{
    return strcmp(path, ((const struct archive_entry *)entry)->path);
}

const struct archive_entry *archive_index_find(const struct archive_index *index, const char *path)
{
    return index->n_entries > 0 ? bsearch(path, index->entries, index->n_entries,
                                          sizeof *index->entries, compare_path)
                                : NULL;
}

static bool print_entry(const struct archive_entry *entry, json_node *entries)
{
    json_node *node = json_add_object(entries, NULL);
    bool complete = json_add_string(node, "path", entry->path) != NULL &&
                    json_add_number(node, "size", (double)entry->size_bytes) != NULL &&
                    json_add_string(node, "sha256", entry->sha256) != NULL &&
                    json_add_number(node, "offset", (double)entry->offset) != NULL &&
                    json_add_number(node, "stored", (double)entry->stored_bytes) != NULL &&
                    json_add_string(node, "method", methods[entry->method]) != NULL;
    if (!complete || entry->method == ARCHIVE_STORED)
        return complete;
    json_node *frames = json_add_array(node, "frames");
    for (size_t i = 0; i < entry->n_frames && frames != NULL; i++)
        if (json_add_number(frames, NULL, entry->frames[i]) == NULL)
            return false;
    return frames != NULL;
}

char *archive_index_print(const struct archive_index *index)
{
    json_node *root = json_new_object();
    bool complete = json_add_number(root, "format_version", ARCHIVE_FORMAT_VERSION) != NULL &&
                    json_add_number(root, "frame_bytes", index->frame_bytes) != NULL;
    json_node *entries = json_add_array(root, "entries");
    for (size_t i = 0; i < index->n_entries && complete; i++)
        complete = print_entry(&index->entries[i], entries);
    char *text = complete ? json_print(root, false) : NULL;
    json_free(root);
    return text;
}

model_status archive_index_place(struct archive_index *index, struct archive_header *header,
                                 char **ret_text, struct model_error *err)
{
    for (;;) { /* longer metadata move the entries, whose offsets may then have more digits */
        uint64_t end = archive_entries_offset(header);
        for (size_t i = 0; i < index->n_entries; i++) {
            struct archive_entry *entry = &index->entries[i];
            entry->offset = archive_align(end);
            end = entry->offset + entry->stored_bytes;
        }
        header->file_bytes = end;
        char *text = archive_index_print(index);
        if (text == NULL)
            return error_no_memory(err, "the metadata of an archive");
        const size_t n_bytes = strlen(text);
        if (n_bytes == header->metadata_bytes) {
            *ret_text = text;
            return MODEL_OK;
        }
        header->metadata_bytes = n_bytes;
        free(text);
        if (n_bytes > ARCHIVE_MAX_METADATA_BYTES)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "the package has too many files: its metadata have more than %u bytes",
                             ARCHIVE_MAX_METADATA_BYTES);
    }
}

void archive_index_finish(struct archive_index *index)
{
    for (size_t i = 0; i < index->n_entries; i++) {
        free(index->entries[i].path);
        free(index->entries[i].frames);
    }
    free(index->entries);
    *index = (struct archive_index){0};
}
