/* pattern.c - see pattern.h: the one file that knows PCRE2.
 *
 * Machine code from PCRE2's compiler searches where it can be made. Where its stack does not suffice
 * the interpreter repeats the search, with its memory limited as well. */
#include "pattern.h"
#include "clock.h"
#include "errors.h"
#include "pattern_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATTERN_BYTES   65536
#define MAX_COMPILED_BYTES  (16u << 20)
#define MAX_STEPS           5000000u
#define MAX_HEAP_KIB        65536u
#define JIT_STACK_BYTES     32768u
#define MAX_JIT_STACK_BYTES (1u << 20)
#define QUOTED_BYTES        100 /* of a pattern, in errors */
#define FIRST_STARTS        64  /* places tried by a search before the clock is read */

/* Processor time for a text; usual tokenizers take less than 0.2 us for a byte, searches and all. */
#define MAX_TEXT_NS      (3 * NS_PER_S)
#define MAX_NS_EACH_BYTE 5000

struct pattern {
    pcre2_code *code;
    bool has_start;              /* \G: a search cannot begin anew on its way */
    char text[QUOTED_BYTES + 1]; /* as the file has it, perhaps cut */
};

struct pattern_inside {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL: the machine's own */
};

/* ---------------------------------------------------------------- compiling */

static model_status explain(const struct json_place *place, const char *regex, int code,
                            struct model_error *err)
{
    PCRE2_UCHAR sentence[128] = "unknown error";
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return error_no_memory(err, place->path);
    (void)pcre2_get_error_message(code, sentence, sizeof sentence);
    return error_set(err, MODEL_CORRUPT, "%s: %s: the pattern '%.*s' does not compile: %s",
                     place->what, place->path, QUOTED_BYTES, regex, (const char *)sentence);
}

static model_status compile(const char *translated, const char *regex,
                            const struct json_place *place, pcre2_code **ret,
                            struct model_error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL)
        return error_no_memory(err, place->path);
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    (void)pcre2_set_parens_nest_limit(context, PATTERN_MAX_DEPTH);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
                                             PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
                                         &code, &at, context);
    pcre2_compile_context_free(context);
    if (compiled == NULL)
        return explain(place, regex, code, err);
    size_t size = 0;
    (void)pcre2_pattern_info(compiled, PCRE2_INFO_SIZE, &size);
    if (size > MAX_COMPILED_BYTES) {
        pcre2_code_free(compiled);
        return error_set(err, MODEL_CORRUPT,
                         "%s: %s: the pattern '%.*s' takes %zu bytes when compiled, at most %u are "
                         "allowed",
                         place->what, place->path, QUOTED_BYTES, regex, size, MAX_COMPILED_BYTES);
    }
    (void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it, searches are slower */
    *ret = compiled;
    return MODEL_OK;
}

model_status pattern_compile(const char *regex, const struct json_place *place,
                             struct pattern **ret, struct model_error *err)
{
    struct buffer translated = BUFFER_INIT(MAX_PATTERN_BYTES * 8);
    if (strlen(regex) > MAX_PATTERN_BYTES)
        return error_set(err, MODEL_CORRUPT, "%s: %s: a pattern of %zu bytes, at most %d are read",
                         place->what, place->path, strlen(regex), MAX_PATTERN_BYTES);
    struct pattern *pattern = calloc(1, sizeof *pattern);
    model_status status = pattern != NULL ? pattern_translate(regex, place, &translated, err)
                                          : error_no_memory(err, place->path);
    if (status == MODEL_OK)
        status = compile(translated.data, regex, place, &pattern->code, err);
    if (status == MODEL_OK)
        pattern->has_start = strstr(translated.data, "\\G") != NULL;
    buffer_finish(&translated);
    if (status != MODEL_OK) {
        free(pattern);
        return status;
    }
    size_t bytes = strlen(regex) < QUOTED_BYTES ? strlen(regex) : QUOTED_BYTES;
    while (bytes < strlen(regex) && bytes > 0 && ((unsigned char)regex[bytes] & 0xC0) == 0x80)
        bytes--;
    memcpy(pattern->text, regex, bytes);
    *ret = pattern;
    return MODEL_OK;
}

void pattern_destroy(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

/* ---------------------------------------------------------------- time */

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t machine_tick(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

static int64_t machine_used_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static const struct pattern_clock machine_clock = {machine_tick, machine_used_ns};

static const struct pattern_clock *clock_of(const struct pattern_memory *memory)
{
    return memory->clock != NULL ? memory->clock : &machine_clock;
}

void pattern_memory_begin(struct pattern_memory *memory, size_t text_bytes)
{
    memory->text_bytes = text_bytes;
    memory->is_under_way = false;
}

static void start_text(struct pattern_memory *memory, size_t text_bytes)
{
    if (memory->text_bytes < text_bytes)
        memory->text_bytes = text_bytes;
    memory->is_under_way = true;
    memory->start_ns = clock_of(memory)->used_ns();
    memory->tick = clock_of(memory)->tick();
}

static int64_t max_text_ns(const struct pattern_memory *memory)
{
    return MAX_TEXT_NS + (int64_t)memory->text_bytes * MAX_NS_EACH_BYTE;
}

/* Whether the text's searches may go on. Where time has passed, the next stretch is a small one. */
static bool has_time(struct pattern_memory *memory, size_t *n_starts)
{
    const int64_t tick = clock_of(memory)->tick();
    if (tick == memory->tick)
        return true;
    memory->tick = tick;
    *n_starts = FIRST_STARTS / 4;
    return clock_of(memory)->used_ns() - memory->start_ns <= max_text_ns(memory);
}

/* ---------------------------------------------------------------- searching */

void pattern_memory_finish(struct pattern_memory *memory)
{
    if (memory->inside == NULL)
        return;
    pcre2_match_data_free(memory->inside->match);
    pcre2_match_context_free(memory->inside->context);
    pcre2_jit_stack_free(memory->inside->stack);
    free(memory->inside);
    memory->inside = NULL;
}

static model_status open_memory(struct pattern_memory *memory, struct model_error *err)
{
    memory->inside = calloc(1, sizeof *memory->inside);
    if (memory->inside == NULL)
        return error_no_memory(err, "a search");
    memory->inside->match = pcre2_match_data_create(1, NULL);
    memory->inside->context = pcre2_match_context_create(NULL);
    if (memory->inside->match == NULL || memory->inside->context == NULL) {
        pattern_memory_finish(memory);
        return error_no_memory(err, "a search");
    }
    (void)pcre2_set_match_limit(memory->inside->context, MAX_STEPS);
    (void)pcre2_set_heap_limit(memory->inside->context, MAX_HEAP_KIB);
    memory->inside->stack = pcre2_jit_stack_create(JIT_STACK_BYTES, MAX_JIT_STACK_BYTES, NULL);
    pcre2_jit_stack_assign(memory->inside->context, NULL, memory->inside->stack);
    return MODEL_OK;
}

static model_status too_hard(const struct pattern *pattern, int code, size_t at,
                             struct model_error *err)
{
    PCRE2_UCHAR sentence[128] = "unknown error";
    if (code == PCRE2_ERROR_NOMEMORY)
        return error_no_memory(err, "a search");
    (void)pcre2_get_error_message(code, sentence, sizeof sentence);
    return error_set(
        err, MODEL_INVALID_ARGUMENT,
        "the tokenizer's pattern '%s' cannot be searched for at byte %zu of a word: %s",
        pattern->text, at, (const char *)sentence);
}

static model_status too_long(const struct pattern *pattern, const struct pattern_memory *memory,
                             struct model_error *err)
{
    return error_set(
        err, MODEL_INVALID_ARGUMENT,
        "the tokenizer's pattern '%s' takes too long: the searches in a text of %zu bytes "
        "had %.1f s of processor time; shorten the text, or mend tokenizer.json",
        pattern->text, memory->text_bytes, (double)max_text_ns(memory) / (double)NS_PER_S);
}

/* A match that starts in [at, last]; what pcre2_match() says. */
static int search(const struct pattern *pattern, const struct pattern_inside *m, const char *text,
                  size_t text_bytes, size_t at, size_t last)
{
    (void)pcre2_set_offset_limit(m->context, last);
    int n = pcre2_match(pattern->code, (PCRE2_SPTR)text, text_bytes, at, PCRE2_NO_UTF_CHECK,
                        m->match, m->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(pattern->code, (PCRE2_SPTR)text, text_bytes, at,
                        PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->match, m->context);
    return n;
}

model_status pattern_find(const struct pattern *pattern, struct pattern_memory *memory,
                          const char *text, size_t text_bytes, size_t at, bool *ret_found,
                          size_t *ret_start, size_t *ret_end, struct model_error *err)
{
    if (memory->inside == NULL) {
        model_status status = open_memory(memory, err);
        if (status != MODEL_OK)
            return status;
    }
    if (!memory->is_under_way)
        start_text(memory, text_bytes);
    int n = PCRE2_ERROR_NOMATCH;
    for (size_t n_starts = pattern->has_start ? SIZE_MAX / 8 : FIRST_STARTS; at <= text_bytes;
         n_starts *= 4) {
        const size_t left = text_bytes - at, last = n_starts < left ? at + n_starts : text_bytes;
        n = search(pattern, memory->inside, text, text_bytes, at, last);
        if (!has_time(memory, &n_starts))
            return too_long(pattern, memory, err);
        if (n != PCRE2_ERROR_NOMATCH)
            break;
        at = last + 1;
        while (at < text_bytes && ((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
    }
    if (n == PCRE2_ERROR_NOMATCH) {
        *ret_found = false;
        return MODEL_OK;
    }
    if (n < 0)
        return too_hard(pattern, n, at, err);
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(memory->inside->match);
    *ret_found = true;
    *ret_start = span[0];
    *ret_end = span[1];
    return MODEL_OK;
}
