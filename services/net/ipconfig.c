/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads `ip=`. No state, no system call. Tests: tests/host/services/net/test_parts.c,
 * tests/fuzz/fuzz_net.c.
 */
#include "ipconfig.h"

#include <stdbool.h>
#include <string.h>

enum field {
    FIELD_CLIENT,
    FIELD_SERVER,
    FIELD_GATEWAY,
    FIELD_NETMASK,
    FIELD_HOSTNAME,
    FIELD_DEVICE,
    FIELD_AUTOCONF,
    FIELD_DNS0,
    FIELD_DNS1,
    FIELD_NTP0,
    FIELD_COUNT,
};

struct piece {
    const char *text;
    size_t length;
};

static bool piece_is(struct piece piece, const char *word)
{
    return piece.length == strlen(word) && memcmp(piece.text, word, piece.length) == 0;
}

static bool is_dhcp(struct piece piece)
{
    return piece_is(piece, "dhcp") || piece_is(piece, "on") || piece_is(piece, "any") ||
           piece_is(piece, "both");
}

static bool is_off(struct piece piece)
{
    return piece_is(piece, "off") || piece_is(piece, "none");
}

/* A dotted address; nothing gives 0.0.0.0. */
static bool parse_address(struct piece piece, uint8_t ip[4])
{
    size_t at = 0;
    uint8_t parsed[4] = {0};

    for (int i = 0; i < 4 && piece.length > 0; i++) {
        unsigned value = 0;
        size_t first = at;
        while (at < piece.length && piece.text[at] >= '0' && piece.text[at] <= '9' &&
               at - first < 3) {
            value = value * 10 + (unsigned)(piece.text[at++] - '0');
        }
        bool last = i == 3;
        if (at == first || value > 255 || (last ? at != piece.length : at >= piece.length) ||
            (!last && piece.text[at++] != '.')) {
            return false;
        }
        parsed[i] = (uint8_t)value;
    }
    memcpy(ip, parsed, sizeof parsed);
    return true;
}

static bool is_zero(const uint8_t ip[4])
{
    return (ip[0] | ip[1] | ip[2] | ip[3]) == 0;
}

/* A netmask is ones, then zeroes. */
static bool is_netmask(const uint8_t mask[4])
{
    uint32_t value = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 | (uint32_t)mask[2] << 8 |
                     mask[3];
    uint32_t rest = ~value;
    return value != 0 && (rest & (rest + 1)) == 0;
}

static void netmask_of_class(const uint8_t ip[4], uint8_t mask[4])
{
    mask[0] = 255;
    mask[1] = ip[0] >= 128 ? 255 : 0;
    mask[2] = ip[0] >= 192 ? 255 : 0;
    mask[3] = 0;
}

static bool parse_hostname(struct piece piece, char name[IPCONFIG_HOSTNAME_MAX])
{
    if (piece.length >= IPCONFIG_HOSTNAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < piece.length; i++) {
        char c = piece.text[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.';
        if (!good) {
            return false;
        }
    }
    memcpy(name, piece.text, piece.length);
    name[piece.length] = '\0';
    return true;
}

/* Cuts the text at its colons. False: too many fields. */
static bool split(const char *text, struct piece pieces[FIELD_COUNT])
{
    size_t field = 0;
    const char *from = text;

    for (const char *at = text;; at++) {
        if (*at != ':' && *at != '\0') {
            continue;
        }
        if (field == FIELD_COUNT) {
            return false;
        }
        pieces[field++] = (struct piece){from, (size_t)(at - from)};
        if (*at == '\0') {
            return true;
        }
        from = at + 1;
    }
}

status_t ipconfig_parse(const char *text, struct ipconfig *config)
{
    struct piece pieces[FIELD_COUNT] = {{"", 0}};
    struct ipconfig parsed = {.mode = IPCONFIG_DHCP};
    uint8_t ignored[4];

    for (size_t i = 0; i < FIELD_COUNT; i++) {
        pieces[i] = (struct piece){"", 0};
    }
    if (!split(text, pieces)) {
        return SK_BAD_FORMAT;
    }
    if (strchr(text, ':') == NULL && (is_off(pieces[0]) || is_dhcp(pieces[0]))) {
        parsed.mode = is_off(pieces[0]) ? IPCONFIG_OFF : IPCONFIG_DHCP;
        *config = parsed;
        return SK_OK;
    }
    if (!parse_address(pieces[FIELD_CLIENT], parsed.ip) ||
        !parse_address(pieces[FIELD_SERVER], ignored) ||
        !parse_address(pieces[FIELD_GATEWAY], parsed.gateway) ||
        !parse_address(pieces[FIELD_NETMASK], parsed.netmask) ||
        !parse_hostname(pieces[FIELD_HOSTNAME], parsed.hostname) ||
        !parse_address(pieces[FIELD_DNS0], parsed.dns[0]) ||
        !parse_address(pieces[FIELD_DNS1], parsed.dns[1]) ||
        !parse_address(pieces[FIELD_NTP0], parsed.ntp)) {
        return SK_BAD_FORMAT;
    }
    struct piece autoconf = pieces[FIELD_AUTOCONF];
    bool empty = autoconf.length == 0;
    if (!empty && !is_off(autoconf) && !is_dhcp(autoconf)) {
        return SK_BAD_FORMAT;
    }
    if (is_zero(parsed.netmask)) {
        netmask_of_class(parsed.ip, parsed.netmask);
    }
    if (!is_netmask(parsed.netmask)) {
        return SK_BAD_FORMAT;
    }
    if (!is_zero(parsed.ip) && !is_dhcp(autoconf)) {
        parsed.mode = IPCONFIG_STATIC;
    } else if (is_off(autoconf)) {
        parsed.mode = IPCONFIG_OFF;
    } else if (is_zero(parsed.ip) && empty && strspn(text, ":") == strlen(text)) {
        return SK_BAD_FORMAT; /* nothing is said at all */
    }
    *config = parsed;
    return SK_OK;
}
