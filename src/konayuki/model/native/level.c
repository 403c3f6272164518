#include "level.h"

int level_list(struct level levels[MAX_LEVELS]) {
    int count = 0;
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int vnni = __builtin_cpu_supports("avx512vnni");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        levels[count++] = (struct level){"avx512", pool_texts_avx512,
                                         vnni ? scan_sums_avx512vnni : scan_sums_avx2,
                                         vnni ? sketch_dots_avx512vnni : sketch_dots_avx2,
                                         vnni ? late_dots_avx512vnni : late_dots_avx2,
                                         late_best_avx512};
    if (avx2)
        levels[count++] =
            (struct level){"avx2", pool_texts_avx2, scan_sums_avx2, sketch_dots_avx2,
                           late_dots_avx2, late_best_avx2};
    levels[count++] =
        (struct level){"sse2", pool_texts_vector128, scan_sums_plain, sketch_dots_plain,
                       late_dots_plain, late_best_plain};
#elif defined(__aarch64__) && defined(__GNUC__)
    levels[count++] = (struct level){"neon", pool_texts_vector128, scan_sums_plain,
                                     sketch_dots_plain, late_dots_plain, late_best_plain};
#endif
    levels[count++] = (struct level){"scalar", pool_texts_scalar, scan_sums_plain,
                                     sketch_dots_plain, late_dots_plain, late_best_plain};
    return count;
}
