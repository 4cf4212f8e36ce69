#include "replayer/driver/allocator_spec.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "traces/cli.h"

/* Does "ENV=" stand here? */
static bool begins_variable(const char *text)
{
    const char *at = text;
    while (isalnum((unsigned char)*at) || *at == '_')
        at++;
    return at > text && !isdigit((unsigned char)*text) && *at == '=';
}

/* The next comma that a variable follows, from `at` on; NULL: none. */
static char *next_variable(char *at)
{
    for (; *at; at++) {
        if (at[0] == '\\' && at[1] == ',')
            at++;
        else if (at[0] == ',' && begins_variable(at + 1))
            return at;
    }
    return NULL;
}

/* "\," becomes ",". */
static void unprotect(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] == ',')
            from++;
        *to++ = *from;
    }
    *to = 0;
}

static void take_environment(struct allocator_spec *spec, char *text,
                             const struct allocator_place *place)
{
    size_t count = 0;
    while (text) {
        char *comma = next_variable(text);
        if (comma)
            *comma++ = 0;
        if (!begins_variable(text))
            cli_die_usage("%s: '%s' is no ENV=VALUE", place->words, text);
        if (count == ALLOCATOR_ENVIRONMENT_MAX)
            cli_die_usage("%s: more than %d variables", place->words, ALLOCATOR_ENVIRONMENT_MAX);
        unprotect(text);
        spec->environment[count++] = text;
        text = comma;
    }
}

bool allocator_spec_is_path(const char *target)
{
    return strchr(target, '/') != NULL;
}

const char *allocator_spec_path(const char *target, const struct allocator_place *place,
                                char path[PATH_MAX])
{
    const char *home = getenv("HOME");
    if (!strncmp(target, "~/", 2) && home)
        snprintf(path, PATH_MAX, "%s%s", home, target + 1);
    else if (target[0] != '/' && place->folder)
        snprintf(path, PATH_MAX, "%s/%s", place->folder, target);
    else
        snprintf(path, PATH_MAX, "%s", target);
    return path;
}

void allocator_spec_name_of(const char *path, char *name, size_t bytes)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    if (!strncmp(base, "lib", 3))
        base += 3;
    const char *end = strstr(base, ".so");
    snprintf(name, bytes, "%.*s", end ? (int)(end - base) : (int)strlen(base), base);
}

/* Cuts the target off at the comma where its variables begin; what follows it, or NULL. */
static char *cut_target(char *target, const struct allocator_place *place)
{
    char path[PATH_MAX], *cut = NULL;
    bool there = false;
    if (!memchr(target, '/', strcspn(target, ","))) {
        cut = strchr(target, ','); /* a name, which has no comma */
    } else {
        for (char *comma = next_variable(target); comma && !there;
             comma = next_variable(comma + 1)) {
            *comma = 0;
            there = access(allocator_spec_path(target, place, path), F_OK) == 0;
            *comma = ',';
            if (there || !cut)
                cut = comma;
        }
        if (!there && access(allocator_spec_path(target, place, path), F_OK) == 0)
            cut = NULL; /* all of it is the path */
    }
    if (cut)
        *cut++ = 0;
    return cut;
}

static void take_name(struct allocator_spec *spec, const char *name,
                      const struct allocator_place *place)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
    if (!*name || strlen(name) >= sizeof spec->name || name[strspn(name, allowed)] ||
        name[0] == '.')
        cli_die_usage("%s: '%s' is no name; it is made of letters, digits and ._+-", place->words,
                      name);
    snprintf(spec->name, sizeof spec->name, "%s", name);
}

void allocator_spec_parse(const char *text, const struct allocator_place *place,
                          struct allocator_spec *ret_spec)
{
    char *copy = strdup(text), *target = copy;
    *ret_spec = (struct allocator_spec){.name = ""};
    if (!copy)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    size_t name = strcspn(copy, "=/,");
    bool named = copy[name] == '=';
    if (named) {
        copy[name] = 0;
        target = copy + name + 1;
    }
    char *environment = cut_target(target, place);
    unprotect(target);
    if (!*target)
        cli_die_usage("%s: a name or path is missing", place->words);
    take_environment(ret_spec, environment, place);
    ret_spec->target = target;
    if (named)
        take_name(ret_spec, copy, place);
}
