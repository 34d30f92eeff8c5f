/*
 * What each door of the keeper lets its askers ask: these tables are the
 * security model of the vault.
 */
#ifndef SECRETS_ANSWERS_H
#define SECRETS_ANSWERS_H

#include "common/door.h"
#include "secrets/vault.h"

/* For waybill-proxy; the door's arg is the struct vault. */
extern const struct door_rule answers_to_proxy[];

/* door_owner's closed: the asker's unsettled messages are written. */
void answers_asker_gone(struct asker *);

#endif
