/*
 * Fuzzes what users say behind XMTRK (docs/xmtrk.md), and the replies made of
 * whatever a record may hold.
 */
#include "proxy/xmtrk.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/inner_host.h"
#include "common/status.h"
#include "tests/fuzz/fuzz.h"

static void
check_reply(struct xmtrk_reply *r)
{
	const char *at = r->data;

	MUST(!r->failed && r->len > 2);
	for (unsigned line = 0; line <= r->lines; line++) {
		size_t left = r->len - (size_t)(at - r->data);
		const char *crlf = memmem(at, left, "\r\n", 2);

		MUST(crlf != NULL && crlf - at + 2 <= XMTRK_LINE_MAX);
		MUST(memcmp(at, line < r->lines ? "250-" : "250 ", 4) == 0);
		for (; at < crlf; at++)
			MUST(*at >= ' ' && *at <= '~');
		at += 2;
	}
	MUST(at == r->data + r->len);
	xmtrk_reply_free(r);
}

/* The input as all the texts of a message, each cut to its bound. */
static void
check_replies(const uint8_t *data, size_t size)
{
	size_t part = size / 4;
	struct octets a = { data, part > 998 ? 998 : part };
	struct octets b = { data + part, part > 1024 ? 1024 : part };
	struct octets c = { data + 2 * part, part > 256 ? 256 : part };
	struct octets envid = { data + 3 * part, part > 100 ? 100 : part };
	struct mail_recipient to = { b, 250, a };
	struct list_row row = { envid, 0, a, b, 1, c, 1, 1 };
	struct mail_record m = { .envid = envid,
		.sender = b,
		.message_id = a,
		.subject = c,
		.msa = c,
		.code = 250,
		.reply = b,
		.queue_id = envid,
		.recipient_count = 1,
		.recipients = &to };
	struct history_event event = { .time = 1,
		.source = SOURCE_LOG,
		.action = (uint8_t)(size % (ACTION_FAILED + 1)),
		.status = "4.0.0",
		.recipient = b,
		.remote_mta = c,
		.reply = c };
	static char *const items[] = { "10.0.0.0/8", "fd00::/8", "lan" };
	struct inner_hosts *inner = inner_hosts_new(items, 3);
	struct status_view view = { .reveal_aliases = size % 3 == 0,
		.reveal_hosts = size % 5 == 0,
		.is_inner = inner_host_match,
		.arg = inner };
	struct xmtrk_since since = { size % 2 == 0,
		{ .count = 1, .events = &event }, &view };
	struct xmtrk_reply reply = { 0 };

	MUST(inner != NULL);
	xmtrk_list_row(&reply, &row);
	xmtrk_list_end(&reply, true);
	check_reply(&reply);
	xmtrk_show(&reply, &m, &since);
	check_reply(&reply);
	inner_hosts_free(inner);
}

static bool
is_printable(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] < '!' || data[i] > '~')
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xmtrk_command command;
	const char *error;

	if (xmtrk_parse((const char *)data, size, &command, &error) == 0) {
		MUST(error == NULL);
		MUST(command.limit >= 1 && command.limit <= LIST_LIMIT_MAX);
		MUST(command.id_len <= MESSAGE_ID_MAX);
		MUST(command.verb == XMTRK_LIST || command.id_len > 0);
	} else {
		MUST(strncmp(error, "501 5.5.4 ", 10) == 0);
	}
	/* An envelope id is. */
	if (is_printable(
		data + 3 * (size / 4), size / 4 > 100 ? 100 : size / 4))
		check_replies(data, size);
	return 0;
}
