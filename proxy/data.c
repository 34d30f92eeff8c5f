/*
 * The text of a message on its way through: out of the client's DATA, and
 * into the MSA's (RFC 5321 2.3.8, 4.1.1.4, 4.5.2). Only CRLF.CRLF ends it.
 */
#include "proxy/data.h"

#include <string.h>

/*
 * A search for LF looks no further than this, so that a message of nothing
 * but CRs costs a bounded number of steps an octet.
 */
#define WINDOW 256

/* Octets that are looked at together; nearly all text is plain. */
#define BLOCK 128

/* The vectors that the processor has, not those that all of its kind have. */
#if defined(__x86_64__)
#define VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define VECTORS
#endif

static const uint8_t crlf[] = { '\r', '\n' };

/*
 * Is there a CR or LF without the other, or a dot that begins a line, in BLOCK
 * octets? One more is read. No branches, so that compilers make vector
 * instructions of it.
 */
static bool
block_is_odd(const uint8_t *in)
{
	uint8_t odd = 0;

	for (size_t i = 0; i < BLOCK; i++)
		odd |= ((in[i] == '\r') ^ (in[i + 1] == '\n')) |
		    ((in[i] == '\n') & (in[i + 1] == '.'));
	return odd != 0;
}

void
data_scan_init(struct data_scan *scan)
{
	memset(scan, 0, sizeof(*scan));
}

static void
skip(struct data_span *in, size_t len)
{
	in->at += len;
	in->len -= len;
}

/* How many octets from in on are in blocks that are canonical as they are. */
VECTORS static size_t
plain_blocks(const uint8_t *in, size_t len)
{
	size_t at = 0;

	/* A block looks at pairs: what stands before the first it cannot see.
	 */
	if (in[0] == '\n')
		return 0;
	while (len - at > BLOCK && !block_is_odd(in + at))
		at += BLOCK;
	/* A line end on the edge is for the careful look. */
	return at > 0 && in[at - 1] == '\r' ? at - 1 : at;
}

/*
 * How many octets from in on are canonical as they are: up to a CR or LF
 * that is bare or undecided, to a dot that begins a line, or to the end.
 */
static size_t
canonical_run(const uint8_t *in, size_t len)
{
	size_t at = 0, n;
	const uint8_t *lf, *cr;

	while (at < len) {
		at += plain_blocks(in + at, len - at);
		n = len - at < WINDOW ? len - at : WINDOW;
		lf = memchr(in + at, '\n', n);
		if (lf != NULL)
			n = (size_t)(lf - in) - at;
		cr = memchr(in + at, '\r', n);
		if (cr == NULL) {
			at += n;
			if (lf != NULL)
				break;
			continue;
		}
		at = (size_t)(cr - in);
		if (at + 1 == len || in[at + 1] != '\n')
			break;
		at += 2;
		if (at < len && in[at] == '.')
			break;
	}
	return at;
}

/* A CR or LF that stood alone becomes a line end, but not the client's. */
static void
mend_bare(struct data_scan *scan, struct data_span *out)
{
	scan->saw_bare = true;
	scan->state = DATA_TEXT;
	*out = (struct data_span){ crlf, sizeof(crlf) };
}

static void
text_next(struct data_scan *scan, struct data_span *in, struct data_span *out)
{
	size_t len = canonical_run(in->at, in->len);

	*out = (struct data_span){ in->at, len };
	skip(in, len);
	scan->state = DATA_TEXT;
	if (len > 0 && out->at[len - 1] == '\n') {
		scan->state = DATA_LINE;
	} else if (in->len > 0 && in->at[0] == '\r') {
		skip(in, 1);
		scan->state = DATA_CR;
	} else if (len == 0 && in->len > 0 && in->at[0] == '\n') {
		skip(in, 1);
		mend_bare(scan, out);
	}
}

/* The octet behind a CR that was held back decides what it was. */
static void
cr_next(struct data_scan *scan, struct data_span *in, struct data_span *out)
{
	if (in->at[0] != '\n') {
		mend_bare(scan, out);
		return;
	}
	skip(in, 1);
	if (scan->state == DATA_DOT_CR) {
		scan->state = DATA_ENDED;
		return;
	}
	scan->state = DATA_LINE;
	*out = (struct data_span){ crlf, sizeof(crlf) };
}

bool
data_scan_next(
    struct data_scan *scan, struct data_span *in, struct data_span *out)
{
	size_t before = in->len;

	*out = (struct data_span){ in->at, 0 };
	if (in->len == 0 || scan->state == DATA_ENDED)
		return false;
	switch (scan->state) {
	case DATA_LINE:
		if (in->at[0] != '.') {
			text_next(scan, in, out);
			break;
		}
		skip(in, 1);
		scan->state = DATA_DOT;
		break;
	case DATA_DOT:
		if (in->at[0] != '\r') {
			text_next(scan, in, out);
			break;
		}
		skip(in, 1);
		scan->state = DATA_DOT_CR;
		break;
	case DATA_TEXT:
		text_next(scan, in, out);
		break;
	case DATA_CR:
	case DATA_DOT_CR:
		cr_next(scan, in, out);
		break;
	case DATA_ENDED:
		break;
	}
	scan->in += before - in->len;
	scan->out += out->len;
	return true;
}

void
data_stuff_init(struct data_stuff *stuff)
{
	memset(stuff, 0, sizeof(*stuff));
}

bool
data_wants_dot(struct data_stuff *stuff, const uint8_t *in, size_t len)
{
	bool dot = len > 0 && in[0] == '.' && !stuff->within_line;

	if (len > 0)
		stuff->within_line = in[len - 1] != '\n';
	return dot;
}

size_t
data_stuff_end(struct data_stuff *stuff, uint8_t *out)
{
	static const uint8_t end[DATA_END_MAX] = "\r\n.\r\n";
	size_t skipped = stuff->within_line ? 0 : sizeof(crlf);

	memcpy(out, end + skipped, sizeof(end) - skipped);
	return sizeof(end) - skipped;
}
