/* tanh of a whole vector, after lanes.h.
 *
 * x P(x^2) / Q(x^2) on [-9, 9], where tanh(9) rounds to 1; P and Q are a least-maximum fit of the
 * relative error (2.1e-8, so that float32 rounding is what remains: 3.6e-7 over the whole range).
 */

INLINE floats tanh_floats(floats x) {
    const floats limit = splat(9.0f);
    x = SELECT(x < limit, x, limit);
    x = SELECT(x > -limit, x, -limit);
    const floats square = x * x;
    floats above = square * 1.335501664812e-08f + 2.060936276393477e-05f;
    above = above * square + 3.495606128126383e-03f;
    above = above * square + 0.13381041586399078f;
    above = above * square + 1.0f;
    floats below = square * 7.776711186124885e-07f + 3.2856635516509414e-04f;
    below = below * square + 0.025877051055431366f;
    below = below * square + 0.46714356541633606f;
    below = below * square + 1.0f;
    return x * above / below;
}
