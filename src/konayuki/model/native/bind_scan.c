/* Python bindings of scanning; `Scanner` in scan.py is the caller. */
#include <stdlib.h>
#include <string.h>

#include "bindings.h"
#include "scan.h"

/* A level by number; -1 with an exception set if there is no such level. */
static int read_level(int64_t number, struct level *level) {
    struct level found[MAX_LEVELS];
    if (number < 0 || number >= level_list(found)) {
        PyErr_SetString(PyExc_ValueError, "no such level");
        return -1;
    }
    *level = found[number];
    return 0;
}

/* Runs a scan without the lock and writes what it found; returns how many as a Python integer. */
static PyObject *run(const struct scan_job *job, int64_t *rows, float *scores, int threads) {
    int64_t count = -1;
    struct hit *hits = malloc((size_t)(job->k + 1) * sizeof *hits);
    if (!hits) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS;
    count = scan_run(job, hits, threads);
    for (int64_t i = 0; i < count; i++) {
        rows[i] = hits[i].row;
        scores[i] = hits[i].score;
    }
    Py_END_ALLOW_THREADS;
    free(hits);
    return count < 0 ? PyErr_NoMemory() : PyLong_FromLongLong(count);
}

PyObject *scan_int8(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[10];
    struct level level;
    if (read_integers(arguments, given, 10, v) || read_level(v[0], &level)) return NULL;
    const struct scan_job job = {.rows = address(v[1]), .n_rows = v[2], .columns = v[3],
                                 .query = address(v[4]), .allowed = address(v[5]), .k = v[6],
                                 .query_length = scan_length(address(v[4]), v[3]),
                                 .sums = level.sums};
    return run(&job, address(v[7]), address(v[8]), (int)v[9]);
}

PyObject *scan_sketches(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[10];
    struct level level;
    if (read_integers(arguments, given, 10, v) || read_level(v[0], &level)) return NULL;
    int8_t *query = calloc((size_t)(sketch_chunks(v[3]) * SKETCH_COLUMNS), 1);
    if (!query) return PyErr_NoMemory();
    memcpy(query, address(v[4]), (size_t)v[3]);
    const struct scan_job job = {.rows = address(v[1]), .n_rows = v[2], .columns = v[3],
                                 .query = query, .allowed = address(v[5]), .k = v[6],
                                 .dots = level.dots};
    PyObject *count = run(&job, address(v[7]), address(v[8]), (int)v[9]);
    free(query);
    return count;
}

PyObject *make_sketches(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[4];
    if (read_integers(arguments, given, 4, v)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    sketch_make(address(v[0]), v[1], v[2], address(v[3]));
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

PyObject *score_int8(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[8];
    struct level level;
    if (read_integers(arguments, given, 8, v) || read_level(v[0], &level)) return NULL;
    const struct scan_job job = {.rows = address(v[1]), .n_rows = v[2], .columns = v[3],
                                 .query = address(v[4]), .sums = level.sums,
                                 .query_length = scan_length(address(v[4]), v[3])};
    int64_t *rows = address(v[5]);
    float *scores = address(v[6]);
    struct hit *hits = malloc((size_t)(v[7] + 1) * sizeof *hits);
    if (!hits) return PyErr_NoMemory();
    for (int64_t i = 0; i < v[7]; i++) {
        hits[i].row = rows[i];
        if (rows[i] >= 0 && rows[i] < job.n_rows) continue;
        PyErr_Format(PyExc_ValueError, "row %lld: the matrix has rows 0 to %lld",
                     (long long)rows[i], (long long)job.n_rows - 1);
        free(hits);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    scan_rows(&job, hits, v[7]);
    for (int64_t i = 0; i < v[7]; i++) {
        rows[i] = hits[i].row;
        scores[i] = hits[i].score;
    }
    Py_END_ALLOW_THREADS;
    free(hits);
    Py_RETURN_NONE;
}
