/* test_cpu_budget.c - CPU quotas of cgroups, from folders that look like them. */
#include "cpu_budget.h"
#include "files.h"
#include "testing.h"

#include <unistd.h>

/* Writes <root>/<name>/<file>. */
static void put(const char *root, const char *name, const char *file, const char *text)
{
    char *dir = path_join(root, name), *path = path_join(dir, file);
    assert_int_equal(dir_make_all(dir, NULL), MODEL_OK);
    write_file(path, text, strlen(text));
    free(dir);
    free(path);
}

static void a_v2_quota_is_rounded_up_to_cpus(void **state)
{
    (void)state;
    char *root = scratch_dir();
    put(root, "app", "cpu.max", "150000 100000\n");
    assert_int_equal(cpu_budget_of_cgroup("0::/app\n", root), 2);
    put(root, "app", "cpu.max", "5000 100000\n");
    assert_int_equal(cpu_budget_of_cgroup("0::/app\n", root), 1);
    assert_int_equal(dir_remove_all(root, NULL), MODEL_OK);
    free(root);
}

static void the_tightest_group_above_counts(void **state)
{
    (void)state;
    char *root = scratch_dir();
    put(root, "slice/app", "cpu.max", "max 100000\n");
    put(root, "slice", "cpu.max", "300000 100000\n");
    put(root, ".", "cpu.max", "800000 100000\n");
    assert_int_equal(cpu_budget_of_cgroup("0::/slice/app\n", root), 3);
    assert_int_equal(dir_remove_all(root, NULL), MODEL_OK);
    free(root);
}

static void v1_quotas_are_read_from_the_cpu_controller(void **state)
{
    (void)state;
    char *root = scratch_dir();
    put(root, "cpu/box", "cpu.cfs_quota_us", "250000\n");
    put(root, "cpu/box", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpu_budget_of_cgroup("5:memory:/box\n4:cpu,cpuacct:/box\n0::/\n", root), 3);
    put(root, "cpu/box", "cpu.cfs_quota_us", "-1\n");
    assert_int_equal(cpu_budget_of_cgroup("4:cpu,cpuacct:/box\n", root), 0);
    assert_int_equal(dir_remove_all(root, NULL), MODEL_OK);
    free(root);
}

static void no_limit_and_nonsense_mean_no_limit(void **state)
{
    (void)state;
    char *root = scratch_dir();
    static const char *const texts[] = {
        "max 100000\n", "", "x y\n", "100000 0\n", "-5 100000\n", "99999999999999999999 1\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(root, "app", "cpu.max", texts[i]);
        assert_int_equal(cpu_budget_of_cgroup("0::/app\n", root), 0);
    }
    assert_int_equal(cpu_budget_of_cgroup("", root), 0);
    assert_int_equal(cpu_budget_of_cgroup("::::\nno colons\n0::/absent\n", root), 0);
    assert_int_equal(dir_remove_all(root, NULL), MODEL_OK);
    free(root);
}

static void this_process_may_use_at_least_one_and_at_most_all(void **state)
{
    (void)state;
    assert_true(cpu_budget() >= 1);
    assert_true((long)cpu_budget() <= sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_v2_quota_is_rounded_up_to_cpus),
        cmocka_unit_test(the_tightest_group_above_counts),
        cmocka_unit_test(v1_quotas_are_read_from_the_cpu_controller),
        cmocka_unit_test(no_limit_and_nonsense_mean_no_limit),
        cmocka_unit_test(this_process_may_use_at_least_one_and_at_most_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
