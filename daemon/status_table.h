/*
 * What waybilld says about its processes, for people and for programs: lines
 * of key=value, one a process, its first the daemon's own.
 */
#ifndef DAEMON_STATUS_TABLE_H
#define DAEMON_STATUS_TABLE_H

#include <stdio.h>

/* A table, what a child says about itself at the end, and a line of totals. */
void status_print_table(const char *text, FILE *out);

/* One object: "waybilld", "processes" and "total". */
void status_print_json(const char *text, FILE *out);

#endif
