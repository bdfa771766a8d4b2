/* model_abi.h - the whole contract between modelhost and a model plugin, version 1.3.
 *
 * A plugin is a shared object that implements one or more model architectures. It
 *   1. includes this header and nothing else of modelhost (what only some need is in model_extensions.h),
 *   2. carries one note (MODEL_PLUGIN_NOTE) that the host reads from the file before it opens it,
 *   3. exports one symbol, create_model(), and hides all others.
 * It links to no symbol of the host: everything it may ask for arrives in struct model_services.
 *
 * A life, in order:
 *   create_model()               once for a package: read the configuration, fetch and prepare weights
 *   model->create_instance()     once for each call that may run at the same time: caches, state
 *   instance->run()              once for each request, one at a time per instance
 *   instance->keep()             between runs of a model with memory: rewind, fork or clear it
 *   instance->destroy()          all instances before the model
 *   model->destroy()
 *
 * Threads. Each function carries a tag:
 *   [any-thread]     may be called at any time from any thread, also at the same time
 *   [create-thread]  called from one host thread; nothing else of this model runs meanwhile
 *   [lane-thread]    called from a thread of a lane; calls on one instance never overlap (but need
 *                    not come from the same thread), calls on different instances do
 * No function of a plugin runs on a thread of the application, unless a caller asked for that: its own thread
 * then takes the place of a lane for one call (modelhost_run_options.direct), and [lane-thread] functions run
 * on it. So a plugin keeps what it needs in its instance, not in a thread.
 *
 * Memory. Whoever allocates frees; nothing crosses the boundary to be freed on the other side. A
 * pointer in a struct lives as long as that struct unless a comment says otherwise.
 *
 * Versions. Every struct starts with struct_size, set by the side that made it. Fields are only ever
 * appended. A reader must not touch a field beyond struct_size: ask MODEL_HAS(). The test is always
 * ">=", never "==". Arrays of structs cross as arrays of pointers, so that they may grow. The host
 * opens plugins whose major version is its own; a newer minor only means fields it does not read.
 *
 * Errors. A function that can fail returns a model_status and writes one sentence into the
 * caller's struct model_error: the thing, what was found, what was wanted, for example
 *   weight 'encoder.layer.3.output.dense.bias': shape [512], want [768]
 * Results behind ret pointers are set on success and left alone on failure.
 */
#ifndef MODEL_ABI_H
#define MODEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_ABI_MAJOR 1
#define MODEL_ABI_MINOR 3

/* Whether the struct behind pointer p, of type T, carries `field`. */
#define MODEL_HAS(T, p, field) ((p)->struct_size >= offsetof(T, field) + sizeof((p)->field))

#if defined(__cplusplus)
#define MODEL_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define MODEL_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* Marks create_model(); a plugin is compiled with -fvisibility=hidden. */
#define MODEL_EXPORT __attribute__((visibility("default")))

/* ---------------------------------------------------------------- status and error */

typedef int32_t model_status; /* one of enum model_status_code */

enum model_status_code {
    MODEL_OK = 0,
    MODEL_INVALID_ARGUMENT = 1, /* the request is at fault: an input, a name, a shape */
    MODEL_NOT_FOUND = 2,        /* no such weight, file, model, output */
    MODEL_UNSUPPORTED = 3,      /* understood, but this plugin or host does not do it */
    MODEL_CORRUPT = 4,          /* a file breaks its own format, or a digest differs */
    MODEL_OUT_OF_MEMORY = 5,
    MODEL_IO = 6, /* reading or writing failed */
    MODEL_CANCELLED = 7,
    MODEL_DEADLINE = 8,
    MODEL_BUSY = 9,
    MODEL_INTERNAL = 10,    /* a bug: the sentence says where */
    MODEL_ABI_MISMATCH = 11 /* the plugin and the host do not speak the same version */
};

#define MODEL_ERROR_BYTES 1016

struct model_error {
    size_t struct_size;
    char message[MODEL_ERROR_BYTES]; /* UTF-8, always terminated, "" when there is no error */
};

/* At the end of a MODEL_CORRUPT sentence about files that are whole, whose parts do not go together. Behind others the
 * host says how damage is found and mended. */
#define MODEL_CONTRADICTS "the model contradicts itself: convert it again, or tell its author"

/* ---------------------------------------------------------------- tensors */

/* The numbers are part of the ABI. Names and layouts are those of the safetensors format. */
enum model_dtype {
    MODEL_BOOL = 1, /* one byte, 0 or 1 */
    MODEL_U8 = 2,
    MODEL_I8 = 3,
    MODEL_U16 = 4,
    MODEL_I16 = 5,
    MODEL_U32 = 6,
    MODEL_I32 = 7,
    MODEL_U64 = 8,
    MODEL_I64 = 9,
    MODEL_F16 = 10,  /* IEEE 754 binary16 */
    MODEL_BF16 = 11, /* the upper half of binary32 */
    MODEL_F32 = 12,
    MODEL_F64 = 13,
    MODEL_F8_E4M3 = 14, /* handed out as bytes; no plugin is obliged to read it */
    MODEL_F8_E5M2 = 15
};

#define MODEL_MAX_RANK 8

enum model_tensor_flag { MODEL_TENSOR_READ_ONLY = 1u << 0 };

/* A named view of memory. Little-endian elements; in 1.x always dense and row-major, with the
 * strides saying so; data is aligned to its element's size at least. A scalar has rank 0. */
struct model_tensor {
    size_t struct_size;
    const char *name;
    void *data; /* NULL only when size_bytes is 0 */
    uint64_t size_bytes;
    int32_t dtype; /* enum model_dtype */
    uint32_t rank;
    int64_t shape[MODEL_MAX_RANK];
    int64_t strides[MODEL_MAX_RANK]; /* in elements */
    uint32_t flags;                  /* enum model_tensor_flag */
    uint32_t reserved;               /* 0 */
};

/* ---------------------------------------------------------------- what the host offers */

enum model_log_level { MODEL_LOG_ERROR = 0, MODEL_LOG_WARN, MODEL_LOG_INFO, MODEL_LOG_DEBUG };

/* A value of config.json. */
enum model_value_kind {
    MODEL_VALUE_NULL = 0,
    MODEL_VALUE_BOOL = 1,   /* number is 0 or 1 */
    MODEL_VALUE_NUMBER = 2, /* number; integers are exact up to 2^53 */
    MODEL_VALUE_STRING = 3, /* string, terminated UTF-8; lives as long as the services */
    MODEL_VALUE_ARRAY = 4,  /* length: its items */
    MODEL_VALUE_OBJECT = 5  /* length: its members */
};

struct model_value {
    size_t struct_size;
    int32_t kind; /* enum model_value_kind */
    uint32_t length;
    double number;
    const char *string;
};

/* Host services. `context` is passed back as the first argument of each. The table is valid from
 * create_model() until model->destroy() returns. */
struct model_services {
    size_t struct_size;
    void *context;

    /* At least size_bytes, aligned to 64 bytes, not cleared; NULL when there is none. [any-thread] */
    void *(*allocate)(void *context, size_t size_bytes);
    /* Gives back what allocate() returned; NULL does nothing. [any-thread] */
    void (*release)(void *context, void *memory);

    /* One line of text without a newline. [any-thread] */
    void (*log)(void *context, int32_t level, const char *message);
    /* Adds to a named counter of this model (lower_snake_case, at most 32 names). [any-thread] */
    void (*count)(void *context, const char *name, uint64_t delta);
    /* Monotonic nanoseconds, the clock of model_cancel.deadline_ns. [any-thread] */
    int64_t (*now_ns)(void *context);

    /* Calls body(argument, i) once for each i in [0, n_items), on at most `threads` threads
     * (model_create_args), the caller's among them, and returns when all are done. Not nested.
     * [create-thread, lane-thread] */
    void (*parallel_for)(void *context, size_t n_items, void (*body)(void *argument, size_t index),
                         void *argument);

    /* Configuration. The host has parsed config.json, so that plugins need no JSON reader. `path` walks
     * members and items: "hidden_size", "text_config.depths[2]". MODEL_NOT_FOUND when there is no
     * such value (no error text). [create-thread] */
    model_status (*config_value)(void *context, const char *path, struct model_value *ret);

    /* Weights. The host has mapped the package's files and checked them; the views are read-only,
     * shared by all models that use the file, and live until model->destroy() returns.
     * tensor_by_name: MODEL_NOT_FOUND when the package has no such weight (no error text). A name's
     * pointer in the view lives as long as the view. [any-thread] */
    model_status (*tensor_by_name)(void *context, const char *name, struct model_tensor *ret);
    size_t (*tensor_count)(void *context);
    /* index < tensor_count(); ordered by name. [any-thread] */
    model_status (*tensor_at)(void *context, size_t index, struct model_tensor *ret);
    /* A hint: the plugin has its own form of this weight and will not read the view soon. The view
     * stays valid; its memory may be given back until it is read again. [any-thread] */
    void (*discard_tensor)(void *context, const struct model_tensor *tensor);

    /* Memory for prepared (packed, reordered) weights, 64-byte aligned, read-only once
     * filled, for the model's life; the host may keep it for other processes. `key` names the content
     * (weight name, layout, library's version, instruction set): with the same plugin, package and
     * dtype it means the same bytes. fill() is called unless they are kept. [create-thread] */
    model_status (*packed_blob)(void *context, const char *key, size_t size_bytes,
                                model_status (*fill)(void *argument, void *destination),
                                void *argument, const void **ret_data);

    /* A block of at least size_bytes for the running call, 64-byte aligned, not cleared; gone when
     * run() returns; a second call in the same run invalidates what the first one gave. NULL when there is
     * no memory. Lanes keep the block, so asking for the same size again costs nothing. [lane-thread] */
    void *(*scratch)(void *context, size_t size_bytes);

    /* An extension of the host by id and revision ("name/1"), or NULL. Never required. [any-thread] */
    const void *(*get_extension)(void *context, const char *id);
};

/* ---------------------------------------------------------------- what a model says of itself */

/* One dimension. Fixed: name NULL and min == max. Dynamic: a name ("batch", "sequence"), bounds, and
 * the rule that all dimensions of one name have one size in a call; the host checks that. Frozen:
 * this struct never grows. */
struct model_dimension {
    const char *name;
    int64_t min;
    int64_t max; /* INT64_MAX: no limit */
};

enum model_spec_flag {
    MODEL_SPEC_OPTIONAL = 1u << 0,   /* an input that may be absent */
    MODEL_SPEC_ON_REQUEST = 1u << 1, /* an output computed only when asked for by name */
    /* Since 1.2: an F32 input that a call may also bring as U8, the same numbers from 0 to 255 (pictures); it
     * comes as it was given. An older host refuses U8. */
    MODEL_SPEC_BYTES = 1u << 2
};

struct model_tensor_spec {
    size_t struct_size;
    const char *name;
    int32_t dtype; /* enum model_dtype */
    uint32_t rank;
    const struct model_dimension *shape; /* (rank) */
    uint32_t flags;                      /* enum model_spec_flag */
    uint32_t reserved;                   /* 0 */
};

enum model_cancel_grain {
    MODEL_CANCEL_NONE = 0, /* run() does not look at the token */
    MODEL_CANCEL_LAYER = 1,
    MODEL_CANCEL_TOKEN = 2
};

enum model_capability { MODEL_CAN_STREAM = 1u << 0 };

/* Everything is owned by the model and constant for its life. */
struct model_description {
    size_t struct_size;
    const char *architecture; /* the reference implementation's class: "BertForMaskedLM" */
    /* What the outputs mean, as the hub's pipeline tag: see "names" below; NULL: tensors only. */
    const char *task;
    const struct model_tensor_spec *const *inputs;
    const struct model_tensor_spec *const *outputs;
    uint32_t n_inputs;
    uint32_t n_outputs;
    const char *device;        /* "cpu", "gpu", "npu" */
    const char *compute_dtype; /* "f32", "bf16", "int8" */
    int64_t max_batch;         /* INT64_MAX: no limit but memory */
    uint32_t capabilities;     /* enum model_capability */
    uint32_t cancel_grain;     /* enum model_cancel_grain */
    double accelerator_share;  /* of the operators, 0..1 */
    uint64_t memory_bytes;     /* prepared weights that this model holds beyond the mapped files */
    uint64_t instance_bytes;   /* of each instance, at its usual size */
    int64_t
        estimated_run_ns; /* one item of the largest size on the granted threads; 0: unknown, and
                                  a call that takes a minute makes the host unready */
    const char *prepared_key; /* under which the prepared form may be cached; NULL: never */
    uint32_t
        max_slots; /* sequences that an instance can go on with (below), at most 65536; 0: no memory */
    uint32_t reserved; /* 0 */
};

/* ---------------------------------------------------------------- names */

/* A plugin names its tensors as it likes, and callers pass them by name. What the host does by itself wants
 * the names that transformers' models have, with dimensions "batch" and "sequence":
 *
 *   texts     input_ids I64 [batch, sequence]; if there are such inputs also attention_mask (1: visible, 0:
 *             padding) and token_type_ids of the same kind. sequence.max bounds a text's tokens.
 *   pictures  pixel_values F32 [batch, channels, height, width]
 *
 *   task                    from the outputs, F32
 *   feature-extraction      last_hidden_state [batch, sequence, size]
 *   fill-mask               logits, else prediction_logits [batch, sequence, vocabulary]
 *   text-classification     logits [batch, labels]
 *   token-classification    logits [batch, sequence, labels]
 *   question-answering      start_logits and end_logits [batch, sequence]
 *   image-classification    logits [batch, labels]
 *   text-generation         next_token_logits [batch, vocabulary], those of each item's last visible
 *                           position, on request; else logits [batch, sequence, vocabulary]
 *
 * Generating gives input_ids: a prompt, or several at once, then a token for each slot. Prompts of one length come without
 * padding. Those of different lengths come at once only where the model has next_token_logits and an attention_mask of
 * the same dimensions as input_ids: shorter ones end before their row does, and the mask hides what is behind them. */

/* ---------------------------------------------------------------- memory of sequences */

/* A decoder with its past_key_values, or a recurrent network with its state, has a memory of what it
 * has read. It lives in slots of an instance, 0 to max_slots - 1, empty at first. A call with
 * model_call.slots goes on where its slots stand: item i of the dimension named "batch" (without one, the
 * whole call is item 0) is read after what slot slots[i] holds, and is added to it. Positions that the
 * attention mask hides are not added. Where positions count and none are given, the first column of a
 * call is the one behind the slot's last position that was read.
 * A call without slots starts from nothing and leaves the slots alone. A run that fails, for whatever
 * reason, leaves its slots as they were. keep() rewinds, forks and clears them between runs. So the
 * host can generate text, hold conversations and feed streams without knowing what the memory is. */

/* ---------------------------------------------------------------- running */

/* Polling costs one relaxed load. The host raises `cancelled` when the caller gives up and also
 * when the deadline passes; deadline_ns lets a plugin plan ahead (INT64_MAX: none). */
struct model_cancel {
    size_t struct_size;
    const uint32_t *cancelled; /* atomic; 0 until raised, then the model_status to return */
    int64_t deadline_ns;
};

/* MODEL_OK, or the status with which run() should return now. Ask at least once per layer. */
static inline model_status model_cancel_status(const struct model_cancel *cancel)
{
    return (model_status)__atomic_load_n(cancel->cancelled, __ATOMIC_RELAXED);
}

/* Where a streaming call puts pieces of its outputs that are ready before run() returns. The terminal
 * event is run()'s own return: the host makes exactly one of it, so a plugin cannot forget or repeat it. */
struct model_stream_sink {
    size_t struct_size;
    void *context;
    /* Each tensor has the name, dtype and rank of an output, and sizes of at most its bounds; it is used only
     * until emit() returns. Any other status than MODEL_OK: stop and return it; a tensor that is refused fails
     * the run. Behind run() it is MODEL_CANCELLED. From any thread of the plugin, one at a time. */
    model_status (*emit)(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors);
};

/* One request. The inputs were checked against the description: names, dtypes, ranks, bounds, equal
 * sizes of equal names. Values were not: ids may be out of range. */
struct model_call {
    size_t struct_size;
    const struct model_tensor *const
        *inputs; /* read-only; an absent optional input is not listed */
    uint32_t n_inputs;
    uint32_t n_outputs;
    /* The outputs that the caller wants, by name. The rest of each is set by allocate_output(). */
    struct model_tensor *const *outputs;
    /* Sets outputs[index] to memory of the host or of the caller for this shape (not cleared). Each
     * wanted output exactly once, before run() returns. On failure return its status; the error text
     * is already written. [lane-thread] */
    model_status (*allocate_output)(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err);
    void *context; /* for allocate_output */
    const struct model_cancel *cancel;
    const struct model_stream_sink *sink; /* NULL unless the caller streams */
    const uint32_t *slots; /* (n_slots), different and in range; NULL: start from nothing */
    uint32_t n_slots;      /* the size of dimension "batch", 1 without one */
    uint32_t reserved;     /* 0 */
};

/* What runs: scratch, caches and state live here. A plugin embeds this as its first member. */
struct model_instance {
    size_t struct_size;
    /* Runs one request. After any error the instance must be usable again. No allocation, no lock
     * and no system call without need: this is the hot path. [lane-thread] */
    model_status (*run)(struct model_instance *self, const struct model_call *call,
                        struct model_error *err);
    /* [create-thread, lane-thread] */
    void (*destroy)(struct model_instance *self);
    /* Makes slot `to` hold what slot `from` held after its first n_tokens positions: a rewind when they
     * are the same slot, a fork when not, a clearing with n_tokens 0. n_tokens is at most what was
     * read. *ret_kept is how many positions `to` holds now: n_tokens, or 0 where the memory cannot be
     * had as it was then (a recurrent state only knows its end); then read them again. Other slots
     * stay. On failure `to` is as it was. NULL when max_slots is 0. [lane-thread] */
    model_status (*keep)(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err);
};

/* Immutable once created, shared by all its instances. A plugin embeds this as its first member. */
struct model {
    size_t struct_size;
    const struct model_description *description;
    model_status (*create_instance)(const struct model *self, struct model_instance **ret,
                                    struct model_error *err); /* [create-thread, lane-thread] */
    /* An extension of the plugin by id and revision, or NULL; may be NULL itself. [any-thread] */
    const void *(*get_extension)(const struct model *self, const char *id);
    void (*destroy)(struct model *self); /* [create-thread] */
};

/* ---------------------------------------------------------------- the entry point */

struct model_create_args {
    size_t struct_size;
    const char *package_dir; /* absolute; where the tokenizer and metadata are */
    const char *backend_dir; /* absolute; where config.json and the plugin are */
    const char
        *config_json; /* the text of backend_dir/config.json; UTF-8, valid JSON, terminated */
    size_t config_json_bytes;
    uint32_t threads; /* that one run() may use, >= 1; OpenMP on the lane's thread is set to it */
    uint32_t lanes;   /* instances that may run at the same time, >= 1 */
    /* Since 1.1: what products of weights should be computed in: "f32", "bf16", "int8", "int4" (weights of
     * that kind, scales beside them); NULL: the plugin's own choice. A plugin that cannot says
     * MODEL_UNSUPPORTED; what it took is model_description.compute_dtype, and the host compares. */
    const char *compute_dtype;
    /* Since 1.3: "cpu": by the processor, with nothing of an accelerator's runtime, which may be what has failed; NULL: the
     * plugin's own choice. A plugin that cannot says MODEL_UNSUPPORTED; what it took is
     * model_description.device, and the host compares. */
    const char *device;
};

typedef model_status (*model_create_function)(const struct model_services *services,
                                              const struct model_create_args *args,
                                              struct model **ret, struct model_error *err);

/* The exported symbol. Strings of args live until it returns. On failure nothing stays allocated.
 * [create-thread] */
MODEL_EXPORT model_status create_model(const struct model_services *services,
                                       const struct model_create_args *args, struct model **ret,
                                       struct model_error *err);

/* ---------------------------------------------------------------- the note */

/* The host reads the note from the file before dlopen(): a plugin of another major version, or a file
 * that is no plugin, never runs a line of code. On ELF it is a note of owner "modelhost" and type 1
 * (`readelf -n`), on Mach-O the section __TEXT,__model_note holds the same bytes. */

#define MODEL_NOTE_OWNER "modelhost"
#define MODEL_NOTE_TYPE  1
#define MODEL_NOTE_MAGIC "MODLHOST" /* 8 bytes, no terminator */
#define MODEL_NOTE_MAGIC_BYTES                                                                     \
    {                                                                                              \
        'M', 'O', 'D', 'L', 'H', 'O', 'S', 'T'                                                     \
    }

/* The content of the note. Text is UTF-8 and ends within its array. It grows at its end only. */
struct model_note {
    char magic[8];
    uint32_t size_bytes; /* of this struct */
    uint16_t abi_major;
    uint16_t abi_minor;
    char name[48];           /* of the plugin: "bert" */
    char version[16];        /* of the plugin: "1.0.0" */
    char architectures[256]; /* separated by commas: values of config.json's model_type, or, for a
                                model without one, names out of its "architectures" */
};

struct model_note_elf {
    uint32_t owner_bytes, content_bytes, type;
    char owner[12]; /* padded to 4 */
    struct model_note content;
};

#ifdef __APPLE__
#define MODEL_NOTE_SECTION "__TEXT,__model_note"
#else
#define MODEL_NOTE_SECTION ".note.modelhost"
#endif

/* Once in each plugin, at file scope: MODEL_PLUGIN_NOTE("bert", "1.0.0", "bert"); */
#define MODEL_PLUGIN_NOTE(name_, version_, architectures_)                                         \
    __attribute__((used, section(MODEL_NOTE_SECTION),                                              \
                   aligned(4))) static const struct model_note_elf model_plugin_note = {           \
        sizeof MODEL_NOTE_OWNER,                                                                   \
        sizeof(struct model_note),                                                                 \
        MODEL_NOTE_TYPE,                                                                           \
        MODEL_NOTE_OWNER,                                                                          \
        {MODEL_NOTE_MAGIC_BYTES, sizeof(struct model_note), MODEL_ABI_MAJOR, MODEL_ABI_MINOR,      \
         name_, version_, architectures_}}

/* ---------------------------------------------------------------- pinned layout of 1.3 */

#if UINTPTR_MAX == UINT64_MAX
MODEL_STATIC_ASSERT(sizeof(struct model_error) == 1024, "model_error 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_tensor) == 176, "model_tensor 1.0");
MODEL_STATIC_ASSERT(offsetof(struct model_tensor, shape) == 40, "model_tensor 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_value) == 32, "model_value 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_services) == 128, "model_services 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_dimension) == 24, "model_dimension is frozen");
MODEL_STATIC_ASSERT(sizeof(struct model_tensor_spec) == 40, "model_tensor_spec 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_description) == 128, "model_description 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_cancel) == 24, "model_cancel 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_stream_sink) == 24, "model_stream_sink 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_call) == 80, "model_call 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_instance) == 32, "model_instance 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model) == 40, "model 1.0");
MODEL_STATIC_ASSERT(offsetof(struct model_create_args, lanes) == 44, "model_create_args 1.0");
MODEL_STATIC_ASSERT(offsetof(struct model_create_args, compute_dtype) == 48, "create_args 1.1");
MODEL_STATIC_ASSERT(sizeof(struct model_create_args) == 64, "model_create_args 1.3");
MODEL_STATIC_ASSERT(sizeof(struct model_note) == 336, "model_note 1.0");
MODEL_STATIC_ASSERT(sizeof(struct model_note_elf) == 360, "model_note_elf 1.0");
#endif

#ifdef __cplusplus
}
#endif

#endif
