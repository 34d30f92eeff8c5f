/*
 * One TCP connection on libevent's loop, in clear or under TLS (OpenSSL):
 * buffers that an idle connection gives back, one callback, a handful of
 * events. What one turn of the loop writes leaves in one go at its end, but
 * for much at once.
 */
#ifndef COMMON_STREAM_H
#define COMMON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

struct event_base;
struct stream;

enum stream_event {
	STREAM_READY,	/* connected; or, after stream_start_tls(), secure */
	STREAM_INPUT,	/* more octets came: stream_input() */
	STREAM_DRAINED, /* output fell below STREAM_LOW after STREAM_HIGH */
	STREAM_CLOSED,	/* the peer is gone: stream_reason(); last event */
	STREAM_TIMEOUT	/* the time of stream_set_timeout() is over */
};

enum {
	STREAM_LOW = 64 * 1024,
	STREAM_HIGH = 256 * 1024,
	STREAM_INPUT_MAX = 64 * 1024 /* unread octets kept; then we wait */
};

typedef void stream_fn(void *arg, enum stream_event);

/* Take over fd, a connected socket. Returns NULL without memory. */
struct stream *stream_new(struct event_base *, int fd, stream_fn *, void *arg);

/* Connect to an address. STREAM_READY or STREAM_CLOSED will tell. */
struct stream *stream_connect(struct event_base *, const struct sockaddr *,
    socklen_t, stream_fn *, void *arg);

/*
 * Start TLS once what was written has left: as a server, or as a client that
 * sends name as SNI and, where ctx verifies, insists on it in the certificate
 * (RFC 6125; name may be an address). name is NULL for a server. Input that
 * is already there must be refused by the caller first (CVE-2011-0411).
 */
void stream_start_tls(struct stream *, SSL_CTX *ctx, const char *name);

/* The unread octets; valid until the callback returns or reads further. */
const uint8_t *stream_input(const struct stream *, size_t *len);
void stream_consume(struct stream *, size_t len);

/*
 * One line: returns its first octet and sets len without CRLF (or bare LF),
 * and used with it, or returns NULL where no line end is there yet.
 */
const char *stream_line(const struct stream *, size_t *len, size_t *used);

/* Leaves at the end of the turn; at once where it is much and first. */
void stream_write(struct stream *, const void *, size_t len);
void stream_print(struct stream *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for len octets at the end of the output, then how many were used. */
uint8_t *stream_reserve(struct stream *, size_t len);
void stream_commit(struct stream *, size_t len);
size_t stream_output_len(const struct stream *);

/* Stop and resume reading; a paused stream does not notice its peer's end. */
void stream_pause(struct stream *);
void stream_resume(struct stream *);

/* STREAM_TIMEOUT comes ms from now; 0: never. Not renewed by traffic. */
void stream_set_timeout(struct stream *, uint64_t ms);

/*
 * Nothing that comes in from now on is a secret, so it is not wiped. Once TLS
 * is up, where it shall be.
 */
void stream_input_is_public(struct stream *);

SSL *stream_ssl(const struct stream *);
/* Why it closed: "closed by peer", TLS's or the system's words. */
const char *stream_reason(const struct stream *);

/*
 * No more events. stream_close() lets what was written leave first (10 s at
 * most); stream_abort() does not. The memory goes at the end of the turn.
 */
void stream_close(struct stream *);
void stream_abort(struct stream *);

/* Are there closed streams whose output is not read yet? End them all. */
bool stream_any_lingers(void);
void stream_end_lingering(void);

/* At the end of each turn: write what was gathered, free what ended. */
void stream_turn_end(void);

#endif
