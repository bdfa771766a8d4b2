/* config_fields.h - the keys of a configuration file: one table for the host's options and one for a
 * model's. A new option of modelhost.h is one row here. */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include "json_view.h"

enum config_kind {
    CONFIG_BOOL, /* uint32_t, 0 or 1 */
    CONFIG_U32,
    CONFIG_I32,
    CONFIG_U64,
    CONFIG_I64,
    CONFIG_DOUBLE,
    CONFIG_TEXT, /* const char * */
    CONFIG_WORD  /* int32_t: which of the words */
};
#define CONFIG_N_KINDS (CONFIG_WORD + 1)

struct config_field {
    const char *key;
    enum config_kind kind;
    size_t offset;            /* in its struct */
    double min, max;          /* of a whole number also 0 is good; min of a text: its bytes */
    const char *const *words; /* ends with NULL */
    const char *meaning;
};

/* Of struct modelhost_options and struct modelhost_load_options; they end with a row without a key. */
extern const struct config_field config_host_fields[], config_model_fields[];

/* NULL: there is none. */
const struct config_field *config_fields_find(const struct config_field *fields, const char *key);
/* Checks an object against a table: each key known and there once, each value of its kind and within its
 * bounds. `where` names the object in errors: "models.bert". MODEL_INVALID_ARGUMENT. */
model_status config_fields_check(const struct config_field *fields, const json_node *object,
                                 const char *where, struct model_error *err);
/* Sets what a checked object names in a struct of which struct_size bytes are there. Texts live as long as
 * the object. */
void config_fields_apply(const struct config_field *fields, const json_node *object, void *options,
                         size_t struct_size);
/* Adds what the struct holds to an object, under the keys. Texts that are NULL are left out. */
model_status config_fields_show(const struct config_field *fields, const void *options,
                                size_t struct_size, json_node *object, struct model_error *err);

#endif
