/* Pooling with AVX-512: 16 lanes, 256 columns in registers, nibbles looked up by one permutation. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define LANES 16
#define UNITS 2
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define POOL_TEXTS pool_texts_avx512
#include "lanes.h"

/* Nibbles less 7.5. The permutation reads only the low four bits of a lane, so no mask is needed; the
   scale comes in by a fused multiply-add, whose ports the permutations leave free. */
#define LOOK_UP(nibbles)                                                                          \
    ((floats)_mm512_permutexvar_ps(                                                               \
        (__m512i)(nibbles), (__m512){-7.5f, -6.5f, -5.5f, -4.5f, -3.5f, -2.5f, -1.5f, -0.5f, 0.5f, \
                                     1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f, 7.5f}))

#include "pool_texts.h"
#endif
