/* What the library does by itself: reading the switches when it is loaded, pictures and the leak
 * check at exit or at a signal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lock.h"
#include "options.h"
#include "setup.h"
#include "textbook.h"
#include "words.h"

/* A copy of stderr for what is told at exit: ls and its kin close theirs before they end. */
#define KEPT_LEAST 100 /* out of the way of programs that count on low numbers */
static int kept_stderr = -1;

/* The path with %p replaced. Returns a file descriptor, stderr where none was asked for. */
static int open_picture(void)
{
    char path[sizeof options.picture_file + 24];
    struct words words = {.file = -1};
    const char *at = options.picture_file, *process = strstr(at, "%p");
    if (!*at)
        return STDERR_FILENO;
    for (; *at && at != process; at++)
        words_text(&words, (char[]){*at, 0});
    if (process) {
        words_number(&words, (size_t)getpid());
        words_text(&words, process + 2);
    }
    memcpy(path, words.text, words.length);
    path[words.length] = 0;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        struct words complaint = {.file = STDERR_FILENO};
        words_text(&complaint, "textbook: ");
        words_text(&complaint, path);
        words_text(&complaint, ": cannot be written; give another TEXTBOOK_PICTURE_FILE\n");
        words_flush(&complaint);
    }
    return file;
}

static void draw(void)
{
    int saved = errno, file = open_picture();
    if (file >= 0)
        textbook_picture(file, options.picture == PICTURE_SVG);
    if (file > STDERR_FILENO)
        close(file);
    errno = saved;
}

/* The signal may have come in the middle of malloc(): then the picture is drawn at its end. */
static void on_signal(int number)
{
    (void)number;
    if (!lock_try()) {
        lock_wish();
        return;
    }
    lock_wish();
    lock_give();
}

void setup_is_linked(void) {}

static __attribute__((constructor)) void setup(int count, char **words, char **environment)
{
    (void)count;
    (void)words;
    if (!options.policy)
        options_read(environment);
    lock_setup();
    lock_wished = draw;
    if (options.leaks || options.picture)
        kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, KEPT_LEAST);
    if (options.picture && options.picture_signal) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigaction(options.picture_signal, &action, NULL);
    }
}

static __attribute__((destructor)) void finish(void)
{
    if (kept_stderr >= 0 && fcntl(STDERR_FILENO, F_GETFD) < 0)
        dup2(kept_stderr, STDERR_FILENO);
    if (options.leaks)
        textbook_leaks();
    if (options.picture && !options.picture_signal)
        draw();
}
