/*
 * The variables that carry a recording into a program that is started: LD_PRELOAD, which loads us,
 * and RING_ENV, which names the session. Programs start others with an environment of their own
 * making (env -i, execve() with none, sudo, sandboxes); what is missing there is added for the
 * exec, and taken out again in the new image before its main() runs, so that it finds the
 * environment that it was given. (/proc/PID/environ, and constructors that run before ours, show
 * it all the same.)
 */
#ifndef HEAPTAPE_RECORDER_ENVIRONMENT_H
#define HEAPTAPE_RECORDER_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Beside the two: they were added for this image alone and are to be hidden from it. */
#define ENVIRONMENT_HIDE "HEAPTAPE_HIDE"

enum environment_change {
    ENVIRONMENT_KEEP,  /* as the program gave it */
    ENVIRONMENT_CARRY, /* with both variables */
    ENVIRONMENT_DROP,  /* without ours; other libraries in LD_PRELOAD stay */
};

/* The session's path; NULL: none. Stays, whatever the program does to its environment afterwards.
 */
const char *environment_session(void);
/* Once, in a constructor: the path of our own file. */
void environment_remember(const char *own_file);
/* Takes out what was added for this image. In a constructor: libc knows its environment by then. */
void environment_hide(void);
/* Can a program started from here load us and open the session? No after chroot(), setuid(). */
bool environment_reachable(void);

/*
 * For an exec. vfork children come here too, so nothing is allocated: the caller gives as many
 * bytes of its stack as environment_room() says, 0 where `envp` will do as it is.
 */
size_t environment_room(char *const envp[], enum environment_change change);
char **environment_build(char *const envp[], enum environment_change change, void *room)
    __attribute__((nonnull(3)));

#endif
