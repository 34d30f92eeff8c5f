/*
 * The value of each parameter of MAIL and RCPT: RFC 1870, 3461, 3885, 4954,
 * 6152, 6531 and 6533.
 */
#ifndef PROXY_VALUE_H
#define PROXY_VALUE_H

#include <stdbool.h>

#include "proxy/mailbox.h"

/* Is the text this word, in any letter case? */
bool value_is(struct span text, const char *word);

/*
 * Read one value, what stands behind "=", never empty but for flags. out is
 * the struct mail_params, which has been zeroed but for what was read
 * before. Returns 0 or a PARAMS_E_* code.
 */
int value_parse_size(struct span value, void *out);
int value_parse_body(struct span value, void *out);
int value_parse_flag(struct span value, void *out);
int value_parse_auth(struct span value, void *out);
int value_parse_ret(struct span value, void *out);
int value_parse_envid(struct span value, void *out);
int value_parse_mtrk(struct span value, void *out);

/* The same; out is the struct rcpt_params, its smtputf8 is set. */
int value_parse_notify(struct span value, void *out);
int value_parse_orcpt(struct span value, void *out);

#endif
