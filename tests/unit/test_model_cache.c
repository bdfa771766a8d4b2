/* test_model_cache.c - what stays and what goes, on a clock of the test's own, with objects that only count. */
#include "model_cache.h"
#include "clock.h"
#include "errors.h"
#include "testing.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

static _Atomic int64_t now_ns;

static int64_t clock_of_test(void)
{
    return atomic_load(&now_ns);
}

struct object {
    _Atomic uint32_t references;
    uint64_t bytes;
    char name;
};

static struct object objects['Z' + 1]; /* by name */
static _Atomic int n_alive;

static void retain(void *object)
{
    (void)atomic_fetch_add(&((struct object *)object)->references, 1);
}

static void drop(void *object)
{
    if (atomic_fetch_sub(&((struct object *)object)->references, 1) == 1)
        (void)atomic_fetch_sub(&n_alive, 1);
}

static uint32_t references(const void *object)
{
    return atomic_load(&((const struct object *)object)->references);
}

static uint64_t bytes(const void *object)
{
    return ((const struct object *)object)->bytes;
}

static const struct model_cache_kind kind = {retain, drop, references, bytes};

static struct model_cache *make(uint32_t max_items, uint64_t max_bytes, int64_t idle_ns)
{
    const struct model_cache_limits limits = {max_items, max_bytes, idle_ns};
    struct model_cache *cache = NULL;
    atomic_store(&now_ns, 0);
    atomic_store(&n_alive, 0);
    assert_int_equal(model_cache_create(&limits, &kind, clock_of_test, &cache, NULL), MODEL_OK);
    return cache;
}

static void finish(struct model_cache *cache)
{
    model_cache_close(cache);
    model_cache_drop(cache);
    assert_int_equal(n_alive, 0);
}

static void release(struct model_cache *cache, void *object)
{
    drop(object);
    model_cache_idle(cache, object);
}

static void make_key(char name, char ret_key[SHA256_HEX_BYTES])
{
    memset(ret_key, 'a', SHA256_HEX_BYTES - 1);
    ret_key[SHA256_HEX_BYTES - 2] = name;
    ret_key[SHA256_HEX_BYTES - 1] = '\0';
}

static model_status open_object(void *context, void **ret, struct model_error *err)
{
    (void)err;
    struct object *object = context;
    assert_int_equal(object->references, 0);
    atomic_store(&object->references, 1);
    (void)atomic_fetch_add(&n_alive, 1);
    *ret = object;
    return MODEL_OK;
}

static struct object *get(struct model_cache *cache, char name)
{
    char key[SHA256_HEX_BYTES];
    void *found = NULL;
    make_key(name, key);
    objects[(size_t)name].name = name;
    assert_int_equal(model_cache_get(cache, key, open_object, &objects[(size_t)name], &found, NULL),
                     MODEL_OK);
    assert_ptr_equal(found, &objects[(size_t)name]);
    return found;
}

/* Gets each and gives it back, a nanosecond later each. */
static void touch(struct model_cache *cache, const char *names)
{
    for (; *names != '\0'; names++) {
        (void)atomic_fetch_add(&now_ns, 1);
        release(cache, get(cache, *names));
    }
}

static bool is_there(char name)
{
    return atomic_load(&objects[(size_t)name].references) > 0;
}

static void assert_there(const char *names, const char *gone)
{
    for (; *names != '\0'; names++)
        if (!is_there(*names))
            fail_msg("%c is gone", *names);
    for (; *gone != '\0'; gone++)
        if (is_there(*gone))
            fail_msg("%c is there", *gone);
}

static void the_second_get_finds_the_first_ones_object(void **state)
{
    (void)state;
    struct model_cache *cache = make(2, 0, 0);
    touch(cache, "AA");
    const struct model_cache_counters counters = model_cache_counters(cache);
    assert_int_equal(counters.misses, 1);
    assert_int_equal(counters.hits, 1);
    assert_int_equal(counters.items, 1);
    finish(cache);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct model_cache *cache = make(3, 0, 0);
    touch(cache, "ABCA");
    touch(cache, "D");
    assert_there("ACD", "B");
    touch(cache, "E");
    assert_there("ADE", "BC");
    assert_int_equal(model_cache_counters(cache).evictions, 2);
    finish(cache);
}

static void what_is_in_use_stays_whatever_the_bounds_say(void **state)
{
    (void)state;
    struct model_cache *cache = make(1, 0, 10);
    struct object *a = get(cache, 'A'), *b = get(cache, 'B'), *again = get(cache, 'A');
    assert_ptr_equal(a, again);
    (void)atomic_fetch_add(&now_ns, 1000);
    model_cache_trim(cache);
    assert_there("AB", "");
    assert_int_equal(model_cache_counters(cache).items, 2);
    release(cache, a);
    assert_there("AB", "");
    release(cache, b); /* one too many, and nobody has it */
    assert_there("A", "B");
    release(cache, again);
    assert_there("A", "");
    finish(cache);
}

static void bytes_are_bounded_by_what_objects_say_now(void **state)
{
    (void)state;
    struct model_cache *cache = make(100, 10, 0);
    objects['A'].bytes = 4;
    objects['B'].bytes = 6;
    objects['C'].bytes = 1;
    touch(cache, "AB");
    assert_there("AB", "");
    assert_int_equal(model_cache_counters(cache).bytes, 10);
    touch(cache, "C");
    assert_there("BC", "A");
    objects['B'].bytes = 10; /* it has grown */
    model_cache_trim(cache);
    assert_there("C", "AB");
    objects['A'].bytes = UINT64_MAX;
    touch(cache, "A"); /* C, and then A itself: alone it is too much */
    assert_there("", "ABC");
    memset(objects, 0, sizeof objects);
    finish(cache);
}

static void idle_time_counts_from_the_release(void **state)
{
    (void)state;
    struct model_cache *cache = make(10, 0, 100);
    struct object *a = get(cache, 'A');
    release(cache, get(cache, 'B'));
    atomic_store(&now_ns, 99);
    release(cache, a);
    assert_there("AB", "");
    atomic_store(&now_ns, 100);
    model_cache_trim(cache);
    assert_there("A", "B");
    atomic_store(&now_ns, 199);
    model_cache_trim(cache);
    assert_there("", "AB");
    finish(cache);
}

static model_status refuse(void *context, void **ret, struct model_error *err)
{
    (void)ret;
    ++*(int *)context;
    return error_set(err, MODEL_CORRUPT, "no good");
}

static void a_failure_is_told_and_not_remembered(void **state)
{
    (void)state;
    struct model_cache *cache = make(2, 0, 0);
    struct model_error err = MODEL_ERROR_INIT;
    char key[SHA256_HEX_BYTES];
    void *found = NULL;
    int n_opened = 0;
    make_key('A', key);
    for (int i = 0; i < 2; i++)
        assert_int_equal(model_cache_get(cache, key, refuse, &n_opened, &found, &err),
                         MODEL_CORRUPT);
    assert_string_equal(err.message, "no good");
    assert_int_equal(n_opened, 2);
    assert_null(found);
    touch(cache, "A");
    assert_there("A", "");
    finish(cache);
}

/* ---- several at once */

enum { N_THREADS = 4 };

struct opening {
    struct model_cache *cache;
    uv_sem_t started, go_on;
    _Atomic int n_opened;
    bool fails;
};

struct getter {
    struct opening *opening;
    uv_thread_t thread;
    model_status status;
    void *found;
    struct model_error err;
};

static model_status open_slowly(void *context, void **ret, struct model_error *err)
{
    struct opening *opening = context;
    (void)atomic_fetch_add(&opening->n_opened, 1);
    uv_sem_post(&opening->started);
    uv_sem_wait(&opening->go_on);
    return opening->fails ? error_set(err, MODEL_IO, "the disk is gone")
                          : open_object(&objects['A'], ret, err);
}

static void get_slowly(void *argument)
{
    struct getter *getter = argument;
    char key[SHA256_HEX_BYTES];
    make_key('A', key);
    getter->err.struct_size = sizeof getter->err;
    getter->status = model_cache_get(getter->opening->cache, key, open_slowly, getter->opening,
                                     &getter->found, &getter->err);
}

/* Four want the same at once: the first opens it, and goes on when the others wait. */
static void get_together(struct opening *opening, struct getter getters[N_THREADS])
{
    opening->cache = make(1, 0, 0);
    assert_int_equal(uv_sem_init(&opening->started, 0), 0);
    assert_int_equal(uv_sem_init(&opening->go_on, 0), 0);
    for (int i = 0; i < N_THREADS; i++) {
        getters[i].opening = opening;
        assert_int_equal(uv_thread_create(&getters[i].thread, get_slowly, &getters[i]), 0);
        if (i == 0)
            uv_sem_wait(&opening->started);
    }
    while (model_cache_counters(opening->cache).shared_loads < N_THREADS - 1)
        continue;
    touch(opening->cache, "B"); /* nobody waits for another's load */
    uv_sem_post(&opening->go_on);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(uv_thread_join(&getters[i].thread), 0);
    assert_int_equal(opening->n_opened, 1);
    uv_sem_destroy(&opening->started);
    uv_sem_destroy(&opening->go_on);
}

static void concurrent_loads_are_one_load(void **state)
{
    (void)state;
    struct opening opening = {.fails = false};
    struct getter getters[N_THREADS] = {{0}};
    get_together(&opening, getters);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(getters[i].status, MODEL_OK);
        assert_ptr_equal(getters[i].found, &objects['A']);
        release(opening.cache, getters[i].found);
    }
    assert_int_equal(model_cache_counters(opening.cache).misses, 2);
    finish(opening.cache);
}

static void concurrent_loads_share_the_error(void **state)
{
    (void)state;
    struct opening opening = {.fails = true};
    struct getter getters[N_THREADS] = {{0}};
    get_together(&opening, getters);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(getters[i].status, MODEL_IO);
        assert_string_equal(getters[i].err.message, "the disk is gone");
    }
    finish(opening.cache);
}

static void get_and_release(void *argument)
{
    struct model_cache *cache = argument;
    char key[SHA256_HEX_BYTES];
    make_key('C', key);
    for (int i = 0; i < 2000; i++) {
        struct object *own = calloc(1, sizeof *own);
        void *found = NULL;
        assert_int_equal(model_cache_get(cache, key, open_object, own, &found, NULL), MODEL_OK);
        assert_true(((struct object *)found)->references >= 1);
        assert_int_equal(((struct object *)found)->name, 0);
        release(cache, found);
        if (found != own)
            free(own); /* else it is the one that stays */
    }
}

static void threads_may_use_it_together(void **state)
{
    (void)state;
    uv_thread_t threads[N_THREADS];
    struct model_cache *cache = make(1, 0, 0);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(uv_thread_create(&threads[i], get_and_release, cache), 0);
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    const struct model_cache_counters counters = model_cache_counters(cache);
    assert_int_equal(counters.misses, 1);
    assert_int_equal(counters.hits + counters.shared_loads, 4 * 2000 - 1);
    char key[SHA256_HEX_BYTES];
    void *found = NULL;
    make_key('C', key);
    assert_int_equal(model_cache_get(cache, key, open_object, NULL, &found, NULL), MODEL_OK);
    release(cache, found);
    finish(cache);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_get_finds_the_first_ones_object),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(what_is_in_use_stays_whatever_the_bounds_say),
        cmocka_unit_test(bytes_are_bounded_by_what_objects_say_now),
        cmocka_unit_test(idle_time_counts_from_the_release),
        cmocka_unit_test(a_failure_is_told_and_not_remembered),
        cmocka_unit_test(concurrent_loads_are_one_load),
        cmocka_unit_test(concurrent_loads_share_the_error),
        cmocka_unit_test(threads_may_use_it_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
