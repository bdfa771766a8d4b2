/* json_difference.c - see json_difference.h. json_parse() limits how deep values are nested, and so the
 * recursion here. */
#include "json_difference.h"
#include "buffer.h"
#include "errors.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

#define MAX_POINTER_BYTES ((size_t)64 << 20)

struct comparing {
    json_node *array;
    struct buffer pointer;
    size_t n;
    bool failed;
};

static void compare(struct comparing *comparing, const json_node *a, const json_node *b);

static void report(struct comparing *comparing, const json_node *a, const json_node *b)
{
    json_node *item = json_add_object(comparing->array, NULL);
    bool complete = json_add_text(item, "pointer",
                                  comparing->pointer.data != NULL ? comparing->pointer.data : "",
                                  comparing->pointer.size) != NULL &&
                    json_add_string(item, "change",
                                    a == NULL   ? "added"
                                    : b == NULL ? "removed"
                                                : "changed") != NULL;
    if (a != NULL)
        complete = complete && json_add_copy(item, "a", a) != NULL;
    if (b != NULL)
        complete = complete && json_add_copy(item, "b", b) != NULL;
    comparing->failed |= !complete;
    comparing->n++;
}

/* Goes into a member: '~' and '/' are written "~0" and "~1". */
static void compare_at(struct comparing *comparing, const char *key, const json_node *a,
                       const json_node *b)
{
    size_t size = comparing->pointer.size;
    model_status status = buffer_append(&comparing->pointer, "/", 1);
    for (; *key != '\0' && status == MODEL_OK; key++)
        status = *key == '~'   ? buffer_append(&comparing->pointer, "~0", 2)
                 : *key == '/' ? buffer_append(&comparing->pointer, "~1", 2)
                               : buffer_append(&comparing->pointer, key, 1);
    comparing->failed |= status != MODEL_OK;
    if (!comparing->failed)
        compare(comparing, a, b);
    if (comparing->pointer.size > size) {
        comparing->pointer.size = size;
        comparing->pointer.data[size] = '\0';
    }
}

/* Members by key. The table's numbers are positions in a list of the members. */
struct members {
    struct string_map by_key;
    const json_node **list; /* (json_count()) */
};

static bool members_init(struct members *members, const json_node *object)
{
    *members = (struct members){.list = calloc(json_count(object) + 1, sizeof *members->list)};
    bool complete =
        members->list != NULL && string_map_init(&members->by_key, json_count(object)) == MODEL_OK;
    uint32_t n = 0;
    for (const json_node *item = json_first(object); item != NULL && complete;
         item = json_next(item)) {
        model_status status =
            string_map_add(&members->by_key, json_key(item), strlen(json_key(item)), n);
        if (status == MODEL_OK)
            members->list[n++] = item;
        complete = status == MODEL_OK || status == MODEL_INVALID_ARGUMENT;
    }
    return complete;
}

static const json_node *members_find(const struct members *members, const char *key)
{
    int64_t at = string_map_find(&members->by_key, key, strlen(key));
    return at >= 0 ? members->list[at] : NULL;
}

static void members_finish(struct members *members)
{
    string_map_finish(&members->by_key);
    free(members->list);
}

static void compare_objects(struct comparing *comparing, const json_node *a, const json_node *b)
{
    struct members in_a, in_b = {.list = NULL};
    bool complete = members_init(&in_a, a);
    complete = complete && members_init(&in_b, b);
    comparing->failed |= !complete;
    for (const json_node *item = json_first(a); item != NULL && !comparing->failed;
         item = json_next(item))
        compare_at(comparing, json_key(item), item, members_find(&in_b, json_key(item)));
    for (const json_node *item = json_first(b); item != NULL && !comparing->failed;
         item = json_next(item))
        if (members_find(&in_a, json_key(item)) == NULL)
            compare_at(comparing, json_key(item), NULL, item);
    members_finish(&in_b);
    members_finish(&in_a);
}

static void compare_arrays(struct comparing *comparing, const json_node *a, const json_node *b)
{
    const json_node *x = json_first(a), *y = json_first(b);
    for (size_t i = 0; (x != NULL || y != NULL) && !comparing->failed; i++) {
        char *index = text_format("%zu", i);
        if (index == NULL)
            comparing->failed = true;
        else
            compare_at(comparing, index, x, y);
        free(index);
        x = x != NULL ? json_next(x) : NULL;
        y = y != NULL ? json_next(y) : NULL;
    }
}

static bool are_equal(const json_node *a, const json_node *b)
{
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_or(a, ""), json_string_or(b, "")) == 0;
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_or(a, 0), y = json_number_or(b, 0);
        return !(x < y) && !(x > y);
    }
    if (json_is_bool(a) && json_is_bool(b))
        return json_bool_or(a, false) == json_bool_or(b, false);
    return json_is_null(a) && json_is_null(b);
}

static void compare(struct comparing *comparing, const json_node *a, const json_node *b)
{
    if (a != NULL && b != NULL && json_is_object(a) && json_is_object(b))
        compare_objects(comparing, a, b);
    else if (a != NULL && b != NULL && json_is_array(a) && json_is_array(b))
        compare_arrays(comparing, a, b);
    else if (a == NULL || b == NULL || !are_equal(a, b))
        report(comparing, a, b);
}

model_status json_difference(const json_node *a, const json_node *b, json_node *array,
                             size_t *ret_n, struct model_error *err)
{
    struct comparing comparing = {.array = array, .pointer = BUFFER_INIT(MAX_POINTER_BYTES)};
    if (a != NULL || b != NULL)
        compare(&comparing, a, b);
    buffer_finish(&comparing.pointer);
    if (comparing.failed)
        return error_no_memory(err, "the differences");
    *ret_n = comparing.n;
    return MODEL_OK;
}
