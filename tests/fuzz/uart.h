/* SPDX-License-Identifier: BSD-2-Clause */
/* What uart.c must know of a serial port: how many of its registers, from the first on, are noise. */
#ifndef UART_H
#define UART_H

#include <stdint.h>

extern const uint32_t uart_noise_bytes;

#endif
