/* Python's way to scanning; `Kernel.scan` and `Kernel.score` in binding.py are the callers. */
#include <stdlib.h>

#include "bindings.h"
#include "scan.h"

/* The sums of a level; NULL with an exception set. */
static scan_sums *read_sums(int64_t level) {
    struct level found[MAX_LEVELS];
    if (level >= 0 && level < level_list(found)) return found[level].sums;
    PyErr_SetString(PyExc_ValueError, "no such level");
    return NULL;
}

static void write_hits(const struct hit *hits, int64_t count, int64_t *rows, float *scores) {
    for (int64_t i = 0; i < count; i++) {
        rows[i] = hits[i].row;
        scores[i] = hits[i].score;
    }
}

PyObject *scan_int8(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[10];
    if (read_integers(arguments, given, 10, v)) return NULL;
    const struct scan_job job = {.matrix = address(v[1]), .n_rows = v[2], .columns = v[3],
                                 .query = address(v[4]), .query_length = scan_length(address(v[4]), v[3]),
                                 .allowed = address(v[5]), .k = v[6],
                                 .sums = read_sums(v[0])};
    if (!job.sums) return NULL;
    struct hit *hits = malloc((size_t)(job.k + 1) * sizeof *hits);
    if (!hits) return PyErr_NoMemory();
    int64_t count;
    Py_BEGIN_ALLOW_THREADS;
    count = scan_run(&job, hits, (int)v[9]);
    write_hits(hits, count, address(v[7]), address(v[8]));
    Py_END_ALLOW_THREADS;
    free(hits);
    return count < 0 ? PyErr_NoMemory() : PyLong_FromLongLong(count);
}

PyObject *score_int8(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[8];
    if (read_integers(arguments, given, 8, v)) return NULL;
    const struct scan_job job = {.matrix = address(v[1]), .n_rows = v[2], .columns = v[3],
                                 .query = address(v[4]), .query_length = scan_length(address(v[4]), v[3]),
                                 .sums = read_sums(v[0])};
    if (!job.sums) return NULL;
    int64_t *rows = address(v[5]);
    const int64_t count = v[7];
    struct hit *hits = malloc((size_t)(count + 1) * sizeof *hits);
    if (!hits) return PyErr_NoMemory();
    for (int64_t i = 0; i < count; i++) {
        hits[i].row = rows[i];
        if (rows[i] >= 0 && rows[i] < job.n_rows) continue;
        PyErr_Format(PyExc_ValueError, "row %lld: the matrix has rows 0 to %lld",
                     (long long)rows[i], (long long)job.n_rows - 1);
        free(hits);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    scan_rows(&job, hits, count);
    write_hits(hits, count, rows, address(v[6]));
    Py_END_ALLOW_THREADS;
    free(hits);
    Py_RETURN_NONE;
}
