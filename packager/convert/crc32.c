/* crc32.c - see crc32.h. Eight bytes at a time by eight tables ("slicing by 8", Kounavis and Berry, 2005):
 * 1 GB of weights takes a second, not five. The tables are made on first use by whoever comes first. */
#include "crc32.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0xEDB88320u

static uint32_t tables[8][256]; /* written under `once` */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xFF];
}

static uint32_t little_endian(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint32_t crc32_update(uint32_t crc, const void *data, size_t size_bytes)
{
    const uint8_t *at = data;
    (void)pthread_once(&once, make_tables);
    crc = ~crc;
    for (; size_bytes >= 8; at += 8, size_bytes -= 8) {
        uint32_t low = crc ^ little_endian(at), high = little_endian(at + 4);
        crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^ tables[5][low >> 16 & 0xFF] ^
              tables[4][low >> 24] ^ tables[3][high & 0xFF] ^ tables[2][high >> 8 & 0xFF] ^
              tables[1][high >> 16 & 0xFF] ^ tables[0][high >> 24];
    }
    for (; size_bytes > 0; at++, size_bytes--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xFF];
    return ~crc;
}
