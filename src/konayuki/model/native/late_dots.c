/* Sums of products of levels, and largest cosines, for each instruction set; the lanes are the tokens
   of the question. */
#include <string.h>

#include "late.h"

enum { ROWS_A_STEP = 4, AHEAD = 8, WORDS = LATE_BYTES / 4 };

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* The levels of a row: even columns, then odd ones; zeros behind the last. */
struct levels {
    uint8_t even[LATE_BYTES], odd[LATE_BYTES];
};

static inline void unpack(struct levels *levels, const struct late_table *table, int64_t row) {
    const int64_t bytes = table->columns / 2;
    uint8_t codes[LATE_BYTES];
    if (bytes < LATE_BYTES) memset(codes + bytes, 0, (size_t)(LATE_BYTES - bytes));
    memcpy(codes, table->codes + row * table->stride, (size_t)bytes);
    for (int i = 0; i < LATE_BYTES; i++) {
        levels->even[i] = codes[i] >> 4;
        levels->odd[i] = codes[i] & 15;
    }
}

static inline void fetch(const struct late_table *table, const int32_t *rows, int64_t place,
                         int64_t n_rows) {
    if (place >= n_rows) return;
    const uint8_t *codes = table->codes + rows[place] * table->stride;
    PREFETCH(codes);
    PREFETCH(codes + 64);
}

static inline int64_t words_of(const struct late_table *table) {
    return (table->columns / 2 + 3) / 4;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define AVX512 __attribute__((target("avx512f")))
#define AVX2 __attribute__((target("avx2")))

static inline int32_t word(const uint8_t *bytes, int64_t place) {
    int32_t value;
    memcpy(&value, bytes + 4 * place, sizeof value);
    return value;
}

/* Four rows share each load of the question; two chains a row hide the latency. */
VNNI void late_dots_avx512vnni(const struct late_table *table, const int32_t *rows, int64_t n_rows,
                               const uint8_t *query, int32_t *dots) {
    const int64_t words = words_of(table);
    struct levels levels[ROWS_A_STEP];
    for (int64_t row = 0; row < n_rows; row += ROWS_A_STEP) {
        const int64_t n = n_rows - row < ROWS_A_STEP ? n_rows - row : ROWS_A_STEP;
        __m512i even[ROWS_A_STEP], odd[ROWS_A_STEP];
        for (int64_t i = 0; i < ROWS_A_STEP; i++) {
            fetch(table, rows, row + i + AHEAD, n_rows);
            unpack(&levels[i], table, rows[row + (i < n ? i : 0)]);
            even[i] = odd[i] = _mm512_setzero_si512();
        }
        for (int64_t k = 0; k < words; k++) {
            const __m512i first = _mm512_loadu_si512(query + 128 * k);
            const __m512i second = _mm512_loadu_si512(query + 128 * k + 64);
            for (int i = 0; i < ROWS_A_STEP; i++) {
                even[i] = _mm512_dpbusd_epi32(even[i], first,
                                              _mm512_set1_epi32(word(levels[i].even, k)));
                odd[i] = _mm512_dpbusd_epi32(odd[i], second,
                                             _mm512_set1_epi32(word(levels[i].odd, k)));
            }
        }
        for (int64_t i = 0; i < n; i++)
            _mm512_storeu_si512(dots + (row + i) * LATE_BLOCK, _mm512_add_epi32(even[i], odd[i]));
    }
}

/* Pairs of products go into 16 bits: 64 sums of at most 450. */
AVX2 void late_dots_avx2(const struct late_table *table, const int32_t *rows, int64_t n_rows,
                         const uint8_t *query, int32_t *dots) {
    const int64_t words = words_of(table);
    const __m256i ones = _mm256_set1_epi16(1);
    struct levels levels;
    for (int64_t row = 0; row < n_rows; row++) {
        fetch(table, rows, row + AHEAD, n_rows);
        unpack(&levels, table, rows[row]);
        __m256i low = _mm256_setzero_si256(), high = low;
        for (int64_t k = 0; k < words; k++) {
            const __m256i *from = (const __m256i *)(query + 128 * k);
            const __m256i even = _mm256_set1_epi32(word(levels.even, k));
            const __m256i odd = _mm256_set1_epi32(word(levels.odd, k));
            const __m256i a = _mm256_maddubs_epi16(_mm256_loadu_si256(from), even);
            const __m256i b = _mm256_maddubs_epi16(_mm256_loadu_si256(from + 1), even);
            const __m256i c = _mm256_maddubs_epi16(_mm256_loadu_si256(from + 2), odd);
            const __m256i d = _mm256_maddubs_epi16(_mm256_loadu_si256(from + 3), odd);
            low = _mm256_add_epi16(low, _mm256_add_epi16(a, c));
            high = _mm256_add_epi16(high, _mm256_add_epi16(b, d));
        }
        __m256i *to = (__m256i *)(dots + row * LATE_BLOCK);
        _mm256_storeu_si256(to, _mm256_madd_epi16(low, ones));
        _mm256_storeu_si256(to + 1, _mm256_madd_epi16(high, ones));
    }
}

AVX512 void late_best_avx512(const float *cosines, int64_t width, const int32_t *rows, int64_t n_rows,
                           float *best) {
    for (int64_t block = 0; block < width; block += LATE_BLOCK) {
        __m512 largest = _mm512_set1_ps(-1.0f);
        for (int64_t i = 0; i < n_rows; i++)
            largest = _mm512_max_ps(largest, _mm512_loadu_ps(cosines + rows[i] * width + block));
        _mm512_storeu_ps(best + block, largest);
    }
}

AVX2 void late_best_avx2(const float *cosines, int64_t width, const int32_t *rows, int64_t n_rows,
                         float *best) {
    for (int64_t block = 0; block < width; block += LATE_BLOCK) {
        __m256 first = _mm256_set1_ps(-1.0f), second = first;
        for (int64_t i = 0; i < n_rows; i++) {
            const float *row = cosines + rows[i] * width + block;
            first = _mm256_max_ps(first, _mm256_loadu_ps(row));
            second = _mm256_max_ps(second, _mm256_loadu_ps(row + 8));
        }
        _mm256_storeu_ps(best + block, first);
        _mm256_storeu_ps(best + block + 8, second);
    }
}
#endif

void late_best_plain(const float *cosines, int64_t width, const int32_t *rows, int64_t n_rows,
                     float *best) {
    for (int64_t block = 0; block < width; block += LATE_BLOCK) {
        float largest[LATE_BLOCK];
        for (int t = 0; t < LATE_BLOCK; t++) largest[t] = -1.0f;
        for (int64_t i = 0; i < n_rows; i++) {
            const float *row = cosines + rows[i] * width + block;
            for (int t = 0; t < LATE_BLOCK; t++)
                largest[t] = row[t] > largest[t] ? row[t] : largest[t];
        }
        memcpy(best + block, largest, sizeof largest);
    }
}

#if defined(__GNUC__)
typedef uint16_t eight __attribute__((vector_size(16)));
#define EIGHTS (LATE_BLOCK / 8)
#else
typedef uint16_t eight;
#define EIGHTS LATE_BLOCK
#endif

/* The question column by column in 16 bits, so that one level multiplies whole vectors; to turn it
   around costs little compared with 64 rows. */
void late_dots_plain(const struct late_table *table, const int32_t *rows, int64_t n_rows,
                     const uint8_t *query, int32_t *dots) {
    const int64_t words = words_of(table);
    uint16_t columns[2 * LATE_BYTES][LATE_BLOCK], lanes[LATE_BLOCK];
    struct levels levels;
    for (int64_t k = 0; k < 2 * words; k++)
        for (int t = 0; t < LATE_BLOCK; t++)
            for (int i = 0; i < 4; i++)
                columns[4 * k + i][t] = query[(k * LATE_BLOCK + t) * 4 + i];
    for (int64_t row = 0; row < n_rows; row++) {
        eight sums[EIGHTS];
        memset(sums, 0, sizeof sums);
        fetch(table, rows, row + AHEAD, n_rows);
        unpack(&levels, table, rows[row]);
        for (int64_t c = 0; c < 8 * words; c++) {
            const uint8_t *four = (c / 4 % 2 ? levels.odd : levels.even) + 4 * (c / 8);
            eight column[EIGHTS];
            memcpy(column, columns[c], sizeof column);
            for (int i = 0; i < EIGHTS; i++) sums[i] += column[i] * (uint16_t)four[c % 4];
        }
        memcpy(lanes, sums, sizeof lanes);
        for (int t = 0; t < LATE_BLOCK; t++) dots[row * LATE_BLOCK + t] = lanes[t];
    }
}
