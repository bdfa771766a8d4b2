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
    size_t same = 0; /* what is the same in both says nothing, but for the beginning of a number */
    while (a[same] != '\0' && a[same] == b[same])
        same++;
    while (same > 0 && isdigit((unsigned char)a[same - 1]))
        same--;
    a += same;
    b += same;
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

static struct tensor_branch sum(const struct model_tensor *const *tensors, size_t n)
{
    struct tensor_branch branch = {.n_tensors = n};
    for (size_t i = 0; i < n; i++) {
        branch.elements += tensor_elements(tensors[i]);
        branch.size_bytes += tensors[i]->size_bytes;
    }
    return branch;
}

/* A range of the list whose names begin with the same bytes, those of its branch. */
struct tree_range {
    const struct model_tensor *const *tensors; /* (n) */
    size_t n, prefix_bytes;
    unsigned depth, max_depth;
};

static bool walk(const struct tree_range *range,
                 bool (*visit)(void *context, const struct tensor_branch *branch), void *context)
{
    for (size_t i = 0, m; i < range->n; i += m) {
        const struct model_tensor *const *tensors = range->tensors + i;
        const char *rest = tensors[0]->name + range->prefix_bytes;
        const size_t part_bytes = branch_bytes(rest, range->depth);
        for (m = 1; part_bytes > 0 && i + m < range->n; m++)
            if (strncmp(tensors[m]->name + range->prefix_bytes, rest, part_bytes) != 0)
                break;
        struct tensor_branch branch = sum(tensors, m);
        branch.name = rest;
        branch.name_bytes = part_bytes > 0 ? part_bytes - 1 : strlen(rest);
        branch.depth = range->depth;
        branch.is_leaf = part_bytes == 0;
        if (!visit(context, &branch))
            return false;
        const struct tree_range below = {tensors, m, range->prefix_bytes + part_bytes,
                                         range->depth + 1, range->max_depth};
        if (!branch.is_leaf && below.depth < below.max_depth && !walk(&below, visit, context))
            return false;
    }
    return true;
}

bool tensor_tree_walk(const struct model_tensor *const *tensors, size_t n, unsigned max_depth,
                      bool (*visit)(void *context, const struct tensor_branch *branch),
                      void *context)
{
    const struct tree_range all = {.tensors = tensors, .n = n, .max_depth = max_depth};
    return walk(&all, visit, context);
}

/* ---- as JSON */

struct tree_lists {
    json_node *lists[TENSOR_TREE_MAX_DEPTH + 2]; /* of the branch that is open at each depth */
};

static bool add_branch(void *context, const struct tensor_branch *branch)
{
    struct tree_lists *lists = context;
    json_node *node = json_add_object(lists->lists[branch->depth], NULL);
    bool complete = json_add_text(node, "name", branch->name, branch->name_bytes) != NULL &&
                    json_add_number(node, "tensors", (double)branch->n_tensors) != NULL &&
                    json_add_number(node, "parameters", (double)branch->elements) != NULL &&
                    json_add_number(node, "bytes", (double)branch->size_bytes) != NULL;
    if (!complete || branch->is_leaf)
        return complete;
    lists->lists[branch->depth + 1] = json_add_array(node, "children");
    return lists->lists[branch->depth + 1] != NULL;
}

model_status tensor_tree_add(json_node *parent, const struct model_tensor *const *tensors, size_t n,
                             struct model_error *err)
{
    struct tree_lists lists = {{json_add_array(parent, "tree")}};
    return lists.lists[0] != NULL &&
                   tensor_tree_walk(tensors, n, TENSOR_TREE_MAX_DEPTH + 1, add_branch, &lists)
               ? MODEL_OK
               : error_no_memory(err, "the tree");
}
