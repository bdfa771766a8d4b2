/* test_worker_sandbox.c - what goes on in the sandbox of workers, and the limits there. Each case is a child
 * that enters it and tries; what is refused is in test_worker_seccomp.c. */
#include "worker_sandbox.h"
#include "in_sandbox.h"
#include "parallel.h"
#include "worker_seccomp.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1 /* terabytes of addresses are taken */
#else
#define IS_SANITIZED 0
#endif

static int inherited[2]; /* a pair of sockets that is made outside */

/* ---- what works: each returns 0 */

static void *add_one(void *argument)
{
    atomic_fetch_add((atomic_int *)argument, 1);
    return NULL;
}

static int runs_threads(void)
{
    atomic_int n = 0;
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, add_one, &n) != 0)
            return 1;
    for (int i = 0; i < 8; i++)
        (void)pthread_join(threads[i], NULL);
    return n != 8;
}

static void add_index(void *argument, size_t index)
{
    atomic_fetch_add((atomic_int *)argument, (int)index);
}

static int runs_openmp(void)
{
    atomic_int sum = 0;
    parallel_run(2, 100, add_index, &sum);
    return sum != 4950;
}

static int reads_files(void)
{
    char text[5];
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    return fd < 0 || read(fd, text, sizeof text) != 5 || memcmp(text, "Name:", 5) != 0;
}

static int opens_a_library(void)
{
    return dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL) == NULL;
}

static int talks_on_what_was_open(void)
{
    char text[4] = "";
    return send(inherited[0], "ping", 4, 0) != 4 || recv(inherited[1], text, 4, 0) != 4 ||
           memcmp(text, "ping", 4) != 0;
}

static int signals_itself(void)
{
    return kill(getpid(), 0) != 0 || pthread_kill(pthread_self(), 0) != 0;
}

static int asks_for_its_limits(void)
{
    struct rlimit core, files;
    return getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0 ||
           getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max > 1024;
}

static int maps_memory(void)
{
    const size_t size_bytes = (size_t)4 << 20;
    char *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    memset(memory, 1, size_bytes);
    return mprotect(memory, size_bytes, PROT_READ | PROT_EXEC) != 0; /* as oneDNN does */
}

#ifdef __linux__
static int shares_memory(void)
{
    const int fd = memfd_create("segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd < 0 || ftruncate(fd, 8192) != 0 ||
           mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ||
           fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
           open(path, O_RDONLY | O_CLOEXEC) < 0;
}
static int makes_events(void)
{
    return eventfd(0, EFD_CLOEXEC) < 0;
}
static int has_no_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
}
static int cannot_shut_root_out(void)
{
    /* Changing the root folder of a process needs a capability; the filter refuses it, too. */
    return chroot("/") == 0;
}
#endif

static const struct {
    const char *name;
    int (*act)(void);
} allowed[] = {
    {"threads", runs_threads},
    {"OpenMP", runs_openmp},
    {"reading", reads_files},
    {"dlopen", opens_a_library},
    {"inherited sockets", talks_on_what_was_open},
    {"signals to itself", signals_itself},
    {"limits", asks_for_its_limits},
    {"memory", maps_memory},
#ifdef __linux__
    {"shared memory", shares_memory},
    {"events", makes_events},
    {"no privileges", has_no_privileges},
    {"no chroot", cannot_shut_root_out},
#endif
};

static void run_what_is_allowed(void)
{
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        const int code = code_inside(allowed[i].act);
        if (code != 0)
            fail_msg("%s: ended with %d", allowed[i].name, code);
    }
}

static void what_plugins_need_works(void **state)
{
    (void)state;
    run_what_is_allowed();
}

static void it_works_for_ordinary_users(void **state)
{
    (void)state;
    if (getuid() != 0)
        SKIP_BECAUSE("the tests run as an ordinary user anyway");
    user_of_child = 65534;
    run_what_is_allowed();
    user_of_child = 0;
}

/* ---- ends and limits */

static int aborts(void)
{
    abort();
}
static int crashes(void)
{
    (void)signal(SIGSEGV, SIG_DFL); /* the frame of the tests catches it */
    return raise(SIGSEGV);
}

static void crashes_keep_their_names_and_leave_no_core(void **state)
{
    (void)state;
    const int aborted = inside(aborts), crashed = inside(crashes);
    assert_true(WIFSIGNALED(aborted) && WTERMSIG(aborted) == SIGABRT);
    assert_false(WCOREDUMP(aborted));
    assert_true(WIFSIGNALED(crashed) && WTERMSIG(crashed) == SIGSEGV);
}

static int takes_memory(void)
{
    size_t n_mb = 0;
    while (n_mb < 4096) {
        void *memory = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0);
        if (memory == MAP_FAILED)
            return errno == ENOMEM ? 0 : 2;
        n_mb++;
    }
    return 1;
}

static void memory_ends_at_its_limit(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        SKIP_BECAUSE("a sanitizer takes more addresses than any limit");
    const struct worker_limits limits = {.memory_bytes = (uint64_t)1 << 30};
    limits_of_child = &limits;
    const int code = code_inside(takes_memory), threads = code_inside(runs_threads);
    limits_of_child = NULL;
    assert_int_equal(code, 0);
    assert_int_equal(threads, 0);
    const struct worker_limits none = {.memory_bytes = 4096};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(worker_sandbox_enter(&none, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "the worker's sandbox: a memory limit of 0 MB is not"));
}

static int opens_many(void)
{
    int n = 0;
    while (n < 100 && open("/", O_RDONLY) >= 0)
        n++;
    return n < 100 && errno == EMFILE ? 0 : 1;
}

static void descriptors_end_at_their_limit(void **state)
{
    (void)state;
    const struct worker_limits limits = {.max_open_files = 64};
    limits_of_child = &limits;
    const int code = code_inside(opens_many);
    limits_of_child = NULL;
    assert_int_equal(code, 0);
}

#ifdef __linux__
static int grows_a_file(void)
{
    const int fd = memfd_create("large", MFD_CLOEXEC);
    return ftruncate(fd, 4096) != 0 ? 1 : ftruncate(fd, 1 << 20) == 0 ? 2 : 3;
}

static void files_end_at_their_limit(void **state)
{
    (void)state;
    const struct worker_limits limits = {.max_file_bytes = 65536};
    limits_of_child = &limits;
    const int code = code_inside(grows_a_file);
    limits_of_child = NULL;
    assert_int_equal(code, 1000 + SIGXFSZ);
}

#endif

#ifdef __linux__
static int is_no_volunteer(void)
{
    int score = 0;
    FILE *file = fopen("/proc/self/oom_score_adj", "re");
    return file == NULL || fscanf(file, "%d", &score) != 1 || score < 500;
}

static void it_ends_before_its_host_when_memory_is_short(void **state)
{
    (void)state;
    assert_int_equal(code_inside(is_no_volunteer), 0);
}

static int makes_a_file_behind_the_barrier(void)
{
    const int before = memfd_create("before", MFD_CLOEXEC);
    if (before < 0 || worker_sandbox_before_plugin(NULL) != MODEL_OK ||
        worker_sandbox_before_plugin(NULL) != MODEL_OK)
        return 1000;
    return TRY(memfd_create("behind", MFD_CLOEXEC));
}

static void no_memory_with_a_descriptor_is_made_by_a_plugin(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    assert_int_equal(code_inside(makes_a_file_behind_the_barrier), ENOSYS);
}

/* Of the same user, with everything that its parent has not given up. */
static int looks_into_its_parent(void)
{
    static const char *const names[] = {"mem", "environ", "maps", "fd/0"};
    for (int i = 0; i < 4; i++) {
        char path[60];
        (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)getppid(), names[i]);
        if (TRY(open(path, O_RDONLY | O_CLOEXEC)) != EACCES)
            return i + 1;
    }
    return 0;
}

static int is_looked_into(bool in_sandbox)
{
    const pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent ==
        0) { /* one that has no more rights than its child, and lets itself be looked into */
        if ((getuid() == 0 && setresuid(65534, 65534, 65534) != 0) ||
            prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
            _exit(201);
        if (in_sandbox)
            _exit(code_inside(looks_into_its_parent));
        const pid_t child = fork();
        if (child == 0)
            _exit(looks_into_its_parent());
        int ended = 0;
        _exit(waitpid(child, &ended, 0) == child ? WEXITSTATUS(ended) : 202);
    }
    int wait_status = 0;
    assert_int_equal(waitpid(parent, &wait_status, 0), parent);
    return WEXITSTATUS(wait_status);
}

static void its_host_is_not_to_be_looked_into(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) < 1)
        SKIP_BECAUSE("a kernel without Landlock");
    assert_int_equal(is_looked_into(false), 1); /* else it says nothing */
    assert_int_equal(is_looked_into(true), 0);
}

/* Helpers are moved by themselves, within the next region. */
static void note_cpus(void *argument, size_t index)
{
    cpu_set_t cpus;
    if (gettid() != getpid() && sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        atomic_store((atomic_int *)argument, CPU_COUNT(&cpus));
    (void)index;
}

static int count_cpus_of_helper(void)
{
    atomic_int n = 0;
    while (atomic_load(&n) == 0) /* until the helper has got an item */
        parallel_run(2, 64, note_cpus, &n);
    return atomic_load(&n);
}

static int spreads_its_helpers(void)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2)
        return 0;
    const struct parallel_team own = parallel_lend_thread(2);
    const int before = count_cpus_of_helper();
    parallel_spread();
    const int spread = count_cpus_of_helper();
    parallel_return_thread(own);
    return before != CPU_COUNT(&all) ? 1 : spread != before - 1 ? 2 : 0;
}

static void helpers_keep_off_their_owners_processor(void **state)
{
    (void)state;
    assert_int_equal(code_inside(spreads_its_helpers), 0);
}
#endif

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, inherited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_plugins_need_works),
        cmocka_unit_test(it_works_for_ordinary_users),
        cmocka_unit_test(crashes_keep_their_names_and_leave_no_core),
        cmocka_unit_test(memory_ends_at_its_limit),
        cmocka_unit_test(descriptors_end_at_their_limit),
#ifdef __linux__
        cmocka_unit_test(files_end_at_their_limit),
        cmocka_unit_test(no_memory_with_a_descriptor_is_made_by_a_plugin),
        cmocka_unit_test(it_ends_before_its_host_when_memory_is_short),
        cmocka_unit_test(its_host_is_not_to_be_looked_into),
        cmocka_unit_test(helpers_keep_off_their_owners_processor),
#endif
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
