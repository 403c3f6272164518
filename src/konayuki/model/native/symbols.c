#include "symbols.h"

#include <stdlib.h>
#include <string.h>

void symbols_init(struct symbol_table *table, uint16_t blank) {
    for (int i = 0; i < PAGE_SIZE; i++) table->blank[i] = blank;
    for (int i = 0; i < PAGES; i++) table->pages[i] = table->blank;
}

void symbols_clear(struct symbol_table *table) {
    for (int i = 0; i < PAGES; i++)
        if (table->pages[i] != table->blank) free(table->pages[i]);
}

int symbols_set(struct symbol_table *table, uint32_t code_point, uint16_t symbol) {
    uint16_t **page = &table->pages[code_point / PAGE_SIZE];
    if (*page == table->blank) {
        uint16_t *copy = malloc(sizeof table->blank);
        if (!copy) return -1;
        memcpy(copy, table->blank, sizeof table->blank);
        *page = copy;
    }
    (*page)[code_point % PAGE_SIZE] = symbol;
    return 0;
}

int symbols_map(const struct symbol_table *table, const uint32_t *code_points, int64_t length,
                uint16_t *symbols) {
    unsigned unclear = 0;
    for (int64_t i = 0; i < length; i++) {
        symbols[i] = symbols_get(table, code_points[i]);
        unclear |= symbols[i] < SYMBOL_UNKNOWN;
    }
    return !unclear;
}
