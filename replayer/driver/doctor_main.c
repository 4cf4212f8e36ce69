/* heaptape doctor: what this machine has and lacks, and the command that puts it right. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/machine.h"
#include "replayer/driver/noise.h"
#include "replayer/driver/options.h"
#include "replayer/driver/process.h"
#include "traces/cli.h"

static const char usage[] = "Examples:\n"
                            "  heaptape doctor\n"
                            "  heaptape doctor --format=json\n"
                            "\n"
                            "Usage: heaptape doctor [OPTIONS]\n"
                            "\n"
                            "Looks for everything that heaptape uses: its own parts, allocators, "
                            "the tools behind report, plot and\n"
                            "live, and what of the machine spoils figures. What is missing comes "
                            "with the command that installs\n"
                            "it. Nothing is changed.\n"
                            "\n"
                            "  --format=WORD     table (default), json or csv\n"
                            "  --help, --version\n"
                            "\n"
                            "Exit status: 0 where record, bench and report can run, 4 where "
                            "something that they need is missing.\n";

/* What a finding means for the main job. */
enum doctor_state { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_MISSING, DOCTOR_NEEDED };
static const char *const state_words[] = {"ok", "note", "missing", "needed"};

#define FINDINGS_MAX 64

struct finding {
    const char *name;
    enum doctor_state state;
    char found[192], advice[192];
    const char *package; /* for the one command at the end; NULL for none */
};

struct doctor {
    struct finding findings[FINDINGS_MAX];
    unsigned count;
};

static struct finding *add(struct doctor *doctor, const char *name, enum doctor_state state,
                           const char *found)
{
    if (doctor->count == FINDINGS_MAX)
        abort();
    struct finding *finding = &doctor->findings[doctor->count++];
    finding->name = name;
    finding->state = state;
    snprintf(finding->found, sizeof finding->found, "%s", found);
    return finding;
}

static void lack(struct finding *finding, enum doctor_state state, const char *package,
                 const char *advice)
{
    finding->state = state;
    finding->package = package;
    if (package)
        snprintf(finding->advice, sizeof finding->advice, "apt-get install %s%s%s", package,
                 *advice ? ": " : "", advice);
    else
        snprintf(finding->advice, sizeof finding->advice, "%s", advice);
}

/* The first line that the command prints, where it ends with 0. */
static bool first_line(const char *const *arguments, char *line, unsigned bytes)
{
    struct process_result result;
    struct process_request request = {.arguments = arguments,
                                      .input = PROCESS_NULL,
                                      .output = process_scratch("line"),
                                      .timeout_ns = UINT64_C(20000000000)};
    request.error = PROCESS_NULL;
    process_run(&request, &result);
    process_scratch_text(request.output, line, bytes);
    line[strcspn(line, "\n")] = 0;
    close(request.output);
    if (result.end == PROCESS_INTERRUPTED)
        exit(interrupt_exit_status());
    return result.end == PROCESS_EXITED && result.exit_status == 0;
}

/* ---- parts
 * --------------------------------------------------------------------------------------------- */

static void check_parts(struct doctor *doctor)
{
    static const char *const programs[] = {"heaptape-record", "heaptape-trace", "heaptape-engine",
                                           "heaptape-bench", "heaptape-report"};
    char path[PATH_MAX], missing[160] = "";
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (access(cli_libexec_path(programs[i], path, sizeof path), X_OK) < 0)
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s ",
                     programs[i]);
    if (access(cli_lib_path("libheaptape-record.so", path, sizeof path), R_OK) < 0)
        strncat(missing, "libheaptape-record.so", sizeof missing - strlen(missing) - 1);
    struct finding *finding = add(doctor, "heaptape's parts", DOCTOR_OK, cli_root());
    if (missing[0]) {
        snprintf(finding->found, sizeof finding->found, "not built: %s", missing);
        lack(finding, DOCTOR_NEEDED, NULL, "make");
    }
}

static void check_allocators(struct doctor *doctor)
{
    struct allocator_list list;
    allocators_find(&list, false);
    for (size_t i = 0; i < allocators_known_count; i++) {
        const struct allocator_known *known = &allocators_known[i];
        if (known->textbook || known->named_only)
            continue;
        const struct allocator *found = allocators_named(&list, known->name);
        struct finding *finding = add(doctor, known->name, DOCTOR_OK, "not found");
        if (found)
            snprintf(finding->found, sizeof finding->found, "%.60s%s%.120s", found->version,
                     found->path[0] ? ", " : "", found->path);
        else if (known->package)
            lack(finding, DOCTOR_MISSING, known->package, "to replay on it");
        else
            lack(finding, DOCTOR_NEEDED, NULL, "make");
    }
}

static void check_tool(struct doctor *doctor, const char *name, const char *package,
                       const char *use)
{
    char line[160];
    const char *arguments[] = {name, "--version", NULL};
    bool there = first_line(arguments, line, sizeof line);
    struct finding *finding = add(doctor, name, DOCTOR_OK, there ? line : "not found");
    if (!there)
        lack(finding, DOCTOR_MISSING, package, use);
}

/* The interpreters that heaptape report tries, in its order. */
static void check_python(struct doctor *doctor)
{
    static const char *const pythons[] = {"/usr/bin/python3", "python3", "/usr/local/bin/python3"};
    static const char program[] = "import sys, matplotlib, numpy, jinja2; print('python', "
                                  "sys.version.split()[0] + ', matplotlib', "
                                  "matplotlib.__version__, 'by', sys.executable)";
    char line[180];
    for (size_t i = 0; i < sizeof pythons / sizeof *pythons; i++) {
        const char *arguments[] = {pythons[i], "-c", program, NULL};
        if (first_line(arguments, line, sizeof line)) {
            add(doctor, "python for the report", DOCTOR_OK, line);
            return;
        }
    }
    lack(add(doctor, "python for the report", DOCTOR_OK, "none with matplotlib, numpy and jinja2"),
         DOCTOR_NEEDED, "python3 python3-matplotlib python3-numpy python3-jinja2", "");
}

/* ---- the machine
 * ---------------------------------------------------------------------------------------- */

static void check_machine(struct doctor *doctor)
{
    struct machine machine;
    char text[128], memory[16];
    machine_describe(&machine);
    snprintf(text, sizeof text, "%.70s, %u cores, %s", machine.cpu_model, machine.cores,
             cli_format_bytes(machine.memory_bytes, memory));
    add(doctor, "machine", DOCTOR_OK, text);
    struct finding *finding = add(doctor, "huge pages", DOCTOR_OK, machine.thp);
    if (!strcmp(machine.thp, "always"))
        lack(finding, DOCTOR_NOTE, NULL,
             "resident counts 2 MiB pages; echo madvise > "
             "/sys/kernel/mm/transparent_hugepage/enabled");
    finding = add(doctor, "CPU governor", DOCTOR_OK,
                  machine.governor[0] ? machine.governor : "not told (a virtual machine?)");
    if (machine.governor[0] && strcmp(machine.governor, "performance") != 0)
        lack(finding, DOCTOR_NOTE, NULL, "cpupower frequency-set -g performance");
}

static void check_noise(struct doctor *doctor)
{
    struct noise noise = {.count = 0};
    char text[96];
    noise_sample(&noise, 40);
    double percent = noise_percent(&noise);
    snprintf(text, sizeof text, "the same computation varied by %.1f %%", percent);
    struct finding *finding = add(doctor, "noise", DOCTOR_OK, text);
    if (percent >= NOISE_WARN_PERCENT)
        lack(finding, DOCTOR_NOTE, NULL, "close other programs, or use more rounds (bench -n 15)");
}

static void check_kernel(struct doctor *doctor)
{
    char line[64];
    machine_read_line("/proc/sys/kernel/perf_event_paranoid", line, sizeof line);
    add(doctor, "perf counters", DOCTOR_OK,
        line[0] ? "the kernel has them (not used yet)" : "none here (not used yet)");
    machine_read_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof line);
    add(doctor, "ptrace", DOCTOR_OK,
        line[0] && line[0] != '0' ? "children only (kernel.yama.ptrace_scope)" : "allowed");
    int fd = process_scratch("doctor");
    struct finding *finding =
        add(doctor, "memory files", DOCTOR_OK, fd >= 0 ? "memfd_create works" : strerror(errno));
    if (fd < 0)
        lack(finding, DOCTOR_NEEDED, NULL, "run on Linux 3.17 or newer without a filter on it");
    else
        close(fd);
}

/* ---- what is printed
 * ------------------------------------------------------------------------------------ */

static void print_findings(const struct doctor *doctor, enum emit_format format, bool can_run)
{
    struct emit emit;
    emit_begin(&emit, stdout, format);
    emit_object(&emit, NULL);
    if (format == EMIT_JSON) {
        emit_u64(&emit, "schema_version", 1);
        emit_bool(&emit, "main_job_can_run", can_run);
    }
    emit_array(&emit, format == EMIT_TABLE ? NULL : "findings");
    for (unsigned i = 0; i < doctor->count; i++) {
        const struct finding *finding = &doctor->findings[i];
        emit_object(&emit, NULL);
        emit_string(&emit, "what", finding->name);
        emit_string(&emit, "state", state_words[finding->state]);
        emit_string(&emit, "found", finding->found);
        emit_string(&emit, "advice", finding->advice);
        emit_end(&emit);
    }
    emit_end(&emit);
    emit_end(&emit);
    emit_finish(&emit);
}

/* One command for all that is missing. */
static void print_advice(const struct doctor *doctor, bool can_run)
{
    char packages[512] = "";
    for (unsigned i = 0; i < doctor->count; i++)
        if (doctor->findings[i].package) {
            strncat(packages, " ", sizeof packages - strlen(packages) - 1);
            strncat(packages, doctor->findings[i].package, sizeof packages - strlen(packages) - 1);
        }
    if (packages[0])
        printf("\nEverything that is missing: %sapt-get install%s\n", geteuid() ? "sudo " : "",
               packages);
    printf("\n%s\n", can_run ? "The main job can run: heaptape compare -- PROGRAM ARGS"
                             : "The main job cannot run until what is needed is there.");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"format", required_argument, NULL, OPTION_FORMAT},
                                            OPTIONS_COMMON};
    static struct doctor doctor;
    enum emit_format format = EMIT_TABLE;
    bool can_run = true;
    cli_begin("doctor");
    for (int option; (option = options_next(argc, argv, ":h", options, usage)) != -1;)
        if (option == OPTION_FORMAT)
            format = options_format(optarg);
    if (optind < argc)
        cli_die_usage("%s: takes no arguments", argv[optind]);
    interrupt_begin();
    check_parts(&doctor);
    check_allocators(&doctor);
    check_tool(&doctor, "gcc", "gcc", "to build heaptape and your programs");
    check_python(&doctor);
    check_tool(&doctor, "gnuplot", "gnuplot-nox", "for heaptape plot");
    check_tool(&doctor, "hyperfine", "hyperfine", "for heaptape live");
    check_machine(&doctor);
    check_noise(&doctor);
    check_kernel(&doctor);
    for (unsigned i = 0; i < doctor.count; i++)
        can_run &= doctor.findings[i].state != DOCTOR_NEEDED;
    print_findings(&doctor, format, can_run);
    if (format == EMIT_TABLE)
        print_advice(&doctor, can_run);
    return cli_end(can_run ? HEAPTAPE_EXIT_OK : HEAPTAPE_EXIT_ENVIRONMENT);
}
