/* inspect_print.c - see inspect_print.h. */
#include "inspect_print.h"
#include "command_trust.h"
#include "human_text.h"
#include "printable_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 48

static double number(const json_node *object, const char *key)
{
    return json_number_or(json_member(object, key), 0);
}

static const char *text(const json_node *object, const char *key, char shown[PRINTABLE_TEXT_BYTES])
{
    return printable(json_string_or(json_member(object, key), ""), shown);
}

/* "[2, 768]" of a JSON array. */
static void add_shape(struct buffer *ret, const json_node *shape)
{
    const char *between = "[";
    for (const json_node *item = json_first(shape); item != NULL; item = json_next(item)) {
        (void)buffer_printf(ret, "%s%.0f", between, json_number_or(item, 0));
        between = ", ";
    }
    (void)buffer_append_text(ret, json_first(shape) == NULL ? "[]" : "]");
}

/* ---- inspect */

static void add_line(struct buffer *ret, const char *label, const char *value)
{
    if (value[0] != '\0')
        (void)buffer_printf(ret, "%-12s  %s\n", label, value);
}

void inspect_summary(const json_node *root, size_t n_tensors, struct buffer *ret)
{
    static const char *const package_lines[] = {"id", "revision", "backend"};
    char shown[PRINTABLE_TEXT_BYTES], size[HUMAN_TEXT_BYTES];
    const json_node *package = json_member(root, "package");
    for (size_t i = 0; i < sizeof package_lines / sizeof package_lines[0]; i++)
        add_line(ret, package_lines[i], text(package, package_lines[i], shown));
    char *signature =
        package != NULL ? command_signature_text(json_member(package, "signature")) : NULL;
    add_line(ret, "signature", signature != NULL ? signature : "");
    free(signature);
    add_line(ret, "path", text(root, "path", shown));
    add_line(ret, "form", text(root, "form", shown));
    (void)buffer_printf(ret, "%-12s  %zu\n", "tensors", n_tensors);
    (void)buffer_printf(ret, "%-12s  %.0f\n", "parameters", number(root, "parameters"));
    (void)buffer_printf(ret, "%-12s  %s\n", "size",
                        human_size((uint64_t)number(root, "bytes"), size));
    (void)buffer_printf(ret, "%-12s ", "dtypes");
    for (const json_node *item = json_first(json_member(root, "dtypes")); item != NULL;
         item = json_next(item))
        (void)buffer_printf(ret, " %s (%.0f)", json_key(item), json_number_or(item, 0));
    (void)buffer_append_text(ret, n_tensors == 0 ? " none\n" : "\n");
    for (const json_node *item = json_first(json_member(root, "aliases")); item != NULL;
         item = json_next(item)) {
        char of[PRINTABLE_TEXT_BYTES];
        (void)buffer_printf(ret, "%-12s  %s = %s\n", "shared", printable(json_key(item), shown),
                            printable(json_string_or(item, ""), of));
    }
    (void)buffer_append_text(ret, "\n");
}

/* "name   parameters   size  [n tensors]". */
static bool add_branch(void *context, const struct tensor_branch *branch)
{
    char name[PRINTABLE_TEXT_BYTES], size[HUMAN_TEXT_BYTES];
    struct buffer *ret = context;
    const int indent = 2 * (int)branch->depth;
    model_status status = buffer_printf(
        ret, "%*s%-*s %10llu  %8s", indent, "", NAME_COLUMNS > indent ? NAME_COLUMNS - indent : 0,
        printable_text(branch->name, branch->name_bytes, name),
        (unsigned long long)branch->elements, human_size(branch->size_bytes, size));
    if (status == MODEL_OK && !branch->is_leaf)
        status = buffer_printf(ret, "  %zu tensors", branch->n_tensors);
    return status == MODEL_OK && buffer_append_text(ret, "\n") == MODEL_OK;
}

static void add_statistics(struct buffer *ret, const json_node *found)
{
    (void)buffer_printf(ret, "  min %.6g  max %.6g  mean %.6g  std %.6g", number(found, "min"),
                        number(found, "max"), number(found, "mean"), number(found, "std"));
    static const char *const counts[] = {"nan", "infinite", "zero"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (number(found, counts[i]) > 0)
            (void)buffer_printf(ret, "  %s %.0f", counts[i], number(found, counts[i]));
}

void inspect_line(const json_node *tensor, struct buffer *ret)
{
    char shown[PRINTABLE_TEXT_BYTES];
    (void)buffer_printf(ret, "%-*s  %-5s ", NAME_COLUMNS, text(tensor, "name", shown),
                        json_string_or(json_member(tensor, "dtype"), "?"));
    add_shape(ret, json_member(tensor, "shape"));
    if (json_member(tensor, "statistics") != NULL)
        add_statistics(ret, json_member(tensor, "statistics"));
    else if (number(tensor, "bytes") == 0)
        (void)buffer_append_text(ret, "  no elements");
    (void)buffer_append_text(ret, "\n");
}

void inspect_tree(const struct model_tensor *const *tensors, size_t n_tensors, unsigned depth,
                  struct buffer *ret)
{
    (void)tensor_tree_walk(tensors, n_tensors, depth, add_branch, ret);
}

/* ---- diff */

static void add_value(struct buffer *ret, const json_node *value)
{
    char shown[PRINTABLE_TEXT_BYTES];
    char *printed = json_print(value, false);
    (void)buffer_append_text(ret, printable(printed, shown));
    free(printed);
}

/* "config /hidden_size: 768 -> 1024", "- config /x: 1", "+ config /y: 2". */
static void add_places(struct buffer *ret, const char *what, const json_node *list)
{
    char shown[PRINTABLE_TEXT_BYTES];
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item)) {
        const json_node *a = json_member(item, "a"), *b = json_member(item, "b");
        (void)buffer_printf(ret, "%c %s %s: ",
                            a == NULL   ? '+'
                            : b == NULL ? '-'
                                        : '~',
                            what, text(item, "pointer", shown));
        if (a != NULL)
            add_value(ret, a);
        if (a != NULL && b != NULL)
            (void)buffer_append_text(ret, " -> ");
        if (b != NULL)
            add_value(ret, b);
        (void)buffer_append_text(ret, "\n");
    }
}

static void add_kind(struct buffer *ret, const json_node *tensor)
{
    (void)buffer_printf(ret, "%s ", json_string_or(json_member(tensor, "dtype"), "?"));
    add_shape(ret, json_member(tensor, "shape"));
}

static void add_singles(struct buffer *ret, char sign, const json_node *list)
{
    char shown[PRINTABLE_TEXT_BYTES];
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item)) {
        (void)buffer_printf(ret, "%c tensor %s: ", sign, text(item, "name", shown));
        add_kind(ret, item);
        (void)buffer_append_text(ret, "\n");
    }
}

static void add_figures(struct buffer *ret, const json_node *item)
{
    double different = number(item, "different"), unlike = number(item, "unlike");
    double relative = json_number_or(json_member(item, "relative"), INFINITY);
    if (different > 0)
        (void)buffer_printf(ret, ", %.0f elements differ: max %.6g, mean %.6g, relative %.3g",
                            different, number(item, "max"), number(item, "mean"), relative);
    else
        (void)buffer_append_text(ret, ", equal values");
    if (unlike > 0)
        (void)buffer_printf(ret, ", %.0f of them are not finite in one", unlike);
}

static void add_changed(struct buffer *ret, const json_node *list)
{
    char shown[PRINTABLE_TEXT_BYTES];
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item)) {
        const json_node *a = json_member(item, "a"), *b = json_member(item, "b");
        bool same_kind = strcmp(json_string_or(json_member(a, "dtype"), ""),
                                json_string_or(json_member(b, "dtype"), "")) == 0;
        (void)buffer_printf(ret, "~ tensor %s: ", text(item, "name", shown));
        add_kind(ret, a);
        if (!same_kind || json_member(item, "different") == NULL) {
            (void)buffer_append_text(ret, " -> ");
            add_kind(ret, b);
        }
        if (json_member(item, "different") != NULL)
            add_figures(ret, item);
        (void)buffer_append_text(ret, "\n");
    }
}

void diff_text(const json_node *root, struct buffer *ret)
{
    const json_node *tensors = json_member(root, "tensors");
    add_places(ret, "metadata", json_member(root, "metadata"));
    add_places(ret, "config", json_member(root, "config"));
    add_singles(ret, '-', json_member(tensors, "removed"));
    add_singles(ret, '+', json_member(tensors, "added"));
    add_changed(ret, json_member(tensors, "changed"));
}
