/* json_view.c - see json_view.h: the one place that knows cJSON. */
#include "json_view.h"
#include "errors.h"
#include "files.h"
#include "string_map.h"
#include "utf8.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#define MAX_EXACT_INTEGER 9007199254740992.0 /* 2^53 */

/* What a text will cost as a tree, counted outside strings before there is one: cJSON recurses per
 * level, and takes some hundred bytes per value. */
struct shape {
    size_t depth;
    size_t n_values;     /* exact for valid JSON, except that an empty container counts twice */
    const char *control; /* the first that RFC 8259 has not there, and cJSON takes; NULL: none */
};

/* In strings none may stand as it is, outside them tab, line feed and carriage return. */
static bool is_control(unsigned char c, bool in_string)
{
    return c < 0x20 && (in_string || (c != '\t' && c != '\n' && c != '\r'));
}

static struct shape measure(const char *text, size_t size_bytes)
{
    struct shape shape = {.n_values = 1};
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size_bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c <= '"') { /* control characters among them, which so cost the others nothing */
            if (c == '"')
                in_string = !in_string;
            else if (is_control(c, in_string) && shape.control == NULL)
                shape.control = text + i;
        } else if (in_string) {
            if (c == '\\')
                i++;
        } else if (c == ',') {
            shape.n_values++;
        } else if (c == '[' || c == '{') {
            shape.n_values++;
            if (++depth > shape.depth)
                shape.depth = depth;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return shape;
}

/* Whether \u0000 stands in the strings of a text that is valid JSON, where each backslash begins an
 * escape. */
static bool has_zero_character(const char *text, size_t size_bytes)
{
    const char *end = text + size_bytes;
    const char *at = memchr(text, '\\', size_bytes);
    while (at != NULL) {
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0)
            return true;
        at += 2; /* there is a second: a string does not end in its escape */
        at = memchr(at, '\\', (size_t)(end - at));
    }
    return false;
}

model_status json_parse(const char *text, size_t size_bytes, const char *what, json_node **ret,
                        struct model_error *err)
{
    return json_parse_limited(text, size_bytes, JSON_MAX_VALUES, what, ret, err);
}

bool json_has_more_values(const char *text, size_t size_bytes, size_t max_values)
{
    return measure(text, size_bytes).n_values > max_values;
}

model_status json_parse_limited(const char *text, size_t size_bytes, size_t max_values,
                                const char *what, json_node **ret, struct model_error *err)
{
    size_t good = utf8_valid_prefix(text, size_bytes);
    if (good != size_bytes)
        return error_set(err, MODEL_CORRUPT, "%s: not UTF-8 at byte %zu", what, good);
    if (memchr(text, '\0', size_bytes) != NULL)
        return error_set(err, MODEL_CORRUPT, "%s: a zero byte inside the text", what);
    struct shape shape = measure(text, size_bytes);
    if (shape.control != NULL)
        return error_set(err, MODEL_CORRUPT,
                         "%s: not valid JSON at byte %zu, a control character (0x%02x)", what,
                         (size_t)(shape.control - text), (unsigned)*shape.control);
    if (shape.depth > JSON_MAX_DEPTH)
        return error_set(err, MODEL_CORRUPT, "%s: nested deeper than %d levels", what,
                         JSON_MAX_DEPTH);
    if (shape.n_values > max_values)
        return error_set(err, MODEL_CORRUPT, "%s: more than %zu values", what, max_values);
    const char *end = text;
    json_node *root = cJSON_ParseWithLengthOpts(text, size_bytes, &end, 0);
    if (root == NULL)
        return error_set(err, MODEL_CORRUPT, "%s: not valid JSON at byte %zu", what,
                         end >= text && end <= text + size_bytes ? (size_t)(end - text) : 0);
    while (end < text + size_bytes && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (end < text + size_bytes) {
        cJSON_Delete(root);
        return error_set(err, MODEL_CORRUPT, "%s: text after the JSON value at byte %zu", what,
                         (size_t)(end - text));
    }
    if (has_zero_character(text, size_bytes)) {
        cJSON_Delete(root);
        return error_set(err, MODEL_CORRUPT,
                         "%s: a zero character (\\u0000) in a string is not supported", what);
    }
    *ret = root;
    return MODEL_OK;
}

model_status json_parse_file(const char *path, size_t max_bytes, json_node **ret,
                             struct model_error *err)
{
    struct buffer text = BUFFER_INIT(max_bytes);
    model_status status = file_read(path, max_bytes, &text, err);
    if (status == MODEL_OK)
        status = json_parse(text.data, text.size, path, ret, err);
    buffer_finish(&text);
    return status;
}

void json_free(json_node *root)
{
    cJSON_Delete(root);
}

bool json_is_object(const json_node *node)
{
    return cJSON_IsObject(node);
}

bool json_is_array(const json_node *node)
{
    return cJSON_IsArray(node);
}

bool json_is_string(const json_node *node)
{
    return cJSON_IsString(node);
}

/* A raw node is a number that json_add_number() had to print itself. */
bool json_is_number(const json_node *node)
{
    return cJSON_IsNumber(node) || cJSON_IsRaw(node);
}

bool json_is_bool(const json_node *node)
{
    return cJSON_IsBool(node);
}

bool json_is_null(const json_node *node)
{
    return node == NULL || cJSON_IsNull(node);
}

size_t json_count(const json_node *node)
{
    return node != NULL ? (size_t)cJSON_GetArraySize(node) : 0;
}

const json_node *json_first(const json_node *node)
{
    return node != NULL ? node->child : NULL;
}

const json_node *json_next(const json_node *item)
{
    return item != NULL ? item->next : NULL;
}

const char *json_key(const json_node *member)
{
    return member != NULL ? member->string : NULL;
}

const json_node *json_member(const json_node *object, const char *key)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

static const json_node *item_at(const json_node *array, const char **path)
{
    char *end = NULL;
    unsigned long index = strtoul(*path + 1, &end, 10);
    if (end == *path + 1 || *end != ']')
        return NULL;
    *path = end + 1;
    const json_node *item = json_is_array(array) ? array->child : NULL;
    while (item != NULL && index-- > 0)
        item = item->next;
    return item;
}

const json_node *json_path(const json_node *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        if (*path == '[') {
            node = item_at(node, &path);
        } else {
            size_t length = strcspn(path, ".[");
            char *key = text_format("%.*s", (int)length, path);
            node = key != NULL ? json_member(node, key) : NULL;
            free(key);
            path += length;
        }
        if (*path == '.')
            path++;
    }
    return node;
}

model_status json_check_unique_keys(const json_node *object, const char *what,
                                    struct model_error *err)
{
    if (!json_is_object(object))
        return MODEL_OK;
    struct string_map seen;
    if (string_map_init(&seen, json_count(object)) != MODEL_OK)
        return error_no_memory(err, what);
    model_status status = MODEL_OK;
    for (const json_node *m = json_first(object); m != NULL && status == MODEL_OK; m = m->next) {
        status = string_map_add(&seen, m->string, strlen(m->string), 0);
        if (status == MODEL_INVALID_ARGUMENT)
            status =
                error_set(err, MODEL_CORRUPT, "%s: the key '%s' stands twice", what, m->string);
        else if (status != MODEL_OK)
            status = error_no_memory(err, what);
    }
    string_map_finish(&seen);
    return status;
}

const char *json_string_or(const json_node *node, const char *fallback)
{
    return cJSON_IsString(node) ? node->valuestring : fallback;
}

double json_number_or(const json_node *node, double fallback)
{
    return json_is_number(node) ? node->valuedouble : fallback;
}

bool json_bool_or(const json_node *node, bool fallback)
{
    return cJSON_IsBool(node) ? cJSON_IsTrue(node) : fallback;
}

bool json_integer(const json_node *node, int64_t min, int64_t max, int64_t *ret)
{
    if (!json_is_number(node))
        return false;
    double value = node->valuedouble;
    if (!(fabs(value) <= MAX_EXACT_INTEGER) || floor(value) != value)
        return false;
    int64_t integer = (int64_t)value;
    if (integer < min || integer > max)
        return false;
    *ret = integer;
    return true;
}

json_node *json_new_object(void)
{
    return cJSON_CreateObject();
}

json_node *json_new_array(void)
{
    return cJSON_CreateArray();
}

json_node *json_add_tree(json_node *parent, const char *key, json_node *tree)
{
    if (parent == NULL || tree == NULL) {
        cJSON_Delete(tree);
        return NULL;
    }
    cJSON_bool added =
        key != NULL ? cJSON_AddItemToObject(parent, key, tree) : cJSON_AddItemToArray(parent, tree);
    if (!added) {
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

json_node *json_add_copy(json_node *parent, const char *key, const json_node *tree)
{
    return json_add_tree(parent, key, cJSON_Duplicate(tree, 1));
}

json_node *json_add_object(json_node *parent, const char *key)
{
    return json_add_tree(parent, key, cJSON_CreateObject());
}

json_node *json_add_array(json_node *parent, const char *key)
{
    return json_add_tree(parent, key, cJSON_CreateArray());
}

json_node *json_add_string(json_node *parent, const char *key, const char *value)
{
    return json_add_tree(parent, key, cJSON_CreateString(value));
}

json_node *json_add_text(json_node *parent, const char *key, const char *text, size_t size_bytes)
{
    static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
    struct buffer copy = BUFFER_INIT(SIZE_MAX);
    json_node *node = NULL;
    model_status status = buffer_reserve(&copy, size_bytes);
    while (status == MODEL_OK && size_bytes > 0) {
        const char *zero = memchr(text, '\0', size_bytes);
        size_t n = zero != NULL ? (size_t)(zero - text) : size_bytes;
        status = buffer_append(&copy, text, n);
        if (status == MODEL_OK && zero != NULL)
            status = buffer_append_text(&copy, replacement);
        n += zero != NULL ? 1 : 0;
        text += n;
        size_bytes -= n;
    }
    if (status == MODEL_OK)
        node = json_add_string(parent, key, copy.data);
    buffer_finish(&copy);
    return node;
}

json_node *json_add_number(json_node *parent, const char *key, double value)
{
    char digits[32];
    if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value)
        return json_add_tree(parent, key, cJSON_CreateNumber(value)); /* 15 digits are all of it */
    (void)snprintf(digits, sizeof digits, "%1.15g", value);
    if (!isfinite(value) || strtod(digits, NULL) == value)
        return json_add_tree(parent, key, cJSON_CreateNumber(value));
    /* cJSON is content with 15 digits that are nearly right: 2^53 - 1 would not survive. */
    (void)snprintf(digits, sizeof digits, "%1.17g", value);
    char *point = strchr(digits, localeconv()->decimal_point[0]);
    if (point != NULL)
        *point = '.';
    json_node *number = cJSON_CreateRaw(digits);
    if (number != NULL)
        number->valuedouble = value;
    return json_add_tree(parent, key, number);
}

json_node *json_add_bool(json_node *parent, const char *key, bool value)
{
    return json_add_tree(parent, key, cJSON_CreateBool(value));
}

json_node *json_add_null(json_node *parent, const char *key)
{
    return json_add_tree(parent, key, cJSON_CreateNull());
}

char *json_print(const json_node *node, bool pretty)
{
    char *text = pretty ? cJSON_Print(node) : cJSON_PrintUnformatted(node);
    if (text == NULL || !pretty)
        return text;
    size_t length = strlen(text);
    char *line = realloc(text, length + 2);
    if (line == NULL) {
        cJSON_free(text);
        return NULL;
    }
    line[length] = '\n';
    line[length + 1] = '\0';
    return line;
}

const char *json_library_version(void)
{
    return cJSON_Version();
}
