/* The k rows of an int8 matrix with the largest cosine to a query. */
#ifndef KONAYUKI_SCAN_H
#define KONAYUKI_SCAN_H

#include <stdint.h>

/* Dot products of `query` (columns,) with `rows` (n_rows, columns), and the squared lengths of the
   rows: exact integers, for up to MAX_COLUMNS columns. */
typedef void scan_sums(const int8_t *rows, int64_t n_rows, const int8_t *query, int64_t columns,
                       int32_t *dots, int32_t *squares);

enum { MAX_COLUMNS = 65536 };

scan_sums scan_sums_avx512vnni, scan_sums_avx2, scan_sums_plain;

/* A row and its cosine. */
struct hit {
    int64_t row;
    float score;
};

struct scan_job {
    const int8_t *matrix; /* (n_rows, columns) */
    int64_t n_rows, columns;
    const int8_t *query; /* (columns,) */
    float query_length;  /* see scan_length */
    const uint8_t *allowed; /* (n_rows,), 0: leave the row out; NULL: all are in */
    int64_t k;              /* at most n_rows */
    scan_sums *sums;
};

/* The length of a query. */
float scan_length(const int8_t *query, int64_t columns);

/* Writes the best rows to `hits`, which has room for k: largest cosine first, of equal ones the
   smaller row first. Returns how many there are, or -1 where memory ran out. */
int64_t scan_run(const struct scan_job *job, struct hit *hits, int threads);

/* Scores the rows named by `n_hits` hits and sorts them in the same order. */
void scan_rows(const struct scan_job *job, struct hit *hits, int64_t n_hits);

#endif
