/* Characters as small numbers: a table from code points to the symbols of a vocabulary.
 *
 * Every character that occurs in a piece has a symbol of its own. Two tables lead there: `plain` from
 * normalised characters, complete by construction, and `folded` from raw ones, which also does the
 * normalisation of every character that normalises to one character whatever its neighbours are. What
 * `folded` does not know yet or cannot tell is for the caller to normalise.
 */
#ifndef KONAYUKI_SYMBOLS_H
#define KONAYUKI_SYMBOLS_H

#include <stdint.h>

enum {
    SYMBOL_UNSEEN,     /* not asked yet what the character normalises to */
    SYMBOL_IN_CONTEXT, /* that depends on its neighbours, or is not a single character */
    SYMBOL_UNKNOWN,    /* in no piece */
    SYMBOL_FIRST,      /* first of the characters of pieces */
    /* From `unigram.first_break` to here: added tokens, then white space that splits words. */
    SYMBOL_SPACE = 65535,
};

enum { PAGE_SIZE = 256, PAGES = 0x110000 / PAGE_SIZE };

/* Pages are shared until they are written to: most of Unicode costs a pointer for 256 characters. */
struct symbol_table {
    uint16_t *pages[PAGES];
    uint16_t blank[PAGE_SIZE];
};

void symbols_init(struct symbol_table *table, uint16_t blank);
void symbols_clear(struct symbol_table *table);
int symbols_set(struct symbol_table *table, uint32_t code_point, uint16_t symbol); /* -1: no memory */

static inline uint16_t symbols_get(const struct symbol_table *table, uint32_t code_point) {
    return table->pages[code_point / PAGE_SIZE][code_point % PAGE_SIZE];
}

/* Whether the table tells what the character becomes, whatever its neighbours are. */
static inline int symbols_know(const struct symbol_table *table, uint32_t code_point) {
    return symbols_get(table, code_point) >= SYMBOL_UNKNOWN;
}

/* Writes the symbols of `length` code points; returns whether all of them were known and free of
   context. */
int symbols_map(const struct symbol_table *table, const uint32_t *code_points, int64_t length,
                uint16_t *symbols);

#endif
