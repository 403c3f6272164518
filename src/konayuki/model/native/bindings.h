/* What the files that speak to Python share. */
#ifndef KONAYUKI_BINDINGS_H
#define KONAYUKI_BINDINGS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "level.h"
#include "unigram.h"

/* A function of METH_FASTCALL. */
typedef PyObject *binding(PyObject *module, PyObject *const *arguments, Py_ssize_t given);

/* A table with the loops that pool it; what a table capsule holds. */
struct bound_table {
    struct pool_table table;
    struct level level;
};

/* Reads `count` integers; -1 with an exception set for another number of them or another type. */
int read_integers(PyObject *const *arguments, Py_ssize_t given, Py_ssize_t count, int64_t *values);

/* The table of a capsule; NULL with an exception set. */
struct bound_table *read_table(PyObject *capsule);

/* The vocabulary of a capsule; NULL with an exception set. */
struct unigram *read_unigram(PyObject *capsule);

/* Code points of one string at a time, in memory that grows with the longest; freed by the owner. */
struct reader {
    uint32_t *code_points;
    Py_ssize_t length, capacity;
};

/* Reads a string; -1 with an exception set, for instance if `text` is not a string. */
int read_text(struct reader *reader, PyObject *text);

static inline void *address(int64_t value) {
    return (void *)(uintptr_t)value;
}

binding bind_table, pool_ids, make_unigram, fold_character, fold_identities, add_triggers, tokenize,
    encode, scan_int8, scan_sketches, make_sketches, score_int8, prepare_late, sum_sentences,
    count_tokens, score_late;

#endif
