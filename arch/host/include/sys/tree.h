/* SPDX-License-Identifier: BSD-2-Clause */
/* Host: the C library of the guest has this header; here it is libbsd's, which counts on a BSD's
 * <sys/cdefs.h>. */
#ifndef __unused
#define __unused __attribute__((unused))
#endif
#include <bsd/sys/tree.h>
