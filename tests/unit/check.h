/*
 * Typed expectations for the C tests: a failed one prints file, line, both texts and both values,
 * and the test goes on. A test program is a list of RUN(function) in main() and ends with `return
 * CHECK_MAIN_END();`, which prints "N passed, N failed" (functions, not expectations).
 *
 * A test program that sets check_only to a function's name before the first RUN runs that one
 * alone.
 *
 *     static void test_add(void) { CHECK_EQ_INT(1 + 1, 2); }
 *     int main(void) { RUN(test_add); return CHECK_MAIN_END(); }
 *
 * Expectations may be used from one thread only. Nothing here allocates.
 */
#ifndef HEAPTAPE_TESTS_UNIT_CHECK_H
#define HEAPTAPE_TESTS_UNIT_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *check_only;                              /* NULL: all */
static unsigned check_failures, check_passed, check_failed; /* in this function; functions so far */

static inline int check_fail(const char *file, int line)
{
    check_failures++;
    printf("%s:%d: ", file, line);
    return 0;
}

/* Each is an expression: 1 where it holds, 0 where not, so that a test can stop at what others
 * need. */
#define CHECK(cond)                                                                                \
    ((cond) ? 1 : (check_fail(__FILE__, __LINE__), printf("not true: %s\n", #cond), 0))

#define CHECK_EQ_U64(a, b) check_u64((uint64_t)(a), (uint64_t)(b), #a, #b, __FILE__, __LINE__)
#define CHECK_EQ_INT(a, b) check_int((int64_t)(a), (int64_t)(b), #a, #b, __FILE__, __LINE__)
#define CHECK_STR(a, b)    check_str((a), (b), #a, #b, __FILE__, __LINE__)
/* a <= b */
#define CHECK_LE_U64(a, b)          check_le_u64((uint64_t)(a), (uint64_t)(b), #a, #b, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, tolerance) check_near((a), (b), (tolerance), #a, #b, __FILE__, __LINE__)

static inline int check_u64(uint64_t a, uint64_t b, const char *as, const char *bs,
                            const char *file, int line)
{
    if (a == b)
        return 1;
    check_fail(file, line);
    printf("%s == %s: %" PRIu64 " (0x%" PRIx64 ") != %" PRIu64 " (0x%" PRIx64 ")\n", as, bs, a, a,
           b, b);
    return 0;
}

static inline int check_le_u64(uint64_t a, uint64_t b, const char *as, const char *bs,
                               const char *file, int line)
{
    if (a <= b)
        return 1;
    check_fail(file, line);
    printf("%s <= %s: %" PRIu64 " > %" PRIu64 "\n", as, bs, a, b);
    return 0;
}

static inline int check_int(int64_t a, int64_t b, const char *as, const char *bs, const char *file,
                            int line)
{
    if (a == b)
        return 1;
    check_fail(file, line);
    printf("%s == %s: %" PRId64 " != %" PRId64 "\n", as, bs, a, b);
    return 0;
}

static inline int check_str(const char *a, const char *b, const char *as, const char *bs,
                            const char *file, int line)
{
    if (a == b || (a && b && !strcmp(a, b)))
        return 1;
    check_fail(file, line);
    printf("%s == %s: \"%s\" != \"%s\"\n", as, bs, a ? a : "(null)", b ? b : "(null)");
    return 0;
}

static inline int check_near(double a, double b, double tolerance, const char *as, const char *bs,
                             const char *file, int line)
{
    if (a - b <= tolerance && b - a <= tolerance)
        return 1;
    check_fail(file, line);
    printf("%s ~ %s: %.17g and %.17g differ by more than %g\n", as, bs, a, b, tolerance);
    return 0;
}

#define RUN(function)                                                                              \
    do {                                                                                           \
        if (check_only && strcmp(check_only, #function) != 0)                                      \
            break;                                                                                 \
        check_failures = 0;                                                                        \
        function();                                                                                \
        if (check_failures) {                                                                      \
            check_failed++;                                                                        \
            printf("FAILED %s (%u expectations)\n", #function, check_failures);                    \
        } else {                                                                                   \
            check_passed++;                                                                        \
        }                                                                                          \
        fflush(stdout);                                                                            \
    } while (0)

static inline int check_main_end(void)
{
    printf("%u passed, %u failed\n", check_passed, check_failed);
    return check_failed || !check_passed;
}
#define CHECK_MAIN_END() check_main_end()

/* Keeps compilers quiet about the expectations that a test does not use. */
static inline void check_unused(void)
{
    (void)check_u64;
    (void)check_int;
    (void)check_str;
    (void)check_le_u64;
    (void)check_near;
}

#endif
