/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as in iSCSI and ext4; hardware where the processor
 * has it. */
#ifndef HEAPTAPE_TRACES_CRC32C_H
#define HEAPTAPE_TRACES_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c("123456789") is 0xe3069283. */
uint32_t crc32c(const void *data, size_t bytes);
/* Of what follows bytes whose sum is `before`: the sum of both. */
uint32_t crc32c_more(uint32_t before, const void *data, size_t bytes);
/* The portable one, for tests to compare with. */
uint32_t crc32c_portable(const void *data, size_t bytes);

#endif
