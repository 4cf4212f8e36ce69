/*
 * Every operator new and delete on whatever allocator is preloaded: what they give, that a new that
 * cannot be satisfied asks the new_handler and then throws, that the nothrow ones say NULL, and
 * that sized and aligned deletes find what the new made. Exits 1 when something does not hold.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

static unsigned failed;

static void expect(const char *what, bool holds)
{
    if (holds)
        return;
    failed++;
    fprintf(stderr, "family_cxx: not so: %s\n", what);
}

/* The compiler must not know what these are, or it does without the calls. */
static volatile size_t too_much = PTRDIFF_MAX, overflowing = SIZE_MAX / 8;
static void *volatile sink;

static void check_one(size_t size)
{
    void *block = ::operator new(size);
    expect("new gives an aligned block", block != nullptr && (uintptr_t)block % 16 == 0);
    memset(block, 1, size);
    ::operator delete(block);
    block = ::operator new[](size);
    ::operator delete[](block, size);
    ::operator delete(::operator new(size), size);
    block = ::operator new(size, std::nothrow);
    expect("nothrow new gives a block", block != nullptr);
    ::operator delete(block, std::nothrow);
    ::operator delete[](::operator new[](size, std::nothrow), std::nothrow);
}

static void check_aligned(size_t size, size_t align)
{
    std::align_val_t to{align};
    void *block = ::operator new(size, to);
    expect("aligned new is aligned", (uintptr_t)block % align == 0);
    memset(block, 2, size);
    ::operator delete(block, to);
    ::operator delete(::operator new(size, to), size, to);
    ::operator delete[](::operator new[](size, to), to);
    ::operator delete[](::operator new[](size, to), size, to);
    block = ::operator new(size, to, std::nothrow);
    expect("aligned nothrow new is aligned", (uintptr_t)block % align == 0);
    ::operator delete(block, to, std::nothrow);
    ::operator delete[](::operator new[](size, to, std::nothrow), to, std::nothrow);
}

template <typename Call> static bool throws_bad_alloc(Call call)
{
    try {
        sink = call();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static void check_refusals()
{
    static constexpr std::align_val_t to{64};
    expect("new throws", throws_bad_alloc([] { return ::operator new(too_much); }));
    expect("new[] throws", throws_bad_alloc([] { return ::operator new[](too_much); }));
    expect("aligned new throws", throws_bad_alloc([] { return ::operator new(too_much, to); }));
    expect("aligned new[] throws",
           throws_bad_alloc([] { return ::operator new[](too_much, to); }));
    expect("an array that overflows throws",
           throws_bad_alloc([] { return new long double[overflowing * 2]; }));
    expect("nothrow new is NULL", ::operator new(too_much, std::nothrow) == nullptr);
    expect("nothrow new[] is NULL", ::operator new[](too_much, std::nothrow) == nullptr);
    expect("aligned nothrow new is NULL", ::operator new(too_much, to, std::nothrow) == nullptr);
    expect("aligned nothrow new[] is NULL",
           ::operator new[](too_much, to, std::nothrow) == nullptr);
}

static int asked;

static void handler()
{
    if (++asked == 3)
        std::set_new_handler(nullptr);
}

static void handler_that_throws()
{
    asked++;
    throw 42;
}

static void check_handler()
{
    std::set_new_handler(handler);
    expect("new throws in the end", throws_bad_alloc([] { return ::operator new(too_much); }));
    expect("new asks the handler each time", asked == 3);
    asked = 0;
    std::set_new_handler(handler_that_throws);
    int caught = 0;
    try {
        sink = ::operator new(too_much);
    } catch (int value) {
        caught = value;
    }
    expect("what the handler throws comes out", caught == 42 && asked == 1);
    std::set_new_handler(nullptr);
}

struct alignas(256) Wide {
    char bytes[300];
    ~Wide() { sink = this; }
};

static void check_language()
{
    for (int i = 0; i < 200; i++) {
        Wide *one = new Wide, *many = new Wide[i + 1];
        expect("alignas is kept", (uintptr_t)one % 256 == 0 && (uintptr_t)many % 256 == 0);
        delete one;
        delete[] many;
        std::string *text = new std::string[i + 1];
        text[i].assign((size_t)i * 10, 'x');
        delete[] text;
    }
    std::vector<std::string> words;
    for (int i = 0; i < 5000; i++)
        words.push_back(std::string((size_t)(i % 100), 'y'));
    words.erase(words.begin(), words.begin() + 4000);
    expect("containers work", words.size() == 1000 && words[99].size() == 99);
}

int main()
{
    for (int again = 0; again < 3; again++) {
        for (size_t size : {0, 1, 24, 100, 1008, 1009, 5000, 40000, 300000, 3000000}) {
            check_one(size);
            for (size_t align = 1; align <= 65536; align *= 4)
                check_aligned(size, align);
        }
        check_refusals();
        asked = 0;
        check_handler();
        check_language();
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr, (size_t)10);
    ::operator delete(nullptr, std::align_val_t{64});
    puts(failed ? "broken" : "fine");
    return failed > 0;
}
