/* One JSON array on standard output, part by part. */
#include "errors.h"
#include "json_array.h"
#include "in_folder.h"

#include <fcntl.h>
#include <unistd.h>

/* What the parts (NULL at the end) come to; *ret_status is that of the first failure. */
static void expect(const char *const *parts, model_status want_status, const char *want)
{
    struct json_array array = {0};
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(1000);
    model_status status = MODEL_OK;
    (void)fflush(stdout);
    const int kept = dup(1), file = open(in_folder("out"), O_CREAT | O_TRUNC | O_RDWR, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, 1) == 1);
    for (size_t i = 0; parts[i] != NULL && status == MODEL_OK; i++)
        status = json_array_print(&array, parts[i], &err);
    const model_status ended = json_array_end(&array, NULL);
    (void)fflush(stdout);
    (void)dup2(kept, 1);
    (void)close(kept);
    (void)close(file);
    assert_int_equal(status, want_status);
    assert_int_equal(ended, MODEL_OK);
    assert_int_equal(file_read(in_folder("out"), 1000, &text, NULL), MODEL_OK);
    assert_string_equal(text.data != NULL ? text.data : "", want);
    buffer_finish(&text);
}

static void parts_become_one_array(void **state)
{
    (void)state;
    expect((const char *[]){"[1]", "[2,[3]]", NULL}, MODEL_OK, "[1,2,[3]]\n");
    expect((const char *[]){"[{\"a\":[]}]", NULL}, MODEL_OK, "[{\"a\":[]}]\n");
}

static void nothing_is_no_array(void **state)
{
    (void)state;
    expect((const char *[]){NULL}, MODEL_OK, "");
}

static void what_is_no_array_ends_it_soundly(void **state)
{
    (void)state;
    static const char *const others[] = {"", "[", "{}", "[1", "null"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        expect((const char *[]){"[1]", others[i], "[2]", NULL}, MODEL_INTERNAL, "[1]\n");
        expect((const char *[]){others[i], NULL}, MODEL_INTERNAL, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(parts_become_one_array),
        IN_FOLDER(nothing_is_no_array),
        IN_FOLDER(what_is_no_array_ends_it_soundly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
