/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the broker tests; each runs its cases. */
#ifndef BROKER_TEST_H
#define BROKER_TEST_H

void transaction_tests(void); /* the transaction alone, the service dying at every step */
void init_tests(void);        /* init itself, by the manifest of this suite */
void server_tests(void);      /* the loop of every service, under clients that misbehave */
void endpoint_tests(void);    /* a plain process and endpoints whose peer is closed */

#endif
