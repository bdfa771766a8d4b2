/* worker_environment.c - see worker_environment.h. Owns nothing. */
#include "worker_environment.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Names; one that ends with "*" stands for all that begin so. */
static const char *const given[] = {
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    /* the dynamic linker's, as the host has them */
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_*",
    /* numeric libraries */
    "OMP_*",
    "GOMP_*",
    "KMP_*",
    "MKL_*",
    "DNNL_*",
    "ONEDNN_*",
    "OPENBLAS_*",
    /* allocators, sanitizers, coverage */
    "MALLOC_*",
    "GLIBC_TUNABLES",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "TSAN_OPTIONS",
    "UBSAN_OPTIONS",
    "GCOV_*",
};

static bool is_given(const char *entry)
{
    const size_t n_name = strcspn(entry, "=");
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const size_t n = strcspn(given[i], "*");
        if ((given[i][n] == '*' ? n_name >= n : n_name == n) && memcmp(entry, given[i], n) == 0)
            return true;
    }
    return false;
}

static bool is_same_name(const char *a, const char *b)
{
    const size_t n = strcspn(a, "=");
    return strcspn(b, "=") == n && memcmp(a, b, n) == 0;
}

char **worker_environment_make(char *const *from, const char *own)
{
    size_t n = 0, n_made = 0;
    while (from != NULL && from[n] != NULL)
        n++;
    char **made = calloc(n + 2, sizeof *made);
    if (made == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (is_given(from[i]) && (own == NULL || !is_same_name(from[i], own)))
            made[n_made++] = from[i];
    made[n_made] = (char *)(uintptr_t)own;
    return made;
}
