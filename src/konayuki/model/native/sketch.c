#include "sketch.h"

#include <math.h>
#include <string.h>

/* 0, 1, 2, 3 for large and small negative, small and large positive entries; `bound` is the least
   magnitude that counts as large. Bytes only, so that compilers work on many at a time. */
static inline uint8_t code_of(int8_t entry, uint8_t bound) {
    const uint8_t magnitude = (uint8_t)(entry < 0 ? -entry : entry);
    const uint8_t large = magnitude >= bound;
    return entry < 0 ? (uint8_t)(1 - large) : (uint8_t)(2 + large);
}

/* The least magnitude above the root of the mean square of a row: 1 to 129. */
static uint8_t bound_of(const int8_t *row, int64_t columns) {
    int32_t squares = 0;
    for (int64_t c = 0; c < columns; c++) squares += row[c] * row[c];
    const int32_t mean = squares / (int32_t)columns;
    int32_t bound = (int32_t)sqrtf((float)mean);
    while (bound * bound <= mean) bound++;
    return (uint8_t)bound;
}

static void make_row(const int8_t *row, int64_t columns, uint8_t *sketch) {
    const uint8_t bound = bound_of(row, columns);
    int64_t first = 0;
    for (; first + SKETCH_COLUMNS <= columns; first += SKETCH_COLUMNS, sketch += SKETCH_BYTES) {
        const int8_t *a = row + first, *b = a + SKETCH_BYTES, *c = b + SKETCH_BYTES;
        const int8_t *d = c + SKETCH_BYTES;
        for (int i = 0; i < SKETCH_BYTES; i++)
            sketch[i] = (uint8_t)(code_of(a[i], bound) | code_of(b[i], bound) << 2 |
                                  code_of(c[i], bound) << 4 | code_of(d[i], bound) << 6);
    }
    if (first == columns) return;
    memset(sketch, 0, SKETCH_BYTES);
    for (int64_t i = 0; i < columns - first; i++)
        sketch[i % SKETCH_BYTES] |=
            (uint8_t)(code_of(row[first + i], bound) << (i / SKETCH_BYTES * 2));
}

void sketch_make(const int8_t *rows, int64_t n_rows, int64_t columns, uint8_t *sketches) {
    const int64_t width = sketch_chunks(columns) * SKETCH_BYTES;
    for (int64_t row = 0; row < n_rows; row++)
        make_row(rows + row * columns, columns, sketches + row * width);
}

void sketch_dots_plain(const uint8_t *sketches, int64_t n_rows, const int8_t *query,
                       int64_t chunks, int32_t *dots) {
    for (int64_t row = 0; row < n_rows; row++) {
        int32_t dot = 0;
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            const uint8_t *bytes = sketches + (row * chunks + chunk) * SKETCH_BYTES;
            const int8_t *entries = query + chunk * SKETCH_COLUMNS;
            for (int j = 0; j < 4; j++)
                for (int i = 0; i < SKETCH_BYTES; i++)
                    dot += (bytes[i] >> (2 * j) & 3) * entries[j * SKETCH_BYTES + i];
        }
        dots[row] = dot;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) void sketch_dots_avx512vnni(
    const uint8_t *sketches, int64_t n_rows, const int8_t *query, int64_t chunks, int32_t *dots) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (int64_t row = 0; row < n_rows; row++) {
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            const __m512i codes =
                _mm512_loadu_si512(sketches + (row * chunks + chunk) * SKETCH_BYTES);
            const __m512i *entries = (const __m512i *)(query + chunk * SKETCH_COLUMNS);
            a = _mm512_dpbusd_epi32(a, _mm512_and_si512(codes, mask),
                                    _mm512_loadu_si512(entries));
            b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi32(codes, 2), mask),
                                    _mm512_loadu_si512(entries + 1));
            c = _mm512_dpbusd_epi32(c, _mm512_and_si512(_mm512_srli_epi32(codes, 4), mask),
                                    _mm512_loadu_si512(entries + 2));
            d = _mm512_dpbusd_epi32(d, _mm512_and_si512(_mm512_srli_epi32(codes, 6), mask),
                                    _mm512_loadu_si512(entries + 3));
        }
        dots[row] = _mm512_reduce_add_epi32(
            _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)));
    }
}

/* Products of a code and an entry of the query, pairs added: at most 2 * 3 * 128 in 16 bits, so those
   of the four codes of a byte still fit and are widened together. */
__attribute__((target("avx2"))) static inline __m256i pair_products(__m256i codes,
                                                                    const int8_t *entries) {
    __m256i sums = _mm256_setzero_si256();
    const __m256i mask = _mm256_set1_epi8(3);
    for (int j = 0; j < 4; j++) {
        const __m256i some = _mm256_and_si256(_mm256_srli_epi32(codes, 2 * j), mask);
        const __m256i with = _mm256_loadu_si256((const __m256i *)(entries + j * SKETCH_BYTES));
        sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(some, with));
    }
    return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
}

__attribute__((target("avx2"))) void sketch_dots_avx2(const uint8_t *sketches, int64_t n_rows,
                                                      const int8_t *query, int64_t chunks,
                                                      int32_t *dots) {
    for (int64_t row = 0; row < n_rows; row++) {
        __m256i sums = _mm256_setzero_si256();
        for (int64_t chunk = 0; chunk < chunks; chunk++)
            for (int half = 0; half < SKETCH_BYTES; half += 32) {
                const uint8_t *bytes = sketches + (row * chunks + chunk) * SKETCH_BYTES + half;
                const __m256i codes = _mm256_loadu_si256((const __m256i *)bytes);
                sums = _mm256_add_epi32(
                    sums, pair_products(codes, query + chunk * SKETCH_COLUMNS + half));
            }
        int32_t lanes[8], dot = 0;
        _mm256_storeu_si256((__m256i *)lanes, sums);
        for (int lane = 0; lane < 8; lane++) dot += lanes[lane];
        dots[row] = dot;
    }
}
#endif
