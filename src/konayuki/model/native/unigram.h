/* Unigram segmentation: the split of a word into pieces whose scores have the largest sum. */
#ifndef KONAYUKI_UNIGRAM_H
#define KONAYUKI_UNIGRAM_H

#include <stdint.h>

#include "symbols.h"
#include "trie.h"

struct unigram {
    struct symbol_table plain, folded;
    struct trie trie;
    int32_t n_pieces, unk_id;
    double unk_score;
};

/* The best way to reach a place in a word. */
struct reach {
    double score;
    int32_t piece, start;
};

/* Writes the pieces of a text, words split at SYMBOL_SPACE, to `ids`, which has room for `length`;
   returns how many. `reaches` has room for length + 1. */
int64_t unigram_segment(const struct unigram *unigram, const uint16_t *symbols, int64_t length,
                        struct reach *reaches, int32_t *ids);

#endif
