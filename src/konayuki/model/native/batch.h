/* Whole batches of texts: symbols in, ids or vectors out, on several threads. */
#ifndef KONAYUKI_BATCH_H
#define KONAYUKI_BATCH_H

#include <stdint.h>

#include "pool.h"
#include "unigram.h"

/* Text i owns symbols[offsets[i]] .. symbols[offsets[i + 1] - 1]. */
struct batch {
    uint16_t *symbols;
    int64_t *offsets; /* (texts + 1,) */
    int64_t texts, longest;
};

/* Segments every text. The ids of text i go to ids[r * batch->offsets[i]] and after, with r =
   unigram_ids_per_symbol, their number to counts[i]; 0, or -1 if memory ran out. */
int batch_tokenize(const struct batch *batch, const struct unigram *unigram, int32_t *ids,
                   int64_t *counts, int threads);

/* Segments and pools every text; `job` says how, less its ids and offsets. Ids live only as long as
   their text takes. 0, or -1 if memory ran out. */
int batch_encode(const struct batch *batch, const struct unigram *unigram,
                 const struct pool_job *job, pool_texts *pool, int threads);

#endif
