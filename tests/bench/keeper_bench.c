/*
 * What a message costs the keeper: mint and settle over a real store, 64
 * pairs a turn, then listings and searches (make bench CASE=keeper).
 *
 *	build/bench/keeper_bench PAIRS USERS [random]
 */
#include "secrets/vault_fixture.h"

#include <err.h>
#include <sys/resource.h>
#include <time.h>

#define TURN 64

static struct minted answers[TURN];
static size_t settled;

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
		settled++;
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

/* One turn of mints, one of settles; returns the longer commit in seconds. */
static double
turn(unsigned users, size_t done, struct wire_out *body)
{
	char who[TURN][32], id[64];
	double begin, longest;

	for (size_t i = 0; i < TURN; i++) {
		struct mint mint = { .untracked = 0 };

		snprintf(who[i], sizeof(who[i]), "user%ld", random() % users);
		mint.ticket = fx_ticket(who[i]);
		wire_begin(body);
		mint_put(body, &mint);
		ask(vault_mint, i, body);
	}
	begin = wall();
	vault_commit(fx.vault);
	longest = wall() - begin;
	for (size_t i = 0; i < TURN; i++) {
		struct mail_record r;

		snprintf(id, sizeof(id), "<%zu@mail.example.com>", done + i);
		r = fx_record(who[i], &answers[i], id);
		wire_begin(body);
		mail_record_put(body, &r);
		ask(vault_settle, i, body);
	}
	begin = wall();
	vault_commit(fx.vault);
	begin = wall() - begin;
	return begin > longest ? begin : longest;
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
	size_t pairs, done = 0;
	struct wire_out body = { 0 };
	double began, spent, longest = 0, one;
	unsigned users;

	if (argc < 3 || fx_setup(NULL) == -1)
		return 2;
	pairs = strtoul(argv[1], NULL, 10);
	users = (unsigned)strtoul(argv[2], NULL, 10);
	fx.settings.random = argc > 3;
	fx.settings.mints_unfinished = 1000000;
	memset(owner.ticket_key, 7, TICKET_KEY_LEN);
	fx.now = real_clock();
	fx_open_as(&owner);
	began = wall();
	spent = cpu();
	for (; done < pairs; done += TURN) {
		one = turn(users, done, &body);
		longest = one > longest ? one : longest;
	}
	began = wall() - began;
	spent = cpu() - spent;
	printf("%zu pairs settled: %.0f a second, %.0f a second of CPU, "
	       "longest commit %.1f ms\n",
	    settled, (double)settled / began, (double)settled / spent,
	    longest * 1e3);
	fx_close();
	fx_open();
	measure_reads(users);
	wire_free(&body);
	return fx_teardown(NULL);
}
