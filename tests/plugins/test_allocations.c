/* test_allocations.c - the second and later runs of a model allocate nothing in the plugin, and in the host what the answer
 * consists of: counted calls of malloc(), calloc(), realloc(), aligned_alloc(), posix_memalign() and mmap() of the whole
 * process, which this program defines. What oneDNN needs by itself, a table of arguments for each of its primitives that
 * runs, goes through C++'s operator new, which nothing else here calls: it is counted apart, and printed. With glibc and
 * without sanitizers, which have an allocator of their own. */
#include "bert_reference_harness.h"
#include "gpt2_reference_harness.h"
#include "harness_package.h"
#include "loaded_model.h"
#include "lstm_harness.h"
#include "made_inputs.h"

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
    if (atomic_load(&counting) != NOBODY)
        atomic_fetch_add(&counts[LIBRARY], 1);
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

struct subject {
    char *dir;
    struct modelhost *host;
    struct modelhost_model *model;
    struct made_inputs *inputs;
    struct modelhost_run_options options;
};

static void open_subject(struct subject *subject, const char *plugin, struct harness *h,
                         int32_t dtype, int64_t n_tokens)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    const struct made_options made = {.batch = 2, .picture = 32, .other = n_tokens, .seed = 1};
    *subject =
        (struct subject){.dir = harness_package(plugin, h), .options = MODELHOST_RUN_OPTIONS_INIT};
    options.store_dir = options.plugin_path = subject->dir;
    options.lanes = options.threads = 1;
    load.dtype = dtype;
    if (modelhost_create(&options, &subject->host, &err) != MODEL_OK ||
        modelhost_load_with(subject->host, subject->dir, &load, &subject->model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    subject->inputs = made_inputs_create(modelhost_description(subject->model),
                                         subject->model->config, &made, &err);
    assert_non_null(subject->inputs);
    assert_int_equal(subject->model->n_idle, 1);
    watched = subject->model->idle[0]->plugin;
    plugin_run = watched->run;
    watched->run = watched_run;
}

static void close_subject(struct subject *subject)
{
    watched->run = plugin_run;
    modelhost_session_release(subject->options.session);
    made_inputs_destroy(subject->inputs);
    modelhost_release(subject->model);
    modelhost_destroy(subject->host);
    assert_int_equal(dir_remove_all(subject->dir, NULL), MODEL_OK);
    free(subject->dir);
}

static void run(struct subject *subject)
{
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_run(subject->model, subject->inputs->list, subject->inputs->n, &subject->options,
                      &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    modelhost_result_destroy(result);
}

/* Tensors of an answer that are too large for the result's own block. */
static size_t large_outputs(struct subject *subject)
{
    struct modelhost_result *result = NULL;
    assert_int_equal(modelhost_run(subject->model, subject->inputs->list, subject->inputs->n,
                                   &subject->options, &result, NULL),
                     MODEL_OK);
    const size_t n = modelhost_result_count(result);
    modelhost_result_destroy(result);
    return n;
}

/* The second run and nine more. */
static void expect_none(struct subject *subject, const char *name)
{
    enum { N_RUNS = 10 };
    const size_t n_outputs = large_outputs(subject); /* the first run of this kind */
    for (int owner = HOST; owner <= LIBRARY; owner++)
        atomic_store(&counts[owner], 0);
    atomic_store(&counting, HOST);
    for (int i = 0; i < N_RUNS; i++)
        run(subject);
    atomic_store(&counting, NOBODY);
    print_message("%s: plugin %zu, host %zu, oneDNN %zu in %d runs of %zu outputs\n", name,
                  atomic_load(&counts[PLUGIN]), atomic_load(&counts[HOST]),
                  atomic_load(&counts[LIBRARY]), N_RUNS, n_outputs);
    assert_int_equal(atomic_load(&counts[PLUGIN]), 0);
    assert_true(atomic_load(&counts[HOST]) <= N_RUNS * (HOST_MAX_CALLS + n_outputs));
}

/* On a lane, and on the caller's thread. */
static void expect_none_both_ways(struct subject *subject, const char *name)
{
    expect_none(subject, name);
    subject->options.direct = 1;
    run(subject); /* this thread gets scratch of its own */
    expect_none(subject, name);
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

static void check_bert(int32_t dtype, const char *name)
{
    struct subject subject;
    open_subject(&subject, "bert", toy_create(&toy_default), dtype, 7);
    expect_none_both_ways(&subject, name);
    close_subject(&subject);
}

static void bert_allocates_nothing(void **state)
{
    (void)state;
    check_bert(MODELHOST_F32, "bert f32");
    check_bert(MODELHOST_BF16, "bert bf16");
    check_bert(MODELHOST_INT8, "bert int8");
}

static void gpt2_allocates_nothing(void **state)
{
    (void)state;
    struct subject subject;
    open_subject(&subject, "gpt2", gpt_create(&gpt_default), MODELHOST_F32, 5);
    expect_none_both_ways(&subject, "gpt2");
    close_subject(&subject);
}

/* One token each time behind what was read; a page of keys and values holds 64. */
static void a_decoding_step_allocates_nothing(void **state)
{
    (void)state;
    struct subject subject;
    open_subject(&subject, "gpt2", gpt_create(&gpt_default), MODELHOST_F32, 1);
    assert_int_equal(modelhost_session_create(subject.model, &subject.options.session, NULL),
                     MODEL_OK);
    expect_none(&subject, "gpt2 decoding");
    close_subject(&subject);
}

static void lstm_allocates_nothing(void **state)
{
    (void)state;
    struct subject subject;
    struct lstm_cases cases = lstm_cases_open();
    open_subject(&subject, "lstm", lstm_case_load(&cases, "lstm", 1), MODELHOST_F32, 9);
    expect_none_both_ways(&subject, "lstm");
    close_subject(&subject);
    lstm_cases_close(&cases);
}

static void resnet_allocates_nothing(void **state)
{
    (void)state;
    struct subject subject;
    struct buffer config = {.max_bytes = 1 << 16};
    assert_int_equal(file_read("tests/plugins/resnet/hub-basic.json", 1 << 16, &config, NULL),
                     MODEL_OK);
    struct harness *h = harness_create("resnet", config.data, 1);
    harness_open(h, "tests/plugins/resnet/hub-basic.safetensors");
    open_subject(&subject, "resnet", h, MODELHOST_F32, 1);
    expect_none_both_ways(&subject, "resnet");
    close_subject(&subject);
    buffer_finish(&config);
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
