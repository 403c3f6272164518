/* Python's way to a vocabulary; `Unigram` in unigram.py is the caller. */
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
    free(unigram);
}

static void free_capsule(PyObject *capsule) {
    unigram_free(read_unigram(capsule));
}

/* Gives a symbol to every character of the text that has none; -1 with an exception set. */
static int add_symbols(struct unigram *unigram, const struct reader *reader, uint32_t *n_symbols) {
    for (Py_ssize_t i = 0; i < reader->length; i++) {
        if (symbols_get(&unigram->plain, reader->code_points[i]) != SYMBOL_UNKNOWN) continue;
        if (*n_symbols == SYMBOL_LIMIT) {
            PyErr_SetString(PyExc_OverflowError, "pieces of more than 65532 characters");
            return -1;
        }
        if (symbols_set(&unigram->plain, reader->code_points[i], (uint16_t)(*n_symbols)++))
            return PyErr_NoMemory(), -1;
    }
    return 0;
}

/* Symbols for every character of the pieces; adds up their lengths. */
static int learn_characters(struct unigram *unigram, PyObject *pieces, struct reader *reader,
                            uint32_t *n_symbols, int64_t *n_characters) {
    for (Py_ssize_t i = 0; i < unigram->n_pieces; i++) {
        if (read_text(reader, PyList_GetItem(pieces, i))) return -1;
        if (add_symbols(unigram, reader, n_symbols)) return -1;
        *n_characters += reader->length;
    }
    return 0;
}

static int learn_white_space(struct unigram *unigram, PyObject *white_space,
                             struct reader *reader) {
    if (read_text(reader, white_space)) return -1;
    for (Py_ssize_t i = 0; i < reader->length; i++)
        if (symbols_set(&unigram->plain, reader->code_points[i], SYMBOL_SPACE))
            return PyErr_NoMemory(), -1;
    return 0;
}

/* Puts the pieces into the trie and finds the score of an unknown character. */
static int learn_pieces(struct unigram *unigram, PyObject *pieces, PyObject *scores,
                        struct reader *reader) {
    uint16_t *symbols = malloc((size_t)(reader->capacity + 1) * sizeof *symbols);
    double least = INFINITY;
    if (!symbols) return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < unigram->n_pieces; i++) {
        const double score = PyFloat_AsDouble(PyList_GetItem(scores, i));
        if (read_text(reader, PyList_GetItem(pieces, i)) || PyErr_Occurred()) break;
        if (!isfinite((float)score)) {
            PyErr_Format(PyExc_ValueError, "the score of piece %zd is not finite", i);
            break;
        }
        if (score < least) least = score;
        symbols_map(&unigram->plain, reader->code_points, reader->length, symbols);
        trie_add(&unigram->trie, symbols, reader->length, (int32_t)i, (float)score);
    }
    free(symbols);
    unigram->unk_score = least - 10.0;
    return PyErr_Occurred() ? -1 : 0;
}

static int learn(struct unigram *unigram, PyObject *const *arguments) {
    struct reader reader = {0};
    uint32_t n_symbols = SYMBOL_FIRST;
    int64_t n_characters = 0;
    int fault = learn_characters(unigram, arguments[0], &reader, &n_symbols, &n_characters);
    fault = fault || learn_white_space(unigram, arguments[3], &reader);
    if (!fault && trie_init(&unigram->trie, n_symbols, n_characters)) {
        PyErr_NoMemory();
        fault = 1;
    }
    fault = fault || learn_pieces(unigram, arguments[0], arguments[1], &reader);
    free(reader.code_points);
    return fault;
}

PyObject *make_unigram(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t unk_id;
    if (given != 4 || !PyList_Check(arguments[0]) || !PyList_Check(arguments[1]) ||
        PyList_Size(arguments[0]) != PyList_Size(arguments[1]) ||
        PyList_Size(arguments[0]) > INT32_MAX) {
        PyErr_SetString(PyExc_TypeError, "expected pieces, scores, unk_id, white_space");
        return NULL;
    }
    if (read_integers(arguments + 2, 1, 1, &unk_id)) return NULL;
    struct unigram *unigram = calloc(1, sizeof *unigram);
    if (!unigram) return PyErr_NoMemory();
    unigram->n_pieces = (int32_t)PyList_Size(arguments[0]);
    unigram->unk_id = (int32_t)unk_id;
    symbols_init(&unigram->plain, SYMBOL_UNKNOWN);
    symbols_init(&unigram->folded, SYMBOL_UNSEEN);
    PyObject *capsule = NULL;
    if (unk_id < 0 || unk_id >= unigram->n_pieces)
        PyErr_Format(PyExc_ValueError, "unk_id is %lld: expected a piece", (long long)unk_id);
    else if (!learn(unigram, arguments))
        capsule = PyCapsule_New(unigram, NAME, free_capsule);
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
    const uint16_t symbol =
        v[1] < 0 ? SYMBOL_IN_CONTEXT : symbols_get(&unigram->plain, (uint32_t)v[1]);
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
