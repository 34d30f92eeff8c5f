/*
 * The commands of XMTRK (docs/xmtrk.md): what stands behind the verb.
 */
#include "proxy/xmtrk.h"

#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "common/timestamp.h"

/* Words of a command that are still to be read. */
struct words {
	const char *at;
	const char *end;
};

struct word {
	const char *at;
	size_t len;
};

struct parameter {
	const char *name; /* with its "=" */
	const char *error;
	bool (*read)(struct word value, struct xmtrk_command *);
};

static bool
next_word(struct words *w, struct word *out)
{
	while (w->at < w->end && *w->at == ' ')
		w->at++;
	out->at = w->at;
	while (w->at < w->end && *w->at != ' ')
		w->at++;
	out->len = (size_t)(w->at - out->at);
	return out->len > 0;
}

static bool
is_word(struct word word, const char *name)
{
	return word.len == strlen(name) &&
	    strncasecmp(word.at, name, word.len) == 0;
}

static bool
read_since(struct word value, struct xmtrk_command *out)
{
	return timestamp_read(value.at, value.len, &out->since) == 0;
}

static bool
read_limit(struct word value, struct xmtrk_command *out)
{
	unsigned n = 0;

	if (value.len == 0 || value.len > 4)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		n = n * 10 + (unsigned)(value.at[i] - '0');
	}
	out->limit = (uint16_t)n;
	return n >= 1 && n <= LIST_LIMIT_MAX;
}

/* An ENVID as it stands on the wire is xtext itself (RFC 3461 4.4). */
static bool
is_envid(const uint8_t *id, size_t len)
{
	uint8_t decoded[ENVID_MAX];

	return len <= ENVID_MAX &&
	    codec_xtext_decode((const char *)id, len, decoded) > 0;
}

static bool
is_message_id(const uint8_t *id, size_t len)
{
	return len >= 3 && id[0] == '<' && id[len - 1] == '>' &&
	    !codec_has_control(id, len);
}

static bool
read_id(struct word value, struct xmtrk_command *out)
{
	uint8_t id[3 * MESSAGE_ID_MAX];
	long len;

	if (value.len > sizeof(id))
		return false;
	len = codec_xtext_decode(value.at, value.len, id);
	if (len < 1 || (size_t)len > sizeof(out->id))
		return false;
	out->id_len = (size_t)len;
	memcpy(out->id, id, out->id_len);
	return id[0] == '<' ? is_message_id(id, out->id_len)
			    : is_envid(id, out->id_len);
}

static bool
read_after(struct word value, struct xmtrk_command *out)
{
	return read_id(value, out) && out->id[0] != '<';
}

static const struct parameter list_parameters[] = {
	{ "SINCE=", "501 5.5.4 SINCE= wants a time like 2026-11-22T08:00:00Z",
	    read_since },
	{ "LIMIT=", "501 5.5.4 LIMIT= wants a number from 1 to 1000",
	    read_limit },
	{ "AFTER=", "501 5.5.4 AFTER= wants an envelope identifier",
	    read_after },
};

#define LIST_PARAMETERS (sizeof(list_parameters) / sizeof(list_parameters[0]))

_Static_assert(LIST_LIMIT_MAX == 1000, "the text of LIMIT= says 1000");

static const char *
parse_list(struct words *words, struct xmtrk_command *out)
{
	bool seen[LIST_PARAMETERS] = { false };
	struct word word, value;

	out->verb = XMTRK_LIST;
	while (next_word(words, &word)) {
		const struct parameter *p = list_parameters;
		size_t i, len = 0;

		for (i = 0; i < LIST_PARAMETERS; i++, p++) {
			len = strlen(p->name);
			if (word.len >= len &&
			    strncasecmp(word.at, p->name, len) == 0)
				break;
		}
		if (i == LIST_PARAMETERS)
			return "501 5.5.4 LIST takes SINCE=, LIMIT= and AFTER=";
		if (seen[i])
			return "501 5.5.4 A parameter is given twice";
		seen[i] = true;
		value = (struct word){ word.at + len, word.len - len };
		if (!p->read(value, out))
			return p->error;
	}
	return NULL;
}

static const char *
parse_one(struct words *words, struct xmtrk_command *out)
{
	struct word word, extra;

	if (!next_word(words, &word))
		return "501 5.5.4 Which message? Give its envelope identifier, "
		       "or its Message-ID in <>";
	if (next_word(words, &extra))
		return "501 5.5.4 One message at a time";
	if (!read_id(word, out))
		return "501 5.5.4 Neither an envelope identifier nor a "
		       "Message-ID in <>, as xtext";
	return NULL;
}

static const char *
parse_show(struct words *words, struct xmtrk_command *out)
{
	out->verb = XMTRK_SHOW;
	return parse_one(words, out);
}

static const char *
parse_token(struct words *words, struct xmtrk_command *out)
{
	out->verb = XMTRK_TOKEN;
	return parse_one(words, out);
}

static const char *
parse_revoke(struct words *words, struct xmtrk_command *out)
{
	out->verb = XMTRK_REVOKE;
	return parse_one(words, out);
}

static const struct {
	const char *name;
	const char *(*parse)(struct words *, struct xmtrk_command *);
} subcommands[] = {
	{ "LIST", parse_list },
	{ "SHOW", parse_show },
	{ "TOKEN", parse_token },
	{ "REVOKE", parse_revoke },
};

int
xmtrk_parse(const char *text, size_t len, struct xmtrk_command *out,
    const char **error_reply)
{
	struct words words = { text, text + len };
	struct word word;

	*out = (struct xmtrk_command){ .limit = LIST_LIMIT };
	*error_reply = "501 5.5.4 XMTRK takes LIST, SHOW, TOKEN or REVOKE";
	if (!next_word(&words, &word))
		return -1;
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]);
	     i++) {
		if (!is_word(word, subcommands[i].name))
			continue;
		*error_reply = subcommands[i].parse(&words, out);
		return *error_reply == NULL ? 0 : -1;
	}
	return -1;
}
