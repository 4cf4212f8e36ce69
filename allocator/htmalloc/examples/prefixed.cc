// The prefixed functions in C++: a vector on an allocator of its own, beside the program's malloc.
#include <htmalloc.h>

#include <cstdio>
#include <new>
#include <vector>

template <class T> struct ht_allocator {
    using value_type = T;
    ht_allocator() = default;
    template <class U> ht_allocator(const ht_allocator<U> &) {}
    T *allocate(std::size_t count)
    {
        if (void *block = ht_calloc(count, sizeof(T)))
            return static_cast<T *>(block);
        throw std::bad_alloc();
    }
    void deallocate(T *block, std::size_t count)
    {
        ht_free_sized(block, count * sizeof(T));
    }
    bool operator==(const ht_allocator &) const { return true; }
    bool operator!=(const ht_allocator &) const { return false; }
};

int main()
{
    std::vector<int, ht_allocator<int>> numbers;
    for (int i = 0; i < 100000; i++)
        numbers.push_back(i);
    struct ht_stats stats;
    ht_stats(&stats);
    long sum = 0;
    for (int number : numbers)
        sum += number;
    std::printf("sum %ld, %s\n", sum, stats.live >= numbers.size() * sizeof(int) ? "on htmalloc" : "elsewhere");
    numbers = decltype(numbers)();
    try {
        numbers.reserve(numbers.max_size());
        std::puts("no limit?");
    } catch (const std::bad_alloc &) {
        std::puts("bad_alloc where there is no memory");
    }
}
