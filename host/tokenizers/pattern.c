/* pattern.c - see pattern.h: the one file that knows PCRE2.
 *
 * Machine code from PCRE2's compiler searches where it can be made. Where its stack does not suffice
 * the interpreter repeats the search, with its memory limited as well. */
#include "pattern.h"
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

struct pattern {
    pcre2_code *code;
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
    pcre2_code *compiled = pcre2_compile(
        (PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED,
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
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

model_status pattern_find(const struct pattern *pattern, struct pattern_memory *memory,
                          const char *text, size_t text_bytes, size_t at, bool *ret_found,
                          size_t *ret_start, size_t *ret_end, struct model_error *err)
{
    if (memory->inside == NULL) {
        model_status status = open_memory(memory, err);
        if (status != MODEL_OK)
            return status;
    }
    struct pattern_inside *m = memory->inside;
    int n = pcre2_match(pattern->code, (PCRE2_SPTR)text, text_bytes, at, PCRE2_NO_UTF_CHECK,
                        m->match, m->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(pattern->code, (PCRE2_SPTR)text, text_bytes, at,
                        PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->match, m->context);
    if (n == PCRE2_ERROR_NOMATCH) {
        *ret_found = false;
        return MODEL_OK;
    }
    if (n < 0)
        return too_hard(pattern, n, at, err);
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(m->match);
    *ret_found = true;
    *ret_start = span[0];
    *ret_end = span[1];
    return MODEL_OK;
}
