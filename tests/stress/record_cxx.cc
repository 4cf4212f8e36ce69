// C++'s operators, each form, 10 times: plain, array, nothrow, aligned, sized; one that fails.
// Run over libstdc++'s own (which call malloc) and over allocators that bring theirs.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

struct alignas(128) Wide {
    char bytes[128 * 9];
};

static volatile std::size_t huge = SIZE_MAX / 4;

int main()
{
    for (int i = 0; i < 10; i++) {
        ::operator delete(::operator new(1031));
        ::operator delete(::operator new(1047), std::size_t(1047));
        ::operator delete[](::operator new[](1063));
        ::operator delete(::operator new(1079, std::nothrow), std::nothrow);
        ::operator delete[](::operator new[](1095, std::nothrow), std::nothrow);
        Wide *wide = new Wide;
        wide->bytes[0] = 1;
        delete wide;
        std::free(std::malloc(1111));
    }
    int caught = 0;
    for (int i = 0; i < 3; i++) {
        try {
            ::operator delete(::operator new(huge));
        } catch (const std::bad_alloc &) {
            caught++;
        }
    }
    ::operator delete(::operator new(1127)); // the hook is still whole after exceptions
    std::printf("caught %d nothrow %d\n", caught, ::operator new(huge, std::nothrow) == nullptr);
    return 0;
}
