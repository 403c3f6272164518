/* One loop over items on several threads. */
#ifndef KONAYUKI_PARALLEL_H
#define KONAYUKI_PARALLEL_H

#include <stdint.h>

/* Works on items first .. last - 1; nonzero stops the loop. */
typedef int parallel_body(void *context, int64_t first, int64_t last);

/* Calls `body` on ranges of up to `grain` items until all are done; the caller's thread takes part.
 *
 * Threads live as long as the call: starting one costs about 20 microseconds, so a caller asks for
 * more than one only if there is a millisecond of work, and no pool has to survive a fork. If a
 * thread cannot be started, the others do its work. Returns 0 or what a body returned.
 */
int parallel_for(int64_t items, int64_t grain, int threads, parallel_body *body, void *context);

#endif
