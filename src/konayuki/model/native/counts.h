/* What each distinct token of a text counts in the mean of its rows; `Pooling` in model/weights.py has
   the definition. */
#ifndef KONAYUKI_COUNTS_H
#define KONAYUKI_COUNTS_H

#include <stdint.h>

struct pooling {
    float tf_power, half_position; /* half_position may be infinite */
};

/* Room for the counts of one text at a time. */
struct counts {
    int32_t *ids;   /* distinct tokens, in the order of their first occurrence */
    float *values;  /* what each counts */
    int32_t *slots; /* a hash table: places in `ids`, from 1; 0 is free */
    float total;    /* the sum of `values` */
};

/* Whether every token counts 1, so that nothing needs to be counted. */
int counts_plain(const struct pooling *pooling);

/* Allocates room for texts of up to `longest` tokens; 0, or -1 if memory ran out. */
int counts_make(struct counts *counts, int64_t longest);
void counts_clear(struct counts *counts);

/* Counts a text of `n_ids` > 0 tokens; returns how many are distinct. */
int64_t counts_fill(struct counts *counts, const struct pooling *pooling, const int32_t *ids,
                    int64_t n_ids);

#endif
