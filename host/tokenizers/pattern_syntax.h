/* pattern_syntax.h - from the regular expressions of Oniguruma with Ruby's syntax, for which
 * tokenizer.json files are written, to those of PCRE2 with the same meaning. [any-thread] */
#ifndef PATTERN_SYNTAX_H
#define PATTERN_SYNTAX_H

#include "buffer.h"
#include "json_fields.h"

#define PATTERN_MAX_DEPTH 100

/* Appends the translation, for PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE. What has another meaning in the
 * two languages is spelled out; what is not translated is MODEL_UNSUPPORTED, by name. Errors in the
 * expression itself are left to PCRE2. */
model_status pattern_translate(const char *regex, const struct json_place *place,
                               struct buffer *ret, struct model_error *err);

#endif
