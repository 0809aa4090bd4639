/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial ports: the services "uart0", "uart1", ... A port has one client at a time; another gets its
 * connection closed at once. Bytes travel as plain messages both ways, so neither side ever waits for
 * the other:
 *
 *   client -> driver   SK_UART_WRITE    bytes to send; at most SK_UART_WINDOW may be under way, that
 *                                       is written and not yet confirmed; what exceeds it is lost
 *   driver -> client   SK_UART_WRITTEN  so many more bytes have gone to the wire
 *   driver -> client   SK_UART_INPUT    bytes that arrived
 */
#ifndef SK_PROTOCOL_UART_H
#define SK_PROTOCOL_UART_H

#include <skerry/types.h>

#define SK_UART_WINDOW 4096u
#define SK_UART_BYTES_MAX 2048u /* in one message */

enum sk_uart_operation {
    SK_UART_WRITE = 1,
    SK_UART_WRITTEN = 2,
    SK_UART_INPUT = 3,
};

struct sk_uart_write {
    uint64_t operation;
    uint8_t bytes[]; /* to the end of the message */
};

struct sk_uart_written {
    uint64_t operation;
    uint64_t count;
};

struct sk_uart_input {
    uint64_t operation;
    uint64_t
        lost; /* bytes lost since the last such message: overruns, or a client that reads late */
    uint8_t bytes[]; /* to the end of the message */
};

#endif
