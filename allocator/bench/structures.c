/* Data structures that are built, changed and torn down: trees, tables, graphs, documents. */
#include "allocator/bench/kernel.h"

struct tree {
    struct tree *left, *right;
};

static struct tree *grow(int depth)
{
    struct tree *tree = malloc(sizeof *tree);
    tree->left = depth > 0 ? grow(depth - 1) : NULL;
    tree->right = depth > 0 ? grow(depth - 1) : NULL;
    return used(tree);
}

static void fell(struct tree *tree)
{
    if (tree == NULL)
        return;
    fell(tree->left);
    fell(tree->right);
    free(tree);
}

static void trees(uint64_t *state)
{
    struct tree *lasting = grow(17);
    for (int i = 0; i < 2000; i++)
        fell(grow(9 + (int)random_below(state, 6)));
    fell(lasting);
}

/* A search tree whose nodes carry values of their own sizes; inserts and removals at random. */
struct node {
    struct node *child[2];
    uint32_t key, size;
    char value[];
};

static void search_tree(uint64_t *state)
{
    struct node *root = NULL;
    for (long i = 0; i < 1600000; i++) {
        uint32_t key = (uint32_t)random_below(state, 60000) * 2654435761u;
        struct node **at = &root;
        while (*at != NULL && (*at)->key != key)
            at = &(*at)->child[(*at)->key < key];
        if (*at == NULL) {
            size_t size = mixed_size(state, 4);
            *at = calloc(1, sizeof **at + size);
            (*at)->key = key;
            (*at)->size = (uint32_t)size;
            (*at)->value[size - 1] = 1;
        } else if ((*at)->child[0] == NULL || (*at)->child[1] == NULL) {
            struct node *gone = *at;
            *at = gone->child[gone->child[0] == NULL];
            free(gone);
        }
    }
    while (root != NULL) { /* by turning it into a list */
        struct node *left = root->child[0];
        if (left != NULL) {
            root->child[0] = left->child[1];
            left->child[1] = root;
            root = left;
        } else {
            struct node *next = root->child[1];
            free(root);
            root = next;
        }
    }
}

/* A hash table of strings that grows and whose entries come and go. */
struct entry {
    struct entry *next;
    uint64_t hash;
    char *key;
};

struct table {
    struct entry **buckets;
    size_t size, count;
};

static void table_grow(struct table *table)
{
    size_t size = table->size == 0 ? 8 : table->size * 2;
    struct entry **buckets = calloc(size, sizeof *buckets);
    for (size_t at = 0; at < table->size; at++) {
        for (struct entry *entry = table->buckets[at], *next; entry != NULL; entry = next) {
            next = entry->next;
            entry->next = buckets[entry->hash % size];
            buckets[entry->hash % size] = entry;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->size = size;
}

static void table_drop(struct table *table, size_t bucket)
{
    struct entry *entry = table->buckets[bucket];
    if (entry == NULL)
        return;
    table->buckets[bucket] = entry->next;
    free(entry->key);
    free(entry);
    table->count--;
}

static void hash_table(uint64_t *state)
{
    for (int round = 0; round < 2; round++) {
        struct table table = {NULL, 0, 0};
        for (int i = 0; i < 450000; i++) {
            if (table.count >= table.size)
                table_grow(&table);
            struct entry *entry = malloc(sizeof *entry);
            entry->hash = next_random(state);
            entry->key = take(random_between(state, 8, 48));
            entry->next = table.buckets[entry->hash % table.size];
            table.buckets[entry->hash % table.size] = entry;
            table.count++;
            if (i % 3 == 0)
                table_drop(&table, random_below(state, table.size));
        }
        for (size_t at = 0; at < table.size; at++) {
            while (table.buckets[at] != NULL)
                table_drop(&table, at);
        }
        free(table.buckets);
    }
}

/* A random graph: vertices with lists of edges that grow; vertices are cut out and replaced. */
struct vertex {
    uint32_t *edges;
    uint32_t count, room;
    char *label;
};

static struct vertex *vertex_new(uint64_t *state)
{
    struct vertex *vertex = calloc(1, sizeof *vertex);
    vertex->label = take(random_between(state, 10, 60));
    return vertex;
}

static void vertex_free(struct vertex *vertex)
{
    free(vertex->edges);
    free(vertex->label);
    free(vertex);
}

static void graph(uint64_t *state)
{
    enum { vertices = 60000 };
    static struct vertex *all[vertices];
    for (int i = 0; i < vertices; i++)
        all[i] = vertex_new(state);
    for (long i = 0; i < 6000000; i++) {
        uint32_t from = (uint32_t)random_below(state, vertices);
        struct vertex *vertex = all[from];
        if (random_below(state, 40) == 0) {
            vertex_free(vertex);
            all[from] = vertex_new(state);
            continue;
        }
        if (vertex->count == vertex->room) {
            vertex->room = vertex->room == 0 ? 2 : vertex->room * 2;
            vertex->edges = realloc(vertex->edges, vertex->room * sizeof *vertex->edges);
        }
        vertex->edges[vertex->count++] = (uint32_t)random_below(state, vertices);
    }
    for (int i = 0; i < vertices; i++)
        vertex_free(all[i]);
}

/* A document of nested values, built as a parser does, walked and freed. */
struct value {
    struct value *next, *first;
    char *name, *text;
};

static struct value *document(uint64_t *state, int depth, int *budget)
{
    struct value *value = calloc(1, sizeof *value);
    (*budget)--;
    if ((next_random(state) & 3) != 0)
        value->name = take(random_between(state, 3, 20));
    if (depth == 0 || (next_random(state) & 1) != 0) {
        value->text = take(random_below(state, 20) == 0 ? random_between(state, 100, 2000)
                                                        : random_between(state, 1, 40));
        return value;
    }
    for (size_t i = random_between(state, 1, 12); i > 0 && *budget > 0; i--) {
        struct value *child = document(state, depth - 1, budget);
        child->next = value->first;
        value->first = child;
    }
    return value;
}

static void document_free(struct value *value)
{
    while (value != NULL) {
        struct value *next = value->next;
        document_free(value->first);
        free(value->name);
        free(value->text);
        free(value);
        value = next;
    }
}

static void documents(uint64_t *state)
{
    enum { open_most = 24 };
    static struct value *open[open_most];
    for (int i = 0; i < 1500; i++) {
        size_t slot = random_below(state, open_most);
        document_free(open[slot]);
        struct value *root = calloc(1, sizeof *root);
        int budget = (int)random_between(state, 200, 3000);
        while (budget > 0) {
            struct value *child = document(state, 8, &budget);
            child->next = root->first;
            root->first = child;
        }
        open[slot] = root;
    }
    for (int i = 0; i < open_most; i++)
        document_free(open[i]);
}

/* Like espresso, the logic minimiser: covers are arrays of small bit sets, made, merged, thrown
 * away. */
static void covers(uint64_t *state)
{
    enum { most = 600 };
    uint32_t *cubes[most];
    for (int pass = 0; pass < 2600; pass++) {
        size_t words = random_between(state, 2, 24), count = random_between(state, 50, most);
        for (size_t i = 0; i < count; i++) {
            cubes[i] = calloc(words + 1, sizeof **cubes);
            cubes[i][random_below(state, words)] = (uint32_t)next_random(state);
        }
        for (int merge = 0; merge < 6000; merge++) {
            uint32_t *left = cubes[random_below(state, count)];
            size_t right = random_below(state, count);
            uint32_t *both = malloc((words + 1) * sizeof *both);
            for (size_t word = 0; word <= words; word++)
                both[word] = left[word] | cubes[right][word];
            if ((both[0] & 7) == 0) {
                free(used(both));
                continue;
            }
            free(cubes[right]);
            cubes[right] = both;
        }
        for (size_t i = 0; i < count; i++)
            free(cubes[i]);
    }
}

const struct kernel structure_kernels[] = {
    {"trees", "binary trees grown and felled", trees},
    {"search-tree", "a search tree, inserts and removals", search_tree},
    {"hash-table", "a table of strings that grows", hash_table},
    {"graph", "a random graph whose vertices are replaced", graph},
    {"documents", "nested documents parsed and freed", documents},
    {"covers", "arrays of small bit sets, as in a logic minimiser", covers},
    {NULL, NULL, NULL},
};
