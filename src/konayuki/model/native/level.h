/* The instruction sets that a kernel is built for, chosen when the program runs. */
#ifndef KONAYUKI_LEVEL_H
#define KONAYUKI_LEVEL_H

#include "late.h"
#include "pool.h"
#include "scan.h"

struct level {
    const char *name;
    pool_texts *pool;
    scan_sums *sums;
    sketch_dots *dots;
    late_dots *late;
    late_best *best;
};

enum { MAX_LEVELS = 4 };

/* Fills `levels` with those that this processor runs, fastest first; returns how many. */
int level_list(struct level levels[MAX_LEVELS]);

#endif
