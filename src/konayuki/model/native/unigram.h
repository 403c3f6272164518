/* Unigram segmentation: the split of a word into pieces whose scores have the largest sum. */
#ifndef KONAYUKI_UNIGRAM_H
#define KONAYUKI_UNIGRAM_H

#include <stdint.h>

#include "rewrite.h"
#include "symbols.h"
#include "trie.h"

enum { BYTES = 256, TRIGGER_BITS = 4096 };

struct unigram {
    struct symbol_table plain, folded;
    struct trie trie;
    struct rewrites rewrites;
    double *scores; /* (n_pieces,) by id; NULL if the single precision of the trie is exact */
    double unk_score;
    int32_t n_pieces, unk_id;
    int64_t n_ids; /* one more than the largest id */
    uint16_t mark;        /* begins a word and belongs to it; 0: nothing does */
    uint16_t first_break; /* symbols from here to SYMBOL_SPACE lie between words */
    int look_ahead;       /* 1: a character may depend on the one before it; 0: only on marks after it */

    /* Added tokens: symbol SYMBOL_SPACE - 1 - i stands for added[i]. */
    int32_t *added;
    int32_t n_added;
    int split_unclear;                   /* they are looked for in normalised text too */
    uint64_t triggers[TRIGGER_BITS / 64]; /* bit c % TRIGGER_BITS for each first character c */

    /* Byte fallback: symbol first_byte + b stands for byte b of a character that is in no piece. */
    uint32_t *code_points; /* by symbol; NULL without byte fallback */
    uint16_t first_byte;   /* 0 without byte fallback */
    int32_t bytes[BYTES];  /* ids of the pieces of the bytes */
};

/* The best way to reach a place in a word. */
struct reach {
    double score;
    int32_t piece, start;
};

/* The most ids that a symbol may become: a character is at most four bytes. */
static inline int64_t unigram_ids_per_symbol(const struct unigram *unigram) {
    return unigram->first_byte ? 4 : 1;
}

static inline int unigram_triggers(const struct unigram *unigram, uint32_t code_point) {
    const uint32_t bit = code_point % TRIGGER_BITS;
    return unigram->triggers[bit / 64] >> bit % 64 & 1;
}

/* Writes the UTF-8 of a code point; returns how many bytes. */
static inline int utf8_of(uint32_t code_point, uint8_t *bytes) {
    if (code_point < 0x80) return bytes[0] = (uint8_t)code_point, 1;
    const int count = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (int i = count - 1; i; i--, code_point >>= 6) bytes[i] = 0x80 | (code_point & 0x3F);
    bytes[0] = (uint8_t)(0xF00 >> count | code_point);
    return count;
}

/* Writes the pieces of a text to `ids`, which has room for `length` times `unigram_ids_per_symbol`;
   returns how many. `reaches` has room for length + 1. */
int64_t unigram_segment(const struct unigram *unigram, const uint16_t *symbols, int64_t length,
                        struct reach *reaches, int32_t *ids);

#endif
