/* tokenizer_files_fixture.h - the files of a tokenizer in a folder of the test's own. */
#ifndef TOKENIZER_FILES_FIXTURE_H
#define TOKENIZER_FILES_FIXTURE_H

#include "in_folder.h"
#include "tokenizer_fixture.h"

static inline void put_bytes(const char *name, const char *bytes, size_t size_bytes)
{
    write_file(in_folder(name), bytes, size_bytes);
}

static inline void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static inline struct tokenizer *open_folder(void)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    if (tokenizer_load(folder, &t, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return t;
}

#endif
