/*
 * What the user wants: the command line, and behind it the configuration
 * file. Every option of the file stands in one list.
 */
#ifndef TOKEN_OPTIONS_H
#define TOKEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "token/problem.h"

/*
 *	O(KIND, name, name on the command line, its argument, default, what)
 *
 * PATH is TEXT in which a leading "~" is the home directory. An empty default
 * means: none.
 */
#define OPTIONS_LIST(O)                                                        \
	O(TEXT, server, "server", "HOST", "localhost",                         \
	    "name or address of the submission server")                        \
	O(TEXT, port, "port", "N", "",                                         \
	    "its TCP port; 587 with starttls and 465 with implicit if unset")  \
	O(TEXT, tls, "tls", "MODE", "starttls",                                \
	    "starttls, or implicit: TLS from the first octet on")              \
	O(TEXT, user, "user", "NAME", "", "login name")                        \
	O(PATH, password_file, "password-file", "FILE", "",                    \
	    "file whose first line is the password")                           \
	O(TEXT, password_command, "password-command", "COMMAND", "",           \
	    "command whose first line of output is the password")              \
	O(PATH, ca_file, "ca-file", "FILE", "",                                \
	    "PEM file of the authorities trusted; the system's if unset")      \
	O(TEXT, server_name, "server-name", "NAME", "",                        \
	    "name in the server's certificate; server if unset")               \
	O(TEXT, track_tls, "track-tls", "MODE", "required",                    \
	    "tracking servers: required, or offered: in the clear where "      \
	    "there is none")                                                   \
	O(TEXT, connect, "connect", "HOST:PORT", "",                           \
	    "track: ask there, whatever server the URI names")                 \
	O(TEXT, resolver, "resolver", "ADDRESS", "",                           \
	    "track: name server to ask instead of the system's")

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
#define OPTIONS_MEMBER(kind, name, ...) char *name;
	OPTIONS_LIST(OPTIONS_MEMBER)
#undef OPTIONS_MEMBER
	bool no_verify;
	unsigned port_number;
	bool tls_implicit;
	char *file; /* of configuration */
	bool json;
	bool has_list;	     /* since or limit was given */
	uint64_t since;	     /* ms since 1970, 0: all */
	unsigned long limit; /* messages listed at most */
	bool has_track;	     /* one of these was given */
	bool watch;
	bool no_follow;
	bool no_tls;		/* to tracking servers */
	unsigned long timeout;	/* seconds for a tracking server */
	unsigned long interval; /* seconds between two looks, 0: growing */
	char **words;		/* the command and its arguments, then NULL */
	int word_count;
};

/* Seconds that a tracking server gets unless --timeout says otherwise. */
#define OPTIONS_TIMEOUT 180

/*
 * Read the command line. now is seconds since 1970, for times like "3d".
 * Returns what to do, or -1 with the problem set. In every case
 * options_free() is due. The words are there even after a mistake.
 */
int options_read_line(
    int argc, char **argv, int64_t now, struct options *out, struct problem *);

/*
 * Fill in from the configuration file what the command line left open, and
 * check all; login: a user is needed. Returns 0, or -1 with the problem set.
 */
int options_complete(struct options *, bool login, struct problem *);

/* The problem of a command that needs a user and has none. Returns -1. */
int options_lack_user(const struct options *, struct problem *);

/* The list of options, for --help. */
void options_usage(FILE *);

void options_free(struct options *);

#endif
