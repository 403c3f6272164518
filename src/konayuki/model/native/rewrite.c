#include "rewrite.h"

#include "symbols.h"

static inline int is_white(const struct rewrites *rewrites, uint16_t symbol) {
    return symbol == SYMBOL_SPACE || (symbol >= SYMBOL_FIRST && symbol < rewrites->white_end);
}

int64_t rewrite_room(const struct rewrites *rewrites, int first) {
    int64_t room = 0;
    for (int i = first; i < rewrites->count; i++) room += rewrites->steps[i].kind >= PREPEND;
    return room;
}

static struct span strip(const struct rewrites *rewrites, enum rewrite_kind kind,
                         const uint16_t *symbols, struct span span) {
    if (kind == STRIP_LEFT)
        while (span.begin < span.end && is_white(rewrites, symbols[span.begin])) span.begin++;
    else
        while (span.begin < span.end && is_white(rewrites, symbols[span.end - 1])) span.end--;
    return span;
}

/* Runs of at least `least` symbols, `from` or any white space, become one `to`. */
static struct span join(const struct rewrites *rewrites, const struct rewrite *step,
                        uint16_t *symbols, struct span span) {
    const int64_t least = step->kind == JOIN_SPACES ? 2 : 1;
    int64_t write = span.begin;
    for (int64_t read = span.begin; read < span.end;) {
        int64_t end = read;
        while (end < span.end && (step->kind == JOIN_SPACES ? symbols[end] == step->from
                                                            : is_white(rewrites, symbols[end])))
            end++;
        if (end - read >= least) {
            symbols[write++] = step->to;
            read = end;
        } else {
            symbols[write++] = symbols[read++];
        }
    }
    span.end = write;
    return span;
}

/* Each word but the first gives up the white space before it for its mark, so nothing is overwritten
   that is still to be read. */
static struct span mark_words(const struct rewrites *rewrites, uint16_t mark, uint16_t *symbols,
                              struct span span) {
    int64_t write = span.begin - 1;
    int inside = 0;
    for (int64_t read = span.begin; read < span.end; read++) {
        if (is_white(rewrites, symbols[read])) {
            inside = 0;
            continue;
        }
        if (!inside && symbols[read] != mark) symbols[write++] = mark;
        symbols[write++] = symbols[read];
        inside = 1;
    }
    return (struct span){span.begin - 1, write};
}

static struct span prepend(const struct rewrite *step, uint16_t *symbols, struct span span,
                           int begins_text) {
    if (span.begin == span.end) return span;
    if (step->kind != PREPEND && symbols[span.begin] == step->to) return span;
    if (step->kind == MARK_FIRST && !begins_text) return span;
    symbols[--span.begin] = step->to;
    return span;
}

struct span rewrite_apply(const struct rewrites *rewrites, int first, uint16_t *symbols,
                          struct span span, int begins_text) {
    for (int i = first; i < rewrites->count; i++) {
        const struct rewrite *step = rewrites->steps + i;
        switch (step->kind) {
        case STRIP_LEFT:
        case STRIP_RIGHT: span = strip(rewrites, step->kind, symbols, span); break;
        case JOIN_SPACES:
        case JOIN_WHITE: span = join(rewrites, step, symbols, span); break;
        case REPLACE:
            for (int64_t at = span.begin; at < span.end; at++)
                if (symbols[at] == step->from) symbols[at] = step->to;
            break;
        case MARK_WORDS: span = mark_words(rewrites, step->to, symbols, span); break;
        default: span = prepend(step, symbols, span, begins_text);
        }
    }
    return span;
}
