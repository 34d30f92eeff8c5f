/*
 * What each door of the keeper lets its askers ask: these tables are the
 * security model of the vault.
 */
#ifndef SECRETS_ANSWERS_H
#define SECRETS_ANSWERS_H

#include "common/door.h"
#include "secrets/vault.h"

/* For waybill-proxy; each door's arg is the struct vault. */
extern const struct door_rule answers_to_proxy[];
/* For waybill-feed: it tells, and learns which queue ids are ours. */
extern const struct door_rule answers_to_feed[];
/* For waybill-track: one message for a proof of A. */
extern const struct door_rule answers_to_tracker[];

/* door_owner's closed: the asker's unsettled messages are written. */
void answers_asker_gone(struct asker *);

#endif
