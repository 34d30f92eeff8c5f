/*
 * The configuration as a process sees it: plain members, expanded from the
 * lists of options.h, and the snapshot by which waybilld hands it on.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/options.h"

struct conf_list {
	char **item;
	size_t count;
};

#define CONF_MEMBER_TEXT(name)	     char *name;
#define CONF_MEMBER_LIST(name)	     struct conf_list name;
#define CONF_MEMBER_NUMBER(name)     int64_t name;
#define CONF_MEMBER_TIME(name)	     int64_t name; /* milliseconds */
#define CONF_MEMBER_OCTETS(name)     int64_t name;
#define CONF_MEMBER_FLAG(name)	     bool name;
#define CONF_MEMBER_WORD(name)	     int name; /* place in its words */
#define CONF_MEMBER(kind, name, ...) CONF_MEMBER_##kind(name)

struct conf_listen {
	char *title;
	CONF_OPTIONS_LISTEN(CONF_MEMBER)
};

#define CONF_SECTION_STRUCT(member, name, options)                             \
	struct conf_##member {                                                 \
		options(CONF_MEMBER)                                           \
	};
CONF_SECTIONS(CONF_SECTION_STRUCT)

struct conf {
	char *msa_name;	 /* title of the section msa */
	bool msa_log_on; /* msa has a section log: waybill-feed runs */
	bool track_on;	 /* there is a section track: waybill-track runs */
	CONF_OPTIONS_TOP(CONF_MEMBER)
#define CONF_SECTION_MEMBER(member, name, options) struct conf_##member member;
	CONF_SECTIONS(CONF_SECTION_MEMBER)
	struct conf_listen *listen;
	size_t listen_count;
};

/* Places of words, in the order of options.h. */
enum { CONF_LISTEN_STARTTLS, CONF_LISTEN_IMPLICIT };
enum { CONF_TLS_1_2, CONF_TLS_1_3 };
enum { CONF_MSA_TLS_NONE, CONF_MSA_TLS_STARTTLS, CONF_MSA_TLS_IMPLICIT };
enum { CONF_IDENTITY_NONE, CONF_IDENTITY_XCLIENT };
enum { CONF_TRACKING_OFF, CONF_TRACKING_ON };
enum { CONF_CERTIFIER_DERIVED, CONF_CERTIFIER_RANDOM };
enum { CONF_WITHOUT_VAULT_SUBMIT, CONF_WITHOUT_VAULT_DEFER };
enum { CONF_BARE_NEWLINE_NORMALIZE, CONF_BARE_NEWLINE_REJECT };
enum { CONF_LOG_STDERR, CONF_LOG_SYSLOG, CONF_LOG_FILE };
enum { CONF_LOG_TEXT, CONF_LOG_JSON };
enum { CONF_TRACK_TLS_REQUIRED, CONF_TRACK_TLS_OFFERED };
enum { CONF_MSA_LOG_POSTFIX, CONF_MSA_LOG_EXIM, CONF_MSA_LOG_JSON };

/* The roles that read a snapshot; each keeps only what it needs. */
enum conf_role {
	CONF_FOR_DAEMON,
	CONF_FOR_PROXY,
	CONF_FOR_AUTH,
	CONF_FOR_KEEPER,
	CONF_FOR_TRACK,
	CONF_FOR_FEED
};

/*
 * Read and check file (libconfuse). Every mistake is written to standard
 * error as "file:line: what is wrong; cure", all of them, not the first only.
 * Returns the configuration, or NULL where there was one. Links libconfuse:
 * waybilld alone calls it.
 */
struct conf *conf_read(const char *file);
/* The same, with its messages to out. */
struct conf *conf_read_to(const char *file, FILE *out);

/*
 * run_dir alone, to be freed; nothing is checked that its reader might not be
 * allowed to see. NULL after a message to out.
 */
char *conf_read_run_dir(const char *file, FILE *out);

/*
 * Write conf into a sealed memfd, and read it back. conf_snapshot_read()
 * drops what role does not need (members become empty or 0). Return -1 and
 * NULL with errno set.
 */
int conf_snapshot_write(const struct conf *);
struct conf *conf_snapshot_read(int fd, enum conf_role);

/*
 * What a running keeper cannot change: name of the first option of vault that
 * differs between a and b, or NULL.
 */
const char *conf_vault_differs(const struct conf *a, const struct conf *b);

void conf_free(struct conf *);

#endif
