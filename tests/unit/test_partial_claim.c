/* test_partial_claim.c - one owner for a partial download, and what becomes of a dead one's. Time is the
 * test's; a dead process is one that was forked and waited for. */
#include "in_folder.h"

#include "partial_claim.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

static model_status claim(const struct partial_owner *owner, int64_t at_s, char **ret_dir,
                          enum partial_origin *ret_origin)
{
    return partial_claim(folder, "abc-1", owner, at_s, ret_dir, ret_origin, NULL);
}

/* The owner that a process which is gone was. */
static struct partial_owner dead_owner(void)
{
    struct partial_owner owner;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        partial_owner_init(&owner);
        _exit(write(ends[1], &owner, sizeof owner) != (ssize_t)sizeof owner);
    }
    assert_int_equal(read(ends[0], &owner, sizeof owner), sizeof owner);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    return owner;
}

static void one_alone_has_it_until_it_is_given_back(void **state)
{
    struct partial_owner first, second;
    enum partial_origin origin;
    char *dir = NULL, *other = NULL;
    (void)state;
    partial_owner_init(&first);
    partial_owner_init(&second);
    assert_string_not_equal(first.name, second.name);
    assert_int_equal(claim(&first, now_s(), &dir, &origin), MODEL_OK);
    assert_int_equal(origin, PARTIAL_NEW);
    assert_int_equal(claim(&second, now_s(), &other, &origin), MODEL_BUSY);
    partial_release(folder, "abc-1", dir);
    assert_int_equal(claim(&second, now_s(), &other, &origin), MODEL_OK);
    assert_int_equal(origin, PARTIAL_KEPT);
    partial_remove(other);
    assert_int_equal(n_names_in(in_folder("partial")), 0);
}

static void a_link_in_its_place_is_not_written_through(void **state)
{
    struct partial_owner owner;
    enum partial_origin origin;
    struct stat info;
    char *dir = NULL;
    (void)state;
    assert_int_equal(mkdir(in_folder("partial"), 0755) | mkdir(in_folder("mine"), 0755), 0);
    assert_int_equal(symlink(in_folder("mine"), in_folder("partial/abc-1")), 0);
    partial_owner_init(&owner);
    assert_int_equal(claim(&owner, now_s(), &dir, &origin), MODEL_OK);
    assert_int_equal(origin, PARTIAL_NEW);
    assert_int_equal(lstat(dir, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    partial_remove(dir);
    assert_int_equal(n_names_in(in_folder("partial")), 0);
}

static void keys_are_apart(void **state)
{
    struct partial_owner owner;
    enum partial_origin origin;
    char *dir = NULL, *other = NULL;
    (void)state;
    partial_owner_init(&owner);
    assert_int_equal(claim(&owner, now_s(), &dir, &origin), MODEL_OK);
    assert_int_equal(partial_claim(folder, "abc-12", &owner, now_s(), &other, &origin, NULL),
                     MODEL_OK);
    partial_remove(dir);
    partial_remove(other);
}

static void a_dead_ones_is_taken_over(void **state)
{
    struct partial_owner dead = dead_owner(), self;
    enum partial_origin origin;
    char *dir = NULL;
    (void)state;
    partial_owner_init(&self);
    assert_int_equal(claim(&dead, now_s(), &dir, &origin), MODEL_OK);
    write_file(in_folder("note"), "x", 1);
    free(dir);
    assert_int_equal(claim(&self, now_s(), &dir, &origin), MODEL_OK);
    assert_int_equal(origin, PARTIAL_KEPT);
    assert_int_equal(n_names_in(in_folder("partial")), 1);
    partial_remove(dir);
}

static void a_silent_ones_is_taken_over_to_be_copied(void **state)
{
    struct partial_owner owner, self;
    enum partial_origin origin;
    char *dir = NULL, *own = NULL;
    (void)state;
    partial_owner_init(&owner);
    partial_owner_init(&self);
    assert_int_equal(claim(&owner, now_s(), &dir, &origin), MODEL_OK);
    int64_t later_s = now_s() + PARTIAL_SILENT_S + 5;
    assert_int_equal(claim(&self, later_s - 20, &own, &origin), MODEL_BUSY);
    assert_int_equal(claim(&self, later_s, &own, &origin), MODEL_OK);
    assert_int_equal(origin, PARTIAL_SPLIT);
    partial_release(folder, "abc-1", dir); /* it is not there any more */
    assert_true(path_is_dir(own));
    partial_remove(own);
}

static void owners_are_judged_by_host_boot_process_and_age(void **state)
{
    struct partial_owner self = {.name = "0000000a.0000000b.1.00000000"};
    const struct {
        const char *name;
        int64_t silent_s;
        enum partial_state want;
    } cases[] = {
        {"0000000a.0000000b.1.00000001", 0, PARTIAL_ALIVE}, /* process 1 is always there */
        {"0000000a.0000000b.1.00000001", 1000, PARTIAL_SILENT},
        {"0000000a.0000000c.1.00000001", 0, PARTIAL_DEAD},  /* before the restart */
        {"0000000f.0000000c.1.00000001", 0, PARTIAL_ALIVE}, /* another host */
        {"0000000f.0000000c.1.00000001", 1000, PARTIAL_SILENT},
        {"nonsense", 0, PARTIAL_ALIVE},
        {"nonsense", 1000, PARTIAL_SILENT},
        {"0000000a.0000000b.-1.00000001", 0, PARTIAL_ALIVE},
        {"0000000a.0000000b.99999999999999999999.0", 0, PARTIAL_ALIVE},
        {"", 1000, PARTIAL_SILENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(partial_owner_state(cases[i].name, &self, 5000, 5000 + cases[i].silent_s),
                         cases[i].want);
}

static void tidying_removes_what_nobody_has(void **state)
{
    struct partial_owner dead = dead_owner(), alive, self;
    enum partial_origin origin;
    char *dir = NULL;
    (void)state;
    partial_owner_init(&alive);
    partial_owner_init(&self);
    partial_tidy(folder, "abc-1", &self, now_s());
    assert_int_equal(claim(&dead, now_s(), &dir, &origin), MODEL_OK);
    free(dir);
    partial_tidy(folder, "abc-1", &self, now_s());
    assert_int_equal(n_names_in(in_folder("partial")), 0);
    assert_int_equal(claim(&alive, now_s(), &dir, &origin), MODEL_OK);
    partial_tidy(folder, "abc-1", &self, now_s());
    assert_true(path_is_dir(dir));
    partial_remove(dir);
}

static void the_bytes_on_disk_are_counted(void **state)
{
    struct partial_owner owner;
    enum partial_origin origin;
    char *dir = NULL;
    (void)state;
    assert_int_equal(partial_disk_bytes(folder, "abc-1"), 0);
    partial_owner_init(&owner);
    assert_int_equal(claim(&owner, now_s(), &dir, &origin), MODEL_OK);
    char *data = path_join(dir, "data");
    write_file(data, "hello", 5);
    assert_true(partial_disk_bytes(folder, "abc-1") >= 5 ||
                partial_disk_bytes(folder, "abc-1") == 0);
    assert_int_equal(partial_disk_bytes(folder, "abc"), 0);
    free(data);
    partial_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(one_alone_has_it_until_it_is_given_back),
        IN_FOLDER(a_link_in_its_place_is_not_written_through),
        IN_FOLDER(keys_are_apart),
        IN_FOLDER(a_dead_ones_is_taken_over),
        IN_FOLDER(a_silent_ones_is_taken_over_to_be_copied),
        IN_FOLDER(owners_are_judged_by_host_boot_process_and_age),
        IN_FOLDER(tidying_removes_what_nobody_has),
        IN_FOLDER(the_bytes_on_disk_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
