/*
 * Fuzzes the reader of Exim's main log, and the joining of its lines.
 */
#include "tests/fuzz/log_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_log(LOG_FORMAT_EXIM, data, size);
	return 0;
}
