/* pool.h - worker threads. A job has phases, and each phase has the same number of parts. Any worker may compute any
** part of a phase, as soon as all parts of the phase before are done. The first plan that needs threads starts them;
** they end with the context, or when the number changes. */
#ifndef MOONI_POOL_H
#define MOONI_POOL_H

#include <pthread.h>

#include "../../moonglass.h"

typedef void mooni_job(void *arg, size_t phase, size_t part); /* both from 0 */

/* Have `count` workers, the caller included. MOON_ESTATE if the system gives no more threads. */
moon_status mooni_pool_plan(moon_ctx *ctx, size_t count);

/* parts: 1, or as many as were planned. */
void mooni_pool_run(moon_ctx *ctx, size_t parts, size_t phases, mooni_job *job, void *arg);
void mooni_pool_stop(moon_ctx *ctx);

/* Start a thread that blocks all signals. stack: bytes, or 0 for the system's default. Returns 0 or an errno. */
int mooni_start_thread(pthread_t *thread, size_t stack, void *(*run)(void *), void *arg);

#endif
