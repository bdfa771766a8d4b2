/* pattern_syntax.c - see pattern_syntax.h. What differs, and is spelled out:
 *
 *   \s \w \d \h \b  Oniguruma's Unicode classes (PCRE2 counts U+180E as a space, knows no marks in \w)
 *   \v              a vertical tab
 *   (?m:            lets '.' match a newline; ^ and $ are always about lines
 *   x{2,3}+         is (?:x{2,3})+, not possessive
 *   x{,3}           is x{0,3}
 *   [a[bc]]         a class in a class: both together
 *   \p{Han}         the script, not the script's extensions
 *   \p{L} \p{N} ..  with the characters that young_characters.h lists
 */
#include "pattern_syntax.h"
#include "errors.h"
#include "young_characters.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SPACES                                                                                     \
    "\\x{9}-\\x{d} \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}" \
    "\\x{3000}"
#define NO_SPACES                                                                                  \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"      \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                 \
    "\\x{3001}-\\x{10ffff}"
/* Oniguruma counts the numbers of Latin-1; circled and squared letters are alphabetic; the young ones are put behind it. */
#define WORD                                                                                                        \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}" \
    "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define HEX       "0-9a-fA-F"
#define YOUNG_HAN "\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"

/* `inside` a class, "" where there is no such set; `outside`, as an atom. */
static const struct {
    char letter;
    const char *inside, *outside;
} escapes[] = {
    {'s', SPACES, "[" SPACES "]"},
    {'S', NO_SPACES, "[^" SPACES "]"},
    {'h', HEX, "[" HEX "]"},
    {'H', "", "[^" HEX "]"},
    {'b', "\\x{8}", ""},
    {'v', "\\x{b}", "\\x{b}"},
    {'t', "\\t", "\\t"},
    {'n', "\\n", "\\n"},
    {'r', "\\r", "\\r"},
    {'f', "\\f", "\\f"},
    {'a', "\\a", "\\a"},
    {'e', "\\e", "\\e"},
    {'A', "", "\\A"},
    {'z', "", "\\z"},
    {'Z', "", "\\Z"},
    {'G', "", "\\G"},
    {'R', "", "\\R"},
    {'X', "", "\\X"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct translation {
    const char *at;
    const struct json_place *place;
    struct buffer *out;
    size_t atom;                      /* where the last atom starts in out */
    size_t groups[PATTERN_MAX_DEPTH]; /* where the open groups start in out */
    size_t n_groups;
    struct model_error *err;
};

static model_status refuse(const struct translation *t, const char *construct, size_t bytes)
{
    return error_set(
        t->err, MODEL_UNSUPPORTED,
        "%s: %s: '%.*s' in a pattern is not supported; supported: classes, groups, "
        "alternatives, quantifiers, look-around, (?i:..), \\p{..} and the usual escapes",
        t->place->what, t->place->path, (int)bytes, construct);
}

static model_status put(struct translation *t, const char *text, size_t bytes)
{
    model_status status = buffer_append(t->out, text, bytes);
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(t->err, MODEL_CORRUPT, "%s: %s: a pattern is too large", t->place->what,
                         t->place->path);
    return status == MODEL_OK ? status : error_no_memory(t->err, t->place->path);
}

static model_status put_text(struct translation *t, const char *text)
{
    return put(t, text, strlen(text));
}

/* The next n bytes as they are. */
static model_status pass(struct translation *t, size_t n)
{
    const char *from = t->at;
    t->at += n;
    return put(t, from, n);
}

/* The young characters of a category, as ranges of a class. */
static model_status put_young(struct translation *t, const char *category, size_t bytes)
{
    size_t n;
    const struct young_range *ranges = young_ranges(&n);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        if (strncmp(ranges[i].category, category, bytes) != 0)
            continue;
        uint32_t last = ranges[i].last;
        char text[40];
        uint32_t first = ranges[i].first;
        while (i + 1 < n && ranges[i + 1].first == last + 1 &&
               strncmp(ranges[i + 1].category, category, bytes) == 0)
            last = ranges[++i].last;
        (void)snprintf(text, sizeof text, "\\x{%" PRIx32 "}-\\x{%" PRIx32 "}", first, last);
        status = put_text(t, text);
    }
    return status;
}

static bool is_category(const char *name, size_t bytes)
{
    return (bytes == 1 || (bytes == 2 && islower((unsigned char)name[1]))) &&
           strchr("LMNPSZC", *name) != NULL;
}

/* \p{L}, \P{Lu}, \p{^L}, \p{Han}: categories keep their name, anything else is a script. Inside a class
 * the young characters cannot be taken away. */
static model_status property(struct translation *t, bool inside)
{
    const char *name = t->at + 2;
    const char *end = *name == '{' ? strchr(name, '}') : NULL;
    if (end == NULL || end - name > 40)
        return refuse(t, t->at, 2);
    name++;
    bool negated = t->at[1] == 'P';
    if (*name == '^') {
        negated = !negated;
        name++;
    }
    size_t bytes = (size_t)(end - name);
    bool category = bytes > 0 && is_category(name, bytes);
    for (const char *c = name; c < end; c++)
        if (!isalpha((unsigned char)*c) && *c != '_')
            return refuse(t, t->at, (size_t)(end + 1 - t->at));
    if (bytes == 0 || (bytes <= 2 && !category))
        return refuse(t, t->at, (size_t)(end + 1 - t->at));
    bool han = bytes == 3 && memcmp(name, "Han", 3) == 0;
    bool whole = (category && strchr("ZC", *name) == NULL) || han;
    bool class = whole && !inside;
    t->at = end + 1;
    model_status status = put_text(t, !class ? "" : negated ? "[^" : "[");
    if (status == MODEL_OK)
        status = put_text(t, negated && !class ? "\\P{" : "\\p{");
    if (status == MODEL_OK && !category)
        status = put_text(t, "sc:");
    if (status == MODEL_OK)
        status = put(t, name, bytes);
    if (status == MODEL_OK)
        status = put_text(t, "}");
    if (status == MODEL_OK && whole && (class || !negated))
        status = han ? put_text(t, YOUNG_HAN) : put_young(t, name, bytes);
    return status == MODEL_OK ? put_text(t, class ? "]" : "") : status;
}

/* \w, \W, \d, \D, which have young characters, too. */
static model_status put_set(struct translation *t, char letter, bool inside)
{
    bool word = letter == 'w' || letter == 'W';
    bool negated = letter == 'W' || letter == 'D';
    model_status status = put_text(t, inside ? "" : negated ? "[^" : "[");
    if (status == MODEL_OK)
        status = put_text(t, word ? WORD : "\\p{Nd}");
    if (status == MODEL_OK && word)
        status = put_young(t, "L", 1);
    if (status == MODEL_OK && word)
        status = put_young(t, "M", 1);
    if (status == MODEL_OK)
        status = put_young(t, "Nd", 2);
    return status == MODEL_OK ? put_text(t, inside ? "" : "]") : status;
}

/* Behind a set, '-' is a character. */
static model_status put_hyphen(struct translation *t)
{
    if (t->at[0] != '-' || t->at[1] == ']')
        return MODEL_OK;
    t->at++;
    return put_text(t, "\\-");
}

/* A boundary of words: \w on one side only. */
static model_status put_boundary(struct translation *t, bool negated)
{
    static const char *const around[] = {"(?<=", ")(?!", ")|(?<!", ")(?="};
    model_status status = put_text(t, negated ? "(?!" : "(?:");
    for (size_t i = 0; i < COUNT(around) && status == MODEL_OK; i++) {
        status = put_text(t, around[i]);
        if (status == MODEL_OK)
            status = put_set(t, 'w', false);
    }
    return status == MODEL_OK ? put_text(t, "))") : status;
}

/* \xHH, \x{H..}, \uHHHH */
static model_status hexadecimal(struct translation *t)
{
    const char *digits = t->at + 2;
    bool braces = t->at[1] == 'x' && *digits == '{';
    size_t limit = braces ? 6 : t->at[1] == 'x' ? 2 : 4;
    digits += braces;
    size_t n = 0;
    while (n < limit && isxdigit((unsigned char)digits[n]))
        n++;
    bool whole = braces ? n > 0 && digits[n] == '}' : n == limit;
    /* A byte of a character is no character. */
    if (!whole || (limit == 2 && digits[0] >= '8'))
        return refuse(t, t->at, 2);
    t->at = digits + n + braces;
    model_status status = put_text(t, "\\x{");
    if (status == MODEL_OK)
        status = put(t, digits, n);
    return status == MODEL_OK ? put_text(t, "}") : status;
}

/* \s and so on; what stands for one character in all cases. */
static model_status escaped_letter(struct translation *t, bool inside)
{
    char c = t->at[1];
    if (strchr("wWdD", c) != NULL && !(inside && (c == 'W' || c == 'D'))) {
        t->at += 2;
        model_status status = put_set(t, c, inside);
        return status == MODEL_OK && inside ? put_hyphen(t) : status;
    }
    if (!inside && (c == 'b' || c == 'B')) {
        t->at += 2;
        return put_boundary(t, c == 'B');
    }
    for (size_t i = 0; i < COUNT(escapes); i++) {
        const char *text = inside ? escapes[i].inside : escapes[i].outside;
        if (c != escapes[i].letter || *text == '\0')
            continue;
        t->at += 2;
        model_status status = put_text(t, text);
        return status == MODEL_OK && inside ? put_hyphen(t) : status;
    }
    return refuse(t, t->at, 2);
}

static model_status escape(struct translation *t, bool inside)
{
    unsigned char c = (unsigned char)t->at[1];
    if (c == 'p' || c == 'P') {
        model_status status = property(t, inside);
        return status == MODEL_OK && inside ? put_hyphen(t) : status;
    }
    if (c == 'x' || c == 'u')
        return hexadecimal(t);
    if (c == 'k' && !inside && t->at[2] == '<')
        return pass(t, 2);
    if (isdigit(c) && c != '0' && !inside)
        return pass(t, 2);
    if (c == '\0' || isdigit(c))
        return refuse(t, t->at, c == '\0' ? 1 : 2);
    if (isalpha(c))
        return escaped_letter(t, inside);
    return pass(t, c < 0x80 ? 2 : 1);
}

/* [[:space:]] */
static model_status posix_class(struct translation *t)
{
    static const struct {
        const char *name, *set;
    } known[] = {{"[:space:]", SPACES}, {"[:xdigit:]", HEX}, {"[:word:]", WORD}};
    for (size_t i = 0; i < COUNT(known); i++)
        if (strncmp(t->at, known[i].name, strlen(known[i].name)) == 0) {
            t->at += strlen(known[i].name);
            return put_text(t, known[i].set);
        }
    const char *end = strchr(t->at, ']');
    return refuse(t, t->at, end != NULL && end - t->at < 20 ? (size_t)(end + 1 - t->at) : 2);
}

/* From '[' to behind its ']'. Classes inside are laid out flat. */
static model_status class(struct translation *t)
{
    size_t depth = 1;
    model_status status = pass(t, t->at[1] == '^' ? 2 : 1);
    if (status == MODEL_OK && *t->at == ']') { /* a first ']' is a character */
        t->at++;
        status = put_text(t, "\\]");
    }
    while (status == MODEL_OK && depth > 0 && *t->at != '\0') {
        if (*t->at == '\\') {
            status = escape(t, true);
        } else if (t->at[0] == '&' && t->at[1] == '&') {
            status = refuse(t, t->at, 2);
        } else if (t->at[0] == '[' && t->at[1] == ':') {
            status = posix_class(t);
        } else if (*t->at == '[') {
            if (t->at[1] == '^')
                return refuse(t, "[..[^", 5);
            depth++;
            t->at++;
        } else if (*t->at == ']') {
            depth--;
            t->at++;
        } else {
            status = pass(t, 1);
        }
    }
    return status == MODEL_OK ? put_text(t, depth == 0 ? "]" : "") : status;
}

/* From '(' to where the group's content begins; comments and (?i) whole. */
static model_status open_group(struct translation *t, const char *regex)
{
    static const char *const kinds[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    size_t start = t->out->size;
    model_status status = MODEL_OK;
    if (t->n_groups == PATTERN_MAX_DEPTH)
        return error_set(t->err, MODEL_CORRUPT, "%s: %s: a pattern nests more than %d groups",
                         t->place->what, t->place->path, PATTERN_MAX_DEPTH);
    if (t->at[1] == '*')
        return refuse(t, t->at, 2);
    if (t->at[1] != '?') {
        t->groups[t->n_groups++] = start;
        return pass(t, 1);
    }
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strncmp(t->at, kinds[i], strlen(kinds[i])) == 0) {
            t->groups[t->n_groups++] = start;
            return pass(t, strlen(kinds[i]));
        }
    if (t->at[2] == '<' && (isalpha((unsigned char)t->at[3]) || t->at[3] == '_')) {
        t->groups[t->n_groups++] = start;
        return pass(t, 3);
    }
    size_t n = 2 + strspn(t->at + 2, "imx-");
    if (n == 2 || (t->at[n] != ':' && !(t->at[n] == ')' && t->at == regex)))
        return refuse(t, t->at, t->at[2] != '\0' ? 3 : 2);
    status = put_text(t, "(?");
    for (size_t i = 2; i < n && status == MODEL_OK; i++)
        status = put_text(t, t->at[i] == 'm'   ? "s"
                             : t->at[i] == 'i' ? "i"
                             : t->at[i] == 'x' ? "x"
                                               : "-");
    if (t->at[n] == ':')
        t->groups[t->n_groups++] = start;
    t->at += n;
    return status == MODEL_OK ? pass(t, 1) : status;
}

/* "{2}", "{2,}", "{,3}" or "{2,3}" at t->at: its bytes, or 0. */
static size_t interval_bytes(const char *at)
{
    size_t low = strspn(at + 1, "0123456789");
    const char *end = at + 1 + low;
    size_t high = 0;
    if (*end == ',') {
        high = strspn(end + 1, "0123456789");
        end += 1 + high;
    }
    return *end == '}' && low + high > 0 ? (size_t)(end + 1 - at) : 0;
}

static model_status interval(struct translation *t, size_t bytes)
{
    const char *brace = t->at;
    bool exact = memchr(brace, ',', bytes) == NULL;
    model_status status = put_text(t, brace[1] == ',' ? "{0" : "{");
    if (status == MODEL_OK)
        status = put(t, brace + 1, bytes - 1);
    t->at += bytes;
    if (status == MODEL_OK && *t->at == '?' && exact)
        return refuse(t, brace, bytes + 1);
    if (status != MODEL_OK || *t->at != '+')
        return status;
    /* The atom with its interval becomes a group of its own. */
    status = put_text(t, "(?:)+");
    if (status != MODEL_OK)
        return status;
    t->at++;
    char *out = t->out->data;
    size_t size = t->out->size - 5 - t->atom;
    memmove(out + t->atom + 3, out + t->atom, size);
    memcpy(out + t->atom, "(?:", 3);
    memcpy(out + t->atom + 3 + size, ")+", 2);
    return MODEL_OK;
}

static model_status next(struct translation *t, const char *regex)
{
    size_t here = t->out->size;
    size_t bytes;
    switch (*t->at) {
    case '\\':
        t->atom = here;
        return escape(t, false);
    case '[':
        t->atom = here;
        return class(t);
    case '(':
        return open_group(t, regex);
    case ')':
        if (t->n_groups > 0)
            t->atom = t->groups[--t->n_groups];
        return pass(t, 1);
    case '{':
        bytes = interval_bytes(t->at);
        if (bytes > 0)
            return interval(t, bytes);
        return refuse(t, t->at, 1);
    case '*':
    case '+':
    case '?':
    case '|':
    case '^':
    case '$':
        return pass(t, 1);
    default:
        if (((unsigned char)*t->at & 0xC0) != 0x80)
            t->atom = here;
        return pass(t, 1);
    }
}

model_status pattern_translate(const char *regex, const struct json_place *place,
                               struct buffer *ret, struct model_error *err)
{
    struct translation t = {.at = regex, .place = place, .out = ret, .atom = ret->size, .err = err};
    model_status status = put_text(&t, "");
    while (status == MODEL_OK && *t.at != '\0')
        status = next(&t, regex);
    return status;
}
