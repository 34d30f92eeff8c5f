/*
 * Values of options: durations, sizes, words and the rest, from text.
 */
#include "conf/conf_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t size;
};

static const struct unit time_units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "sec", 1000 },
	{ "second", 1000 },
	{ "seconds", 1000 },
	{ "min", 60000 },
	{ "minute", 60000 },
	{ "minutes", 60000 },
	{ "h", 3600000 },
	{ "hour", 3600000 },
	{ "hours", 3600000 },
	{ "d", 86400000 },
	{ "day", 86400000 },
	{ "days", 86400000 },
	{ "week", 604800000 },
	{ "weeks", 604800000 },
	{ NULL, 0 },
};

static const struct unit octet_units[] = {
	{ "", 1 },
	{ "k", 1LL << 10 },
	{ "M", 1LL << 20 },
	{ "G", 1LL << 30 },
	{ "T", 1LL << 40 },
	{ NULL, 0 },
};

static int64_t
unit_find(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++)
		if (strcasecmp(units->name, name) == 0)
			return units->size;
	return -1;
}

/* A value of unit as people write it: the largest unit that divides it. */
static void
show_amount(
    const struct conf_option *option, int64_t value, char *out, size_t size)
{
	static const struct unit times[] = { { "days", 86400000 },
		{ "h", 3600000 }, { "min", 60000 }, { "s", 1000 },
		{ "ms", 1 } };
	static const struct unit octets[] = { { "T", 1LL << 40 },
		{ "G", 1LL << 30 }, { "M", 1LL << 20 }, { "k", 1LL << 10 } };
	const struct unit *units = times;
	size_t n = sizeof(times) / sizeof(times[0]);

	if (option->kind == CONF_KIND_OCTETS) {
		units = octets;
		n = sizeof(octets) / sizeof(octets[0]);
	} else if (option->kind != CONF_KIND_TIME) {
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (value != 0 && value % units[i].size == 0) {
			snprintf(out, size, "\"%" PRId64 " %s\"",
			    value / units[i].size, units[i].name);
			return;
		}
	}
	snprintf(out, size, "%" PRId64, value);
}

static int
check_range(
    const struct conf_option *option, int64_t value, char *why, size_t size)
{
	char low[40], high[40];

	if (value >= option->low && value <= option->high)
		return 0;
	show_amount(option, option->low, low, sizeof(low));
	show_amount(option, option->high, high, sizeof(high));
	snprintf(why, size, "out of range; give it from %s to %s", low, high);
	return -1;
}

/* A number and a unit with blanks between them, or none. */
static int
read_amount(const char *text, const struct unit *units, int64_t *value)
{
	char *end;
	long long number;
	int64_t unit;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0)
		return -1;
	while (*end == ' ' || *end == '\t')
		end++;
	unit = unit_find(units, end);
	if (unit < 0 && number == 0 && *end == '\0')
		unit = 1;
	if (unit < 0 || __builtin_mul_overflow((int64_t)number, unit, value))
		return -1;
	return 0;
}

static int
set_number(const struct conf_option *option, const char *text, int64_t *member,
    char *why, size_t size)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0) {
		snprintf(why, size,
		    "not a whole number; give it from %" PRId64 " to %" PRId64,
		    option->low, option->high);
		return -1;
	}
	if (check_range(option, value, why, size) < 0)
		return -1;
	if (member != NULL)
		*member = value;
	return 0;
}

static int
set_amount(const struct conf_option *option, const char *text, int64_t *member,
    char *why, size_t size)
{
	int is_time = option->kind == CONF_KIND_TIME;
	int64_t value;

	if (read_amount(text, is_time ? time_units : octet_units, &value) < 0) {
		snprintf(why, size, "%s",
		    is_time ? "not a time; write a number and one of ms, s, "
			      "min, h, "
			      "days, as \"10 min\""
			    : "not a size; write octets, or a number and one "
			      "of k, M, "
			      "G, T, as \"64 M\"");
		return -1;
	}
	if (check_range(option, value, why, size) < 0)
		return -1;
	if (member != NULL)
		*member = value;
	return 0;
}

static int
set_flag(const char *text, bool *member, char *why, size_t size)
{
	static const char *const words[] = { "false", "true", "no", "yes",
		"off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			if (member != NULL)
				*member = i % 2 == 1;
			return 0;
		}
	}
	snprintf(why, size, "neither true nor false; write one of the two");
	return -1;
}

static int
set_word(const struct conf_option *option, const char *text, int *member,
    char *why, size_t size)
{
	const char *word = option->words;
	size_t len = strlen(text);

	for (int i = 0; *word != '\0'; i++) {
		size_t n = strcspn(word, "|");

		if (n == len && memcmp(word, text, len) == 0) {
			if (member != NULL)
				*member = i;
			return 0;
		}
		word += n + (word[n] == '|');
	}
	snprintf(
	    why, size, "not a word it knows; write one of %s", option->words);
	return -1;
}

/* Strings go into lines of protocols and logs: no control characters. */
static int
check_text(const char *text, size_t longest, char *why, size_t size)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			snprintf(why, size,
			    "a control character is in it; "
			    "remove it");
			return -1;
		}
	}
	if (strlen(text) > longest) {
		snprintf(
		    why, size, "too long; give at most %zu octets", longest);
		return -1;
	}
	return 0;
}

static int
set_text(const struct conf_option *option, const char *text, char **member,
    char *why, size_t size)
{
	char *copy;

	if (check_text(text, (size_t)option->high, why, size) < 0)
		return -1;
	if (option->low > 0 && *text == '\0') {
		snprintf(why, size, "empty; give it a value");
		return -1;
	}
	if (member == NULL)
		return 0;
	copy = strdup(text);
	if (copy == NULL) {
		snprintf(why, size, "no memory");
		return -1;
	}
	free(*member);
	*member = copy;
	return 0;
}

static int
add_item(const struct conf_option *option, const char *text,
    struct conf_list *list, char *why, size_t size)
{
	char **grown;

	if (check_text(text, 4000, why, size) < 0)
		return -1;
	if (*text == '\0') {
		snprintf(why, size, "an item is empty; remove it");
		return -1;
	}
	if (list == NULL)
		return 0;
	if (list->count >= (size_t)option->high) {
		snprintf(why, size, "too many items; give at most %" PRId64,
		    option->high);
		return -1;
	}
	grown = realloc(list->item, (list->count + 1) * sizeof(*grown));
	if (grown != NULL)
		list->item = grown;
	if (grown == NULL || (grown[list->count] = strdup(text)) == NULL) {
		snprintf(why, size, "no memory");
		return -1;
	}
	list->count++;
	return 0;
}

int
conf_value_set(const struct conf_option *option, const char *text, void *member,
    char *why, size_t size)
{
	switch (option->kind) {
	case CONF_KIND_TEXT:
		return set_text(option, text, member, why, size);
	case CONF_KIND_LIST:
		return add_item(option, text, member, why, size);
	case CONF_KIND_NUMBER:
		return set_number(option, text, member, why, size);
	case CONF_KIND_TIME:
	case CONF_KIND_OCTETS:
		return set_amount(option, text, member, why, size);
	case CONF_KIND_FLAG:
		return set_flag(text, member, why, size);
	case CONF_KIND_WORD:
		return set_word(option, text, member, why, size);
	}
	return -1;
}

/* Lists of defaults are separated by "|" or by ", ". */
static int
set_default_list(const struct conf_option *option, struct conf_list *list)
{
	char *copy = strdup(option->normal), *rest = copy, *item;
	char why[128];
	int status = copy != NULL ? 0 : -1;

	while (status == 0 && (item = strsep(&rest, "|,")) != NULL) {
		item += strspn(item, " ");
		if (*item != '\0')
			status = add_item(option, item, list, why, sizeof(why));
	}
	free(copy);
	return status;
}

int
conf_value_default(const struct conf_option *option, void *member)
{
	char why[128];

	conf_value_clear(option, member);
	if (option->kind == CONF_KIND_LIST)
		return set_default_list(option, member);
	if (option->kind == CONF_KIND_TEXT) {
		*(char **)member = strdup(option->normal);
		return *(char **)member != NULL ? 0 : -1;
	}
	return conf_value_set(option, option->normal, member, why, sizeof(why));
}

/* Options of libsasl2 may hold passwords, and not every role needs them. */
static void
clear_text(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void
clear_list(struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		clear_text(list->item[i]);
	free(list->item);
	*list = (struct conf_list){ NULL, 0 };
}

void
conf_value_clear(const struct conf_option *option, void *member)
{
	switch (option->kind) {
	case CONF_KIND_TEXT:
		clear_text(*(char **)member);
		*(char **)member = NULL;
		break;
	case CONF_KIND_LIST:
		clear_list(member);
		break;
	case CONF_KIND_NUMBER:
	case CONF_KIND_TIME:
	case CONF_KIND_OCTETS:
		*(int64_t *)member = 0;
		break;
	case CONF_KIND_FLAG:
		*(bool *)member = false;
		break;
	case CONF_KIND_WORD:
		*(int *)member = 0;
		break;
	}
}
