/*
 * What heaptape analyze, which runs beside us, tells of each tape as tables for the report: how
 * long blocks live, by size; and what the size classes of allocators make of the sizes asked for.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_TAPE_TABLES_H
#define HEAPTAPE_REPLAYER_DRIVER_TAPE_TABLES_H

#include <stdbool.h>

struct emit;
struct results;
struct results_tape;

enum tape_table { TAPE_TABLE_LIFETIMES, TAPE_TABLE_CLASSES, TAPE_TABLE_LIMIT };

/* Writes the files of every tape, "series/TAPE.lifetimes.csv" and "series/TAPE.classes.csv", and
 * sets its `tables_known`; one that heaptape analyze cannot tell of is left out, and a bench goes
 * on without. Needs interrupt_begin() before. */
void tape_tables_write(struct results *results, const char *folder);
/* As members of the tape's object in results.json: the files' names, null where there is none. */
void tape_tables_emit(const struct results_tape *tape, struct emit *emit);

#endif
