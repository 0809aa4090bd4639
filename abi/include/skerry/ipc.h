/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages and how they travel in registers. docs/ipc.md tells the whole contract.
 *
 * A message is up to 4,096 bytes and up to 8 handles. Bytes 0..31 always travel in registers
 * a2..a5 (little-endian words); bytes from 32 on are read from, and written to, memory at the same
 * offset of the buffer named in t0 or t2, so a message of at most 32 bytes and no handles touches no
 * user memory.
 *
 * Registers of channel_send, channel_receive, channel_call, channel_reply, channel_reply_receive:
 *
 *   in   a0  handle: endpoint to send on (send, call); endpoint or wait set to receive from
 *        a1  outgoing info word (SK_INFO_*)
 *        a2-a5  outgoing bytes 0..31
 *        a6  deadline (call, receive, reply_receive)
 *        t0  outgoing buffer (read only if length > 32)
 *        t1  outgoing handles, an array of handle_t (read only if there are any)
 *        t2  incoming buffer (written only for a message longer than 32 bytes)
 *        t3  incoming room: bits 0..15 bytes, bits 16..23 handles; 32 bytes always fit
 *        t4  incoming handles, an array of handle_t
 *        t5  reply token (reply, reply_receive; SK_TOKEN_NONE in reply_receive: only receive)
 *   out  a0  status of the send, call, receive or (channel_reply) reply
 *        a1  incoming info word
 *        a2-a5  incoming bytes 0..31; with SK_INFO_SIGNALS, a2 holds the signals
 *        a6  reply token of a received call, else SK_TOKEN_NONE
 *        t0  key: of the wait set member, or the id of the endpoint received from
 *        t1  status of the reply (reply_receive)
 *
 * All other argument and temporary registers (a7, t2-t6) are zero afterwards; the callee-saved ones
 * are kept. Every system call follows the same rule: arguments and temporaries are dead.
 */
#ifndef SKERRY_IPC_H
#define SKERRY_IPC_H

#define SK_MESSAGE_BYTES_MAX 4096u
#define SK_MESSAGE_HANDLES_MAX 8u
#define SK_MESSAGE_REGISTER_BYTES 32u

/* Messages an endpoint's inbox holds before send says FULL, and their bytes in all. */
#define SK_INBOX_MESSAGES_MAX 64u
#define SK_INBOX_BYTES_MAX 65536u

/* The info word: bits 0..12 length, bits 16..19 handles, flags above. */
#define SK_INFO_LENGTH_MASK 0x1fffull
#define SK_INFO_HANDLES_SHIFT 16
#define SK_INFO_HANDLES_MASK 0xfull
#define SK_INFO_CALL (1ull << 24)      /* in: a call, to be answered with the token */
#define SK_INFO_SIGNALS (1ull << 25)   /* in: no message, but signals of a wait set member */
#define SK_INFO_DELIVERED (1ull << 26) /* failed call: it had been received, its handles are gone */

#define SK_INFO(length, handles) ((uint64_t)(length) | (uint64_t)(handles) << SK_INFO_HANDLES_SHIFT)
#define SK_INFO_LENGTH(info) ((uint32_t)((info)&SK_INFO_LENGTH_MASK))
#define SK_INFO_HANDLES(info) ((uint32_t)((info) >> SK_INFO_HANDLES_SHIFT & SK_INFO_HANDLES_MASK))
#define SK_ROOM(bytes, handles) ((uint64_t)(bytes) | (uint64_t)(handles) << 16)

#endif
