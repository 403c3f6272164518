/* Late interaction: a question's tokens against the tokens of many passages, from 4-bit rows.
 *
 * A level l of a row stands for 2 l - 15 fifteenths of its scale, so cosines of rows are ratios of
 * integers: sums of products of levels are exact and equal on every processor. Only the first
 * LATE_COLUMNS columns are read; what is compared costs half of the whole row and ranks as well.
 */
#ifndef KONAYUKI_LATE_H
#define KONAYUKI_LATE_H

#include <stdint.h>

/* 16-bit sums of 256 products of two levels stay exact. A block holds the query tokens whose sums
   lie in one 512-bit register. */
enum { LATE_COLUMNS = 256, LATE_BLOCK = 16, LATE_BYTES = LATE_COLUMNS / 2 };

/* A table of packed rows and what does not depend on the question. All of it is the caller's. */
struct late_table {
    const uint8_t *codes; /* (vocab, stride), high nibble = even column */
    const float *lengths; /* (vocab,): root of the sum of (2 l - 15)^2 over the columns read */
    const int32_t *sums;  /* (vocab,): sum of the levels of the columns read */
    int64_t vocab, stride, columns; /* columns: even, at most LATE_COLUMNS and 2 * stride */
};

/* The distinct tokens of a question. */
struct late_query {
    const int32_t *ids;   /* (count,) */
    const float *weights; /* (count,): of the best match of each; they sum up to 1 */
    const float *shares;  /* (count,): of each row, times its scale, in the mean of the question */
    int64_t count;
};

/* Passage i owns tokens ids[starts[i]] .. ids[ends[i] - 1] and sentences first[i] .. last[i] - 1. */
struct late_passages {
    const void *ids; /* uint16 or int32, by `wide` */
    int wide;
    const int64_t *starts, *ends, *first, *last; /* (count,) */
    const uint32_t *sentence_ends; /* of each sentence, in tokens from the start of its passage */
    const float *sentence_lengths; /* of the sum of the rows of each sentence, columns read */
    const float *scales;           /* (vocab,), of the rows */
    int64_t count;
};

/* Sums of products of levels of `n_rows` rows with a block of query tokens: dots (n_rows, LATE_BLOCK).
   `query` holds, for each four bytes of a row, the even columns of all tokens, then the odd ones. */
typedef void late_dots(const struct late_table *table, const int32_t *rows, int64_t n_rows,
                       const uint8_t *query, int32_t *dots);

late_dots late_dots_avx512vnni, late_dots_avx2, late_dots_plain;

/* The largest of each column of some rows of `cosines`, which are `width` long, a multiple of
   LATE_BLOCK, and at least -1: best (width,). Of no rows it is -1. */
typedef void late_best(const float *cosines, int64_t width, const int32_t *rows, int64_t n_rows,
                       float *best);

late_best late_best_avx512, late_best_avx2, late_best_plain;

/* Fills `lengths` and `sums`, each (vocab,). */
void late_prepare(const struct late_table *table, float *lengths, int32_t *sums);

/* Writes to `sentences` (n_sentences,) the length of the sum of each sentence's rows; sentence i owns
   ids[offsets[i]] .. ids[offsets[i + 1] - 1]. */
void late_sentences(const struct late_table *table, const float *scales, const int32_t *ids,
                    const int64_t *offsets, int64_t n_sentences, float *lengths);

enum late_fault { LATE_OK, LATE_NO_MEMORY, LATE_BAD_ID };

/* Adds to counts (vocab,) the number of passages first .. last - 1 that hold each token; passage i owns
   ids[ends[i - 1]] .. ids[ends[i] - 1]. */
enum late_fault late_count(const void *ids, int wide, const int64_t *ends, int64_t first,
                           int64_t last, int64_t n_ids, int64_t vocab, int32_t *counts);

/* Writes the late interaction of each passage and the cosine of its best sentence, 0 for a passage
   without tokens. */
enum late_fault late_run(const struct late_table *table, const struct late_query *query,
                         const struct late_passages *passages, late_dots *dots, late_best *best,
                         float *late, float *sentence);

#endif
