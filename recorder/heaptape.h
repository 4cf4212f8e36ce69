/*
 * Marks for programs that are recorded by heaptape: a moment of the program's by name, which stands
 * on the tape between the allocator calls before it and those after it (heaptape trace info).
 *
 *     #include <heaptape.h>
 *     heaptape_mark("phase 2");
 *
 * In a program that is not recorded a mark costs a load and a branch. Any thread, signal handlers
 * excepted for the first mark of a file; never allocates while recording. The text ends after 120
 * bytes. With HEAPTAPE_NO_MARKS defined nothing is compiled in; do that in static programs, which
 * cannot be recorded. Needs glibc 2.34, or -ldl.
 */
#ifndef HEAPTAPE_H
#define HEAPTAPE_H

#ifdef HEAPTAPE_NO_MARKS

static inline void heaptape_mark(const char *text)
{
    (void)text;
}

#else

#include <dlfcn.h>
#include <string.h>

static inline void heaptape_mark(const char *text)
{
    static void (*mark)(const char *); /* the recorder's, where there is one */
    static int looked;
    if (!__atomic_load_n(&looked, __ATOMIC_ACQUIRE)) {
        void *found = dlsym((void *)0 /* RTLD_DEFAULT */, "heaptape_mark_event");
        memcpy(&mark, &found, sizeof mark);
        __atomic_store_n(&looked, 1, __ATOMIC_RELEASE);
    }
    if (mark)
        mark(text);
}

#endif
#endif
