/* transfer_private.h - the inside of a transfer, for transfer*.c alone.
 *
 *   transfer_state            one per transfer; owns all below
 *     states[n_files]         what has become of each file of the plan
 *     actives[n_actives]      a slot for a file under way
 *       landing               where its bytes come down: its map of ranges, digests, a job on the disk
 *         partial             what of it survives this process: a folder of the store, claimed by name
 *     streams[n_streams]      a slot for a connection; lends itself to one active at a time
 *       attempt               the way to the bytes: addresses, redirects, whether the token is shown
 *         call                one exchange of the attempt, which the transport has while is_begun
 *
 * Words: a file is ELSEWHERE while another process has its partial; it is looked for again now and then.
 * An active's epoch counts how often it started over: what a stream of an earlier epoch brings is void.
 * An active is worthless when its bytes are wrong for the last time: nothing of it is kept. A file is told
 * when the caller has heard of it, in the plan's order, which may be long after it was done.
 *
 * Only the loop's thread is here; threads of the queue see a landing, while its job runs. */
#ifndef TRANSFER_PRIVATE_H
#define TRANSFER_PRIVATE_H

#include "hub_attempt.h"
#include "landing.h"
#include "transfer.h"

/* A file under way. */
struct active {
    bool is_open;
    size_t index; /* in the plan */
    struct landing landing;
    unsigned epoch; /* changes when it starts over: streams of an earlier one are void */
    unsigned n_streams;
    bool takes_ranges; /* the server has sent one */
    bool is_whole;     /* it has sent the whole instead of one */
    bool is_worthless; /* nothing of it is to be kept */
    int n_fetches;     /* of the whole file, that brought wrong bytes */
    char *url;         /* at the hub */
    char *known_url;   /* where that leads to, until it expires; NULL: not known */
    bool known_may_show_token;
    char *etag; /* strong, of what is at known_url; NULL: none */
    uint64_t counted_bytes;
    int64_t beat_ms; /* when others heard of us last */
};

/* A connection's work: one range of a file, in as many attempts as it takes. */
struct stream {
    struct transfer_state *state;
    struct active *file; /* NULL: idle */
    struct hub_call call;
    struct hub_attempt attempt;
    char *address;           /* where the attempt began; owned */
    uint64_t start, at, end; /* of the file: [start, end), from `at` on still to come */
    uint64_t attempt_at;     /* where the attempt began */
    unsigned epoch;          /* of the file */
    bool is_begun;           /* an exchange is under way */
    bool is_accepted;        /* the head of its answer was found good */
    bool is_from_known;      /* the attempt began at known_url */
    int n_attempts;          /* without much to show for it */
    int64_t not_before_ms;
};

enum file_state { FILE_TODO, FILE_ELSEWHERE, FILE_ACTIVE, FILE_DONE };

struct transfer_state {
    const struct transfer *transfer;
    struct hub_transport transport;
    struct disk_queue *queue;
    struct active *actives; /* (n_actives) */
    struct stream *streams; /* (n_streams) */
    size_t n_actives, n_streams;
    unsigned char *states; /* (plan->n_files), enum file_state */
    size_t next_index;     /* all before it are not FILE_TODO */
    size_t n_done, n_told, n_elsewhere;
    uint64_t done_bytes;
    int64_t hold_ms; /* the server wants no request before */
    int64_t look_ms; /* when to look again at what others are fetching */
    model_status status;
    struct model_error *err; /* of the caller: says why status is not MODEL_OK */
};

int64_t transfer_now_ms(const struct transfer_state *state);
/* Ends the transfer with what `err` says. */
void transfer_fail(struct transfer_state *state, model_status status,
                   const struct model_error *err);
/* The file came with wrong bytes, as err says: it starts over, or the transfer has failed. */
void transfer_wrong_bytes(struct transfer_state *state, struct active *file,
                          const struct model_error *err);
/* What came of the file is void, and what streams it has. */
void transfer_start_over(struct transfer_state *state, struct active *file);

/* Gives an idle stream a range of the file; false when there is none for it. */
bool stream_assign(struct stream *stream, struct active *file);
/* Starts the next attempt. */
void stream_begin(struct stream *stream);
/* Takes in how its exchange ended. */
void stream_end(struct stream *stream);
/* Gives up what it does. */
void stream_drop(struct stream *stream);

#endif
