/*
 * The lines of XMTRK's replies (docs/xmtrk.md): a word and fields, within 512
 * octets. For the files that write replies.
 */
#ifndef PROXY_XMTRK_LINES_H
#define PROXY_XMTRK_LINES_H

#include <string.h>

#include "proxy/xmtrk.h"

enum { XMTRK_FIELDS_MAX = 16 };

/* What may happen to a value whose line gets too long. */
enum xmtrk_fit { FIT_WHOLE, FIT_CUT, FIT_DROP };

struct xmtrk_field {
	const char *key;
	struct octets value;
	enum xmtrk_fit fit;
};

static inline struct octets
xmtrk_text(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

/*
 * One line of at most XMTRK_FIELDS_MAX fields; where they do not fit, the
 * last ones are cut or left out first, and "cut=" names them.
 */
void xmtrk_line(struct xmtrk_reply *, const char *word,
    const struct xmtrk_field *, size_t n);
/* As many lines as it takes, each field whole where a line can hold it. */
void xmtrk_lines(struct xmtrk_reply *, const char *word,
    const struct xmtrk_field *, size_t n);
/* The last line of a reply. */
void xmtrk_end(struct xmtrk_reply *, bool more);

/* "accepted" or "unknown". */
const char *xmtrk_state_name(uint8_t outcome);

#endif
