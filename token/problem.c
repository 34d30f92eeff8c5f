/*
 * Why the command failed: its exit status, and words for the user.
 */
#include "token/problem.h"

#include <stdarg.h>
#include <stdio.h>

int
problem_set(
    struct problem *p, enum problem_exit status, const char *format, ...)
{
	va_list args;

	if (p->exit != PROBLEM_NONE)
		return -1;
	p->exit = status;
	va_start(args, format);
	vsnprintf(p->text, sizeof(p->text), format, args);
	va_end(args);
	return -1;
}
