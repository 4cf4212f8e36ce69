// Errors for memcheck, on htmalloc's build for Valgrind, one an act: memcheck ACT... "none" is what the others do, rightly.
#include <htmalloc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <malloc.h>
#include <new>
#include <string>
#include <thread>
#include <unistd.h>
#include <sys/wait.h>
#include <vector>

struct link {
    struct link *next;
    char text[104];
};

static char *volatile block;
static volatile size_t size = 100;
static volatile char sink;
static std::vector<int> kept; // freed after main

static void chain(bool kept_by_somebody)
{
    struct link *list = nullptr;
    for (int i = 0; i < 5; i++) {
        struct link *one = static_cast<struct link *>(calloc(1, sizeof *one));
        one->next = list;
        list = one;
    }
    static struct link *reachable;
    if (kept_by_somebody)
        reachable = list;
    (void)reachable;
}

static void private_heap(const char *act)
{
    struct ht_heap *heap = ht_heap_new(nullptr);
    block = static_cast<char *>(ht_heap_malloc(heap, size));
    memset(block, 1, size);
    block = static_cast<char *>(ht_heap_realloc(heap, block, 20 * size));
    char *second = static_cast<char *>(ht_heap_calloc(heap, 3, size));
    char *huge = static_cast<char *>(ht_heap_malloc(heap, 3 << 20));
    huge[5] = 1;
    if (!strcmp(act, "heap_overflow"))
        second[3 * size] = 1;
    if (!strcmp(act, "heap_double_free"))
        ht_heap_free(heap, second);
    if (!strcmp(act, "heap_wrong_free"))
        free(block);
    if (!strcmp(act, "heap_leak"))
        return;
    ht_heap_free(heap, second);
    if (!strcmp(act, "heap_free_all")) {
        ht_heap_free_all(heap);
        sink = block[3];
    }
    ht_heap_delete(heap);
    if (!strcmp(act, "heap_delete"))
        sink = huge[5];
}

static void work()
{
    std::map<std::string, std::vector<int>> numbers;
    for (int i = 0; i < 2000; i++)
        numbers[std::to_string(i % 77)].push_back(i);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([] {
            std::vector<std::string> words;
            for (int j = 0; j < 300; j++)
                words.push_back(std::string(static_cast<size_t>(j), 'x'));
            malloc_trim(0);
        });
    for (auto &thread : threads)
        thread.join();
    struct alignas(64) wide {
        char bytes[64];
    };
    delete[] new wide[3];
    delete new wide;
    char *grown = nullptr;
    for (size_t bytes = 1; bytes < 3 << 20; bytes *= 3)
        grown = static_cast<char *>(memset(realloc(grown, bytes), 1, bytes));
    free(realloc(grown, 10));
    free(aligned_alloc(4096, 8192));
    try {
        std::vector<char> too_much(size_t{1} << 62);
    } catch (const std::bad_alloc &) {
        free(malloc(0));
    }
    if (fork() == 0) {
        free(malloc(1000));
        exit(0);
    }
    wait(nullptr);
    struct ht_stats stats;
    ht_stats(&stats);
    if (!ht_validate() || stats.live == 0)
        abort();
    kept.resize(1000);
}

// What is done with a block of 100 bytes.
static void use(const char *act)
{
    auto is = [act](const char *name) { return strcmp(act, name) == 0; };
    if (is("read_behind"))
        sink = block[size];
    if (is("write_behind"))
        block[size + 7] = 1;
    if (is("read_before"))
        sink = block[-1];
    if (is("write_before"))
        block[-16] = 1;
    if (is("undefined") && block[7] == 1)
        puts("by chance");
    if (is("behind_shrunk")) {
        block = static_cast<char *>(realloc(block, 60));
        sink = block[60];
    }
    if (is("free_inside"))
        free(block + 16);
    if (is("huge_behind")) {
        char *huge = static_cast<char *>(malloc(3 << 20));
        sink = huge[3 << 20];
        free(huge);
    }
    if (is("lost"))
        block = static_cast<char *>(malloc(size));
    if (is("lost_chain") || is("reachable_chain"))
        chain(is("reachable_chain"));
}

// What frees it, or something else, wrongly. True when it is gone.
static bool misfree(const char *act)
{
    auto is = [act](const char *name) { return strcmp(act, name) == 0; };
    char *old = block;
    static char somewhere[64];
    char *volatile at = somewhere;
    if (is("free_static"))
        free(at);
    if (is("new_free"))
        free(new int[4]);
    if (is("new_array_delete"))
        ::operator delete(new char[8]);
    if (is("wrong_size"))
        ::operator delete[](new char[8], 9);
    if (is("malloc_delete"))
        ::operator delete(block);
    if (is("old_after_realloc")) {
        block = static_cast<char *>(realloc(block, 100 * size));
        sink = old[3];
    }
    if (is("use_after_free") || is("double_free"))
        free(old);
    if (is("use_after_free"))
        old[5] = 1;
    if (is("double_free"))
        free(old);
    return is("malloc_delete") || is("use_after_free") || is("double_free");
}

int main(int, char **arguments)
{
    while (const char *act = *++arguments) {
        block = static_cast<char *>(malloc(size));
        use(act);
        if (!misfree(act))
            free(block);
        if (!strcmp(act, "none"))
            work();
        if (!strcmp(act, "none") || !strncmp(act, "heap_", 5))
            private_heap(act);
    }
    block = nullptr;
    return 0;
}
