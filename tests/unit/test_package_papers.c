/* test_package_papers.c - manifest and signature are one thing to readers, whoever writes and wherever he is killed. What a
 * signature is of stands in it here, so that a foreign one is seen without keys. */
#include "package_papers.h"
#include "errors.h"
#include "in_folder.h"
#include "disk_steps.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- what happens when a file is opened */

static void (*at_open)(void);

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    if (at_open != NULL)
        at_open();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* ---- pairs */

struct pair {
    const char *text, *signature; /* NULL: none; of the text "x" it begins with "of x" */
};

static const struct pair changes[][2] = {
    {{"a", "of a"}, {"b", "of b"}},
    {{"a", "of a"}, {"a", "of a by another"}},
    {{"a", NULL}, {"b", "of b"}},
    {{"a", NULL}, {"a", "of a"}},
    {{"a", "of a"}, {"b", NULL}},
    {{"a", "of a"}, {"a", NULL}},
    {{NULL, "of what is gone"}, {"b", "of b"}},
    {{NULL, NULL}, {"b", NULL}},
};
#define N_CHANGES (sizeof changes / sizeof changes[0])

static void put_pair(const struct pair *pair)
{
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    if (pair->text != NULL)
        write_file(in_folder("metadata.json"), pair->text, strlen(pair->text));
    if (pair->signature != NULL)
        write_file(in_folder("metadata.json.minisig"), pair->signature, strlen(pair->signature));
}

static void write_pair(const struct pair *pair)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (package_papers_write(folder, NULL, NULL, pair->text, pair->signature, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static struct package_papers papers_of(const struct pair *pair)
{
    return (struct package_papers){.text = (char *)(uintptr_t)pair->text,
                                   .n_bytes = pair->text != NULL ? strlen(pair->text) : 0,
                                   .signature = (char *)(uintptr_t)pair->signature,
                                   .signature_bytes =
                                       pair->signature != NULL ? strlen(pair->signature) : 0};
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_pair(const struct package_papers *papers, const struct pair *pair)
{
    return same(papers->text, pair->text) && same(papers->signature, pair->signature);
}

/* The change that goes on. What was signed and will be is signed at each moment; what will not is never foreign. */
static const struct pair *before, *after;

static void expect_one_of_both(void)
{
    struct package_papers papers = {0};
    struct model_error err = MODEL_ERROR_INIT;
    const model_status status = package_papers_read_folder(folder, &papers, &err);
    if (status == MODEL_NOT_FOUND && before->text == NULL)
        return;
    if (status != MODEL_OK)
        fail_msg("%s", err.message);
    const bool is_dropped = after->signature == NULL && papers.signature == NULL;
    if (!is_pair(&papers, before) && !is_pair(&papers, after) && !is_dropped)
        fail_msg("'%s' with '%s' at step %d", papers.text,
                 papers.signature != NULL ? papers.signature : "none", disk_steps);
    package_papers_finish(&papers);
}

static void expect_pair(const struct pair *pair)
{
    struct package_papers papers = {0};
    assert_int_equal(package_papers_read_folder(folder, &papers, NULL), MODEL_OK);
    assert_true(is_pair(&papers, pair));
    package_papers_finish(&papers);
    const size_t n_old = path_is_file(in_folder(PACKAGE_OLD_SIGNATURE_NAME));
    assert_true(n_old == 0 || pair->signature == NULL);
    assert_int_equal(n_names_in(folder), n_old + (pair->signature != NULL ? 2 : 1));
}

/* ---- tests */

static void a_reader_beside_a_writer_gets_one_of_both_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CHANGES; i++) {
        before = &changes[i][0];
        after = &changes[i][1];
        put_pair(before);
        disk_steps = 0;
        disk_steps_look = expect_one_of_both;
        write_pair(after);
        disk_steps_look = NULL;
        assert_true(disk_steps > 0);
        expect_pair(after);
    }
}

static void write_after(void *context)
{
    (void)context;
    write_pair(after);
}

static void a_kill_leaves_one_of_both_pairs_and_is_settled(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CHANGES; i++) {
        bool died = true;
        before = &changes[i][0];
        after = &changes[i][1];
        for (int n = 0; died; n++) {
            put_pair(before);
            died = dies_before_step(n, write_after, NULL);
            expect_one_of_both();
            package_papers_settle(folder);
            expect_one_of_both();
            assert_true(n_names_in(folder) <= 2); /* a signature is there, or is the old one */
            write_pair(after);
            expect_pair(after);
        }
    }
}

/* The writer writes all at the reader's n-th opening of a file. */
static int n_opens, write_at_open;

static void write_meanwhile(void)
{
    if (n_opens++ != write_at_open)
        return;
    at_open = NULL;
    write_pair(after);
}

static void a_writer_beside_a_reader_leaves_him_a_pair(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CHANGES; i++) {
        before = &changes[i][0];
        after = &changes[i][1];
        for (write_at_open = 0, n_opens = 1; n_opens > 0; write_at_open++) {
            put_pair(before);
            n_opens = 0;
            at_open = write_meanwhile;
            expect_one_of_both();
            if (at_open != NULL) /* he opens no more */
                n_opens = 0;
            at_open = NULL;
        }
        assert_true(write_at_open > 2 || before->text == NULL);
    }
}

static void expect_busy(const struct pair *was, const char *message)
{
    struct model_error err = MODEL_ERROR_INIT;
    const struct package_papers papers = papers_of(was);
    assert_int_equal(package_papers_write(folder, NULL, &papers, "b", "of b", &err), MODEL_BUSY);
    if (message != NULL)
        expect_message(&err, message);
}

static void the_papers_that_were_read_must_still_be_there(void **state)
{
    (void)state;
    static const char manifest[] =
        "%s/metadata.json was replaced by another process meanwhile; try again";
    static const char signature[] =
        "%s/metadata.json.minisig was replaced by another process meanwhile; try again";
    const struct package_papers was = papers_of(&(struct pair){"a", "of a"}),
                                none = papers_of(&(struct pair){NULL, NULL});
    put_pair(&(struct pair){"a", "of a"});
    expect_busy(&(struct pair){"b", "of a"}, manifest);
    expect_busy(&(struct pair){"a", "of a by another"}, signature);
    expect_busy(&(struct pair){"a", NULL}, signature);
    expect_busy(&(struct pair){NULL, NULL}, manifest);
    expect_pair(&(struct pair){"a", "of a"});
    assert_int_equal(package_papers_write(folder, NULL, &was, "b", "of b", NULL), MODEL_OK);
    expect_pair(&(struct pair){"b", "of b"});
    put_pair(&(struct pair){"a", NULL});
    expect_busy(&(struct pair){"a", "of a"}, signature);
    assert_int_equal(unlink(in_folder("metadata.json")), 0);
    expect_busy(&(struct pair){"a", "of a"}, manifest);
    assert_int_equal(package_papers_write(folder, NULL, &none, "b", "of b", NULL), MODEL_OK);
}

static void what_can_be_no_signature_is_empty_for_who_replaces_it(void **state)
{
    (void)state;
    struct package_papers any = {0};
    struct model_error err = MODEL_ERROR_INIT;
    char *large = calloc(1, 1000000);
    put_pair(&(struct pair){"a", NULL});
    write_file(in_folder("metadata.json.minisig"), large, 1000000);
    free(large);
    assert_int_equal(package_papers_read_folder(folder, &any, &err), MODEL_CORRUPT);
    assert_int_equal(package_papers_read_any(folder, &any, &err), MODEL_OK);
    assert_true(is_pair(&any, &(struct pair){"a", ""}));
    assert_int_equal(package_papers_write(folder, NULL, &any, "a", "of a", &err), MODEL_OK);
    package_papers_finish(&any);
    expect_pair(&(struct pair){"a", "of a"});
}

#define OF_A                                                                                       \
    ".metadata.json.ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb.minisig"
#define OF_B                                                                                       \
    ".metadata.json.3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d.minisig"

static void nothing_is_settled_while_somebody_writes(void **state)
{
    (void)state;
    put_pair(&(struct pair){"b", "of a"});
    write_file(in_folder(OF_A), "of a", 4);
    write_file(in_folder(OF_B), "of b", 4);
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    package_papers_settle(folder);
    assert_int_equal(n_names_in(folder), 4);
    assert_int_equal(close(fd), 0);
    package_papers_settle(folder);
    expect_pair(&(struct pair){"b", "of b"});
    package_papers_settle(in_folder("none"));
}

static void what_is_coming_has_the_digest_of_its_manifest(void **state)
{
    (void)state;
    assert_true(package_papers_is_coming(OF_A));
    assert_false(package_papers_is_coming(OF_A "x"));
    assert_false(package_papers_is_coming(".metadata.json.ca97.minisig"));
    assert_false(package_papers_is_coming(".metadata.json.minisig"));
    assert_false(package_papers_is_coming("metadata.json.minisig"));
    put_pair(&(struct pair){"a", "of another"});
    write_file(in_folder(OF_A), "of a", 4);
    write_file(in_folder(OF_B), "of b", 4);
    struct package_papers papers = {0};
    assert_int_equal(package_papers_read_folder(folder, &papers, NULL), MODEL_OK);
    assert_true(is_pair(&papers, &(struct pair){"a", "of a"}));
    package_papers_finish(&papers);
}

static void a_signature_that_goes_is_kept_until_there_is_another(void **state)
{
    (void)state;
    struct buffer old = BUFFER_INIT(100);
    put_pair(&(struct pair){"a", "of a"});
    write_pair(&(struct pair){"b", NULL});
    write_pair(&(struct pair){"c", NULL});
    assert_int_equal(file_read(in_folder(PACKAGE_OLD_SIGNATURE_NAME), 100, &old, NULL), MODEL_OK);
    assert_string_equal(old.data, "of a");
    buffer_finish(&old);
    write_pair(&(struct pair){"c", "of c"});
    assert_false(path_is_file(in_folder(PACKAGE_OLD_SIGNATURE_NAME)));
    assert_int_equal(package_papers_keep(folder, "of x", NULL), MODEL_OK);
    assert_true(path_is_file(in_folder(PACKAGE_OLD_SIGNATURE_NAME)));
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct package_papers papers = {0};
    struct model_error err = MODEL_ERROR_INIT;
    put_pair(&(struct pair){"a", NULL});
    assert_int_equal(mkdir(in_folder("metadata.json.minisig"), 0700), 0);
    assert_int_equal(package_papers_read_folder(folder, &papers, &err), MODEL_CORRUPT);
    assert_null(papers.text);
    assert_int_equal(package_papers_read_folder(in_folder("none"), &papers, &err), MODEL_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_reader_beside_a_writer_gets_one_of_both_pairs),
        IN_FOLDER(a_kill_leaves_one_of_both_pairs_and_is_settled),
        IN_FOLDER(a_writer_beside_a_reader_leaves_him_a_pair),
        IN_FOLDER(the_papers_that_were_read_must_still_be_there),
        IN_FOLDER(what_can_be_no_signature_is_empty_for_who_replaces_it),
        IN_FOLDER(nothing_is_settled_while_somebody_writes),
        IN_FOLDER(what_is_coming_has_the_digest_of_its_manifest),
        IN_FOLDER(a_signature_that_goes_is_kept_until_there_is_another),
        IN_FOLDER(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
