/* test_papers_choice.c - which papers a package gets: what is signed well is not given up for what is signed worse, and not
 * lost by a kill. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "package_papers.h"
#include "package_signature.h"
#include "papers_choice.h"
#include "papers_lock.h"
#include "store_packages.h"
#include "disk_steps.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A package that is in the store, and keys of whom the first two are trusted. */
struct fixture {
    struct store *store;
    struct manifest manifest;
    char *dir;
    struct secret_key *ada, *bob, *eve;
    struct trusted_keys keys;
};

static void add_key(struct trusted_keys *keys, const struct secret_key *key)
{
    struct public_key public;
    secret_key_public(key, &public);
    assert_int_equal(trusted_keys_add(keys, &public, "", 0, NULL), MODEL_OK);
}

static struct fixture begin(const char *folder)
{
    struct fixture fixture = {.store = open_store(folder)};
    fixture.manifest = new_manifest("ns/name", "name", "main", COMMIT_A);
    add_text_file(fixture.store, &fixture.manifest, "data.txt", "data");
    assert_int_equal(store_install(fixture.store, &fixture.manifest, &fixture.dir, NULL), MODEL_OK);
    assert_int_equal(secret_key_create(&fixture.ada, NULL), MODEL_OK);
    assert_int_equal(secret_key_create(&fixture.bob, NULL), MODEL_OK);
    assert_int_equal(secret_key_create(&fixture.eve, NULL), MODEL_OK);
    add_key(&fixture.keys, fixture.ada);
    add_key(&fixture.keys, fixture.bob);
    return fixture;
}

static void end(struct fixture *fixture)
{
    secret_key_destroy(fixture->ada);
    secret_key_destroy(fixture->bob);
    secret_key_destroy(fixture->eve);
    trusted_keys_finish(&fixture->keys);
    free(fixture->dir);
    manifest_finish(&fixture->manifest);
    store_close(fixture->store);
}

/* The manifest as it is when it was made at that time; to be freed. */
static char *text_of(const struct fixture *fixture, const char *created)
{
    struct manifest manifest = fixture->manifest;
    char *copy = text_format("%s", created);
    manifest.created = copy;
    char *text = manifest_print(&manifest);
    assert_non_null(text);
    free(copy);
    return text;
}

static char *sign(const struct fixture *fixture, const struct secret_key *key, const char *text)
{
    char *signature = NULL;
    char *comment = package_signature_comment(&fixture->manifest, 0);
    assert_int_equal(signature_file_make(key, text, strlen(text), true, comment, &signature, NULL),
                     MODEL_OK);
    free(comment);
    return signature;
}

#define THERE "2026-01-01T00:00:00Z"
#define GIVEN "2026-02-02T00:00:00Z"

/* Who signed; KEY_NONE: nobody; KEY_JUNK: what is no signature; KEY_OTHER: of other bytes. */
enum signer { KEY_NONE, KEY_JUNK, KEY_OTHER, KEY_EVE, KEY_ADA, KEY_BOB };

static char *signature_by(const struct fixture *fixture, enum signer signer, const char *text)
{
    switch (signer) {
    case KEY_NONE:
        return NULL;
    case KEY_JUNK:
        return text_format("junk");
    case KEY_OTHER:
        return sign(fixture, fixture->ada, "other bytes");
    case KEY_EVE:
        return sign(fixture, fixture->eve, text);
    case KEY_ADA:
        return sign(fixture, fixture->ada, text);
    default:
        return sign(fixture, fixture->bob, text);
    }
}

static void what_is_signed_better_stays(void **state)
{
    static const struct {
        enum signer there, given;
        bool stays, is_told;
    } cases[] = {
        {KEY_ADA, KEY_NONE, true, true},    {KEY_ADA, KEY_JUNK, true, true},
        {KEY_ADA, KEY_OTHER, true, true},   {KEY_ADA, KEY_EVE, true, true},
        {KEY_EVE, KEY_NONE, true, true},    {KEY_EVE, KEY_JUNK, true, true},
        {KEY_EVE, KEY_EVE, true, true},     {KEY_ADA, KEY_ADA, false, false},
        {KEY_ADA, KEY_BOB, false, true},    {KEY_EVE, KEY_ADA, false, false},
        {KEY_NONE, KEY_NONE, false, false}, {KEY_NONE, KEY_EVE, false, false},
        {KEY_NONE, KEY_ADA, false, false},  {KEY_JUNK, KEY_NONE, false, false},
        {KEY_JUNK, KEY_ADA, false, false},  {KEY_OTHER, KEY_ADA, false, false},
    };
    struct fixture fixture = begin(*state);
    char *there = text_of(&fixture, THERE), *given = text_of(&fixture, GIVEN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *old = signature_by(&fixture, cases[i].there, there);
        char *new = signature_by(&fixture, cases[i].given, given);
        const struct store_papers papers = {given, new, &fixture.keys};
        char *note = NULL, *dir = NULL;
        struct package_papers found = {0};
        assert_int_equal(package_papers_write(fixture.dir, NULL, NULL, there, old, NULL), MODEL_OK);
        assert_int_equal(
            store_install_signed(fixture.store, &fixture.manifest, &papers, &note, &dir, NULL),
            MODEL_OK);
        assert_int_equal(package_papers_read_folder(dir, &found, NULL), MODEL_OK);
        if ((strcmp(found.text, there) == 0) != cases[i].stays)
            fail_msg("case %zu: %s", i, cases[i].stays ? "went" : "stayed");
        const char *signature = cases[i].stays ? old : new;
        assert_true(signature == NULL ? found.signature == NULL
                                      : strcmp(found.signature, signature) == 0);
        if ((note != NULL) != cases[i].is_told)
            fail_msg("case %zu: says %s", i, note != NULL ? note : "nothing");
        package_papers_finish(&found);
        free(note);
        free(dir);
        free(old);
        free(new);
    }
    free(there);
    free(given);
    end(&fixture);
}

static void the_same_papers_are_not_written_again(void **state)
{
    struct fixture fixture = begin(*state);
    char *text = text_of(&fixture, THERE), *signature = sign(&fixture, fixture.eve, text);
    const struct store_papers papers = {text, signature, NULL};
    struct papers_choice choice;
    assert_int_equal(package_papers_write(fixture.dir, NULL, NULL, text, signature, NULL),
                     MODEL_OK);
    assert_int_equal(papers_choose(fixture.dir, &fixture.manifest, &papers, &choice, NULL),
                     MODEL_OK);
    assert_int_equal(choice.origin, PAPERS_THERE);
    assert_null(choice.note);
    papers_choice_finish(&choice);
    assert_int_equal(papers_choose(fixture.dir, &fixture.manifest, NULL, &choice, NULL), MODEL_OK);
    assert_int_equal(choice.origin, PAPERS_THERE);
    papers_choice_finish(&choice);
    free(signature);
    free(text);
    end(&fixture);
}

/* Damages metadata.json, and makes the package anew as a download does. */
static struct package_papers make_anew(const struct fixture *fixture, const char *damaged)
{
    struct package_papers found = {0};
    char *dir = NULL;
    put_text(in_folder(fixture->dir, "metadata.json"), damaged);
    assert_int_equal(store_install(fixture->store, &fixture->manifest, &dir, NULL), MODEL_OK);
    assert_string_equal(dir, fixture->dir);
    assert_int_equal(package_papers_read_folder(dir, &found, NULL), MODEL_OK);
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    free(dir);
    return found;
}

static void a_damaged_manifest_is_the_signed_one_again(void **state)
{
    struct fixture fixture = begin(*state);
    char *text = text_of(&fixture, THERE), *signature = sign(&fixture, fixture.ada, text);
    assert_int_equal(package_papers_write(fixture.dir, NULL, NULL, text, signature, NULL),
                     MODEL_OK);
    char *damaged = text_format("%s", text);
    damaged[0] = '!';
    struct package_papers found = make_anew(&fixture, damaged);
    assert_string_equal(found.text, text);
    assert_string_equal(found.signature, signature);
    package_papers_finish(&found);
    free(damaged);
    free(signature);
    free(text);
    end(&fixture);
}

static void without_its_manifest_a_signature_is_kept_beside(void **state)
{
    struct fixture fixture = begin(*state);
    char *text = text_of(&fixture, THERE), *signature = sign(&fixture, fixture.ada, text);
    assert_int_equal(package_papers_write(fixture.dir, NULL, NULL, text, signature, NULL),
                     MODEL_OK);
    struct package_papers found = make_anew(&fixture, "{");
    assert_null(found.signature);
    assert_file_is(in_folder(fixture.dir, PACKAGE_OLD_SIGNATURE_NAME), signature);
    package_papers_finish(&found);
    /* and goes when the package is signed again */
    const struct store_papers papers = {text, signature, &fixture.keys};
    char *dir = NULL;
    assert_int_equal(
        store_install_signed(fixture.store, &fixture.manifest, &papers, NULL, &dir, NULL),
        MODEL_OK);
    assert_false(path_is_file(in_folder(fixture.dir, PACKAGE_OLD_SIGNATURE_NAME)));
    free(dir);
    free(signature);
    free(text);
    end(&fixture);
}

static void a_signature_that_is_coming_counts(void **state)
{
    struct fixture fixture = begin(*state);
    char *text = text_of(&fixture, THERE), *signature = sign(&fixture, fixture.ada, text);
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256(text, strlen(text), hex, NULL), MODEL_OK);
    char *coming = text_format(".metadata.json.%s.minisig", hex);
    put_text(in_folder(fixture.dir, coming), signature);
    assert_false(store_package_is_signed(fixture.dir));
    put_text(in_folder(fixture.dir, "metadata.json"), text);
    assert_true(store_package_is_signed(fixture.dir));
    free(coming);
    free(signature);
    free(text);
    end(&fixture);
}

static void install_again(void *context)
{
    const struct fixture *fixture = context;
    char *dir = NULL;
    if (store_install(fixture->store, &fixture->manifest, &dir, NULL) != MODEL_OK)
        _exit(1);
    free(dir);
}

static void no_kill_of_a_repair_takes_the_signature(void **state)
{
    struct fixture fixture = begin(*state);
    char *text = text_of(&fixture, THERE), *signature = sign(&fixture, fixture.ada, text);
    bool died = true;
    int n_killed = 0;
    assert_int_equal(package_papers_write(fixture.dir, NULL, NULL, text, signature, NULL),
                     MODEL_OK);
    for (int n = 0; died; n++, n_killed += died) {
        struct package_papers found = {0};
        assert_int_equal(unlink(in_folder(fixture.dir, "data.txt")), 0);
        died = dies_before_step(n, install_again, &fixture);
        assert_int_equal(package_papers_read_folder(fixture.dir, &found, NULL), MODEL_OK);
        assert_string_equal(found.text, text);
        assert_string_equal(found.signature, signature);
        package_papers_finish(&found);
        install_again(&fixture);
        assert_int_equal(store_verify_package(fixture.dir, NULL, NULL, NULL), MODEL_OK);
    }
    assert_true(n_killed > 5);
    free(signature);
    free(text);
    end(&fixture);
}

/* ---- somebody signs while the package is installed */

static struct {
    const char *dir, *text, *signature;
    int at_call, n_calls; /* of flock() */
    bool is_watching, has_signed;
} signer;

/* He writes as everybody does: with the lock, which he has to wait for while the install has it. */
static void sign_meanwhile(void)
{
    signer.is_watching = false;
    const int lock = papers_lock_try(signer.dir);
    signer.has_signed = lock >= 0;
    if (lock >= 0)
        assert_int_equal(
            package_papers_replace(signer.dir, lock, NULL, signer.text, signer.signature, NULL),
            MODEL_OK);
    papers_lock_release(lock);
    signer.is_watching = true;
}

int flock(int fd, int operation)
{
    if (signer.is_watching && signer.n_calls++ == signer.at_call)
        sign_meanwhile();
    return (int)syscall(SYS_flock, fd, operation);
}

static void a_signature_that_is_made_meanwhile_stays(void **state)
{
    struct fixture fixture = begin(*state);
    char *text = text_of(&fixture, THERE), *signature = sign(&fixture, fixture.ada, text);
    char *given = text_of(&fixture, GIVEN);
    const struct store_papers unsigned_papers = {given, NULL, &fixture.keys};
    int n_signed = 0;
    signer.dir = fixture.dir;
    signer.text = text;
    signer.signature = signature;
    for (signer.at_call = 0, signer.n_calls = 1; signer.n_calls > signer.at_call;
         signer.at_call++) {
        struct package_papers found = {0};
        char *dir = NULL;
        assert_int_equal(package_papers_write(fixture.dir, NULL, NULL, given, NULL, NULL),
                         MODEL_OK);
        signer.n_calls = 0;
        signer.has_signed = false;
        signer.is_watching = true;
        const model_status status = store_install_signed(fixture.store, &fixture.manifest,
                                                         &unsigned_papers, NULL, &dir, NULL);
        signer.is_watching = false;
        assert_int_equal(status, MODEL_OK);
        assert_int_equal(package_papers_read_folder(dir, &found, NULL), MODEL_OK);
        if (signer.has_signed && (found.signature == NULL || strcmp(found.signature, signature)))
            fail_msg("the signature of call %d is gone", signer.at_call);
        n_signed += signer.has_signed;
        package_papers_finish(&found);
        free(dir);
    }
    assert_true(n_signed >= 2);
    free(given);
    free(signature);
    free(text);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(what_is_signed_better_stays),
        FOLDER_TEST(the_same_papers_are_not_written_again),
        FOLDER_TEST(a_damaged_manifest_is_the_signed_one_again),
        FOLDER_TEST(without_its_manifest_a_signature_is_kept_beside),
        FOLDER_TEST(a_signature_that_is_coming_counts),
        FOLDER_TEST(no_kill_of_a_repair_takes_the_signature),
        FOLDER_TEST(a_signature_that_is_made_meanwhile_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
