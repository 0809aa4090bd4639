/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's parties: drivers, each with what devmgr's own code (lines.c) grants it, and channels
 * between them. A call on a line runs the provider's code at once, as the party that it is.
 */
#include "board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>
#include <sk/mmio.h>
#include <sk/print.h>
#include <sk/provider.h>
#include <sk/service.h>
#include <sk/time.h>

#include "crg.h"
#include "devmgr.h"
#include "syscon.h"

#define PARTIES_MAX 8u
#define CHANNELS_MAX 32u
#define QUEUE_MAX 8u
#define WORDS 0x100u /* of a modelled register block */

struct party {
    struct sk_driver driver; /* first: a party is found by it */
    struct driver_manifest manifest;
    struct grant grant;
    char *arguments[ARGUMENTS_MAX];
    struct crg crg;
    struct syscon syscon;
};

struct message {
    uint8_t bytes[sizeof(struct sk_platform_limit)];
    size_t length;
    handle_t handle;
};

/* Handles 2n + 1 and 2n + 2 are the ends of channel n; queue[e] is what waits at end e. */
struct channel {
    struct message queue[2][QUEUE_MAX];
    uint32_t waiting[2];
    struct party *provider; /* whose end 1 is, when it has taken it */
    struct sk_client client;
};

struct block {
    uint32_t base;
    uint32_t words[WORDS];
};

static const char *tree_folder, *source_folder;
static char tree[1u << 20];
static struct party parties[PARTIES_MAX];
static struct found founds[PARTIES_MAX]; /* as devmgr has them, one for each party */
static uint32_t party_count;
static struct channel channels[CHANNELS_MAX];
static uint32_t channel_count;
static struct party *running; /* whose code this is */
static struct block blocks[4];
static bool resets_stuck, lines_cut;
static char log_text[1u << 16];
static size_t log_length;

uint64_t board_now, board_slept;

/* --- Registers --- */

static struct block *block_of(uint32_t address)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (address - blocks[i].base < WORDS * 4) {
            return &blocks[i];
        }
    }
    fail_msg("no register at %x", address);
    return NULL;
}

uint32_t board_read(uint32_t address)
{
    struct block *block = block_of(address);
    return block->words[(address - block->base) / 4];
}

void board_poke(uint32_t address, uint32_t value)
{
    struct block *block = block_of(address);
    block->words[(address - block->base) / 4] = value;
}

/* Reset registers and their status. */
static const struct {
    uint32_t hold, status, words;
} reset_words[] = {{SYSCRG + 0x2f8, SYSCRG + 0x308, 4}, {AONCRG + 0x38, AONCRG + 0x3c, 1}};

static void follow_reset(uint32_t address, uint32_t value)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t at = address - reset_words[i].hold;
        if (at < 4 * reset_words[i].words && !resets_stuck) {
            board_poke(reset_words[i].status + at, ~value);
        }
    }
}

bool board_clock_runs(uint32_t generator, uint32_t id)
{
    return board_read(generator + 4 * id) >> 31 != 0;
}

bool board_is_released(uint32_t generator, uint32_t id)
{
    uint32_t status = generator == SYSCRG ? reset_words[0].status : reset_words[1].status;
    return (board_read(status + id / 32 * 4) >> id % 32 & 1) != 0;
}

void board_stick_resets(bool stuck)
{
    resets_stuck = stuck;
}

void board_log(uint32_t address, uint32_t value)
{
    log_length += (size_t)snprintf(log_text + log_length, sizeof log_text - log_length,
                                   "%08x=%08x\n", address, value);
    assert_true(log_length < sizeof log_text);
}

const char *board_writes(void)
{
    static char text[sizeof log_text];
    memcpy(text, log_text, log_length);
    text[log_length] = '\0';
    log_length = 0;
    return text;
}

static bool is_gmac(uint32_t address)
{
    return address >> 16 == 0x1603 || address >> 16 == 0x1604;
}

uint32_t model_read(uintptr_t address, unsigned width)
{
    assert_int_equal(width, 4);
    assert_int_equal(address % 4, 0);
    if (is_gmac((uint32_t)address)) {
        return gmac_read((uint32_t)address);
    }
    return board_read((uint32_t)address);
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    uint32_t at = (uint32_t)address;
    assert_int_equal(width, 4);
    assert_int_equal(address % 4, 0);
    board_log(at, value);
    if (is_gmac(at)) {
        gmac_write(at, value);
        return;
    }
    board_poke(at, value);
    follow_reset(at, value);
    if (gmac_reset_changed != NULL) {
        gmac_reset_changed();
    }
}

/* --- What the os library would do --- */

struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
                             uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    switch (number) {
    case SK_SYS_clock_read:
        board_now += 100;
        return (struct sk_result){SK_OK, {board_now}};
    case SK_SYS_thread_sleep:
        if (arg0 > board_now) {
            board_slept += arg0 - board_now;
            board_now = arg0;
        }
        return (struct sk_result){SK_OK, {0}};
    case SK_SYS_channel_create:
        assert_true(channel_count < CHANNELS_MAX);
        memset(&channels[channel_count], 0, sizeof channels[0]);
        channel_count++;
        return (struct sk_result){SK_OK, {2 * channel_count - 1, 2 * channel_count}};
    case SK_SYS_handle_close:
        return (struct sk_result){SK_OK, {0}};
    default:
        fail_msg("system call %u", (unsigned)number);
        return (struct sk_result){SK_NOT_SUPPORTED, {0}};
    }
}

jmp_buf board_died;

_Noreturn void sk_die(const char *format, ...)
{
    longjmp(board_died, 1);
}

const char *sk_status_words(status_t status)
{
    static char words[24];
    snprintf(words, sizeof words, "status %d", status);
    return words;
}

/* "line0" of the party that asks. */
handle_t sk_boot_handle(const char *name)
{
    for (size_t i = 0; i < running->grant.handle_count; i++) {
        if (strcmp(running->grant.handles[i].name, name) == 0) {
            return running->grant.handles[i].handle;
        }
    }
    return SK_HANDLE_NONE;
}

handle_t sk_self_job;

void grant_handle(struct grant *grant, const char *name, handle_t handle)
{
    grant->handles[grant->handle_count++] = (struct sk_spawn_handle){name, handle};
}

void grant_argument(struct grant *grant, const char *text)
{
    assert_true(grant->argument_count < ARGUMENTS_MAX);
    assert_true(strlen(text) < ARGUMENT_BYTES);
    strcpy(grant->texts[grant->argument_count++], text);
}

static struct channel *channel_of(handle_t end)
{
    assert_in_range(end, 1, 2 * channel_count);
    return &channels[(end - 1) / 2];
}

status_t sk_channel_send(handle_t endpoint, const struct sk_out *out)
{
    struct channel *channel = channel_of(endpoint);
    uint32_t to = endpoint % 2; /* end 0 has odd handles */
    assert_true(channel->waiting[to] < QUEUE_MAX &&
                out->length <= sizeof(struct sk_platform_limit));
    struct message *message = &channel->queue[to][channel->waiting[to]++];
    memcpy(message->bytes, out->bytes, out->length);
    message->length = out->length;
    message->handle = out->handle_count > 0 ? out->handles[0] : SK_HANDLE_NONE;
    return SK_OK;
}

static bool take_message(handle_t end, struct message *message)
{
    struct channel *channel = channel_of(end);
    uint32_t at = 1 - end % 2;
    if (channel->waiting[at] == 0) {
        return false;
    }
    *message = channel->queue[at][0];
    channel->waiting[at]--;
    memmove(&channel->queue[at][0], &channel->queue[at][1], channel->waiting[at] * sizeof *message);
    return true;
}

status_t sk_channel_receive(handle_t source, struct sk_in *in, uint64_t deadline)
{
    struct message message;
    assert_int_equal(deadline, SK_DEADLINE_POLL);
    if (!take_message(source, &message)) {
        return SK_TIMED_OUT;
    }
    assert_true(message.length <= in->capacity);
    memcpy(in->bytes, message.bytes, message.length);
    return SK_OK;
}

/* The provider's side of a line, with everything that happens below it. */
static status_t serve(struct channel *line, struct sk_in *in, struct sk_reply *reply)
{
    struct party *caller = running;
    running = line->provider;
    bool is_crg = running->crg.map != NULL;
    status_t status = sk_provider_message(is_crg ? &crg_provider : &syscon_provider,
                                          is_crg ? (void *)&running->crg : &running->syscon,
                                          &line->client, in, reply);
    running = caller;
    return status;
}

/* What lies in a line, before anything that comes behind it. */
static void deliver(struct channel *line, handle_t end)
{
    struct message message;
    while (take_message(end, &message)) {
        static struct sk_reply none;
        _Alignas(8) uint8_t bytes[sizeof message.bytes];
        memcpy(bytes, message.bytes, message.length);
        struct sk_in in = {.bytes = bytes, .length = message.length};
        serve(line, &in, &none);
    }
}

/* The provider's server: takes new lines. */
static void run_provider(struct party *provider, handle_t control)
{
    struct message message;
    while (take_message(control, &message)) {
        const struct sk_init_new_client *new_client = (const void *)message.bytes;
        assert_int_equal(new_client->operation, SK_INIT_NEW_CLIENT);
        assert_int_not_equal(new_client->client_id, 0);
        struct sk_init_accepted accepted = {SK_INIT_ACCEPTED, new_client->sequence};
        struct sk_out out = sk_out_bytes(&accepted, sizeof accepted);
        sk_channel_send(control, &out);
        struct channel *line = channel_of(message.handle);
        line->provider = provider;
        deliver(line, message.handle);
    }
}

status_t sk_channel_call(handle_t endpoint, const struct sk_out *out, struct sk_in *in,
                         uint64_t deadline)
{
    static struct sk_reply replies[4]; /* calls nest: a provider asks another */
    static uint32_t depth;
    _Alignas(8) uint8_t request[64];
    if (lines_cut) {
        return SK_PEER_CLOSED;
    }
    struct channel *line = channel_of(endpoint);
    assert_non_null(line->provider);
    deliver(line, endpoint + 1);
    assert_true(deadline > board_now && deadline < board_now + 10 * SK_SECOND);
    assert_true(out->length <= sizeof request);
    memcpy(request, out->bytes, out->length);
    struct sk_in arrived = {.bytes = request, .length = out->length, .is_call = true};
    struct sk_reply *reply = &replies[depth++];
    assert_true(depth < 4);
    memset(reply, 0, sizeof *reply);
    int64_t status = serve(line, &arrived, reply);
    depth--;
    in->length = status == SK_OK && reply->length > 0 ? reply->length : sizeof status;
    assert_true(in->length <= in->capacity);
    memcpy(in->bytes, reply->bytes, in->length);
    memcpy(in->bytes, &status, sizeof status);
    return SK_OK;
}

/* --- Parties --- */

static size_t read_file(const char *folder, const char *name, char *to, size_t room)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(to, 1, room, file);
    fclose(file);
    return length;
}

void board_folders(const char *trees, const char *sources)
{
    tree_folder = trees;
    source_folder = sources;
}

/* argv of the driver as it is after what was added. */
static void use_arguments(struct party *party)
{
    size_t total = 0;
    for (size_t i = 0; i < party->grant.argument_count; i++) {
        party->arguments[i] = party->grant.texts[i];
        total += strlen(party->grant.texts[i]) + 1;
    }
    assert_true(total <
                SK_MESSAGE_BYTES_MAX - 1024); /* with handles' names they go in one message */
    party->driver.argv = party->arguments;
    party->driver.argc = (int)party->grant.argument_count;
}

void board_argument(struct sk_driver *driver, const char *name, const char *value)
{
    struct party *party = (struct party *)driver;
    struct grant *grant = &party->grant;
    char text[ARGUMENT_BYTES];
    size_t length = strlen(name);
    snprintf(text, sizeof text, "%s=%s", name, value);
    for (size_t i = 0; i < grant->argument_count; i++) {
        if (strncmp(grant->texts[i], text, length + 1) == 0) {
            strcpy(grant->texts[i], text);
            return;
        }
    }
    grant_argument(grant, text);
    use_arguments(party);
}

/* As grant.c has it. */
static void add_properties(struct party *party, const struct device *device)
{
    board_argument(&party->driver, "program", party->manifest.name); /* argv[0] */
    board_argument(&party->driver, "compatible", device_compatible(tree, device, &party->manifest));
    for (uint32_t i = 0; i < party->manifest.property_count; i++) {
        char value[MATCH_VALUE_MAX];
        if (device_property(tree, device, party->manifest.properties[i], value)) {
            board_argument(&party->driver, party->manifest.properties[i], value);
        }
    }
}

/* A party, found as devmgr finds devices; nothing is connected yet. */
static struct party *add_party(const char *manifest, uint32_t n)
{
    static char text[8192];
    char problem[96];
    assert_true(party_count < PARTIES_MAX);
    struct party *party = &parties[party_count];
    struct found *found = &founds[party_count];
    memset(party, 0, sizeof *party);
    *found = (struct found){.driver = &party->manifest};
    size_t length = read_file(source_folder, manifest, text, sizeof text);
    assert_int_equal(driver_parse(text, length, &party->manifest, problem, sizeof problem), SK_OK);
    struct device_walk walk = {.tree = tree};
    bool is_it = false;
    while (!is_it && device_next(&walk)) {
        is_it = device_matches(&walk, &party->manifest) && n-- == 0;
    }
    assert_true(is_it);
    device_describe(&walk, &party->manifest, &found->device);
    add_properties(party, &found->device);
    struct sk_driver *driver = &party->driver;
    driver->range_count = found->device.range_count;
    for (uint32_t i = 0; i < driver->range_count; i++) {
        driver->ranges[i] = (struct sk_driver_range){(uintptr_t)found->device.ranges[i].base,
                                                     found->device.ranges[i].size};
    }
    driver->interrupt_count = found->device.interrupt_count;
    party_count++;
    if (party->manifest.provider) {
        assert_int_equal(lines_open_provider(found), SK_OK);
    }
    return party;
}

static void connect(struct party *party)
{
    assert_int_equal(lines_grant(&party->grant, &founds[party - parties], tree), SK_OK);
    use_arguments(party);
    for (uint32_t i = 0; i < party_count; i++) {
        if (parties[i].manifest.provider) {
            run_provider(&parties[i], founds[i].control);
        }
    }
}

struct sk_driver *board_driver(const char *manifest, uint32_t n)
{
    running = add_party(manifest, n);
    connect(running);
    return &running->driver;
}

static void add_syscon(uint32_t n)
{
    struct party *party = add_party("drivers/platform/jh7110/syscon-jh7110.driver", n);
    struct sk_driver *driver = &party->driver;
    const char *compatible = sk_driver_text(driver, "compatible");
    party->syscon = (struct syscon){driver->ranges[0].base, driver->ranges[0].size,
                                    strcmp(compatible, "starfive,jh7110-sys-syscon") == 0};
}

static void add_crg(uint32_t n)
{
    struct party *party = add_party("drivers/platform/jh7110/crg-jh7110.driver", n);
    struct sk_driver *driver = &party->driver;
    for (uint32_t m = 0; m < crg_map_count; m++) {
        if (strcmp(crg_maps[m].compatible, sk_driver_text(driver, "compatible")) == 0) {
            party->crg = (struct crg){&crg_maps[m], driver, driver->ranges[0].base};
        }
    }
    assert_non_null(party->crg.map);
}

void board_power_on(const char *name)
{
    static const uint32_t bases[] = {SYSCRG, SYS_SYSCON, AONCRG, AON_SYSCON};
    char file[128];
    for (uint32_t i = 0; i < channel_count; i++) {
        sk_provider_disconnect(&channels[i].client);
    }
    party_count = channel_count = 0;
    lines_init(founds, &party_count);
    resets_stuck = lines_cut = false;
    board_now = board_slept = 0;
    snprintf(file, sizeof file, "%s.dtb", name);
    assert_int_equal(fdt_check_full(tree, read_file(tree_folder, file, tree, sizeof tree)), 0);
    for (uint32_t i = 0; i < 4; i++) {
        memset(&blocks[i], 0, sizeof blocks[i]);
        blocks[i].base = bases[i];
    }
    for (uint32_t i = 0; i < 4; i++) {
        board_poke(SYSCRG + 0x2f8 + 4 * i, UINT32_MAX);
    }
    board_poke(AONCRG + 0x38, UINT32_MAX);
    board_poke(SYS_SYSCON + 0x18, 3u << 24); /* whole multiples */
    board_poke(SYS_SYSCON + 0x1c, 125);
    board_poke(SYS_SYSCON + 0x24, 3);
    board_poke(SYSCRG + 4 * 99, 2); /* GMAC_SRC and its like divide by something */
    board_poke(SYSCRG + 4 * 100, 8);
    board_poke(SYSCRG + 4 * 101, 1);
    board_poke(SYSCRG + 4 * 102, 10);
    board_poke(SYSCRG + 4 * 108, 8);
    board_poke(SYSCRG + 4 * 109, 10);
    board_poke(AONCRG + 4 * 4, 1);
    /* As in the tree: a generator comes before the PLLs that it depends on. */
    add_crg(0);
    add_syscon(0);
    add_crg(1);
    add_syscon(1);
    for (uint32_t i = 0; i < party_count; i++) {
        connect(&parties[i]);
    }
    board_writes();
}

void board_cut_lines(bool cut)
{
    lines_cut = cut;
}
