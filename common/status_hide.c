/*
 * What the words of a reply would tell of hosts that are hidden: an MSA that
 * could not reach one names it there alone ("connect to HOST[ADDRESS]:25:
 * Connection refused"), and a relay names what stands behind it.
 */
#include "common/status_hide.h"

#include <string.h>

static bool
is_host_octet(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c >= 0x80 ||
	    memchr(".-_:%", c, 5) != NULL;
}

static bool
is_hidden(const struct status_view *v, struct octets word)
{
	return word.len > 1 && v->is_inner(v->arg, word, word);
}

/* As a whole it may be an address of IPv6; else ports and tags stand apart. */
static bool
has_hidden_part(const struct status_view *v, struct octets word)
{
	size_t start = 0;

	while (word.len > 0 && strchr(".-", word.data[word.len - 1]) != NULL)
		word.len--;
	for (size_t i = 0; i <= word.len; i++) {
		if (i < word.len && word.data[i] != ':')
			continue;
		if (is_hidden(
			v, (struct octets){ word.data + start, i - start }))
			return true;
		start = i + 1;
	}
	if (is_hidden(v, word))
		return true;
	return word.len > 1 && word.data[word.len - 1] == ':' &&
	    is_hidden(v, (struct octets){ word.data, word.len - 1 });
}

bool
status_names_hidden_host(const struct status_view *v, struct octets text)
{
	size_t start = 0;

	if (v->reveal_hosts || v->is_inner == NULL)
		return false;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && is_host_octet(text.data[i]))
			continue;
		if (i > start && (start == 0 || text.data[start - 1] != '@') &&
		    has_hidden_part(
			v, (struct octets){ text.data + start, i - start }))
			return true;
		start = i + 1;
	}
	return false;
}
