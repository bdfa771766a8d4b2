/* prepared_file.c - see prepared_file.h. */
#include "prepared_file.h"
#include "errors.h"
#include "files.h"
#include "parallel.h"
#include "prepared_hash.h"
#include "size.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEY_DIGITS (SHA256_HEX_BYTES - 1)

/* Changed by a careless transfer of text, as the magic of an archive. */
static const uint8_t magic[8] = {0x89, 'M', 'H', 'W', '\r', '\n', 0x1a, '\n'};

struct header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t n_blobs;
    uint64_t file_bytes;
    uint64_t table_bytes; /* entries, then keys with their ends */
    char key[KEY_DIGITS];
    uint64_t hash; /* of the header with zeros here, and of the table */
    uint8_t reserved[24];
};
_Static_assert(sizeof(struct header) == PREPARED_HEADER_BYTES, "the header has no holes");

struct entry {
    uint64_t offset, size_bytes, hash;
    uint32_t key_bytes; /* with the terminator */
    uint32_t reserved;  /* 0 */
};
_Static_assert(sizeof(struct entry) == 32, "an entry has no holes");

static uint64_t aligned(uint64_t offset)
{
    return (offset + PREPARED_ALIGNMENT - 1) / PREPARED_ALIGNMENT * PREPARED_ALIGNMENT;
}

static uint64_t hash_of_head(const struct header *header, const void *table)
{
    struct header plain = *header;
    uint64_t hashes[2];
    plain.hash = 0;
    hashes[0] = prepared_hash(&plain, sizeof plain);
    hashes[1] = prepared_hash(table, (size_t)header->table_bytes);
    return prepared_hash(hashes, sizeof hashes);
}

/* ---- reading */

uint64_t prepared_file_announced(const void *bytes, size_t size_bytes)
{
    struct header header;
    if (size_bytes < sizeof header)
        return 0;
    memcpy(&header, bytes, sizeof header);
    return memcmp(header.magic, magic, sizeof magic) == 0 ? header.file_bytes : 0;
}

static model_status check_header(const struct header *header, uint64_t size_bytes, const char *key,
                                 struct model_error *err)
{
    if (memcmp(header->magic, magic, sizeof magic) != 0)
        return error_set(err, MODEL_CORRUPT, "no file of prepared weights");
    if (header->version != PREPARED_FILE_VERSION)
        return error_set(err, MODEL_NOT_FOUND, "its version is %u, want %d", header->version,
                         PREPARED_FILE_VERSION);
    if (header->file_bytes != size_bytes)
        return error_set(err, MODEL_CORRUPT, "it has %llu bytes and says %llu",
                         (unsigned long long)size_bytes, (unsigned long long)header->file_bytes);
    if (memcmp(header->key, key, KEY_DIGITS) != 0)
        return error_set(err, MODEL_NOT_FOUND, "it is for another model, plugin or dtype");
    if (header->n_blobs > PREPARED_MAX_BLOBS || header->table_bytes > PREPARED_MAX_TABLE ||
        header->table_bytes > size_bytes - sizeof *header ||
        header->table_bytes < header->n_blobs * sizeof(struct entry))
        return error_set(err, MODEL_CORRUPT, "its table cannot have %u blobs in %llu bytes",
                         header->n_blobs, (unsigned long long)header->table_bytes);
    return MODEL_OK;
}

/* `offset` is where the next blob must begin, `keys` the rest of the table. */
static model_status read_entry(const uint8_t *bytes, uint64_t size_bytes, const struct entry *entry,
                               uint64_t *offset, const char **keys, uint64_t *keys_bytes,
                               struct prepared_blob *ret, struct model_error *err)
{
    uint64_t end = 0;
    if (entry->key_bytes == 0 || entry->key_bytes > PREPARED_MAX_KEY + 1 ||
        entry->key_bytes > *keys_bytes || entry->reserved != 0 ||
        memchr(*keys, '\0', entry->key_bytes) != *keys + entry->key_bytes - 1)
        return error_set(err, MODEL_CORRUPT, "a key of its table is broken");
    if (entry->offset != *offset || !size_add(entry->offset, entry->size_bytes, &end) ||
        end > size_bytes)
        return error_set(err, MODEL_CORRUPT, "'%.60s' does not lie where it must: [%llu, +%llu]",
                         *keys, (unsigned long long)entry->offset,
                         (unsigned long long)entry->size_bytes);
    *ret = (struct prepared_blob){*keys, bytes + entry->offset, entry->size_bytes, entry->hash};
    *keys += entry->key_bytes;
    *keys_bytes -= entry->key_bytes;
    *offset = aligned(end); /* bytes that are mapped end far below 2^64 */
    return MODEL_OK;
}

static model_status read_table(const uint8_t *bytes, const struct header *header,
                               struct prepared_blob *blobs, struct model_error *err)
{
    const uint8_t *table = bytes + sizeof *header;
    const char *keys = (const char *)table + header->n_blobs * sizeof(struct entry);
    uint64_t keys_bytes = header->table_bytes - header->n_blobs * sizeof(struct entry);
    uint64_t offset = aligned(sizeof *header + header->table_bytes), end = 0;
    for (uint32_t i = 0; i < header->n_blobs; i++) {
        struct entry entry;
        memcpy(&entry, table + i * sizeof entry, sizeof entry);
        model_status status = read_entry(bytes, header->file_bytes, &entry, &offset, &keys,
                                         &keys_bytes, &blobs[i], err);
        if (status != MODEL_OK)
            return status;
        end = entry.offset + entry.size_bytes;
    }
    if (keys_bytes != 0 || end != header->file_bytes)
        return error_set(err, MODEL_CORRUPT, "its table does not describe the whole file");
    return MODEL_OK;
}

model_status prepared_file_read(const void *bytes, uint64_t size_bytes, const char *key,
                                struct prepared_index *ret, struct model_error *err)
{
    struct header header;
    if (size_bytes < sizeof header || size_bytes > SIZE_MAX)
        return error_set(err, MODEL_CORRUPT, "%llu bytes are no file of prepared weights",
                         (unsigned long long)size_bytes);
    memcpy(&header, bytes, sizeof header);
    model_status status = check_header(&header, size_bytes, key, err);
    if (status != MODEL_OK)
        return status;
    if (hash_of_head(&header, (const uint8_t *)bytes + sizeof header) != header.hash)
        return error_set(err, MODEL_CORRUPT, "its header or table is damaged");
    struct prepared_blob *blobs = calloc(header.n_blobs > 0 ? header.n_blobs : 1, sizeof *blobs);
    if (blobs == NULL)
        return error_no_memory(err, "prepared weights");
    status = read_table(bytes, &header, blobs, err);
    if (status != MODEL_OK) {
        free(blobs);
        return status;
    }
    *ret = (struct prepared_index){blobs, header.n_blobs, 0};
    return MODEL_OK;
}

struct check {
    const struct prepared_index *index;
    _Atomic size_t first_bad;
};

static void check_one(void *argument, size_t i)
{
    struct check *check = argument;
    const struct prepared_blob *blob = &check->index->blobs[i];
#ifdef MADV_POPULATE_READ
    const uintptr_t start = (uintptr_t)blob->data;
    if (start % PREPARED_ALIGNMENT == 0) /* as in a mapping; what fails is found below */
        (void)madvise((void *)start, (size_t)blob->size_bytes, MADV_POPULATE_READ);
#endif
    if (prepared_hash(blob->data, (size_t)blob->size_bytes) == blob->hash)
        return;
    size_t first = atomic_load(&check->first_bad);
    while (i < first && !atomic_compare_exchange_weak(&check->first_bad, &first, i))
        continue;
}

model_status prepared_file_check(const struct prepared_index *index, uint32_t threads,
                                 struct model_error *err)
{
    struct check check = {.index = index};
    atomic_init(&check.first_bad, SIZE_MAX);
    parallel_run(threads, index->n_blobs, check_one, &check);
    const size_t bad = atomic_load(&check.first_bad);
    return bad == SIZE_MAX
               ? MODEL_OK
               : error_set(err, MODEL_CORRUPT, "'%.60s' in it is damaged", index->blobs[bad].key);
}

const struct prepared_blob *prepared_index_find(struct prepared_index *index, const char *key,
                                                uint64_t size_bytes)
{
    for (size_t i = 0; i < index->n_blobs; i++) {
        const size_t at = (index->next + i) % index->n_blobs;
        const struct prepared_blob *blob = &index->blobs[at];
        if (blob->size_bytes != size_bytes || strcmp(blob->key, key) != 0)
            continue;
        index->next = at + 1;
        return blob;
    }
    return NULL;
}

void prepared_index_finish(struct prepared_index *index)
{
    free(index->blobs);
    *index = (struct prepared_index){0};
}

/* ---- writing */

static uint64_t table_bytes(const struct prepared_blob *blobs, size_t n_blobs)
{
    uint64_t total = 0;
    if (n_blobs > PREPARED_MAX_BLOBS)
        return 0;
    for (size_t i = 0; i < n_blobs; i++) {
        const size_t length = strlen(blobs[i].key);
        total += sizeof(struct entry) + length + 1;
        if (length > PREPARED_MAX_KEY || total > PREPARED_MAX_TABLE)
            return 0;
    }
    return total;
}

uint64_t prepared_file_bytes(const struct prepared_blob *blobs, size_t n_blobs)
{
    const uint64_t table = table_bytes(blobs, n_blobs);
    uint64_t end = PREPARED_HEADER_BYTES + table;
    if (table == 0)
        return 0;
    for (size_t i = 0; i < n_blobs; i++)
        if (!size_add(aligned(end), blobs[i].size_bytes, &end) || end > INT64_MAX / 2)
            return 0;
    return end;
}

static void fill_in_table(const struct prepared_blob *blobs, size_t n_blobs, uint64_t bytes,
                          uint8_t *table)
{
    char *keys = (char *)table + n_blobs * sizeof(struct entry);
    uint64_t end = PREPARED_HEADER_BYTES + bytes;
    for (size_t i = 0; i < n_blobs; i++) {
        const size_t key_bytes = strlen(blobs[i].key) + 1;
        const struct entry entry = {aligned(end), blobs[i].size_bytes, blobs[i].hash,
                                    (uint32_t)key_bytes, 0};
        memcpy(table + i * sizeof entry, &entry, sizeof entry);
        memcpy(keys, blobs[i].key, key_bytes);
        keys += key_bytes;
        end = entry.offset + entry.size_bytes;
    }
}

static model_status write_blobs(int fd, const char *path, const struct prepared_blob *blobs,
                                size_t n_blobs, uint64_t end, struct model_error *err)
{
    static const uint8_t zeros[PREPARED_ALIGNMENT];
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n_blobs && status == MODEL_OK; i++) {
        status = file_write_all(fd, path, zeros, (size_t)(aligned(end) - end), err);
        if (status == MODEL_OK) /* in one piece: the system keeps it in large pages then */
            status = file_write_all(fd, path, blobs[i].data, (size_t)blobs[i].size_bytes, err);
        end = aligned(end) + blobs[i].size_bytes;
    }
    return status;
}

model_status prepared_file_write(int fd, const char *path, const char *key,
                                 struct prepared_blob *blobs, size_t n_blobs,
                                 struct model_error *err)
{
    const uint64_t file_bytes = prepared_file_bytes(blobs, n_blobs);
    struct header header = {.version = PREPARED_FILE_VERSION,
                            .n_blobs = (uint32_t)n_blobs,
                            .file_bytes = file_bytes,
                            .table_bytes = table_bytes(blobs, n_blobs)};
    if (file_bytes == 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: %zu prepared weights, want 1 to %d with keys of at most %d bytes",
                         path, n_blobs, PREPARED_MAX_BLOBS, PREPARED_MAX_KEY);
    uint8_t *table = malloc((size_t)header.table_bytes);
    if (table == NULL)
        return error_no_memory(err, path);
    for (size_t i = 0; i < n_blobs; i++)
        blobs[i].hash = prepared_hash(blobs[i].data, (size_t)blobs[i].size_bytes);
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.key, key, KEY_DIGITS);
    fill_in_table(blobs, n_blobs, header.table_bytes, table);
    header.hash = hash_of_head(&header, table);
    model_status status = file_write_all(fd, path, &header, sizeof header, err);
    if (status == MODEL_OK)
        status = file_write_all(fd, path, table, (size_t)header.table_bytes, err);
    if (status == MODEL_OK)
        status =
            write_blobs(fd, path, blobs, n_blobs, PREPARED_HEADER_BYTES + header.table_bytes, err);
    free(table);
    return status;
}
