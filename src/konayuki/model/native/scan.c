#include "scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

/* Rows whose cosines are computed before they are looked at; the least rows and the most ranges that
   a thread takes, if there are several; bytes from which a second thread pays. */
enum { ROWS_A_BLOCK = 128, ROWS_A_RANGE = 16384, RANGES = 4, BYTES_FOR_THREADS = 1 << 24 };

/* The best hits so far as a heap with the worst on top. */
struct heap {
    struct hit *hits;
    int64_t size, capacity;
};

static inline int worse(struct hit a, struct hit b) {
    return a.score != b.score ? a.score < b.score : a.row > b.row;
}

static void sink(struct heap *heap, struct hit hit) {
    int64_t place = 0;
    for (int64_t child = 1; child < heap->size; child = 2 * place + 1) {
        if (child + 1 < heap->size && worse(heap->hits[child + 1], heap->hits[child])) child++;
        if (worse(hit, heap->hits[child])) break;
        heap->hits[place] = heap->hits[child];
        place = child;
    }
    heap->hits[place] = hit;
}

static void rise(struct heap *heap, struct hit hit) {
    int64_t place = heap->size++;
    while (place && worse(hit, heap->hits[(place - 1) / 2])) {
        heap->hits[place] = heap->hits[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap->hits[place] = hit;
}

/* Rows come in ascending order, so a row that ties with the worst stays out. */
static inline void offer(struct heap *heap, int64_t row, float score) {
    if (heap->size < heap->capacity)
        rise(heap, (struct hit){row, score});
    else if (score > heap->hits[0].score)
        sink(heap, (struct hit){row, score});
}

/* Cosines of up to ROWS_A_BLOCK rows from `first` on. The integers are exact, and what follows them
   rounds the same way everywhere: scores do not depend on the processor. */
static void block_cosines(const struct scan_job *job, int64_t first, int64_t n_rows,
                          float *scores) {
    int32_t dots[ROWS_A_BLOCK], squares[ROWS_A_BLOCK];
    const int8_t *rows = (const int8_t *)job->rows + first * job->columns;
    job->sums(rows, n_rows, job->query, job->columns, dots, squares);
    for (int64_t i = 0; i < n_rows; i++) {
        const float length = sqrtf((float)squares[i]) * job->query_length;
        scores[i] = (float)dots[i] / (length > 0.0f ? length : 1.0f);
    }
}

static void block_scores(const struct scan_job *job, int64_t first, int64_t n_rows,
                         float *scores) {
    if (job->sums) {
        block_cosines(job, first, n_rows, scores);
        return;
    }
    int32_t dots[ROWS_A_BLOCK];
    const int64_t chunks = sketch_chunks(job->columns);
    const uint8_t *sketches = (const uint8_t *)job->rows + first * chunks * SKETCH_BYTES;
    job->dots(sketches, n_rows, job->query, chunks, dots);
    for (int64_t i = 0; i < n_rows; i++) scores[i] = (float)dots[i];
}

static void scan_all(const struct scan_job *job, int64_t first, int64_t last, struct heap *heap) {
    float scores[ROWS_A_BLOCK];
    for (int64_t row = first; row < last; row += ROWS_A_BLOCK) {
        const int64_t n_rows = last - row < ROWS_A_BLOCK ? last - row : ROWS_A_BLOCK;
        block_scores(job, row, n_rows, scores);
        for (int64_t i = 0; i < n_rows; i++) offer(heap, row + i, scores[i]);
    }
}

/* If few rows of a block are allowed they are scored one by one; else all of them are, because
   memory comes faster in one stream than in pieces. */
static void scan_allowed(const struct scan_job *job, int64_t first, int64_t last,
                         struct heap *heap) {
    float scores[ROWS_A_BLOCK];
    for (int64_t row = first; row < last; row += ROWS_A_BLOCK) {
        const int64_t n_rows = last - row < ROWS_A_BLOCK ? last - row : ROWS_A_BLOCK;
        const uint8_t *allowed = job->allowed + row;
        int64_t n_allowed = 0;
        for (int64_t i = 0; i < n_rows; i++) n_allowed += allowed[i] != 0;
        const int together = 4 * n_allowed > n_rows;
        if (together) block_scores(job, row, n_rows, scores);
        for (int64_t i = 0; n_allowed && i < n_rows; i++) {
            if (!allowed[i]) continue;
            if (!together) block_scores(job, row + i, 1, scores + i);
            offer(heap, row + i, scores[i]);
        }
    }
}

float scan_length(const int8_t *query, int64_t columns) {
    int32_t square = 0;
    for (int64_t i = 0; i < columns; i++) square += query[i] * query[i];
    return sqrtf((float)square);
}

struct run {
    const struct scan_job *job;
    int64_t grain;
    struct hit *hits; /* k for each range */
    int64_t *sizes;   /* of each range */
};

static int scan_range(void *context, int64_t first, int64_t last) {
    const struct run *run = context;
    const int64_t range = first / run->grain;
    struct heap heap = {run->hits + range * run->job->k, 0, run->job->k};
    if (run->job->allowed)
        scan_allowed(run->job, first, last, &heap);
    else
        scan_all(run->job, first, last, &heap);
    run->sizes[range] = heap.size;
    return 0;
}

static int by_rank(const void *a, const void *b) {
    const struct hit *left = a, *right = b;
    return worse(*left, *right) - worse(*right, *left);
}

/* Keeps the k best of all ranges. */
static int64_t merge(const struct run *run, int64_t ranges, struct hit *hits) {
    int64_t total = 0;
    for (int64_t range = 0; range < ranges; range++) {
        memmove(run->hits + total, run->hits + range * run->job->k,
                (size_t)run->sizes[range] * sizeof *hits);
        total += run->sizes[range];
    }
    qsort(run->hits, (size_t)total, sizeof *hits, by_rank);
    const int64_t kept = total < run->job->k ? total : run->job->k;
    memcpy(hits, run->hits, (size_t)kept * sizeof *hits);
    return kept;
}

int64_t scan_run(const struct scan_job *job, struct hit *hits, int threads) {
    if (!job->n_rows) return 0;
    const int64_t row_bytes = job->sums ? job->columns : job->columns / 4;
    if (job->n_rows * row_bytes < BYTES_FOR_THREADS) threads = 1;
    /* Every range brings k hits to sort: few ranges, or they cost more than the scan. */
    const int64_t shares = threads > 1 ? RANGES * threads : 1;
    int64_t grain = (job->n_rows + shares - 1) / shares;
    if (grain < ROWS_A_RANGE) grain = ROWS_A_RANGE;
    if (grain < job->k) grain = job->k; /* or the heaps would outgrow the matrix */
    if (threads > 1 && job->n_rows / grain < threads) grain = (job->n_rows + threads - 1) / threads;
    const int64_t ranges = (job->n_rows + grain - 1) / grain;
    struct run run = {job, grain, malloc((size_t)(ranges * job->k) * sizeof *hits),
                      calloc((size_t)ranges, sizeof(int64_t))};
    int64_t kept = -1;
    if (run.hits && run.sizes && !parallel_for(job->n_rows, grain, threads, scan_range, &run))
        kept = merge(&run, ranges, hits);
    free(run.hits);
    free(run.sizes);
    return kept;
}

void scan_rows(const struct scan_job *job, struct hit *hits, int64_t n_hits) {
    for (int64_t i = 0; i < n_hits; i++) block_cosines(job, hits[i].row, 1, &hits[i].score);
    qsort(hits, (size_t)n_hits, sizeof *hits, by_rank);
}
