/* test_http_tls.c - certificates that cannot be used; handshakes are in tests/system/test_serve_secure.sh,
 * which covers base/http_tls.c and base/http_secure.c with other people's clients. */
#include "errors.h"
#include "files.h"
#include "http_tls.h"
#include "testing.h"

static void check_refused(const char *certificate, const char *key, model_status want,
                          const char *why)
{
    struct http_tls_context *context = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(http_tls_context_create(certificate, key, &context, &err), want);
    assert_null(context);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' is not in: %s", why, err.message);
}

static void files_that_hold_no_certificate_are_refused(void **state)
{
    (void)state;
    char *folder = scratch_dir(), *path = path_join(folder, "cert.pem");
    check_refused(path, path, MODEL_NOT_FOUND, "cert.pem");
    write_file(path, "hello\n", 6);
    check_refused(path, path, MODEL_INVALID_ARGUMENT, "holds no certificate in the form PEM");
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    write_file(path, broken, sizeof broken - 1);
    check_refused(path, path, MODEL_INVALID_ARGUMENT, "holds no certificate in the form PEM");
    check_refused(folder, path, MODEL_INVALID_ARGUMENT, "holds no certificate");
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(folder);
    free(path);
}

static void nothing_can_be_destroyed(void **state)
{
    (void)state;
    http_tls_destroy(NULL);
    http_tls_context_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_hold_no_certificate_are_refused),
        cmocka_unit_test(nothing_can_be_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
