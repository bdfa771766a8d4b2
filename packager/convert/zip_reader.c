/* zip_reader.c - see zip_reader.h. Every read goes through field(), which knows where the file ends; sizes
 * are compared before they are added. */
#include "zip_reader.h"
#include "crc32.h"
#include "errors.h"
#include "printable_text.h"
#include "size.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_BYTES      30u
#define CENTRAL_BYTES    46u
#define END_BYTES        22u
#define LOCATOR64_BYTES  20u
#define END64_BYTES      56u
#define LOCAL_MAGIC      0x04034b50u
#define CENTRAL_MAGIC    0x02014b50u
#define END_MAGIC        0x06054b50u
#define LOCATOR64_MAGIC  0x07064b50u
#define END64_MAGIC      0x06064b50u
#define DESCRIPTOR_MAGIC 0x08074b50u
#define FLAG_ENCRYPTED   0x0001u
#define FLAG_DESCRIPTOR  0x0008u
#define EXTRA_ZIP64      0x0001u
#define CHECK_BYTES      ((uint64_t)8 << 20)
#define IN_ZIP64         0xFFFFFFFFu

struct reading {
    const uint8_t *file;
    uint64_t file_bytes;
    const char *what;
    struct model_error *err;
    uint64_t directory, directory_bytes, n_entries; /* by the end record */
};

/* What a header says of an entry. */
struct header {
    uint32_t flags, method, crc, name_bytes, extra_bytes;
    uint64_t packed_bytes, size_bytes, offset;
    const uint8_t *name;
};

/* The little-endian number of n bytes at an offset that is known to be in the file. */
static uint64_t field(const struct reading *reading, uint64_t at, unsigned n)
{
    uint64_t value = 0;
    while (n-- > 0)
        value = value << 8 | reading->file[at + n];
    return value;
}

static bool lies_within(uint64_t at, uint64_t size_bytes, uint64_t end)
{
    return at <= end && size_bytes <= end - at;
}

static model_status refuse(const struct reading *reading, const char *problem)
{
    return error_set(reading->err, MODEL_CORRUPT, "%s: broken zip archive: %s", reading->what,
                     problem);
}

static model_status refuse_entry(const struct reading *reading, const struct header *header,
                                 model_status status, const char *problem)
{
    char name[PRINTABLE_TEXT_BYTES];
    return error_set(reading->err, status, "%s: zip entry '%s' %s", reading->what,
                     printable_text((const char *)header->name, header->name_bytes, name), problem);
}

/* ---- the end of the file says where the directory is */

static model_status read_end64(struct reading *reading, uint64_t end)
{
    uint64_t locator = end - LOCATOR64_BYTES, at = field(reading, locator + 8, 8);
    if (field(reading, locator + 4, 4) != 0 || field(reading, locator + 16, 4) > 1)
        return refuse(reading, "it spans several disks");
    if (locator < END64_BYTES || at != locator - END64_BYTES ||
        field(reading, at, 4) != END64_MAGIC || field(reading, at + 4, 8) != END64_BYTES - 12)
        return refuse(reading, "its zip64 end record is not where the locator says");
    if (field(reading, at + 16, 4) != 0 || field(reading, at + 20, 4) != 0 ||
        field(reading, at + 24, 8) != field(reading, at + 32, 8))
        return refuse(reading, "it spans several disks");
    uint64_t n = field(reading, end + 10, 2), size = field(reading, end + 12, 4),
             offset = field(reading, end + 16, 4);
    reading->n_entries = field(reading, at + 32, 8);
    reading->directory_bytes = field(reading, at + 40, 8);
    reading->directory = field(reading, at + 48, 8);
    if ((n != 0xFFFF && n != reading->n_entries) ||
        (size != IN_ZIP64 && size != reading->directory_bytes) ||
        (offset != IN_ZIP64 && offset != reading->directory))
        return refuse(reading, "its two end records differ");
    return reading->directory_bytes <= at && reading->directory == at - reading->directory_bytes
               ? MODEL_OK
               : refuse(reading, "its directory does not end where the end record begins");
}

static model_status read_end(struct reading *reading)
{
    if (reading->file_bytes < END_BYTES)
        return refuse(reading, "truncated");
    uint64_t end = reading->file_bytes - END_BYTES;
    if (field(reading, end, 4) != END_MAGIC || field(reading, end + 20, 2) != 0)
        return refuse(reading, "no end record in the last 22 bytes; the file is truncated, or "
                               "something was added to it");
    if (field(reading, end + 4, 4) != 0 ||
        field(reading, end + 8, 2) != field(reading, end + 10, 2))
        return refuse(reading, "it spans several disks");
    if (end >= LOCATOR64_BYTES && field(reading, end - LOCATOR64_BYTES, 4) == LOCATOR64_MAGIC)
        return read_end64(reading, end);
    reading->n_entries = field(reading, end + 10, 2);
    reading->directory_bytes = field(reading, end + 12, 4);
    reading->directory = field(reading, end + 16, 4);
    return reading->directory_bytes <= end && reading->directory == end - reading->directory_bytes
               ? MODEL_OK
               : refuse(reading, "its directory does not end where the end record begins");
}

/* ---- one entry */

/* Takes the 64-bit value of a field that says "look there". */
static bool take_zip64(const struct reading *reading, uint64_t *at, uint64_t end, uint64_t *value)
{
    if (*value != IN_ZIP64)
        return true;
    if (!lies_within(*at, 8, end))
        return false;
    *value = field(reading, *at, 8);
    *at += 8;
    return true;
}

/* Walks the extra fields; the zip64 one holds what did not fit, in this order. */
static bool read_extra(const struct reading *reading, uint64_t at, struct header *header)
{
    uint64_t end = at + header->extra_bytes;
    bool wants = header->size_bytes == IN_ZIP64 || header->packed_bytes == IN_ZIP64 ||
                 header->offset == IN_ZIP64;
    bool seen = false;
    while (end - at >= 4) {
        uint64_t id = field(reading, at, 2), size = field(reading, at + 2, 2);
        at += 4;
        if (size > end - at || (id == EXTRA_ZIP64 && seen))
            return false;
        if (id == EXTRA_ZIP64) {
            uint64_t from = at;
            seen = true;
            if (!take_zip64(reading, &from, at + size, &header->size_bytes) ||
                !take_zip64(reading, &from, at + size, &header->packed_bytes) ||
                !take_zip64(reading, &from, at + size, &header->offset))
                return false;
        }
        at += size;
    }
    return at == end && (seen || !wants);
}

/* The fields that both headers have, from `at` on. */
static void read_common(const struct reading *reading, uint64_t at, struct header *ret)
{
    ret->flags = (uint32_t)field(reading, at, 2);
    ret->method = (uint32_t)field(reading, at + 2, 2);
    ret->crc = (uint32_t)field(reading, at + 8, 4);
    ret->packed_bytes = field(reading, at + 12, 4);
    ret->size_bytes = field(reading, at + 16, 4);
    ret->name_bytes = (uint32_t)field(reading, at + 20, 2);
    ret->extra_bytes = (uint32_t)field(reading, at + 22, 2);
}

/* The central header at *at, which moves behind it. */
static model_status read_central(const struct reading *reading, uint64_t *at, struct header *ret)
{
    uint64_t end = reading->directory + reading->directory_bytes;
    if (!lies_within(*at, CENTRAL_BYTES, end) || field(reading, *at, 4) != CENTRAL_MAGIC)
        return refuse(reading, "its directory has fewer entries than the end record says");
    struct header header = {.offset = field(reading, *at + 42, 4)};
    read_common(reading, *at + 8, &header);
    uint64_t comment_bytes = field(reading, *at + 32, 2);
    uint64_t behind = *at + CENTRAL_BYTES;
    if (!lies_within(behind, header.name_bytes + header.extra_bytes + comment_bytes, end))
        return refuse(reading, "an entry of its directory is cut off");
    header.name = reading->file + behind;
    if (header.name_bytes == 0 || header.name_bytes > ZIP_MAX_NAME_BYTES)
        return refuse(reading, "an entry's name is empty or longer than 1024 bytes");
    for (uint32_t i = 0; i < header.name_bytes; i++)
        if (header.name[i] < 0x20 || header.name[i] == 0x7F)
            return refuse_entry(reading, &header, MODEL_CORRUPT, "has a control character");
    if (!read_extra(reading, behind + header.name_bytes, &header))
        return refuse_entry(reading, &header, MODEL_CORRUPT, "has broken extra fields");
    *at = behind + header.name_bytes + header.extra_bytes + comment_bytes;
    *ret = header;
    return MODEL_OK;
}

/* Behind the data: with or without magic, sizes in 4 or in 8 bytes. Gives its length, 0 for none that
 * fits. */
static uint64_t descriptor_bytes(const struct reading *reading, uint64_t at,
                                 const struct header *central)
{
    for (unsigned magic_bytes = 0; magic_bytes <= 4; magic_bytes += 4)
        for (unsigned size_bytes = 4; size_bytes <= 8; size_bytes += 4) {
            uint64_t length = magic_bytes + 4 + 2 * size_bytes, crc_at = at + magic_bytes;
            if (lies_within(at, length, reading->directory) &&
                (magic_bytes == 0 || field(reading, at, 4) == DESCRIPTOR_MAGIC) &&
                field(reading, crc_at, 4) == central->crc &&
                field(reading, crc_at + 4, size_bytes) == central->packed_bytes &&
                field(reading, crc_at + 4 + size_bytes, size_bytes) == central->size_bytes)
                return length;
        }
    return 0;
}

/* The local header says the same; gives where the data begins and where the entry ends. */
static model_status check_local(const struct reading *reading, const struct header *central,
                                uint64_t *ret_data, uint64_t *ret_end)
{
    uint64_t at = central->offset;
    if (!lies_within(at, LOCAL_BYTES, reading->directory) || field(reading, at, 4) != LOCAL_MAGIC)
        return refuse_entry(reading, central, MODEL_CORRUPT, "is not where the directory says");
    struct header local = {.offset = 0};
    read_common(reading, at + 6, &local);
    at += LOCAL_BYTES;
    if (!lies_within(at, (uint64_t)local.name_bytes + local.extra_bytes, reading->directory))
        return refuse_entry(reading, central, MODEL_CORRUPT, "is cut off");
    local.name = reading->file + at;
    if (local.name_bytes != central->name_bytes ||
        memcmp(local.name, central->name, central->name_bytes) != 0)
        return refuse_entry(reading, central, MODEL_CORRUPT, "has another name in its own header");
    if (!read_extra(reading, at + local.name_bytes, &local))
        return refuse_entry(reading, central, MODEL_CORRUPT, "has broken extra fields");
    at += local.name_bytes + local.extra_bytes;
    if (!lies_within(at, central->packed_bytes, reading->directory))
        return refuse_entry(reading, central, MODEL_CORRUPT, "is cut off");
    uint64_t end = at + central->packed_bytes;
    bool is_behind = (local.flags & FLAG_DESCRIPTOR) != 0 && local.crc == 0 &&
                     local.packed_bytes == 0 && local.size_bytes == 0;
    uint64_t descriptor =
        local.flags & FLAG_DESCRIPTOR ? descriptor_bytes(reading, end, central) : 0;
    bool is_same = local.crc == central->crc && local.packed_bytes == central->packed_bytes &&
                   local.size_bytes == central->size_bytes;
    if (local.method != central->method || local.flags != central->flags ||
        (is_behind ? descriptor == 0 && !is_same : !is_same))
        return refuse_entry(reading, central, MODEL_CORRUPT,
                            "has other sizes or another checksum in its own header");
    *ret_data = at;
    *ret_end = end + descriptor;
    return MODEL_OK;
}

static model_status check_kind(const struct reading *reading, const struct header *header)
{
    if (header->flags & FLAG_ENCRYPTED)
        return refuse_entry(reading, header, MODEL_UNSUPPORTED,
                            "is encrypted, which no file of torch.save() is");
    if (header->method != 0)
        return refuse_entry(reading, header, MODEL_UNSUPPORTED,
                            "is compressed, which no file of torch.save() is; write it again with "
                            "torch.save(), or pack it with 'zip -0'");
    return header->packed_bytes == header->size_bytes
               ? MODEL_OK
               : refuse_entry(reading, header, MODEL_CORRUPT, "is stored, but its sizes differ");
}

/* ---- all entries */

struct extent {
    uint64_t begin, end;
    size_t entry;
};

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static model_status read_entries(const struct reading *reading, struct zip_archive *archive,
                                 struct extent *extents)
{
    uint64_t at = reading->directory;
    for (size_t i = 0; i < reading->n_entries; i++) {
        struct header header = {.offset = 0};
        uint64_t data = 0, end = 0;
        model_status status = read_central(reading, &at, &header);
        if (status == MODEL_OK)
            status = check_kind(reading, &header);
        if (status == MODEL_OK)
            status = check_local(reading, &header, &data, &end);
        if (status != MODEL_OK)
            return status;
        extents[i] = (struct extent){header.offset, end, i};
        archive->entries[i] =
            (struct zip_entry){(const char *)header.name, header.name_bytes, header.crc,
                               reading->file + data, header.size_bytes};
        archive->n_entries = i + 1;
        status = string_map_add(&archive->by_name, (const char *)header.name, header.name_bytes,
                                (uint32_t)i);
        if (status == MODEL_INVALID_ARGUMENT)
            return refuse_entry(reading, &header, MODEL_CORRUPT, "stands twice");
        if (status != MODEL_OK)
            return error_no_memory(reading->err, reading->what);
    }
    if (at != reading->directory + reading->directory_bytes)
        return refuse(reading, "its directory has more entries than the end record says");
    qsort(extents, archive->n_entries, sizeof *extents, compare_extents);
    for (size_t i = 1; i < archive->n_entries; i++)
        if (extents[i].begin < extents[i - 1].end)
            return refuse(reading, "two of its entries overlap");
    return MODEL_OK;
}

model_status zip_open(const uint8_t *file, uint64_t file_bytes, const char *what,
                      struct zip_archive *ret, struct model_error *err)
{
    struct reading reading = {.file = file, .file_bytes = file_bytes, .what = what, .err = err};
    struct zip_archive archive = {.what = what};
    model_status status = read_end(&reading);
    if (status != MODEL_OK)
        return status;
    if (reading.n_entries > ZIP_MAX_ENTRIES ||
        reading.n_entries > reading.directory_bytes / CENTRAL_BYTES)
        return refuse(&reading, "its end record says more entries than its directory can hold");
    size_t n = (size_t)reading.n_entries;
    archive.entries = calloc(n + 1, sizeof *archive.entries);
    struct extent *extents = calloc(n + 1, sizeof *extents);
    status = archive.entries != NULL && extents != NULL ? string_map_init(&archive.by_name, n)
                                                        : MODEL_OUT_OF_MEMORY;
    status =
        status == MODEL_OK ? read_entries(&reading, &archive, extents) : error_no_memory(err, what);
    free(extents);
    if (status != MODEL_OK)
        zip_close(&archive);
    else
        *ret = archive;
    return status;
}

void zip_close(struct zip_archive *archive)
{
    string_map_finish(&archive->by_name);
    free(archive->entries);
    *archive = (struct zip_archive){0};
}

const struct zip_entry *zip_find(const struct zip_archive *archive, const char *name)
{
    int64_t at = string_map_find(&archive->by_name, name, strlen(name));
    return at >= 0 ? &archive->entries[at] : NULL;
}

model_status zip_check(const struct zip_archive *archive, const struct zip_entry *entry,
                       const struct zip_progress *progress, struct model_error *err)
{
    char name[PRINTABLE_TEXT_BYTES];
    uint32_t found = 0;
    for (uint64_t at = 0, n; at < entry->size_bytes; at += n) {
        n = entry->size_bytes - at < CHECK_BYTES ? entry->size_bytes - at : CHECK_BYTES;
        found = crc32_update(found, entry->data + at, (size_t)n);
        if (progress != NULL)
            progress->passed(progress->context, entry->data + at, (size_t)n);
    }
    if (found == entry->crc)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "%s: '%s' is damaged: its CRC-32 is %08x, want %08x; get the file again",
                     archive->what, printable_text(entry->name, entry->name_bytes, name),
                     (unsigned)found, (unsigned)entry->crc);
}
