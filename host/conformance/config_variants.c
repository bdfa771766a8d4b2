/* config_variants.c - see config_variants.h. */
#include "config_variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a field may be instead; the text is JSON. "" leaves it out. */
static const char *const values[] = {
    "",     "null", "-1", "0",   "1", "0.5", "2147483648", "1e18", "\"no such value\"",
    "\"\"", "true", "[]", "[1]", "{}"};

struct walk {
    const json_node *root;
    const json_node *changed; /* the member that is another */
    const char *value;
    bool (*visit)(void *context, const struct config_variant *variant);
    void *context;
};

/* Copies an object; the changed member becomes the value. */
static void copy_object(const struct walk *walk, const json_node *from, json_node *to)
{
    for (const json_node *member = json_first(from); member != NULL; member = json_next(member)) {
        json_node *value = NULL;
        if (member == walk->changed) {
            if (walk->value[0] != '\0' &&
                json_parse(walk->value, strlen(walk->value), "it", &value, NULL) == MODEL_OK)
                (void)json_add_tree(to, json_key(member), value);
        } else if (json_is_object(member)) {
            copy_object(walk, member, json_add_object(to, json_key(member)));
        } else {
            (void)json_add_copy(to, json_key(member), member);
        }
    }
}

static bool visit_one(const struct walk *walk, const char *field)
{
    char what[200];
    json_node *config = json_new_object();
    copy_object(walk, walk->root, config);
    char *text = json_print(config, false);
    if (walk->value[0] == '\0')
        (void)snprintf(what, sizeof what, "a config.json without '%.100s'", field);
    else
        (void)snprintf(what, sizeof what, "a config.json where '%.100s' is %s", field, walk->value);
    const struct config_variant variant = {field, what, config, text};
    const bool good = text == NULL || walk->visit(walk->context, &variant);
    free(text);
    json_free(config);
    return good;
}

static bool walk_object(struct walk *walk, const json_node *object, const char *prefix, int depth)
{
    for (const json_node *member = json_first(object); member != NULL; member = json_next(member)) {
        char field[160];
        (void)snprintf(field, sizeof field, "%s%s%.80s", prefix, prefix[0] != '\0' ? "." : "",
                       json_key(member));
        walk->changed = member;
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            walk->value = values[i];
            if (!visit_one(walk, field))
                return false;
        }
        if (json_is_object(member) && depth == 0 && !walk_object(walk, member, field, depth + 1))
            return false;
    }
    return true;
}

bool config_variants_visit(const json_node *config,
                           bool (*visit)(void *context, const struct config_variant *variant),
                           void *context)
{
    struct walk walk = {.root = config, .visit = visit, .context = context};
    return walk_object(&walk, config, "", 0);
}
