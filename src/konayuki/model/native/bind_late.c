/* Python bindings of late interaction; `LateKernel` in ../late.py is the caller. */
#include "bindings.h"
#include "late.h"

static PyObject *raise_late(enum late_fault fault) {
    if (fault == LATE_NO_MEMORY) return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError, "a token id is not a row of the table");
    return NULL;
}

PyObject *prepare_late(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[6];
    if (read_integers(arguments, given, 6, v)) return NULL;
    const struct late_table table = {
        .codes = address(v[0]), .vocab = v[1], .stride = v[2], .columns = v[3]};
    Py_BEGIN_ALLOW_THREADS;
    late_prepare(&table, address(v[4]), address(v[5]));
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

PyObject *sum_sentences(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[10];
    if (read_integers(arguments, given, 10, v)) return NULL;
    const struct late_table table = {
        .codes = address(v[0]), .vocab = v[1], .stride = v[2], .columns = v[3]};
    const int32_t *ids = address(v[5]);
    const int64_t *offsets = address(v[7]);
    enum late_fault fault = LATE_OK;
    Py_BEGIN_ALLOW_THREADS;
    for (int64_t i = 0; i < v[6]; i++)
        if (ids[i] < 0 || ids[i] >= table.vocab) fault = LATE_BAD_ID;
    for (int64_t i = 0; i <= v[8]; i++)
        if (offsets[i] < (i ? offsets[i - 1] : 0) || offsets[i] > v[6]) fault = LATE_BAD_ID;
    if (!fault) late_sentences(&table, address(v[4]), ids, offsets, v[8], address(v[9]));
    Py_END_ALLOW_THREADS;
    if (fault) return raise_late(fault);
    Py_RETURN_NONE;
}

PyObject *score_late(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[23];
    struct level found[MAX_LEVELS];
    if (read_integers(arguments, given, 23, v)) return NULL;
    if (v[0] < 0 || v[0] >= level_list(found)) {
        PyErr_SetString(PyExc_ValueError, "no such level");
        return NULL;
    }
    const struct late_table table = {.codes = address(v[1]), .vocab = v[2], .stride = v[3],
                                     .columns = v[4], .lengths = address(v[5]),
                                     .sums = address(v[6])};
    const struct late_query query = {.ids = address(v[8]), .weights = address(v[9]),
                                     .shares = address(v[10]), .count = v[11]};
    const struct late_passages passages = {
        .scales = address(v[7]), .ids = address(v[12]), .wide = v[13] != 0,
        .starts = address(v[14]), .ends = address(v[15]), .first = address(v[16]),
        .last = address(v[17]), .sentence_ends = address(v[18]),
        .sentence_lengths = address(v[19]), .count = v[20]};
    enum late_fault fault;
    Py_BEGIN_ALLOW_THREADS;
    fault = late_run(&table, &query, &passages, found[v[0]].late, found[v[0]].best, address(v[21]),
                     address(v[22]));
    Py_END_ALLOW_THREADS;
    if (fault) return raise_late(fault);
    Py_RETURN_NONE;
}

PyObject *count_tokens(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[8];
    enum late_fault fault;
    if (read_integers(arguments, given, 8, v)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    fault = late_count(address(v[0]), v[1] != 0, address(v[2]), v[3], v[4], v[5], v[6],
                       address(v[7]));
    Py_END_ALLOW_THREADS;
    if (fault) return raise_late(fault);
    Py_RETURN_NONE;
}
