/*
 * For tests: a vault over a real RocksDB in a directory of its own, with a
 * clock of the test's, asked by the bodies of the real messages.
 */
#ifndef SECRETS_VAULT_FIXTURE_H
#define SECRETS_VAULT_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/codec.h"
#include "common/keeper_messages.h"
#include "common/messages.h"
#include "common/tracking_messages.h"
#include "secrets/certifier.h"
#include "secrets/vault.h"

/* No test uses all of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define FIXTURE_DAY   86400000ull
#define FIXTURE_START 1790000000000ull

static struct {
	char dir[64];
	char path[128];
	char keys[128];
	struct vault *vault;
	struct vault_settings settings;
	uint64_t now;
	uint64_t last_id;
	uint64_t asker;
	unsigned type;		/* of the last answer; 0: none */
	uint64_t answered;	/* its id */
	bool more;		/* LISTED said so */
	bool revoked;		/* SHOWN or TOKEN_IS said so */
	struct history history; /* of the last SHOWN or STATUS_IS */
	struct wire_out answer;
	char why[2048];
} fx;

static uint64_t
fx_now(void)
{
	return fx.now;
}

static void
fx_reply(
    void *arg, struct question to, unsigned type, const struct wire_out *body)
{
	(void)arg;
	fx.type = type;
	fx.answered = to.id;
	wire_begin(&fx.answer);
	wire_put_raw(&fx.answer, body->data, body->len);
}

static bool
fx_try_open(void)
{
	struct vault_owner owner = { .reply = fx_reply, .now = fx_now };

	memset(owner.ticket_key, 7, TICKET_KEY_LEN);
	fx.why[0] = '\0';
	fx.vault = vault_open(&fx.settings, &owner, fx.why, sizeof(fx.why));
	return fx.vault != NULL;
}

static void
fx_open(void)
{
	if (!fx_try_open())
		fail_msg("%s", fx.why);
}

static void
fx_close(void)
{
	vault_close(fx.vault);
	fx.vault = NULL;
}

static void
fx_settings(const char *dir)
{
	memset(&fx, 0, sizeof(fx));
	snprintf(fx.dir, sizeof(fx.dir), "%s", dir);
	snprintf(fx.path, sizeof(fx.path), "%s/vault", fx.dir);
	snprintf(fx.keys, sizeof(fx.keys), "%s/keys", fx.dir);
	fx.now = FIXTURE_START;
	fx.asker = 1;
	fx.settings = (struct vault_settings){ .path = fx.path,
		.keys = fx.keys,
		.hostname = "mail.example.com",
		.retention = 10 * FIXTURE_DAY,
		.queue_lifetime = 5 * FIXTURE_DAY,
		.mints_unfinished = 100,
		.remember_message_id = true,
		.remember_recipients = true,
		.remember_subject = true };
}

static int
fx_setup(void **state)
{
	char dir[] = "/tmp/waybill-vault-XXXXXX";

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	fx_settings(dir);
	return 0;
}

static int
fx_teardown(void **state)
{
	char command[128];

	(void)state;
	fx_close();
	wire_free(&fx.answer);
	history_free(&fx.history);
	snprintf(command, sizeof(command), "rm -rf %s", fx.dir);
	return system(command);
}

static struct octets
fx_text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static struct ticket
fx_ticket(const char *account)
{
	struct ticket t = { .session = 0xc0ffee,
		.expires = fx.now / 1000 + 3600 };
	uint8_t key[TICKET_KEY_LEN];

	memset(key, 7, sizeof(key));
	snprintf(t.account, sizeof(t.account), "%s", account);
	assert_int_equal(ticket_seal(&t, key), 0);
	return t;
}

/* Commit and run all slices: as many turns as it takes. */
static void
fx_turn(void)
{
	do
		vault_commit(fx.vault);
	while (vault_slices(fx.vault));
}

typedef int fx_question(struct vault *, struct question, struct wire_in *);

/* Ask, and the turn goes on; returns what the question returned. */
static int
fx_begin(fx_question *ask, const struct wire_out *body)
{
	struct question from = { fx.asker, ++fx.last_id };
	struct wire_in in;

	fx.type = 0;
	wire_read(&in, body->data, body->len);
	return ask(fx.vault, from, &in);
}

/* The same, and the turn passes. */
static int
fx_ask(fx_question *ask, const struct wire_out *body)
{
	int rc = fx_begin(ask, body);

	fx_turn();
	return rc;
}

static struct minted
fx_mint_as(const struct mint *mint)
{
	struct wire_out body = { 0 };
	struct minted minted;
	struct wire_in in;

	wire_begin(&body);
	mint_put(&body, mint);
	assert_int_equal(fx_ask(vault_mint, &body), 0);
	assert_int_equal(fx.type, MSG_MINTED);
	wire_read(&in, fx.answer.data, fx.answer.len);
	minted_get(&in, &minted);
	assert_int_equal(wire_end(&in), 0);
	wire_free(&body);
	return minted;
}

static struct minted
fx_mint(const char *account)
{
	struct mint mint = { .ticket = fx_ticket(account) };

	return fx_mint_as(&mint);
}

static struct mail_record
fx_record(const char *account, const struct minted *m, const char *id)
{
	static struct mail_recipient to[2];
	struct mail_record r = { .ticket = fx_ticket(account),
		.envid = fx_text(m->envid),
		.flags = MAIL_MTRK_SENT | MAIL_ENVID_SENT,
		.outcome = OUTCOME_ACCEPTED,
		.time = fx.now,
		.sender = fx_text("alice@example.com"),
		.message_id = fx_text(id),
		.subject = fx_text("hello"),
		.size = 1234,
		.msa = fx_text("main"),
		.code = 250,
		.reply = fx_text("2.0.0 Ok: queued as 4XyZ"),
		.queue_id = fx_text("4XyZ"),
		.recipient_count = 2,
		.recipients = to };

	to[0] = (struct mail_recipient){ fx_text("bob@example.org"), 250,
		fx_text("Ok") };
	to[1] = (struct mail_recipient){ fx_text("eve@example.org"), 250,
		fx_text("Ok") };
	memcpy(r.handle, m->handle, HANDLE_LEN);
	return r;
}

static void
fx_begin_record(fx_question *ask, const struct mail_record *r)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	mail_record_put(&body, r);
	assert_int_equal(fx_begin(ask, &body), 0);
	wire_free(&body);
}

static void
fx_ask_record(fx_question *ask, const struct mail_record *r)
{
	fx_begin_record(ask, r);
	fx_turn();
}

static uint8_t
fx_settle_as(const struct mail_record *r)
{
	fx_ask_record(vault_settle, r);
	assert_int_equal(fx.type, MSG_SETTLED);
	assert_int_equal(fx.answer.len, 1);
	return fx.answer.data[0];
}

static uint8_t
fx_settle(const char *account, const struct minted *m, const char *id)
{
	struct mail_record r = fx_record(account, m, id);

	return fx_settle_as(&r);
}

/* Settle m, whose session goes on. Is it given the mint of its next message? */
static bool
fx_settle_next(const char *account, const struct minted *m, struct minted *next)
{
	struct mail_record r = fx_record(account, m, "<1@x>");
	struct wire_in in;
	bool given;

	fx_ask_record(vault_settle_next, &r);
	assert_int_equal(fx.type, MSG_SETTLED);
	wire_read(&in, fx.answer.data, fx.answer.len);
	assert_int_equal(wire_get_u8(&in), KEEPER_OK);
	given = in.next != in.end;
	if (given)
		minted_get(&in, next);
	assert_int_equal(wire_end(&in), 0);
	return given;
}

/* Sent again under a queue id, as where its answer was late. */
static uint8_t
fx_settle_again(const char *account, const struct minted *m, const char *id,
    const char *queue_id)
{
	struct mail_record r = fx_record(account, m, id);

	r.queue_id = fx_text(queue_id);
	fx_ask_record(vault_settle_again, &r);
	assert_int_equal(fx.type, MSG_SETTLED);
	return fx.answer.data[0];
}

static void
fx_describe(const struct mail_record *r)
{
	fx_ask_record(vault_describe, r);
	assert_int_equal(fx.type, 0);
}

static void
fx_forget_as(const char *account, const struct minted *m, uint8_t ahead)
{
	struct ticket t = fx_ticket(account);
	struct wire_out body = { 0 };

	wire_begin(&body);
	ticket_put(&body, &t);
	wire_put_raw(&body, m->handle, HANDLE_LEN);
	wire_put_u8(&body, ahead);
	assert_int_equal(fx_ask(vault_forget, &body), 0);
	assert_int_equal(fx.type, 0);
	wire_free(&body);
}

static void
fx_forget(const char *account, const struct minted *m)
{
	fx_forget_as(account, m, 0);
}

static void
fx_one(fx_question *ask, const char *account, const char *id)
{
	struct one_query q = { .ticket = fx_ticket(account),
		.id = fx_text(id),
		.client = fx_text("192.0.2.1") };
	struct wire_out body = { 0 };

	wire_begin(&body);
	one_query_put(&body, &q);
	assert_int_equal(fx_ask(ask, &body), 0);
	wire_free(&body);
}

static uint8_t
fx_token(const char *account, const char *id, struct token_answer *t)
{
	struct wire_in in;

	fx_one(vault_token, account, id);
	assert_int_equal(fx.type, MSG_TOKEN_IS);
	wire_read(&in, fx.answer.data, fx.answer.len);
	token_answer_get(&in, t);
	assert_int_equal(wire_end(&in), 0);
	return t->status;
}

/* Does TOKEN give an A whose hash is the certifier that was minted? */
static bool
fx_proves(const char *account, const char *id, const char *certifier)
{
	uint8_t hash[CERTIFIER_LEN];
	char text[CERTIFIER_TEXT + 1];
	struct token_answer t;

	if (fx_token(account, id, &t) != KEEPER_OK)
		return false;
	assert_int_equal(certifier_of(t.secret.data, t.secret.len, hash), 0);
	certifier_text(hash, text);
	assert_string_equal(text, t.certifier);
	return strcmp(text, certifier) == 0;
}

/* SHOW; the record is read into r, to be freed with mail_record_free(). */
static uint8_t
fx_show(const char *account, const char *id, struct mail_record *r)
{
	struct wire_in in;
	uint8_t status;

	memset(r, 0, sizeof(*r));
	fx_one(vault_show, account, id);
	assert_int_equal(fx.type, MSG_SHOWN);
	wire_read(&in, fx.answer.data, fx.answer.len);
	status = wire_get_u8(&in);
	mail_body_get(&in, r);
	fx.revoked = wire_get_u8(&in) == 1;
	history_free(&fx.history);
	history_get(&in, &fx.history);
	assert_int_equal(wire_end(&in), 0);
	return status;
}

/* LIST: how many rows, the first max of them in rows; or -1 - status. */
static int
fx_list_as(const struct list_query *q, struct list_row *rows, size_t max)
{
	struct wire_out body = { 0 };
	struct list_row row;
	struct wire_in in;
	uint8_t status;
	uint16_t count;

	wire_begin(&body);
	list_query_put(&body, q);
	assert_int_equal(fx_ask(vault_list, &body), 0);
	wire_free(&body);
	assert_int_equal(fx.type, MSG_LISTED);
	wire_read(&in, fx.answer.data, fx.answer.len);
	status = wire_get_u8(&in);
	fx.more = wire_get_u8(&in) == 1;
	count = wire_get_u16(&in);
	for (size_t i = 0; i < count; i++) {
		list_row_get(&in, &row);
		if (i < max)
			rows[i] = row;
	}
	assert_int_equal(wire_end(&in), 0);
	return status == KEEPER_OK ? count : -1 - status;
}

static int
fx_list(const char *account)
{
	struct list_query q = { .ticket = fx_ticket(account),
		.limit = LIST_LIMIT_MAX };

	return fx_list_as(&q, NULL, 0);
}

static long
fx_file_size(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_size;
}

static void
fx_flip(const char *path, long at, uint8_t bits)
{
	int fd = open(path, O_RDWR);
	uint8_t octet;

	assert_int_equal(pread(fd, &octet, 1, at), 1);
	octet ^= bits;
	assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	close(fd);
}

/* The size and the path of the closed vault's largest table. */
static long
fx_largest_table(char *path, size_t size)
{
	char name[512];
	DIR *d = opendir(fx.path);
	struct dirent *e;
	long best = 0;

	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".sst") == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/%s", fx.path, e->d_name);
		if (fx_file_size(name) > best) {
			best = fx_file_size(name);
			snprintf(path, size, "%s", name);
		}
	}
	closedir(d);
	return best;
}

/*
 * RocksDB's threads do not live in a forked child: each child is this
 * program again, by its name for the part it plays.
 */
static int
fx_play(const char *part, int out)
{
	char fd[16], path[32] = "/proc/self/exe";
	char now[32];
	int status;
	pid_t pid;

	snprintf(fd, sizeof(fd), "%d", out);
	snprintf(now, sizeof(now), "%llu", (unsigned long long)fx.now);
	pid = fork();
	if (pid == 0) {
		execl(path, path, part, fx.dir, now, fd, (char *)NULL);
		_exit(127);
	}
	close(out);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
