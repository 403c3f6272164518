/* The algorithm is that of SentencePiece and of Hugging Face's tokenizers: dynamic programming from
 * left to right, where of two equal sums the one with the longer last piece wins, a character that is
 * not a piece of its own costs `unk_score`, and a run of unknown characters is one piece. Sums are kept
 * in float64 and start anew with every word, as `tokenizers` does, so the segmentation of a word
 * never depends on what precedes it.
 *
 * With byte fallback a character that is in no piece arrives as the symbols of its bytes. No piece
 * crosses them, so every path takes them all: the first costs `unk_score` and the others nothing, which
 * leaves each sum what it is with one unknown character there. */
#include "unigram.h"

#include <math.h>

static inline void relax(struct reach *reach, double score, int32_t piece, int64_t start) {
    if (score > reach->score) *reach = (struct reach){score, piece, (int32_t)start};
}

static inline double score_of(const struct unigram *unigram, int32_t piece, float score) {
    return unigram->scores ? unigram->scores[piece] : (double)score;
}

static inline int is_byte(const struct unigram *unigram, uint16_t symbol) {
    return unigram->first_byte && symbol >= unigram->first_byte;
}

/* Walks the trie from the pieces of two characters on that start at `start`. */
static inline void extend(const struct unigram *unigram, const uint16_t *word, int64_t length,
                          struct reach *reaches, int64_t start) {
    const struct trie *trie = &unigram->trie;
    const double score = reaches[start].score;
    const struct trie_node *node =
        trie_child(trie, trie_root_name(word[start]), word[start + 1]);
    for (int64_t end = start + 2; node; end++) {
        if (node->piece != NO_PIECE)
            relax(reaches + end, score + score_of(unigram, node->piece, node->score), node->piece,
                  start);
        if (end == length || !(node->children >> word[end] % 16 & 1)) break;
        node = trie_child(trie, trie_name(trie, node), word[end]);
    }
}

/* Takes the step over a character that is not a piece. */
static inline void step_over(const struct unigram *unigram, uint16_t symbol, struct reach *reaches,
                             int64_t start) {
    const double score = reaches[start].score;
    if (!is_byte(unigram, symbol)) {
        relax(reaches + start + 1, score + unigram->unk_score, unigram->unk_id, start);
        return;
    }
    const int byte = symbol - unigram->first_byte;
    const int continues = (byte & 0xC0) == 0x80;
    relax(reaches + start + 1, continues ? score : score + unigram->unk_score,
          unigram->bytes[byte], start);
}

/* Fills reaches[1 .. length] of a word. */
static void search(const struct unigram *unigram, const uint16_t *word, int64_t length,
                   struct reach *reaches) {
    reaches[0].score = 0.0;
    for (int64_t i = 1; i <= length; i++) reaches[i].score = -INFINITY;
    for (int64_t start = 0; start < length; start++) {
        const struct trie_root *root = unigram->trie.roots + word[start];
        if (root->piece != NO_PIECE)
            relax(reaches + start + 1,
                  reaches[start].score + score_of(unigram, root->piece, root->score), root->piece,
                  start);
        else
            step_over(unigram, word[start], reaches, start);
        if (start + 1 < length && root->children >> word[start + 1] % 64 & 1)
            extend(unigram, word, length, reaches, start);
    }
}

/* Writes the ids of an unknown run, last byte first; returns how many. A run that is the text of the
   unknown piece itself, and no more, is that piece. */
static int64_t collect_bytes(const struct unigram *unigram, const uint16_t *word, int64_t length,
                             int64_t start, int64_t end, int edges, int32_t *ids) {
    const int is_piece = edges == 1 && (end - start > 1 ||
                                        unigram->trie.roots[word[start]].piece == unigram->unk_id);
    const int alone = (!start || !is_byte(unigram, word[start - 1])) &&
                      (end == length || !is_byte(unigram, word[end]));
    if (is_piece && alone) return ids[0] = unigram->unk_id, 1;
    int64_t count = 0;
    for (int64_t at = end - 1; at >= start; at--) {
        uint8_t bytes[4];
        for (int i = utf8_of(unigram->code_points[word[at]], bytes) - 1; i >= 0; i--)
            ids[count++] = unigram->bytes[bytes[i]];
    }
    return count;
}

/* Follows the best path back and writes its pieces in order; returns how many. */
static int64_t collect(const struct unigram *unigram, const uint16_t *word, int64_t length,
                       const struct reach *reaches, int32_t *ids) {
    int64_t count = 0;
    for (int64_t end = length, start; end > 0; end = start) {
        int edges = 1;
        start = reaches[end].start;
        if (reaches[end].piece != unigram->unk_id) {
            ids[count++] = reaches[end].piece;
            continue;
        }
        for (; start && reaches[start].piece == unigram->unk_id; edges++)
            start = reaches[start].start;
        if (unigram->first_byte)
            count += collect_bytes(unigram, word, length, start, end, edges, ids + count);
        else
            ids[count++] = unigram->unk_id;
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
    const uint16_t first_break = unigram->first_break, mark = unigram->mark;
    int64_t count = 0;
    for (int64_t start = 0; start < length;) {
        if (symbols[start] >= first_break) {
            if (symbols[start] != SYMBOL_SPACE)
                ids[count++] = unigram->added[SYMBOL_SPACE - 1 - symbols[start]];
            start++;
            continue;
        }
        int64_t end = start + 1;
        while (end < length && symbols[end] < first_break && symbols[end] != mark) end++;
        search(unigram, symbols + start, end - start, reaches);
        count += collect(unigram, symbols + start, end - start, reaches, ids + count);
        start = end;
    }
    return count;
}
