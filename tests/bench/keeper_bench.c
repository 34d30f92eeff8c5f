/*
 * What a message costs the keeper: mint and settle over a real store, 64
 * pairs a turn, then listings, searches and questions of who tracks (make
 * bench CASE=keeper). Each user has sent a message before the clock starts, so
 * that no account is made while it runs.
 *
 *	build/bench/keeper_bench PAIRS USERS ROUNDS [random]
 */
#include "secrets/vault_history_fixture.h"

#include <err.h>
#include <sys/resource.h>
#include <time.h>

#define TURN	 64
#define STATUSES 20000 /* of each kind */

static struct minted answers[TURN];
static size_t stored;

static uint64_t
real_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static double
wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void
take(void *arg, struct question to, unsigned type, const struct wire_out *body)
{
	struct wire_in in;

	(void)arg;
	if (type == MSG_MINTED) {
		wire_read(&in, body->data, body->len);
		minted_get(&in, &answers[to.id % TURN]);
	} else if (type == MSG_SETTLED && body->data[0] == KEEPER_OK) {
		stored++;
	}
}

static void
ask(fx_question *question, size_t number, struct wire_out *body)
{
	struct question from = { 1, number };
	struct wire_in in;

	wire_read(&in, body->data, body->len);
	if (question(fx.vault, from, &in) == -1)
		abort();
}

static uint8_t (*macs)[TICKET_MAC_LEN];
static struct ticket blank;

/* Tickets are sealed by waybill-auth: what that costs is not the keeper's. */
static void
seal_tickets(unsigned users)
{
	struct ticket ticket;
	char who[32];

	macs = calloc(users, sizeof(*macs));
	if (macs == NULL)
		err(1, NULL);
	blank = fx_ticket("");
	for (unsigned i = 0; i < users; i++) {
		snprintf(who, sizeof(who), "user%u", i);
		ticket = fx_ticket(who);
		memcpy(macs[i], ticket.mac, TICKET_MAC_LEN);
	}
}

static void
ticket_of(unsigned user, struct ticket *ticket)
{
	ticket->session = blank.session;
	ticket->expires = blank.expires;
	snprintf(ticket->account, sizeof(ticket->account), "user%u", user);
	memcpy(ticket->mac, macs[user], TICKET_MAC_LEN);
}

static double
commit(void)
{
	double begin = wall();

	vault_commit(fx.vault);
	return wall() - begin;
}

/* One turn of mints, one of settles; returns the longer commit in seconds. */
static double
turn(const unsigned who[TURN], size_t done, struct wire_out *body)
{
	struct mail_record r = fx_record("user0", &answers[0], "");
	char id[64], queue_id[32];
	double longest, last;

	for (size_t i = 0; i < TURN; i++) {
		struct mint mint = { .untracked = 0 };

		ticket_of(who[i], &mint.ticket);
		wire_begin(body);
		mint_put(body, &mint);
		ask(vault_mint, i, body);
	}
	longest = commit();
	for (size_t i = 0; i < TURN; i++) {
		snprintf(id, sizeof(id), "<%zu@mail.example.com>", done + i);
		snprintf(queue_id, sizeof(queue_id), "4Xy%zxZ", done + i);
		ticket_of(who[i], &r.ticket);
		r.envid = fx_text(answers[i].envid);
		r.message_id = fx_text(id);
		r.time = real_clock();
		r.queue_id = fx_text(queue_id);
		memcpy(r.handle, answers[i].handle, HANDLE_LEN);
		wire_begin(body);
		mail_record_put(body, &r);
		ask(vault_settle, i, body);
	}
	last = commit();
	return last > longest ? last : longest;
}

/* A message of each user. */
static void
make_accounts(unsigned users, struct wire_out *body)
{
	unsigned who[TURN], done = 0;

	while (done < users) {
		for (unsigned i = 0; i < TURN; i++)
			who[i] = (done + i) % users;
		turn(who, done, body);
		done += TURN;
	}
}

static void
measure_pairs(size_t pairs, unsigned users, size_t from, struct wire_out *body)
{
	double began = wall(), spent = cpu(), longest = 0, one;
	size_t before = stored;
	unsigned who[TURN];

	for (size_t done = 0; done < pairs; done += TURN) {
		for (unsigned i = 0; i < TURN; i++)
			who[i] = (unsigned)random() % users;
		one = turn(who, from + done, body);
		longest = one > longest ? one : longest;
	}
	began = wall() - began;
	spent = cpu() - spent;
	before = stored - before;
	printf("%zu pairs settled: %.0f a second, %.0f a second of CPU, "
	       "longest commit %.1f ms\n",
	    before, (double)before / began, (double)before / spent,
	    longest * 1e3);
}

static void
measure_reads(unsigned users)
{
	double begin = wall();
	char who[32];

	for (int i = 0; i < 200; i++) {
		snprintf(who, sizeof(who), "user%ld", random() % users);
		fx_list(who);
	}
	printf("LIST: %.0f us\n", (wall() - begin) / 200 * 1e6);
	begin = wall();
	for (int i = 0; i < 200; i++) {
		snprintf(who, sizeof(who), "user%ld", random() % users);
		fx_one(vault_show, who, "<unknown@mail.example.com>");
	}
	printf("SHOW of nothing: %.0f us\n", (wall() - begin) / 200 * 1e6);
}

/* What is asked for: an ENVID and a certifier, and what they cost. */
struct kind {
	const char *name;
	struct minted m;
	size_t count;
	double us[STATUSES];
};

static struct minted
expired(void)
{
	struct mint mint = {
		.ticket = fx_ticket("user1"), .own_certifier = 1, .timeout = 1
	};
	struct mail_record r;
	struct minted m;

	memset(mint.certifier, 5, sizeof(mint.certifier));
	m = fx_mint_as(&mint);
	r = fx_record("user1", &m, "<expired@x>");
	r.flags |= MAIL_CLIENT_MTRK;
	memcpy(r.certifier, mint.certifier, CERTIFIER_LEN);
	r.timeout = 1;
	r.queue_id = fx_text("E1");
	r.recipient_count = 1;
	if (fx_settle_as(&r) != KEEPER_OK)
		errx(1, "settle");
	feed_one(a_status("E1", fx.now, ACTION_DELIVERED));
	return m;
}

static struct kind kinds[] = { { .name = "found" }, { .name = "unknown" },
	{ .name = "wrong" }, { .name = "revoked" }, { .name = "expired" } };

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
make_kinds(void)
{
	kinds[0].m = settled("user1", "<found@x>", "F1");
	kinds[1].m = kinds[0].m;
	memcpy(kinds[1].m.envid, "AAAAAAAAAAAAAAAAAAAAAA", 22);
	kinds[2].m = kinds[0].m;
	memcpy(kinds[2].m.certifier, "AAAA", 4);
	kinds[3].m = settled("user1", "<revoked@x>", "R1");
	take_back("user1", "<revoked@x>");
	kinds[4].m = expired();
	fx.now += 60000;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Does the time of a refusal tell which it is (RFC 3887 4)? */
static void
measure_status(void)
{
	size_t done = 0;

	make_kinds();
	while (done < KINDS * STATUSES) {
		struct kind *k = &kinds[(size_t)random() % KINDS];
		double begin = wall();
		uint8_t status = tracks(k->m.envid, k->m.certifier);

		begin = wall() - begin;
		if ((status == KEEPER_OK) != (k == &kinds[0]))
			errx(1, "%s: status %d", k->name, status);
		if (k->count == STATUSES)
			continue;
		k->us[k->count++] = begin * 1e6;
		done++;
	}
	for (size_t i = 0; i < KINDS; i++) {
		double *us = kinds[i].us;

		qsort(us, STATUSES, sizeof(*us), by_size);
		printf("STATUS %s: %.1f us (a tenth below %.1f, above %.1f)\n",
		    kinds[i].name, us[STATUSES / 2], us[STATUSES / 10],
		    us[STATUSES * 9 / 10]);
	}
}

static void
fx_open_as(const struct vault_owner *owner)
{
	fx.vault = vault_open(&fx.settings, owner, fx.why, sizeof(fx.why));
	if (fx.vault == NULL)
		errx(1, "%s", fx.why);
}

int
main(int argc, char **argv)
{
	struct vault_owner owner = { .reply = take, .now = real_clock };
	struct wire_out body = { 0 };
	size_t pairs, rounds;
	unsigned users;

	if (argc < 4 || fx_setup(NULL) == -1)
		return 2;
	pairs = strtoul(argv[1], NULL, 10);
	users = (unsigned)strtoul(argv[2], NULL, 10);
	rounds = strtoul(argv[3], NULL, 10);
	fx.settings.random = argc > 4;
	fx.settings.mints_unfinished = 1000000;
	memset(owner.ticket_key, 7, TICKET_KEY_LEN);
	fx.now = real_clock();
	fx_open_as(&owner);
	seal_tickets(users);
	make_accounts(users, &body);
	for (size_t i = 0; i < rounds; i++)
		measure_pairs(pairs, users, users + TURN + i * pairs, &body);
	fx_close();
	fx_open();
	measure_reads(users);
	measure_status();
	wire_free(&body);
	free(macs);
	return fx_teardown(NULL);
}
