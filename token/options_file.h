/*
 * The user's configuration file, ~/.config/waybill/waybill.conf, by libconfuse.
 */
#ifndef TOKEN_OPTIONS_FILE_H
#define TOKEN_OPTIONS_FILE_H

#include "token/options.h"

/*
 * Fill in from the file, then from the defaults, what is not set yet. Without
 * out->file it becomes the usual one, which need not exist. Returns 0, or -1
 * with the problem set.
 */
int options_file_read(struct options *out, struct problem *);

#endif
