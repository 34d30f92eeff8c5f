/*
 * TOKEN: the secret A of one message of the asking user (RFC 3888 4).
 */
#include <openssl/crypto.h>

#include "secrets/lookup.h"

static void
token_fail(struct wire_out *body, uint8_t status)
{
	struct token_answer token = { .status = status };

	token_answer_put(body, &token);
}

static void
token_found(struct lookup *l)
{
	struct vault *v = l->job.vault;
	struct token_answer token = { .status = KEEPER_OK,
		.revoked = l->revoked,
		.envid = l->mail.envid,
		.secret = l->secret };
	uint8_t drawn[CERTIFIER_SECRET_LEN], certifier[CERTIFIER_LEN];
	struct wire_out body = { 0 };
	int rc;

	if ((l->mail.flags & (MAIL_CLIENT_MTRK | MAIL_UNTRACKED)) != 0) {
		lookup_fail(l, KEEPER_NO_SECRET);
		return;
	}
	if (l->secret.len != 0) {
		rc = certifier_of(l->secret.data, l->secret.len, certifier);
	} else {
		rc = certifier_derive(
		    l->job.account->certify, l->handle, drawn, certifier);
		token.secret = (struct octets){ drawn, sizeof(drawn) };
	}
	if (rc == -1) {
		lookup_fail(l, KEEPER_UNAVAILABLE);
		return;
	}
	certifier_text(certifier, token.certifier);
	token.expires = (l->tries[l->next].time + v->retention) / 1000;
	lookup_log(l, "token");
	v->tokens++;
	wire_begin(&body);
	token_answer_put(&body, &token);
	OPENSSL_cleanse(drawn, sizeof(drawn));
	lookup_end(l, &body);
	wire_free(&body);
}

int
vault_token(struct vault *v, struct question from, struct wire_in *body)
{
	static const struct lookup_kind kind = { MSG_TOKEN_IS, true,
		token_found, token_fail };

	return lookup_start(v, from, body, &kind);
}
