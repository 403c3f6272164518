#include "parallel.h"

#if defined(__GNUC__) && !defined(_WIN32)
#include <pthread.h>

enum { MAX_THREADS = 64 };

struct loop {
    parallel_body *body;
    void *context;
    int64_t items, grain;
    int64_t next; /* first item that nobody has taken yet; atomic */
    int fault;    /* atomic */
};

static void *work(void *argument) {
    struct loop *loop = argument;
    while (!__atomic_load_n(&loop->fault, __ATOMIC_RELAXED)) {
        const int64_t first = __atomic_fetch_add(&loop->next, loop->grain, __ATOMIC_RELAXED);
        if (first >= loop->items) break;
        const int64_t end = first + loop->grain;
        const int fault = loop->body(loop->context, first, end < loop->items ? end : loop->items);
        if (fault) __atomic_store_n(&loop->fault, fault, __ATOMIC_RELAXED);
    }
    return 0;
}

int parallel_for(int64_t items, int64_t grain, int threads, parallel_body *body, void *context) {
    struct loop loop = {body, context, items, grain, 0, 0};
    pthread_t helpers[MAX_THREADS];
    const int64_t ranges = (items + grain - 1) / grain;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    if (threads > ranges) threads = (int)ranges;
    int started = 0;
    while (started < threads - 1 && !pthread_create(&helpers[started], 0, work, &loop)) started++;
    work(&loop);
    while (started) pthread_join(helpers[--started], 0);
    return loop.fault;
}

#else

int parallel_for(int64_t items, int64_t grain, int threads, parallel_body *body, void *context) {
    (void)grain, (void)threads;
    return items ? body(context, 0, items) : 0;
}

#endif
