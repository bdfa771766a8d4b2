/* test_example_silero.c - examples/silero-vad against the probabilities of the original, at once and as a
 * stream; refusals; what its session keeps. Covers plugins/kernels/lstm_cell.c. */
#include "dtype.h"
#include "example_harness.h"
#include "testing.h"

#define CHUNK   512
#define CONTEXT 64

/* The recording: the chunks (n, CONTEXT + CHUNK) of the reference without what they repeat. */
struct recording {
    struct example example;
    const struct model_tensor *probs; /* (n) */
    int64_t n_chunks;
    float *samples; /* (n CHUNK) */
};

static struct recording open_recording(void)
{
    char *folder = example_model("real/silero-vad-16k");
    if (folder == NULL)
        SKIP_BECAUSE("needs real/silero-vad-16k of SHARED");
    struct recording r = {.example = example_open("silero-vad", folder)};
    const struct model_tensor *chunks = harness_tensor(r.example.reference, "chunks");
    r.probs = harness_tensor(r.example.reference, "probs");
    r.n_chunks = chunks->shape[0];
    r.samples = malloc((size_t)r.n_chunks * CHUNK * sizeof(float));
    for (int64_t i = 0; i < r.n_chunks; i++)
        memcpy(r.samples + i * CHUNK, (float *)chunks->data + i * (CONTEXT + CHUNK) + CONTEXT,
               CHUNK * sizeof(float));
    free(folder);
    return r;
}

static void close_recording(struct recording *r)
{
    free(r->samples);
    example_close(&r->example);
}

/* `batch` rows of n chunks, the first of them `first` for row 0 and `step` further for each row. */
static struct modelhost_result *hear(struct recording *r, int64_t batch, int64_t first, int64_t n,
                                     struct modelhost_session *session)
{
    struct model_tensor audio;
    const int64_t shape[] = {batch, n * CHUNK};
    tensor_init(&audio, "audio", MODEL_F32, 2, shape, r->samples + first * CHUNK);
    return example_run(&r->example, &audio, NULL, "probs", session);
}

static void probabilities_are_those_of_the_original(void **state)
{
    (void)state;
    struct recording r = open_recording();
    struct modelhost_result *result = hear(&r, 1, 0, r.n_chunks, NULL);
    example_assert_close(modelhost_result_at(result, 0), r.probs, 1e-4);
    modelhost_result_destroy(result);
    close_recording(&r);
}

static void a_session_hears_a_stream_in_pieces(void **state)
{
    (void)state;
    struct recording r = open_recording();
    struct modelhost_session *session = NULL;
    assert_int_equal(modelhost_session_create(r.example.model, &session, NULL), MODEL_OK);
    for (int64_t first = 0, n = 1; first < r.n_chunks; first += n, n = n % 5 + 1) {
        n = first + n > r.n_chunks ? r.n_chunks - first : n;
        struct modelhost_result *result = hear(&r, 1, first, n, session);
        const struct model_tensor want = example_slice(r.probs, "probs of a piece", first, n);
        example_assert_close(modelhost_result_at(result, 0), &want, 1e-4);
        modelhost_result_destroy(result);
    }
    modelhost_session_release(session);
    close_recording(&r);
}

static void streams_of_a_batch_are_apart(void **state)
{
    (void)state;
    struct recording r = open_recording();
    const int64_t n = r.n_chunks / 3;
    struct modelhost_result *batch = hear(&r, 3, 0, n, NULL);
    for (int64_t i = 0; i < 3; i++) {
        struct modelhost_result *alone = hear(&r, 1, i * n, n, NULL);
        const struct model_tensor row =
            example_slice(modelhost_result_at(batch, 0), "a stream of a batch", i, 1);
        assert_memory_equal(modelhost_result_at(alone, 0)->data, row.data, row.size_bytes);
        modelhost_result_destroy(alone);
    }
    modelhost_result_destroy(batch);
    close_recording(&r);
}

static void half_a_chunk_is_refused_and_leaves_the_session(void **state)
{
    (void)state;
    struct recording r = open_recording();
    struct modelhost_session *session = NULL;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    struct model_tensor audio;
    const int64_t shape[] = {1, CHUNK + 100};
    const struct model_tensor *inputs[] = {&audio};
    assert_int_equal(modelhost_session_create(r.example.model, &session, NULL), MODEL_OK);
    modelhost_result_destroy(hear(&r, 1, 0, 40, session));
    tensor_init(&audio, "audio", MODEL_F32, 2, shape, r.samples + 40 * CHUNK);
    options.session = session;
    assert_int_equal(modelhost_run(r.example.model, inputs, 1, &options, &result, &r.example.err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(r.example.err.message, "audio has 612 samples, want a multiple of 512"));
    result = hear(&r, 1, 40, 10, session);
    const struct model_tensor want = example_slice(r.probs, "probs after a refusal", 40, 10);
    example_assert_close(modelhost_result_at(result, 0), &want, 1e-4);
    modelhost_result_destroy(result);
    modelhost_session_release(session);
    close_recording(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_those_of_the_original),
        cmocka_unit_test(a_session_hears_a_stream_in_pieces),
        cmocka_unit_test(streams_of_a_batch_are_apart),
        cmocka_unit_test(half_a_chunk_is_refused_and_leaves_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
