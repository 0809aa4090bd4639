/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the services of hangs.py are made to hang: the net service by a message (hang_net.c), the web server by
 * a request for /hang (hang_http.c).
 */
#ifndef TEST_HANG_H
#define TEST_HANG_H

#define HANG_OPERATION 0xfa02u /* an operation of no real service; the operation alone */
#define HANG_PATH "/hang"

#endif
