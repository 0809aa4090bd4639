/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keeper.c understands: a 64-bit operation -> a status, and 1 if this life was given a grant.
 */
#ifndef KEEPER_H
#define KEEPER_H

enum keeper_operation { KEEPER_ASK = 1, KEEPER_FREE = 2 };

#define KEEPER_PAGES 64u

#endif
