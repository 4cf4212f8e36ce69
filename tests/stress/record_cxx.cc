// C++'s operators, each of the sixteen forms of the library, 10 times; three that fail.
// Run over libstdc++'s own (which call malloc) and over allocators that bring theirs.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

struct alignas(128) Wide {
    char bytes[128 * 9];
};

static volatile std::size_t huge = SIZE_MAX / 4;

static void plain_forms()
{
    ::operator delete(::operator new(1031));
    ::operator delete(::operator new(1047), std::size_t(1047));
    ::operator delete[](::operator new[](1063));
    ::operator delete[](::operator new[](1064), std::size_t(1064));
    ::operator delete(::operator new(1079, std::nothrow), std::nothrow);
    ::operator delete[](::operator new[](1095, std::nothrow), std::nothrow);
}

static void aligned_forms()
{
    constexpr std::align_val_t at{64};
    ::operator delete(::operator new(64 * 21, at), at);
    ::operator delete(::operator new(64 * 22, at), std::size_t(64 * 22), at);
    ::operator delete[](::operator new[](64 * 23, at), at);
    ::operator delete[](::operator new[](64 * 24, at), std::size_t(64 * 24), at);
    ::operator delete(::operator new(64 * 25, at, std::nothrow), at, std::nothrow);
    ::operator delete[](::operator new[](64 * 26, at, std::nothrow), at, std::nothrow);
    Wide *wide = new Wide;
    wide->bytes[0] = 1;
    delete wide;
}

int main()
{
    for (int i = 0; i < 10; i++) {
        plain_forms();
        aligned_forms();
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
