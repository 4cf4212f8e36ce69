// What threads leave behind: thread_local objects of C++, made and destroyed on demand, and keys of
// pthreads whose destructors allocate, set the key again and so run in several rounds; threads that
// are joined, detached, and ended by pthread_exit() inside of scopes with objects. Each leaves a
// block behind.
//
//     record_tls THREADS
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <string>
#include <unistd.h>
#include <vector>

static std::atomic<int> ended{0};
static pthread_key_t key;

struct Later { // made by the destructor of another
    char *block = static_cast<char *>(std::malloc(1063));
    ~Later() { std::free(block); }
};
static thread_local Later later;

struct Keeper {
    std::vector<std::string> words;
    Keeper() { words.assign(10, std::string(1031, 'x')); }
    ~Keeper()
    {
        std::string last(1047, 'y'); // a destructor that allocates
        words.push_back(last);
        later.block[0] = 1;
    }
};
static thread_local Keeper keeper;

static void last_words(void *value)
{
    auto rounds = reinterpret_cast<std::size_t>(value);
    std::free(std::malloc(1079));
    if (rounds < 4)
        pthread_setspecific(key, reinterpret_cast<void *>(rounds + 1));
    else
        ended++;
}

static void *live(void *argument)
{
    auto number = reinterpret_cast<std::size_t>(argument);
    pthread_setspecific(key, reinterpret_cast<void *>(1));
    keeper.words[number % 10] += "z";
    if (!std::malloc(1095)) // stays
        std::abort();
    std::string local(1111, 'l');
    if (number % 3 == 0)
        pthread_exit(nullptr); // unwinds: `local` is destroyed
    return nullptr;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? std::atoi(argv[1]) : 100;
    pthread_key_create(&key, last_words);
    for (long i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, live, reinterpret_cast<void *>(i)))
            return 2;
        if (i % 2)
            pthread_detach(thread);
        else
            pthread_join(thread, nullptr);
    }
    while (ended < threads)
        usleep(1000);
    usleep(20000); // a detached thread's last frees in libc
    std::printf("threads %d\n", threads);
    return 0;
}
