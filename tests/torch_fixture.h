/* torch_fixture.h - files as torch.save() writes them, written by hand. Included once by a test program; one
 * thread. */
#ifndef TORCH_FIXTURE_H
#define TORCH_FIXTURE_H

#include "files.h"
#include "zip_fixture.h"

/* A pickled dict under way. */
static inline struct buffer pickle_begin(void)
{
    struct buffer pickle = BUFFER_INIT(1 << 20);
    assert_int_equal(buffer_append(&pickle, "\x80\2}", 3), MODEL_OK);
    return pickle;
}

static inline void pickle_put_text(struct buffer *pickle, const char *text)
{
    assert_int_equal(buffer_append_text(pickle, "X"), MODEL_OK);
    zip_put(pickle, strlen(text), 4);
    assert_int_equal(buffer_append_text(pickle, text), MODEL_OK);
}

static inline void pickle_put_integer(struct buffer *pickle, int64_t value)
{
    assert_int_equal(buffer_append(pickle, "\x8a\x08", 2), MODEL_OK);
    zip_put(pickle, (uint64_t)value, 8);
}

static inline void pickle_put_integers(struct buffer *pickle, const int64_t *values, uint32_t n)
{
    assert_int_equal(buffer_append_text(pickle, "("), MODEL_OK);
    for (uint32_t i = 0; i < n; i++)
        pickle_put_integer(pickle, values[i]);
    assert_int_equal(buffer_append_text(pickle, "t"), MODEL_OK);
}

/* name: a view of the storage `key` of n_elements, which `class` ("torch\nFloatStorage\n") names. */
struct view {
    const char *name, *class, *key;
    int64_t n_elements, offset;
    uint32_t rank;
    int64_t shape[4], strides[4];
};

static inline void pickle_put_view(struct buffer *pickle, const struct view *view)
{
    pickle_put_text(pickle, view->name);
    assert_int_equal(buffer_append_text(pickle, "ctorch._utils\n_rebuild_tensor_v2\n(("), MODEL_OK);
    pickle_put_text(pickle, "storage");
    assert_int_equal(buffer_append_text(pickle, "c"), MODEL_OK);
    assert_int_equal(buffer_append_text(pickle, view->class), MODEL_OK);
    pickle_put_text(pickle, view->key);
    pickle_put_text(pickle, "cpu");
    pickle_put_integer(pickle, view->n_elements);
    assert_int_equal(buffer_append_text(pickle, "tQ"), MODEL_OK);
    pickle_put_integer(pickle, view->offset);
    pickle_put_integers(pickle, view->shape, view->rank);
    pickle_put_integers(pickle, view->strides, view->rank);
    assert_int_equal(buffer_append(pickle, "\x89}tRs", 5), MODEL_OK);
}

static inline void pickle_end(struct buffer *pickle)
{
    assert_int_equal(buffer_append_text(pickle, "."), MODEL_OK);
}

/* The archive of a pickle, which it frees, and of storages "0", "1", ... */
static inline struct zip_fixture torch_archive(struct buffer *pickle,
                                               const struct file_piece *storages, size_t n_storages)
{
    struct zip_fixture zip = zip_fixture_init();
    zip_fixture_add(&zip, "m/data.pkl", pickle->data, pickle->size);
    for (size_t i = 0; i < n_storages; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m/data/%zu", i);
        zip_fixture_add(&zip, name, storages[i].data, storages[i].size_bytes);
    }
    zip_fixture_end(&zip);
    buffer_finish(pickle);
    return zip;
}

static inline void put_torch_file(const char *path, const struct view *views, size_t n_views,
                                  const struct file_piece *storages, size_t n_storages)
{
    struct buffer pickle = pickle_begin();
    for (size_t i = 0; i < n_views; i++)
        pickle_put_view(&pickle, &views[i]);
    pickle_end(&pickle);
    struct zip_fixture zip = torch_archive(&pickle, storages, n_storages);
    write_file(path, zip.file.data, zip.file.size);
    zip_fixture_finish(&zip);
}

#endif
