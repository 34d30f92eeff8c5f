/*
 * The load generator: what its loop (load.c) and its sessions
 * (load_session.c) share.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

enum load_tls { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };

struct load_options {
	const char *host, *password;
	int port;
	enum load_tls tls;
	unsigned clients;  /* sessions side by side */
	unsigned sessions; /* in all, the idle ones apart */
	unsigned messages; /* of each session */
	unsigned idle;	   /* that log in and stay */
	unsigned users;	   /* user0, user1 ... */
	unsigned seconds;  /* that it may take */
	size_t size;	   /* of a message's body */
	bool pipelined;	   /* MAIL, RCPT and DATA in one write */
	bool resume;	   /* take up TLS sessions */
};

/* Times in seconds, as many as there was room made for. */
struct samples {
	double *of;
	size_t count, room;
};

struct session;

struct load {
	struct load_options options;
	SSL_CTX *tls;
	SSL_SESSION *ticket; /* the newest, with resume */
	int epoll;
	unsigned started, ended, held, active, resumed;
	unsigned long messages;
	struct samples login, message;
	struct session **idle;
};

extern struct load load;

double wall(void);

/* Connect one more client; it stays after its login if it is idle. */
void session_start(bool idle);

/* Something may be read or written. */
void session_ready(struct session *);

/* Let an idle session say QUIT. */
void session_quit(struct session *);

/* One session said goodbye, properly. */
void load_ended(void);

#endif
