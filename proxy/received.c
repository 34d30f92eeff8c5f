/*
 * The Received field that we put on top of a message: RFC 5321 4.4, with
 * the protocol names of RFC 3848 and 6531 4.3, the clause of RFC 8314 4.3.
 */
#include "proxy/received.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLD_AT	 78
#define WORD_MAX 255

/* The bounds of all words together, each with its brackets and its fold. */
_Static_assert(
    7 * (WORD_MAX + 8) + 400 < RECEIVED_MAX, "the longest field has room");

struct field {
	char *text;
	size_t len;
	size_t column;
};

static const char words[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789";

/*
 * Copy src, at most WORD_MAX octets; what is not in also or alphanumeric is
 * replaced, so that nothing can end the field or a comment early.
 */
static void
clean(const char *src, const char *also, char *out)
{
	size_t n = 0;

	for (; n < WORD_MAX && src[n] != '\0'; n++)
		out[n] = strchr(words, src[n]) || strchr(also, src[n]) ? src[n]
								       : '?';
	out[n] = '\0';
}

static void
field_fold(struct field *field)
{
	memcpy(field->text + field->len, "\r\n\t", 3);
	field->len += 3;
	/* The tab counts as one: the limit is in characters. */
	field->column = 1;
}

/* Append one word that must not be broken, with a space or fold before it. */
static void
field_word(struct field *field, const char *word)
{
	size_t len = strlen(word);

	if (field->column > 1 && field->column + 1 + len > FOLD_AT) {
		field_fold(field);
	} else if (field->column > 1) {
		field->text[field->len++] = ' ';
		field->column++;
	}
	memcpy(field->text + field->len, word, len);
	field->len += len;
	field->column += len;
}

static void
add_from(struct field *field, const struct received_info *info)
{
	char text[WORD_MAX + 1], word[WORD_MAX + 24];
	const char *v6 = strchr(info->addr, ':') ? "IPv6:" : "";

	field_word(field, "Received:");
	field_word(field, "from");
	clean(info->helo, "-._:[]", text);
	field_word(field, text[0] != '\0' ? text : "unknown");
	clean(info->name ? info->name : "unknown", "-._", text);
	snprintf(word, sizeof(word), "(%s", text);
	field_word(field, word);
	clean(info->addr, ":.", text);
	snprintf(word, sizeof(word), "[%s%s])", v6, text);
	field_word(field, word);
	if (info->login == NULL)
		return;
	clean(info->login, "-._@+/=!#$%&'*^`{|}~", text);
	snprintf(word, sizeof(word), "(authenticated as %s)", text);
	field_word(field, word);
}

/* RFC 3848, RFC 6531 4.3: UTF8SMTP takes the place of ESMTP. */
static void
add_with(struct field *field, const struct received_info *info)
{
	char word[16];

	snprintf(word, sizeof(word), "%s%s%s",
	    info->smtputf8 ? "UTF8SMTP" : "ESMTP", info->cipher ? "S" : "",
	    info->authenticated ? "A" : "");
	field_word(field, "with");
	field_word(field, word);
}

/*
 * The ID clause takes an atom or a msg-id; an ENVID of the form local@fqhn
 * is the second. One that is neither is left out rather than bent.
 */
static void
add_id(struct field *field, const char *envid)
{
	char word[WORD_MAX + 6], text[WORD_MAX + 1];

	if (envid == NULL || envid[0] == '\0' || strlen(envid) > WORD_MAX)
		return;
	clean(envid, "-._@+/=", text);
	if (strcmp(text, envid) != 0)
		return;
	snprintf(
	    word, sizeof(word), strchr(text, '@') ? "id <%s>" : "id %s", text);
	field_word(field, word);
}

static void
add_by(struct field *field, const struct received_info *info)
{
	char text[WORD_MAX + 1];

	clean(info->hostname, "-._", text);
	field_fold(field);
	field_word(field, "by");
	field_word(field, text);
	field_word(field, "(Waybill)");
	add_with(field, info);
	add_id(field, info->envid);
}

/* RFC 8314 4.3: the tls clause comes after those that RFC 5321 names. */
static void
add_tls_and_date(struct field *field, const struct received_info *info)
{
	char text[WORD_MAX + 1], word[WORD_MAX + 2], date[RECEIVED_DATE_LEN];

	if (info->cipher != NULL) {
		clean(info->cipher, "-_", text);
		snprintf(word, sizeof(word), "%s;", text);
		field_fold(field);
		field_word(field, "tls");
		field_word(field, word);
	} else {
		field->text[field->len++] = ';';
		field_fold(field);
	}
	received_date(info->when, date);
	field_word(field, date);
}

size_t
received_write(const struct received_info *info, char *out)
{
	struct field field = { out, 0, 0 };

	add_from(&field, info);
	add_by(&field, info);
	add_tls_and_date(&field, info);
	memcpy(out + field.len, "\r\n", 3);
	return field.len + 2;
}

/* strftime would write the names of days and months in the locale's words. */
void
received_date(time_t when, char *out)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm = { 0 };
	long zone;

	localtime_r(&when, &tm);
	zone = labs(tm.tm_gmtoff) / 60;
	snprintf(out, RECEIVED_DATE_LEN,
	    "%s, %02d %s %04d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday],
	    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+', zone / 60 % 100,
	    zone % 60);
}
