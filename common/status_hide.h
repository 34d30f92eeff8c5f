/*
 * What the words of a reply would tell of hosts that are hidden.
 */
#ifndef COMMON_STATUS_HIDE_H
#define COMMON_STATUS_HIDE_H

#include <stdbool.h>

#include "common/status.h"

/*
 * Does text name a host that the viewer must not see? A domain behind "@" is
 * part of a mail address, and names none.
 */
bool status_names_hidden_host(const struct status_view *, struct octets text);

#endif
