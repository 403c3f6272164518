/* Characters as small numbers: a table from code points to the symbols of a vocabulary.
 *
 * Every character that occurs in a piece has a symbol of its own. Two tables lead there: `plain` from
 * normalised characters, complete by construction, and `folded` from raw ones, which also does the
 * normalisation of every character that normalises to one character whatever stands beside it. What
 * `folded` does not know yet or cannot say is for the caller to normalise.
 */
#ifndef KONAYUKI_SYMBOLS_H
#define KONAYUKI_SYMBOLS_H

#include <stdint.h>

enum {
    SYMBOL_UNSEEN,    /* nobody has said yet what the character normalises to */
    SYMBOL_IN_CONTEXT, /* what it normalises to depends on its neighbours, or is no single character */
    SYMBOL_SPACE,     /* splits words */
    SYMBOL_UNKNOWN,   /* in no piece */
    SYMBOL_FIRST,     /* first of the characters of pieces */
    SYMBOL_LIMIT = 65536
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

/* Whether the table says what the character becomes, whatever stands beside it. */
static inline int symbols_know(const struct symbol_table *table, uint32_t code_point) {
    return symbols_get(table, code_point) >= SYMBOL_SPACE;
}

/* Writes the symbols of `length` code points; returns whether all of them were known and free of
   context. */
int symbols_map(const struct symbol_table *table, const uint32_t *code_points, int64_t length,
                uint16_t *symbols);

#endif
