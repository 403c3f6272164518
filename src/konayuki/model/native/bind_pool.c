/* Python bindings of pooling; `Table` in binding.py is the caller. */
#include <stdlib.h>
#include <string.h>

#include "bindings.h"

static const char NAME[] = "konayuki.table";

struct bound_table *read_table(PyObject *capsule) {
    return PyCapsule_GetPointer(capsule, NAME);
}

static void free_table(PyObject *capsule) {
    struct bound_table *bound = read_table(capsule);
    pool_table_clear(&bound->table);
    free(bound);
}

PyObject *bind_table(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[10];
    struct level found[MAX_LEVELS];
    if (read_integers(arguments, given, 10, v)) return NULL;
    if (v[0] < 0 || v[0] >= level_list(found)) {
        PyErr_SetString(PyExc_ValueError, "no such level");
        return NULL;
    }
    struct bound_table *bound = calloc(1, sizeof *bound);
    if (!bound) return PyErr_NoMemory();
    bound->level = found[v[0]];
    bound->table = (struct pool_table){.codes = address(v[3]), .scales = address(v[4]),
                                       .rows = address(v[5]), .vocab = v[1], .width = v[2]};
    memcpy(&bound->table.pooling, address(v[9]), sizeof bound->table.pooling);
    PyObject *capsule = NULL;
    if (pool_table_fill(&bound->table, address(v[6]), address(v[7]), address(v[8])))
        PyErr_NoMemory();
    else
        capsule = PyCapsule_New(bound, NAME, free_table);
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

PyObject *pool_ids(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[8], where = 0;
    struct bound_table *bound = given ? read_table(arguments[0]) : NULL;
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
