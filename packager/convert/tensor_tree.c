/* tensor_tree.c - see tensor_tree.h. Names with a common prefix and dot lie together in the sorted list, so a
 * branch is a range of it. */
#include "tensor_tree.h"
#include "dtype.h"
#include "errors.h"
#include "files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static size_t digits(const char *text)
{
    size_t n = 0;
    while (isdigit((unsigned char)text[n]))
        n++;
    return n;
}

/* Numbers by value, then by length (so that "01" and "1" are two), all else by bytes. */
static int compare_names(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        size_t n_a = digits(a), n_b = digits(b);
        if (n_a > 0 && n_b > 0) {
            const char *x = a, *y = b;
            for (; *x == '0' && x + 1 < a + n_a; x++)
                ;
            for (; *y == '0' && y + 1 < b + n_b; y++)
                ;
            size_t rest_x = (size_t)(a + n_a - x), rest_y = (size_t)(b + n_b - y);
            int order = rest_x != rest_y ? (rest_x < rest_y ? -1 : 1) : memcmp(x, y, rest_x);
            if (order != 0)
                return order;
            if (n_a != n_b)
                return n_a < n_b ? -1 : 1;
            a += n_a;
            b += n_b;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

int tensor_tree_compare(const void *a, const void *b)
{
    return compare_names((*(const struct model_tensor *const *)a)->name,
                         (*(const struct model_tensor *const *)b)->name);
}

/* The bytes of the name's next part with its dot; 0 when the rest is a leaf's name. */
static size_t branch_bytes(const char *rest, unsigned depth)
{
    const char *dot = depth < TENSOR_TREE_MAX_DEPTH ? strchr(rest, '.') : NULL;
    return dot != NULL && dot[1] != '\0' ? (size_t)(dot - rest) + 1 : 0;
}

/* One line of the tree; NULL without memory. */
static json_node *add_node(json_node *list, const char *name, size_t name_bytes,
                           const struct model_tensor *const *tensors, size_t n)
{
    uint64_t elements = 0, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        elements += tensor_elements(tensors[i]);
        bytes += tensors[i]->size_bytes;
    }
    json_node *node = json_add_object(list, NULL);
    bool complete = json_add_text(node, "name", name, name_bytes) != NULL &&
                    json_add_number(node, "tensors", (double)n) != NULL &&
                    json_add_number(node, "parameters", (double)elements) != NULL &&
                    json_add_number(node, "bytes", (double)bytes) != NULL;
    return complete ? node : NULL;
}

static bool add_range(json_node *list, const struct model_tensor *const *tensors, size_t n,
                      size_t prefix_bytes, unsigned depth)
{
    for (size_t i = 0, m; i < n; i += m) {
        const char *rest = tensors[i]->name + prefix_bytes;
        size_t part_bytes = branch_bytes(rest, depth);
        for (m = 1; part_bytes > 0 && i + m < n; m++)
            if (strncmp(tensors[i + m]->name + prefix_bytes, rest, part_bytes) != 0)
                break;
        size_t name_bytes = part_bytes > 0 ? part_bytes - 1 : strlen(rest);
        json_node *node = add_node(list, rest, name_bytes, tensors + i, m);
        if (node == NULL)
            return false;
        if (part_bytes == 0)
            continue;
        json_node *children = json_add_array(node, "children");
        if (children == NULL ||
            !add_range(children, tensors + i, m, prefix_bytes + part_bytes, depth + 1))
            return false;
    }
    return true;
}

model_status tensor_tree_add(json_node *parent, const struct model_tensor *const *tensors, size_t n,
                             struct model_error *err)
{
    json_node *list = json_add_array(parent, "tree");
    return list != NULL && add_range(list, tensors, n, 0, 0) ? MODEL_OK
                                                             : error_no_memory(err, "the tree");
}
