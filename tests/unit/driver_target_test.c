/* Which programs can be preloaded (traces/target.h), on files made here. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/check.h"
#include "traces/target.h"

static char folder[] = "/tmp/heaptape-target-XXXXXX";
static struct target target;

static const char *make(const char *name, const char *content, size_t bytes, mode_t mode)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (!CHECK(file != NULL))
        return path;
    fwrite(content, 1, bytes, file);
    fclose(file);
    chmod(path, mode);
    return path;
}

static void copy_true(const char *name, mode_t mode, char path[128])
{
    char command[256];
    snprintf(path, 128, "%s/%s", folder, name);
    snprintf(command, sizeof command, "cp /bin/true %s", path);
    CHECK_EQ_INT(system(command), 0);
    chmod(path, mode);
}

#define MAKE(name, text, mode) make(name, text, sizeof(text) - 1, mode)

static void test_programs(void)
{
    CHECK_EQ_INT(target_check("sh", &target), TARGET_OK);
    CHECK(target.path[0] == '/');
    CHECK_STR(target.path, target.binary);
    CHECK_STR(target.message, "");
    CHECK_EQ_INT(target_check("/bin/true", &target), TARGET_OK);
}

static void test_what_is_not_there(void)
{
    CHECK_EQ_INT(target_check("no-such-program-here", &target), TARGET_NOT_FOUND);
    CHECK_EQ_INT(target_check("./no/such/path", &target), TARGET_NOT_FOUND);
    CHECK_EQ_INT(target_check("", &target), TARGET_NOT_FOUND);
    CHECK_EQ_INT(target_check(folder, &target), TARGET_NOT_EXECUTABLE);
    CHECK_EQ_INT(target_check(MAKE("plain", "text\n", 0644), &target), TARGET_NOT_EXECUTABLE);
    CHECK(target.message[0]);
}

static void test_scripts_lead_to_their_interpreter(void)
{
    CHECK_EQ_INT(target_check(MAKE("one", "#!/bin/sh\n", 0755), &target), TARGET_OK);
    CHECK_STR(target.binary, "/bin/sh");
    CHECK_EQ_INT(target_check(MAKE("two", "#! /usr/bin/env -S A=1 sh -e\n", 0755), &target),
                 TARGET_OK);
    CHECK(!strcmp(target.binary + strlen(target.binary) - 3, "/sh"));
    CHECK_EQ_INT(target_check(MAKE("three", "echo no first line\n", 0755), &target), TARGET_OK);
    CHECK_STR(target.binary, "/bin/sh");
    CHECK_EQ_INT(target_check(MAKE("four", "#!/no/such/interpreter\n", 0755), &target),
                 TARGET_NOT_FOUND);
    CHECK_EQ_INT(target_check(MAKE("empty", "", 0755), &target), TARGET_OK);
}

static void test_a_script_of_itself(void)
{
    char line[160];
    int length = snprintf(line, sizeof line, "#!%s/self\n", folder);
    CHECK_EQ_INT(target_check(make("self", line, (size_t)length, 0755), &target), TARGET_NOT_ELF);
}

static void test_setuid(void)
{
    char path[128];
    copy_true("setuid", 04755, path);
    CHECK_EQ_INT(target_check(path, &target), TARGET_SETUID);
    copy_true("setgid", 02755, path);
    CHECK_EQ_INT(target_check(path, &target), TARGET_SETUID);
    CHECK_EQ_INT(target_exit_status(target.class), 4);
}

/* A whole program file, then cut short and changed a byte at a time: a class, never a crash. */
static void test_torn_programs(void)
{
    static char bytes[1 << 20];
    FILE *file = fopen("/bin/true", "re");
    size_t count = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    if (!CHECK(count > 4096))
        return;
    for (size_t cut = 0; cut < 1024; cut += 7) {
        enum target_class class = target_check(make("torn", bytes, cut, 0755), &target);
        if (cut >= 4 && cut < 64)
            CHECK_EQ_INT(class, TARGET_NOT_ELF);
    }
    for (size_t at = 4; at < 512; at++) {
        char before = bytes[at];
        bytes[at] = (char)~before;
        target_check(make("flipped", bytes, count, 0755), &target);
        bytes[at] = before;
    }
    CHECK_EQ_INT(target_check(make("whole", bytes, count, 0755), &target), TARGET_OK);
    bytes[4] = 1; /* ELFCLASS32 */
    CHECK_EQ_INT(target_check(make("small", bytes, count, 0755), &target), TARGET_FOREIGN_LIBC);
}

static void test_static(void)
{
    if (access("/sbin/ldconfig", X_OK) == 0) /* static on Debian */
        CHECK_EQ_INT(target_check("/sbin/ldconfig", &target), TARGET_STATIC);
    char path[128], command[512];
    snprintf(path, sizeof path, "%s/static", folder);
    snprintf(command, sizeof command,
             "echo 'int main(void){return 0;}' | ${CC:-cc} -static -x c - -o %s 2>/dev/null", path);
    if (system(command) == 0)
        CHECK_EQ_INT(target_check(path, &target), TARGET_STATIC);
}

static void test_exit_statuses(void)
{
    CHECK_EQ_INT(target_exit_status(TARGET_OK), 0);
    CHECK_EQ_INT(target_exit_status(TARGET_NOT_FOUND), 127);
    CHECK_EQ_INT(target_exit_status(TARGET_NOT_EXECUTABLE), 126);
    CHECK_EQ_INT(target_exit_status(TARGET_STATIC), 4);
    CHECK_EQ_INT(target_exit_status(TARGET_FOREIGN_LIBC), 4);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    RUN(test_programs);
    RUN(test_what_is_not_there);
    RUN(test_scripts_lead_to_their_interpreter);
    RUN(test_a_script_of_itself);
    RUN(test_setuid);
    RUN(test_torn_programs);
    RUN(test_static);
    RUN(test_exit_statuses);
    check_unused();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        printf("%s is left behind\n", folder);
    return CHECK_MAIN_END();
}
