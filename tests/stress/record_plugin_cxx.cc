// A plug-in in C++ for a program in C: libstdc++ comes with it, and is not in the global scope.
// It uses operators of every form and throws.
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

extern "C" char *plugin_work(char *given);

struct alignas(256) Wide {
    char bytes[256 * 5];
};

static std::string kept(1303, 'k');

char *plugin_work(char *given)
{
    ::operator delete[](::operator new[](1319)); // so called they are not left out by the compiler
    constexpr std::align_val_t at{alignof(Wide)};
    ::operator delete(::operator new(sizeof(Wide), at), sizeof(Wide), at);
    int caught = 0;
    try {
        volatile std::size_t huge = SIZE_MAX / 4;
        ::operator delete(::operator new(huge));
    } catch (const std::bad_alloc &) {
        caught = 1;
    }
    std::free(given);
    char *result = static_cast<char *>(std::malloc(1335));
    result[0] = static_cast<char>('0' + caught);
    return result;
}
