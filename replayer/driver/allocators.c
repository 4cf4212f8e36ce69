#include "replayer/driver/allocators.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/allocator_file.h"
#include "replayer/driver/allocator_spec.h"
#include "replayer/driver/build_id.h"
#include "replayer/driver/probe.h"
#include "traces/cli.h"

const struct allocator_known allocators_known[] = {
    {ALLOCATOR_LIBC, NULL, {""}, false, false},
    {"htmalloc", NULL, {"libhtmalloc.so"}, false, false},
    {"htmalloc-hard", NULL, {"libhtmalloc-hard.so"}, false, true},
    {"jemalloc",
     "libjemalloc2",
     {"libjemalloc.so.2", "libjemalloc.so.1", "libjemalloc.so"},
     false,
     false},
    {"mimalloc",
     "libmimalloc2.0",
     {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"},
     false,
     false},
    {"tcmalloc",
     "libtcmalloc-minimal4",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so"},
     false,
     false},
    {"tbbmalloc",
     "libtbbmalloc2",
     {"libtbbmalloc_proxy.so.2", "libtbbmalloc_proxy.so"},
     false,
     false},
#define TEXTBOOK(name)                                                                             \
    {                                                                                              \
        name, NULL, {"lib" name ".so"}, true, false                                                \
    }
    TEXTBOOK("first-fit"),
    TEXTBOOK("first-fit-fifo"),
    TEXTBOOK("first-fit-address"),
    TEXTBOOK("next-fit"),
    TEXTBOOK("next-fit-address"),
    TEXTBOOK("best-fit"),
    TEXTBOOK("best-fit-address"),
    TEXTBOOK("worst-fit"),
    TEXTBOOK("segregated"),
    TEXTBOOK("buddy"),
    TEXTBOOK("bump"),
#undef TEXTBOOK
    {ALLOCATOR_NULL, NULL, {"libheaptape-null.so"}, false, false},
};
const size_t allocators_known_count = sizeof allocators_known / sizeof *allocators_known;

_Static_assert(sizeof allocators_known / sizeof *allocators_known <= 24, "names fit in messages");

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

/* What tells two builds of one version apart; and the version where nothing else tells it. */
static void identify(struct allocator *item, const struct probe *probe)
{
    build_id(item->path[0] ? item->path : probe->path, item->build_id);
    if (!item->version[0] && item->build_id[0])
        snprintf(item->version, sizeof item->version, "build %.12s", item->build_id);
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
    identify(item, probe);
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

/* ---- described with -a, or in a file
 * ------------------------------------------------------------------ */

_Noreturn static void unknown(const struct allocator_place *place, const char *name)
{
    char names[768] = "";
    for (size_t i = 0; i < allocators_known_count; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                 allocators_known[i].name);
    for (size_t i = 0; i < allocator_file_count(); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ", %s",
                 allocator_file_entry(i)->spec.name);
    cli_die_usage("%s: no allocator is called '%s'; there are %s, " ALLOCATOR_TEXTBOOK
                  " for all of those of the textbook, or give a file with NAME=PATH",
                  place->words, name, names);
}

_Noreturn static void not_here(const struct allocator_known *known,
                               const struct allocator_place *place)
{
    if (known->package)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: no %s found on this machine; apt-get install %s",
                place->words, known->name, known->package);
    cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s is not built or not installed; run make",
            place->words, known->name);
}

/* Tries the path; false with the reason where it does not load. */
static bool load_path(struct allocator *item, const char *target,
                      const struct allocator_place *place, char reason[512])
{
    struct probe probe;
    char path[PATH_MAX];
    allocator_spec_path(target, place, path);
    if (!realpath(path, item->path)) {
        snprintf(reason, 512, "%.400s: %s; give the path of a shared object", path,
                 strerror(errno));
        return false;
    }
    /* LD_PRELOAD splits at these, and no quoting helps. */
    if (strpbrk(item->path, ": ")) {
        snprintf(reason, 512, "the loader cannot preload a path with a space or colon; use a link");
        return false;
    }
    enum probe_status status = probe_run(item->path, item->environment, &probe);
    if (status == PROBE_BROKEN || status == PROBE_NOT_FOUND) {
        snprintf(reason, 512, "%.200s: %.300s", item->path, probe.message);
        return false;
    }
    if (status == PROBE_DIED)
        cli_warn("%s: %s; its runs will show that", place->words, probe.message);
    snprintf(item->version, sizeof item->version, "%s", probe.version);
    identify(item, &probe);
    return true;
}

/* Variables of `more` behind those that there are: a later one of a name wins (setenv). */
static void add_environment(struct allocator *item, const char *const *more,
                            const struct allocator_place *place)
{
    size_t count = 0;
    while (item->environment[count])
        count++;
    for (; *more; more++) {
        if (count == ALLOCATOR_ENVIRONMENT_MAX)
            cli_die_usage("%s: more than %d variables", place->words, ALLOCATOR_ENVIRONMENT_MAX);
        item->environment[count++] = *more;
    }
}

/* The name where none was given: the target's, and what was set. */
static void name_after(struct allocator *item, const struct allocator_list *list,
                       const struct allocator_spec *spec)
{
    char base[sizeof item->name];
    snprintf(base, sizeof base, "%s", item->name);
    if (spec->environment[0]) {
        const char *variable = spec->environment[0];
        snprintf(base, sizeof base, "%.30s+%.*s", item->name, (int)strcspn(variable, "="),
                 variable);
    }
    base[sizeof base - 5] = 0;
    snprintf(item->name, sizeof item->name, "%s", base);
    for (unsigned i = 2; spec->environment[0] && allocators_named(list, item->name); i++)
        snprintf(item->name, sizeof item->name, "%.58s-%u", base, i % 1000);
}

/* Fills the allocator that is described; false with the reason where it does not load. */
static bool describe(struct allocator *item, const struct allocator_spec *spec,
                     const struct allocator_place *place, char reason[512])
{
    memset(item, 0, sizeof *item);
    if (allocator_spec_is_path(spec->target)) {
        memcpy(item->environment, spec->environment, sizeof item->environment);
        allocator_spec_name_of(spec->target, item->name, sizeof item->name);
        return load_path(item, spec->target, place, reason);
    }
    const struct allocator_file_entry *entry = allocator_file_named(spec->target);
    const struct allocator_known *known = known_named(spec->target);
    if (entry && &entry->spec != spec) {
        struct allocator_place there = {entry->words, entry->folder};
        if (!describe(item, &entry->spec, &there, reason))
            return false;
        snprintf(item->name, sizeof item->name, "%s", entry->spec.name);
    } else if (!known) {
        unknown(place, spec->target);
    } else if (!find_known(known, item)) {
        not_here(known, place);
    }
    add_environment(item, spec->environment, place);
    return true;
}

static void add_spec(struct allocator_list *list, const struct allocator_spec *spec,
                     const struct allocator_place *place, bool must)
{
    struct allocator item;
    char reason[512];
    bool plain = !spec->name[0] && !spec->environment[0] && !allocator_spec_is_path(spec->target);
    if (plain && allocators_named(list, spec->target))
        return;
    if (!strcmp(spec->name, ALLOCATOR_LIBC) || !strcmp(spec->name, ALLOCATOR_NULL))
        cli_die_usage("%s: %s is the %s; choose another name", place->words, spec->name,
                      strcmp(spec->name, ALLOCATOR_LIBC) ? "floor" : "baseline");
    if (!describe(&item, spec, place, reason)) {
        if (must)
            cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s", place->words, reason);
        cli_warn("%s: %s; left out", place->words, reason);
        return;
    }
    if (spec->name[0])
        snprintf(item.name, sizeof item.name, "%s", spec->name);
    else
        name_after(&item, list, spec);
    item.is_floor = plain && item.is_floor;
    if (allocators_named(list, item.name))
        cli_die_usage("%s: there is a %s already; choose another name with NAME=...", place->words,
                      item.name);
    *append(list) = item;
}

/* "textbook", with the same variables for each policy. */
static void add_textbook(struct allocator_list *list, const struct allocator_spec *spec,
                         const struct allocator_place *place)
{
    if (spec->name[0])
        cli_die_usage("%s: %s are many, and cannot have one name", place->words, spec->target);
    for (size_t i = 0; i < allocators_known_count; i++) {
        struct allocator_spec one = *spec;
        one.target = (char *)allocators_known[i].name;
        if (allocators_known[i].textbook)
            add_spec(list, &one, place, true);
    }
}

void allocators_add(struct allocator_list *list, const char *text)
{
    struct allocator_spec spec;
    char *words = NULL;
    if (asprintf(&words, "-a %s", text) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    struct allocator_place place = {words, NULL};
    allocator_spec_parse(text, &place, &spec);
    if (!strcmp(spec.target, ALLOCATOR_TEXTBOOK))
        add_textbook(list, &spec, &place);
    else
        add_spec(list, &spec, &place, true);
    free(words);
}

void allocators_add_one(struct allocator_list *list, const char *text)
{
    size_t before = list->count;
    allocators_add(list, text);
    if (list->count > before + 1)
        cli_die_usage("-a %s: these are %zu allocators; name one of them", text,
                      list->count - before);
}

/* All that the files describe. One of the user's own that does not load is no reason to stop. */
static void add_described(struct allocator_list *list)
{
    for (size_t i = 0; i < allocator_file_count(); i++) {
        const struct allocator_file_entry *entry = allocator_file_entry(i);
        struct allocator_place place = {entry->words, entry->folder};
        if (!allocators_named(list, entry->spec.name))
            add_spec(list, &entry->spec, &place, entry->must);
    }
}

void allocators_find(struct allocator_list *ret_list, bool all)
{
    struct allocator found;
    *ret_list = (struct allocator_list){0};
    for (size_t i = 0; i < allocators_known_count; i++)
        if ((all || !(allocators_known[i].textbook || allocators_known[i].named_only)) &&
            find_known(&allocators_known[i], &found))
            *append(ret_list) = found;
    add_described(ret_list);
}
