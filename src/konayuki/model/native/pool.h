/* Pooling: the weighted mean of the table rows of each text, then a tanh of its own for every column. */
#ifndef KONAYUKI_POOL_H
#define KONAYUKI_POOL_H

#include <stdint.h>

#include "counts.h"

/* Columns of padding behind `alpha`, `beta`, `bias` and the scratch row, so that whole vectors can be
   loaded at their ends. */
enum { POOL_PADDING = 256 };

/* A table and its tanh. `codes` and `scales`, or `rows`, belong to the caller; the rest is ours. */
struct pool_table {
    const uint8_t *codes; /* (vocab, width / 2), high nibble = even column; NULL for a float table */
    const float *scales;  /* (vocab,) */
    const float *rows;    /* (vocab, width); NULL for a packed table */
    float *alpha, *beta, *bias; /* (width + POOL_PADDING,), zero behind `width` */
    int64_t vocab, width;
    struct pooling pooling;
};

/* Text i owns the tokens ids[offsets[i]] .. ids[offsets[i + 1] - 1]. */
struct pool_job {
    const struct pool_table *table;
    const int32_t *ids;
    const int64_t *offsets;
    float *out; /* (texts, dim) */
    int64_t dim;
    int normalize;
};

/* What a thread needs to pool texts one by one. */
struct pool_scratch {
    float *means; /* (width + POOL_PADDING,) */
    struct counts counts;
};

/* Allocates for texts of up to `longest` tokens; 0, or -1 if memory ran out. */
int pool_scratch_make(struct pool_scratch *scratch, const struct pool_table *table,
                      int64_t longest);
void pool_scratch_clear(struct pool_scratch *scratch);

/* Pools the texts first .. last - 1. */
typedef void pool_texts(const struct pool_job *job, int64_t first, int64_t last,
                        struct pool_scratch *scratch);

pool_texts pool_texts_avx512, pool_texts_avx2, pool_texts_vector128, pool_texts_scalar;

/* Copies the tanh into `table`; 0, or -1 if memory ran out. */
int pool_table_fill(struct pool_table *table, const float *alpha, const float *beta,
                    const float *bias);
void pool_table_clear(struct pool_table *table);

/* What `pool_check` found. */
enum pool_fault { POOL_OK, POOL_BAD_OFFSET, POOL_BAD_ID };

/* Checks that every offset ascends within 0 .. ids and every id is a row; `where` gets the first
   text or token that is not. */
enum pool_fault pool_check(const struct pool_job *job, int64_t ids, int64_t texts, int64_t *where);

/* Pools `texts` texts on up to `threads` threads; 0, or -1 if memory ran out. */
int pool_run(const struct pool_job *job, pool_texts *texts_function, int64_t texts, int threads);

#endif
