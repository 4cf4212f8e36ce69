// Call sites of operator new: who called it, not the C++ library that calls malloc.
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#ifdef __clang__
#define APART __attribute__((noinline))
#else
#define APART __attribute__((noinline, noipa))
#endif

struct thing {
    char bytes[1031];
};

APART static void *one_new()
{
    return new thing;
}

APART static void *array_new(unsigned count)
{
    return new thing[count];
}

APART static void *nothrow_new()
{
    return new (std::nothrow) char[1047];
}

void *volatile kept[300];

int main()
{
    for (int i = 0; i < 100; i++) {
        kept[3 * i] = one_new();
        kept[3 * i + 1] = array_new(2);
        kept[3 * i + 2] = nothrow_new();
    }
    return 0;
}
