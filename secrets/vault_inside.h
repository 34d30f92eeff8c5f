/*
 * The inside of the vault, for the files that answer its questions.
 */
#ifndef SECRETS_VAULT_INSIDE_H
#define SECRETS_VAULT_INSIDE_H

#include <sys/queue.h>

#include "common/keeper_messages.h"
#include "common/messages.h"
#include "common/seldom.h"
#include "secrets/accounts.h"
#include "secrets/certifier.h"
#include "secrets/envid.h"
#include "secrets/group.h"
#include "secrets/masterkeys.h"
#include "secrets/record.h"
#include "secrets/store.h"
#include "secrets/tickets.h"
#include "secrets/timeline.h"
#include "secrets/vault.h"
#include "secrets/walk.h"

struct described;
struct described_asker;
TAILQ_HEAD(described_list, described);
LIST_HEAD(described_chain, described);
LIST_HEAD(described_askers, described_asker);

#define DESCRIBED_CHAINS 1024

#define SLOW_PER_ACCOUNT 8 /* that its user may have at once */

#define MANY_WAIT 8 /* for one commit: a moment may bring more */

/* Work that goes in slices: listings, searches, feeds. */
struct slow {
	TAILQ_ENTRY(slow) next;
	struct vault *vault;
	void (*step)(struct slow *); /* a little; ends by slow_end() */
	bool waiting;		     /* for the store */
};
TAILQ_HEAD(slow_list, slow);

/* Messages whose end was sent and whose outcome is not known yet. */
struct described_set {
	struct described_list list; /* oldest first */
	struct described_chain chains[DESCRIBED_CHAINS];
	struct described_askers askers; /* who has some */
	size_t count;
	size_t octets;
	struct seldom full_lines;
	struct slow slow; /* they are many where a proxy is lost */
	bool writing;	  /* in slices */
};

/* Where the claims of settled messages are. */
enum claims_state {
	CLAIMS_IN_RECORDS, /* no feed has come */
	CLAIMS_MAKING,	   /* those of earlier messages; each new one has it */
	CLAIMS_KEPT	   /* all have a row */
};

struct claims {
	struct group_waiter waiter; /* first */
	struct slow slow;
	enum claims_state state;
	bool running;		 /* they are being made */
	uint64_t number;	 /* of the next account */
	uint64_t from;		 /* the first that is not durable */
	struct account *account; /* held; or NULL */
	struct walk walk;	 /* through its messages */
	unsigned unwritten;	 /* put since the last commit */
	uint64_t lost;		 /* of the group, when it began */
	bool failed;		 /* something could not be read */
};

struct feed_job;
TAILQ_HEAD(feed_list, feed_job);

struct vault {
	struct vault_owner owner;
	struct tickets *tickets;
	struct store *store;
	struct group group;
	struct masterkeys keys;
	struct accounts accounts;
	struct timeline timeline;
	struct envid_cipher *cipher;
	uint16_t node;
	uint8_t index_key[SEAL_KEY_LEN]; /* client's ENVIDs, queue ids */
	char fqhn[ENVID_FQHN_MAX + 1];
	struct described_set described;
	struct slow_list slow;
	size_t slow_count;
	struct claims claims;
	struct feed_list feeds; /* the first is under way */
	size_t feed_count;
	size_t tracks; /* under way */
	size_t jobs;   /* under way */
	uint64_t retention;
	uint64_t queue_lifetime;
	uint32_t mints_unfinished;
	bool random;
	bool remember_message_id;
	bool remember_recipients;
	bool remember_subject;
	bool writable; /* as this turn found it */
	bool writable_known;
	bool facts_due; /* it was opened on a full disk */
	bool open;
	uint64_t reserving; /* reservation in the group; 0: none */
	struct group_waiter reservation;
	uint64_t mints, settles, forgets, lists, tokens, events, statuses;
	uint64_t contested; /* queue ids that two claimed at once */
	struct seldom contested_lines, ticket_lines;
};

/*
 * One question under way: first member of each. Its body is a copy, so that
 * what was read from it lives as long as the job.
 */
struct job {
	struct group_waiter waiter; /* first */
	struct vault *vault;
	struct question from;	 /* asker 0: nobody waits */
	struct account *account; /* held, or NULL */
	uint8_t *body;
	size_t body_len;
	size_t size; /* of the whole object */
};

/*
 * Start a job of size octets with a copy of body, which is then read to its
 * end; NULL without memory.
 */
void *
job_start(struct vault *, struct question, size_t size, struct wire_in *body);
/* Answer, wipe and free; body may be NULL where nothing is said. */
void job_answer(struct job *, unsigned type, const struct wire_out *body);
void job_end(struct job *);
/* Read the job's body from its start, which is taken out of in. */
void job_read(struct job *, struct wire_in *);

uint64_t vault_now(const struct vault *);
/* Is the ticket good now? */
bool vault_knows(struct vault *, const struct ticket *);
bool vault_is_writable(struct vault *);
/* What an answer says about the store's status. */
uint8_t vault_status_of(enum store_status);
/* The youngest day there is below day, or 0. */
uint32_t vault_day_below(const struct vault *, uint32_t day);
/* Put the format, for an older Waybill, and the master key that is needed. */
void vault_put_facts(struct vault *);
/* Put the time that is reserved, and whether the clock is in doubt. */
void vault_put_clock(struct vault *, uint64_t reserved);
/* Put the time's next reservation into the group, if it is due. */
void vault_reserve(struct vault *);

/* described.c: keep a record in memory, forget it, write all of an asker. */
void described_start(struct vault *);
/*
 * Keep body, which record was read from, while there is room for it and for
 * what else asker has (0: nobody in particular). It is written with record's
 * outcome; one that is known is never kept over by one that is not.
 */
void described_keep(struct vault *, uint64_t asker, const struct mail_record *,
    struct octets body);
void described_forget(
    struct vault *, const uint8_t handle[HANDLE_LEN], const char *account);
/* The body of an account's handle, good until this turn ends. */
bool described_find(struct vault *, const uint8_t handle[HANDLE_LEN],
    const char *account, struct octets *body, uint8_t *outcome);
/*
 * Write what an asker (0: any) described up to `before` (ms), in slices: one
 * lost proxy may leave very many.
 */
void described_write(struct vault *, uint64_t asker, uint64_t before);
/* Wipe what is left. */
void described_free(struct vault *);

struct next_mint {
	struct minted minted;
	uint64_t time; /* of its ENVID, which must be covered when it leaves */
};

/*
 * mint.c: a mint for the next message of an account, where it has to wait for
 * nothing but the commit at hand. Returns false where there is none.
 */
bool mint_next(struct vault *, struct account *, struct next_mint *);

/* settle.c: settle a copy of a MAIL_RECORD body for nobody, with outcome. */
void settle_described(
    struct vault *, const uint8_t *body, size_t len, uint8_t outcome);

/*
 * record_proof.c: the certifier of a message whose A is secret, or is derived
 * where that is empty, or is the client's. Returns 0, or -1.
 */
int record_certifier(const struct account *, const struct mail_record *,
    struct octets secret, uint8_t certifier[CERTIFIER_LEN])
    __attribute__((warn_unused_result));
/*
 * The mail in a settled record, which it points into; mail_record_free() in
 * any case. Returns 0 or -1.
 */
int record_mail(const struct record *, struct mail_record *)
    __attribute__((warn_unused_result));
/* Do two texts of an ENVID (xtext) mean the same (RFC 3464 2.2.1)? */
bool record_has_envid(const struct mail_record *, struct octets envid);
/* The hash by which (ENVID, B) find a message with an ENVID of its client. */
int record_hash_certifier(const struct vault *, struct octets envid,
    const uint8_t certifier[CERTIFIER_LEN], uint8_t hash[SEAL_HASH_LEN])
    __attribute__((warn_unused_result));

/*
 * claims.c: has each settled message the row of its claim? If not, they are
 * being put from now on.
 */
bool claims_ready(struct vault *);
/* The fact in STORE_META that an earlier run put them. */
#define CLAIMS_KEPT_KEY "queue-ids"
/* Leave off: the vault is closed. */
void claims_stop(struct vault *);

/* slow.c */
void slow_start(struct vault *, struct slow *, void (*step)(struct slow *));
void slow_end(struct slow *);
/* Run slices for a millisecond. Returns whether some are left. */
bool slow_run(struct vault *);

#endif
