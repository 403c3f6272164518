/* The k rows of an int8 matrix with the largest dot product with a query. */
#ifndef KONAYUKI_SCAN_H
#define KONAYUKI_SCAN_H

#include <stdint.h>

/* Dot products of `query` (columns,) with `rows` (n_rows, columns). */
typedef void scan_dots(const int8_t *rows, int64_t n_rows, const int8_t *query, int64_t columns,
                       int32_t *dots);

scan_dots scan_dots_avx512vnni, scan_dots_avx2, scan_dots_plain;

/* A row and its dot product. */
struct hit {
    int64_t row;
    int32_t score;
};

struct scan_job {
    const int8_t *matrix; /* (n_rows, columns) */
    int64_t n_rows, columns;
    const int8_t *query; /* (columns,) */
    const uint8_t *allowed; /* (n_rows,), 0: leave the row out; NULL: all are in */
    int64_t k;              /* at most n_rows */
    scan_dots *dots;
};

/* Writes the best rows to `hits`, which has room for k: largest score first, of equal scores the
   smaller row first. Returns how many there are, or -1 where memory ran out. */
int64_t scan_run(const struct scan_job *job, struct hit *hits, int threads);

/* Scores the rows named by `n_hits` hits and sorts them in the same order. */
void scan_rows(const struct scan_job *job, struct hit *hits, int64_t n_hits);

#endif
