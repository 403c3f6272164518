/* Pooling with the vectors that every 64-bit processor has: NEON on ARM, SSE2 on x86. */
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GNUC__)
#define LANES 4
#ifdef __aarch64__
#define UNITS 2
#else
#define UNITS 1
#endif
#define TARGET
#define POOL_TEXTS pool_texts_vector128
#include "lanes.h"
#include "pool_texts.h"
#endif
