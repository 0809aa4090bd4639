/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process was given at its start, and how it reaches services. The requests behind these
 * functions are in <sk/protocol/init.h>.
 */
#ifndef SK_SERVICE_H
#define SK_SERVICE_H

#include <sk/ipc.h>
#include <skerry/status.h>
#include <skerry/types.h>

/* Set before main and never changed. */
extern handle_t sk_self_process;
extern handle_t sk_self_job; /* what this process makes is charged here */
extern handle_t sk_boot_endpoint;
extern const char *sk_self_name; /* argv[0], or "?" */

/* The handle that came under this name, SK_HANDLE_NONE when there was none. Borrowed: the table
 * keeps naming it, so close it only through sk_boot_handle_take. */
handle_t sk_boot_handle(const char *name);
/* The same, and forgets it: the handle is the caller's from now on. */
handle_t sk_boot_handle_take(const char *name);
/* Adds a handle under a name that must stay valid, as if it had come at the start. TOO_BIG. Only
 * before other threads exist. */
status_t sk_boot_handle_add(const char *name, handle_t handle);

/*
 * Connects to a service by name. *endpoint is the caller's. A service that is still starting is no
 * error: what is sent to it waits. One that has ended and is started again is waited for until the
 * deadline; SK_DEADLINE_POLL: not at all. Safe from several threads (they take turns). Most programs
 * want a connection that is made again: <sk/connection.h>.
 *   NOT_FOUND     no program offers the name, or the machine has no such device
 *   NOT_ALLOWED   the manifest does not list it among this program's `connects`
 *   SERVICE_DOWN  switched off, ended, could never start, or not started again by the deadline
 *   BUSY          the service's control queue is full, or 8 connections of this process wait to be
 *                 accepted
 *   TIMED_OUT     the device behind it has not been found by the deadline
 *   PEER_CLOSED   init is gone; also OVER_BUDGET, NO_MEMORY, NO_HANDLES, INVALID_ARGS (long name)
 */
status_t sk_connect(const char *service, uint64_t deadline, handle_t *endpoint);

/*
 * Why a connection is closed: BUSY if the service has turned this client away, PEER_CLOSED if it has died
 * or dropped it. Takes what the service has left on the endpoint; call it once, before closing that.
 */
status_t sk_connect_refusal(handle_t endpoint);

/*
 * Tells init that a service this program may connect to does not answer. Never waits: init finds out
 * whether the service hangs, and if so ends it and starts it again.
 */
void sk_complain(const char *service);

/*
 * Has init hold a handle for this program's next life, which gets it as the boot handle "kept:NAME"; in
 * place of what it held under this name. SK_HANDLE_NONE: it is not needed any more. The handle is gone
 * once init has answered, whatever the answer. NOT_ALLOWED: the manifest does not give the program
 * `devices`; BUSY: too many names.
 */
status_t sk_keep(const char *name, handle_t handle);

/*
 * Puts a name up for connecting, on top of the manifest's `offers` (which need no call): the
 * manifest must say `may-offer` for it. Makes a channel charged to `job`; *control, the caller's, is
 * the service's control endpoint (see <sk/server.h>), to be kept or handed to the driver behind it, which
 * runs with `priority`: so init knows who may have kept whom from running. NOT_ALLOWED, EXISTS (it is up
 * already), BUSY (too many names).
 */
status_t sk_offer(const char *service, handle_t job, uint32_t priority, handle_t *control);
/* Tells init that a name it may offer will not come, so that nobody waits for it. */
status_t sk_no_device(const char *service);

/*
 * For a program that the manifest has offer a name (`offers`) and that has no server loop: takes what init has
 * put into the control queue, the boot handle "control:NAME", and so shows that it does not hang; to be called
 * whenever that is readable. Clients are turned away. PEER_CLOSED: the system is being switched off, end.
 */
status_t sk_control_answer(handle_t control);
/* The same for one message that was received from it, with room for a struct sk_init_new_client and 1 handle. */
void sk_control_accept(handle_t control, const struct sk_in *in);

/*
 * Tells init that this program has done what its manifest line `ready` promises: the network server
 * listens, devmgr has offered or denied every device. Errors are of no use to most callers.
 */
status_t sk_ready(void);

#endif
