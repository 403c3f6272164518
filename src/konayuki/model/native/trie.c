#include "trie.h"

#include <stdlib.h>

/* Prefixes are shared, so the slots are about twice the nodes in practice, and never full. */
int trie_init(struct trie *trie, uint32_t n_symbols, int64_t n_characters) {
    int bits = 4;
    while (bits < 30 && ((int64_t)1 << bits) < n_characters + n_characters / 4) bits++;
    trie->shift = 32 - bits;
    trie->nodes = calloc((size_t)1 << bits, sizeof *trie->nodes);
    trie->roots = malloc(n_symbols * sizeof *trie->roots);
    if (!trie->nodes || !trie->roots || ((int64_t)1 << bits) <= n_characters) return -1;
    for (uint32_t i = 0; i < n_symbols; i++)
        trie->roots[i] = (struct trie_root){0, NO_PIECE, 0.0f};
    return 0;
}

void trie_clear(struct trie *trie) {
    free(trie->nodes);
    free(trie->roots);
}

/* The child of `parent` by `symbol`, made if it does not exist yet. */
static struct trie_node *enter(struct trie *trie, uint32_t parent, uint16_t symbol) {
    struct trie_node *node = trie->nodes + trie_slot(trie, parent, symbol);
    if (!node->parent) *node = (struct trie_node){parent, symbol, 0, NO_PIECE, 0.0f};
    return node;
}

void trie_add(struct trie *trie, const uint16_t *symbols, int64_t length, int32_t piece,
              float score) {
    if (!length) return;
    struct trie_root *root = trie->roots + symbols[0];
    if (length == 1) {
        root->piece = piece;
        root->score = score;
        return;
    }
    root->children |= (uint64_t)1 << symbols[1] % 64;
    struct trie_node *node = enter(trie, trie_root_name(symbols[0]), symbols[1]);
    for (int64_t i = 2; i < length; i++) {
        node->children |= (uint16_t)(1u << symbols[i] % 16);
        node = enter(trie, trie_name(trie, node), symbols[i]);
    }
    node->piece = piece;
    node->score = score;
}
