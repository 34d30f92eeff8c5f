/*
 * Certificates and their keys: there, readable, pairs, and still valid.
 */
#include "conf/conf_reading.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A key with a pass phrase cannot be used: nobody is there to be asked. */
static int
no_pass_phrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

/* A regular file: a named pipe would hold us up for ever. */
static FILE *
open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fdopen(fd, "r");
	if (fd >= 0) {
		close(fd);
		errno = EINVAL;
	}
	return NULL;
}

/* An option that names a PEM file. */
struct pem {
	const char *section;
	const char *option;
	const char *path;
};

static int
line_of(const struct conf_reading *r, const struct pem *pem)
{
	return conf_line(r, pem->section, "", pem->option);
}

/* The option's file, or NULL after a mistake was written down. */
static FILE *
open_pem(struct conf_reading *r, const struct pem *pem)
{
	FILE *f;

	if (*pem->path == '\0') {
		if (!conf_is_bad(r, pem->section, "", pem->option))
			conf_mistake(r, line_of(r, pem),
			    "no %s; set it in tls { ... } to a PEM file",
			    pem->option);
		return NULL;
	}
	f = open_regular(pem->path);
	if (f == NULL)
		conf_mistake(r, line_of(r, pem),
		    "%s \"%.200s\" cannot be read: %s; correct its path, or "
		    "its "
		    "mode for the user who starts waybilld",
		    pem->option, pem->path, strerror(errno));
	return f;
}

static X509 *
read_certificate(struct conf_reading *r, const struct pem *pem)
{
	FILE *f = open_pem(r, pem);
	X509 *certificate;

	if (f == NULL)
		return NULL;
	certificate = PEM_read_X509_AUX(f, NULL, NULL, NULL);
	fclose(f);
	if (certificate == NULL)
		conf_mistake(r, line_of(r, pem),
		    "%s \"%.200s\" holds no PEM certificate; give the "
		    "file that begins with -----BEGIN CERTIFICATE-----",
		    pem->option, pem->path);
	return certificate;
}

static EVP_PKEY *
read_key(struct conf_reading *r, const struct pem *pem)
{
	FILE *f = open_pem(r, pem);
	bool asked = false;
	EVP_PKEY *key;

	if (f == NULL)
		return NULL;
	key = PEM_read_PrivateKey(f, NULL, no_pass_phrase, &asked);
	fclose(f);
	if (key == NULL)
		conf_mistake(r, line_of(r, pem),
		    asked ? "%s \"%.200s\" has a pass phrase; remove it with "
			    "openssl "
			    "pkey"
			  : "%s \"%.200s\" holds no PEM private key; give the "
			    "file that begins with -----BEGIN PRIVATE KEY-----",
		    pem->option, pem->path);
	return key;
}

static void
check_dates(
    struct conf_reading *r, const struct pem *pem, const X509 *certificate)
{
	int line = line_of(r, pem);

	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		conf_warning(r, line, "the certificate has expired; renew it");
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		conf_warning(r, line,
		    "the certificate is not valid yet; is "
		    "the clock right?");
}

/* The two may be one file. */
static void
check_pair(
    struct conf_reading *r, const struct pem *chain, const struct pem *secret)
{
	X509 *certificate = read_certificate(r, chain);
	EVP_PKEY *key = certificate != NULL || chain->path != secret->path
	    ? read_key(r, secret)
	    : NULL;

	if (certificate != NULL)
		check_dates(r, chain, certificate);
	if (certificate != NULL && key != NULL &&
	    X509_check_private_key(certificate, key) != 1)
		conf_mistake(r, line_of(r, secret),
		    "key and certificate are no pair; give the key that the "
		    "certificate was made for");
	X509_free(certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
}

void
conf_check_tls(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	const struct pem chain = { "tls", "certificate", c->tls.certificate };
	const struct pem key = { "tls", "key", c->tls.key };

	check_pair(r, &chain, &key);
	for (size_t i = 0; i < c->track.certificates.count; i++) {
		const struct pem both = { "track", "certificates",
			c->track.certificates.item[i] };

		if (*both.path == '/')
			check_pair(r, &both, &both);
	}
}
