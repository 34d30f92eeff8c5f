/*
 * libsasl2's options, mechanisms and log, from our configuration.
 */
#include "auth/sasl_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/log.h"
#include "conf/conf.h"

enum { SETUP_TLS_STRENGTH = 256 /* what TLS counts as, in bits */ };

struct sasl_setup {
	const struct conf *conf;
	char *mech_list;
	char offered[2][1024]; /* without TLS, and with it */
	sasl_callback_t callbacks[4];
};

/* libsasl2 declares every callback as a function without parameters. */
typedef int callback_fn(void);

static const char *
option(const struct sasl_setup *setup, const char *name)
{
	const struct conf_list *options = &setup->conf->auth.sasl;
	size_t len = strlen(name);

	for (size_t i = 0; i < options->count; i++)
		if (strncmp(options->item[i], name, len) == 0 &&
		    options->item[i][len] == '=')
			return options->item[i] + len + 1;
	return NULL;
}

static int
on_getopt(void *context, const char *plugin, const char *name,
    const char **value, unsigned *len)
{
	const struct sasl_setup *setup = context;

	(void)plugin;
	*value = option(setup, name);
	if (*value == NULL && strcmp(name, "mech_list") == 0)
		*value = setup->mech_list;
	if (*value == NULL)
		return SASL_FAIL;
	if (len != NULL)
		*len = (unsigned)strlen(*value);
	return SASL_OK;
}

/* Files of libsasl2's own would mix two configurations. */
static int
on_verify_file(void *context, const char *file, sasl_verify_type_t type)
{
	(void)context;
	(void)file;
	return type == SASL_VRFY_CONF ? SASL_CONTINUE : SASL_OK;
}

static int
on_log(void *context, int level, const char *text)
{
	(void)context;
	/* The levels above may show passwords. */
	if (level > SASL_LOG_DEBUG)
		return SASL_OK;
	if (level == SASL_LOG_ERR || level == SASL_LOG_WARN)
		log_warning("sasl", "%s", text);
	else
		log_debug("sasl", "%s", text);
	return SASL_OK;
}

static char *
join(const struct conf_list *list)
{
	size_t size = 1;
	char *text;

	for (size_t i = 0; i < list->count; i++)
		size += strlen(list->item[i]) + 1;
	if ((text = calloc(1, size)) == NULL)
		return NULL;
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			strcat(text, " ");
		strcat(text, list->item[i]);
	}
	return text;
}

static const char *
text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

sasl_conn_t *
sasl_setup_connection(
    const struct sasl_setup *setup, struct sasl_setup_peer *peer)
{
	const struct conf *conf = setup->conf;
	sasl_ssf_t strength = SETUP_TLS_STRENGTH;
	/* No security layer of SASL: TLS is there for that. */
	sasl_security_properties_t properties = {
		.security_flags = SASL_SEC_NOANONYMOUS,
	};
	sasl_conn_t *conn = NULL;

	if (!peer->tls)
		properties.security_flags |= SASL_SEC_NOPLAINTEXT;
	peer->callbacks[0] = setup->callbacks[0];
	peer->callbacks[1] = (sasl_callback_t){ SASL_CB_LOG,
		(callback_fn *)(void *)peer->log, peer->arg };
	peer->callbacks[2].id = SASL_CB_LIST_END;
	if (sasl_server_new(conf->auth.service, text_or_null(conf->hostname),
		text_or_null(conf->auth.realm), text_or_null(peer->server),
		text_or_null(peer->client), peer->callbacks, 0,
		&conn) != SASL_OK)
		return NULL;
	if (sasl_setprop(conn, SASL_SEC_PROPS, &properties) != SASL_OK ||
	    (peer->tls &&
		sasl_setprop(conn, SASL_SSF_EXTERNAL, &strength) != SASL_OK)) {
		sasl_dispose(&conn);
		return NULL;
	}
	return conn;
}

/* Is name one of the words of list? */
static bool
has_word(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	while (*list != '\0') {
		n = strcspn(list, " ,\t");
		if (n == len && strncasecmp(list, name, n) == 0)
			return true;
		list += n;
		list += strspn(list, " ,\t");
	}
	return false;
}

/* Asked once: libsasl2's plugins do not change while it runs. */
static void
list_mechanisms(struct sasl_setup *setup, bool tls)
{
	const struct conf_list *wanted = &setup->conf->auth.mechanisms;
	struct sasl_setup_peer peer = { .tls = tls, .log = on_log };
	sasl_conn_t *conn = sasl_setup_connection(setup, &peer);
	char *out = setup->offered[tls];
	const char *has = NULL;
	size_t len = 0, size = sizeof(setup->offered[tls]), n;

	if (conn == NULL)
		return;
	/* No mechanism at all is an error to libsasl2, not to us. */
	if (sasl_listmech(conn, NULL, "", " ", "", &has, NULL, NULL) != SASL_OK)
		has = "";
	for (size_t i = 0; i < wanted->count; i++) {
		n = strlen(wanted->item[i]);
		if (!has_word(has, wanted->item[i]) ||
		    has_word(out, wanted->item[i]) || len + n + 2 > size)
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%s",
		    len > 0 ? " " : "", wanted->item[i]);
	}
	sasl_dispose(&conn);
}

struct sasl_setup *
sasl_setup_new(const struct conf *conf)
{
	struct sasl_setup *setup = calloc(1, sizeof(*setup));
	int result;

	if (setup == NULL)
		return NULL;
	setup->conf = conf;
	setup->mech_list = join(&conf->auth.mechanisms);
	setup->callbacks[0] = (sasl_callback_t){ SASL_CB_GETOPT,
		(callback_fn *)(void *)on_getopt, setup };
	setup->callbacks[1] = (sasl_callback_t){ SASL_CB_LOG,
		(callback_fn *)(void *)on_log, setup };
	setup->callbacks[2] = (sasl_callback_t){ SASL_CB_VERIFYFILE,
		(callback_fn *)(void *)on_verify_file, setup };
	setup->callbacks[3].id = SASL_CB_LIST_END;
	result = sasl_server_init(setup->callbacks, "waybill");
	if (result != SASL_OK || setup->mech_list == NULL) {
		log_error("sasl", "libsasl2 does not start: %s",
		    sasl_errstring(result, NULL, NULL));
		free(setup->mech_list);
		free(setup);
		return NULL;
	}
	list_mechanisms(setup, false);
	list_mechanisms(setup, true);
	return setup;
}

void
sasl_setup_free(struct sasl_setup *setup)
{
	if (setup == NULL)
		return;
	sasl_server_done();
	free(setup->mech_list);
	free(setup);
}

const char *
sasl_setup_mechanisms(const struct sasl_setup *setup, bool tls)
{
	return setup->offered[tls];
}

bool
sasl_setup_offers(
    const struct sasl_setup *setup, const char *mechanism, bool tls)
{
	return has_word(setup->offered[tls], mechanism);
}

static bool
verifies_with(const struct sasl_setup *setup, const char *method)
{
	const char *methods = option(setup, "pwcheck_method");

	/* auxprop is libsasl2's own default. */
	return has_word(methods != NULL ? methods : "auxprop", method);
}

const char *
sasl_setup_fault(const struct sasl_setup *setup, char *out, size_t size)
{
	const char *plugins = option(setup, "auxprop_plugin");
	const char *path = option(setup, "sasldb_path");

	/* Only of sasldb is it known which file it cannot do without. */
	if (!verifies_with(setup, "auxprop") || plugins == NULL ||
	    !has_word(plugins, "sasldb"))
		return NULL;
	if (path == NULL)
		path = "/etc/sasldb2";
	if (access(path, R_OK) == 0)
		return NULL;
	snprintf(out, size, "sasldb %s: %s", path, strerror(errno));
	return out;
}

static bool
is_plaintext(const char *mechanism)
{
	return strcasecmp(mechanism, "PLAIN") == 0 ||
	    strcasecmp(mechanism, "LOGIN") == 0;
}

void
sasl_setup_warn(const struct sasl_setup *setup)
{
	const struct conf_list *wanted = &setup->conf->auth.mechanisms;
	const char *mux = option(setup, "saslauthd_path");
	const char *offered = setup->offered[true];
	char text[1024];

	if (sasl_setup_fault(setup, text, sizeof(text)) != NULL)
		log_error("sasl-store",
		    "%s; logins get 454 until it can be read "
		    "(saslpasswd2 -f makes it)",
		    text);
	if (verifies_with(setup, "saslauthd")) {
		if (mux == NULL)
			mux = "/var/run/saslauthd/mux";
		if (access(mux, W_OK) != 0)
			log_error("sasl-store",
			    "saslauthd's socket %s: %s; logins get 454 until "
			    "it is there",
			    mux, strerror(errno));
	}
	if (offered[0] == '\0')
		log_error("sasl-mechanisms",
		    "libsasl2 has none of %s: are its modules installed?",
		    setup->mech_list);
	for (size_t i = 0; i < wanted->count; i++) {
		if (!has_word(offered, wanted->item[i]))
			log_warning("sasl-mechanisms",
			    "%s is configured but libsasl2 does not have it",
			    wanted->item[i]);
		else if (!is_plaintext(wanted->item[i]) &&
		    !verifies_with(setup, "auxprop"))
			log_warning("sasl-mechanisms",
			    "%s is offered but nothing here can verify it: "
			    "pwcheck_method has no auxprop",
			    wanted->item[i]);
	}
}
