/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one list of errors. Every status_t is SK_OK or one of these negative codes; SK_STATUS_LIST
 * also gives the words that programs print.
 */
#ifndef SKERRY_STATUS_H
#define SKERRY_STATUS_H

#define SK_STATUS_LIST(X)                                                                          \
    X(OK, 0, "success")                                                                            \
    X(INVALID_ARGS, -1, "invalid argument")                                                        \
    X(BAD_HANDLE, -2, "no such handle")                                                            \
    X(WRONG_TYPE, -3, "handle of the wrong type")                                                  \
    X(ACCESS_DENIED, -4, "handle lacks the right")                                                 \
    X(BAD_ADDRESS, -5, "bad address")                                                              \
    X(NO_MEMORY, -6, "out of memory")                                                              \
    X(NO_HANDLES, -7, "no room for a handle")                                                      \
    X(OVER_BUDGET, -8, "over the job's budget")                                                    \
    X(FULL, -9, "queue is full")                                                                   \
    X(PEER_CLOSED, -10, "the other side is closed")                                                \
    X(TIMED_OUT, -11, "timed out")                                                                 \
    X(TOO_SMALL, -12, "buffer too small")                                                          \
    X(TOO_BIG, -13, "too big")                                                                     \
    X(NOT_FOUND, -14, "not found")                                                                 \
    X(EXISTS, -15, "already exists")                                                               \
    X(BUSY, -16, "busy")                                                                           \
    X(BAD_STATE, -17, "not in a state for this")                                                   \
    X(OUT_OF_RANGE, -18, "out of range")                                                           \
    X(NOT_SUPPORTED, -19, "not supported")                                                         \
    X(NOT_DELIVERED, -20, "not delivered")                                                         \
    X(SERVICE_DOWN, -21, "service down")                                                           \
    X(NOT_ALLOWED, -22, "not allowed")                                                             \
    X(PENDING, -23, "pending")                                                                     \
    X(IO_ERROR, -24, "device error")                                                               \
    X(NO_SPACE, -25, "no space left")                                                              \
    X(BAD_FORMAT, -26, "malformed data")                                                           \
    X(CONNECTION_REFUSED, -27, "connection refused")                                               \
    X(CONNECTION_RESET, -28, "connection reset")                                                   \
    X(UNREACHABLE, -29, "network unreachable")                                                     \
    X(ADDRESS_IN_USE, -30, "address in use")                                                       \
    X(IS_DIRECTORY, -31, "is a directory")                                                         \
    X(NOT_DIRECTORY, -32, "not a directory")                                                       \
    X(READ_ONLY, -33, "read-only")                                                                 \
    X(BAD_SYSCALL, -34, "no such system call")

#define SK_STATUS_ENUM(name, value, words) SK_##name = (value),
enum sk_status { SK_STATUS_LIST(SK_STATUS_ENUM) };
#undef SK_STATUS_ENUM

#endif
