/* Dot products of int8 rows, for each instruction set. */
#include "scan.h"

/* Sums wrap at no width that is let in here: 65,536 columns of 127 * 255 stay below 2 ** 31. */

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/* The instruction multiplies unsigned by signed bytes: with x + 128 for x of the row, a sum is too
   large by 128 times the sum of the query. */
VNNI static int32_t query_excess(const int8_t *query, int64_t columns) {
    int32_t sum = 0;
    for (int64_t i = 0; i < columns; i++) sum += query[i];
    return 128 * sum;
}

VNNI __attribute__((always_inline)) static inline __m512i add_products(
    __m512i sums, const int8_t *values, const int8_t *query, __mmask64 mask) {
    const __m512i shifted =
        _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, values), _mm512_set1_epi8(-128));
    return _mm512_dpbusd_epi32(sums, shifted, _mm512_maskz_loadu_epi8(mask, query));
}

/* Four sums at a time hide the latency of the products. Rows are read one after the other: memory
   delivers one stream faster than several. */
VNNI void scan_dots_avx512vnni(const int8_t *rows, int64_t n_rows, const int8_t *query,
                               int64_t columns, int32_t *dots) {
    const int32_t excess = query_excess(query, columns);
    const __mmask64 all = ~(__mmask64)0;
    for (int64_t row = 0; row < n_rows; row++) {
        const int8_t *values = rows + row * columns;
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
        int64_t i = 0;
        for (; i + 256 <= columns; i += 256) {
            a = add_products(a, values + i, query + i, all);
            b = add_products(b, values + i + 64, query + i + 64, all);
            c = add_products(c, values + i + 128, query + i + 128, all);
            d = add_products(d, values + i + 192, query + i + 192, all);
        }
        for (; i < columns; i += 64)
            a = add_products(a, values + i, query + i,
                             columns - i < 64 ? all >> (64 - (columns - i)) : all);
        const __m512i sums = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
        dots[row] = _mm512_reduce_add_epi32(sums) - excess;
    }
}

__attribute__((target("avx2,fma"))) void scan_dots_avx2(const int8_t *rows, int64_t n_rows,
                                                        const int8_t *query, int64_t columns,
                                                        int32_t *dots) {
    for (int64_t row = 0; row < n_rows; row++) {
        const int8_t *values = rows + row * columns;
        __m256i sums = _mm256_setzero_si256();
        int64_t column = 0;
        for (; column + 16 <= columns; column += 16) {
            const __m128i left = _mm_loadu_si128((const __m128i *)(values + column));
            const __m128i right = _mm_loadu_si128((const __m128i *)(query + column));
            sums = _mm256_add_epi32(
                sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(left), _mm256_cvtepi8_epi16(right)));
        }
        int32_t lanes[8], sum = 0;
        _mm256_storeu_si256((__m256i *)lanes, sums);
        for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
        for (; column < columns; column++) sum += values[column] * query[column];
        dots[row] = sum;
    }
}
#endif

/* Simple enough for compilers to use whatever vectors the processor is known to have. */
void scan_dots_plain(const int8_t *rows, int64_t n_rows, const int8_t *query, int64_t columns,
                     int32_t *dots) {
    for (int64_t row = 0; row < n_rows; row++) {
        const int8_t *values = rows + row * columns;
        int32_t sum = 0;
        for (int64_t column = 0; column < columns; column++) sum += values[column] * query[column];
        dots[row] = sum;
    }
}
