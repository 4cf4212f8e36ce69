#include "stats_exit.h"

#include "message.h"
#include "options.h"
#include "os.h"
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The process whose heap this is: not that of a child of vfork. */
static pid_t own_pid;
static bool told;
static int kept_stderr = -1; /* a copy: many programs close theirs before they end */

/* --- text of any length, in memory that is mapped for it --- */

struct text {
    char *start;
    size_t length, room;
};

static void add(struct text *text, const char *what)
{
    size_t length = strlen(what);
    if (length > text->room - text->length)
        length = text->room - text->length;
    memcpy(text->start + text->length, what, length);
    text->length += length;
}

static void add_number(struct text *text, const char *key, size_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    if (text->start[text->length - 1] != '{')
        add(text, ",");
    add(text, "\"");
    add(text, key);
    add(text, "\":");
    add(text, digits + at);
}

/* Bytes that JSON would want in code are question marks. */
static void add_word(struct text *text, const char *key, const char *word)
{
    add(text, ",\"");
    add(text, key);
    add(text, "\":\"");
    size_t from = text->length;
    add(text, word);
    for (; from < text->length; from++) {
        char *at = &text->start[from];
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\')
            *at = '?';
    }
    add(text, "\"");
}

/* --- the line --- */

#define KEY_bytes(name) #name "_bytes"
#define KEY_count(name) #name

static void add_classes(struct text *text, const struct ht_class_stats *classes)
{
    const char *before = "";
    add(text, ",\"classes\":[");
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        const struct ht_class_stats *at = &classes[i];
        if (at->runs == 0)
            continue;
        add(text, before);
        before = ",";
        add(text, "{");
        add_number(text, "block_bytes", at->block_bytes);
        add_number(text, "runs", at->runs);
        add_number(text, "live_blocks", at->live_blocks);
        add_number(text, "free_blocks", at->free_blocks);
        add_number(text, "carved_blocks", at->carved_blocks);
        add_number(text, "capacity_blocks", at->capacity_blocks);
        add(text, "}");
    }
    add(text, "]");
}

static void add_threads(struct text *text, const struct ht_thread_stats *threads, size_t count)
{
    add(text, ",\"threads\":[");
    for (size_t i = 0; i < count; i++) {
        const struct ht_thread_stats *at = &threads[i];
        add(text, i == 0 ? "{" : ",{");
        add_number(text, "number", at->number);
        add_number(text, "running", at->running);
        add_number(text, "runs", at->runs);
        add_number(text, "live_bytes", at->live);
        add_number(text, "free_in_runs_bytes", at->free_in_runs);
        add_number(text, "cached_bytes", at->cached);
        add(text, "}");
    }
    add(text, "]");
}

static void add_line(struct text *text, struct ht_thread_stats *threads, size_t count)
{
    struct stats stats;
    stats_take(&stats, threads, count);
    add(text, "{");
    add_number(text, "schema_version", HT_STATS_VERSION);
    add_word(text, "library", ht_version());
    add_number(text, "pid", (size_t)getpid());
    add_number(text, "parent_pid", (size_t)getppid());
    add_word(text, "program", program_invocation_short_name);
#define ADD(name, unit, meaning) add_number(text, KEY_##unit(name), stats.all.name);
    HT_STATS_FIELDS(ADD)
#undef ADD
    add_classes(text, stats.classes);
    add_threads(text, threads, count);
    add(text, "}\n");
}

/* --- the file --- */

/* The path with the number of the process for each "%p"; false when that is too long. */
static bool path_of(char *path, size_t room)
{
    struct ht_line number = {.length = 0};
    line_number(&number, (uint64_t)getpid());
    size_t length = 0;
    for (const char *at = options.stats_file; *at != '\0'; at++) {
        bool is_number = at[0] == '%' && at[1] == 'p';
        size_t bytes = is_number ? number.length : 1;
        if (length + bytes >= room)
            return false;
        memcpy(path + length, is_number ? number.text : at, bytes);
        length += bytes;
        at += is_number;
    }
    path[length] = '\0';
    return true;
}

static void complain(const char *path, int error)
{
    struct ht_line line = {.length = 0};
    line_text(&line, "htmalloc: " OPTION_STATS_FILE ": cannot write ");
    line_text(&line, path);
    line_text(&line, ": ");
    line_text(&line, strerrordesc_np(error));
    line_write(&line);
}

static void write_text(const struct text *text)
{
    char path[2 * OPTION_STATS_FILE_MAX];
    int file = -1;
    errno = ENAMETOOLONG;
    if (path_of(path, sizeof path))
        file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    for (size_t done = 0; file >= 0 && done < text->length;) {
        ssize_t got = write(file, text->start + done, text->length - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            complain(path, errno);
            break;
        }
        done += (size_t)got;
    }
    if (file < 0)
        complain(options.stats_file, errno);
    else
        close(file);
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + HT_PAGE - 1) & ~(HT_PAGE - 1);
}

static void write_line(void)
{
    size_t count = stats_count_threads();
    size_t threads_bytes = whole_pages((count + 1) * sizeof(struct ht_thread_stats));
    size_t room = whole_pages(4096 + (CLASS_COUNT + count) * 256);
    char *scratch = os_map(threads_bytes + room, HT_PAGE);
    if (scratch == NULL) {
        complain(options.stats_file, ENOMEM);
        return;
    }
    struct text text = {.start = scratch + threads_bytes, .room = room};
    add_line(&text, (struct ht_thread_stats *)scratch, count);
    write_text(&text);
    os_unmap(scratch, threads_bytes + room);
}

static void in_child(void)
{
    own_pid = getpid();
    told = false;
}

static bool is_asked_for(void)
{
    return options.stats != 0 || options.stats_file[0] != '\0';
}

void stats_exit_setup(void)
{
    if (!is_asked_for())
        return;
    own_pid = getpid();
    pthread_atfork(NULL, NULL, in_child);
    at_quick_exit(stats_at_exit);
    kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
}

void stats_at_exit(void)
{
    if (!is_asked_for() || getpid() != own_pid ||
        __atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
        return;
    int saved = errno;
    if (kept_stderr >= 0 && fcntl(STDERR_FILENO, F_GETFD) < 0)
        dup2(kept_stderr, STDERR_FILENO);
    if (options.stats != 0)
        ht_stats_print();
    if (options.stats_file[0] != '\0')
        write_line();
    errno = saved;
}
