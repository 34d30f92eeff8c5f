/*
 * Fuzzes EHLO on both sides (RFC 5321 4.1.1.1): the MSA's reply, and what
 * is offered of it; and the name by which a client calls itself.
 */
#include "proxy/ehlo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* What we offer must read back as what was meant, and hide the rest. */
static void
check_offer(const struct msa_caps *caps)
{
	struct ehlo_offer offer = { "host.example",
		ehlo_offer_mask(caps, CAP_AUTH | CAP_MTRK),
		ehlo_offer_size(caps, 1024), caps->auth };
	char out[EHLO_REPLY_MAX];
	size_t len = ehlo_build(&offer, out, sizeof(out));
	struct msa_caps again;
	struct reply r;

	MUST(len > 0);
	reply_init(&r);
	MUST(reply_feed(&r, out, len) == len && r.complete);
	ehlo_parse(&r, &again);
	MUST(again.mask == offer.mask);
	if (again.mask & CAP_SIZE)
		MUST(again.size == offer.size);
	MUST(strcmp(again.auth, caps->auth) == 0);
	MUST(again.xclient == 0 && again.xforward == 0);
	reply_clear(&r);
}

static void
check_domain(const char *in, size_t size)
{
	char out[EHLO_DOMAIN_MAX + 1], again[EHLO_DOMAIN_MAX + 1];

	if (!ehlo_parse_domain(in, size, out))
		return;
	MUST(out[0] != '\0' && strlen(out) <= EHLO_DOMAIN_MAX);
	for (const char *c = out; *c != '\0'; c++)
		MUST(*c > ' ' && *c < 127);
	MUST(ehlo_parse_domain(out, strlen(out), again));
	MUST(strcmp(out, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msa_caps caps;
	struct reply r;

	check_domain((const char *)data, size);
	reply_init(&r);
	reply_feed(&r, (const char *)data, size);
	if (r.complete) {
		ehlo_parse(&r, &caps);
		MUST(ehlo_same_caps(&caps, &caps));
		MUST(strlen(caps.auth) <= EHLO_AUTH_MAX);
		if (caps.size != 0)
			MUST(caps.mask & CAP_SIZE);
		check_offer(&caps);
	}
	reply_clear(&r);
	return 0;
}
