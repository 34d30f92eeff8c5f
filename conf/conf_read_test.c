/*
 * Reading a configuration: what is taken, and what is said about mistakes.
 */
#include "conf/conf_reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_table.h"

static char directory[] = "/tmp/conf-test-XXXXXX";
static char good_tls[400];

static void
path_in(char *out, size_t size, const char *name)
{
	snprintf(out, size, "%s/%s", directory, name);
}

static void
write_pair(const char *name, long days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	char path[100], file[60];
	FILE *f;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -200000);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"submit.example.net", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	snprintf(file, sizeof(file), "%s.crt", name);
	path_in(path, sizeof(path), file);
	f = fopen(path, "we");
	assert_non_null(f);
	PEM_write_X509(f, x);
	fclose(f);
	snprintf(file, sizeof(file), "%s.key", name);
	path_in(path, sizeof(path), file);
	f = fopen(path, "we");
	assert_non_null(f);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
copy_into(FILE *to, const char *name)
{
	char path[100], text[4000];
	FILE *f;

	path_in(path, sizeof(path), name);
	f = fopen(path, "re");
	assert_non_null(f);
	fwrite(text, 1, fread(text, 1, sizeof(text), f), to);
	fclose(f);
}

static void
write_both(void)
{
	char path[100];
	FILE *f;

	path_in(path, sizeof(path), "both.pem");
	f = fopen(path, "we");
	assert_non_null(f);
	copy_into(f, "good.crt");
	copy_into(f, "good.key");
	fclose(f);
}

static int
make_files(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	write_pair("good", 30);
	write_pair("other", 30);
	write_pair("old", -1);
	write_both();
	snprintf(good_tls, sizeof(good_tls),
	    "tls { certificate = \"%1$s/good.crt\" key = \"%1$s/good.key\" }\n",
	    directory);
	return 0;
}

static int
remove_files(void **state)
{
	static const char *const names[] = { "good.crt", "good.key",
		"other.crt", "other.key", "old.crt", "old.key", "both.pem" };
	char path[100];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_in(path, sizeof(path), names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

static const char rest[] = "hostname = \"submit.example.net\"\n"
			   "listen \"a\" { }\n"
			   "msa \"main\" { }\n";

/* Read text; what was said is in *said, to be freed. */
static struct conf *
read_text(const char *text, char **said)
{
	struct conf *conf;
	size_t len;
	FILE *out = open_memstream(said, &len);

	assert_non_null(out);
	conf = conf_read_text("f", text, out);
	fclose(out);
	return conf;
}

/* A good configuration with text after it. */
static struct conf *
read_after_good(const char *text, char **said)
{
	struct conf *conf;
	char *all;

	assert_true(asprintf(&all, "%s%s%s", good_tls, rest, text) > 0);
	conf = read_text(all, said);
	free(all);
	return conf;
}

static void
defaults_stand_where_nothing_is_said(void **state)
{
	char *said;
	struct conf *c = read_after_good("", &said);

	(void)state;
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_string_equal(c->run_dir, "/run/waybill");
	assert_int_equal(c->drain_timeout, 60000);
	assert_string_equal(c->msa_name, "main");
	assert_int_equal(c->msa.port, 10587);
	assert_true(c->msa.verify);
	assert_int_equal(c->msa.identity, CONF_IDENTITY_NONE);
	assert_int_equal(c->tracking.default_, CONF_TRACKING_ON);
	assert_int_equal(c->tracking.retention, 864000000);
	assert_int_equal(c->tracking.remember.count, 3);
	assert_int_equal(c->vault.min_free, 64 << 20);
	assert_int_equal(c->auth.sasl.count, 2);
	assert_string_equal(c->auth.mechanisms.item[3], "SCRAM-SHA-256");
	assert_int_equal(c->listen_count, 1);
	assert_string_equal(c->listen[0].title, "a");
	assert_string_equal(c->listen[0].address.item[0], "*");
	assert_int_equal(c->listen[0].port, 587);
	assert_false(c->track_on);
	assert_false(c->msa_log_on);
	assert_int_equal(c->tracking.inner_hosts.count, 8);
	conf_free(c);
	free(said);
}

static void
tracker_and_feed_run_where_their_sections_are(void **state)
{
	char *text, *said;
	struct conf *c;

	(void)state;
	assert_true(asprintf(&text,
			"%shostname = a.example listen a { }\n"
			"log { level = debug }\n"
			"msa main { port = 25\n"
			"  log { # nested\n"
			"    file = /l format = exim filters = { '::1', b }\n"
			"  }\n"
			"  verify = no }\n"
			"tracking { inner_hosts = { 192.0.2.0/24, a.lan }\n"
			"  reveal_hosts = yes }\n"
			"track { tls = offered\n"
			"  certificates = \"%s/both.pem\" }\n",
			good_tls, directory) > 0);
	c = read_text(text, &said);
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_true(c->track_on);
	assert_true(c->msa_log_on);
	assert_int_equal(c->log.level, 3);
	assert_int_equal(c->log.format, CONF_LOG_TEXT);
	assert_string_equal(c->log.file, "");
	assert_string_equal(c->msa_log.file, "/l");
	assert_int_equal(c->msa_log.format, CONF_MSA_LOG_EXIM);
	assert_int_equal(c->msa_log.filters.count, 2);
	assert_int_equal(c->msa_log.wait, 60000);
	assert_false(c->msa.verify);
	assert_int_equal(c->tracking.inner_hosts.count, 2);
	assert_true(c->tracking.reveal_hosts);
	assert_int_equal(c->track.tls, CONF_TRACK_TLS_OFFERED);
	assert_int_equal(c->track.certificates.count, 1);
	conf_free(c);
	free(said);
	free(text);
}

static void
values_are_taken_in_every_spelling(void **state)
{
	char *said;
	struct conf *c = read_after_good(
	    "drain_timeout = \"90\tsec\" workers = 3 # comment\n"
	    "listen b { address = { 127.0.0.1, '::1' } port = 0\n"
	    "tls = implicit }\n"
	    "auth { mechanisms = PLAIN sasl = {} fold_case = yes }\n"
	    "tracking { default = off mint_timeout = \"100ms\" }\n"
	    "vault { min_free = \"1 G\" } // more\n"
	    "/* many\nlines */ limits { session_max = \"1 week\" }\n"
	    "log { level = \"debug\" format = json }",
	    &said);

	(void)state;
	assert_string_equal(said, "");
	assert_non_null(c);
	assert_int_equal(c->drain_timeout, 90000);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->listen_count, 2);
	assert_int_equal(c->listen[1].address.count, 2);
	assert_int_equal(c->listen[1].port, 0);
	assert_int_equal(c->listen[1].tls, CONF_LISTEN_IMPLICIT);
	assert_int_equal(c->auth.mechanisms.count, 1);
	assert_int_equal(c->auth.sasl.count, 0);
	assert_true(c->auth.fold_case);
	assert_int_equal(c->tracking.default_, CONF_TRACKING_OFF);
	assert_int_equal(c->tracking.mint_timeout, 100);
	assert_int_equal(c->vault.min_free, 1 << 30);
	assert_int_equal(c->limits.session_max, 604800000);
	assert_int_equal(c->log.level, 3);
	assert_int_equal(c->log.format, CONF_LOG_JSON);
	conf_free(c);
	free(said);
}

/* Texts after a good configuration of four lines, and what is said of each. */
static const struct {
	const char *text;
	const char *said;
} mistakes[] = {
	{ "wrokers = 2",
	    "f:5: unknown option 'wrokers'; did you mean workers?\n" },
	{ "zzzzzz = 2",
	    "f:5: unknown option 'zzzzzz'; remove it, or see "
	    "waybill.conf(5)\n" },
	{ "port = 3",
	    "f:5: unknown option 'port' here; it belongs into section "
	    "listen\n" },
	{ "log { service = 3 }",
	    "f:5: unknown option 'service' here; it belongs into section "
	    "auth\n" },
	{ "log { drain_timeout = 3 }",
	    "f:5: unknown option 'drain_timeout' in section log; it belongs "
	    "outside of sections\n" },
	{ "lgo { level = 3 }",
	    "f:5: unknown option 'lgo'; did you mean log?\n" },
	{ "lsten \"x\" { port = 3\n}",
	    "f:5: unknown option 'lsten'; did you mean listen?\n" },
	{ "workers = two",
	    "f:5: workers = \"two\": not a whole number; give it from 0 to "
	    "256\n" },
	{ "workers = 257",
	    "f:5: workers = \"257\": out of range; give it from 0 to 256\n" },
	{ "drain_timeout = 60",
	    "f:5: drain_timeout = \"60\": not a time; write a number and one "
	    "of ms, s, min, h, days, as \"10 min\"\n" },
	{ "drain_timeout = 60 s",
	    "f:5: drain_timeout = \"60\": not a time; write a number and one "
	    "of ms, s, min, h, days, as \"10 min\"\n"
	    "f:5: stray 's'; put a number and its unit into quotes, as "
	    "\"60 s\"\n" },
	{ "auth { timeout = \"1 h\" }",
	    "f:5: timeout = \"1 h\": out of range; give it from \"1 s\" to "
	    "\"10 min\"\n" },
	{ "vault { min_free = \"2 X\" }",
	    "f:5: min_free = \"2 X\": not a size; write octets, or a number "
	    "and one of k, M, G, T, as \"64 M\"\n" },
	{ "log { level = loud }",
	    "f:5: level = \"loud\": not a word it knows; write one of "
	    "error|warning|info|debug\n" },
	{ "auth { fold_case = maybe }",
	    "f:5: fold_case = \"maybe\": neither true nor false; write one of "
	    "the two\n" },
	{ "run_dir = \"\"", "f:5: run_dir = \"\": empty; give it a value\n" },
	{ "run_dir = \"run\"",
	    "f:5: run_dir = \"run\" depends on where waybilld is started; "
	    "give the path from / on\n" },
	{ "workers = 1\nworkers = 2",
	    "f:6: workers is given twice, first on line 5; remove one\n" },
	{ "log { }\nlog { }",
	    "f:6: section log stands twice; make one of the two\n" },
	{ "listen \"a\" { port = 3 }",
	    "f:5: section listen \"a\" stands twice; give each its own "
	    "name\n" },
	{ "listen { port = 3 }",
	    "f:5: no name after section 'listen'; write section \"name\" { ... "
	    "}\n" },
	{ "listen \"a b\" { port = 3 }",
	    "f:5: 'a b' cannot name a section; use 1 to 50 letters, digits, -, "
	    "_ and .\n" },
	{ "listen \"b\" { port = 3 address = { \"localhost\", \"::1\" } }",
	    "f:5: address \"localhost\" is no address; give an IPv4 or IPv6 "
	    "address, or *\n" },
	{ "listen \"b\" { port = 3 address = { \"::1\", \"*\" } }",
	    "f:5: address \"*\" stands beside \"::1\"; leave one out\n" },
	{ "listen \"b\" { }",
	    "f:5: listen \"b\" has the address and port of listen \"a\"; "
	    "change one\n" },
	{ "listen \"b\" { port = 25 address = {} }",
	    "f:5: address is empty; name at least one\n" },
	{ "listen \"b\" { port = 10587 }",
	    "f:4: the MSA would be Waybill itself (listen \"b\"); give address "
	    "and port of your mail server\n" },
	{ "msa \"second\" { }",
	    "f:5: a second section msa; this version submits to one, remove "
	    "the other\n" },
	{ "auth { workers = 65 }",
	    "f:5: workers is more than workers_max; raise workers_max to "
	    "65\n" },
	{ "auth { sasl = { \"pwcheck_method\" } }",
	    "f:5: sasl \"pwcheck_method\" is not name=value; write it as "
	    "\"pwcheck_method=saslauthd\"\n" },
	{ "auth { mechanisms = { plain } }",
	    "f:5: mechanism \"plain\" is no name of one; write it in capitals, "
	    "as \"PLAIN\"\n" },
	{ "tracking { retention = \"6 days\" }",
	    "f:5: retention must be longer than the MSA's queue_lifetime and a "
	    "day, or a queued message would be denied; give more than \"6 "
	    "days\"\n" },
	{ "tracking { remember = { body } }",
	    "f:5: remember \"body\" is unknown; give any of message-id, "
	    "recipients, subject\n" },
	{ "tracking { server = track }",
	    "f:5: server = \"track\" is no full domain name; give one as "
	    "\"track.example.net\"\n" },
	{ "vault { path = /a keys = /a/b }",
	    "f:5: the master keys lie in the vault itself; give keys a "
	    "directory of its own\n" },
	{ "vault { path = /a// keys = /a/b }",
	    "f:5: the master keys lie in the vault itself; give keys a "
	    "directory of its own\n" },
	{ "log { target = file }",
	    "f:5: target = \"file\" without a file; set file = "
	    "\"/var/log/waybill.log\"\n" },
	{ "log\n{ level }",
	    "f:6: no = after 'level'; write it as name = value\n" },
	{ "log = 3", "f:5: no { after section 'log'; write section { ... }\n" },
	{ "}",
	    "f:5: a } too much; remove it, or look above for a { that is "
	    "missing\n" },
	{ "log {",
	    "f:5: the file ends inside of a string, list or section; close "
	    "what is open\n" },
	{ "workers =",
	    "f:5: the file ends inside of a string, list or section; close "
	    "what is open\n" },
	{ "\n/* workers = 3",
	    "f:6: the file ends inside of a string, list or section; close "
	    "what is open\n" },
	{ "workers = { 1, 2 }",
	    "f:5: '{' does not belong here; correct the line or the one "
	    "above\n" },
	{ "workers = 'two\nthree",
	    "f:6: nothing closes a string that ' opens; close it\n" },
	{ "workers = \"two\nthree",
	    "f:6: the file ends inside of a string, list or section; close "
	    "what is open\n" },
	{ "workers = \"\\999\"",
	    "f:5: not understood at \\999; correct the line\n" },
	{ "workers += 2",
	    "f:5: 'workers' is no list; write = instead of +=\n" },
	{ "log|level = debug",
	    "f:5: 'level' cannot be set here; write it inside its section\n" },
	{ "# one\n// two\n/* three\n */ workers = x # four\n",
	    "f:8: workers = \"x\": not a whole number; give it from 0 to "
	    "256\n" },
	{ "# one\n}\n# two",
	    "f:6: a } too much; remove it, or look above for a { that is "
	    "missing\n" },
	{ "a|b = 2\n", "f:5: not understood at a; correct the line\n" },
	{ "\" \" = 2\n",
	    "f:5: ' ' cannot be set here; write it inside its section\n" },
	{ "track {\nidle_timeout = \"9 min\" }",
	    "f:6: idle_timeout = \"9 min\": out of range; give it from \"10 "
	    "min\" to \"1 days\"\n" },
	{ "track { port = 587 }",
	    "f:5: section track has the address and port of listen \"a\"; "
	    "change one\n" },
	{ "track { address = here }",
	    "f:5: address \"here\" is no address; give an IPv4 or IPv6 "
	    "address, or *\n" },
	{ "track {\n certificates = { both.pem } }",
	    "f:6: certificates = \"both.pem\" depends on where waybilld is "
	    "started; give the path from / on\n" },
	{ "track { track { port = 1 } }",
	    "f:5: unknown option 'track'; remove it, or see "
	    "waybill.conf(5)\n" },
	{ "auth { deep {\nx = 1 }\nwrokers = 3 }",
	    "f:5: unknown option 'deep'; remove it, or see waybill.conf(5)\n"
	    "f:7: unknown option 'wrokers'; did you mean workers?\n" },
	{ "track { }\ntrack { }",
	    "f:6: section track stands twice; make one of the two\n" },
	{ "tracking {\n\ninner_hosts = { 10.0.0.0/8, 10.0.0.0/33, b_/c } }",
	    "f:7: inner_hosts \"10.0.0.0/33\" is neither a network nor a name; "
	    "write \"10.0.0.0/8\" or \"example.lan\"\n"
	    "f:7: inner_hosts \"b_/c\" is neither a network nor a name; write "
	    "\"10.0.0.0/8\" or \"example.lan\"\n" },
};

/* The same with a section msa that is the last of four lines. */
static const struct {
	const char *text;
	const char *said;
} msa_mistakes[] = {
	{ "log { }",
	    "f:4: no file; set it in log { ... } to the MSA's log, as file = "
	    "\"/var/log/mail.log\"\n" },
	{ "\nlog {\n file = \"\" }",
	    "f:6: file = \"\": empty; give it a value\n" },
	{ "\nlog {\n file = mail.log\n}",
	    "f:6: file = \"mail.log\" depends on where waybilld is started; "
	    "give the path from / on\n" },
	{ "log { file = /a\nstate = /a }",
	    "f:5: state is the log itself; give it a file of its own\n" },
	{ "log { file = /a\nstate = b }",
	    "f:5: state = \"b\" depends on where waybilld is started; give "
	    "the path from / on\n" },
	{ "log { file = /a\nforamt = exim }",
	    "f:5: unknown option 'foramt'; did you mean format?\n" },
	{ "log { file = /a\n\nformat = syslog }\nprot = 3",
	    "f:6: format = \"syslog\": not a word it knows; write one of "
	    "postfix|exim|json\n"
	    "f:7: unknown option 'prot'; did you mean port?\n" },
	{ "log { file = /a\ntarget = file }",
	    "f:5: unknown option 'target' here; it belongs into section "
	    "log\n" },
	{ "format = exim",
	    "f:4: unknown option 'format' here; it belongs into section log of "
	    "msa\n" },
	{ "log { file = /a\nworkers = 3 }",
	    "f:5: unknown option 'workers' in section log of msa; it belongs "
	    "outside of sections\n" },
	{ "lgo {\nfile = /a\n}",
	    "f:4: unknown option 'lgo'; did you mean log?\n" },
	{ "log { }\nlog { file = /b }",
	    "f:5: section log stands twice; make one of the two\n" },
	{ "log { file = /a\nfile = /b }",
	    "f:5: file is given twice, first on line 4; remove one\n" },
	{ "log { file = /a\nfile\n}",
	    "f:6: no = after 'file'; write it as name = value\n" },
	{ "log {\n\nfile = /a",
	    "f:7: the file ends inside of a string, list or section; close "
	    "what is open\n" },
	{ "log = /a",
	    "f:4: no { after section 'log'; write section { ... }\n" },
};

static void
each_mistake_names_line_and_cure(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char *said;

		if (read_after_good(mistakes[i].text, &said) != NULL)
			fail_msg("taken: %s", mistakes[i].text);
		assert_string_equal(said, mistakes[i].said);
		free(said);
		/* Whatever stopped it, the next text is read from its start. */
		conf_free(read_after_good("", &said));
		assert_string_equal(said, "");
		free(said);
	}
}

static void
mistakes_in_a_nested_section_are_named_as_well(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(msa_mistakes) / sizeof(msa_mistakes[0]);
	     i++) {
		char *text, *said;

		assert_true(asprintf(&text,
				"%shostname = a.example\nlisten a { }\n"
				"msa main { %s }\n",
				good_tls, msa_mistakes[i].text) > 0);
		if (read_text(text, &said) != NULL)
			fail_msg("taken: %s", msa_mistakes[i].text);
		assert_string_equal(said, msa_mistakes[i].said);
		free(said);
		free(text);
	}
}

/* A file of certificates { }, and what is said of it. */
static const struct {
	const char *file;
	const char *said;
} both[] = {
	{ "both.pem", NULL },
	{ "good.crt", "certificates \"%s/good.crt\" holds no PEM private key" },
	{ "good.key", "certificates \"%s/good.key\" holds no PEM certificate" },
	{ "none.pem", "certificates \"%s/none.pem\" cannot be read" },
};

static void
each_of_certificates_holds_chain_and_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		char *text, *said, *expected;
		struct conf *conf;

		assert_true(asprintf(&text,
				"track {\n certificates = { \"%s/%s\" } }\n",
				directory, both[i].file) > 0);
		conf = read_after_good(text, &said);
		if (both[i].said == NULL) {
			assert_non_null(conf);
			assert_string_equal(said, "");
		} else {
			assert_null(conf);
			assert_true(
			    asprintf(&expected, both[i].said, directory) > 0);
			assert_non_null(strstr(said, expected));
			assert_memory_equal(said, "f:6: ", 5);
			free(expected);
		}
		conf_free(conf);
		free(said);
		free(text);
	}
}

static void
all_mistakes_are_reported_at_once(void **state)
{
	char *said;

	(void)state;
	assert_null(read_text("hostnam = \"x\"\n"
			      "hostname = \"localhost\"\n"
			      "auht {\n"
			      "	workers = 3\n"
			      "	deep = { 1, 2 }\n"
			      "}\n"
			      "msa { port = 3 }\n",
	    &said));
	assert_string_equal(said,
	    "f:1: unknown option 'hostnam'; did you mean hostname?\n"
	    "f:3: unknown option 'auht'; did you mean auth?\n"
	    "f:7: no name after section 'msa'; write section \"name\" { ... "
	    "}\n");
	free(said);
	assert_null(read_text("hostnam = \"x\"\n"
			      "hostname = \"localhost\"\n"
			      "auth {\n"
			      "	workers = many\n"
			      "	wrokers = { 1, 2 }\n"
			      "}\n"
			      "log { level = loud colour = blue }\n",
	    &said));
	assert_string_equal(said,
	    "f: no section msa; name the server that mail goes to, as msa "
	    "\"main\" { address = \"127.0.0.1\" port = 10587 }\n"
	    "f: no section listen; name a port, as listen \"submission\" { "
	    "port = 587 }\n"
	    "f: no certificate; set it in tls { ... } to a PEM file\n"
	    "f: no key; set it in tls { ... } to a PEM file\n"
	    "f:1: unknown option 'hostnam'; did you mean hostname?\n"
	    "f:2: hostname = \"localhost\" is no full domain name; give one as "
	    "\"submit.example.net\"\n"
	    "f:4: workers = \"many\": not a whole number; give it from 1 to "
	    "1024\n"
	    "f:5: unknown option 'wrokers'; did you mean workers?\n"
	    "f:7: level = \"loud\": not a word it knows; write one of "
	    "error|warning|info|debug\n"
	    "f:7: unknown option 'colour'; remove it, or see "
	    "waybill.conf(5)\n");
	free(said);
}

/* Certificate and key by name in the directory, and what is said of them. */
static const struct {
	const char *certificate;
	const char *key;
	const char *said;
	bool good;
} pairs[] = {
	{ "good.crt", "good.key", "", true },
	{ "old.crt", "old.key",
	    "warning: the certificate has expired; renew it", true },
	{ "good.crt", "other.key",
	    "key and certificate are no pair; give the key that the "
	    "certificate was made for",
	    false },
	{ "good.key", "good.key", "holds no PEM certificate", false },
	{ "good.crt", "good.crt", "holds no PEM private key", false },
	{ "none.crt", "good.key",
	    "cannot be read: No such file or directory; correct its path",
	    false },
};

static void
certificate_and_key_must_be_a_readable_pair(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *text, *said;
		struct conf *conf;

		assert_true(asprintf(&text,
				"%s tls {\ncertificate = "
				"\"%s/%s\" key = \"%s/%s\" }",
				rest, directory, pairs[i].certificate,
				directory, pairs[i].key) > 0);
		conf = read_text(text, &said);
		assert_int_equal(conf != NULL, pairs[i].good);
		assert_non_null(strstr(said, pairs[i].said));
		conf_free(conf);
		free(said);
		free(text);
	}
}

static void
an_empty_hostname_becomes_the_systems(void **state)
{
	char *text, *said;
	struct conf *conf;

	(void)state;
	assert_true(
	    asprintf(&text, "%s listen a { } msa main { }", good_tls) > 0);
	conf = read_text(text, &said);
	if (conf != NULL)
		assert_non_null(strchr(conf->hostname, '.'));
	else
		assert_non_null(strstr(said, "set hostname"));
	conf_free(conf);
	free(said);
	free(text);
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 200000);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 199999, f) > 0);
	fclose(f);
	return text;
}

static void
replace(char **text, const char *from, const char *to)
{
	char *at = strstr(*text, from), *all;

	assert_non_null(at);
	assert_true(asprintf(&all, "%.*s%s%s", (int)(at - *text), *text, to,
			at + strlen(from)) > 0);
	free(*text);
	*text = all;
}

static void
assert_no_difference(const struct conf *a, const struct conf *b)
{
	int x = conf_snapshot_write(a), y = conf_snapshot_write(b);
	struct stat s, t;
	char *p, *q;

	assert_true(x >= 0 && y >= 0);
	assert_int_equal(fstat(x, &s), 0);
	assert_int_equal(fstat(y, &t), 0);
	assert_int_equal(s.st_size, t.st_size);
	p = calloc(1, (size_t)s.st_size);
	q = calloc(1, (size_t)s.st_size);
	assert_int_equal(pread(x, p, (size_t)s.st_size, 0), s.st_size);
	assert_int_equal(pread(y, q, (size_t)s.st_size, 0), s.st_size);
	assert_memory_equal(p, q, (size_t)s.st_size);
	free(p);
	free(q);
	close(x);
	close(y);
}

/* "#name = value" is an option at its default, "# text" is a comment. */
static void
the_sample_shows_every_default(void **state)
{
	char *sample = read_file("conf/waybill.conf.sample"), *said, path[100];
	struct conf *plain, *full;

	(void)state;
	path_in(path, sizeof(path), "good.crt");
	replace(&sample, "/etc/waybill/certificate.pem", path);
	path_in(path, sizeof(path), "good.key");
	replace(&sample, "/etc/waybill/key.pem", path);
	plain = read_text(sample, &said);
	assert_string_equal(said, "");
	free(said);
	for (char *p = sample; (p = strchr(p, '#')) != NULL; p++)
		if (p[1] != ' ' && p[1] != '\n')
			*p = ' ';
	full = read_text(sample, &said);
	assert_string_equal(said, "");
	assert_non_null(plain);
	assert_non_null(full);
	assert_no_difference(plain, full);
	conf_free(plain);
	conf_free(full);
	free(said);
	free(sample);
}

static void
sample_and_manual_name_every_option(void **state)
{
	char *sample = read_file("conf/waybill.conf.sample");
	char *manual = read_file("man/waybill.conf.5");
	char name[80];

	(void)state;
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++) {
		const struct conf_section *s = &conf_sections[i];

		for (size_t o = 0; o < s->count; o++) {
			const char *option = s->options[o].name;

			assert_true(option[strlen(option) - 1] != '_');
			snprintf(name, sizeof(name), "%s = ", option);
			if (strstr(sample, name) == NULL)
				fail_msg("sample: %s", option);
			snprintf(name, sizeof(name), ".It Ic %s\n", option);
			if (strstr(manual, name) == NULL)
				fail_msg("manual: %s", option);
		}
	}
	free(sample);
	free(manual);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stand_where_nothing_is_said),
		cmocka_unit_test(values_are_taken_in_every_spelling),
		cmocka_unit_test(tracker_and_feed_run_where_their_sections_are),
		cmocka_unit_test(each_mistake_names_line_and_cure),
		cmocka_unit_test(
		    mistakes_in_a_nested_section_are_named_as_well),
		cmocka_unit_test(each_of_certificates_holds_chain_and_key),
		cmocka_unit_test(all_mistakes_are_reported_at_once),
		cmocka_unit_test(certificate_and_key_must_be_a_readable_pair),
		cmocka_unit_test(an_empty_hostname_becomes_the_systems),
		cmocka_unit_test(the_sample_shows_every_default),
		cmocka_unit_test(sample_and_manual_name_every_option),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
