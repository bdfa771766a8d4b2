/* test_host_lookup.c - a name is looked up beside its caller, whoever of the two ends first. */
#include "host_lookup.h"
#include "testing.h"

#include <sched.h>
#include <uv.h>

static uv_sem_t may_resolve, has_resolved;

static const char *held_resolver(const char *name, struct host_addresses *ret)
{
    uv_sem_wait(&may_resolve);
    ret->n = 1;
    (void)snprintf(ret->text[0], sizeof ret->text[0], "%s", name);
    uv_sem_post(&has_resolved);
    return strcmp(name, "none") == 0 ? "no such name" : NULL;
}

static int init(void **state)
{
    (void)state;
    assert_int_equal(uv_sem_init(&may_resolve, 0), 0);
    assert_int_equal(uv_sem_init(&has_resolved, 0), 0);
    return 0;
}

static enum host_lookup_state end_of(struct host_lookup *lookup, struct host_addresses *ret,
                                     const char **ret_why)
{
    enum host_lookup_state now;
    while ((now = host_lookup_poll(lookup, ret, ret_why)) == HOST_LOOKUP_PENDING)
        (void)sched_yield();
    return now;
}

static void numbers_are_addresses_and_names_are_not(void **state)
{
    (void)state;
    struct host_addresses addresses = {.n = 0};
    assert_true(host_lookup_is_address("192.0.2.7", &addresses));
    assert_int_equal(addresses.n, 1);
    assert_string_equal(addresses.text[0], "192.0.2.7");
    assert_true(host_lookup_is_address("2001:db8::1", &addresses));
    assert_string_equal(addresses.text[0], "2001:db8::1");
    assert_false(host_lookup_is_address("localhost", &addresses));
    assert_false(host_lookup_is_address("1.2.3", &addresses));
    assert_false(host_lookup_is_address("", &addresses));
}

static void a_lookup_is_pending_until_its_resolver_is_back(void **state)
{
    (void)state;
    struct host_lookup *lookup = NULL;
    struct host_addresses addresses = {.n = 0};
    const char *why = NULL;
    assert_int_equal(host_lookup_begin("name", held_resolver, &lookup, NULL), MODEL_OK);
    assert_int_equal(host_lookup_poll(lookup, &addresses, &why), HOST_LOOKUP_PENDING);
    assert_int_equal(addresses.n, 0);
    uv_sem_post(&may_resolve);
    assert_int_equal(end_of(lookup, &addresses, &why), HOST_LOOKUP_DONE);
    assert_int_equal(addresses.n, 1);
    assert_string_equal(addresses.text[0], "name");
    host_lookup_drop(lookup);
}

static void a_lookup_that_fails_says_why(void **state)
{
    (void)state;
    struct host_lookup *lookup = NULL;
    struct host_addresses addresses = {.n = 0};
    const char *why = NULL;
    uv_sem_post(&may_resolve);
    assert_int_equal(host_lookup_begin("none", held_resolver, &lookup, NULL), MODEL_OK);
    assert_int_equal(end_of(lookup, &addresses, &why), HOST_LOOKUP_FAILED);
    assert_string_equal(why, "no such name");
    assert_int_equal(addresses.n, 0);
    host_lookup_drop(lookup);
}

static void a_lookup_may_be_dropped_before_it_ends(void **state)
{
    (void)state;
    struct host_lookup *lookup = NULL;
    assert_int_equal(host_lookup_begin("name", held_resolver, &lookup, NULL), MODEL_OK);
    host_lookup_drop(lookup);
    uv_sem_post(&may_resolve);
    uv_sem_wait(&has_resolved);
    host_lookup_drop(NULL);
}

static void the_system_knows_this_machine(void **state)
{
    (void)state;
    struct host_lookup *lookup = NULL;
    struct host_addresses addresses = {.n = 0};
    const char *why = NULL;
    assert_int_equal(host_lookup_begin("localhost", NULL, &lookup, NULL), MODEL_OK);
    assert_int_equal(end_of(lookup, &addresses, &why), HOST_LOOKUP_DONE);
    assert_true(addresses.n >= 1);
    assert_true(host_lookup_is_address(addresses.text[0], &addresses));
    host_lookup_drop(lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_addresses_and_names_are_not),
        cmocka_unit_test_setup(a_lookup_is_pending_until_its_resolver_is_back, init),
        cmocka_unit_test_setup(a_lookup_that_fails_says_why, init),
        cmocka_unit_test_setup(a_lookup_may_be_dropped_before_it_ends, init),
        cmocka_unit_test(the_system_knows_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
