/* Rewriting of whole texts, symbol by symbol: what a tokenizer does to a text once its characters are
 * normalised. Each step is one pass over the text, in place; a step that puts a symbol in front uses
 * room that the caller leaves there. */
#ifndef KONAYUKI_REWRITE_H
#define KONAYUKI_REWRITE_H

#include <stdint.h>

enum rewrite_kind {
    STRIP_LEFT,
    STRIP_RIGHT,
    JOIN_SPACES,  /* two or more of `from` become one `to` */
    JOIN_WHITE,   /* any run of white space becomes one `to` */
    REPLACE,      /* `from` becomes `to` */
    PREPEND,      /* `to` goes before a text that is not empty */
    MARK_TEXT,    /* the same, unless the text begins with `to` */
    MARK_FIRST,   /* the same, only for the stretch that begins the text */
    MARK_WORDS,   /* `to` goes before every word that does not begin with it; white space goes */
    REWRITE_KINDS
};

struct rewrite {
    enum rewrite_kind kind;
    uint16_t from, to;
};

enum { MAX_REWRITES = 16 };

struct rewrites {
    struct rewrite steps[MAX_REWRITES];
    int count;
    int n_normalizer;            /* steps of the normaliser; the others are the pre-tokeniser's */
    uint16_t white_end;          /* white space is SYMBOL_FIRST .. white_end - 1, and SYMBOL_SPACE */
};

/* A stretch of symbols[begin .. end - 1]. */
struct span {
    int64_t begin, end;
};

/* The symbols that the steps from `first` on may put in front of a text. */
int64_t rewrite_room(const struct rewrites *rewrites, int first);

/* Applies the steps from `first` on; `begins_text` is whether nothing lies before the span. */
struct span rewrite_apply(const struct rewrites *rewrites, int first, uint16_t *symbols,
                          struct span span, int begins_text);

#endif
