/*
 * The head of a line of syslog: RFC 3164 with or without a priority, the
 * same with a time of RFC 3339, and RFC 5424.
 */
#include "track/syslog_line.h"

#include "track/scan.h"

enum { PRIORITY_MAX = 191 };

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Exactly so many digits; a blank may stand for the first of two. */
static bool
fixed_number(struct octets *at, size_t digits, bool blank, int *number)
{
	size_t i = 0;

	*number = 0;
	if (at->len < digits)
		return false;
	if (blank && at->data[0] == ' ')
		i = 1;
	for (; i < digits; i++) {
		if (!is_digit(at->data[i]))
			return false;
		*number = *number * 10 + (at->data[i] - '0');
	}
	*at = scan_from(*at, digits);
	return true;
}

/* Milliseconds from "." and digits; what is finer is dropped. */
static void
fraction(struct octets *at, struct log_time *t)
{
	int scale = 100;

	t->ms = 0;
	if (at->len < 2 || at->data[0] != '.' || !is_digit(at->data[1]))
		return;
	*at = scan_from(*at, 1);
	for (; at->len > 0 && is_digit(at->data[0]); scale /= 10) {
		t->ms += (at->data[0] - '0') * scale;
		*at = scan_from(*at, 1);
	}
}

static bool
time_of_day(struct octets *at, struct log_time *t)
{
	if (!fixed_number(at, 2, false, &t->hour) || !scan_skip(at, ":") ||
	    !fixed_number(at, 2, false, &t->minute) || !scan_skip(at, ":") ||
	    !fixed_number(at, 2, false, &t->second))
		return false;
	fraction(at, t);
	return true;
}

bool
syslog_line_date(struct octets *at, char sep, struct log_time *t)
{
	const char after[] = { sep, '\0' };

	return fixed_number(at, 4, false, &t->year) && t->year > 0 &&
	    scan_skip(at, "-") && fixed_number(at, 2, false, &t->month) &&
	    scan_skip(at, "-") && fixed_number(at, 2, false, &t->day) &&
	    scan_skip(at, after) && time_of_day(at, t);
}

/* RFC 3339 5.6: a zone always follows. */
static bool
offset(struct octets *at, struct log_time *t)
{
	int hours, minutes;
	bool west;

	t->has_offset = true;
	t->offset = 0;
	if (scan_skip(at, "Z"))
		return true;
	west = at->len > 0 && at->data[0] == '-';
	if (!scan_skip(at, west ? "-" : "+") ||
	    !fixed_number(at, 2, false, &hours) || !scan_skip(at, ":") ||
	    !fixed_number(at, 2, false, &minutes))
		return false;
	t->offset = (60 * hours + minutes) * (west ? -1 : 1);
	return true;
}

/* RFC 3164 4.1.2: "Jan  2 03:04:05"; some write "Jan 02". */
static bool
month_first(struct octets *at, struct log_time *t)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	t->month = 0;
	for (int i = 0; i < 12 && at->len > 3; i++)
		if (memcmp(at->data, names + (size_t)i * 3, 3) == 0)
			t->month = i + 1;
	if (t->month == 0)
		return false;
	*at = scan_from(*at, 3);
	return scan_skip(at, " ") && fixed_number(at, 2, true, &t->day) &&
	    scan_skip(at, " ") && time_of_day(at, t);
}

static bool
any_time(struct octets *at, struct log_time *t)
{
	if (at->len > 0 && is_digit(at->data[0]))
		return syslog_line_date(at, 'T', t) && offset(at, t);
	return month_first(at, t);
}

static bool
word(struct octets *at, struct octets *out)
{
	return scan_before(at, " ", out) && out->len > 0;
}

/* RFC 3164 4.1.3: "program[pid]: text". */
static bool
tag(struct octets at, struct syslog_line *line)
{
	size_t i = 0;

	while (i < at.len && at.data[i] > ' ' && at.data[i] != '[' &&
	    at.data[i] != ':')
		i++;
	line->program = scan_cut(at, i);
	at = scan_from(at, i);
	line->pid = 0;
	if (scan_skip(&at, "[") &&
	    (!scan_number(&at, UINT32_MAX, &line->pid) || !scan_skip(&at, "]")))
		return false;
	if (i == 0 || !scan_skip(&at, ": "))
		return false;
	line->text = at;
	return true;
}

/* RFC 5424 6.3: "-", or elements whose values are quoted. */
static bool
structured_data(struct octets *at)
{
	bool quoted = false;

	if (scan_skip(at, "-"))
		return true;
	for (size_t i = 0; i < at->len; i++) {
		uint8_t c = at->data[i];

		if (i == 0 && c != '[')
			return false;
		if (c == '\\' && quoted)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ']' && !quoted &&
		    (i + 1 == at->len || at->data[i + 1] != '[')) {
			*at = scan_from(*at, i + 1);
			return true;
		}
	}
	return false;
}

/* After "<PRI>1 ": RFC 5424 6. */
static bool
rfc5424(struct octets at, struct log_time *t, struct syslog_line *line)
{
	struct octets pid, message_type;

	if (!any_time(&at, t) || !scan_skip(&at, " ") ||
	    !word(&at, &line->host) || !word(&at, &line->program) ||
	    !word(&at, &pid) || !word(&at, &message_type) ||
	    !structured_data(&at) || !scan_skip(&at, " "))
		return false;
	line->pid = 0;
	if (!scan_number(&pid, UINT32_MAX, &line->pid))
		line->pid = 0;
	scan_skip(&at, "\xef\xbb\xbf");
	line->text = at;
	return true;
}

static bool
rfc3164(struct octets at, struct log_time *t, struct syslog_line *line)
{
	return any_time(&at, t) && scan_skip(&at, " ") &&
	    word(&at, &line->host) && tag(at, line);
}

int
syslog_line_read(
    struct log_clock *clock, struct octets at, struct syslog_line *line)
{
	struct log_time t = { 0 };
	uint32_t priority;
	bool good;

	if (at.len == 0 || memchr(at.data, '\0', at.len) != NULL)
		return -1;
	if (scan_skip(&at, "<") &&
	    (!scan_number(&at, PRIORITY_MAX, &priority) ||
		!scan_skip(&at, ">")))
		return -1;
	good = scan_skip(&at, "1 ") ? rfc5424(at, &t, line)
				    : rfc3164(at, &t, line);
	return good ? log_clock_read(clock, &t, &line->time) : -1;
}
