/* Shared by the cases of conditions. */
#ifndef HEAPTAPE_TESTS_STRESS_CONDITIONS_H
#define HEAPTAPE_TESTS_STRESS_CONDITIONS_H

#include <stddef.h>
#include <stdint.h>

#define EXPECT(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))
_Noreturn void broken(const char *what, int line);

/* Slots through which blocks pass from thread to thread. */
#define SHARED 256

uint64_t next_random(uint64_t *state);

/* A block that knows its size; frees one, if there is one, and checks it. */
void *make(uint64_t random);
void drop(void *block);

/* Exchanges blocks with all other threads; frees all that are left. */
void churn(uint64_t *random, int steps);
void drop_shared(void);

/* Bytes of the process that are resident. */
size_t resident(void);

/* What the second argument is. */
extern const char *path;

/* The cases of conditions_objects.c. */
void plugins(void);
void opened(void);

#endif
