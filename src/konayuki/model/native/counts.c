#include "counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The power of two that leaves at least half of the slots free. */
static int bits_for(int64_t n_ids) {
    int bits = 3;
    while (((int64_t)1 << bits) < 2 * n_ids) bits++;
    return bits;
}

int counts_plain(const struct pooling *pooling) {
    return pooling->tf_power == 1.0f && isinf(pooling->half_position);
}

int counts_make(struct counts *counts, int64_t longest) {
    const size_t room = (size_t)longest + 1;
    counts->ids = malloc(room * sizeof *counts->ids);
    counts->values = malloc(room * sizeof *counts->values);
    counts->slots = malloc(((size_t)1 << bits_for(longest)) * sizeof *counts->slots);
    return counts->ids && counts->values && counts->slots ? 0 : -1;
}

void counts_clear(struct counts *counts) {
    free(counts->ids);
    free(counts->values);
    free(counts->slots);
}

/* The slot of an id: its own or a free one. Multiplicative hashing (Knuth, "The Art of Computer
   Programming", volume 3, 6.4) spreads neighbouring ids. */
static int32_t *slot_of(const struct counts *counts, int32_t id, int bits) {
    const uint32_t mask = ((uint32_t)1 << bits) - 1;
    uint32_t slot = ((uint32_t)id * 2654435769u) >> (32 - bits);
    while (counts->slots[slot] && counts->ids[counts->slots[slot] - 1] != id)
        slot = (slot + 1) & mask;
    return counts->slots + slot;
}

int64_t counts_fill(struct counts *counts, const struct pooling *pooling, const int32_t *ids,
                    int64_t n_ids) {
    const int bits = bits_for(n_ids);
    const float half = pooling->half_position, power = pooling->tf_power;
    const int everywhere = isinf(half);
    int64_t distinct = 0;
    memset(counts->slots, 0, ((size_t)1 << bits) * sizeof *counts->slots);
    for (int64_t i = 0; i < n_ids; i++) {
        int32_t *slot = slot_of(counts, ids[i], bits);
        if (!*slot) {
            counts->ids[distinct] = ids[i];
            counts->values[distinct] = 0.0f;
            *slot = (int32_t)++distinct;
        }
        counts->values[*slot - 1] += everywhere ? 1.0f : half / (half + (float)i);
    }
    double total = 0.0;
    for (int64_t i = 0; i < distinct; i++) {
        float *value = counts->values + i;
        if (power == 0.5f)
            *value = sqrtf(*value);
        else if (power != 1.0f)
            *value = powf(*value, power);
        total += (double)*value;
    }
    counts->total = (float)total;
    return distinct;
}
