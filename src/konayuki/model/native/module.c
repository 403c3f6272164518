/* The Python face of the kernel: plain functions over addresses, on the stable ABI of Python 3.10.
 *
 * The buffer protocol joined the stable ABI in 3.11, so arrays arrive as addresses of their data.
 * `binding.py` beside this file is the only caller; it checks types, shapes and contiguity and keeps
 * the arrays alive. What could lead outside an array, ids and offsets, is checked here.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>

#include "level.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packed rows are read as little-endian words"
#endif

static const char TABLE[] = "konayuki.table";

struct bound_table {
    struct pool_table table;
    struct level level;
};

/* Reads `count` integers; -1 with an exception set where one is none. */
static int read_integers(PyObject *const *arguments, Py_ssize_t given, Py_ssize_t count,
                         int64_t *values) {
    if (given != count) {
        PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", count, given);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        values[i] = PyLong_AsLongLong(arguments[i]);
        if (values[i] == -1 && PyErr_Occurred()) return -1;
    }
    return 0;
}

static void *address(int64_t value) {
    return (void *)(uintptr_t)value;
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

static void free_table(PyObject *capsule) {
    struct bound_table *bound = PyCapsule_GetPointer(capsule, TABLE);
    pool_table_clear(&bound->table);
    free(bound);
}

static PyObject *bind(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[9];
    struct level found[MAX_LEVELS];
    if (read_integers(arguments, given, 9, v)) return NULL;
    if (v[0] < 0 || v[0] >= level_list(found)) {
        PyErr_SetString(PyExc_ValueError, "no such level");
        return NULL;
    }
    struct bound_table *bound = calloc(1, sizeof *bound);
    if (!bound) return PyErr_NoMemory();
    bound->level = found[v[0]];
    bound->table = (struct pool_table){.codes = address(v[3]), .scales = address(v[4]),
                                       .rows = address(v[5]), .vocab = v[1], .width = v[2]};
    PyObject *capsule = NULL;
    if (pool_table_fill(&bound->table, address(v[6]), address(v[7]), address(v[8])))
        PyErr_NoMemory();
    else
        capsule = PyCapsule_New(bound, TABLE, free_table);
    if (!capsule) {
        pool_table_clear(&bound->table);
        free(bound);
    }
    return capsule;
}

static PyObject *raise_fault(enum pool_fault fault, int64_t where, const struct pool_job *job) {
    if (fault == POOL_BAD_ID)
        return PyErr_Format(PyExc_ValueError,
                            "token %lld has id %d: the table has rows 0 to %lld", (long long)where,
                            (int)job->ids[where], (long long)job->table->vocab - 1);
    return PyErr_Format(PyExc_ValueError,
                        "offset %lld is %lld: offsets ascend and stay within the ids",
                        (long long)where, (long long)job->offsets[where]);
}

static PyObject *pool(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[8], where = 0;
    struct bound_table *bound = given ? PyCapsule_GetPointer(arguments[0], TABLE) : NULL;
    if (!bound || read_integers(arguments + 1, given - 1, 8, v)) return NULL;
    const struct pool_job job = {.table = &bound->table, .ids = address(v[0]),
                                 .offsets = address(v[2]), .out = address(v[4]), .dim = v[5],
                                 .normalize = v[6] != 0};
    enum pool_fault fault;
    int status = 0;
    Py_BEGIN_ALLOW_THREADS;
    fault = pool_check(&job, v[1], v[3], &where);
    if (fault == POOL_OK) status = pool_run(&job, bound->level.pool, v[3], (int)v[7]);
    Py_END_ALLOW_THREADS;
    if (fault != POOL_OK) return raise_fault(fault, where, &job);
    if (status) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"levels", levels, METH_NOARGS, "levels() -> names of usable instruction sets, best first"},
    {"bind", (PyCFunction)(void (*)(void))bind, METH_FASTCALL,
     "bind(level, vocab, width, codes, scales, rows, alpha, beta, bias) -> table"},
    {"pool", (PyCFunction)(void (*)(void))pool, METH_FASTCALL,
     "pool(table, ids, n_ids, offsets, n_texts, out, dim, normalize, threads)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", "Compiled loops of konayuki.model.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) {
    return PyModuleDef_Init(&definition);
}
