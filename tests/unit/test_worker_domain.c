/* test_worker_domain.c - what may be opened in the Landlock domain of workers, host/workers/worker_domain.c. Each case is a
 * child that enters it and tries. That it sees nothing of its host is in test_worker_sandbox.c. */
#include "worker_domain.h"
#include "files.h"
#include "in_sandbox.h"

#ifdef __linux__
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const char *path; /* of a case that is one of several */

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);
}

static int opens_it(void)
{
    return TRY(open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

static void devices_are_not_opened(void **state)
{
    static const char *const devices[] = {"/dev/tty", "/dev/ptmx", "/dev/fuse",
                                          "/dev/kvm", "/dev/vda",  "/proc/self/root/dev/ptmx"};
    (void)state;
    if (landlock_version() < 1)
        SKIP_BECAUSE("a kernel without Landlock");
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        path = devices[i];
        const int code = access(path, R_OK) == 0 ? code_inside(opens_it) : EACCES;
        if (code != EACCES)
            fail_msg("%s: ended with %d, want errno %d", path, code, EACCES);
    }
}

static void everything_else_is(void **state)
{
    static const char *const files[] = {"/dev/null", "/dev/zero",    "/dev/urandom",
                                        "/",         "/etc/passwd",  "/proc/self/status",
                                        "/usr",      "/proc/cpuinfo"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        path = files[i];
        const int code = code_inside(opens_it);
        if (code != 0)
            fail_msg("%s: ended with errno %d", path, code);
    }
    char *dir = scratch_dir();
    char *file = path_join(dir, "weights");
    write_file(file, "x", 1);
    path = file;
    assert_int_equal(code_inside(opens_it), 0);
    free(file);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

/* ---- a folder that may be changed */

static char *own, *other; /* folders, the first of which may be */

static char *below(const char *folder, const char *name)
{
    static char paths[2][512];
    static int n;
    char *path_below = paths[n++ % 2];
    (void)snprintf(path_below, sizeof paths[0], "%s/%s", folder, name);
    return path_below;
}

static int makes_folders(void)
{
    return TRY(mkdir(below(own, "new"), 0777));
}
static int makes_files_of_its_own(void)
{
    struct stat info;
    const int fd = open(below(own, "new"), O_WRONLY | O_CREAT | O_EXCL, 0666);
    return fd < 0                                            ? errno
           : write(fd, "x", 1) != 1 || fstat(fd, &info) != 0 ? 1
                                                             : (info.st_mode & 077) != 0;
}
static int writes_over_files(void)
{
    return TRY(open(below(own, "file"), O_RDWR | O_TRUNC));
}
static int renames_folders(void)
{
    return TRY(rename(below(own, "folder"), below(own, "renamed")));
}
static int removes_files(void)
{
    return TRY(unlink(below(own, "file")));
}
static int removes_folders(void)
{
    return TRY(rmdir(below(own, "folder")));
}

static int makes_folders_elsewhere(void)
{
    return TRY(mkdir(below(other, "new"), 0777));
}
static int makes_files_elsewhere(void)
{
    return TRY(open(below(other, "new"), O_WRONLY | O_CREAT, 0666));
}
static int writes_to_files_elsewhere(void)
{
    return TRY(open(below(other, "file"), O_WRONLY));
}
static int empties_files_elsewhere(void)
{
    return TRY(open(below(other, "file"), O_RDONLY | O_TRUNC));
}
static int writes_through_its_descriptors(void)
{
    char name[40];
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", open(below(other, "file"), O_RDONLY));
    return TRY(open(name, O_WRONLY));
}
static int removes_files_elsewhere(void)
{
    return TRY(unlink(below(other, "file")));
}
static int removes_folders_elsewhere(void)
{
    return TRY(rmdir(below(other, "folder")));
}
static int renames_elsewhere(void)
{
    return TRY(rename(below(other, "folder"), below(other, "renamed")));
}
static int moves_out(void)
{
    return TRY(rename(below(own, "folder"), below(other, "moved")));
}
static int moves_in(void)
{
    return TRY(rename(below(other, "file"), below(own, "moved")));
}
static int removes_the_folder_itself(void)
{
    return TRY(rename(own, below(other, "own")));
}
static int makes_links(void)
{
    return TRY(symlink("/etc/passwd", below(own, "link")));
}
static int makes_hard_links(void)
{
    return TRY(link(below(other, "file"), below(own, "link")));
}
static int makes_pipes(void)
{
    return TRY(mkfifo(below(own, "pipe"), 0600));
}
static int opens_what_it_made_to_others(void)
{
    return TRY(chmod(below(own, "file"), 0666));
}
static int sets_times_elsewhere(void)
{
    return TRY(utimensat(AT_FDCWD, below(other, "file"), NULL, 0));
}

static const struct {
    const char *name;
    int (*act)(void);
    bool is_allowed;
} changes[] = {
    {"making a folder", makes_folders, true},
    {"making a file", makes_files_of_its_own, true},
    {"writing over a file", writes_over_files, true},
    {"renaming a folder", renames_folders, true},
    {"removing a file", removes_files, true},
    {"removing a folder", removes_folders, true},
    {"making a folder elsewhere", makes_folders_elsewhere, false},
    {"making a file elsewhere", makes_files_elsewhere, false},
    {"writing to a file elsewhere", writes_to_files_elsewhere, false},
    {"emptying a file elsewhere", empties_files_elsewhere, false},
    {"writing by a descriptor", writes_through_its_descriptors, false},
    {"removing a file elsewhere", removes_files_elsewhere, false},
    {"removing a folder elsewhere", removes_folders_elsewhere, false},
    {"renaming elsewhere", renames_elsewhere, false},
    {"moving out", moves_out, false},
    {"moving in", moves_in, false},
    {"moving the folder", removes_the_folder_itself, false},
    {"a symbolic link", makes_links, false},
    {"a hard link", makes_hard_links, false},
    {"a pipe", makes_pipes, false},
    {"permissions", opens_what_it_made_to_others, false},
    {"times elsewhere", sets_times_elsewhere, false},
};

static char *filled_folder(void)
{
    char *folder = scratch_dir();
    write_file(below(folder, "file"), "x", 1);
    assert_int_equal(mkdir(below(folder, "folder"), 0777), 0);
    return folder;
}

static void remove_folder(char *folder)
{
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(folder);
}

static int code_of(int (*act)(void))
{
    own = filled_folder();
    other = filled_folder();
    const struct worker_limits limits = {.writable_folder = own};
    limits_of_child = &limits;
    const int code = code_inside(act);
    limits_of_child = NULL;
    remove_folder(own);
    remove_folder(other);
    return code;
}

static void one_folder_may_be_changed_and_no_other(void **state)
{
    (void)state;
    if (!worker_domain_confines_writing())
        SKIP_BECAUSE("a kernel whose Landlock cannot confine writing");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const int code = code_of(changes[i].act);
        const bool is_refused = code == EACCES || code == EPERM || code == EXDEV;
        if (changes[i].is_allowed ? code != 0 : !is_refused)
            fail_msg("%s ended with %d", changes[i].name, code);
    }
}

static void a_folder_that_is_not_there_keeps_everybody_out(void **state)
{
    (void)state;
    if (!worker_domain_confines_writing())
        SKIP_BECAUSE("a kernel whose Landlock cannot confine writing");
    const struct worker_limits limits = {.writable_folder = "/nowhere/compiled"};
    limits_of_child = &limits;
    assert_int_equal(code_inside(makes_folders), 200);
    limits_of_child = NULL;
}

/* The filter of system calls would refuse it before. */
static void devices_are_not_asked_for_anything(void **state)
{
    (void)state;
    if (landlock_version() < 5)
        SKIP_BECAUSE("a kernel whose Landlock knows no ioctl()");
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int flags = 0;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            worker_domain_enter(NULL, NULL) != MODEL_OK)
            _exit(200);
        _exit(TRY(ioctl(open("/dev/zero", O_RDONLY), TCGETS, &flags)));
    }
    int wait_status = 0;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(WEXITSTATUS(wait_status), EACCES);
}
#endif

int main(void)
{
#ifdef __linux__
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_not_opened),
        cmocka_unit_test(everything_else_is),
        cmocka_unit_test(devices_are_not_asked_for_anything),
        cmocka_unit_test(one_folder_may_be_changed_and_no_other),
        cmocka_unit_test(a_folder_that_is_not_there_keeps_everybody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 0;
#endif
}
