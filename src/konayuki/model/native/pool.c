#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include "parallel.h"

/* Texts that a thread takes at a time, and the tokens from which a second thread pays. */
enum { TEXTS_A_RANGE = 32, TOKENS_FOR_THREADS = 16384 };

static float *padded_copy(const float *values, int64_t width) {
    float *copy = calloc((size_t)(width + POOL_PADDING), sizeof *copy);
    if (copy) memcpy(copy, values, (size_t)width * sizeof *copy);
    return copy;
}

int pool_table_fill(struct pool_table *table, const float *alpha, const float *beta,
                    const float *bias) {
    table->alpha = padded_copy(alpha, table->width);
    table->beta = padded_copy(beta, table->width);
    table->bias = padded_copy(bias, table->width);
    return table->alpha && table->beta && table->bias ? 0 : -1;
}

void pool_table_clear(struct pool_table *table) {
    free(table->alpha);
    free(table->beta);
    free(table->bias);
}

enum pool_fault pool_check(const struct pool_job *job, int64_t ids, int64_t texts, int64_t *where) {
    int64_t previous = 0;
    for (int64_t text = 0; text <= texts; text++) {
        const int64_t offset = job->offsets[text];
        if (offset < previous || offset > ids) {
            *where = text;
            return POOL_BAD_OFFSET;
        }
        previous = offset;
    }
    const uint32_t vocab = (uint32_t)job->table->vocab;
    for (int64_t token = 0; token < ids; token++)
        if ((uint32_t)job->ids[token] >= vocab) { /* a negative id is a large one */
            *where = token;
            return POOL_BAD_ID;
        }
    return POOL_OK;
}

struct run {
    const struct pool_job *job;
    pool_texts *texts_function;
};

static int run_range(void *context, int64_t first, int64_t last) {
    const struct run *run = context;
    const size_t width = (size_t)(run->job->table->width + POOL_PADDING);
    float *scratch = malloc(width * sizeof *scratch);
    if (!scratch) return -1;
    run->texts_function(run->job, first, last, scratch);
    free(scratch);
    return 0;
}

int pool_run(const struct pool_job *job, pool_texts *texts_function, int64_t texts, int threads) {
    struct run run = {job, texts_function};
    if (texts && job->offsets[texts] - job->offsets[0] < TOKENS_FOR_THREADS) threads = 1;
    const int64_t grain = threads > 1 ? TEXTS_A_RANGE : texts + 1;
    return parallel_for(texts, grain, threads, run_range, &run);
}
