/*
 * Streams: lines, bounds, clocks and ends, in clear and under TLS, one end on
 * the loop and the other driven by hand.
 */
#include "common/clock.h"
#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "common/tls.h"
#include "common/tls_testing.h"

struct seen {
	struct stream *s;
	unsigned ready, input, drained, closed, timeout;
	bool eat; /* input is consumed at once */
	size_t octets;
};

static struct event_base *base;
static struct seen seen;
static int far_end;
static SSL_CTX *server_ctx;

static void
on_event(void *arg, enum stream_event event)
{
	struct seen *at = arg;
	size_t len;

	switch (event) {
	case STREAM_READY:
		at->ready++;
		break;
	case STREAM_INPUT:
		at->input++;
		if (!at->eat)
			break;
		stream_input(at->s, &len);
		stream_consume(at->s, len);
		at->octets += len;
		break;
	case STREAM_DRAINED:
		at->drained++;
		break;
	case STREAM_CLOSED:
		at->closed++;
		break;
	case STREAM_TIMEOUT:
		at->timeout++;
		break;
	}
}

/* Turns of the loop until nothing is to do. */
static void
turns(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		stream_turn_end();
	}
}

static int
open_stream(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	memset(&seen, 0, sizeof(seen));
	far_end = fds[1];
	fcntl(far_end, F_SETFL, O_NONBLOCK);
	seen.s = stream_new(base, fds[0], on_event, &seen);
	return seen.s == NULL ? -1 : 0;
}

static int
close_stream(void **state)
{
	(void)state;
	if (seen.s != NULL)
		stream_abort(seen.s);
	turns();
	if (far_end != -1)
		close(far_end);
	return 0;
}

static void
say(const char *text, size_t len)
{
	assert_int_equal(write(far_end, text, len), len);
	turns();
}

static void
lines_end_with_lf(void **state)
{
	static const char text[] = "one\r\ntwo\n\r\n\rthree\r\r\nrest";
	static const char *const lines[] = { "one", "two", "", "\rthree\r" };
	size_t i, len, used;
	const char *line;

	(void)state;
	say(text, sizeof(text) - 1);
	for (i = 0; i < 4; i++) {
		line = stream_line(seen.s, &len, &used);
		assert_non_null(line);
		assert_int_equal(len, strlen(lines[i]));
		assert_memory_equal(line, lines[i], len);
		stream_consume(seen.s, used);
	}
	assert_null(stream_line(seen.s, &len, &used));
	say("\r\n", 2);
	line = stream_line(seen.s, &len, &used);
	assert_non_null(line);
	assert_memory_equal(line, "rest", 4);
}

static size_t
write_all_it_takes(int fd, size_t max)
{
	static char block[16384];
	size_t put = 0;
	ssize_t n;

	while (put < max) {
		n = write(fd, block, sizeof(block));
		if (n == -1)
			turns();
		if (n == -1 && (n = write(fd, block, sizeof(block))) == -1)
			break;
		put += (size_t)n;
	}
	return put;
}

static void
unread_input_is_bounded(void **state)
{
	size_t len;

	(void)state;
	write_all_it_takes(far_end, 8 * 1024 * 1024);
	turns();
	stream_input(seen.s, &len);
	assert_true(len >= STREAM_INPUT_MAX);
	assert_true(len <= STREAM_INPUT_MAX + 128 * 1024);
	/* Whoever eats gets the rest. */
	seen.eat = true;
	stream_consume(seen.s, len);
	turns();
	assert_true(seen.octets > 0);
}

static void
a_paused_stream_reads_nothing(void **state)
{
	size_t len;

	(void)state;
	stream_pause(seen.s);
	say("hello", 5);
	stream_input(seen.s, &len);
	assert_int_equal(len, 0);
	stream_resume(seen.s);
	turns();
	stream_input(seen.s, &len);
	assert_int_equal(len, 5);
}

static void
output_that_fell_is_told_once(void **state)
{
	static char block[STREAM_HIGH];
	char sink[65536];
	size_t total = 0;
	ssize_t n;

	(void)state;
	stream_write(seen.s, block, sizeof(block));
	stream_write(seen.s, block, sizeof(block));
	turns();
	assert_int_equal(seen.drained, 0);
	assert_true(stream_output_len(seen.s) > 0);
	while (total < 2 * sizeof(block)) {
		if ((n = read(far_end, sink, sizeof(sink))) > 0)
			total += (size_t)n;
		turns();
	}
	assert_int_equal(stream_output_len(seen.s), 0);
	assert_int_equal(seen.drained, 1);
}

static void
a_peer_that_leaves_is_told_once(void **state)
{
	(void)state;
	close(far_end);
	far_end = -1;
	turns();
	assert_int_equal(seen.closed, 1);
	assert_string_equal(stream_reason(seen.s), "closed by peer");
}

static void
a_close_lets_the_output_leave(void **state)
{
	char text[32] = "";

	(void)state;
	stream_print(seen.s, "%s\r\n", "farewell");
	stream_close(seen.s);
	seen.s = NULL;
	turns();
	assert_int_equal(read(far_end, text, sizeof(text)), 10);
	assert_string_equal(text, "farewell\r\n");
	assert_int_equal(read(far_end, text, sizeof(text)), 0);
	assert_int_equal(seen.closed, 0);
}

static void
an_abort_does_not(void **state)
{
	char text[32];

	(void)state;
	stream_print(seen.s, "%s\r\n", "farewell");
	stream_abort(seen.s);
	seen.s = NULL;
	turns();
	assert_int_equal(read(far_end, text, sizeof(text)), 0);
}

static void
whoever_does_not_read_lingers(void **state)
{
	static char block[STREAM_HIGH];

	(void)state;
	stream_write(seen.s, block, sizeof(block));
	stream_write(seen.s, block, sizeof(block));
	assert_false(stream_any_lingers());
	stream_close(seen.s);
	seen.s = NULL;
	turns();
	assert_true(stream_any_lingers());
	stream_end_lingering();
	assert_false(stream_any_lingers());
	turns();
}

/* The peer is given time to read the farewell, but has to leave, too. */
static void
a_farewell_waits_for_the_peer(void **state)
{
	(void)state;
	stream_print(seen.s, "%s\r\n", "farewell");
	stream_close(seen.s);
	seen.s = NULL;
	turns();
	assert_true(stream_any_lingers());
	close(far_end);
	far_end = -1;
	turns();
	assert_false(stream_any_lingers());
}

static void
the_last_deadline_counts(void **state)
{
	uint64_t start = clock_ms();

	(void)state;
	stream_set_timeout(seen.s, 10);
	stream_set_timeout(seen.s, 60);
	stream_set_timeout(seen.s, 30);
	while (seen.timeout == 0 && clock_ms() < start + 10000) {
		event_base_loop(base, EVLOOP_ONCE);
		stream_turn_end();
	}
	assert_int_equal(seen.timeout, 1);
	assert_true(clock_ms() - start >= 30);
	stream_set_timeout(seen.s, 1);
	stream_set_timeout(seen.s, 0);
	usleep(5000);
	turns();
	assert_int_equal(seen.timeout, 1);
}

static void on_key_log(const SSL *, const char *);

/* A client of TLS whose records are carried by hand. */
struct hand {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
};

static void
hand_carry_in(struct hand *h)
{
	char octets[65536];
	ssize_t n;

	while ((n = read(far_end, octets, sizeof(octets))) > 0)
		BIO_write(h->in, octets, (int)n);
}

static size_t
hand_take_out(struct hand *h, char *octets, size_t size)
{
	int n = BIO_read(h->out, octets, (int)size);

	return n > 0 ? (size_t)n : 0;
}

static void
hand_begin(struct hand *h)
{
	char octets[16384];
	int i;

	h->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_ciphersuites(h->ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_keylog_callback(h->ctx, on_key_log);
	h->ssl = SSL_new(h->ctx);
	h->in = BIO_new(BIO_s_mem());
	h->out = BIO_new(BIO_s_mem());
	SSL_set_bio(h->ssl, h->in, h->out);
	SSL_set_connect_state(h->ssl);
	stream_start_tls(seen.s, server_ctx, NULL);
	for (i = 0; i < 5; i++) {
		SSL_do_handshake(h->ssl);
		say(octets, hand_take_out(h, octets, sizeof(octets)));
		hand_carry_in(h);
	}
	assert_int_equal(SSL_is_init_finished(h->ssl), 1);
	assert_int_equal(seen.ready, 1);
}

static void
hand_end(struct hand *h)
{
	SSL_free(h->ssl);
	SSL_CTX_free(h->ctx);
}

/* OpenSSL calls it pending; whoever believes that turns for ever. */
static void
half_a_record_is_waited_for(void **state)
{
	struct hand h;
	char octets[1024];
	size_t len;

	(void)state;
	hand_begin(&h);
	assert_int_equal(SSL_write(h.ssl, "EHLO there\r\n", 12), 12);
	len = hand_take_out(&h, octets, sizeof(octets));
	assert_true(len > 12);
	alarm(20);
	say(octets, len / 2);
	alarm(0);
	assert_int_equal(seen.input, 0);
	say(octets + len / 2, len - len / 2);
	assert_int_equal(seen.input, 1);
	hand_end(&h);
}

/* Read ahead of TLS fills OpenSSL's buffers, and no socket tells of it. */
static void
what_openssl_holds_is_not_forgotten(void **state)
{
	static char text[300000], octets[400000];
	struct hand h;
	size_t len, at = 0, have;
	ssize_t n;

	(void)state;
	hand_begin(&h);
	assert_int_equal(SSL_write(h.ssl, text, sizeof(text)), sizeof(text));
	len = hand_take_out(&h, octets, sizeof(octets));
	while (at < len) {
		n = write(far_end, octets + at, len - at);
		if (n > 0)
			at += (size_t)n;
		turns();
		stream_input(seen.s, &have);
		assert_true(have <= STREAM_INPUT_MAX + 128 * 1024);
		seen.octets += have;
		stream_consume(seen.s, have);
	}
	seen.eat = true;
	turns();
	stream_input(seen.s, &have);
	assert_int_equal(seen.octets + have, sizeof(text));
	hand_end(&h);
}

/* What malloc() has given out, in octets. */
static size_t
held(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void
turns_for(unsigned ms)
{
	uint64_t end = clock_ms() + ms;

	while (clock_ms() < end) {
		usleep(10000);
		turns();
	}
}

/* Those of TLS and our own stay while lines come, and go with them. */
static void
an_idle_one_gives_its_buffers_back(void **state)
{
	enum { TLS_BUFFERS = 64 * 1024 };
	struct hand h;
	char octets[1024];
	size_t before, busy;

	(void)state;
	if (held() == 0)
		skip(); /* a sanitizer's malloc() does not tell */
	hand_begin(&h);
	seen.eat = true;
	turns_for(2500);
	before = held();
	SSL_write(h.ssl, "NOOP\r\n", 6);
	say(octets, hand_take_out(&h, octets, sizeof(octets)));
	assert_int_equal(seen.octets, 6);
	stream_print(seen.s, "250 Ok\r\n");
	turns();
	busy = held();
	assert_true(busy >= before + TLS_BUFFERS);
	turns_for(2500);
	assert_true(held() < before + 1024);
	hand_end(&h);
}

static uint8_t
octet_at(size_t at)
{
	return (uint8_t)(at * 31 >> 3);
}

/*
 * Much is sent from where it is, and little waits for the end of the turn:
 * they must not overtake each other, however slowly the peer reads.
 */
static void
send_mixed(size_t total, struct hand *h)
{
	static const size_t sizes[] = { 3, 70000, 40000, 1, 16384, 200,
		131072 };
	static uint8_t block[131072], got[65536];
	size_t put = 0, taken = 0;

	for (size_t i = 0; taken < total;) {
		ssize_t n;

		if (put < total && stream_output_len(seen.s) < STREAM_HIGH) {
			size_t len = sizes[i++ % 7];

			for (size_t k = 0; k < len; k++)
				block[k] = octet_at(put + k);
			stream_write(seen.s, block, len);
			put += len;
		}
		if (i % 3 == 0)
			turns();
		if (h == NULL) {
			n = read(far_end, got, sizeof(got) / (1 + i % 5));
		} else {
			hand_carry_in(h);
			n = SSL_read(h->ssl, got, sizeof(got));
		}
		for (ssize_t k = 0; k < n; k++)
			assert_int_equal(got[k], octet_at(taken + (size_t)k));
		taken += n > 0 ? (size_t)n : 0;
		if (n <= 0)
			turns();
	}
	assert_int_equal(seen.closed, 0);
}

static void
much_and_little_keep_their_order(void **state)
{
	(void)state;
	send_mixed(3000000, NULL);
}

static void
much_and_little_keep_their_order_under_tls(void **state)
{
	struct hand h;

	(void)state;
	hand_begin(&h);
	send_mixed(3000000, &h);
	hand_end(&h);
}

/* Its end is told from the loop, not from within stream_write(). */
static void
much_for_a_peer_that_left_is_told_later(void **state)
{
	static char block[65536];

	(void)state;
	stream_pause(seen.s);
	close(far_end);
	far_end = -1;
	stream_write(seen.s, block, sizeof(block));
	assert_int_equal(seen.closed, 0);
	turns();
	assert_int_equal(seen.closed, 1);
}

static void
a_close_under_tls_says_goodbye(void **state)
{
	struct hand h;
	char text[32] = "";

	(void)state;
	hand_begin(&h);
	stream_print(seen.s, "221 Bye\r\n");
	stream_close(seen.s);
	seen.s = NULL;
	turns();
	hand_carry_in(&h);
	assert_int_equal(SSL_read(h.ssl, text, sizeof(text)), 9);
	assert_int_equal(SSL_read(h.ssl, text, sizeof(text)), 0);
	assert_int_equal(SSL_get_error(h.ssl, 0), SSL_ERROR_ZERO_RETURN);
	hand_end(&h);
}

static void
clear_text_instead_of_tls_ends_it(void **state)
{
	(void)state;
	stream_start_tls(seen.s, server_ctx, NULL);
	turns();
	say("EHLO there\r\n", 12);
	assert_int_equal(seen.ready, 0);
	assert_int_equal(seen.input, 0);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(strncmp(stream_reason(seen.s), "TLS", 3), 0);
}

/* The client's first secret for data, as OpenSSL tells it (keylog). */
static uint8_t client_secret[32];

static void
on_key_log(const SSL *ssl, const char *line)
{
	const char *at = strrchr(line, ' ');

	(void)ssl;
	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) != 0)
		return;
	assert_int_equal(strlen(at + 1), 2 * sizeof(client_secret));
	for (size_t i = 0; i < sizeof(client_secret); i++)
		sscanf(at + 1 + 2 * i, "%2hhx", &client_secret[i]);
}

/* RFC 8446 7.1 */
static void
expand_label(char *label, uint8_t *out, size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_KEY, client_secret, sizeof(client_secret)),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_PREFIX, "tls13 ", 6),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_LABEL, label, strlen(label)),
		OSSL_PARAM_construct_end(),
	};

	assert_int_equal(EVP_KDF_derive(ctx, out, len, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/*
 * A record of handshake octets under the client's first keys, TLS 1.3 with
 * AES-128-GCM, as record number (below 256). Returns its length.
 */
static size_t
seal_handshake(uint8_t number, const uint8_t *octets, size_t len, uint8_t *out)
{
	enum { HEAD = 5, TAG = 16, HANDSHAKE = 22 };
	uint8_t key[16], iv[12], inner[64];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	expand_label("key", key, sizeof(key));
	expand_label("iv", iv, sizeof(iv));
	iv[11] ^= number;
	memcpy(inner, octets, len);
	inner[len++] = HANDSHAKE;
	memcpy(out, "\x17\x03\x03\x00", 4);
	out[4] = (uint8_t)(len + TAG);
	EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, iv);
	EVP_EncryptUpdate(ctx, NULL, &n, out, HEAD);
	EVP_EncryptUpdate(ctx, out + HEAD, &n, inner, (int)len);
	EVP_EncryptFinal_ex(ctx, out + HEAD + len, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + HEAD + len);
	EVP_CIPHER_CTX_free(ctx);
	return HEAD + len + TAG;
}

/* How often the loop finds something to do within ms. */
static unsigned
busy_turns(unsigned ms)
{
	struct timeval tv = { 0, (suseconds_t)ms * 1000 };
	uint64_t end = clock_ms() + ms;
	unsigned n = 0;

	for (; clock_ms() < end; n++) {
		event_base_loopexit(base, &tv);
		event_base_loop(base, EVLOOP_ONCE);
		stream_turn_end();
	}
	return n;
}

/*
 * Until a KeyUpdate is whole OpenSSL writes nothing, however ready the socket
 * is: who waits for the socket turns for ever (RFC 8446 4.6.3).
 */
static void
half_a_key_update_is_waited_for(void **state)
{
	/* KeyUpdate, one octet long: update_not_requested. */
	static const uint8_t update[] = { 24, 0, 0, 1, 0 };
	uint8_t record[100];
	struct hand h;
	char text[32] = "";
	size_t len;

	(void)state;
	hand_begin(&h);
	len = seal_handshake(0, update, 4, record);
	say((char *)record, len);
	assert_int_equal(seen.closed, 0);
	stream_print(seen.s, "250 Ok\r\n");
	turns();
	hand_carry_in(&h);
	assert_int_equal(SSL_read(h.ssl, text, sizeof(text)), -1);
	assert_true(busy_turns(100) < 20);
	len = seal_handshake(1, update + 4, 1, record);
	say((char *)record, len);
	hand_carry_in(&h);
	assert_int_equal(SSL_read(h.ssl, text, sizeof(text)), 8);
	assert_string_equal(text, "250 Ok\r\n");
	hand_end(&h);
}

static int
begin(void **state)
{
	static unsigned char keys[TLS_TICKET_KEYS_LEN] = "keys";
	static struct tls_testing_pair pair;
	struct tls_server server;
	char error[200];

	(void)state;
	tls_testing_make(&pair);
	server = tls_testing_server(&pair, keys);
	server_ctx = tls_server_context(&server, error, sizeof(error));
	base = event_base_new();
	return server_ctx == NULL || base == NULL ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	SSL_CTX_free(server_ctx);
	event_base_free(base);
	libevent_global_shutdown();
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_stream, close_stream)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines_end_with_lf),
		CASE(unread_input_is_bounded),
		CASE(a_paused_stream_reads_nothing),
		CASE(output_that_fell_is_told_once),
		CASE(a_peer_that_leaves_is_told_once),
		CASE(a_close_lets_the_output_leave),
		CASE(an_abort_does_not),
		CASE(whoever_does_not_read_lingers),
		CASE(a_farewell_waits_for_the_peer),
		CASE(the_last_deadline_counts),
		CASE(half_a_record_is_waited_for),
		CASE(what_openssl_holds_is_not_forgotten),
		CASE(half_a_key_update_is_waited_for),
		CASE(an_idle_one_gives_its_buffers_back),
		CASE(much_and_little_keep_their_order),
		CASE(much_and_little_keep_their_order_under_tls),
		CASE(much_for_a_peer_that_left_is_told_later),
		CASE(a_close_under_tls_says_goodbye),
		CASE(clear_text_instead_of_tls_ends_it),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
