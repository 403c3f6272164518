/* The k int8 rows with the largest cosine to a query, or the k best by their sketches. */
#ifndef KONAYUKI_SCAN_H
#define KONAYUKI_SCAN_H

#include <stdint.h>

#include "sketch.h"

/* Dot products of `query` (columns,) with `rows` (n_rows, columns), and the squared lengths of the
   rows: exact integers, for up to MAX_COLUMNS columns. */
typedef void scan_sums(const int8_t *rows, int64_t n_rows, const int8_t *query, int64_t columns,
                       int32_t *dots, int32_t *squares);

enum { MAX_COLUMNS = 65536 };

scan_sums scan_sums_avx512vnni, scan_sums_avx2, scan_sums_plain;

/* A row and its cosine, or a score by sketch that only compares. */
struct hit {
    int64_t row;
    float score;
};

/* What is scanned: int8 rows if `sums` is set, sketches of such rows if `dots` is set. */
struct scan_job {
    const void *rows;
    int64_t n_rows, columns;
    const int8_t *query; /* (columns,); for sketches padded as sketch_dots wants it */
    float query_length;  /* see scan_length; for int8 rows */
    const uint8_t *allowed; /* (n_rows,), 0: leave the row out; NULL: all are in */
    int64_t k;              /* at most n_rows */
    scan_sums *sums;
    sketch_dots *dots;
};

/* The length of a query. */
float scan_length(const int8_t *query, int64_t columns);

/* Writes the best rows to `hits`, which has room for k: best first, of equal ones the smaller
   row first. Returns how many there are, or -1 if memory ran out. */
int64_t scan_run(const struct scan_job *job, struct hit *hits, int threads);

/* Scores the int8 rows named by `n_hits` hits and sorts them in the same order. */
void scan_rows(const struct scan_job *job, struct hit *hits, int64_t n_hits);

#endif
