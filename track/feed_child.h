/*
 * waybill-feed as a child of waybilld.
 */
#ifndef TRACK_FEED_CHILD_H
#define TRACK_FEED_CHILD_H

/* Serve until waybilld says otherwise; the exit status. */
int feed_child_main(void);

#endif
