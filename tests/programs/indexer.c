/*
 * A small real program with threads, for the demo and the tests: an inverted index over a folder of
 * text.
 *
 * The main thread walks the folder and hands paths to worker threads; a worker reads a file, splits
 * it into words, collects their positions in a table of its own and passes the table to the merger
 * thread, which merges it into the index and frees what the worker allocated. So blocks of many
 * sizes and lifetimes, lists that grow by realloc, and frees in another thread than the allocation:
 * what servers do to a heap.
 *
 *   indexer THREADS FOLDER [PASSES]     prints the number of files, words and the ten most frequent
 * words
 */
#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define QUEUE_LENGTH 64
#define WORD_MAX     64

struct word {
    struct word *next;
    uint32_t *positions;
    size_t count, capacity;
    char text[];
};

struct table {
    struct word **buckets;
    size_t bucket_count, words;
};

/* A bounded queue of pointers; closed when its producers are done. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *items[QUEUE_LENGTH];
    size_t head, count;
    int producers;
};

static void *must(void *pointer)
{
    if (!pointer) {
        fprintf(stderr, "indexer: out of memory\n");
        exit(1);
    }
    return pointer;
}

static void queue_init(struct queue *queue, int producers)
{
    *queue = (struct queue){.producers = producers};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
}

static void queue_put(struct queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == QUEUE_LENGTH)
        pthread_cond_wait(&queue->changed, &queue->lock);
    queue->items[(queue->head + queue->count++) % QUEUE_LENGTH] = item;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

/* NULL when the queue is empty and no producer is left. */
static void *queue_take(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && queue->producers > 0)
        pthread_cond_wait(&queue->changed, &queue->lock);
    if (queue->count > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % QUEUE_LENGTH;
        queue->count--;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

static void queue_leave(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->producers--;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

static struct table *table_new(size_t bucket_count)
{
    struct table *table = must(malloc(sizeof *table));
    table->buckets = must(calloc(bucket_count, sizeof *table->buckets));
    table->bucket_count = bucket_count;
    table->words = 0;
    return table;
}

static void table_free(struct table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (struct word *word = table->buckets[i], *next; word; word = next) {
            next = word->next;
            free(word->positions);
            free(word);
        }
    }
    free(table->buckets);
    free(table);
}

static struct word **table_slot(const struct table *table, const char *text)
{
    uint64_t hash = 1469598103934665603u;
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    struct word **slot = &table->buckets[hash % table->bucket_count];
    while (*slot && strcmp((*slot)->text, text) != 0)
        slot = &(*slot)->next;
    return slot;
}

static void table_add(struct table *table, const char *text, const uint32_t *positions,
                      size_t count)
{
    struct word **slot = table_slot(table, text);
    struct word *word = *slot;
    if (!word) {
        word = *slot = must(calloc(1, sizeof *word + strlen(text) + 1));
        strcpy(word->text, text);
        table->words++;
    }
    if (word->count + count > word->capacity) {
        word->capacity = (word->count + count) * 2;
        word->positions = must(realloc(word->positions, word->capacity * sizeof *word->positions));
    }
    memcpy(word->positions + word->count, positions, count * sizeof *positions);
    word->count += count;
}

static char *file_read(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file)
        return NULL;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        fclose(file);
        return NULL;
    }
    char *text = must(malloc((size_t)status.st_size + 1));
    *ret_length = fread(text, 1, (size_t)status.st_size, file);
    fclose(file);
    return text;
}

static struct table *file_index(const char *path)
{
    size_t length;
    char *text = file_read(path, &length), word[WORD_MAX];
    if (!text)
        return NULL;
    struct table *table = table_new(256);
    for (size_t i = 0; i < length;) {
        size_t used = 0, start = i;
        for (; i < length && (isalnum((unsigned char)text[i]) || text[i] == '_'); i++) {
            if (used < WORD_MAX - 1)
                word[used++] = text[i];
        }
        if (i == start) {
            i++;
            continue;
        }
        word[used] = 0;
        table_add(table, word, &(uint32_t){(uint32_t)start}, 1);
    }
    free(text);
    return table;
}

static struct queue paths, tables;

static void *worker(void *unused)
{
    for (char *path; (path = queue_take(&paths));) {
        struct table *table = file_index(path);
        free(path);
        if (table)
            queue_put(&tables, table);
    }
    queue_leave(&tables);
    return unused;
}

static void *merger(void *index)
{
    for (struct table *table; (table = queue_take(&tables));) {
        for (size_t i = 0; i < table->bucket_count; i++) {
            for (struct word *word = table->buckets[i]; word; word = word->next)
                table_add(index, word->text, word->positions, word->count);
        }
        table_free(table);
    }
    return NULL;
}

static size_t walk(char *folder)
{
    size_t files = 0;
    char *roots[] = {folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; tree && (entry = fts_read(tree));) {
        if (entry->fts_info == FTS_F) {
            queue_put(&paths, must(strdup(entry->fts_path)));
            files++;
        }
    }
    if (tree)
        fts_close(tree);
    return files;
}

static int by_count(const void *left, const void *right)
{
    const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->text, b->text);
}

static void print_top(const struct table *index, size_t files)
{
    struct word **all = must(malloc((index->words + 1) * sizeof *all));
    size_t count = 0;
    for (size_t i = 0; i < index->bucket_count; i++) {
        for (struct word *word = index->buckets[i]; word; word = word->next)
            all[count++] = word;
    }
    qsort(all, count, sizeof *all, by_count);
    printf("%zu files, %zu words\n", files, count);
    for (size_t i = 0; i < count && i < 10; i++)
        printf("%8zu %s\n", all[i]->count, all[i]->text);
    free(all);
}

static void pass(int threads, char *folder)
{
    struct table *index = table_new(16384);
    pthread_t workers[64], merging;
    queue_init(&paths, 1);
    queue_init(&tables, threads);
    pthread_create(&merging, NULL, merger, index);
    for (int i = 0; i < threads; i++)
        pthread_create(&workers[i], NULL, worker, NULL);
    size_t files = walk(folder);
    queue_leave(&paths);
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i], NULL);
    pthread_join(merging, NULL);
    print_top(index, files);
    table_free(index);
}

int main(int count, char **arguments)
{
    int threads = count > 2 ? atoi(arguments[1]) : 0;
    if (threads < 1 || threads > 64) {
        fprintf(stderr, "usage: indexer THREADS(1..64) FOLDER [PASSES]\n");
        return 2;
    }
    for (int i = 0, passes = count > 3 ? atoi(arguments[3]) : 1; i < passes; i++)
        pass(threads, arguments[2]);
    return 0;
}
