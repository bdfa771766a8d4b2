/* test_worker_message.c - host/workers/worker_message.c and host/workers/worker_codec.c: messages come out as they
 * went in, and nothing else comes out. */
#include "errors.h"
#include "testing.h"
#include "worker_codec.h"
#include "worker_message.h"

static const struct worker_message full = {.type = WORKER_CREATED,
                                           .numbers = {1, UINT64_MAX, 0, 42},
                                           .text = "a sentence",
                                           .path = "",
                                           .block = "\0\1\2",
                                           .block_bytes = 3};

static struct buffer write_full(void)
{
    struct buffer bytes = BUFFER_INIT(WORKER_MAX_PAYLOAD_BYTES);
    assert_int_equal(worker_message_write(&full, &bytes, NULL), MODEL_OK);
    return bytes;
}

static model_status read_payload(const struct buffer *bytes, size_t size_bytes,
                                 struct worker_message *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    const size_t head = sizeof(struct worker_header);
    /* in memory of just that size, so that reading on is seen */
    void *copy = malloc(size_bytes > 0 ? size_bytes : 1);
    memcpy(copy, bytes->data + head, size_bytes);
    model_status status = worker_message_read(WORKER_CREATED, copy, size_bytes, ret, &err);
    assert_true((status == MODEL_OK) == (err.message[0] == '\0'));
    free(copy);
    return status;
}

static void a_message_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct buffer bytes = write_full();
    struct worker_header header;
    struct worker_message message;
    memcpy(&header, bytes.data, sizeof header);
    assert_int_equal(worker_message_check_header(&header, NULL), MODEL_OK);
    assert_int_equal(header.payload_bytes, bytes.size - sizeof header);
    assert_int_equal(worker_message_read(header.type, bytes.data + sizeof header,
                                         header.payload_bytes, &message, NULL),
                     MODEL_OK);
    assert_memory_equal(message.numbers, full.numbers, sizeof full.numbers);
    assert_string_equal(message.text, full.text);
    assert_string_equal(message.path, "");
    assert_int_equal(message.block_bytes, 3);
    assert_memory_equal(message.block, full.block, 3);
    buffer_finish(&bytes);
}

static void a_message_cut_short_is_refused(void **state)
{
    (void)state;
    struct buffer bytes = write_full();
    struct worker_message message;
    const size_t whole = bytes.size - sizeof(struct worker_header);
    assert_int_equal(read_payload(&bytes, whole, &message), MODEL_OK);
    for (size_t n = 0; n < whole; n++)
        assert_int_equal(read_payload(&bytes, n, &message), MODEL_CORRUPT);
    buffer_finish(&bytes);
}

static void a_text_must_end_where_it_says(void **state)
{
    (void)state;
    struct buffer bytes = write_full();
    struct worker_message message;
    const size_t whole = bytes.size - sizeof(struct worker_header);
    char *text = memmem(bytes.data, bytes.size, "a sentence", 10);
    text[3] = '\0';
    assert_int_equal(read_payload(&bytes, whole, &message), MODEL_CORRUPT);
    text[3] = 'e';
    text[10] = 'x';
    assert_int_equal(read_payload(&bytes, whole, &message), MODEL_CORRUPT);
    memset(text - 8, 0xFF, 7); /* a length beyond all memory */
    assert_int_equal(read_payload(&bytes, whole, &message), MODEL_CORRUPT);
    buffer_finish(&bytes);
}

static void headers_of_others_are_refused(void **state)
{
    (void)state;
    const struct worker_header good = {WORKER_MESSAGE_MAGIC, WORKER_PROTOCOL_VERSION, WORKER_LOG, 8,
                                       0};
    struct model_error err = MODEL_ERROR_INIT;
    struct worker_header header = good;
    header.magic++;
    assert_int_equal(worker_message_check_header(&header, &err), MODEL_CORRUPT);
    header = good;
    header.version = WORKER_PROTOCOL_VERSION + 1;
    assert_int_equal(worker_message_check_header(&header, &err), MODEL_ABI_MISMATCH);
    assert_non_null(strstr(err.message, "protocol 8, want 7"));
    header = good;
    header.type = 0;
    assert_int_equal(worker_message_check_header(&header, &err), MODEL_CORRUPT);
    header.type = WORKER_N_MESSAGES;
    assert_int_equal(worker_message_check_header(&header, &err), MODEL_CORRUPT);
    header = good;
    header.payload_bytes = WORKER_MAX_PAYLOAD_BYTES + 1;
    assert_int_equal(worker_message_check_header(&header, &err), MODEL_CORRUPT);
    assert_int_equal(worker_message_check_header(&good, &err), MODEL_OK);
}

static void a_message_without_its_content_is_refused(void **state)
{
    (void)state;
    struct buffer bytes = BUFFER_INIT(WORKER_MAX_PAYLOAD_BYTES);
    const struct worker_message empty = {.type = WORKER_GOODBYE};
    struct worker_message message;
    assert_int_equal(worker_message_write(&empty, &bytes, NULL), MODEL_OK);
    const char *payload = bytes.data + sizeof(struct worker_header);
    const size_t n = bytes.size - sizeof(struct worker_header);
    static const uint16_t wanting[] = {WORKER_OPEN, WORKER_HELLO, WORKER_FAILED, WORKER_LOG,
                                       WORKER_COMPILED};
    assert_int_equal(worker_message_read(WORKER_GOODBYE, payload, n, &message, NULL), MODEL_OK);
    for (size_t i = 0; i < sizeof wanting / sizeof *wanting; i++)
        assert_int_equal(worker_message_read(wanting[i], payload, n, &message, NULL),
                         MODEL_CORRUPT);
    buffer_finish(&bytes);
}

static void a_message_too_long_is_not_written(void **state)
{
    (void)state;
    struct buffer bytes = BUFFER_INIT(4 * WORKER_MAX_PAYLOAD_BYTES);
    char *text = malloc(WORKER_MAX_PAYLOAD_BYTES + 1);
    memset(text, 'x', WORKER_MAX_PAYLOAD_BYTES);
    text[WORKER_MAX_PAYLOAD_BYTES] = '\0';
    const struct worker_message message = {.type = WORKER_LOG, .text = text};
    assert_int_equal(worker_message_write(&message, &bytes, NULL), MODEL_UNSUPPORTED);
    buffer_finish(&bytes);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_out_as_it_went_in),
        cmocka_unit_test(a_message_cut_short_is_refused),
        cmocka_unit_test(a_text_must_end_where_it_says),
        cmocka_unit_test(headers_of_others_are_refused),
        cmocka_unit_test(a_message_without_its_content_is_refused),
        cmocka_unit_test(a_message_too_long_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
