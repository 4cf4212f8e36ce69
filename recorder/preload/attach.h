/*
 * Recording in a program that was not started under the recorder: the collector has this library
 * loaded into it by dlopen() and calls heaptape_attach() on one of its threads, twice.
 *
 *   ATTACH_JOIN      finds the program's allocator, maps the session, registers the process. Other
 *                    threads run on.
 *   ATTACH_REDIRECT  makes the program's calls come here: in every loaded object, each word that
 *                    the loader filled with the address of an allocator function gets that of our
 *                    hook. Once it has the loader's lock it says so by a system call that stands
 *                    out (ATTACH_MARK), whereupon the collector holds all other threads still, none
 *                    of them in the loader. So no address that one of them has in hand is younger
 *                    than the recording, and nobody's lock is waited for meanwhile.
 *
 * Being loaded last, our names are in front of nobody, so "the next definition" (next.h) is here
 * the first one in load order that is not ours. Each attaching loads a copy of the library of its
 * own, with state of its own; a later copy takes over the words of an earlier one, which then
 * passes on what is still inside it.
 *
 * Not seen: calls through a copy that the program keeps of a function's address (dlsym() included),
 * calls that an object makes in its constructors, calls by the loader itself, and programs that are
 * started by exec.
 */
#ifndef HEAPTAPE_RECORDER_ATTACH_H
#define HEAPTAPE_RECORDER_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#define ATTACH_ENTRY   "heaptape_attach"
#define ATTACH_VERSION 1
/* The first argument of a getpid(), which takes none. */
#define ATTACH_MARK UINT64_C(0x6865617074617065)

enum attach_step { ATTACH_JOIN, ATTACH_REDIRECT };

enum attach_result {
    ATTACH_OK,
    ATTACH_WRONG_VERSION,
    ATTACH_NO_ALLOCATOR, /* no definition of malloc and its kin can be seen */
    ATTACH_NO_SESSION,   /* the session could not be mapped, or is none */
    ATTACH_NO_CALLS,     /* no object has a word to redirect */
};

/* In the program's memory, on the stack of the call. */
struct attach_request {
    uint32_t version; /* ATTACH_VERSION */
    uint32_t step;    /* enum attach_step */
    int32_t memory;   /* descriptor of the session's file; stays the caller's */
    uint32_t pid;     /* the process as the collector sees it */
    /* Answers of ATTACH_REDIRECT. */
    uint32_t objects; /* in which something was redirected */
    uint32_t words;   /* that were */
    uint32_t sealed;  /* that could not be, because the page could not be made writable */
};
_Static_assert(sizeof(struct attach_request) == 28, "read and written from outside");

/* The collector's entry. Returns enum attach_result. */
int heaptape_attach(struct attach_request *request);
/* True in a copy of the library that was told to attach; then attach_definition() is the way. */
bool attach_is_on(void);
/* The first definition of a name in load order that is not ours. NULL: none. */
void *attach_definition(const char *name);

#endif
