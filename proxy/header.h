/*
 * The header section of a message on its way through (RFC 5322 2.2, 3.6):
 * notes by what a user will find the message, and adds a Message-ID where
 * there is none (RFC 6409 8.3).
 */
#ifndef PROXY_HEADER_H
#define PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/data.h"

/* A longer field name, or none within this many octets, is no header. */
#define HEADER_NAME_MAX 998

/* Octets of the notes, without NUL. */
#define HEADER_ID_MAX	   998
#define HEADER_SUBJECT_MAX 256

enum header_state {
	HEADER_LINE,  /* at the start of a line */
	HEADER_NAME,  /* within what may be a field name, held back */
	HEADER_VALUE, /* behind the colon of a field */
	HEADER_ENDED  /* the section is over; the rest passes untouched */
};

/*
 * The first field of a name: its value without line breaks, leading and
 * trailing white space and NULs, a string of len octets. count says how
 * many fields of that name there are.
 */
struct header_note {
	char *text;
	size_t max;
	size_t len;
	bool cut; /* there was more */
	unsigned count;
};

/*
 * Returns a whole "Message-ID: <...>" CRLF for a message that lacks the field;
 * it lives as long as the scan.
 */
typedef const char *header_make_id(void *arg);

struct header_scan {
	enum header_state state;
	uint64_t octets; /* of the header section, ours not counted */

	/*
	 * The token <...>, with the brackets and without the comments and
	 * white space; empty where the field holds none or a longer one.
	 */
	struct header_note message_id;
	struct header_note subject; /* raw, cut at whole UTF-8 characters */

	/* what follows is header.c's own */
	struct header_note *noting;
	bool any_field;
	bool in_id, escaped;
	unsigned comments;
	header_make_id *make;
	void *arg;
	struct data_span queue[4];
	unsigned queued, sent;
	size_t held_len;

	/* header_init() empties the texts and clears no more; held is first. */
	uint8_t held[HEADER_NAME_MAX];
	char message_id_text[HEADER_ID_MAX + 1];
	char subject_text[HEADER_SUBJECT_MAX + 1];
};

/*
 * Begin a message. make is called once, where the field is missing; NULL adds
 * none. The structure points into itself: it cannot be copied.
 */
void header_init(struct header_scan *scan, header_make_id *make, void *arg);

/*
 * Pass on one step of the message: take octets of canonical text (CRLF line
 * ends only, as data_scan_next() gives it) off the front of in, and point
 * out at what goes on in their place; out may be empty, and is valid until
 * the next call or until the memory behind in changes. Call it until it
 * returns false; then in is used up. At most HEADER_NAME_MAX octets are
 * held back, and only of a line that has not yet shown its colon.
 *
 * The section ends at an empty line, or at a line that is neither a field
 * nor the continuation of one, or with the message; a Message-ID is added
 * just there. A section that no empty line ends gets one behind that, so that
 * the line that ended it cannot join the header. Tolerated are white space
 * before the colon (RFC 5322 4.5) and a first line "From " of a mailbox
 * file. A first line that continues nothing gets an empty line before it.
 */
bool header_next(
    struct header_scan *scan, struct data_span *in, struct data_span *out);

/*
 * The message has ended: ends the section where it still goes on. Call
 * header_next() with an empty in until it returns false for what remains.
 */
void header_finish(struct header_scan *scan);

#endif
