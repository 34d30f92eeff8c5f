/*
 * libsasl2 as our configuration wants it (RFC 4422): its options come from
 * waybill.conf and from nowhere else.
 */
#ifndef AUTH_SASL_SETUP_H
#define AUTH_SASL_SETUP_H

#include <sasl/sasl.h>
#include <stdbool.h>
#include <stddef.h>

struct conf;
struct sasl_setup;

/*
 * Start libsasl2; once a process. conf must outlive the setup. Returns NULL
 * where libsasl2 does not start; the log has the reason.
 */
struct sasl_setup *sasl_setup_new(const struct conf *);
void sasl_setup_free(struct sasl_setup *);

/*
 * The mechanisms offered to a client with or without TLS: those configured,
 * in that order, as far as libsasl2 has them, separated by spaces. Without
 * TLS no plaintext ones (RFC 4954 4).
 */
const char *sasl_setup_mechanisms(const struct sasl_setup *, bool tls);

/* Is mechanism, in either case, one of them? */
bool
sasl_setup_offers(const struct sasl_setup *, const char *mechanism, bool tls);

/*
 * A new connection of libsasl2 for one exchange. client and server are
 * "address;port" or "". log is told what libsasl2 says, with arg; callbacks
 * belongs to the connection and must outlive it. NULL where it failed.
 */
enum { SASL_SETUP_CALLBACKS = 3 };
struct sasl_setup_peer {
	bool tls;
	const char *client;
	const char *server;
	int (*log)(void *arg, int level, const char *text);
	void *arg;
	sasl_callback_t callbacks[SASL_SETUP_CALLBACKS];
};
sasl_conn_t *
sasl_setup_connection(const struct sasl_setup *, struct sasl_setup_peer *);

/*
 * Is a password store missing that libsasl2 would take for an unknown user?
 * NULL, or what is wrong, in text of at most size octets in out.
 */
const char *sasl_setup_fault(const struct sasl_setup *, char *out, size_t size);

/* Say in the log what will not work as it is configured. */
void sasl_setup_warn(const struct sasl_setup *);

#endif
