/*
 * A configuration in which nothing is said yet.
 */
#ifndef CONF_CONF_DEFAULTS_H
#define CONF_CONF_DEFAULTS_H

#include "conf/conf.h"

/* Every option at its default, no listen, no name of msa; NULL: no memory. */
struct conf *conf_new(void);

/* Remove all sections listen. */
void conf_listens_clear(struct conf *);

#endif
