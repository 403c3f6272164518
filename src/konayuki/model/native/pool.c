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

int pool_scratch_make(struct pool_scratch *scratch, const struct pool_table *table,
                      int64_t longest) {
    *scratch = (struct pool_scratch){0};
    scratch->means = malloc((size_t)(table->width + POOL_PADDING) * sizeof *scratch->means);
    const int plain = counts_plain(&table->pooling);
    return scratch->means && (plain || !counts_make(&scratch->counts, longest)) ? 0 : -1;
}

void pool_scratch_clear(struct pool_scratch *scratch) {
    free(scratch->means);
    counts_clear(&scratch->counts);
}

struct run {
    const struct pool_job *job;
    pool_texts *texts_function;
};

static int64_t longest_of(const struct pool_job *job, int64_t first, int64_t last) {
    int64_t longest = 0;
    for (int64_t text = first; text < last; text++) {
        const int64_t n_ids = job->offsets[text + 1] - job->offsets[text];
        if (n_ids > longest) longest = n_ids;
    }
    return longest;
}

static int run_range(void *context, int64_t first, int64_t last) {
    const struct run *run = context;
    struct pool_scratch scratch;
    const int fault =
        pool_scratch_make(&scratch, run->job->table, longest_of(run->job, first, last));
    if (!fault) run->texts_function(run->job, first, last, &scratch);
    pool_scratch_clear(&scratch);
    return fault;
}

int pool_run(const struct pool_job *job, pool_texts *texts_function, int64_t texts, int threads) {
    struct run run = {job, texts_function};
    if (texts && job->offsets[texts] - job->offsets[0] < TOKENS_FOR_THREADS) threads = 1;
    const int64_t grain = threads > 1 ? TEXTS_A_RANGE : texts + 1;
    return parallel_for(texts, grain, threads, run_range, &run);
}
