/* What a process tells at its end, where an option asks for it. stats=1: the text on stderr.
 *
 * stats_file=PATH: each process adds its statistics to the file, one line of JSON, in one write to
 * the file's end, so that the lines of several processes follow each other in one file. `%p` in the
 * path is the number of the process.
 *
 * Both happen when the process returns from main, calls exit or quick_exit, or calls _exit or _Exit
 * through the dynamic linker; children of fork tell their own, and so does what they exec, since it
 * finds the same environment. Nothing is told when a signal ends the process, when it replaces
 * itself by exec, or for a child of vfork, whose heap is its parent's.
 *
 *     {"schema_version":1, "library":"htmalloc 1.0", "pid":7, "parent_pid":1, "program":"ls",
 *      "live_bytes":..., ... each of HT_STATS_FIELDS, those in bytes with _bytes behind the name,
 *      "classes":[{"block_bytes":16,"runs":1,"live_blocks":9,"free_blocks":0,"carved_blocks":256,
 *                  "capacity_blocks":1024}, ... those that have runs],
 *      "threads":[{"number":1,"running":1,"runs":1,"live_bytes":144,"free_in_runs_bytes":0,
 *                  "cached_bytes":0}, ...]} */
#ifndef HTMALLOC_STATS_EXIT_H
#define HTMALLOC_STATS_EXIT_H

/* To be called when the options have been read. */
void stats_exit_setup(void);

/* What is to be done once the process ends: statistics to stderr, to the file, both or neither.
 * Later calls do nothing. */
void stats_at_exit(void);

#endif
