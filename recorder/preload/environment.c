#include "recorder/preload/environment.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include "recorder/preload/syscalls.h"
#include "recorder/ring.h"

#define PRELOAD      "LD_PRELOAD="
#define SESSION      RING_ENV "="
#define HIDE         ENVIRONMENT_HIDE "="
#define LENGTH(text) (sizeof(text) - 1)

enum { ADDED = 3 };

static char session_entry[LENGTH(SESSION) + 64]; /* "NAME=path" */
static char own_file[1024];

static bool is(const char *entry, const char *name, size_t length)
{
    return strncmp(entry, name, length) == 0;
}
#define IS(entry, name) is(entry, name, LENGTH(name))

/*
 * The program's environment as it is; while the loader is still at work, before libc knows it (a
 * resolver of an indirect function that allocates), as the kernel laid it on the stack behind argc
 * and the arguments.
 */
static char **now(void)
{
    /* Weak, so that we do not need glibc's loader by its name: musl's would not find it. */
    extern void *__libc_stack_end __attribute__((weak));
    if (environ || !&__libc_stack_end)
        return environ;
    const long *argc = __libc_stack_end;
    return (char **)(uintptr_t)(argc + 1 + *argc + 1);
}

const char *environment_session(void)
{
    for (char **entry = now(); !session_entry[0] && entry && *entry; entry++)
        if (IS(*entry, SESSION) && strlen(*entry) < sizeof session_entry)
            strcpy(session_entry, *entry);
    return session_entry[0] ? session_entry + LENGTH(SESSION) : NULL;
}

void environment_remember(const char *file)
{
    if (file && strlen(file) < sizeof own_file && environment_session())
        strcpy(own_file, file);
}

bool environment_reachable(void)
{
    if (!own_file[0])
        return true; /* not known yet, and nothing will be changed */
    if (raw_failed(raw_call(SYS_access, (long)own_file, R_OK, 0, 0, 0, 0)))
        return false;
    long fd = raw_open(environment_session(), O_RDWR);
    if (raw_failed(fd))
        return fd == -24 || fd == -23; /* EMFILE, ENFILE: only we cannot */
    raw_close(fd);
    return true;
}

/* ---- LD_PRELOAD's list -------------------------------------------------------------------------
 */

static size_t item_length(const char *list)
{
    return strcspn(list, " :");
}

static bool item_is_ours(const char *item, size_t length)
{
    return length == strlen(own_file) && memcmp(item, own_file, length) == 0;
}

static bool list_has_us(const char *list)
{
    for (size_t length; *list; list += length + (list[length] != '\0')) {
        length = item_length(list);
        if (item_is_ours(list, length))
            return true;
    }
    return false;
}

/* Appends LIST without us to `to`, a colon before each item but the first of all. */
static char *copy_others(char *to, const char *list, bool first)
{
    for (size_t length; *list; list += length + (list[length] != '\0')) {
        length = item_length(list);
        if (!length || item_is_ours(list, length))
            continue;
        if (!first)
            *to++ = ':';
        memmove(to, list, length); /* environment_hide() copies a list onto itself */
        to += length;
        first = false;
    }
    *to = '\0';
    return to;
}

/* ---- hiding ------------------------------------------------------------------------------------
 */

void environment_hide(void)
{
    bool hide = false;
    for (char **entry = environ; entry && *entry; entry++)
        hide |= IS(*entry, HIDE);
    if (!hide)
        return;
    char **to = environ; /* in place: main()'s third argument is the same array */
    for (char **from = environ; *from; from++) {
        if (IS(*from, HIDE) || IS(*from, SESSION))
            continue;
        if (IS(*from, PRELOAD)) {
            char *list = *from + LENGTH(PRELOAD);
            if (copy_others(list, list, true) == list)
                continue;
        }
        *to++ = *from;
    }
    *to = NULL;
}

/* ---- for an exec -------------------------------------------------------------------------------
 */

struct found {
    size_t entries;
    const char *list; /* LD_PRELOAD's; "": none */
    bool session, us;
};

static struct found look(char *const envp[])
{
    struct found found = {.list = ""};
    for (; envp && envp[found.entries]; found.entries++) {
        const char *entry = envp[found.entries];
        if (IS(entry, PRELOAD))
            found.list = entry + LENGTH(PRELOAD);
        else if (IS(entry, SESSION))
            found.session = true; /* another's than ours: a recording inside this one; its affair */
    }
    found.us = list_has_us(found.list);
    return found;
}

size_t environment_room(char *const envp[], enum environment_change change)
{
    if (change == ENVIRONMENT_KEEP || !own_file[0])
        return 0;
    struct found found = look(envp);
    if (change == ENVIRONMENT_CARRY ? found.session && found.us : !found.us)
        return 0;
    return (found.entries + ADDED + 1) * sizeof(char *) + LENGTH(PRELOAD) + strlen(own_file) + 1 +
           strlen(found.list) + 1;
}

char **environment_build(char *const envp[], enum environment_change change, void *room)
{
    static char hide[] = HIDE "1";
    struct found found = look(envp);
    char **built = room, **to = built;
    char *text = (char *)(built + found.entries + ADDED + 1), *end = text;
    char **preload = NULL; /* where it stood, it stands */
    for (size_t i = 0; i < found.entries; i++) {
        if (IS(envp[i], PRELOAD) && !preload)
            preload = to++;
        else if (!IS(envp[i], PRELOAD) && !IS(envp[i], SESSION) && !IS(envp[i], HIDE))
            *to++ = envp[i];
    }
    memcpy(end, PRELOAD, LENGTH(PRELOAD));
    end += LENGTH(PRELOAD);
    if (change == ENVIRONMENT_CARRY) {
        end = stpcpy(end, own_file);
        *to++ = session_entry;
        *to++ = hide;
    }
    copy_others(end, found.list, change == ENVIRONMENT_DROP);
    if (!preload)
        preload = to++;
    *preload = text;
    *to = NULL;
    return built;
}
