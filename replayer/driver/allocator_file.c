#include "replayer/driver/allocator_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "traces/cli.h"

static struct allocator_file_entry *entries;
static size_t count;
static bool own_read;

static void *kept(void *memory)
{
    if (!memory)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    return memory;
}

static const struct allocator_file_entry *find(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(entries[i].spec.name, name))
            return &entries[i];
    return NULL;
}

static void check(const struct allocator_file_entry *entry)
{
    const char *name = entry->spec.name;
    if (!*name)
        cli_die_usage("%s: a line is NAME=PATH or NAME=PATH,ENV=VALUE", entry->words);
    for (size_t i = 0; i < allocators_known_count; i++)
        if (!strcmp(allocators_known[i].name, name))
            cli_die_usage("%s: %s is heaptape's own name for one; choose another", entry->words,
                          name);
    const struct allocator_file_entry *other = find(name);
    if (other)
        cli_die_usage("%s: %s is described in %s already; choose another name", entry->words, name,
                      other->words);
    /* A name that stands for another line would need care for circles; nobody needs it. */
    bool known = allocator_spec_is_path(entry->spec.target);
    for (size_t i = 0; i < allocators_known_count; i++)
        known |= !strcmp(allocators_known[i].name, entry->spec.target);
    if (!known)
        cli_die_usage("%s: '%s' is neither a path (with a slash) nor one of heaptape's names",
                      entry->words, entry->spec.target);
}

static void read_line(char *line, const char *path, unsigned number, const char *folder, bool must)
{
    struct allocator_file_entry entry = {.folder = folder, .must = must};
    char *words = NULL;
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = 0;
    for (size_t length = strlen(line); length && strchr(" \t", line[length - 1]);)
        line[--length] = 0;
    if (!*line || *line == '#')
        return;
    if (asprintf(&words, "%s:%u", path, number) < 0)
        kept(NULL);
    entry.words = words;
    struct allocator_place place = {words, folder};
    allocator_spec_parse(line, &place, &entry.spec);
    check(&entry);
    entries = kept(realloc(entries, (count + 1) * sizeof *entries));
    entries[count++] = entry;
}

static bool read_file(const char *path, bool must)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? kept(strndup(path, (size_t)(slash - path))) : NULL;
    for (unsigned number = 1; getline(&line, &capacity, file) >= 0; number++)
        read_line(line, path, number, folder, must);
    bool good = !ferror(file); /* NOLINT(clang-analyzer-unix.Malloc): entries keep the folder */
    free(line);
    fclose(file);
    return good;
}

void allocator_file_read(const char *path)
{
    errno = 0;
    if (!read_file(path, true))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "--allocators=%s: %s", path, strerror(errno));
}

static void read_own(void)
{
    char path[PATH_MAX];
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (own_read)
        return;
    own_read = true;
    if (config && config[0] == '/')
        snprintf(path, sizeof path, "%s/heaptape/allocators", config);
    else if (home && home[0] == '/')
        snprintf(path, sizeof path, "%s/.config/heaptape/allocators", home);
    else
        return;
    read_file(path, false);
}

size_t allocator_file_count(void)
{
    read_own();
    return count;
}

const struct allocator_file_entry *allocator_file_entry(size_t index)
{
    return &entries[index];
}

const struct allocator_file_entry *allocator_file_named(const char *name)
{
    read_own();
    return find(name);
}
