/* What the host knows of a plugin's slots, with an instance whose slots are numbers of tokens. */
#include "hosted_instance.h"
#include "errors.h"
#include "testing.h"

#include "failing_memory.h"

enum { N_SLOTS = 3 };

struct fake {
    struct model_instance base;
    int64_t n_tokens[N_SLOTS];
    int64_t kept; /* what keep() answers; -1: all */
    bool lost;    /* keep() answers HOSTED_INSTANCE_LOST */
    model_status status;
    int n_destroyed;
};

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct fake *fake = (struct fake *)self;
    if (fake->status != MODEL_OK)
        return error_set(err, fake->status, "fake: no");
    assert_in_range(n_tokens, 0, fake->n_tokens[from]);
    *ret_kept = fake->kept >= 0 ? fake->kept : n_tokens;
    fake->n_tokens[to] = fake->lost ? 0 : *ret_kept;
    if (fake->lost)
        *ret_kept = HOSTED_INSTANCE_LOST;
    return MODEL_OK;
}

static void destroy(struct model_instance *self)
{
    ((struct fake *)self)->n_destroyed++;
}

static struct fake make_fake(void)
{
    return (struct fake){
        .base = {.struct_size = sizeof(struct model_instance), .destroy = destroy, .keep = keep},
        .kept = -1};
}

static struct hosted_instance *host(struct fake *fake)
{
    struct hosted_instance *instance = NULL;
    assert_int_equal(hosted_instance_create(&fake->base, N_SLOTS, &instance, NULL), MODEL_OK);
    return instance;
}

static void read_ids(struct hosted_instance *instance, struct fake *fake, uint32_t slot,
                     const int64_t *ids, size_t n)
{
    assert_int_equal(hosted_instance_read(instance, slot, ids, n, NULL), MODEL_OK);
    fake->n_tokens[slot] += (int64_t)n;
}

static void a_slot_is_known_by_what_it_has_read(void **state)
{
    (void)state;
    const int64_t ids[] = {5, 6, 7, 8, 9};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    size_t common = 99;
    assert_int_equal(hosted_instance_best_slot(instance, ids, 5, &common), 0);
    assert_int_equal(common, 0);
    read_ids(instance, &fake, 1, ids, 2);
    read_ids(instance, &fake, 2, ids, 3);
    read_ids(instance, &fake, 1, ids + 3, 1); /* 5 6 8 */
    assert_int_equal(hosted_instance_common(instance, 1, ids, 5), 2);
    assert_int_equal(hosted_instance_best_slot(instance, ids, 5, &common), 2);
    assert_int_equal(common, 3);
    assert_int_equal(hosted_instance_common(instance, 2, ids, 2), 2);
    assert_int_equal(hosted_instance_common(instance, 2, ids + 1, 4), 0);
    hosted_instance_destroy(instance);
    assert_int_equal(fake.n_destroyed, 1);
}

static void keeping_rewinds_forks_and_clears_the_history_too(void **state)
{
    (void)state;
    int64_t ids[1000];
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    size_t kept = 0;
    for (int64_t i = 0; i < 1000; i++)
        ids[i] = i;
    read_ids(instance, &fake, 0, ids, 1000);
    assert_int_equal(hosted_instance_keep(instance, 2, 0, 700, &kept, &err), MODEL_OK);
    assert_int_equal(kept, 700);
    assert_int_equal(hosted_instance_common(instance, 2, ids, 1000), 700);
    assert_int_equal(hosted_instance_common(instance, 0, ids, 1000), 1000);
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 10, &kept, &err), MODEL_OK);
    assert_int_equal(hosted_instance_common(instance, 0, ids, 1000), 10);
    assert_int_equal(hosted_instance_keep(instance, 2, 2, 0, &kept, &err), MODEL_OK);
    assert_int_equal(hosted_instance_common(instance, 2, ids, 1000), 0);
    hosted_instance_destroy(instance);
}

static void a_plugin_that_cannot_rewind_keeps_nothing(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    size_t kept = 99;
    read_ids(instance, &fake, 0, ids, 3);
    fake.kept = 0;
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 2, &kept, &err), MODEL_OK);
    assert_int_equal(kept, 0);
    assert_int_equal(hosted_instance_common(instance, 0, ids, 3), 0);
    hosted_instance_destroy(instance);
}

static void half_of_what_was_asked_for_is_a_plugins_mistake(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    size_t kept = 99;
    read_ids(instance, &fake, 0, ids, 3);
    fake.kept = 1;
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 2, &kept, &err), MODEL_INTERNAL);
    assert_string_equal(err.message, "plugin: keep() of 2 tokens kept 1");
    fake.status = MODEL_IO;
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 2, &kept, &err), MODEL_IO);
    assert_string_equal(err.message, "fake: no");
    assert_int_equal(kept, 99);
    /* What the slot holds is not known any more. */
    assert_int_equal(hosted_instance_common(instance, 0, ids, 3), 0);
    hosted_instance_destroy(instance);
}

static void forgetting_leaves_the_other_slots(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    for (uint32_t slot = 0; slot < N_SLOTS; slot++)
        read_ids(instance, &fake, slot, ids, 2);
    hosted_instance_forget(instance, 0);
    hosted_instance_forget(instance, 1);
    assert_int_equal(hosted_instance_common(instance, 0, ids, 2), 0);
    assert_int_equal(hosted_instance_common(instance, 1, ids, 2), 0);
    assert_int_equal(hosted_instance_common(instance, 2, ids, 2), 2);
    hosted_instance_forget(instance, 2);
    assert_int_equal(hosted_instance_common(instance, 2, ids, 2), 0);
    hosted_instance_destroy(instance);
}

static const struct model_error no_error = MODEL_ERROR_INIT;

/* Takes a slot for the ids, which must be `slot` and keep `kept` of them, and reads the others. */
static void take(struct hosted_instance *instance, struct fake *fake, const int64_t *ids, size_t n,
                 uint32_t slot, size_t kept)
{
    struct model_error err = no_error;
    uint32_t found = 99;
    size_t n_kept = 99;
    assert_int_equal(hosted_instance_take_slot(instance, ids, n, &found, &n_kept, &err), MODEL_OK);
    assert_int_equal(found, slot);
    assert_int_equal(n_kept, kept);
    assert_int_equal(fake->n_tokens[found], (int64_t)kept);
    read_ids(instance, fake, found, ids + kept, n - kept);
}

static void a_text_goes_on_in_the_slot_that_has_read_it(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8}, other[] = {1, 2, 9, 9, 9, 9};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    take(instance, &fake, ids, 5, 0, 0);
    hosted_instance_release_slots(instance);
    take(instance, &fake, ids, 8, 0, 5);
    hosted_instance_release_slots(instance);
    take(instance, &fake, other, 6, 1, 2); /* a copy: six tokens would be lost for two */
    hosted_instance_release_slots(instance);
    take(instance, &fake, ids, 4, 0, 4); /* a rewind: four for four */
    hosted_instance_destroy(instance);
}

static void slots_that_are_taken_are_left_alone(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3}, other[] = {7, 8, 9};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    uint32_t slot = 99;
    size_t kept = 99;
    take(instance, &fake, ids, 3, 0, 0);
    take(instance, &fake, ids, 3, 1, 3); /* a copy of a taken one */
    take(instance, &fake, other, 3, 2, 0);
    assert_int_equal(hosted_instance_take_slot(instance, ids, 3, &slot, &kept, &err),
                     MODEL_INTERNAL);
    assert_string_equal(err.message, "all 3 slots are taken");
    assert_int_equal(slot, 99);
    hosted_instance_release_slot(instance, 1);
    take(instance, &fake, other, 3, 1, 3);
    assert_int_equal(hosted_instance_common(instance, 0, ids, 3), 3);
    hosted_instance_destroy(instance);
}

static void the_least_recently_used_slot_is_written_over(void **state)
{
    (void)state;
    const int64_t ids[4][2] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    for (uint32_t i = 0; i < 3; i++) {
        take(instance, &fake, ids[i], 2, i, 0);
        hosted_instance_release_slots(instance);
    }
    take(instance, &fake, ids[0], 2, 0, 2);
    hosted_instance_release_slots(instance);
    take(instance, &fake, ids[3], 2, 1, 0);
    hosted_instance_forget(instance, 2); /* what is not known goes first */
    hosted_instance_release_slots(instance);
    take(instance, &fake, ids[1], 2, 2, 0);
    hosted_instance_destroy(instance);
}

static void trimming_leaves_the_most_recently_used(void **state)
{
    (void)state;
    const int64_t ids[3][2] = {{1, 1}, {2, 2}, {3, 3}};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    for (uint32_t i = 0; i < 3; i++)
        take(instance, &fake, ids[i], 2, i, 0);
    assert_int_equal(hosted_instance_trim(instance, 0, &err), MODEL_OK); /* all are taken */
    assert_int_equal(fake.n_tokens[0], 2);
    hosted_instance_release_slots(instance);
    hosted_instance_forget(instance, 2);
    assert_int_equal(hosted_instance_trim(instance, 1, &err), MODEL_OK);
    assert_int_equal(fake.n_tokens[0], 0);
    assert_int_equal(fake.n_tokens[1], 2);
    assert_int_equal(fake.n_tokens[2], 0); /* unknown, so of no use */
    assert_int_equal(hosted_instance_common(instance, 1, ids[1], 2), 2);
    hosted_instance_destroy(instance);
}

static void a_memory_that_never_rewinds_is_found_whole_only(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    size_t common = 99;
    read_ids(instance, &fake, 0, ids, 3);
    fake.kept = 0;
    assert_false(hosted_instance_can_rewind(instance, 0));
    assert_int_equal(fake.n_tokens[0], 3); /* it was tried on a copy */
    (void)hosted_instance_best_slot(instance, ids, 2, &common);
    assert_int_equal(common, 0);
    (void)hosted_instance_best_slot(instance, ids, 4, &common);
    assert_int_equal(common, 3);
    hosted_instance_destroy(instance);
}

static void a_memory_that_rewinds_is_asked_once(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    read_ids(instance, &fake, 1, ids, 3);
    assert_true(hosted_instance_can_rewind(instance, 1));
    fake.status = MODEL_IO; /* not asked again */
    assert_true(hosted_instance_can_rewind(instance, 1));
    hosted_instance_destroy(instance);
}

static void what_a_lost_process_kept_says_nothing_of_rewinding(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    size_t kept = 99;
    read_ids(instance, &fake, 0, ids, 3);
    fake.lost = true;
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 2, &kept, &err), MODEL_INTERNAL);
    read_ids(instance, &fake, 0, ids, 3);
    instance->is_in_worker = true; /* only there it means something */
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 2, &kept, &err), MODEL_OK);
    assert_int_equal(kept, 0);
    assert_int_equal(instance->rewinds, SLOT_REWINDS_UNKNOWN);
    assert_int_equal(hosted_instance_common(instance, 0, ids, 4), 0);
    fake.lost = false;
    read_ids(instance, &fake, 0, ids, 3);
    assert_int_equal(hosted_instance_keep(instance, 0, 0, 2, &kept, &err), MODEL_OK);
    assert_int_equal(instance->rewinds, SLOT_REWINDS);
    hosted_instance_destroy(instance);
}

static void where_a_copy_fails_nothing_is_rewound_and_nothing_lost(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4};
    struct fake fake = make_fake();
    struct hosted_instance *instance = host(&fake);
    read_ids(instance, &fake, 0, ids, 3);
    fake.status = MODEL_OUT_OF_MEMORY;
    assert_false(hosted_instance_can_rewind(instance, 0));
    assert_int_equal(hosted_instance_common(instance, 0, ids, 4), 3);
    assert_int_equal(fake.n_tokens[0], 3);
    fake.status = MODEL_OK; /* it is not known yet, so asked again */
    assert_true(hosted_instance_can_rewind(instance, 0));
    hosted_instance_destroy(instance);
}

static void what_is_to_be_forgotten_is_forgotten_where_clearing_fails(void **state)
{
    (void)state;
    const int64_t ids[3][2] = {{1, 1}, {2, 2}, {3, 3}};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    for (uint32_t i = 0; i < 3; i++)
        take(instance, &fake, ids[i], 2, i, 0);
    hosted_instance_forget_oldest(instance, 0); /* all are taken */
    assert_int_equal(hosted_instance_common(instance, 0, ids[0], 2), 2);
    hosted_instance_release_slots(instance);
    hosted_instance_forget_oldest(instance, 2);
    assert_int_equal(hosted_instance_common(instance, 0, ids[0], 2), 0);
    assert_int_equal(hosted_instance_common(instance, 1, ids[1], 2), 2);
    assert_int_equal(fake.n_tokens[0], 2); /* the plugin was not asked */
    fake.status = MODEL_IO;
    assert_int_equal(hosted_instance_trim(instance, 0, &err), MODEL_IO);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(hosted_instance_common(instance, i, ids[i], 2), 0);
    fake.status = MODEL_OK;
    take(instance, &fake, ids[2], 2, 0, 0); /* cleared when it is taken */
    assert_int_equal(fake.n_tokens[0], 2);
    hosted_instance_destroy(instance);
}

static void without_memory_a_history_is_forgotten(void **state)
{
    (void)state;
    const int64_t ids[1000] = {1, 2};
    struct fake fake = make_fake();
    struct model_error err = MODEL_ERROR_INIT;
    struct hosted_instance *instance = host(&fake);
    read_ids(instance, &fake, 0, ids, 2);
    failing_memory_after(0);
    assert_int_equal(hosted_instance_read(instance, 0, ids, 1000, &err), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    assert_int_equal(hosted_instance_common(instance, 0, ids, 2), 0);
    hosted_instance_destroy(instance);
}

static void without_memory_the_plugins_instance_is_destroyed(void **state)
{
    (void)state;
    for (int n = 0;; n++) {
        struct fake fake = make_fake();
        struct model_error err = MODEL_ERROR_INIT;
        struct hosted_instance *instance = NULL;
        failing_memory_after(n);
        model_status status = hosted_instance_create(&fake.base, N_SLOTS, &instance, &err);
        if (!failing_memory_end()) {
            hosted_instance_destroy(instance);
            break;
        }
        assert_int_equal(status, MODEL_OUT_OF_MEMORY);
        assert_null(instance);
        assert_int_equal(fake.n_destroyed, 1);
    }
    hosted_instance_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_known_by_what_it_has_read),
        cmocka_unit_test(keeping_rewinds_forks_and_clears_the_history_too),
        cmocka_unit_test(a_plugin_that_cannot_rewind_keeps_nothing),
        cmocka_unit_test(half_of_what_was_asked_for_is_a_plugins_mistake),
        cmocka_unit_test(forgetting_leaves_the_other_slots),
        cmocka_unit_test(a_text_goes_on_in_the_slot_that_has_read_it),
        cmocka_unit_test(slots_that_are_taken_are_left_alone),
        cmocka_unit_test(the_least_recently_used_slot_is_written_over),
        cmocka_unit_test(trimming_leaves_the_most_recently_used),
        cmocka_unit_test(a_memory_that_never_rewinds_is_found_whole_only),
        cmocka_unit_test(a_memory_that_rewinds_is_asked_once),
        cmocka_unit_test(what_a_lost_process_kept_says_nothing_of_rewinding),
        cmocka_unit_test(where_a_copy_fails_nothing_is_rewound_and_nothing_lost),
        cmocka_unit_test(what_is_to_be_forgotten_is_forgotten_where_clearing_fails),
        cmocka_unit_test(without_memory_a_history_is_forgotten),
        cmocka_unit_test(without_memory_the_plugins_instance_is_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
