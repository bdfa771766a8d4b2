/* hub_environment.h - the settings that users of the hub keep in the environment: HF_ENDPOINT,
 * HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT, OpenSSL's SSL_CERT_FILE,
 * and our MODELHOST_STORE, MODELHOST_PLUGIN_PATH. For commands and NULL options only. */
#ifndef HUB_ENVIRONMENT_H
#define HUB_ENVIRONMENT_H

#include "modelhost.h"

#include <stdbool.h>

struct hub_environment {
    char *endpoint; /* NULL: the default */
    char *token;    /* NULL: none, or not read */
    char *ca_file;  /* NULL: the system's certificates */
    char *store_dir;
    char *plugin_path;
    bool offline;
    int64_t stall_timeout_ms; /* 0: the default */
};

/* All but the token. */
model_status hub_environment_read(struct hub_environment *ret, struct model_error *err);
/* The token, from HF_TOKEN without blanks around it, or from the token file: to be called when a token
 * may be shown to someone, so that a file that cannot be used disturbs nobody else. That it is not
 * there is no error; otherwise the sentence names the variable that led to it. */
model_status hub_environment_read_token(struct hub_environment *environment,
                                        struct model_error *err);
/* The token of a file that was named; one without a token is an error. */
model_status hub_environment_take_token(struct hub_environment *environment, const char *path,
                                        struct model_error *err);
void hub_environment_finish(struct hub_environment *environment);

/* The first line of a token file without blanks around it; NULL in *ret when that is empty. */
model_status hub_token_read(const char *path, char **ret, struct model_error *err);

#endif
