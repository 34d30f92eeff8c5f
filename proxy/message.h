/*
 * What a message may grow by on its way through.
 */
#ifndef PROXY_MESSAGE_H
#define PROXY_MESSAGE_H

/* Received, Message-ID and a blank line, as octets of SIZE. */
enum { MESSAGE_HEADROOM = 4096 };

#endif
