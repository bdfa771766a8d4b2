/* test_scratch.c - what is in progress beside its place: the living keep it, what the killed left goes. */
#include "errors.h"
#include "in_folder.h"
#include "scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that makes one and ends without a word. */
static void leave_one_behind(const char *target, bool is_folder)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct scratch scratch = SCRATCH_NONE;
        const model_status status = is_folder ? scratch_folder(target, &scratch, NULL)
                                              : scratch_file(target, &scratch, NULL);
        char *inner = is_folder ? path_join(scratch.path, "x") : NULL;
        if (inner != NULL)
            (void)mkdir(inner, 0700);
        _exit(status == MODEL_OK ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
}

static void published_is_at_its_place_alone(void **state)
{
    (void)state;
    struct scratch scratch = SCRATCH_NONE;
    assert_int_equal(scratch_file(in_folder("a"), &scratch, NULL), MODEL_OK);
    assert_int_equal(write(scratch.fd, "one", 3), 3);
    assert_int_equal(scratch_publish(&scratch, in_folder("a"), NULL), MODEL_OK);
    scratch_discard(&scratch);
    assert_int_equal(n_names_in(folder), 1);
    assert_true(path_is_file(in_folder("a")));
    assert_int_equal(scratch_folder(in_folder("b"), &scratch, NULL), MODEL_OK);
    assert_int_equal(scratch_publish(&scratch, in_folder("b"), NULL), MODEL_OK);
    assert_int_equal(n_names_in(folder), 2);
    assert_true(path_is_dir(in_folder("b")));
}

static void discarded_is_gone(void **state)
{
    (void)state;
    struct scratch scratch = SCRATCH_NONE;
    scratch_discard(&scratch);
    assert_int_equal(scratch_folder(in_folder("b"), &scratch, NULL), MODEL_OK);
    char *inner = path_join(scratch.path, "x");
    write_file(inner, "1", 1);
    free(inner);
    scratch_discard(&scratch);
    assert_null(scratch.path);
    assert_int_equal(n_names_in(folder), 0);
}

static void sweep_removes_what_the_killed_left(void **state)
{
    (void)state;
    leave_one_behind(in_folder("a.mhp"), false);
    leave_one_behind(in_folder("a.mhp"), true);
    leave_one_behind(in_folder("a.mhp"), true);
    assert_int_equal(n_names_in(folder), 3);
    scratch_sweep(in_folder("a.mhp"));
    assert_int_equal(n_names_in(folder), 0);
}

static void the_living_are_told_from_the_dead(void **state)
{
    (void)state;
    struct scratch file = SCRATCH_NONE;
    assert_int_equal(scratch_file(in_folder("a"), &file, NULL), MODEL_OK);
    assert_int_equal(scratch_life(file.path), SCRATCH_LIVES);
    assert_int_equal(close(file.fd), 0); /* as when its process was killed */
    assert_int_equal(scratch_life(file.path), SCRATCH_DEAD);
    assert_true(path_is_file(file.path));
    file.fd = open(file.path, O_RDWR | O_CLOEXEC);
    assert_true(scratch_claim(file.path, file.fd));
    assert_int_equal(scratch_life(file.path), SCRATCH_LIVES);
    assert_int_equal(unlink(file.path), 0);
    assert_false(scratch_claim(file.path, file.fd));
    assert_int_equal(scratch_life(file.path), SCRATCH_UNKNOWN);
    assert_int_equal(mkfifo(file.path, 0600), 0);
    assert_int_equal(scratch_life(file.path), SCRATCH_UNKNOWN);
    scratch_discard(&file);
}

static void sweep_keeps_what_is_worked_on(void **state)
{
    (void)state;
    struct scratch file = SCRATCH_NONE, dir = SCRATCH_NONE;
    assert_int_equal(scratch_file(in_folder("a"), &file, NULL), MODEL_OK);
    assert_int_equal(scratch_folder(in_folder("a"), &dir, NULL), MODEL_OK);
    scratch_sweep(in_folder("a"));
    assert_true(path_is_file(file.path));
    assert_true(path_is_dir(dir.path));
    scratch_discard(&file);
    scratch_discard(&dir);
}

static void sweep_keeps_what_is_not_its_own(void **state)
{
    (void)state;
    static const char *const others[] = {".a.1.tmp",       ".a.1.2.tmp2", ".a.x.2.tmp", "a.1.2.tmp",
                                         ".a.mhp.1.2.tmp", ".ab.1.2.tmp", ".1.2.tmp",   "a"};
    const size_t n = sizeof others / sizeof others[0];
    for (size_t i = 0; i < n; i++)
        write_file(in_folder(others[i]), "1", 1);
    assert_int_equal(symlink("a", in_folder(".a.1.2.tmp")), 0);
    assert_int_equal(mkfifo(in_folder(".a.1.3.tmp"), 0600), 0);
    leave_one_behind(in_folder("b"), false);
    scratch_sweep(in_folder("a"));
    assert_int_equal(n_names_in(folder), n + 3);
    scratch_sweep(in_folder("none/a"));
}

static void its_name_says_what_it_is_for(void **state)
{
    (void)state;
    assert_true(scratch_is_name_of(".a.1.2.tmp", "a"));
    assert_true(scratch_is_name_of(".a.mhp.1.2.tmp", "a.mhp"));
    assert_false(scratch_is_name_of(".a.mhp.1.2.tmp", "a"));
    assert_false(scratch_is_name_of("a", "a"));
    assert_false(scratch_is_name_of(".a", "a"));
    assert_false(scratch_is_name_of("", "a"));
}

static void takes_the_longest_names(void **state)
{
    (void)state;
    struct scratch scratch = SCRATCH_NONE;
    char name[256], odd[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    for (size_t i = 0; i < 254; i += 2) /* the 64th byte is amid a character */
        memcpy(odd + 1 + i, "\xC3\xA4", 2);
    odd[0] = 'x';
    odd[255] = '\0';
    const char *const targets[] = {name, odd};
    for (int i = 0; i < 2; i++) {
        char *path = path_join(folder, targets[i]);
        assert_int_equal(scratch_file(path, &scratch, NULL), MODEL_OK);
        assert_int_equal(scratch_publish(&scratch, path, NULL), MODEL_OK);
        leave_one_behind(path, false);
        scratch_sweep(path);
        assert_int_equal(n_names_in(folder), i + 1);
        free(path);
    }
}

#ifdef __linux__
static int swept; /* how many new folders are to go before anybody opens them */

/* In the place of the C library's. */
int mkdir(const char *path, mode_t mode)
{
    const int code = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (code == 0 && swept > 0 && swept-- > 0)
        (void)rmdir(path);
    return code;
}

static void a_folder_that_a_sweep_took_before_it_was_locked_is_made_again(void **state)
{
    (void)state;
    struct scratch scratch = SCRATCH_NONE;
    struct model_error err = MODEL_ERROR_INIT;
    swept = 2;
    if (scratch_folder(in_folder("target"), &scratch, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(swept, 0);
    assert_true(path_is_dir(scratch.path));
    scratch_discard(&scratch);
}
#endif

static void says_what_cannot_be_created(void **state)
{
    (void)state;
    struct scratch scratch = SCRATCH_NONE;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(scratch_folder(in_folder("no/x"), &scratch, &err), MODEL_NOT_FOUND);
    expect_message(&err, "cannot create %s/no/x: No such file or directory");
    assert_null(scratch.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(published_is_at_its_place_alone),
        IN_FOLDER(discarded_is_gone),
        IN_FOLDER(sweep_removes_what_the_killed_left),
        IN_FOLDER(the_living_are_told_from_the_dead),
        IN_FOLDER(sweep_keeps_what_is_worked_on),
        IN_FOLDER(sweep_keeps_what_is_not_its_own),
        IN_FOLDER(its_name_says_what_it_is_for),
        IN_FOLDER(takes_the_longest_names),
#ifdef __linux__
        IN_FOLDER(a_folder_that_a_sweep_took_before_it_was_locked_is_made_again),
#endif
        IN_FOLDER(says_what_cannot_be_created),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
