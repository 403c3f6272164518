/* The Python face of the kernel: plain functions over addresses, on the stable ABI of Python 3.10.
 *
 * The buffer protocol joined the stable ABI in 3.11, so arrays arrive as addresses of their data.
 * The Python files next to this one are the only callers; they check types, shapes and contiguity and
 * keep the arrays alive. What could lead outside an array, ids and offsets, is checked here.
 */
#include "bindings.h"

#include <stdlib.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packed rows are read as little-endian words"
#endif

int read_integers(PyObject *const *arguments, Py_ssize_t given, Py_ssize_t count, int64_t *values) {
    if (given != count) {
        PyErr_Format(PyExc_TypeError, "expected %zd integers, got %zd", count, given);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        values[i] = PyLong_AsLongLong(arguments[i]);
        if (values[i] == -1 && PyErr_Occurred()) return -1;
    }
    return 0;
}

int read_text(struct reader *reader, PyObject *text) {
    reader->length = PyUnicode_GetLength(text);
    if (reader->length < 0) return -1;
    if (reader->length >= INT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "a text has more than 2147483646 characters");
        return -1;
    }
    if (reader->length > reader->capacity) {
        const Py_ssize_t capacity = reader->length + reader->capacity + 256;
        uint32_t *grown = realloc(reader->code_points, (size_t)capacity * sizeof *grown);
        if (!grown) return PyErr_NoMemory(), -1;
        reader->code_points = grown;
        reader->capacity = capacity;
    }
    if (!reader->length) return 0;
    return PyUnicode_AsUCS4(text, reader->code_points, reader->length, 0) ? 0 : -1;
}

static PyObject *levels(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    struct level found[MAX_LEVELS];
    const int count = level_list(found);
    PyObject *names = PyTuple_New(count);
    for (int i = 0; names && i < count; i++) {
        PyObject *name = PyUnicode_FromString(found[i].name);
        if (!name || PyTuple_SetItem(names, i, name)) Py_CLEAR(names);
    }
    return names;
}

#define BINDING(name, text) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, text}

static PyMethodDef methods[] = {
    {"levels", levels, METH_NOARGS, "levels() -> names of usable instruction sets, best first"},
    BINDING(bind_table, "(level, vocab, width, codes, scales, rows, alpha, beta, bias) -> table"),
    BINDING(pool_ids, "(table, ids, n_ids, offsets, n_texts, out, dim, normalize, threads)"),
    BINDING(make_unigram, "(pieces, scores, unk_id, white_space, splits, mark, rewrites, n_normalizer,"
                          " byte_ids, added_ids, look_ahead, split_unclear) -> unigram"),
    BINDING(fold_character, "(unigram, code_point, normalized code point, or -1: in context)"),
    BINDING(fold_identities, "(unigram, text whose characters normalise to themselves)"),
    BINDING(add_triggers, "(unigram, text of characters that added tokens may begin with)"),
    BINDING(tokenize, "(unigram, texts, prepare, split, threads) -> (ids, offsets) as bytearrays"),
    BINDING(encode, "(unigram, texts, prepare, split, table, out, dim, normalize, threads)"),
    BINDING(scan_int8, "(level, matrix, n_rows, columns, query, allowed, k, rows, scores, threads)"),
    BINDING(scan_sketches,
            "(level, sketches, n_rows, columns, query, allowed, k, rows, scores, threads)"),
    BINDING(make_sketches, "(matrix, n_rows, columns, sketches)"),
    BINDING(score_int8, "(level, matrix, n_rows, columns, query, rows, scores, count)"),
    BINDING(prepare_late, "(codes, vocab, stride, columns, lengths, sums)"),
    BINDING(sum_sentences,
            "(codes, vocab, stride, columns, scales, ids, n_ids, offsets, n_sentences, lengths)"),
    BINDING(count_tokens, "(ids, wide, ends, first, last, n_ids, vocab, counts)"),
    BINDING(score_late,
            "(level, codes, vocab, stride, columns, lengths, sums, scales, query ids, weights, "
            "shares, count, ids, wide, starts, ends, first, last, sentence ends, sentence lengths, "
            "count, late, sentence)"),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", "Compiled loops of konayuki.model.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) {
    return PyModuleDef_Init(&definition);
}
