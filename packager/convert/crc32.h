/* crc32.h - the checksum of zip files: CRC-32 of IEEE 802.3, reflected, polynomial EDB88320. It finds
 * accidents, not attacks. [any-thread] */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what was seen before (crc, 0 at first) followed by these bytes. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t size_bytes);

#endif
