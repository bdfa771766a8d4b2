/* mirror_archive.c - see mirror_archive.h.
 *
 * An entry that lies in the file as it is goes out like any file. Of a compressed one, threads decode the frames
 * that a range needs; those that were decoded last are kept, so that the pieces of a frame, and clients side by side,
 * share the work. `mutex` guards the kept frames; n_users is the loop's. Clients compare what they get with the digest. */
#include "mirror_archive.h"
#include "archive.h"
#include "errors.h"
#include "http_server.h"
#include "manifest.h"
#include "mirror_hash.h"
#include "mirror_scanner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <uv.h>

#define KEPT_BYTES ((uint64_t)64 << 20)
#define MAX_KEPT   64

struct frame {
    const struct archive_entry *entry;
    uint64_t begin; /* in the content */
    size_t size_bytes;
    uint8_t *data;
    uint64_t used; /* when, by `clock` */
};

struct mirror_archive {
    struct archive *archive;
    struct manifest manifest;
    struct mirror_scanner *threads;
    unsigned n_users; /* the mirror, and replies */
    uv_mutex_t mutex;
    struct frame frames[MAX_KEPT]; /* (n_frames) */
    size_t n_frames;
    uint64_t kept_bytes, clock;
};

/* ---- frames */

static void drop_oldest(struct mirror_archive *archive)
{
    size_t oldest = 0;
    for (size_t i = 1; i < archive->n_frames; i++)
        if (archive->frames[i].used < archive->frames[oldest].used)
            oldest = i;
    archive->kept_bytes -= archive->frames[oldest].size_bytes;
    free(archive->frames[oldest].data);
    archive->frames[oldest] = archive->frames[--archive->n_frames];
}

/* Copies out of a frame that is kept. */
static bool copy_kept(struct mirror_archive *archive, const struct archive_entry *entry,
                      uint64_t begin, size_t at, uint8_t *data, size_t n_bytes)
{
    bool found = false;
    uv_mutex_lock(&archive->mutex);
    for (size_t i = 0; i < archive->n_frames && !found; i++) {
        struct frame *frame = &archive->frames[i];
        if (frame->entry != entry || frame->begin != begin)
            continue;
        memcpy(data, frame->data + at, n_bytes);
        frame->used = ++archive->clock;
        found = true;
    }
    uv_mutex_unlock(&archive->mutex);
    return found;
}

/* Takes the data over. Another thread may have kept the same meanwhile: the older one falls out by itself. */
static void keep(struct mirror_archive *archive, struct frame frame)
{
    uv_mutex_lock(&archive->mutex);
    while (archive->n_frames > 0 &&
           (archive->n_frames == MAX_KEPT || archive->kept_bytes + frame.size_bytes > KEPT_BYTES))
        drop_oldest(archive);
    frame.used = ++archive->clock;
    archive->kept_bytes += frame.size_bytes;
    archive->frames[archive->n_frames++] = frame;
    uv_mutex_unlock(&archive->mutex);
}

static bool decode(struct mirror_archive *archive, const struct archive_entry *entry,
                   uint64_t begin, size_t frame_bytes, size_t at, uint8_t *data, size_t n_bytes)
{
    uint8_t *content = malloc(frame_bytes);
    if (content == NULL ||
        archive_read_part(archive->archive, entry, begin, frame_bytes, content, NULL) != MODEL_OK) {
        free(content);
        return false;
    }
    memcpy(data, content + at, n_bytes);
    keep(archive, (struct frame){entry, begin, frame_bytes, content, 0});
    return true;
}

/* ---- a reply */

struct content {
    struct mirror_archive *archive;
    const struct archive_entry *entry;
    /* the piece that is being read: one at a time */
    uint64_t offset;
    uint8_t *data;
    size_t size_bytes;
    struct http_reading *reading;
};

/* [a thread] */
static bool read_piece(const struct content *content)
{
    const struct archive_entry *entry = content->entry;
    const uint64_t most = archive_index(content->archive->archive)->frame_bytes;
    uint64_t offset = content->offset;
    size_t size_bytes = content->size_bytes;
    for (uint8_t *out = content->data; size_bytes > 0;) {
        const uint64_t begin = offset / most * most, left = entry->size_bytes - begin;
        const size_t frame_bytes = (size_t)(left < most ? left : most);
        const size_t at = (size_t)(offset - begin);
        const size_t n_bytes = size_bytes < frame_bytes - at ? size_bytes : frame_bytes - at;
        if (!copy_kept(content->archive, entry, begin, at, out, n_bytes) &&
            !decode(content->archive, entry, begin, frame_bytes, at, out, n_bytes))
            return false;
        out += n_bytes;
        offset += n_bytes;
        size_bytes -= n_bytes;
    }
    return true;
}

static void run_piece(struct mirror_scan *scan, const atomic_bool *stop)
{
    (void)stop;
    scan->status = read_piece(scan->context) ? MODEL_OK : MODEL_CORRUPT;
}

static void on_piece(struct mirror_scan *scan)
{
    const struct content *content = scan->context;
    struct http_reading *reading = content->reading;
    const bool is_good = scan->status == MODEL_OK;
    mirror_scan_destroy(scan);
    http_reading_done(reading, is_good); /* may close the content */
}

static void read_content(void *context, uint64_t offset, void *data, size_t size_bytes,
                         struct http_reading *reading)
{
    struct content *content = context;
    content->offset = offset;
    content->data = data;
    content->size_bytes = size_bytes;
    content->reading = reading;
    if (mirror_scanner_order_work(content->archive->threads, run_piece, on_piece, content) !=
        MODEL_OK)
        http_reading_done(reading, false);
}

static void close_content(void *context)
{
    struct content *content = context;
    mirror_archive_close(content->archive);
    free(content);
}

/* The entry of a file's digest: files with the same content may share one. */
static const struct archive_entry *entry_of(const struct mirror_archive *archive,
                                            const struct mirror_file *file)
{
    const struct manifest *manifest = &archive->manifest;
    for (size_t i = 0; i < manifest->n_files; i++)
        if (strcmp(manifest->files[i].sha256, file->etag) == 0)
            return archive_find(archive->archive, manifest->files[i].path);
    return NULL;
}

void mirror_archive_reply(struct mirror_archive *archive, const struct mirror_file *file,
                          struct http_request *request, int status, const char *content_type,
                          uint64_t first, uint64_t length_bytes)
{
    const struct archive_entry *entry = entry_of(archive, file);
    if (entry != NULL && archive_is_in_place(entry)) {
        int fd = fcntl(archive_descriptor(archive->archive), F_DUPFD_CLOEXEC, 0);
        if (fd >= 0) {
            http_reply_file(request, status, content_type, fd, entry->offset + first, length_bytes);
            return;
        }
    }
    struct content *content = entry != NULL ? malloc(sizeof *content) : NULL;
    if (content == NULL) {
        http_reply_error(request, 503, "the mirror can send nothing more now; try again");
        return;
    }
    *content = (struct content){.archive = archive, .entry = entry};
    archive->n_users++;
    http_reply_source(request, status, content_type,
                      &(struct http_source){read_content, close_content, content}, first,
                      length_bytes);
}

/* ---- the repository */

void mirror_archive_use(struct mirror_archive *archive, struct mirror_scanner *threads)
{
    archive->threads = threads;
}

const char *mirror_archive_id(const struct mirror_archive *archive)
{
    return archive->manifest.id;
}

bool mirror_archive_is_revision(const struct mirror_archive *archive, const char *revision)
{
    return strcmp(archive->manifest.requested_revision, revision) == 0;
}

static model_status add_file(const struct manifest_file *from, const struct mirror_stamp *stamp,
                             struct mirror_snapshot *snapshot, struct model_error *err)
{
    char pointer[MIRROR_POINTER_BYTES];
    struct mirror_file *file = &snapshot->files[snapshot->n_files];
    *file = (struct mirror_file){.path = strdup(from->source), .stamp = *stamp, .is_lfs = true};
    if (file->path == NULL)
        return error_no_memory(err, "a list of files");
    snapshot->n_files++;
    snapshot->total_bytes += from->size_bytes;
    file->stamp.size_bytes = from->size_bytes;
    memcpy(file->etag, from->sha256, sizeof file->etag);
    file->pointer_bytes = mirror_pointer_text(file->etag, from->size_bytes, pointer);
    return mirror_name_blob(pointer, file->pointer_bytes, file->blob_id, err);
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct mirror_file *)a)->path, ((const struct mirror_file *)b)->path);
}

/* Two backends may have a file of one source: it is listed once. */
static void sort_files(struct mirror_snapshot *snapshot)
{
    size_t n = 0;
    if (snapshot->n_files > 1)
        qsort(snapshot->files, snapshot->n_files, sizeof *snapshot->files, compare_files);
    for (size_t i = 0; i < snapshot->n_files; i++) {
        if (n > 0 && strcmp(snapshot->files[n - 1].path, snapshot->files[i].path) == 0) {
            snapshot->total_bytes -= snapshot->files[i].stamp.size_bytes;
            free(snapshot->files[i].path);
            continue;
        }
        snapshot->files[n++] = snapshot->files[i];
    }
    snapshot->n_files = n;
}

model_status mirror_archive_snapshot(const struct mirror_archive *archive,
                                     struct mirror_snapshot **ret, struct model_error *err)
{
    const struct manifest *manifest = &archive->manifest;
    struct mirror_stamp stamp = {0};
    struct stat info;
    model_status status = MODEL_OK;
    struct mirror_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot != NULL)
        snapshot->files = calloc(manifest->n_files + 1, sizeof *snapshot->files);
    if (snapshot == NULL || snapshot->files == NULL)
        status = error_no_memory(err, "a list of files");
    if (fstat(archive_descriptor(archive->archive), &info) == 0)
        stamp = mirror_stamp_of(&info);
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++)
        if (manifest->files[i].source != NULL)
            status = add_file(&manifest->files[i], &stamp, snapshot, err);
    if (status != MODEL_OK) {
        mirror_snapshot_destroy(snapshot);
        return status;
    }
    sort_files(snapshot);
    snapshot->modified_ns = stamp.modified_ns;
    (void)snprintf(snapshot->commit, sizeof snapshot->commit, "%.40s", manifest->revision);
    *ret = snapshot;
    return MODEL_OK;
}

/* ---- its life */

static model_status read_manifest(struct mirror_archive *archive, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MANIFEST_MAX_BYTES);
    const char *path = archive_path(archive->archive);
    const struct archive_entry *entry = archive_find(archive->archive, "metadata.json");
    if (entry == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "cannot serve %.400s: it has no metadata.json, so no repository stands "
                         "for it; 'pkgmgr import' makes a package of its folder that has one",
                         path);
    if ((archive_header(archive->archive)->flags & ARCHIVE_ENCRYPTED) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "cannot serve %.400s: it is encrypted, and a mirror has no key; unpack it "
                         "and serve the folder, or hand on the file itself",
                         path);
    model_status status = archive_read(archive->archive, entry, MANIFEST_MAX_BYTES, &text, err);
    if (status == MODEL_OK)
        status = manifest_parse(text.data, text.size, path, &archive->manifest, err);
    buffer_finish(&text);
    return status;
}

model_status mirror_archive_open(const char *path, struct mirror_archive **ret,
                                 struct model_error *err)
{
    struct mirror_archive *archive = calloc(1, sizeof *archive);
    if (archive == NULL)
        return error_no_memory(err, "the mirror");
    archive->n_users = 1;
    if (uv_mutex_init(&archive->mutex) != 0) {
        free(archive);
        return error_no_memory(err, "the mirror");
    }
    model_status status = archive_open(path, ARCHIVE_CHECKSUM, &archive->archive, err);
    if (status == MODEL_OK)
        status = read_manifest(archive, err);
    if (status == MODEL_OK)
        *ret = archive;
    else
        mirror_archive_close(archive);
    return status;
}

void mirror_archive_close(struct mirror_archive *archive)
{
    if (archive == NULL || --archive->n_users > 0)
        return;
    while (archive->n_frames > 0)
        drop_oldest(archive);
    manifest_finish(&archive->manifest);
    archive_close(archive->archive);
    uv_mutex_destroy(&archive->mutex);
    free(archive);
}
