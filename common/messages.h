/*
 * The whole contract between the processes: every message, numbered; numbers
 * are never reused. A frame is {u32 length of the body, u16 type, u16 zero,
 * u64 id} and the body, big-endian. An answer carries the id of its question;
 * id 0 wants no answer. Bodies are read and written with common/wire.h: text,
 * names and octets are led by their length (wire_put_text, wire_put_octets).
 *
 *	M(number, name, longest body, what the body holds)
 */
#ifndef COMMON_MESSAGES_H
#define COMMON_MESSAGES_H

#define MESSAGES(M)                                                            \
	/* waybilld and its children, over the control channel */              \
	M(1, CHILD_START, 65536,                                               \
	    "u32 generation, u32 index, u16 n, n names of the descriptors "    \
	    "that come along")                                                 \
	M(2, CHILD_READY, 0, "child: it serves now")                           \
	M(3, CHILD_DRAIN, 8, "u64 ms: take nothing new, end within that time") \
	M(4, CHILD_STATUS, 0, "how are you?")                                  \
	M(5, CHILD_STATUS_IS, 65536, "text: key=value, separated by spaces")   \
	M(6, CHILD_SNAPSHOT, 64,                                               \
	    "keeper: u16 n, n names; snapshot and log, if any, come along")    \
	M(7, CHILD_SNAPSHOT_IS, 4096, "u8 taken, text: why not")               \
	M(8, CHILD_ACCEPT_CLOCK, 0, "keeper: the operator confirms the clock") \
	M(9, CHILD_ACCEPT_CLOCK_IS, 4096, "u8 done, text")                     \
	/* waybillctl, over waybilld's operator door */                        \
	M(20, OPERATOR_STATUS, 0, "")                                          \
	M(21, OPERATOR_RELOAD, 0, "")                                          \
	M(22, OPERATOR_STOP, 0, "")                                            \
	M(23, OPERATOR_ACCEPT_CLOCK, 0, "")                                    \
	M(24, OPERATOR_IS, 1048576, "u8 done, text")                           \
	/* proxy, over the auth door; one exchange a connection */             \
	M(40, AUTH_MECHANISMS, 1, "u8 TLS")                                    \
	M(41, AUTH_MECHANISMS_ARE, 1030,                                       \
	    "u32 generation, text: names separated by spaces")                 \
	M(42, AUTH_BEGIN, 20480,                                               \
	    "struct auth_begin of common/auth_messages.h")                     \
	M(43, AUTH_STEP, 16384, "octets: the client's response")               \
	M(44, AUTH_CHALLENGE, 16384, "octets: the server's challenge")         \
	M(45, AUTH_VERDICT, 4096, "struct auth_verdict")                       \
	/* proxy, over the keeper's proxy door: common/keeper_messages.h */    \
	M(60, MINT, 1024, "struct mint")                                       \
	M(61, MINTED, 1024, "struct minted")                                   \
	M(62, DESCRIBE, 1048576,                                               \
	    "struct mail_record, its outcome unknown; no answer")              \
	M(63, SETTLE, 1048576, "struct mail_record")                           \
	M(64, SETTLED, 1024,                                                   \
	    "u8 status; to SETTLE_NEXT, where it is there, struct minted")     \
	M(65, FORGET, 512,                                                     \
	    "struct ticket, 16 octets handle, u8 1: it came with a settle, "   \
	    "and no MAIL came; no answer")                                     \
	M(66, LIST, 1024, "struct list_query")                                 \
	M(67, LISTED, 1048576,                                                 \
	    "u8 status, u8 more, u16 n, n of struct list_row")                 \
	M(68, SHOW, 2048, "struct one_query")                                  \
	M(69, SHOWN, 1048576,                                                  \
	    "u8 status, struct mail_record without ticket, u8 revoked, "       \
	    "struct history")                                                  \
	M(70, TOKEN, 2048, "struct one_query")                                 \
	M(71, TOKEN_IS, 1024, "struct token_answer")                           \
	M(72, REVOKE, 2048, "struct one_query")                                \
	M(73, REVOKED, 1024, "struct revoke_answer")                           \
	M(74, SETTLE_AGAIN, 1048576,                                           \
	    "struct mail_record that was asked before; SETTLED answers")       \
	M(75, SETTLE_NEXT, 1048576,                                            \
	    "struct mail_record of a session that goes on; SETTLED answers, "  \
	    "with the mint of its next message")                               \
	/* feed, over the keeper's feed door: common/tracking_messages.h */    \
	M(80, EVENTS, 1048576, "text: the MSA's name, u16 n, n of feed_item")  \
	M(81, EVENTS_ARE, 65536, "u16 n, n of u8 enum feed_result")            \
	/* tracker, over the keeper's tracker door */                          \
	M(82, STATUS, 512, "struct status_query")                              \
	M(83, STATUS_IS, 1048576,                                              \
	    "u8 enum keeper_status, struct mail_record without ticket, "       \
	    "struct history")

enum message {
#define MESSAGE_NUMBER(number, name, longest, body) MSG_##name = number,
	MESSAGES(MESSAGE_NUMBER)
#undef MESSAGE_NUMBER
};

/* Longest body of a type, or -1 for a type that does not exist. */
long message_longest(unsigned type);
/* Its name for log lines, "unknown" for a type that does not exist. */
const char *message_name(unsigned type);

#endif
