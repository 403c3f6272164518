#include "late.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows whose sums are computed before they become cosines. */
enum { ROWS_AT_ONCE = 64 };

static inline int level_at(const uint8_t *row, int64_t column) {
    return column % 2 ? row[column / 2] & 15 : row[column / 2] >> 4;
}

void late_prepare(const struct late_table *table, float *lengths, int32_t *sums) {
    for (int64_t row = 0; row < table->vocab; row++) {
        const uint8_t *codes = table->codes + row * table->stride;
        int32_t sum = 0, square = 0;
        for (int64_t i = 0; i < table->columns / 2; i++) {
            const int even = codes[i] >> 4, odd = codes[i] & 15;
            sum += even + odd;
            square += even * even + odd * odd;
        }
        sums[row] = sum;
        lengths[row] = sqrtf((float)(4 * square - 60 * sum + 225 * (int32_t)table->columns));
    }
}

void late_sentences(const struct late_table *table, const float *scales, const int32_t *ids,
                    const int64_t *offsets, int64_t n_sentences, float *lengths) {
    for (int64_t sentence = 0; sentence < n_sentences; sentence++) {
        float even[LATE_BYTES] = {0}, odd[LATE_BYTES] = {0};
        const int64_t bytes = table->columns / 2;
        float shift = 0.0f, square = 0.0f;
        for (int64_t i = offsets[sentence]; i < offsets[sentence + 1]; i++) {
            const uint8_t *codes = table->codes + ids[i] * table->stride;
            const float scale = scales[ids[i]] * (2.0f / 15.0f);
            shift += scale * 7.5f;
            for (int64_t k = 0; k < bytes; k++) {
                even[k] += scale * (float)(codes[k] >> 4);
                odd[k] += scale * (float)(codes[k] & 15);
            }
        }
        for (int64_t k = 0; k < bytes; k++) {
            const float a = even[k] - shift, b = odd[k] - shift;
            square += a * a + b * b;
        }
        lengths[sentence] = sqrtf(square);
    }
}

enum late_fault late_count(const void *ids, int wide, const int64_t *ends, int64_t first,
                           int64_t last, int64_t n_ids, int64_t vocab, int32_t *counts) {
    int64_t *seen = calloc((size_t)(vocab + 1), sizeof *seen); /* the last passage, plus 1 */
    enum late_fault fault = seen ? LATE_OK : LATE_NO_MEMORY;
    int64_t place = first ? ends[first - 1] : 0;
    for (int64_t passage = first; !fault && passage < last; passage++) {
        if (place < 0 || ends[passage] > n_ids) fault = LATE_BAD_ID;
        for (; !fault && place < ends[passage]; place++) {
            const int64_t id = wide ? ((const int32_t *)ids)[place] : ((const uint16_t *)ids)[place];
            if (id < 0 || id >= vocab) {
                fault = LATE_BAD_ID;
            } else if (seen[id] <= passage) {
                seen[id] = passage + 1;
                counts[id]++;
            }
        }
    }
    free(seen);
    return fault;
}

/* What one question needs: the distinct tokens of the passages and their cosines. */
struct scratch {
    int32_t *slots;    /* (vocab,): place of a token among the distinct ones, plus 1 */
    int32_t *tokens;   /* (n_tokens,) distinct */
    int32_t *places;   /* of the tokens of all passages asked for, end to end, among the distinct */
    float *cosines;    /* (n_tokens, width) with each query token */
    float *shares;     /* (n_tokens,): product of the row with the mean of the question */
    uint8_t *query;    /* one block */
    int64_t n_tokens, capacity, width;
};

static inline int64_t id_at(const struct late_passages *passages, int64_t place) {
    return passages->wide ? ((const int32_t *)passages->ids)[place]
                          : ((const uint16_t *)passages->ids)[place];
}

static enum late_fault collect(struct scratch *scratch, const struct late_table *table,
                               const struct late_passages *passages) {
    int64_t total = 0;
    for (int64_t i = 0; i < passages->count; i++) total += passages->ends[i] - passages->starts[i];
    int32_t *next = scratch->places = malloc((size_t)(total + 1) * sizeof *next);
    if (!next) return LATE_NO_MEMORY;
    for (int64_t i = 0; i < passages->count; i++)
        for (int64_t place = passages->starts[i]; place < passages->ends[i]; place++) {
            const int64_t id = id_at(passages, place);
            if (id < 0 || id >= table->vocab) return LATE_BAD_ID;
            if (!scratch->slots[id]) {
                if (scratch->n_tokens == scratch->capacity) {
                    const int64_t capacity = 2 * scratch->capacity + 1024;
                    int32_t *grown = realloc(scratch->tokens, (size_t)capacity * sizeof *grown);
                    if (!grown) return LATE_NO_MEMORY;
                    scratch->tokens = grown;
                    scratch->capacity = capacity;
                }
                scratch->tokens[scratch->n_tokens] = (int32_t)id;
                scratch->slots[id] = (int32_t)++scratch->n_tokens;
            }
            *next++ = scratch->slots[id] - 1;
        }
    return LATE_OK;
}

static void arrange(uint8_t *block, const struct late_table *table, const int32_t *ids,
                    int64_t count) {
    memset(block, 0, LATE_BLOCK * LATE_COLUMNS);
    for (int64_t token = 0; token < count; token++) {
        const uint8_t *row = table->codes + ids[token] * table->stride;
        for (int64_t column = 0; column < table->columns; column++) {
            const int64_t byte = column / 2, part = 2 * (byte / 4) + column % 2;
            block[(part * LATE_BLOCK + token) * 4 + byte % 4] = (uint8_t)level_at(row, column);
        }
    }
}

static void compare_block(struct scratch *scratch, const struct late_table *table,
                          const struct late_query *query, int64_t first, late_dots *dots) {
    const int64_t left = query->count - first, count = left < LATE_BLOCK ? left : LATE_BLOCK;
    int32_t sums[ROWS_AT_ONCE * LATE_BLOCK];
    float inverses[LATE_BLOCK] = {0}, shares[LATE_BLOCK] = {0};
    int32_t shifts[LATE_BLOCK] = {0};
    arrange(scratch->query, table, query->ids + first, count);
    for (int64_t t = 0; t < count; t++) {
        const int32_t id = query->ids[first + t];
        inverses[t] = table->lengths[id] > 0.0f ? 1.0f / table->lengths[id] : 0.0f;
        shares[t] = query->shares[first + t];
        shifts[t] = 225 * (int32_t)table->columns - 30 * table->sums[id];
    }
    for (int64_t row = 0; row < scratch->n_tokens; row += ROWS_AT_ONCE) {
        const int64_t rest = scratch->n_tokens - row, n = rest < ROWS_AT_ONCE ? rest : ROWS_AT_ONCE;
        dots(table, scratch->tokens + row, n, scratch->query, sums);
        for (int64_t i = 0; i < n; i++) {
            const int32_t id = scratch->tokens[row + i], shift = 30 * table->sums[id];
            const float length = table->lengths[id], inverse = length > 0.0f ? 1.0f / length : 0.0f;
            float *cosines = scratch->cosines + (row + i) * scratch->width + first;
            float parts[LATE_BLOCK];
            for (int t = 0; t < LATE_BLOCK; t++) {
                const float product =
                    (float)(4 * sums[i * LATE_BLOCK + t] - shift + shifts[t]);
                cosines[t] = product * (inverse * inverses[t]);
                parts[t] = product * shares[t];
            }
            /* Added in pairs: one after the other, each sum would wait for the one before it. */
            for (int half = LATE_BLOCK / 2; half; half /= 2)
                for (int t = 0; t < half; t++) parts[t] += parts[t + half];
            scratch->shares[row + i] += parts[0];
        }
    }
}

/* The largest cosine of the mean of the question, of length 1, with the mean of a sentence. */
static float sentence_of(const struct scratch *scratch, const struct late_passages *passages,
                         int64_t passage, const int32_t *places) {
    const int64_t length = passages->ends[passage] - passages->starts[passage];
    float best = -1.0f;
    int64_t place = 0;
    for (int64_t i = passages->first[passage]; i < passages->last[passage]; i++) {
        const int64_t end = passages->sentence_ends[i];
        const int64_t stop = end < length ? end : length;
        float sum = 0.0f;
        for (; place < stop; place++) sum += scratch->shares[places[place]];
        const float norm = passages->sentence_lengths[i];
        if (norm > 0.0f && sum > best * norm) best = sum / norm;
    }
    return best;
}

static enum late_fault run(struct scratch *scratch, const struct late_table *table,
                           const struct late_query *query, const struct late_passages *passages,
                           late_dots *dots, late_best *largest, float *late, float *sentence) {
    const enum late_fault fault = collect(scratch, table, passages);
    if (fault) return fault;
    scratch->width = (query->count + LATE_BLOCK - 1) / LATE_BLOCK * LATE_BLOCK;
    const size_t cells = (size_t)(scratch->n_tokens + 1) * (size_t)(scratch->width + 1);
    float *best = malloc((size_t)(scratch->width + 1) * sizeof *best);
    scratch->cosines = malloc(cells * sizeof(float));
    scratch->shares = calloc((size_t)(scratch->n_tokens + 1), sizeof(float));
    scratch->query = malloc(LATE_BLOCK * LATE_COLUMNS);
    if (!best || !scratch->cosines || !scratch->shares || !scratch->query) {
        free(best);
        return LATE_NO_MEMORY;
    }
    for (int64_t first = 0; first < query->count; first += LATE_BLOCK)
        compare_block(scratch, table, query, first, dots);
    for (int64_t i = 0; i < scratch->n_tokens; i++)
        scratch->shares[i] *= passages->scales[scratch->tokens[i]];
    const int32_t *places = scratch->places;
    for (int64_t i = 0; i < passages->count; i++) {
        const int64_t length = passages->ends[i] - passages->starts[i];
        late[i] = sentence[i] = 0.0f;
        if (length > 0 && query->count) {
            largest(scratch->cosines, scratch->width, places, length, best);
            for (int64_t t = 0; t < query->count; t++) late[i] += query->weights[t] * best[t];
            sentence[i] = sentence_of(scratch, passages, i, places);
        }
        places += length;
    }
    free(best);
    return LATE_OK;
}

enum late_fault late_run(const struct late_table *table, const struct late_query *query,
                         const struct late_passages *passages, late_dots *dots, late_best *best,
                         float *late, float *sentence) {
    for (int64_t t = 0; t < query->count; t++)
        if (query->ids[t] < 0 || query->ids[t] >= table->vocab) return LATE_BAD_ID;
    struct scratch scratch = {0};
    scratch.slots = calloc((size_t)(table->vocab + 1), sizeof *scratch.slots);
    const enum late_fault fault =
        scratch.slots ? run(&scratch, table, query, passages, dots, best, late, sentence)
                      : LATE_NO_MEMORY;
    free(scratch.slots);
    free(scratch.tokens);
    free(scratch.places);
    free(scratch.cosines);
    free(scratch.shares);
    free(scratch.query);
    return fault;
}
