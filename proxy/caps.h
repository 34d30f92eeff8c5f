/*
 * The SMTP extensions that Waybill knows, said once: keyword in EHLO (RFC
 * 5321 4.1.1.1) and a bit for a mask of them.
 */
#ifndef PROXY_CAPS_H
#define PROXY_CAPS_H

/* X(name of the bit without CAP_, EHLO keyword), one line an extension */
#define CAPS_LIST(X)                                                           \
	X(PIPELINING, "PIPELINING")	   /* RFC 2920 */                      \
	X(SIZE, "SIZE")			   /* RFC 1870 */                      \
	X(8BITMIME, "8BITMIME")		   /* RFC 6152 */                      \
	X(SMTPUTF8, "SMTPUTF8")		   /* RFC 6531 */                      \
	X(DSN, "DSN")			   /* RFC 3461 */                      \
	X(ENHANCED, "ENHANCEDSTATUSCODES") /* RFC 2034 */                      \
	X(MTRK, "MTRK")			   /* RFC 3885 */                      \
	X(STARTTLS, "STARTTLS")		   /* RFC 3207 */                      \
	X(AUTH, "AUTH")			   /* RFC 4954 */                      \
	X(CHUNKING, "CHUNKING")		   /* RFC 3030 */                      \
	X(BINARYMIME, "BINARYMIME")	   /* RFC 3030 */                      \
	X(XCLIENT, "XCLIENT")		   /* Postfix XCLIENT_README */        \
	X(XFORWARD, "XFORWARD")		   /* Postfix XFORWARD_README */       \
	X(XMTRK, "XMTRK")		   /* ours: the user's own A */

/* Position of each bit; CAPS_COUNT is how many there are. */
enum caps_index {
#define X(name, keyword) CAPX_##name,
	CAPS_LIST(X)
#undef X
	    CAPS_COUNT
};

/* The bits: CAP_SIZE, CAP_8BITMIME, ... */
enum caps {
#define X(name, keyword) CAP_##name = 1U << CAPX_##name,
	CAPS_LIST(X)
#undef X
};

/* Attributes that "XCLIENT" and "XFORWARD" may announce in EHLO. */
#define CAPS_ATTR_LIST(X)                                                      \
	X(NAME)                                                                \
	X(ADDR)                                                                \
	X(PORT)                                                                \
	X(PROTO)                                                               \
	X(HELO)                                                                \
	X(LOGIN)                                                               \
	X(DESTADDR)                                                            \
	X(DESTPORT)                                                            \
	X(IDENT)                                                               \
	X(SOURCE)

enum caps_attr_index {
#define X(name) ATTRX_##name,
	CAPS_ATTR_LIST(X)
#undef X
	    CAPS_ATTR_COUNT
};

/* The bits: ATTR_NAME, ATTR_ADDR, ... */
enum caps_attr {
#define X(name) ATTR_##name = 1U << ATTRX_##name,
	CAPS_ATTR_LIST(X)
#undef X
};

#endif
