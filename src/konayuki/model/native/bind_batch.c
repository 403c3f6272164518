/* Python bindings of tokenising and encoding; `Unigram` in tokenizing.py is the caller.
 *
 * Texts are read as code points while the lock is held and turned into symbols at once: two bytes a
 * character are all that is kept, and the strings are not made to remember their UTF-8. What the table
 * of folded characters cannot normalise goes through the callback `prepare` there and then, with its
 * neighbourhood; what follows runs without the lock.
 */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "bindings.h"

static void batch_clear(struct batch *batch) {
    free(batch->symbols);
    free(batch->offsets);
}

/* Stretches of unclear characters that lie nearer to each other than this are normalised together:
   calling Python costs about as much as mapping NEAR characters. */
enum { NEAR = 32 };

/* Python functions: the normaliser of characters, and the one that looks for added tokens. */
struct callbacks {
    PyObject *prepare, *split;
};

/* A batch under construction. */
struct builder {
    struct batch batch;
    struct reader text, normalized;
    int64_t used, capacity; /* of batch.symbols */
};

/* Makes room for more symbols; -1 with an exception set. */
static int reserve(struct builder *builder, int64_t length) {
    const int64_t end = builder->used + length;
    if (end <= builder->capacity) return 0;
    uint16_t *grown = realloc(builder->batch.symbols, (size_t)(2 * end + 1024) * sizeof *grown);
    if (!grown) return PyErr_NoMemory(), -1;
    builder->batch.symbols = grown;
    builder->capacity = 2 * end + 1024;
    return 0;
}

/* Appends the symbols of characters, those in no piece as bytes if the vocabulary falls back to them.
   1: done, 0: the table cannot tell one of them, -1: an exception is set. */
static int append(struct builder *builder, const struct unigram *unigram,
                  const struct symbol_table *table, const uint32_t *code_points, int64_t length) {
    if (reserve(builder, length * unigram_ids_per_symbol(unigram))) return -1;
    uint16_t *symbols = builder->batch.symbols + builder->used;
    if (!symbols_map(table, code_points, length, symbols)) return 0;
    if (!unigram->first_byte) return builder->used += length, 1;
    for (int64_t i = 0; i < length; i++) {
        const uint16_t symbol = symbols_get(table, code_points[i]);
        uint8_t bytes[4];
        const int count = symbol == SYMBOL_UNKNOWN ? utf8_of(code_points[i], bytes) : 0;
        for (int j = 0; j < count; j++) *symbols++ = unigram->first_byte + bytes[j];
        if (!count) *symbols++ = symbol;
    }
    builder->used = symbols - builder->batch.symbols;
    return 1;
}

/* Appends characters `start` to `end` - 1 of the text as `prepare` normalises them. */
static int append_prepared(struct builder *builder, const struct unigram *unigram, PyObject *text,
                           int64_t start, int64_t end, PyObject *prepare) {
    struct reader *reader = &builder->normalized;
    PyObject *part = PyUnicode_Substring(text, (Py_ssize_t)start, (Py_ssize_t)end);
    PyObject *normalized = part ? PyObject_CallFunctionObjArgs(prepare, part, NULL) : NULL;
    int fault = !normalized || read_text(reader, normalized) ||
                append(builder, unigram, &unigram->plain, reader->code_points, reader->length) < 0;
    Py_XDECREF(part);
    Py_XDECREF(normalized);
    return fault ? -1 : 0;
}

/* Appends a text of which `folded` cannot tell some characters: those go through `prepare`, with the
   character before them, which they may compose with, and what lies NEAR. A character that `folded`
   can tell never composes with one before it, except through an unclear one: then the vocabulary has
   `look_ahead`, and the character after an unclear one goes along. */
static int append_in_parts(struct builder *builder, const struct unigram *unigram, PyObject *text,
                           PyObject *prepare) {
    const struct symbol_table *folded = &unigram->folded;
    const uint32_t *code_points = builder->text.code_points;
    const int64_t length = builder->text.length;
    for (int64_t start = 0, end; start < length; start = end) {
        int64_t unclear = start;
        while (unclear < length && symbols_know(folded, code_points[unclear])) unclear++;
        const int64_t base = unclear > start && unclear < length ? unclear - 1 : unclear;
        if (append(builder, unigram, folded, code_points + start, base - start) < 0) return -1;
        if (unclear == length) break;
        end = unclear + 1 + unigram->look_ahead;
        for (int64_t i = unclear + 1; i < length && i < end + NEAR; i++)
            if (!symbols_know(folded, code_points[i])) end = i + 1 + unigram->look_ahead;
        if (end > length) end = length;
        if (append_prepared(builder, unigram, text, base, end, prepare)) return -1;
    }
    return 0;
}

/* Leaves room for what the rewriting steps from `first` on put in front. */
static int64_t open_stretch(struct builder *builder, const struct unigram *unigram, int first) {
    const int64_t room = rewrite_room(&unigram->rewrites, first);
    if (room && reserve(builder, room)) return -1;
    return builder->used += room;
}

/* Rewrites what was appended since `open_stretch` returned `begin`. */
static void close_stretch(struct builder *builder, const struct unigram *unigram, int first,
                          int64_t begin, int begins_text) {
    uint16_t *symbols = builder->batch.symbols;
    const int64_t start = begin - rewrite_room(&unigram->rewrites, first);
    const struct span span = rewrite_apply(&unigram->rewrites, first, symbols,
                                           (struct span){begin, builder->used}, begins_text);
    const int64_t length = span.end - span.begin;
    if (span.begin != start && length)
        memmove(symbols + start, symbols + span.begin, (size_t)length * sizeof *symbols);
    builder->used = start + length;
}

/* Appends the parts of a text with added tokens: strings, which are normalised already, and the numbers
   of tokens. */
static int append_split(struct builder *builder, const struct unigram *unigram, PyObject *parts) {
    const int first = unigram->rewrites.n_normalizer;
    const Py_ssize_t count = PyList_Size(parts);
    int fault = count < 0;
    for (Py_ssize_t i = 0; i < count && !fault; i++) {
        PyObject *part = PyList_GetItem(parts, i);
        if (PyLong_Check(part)) {
            const long token = PyLong_AsLong(part);
            fault = token < 0 || token >= unigram->n_added || reserve(builder, 1);
            if (!fault)
                builder->batch.symbols[builder->used++] = (uint16_t)(SYMBOL_SPACE - 1 - token);
            continue;
        }
        struct reader *reader = &builder->normalized;
        const int64_t begin = open_stretch(builder, unigram, first);
        fault = begin < 0 || read_text(reader, part) ||
                append(builder, unigram, &unigram->plain, reader->code_points, reader->length) < 0;
        if (!fault) close_stretch(builder, unigram, first, begin, i == 0);
    }
    if (fault && !PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no such added token");
    return fault ? -1 : 0;
}

/* Whether the text may hold an added token. */
static int may_be_split(const struct unigram *unigram, const struct reader *text) {
    for (Py_ssize_t i = 0; unigram->n_added && i < text->length; i++) {
        const uint32_t code_point = text->code_points[i];
        if (unigram_triggers(unigram, code_point)) return 1;
        if (unigram->split_unclear && !symbols_know(&unigram->folded, code_point)) return 1;
    }
    return 0;
}

/* Appends the text in parts if `split` finds an added token in it. 1: done, 0: there is none. */
static int append_if_split(struct builder *builder, const struct unigram *unigram, PyObject *text,
                           PyObject *split) {
    if (!may_be_split(unigram, &builder->text)) return 0;
    PyObject *parts = PyObject_CallFunctionObjArgs(split, text, NULL);
    if (!parts) return -1;
    const int done = parts == Py_None ? 0 : append_split(builder, unigram, parts) ? -1 : 1;
    Py_DECREF(parts);
    return done;
}

static int add_text(struct builder *builder, const struct unigram *unigram, PyObject *text,
                    const struct callbacks *callbacks) {
    struct batch *batch = &builder->batch;
    const struct reader *reader = &builder->text;
    const int64_t start = builder->used;
    if (read_text(&builder->text, text)) return -1;
    int done = append_if_split(builder, unigram, text, callbacks->split);
    if (!done) {
        const int64_t begin = open_stretch(builder, unigram, 0);
        if (begin < 0) return -1;
        done = append(builder, unigram, &unigram->folded, reader->code_points, reader->length);
        if (!done) done = append_in_parts(builder, unigram, text, callbacks->prepare);
        if (done >= 0 && unigram->rewrites.count) close_stretch(builder, unigram, 0, begin, 1);
    }
    if (done < 0) return -1;
    batch->offsets[++batch->texts] = builder->used;
    if (builder->used - start > batch->longest) batch->longest = builder->used - start;
    return 0;
}

/* The batch of a list of strings; -1 with an exception set. */
static int build_batch(struct batch *batch, const struct unigram *unigram, PyObject *texts,
                       const struct callbacks *callbacks) {
    struct builder builder = {0};
    const Py_ssize_t n_texts = PyList_Size(texts);
    int fault = n_texts < 0;
    builder.batch.offsets = fault ? NULL : calloc((size_t)n_texts + 1, sizeof(int64_t));
    if (!fault && !builder.batch.offsets) PyErr_NoMemory(), fault = -1;
    for (Py_ssize_t i = 0; i < n_texts && !fault; i++) {
        PyObject *text = PyList_GetItem(texts, i); /* a callback may change the list */
        Py_XINCREF(text);
        fault = text ? add_text(&builder, unigram, text, callbacks) : -1;
        Py_XDECREF(text);
    }
    free(builder.text.code_points);
    free(builder.normalized.code_points);
    if (fault)
        batch_clear(&builder.batch);
    else
        *batch = builder.batch;
    return fault ? -1 : 0;
}

/* The ids end to end and their offsets as two bytearrays; `ids` has gaps between texts. */
static PyObject *pack_ids(const struct batch *batch, int64_t room, const int32_t *ids,
                          const int64_t *counts) {
    int64_t total = 0;
    for (int64_t i = 0; i < batch->texts; i++) total += counts[i];
    PyObject *flat = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(total * 4));
    PyObject *offsets = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)((batch->texts + 1) * 8));
    if (flat && offsets) {
        char *id = PyByteArray_AsString(flat), *offset = PyByteArray_AsString(offsets);
        int64_t end = 0;
        memcpy(offset, &end, 8);
        for (int64_t i = 0; i < batch->texts; i++) {
            memcpy(id + end * 4, ids + room * batch->offsets[i], (size_t)counts[i] * 4);
            end += counts[i];
            memcpy(offset + (i + 1) * 8, &end, 8);
        }
    }
    PyObject *pair = flat && offsets ? PyTuple_Pack(2, flat, offsets) : NULL;
    Py_XDECREF(flat);
    Py_XDECREF(offsets);
    return pair;
}

PyObject *tokenize(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t threads;
    struct batch batch;
    struct unigram *unigram = given == 5 ? read_unigram(arguments[0]) : NULL;
    if (!unigram || read_integers(arguments + 4, 1, 1, &threads)) return NULL;
    const struct callbacks callbacks = {arguments[2], arguments[3]};
    if (build_batch(&batch, unigram, arguments[1], &callbacks)) return NULL;
    const int64_t room = unigram_ids_per_symbol(unigram);
    int32_t *ids = malloc((size_t)(room * batch.offsets[batch.texts] + 1) * sizeof *ids);
    int64_t *counts = malloc((size_t)(batch.texts + 1) * sizeof *counts);
    int status = ids && counts ? 0 : -1;
    if (!status) {
        Py_BEGIN_ALLOW_THREADS;
        status = batch_tokenize(&batch, unigram, ids, counts, (int)threads);
        Py_END_ALLOW_THREADS;
    }
    PyObject *result = status ? PyErr_NoMemory() : pack_ids(&batch, room, ids, counts);
    free(ids);
    free(counts);
    batch_clear(&batch);
    return result;
}

PyObject *encode(PyObject *module, PyObject *const *arguments, Py_ssize_t given) {
    (void)module;
    int64_t v[4];
    struct batch batch;
    struct unigram *unigram = given == 9 ? read_unigram(arguments[0]) : NULL;
    struct bound_table *bound = unigram ? read_table(arguments[4]) : NULL;
    if (!bound || read_integers(arguments + 5, 4, 4, v)) return NULL;
    if (unigram->n_ids > bound->table.vocab) {
        PyErr_Format(PyExc_ValueError, "%lld pieces, but the table has %lld rows",
                     (long long)unigram->n_ids, (long long)bound->table.vocab);
        return NULL;
    }
    const struct callbacks callbacks = {arguments[2], arguments[3]};
    if (build_batch(&batch, unigram, arguments[1], &callbacks)) return NULL;
    const struct pool_job job = {.table = &bound->table, .out = address(v[0]), .dim = v[1],
                                 .normalize = v[2] != 0};
    int status;
    Py_BEGIN_ALLOW_THREADS;
    status = batch_encode(&batch, unigram, &job, bound->level.pool, (int)v[3]);
    Py_END_ALLOW_THREADS;
    batch_clear(&batch);
    if (status) return PyErr_NoMemory();
    Py_RETURN_NONE;
}
