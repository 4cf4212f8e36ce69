// Ends by C++'s own means, after 5000 blocks of 1031 bytes: an exception that nobody catches, one
// that leaves a noexcept function, std::terminate(), a terminate handler that allocates and exits.
// Before that 1000 exceptions are thrown and caught through frames that own blocks.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/resource.h>

static void throw_one(int depth)
{
    std::string owned(1047, 'o');
    if (depth == 0)
        throw std::runtime_error(owned);
    throw_one(depth - 1);
}

static void never_throws() noexcept
{
    throw_one(3);
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    int caught = 0;
    for (int i = 0; i < 1000; i++) {
        try {
            throw_one(3);
        } catch (const std::exception &) {
            caught++;
        }
    }
    std::printf("caught %d\n", caught);
    std::fflush(stdout);
    for (int i = 0; i < 5000; i++)
        if (!std::malloc(1031))
            return 2;
    if (!std::strcmp(way, "uncaught"))
        throw std::runtime_error("nobody catches this");
    if (!std::strcmp(way, "noexcept"))
        never_throws();
    if (!std::strcmp(way, "terminate"))
        std::terminate();
    if (!std::strcmp(way, "handler")) {
        std::set_terminate([] {
            std::free(std::malloc(1063));
            std::exit(11);
        });
        throw 1;
    }
    return 7;
}
