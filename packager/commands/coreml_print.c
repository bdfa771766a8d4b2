/* coreml_print.c - see coreml_print.h. */
#include "coreml_print.h"
#include "coreml_backend.h"
#include "coreml_inspection.h"
#include "coreml_metadata.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "human_text.h"
#include "package_file.h"
#include "printable_text.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SHAPES 16 /* of a line */

static bool is_listing(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".mil") == 0;
}

static model_status describe_listing(json_node *root, const struct archive *archive,
                                     const char *path, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(COREML_MAX_LISTING_BYTES);
    struct coreml_listing listing = {.opset = NULL};
    model_status status = package_file_read(archive, path, COREML_MAX_LISTING_BYTES, &text, err);
    if (status == MODEL_OK)
        status = coreml_listing_parse(text.data != NULL ? text.data : "", text.size, path, &listing,
                                      err);
    if (status == MODEL_OK)
        status = coreml_inspection_add_listing(root, &listing, err);
    coreml_listing_finish(&listing);
    buffer_finish(&text);
    return status;
}

static model_status describe_model(json_node *root, const struct archive *archive, const char *path,
                                   struct model_error *err)
{
    struct coreml_model *model = NULL;
    model_status status = coreml_backend_open(archive, path, true, &model, err);
    if (status == MODEL_OK)
        status = coreml_inspection_add(root, model, err);
    coreml_model_close(model);
    return status;
}

/* What the compiler says of inputs and outputs, if it does. */
static model_status describe_metadata(json_node *root, const struct archive *archive,
                                      const char *folder, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(COREML_MAX_METADATA_BYTES);
    struct coreml_interface interface = {.inputs.n = 0};
    char *path = path_join(folder, COREML_METADATA_FILE);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = MODEL_OK;
    if (package_file_exists(archive, path)) {
        status = package_file_read(archive, path, COREML_MAX_METADATA_BYTES, &text, err);
        if (status == MODEL_OK)
            status = coreml_metadata_parse(text.data != NULL ? text.data : "", text.size, path,
                                           &interface, err);
        coreml_inspection_add_interface(root, &interface);
    }
    coreml_interface_finish(&interface);
    buffer_finish(&text);
    free(path);
    return status;
}

/* By what lies beside it, and the text of its program, if it has one; a network has none. */
static model_status describe_compiled(json_node *root, const struct archive *archive,
                                      const char *path, struct model_error *err)
{
    char *listing = path_join(path, "model.mil"), *data = path_join(path, COREML_COMPILED_FILE);
    model_status status = MODEL_OK;
    if (listing == NULL || data == NULL)
        status = error_no_memory(err, "a path");
    else
        status = describe_metadata(root, archive, path, err);
    if (status != MODEL_OK)
        ; /* said */
    else if (package_file_exists(archive, listing))
        status = describe_listing(root, archive, listing, err);
    else if (package_file_exists(archive, data)) {
        (void)json_add_string(root, "form", "coreml");
        (void)json_add_string(root, "kind", "compiled model");
    } else
        status = describe_model(root, archive, path, err); /* says what is wrong */
    if (status == MODEL_OK)
        (void)json_add_string(root, "runs_on", "Apple's Core ML alone: it is compiled");
    free(listing);
    free(data);
    return status;
}

model_status coreml_describe(json_node *root, const struct archive *archive, const char *path,
                             struct model_error *err)
{
    return is_listing(path)                ? describe_listing(root, archive, path, err)
           : coreml_is_compiled_path(path) ? describe_compiled(root, archive, path, err)
                                           : describe_model(root, archive, path, err);
}

static const char *text(const json_node *object, const char *key, char shown[PRINTABLE_TEXT_BYTES])
{
    return printable(json_string_or(json_member(object, key), ""), shown);
}

static void add_line(struct buffer *ret, const char *label, const json_node *object,
                     const char *key)
{
    char shown[PRINTABLE_TEXT_BYTES];
    if (text(object, key, shown)[0] != '\0')
        (void)buffer_printf(ret, "%-12s  %s\n", label, shown);
}

/* "[1, 3, 224, 224]"; -1 is "?". */
static void add_shape(struct buffer *ret, const json_node *shape)
{
    const char *between = "";
    (void)buffer_append_text(ret, "[");
    for (const json_node *item = json_first(shape); item != NULL; item = json_next(item)) {
        const double size = json_number_or(item, 0);
        (void)buffer_append_text(ret, between);
        (void)(size < 0 ? buffer_append_text(ret, "?") : buffer_printf(ret, "%.0f", size));
        between = ", ";
    }
    (void)buffer_append_text(ret, "]");
}

/* ", from [1, 1] to [1, 512]", or the first of the only shapes that there are: ", one of [1, 64], [1, 128]". */
static void add_sizes(struct buffer *ret, const json_node *item)
{
    const json_node *shapes = json_member(item, "shapes");
    const size_t n = json_count(shapes);
    size_t i = 0;
    if (shapes == NULL && json_member(item, "min") != NULL) {
        (void)buffer_append_text(ret, ", from ");
        add_shape(ret, json_member(item, "min"));
        (void)buffer_append_text(ret, " to ");
        add_shape(ret, json_member(item, "max"));
    }
    for (const json_node *shape = json_first(shapes); shape != NULL && i < MAX_SHAPES;
         shape = json_next(shape)) {
        (void)buffer_append_text(ret, i++ == 0 ? ", one of " : ", ");
        add_shape(ret, shape);
    }
    if (i < n)
        (void)buffer_printf(ret, " and %zu more", n - i);
}

/* "input         image: image rgb [192, 192]". */
static void add_features(struct buffer *ret, const char *label, const json_node *list)
{
    char name[PRINTABLE_TEXT_BYTES];
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item)) {
        (void)buffer_printf(ret, "%-12s  %s: %s", label, text(item, "name", name),
                            json_string_or(json_member(item, "type"), "?"));
        const char *kind = json_string_or(json_member(item, "colors"),
                                          json_string_or(json_member(item, "dtype"), NULL));
        if (kind != NULL) {
            (void)buffer_printf(ret, " %s ", kind);
            add_shape(ret, json_member(item, "shape"));
        }
        add_sizes(ret, item);
        (void)buffer_append_text(
            ret, json_bool_or(json_member(item, "optional"), false) ? ", optional\n" : "\n");
    }
}

static void add_names(struct buffer *ret, const json_node *list)
{
    char name[PRINTABLE_TEXT_BYTES];
    const char *between = "";
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item)) {
        (void)buffer_printf(ret, "%s%s", between, printable(json_string_or(item, ""), name));
        between = ", ";
    }
}

/* "part          body: neuralNetwork, image to scores". */
static void add_parts(struct buffer *ret, const json_node *list)
{
    char name[PRINTABLE_TEXT_BYTES], kind[PRINTABLE_TEXT_BYTES];
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item)) {
        (void)buffer_printf(ret, "%-12s  %s: %s, ", "part", text(item, "name", name),
                            text(item, "kind", kind));
        add_names(ret, json_member(item, "inputs"));
        (void)buffer_append_text(ret, " to ");
        add_names(ret, json_member(item, "outputs"));
        (void)buffer_append_text(ret, "\n");
    }
}

static void add_weights(struct buffer *ret, const json_node *weights)
{
    char size[HUMAN_TEXT_BYTES], shown[PRINTABLE_TEXT_BYTES];
    (void)buffer_printf(
        ret, "%-12s  %.0f, %s", "weights", json_number_or(json_member(weights, "count"), 0),
        human_size((uint64_t)json_number_or(json_member(weights, "bytes"), 0), size));
    const json_node *dtypes = json_member(weights, "dtypes");
    for (const json_node *item = json_first(dtypes); item != NULL; item = json_next(item))
        (void)buffer_printf(ret, "%s %s (%.0f)", item == json_first(dtypes) ? ":" : ",",
                            printable(json_key(item), shown), json_number_or(item, 0));
    (void)buffer_append_text(ret, "\n");
}

void coreml_text_of(const json_node *root, struct buffer *ret)
{
    char shown[PRINTABLE_TEXT_BYTES];
    const json_node *metadata = json_member(root, "metadata");
    add_line(ret, "path", root, "path");
    (void)buffer_printf(ret, "%-12s  Core ML %s", "form", text(root, "kind", shown));
    if (json_member(root, "specification_version") != NULL)
        (void)buffer_printf(ret, ", specification %.0f",
                            json_number_or(json_member(root, "specification_version"), 0));
    (void)buffer_append_text(ret, "\n");
    add_line(ret, "runs on", root, "runs_on");
    add_line(ret, "opset", root, "opset");
    add_line(ret, "author", metadata, "author");
    add_line(ret, "license", metadata, "license");
    add_line(ret, "description", metadata, "description");
    add_line(ret, "version", metadata, "version");
    add_parts(ret, json_member(root, "parts"));
    add_features(ret, "input", json_member(root, "inputs"));
    add_features(ret, "output", json_member(root, "outputs"));
    add_features(ret, "state", json_member(root, "states"));
    if (json_number_or(json_member(root, "labels"), 0) > 0)
        (void)buffer_printf(ret, "%-12s  %.0f\n", "labels",
                            json_number_or(json_member(root, "labels"), 0));
    if (json_member(root, "weights") != NULL)
        add_weights(ret, json_member(root, "weights"));
    if (json_member(root, "operations") != NULL)
        (void)buffer_printf(ret, "%-12s  %.0f\n", "operations",
                            json_number_or(json_member(root, "operations"), 0));
    (void)buffer_append_text(ret, "planned coverage: not known on this system\n\n");
    for (const json_node *item = json_first(json_member(root, "operators")); item != NULL;
         item = json_next(item))
        (void)buffer_printf(ret, "%-32s %8.0f\n", printable(json_key(item), shown),
                            json_number_or(item, 0));
}
