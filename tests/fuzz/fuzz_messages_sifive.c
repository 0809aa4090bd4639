/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the driver of SiFive's serial ports: see uart.c. */
#include "uart.h"

const uint32_t uart_noise_bytes = 0x1c;
