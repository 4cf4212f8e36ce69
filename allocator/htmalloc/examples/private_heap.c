/* Reads words and counts them; all of a document's memory is one private heap, freed at once.
 *
 *     cc private_heap.c $(pkg-config --cflags htmalloc) $(pkg-config --variable=archive htmalloc)
 * -pthread
 */
#include <ctype.h>
#include <htmalloc.h>
#include <stdio.h>
#include <string.h>

struct word {
    struct word *next;
    unsigned count;
    char text[];
};

struct document {
    struct ht_heap *heap;
    struct word *words;
    unsigned refused; /* words that the heap's limit left no room for */
};

static void add_word(struct document *document, const char *text, size_t length)
{
    for (struct word *word = document->words; word != NULL; word = word->next) {
        if (strncmp(word->text, text, length) == 0 && word->text[length] == '\0') {
            word->count++;
            return;
        }
    }
    struct word *word = ht_heap_malloc(document->heap, sizeof *word + length + 1);
    if (word == NULL) {
        document->refused++;
        return;
    }
    memcpy(word->text, text, length);
    word->text[length] = '\0';
    word->count = 1;
    word->next = document->words;
    document->words = word;
}

static void read_document(const char *name, const char *text, size_t limit)
{
    struct ht_heap_options options = {.limit = limit};
    struct document document = {.heap = ht_heap_new(&options)};
    if (document.heap == NULL) {
        perror(name);
        return;
    }
    while (*text != '\0') {
        size_t length = 0;
        while (isalpha((unsigned char)text[length]))
            length++;
        if (length > 0)
            add_word(&document, text, length);
        text += length > 0 ? length : 1;
    }
    struct ht_heap_stats stats;
    ht_heap_stats(document.heap, &stats);
    unsigned words = 0, most = 0;
    for (struct word *word = document.words; word != NULL; word = word->next, words++)
        most = word->count > most ? word->count : most;
    printf("%s: %u words, one of them %u times, %u refused, %zu bytes\n", name, words, most,
           document.refused, stats.live);
    ht_heap_delete(document.heap); /* every word of it, without a walk */
}

int main(void)
{
    static const char text[] = "a heap is a heap is a heap, and what lives together dies together";
    read_document("whole", text, 0);
    read_document("limited", text, 200);
    return 0;
}
