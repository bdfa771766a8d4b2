/* replay.c - main() of a fuzz target without a fuzzer: feeds it each file of the command line, once. The
 * tests replay tests/fuzz/corpus/ through it, so that what once crashed stays fixed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_INPUT_BYTES (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact copy on the heap, so that a sanitizer sees a read beyond it. */
static int replay_file(const char *path, uint8_t *block)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(block, 1, MAX_INPUT_BYTES, file);
    int failed = ferror(file) || !feof(file);
    (void)fclose(file);
    uint8_t *data = failed ? NULL : malloc(size > 0 ? size : 1);
    if (data == NULL) {
        fprintf(stderr, "%s: cannot be read, or is larger than %u bytes\n", path, MAX_INPUT_BYTES);
        return 1;
    }
    for (size_t i = 0; i < size; i++)
        data[i] = block[i];
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t *block = malloc(MAX_INPUT_BYTES);
    int failed = block == NULL;
    for (int i = 1; i < argc && block != NULL; i++) {
        /* The last name that is printed is the one that crashed. */
        fprintf(stderr, "%s\n", argv[i]);
        failed |= replay_file(argv[i], block);
    }
    free(block);
    return failed;
}
