/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lwIP asks of the platform (its lwip/arch.h lists the macros). Everything that needs code goes to
 * the hooks of lwip_port.h; packing, integer types and byte order come right by themselves with GCC.
 */
#ifndef NET_PORT_ARCH_CC_H
#define NET_PORT_ARCH_CC_H

/* Without SSIZE_MAX lwIP makes its own ssize_t, which clashes with the libc's. */
#include <limits.h>
#include <sys/types.h>
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

#include "lwip_port.h"

/* lwIP's err_to_errno() uses the libc's numbers. */
#define LWIP_ERRNO_STDINCLUDE 1

/*
 * Headers are not packed: with ETH_PAD_SIZE 2 every field of every header that lwIP reads in place is
 * aligned, and packed ones would be read byte by byte.
 */
#define PACK_STRUCT_STRUCT
#define LWIP_SKIP_PACKING_CHECK

#define LWIP_RAND() lwip_port_rand()
#define LWIP_PLATFORM_DIAG(args) lwip_port_diag args
#define LWIP_PLATFORM_ASSERT(message) lwip_port_assert(message, __FILE_NAME__, __LINE__)

#endif
