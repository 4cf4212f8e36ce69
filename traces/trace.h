/*
 * The subcommands of `heaptape trace`, each in a file of its own: trace_NAME.c. argv[0] is the
 * subcommand's name. Returns the exit status; bad usage and bad input end the program through
 * cli.h.
 */
#ifndef HEAPTAPE_TRACES_TRACE_H
#define HEAPTAPE_TRACES_TRACE_H

int trace_info(int argc, char **argv);
int trace_dump(int argc, char **argv);
int trace_check(int argc, char **argv);
int trace_slice(int argc, char **argv);
int trace_convert(int argc, char **argv);
int trace_synth(int argc, char **argv);
int trace_top(int argc, char **argv);
int trace_resolve(int argc, char **argv);

#endif
