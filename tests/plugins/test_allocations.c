/* test_allocations.c - runs of a model in every dtype, of sizes that it has met, allocate nothing in the plugin, and in the host
 * what the answer consists of: counted calls of malloc(), calloc(), realloc(), aligned_alloc(), posix_memalign() and mmap() of the whole
 * process, which this program defines. What oneDNN needs by itself, a table of arguments for each of its primitives that
 * runs, goes through C++'s operator new, which nothing else here calls: it is counted apart, and bounded. With glibc and
 * without sanitizers, which have an allocator of their own. */
#include "harness_package.h"
#include "loaded_model.h"
#include "made_inputs.h"
#include "wide_harness.h"

#include "dtype.h"
#include "errors.h"

#include <stdatomic.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CAN_COUNT 1
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#else
#define CAN_COUNT 0
#endif

/* A call of the host that waits for its answer allocates these, each once: the request, the result with its lists and
 * small tensors; and memory for each large tensor of the answer. */
#define HOST_MAX_CALLS 2

enum owner { NOBODY, HOST, PLUGIN, LIBRARY };
static _Atomic int counting;              /* enum owner: who is at work */
static atomic_size_t counts[LIBRARY + 1]; /* of calls */
static atomic_size_t library_bytes;

#if CAN_COUNT
#define EXPORTED __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static void count(void)
{
    atomic_fetch_add(&counts[atomic_load(&counting)], 1);
}

EXPORTED void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

EXPORTED void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

EXPORTED void *realloc(void *memory, size_t size)
{
    count();
    return __libc_realloc(memory, size);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

EXPORTED int posix_memalign(void **ret, size_t alignment, size_t size)
{
    count();
    void *memory = __libc_memalign(alignment, size);
    if (memory != NULL)
        *ret = memory;
    return memory != NULL ? 0 : ENOMEM;
}

/* operator new of C++. */
EXPORTED void *library_new(size_t size) __asm__("_Znwm");
EXPORTED void *library_new(size_t size)
{
    if (atomic_load(&counting) != NOBODY) {
        atomic_fetch_add(&counts[LIBRARY], 1);
        atomic_fetch_add(&library_bytes, size);
    }
    void *memory = __libc_malloc(size);
    if (memory == NULL)
        abort(); /* what it promises */
    return memory;
}

EXPORTED void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    count();
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}
#endif

/* ---- who is at work */

static struct model_instance *watched;
static model_status (*plugin_run)(struct model_instance *self, const struct model_call *call,
                                  struct model_error *err);
static const struct model_call *host_call;

static model_status allocate_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err)
{
    const int owner = atomic_exchange(&counting, atomic_load(&counting) != NOBODY ? HOST : NOBODY);
    const model_status status = host_call->allocate_output(context, index, dtype, rank, shape, err);
    atomic_store(&counting, owner);
    return status;
}

/* The plugin's run(), with what the host does within it counted as the host's. */
static model_status watched_run(struct model_instance *self, const struct model_call *call,
                                struct model_error *err)
{
    struct model_call own = *call;
    host_call = call;
    own.allocate_output = allocate_output;
    const int owner =
        atomic_exchange(&counting, atomic_load(&counting) != NOBODY ? PLUGIN : NOBODY);
    const model_status status = plugin_run(self, &own, err);
    atomic_store(&counting, owner);
    return status;
}

/* ---- a model, and its runs */

/* A call's size: items, and tokens or steps. */
struct size {
    int64_t batch, length;
};

struct subject {
    char *dir;
    struct modelhost *host;
    struct modelhost_model *model;
    struct made_inputs *inputs[2]; /* of two sizes, which take turns */
    struct modelhost_run_options options;
};

static void open_subject(struct subject *subject, const char *plugin, struct harness *h,
                         uint32_t threads, int32_t dtype, const struct size sizes[2])
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    *subject =
        (struct subject){.dir = harness_package(plugin, h), .options = MODELHOST_RUN_OPTIONS_INIT};
    options.store_dir = options.plugin_path = subject->dir;
    options.lanes = 1;
    options.threads = threads;
    load.dtype = dtype;
    load.loading = MODELHOST_LAZY; /* no thread that keeps prepared weights */
    if (modelhost_create(&options, &subject->host, &err) != MODEL_OK ||
        modelhost_load_with(subject->host, subject->dir, &load, &subject->model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < 2; i++) {
        const struct made_options made = {
            .batch = sizes[i].batch, .picture = 32, .other = sizes[i].length, .seed = i};
        subject->inputs[i] = made_inputs_create(modelhost_description(subject->model),
                                                subject->model->config, &made, &err);
        assert_non_null(subject->inputs[i]);
    }
    assert_int_equal(subject->model->n_idle, 1);
    watched = subject->model->idle[0]->plugin;
    plugin_run = watched->run;
    watched->run = watched_run;
}

static void close_subject(struct subject *subject)
{
    watched->run = plugin_run;
    modelhost_session_release(subject->options.session);
    for (size_t i = 0; i < 2; i++)
        made_inputs_destroy(subject->inputs[i]);
    modelhost_release(subject->model);
    modelhost_destroy(subject->host);
    assert_int_equal(dir_remove_all(subject->dir, NULL), MODEL_OK);
    free(subject->dir);
}

/* Returns the tensors of the answer, of which each may be too large for the result's own block. */
static size_t run(struct subject *subject, size_t which)
{
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    const struct made_inputs *inputs = subject->inputs[which];
    if (modelhost_run(subject->model, inputs->list, inputs->n, &subject->options, &result, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
    const size_t n_outputs = modelhost_result_count(result);
    modelhost_result_destroy(result);
    return n_outputs;
}

/* Each size once, which makes what is kept for it; then both in turns. */
static void expect_none(struct subject *subject, const char *name, size_t max_library)
{
    enum { N_RUNS = 10 };
    size_t n_outputs = 0;
    for (size_t i = 0; i < 2; i++)
        n_outputs = run(subject, i);
    for (int owner = HOST; owner <= LIBRARY; owner++)
        atomic_store(&counts[owner], 0);
    atomic_store(&library_bytes, 0);
    atomic_store(&counting, HOST);
    for (size_t i = 0; i < N_RUNS; i++)
        (void)run(subject, i % 2);
    atomic_store(&counting, NOBODY);
    print_message("%s: plugin %zu, host %zu, oneDNN %zu (%zu bytes) in %d runs of %zu outputs\n",
                  name, atomic_load(&counts[PLUGIN]), atomic_load(&counts[HOST]),
                  atomic_load(&counts[LIBRARY]), atomic_load(&library_bytes), N_RUNS, n_outputs);
    assert_int_equal(atomic_load(&counts[PLUGIN]), 0);
    assert_true(atomic_load(&counts[HOST]) <= N_RUNS * (HOST_MAX_CALLS + n_outputs));
    assert_true(atomic_load(&counts[LIBRARY]) <= N_RUNS * max_library);
}

/* On a lane, and on the caller's thread. */
static void expect_none_both_ways(struct subject *subject, const char *name, size_t max_library)
{
    expect_none(subject, name, max_library);
    subject->options.direct = 1;
    (void)run(subject, 0); /* this thread gets scratch of its own */
    expect_none(subject, name, max_library);
}

/* Whether calls are counted at all, in a plugin as well. */
static void what_is_allocated_is_counted(void **state)
{
    (void)state;
    if (!CAN_COUNT)
        SKIP_BECAUSE("the allocator is a sanitizer's or not glibc's");
    atomic_store(&counts[HOST], 0);
    atomic_store(&counting, HOST);
    void *volatile memory = malloc(1);
    memory = realloc(memory, 2);
    char *volatile text = strdup("by the C library");
    atomic_store(&counting, NOBODY);
    free(memory);
    free(text);
    assert_int_equal(atomic_load(&counts[HOST]), 3);
}

/* ---- the dtypes */

static const struct dtype {
    int32_t dtype;
    const char *name;
} dtypes[] = {{MODELHOST_F32, "f32"},
              {MODELHOST_BF16, "bf16"},
              {MODELHOST_INT8, "int8"},
              {MODELHOST_INT4, "int4"}};

/* Sizes: few rows, for which there are loops of their own, and so many that two threads share them. `max_library` is how often
 * operator new is called in a run of many rows, as it was measured (oneDNN 2.6, AVX512-BF16): in a table of up to five
 * arguments of each primitive that runs, 7 or 8 times, of 39 to 55 bytes in the mean. Compact weights run on our own loops, without.
 * Convolutions are bounded by the dtype with the most of them, since each processor has its own. */
static const struct kind {
    const char *plugin;
    struct harness *(*make)(void);
    struct size sizes[2];
    size_t n_dtypes;
    size_t max_library[4];
} kinds[] = {
    {"bert", wide_bert_create, {{1, 5}, {2, 200}}, 3, {62, 0, 0, 0}},
    {"gpt2", wide_gpt2_create, {{1, 3}, {2, 200}}, 4, {100, 0, 0, 0}},
    {"lstm", wide_lstm_create, {{1, 4}, {3, 117}}, 3, {28, 0, 0, 0}},
    {"resnet", wide_resnet_create, {{1, 0}, {3, 0}}, 3, {94, 94, 94, 0}},
};

/* Kernels in plain C refuse convolutions in fewer bits. */
static bool is_refused(const struct kind *kind, const struct subject *f32)
{
    const char *key = modelhost_description(f32->model)->prepared_key;
    return kind->make == wide_resnet_create && strstr(key, "onednn") == NULL;
}

static void check_kind(const struct kind *kind, uint32_t threads)
{
    bool is_f32_only = false;
    for (size_t i = 0; i < kind->n_dtypes && !is_f32_only; i++) {
        struct subject subject;
        char name[48];
        (void)snprintf(name, sizeof name, "%s %s, %u thread(s)", kind->plugin, dtypes[i].name,
                       threads);
        open_subject(&subject, kind->plugin, kind->make(), threads, dtypes[i].dtype, kind->sizes);
        is_f32_only = is_refused(kind, &subject);
        expect_none_both_ways(&subject, name, kind->max_library[i]);
        close_subject(&subject);
    }
}

static void bert_allocates_nothing(void **state)
{
    (void)state;
    check_kind(&kinds[0], 1);
    check_kind(&kinds[0], 2);
}

static void gpt2_allocates_nothing(void **state)
{
    (void)state;
    check_kind(&kinds[1], 1);
    check_kind(&kinds[1], 2);
}

static void lstm_allocates_nothing(void **state)
{
    (void)state;
    check_kind(&kinds[2], 1);
    check_kind(&kinds[2], 2);
}

static void resnet_allocates_nothing(void **state)
{
    (void)state;
    check_kind(&kinds[3], 1);
    check_kind(&kinds[3], 2);
}

/* One token or three behind what was read; a page of keys and values holds 64. */
static void a_decoding_step_allocates_nothing(void **state)
{
    (void)state;
    static const struct size steps[] = {{1, 1}, {1, 3}};
    for (size_t i = 0; i < kinds[1].n_dtypes; i++) {
        struct subject subject;
        char name[40];
        (void)snprintf(name, sizeof name, "gpt2 decoding %s", dtypes[i].name);
        open_subject(&subject, "gpt2", wide_gpt2_create(), 1, dtypes[i].dtype, steps);
        assert_int_equal(modelhost_session_create(subject.model, &subject.options.session, NULL),
                         MODEL_OK);
        expect_none(&subject, name, kinds[1].max_library[i]);
        close_subject(&subject);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allocated_is_counted),
        cmocka_unit_test(bert_allocates_nothing),
        cmocka_unit_test(gpt2_allocates_nothing),
        cmocka_unit_test(a_decoding_step_allocates_nothing),
        cmocka_unit_test(lstm_allocates_nothing),
        cmocka_unit_test(resnet_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
