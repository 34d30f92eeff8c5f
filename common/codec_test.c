/*
 * What the text forms of octets accept, refuse and give back: RFC 4648,
 * RFC 3461 4, RFC 3629.
 */
#include "common/codec.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

/* RFC 4648 10, and the two last characters of the alphabets. */
static const struct {
	const char *octets;
	size_t len;
	const char *padded;
	const char *bare;
	const char *url;
} base64_pairs[] = {
	{ "", 0, "", "", "" },
	{ "f", 1, "Zg==", "Zg", "Zg" },
	{ "fo", 2, "Zm8=", "Zm8", "Zm8" },
	{ "foo", 3, "Zm9v", "Zm9v", "Zm9v" },
	{ "foob", 4, "Zm9vYg==", "Zm9vYg", "Zm9vYg" },
	{ "fooba", 5, "Zm9vYmE=", "Zm9vYmE", "Zm9vYmE" },
	{ "foobar", 6, "Zm9vYmFy", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xfe", 3, "+//+", "+//+", "-__-" },
	{ "\0\0", 2, "AAA=", "AAA", "AAA" },
};

static void
base64_goes_there_and_back(void **state)
{
	char text[32], octets[32];

	(void)state;
	for (size_t i = 0; i < N(base64_pairs); i++) {
		const char *in = base64_pairs[i].octets;
		const char *padded = base64_pairs[i].padded;
		const char *bare = base64_pairs[i].bare;
		const char *url = base64_pairs[i].url;
		size_t len = base64_pairs[i].len;

		assert_int_equal(
		    codec_base64_encode(in, len, true, text), strlen(padded));
		assert_string_equal(text, padded);
		codec_base64_encode(in, len, false, text);
		assert_string_equal(text, bare);
		codec_base64url_encode(in, len, text);
		assert_string_equal(text, url);

		assert_int_equal(
		    codec_base64_decode(padded, strlen(padded), false, octets),
		    len);
		assert_memory_equal(octets, in, len);
		assert_int_equal(
		    codec_base64_decode(padded, strlen(padded), true, octets),
		    len);
		assert_int_equal(
		    codec_base64_decode(bare, strlen(bare), true, octets), len);
		assert_memory_equal(octets, in, len);
		assert_int_equal(
		    codec_base64url_decode(url, strlen(url), octets), len);
		assert_memory_equal(octets, in, len);
	}
}

static const struct {
	const char *text;
	bool pad_optional;
} base64_bad[] = {
	{ "Zg", false },      /* padding missing */
	{ "Zg=", false },     /* padding cut */
	{ "Zg=", true },      /* neither full nor absent */
	{ "Zm8==", true },    /* too much */
	{ "Zg===", true },    /* too much */
	{ "====", true },     /* nothing but padding */
	{ "=", true },	      /* the same */
	{ "Z", true },	      /* six bits are no octet */
	{ "Zh==", false },    /* unused bits set */
	{ "Zm9=", false },    /* unused bits set */
	{ "Zm9v\n", true },   /* no white space */
	{ "Zm 9v", true },    /* no white space */
	{ "Zg==Zg==", true }, /* padding in the middle */
	{ "Zm9-", true },     /* the other alphabet */
	{ "\xc3\xa4==", true },
};

static void
malformed_base64_is_refused(void **state)
{
	char octets[32];

	(void)state;
	for (size_t i = 0; i < N(base64_bad); i++)
		assert_int_equal(codec_base64_decode(base64_bad[i].text,
				     strlen(base64_bad[i].text),
				     base64_bad[i].pad_optional, octets),
		    -1);
	assert_int_equal(codec_base64url_decode("Zg==", 4, octets), -1);
	assert_int_equal(codec_base64url_decode("+//+", 4, octets), -1);
	assert_int_equal(codec_base64_decode("Zm\0v", 4, true, octets), -1);
}

/* A in base64, and the certifier that it must give: base64(SHA-1(A)). */
static const struct {
	const char *secret;
	const char *certifier;
} certifiers[] = {
	{ "AAECAwQFBgcICQoLDA0ODw==", "VheLhqV/rCKJmplkGFwsyW59pYk" },
	{ "AAAAAAAAAAAAAAAAAAAAFw==", "eD72e8cRib6kzdkkE9IFMiKt+FA" },
	{ "YWJjZGVmZ2g=", "QlrxKgdDUCsyLpOgFbz4aOMk1Wo" },
	{ "YWJjZGVmZ2gK", "5BSvcWHJVUCJ9BBtbxeX7xSnNmY" },
};

static void
certifier_is_the_hash_of_the_decoded_secret(void **state)
{
	unsigned char secret[128], hash[SHA_DIGEST_LENGTH];
	char text[BASE64_LEN(SHA_DIGEST_LENGTH) + 1];

	(void)state;
	for (size_t i = 0; i < N(certifiers); i++) {
		long len = codec_base64_decode(certifiers[i].secret,
		    strlen(certifiers[i].secret), false, secret);

		assert_true(len > 0);
		SHA1(secret, (size_t)len, hash);
		assert_int_equal(
		    codec_base64_encode(hash, sizeof(hash), false, text), 27);
		assert_string_equal(text, certifiers[i].certifier);
	}
}

static const struct {
	const char *octets;
	const char *xtext;
} xtext_pairs[] = {
	{ "", "" },
	{ "a@example.com", "a@example.com" },
	{ "a+b=c", "a+2Bb+3Dc" },
	{ "\"a b\"@c", "\"a+20b\"@c" },
	{ "\r\n\x7f", "+0D+0A+7F" },
	{ "\xc3\xa4", "+C3+A4" },
	{ "!~", "!~" },
};

static void
xtext_goes_there_and_back(void **state)
{
	char text[64], octets[64];

	(void)state;
	for (size_t i = 0; i < N(xtext_pairs); i++) {
		const char *in = xtext_pairs[i].octets;
		const char *xtext = xtext_pairs[i].xtext;
		size_t len = strlen(xtext);

		assert_int_equal(
		    codec_xtext_encode(in, strlen(in), text, len + 1), len);
		assert_string_equal(text, xtext);
		assert_int_equal(
		    codec_xtext_encode(in, strlen(in), text, len), -1);
		assert_int_equal(
		    codec_xtext_decode(xtext, len, octets), strlen(in));
		assert_memory_equal(octets, in, strlen(in));
	}
	assert_int_equal(codec_xtext_encode("\0", 1, text, 4), 3);
	assert_string_equal(text, "+00");
	assert_int_equal(codec_xtext_encode("a", 1, text, 0), -1);
}

static const char *const xtext_bad[] = { "+", "+4", "+4g", "+2b", "a=b", "a b",
	"\t", "\x7f", "\xc3\xa4", "+ 4", "++41" };

static void
malformed_xtext_is_refused(void **state)
{
	char octets[32];

	(void)state;
	for (size_t i = 0; i < N(xtext_bad); i++)
		assert_int_equal(codec_xtext_decode(xtext_bad[i],
				     strlen(xtext_bad[i]), octets),
		    -1);
}

static void
hexadecimal_is_lower_case(void **state)
{
	char text[9];

	(void)state;
	codec_hex_encode("\x00\x1f\xa0\xff", 4, text);
	assert_string_equal(text, "001fa0ff");
	codec_hex_encode("", 0, text);
	assert_string_equal(text, "");
}

static void
a_hexadecimal_digit_has_a_value_in_either_case(void **state)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at;

	(void)state;
	for (int c = CHAR_MIN; c <= CHAR_MAX; c++) {
		at = c == 0 ? NULL : strchr(digits, c);
		assert_int_equal(codec_hex_value((char)c),
		    at == NULL		   ? -1
			: at - digits < 16 ? at - digits
					   : at - digits - 6);
	}
}

static const struct {
	const char *text;
	bool ok;
} utf8_cases[] = {
	{ "", true },
	{ "plain", true },
	{ "\xc2\x80", true },
	{ "\xdf\xbf", true },
	{ "\xe0\xa0\x80", true },
	{ "\xed\x9f\xbf", true },
	{ "\xee\x80\x80", true },
	{ "\xf0\x90\x80\x80", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "a\xe2\x82\xac"
	  "b",
	    true },
	{ "\x80", false },
	{ "\xc0\x80", false },	       /* not the shortest form */
	{ "\xc1\xbf", false },	       /* the same */
	{ "\xe0\x9f\xbf", false },     /* the same */
	{ "\xf0\x8f\xbf\xbf", false }, /* the same */
	{ "\xed\xa0\x80", false },     /* a surrogate */
	{ "\xf4\x90\x80\x80", false }, /* past U+10FFFF */
	{ "\xf5\x80\x80\x80", false }, /* the same */
	{ "\xe2\x82", false },	       /* cut */
	{ "\xc3", false },	       /* cut */
	{ "\xc3(", false },	       /* no continuation */
	{ "\xe2\x82(", false },	       /* the same */
	{ "\xff", false },
};

static void
only_well_formed_utf8_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(utf8_cases); i++)
		assert_int_equal(codec_is_utf8(utf8_cases[i].text,
				     strlen(utf8_cases[i].text)),
		    utf8_cases[i].ok);
}

/* All but the octet at `at` are '~', which stands for itself. */
static void
check_xtext(char *text, size_t at, size_t len)
{
	uint8_t octet = (uint8_t)text[at];
	bool plain = octet > ' ' && octet < 127 && octet != '+' && octet != '=';
	char out[32], back[32];
	long want = (long)len + (plain ? 0 : 2);

	memset(text, '~', len);
	text[at] = (char)octet;
	assert_int_equal(codec_xtext_encode(text, len, out, sizeof(out)), want);
	assert_int_equal(codec_xtext_encode(text, len, out, (size_t)want), -1);
	assert_int_equal(
	    codec_xtext_encode(text, len, out, (size_t)want + 1), want);
	assert_int_equal(codec_xtext_decode(out, (size_t)want, back), len);
	assert_memory_equal(back, text, len);
	/* "~~" behind a '+' is no hexadecimal. */
	assert_int_equal(
	    codec_xtext_decode(text, len, back), plain ? (long)len : -1);
}

/* Text is looked at eight octets at a time: what counts may stand anywhere. */
static void
each_octet_counts_wherever_it_stands(void **state)
{
	char text[24];

	(void)state;
	for (size_t len = 1; len < sizeof(text); len++)
		for (size_t at = 0; at < len; at++)
			for (unsigned octet = 0; octet < 256; octet++) {
				memset(text, at % 2 == 0 ? ' ' : '~', len);
				text[at] = (char)octet;
				assert_int_equal(codec_has_control(text, len),
				    octet < 32 || octet == 127);
				assert_int_equal(
				    codec_is_utf8(text, len), octet < 128);
				check_xtext(text, at, len);
			}
	memcpy(text,
	    "1234567\xc3\xa4\xe2\x82\xac"
	    "890123456\x7f",
	    22);
	assert_true(codec_is_utf8(text, 22));
	assert_true(codec_has_control(text, 22));
	assert_false(codec_has_control(text, 21));
	assert_false(codec_has_control(text, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_goes_there_and_back),
		cmocka_unit_test(malformed_base64_is_refused),
		cmocka_unit_test(certifier_is_the_hash_of_the_decoded_secret),
		cmocka_unit_test(xtext_goes_there_and_back),
		cmocka_unit_test(malformed_xtext_is_refused),
		cmocka_unit_test(hexadecimal_is_lower_case),
		cmocka_unit_test(
		    a_hexadecimal_digit_has_a_value_in_either_case),
		cmocka_unit_test(only_well_formed_utf8_passes),
		cmocka_unit_test(each_octet_counts_wherever_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
