/* test_worker_channel.c - host/workers/worker_channel.c, host/workers/worker_segment.c and
 * host/workers/shared_event.c: memory that two sides share, of which one is not trusted. */
#include "clock.h"
#include "errors.h"
#include "testing.h"
#include "worker_channel.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static struct worker_tensor good_tensor(void)
{
    return (struct worker_tensor){
        .dtype = MODEL_F32, .rank = 2, .shape = {3, 4}, .offset = 64, .size_bytes = 48};
}

static void tensors_outside_their_memory_are_refused(void **state)
{
    (void)state;
    struct worker_segment segment = {.data = NULL, .size_bytes = 65536};
    struct worker_tensor t = good_tensor();
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_OK);
    t.offset = 65536 - 48;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT); /* not aligned */
    t.offset = 65536 - 64;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_OK);
    static const uint64_t offsets[] = {65536, 65536 + 64, UINT64_MAX - 63, 1, 65535};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        t = good_tensor();
        t.offset = offsets[i];
        assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT);
    }
}

static void tensors_that_lie_about_themselves_are_refused(void **state)
{
    (void)state;
    struct worker_segment segment = {.data = NULL, .size_bytes = 65536};
    struct worker_tensor t = good_tensor();
    t.size_bytes = 44;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT);
    t = good_tensor();
    t.rank = 9;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT);
    t = good_tensor();
    t.dtype = 99;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT);
    t = good_tensor();
    t.shape[0] = -3;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT);
    t = good_tensor();
    t.shape[0] = t.shape[1] = INT64_MAX;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_CORRUPT);
    t = good_tensor();
    t.shape[0] = 0;
    t.size_bytes = 0;
    assert_int_equal(worker_channel_check(&t, &segment, NULL), MODEL_OK);
}

static void what_is_heard_is_bounded(void **state)
{
    (void)state;
    struct worker_exchange *exchange = aligned_alloc(64, sizeof *exchange);
    struct worker_tensor tensors[SCHEMA_MAX_TENSORS];
    struct worker_say say = {.what = 0};
    memset((void *)exchange, 0xEE, sizeof *exchange);
    assert_int_equal(worker_channel_hear(exchange, &say, tensors, NULL), MODEL_CORRUPT);
    exchange->say.n_tensors = SCHEMA_MAX_TENSORS;
    assert_int_equal(worker_channel_hear(exchange, &say, tensors, NULL), MODEL_CORRUPT);
    exchange->say.n_counts = PLUGIN_COUNTERS_MAX;
    assert_int_equal(worker_channel_hear(exchange, &say, tensors, NULL), MODEL_OK);
    assert_int_equal(strlen(say.message), MODEL_ERROR_BYTES - 1);
    assert_memory_equal(tensors, exchange->tensors, sizeof tensors);
    free(exchange);
}

static void places_follow_each_other(void **state)
{
    (void)state;
    uint64_t at = 0, offset = 1;
    assert_true(worker_channel_place(1, &at, &offset));
    assert_true(offset == 0 && at == 64);
    assert_true(worker_channel_place(0, &at, &offset));
    assert_true(offset == 64 && at == 64);
    assert_true(worker_channel_place(65, &at, &offset));
    assert_true(offset == 64 && at == 192);
    assert_false(worker_channel_place(UINT64_MAX - 100, &at, &offset));
    at = UINT64_MAX - 63;
    assert_false(worker_channel_place(64, &at, &offset));
}

static void a_segment_cannot_be_cut_short(void **state)
{
    (void)state;
    struct worker_segment *segment = NULL, *other = NULL;
    int fd = -1;
    assert_int_equal(worker_segment_create(100000, &segment, &fd, NULL), MODEL_OK);
    assert_true(segment->size_bytes >= 100000);
#ifdef __linux__
    assert_int_not_equal(ftruncate(fd, 0), 0);
    assert_int_not_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_not_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
#endif
    memset(segment->data, 7, (size_t)segment->size_bytes);
    assert_int_equal(worker_segment_map(dup(fd), segment->size_bytes + 1, &other, NULL),
                     MODEL_CORRUPT);
    assert_int_equal(worker_segment_map(dup(fd), segment->size_bytes, &other, NULL), MODEL_OK);
    assert_int_equal(((char *)other->data)[99999], 7);
    (void)close(fd);
    worker_segment_retain(segment);
    worker_segment_drop(segment);
    ((char *)segment->data)[0] = 9;
    assert_int_equal(((char *)other->data)[0], 9);
    worker_segment_drop(segment);
    worker_segment_drop(other);
    worker_segment_drop(NULL);
}

static void memory_that_there_is_not_is_an_error(void **state)
{
    (void)state;
    struct worker_segment *segment = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    int fd = -1;
    assert_int_not_equal(worker_segment_create(UINT64_MAX - 5, &segment, &fd, &err), MODEL_OK);
    assert_int_not_equal(worker_segment_create(1ull << 60, &segment, &fd, &err), MODEL_OK);
    assert_null(segment);
    assert_int_equal(fd, -1);
}

/* Two threads that hand a number to and fro. */
struct game {
    struct shared_event events[2];
    uint32_t turn;
    uint32_t n_rounds;
    int64_t max_spin_ns;
};

static void play(struct game *game, uint32_t me)
{
    struct shared_spin spin = {game->max_spin_ns, game->max_spin_ns};
    for (uint32_t i = 0; i < game->n_rounds; i++) {
        for (;;) {
            const uint32_t ticket = shared_event_ticket(&game->events[me]);
            if (__atomic_load_n(&game->turn, __ATOMIC_ACQUIRE) == 2 * i + me)
                break;
            shared_event_wait(&game->events[me], ticket, &spin, INT64_MAX);
        }
        __atomic_store_n(&game->turn, 2 * i + me + 1, __ATOMIC_RELEASE);
        shared_event_signal(&game->events[1 - me]);
    }
}

static void *play_second(void *game)
{
    play(game, 1);
    return NULL;
}

static void no_signal_is_lost(void **state)
{
    (void)state;
    static const int64_t spins_ns[] = {0, 2000, 50000};
    for (size_t i = 0; i < sizeof spins_ns / sizeof *spins_ns; i++) {
        struct game game = {.n_rounds = 5000, .max_spin_ns = spins_ns[i]};
        pthread_t second;
        assert_int_equal(pthread_create(&second, NULL, play_second, &game), 0);
        play(&game, 0);
        (void)pthread_join(second, NULL);
        assert_int_equal(game.turn, 10000);
    }
}

static void waiting_ends_at_its_time(void **state)
{
    (void)state;
    struct shared_event event = {0, 0};
    struct shared_spin spin = {0, 0};
    const int64_t until_ns = clock_now_ns() + 3 * NS_PER_MS;
    while (clock_now_ns() < until_ns)
        shared_event_wait(&event, shared_event_ticket(&event), &spin, until_ns);
    shared_event_wait(&event, shared_event_ticket(&event) - 1, &spin, INT64_MAX);
    assert_int_equal(event.sleeps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_outside_their_memory_are_refused),
        cmocka_unit_test(tensors_that_lie_about_themselves_are_refused),
        cmocka_unit_test(what_is_heard_is_bounded),
        cmocka_unit_test(places_follow_each_other),
        cmocka_unit_test(a_segment_cannot_be_cut_short),
        cmocka_unit_test(memory_that_there_is_not_is_an_error),
        cmocka_unit_test(no_signal_is_lost),
        cmocka_unit_test(waiting_ends_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
