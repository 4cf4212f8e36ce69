#include "replayer/driver/allocators.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/probe.h"
#include "traces/cli.h"

const struct allocator_known allocators_known[] = {
    {ALLOCATOR_LIBC, NULL, {""}},
    {"htmalloc", NULL, {"libhtmalloc.so"}},
    {"jemalloc", "libjemalloc2", {"libjemalloc.so.2", "libjemalloc.so.1", "libjemalloc.so"}},
    {"mimalloc",
     "libmimalloc2.0",
     {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"}},
    {"tcmalloc",
     "libtcmalloc-minimal4",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so"}},
    {"tbbmalloc", "libtbbmalloc2", {"libtbbmalloc_proxy.so.2", "libtbbmalloc_proxy.so"}},
    {ALLOCATOR_NULL, NULL, {"libheaptape-null.so"}},
};
const size_t allocators_known_count = sizeof allocators_known / sizeof *allocators_known;

_Static_assert(sizeof allocators_known / sizeof *allocators_known <= 16, "names fit in messages");

static struct allocator *append(struct allocator_list *list)
{
    struct allocator *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    list->items = items;
    struct allocator *item = &items[list->count++];
    memset(item, 0, sizeof *item);
    return item;
}

const struct allocator *allocators_named(const struct allocator_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

static const struct allocator_known *known_named(const char *name)
{
    for (size_t i = 0; i < allocators_known_count; i++)
        if (!strcmp(allocators_known[i].name, name))
            return &allocators_known[i];
    return NULL;
}

static void fill(struct allocator *item, const struct allocator_known *known, const char *preload,
                 const struct probe *probe)
{
    snprintf(item->name, sizeof item->name, "%s", known->name);
    if (*preload)
        snprintf(item->path, sizeof item->path, "%s",
                 probe->path[0] == '/' ? probe->path : preload);
    snprintf(item->version, sizeof item->version, "%s", probe->version);
    item->is_floor = !strcmp(known->name, ALLOCATOR_NULL);
}

/* Looks for a known allocator; false where this machine has none that loads. */
__attribute__((nonnull)) static bool find_known(const struct allocator_known *known,
                                                struct allocator *ret_item)
{
    struct probe probe;
    char buffer[PATH_MAX];
    memset(ret_item, 0, sizeof *ret_item);
    for (size_t i = 0; i < sizeof known->files / sizeof *known->files && known->files[i]; i++) {
        const char *preload = known->files[i];
        if (!known->package && *preload) {
            preload = cli_lib_path(preload, buffer, sizeof buffer);
            if (access(preload, R_OK) < 0)
                continue;
        }
        enum probe_status status = probe_run(preload, NULL, &probe);
        if (status == PROBE_OK || (status == PROBE_DIED && !known->package)) {
            fill(ret_item, known, preload, &probe);
            return true;
        }
    }
    return false;
}

void allocators_find(struct allocator_list *ret_list)
{
    struct allocator found;
    *ret_list = (struct allocator_list){0};
    for (size_t i = 0; i < allocators_known_count; i++)
        if (find_known(&allocators_known[i], &found))
            *append(ret_list) = found;
}

/* ---- named with -a
 * ----------------------------------------------------------------------------------- */

_Noreturn static void unknown(const char *name)
{
    char names[512] = "";
    for (size_t i = 0; i < allocators_known_count; i++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "",
                 allocators_known[i].name);
    }
    cli_die_usage(
        "-a %s: no allocator of that name; there are %s, or give a file with -a NAME=PATH", name,
        names);
}

__attribute__((nonnull)) static void add_known(struct allocator_list *list,
                                               const struct allocator_known *known)
{
    struct allocator found;
    if (find_known(known, &found)) {
        *append(list) = found;
        return;
    }
    if (known->package)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "-a %s: not found on this machine; apt-get install %s",
                known->name, known->package);
    cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "-a %s: not built or not installed; run make", known->name);
}

/* "libfoo-1.so.2" is foo-1. */
static void name_from_file(const char *path, char *name, size_t bytes)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    if (!strncmp(base, "lib", 3))
        base += 3;
    const char *end = strstr(base, ".so");
    snprintf(name, bytes, "%.*s", end ? (int)(end - base) : (int)strlen(base), base);
}

/* Splits "A=1,B=x:1,y:2" in place: a part without "=" belongs to the value before it. */
static void split_environment(struct allocator *item, char *text, const char *spec)
{
    size_t count = 0;
    while (text) {
        char *comma = text;
        while ((comma = strchr(comma, ','))) {
            size_t part = strcspn(comma + 1, ",");
            if (memchr(comma + 1, '=', part))
                break;
            comma++;
        }
        if (comma)
            *comma++ = 0;
        if (!strchr(text, '=') || text[0] == '=')
            cli_die_usage("-a %s: %s is no ENV=VALUE", spec, text);
        if (count == ALLOCATOR_ENVIRONMENT_MAX)
            cli_die_usage("-a %s: more than %d variables", spec, ALLOCATOR_ENVIRONMENT_MAX);
        item->environment[count++] = text;
        text = comma;
    }
}

static void check_name(const char *name, const char *spec)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
    if (!*name || strlen(name) >= sizeof((struct allocator *)0)->name ||
        name[strspn(name, allowed)] || name[0] == '.')
        cli_die_usage("-a %s: a name is made of letters, digits and ._+-", spec);
}

/* Fills path and version of `item` from what was given for its path. */
static void load_path(struct allocator *item, const char *path, const char *spec)
{
    struct probe probe;
    struct allocator found;
    const struct allocator_known *known = known_named(path);
    if (known && strcmp(path, ALLOCATOR_LIBC) != 0) {
        if (!find_known(known, &found))
            cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "-a %s: no %s on this machine", spec, path);
        path = found.path;
    } else if (known) {
        path = "";
    } else if (!realpath(path, item->path)) {
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "-a %s: %s: %s; give the path of a shared object", spec,
                path, strerror(errno));
    }
    if (known)
        snprintf(item->path, sizeof item->path, "%s", path);
    /* LD_PRELOAD splits at these, and no quoting helps. */
    if (strpbrk(item->path, ": "))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT,
                "-a %s: the loader cannot preload a path with a space or colon; use a link", spec);
    enum probe_status status = probe_run(item->path, item->environment, &probe);
    if (status == PROBE_BROKEN || status == PROBE_NOT_FOUND)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "-a %s: %s: %s", spec, item->path, probe.message);
    if (status == PROBE_DIED)
        cli_warn("-a %s: %s; its runs will show that", spec, probe.message);
    snprintf(item->version, sizeof item->version, "%s", probe.version);
}

void allocators_add(struct allocator_list *list, const char *spec)
{
    struct allocator item = {0};
    char *text = strdup(spec);
    if (!text)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    char *equals = strchr(text, '='), *slash = strchr(text, '/');
    bool path_alone = slash && (!equals || slash < equals);
    if (!equals && !path_alone) {
        const struct allocator_known *known = known_named(text);
        if (!known)
            unknown(text);
        if (!allocators_named(list, text))
            add_known(list, known);
        free(text);
        return;
    }
    char *path = path_alone ? text : equals + 1;
    char *comma = strchr(path, ',');
    if (comma)
        *comma = 0;
    if (path_alone)
        name_from_file(path, item.name, sizeof item.name);
    else {
        *equals = 0;
        check_name(text, spec);
        snprintf(item.name, sizeof item.name, "%s", text);
    }
    check_name(item.name, spec);
    if (!strcmp(item.name, ALLOCATOR_LIBC) || !strcmp(item.name, ALLOCATOR_NULL))
        cli_die_usage("-a %s: %s is the %s; choose another name", spec, item.name,
                      strcmp(item.name, ALLOCATOR_LIBC) ? "floor" : "baseline");
    if (allocators_named(list, item.name))
        cli_die_usage("-a %s: there is a %s already; choose another name", spec, item.name);
    split_environment(&item, comma ? comma + 1 : NULL, spec);
    load_path(&item, path, spec);
    *append(list) = item; /* `text` stays: the environment points into it */
}
