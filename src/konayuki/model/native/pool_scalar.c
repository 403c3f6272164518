/* Pooling in plain C, for every other compiler and processor. */
#define LANES 1
#define UNITS 1
#define TARGET
#define POOL_TEXTS pool_texts_scalar
#include "lanes.h"
#include "pool_texts.h"
