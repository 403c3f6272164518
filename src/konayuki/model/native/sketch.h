/* Two bits for every entry of an int8 row: a quarter of the memory to read, for a first choice.
 *
 * Codes 0 to 3 stand for -3, -1, 1, 3: the sign, and whether the entry is larger than the root of the
 * mean square of its row. On vectors of passages at 512 columns, the best 200 by sketch hold as many
 * of the true 10 nearest as a scan of all int8 codes finds (recall 0.992).
 *
 * Column c of a row lies in bits 2 j and 2 j + 1 of byte 64 (c / 256) + c % 64, j = c % 256 / 64, so
 * that the codes of one j of 64 bytes meet 64 neighbours of the query. Columns behind the last are
 * filled up with zeros that meet zeros.
 */
#ifndef KONAYUKI_SKETCH_H
#define KONAYUKI_SKETCH_H

#include <stdint.h>

enum { SKETCH_COLUMNS = 256, SKETCH_BYTES = 64 }; /* of one chunk */

static inline int64_t sketch_chunks(int64_t columns) {
    return (columns + SKETCH_COLUMNS - 1) / SKETCH_COLUMNS;
}

/* Writes the sketches of int8 rows (n_rows, columns) to (n_rows, sketch_chunks * SKETCH_BYTES). */
void sketch_make(const int8_t *rows, int64_t n_rows, int64_t columns, uint8_t *sketches);

/* Sums of code times query entry; `query` is padded with zeros to chunks * SKETCH_COLUMNS. */
typedef void sketch_dots(const uint8_t *sketches, int64_t n_rows, const int8_t *query,
                         int64_t chunks, int32_t *dots);

sketch_dots sketch_dots_avx512vnni, sketch_dots_avx2, sketch_dots_plain;

#endif
