/* image_resample.c - see image_resample.h. [any-thread]
 *
 * SSE2, which every x86-64 has, multiplies 32-bit numbers slowly, and adds products of 16-bit pairs at once. So a weight
 * is two such numbers, w = high * 2^11 + low, and two taps are one step. */
#include "image_resample.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

#define HALF     (1 << (RESAMPLE_FRACTION_BITS - 1))
#define LOW_BITS 11

static uint32_t max_pairs(const struct taps *taps)
{
    return (taps->max_count + 1) / 2;
}

static int32_t pair(int32_t first, int32_t second)
{
    return (int32_t)(((uint32_t)first & 0xFFFF) | ((uint32_t)second << 16));
}

model_status taps_pair(struct taps *taps, struct model_error *err)
{
    int32_t *pairs = calloc((size_t)taps->n * max_pairs(taps) * 2, sizeof *pairs);
    if (pairs == NULL)
        return error_no_memory(err, "resizing");
    taps->pairs = pairs;
    for (uint32_t x = 0; x < taps->n; x++) {
        const int32_t *weights = taps->weights + (size_t)x * taps->max_count;
        int32_t *out = pairs + (size_t)x * max_pairs(taps) * 2;
        for (uint32_t i = 0; i < taps->runs[x].count; i += 2, out += 2) {
            const int32_t a = weights[i], b = i + 1 < taps->runs[x].count ? weights[i + 1] : 0;
            out[0] = pair(a >> LOW_BITS, b >> LOW_BITS);
            out[1] = pair(a & ((1 << LOW_BITS) - 1), b & ((1 << LOW_BITS) - 1));
        }
    }
    return MODEL_OK;
}

static uint8_t to_byte(int32_t sum)
{
    const int32_t value = sum >> RESAMPLE_FRACTION_BITS;
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

static void row_plain(const uint8_t *from, const struct taps *columns, uint8_t *to)
{
    for (uint32_t x = 0; x < columns->n; x++, to += 3) {
        const int32_t *weights = columns->weights + (size_t)x * columns->max_count;
        const uint8_t *pixel = from + (size_t)columns->runs[x].first * 3;
        int32_t r = HALF, g = HALF, b = HALF;
        for (uint32_t i = 0; i < columns->runs[x].count; i++, pixel += 3) {
            r += pixel[0] * weights[i];
            g += pixel[1] * weights[i];
            b += pixel[2] * weights[i];
        }
        to[0] = to_byte(r);
        to[1] = to_byte(g);
        to[2] = to_byte(b);
    }
}

/* Values [start, n_values). */
static void column_plain(const uint8_t *from, size_t start, size_t n_values, const int32_t *weights,
                         uint32_t count, uint8_t *to)
{
    for (size_t k = start; k < n_values; k++) {
        int32_t sum = HALF;
        for (uint32_t i = 0; i < count; i++)
            sum += from[i * n_values + k] * weights[i];
        to[k] = to_byte(sum);
    }
}

#ifdef __SSE2__

/* Sums of four values: high * 2^11 + low. */
struct sums {
    __m128i high, low;
};

static inline struct sums sums_begin(void)
{
    return (struct sums){_mm_setzero_si128(), _mm_set1_epi32(HALF)};
}

/* values: two taps of each of four values, as 16-bit numbers side by side. */
static inline void sums_add(struct sums *sums, __m128i values, const int32_t *pairs)
{
    sums->high = _mm_add_epi32(sums->high, _mm_madd_epi16(values, _mm_set1_epi32(pairs[0])));
    sums->low = _mm_add_epi32(sums->low, _mm_madd_epi16(values, _mm_set1_epi32(pairs[1])));
}

static inline __m128i sums_end(const struct sums *sums)
{
    const __m128i sum = _mm_add_epi32(_mm_slli_epi32(sums->high, LOW_BITS), sums->low);
    return _mm_srai_epi32(sum, RESAMPLE_FRACTION_BITS);
}

static inline __m128i load_4_bytes(const uint8_t *from)
{
    int32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return _mm_cvtsi32_si128(bytes);
}

/* A pixel is read as four bytes, and the last pair of an odd run as two pixels. */
static void row_sse2(const uint8_t *from, const struct taps *columns, uint8_t *to)
{
    const __m128i zero = _mm_setzero_si128();
    for (uint32_t x = 0; x < columns->n; x++, to += 3) {
        const int32_t *pairs = columns->pairs + (size_t)x * max_pairs(columns) * 2;
        const uint8_t *pixel = from + (size_t)columns->runs[x].first * 3;
        struct sums sums = sums_begin();
        for (uint32_t i = 0; i < columns->runs[x].count; i += 2, pixel += 6, pairs += 2) {
            const __m128i two = _mm_unpacklo_epi8(load_4_bytes(pixel), load_4_bytes(pixel + 3));
            sums_add(&sums, _mm_unpacklo_epi8(two, zero), pairs);
        }
        const __m128i words = _mm_packs_epi32(sums_end(&sums), zero);
        const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, zero));
        memcpy(to, &bytes, 3);
    }
}

/* All but the last n_values % 8; returns how many. */
static size_t column_sse2(const uint8_t *from, size_t n_values, const int32_t *all_pairs,
                          uint32_t count, uint8_t *to)
{
    const __m128i zero = _mm_setzero_si128();
    size_t k = 0;
    for (; k + 8 <= n_values; k += 8) {
        struct sums left = sums_begin(), right = sums_begin();
        const int32_t *pairs = all_pairs;
        const uint8_t *row = from + k;
        for (uint32_t i = 0; i < count; i += 2, row += 2 * n_values, pairs += 2) {
            const uint8_t *second = i + 1 < count ? row + n_values : row; /* times 0 */
            const __m128i two = _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)row),
                                                  _mm_loadl_epi64((const __m128i *)second));
            sums_add(&left, _mm_unpacklo_epi8(two, zero), pairs);
            sums_add(&right, _mm_unpackhi_epi8(two, zero), pairs);
        }
        const __m128i words = _mm_packs_epi32(sums_end(&left), sums_end(&right));
        _mm_storel_epi64((__m128i *)(to + k), _mm_packus_epi16(words, zero));
    }
    return k;
}

#else

static void row_sse2(const uint8_t *from, const struct taps *columns, uint8_t *to)
{
    row_plain(from, columns, to);
}

static size_t column_sse2(const uint8_t *from, size_t n_values, const int32_t *all_pairs,
                          uint32_t count, uint8_t *to)
{
    (void)from, (void)n_values, (void)all_pairs, (void)count, (void)to;
    return 0;
}

#endif

void resample_row(const uint8_t *from, const struct taps *columns, bool has_slack, uint8_t *to)
{
    if (has_slack)
        row_sse2(from, columns, to);
    else
        row_plain(from, columns, to);
}

void resample_column(const uint8_t *from, size_t n_values, const struct taps *rows, uint32_t y,
                     uint8_t *to)
{
    const uint32_t count = rows->runs[y].count;
    const size_t done =
        column_sse2(from, n_values, rows->pairs + (size_t)y * max_pairs(rows) * 2, count, to);
    column_plain(from, done, n_values, rows->weights + (size_t)y * rows->max_count, count, to);
}
