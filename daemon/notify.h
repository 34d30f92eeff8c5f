/*
 * Words to the service manager that started us (sd_notify(3)), if one did.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* "READY=1" and the like; without a manager nothing happens. */
void notify_service_manager(const char *text);

#endif
