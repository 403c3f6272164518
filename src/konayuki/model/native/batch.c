#include "batch.h"

#include <stdlib.h>

#include "parallel.h"

/* Texts that a thread takes at a time, and the symbols from which a second thread pays. */
enum { TEXTS_A_RANGE = 16, SYMBOLS_FOR_THREADS = 16384 };

struct run {
    const struct batch *batch;
    const struct unigram *unigram;
    int32_t *ids;    /* of batch_tokenize */
    int64_t *counts; /* of batch_tokenize */
    const struct pool_job *job; /* of batch_encode */
    pool_texts *pool;           /* of batch_encode */
};

static int run_texts(const struct batch *batch, int threads, parallel_body *body, struct run *run) {
    if (batch->offsets[batch->texts] < SYMBOLS_FOR_THREADS) threads = 1;
    const int64_t grain = threads > 1 ? TEXTS_A_RANGE : batch->texts + 1;
    return parallel_for(batch->texts, grain, threads, body, run);
}

static int64_t segment(const struct run *run, int64_t text, struct reach *reaches, int32_t *ids) {
    const int64_t start = run->batch->offsets[text];
    return unigram_segment(run->unigram, run->batch->symbols + start,
                           run->batch->offsets[text + 1] - start, reaches, ids);
}

static int tokenize_range(void *context, int64_t first, int64_t last) {
    const struct run *run = context;
    struct reach *reaches = malloc((size_t)(run->batch->longest + 1) * sizeof *reaches);
    if (!reaches) return -1;
    const int64_t room = unigram_ids_per_symbol(run->unigram);
    for (int64_t text = first; text < last; text++)
        run->counts[text] = segment(run, text, reaches, run->ids + room * run->batch->offsets[text]);
    free(reaches);
    return 0;
}

int batch_tokenize(const struct batch *batch, const struct unigram *unigram, int32_t *ids,
                   int64_t *counts, int threads) {
    struct run run = {.batch = batch, .unigram = unigram, .ids = ids, .counts = counts};
    return run_texts(batch, threads, tokenize_range, &run);
}

static int encode_range(void *context, int64_t first, int64_t last) {
    const struct run *run = context;
    const size_t longest = (size_t)run->batch->longest;
    struct reach *reaches = malloc((longest + 1) * sizeof *reaches);
    const size_t room = (size_t)unigram_ids_per_symbol(run->unigram);
    int32_t *ids = malloc((room * longest + 1) * sizeof *ids);
    struct pool_scratch scratch;
    int fault = pool_scratch_make(&scratch, run->job->table, (int64_t)(room * longest));
    if (!reaches || !ids) fault = -1;
    for (int64_t text = first; text < last && !fault; text++) {
        const int64_t offsets[2] = {0, segment(run, text, reaches, ids)};
        struct pool_job job = *run->job;
        job.ids = ids;
        job.offsets = offsets;
        job.out += text * job.dim;
        run->pool(&job, 0, 1, &scratch);
    }
    free(reaches);
    free(ids);
    pool_scratch_clear(&scratch);
    return fault;
}

int batch_encode(const struct batch *batch, const struct unigram *unigram,
                 const struct pool_job *job, pool_texts *pool, int threads) {
    struct run run = {.batch = batch, .unigram = unigram, .job = job, .pool = pool};
    return run_texts(batch, threads, encode_range, &run);
}
