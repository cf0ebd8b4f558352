/* clock.h - the monotonic clock, waiting until a moment of it, and the time of a thread. */
#ifndef PLAYGROUND_CLOCK_H
#define PLAYGROUND_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of the monotonic clock. */
#define CLOCK_SECOND UINT64_C(1000000000)
#define CLOCK_MS UINT64_C(1000000)
uint64_t clock_now(void);

/* Nanoseconds for which the calling thread has had a core. */
uint64_t clock_of_thread(void);

/* The moment that many seconds from now. */
uint64_t clock_after(double seconds);

/* A condition that clock_wait can wait for. */
bool clock_cond_init(pthread_cond_t *cond);

/* Wait for cond, at most until that moment. False: the moment has come. */
bool clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until);

#endif
