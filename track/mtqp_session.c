/*
 * The server's side of one MTQP session (RFC 3887).
 */
#include "track/mtqp_session.h"

#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "common/codec.h"
#include "common/log.h"

enum { SECRET_MIN = 16 }; /* RFC 3885 3.1 */

/* A command's parameters: what stands behind its verb. */
struct parameters {
	char *at;
	size_t len;
};

static void
put(struct mtqp_session *s, const char *text)
{
	buffer_append(&s->out, text, strlen(text));
}

/* A late or second answer of the process is a bug of ours. */
static void
enter(struct mtqp_session *s, enum mtqp_effect from, enum mtqp_effect to)
{
	if (s->effect != from)
		fatal("mtqp session: %d instead of %d, for %d", s->effect, from,
		    to);
	s->effect = to;
}

static bool
reached(unsigned count, unsigned max)
{
	return max > 0 && count >= max;
}

/* The only answer to what is no command (RFC 3887 2.2). */
static void
answer_bad(struct mtqp_session *s, const char *tokens, const char *text)
{
	put(s, "-BAD");
	put(s, tokens);
	put(s, " ");
	put(s, text);
	s->bad++;
	if (reached(s->bad, s->rules->bad_max)) {
		put(s, "; too many errors");
		enter(s, MTQP_READ, MTQP_CLOSE);
	}
	put(s, "\r\n");
}

/* RFC 3887 3. After TLS the list must not have STARTTLS any more (6.2). */
static void
greet(struct mtqp_session *s)
{
	bool offer = s->rules->tls && s->security == MTQP_CLEAR;

	put(s, offer ? "+OK+/MTQP " : "+OK/MTQP ");
	put(s, s->rules->hostname);
	put(s, " ready\r\n");
	if (offer)
		put(s,
		    s->rules->tls_required ? "STARTTLS required\r\n.\r\n"
					   : "STARTTLS\r\n.\r\n");
}

void
mtqp_session_start(
    struct mtqp_session *s, const struct mtqp_rules *rules, const char *refusal)
{
	*s = (struct mtqp_session){ .rules = rules, .security = MTQP_CLEAR };
	if (refusal == NULL) {
		greet(s);
		return;
	}
	put(s, "-TEMP/MTQP/");
	put(s, refusal);
	put(s, " ");
	put(s, rules->hostname);
	put(s, " does not answer now\r\n");
	enter(s, MTQP_READ, MTQP_CLOSE);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct parameters
skip_space(struct parameters p)
{
	while (p.len > 0 && is_space(*p.at)) {
		p.at++;
		p.len--;
	}
	return p;
}

/* Cut the next word off; empty at the end. */
static struct parameters
next_word(struct parameters *p)
{
	struct parameters word;

	*p = skip_space(*p);
	word = *p;
	while (p->len > 0 && !is_space(*p->at)) {
		p->at++;
		p->len--;
	}
	word.len -= p->len;
	return word;
}

/* B = SHA-1(A), over the octets that the base64 stands for (RFC 3885 3.1). */
static int
hash_secret(const uint8_t *secret, size_t len, uint8_t out[CERTIFIER_LEN])
{
	static EVP_MD *sha1; /* looking it up takes longer than using it */
	unsigned out_len = 0;

	if (sha1 == NULL)
		sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (sha1 == NULL ||
	    EVP_Digest(secret, len, out, &out_len, sha1, NULL) != 1)
		return -1;
	return out_len == CERTIFIER_LEN ? 0 : -1;
}

static bool
read_envid(struct mtqp_session *s, struct parameters word)
{
	uint8_t decoded[ENVID_MAX];
	const char *start;
	size_t len = mtqp_envid_trim(word.at, word.len, &start);
	long octets;

	if (len == 0)
		return false;
	octets = codec_xtext_decode(start, len, decoded);
	return octets > 0 &&
	    codec_xtext_encode(
		decoded, (size_t)octets, s->envid, sizeof(s->envid)) > 0;
}

static void
track_secret(struct mtqp_session *s, struct parameters word)
{
	uint8_t secret[MTQP_LINE_MAX / 4 * 3 + 3];
	long len = codec_base64_decode(word.at, word.len, true, secret);

	if (len < 0)
		answer_bad(s, "", "the secret is not base64");
	else if (len < SECRET_MIN || len > SECRET_MAX)
		answer_bad(s, "", "a secret has 16 to 128 octets");
	else if (hash_secret(secret, (size_t)len, s->certifier) != 0)
		put(s, "-TEMP/unavailable out of order\r\n");
	else
		enter(s, MTQP_READ, MTQP_LOOK_UP);
	explicit_bzero(secret, sizeof(secret));
}

/* RFC 3887 4. */
static void
do_track(struct mtqp_session *s, struct parameters p)
{
	struct parameters envid = next_word(&p), secret = next_word(&p);

	if (s->security == MTQP_CLEAR && s->rules->tls_required)
		put(s, "-ERR/tls-required use STARTTLS first\r\n");
	else if (secret.len == 0 || p.len > 0)
		answer_bad(s, "", "TRACK wants an envelope id and a secret");
	else if (!read_envid(s, envid))
		answer_bad(s, "", "the envelope id is malformed");
	else
		track_secret(s, secret);
}

/* RFC 3887 5. */
static void
do_comment(struct mtqp_session *s, struct parameters p)
{
	(void)p;
	put(s, "+OK\r\n");
}

/* RFC 3887 6. */
static void
do_starttls(struct mtqp_session *s, struct parameters p)
{
	struct parameters domain = next_word(&p);

	if (s->security != MTQP_CLEAR) {
		answer_bad(s, "/tls-in-progress", "TLS is there already");
		return;
	}
	if (!s->rules->tls) {
		put(s, "-ERR/unsupported there is no TLS here\r\n");
		return;
	}
	if (domain.len == 0 || p.len > 0) {
		answer_bad(s, "", "STARTTLS wants a domain");
		return;
	}
	if (!mtqp_is_domain(domain.at, domain.len)) {
		answer_bad(s, "/bad-fqdn", "no domain of this server");
		return;
	}
	memcpy(s->domain, domain.at, domain.len);
	s->domain[domain.len] = '\0';
	enter(s, MTQP_READ, MTQP_START_TLS);
}

/* RFC 3887 7. */
static void
do_quit(struct mtqp_session *s, struct parameters p)
{
	if (p.len > 0) {
		answer_bad(s, "", "QUIT stands alone");
		return;
	}
	put(s, "+OK goodbye\r\n");
	enter(s, MTQP_READ, MTQP_CLOSE);
}

static const struct command {
	const char *verb;
	unsigned legal; /* enum mtqp_security, one bit each */
	void (*run)(struct mtqp_session *, struct parameters);
} commands[] = {
	{ "TRACK", MTQP_CLEAR | MTQP_SECURE, do_track },
	{ "COMMENT", MTQP_CLEAR | MTQP_SECURE, do_comment },
	{ "STARTTLS", MTQP_CLEAR | MTQP_SECURE, do_starttls },
	{ "QUIT", MTQP_CLEAR | MTQP_SECURE | MTQP_WEAK, do_quit },
};

static const struct command *
find_command(struct parameters verb)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strlen(commands[i].verb) == verb.len &&
		    strncasecmp(commands[i].verb, verb.at, verb.len) == 0)
			return &commands[i];
	return NULL;
}

static void
run_line(struct mtqp_session *s, struct parameters line)
{
	struct parameters p = line, verb = next_word(&p);
	const struct command *c =
	    verb.at == line.at ? find_command(verb) : NULL;

	s->commands++;
	if (c == NULL) {
		answer_bad(s, "", "no such command");
	} else if (c->run != do_quit && s->rules->commands_max > 0 &&
	    s->commands > s->rules->commands_max) {
		put(s, "-TEMP/unavailable too many commands\r\n");
		enter(s, MTQP_READ, MTQP_CLOSE);
	} else if ((c->legal & s->security) == 0) {
		put(s, "-ERR/insecure TLS is too weak\r\n");
	} else {
		c->run(s, skip_space(p));
	}
}

/* RFC 3887 2.2: printable ASCII, ended by CRLF, at most 998 octets. */
static const char *
line_fault(const struct mtqp_session *s, size_t len)
{
	if (s->line_too_long || len > MTQP_LINE_MAX)
		return "a line has at most 998 octets";
	if (len == s->line_len)
		return "a line ends with CR and LF";
	for (size_t i = 0; i < len; i++)
		if (!is_space(s->line[i]) &&
		    (s->line[i] <= ' ' || s->line[i] > '~'))
			return "a command is printable ASCII";
	return NULL;
}

static void
end_line(struct mtqp_session *s)
{
	struct parameters line = { s->line, s->line_len };
	const char *fault;

	if (line.len > 0 && s->line[line.len - 1] == '\r')
		line.len--;
	fault = line_fault(s, line.len);
	while (line.len > 0 && is_space(s->line[line.len - 1]))
		line.len--;
	if (fault != NULL)
		answer_bad(s, "", fault);
	else
		run_line(s, line);
	/* It may hold a secret. */
	explicit_bzero(s->line, sizeof(s->line));
	s->line_len = 0;
	s->line_too_long = false;
}

static void
add_to_line(struct mtqp_session *s, const char *in, size_t len)
{
	if (len > sizeof(s->line) - s->line_len) {
		s->line_too_long = true;
		return;
	}
	memcpy(s->line + s->line_len, in, len);
	s->line_len += len;
}

size_t
mtqp_session_feed(struct mtqp_session *s, const void *data, size_t len)
{
	const char *in = data;
	size_t used = 0;

	while (used < len && s->effect == MTQP_READ) {
		const char *lf = memchr(in + used, '\n', len - used);
		size_t n = (size_t)((lf == NULL ? in + len : lf) - in) - used;

		add_to_line(s, in + used, n);
		used += n;
		if (lf == NULL)
			break;
		used++;
		end_line(s);
	}
	return used;
}

void
mtqp_session_found(struct mtqp_session *s, const void *body, size_t len)
{
	enter(s, MTQP_LOOK_UP, MTQP_READ);
	put(s, "+OK+ tracking information follows\r\n");
	mtqp_stuff(&s->out, body, len);
}

void
mtqp_session_refuse(struct mtqp_session *s, enum mtqp_refusal refusal)
{
	static const char *const answers[] = {
		[MTQP_NOINFO] = "-ERR/noinfo nothing is known of it\r\n",
		[MTQP_TEMPORARY] = "-TEMP/unavailable try again later\r\n",
	};

	enter(s, MTQP_LOOK_UP, MTQP_READ);
	put(s, answers[refusal]);
	s->refused += refusal == MTQP_NOINFO;
	if (reached(s->refused, s->rules->refused_max))
		enter(s, MTQP_READ, MTQP_CLOSE);
}

void
mtqp_session_tls_refuse(struct mtqp_session *s)
{
	enter(s, MTQP_START_TLS, MTQP_READ);
	answer_bad(s, "/bad-fqdn", "no domain of this server");
}

int
mtqp_session_tls_begin(struct mtqp_session *s, size_t unread)
{
	if (unread > 0) {
		enter(s, MTQP_START_TLS, MTQP_CLOSE);
		put(s, "-BAD STARTTLS comes last in a batch\r\n");
		return -1;
	}
	enter(s, MTQP_START_TLS, MTQP_HANDSHAKE);
	put(s, "+OK begin TLS now\r\n");
	return 0;
}

void
mtqp_session_tls_done(struct mtqp_session *s, bool strong)
{
	enter(s, MTQP_HANDSHAKE, MTQP_READ);
	s->security = strong ? MTQP_SECURE : MTQP_WEAK;
	greet(s);
}

void
mtqp_session_free(struct mtqp_session *s)
{
	buffer_free(&s->out);
	explicit_bzero(s, sizeof(*s));
}
