/* fuzz_torch_file.c - a zip archive, or a file of the older form, made of any bytes is refused with a sentence,
 * or each element of each tensor that it lists lies inside it. Each input is tried a second time with its
 * checksums put right, as few would get beyond them. */
#include "crc32.h"
#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "tensor_blocks.h"
#include "torch_file.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL_BYTES   30u
#define CENTRAL_BYTES 46u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static uint64_t field(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;
    while (n-- > 0)
        value = value << 8 | at[n];
    return value;
}

static void put(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Each central header's checksum becomes that of the data that it points to. */
static void mend_checksums(uint8_t *file, size_t size_bytes)
{
    for (size_t at = 0; at + CENTRAL_BYTES <= size_bytes; at++) {
        if (memcmp(file + at, "PK\1\2", 4) != 0)
            continue;
        uint64_t local = field(file + at + 42, 4), bytes = field(file + at + 24, 4);
        if (local > size_bytes || size_bytes - local < LOCAL_BYTES)
            continue;
        uint64_t data =
            local + LOCAL_BYTES + field(file + local + 26, 2) + field(file + local + 28, 2);
        if (data > size_bytes || bytes > size_bytes - data)
            continue;
        uint32_t crc = crc32_update(0, file + data, (size_t)bytes);
        put(file + at + 16, crc);
        if (field(file + local + 14, 4) != 0)
            put(file + local + 14, crc);
        else if (data + bytes + 8 <= size_bytes)
            put(file + data + bytes + 4, crc);
    }
}

/* Touches every element: the sanitizers say where that goes wrong. */
static void read_tensor(const struct model_tensor *tensor)
{
    uint8_t memory[256 * 8];
    struct tensor_blocks blocks;
    size_t n = 1;
    volatile uint8_t sink = 0;
    tensor_blocks_init(&blocks, tensor);
    for (int round = 0; n > 0 && round < 100; round++) {
        const uint8_t *data = tensor_blocks_next(&blocks, 256, memory, &n);
        for (size_t i = 0; i < n * dtype_size_bytes(tensor->dtype); i++)
            sink = (uint8_t)(sink + data[i]);
    }
}

static void try_file(const uint8_t *data, size_t size_bytes)
{
    struct torch_file file = {.map.fd = -1};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status =
        torch_storages_open(data, size_bytes, "f", &file.storages, &file.pickle, &err);
    if (status == MODEL_OK)
        status = torch_file_collect(&file, "f", size_bytes, &err);
    if (status != MODEL_OK && err.message[0] == '\0')
        abort();
    for (size_t i = 0; status == MODEL_OK && i < file.n_tensors; i++)
        read_tensor(&file.tensors[i]);
    torch_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    uint8_t *copy = calloc(size_bytes > 0 ? size_bytes : 1, 1);
    if (copy == NULL)
        return 0;
    if (size_bytes > 0)
        memcpy(copy, data, size_bytes);
    try_file(copy, size_bytes);
    mend_checksums(copy, size_bytes);
    try_file(copy, size_bytes);
    free(copy);
    return 0;
}
