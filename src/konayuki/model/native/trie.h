/* The pieces of a vocabulary as a trie over symbols.
 *
 * First characters, where every walk starts, lie in an array by symbol. All other nodes lie in one
 * hash table and are found under (name of the parent, symbol), so one cache line answers a step: is
 * the child there, does a piece end, which, and can the next symbol follow. For the last question a
 * node keeps one bit for each residue of the symbols of its children, which turns away most steps that
 * lead nowhere before they touch the table. A double array would be no faster and wants its slots
 * searched for; this is built in milliseconds each time a model is loaded.
 */
#ifndef KONAYUKI_TRIE_H
#define KONAYUKI_TRIE_H

#include <stdint.h>

enum { NO_PIECE = -1 };

struct trie_root {
    uint64_t children; /* bit s % 64 for every child by symbol s */
    int32_t piece;     /* NO_PIECE if none ends here */
    float score;
};

struct trie_node {
    uint32_t parent; /* name of the parent; 0: the slot is free */
    uint16_t symbol;
    uint16_t children; /* bit s % 16 for every child by symbol s */
    int32_t piece;
    float score;
};

struct trie {
    struct trie_root *roots; /* (n_symbols,) */
    struct trie_node *nodes; /* (2 ** (32 - shift),) */
    int shift;
};

/* Makes room below `n_symbols` symbols for pieces of `n_characters` altogether; -1: no memory. */
int trie_init(struct trie *trie, uint32_t n_symbols, int64_t n_characters);
void trie_clear(struct trie *trie);

/* Adds a piece; of two equal pieces the later one counts. */
void trie_add(struct trie *trie, const uint16_t *symbols, int64_t length, int32_t piece,
              float score);

/* Names of nodes: that of a first character, and that of any other. Neither is 0. */
static inline uint32_t trie_root_name(uint16_t symbol) {
    return 0x80000000u | symbol;
}

static inline uint32_t trie_name(const struct trie *trie, const struct trie_node *node) {
    return (uint32_t)(node - trie->nodes) + 1;
}

/* The slot of a child: its own, or the free one where it belongs. */
static inline uint32_t trie_slot(const struct trie *trie, uint32_t parent, uint16_t symbol) {
    const uint32_t mask = 0xFFFFFFFFu >> trie->shift;
    uint32_t slot = ((parent ^ symbol * 0x9E3779B1u) * 0x85EBCA6Bu) >> trie->shift;
    while (trie->nodes[slot].parent &&
           (trie->nodes[slot].parent != parent || trie->nodes[slot].symbol != symbol))
        slot = (slot + 1) & mask;
    return slot;
}

/* The child of `parent` by `symbol`; NULL if there is none. */
static inline const struct trie_node *trie_child(const struct trie *trie, uint32_t parent,
                                                 uint16_t symbol) {
    const struct trie_node *node = trie->nodes + trie_slot(trie, parent, symbol);
    return node->parent ? node : 0;
}

#endif
