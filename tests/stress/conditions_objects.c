/* Shared objects: plug-ins that have the C library's malloc before ours, and htmalloc itself opened
 * by a program that runs on another allocator. */
#include "tests/stress/conditions.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What the plug-in exports: see conditions_plugin.c. */
struct plugin {
    void *handle;
    void *(*give)(size_t size);
    void (*take)(void *block);
    char *(*text)(int number);
    void *(*change)(void *block, size_t size);
};

static void *symbol(void *handle, const char *name)
{
    void *found = dlsym(handle, name);
    EXPECT(found != NULL);
    return found;
}

static struct plugin plugin_open(int flags)
{
    struct plugin plugin = {.handle = dlopen(path, flags)};
    EXPECT(plugin.handle != NULL);
    plugin.give = (void *(*)(size_t))symbol(plugin.handle, "plugin_give");
    plugin.take = (void (*)(void *))symbol(plugin.handle, "plugin_take");
    plugin.text = (char *(*)(int))symbol(plugin.handle, "plugin_text");
    plugin.change = (void *(*)(void *, size_t))symbol(plugin.handle, "plugin_change");
    return plugin;
}

/* Blocks go to and fro: allocated there and freed here, allocated here and freed there. */
static void exchange(const struct plugin *plugin)
{
    for (size_t size = 1; size < 3000000; size += 1 + size / 3) {
        free(memset(plugin->give(size), 1, size));
        plugin->take(memset(malloc(size), 2, size));
        char *text = plugin->text((int)size);
        EXPECT(strtol(text, NULL, 10) == (long)size);
        free(text);
        void *block = plugin->change(malloc(size), size + 100);
        block = realloc(block, size / 2 + 1);
        plugin->take(block);
        plugin->take(strdup("made by the C library for us"));
    }
}

static void *exchange_main(void *of)
{
    exchange(of);
    return NULL;
}

void plugins(void)
{
    static const int flags[] = {RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND, RTLD_LAZY | RTLD_GLOBAL,
                                RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND};
    for (int round = 0; round < 9; round++) {
        struct plugin plugin = plugin_open(flags[round % 3]);
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, exchange_main, &plugin) == 0);
        exchange(&plugin);
        pthread_join(thread, NULL);
        EXPECT(dlclose(plugin.handle) == 0);
    }
}

/* --- htmalloc opened at run time --- */

static void *(*own_malloc)(size_t);
static void (*own_free)(void *);
static bool (*own_validate)(void);
static pthread_barrier_t opened_done, closed;

static void *opened_main(void *unused)
{
    void *blocks[300];
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 300; i++) {
            blocks[i] = own_malloc(i * 97 % 40000);
            EXPECT(blocks[i] != NULL);
        }
        for (int i = 0; i < 300; i++)
            own_free(blocks[i]);
        free(malloc(1000));
    }
    pthread_barrier_wait(&opened_done);
    pthread_barrier_wait(&closed);
    return unused; /* its heap is left after the library has been closed */
}

void opened(void)
{
    for (int round = 0; round < 3; round++) {
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        pthread_t threads[4];
        if (handle == NULL)
            broken(dlerror(), __LINE__);
        own_malloc = (void *(*)(size_t))symbol(handle, "ht_malloc");
        own_free = (void (*)(void *))symbol(handle, "ht_free");
        own_validate = (bool (*)(void))symbol(handle, "ht_validate");
        EXPECT(own_malloc != malloc);
        pthread_barrier_init(&opened_done, NULL, 5);
        pthread_barrier_init(&closed, NULL, 5);
        for (int i = 0; i < 4; i++)
            EXPECT(pthread_create(&threads[i], NULL, opened_main, NULL) == 0);
        pthread_barrier_wait(&opened_done);
        EXPECT(own_validate());
        EXPECT(dlclose(handle) == 0);
        pthread_barrier_wait(&closed);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
}
