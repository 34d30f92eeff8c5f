/*
 * What the list of messages says about each type: its bound and its name.
 */
#include "common/messages.h"

long
message_longest(unsigned type)
{
	switch (type) {
#define MESSAGE_LONGEST(number, name, longest, body)                           \
	case number:                                                           \
		return longest;
		MESSAGES(MESSAGE_LONGEST)
#undef MESSAGE_LONGEST
	default:
		return -1;
	}
}

const char *
message_name(unsigned type)
{
	switch (type) {
#define MESSAGE_NAME(number, name, longest, body)                              \
	case number:                                                           \
		return #name;
		MESSAGES(MESSAGE_NAME)
#undef MESSAGE_NAME
	default:
		return "unknown";
	}
}
