/*
 * The lines of a MIME entity, field by field: unfolding, comments,
 * parameters (RFC 5322 2.2.3, RFC 2045 5.1), all taken leniently. Only for
 * common/report_read.c.
 */
#ifndef COMMON_REPORT_LINES_H
#define COMMON_REPORT_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* What is left to read; ends at a delimiter line where boundary is set. */
struct report_lines {
	const char *at;
	const char *end;
	const char *boundary; /* without "--"; NULL: none */
	char *scratch;	      /* room for all of it and a NUL */
};

enum report_line {
	LINE_FIELD,
	LINE_BLANK,
	LINE_DELIMITER,
	LINE_CLOSE,
	LINE_END
};

/* A field: name and value as they stand in scratch, each ending in NUL. */
struct report_field {
	char *name;
	char *value; /* without space around it */
	size_t len;
};

/*
 * Take the next line, a field with the lines that continue it. A line that
 * has no colon is a field whose name is its first word (RFC 3887 4.1 shows
 * "Status 5.2.2").
 */
enum report_line
report_next_field(struct report_lines *, struct report_field *);

/* Skip to behind the next delimiter line; what ended it. */
enum report_line report_skip_part(struct report_lines *);

/* Take the comments out of a value, and the space around what is left. */
void report_strip_comments(struct report_field *);

/*
 * The inside of the first comment, in place: without its quoting, NUL
 * behind it. "" where there is none.
 */
char *report_first_comment(char *value);

/*
 * The parameter of a Content-Type, in place: unquoted, NUL behind it; any
 * character but ";" and space is taken. NULL where it is missing.
 */
char *report_parameter(char *value, const char *name);

#endif
