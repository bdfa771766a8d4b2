/* openmp.c - see openmp.h. */
#include "openmp.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __APPLE__
static const char *const libraries[] = {"libgomp.1.dylib", "libomp.dylib"};
#else
static const char *const libraries[] = {"libgomp.so.1"};
#endif

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
    {"GOMP_parallel", offsetof(struct openmp, parallel)},
    {"omp_get_thread_num", offsetof(struct openmp, thread_num)},
    {"omp_set_num_threads", offsetof(struct openmp, set_num_threads)},
    {"omp_get_max_threads", offsetof(struct openmp, max_threads)},
    {"omp_set_dynamic", offsetof(struct openmp, set_dynamic)},
    {"omp_get_dynamic", offsetof(struct openmp, dynamic)},
};

static struct openmp opened;
static bool is_complete;

static void open_library(void)
{
    void *library = NULL;
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0] && library == NULL; i++)
        library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    is_complete = true;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *function = dlsym(library, functions[i].name);
        memcpy((char *)&opened + functions[i].offset, &function, sizeof function);
        is_complete = is_complete && function != NULL;
    }
}

const struct openmp *openmp(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, open_library);
    return is_complete ? &opened : NULL;
}
