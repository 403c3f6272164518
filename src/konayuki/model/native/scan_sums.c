/* Dot products and squared lengths of int8 rows, for each instruction set.
 *
 * Lengths come along because a scan waits for memory: to compute them again costs less than to read
 * them. No sum of MAX_COLUMNS products wraps. */
#include "scan.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/* Sums of x q, x x and x over the columns of one row. */
struct sums {
    __m512i dots, squares, values;
};

/* The instruction multiplies unsigned by signed bytes, so one factor is x + 128: the sums of products
   are too large by 128 times the sum of the other factor. */
VNNI __attribute__((always_inline)) static inline void add_products(struct sums *sums,
                                                                    const int8_t *row,
                                                                    const int8_t *query,
                                                                    __mmask64 mask) {
    const __m512i values = _mm512_maskz_loadu_epi8(mask, row);
    const __m512i shifted = _mm512_xor_si512(values, _mm512_set1_epi8(-128));
    sums->dots =
        _mm512_dpbusd_epi32(sums->dots, shifted, _mm512_maskz_loadu_epi8(mask, query));
    sums->squares = _mm512_dpbusd_epi32(sums->squares, shifted, values);
    sums->values = _mm512_dpbusd_epi32(sums->values, _mm512_set1_epi8(1), values);
}

/* Rows are read one after the other: memory delivers one stream faster than several. */
VNNI void scan_sums_avx512vnni(const int8_t *rows, int64_t n_rows, const int8_t *query,
                               int64_t columns, int32_t *dots, int32_t *squares) {
    int32_t query_sum = 0;
    for (int64_t i = 0; i < columns; i++) query_sum += query[i];
    const __mmask64 all = ~(__mmask64)0;
    for (int64_t row = 0; row < n_rows; row++) {
        const int8_t *values = rows + row * columns;
        const __m512i zero = _mm512_setzero_si512();
        struct sums even = {zero, zero, zero}, odd = even; /* two chains hide the latency */
        int64_t i = 0;
        for (; i + 128 <= columns; i += 128) {
            add_products(&even, values + i, query + i, all);
            add_products(&odd, values + i + 64, query + i + 64, all);
        }
        for (; i < columns; i += 64)
            add_products(&even, values + i, query + i,
                         columns - i < 64 ? all >> (64 - (columns - i)) : all);
        const __m512i sums = _mm512_add_epi32(even.values, odd.values);
        const __m512i products = _mm512_add_epi32(even.dots, odd.dots);
        const __m512i lengths = _mm512_sub_epi32(_mm512_add_epi32(even.squares, odd.squares),
                                                 _mm512_slli_epi32(sums, 7));
        dots[row] = _mm512_reduce_add_epi32(products) - 128 * query_sum;
        squares[row] = _mm512_reduce_add_epi32(lengths);
    }
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static int32_t total(__m256i sums) {
    int32_t lanes[8], sum = 0;
    _mm256_storeu_si256((__m256i *)lanes, sums);
    for (int lane = 0; lane < 8; lane++) sum += lanes[lane];
    return sum;
}

AVX2 void scan_sums_avx2(const int8_t *rows, int64_t n_rows, const int8_t *query, int64_t columns,
                         int32_t *dots, int32_t *squares) {
    for (int64_t row = 0; row < n_rows; row++) {
        const int8_t *values = rows + row * columns;
        __m256i products = _mm256_setzero_si256(), lengths = products;
        int64_t i = 0;
        for (; i + 16 <= columns; i += 16) {
            const __m256i x =
                _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(values + i)));
            const __m256i q = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(query + i)));
            products = _mm256_add_epi32(products, _mm256_madd_epi16(x, q));
            lengths = _mm256_add_epi32(lengths, _mm256_madd_epi16(x, x));
        }
        dots[row] = total(products);
        squares[row] = total(lengths);
        for (; i < columns; i++) {
            dots[row] += values[i] * query[i];
            squares[row] += values[i] * values[i];
        }
    }
}
#endif

/* Simple enough for compilers to use whatever vectors the processor is known to have. */
void scan_sums_plain(const int8_t *rows, int64_t n_rows, const int8_t *query, int64_t columns,
                     int32_t *dots, int32_t *squares) {
    for (int64_t row = 0; row < n_rows; row++) {
        const int8_t *values = rows + row * columns;
        int32_t dot = 0, square = 0;
        for (int64_t i = 0; i < columns; i++) {
            dot += values[i] * query[i];
            square += values[i] * values[i];
        }
        dots[row] = dot;
        squares[row] = square;
    }
}
