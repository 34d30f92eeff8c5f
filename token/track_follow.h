/*
 * Asks the tracking server of a message, and then those that it was passed
 * on to (RFC 3887 1, 2.4).
 */
#ifndef TOKEN_TRACK_FOLLOW_H
#define TOKEN_TRACK_FOLLOW_H

#include "token/track.h"

struct track_follow {
	const struct options *options;
	struct resolver *resolver;
	const struct mtqp_uri *uri; /* the first server, ENVID and secret */
	const char *envid;	    /* the same, ending in NUL */
	bool warned;		    /* that the secret went out in the clear */
};

/*
 * One look: fill in track, which starts as {0} and is to be freed. Only hosts
 * that the message was passed on to are asked for more, each once, and only
 * for the recipients that went there. Returns 0, or -1 with the problem set
 * where not even the first server answered; then *outcome tells why.
 */
int track_follow(struct track_follow *, struct track *,
    enum mtqp_outcome *outcome, struct problem *);

#endif
