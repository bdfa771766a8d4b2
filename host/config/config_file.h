/* config_file.h - reading a file of options from memory, for modelhost_config_read() and the fuzzer. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "modelhost.h"

/* `what` names the text in errors. [any-thread] */
model_status config_file_parse(const char *text, size_t size_bytes, const char *what,
                               struct modelhost_config **ret, struct model_error *err);

#endif
