/* coreml_build.c - see coreml_build.h. */
#include "coreml_build.h"
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_BYTES 950

model_status coreml_refuse(struct model_error *err, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    (void)error_set(err, MODEL_CORRUPT, "%s", sentence);
    error_advise(err, MODEL_CONTRADICTS);
    return MODEL_CORRUPT;
}

model_status coreml_build_refuse(const struct coreml_build *build, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return coreml_refuse(build->err, "%.250s: %s", build->what, sentence);
}

model_status coreml_build_no_memory(const struct coreml_build *build)
{
    return error_no_memory(build->err, build->what);
}

model_status coreml_build_texts(const struct coreml_build *build, const coreml_message *message,
                                const char *field, const char *const **ret, size_t *ret_n)
{
    const size_t n = coreml_count(message, field);
    const char **texts = coreml_arena_take(build->arena, n, sizeof *texts);
    if (texts == NULL)
        return coreml_build_no_memory(build);
    for (size_t i = 0; i < n; i++)
        texts[i] = coreml_text_at(message, field, i);
    *ret = n > 0 ? texts : NULL;
    *ret_n = n;
    return MODEL_OK;
}
