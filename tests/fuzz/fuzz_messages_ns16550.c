/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the driver of 16550s: see uart.c. */
#include "uart.h"

const uint32_t uart_noise_bytes = 8;
