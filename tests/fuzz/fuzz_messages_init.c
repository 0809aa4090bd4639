/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to init: requests of programs on their boot endpoints and of children on delegated ones, and
 * what services say on their control endpoints, while programs end and are started again. The double's
 * processes are played here. See messages.h.
 */
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/init.h>
#include <sk/service.h>

#include "double/archive.h"
#include "messages.h"

#define LIVES_MAX 16u
#define ENDS_MAX 4u /* in one input: more in a row, and init gives a program up */
#define CONTROLS_MAX 4u

int service_main(int argc, char **argv);

static const char manifest[] =
    "program devmgr\n budget 10%\n handles log devices dtb bootfs\n offers devmgr\n"
    " may-offer nic* rtc\n connects *\n grants kill inspect\n restart always\n ready\n"
    "program console\n handles log-reader\n offers console\n connects nic0\n"
    " restart on-failure\n restart-with devmgr\n"
    "program net\n budget 10%\n handles log console dtb inspect\n offers net status\n"
    " connects nic* rtc devmgr\n grants low-ports\n restart always\n limit 100\n"
    "program http\n handles console bootfs\n connects net status\n restart always\n";
#define PROGRAMS 4u

static const char *const words[] = {"devmgr", "console", "net",  "status", "nic0", "nic1",
                                    "rtc",    "http",    "init", "*",      "",     NULL};
static const char *const shapes[] = {"wn", "n", "n", "n", "w", "i", "n", "n", "n", "n"};

static struct life {
    struct object *process; /* NULL: free */
    struct held boot, controls[CONTROLS_MAX];
    uint64_t taken[CONTROLS_MAX]; /* the last connection that came by each */
} lives[LIVES_MAX];
static struct held delegate; /* of the last answer that gave one */
static uint32_t ends;

static void life_begin(struct life *life, struct object *process)
{
    struct outside_message message;
    uint32_t count = 0;
    life->process = process;
    memset(life->taken, 0, sizeof life->taken);
    life->boot = (struct held){process->boot, DOUBLE_ALL_RIGHTS};
    while (outside_receive(life->boot.object, &message)) {
        for (size_t i = 0; i < message.handle_count; i++) {
            if (message.handles[i].object->type == SK_TYPE_ENDPOINT && count < CONTROLS_MAX) {
                life->controls[count++] = message.handles[i];
            } else {
                held_drop(&message.handles[i]);
            }
        }
    }
}

static void life_end(struct life *life)
{
    held_drop(&life->boot);
    for (uint32_t i = 0; i < CONTROLS_MAX; i++) {
        held_drop(&life->controls[i]);
    }
    life->process = NULL;
}

static void on_process(struct object *process, bool started)
{
    for (uint32_t i = 0; i < LIVES_MAX; i++) {
        if (lives[i].process == (started ? NULL : process)) {
            (started ? life_begin(&lives[i], process) : life_end(&lives[i]));
            return;
        }
    }
    if (started) {
        double_broke("init started %u programs", LIVES_MAX + 1);
    }
}

static struct life *life_of(uint8_t number)
{
    struct life *life = &lives[number % PROGRAMS];
    return life->process != NULL ? life : NULL;
}

static struct held connect_to_init(uint8_t how)
{
    struct life *life = life_of(how);
    if (how % 8 == 7 && delegate.object != NULL) {
        return held_copy(delegate, DOUBLE_ALL_RIGHTS);
    }
    return life != NULL ? held_copy(life->boot, DOUBLE_ALL_RIGHTS) : (struct held){NULL, 0};
}

static void answered(struct call *call)
{
    if (call->operation == SK_INIT_DELEGATE && call->handle_count == 1) {
        held_drop(&delegate);
        delegate = call->handles[--call->handle_count];
    }
}

/* A service takes what lies in its queue. */
static void control_take(struct life *life, uint32_t number)
{
    struct outside_message message;
    while (outside_receive(life->controls[number].object, &message)) {
        memcpy(&life->taken[number], message.bytes + 8, sizeof life->taken[number]);
        for (size_t i = 0; i < message.handle_count; i++) {
            held_drop(&message.handles[i]);
        }
    }
}

/* ... and says so, or that it has served somebody or begins to work, or something else. */
static void control_speaks(struct life *life, uint32_t number, uint8_t kind)
{
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    struct object *control = life->controls[number].object;
    if (control == NULL) {
        return;
    }
    if (kind % 4 == 0) {
        outside_send(control, bytes, input_message(bytes, sizeof bytes, 0), NULL, 0);
        return;
    }
    control_take(life, number);
    uint64_t operation = kind % 4 != 3   ? SK_INIT_ACCEPTED
                         : kind % 8 == 3 ? SK_INIT_SERVED
                                         : SK_INIT_WORKING;
    struct sk_init_accepted accepted = {operation, life->taken[number]};
    outside_send(control, &accepted, sizeof accepted, NULL, 0);
}

static void special(void)
{
    uint8_t kind = input_byte();
    struct life *life = life_of(kind);
    if (life == NULL) {
        return;
    }
    if (kind % 32 < 4 && ends < ENDS_MAX) {
        ends++;
        process_end(life->process);
    } else if (kind % 32 < 6) {
        held_drop(&life->controls[kind / 64]);
    } else {
        control_speaks(life, kind / 64, kind / 8);
    }
}

/* Every program comes back, and says that it is well; what was kept for it is given back. */
static void rest(void)
{
    held_drop(&delegate);
    ends = 0;
    for (uint32_t second = 0; second < 8; second++) {
        double_advance(1000000000, false);
        double_run();
        for (uint32_t i = 0; i < LIVES_MAX; i++) {
            struct life *life = &lives[i];
            for (uint32_t k = 0; life->process != NULL && k < CONTROLS_MAX; k++) {
                control_speaks(life, k, 1);
            }
        }
    }
    uint32_t alive = 0;
    for (uint32_t i = 0; i < LIVES_MAX; i++) {
        struct life *life = &lives[i];
        alive += life->process != NULL;
        for (uint32_t k = 0; life->process != NULL && words[k] != NULL; k++) {
            struct sk_init_name keep = {.operation = SK_INIT_KEEP};
            strcpy(keep.name, words[k]);
            outside_send(life->boot.object, &keep, sizeof keep, NULL, 0);
        }
        if (life->process != NULL) {
            struct sk_init_name ready = {SK_INIT_READY, "x"};
            outside_send(life->boot.object, &ready, sizeof ready, NULL, 0);
        }
    }
    double_run();
    if (alive != PROGRAMS) {
        double_broke("%u programs run, not %u", alive, PROGRAMS);
    }
}

static void prepare(void)
{
    uint32_t size;
    const void *program = archive_program(&size);
    const struct archive_file files[] = {
        {"bin/devmgr", 0100755, program, size},
        {"bin/console", 0100755, program, size},
        {"bin/net", 0100755, program, size},
        {"bin/http", 0100755, program, size},
        {"etc/system.manifest", 0100644, manifest, sizeof manifest - 1}};
    double_process = on_process;
    double_boot_handle("resource", object_make(SK_TYPE_RESOURCE));
    double_boot_handle("bootfs", archive_make(files, sizeof files / sizeof files[0]));
    double_boot_handle("dtb", memory_make("tree", 4));
}

static int run(void)
{
    static char name[] = "init";
    char *arguments[] = {name, NULL};
    return service_main(1, arguments);
}

const struct target target = {
    .service = "init",
    .run = run,
    .operations = SK_INIT_KEEP,
    .waits = 1u << SK_INIT_CONNECT,
    .kept = SK_INIT_KEPT_MAX,
    .shapes = shapes,
    .words = words,
    .connect = connect_to_init,
    .answered = answered,
    .prepare = prepare,
    .special = special,
    .rest = rest,
};
