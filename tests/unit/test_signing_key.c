/* test_signing_key.c - keys, signatures and the list of trusted ones. Covers store/trust/signing_key.c,
 * store/trust/signature_file.c, store/trust/signature_primitives.c, store/trust/trusted_keys.c,
 * store/trust/trusted_keys_file.c. Keys and signatures below were made with minisign 0.11; tests/system/test_trust.sh runs it. */
#include "signature_file.h"
#include "in_folder.h"
#include "testing.h"
#include "trusted_keys.h"

#include <sys/stat.h>
#include <unistd.h>

static struct model_error err = {.struct_size = sizeof err};

#define PUBLIC "RWRImQPae4G3rTbXY7GJ9H+a+yeKSZHEcuG2l7GOY0VHFCuEslpQcE31"
#define SECRET                                                                                      \
    "untrusted comment: minisign encrypted secret key\n"                                            \
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAASJkD2nuBt62IvZ08TWhks" \
    "YTRxgQwCCSVCpiHunzmmAGGEQ6cKXicgzbXY7GJ9H+a+yeKSZHEcuG2l7GOY0VHFCuEslpQcE31AAAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAA="
#define FIRST "untrusted comment: signature from minisign secret key\n"
#define HASHED                                                                                     \
    FIRST                                                                                          \
    "RURImQPae4G3rWUfU7/tD2VZ4bhZfSeUcqqjri1jRBB/OaoelNYfUBtZwnYCzEs/c5wjxbW4hFRWK1JtNzro+W"       \
    "j4X8fzCI6NeAc=\ntrusted comment: timestamp:1795301191\tfile:f\thashed\nawyxYkHjn2RU0N8D"      \
    "uiDRyAJSdR30UTj8nBvj/XFRrNALPRcD0OEE9RcggccuZ8FeV72/AHHj+jri1SwMCwZJBQ==\n"
#define LEGACY                                                                                     \
    FIRST                                                                                          \
    "RWRImQPae4G3rboMpFBc9P9JnfOAQY99elemDyxHFa2wPELU4xPoQTxwzHe/Kp2/bq2XNQujd2SfsDD4i6hUna"       \
    "X5CrxXVH01nAk=\ntrusted comment: timestamp:1795301191\tfile:f\nuBQYC4xyL5uMDVP0RAZvfgxk"      \
    "m6l8JpS5vFfPCfSobr/UdkJOLYa/fBLDXhb/qdR3bOJwz/Fb3N9FCELjSc1OAg==\n"

static struct public_key minisign_key(void)
{
    struct public_key key;
    assert_int_equal(public_key_parse(PUBLIC, strlen(PUBLIC), "k", &key, &err), MODEL_OK);
    return key;
}

static enum signature_fit fit(const char *text, const char *data)
{
    struct signature_file file;
    const struct public_key key = minisign_key();
    if (signature_file_parse(text, strlen(text), "s", &file, &err) != MODEL_OK)
        return SIGNATURE_DAMAGED;
    const enum signature_fit found = signature_file_fit(&file, &key, data, strlen(data));
    signature_file_finish(&file);
    return found;
}

static void signatures_of_minisign_fit(void **state)
{
    (void)state;
    assert_int_equal(fit(HASHED, "hello\n"), SIGNATURE_FITS);
    assert_int_equal(fit(LEGACY, "hello\n"), SIGNATURE_FITS);
    assert_int_equal(fit(HASHED, "hello"), SIGNATURE_OF_OTHER_BYTES);
    assert_int_equal(fit(LEGACY, "hellO\n"), SIGNATURE_OF_OTHER_BYTES);
}

/* Whatever bit is changed, the signature fits no more; what is changed in the comment that nobody trusts is not seen. */
static void every_bit_of_a_signature_counts(void **state)
{
    (void)state;
    char text[] = HASHED;
    for (size_t i = strlen(FIRST); i < sizeof text - 2; i++)
        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            if (text[i] != '\0' && fit(text, "hello\n") == SIGNATURE_FITS)
                fail_msg("byte %zu, bit %d", i, bit);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
}

static void what_is_no_signature_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"", "less than four lines"},
        {"untrusted comment: a\n\n", "less than four lines"},
        {HASHED "\n", "more than four lines"},
        {"comment: a\nb\nc\nd\n", "first line"},
        {"untrusted comment: a\nb\nc\nd\n", "second line"},
    };
    struct signature_file file;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(signature_file_parse(wrong[i][0], strlen(wrong[i][0]), "s", &file, &err),
                         MODEL_CORRUPT);
        assert_non_null(strstr(err.message, wrong[i][1]));
    }
    char *long_text = calloc(1, SIGNATURE_MAX_BYTES + 1);
    assert_int_equal(signature_file_parse(long_text, SIGNATURE_MAX_BYTES + 1, "s", &file, &err),
                     MODEL_CORRUPT);
    free(long_text);
}

/* ---- secret keys */

static void a_key_of_minisign_signs(void **state)
{
    (void)state;
    struct secret_key *key = NULL;
    struct public_key public;
    const struct public_key want = minisign_key();
    char *text = NULL;
    assert_int_equal(secret_key_parse(SECRET, strlen(SECRET), "k", NULL, &key, &err), MODEL_OK);
    secret_key_public(key, &public);
    assert_memory_equal(&public, &want, sizeof want);
    for (int is_prehashed = 0; is_prehashed < 2; is_prehashed++) {
        assert_int_equal(signature_file_make(key, "abc", 3, is_prehashed != 0, "a\tb", &text, &err),
                         MODEL_OK);
        assert_int_equal(fit(text, "abc"), SIGNATURE_FITS);
        assert_int_equal(fit(text, "abd"), SIGNATURE_OF_OTHER_BYTES);
        free(text);
    }
    assert_int_equal(signature_file_make(key, "abc", 3, true, "a\nb", &text, &err),
                     MODEL_INVALID_ARGUMENT);
    secret_key_destroy(key);
}

static void a_password_opens_what_it_closed(void **state)
{
    (void)state;
    const struct key_cost cheap = KEY_COST_LEAST;
    struct secret_key *key = NULL, *again = NULL;
    struct public_key before, after;
    char *text = NULL;
    assert_int_equal(secret_key_create(&key, &err), MODEL_OK);
    assert_int_equal(secret_key_print(key, "pass", &cheap, &text, &err), MODEL_OK);
    assert_true(secret_key_wants_password(text, strlen(text)));
    assert_int_equal(secret_key_parse(text, strlen(text), "k", "Pass", &again, &err),
                     MODELHOST_UNAUTHORIZED);
    assert_non_null(strstr(err.message, "the password is wrong"));
    assert_int_equal(secret_key_parse(text, strlen(text), "k", NULL, &again, &err),
                     MODELHOST_UNAUTHORIZED);
    assert_non_null(strstr(err.message, "has a password"));
    assert_int_equal(secret_key_parse(text, strlen(text), "k", "pass", &again, &err), MODEL_OK);
    secret_key_public(key, &before);
    secret_key_public(again, &after);
    assert_memory_equal(&before, &after, sizeof before);
    secret_key_destroy(again);
    secret_key_destroy(key);
    secret_text_free(text);
}

static void a_password_gets_no_cheaper_where_memory_is_short(void **state)
{
    (void)state;
    const struct key_cost dear = {(uint64_t)1 << 44,
                                  (uint64_t)1 << 49}; /* more than can be mapped */
    struct secret_key *key = NULL;
    char *text = NULL;
    assert_int_equal(secret_key_create(&key, &err), MODEL_OK);
    assert_int_equal(secret_key_print(key, "pass", &dear, &text, &err), MODEL_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "it takes 536870912 MiB"));
    assert_null(text);
    secret_key_destroy(key);
}

static void a_changed_secret_key_is_refused(void **state)
{
    (void)state;
    struct secret_key *key = NULL;
    char text[] = SECRET;
    text[160] = text[160] == 'A' ? 'B' : 'A'; /* in the seed, which has no checksum here */
    assert_int_equal(secret_key_parse(text, strlen(text), "k", NULL, &key, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "the key's file was changed"));
    char *own = NULL;
    assert_int_equal(secret_key_create(&key, &err), MODEL_OK);
    assert_int_equal(secret_key_print(key, NULL, NULL, &own, &err), MODEL_OK);
    secret_key_destroy(key);
    char *digit = strchr(own, '\n') + 1 + 80; /* in the key's id */
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_int_equal(secret_key_parse(own, strlen(own), "k", NULL, &key, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "its checksum does not fit"));
    secret_text_free(own);
}

static void public_keys_have_two_forms(void **state)
{
    (void)state;
    struct public_key key = minisign_key(), again;
    char id[KEY_ID_TEXT_BYTES], text[PUBLIC_KEY_TEXT_BYTES];
    uint8_t bytes[KEY_ID_BYTES];
    key_id_write(key.id, id);
    assert_string_equal(id, "ADB7817BDA039948"); /* as minisign calls it */
    assert_true(key_id_read("adb7817bda039948", bytes));
    assert_memory_equal(bytes, key.id, sizeof bytes);
    assert_false(key_id_read("adb7817bda03", bytes));
    public_key_write(&key, text);
    assert_string_equal(text, PUBLIC);
    char *file = public_key_print(&key, NULL);
    assert_string_equal(file,
                        "untrusted comment: minisign public key ADB7817BDA039948\n" PUBLIC "\n");
    assert_int_equal(public_key_parse(file, strlen(file), "k", &again, &err), MODEL_OK);
    assert_memory_equal(&key, &again, sizeof key);
    free(file);
    assert_int_equal(public_key_parse("RWQ", 3, "k", &again, &err), MODEL_CORRUPT);
}

/* ---- trusted keys */

static void a_list_comes_back_as_it_was_written(void **state)
{
    (void)state;
    const struct public_key key = minisign_key();
    struct trusted_keys keys = {0}, again = {0};
    assert_int_equal(trusted_keys_add(&keys, &key, "Ada", 0, &err), MODEL_OK);
    assert_int_equal(trusted_keys_revoke(&keys, &key, "lost", 86400, &err), MODEL_OK);
    assert_int_equal(trusted_keys_revoke(&keys, &key, "lost and found", 99999999, &err), MODEL_OK);
    char *text = trusted_keys_print(&keys);
    assert_int_equal(trusted_keys_parse(text, strlen(text), "t", &again, &err), MODEL_OK);
    const struct trusted_key *found = trusted_keys_find(&again, key.id);
    assert_string_equal(found->trusted, "1970-01-01T00:00:00Z");
    assert_string_equal(found->revoked, "1970-01-02T00:00:00Z"); /* the first date stays */
    assert_string_equal(found->reason, "lost and found");
    assert_int_equal(trusted_keys_add(&again, &key, "Ada", 0, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "cannot be trusted again"));
    free(text);
    trusted_keys_finish(&keys);
    trusted_keys_finish(&again);
}

static void a_key_has_one_id(void **state)
{
    (void)state;
    const struct public_key key = minisign_key();
    struct public_key renamed = key;
    struct trusted_keys keys = {0}, again = {0};
    renamed.id[0] ^= 1;
    assert_int_equal(trusted_keys_add(&keys, &key, "Ada", 0, &err), MODEL_OK);
    assert_int_equal(trusted_keys_add(&keys, &renamed, "Eve", 0, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "known already, as trusted, by the id ADB7817BDA039948"));
    assert_int_equal(trusted_keys_revoke(&keys, &key, "lost", 0, &err), MODEL_OK);
    assert_int_equal(trusted_keys_add(&keys, &renamed, "Eve", 0, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "known already, as revoked"));
    assert_int_equal(keys.n_keys, 1);
    /* No member of the list may be misread: one that is not known may have revoked the key. */
    char *text = trusted_keys_print(&keys), *at = strstr(text, "\"revoked\"");
    assert_non_null(at);
    at[sizeof "\"revoke" - 1] = 'z';
    assert_int_equal(trusted_keys_parse(text, strlen(text), "t", &again, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "t has 'revokez' in it"));
    free(text);
    trusted_keys_finish(&keys);
}

static void a_changed_key_in_the_list_is_refused(void **state)
{
    (void)state;
    const struct public_key key = minisign_key();
    struct public_key forged = key;
    struct trusted_keys keys = {0}, again = {0};
    assert_int_equal(trusted_keys_add(&keys, &key, "Ada", 0, &err), MODEL_OK);
    forged.key[0] ^= 1;
    assert_int_equal(trusted_keys_add(&keys, &forged, "Eve", 0, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "one of both is forged"));
    assert_int_equal(trusted_keys_revoke(&keys, &forged, "please", 0, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "one of both is forged"));
    assert_string_equal(keys.keys[0].revoked, "");
    char *text = trusted_keys_print(&keys), *at = strstr(text, PUBLIC);
    at[20] = at[20] == 'A' ? 'B' : 'A';
    assert_int_equal(trusted_keys_parse(text, strlen(text), "t", &again, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "was changed: its fingerprint does not fit"));
    free(text);
    trusted_keys_finish(&keys);
}

static model_status add_one(void *context, struct trusted_keys *keys, struct model_error *error)
{
    return trusted_keys_add(keys, context, "Ada", 0, error);
}

static void a_list_that_others_may_write_is_refused(void **state)
{
    (void)state;
    struct public_key key = minisign_key();
    struct trusted_keys keys = {0};
    char *path = text_format("%s", in_folder("sub/trusted-keys.json"));
    assert_int_equal(trusted_keys_read(path, &keys, &err), MODEL_OK);
    assert_int_equal(keys.n_keys, 0);
    assert_int_equal(trusted_keys_change(path, add_one, &key, &err), MODEL_OK);
    assert_int_equal(trusted_keys_read(path, &keys, &err), MODEL_OK);
    assert_int_equal(keys.n_keys, 1);
    trusted_keys_finish(&keys);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(trusted_keys_read(path, &keys, &err), MODELHOST_UNTRUSTED);
    free(path);
}

/* a/list -> b/link -> c/list: whoever may write to one of the folders chooses the list. */
static void a_list_behind_links_that_others_may_change_is_refused(void **state)
{
    (void)state;
    static const char *const folders[] = {"a", "b", "c"};
    struct public_key key = minisign_key();
    struct trusted_keys keys = {0};
    char *path = text_format("%s", in_folder("a/list"));
    assert_int_equal(mkdir(in_folder("a"), 0700), 0);
    assert_int_equal(mkdir(in_folder("b"), 0700), 0);
    assert_int_equal(trusted_keys_change(in_folder("c/list"), add_one, &key, &err), MODEL_OK);
    assert_int_equal(symlink(in_folder("c/list"), in_folder("b/link")), 0);
    assert_int_equal(symlink("../b/link", path), 0);
    assert_int_equal(trusted_keys_read(path, &keys, &err), MODEL_OK);
    assert_int_equal(keys.n_keys, 1);
    trusted_keys_finish(&keys);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(chmod(in_folder(folders[i]), 0770), 0);
        assert_int_equal(trusted_keys_read(path, &keys, &err), MODELHOST_UNTRUSTED);
        assert_non_null(strstr(err.message, "others may write to "));
        assert_int_equal(chmod(in_folder(folders[i]), 0700), 0);
    }
    assert_int_equal(trusted_keys_read(path, &keys, &err), MODEL_OK);
    trusted_keys_finish(&keys);
    free(path);
}

static void a_comment_shows_as_it_is(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\nb",          "a\rb",          "\x1b[2J",
                                      "a\xc2\x9b",     "a\xe2\x80\xae", "\xe2\x81\xa6",
                                      "a\xe2\x80\xa8", "\xd8\x9c",      "\xff"};
    const struct public_key key = minisign_key();
    struct trusted_keys keys = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(trusted_keys_add(&keys, &key, bad[i], 0, &err), MODEL_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "without control characters and marks of direction"));
        assert_int_equal(keys.n_keys, 0);
    }
    assert_int_equal(trusted_keys_add(&keys, &key, "Ad\xc3\xa9\t\xd7\x90", 0, &err), MODEL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(trusted_keys_revoke(&keys, &key, bad[i], 0, &err), MODEL_INVALID_ARGUMENT);
    char *text = trusted_keys_print(&keys), *name = strstr(text, "Ad\xc3\xa9");
    struct trusted_keys again = {0};
    memcpy(name,
           "\xe2\x80\xae"
           "!",
           4); /* as somebody else may write it */
    assert_int_equal(trusted_keys_parse(text, strlen(text), "list", &again, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "its dates or comments are none"));
    free(text);
    trusted_keys_finish(&keys);
}

static void a_list_is_its_owners_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 0002};
    struct public_key key = minisign_key();
    struct trusted_keys keys = {0};
    struct stat info;
    const mode_t before = umask(0);
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        char *path = text_format("%s/%zu/trusted-keys.json", folder, i);
        (void)umask(masks[i]);
        assert_int_equal(trusted_keys_change(path, add_one, &key, &err), MODEL_OK);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        assert_int_equal(chmod(path, 0644), 0); /* a server's, which services read */
        assert_int_equal(trusted_keys_change(path, add_one, &key, &err), MODEL_OK);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0644);
        assert_int_equal(trusted_keys_read(path, &keys, &err), MODEL_OK);
        trusted_keys_finish(&keys);
        free(path);
    }
    (void)umask(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_minisign_fit),
        cmocka_unit_test(every_bit_of_a_signature_counts),
        cmocka_unit_test(what_is_no_signature_is_refused),
        cmocka_unit_test(a_key_of_minisign_signs),
        cmocka_unit_test(a_password_opens_what_it_closed),
        cmocka_unit_test(a_password_gets_no_cheaper_where_memory_is_short),
        cmocka_unit_test(a_changed_secret_key_is_refused),
        cmocka_unit_test(public_keys_have_two_forms),
        cmocka_unit_test(a_list_comes_back_as_it_was_written),
        cmocka_unit_test(a_key_has_one_id),
        cmocka_unit_test(a_changed_key_in_the_list_is_refused),
        IN_FOLDER(a_list_that_others_may_write_is_refused),
        IN_FOLDER(a_list_behind_links_that_others_may_change_is_refused),
        cmocka_unit_test(a_comment_shows_as_it_is),
        IN_FOLDER(a_list_is_its_owners_whatever_the_umask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
