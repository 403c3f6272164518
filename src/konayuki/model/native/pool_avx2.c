/* Pooling with AVX2 and FMA: 8 lanes, 64 columns in registers. */
#if defined(__x86_64__) && defined(__GNUC__)
#define LANES 8
#define UNITS 1
#define TARGET __attribute__((target("avx2,fma")))
#define POOL_TEXTS pool_texts_avx2
#include "lanes.h"
#include "pool_texts.h"
#endif
