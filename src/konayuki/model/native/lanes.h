/* Vectors of LANES floats, written once for every instruction set.
 *
 * A file that includes this defines LANES (1, 4, 8 or 16) and TARGET, the attribute that lets the
 * compiler use the instructions of its set. GCC and Clang translate the vector types below to SSE,
 * AVX, AVX-512 or NEON; with LANES == 1 everything is plain C for any other compiler.
 */
#ifndef LANES
#error "define LANES and TARGET before including lanes.h"
#endif

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define INLINE TARGET __attribute__((always_inline)) static inline
#define UNROLL _Pragma("GCC unroll 16")
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define INLINE static inline
#define UNROLL
#define PREFETCH(address) ((void)(address))
#endif

#if LANES == 1
typedef float floats;
typedef int32_t ints;
typedef uint32_t bits;
#define TO_FLOATS(values) ((float)(values))
#define SELECT(condition, yes, no) ((condition) ? (yes) : (no))
#else
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t bits __attribute__((vector_size(4 * LANES)));
#define TO_FLOATS(values) __builtin_convertvector((ints)(values), floats)
#define SELECT(condition, yes, no) \
    ((floats)(((ints)(yes) & (condition)) | ((ints)(no) & ~(condition))))
#endif

INLINE floats load_floats(const float *from) {
    floats values;
    memcpy(&values, from, sizeof values);
    return values;
}

INLINE void store_floats(float *to, floats values) {
    memcpy(to, &values, sizeof values);
}

INLINE floats splat(float value) {
    return value - (floats){0};
}
