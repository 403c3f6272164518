/* Python bindings of a vocabulary; `Unigram` in tokenizing.py is the caller. */
#include <math.h>
#include <stdlib.h>

#include "bindings.h"

static const char NAME[] = "konayuki.unigram";

struct unigram *read_unigram(PyObject *capsule) {
    return PyCapsule_GetPointer(capsule, NAME);
}

static void unigram_free(struct unigram *unigram) {
    symbols_clear(&unigram->plain);
    symbols_clear(&unigram->folded);
    trie_clear(&unigram->trie);
    free(unigram->scores);
    free(unigram->added);
    free(unigram->code_points);
    free(unigram);
}

static void free_capsule(PyObject *capsule) {
    unigram_free(read_unigram(capsule));
}

/* Arguments of make_unigram, in order. */
enum { PIECES, SCORES, UNK_ID, WHITE_SPACE, SPLITS, MARK, REWRITES, N_NORMALIZER, BYTE_IDS, ADDED_IDS,
       LOOK_AHEAD, SPLIT_UNCLEAR, ARGUMENTS };

/* A vocabulary under construction. */
struct maker {
    struct unigram *unigram;
    PyObject *const *arguments;
    struct reader reader;
    uint32_t n_symbols, limit;
    int64_t n_characters;
};

/* Gives a symbol to the character if it has none; -1 with an exception set. */
static int add_symbol(struct maker *maker, uint32_t code_point) {
    struct unigram *unigram = maker->unigram;
    if (symbols_get(&unigram->plain, code_point) != SYMBOL_UNKNOWN) return 0;
    if (maker->n_symbols >= maker->limit) {
        PyErr_Format(PyExc_OverflowError, "pieces of more than %d characters",
                     (int)maker->limit - SYMBOL_FIRST);
        return -1;
    }
    if (unigram->code_points) unigram->code_points[maker->n_symbols] = code_point;
    if (symbols_set(&unigram->plain, code_point, (uint16_t)maker->n_symbols++))
        return PyErr_NoMemory(), -1;
    return 0;
}

/* White space is one symbol that splits words, or ordinary characters in a range of their own. */
static int learn_white_space(struct maker *maker) {
    struct unigram *unigram = maker->unigram;
    const int splits = PyObject_IsTrue(maker->arguments[SPLITS]);
    if (splits < 0 || read_text(&maker->reader, maker->arguments[WHITE_SPACE])) return -1;
    for (Py_ssize_t i = 0; i < maker->reader.length; i++) {
        const uint32_t code_point = maker->reader.code_points[i];
        if (!splits && add_symbol(maker, code_point)) return -1;
        if (splits && symbols_set(&unigram->plain, code_point, SYMBOL_SPACE))
            return PyErr_NoMemory(), -1;
    }
    unigram->rewrites.white_end = (uint16_t)maker->n_symbols;
    return 0;
}

/* Symbols for every character of the pieces; adds up their lengths. */
static int learn_characters(struct maker *maker) {
    for (Py_ssize_t i = 0; i < maker->unigram->n_pieces; i++) {
        if (read_text(&maker->reader, PyList_GetItem(maker->arguments[PIECES], i))) return -1;
        for (Py_ssize_t j = 0; j < maker->reader.length; j++)
            if (add_symbol(maker, maker->reader.code_points[j])) return -1;
        maker->n_characters += maker->reader.length;
    }
    return 0;
}

/* The symbol of a code point that a rewriting step or the mark names; -1 with an exception set. */
static int32_t symbol_named(struct maker *maker, int64_t code_point) {
    if (code_point < 0 || code_point >= PAGES * PAGE_SIZE) {
        PyErr_SetString(PyExc_ValueError, "no such code point");
        return -1;
    }
    if (add_symbol(maker, (uint32_t)code_point)) return -1;
    return symbols_get(&maker->unigram->plain, (uint32_t)code_point);
}

/* Reads the steps, three integers each: kind, from, to. */
static int learn_rewrites(struct maker *maker) {
    struct rewrites *rewrites = &maker->unigram->rewrites;
    PyObject *list = maker->arguments[REWRITES];
    int64_t v[3];
    const Py_ssize_t size = PyList_Size(list);
    if (size < 0) return -1;
    for (Py_ssize_t i = 0; i + 2 < size; i += 3) {
        PyObject *items[3] = {PyList_GetItem(list, i), PyList_GetItem(list, i + 1),
                              PyList_GetItem(list, i + 2)};
        if (read_integers(items, 3, 3, v)) return -1;
        if (v[0] < 0 || v[0] >= REWRITE_KINDS || rewrites->count == MAX_REWRITES) {
            PyErr_SetString(PyExc_ValueError, "no such rewriting step, or too many of them");
            return -1;
        }
        const int32_t from = symbol_named(maker, v[1]), to = from < 0 ? -1 : symbol_named(maker, v[2]);
        if (to < 0) return -1;
        rewrites->steps[rewrites->count++] =
            (struct rewrite){(enum rewrite_kind)v[0], (uint16_t)from, (uint16_t)to};
    }
    if (read_integers(maker->arguments + N_NORMALIZER, 1, 1, v)) return -1;
    rewrites->n_normalizer = v[0] < 0 || v[0] > rewrites->count ? rewrites->count : (int)v[0];
    return 0;
}

/* Reads a list of ids of at most INT32_MAX into new memory; NULL with an exception set. */
static int32_t *read_ids(PyObject *list, Py_ssize_t *count) {
    *count = PyList_Size(list);
    int32_t *ids = *count < 0 ? NULL : malloc((size_t)(*count + 1) * sizeof *ids);
    if (!ids && *count >= 0) PyErr_NoMemory();
    for (Py_ssize_t i = 0; ids && i < *count; i++) {
        const long id = PyLong_AsLong(PyList_GetItem(list, i));
        if (id < 0 || id > INT32_MAX) {
            if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "an id is out of range");
            free(ids);
            return NULL;
        }
        ids[i] = (int32_t)id;
    }
    return ids;
}

/* Takes the ids of added tokens and of bytes, and sets the limits that they put on symbols. */
static int learn_ids(struct maker *maker) {
    struct unigram *unigram = maker->unigram;
    Py_ssize_t n_added = 0, n_bytes = 0;
    unigram->added = read_ids(maker->arguments[ADDED_IDS], &n_added);
    int32_t *bytes = unigram->added ? read_ids(maker->arguments[BYTE_IDS], &n_bytes) : NULL;
    if (!bytes) return -1;
    const int fault = (n_bytes && n_bytes != BYTES) || n_added > SYMBOL_SPACE / 2;
    for (int i = 0; i < BYTES && n_bytes == BYTES; i++) unigram->bytes[i] = bytes[i];
    free(bytes);
    if (fault) return PyErr_SetString(PyExc_ValueError, "expected 0 or 256 bytes, few tokens"), -1;
    unigram->n_added = (int32_t)n_added;
    unigram->n_ids = unigram->n_pieces;
    for (Py_ssize_t i = 0; i < n_added + n_bytes; i++) {
        const int64_t id = i < n_added ? unigram->added[i] : unigram->bytes[i - n_added];
        if (id >= unigram->n_ids) unigram->n_ids = id + 1;
    }
    unigram->first_break = (uint16_t)(SYMBOL_SPACE - n_added);
    maker->limit = unigram->first_break - (uint32_t)n_bytes;
    if (!n_bytes) return 0;
    unigram->code_points = calloc(maker->limit, sizeof *unigram->code_points);
    return unigram->code_points ? 0 : (PyErr_NoMemory(), -1);
}

/* A score as the library tokenizers reads it from JSON: its parser takes the digits as one integer and
   divides it by a power of ten, so the last bit can differ from the nearest number. That decides
   between segmentations that are the same pieces in another order. */
static double as_tokenizers_reads(double score) {
    static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const double scaled = score * 4096.0;
    if (fabs(scaled) < 1e9 && scaled == rint(scaled)) return score; /* few digits: exact */
    char *text = PyOS_double_to_string(score, 'r', 0, 0, NULL);
    if (!text) return score;
    uint64_t digits = 0;
    int power = 0, fraction = 0, negative = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        if (*at == '-') negative = 1;
        if (*at == '.') fraction = 1;
        if (*at < '0' || *at > '9') continue;
        digits = digits * 10 + (uint64_t)(*at - '0');
        power -= fraction;
    }
    if (*at == 'e') power += atoi(at + 1);
    PyMem_Free(text);
    double value = (double)digits;
    if (power < -22 || power > 22)
        value *= pow(10.0, power);
    else
        value = power < 0 ? value / TENS[-power] : value * TENS[power];
    return negative ? -value : value;
}

/* Whether a piece holds white space that splits words: it never matches, and the trie has no place for
   such a symbol. */
static int crosses_words(const struct unigram *unigram, const uint16_t *symbols, int64_t length) {
    int crosses = 0;
    for (int64_t i = 0; i < length; i++) crosses |= symbols[i] >= unigram->first_break;
    return crosses;
}

/* Puts the pieces into the trie and finds the score of an unknown character. */
static int learn_pieces(struct maker *maker) {
    struct unigram *unigram = maker->unigram;
    struct reader *reader = &maker->reader;
    uint16_t *symbols = malloc((size_t)(reader->capacity + 1) * sizeof *symbols);
    double least = INFINITY;
    int single = 1; /* whether single precision is exact */
    unigram->scores = malloc((size_t)(unigram->n_pieces + 1) * sizeof *unigram->scores);
    if (!symbols || !unigram->scores) return free(symbols), PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < unigram->n_pieces; i++) {
        const double given = PyFloat_AsDouble(PyList_GetItem(maker->arguments[SCORES], i));
        if (PyErr_Occurred() || read_text(reader, PyList_GetItem(maker->arguments[PIECES], i))) break;
        if (!isfinite((float)given)) {
            PyErr_Format(PyExc_ValueError, "the score of piece %zd is not finite", i);
            break;
        }
        const double score = unigram->scores[i] = as_tokenizers_reads(given);
        if (score < least) least = score;
        single = single && score == (double)(float)score;
        symbols_map(&unigram->plain, reader->code_points, reader->length, symbols);
        if (!crosses_words(unigram, symbols, reader->length))
            trie_add(&unigram->trie, symbols, reader->length, (int32_t)i, (float)score);
    }
    free(symbols);
    unigram->unk_score = least - 10.0;
    if (single) {
        free(unigram->scores);
        unigram->scores = NULL;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static int learn(struct maker *maker) {
    struct unigram *unigram = maker->unigram;
    int64_t v[2], mark;
    if (learn_ids(maker) || learn_white_space(maker) || learn_characters(maker)) return -1;
    if (learn_rewrites(maker) || read_integers(maker->arguments + LOOK_AHEAD, 2, 2, v)) return -1;
    if (read_integers(maker->arguments + MARK, 1, 1, &mark)) return -1;
    const int32_t symbol = mark ? symbol_named(maker, mark) : 0;
    if (symbol < 0) return -1;
    unigram->mark = (uint16_t)symbol;
    unigram->look_ahead = v[0] != 0;
    unigram->split_unclear = v[1] != 0;
    const uint32_t n_bytes = unigram->code_points ? BYTES : 0;
    if (n_bytes) unigram->first_byte = (uint16_t)maker->n_symbols;
    if (trie_init(&unigram->trie, maker->n_symbols + n_bytes, maker->n_characters))
        return PyErr_NoMemory(), -1;
    return learn_pieces(maker);
}

PyObject *make_unigram(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t unk_id;
    if (given != ARGUMENTS || !PyList_Check(arguments[PIECES]) || !PyList_Check(arguments[SCORES]) ||
        PyList_Size(arguments[PIECES]) != PyList_Size(arguments[SCORES]) ||
        PyList_Size(arguments[PIECES]) > INT32_MAX) {
        PyErr_SetString(PyExc_TypeError, "expected pieces, scores, unk_id, white_space, ...");
        return NULL;
    }
    if (read_integers(arguments + UNK_ID, 1, 1, &unk_id)) return NULL;
    struct unigram *unigram = calloc(1, sizeof *unigram);
    if (!unigram) return PyErr_NoMemory();
    struct maker maker = {.unigram = unigram, .arguments = arguments, .n_symbols = SYMBOL_FIRST};
    unigram->n_pieces = (int32_t)PyList_Size(arguments[PIECES]);
    unigram->unk_id = (int32_t)unk_id;
    symbols_init(&unigram->plain, SYMBOL_UNKNOWN);
    symbols_init(&unigram->folded, SYMBOL_UNSEEN);
    PyObject *capsule = NULL;
    if (unk_id < 0 || unk_id >= unigram->n_pieces)
        PyErr_Format(PyExc_ValueError, "unk_id is %lld: expected a piece", (long long)unk_id);
    else if (!learn(&maker))
        capsule = PyCapsule_New(unigram, NAME, free_capsule);
    free(maker.reader.code_points);
    if (!capsule) unigram_free(unigram);
    return capsule;
}

PyObject *fold_character(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[2];
    struct unigram *unigram = given ? read_unigram(arguments[0]) : NULL;
    if (!unigram || read_integers(arguments + 1, given - 1, 2, v)) return NULL;
    if (v[0] < 0 || v[0] >= PAGES * PAGE_SIZE || v[1] >= PAGES * PAGE_SIZE) {
        PyErr_SetString(PyExc_ValueError, "no such code point");
        return NULL;
    }
    uint16_t symbol = v[1] < 0 ? SYMBOL_IN_CONTEXT : symbols_get(&unigram->plain, (uint32_t)v[1]);
    /* Bytes are those of the normalised character: another one has to come from `prepare`. */
    if (unigram->first_byte && symbol == SYMBOL_UNKNOWN && v[0] != v[1]) symbol = SYMBOL_IN_CONTEXT;
    if (symbols_set(&unigram->folded, (uint32_t)v[0], symbol)) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

PyObject *fold_identities(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    struct unigram *unigram = given == 2 ? read_unigram(arguments[0]) : NULL;
    struct reader reader = {0};
    if (!unigram) return NULL;
    int fault = read_text(&reader, arguments[1]);
    for (Py_ssize_t i = 0; i < reader.length && !fault; i++) {
        const uint32_t code_point = reader.code_points[i];
        fault = symbols_set(&unigram->folded, code_point, symbols_get(&unigram->plain, code_point));
        if (fault) PyErr_NoMemory();
    }
    free(reader.code_points);
    if (fault) return NULL;
    Py_RETURN_NONE;
}

PyObject *add_triggers(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    struct unigram *unigram = given == 2 ? read_unigram(arguments[0]) : NULL;
    struct reader reader = {0};
    if (!unigram || read_text(&reader, arguments[1])) return NULL;
    for (Py_ssize_t i = 0; i < reader.length; i++) {
        const uint32_t bit = reader.code_points[i] % TRIGGER_BITS;
        unigram->triggers[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    free(reader.code_points);
    Py_RETURN_NONE;
}
