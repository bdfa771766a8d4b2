/* plugin_extra_exports.c - a fixture: exports two symbols beside create_model. */
#include "model_abi.h"

MODEL_PLUGIN_NOTE("bert", "1.0.0", "bert,BertModel");

/* Functions: sanitizers add a symbol of their own for each exported variable. */
MODEL_EXPORT int helper_of_bert(void);
MODEL_EXPORT int table_of_bert(void);

int helper_of_bert(void)
{
    return 1;
}

int table_of_bert(void)
{
    return 2;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)services;
    (void)args;
    (void)ret;
    (void)err;
    return MODEL_INTERNAL;
}
