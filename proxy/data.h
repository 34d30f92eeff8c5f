/*
 * The text of a message on its way through: out of the client's DATA, and
 * into the MSA's (RFC 5321 2.3.8, 4.1.1.4, 4.5.2). Only CRLF.CRLF ends it.
 */
#ifndef PROXY_DATA_H
#define PROXY_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets that are somewhere else: valid until whoever holds them goes on. */
struct data_span {
	const uint8_t *at;
	size_t len;
};

enum data_state {
	DATA_LINE,   /* behind a CRLF of the client, or at the start */
	DATA_DOT,    /* behind CRLF "." */
	DATA_DOT_CR, /* behind CRLF "." CR */
	DATA_TEXT,   /* within a line */
	DATA_CR,     /* within a line, behind a CR not yet judged */
	DATA_ENDED   /* behind CRLF "." CRLF */
};

/* Reads what the client sends after 354. */
struct data_scan {
	enum data_state state;
	bool saw_bare; /* some CR or LF was not part of a CRLF */
	uint64_t in;   /* octets taken, the terminator included */
	uint64_t out;  /* octets of canonical text given out */
};

/* Writes canonical text as the MSA must get it. */
struct data_stuff {
	bool within_line;
};

/* Octets of the terminator as data_stuff_end() writes it, at most. */
#define DATA_END_MAX 5

void data_scan_init(struct data_scan *scan);

/*
 * Decode one step: take octets off the front of in, and point out at the
 * canonical text they are, with CRLF line ends only and without the dots
 * that were stuffed. out points into in's memory or at constants, may be
 * empty, and never parts a CR from its LF; none of its lines begins with a
 * dot but the first, as data_wants_dot() wants it. Call it until it returns
 * false: then in is used up, or the message has ended (scan->state is
 * DATA_ENDED) and what is left in in belongs to the command parser.
 *
 * The CRLF before the terminator belongs to the message. Bare CR and LF
 * come out as CRLF and set saw_bare. They end no line of the client's, so
 * a dot behind them is neither taken away nor part of a terminator. Where
 * they are refused, read on to the end, keep the text from the MSA, drop
 * its connection and answer 550.
 */
bool data_scan_next(
    struct data_scan *scan, struct data_span *in, struct data_span *out);

void data_stuff_init(struct data_stuff *stuff);

/*
 * len octets of canonical text, of which no line but the first begins with a
 * dot, are next: must another dot go before them (RFC 5321 4.5.2)?
 */
bool data_wants_dot(struct data_stuff *stuff, const uint8_t *in, size_t len);

/*
 * Write the terminator: "." CRLF, after a CRLF where the text lacked it.
 * out must hold DATA_END_MAX. Returns the number of octets written.
 */
size_t data_stuff_end(struct data_stuff *stuff, uint8_t *out);

#endif
