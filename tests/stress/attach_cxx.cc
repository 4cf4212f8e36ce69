// After a line on standard input: 10 of each form of new and delete, and an exception.
#include <cstdint>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>

static volatile std::size_t huge = SIZE_MAX / 4;

int main()
{
    std::puts("up");
    std::fflush(stdout);
    std::getchar();
    for (int i = 0; i < 10; i++) {
        ::operator delete(::operator new(1031));
        ::operator delete[](::operator new[](1047), std::size_t(1047));
        ::operator delete(::operator new(1063, std::nothrow), std::nothrow);
        ::operator delete(::operator new(1152, std::align_val_t(128)), std::align_val_t(128));
    }
    int caught = 0;
    try {
        ::operator delete(::operator new(huge));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    try {
        throw std::runtime_error(std::string(500, 'x'));
    } catch (const std::runtime_error &error) {
        caught += std::string(error.what()).size() == 500;
    }
    std::printf("caught %d\n", caught);
    return 0;
}
