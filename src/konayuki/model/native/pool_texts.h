/* The inner loops of pooling, after lanes.h: one instance for each instruction set.
 *
 * A packed row is read as 32-bit words of eight nibbles. Lane i of nibble j of a block is column
 * 8 i + (j ^ 1), so eight vectors of sums hold a block of 8 * LANES columns, and one load feeds all
 * eight; the columns go back to their order once a text. UNITS such blocks are summed at a time, as
 * many as the registers hold.
 *
 * A nibble q counts as (q - 7.5) * scale: sums stay centred, so nothing cancels in the mean. After
 * CHUNK rows the float32 sums are added to float64 totals, so a text of a million tokens is as exact
 * as one of a hundred.
 */
#include <math.h>

#include "pool.h"
#include "tanh.h"

enum { BLOCK = 8 * LANES, CHUNK = 128, AHEAD = 12 };

/* Where a pass over the rows of one text stands: columns first_column .. + units * BLOCK. */
struct pass {
    const struct pool_table *table;
    const int32_t *ids;
    const float *counts; /* what each row counts; NULL for 1 */
    float total;         /* their sum */
    int64_t n_ids, first_column;
};

/* Adds one row's block of up to `n_bytes` bytes; bytes that are not there count as columns that
   nobody reads. */
INLINE void add_packed(floats *sums, const uint8_t *codes, int64_t n_bytes, float scale) {
    bits words = {0};
    memcpy(&words, codes, n_bytes < (int64_t)sizeof words ? (size_t)n_bytes : sizeof words);
#ifdef LOOK_UP
    UNROLL for (int j = 0; j < 8; j++) sums[j] += LOOK_UP(words >> (4 * j)) * scale;
#else
    UNROLL for (int j = 0; j < 8; j++)
        sums[j] += (TO_FLOATS((words >> (4 * j)) & 15) - 7.5f) * scale;
#endif
}

INLINE void add_float(floats *sums, const float *row, int64_t n_columns, float count) {
    if (n_columns >= BLOCK) {
        UNROLL for (int j = 0; j < 8; j++) sums[j] += load_floats(row + j * LANES) * count;
        return;
    }
    float padded[BLOCK] = {0};
    memcpy(padded, row, (size_t)n_columns * sizeof *row);
    UNROLL for (int j = 0; j < 8; j++) sums[j] += load_floats(padded + j * LANES) * count;
}

/* Adds rows first .. last - 1 of the pass to `sums`. `width`, the columns that there are, is known at
   compile time for all but the last block of an odd table. */
INLINE void add_rows(floats *sums, const struct pass *pass, int64_t first, int64_t last, int packed,
                     int units, int64_t width) {
    const struct pool_table *table = pass->table;
    for (int64_t i = first; i < last; i++) {
        const int64_t row = pass->ids[i];
        const int64_t next = pass->ids[i + AHEAD < last ? i + AHEAD : i];
        const int64_t cell = row * table->width + pass->first_column;
        const int64_t next_cell = next * table->width + pass->first_column;
        const float count = pass->counts ? pass->counts[i] : 1.0f;
        UNROLL for (int unit = 0; unit < units; unit++) {
            const int64_t column = unit * BLOCK;
            if (packed) {
                PREFETCH(table->codes + (next_cell + column) / 2);
                add_packed(sums + 8 * unit, table->codes + (cell + column) / 2,
                           (width - column) / 2, table->scales[row] * count);
            } else {
                PREFETCH(table->rows + next_cell + column);
                add_float(sums + 8 * unit, table->rows + cell + column, width - column, count);
            }
        }
    }
}

/* Column of the block that lane `lane` of sum `j` holds. */
INLINE int column_of(int j, int lane, int packed) {
    return packed ? 8 * lane + (j ^ 1) : j * LANES + lane;
}

/* Writes the means of `units` blocks of columns to `means`, in the order of the columns. */
INLINE void mean_blocks(float *means, const struct pass *pass, int packed, int units,
                        int64_t width) {
    double totals[UNITS * BLOCK] = {0};
    float lanes[UNITS * BLOCK] = {0};
    const float factor = (packed ? 1.0f / 7.5f : 1.0f) / pass->total;
    for (int64_t first = 0; first < pass->n_ids; first += CHUNK) {
        const int64_t last = first + CHUNK < pass->n_ids ? first + CHUNK : pass->n_ids;
        floats sums[UNITS * 8];
        UNROLL for (int j = 0; j < units * 8; j++) sums[j] = splat(0.0f);
        add_rows(sums, pass, first, last, packed, units, width);
        UNROLL for (int j = 0; j < units * 8; j++) store_floats(lanes + j * LANES, sums[j]);
        if (pass->n_ids > CHUNK)
            for (int k = 0; k < units * BLOCK; k++) totals[k] += (double)lanes[k];
    }
    if (pass->n_ids > CHUNK)
        for (int k = 0; k < units * BLOCK; k++) lanes[k] = (float)totals[k];
    for (int unit = 0; unit < units; unit++)
        for (int lane = 0; lane < LANES; lane++)
            for (int j = 0; j < 8; j++)
                means[unit * BLOCK + column_of(j, lane, packed)] =
                    lanes[(unit * 8 + j) * LANES + lane] * factor;
}

/* Writes the means of at least the first `dim` columns. */
INLINE void mean_text(float *means, struct pass *pass, int64_t dim, int packed) {
    const int64_t width = pass->table->width;
    for (int64_t column = 0; column < dim;) {
        const int64_t left = width - column;
        pass->first_column = column;
        if (left >= UNITS * BLOCK && dim - column > BLOCK) {
            mean_blocks(means + column, pass, packed, UNITS, UNITS * BLOCK);
            column += UNITS * BLOCK;
        } else {
            if (left >= BLOCK)
                mean_blocks(means + column, pass, packed, 1, BLOCK);
            else
                mean_blocks(means + column, pass, packed, 1, left);
            column += BLOCK;
        }
    }
}

/* Applies the tanh in place, then writes the first `dim` columns to `out`. */
INLINE void finish_text(float *out, float *means, const struct pool_job *job) {
    const struct pool_table *table = job->table;
    const int64_t dim = job->dim;
    for (int64_t k = 0; k < dim; k += LANES) {
        const floats scaled = load_floats(table->alpha + k) * load_floats(means + k);
        const floats value = tanh_floats(scaled + load_floats(table->bias + k));
        store_floats(means + k, load_floats(table->beta + k) * value);
    }
    float factor = 1.0f;
    if (job->normalize) {
        for (int64_t k = dim; k % LANES; k++) means[k] = 0.0f;
        floats squares = splat(0.0f);
        for (int64_t k = 0; k < dim; k += LANES)
            squares += load_floats(means + k) * load_floats(means + k);
        float lanes[LANES], sum = 0.0f;
        store_floats(lanes, squares);
        for (int lane = 0; lane < LANES; lane++) sum += lanes[lane];
        factor = sum > 0.0f ? 1.0f / sqrtf(sum) : 0.0f;
    }
    for (int64_t k = 0; k < dim; k++) out[k] = means[k] * factor;
}

TARGET void POOL_TEXTS(const struct pool_job *job, int64_t first, int64_t last,
                       struct pool_scratch *scratch) {
    const struct pooling *pooling = &job->table->pooling;
    const int plain = counts_plain(pooling);
    for (int64_t text = first; text < last; text++) {
        const int64_t start = job->offsets[text], n_ids = job->offsets[text + 1] - start;
        float *out = job->out + text * job->dim;
        struct pass pass = {job->table, job->ids + start, NULL, (float)n_ids, n_ids, 0};
        if (n_ids == 0) {
            memset(out, 0, (size_t)job->dim * sizeof *out);
            continue;
        }
        if (!plain) {
            struct counts *counts = &scratch->counts;
            pass.n_ids = counts_fill(counts, pooling, pass.ids, n_ids);
            pass.ids = counts->ids;
            pass.counts = counts->values;
            pass.total = counts->total;
        }
        if (job->table->codes)
            mean_text(scratch->means, &pass, job->dim, 1);
        else
            mean_text(scratch->means, &pass, job->dim, 0);
        finish_text(out, scratch->means, job);
    }
}
