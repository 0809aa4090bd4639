/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a serial port's driver supplies: its device, by the functions below. The rest of the program is
 * client.c beside this page, main() included, which serves "uartN" (<sk/protocol/uart.h>). One thread;
 * no function waits for the device.
 */
#ifndef UART_DEVICE_H
#define UART_DEVICE_H

#include <sk/driver.h>

/*
 * Looks at what the driver was given (NOT_SUPPORTED if the device cannot be that) and brings the
 * device up, with interrupts of received bytes only. Speed and format are the firmware's and stay.
 */
status_t device_init(const struct sk_driver *driver);

/* Writes as many of `count` bytes as the device takes now; how many those were. */
uint32_t device_transmit(const uint8_t *bytes, uint32_t count);

/* Whether there is to be an interrupt when the device takes bytes again. */
void device_want_room(bool wanted);

/*
 * Reads what has arrived, at most `room` bytes; how many those are. *lost grows by what the device
 * says that it lost.
 */
uint32_t device_receive(uint8_t *bytes, uint32_t room, uint64_t *lost);

/* True if the device has a cause to interrupt. Ends those that receiving and sending do not end. */
bool device_interrupt(void);

#endif
