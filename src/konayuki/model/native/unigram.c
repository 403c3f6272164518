/* The algorithm is that of SentencePiece and of Hugging Face's tokenizers: dynamic programming from
 * left to right, where of two equal sums the one with the longer last piece wins, a character that is
 * no piece of its own costs `unk_score`, and a run of unknown characters is one piece. Sums are kept
 * in float64 and start anew with every word, as tokenizers does it, so the segmentation of a word
 * never depends on what stands before it. */
#include "unigram.h"

#include <math.h>

static inline void relax(struct reach *reach, double score, int32_t piece, int64_t start) {
    if (score > reach->score) *reach = (struct reach){score, piece, (int32_t)start};
}

/* Walks the trie from the pieces of two characters on that start at `start`. */
static inline void extend(const struct trie *trie, const uint16_t *word, int64_t length,
                          struct reach *reaches, int64_t start) {
    const double score = reaches[start].score;
    const struct trie_node *node =
        trie_child(trie, trie_root_name(word[start]), word[start + 1]);
    for (int64_t end = start + 2; node; end++) {
        if (node->piece != NO_PIECE)
            relax(reaches + end, score + (double)node->score, node->piece, start);
        if (end == length || !(node->children >> word[end] % 16 & 1)) break;
        node = trie_child(trie, trie_name(trie, node), word[end]);
    }
}

/* Fills reaches[1 .. length] of a word. */
static void search(const struct unigram *unigram, const uint16_t *word, int64_t length,
                   struct reach *reaches) {
    reaches[0].score = 0.0;
    for (int64_t i = 1; i <= length; i++) reaches[i].score = -INFINITY;
    for (int64_t start = 0; start < length; start++) {
        const double score = reaches[start].score;
        const struct trie_root *root = unigram->trie.roots + word[start];
        if (root->piece != NO_PIECE)
            relax(reaches + start + 1, score + (double)root->score, root->piece, start);
        else
            relax(reaches + start + 1, score + unigram->unk_score, unigram->unk_id, start);
        if (start + 1 < length && root->children >> word[start + 1] % 64 & 1)
            extend(&unigram->trie, word, length, reaches, start);
    }
}

/* Follows the best path back and writes its pieces in order; returns how many. */
static int64_t collect(const struct unigram *unigram, int64_t length, const struct reach *reaches,
                       int32_t *ids) {
    int64_t count = 0;
    for (int64_t end = length; end > 0; end = reaches[end].start) {
        const int32_t piece = reaches[end].piece;
        if (piece == unigram->unk_id && count && ids[count - 1] == piece) continue;
        ids[count++] = piece;
    }
    for (int64_t i = 0, j = count - 1; i < j; i++, j--) {
        const int32_t piece = ids[i];
        ids[i] = ids[j];
        ids[j] = piece;
    }
    return count;
}

int64_t unigram_segment(const struct unigram *unigram, const uint16_t *symbols, int64_t length,
                        struct reach *reaches, int32_t *ids) {
    int64_t count = 0;
    for (int64_t start = 0; start < length;) {
        if (symbols[start] == SYMBOL_SPACE) {
            start++;
            continue;
        }
        int64_t end = start + 1;
        while (end < length && symbols[end] != SYMBOL_SPACE) end++;
        search(unigram, symbols + start, end - start, reaches);
        count += collect(unigram, end - start, reaches, ids + count);
        start = end;
    }
    return count;
}
