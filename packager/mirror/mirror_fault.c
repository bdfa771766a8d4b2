/* mirror_fault.c - the table of modes and the counters; see mirror_fault.h. */
#include "mirror_fault.h"
#include "buffer.h"
#include "errors.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

#define ALWAYS       UINT64_MAX
#define MAX_COUNTERS 1000000u

static const struct {
    const char *name;
    uint64_t argument; /* the default */
    const char *help;
} modes[FAULT_N_MODES] = {
    [FAULT_RENAME_307] = {"rename-307", ALWAYS,
                          "ID-old is a former name of ID: 307 with a relative Location"},
    [FAULT_RESOLVE_CACHE_307] = {"resolve-cache-307", ALWAYS,
                                 "small files: 307 to /api/resolve-cache/, relative"},
    [FAULT_CDN_302] = {"cdn-302", ALWAYS,
                       "large files: 302 to a second port, where the ETag is another one and an\n"
                       "                      Authorization header is answered with 400 and counted"
                       " (GET /tokens)"},
    [FAULT_IGNORE_RANGE] = {"ignore-range", ALWAYS, "a range is answered with 200 and the whole"},
    [FAULT_416] = {"416", ALWAYS, "the first N ranges of each file (all): 416"},
    [FAULT_429_RATELIMIT] = {"429-ratelimit", 2, "the first N requests (2): 429 with RateLimit"},
    [FAULT_429_RETRY_AFTER] = {"429-retry-after", 2,
                               "the first N requests (2): 429 with Retry-After"},
    [FAULT_5XX_THEN_OK] = {"5xx-then-ok", 2,
                           "the first N requests of each address (2): 500, 502, 503, 504"},
    [FAULT_TRUNCATE] = {"truncate", 1, "the first N transfers of each file (1) end in the middle"},
    [FAULT_CORRUPT] = {"corrupt-same-length", 1,
                       "the first N transfers of each file (1) have a wrong bit"},
    [FAULT_STALL] = {"stall", 1,
                     "the first N transfers of each file (1) stop in the middle until the client\n"
                     "                      leaves"},
    [FAULT_SLOW] = {"slow", 4096, "files come in pieces of N bytes (4096), four a second"},
    [FAULT_EXPIRE_403] = {"expire-403", 0,
                          "with cdn-302: the first signed address of each file works N times (0),\n"
                          "                      then 403; the next one always"},
    [FAULT_BRANCH_MOVES] = {"branch-moves", ALWAYS,
                            "the first answer by a branch's name is of one commit, later ones of\n"
                            "                      another, whose files have other bytes"},
    [FAULT_401_BARE] = {"http-401-bare", ALWAYS,
                        "the first N requests (all): 401 without a header or a word"},
    [FAULT_GZIP] = {"gzip", ALWAYS,
                    "the first N transfers of each file (all) come with Content-Encoding: gzip,\n"
                    "                      asked for or not"},
};

struct counter {
    char *key; /* the mode's digit and the path */
    uint64_t n;
};

struct mirror_faults {
    bool is_on[FAULT_N_MODES];
    uint64_t argument[FAULT_N_MODES];
    struct string_map indices; /* into counters, whose keys it points at */
    struct counter *counters;  /* (n_counters of capacity) */
    size_t n_counters, capacity;
};

const char *mirror_fault_help(size_t i)
{
    static char line[300];
    if (i >= FAULT_N_MODES)
        return NULL;
    struct buffer text = BUFFER_INIT(sizeof line - 1);
    if (buffer_printf(&text, "    %-18s  %s\n", modes[i].name, modes[i].help) == MODEL_OK)
        memcpy(line, text.data, text.size + 1);
    buffer_finish(&text);
    return line;
}

/* ---- reading the modes */

static model_status unknown(const char *text, struct model_error *err)
{
    struct buffer names = BUFFER_INIT(1000);
    for (size_t i = 0; i < FAULT_N_MODES; i++)
        (void)buffer_printf(&names, "%s%s", i > 0 ? ", " : "", modes[i].name);
    (void)error_set(err, MODEL_INVALID_ARGUMENT, "there is no fault '%.100s'; want one of %s", text,
                    names.data != NULL ? names.data : "");
    buffer_finish(&names);
    return MODEL_INVALID_ARGUMENT;
}

static model_status read_mode(struct mirror_faults *faults, const char *text,
                              struct model_error *err)
{
    size_t name_bytes = strcspn(text, "=");
    size_t mode = 0;
    while (mode < FAULT_N_MODES && (strlen(modes[mode].name) != name_bytes ||
                                    memcmp(modes[mode].name, text, name_bytes) != 0))
        mode++;
    if (mode == FAULT_N_MODES)
        return unknown(text, err);
    faults->is_on[mode] = true;
    faults->argument[mode] = modes[mode].argument;
    if (text[name_bytes] == '\0')
        return MODEL_OK;
    const char *argument = text + name_bytes + 1;
    size_t digits = strspn(argument, "0123456789");
    if (strcmp(argument, "always") == 0)
        faults->argument[mode] = ALWAYS;
    else if (digits > 0 && digits <= 12 && argument[digits] == '\0')
        faults->argument[mode] = strtoull(argument, NULL, 10);
    else
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the fault %s wants a number or 'always', but got '%.100s'",
                         modes[mode].name, argument);
    return MODEL_OK;
}

model_status mirror_faults_create(const char *const *texts, size_t n_texts,
                                  struct mirror_faults **ret, struct model_error *err)
{
    struct mirror_faults *faults = calloc(1, sizeof *faults);
    if (faults == NULL)
        return error_no_memory(err, "the faults of a mirror");
    model_status status = MODEL_OK;
    for (size_t i = 0; status == MODEL_OK && i < n_texts; i++)
        status = read_mode(faults, texts[i], err);
    if (faults->is_on[FAULT_EXPIRE_403])
        faults->is_on[FAULT_CDN_302] = true;
    if (status != MODEL_OK) {
        mirror_faults_destroy(faults);
        return status;
    }
    *ret = faults;
    return MODEL_OK;
}

void mirror_faults_destroy(struct mirror_faults *faults)
{
    if (faults == NULL)
        return;
    for (size_t i = 0; i < faults->n_counters; i++)
        free(faults->counters[i].key);
    free(faults->counters);
    string_map_finish(&faults->indices);
    free(faults);
}

bool mirror_fault_is_on(const struct mirror_faults *faults, enum mirror_fault_mode mode)
{
    return faults != NULL && faults->is_on[mode];
}

uint64_t mirror_fault_argument(const struct mirror_faults *faults, enum mirror_fault_mode mode)
{
    return faults->argument[mode];
}

/* ---- counting */

static struct counter *find(const struct mirror_faults *faults, const char *key)
{
    int64_t at = faults->n_counters > 0 ? string_map_find(&faults->indices, key, strlen(key)) : -1;
    return at >= 0 ? &faults->counters[at] : NULL;
}

/* Takes the key over. */
static struct counter *add(struct mirror_faults *faults, char *key)
{
    if (faults->n_counters == faults->capacity) {
        size_t capacity = faults->capacity > 0 ? faults->capacity * 2 : 64;
        struct counter *grown =
            capacity <= MAX_COUNTERS ? realloc(faults->counters, capacity * sizeof *grown) : NULL;
        if (grown == NULL)
            goto fail;
        faults->counters = grown;
        faults->capacity = capacity;
    }
    if (string_map_add(&faults->indices, key, strlen(key), (uint32_t)faults->n_counters) !=
        MODEL_OK)
        goto fail;
    struct counter *counter = &faults->counters[faults->n_counters++];
    *counter = (struct counter){.key = key};
    return counter;

fail:
    free(key);
    return NULL;
}

uint64_t mirror_fault_count(struct mirror_faults *faults, enum mirror_fault_mode mode,
                            const char *key)
{
    char *name = text_format("%d %s", (int)mode, key);
    if (name == NULL)
        return UINT64_MAX;
    struct counter *counter = find(faults, name);
    if (counter == NULL)
        counter = add(faults, name);
    else
        free(name);
    return counter != NULL ? counter->n++ : UINT64_MAX;
}

uint64_t mirror_fault_counted(const struct mirror_faults *faults, enum mirror_fault_mode mode,
                              const char *key)
{
    char *name = text_format("%d %s", (int)mode, key);
    const struct counter *counter = name != NULL ? find(faults, name) : NULL;
    free(name);
    return counter != NULL ? counter->n : 0;
}

bool mirror_fault_strikes(struct mirror_faults *faults, enum mirror_fault_mode mode,
                          const char *key)
{
    if (!mirror_fault_is_on(faults, mode))
        return false;
    return faults->argument[mode] == ALWAYS ||
           mirror_fault_count(faults, mode, key) < faults->argument[mode];
}
