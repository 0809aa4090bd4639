/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure parts of the net service: `ip=`, what a device is told of a frame, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "ipconfig.h"

#include <sk/socket.h>

#define IS(ip, a, b, c, d) assert_memory_equal(ip, ((uint8_t[]){a, b, c, d}), 4)

static void ip_full_form(void **state)
{
    struct ipconfig config;

    assert_int_equal(ipconfig_parse("10.0.2.15::10.0.2.2:255.255.255.0", &config), SK_OK);
    assert_int_equal(config.mode, IPCONFIG_STATIC);
    IS(config.ip, 10, 0, 2, 15);
    IS(config.gateway, 10, 0, 2, 2);
    IS(config.netmask, 255, 255, 255, 0);
    IS(config.dns[0], 0, 0, 0, 0);
    assert_int_equal(
        ipconfig_parse("192.168.7.9:192.168.7.1:192.168.7.1:255.255.255.128:skerry:eth0:off:"
                       "9.9.9.9:1.1.1.1:192.168.7.2",
                       &config),
        SK_OK);
    assert_int_equal(config.mode, IPCONFIG_STATIC);
    assert_string_equal(config.hostname, "skerry");
    IS(config.dns[0], 9, 9, 9, 9);
    IS(config.dns[1], 1, 1, 1, 1);
    IS(config.ntp, 192, 168, 7, 2);
}

static void ip_netmask_by_class(void **state)
{
    struct ipconfig config;

    assert_int_equal(ipconfig_parse("10.1.2.3", &config), SK_OK);
    IS(config.netmask, 255, 0, 0, 0);
    assert_int_equal(ipconfig_parse("172.16.0.1", &config), SK_OK);
    IS(config.netmask, 255, 255, 0, 0);
    assert_int_equal(ipconfig_parse("192.168.0.1:", &config), SK_OK);
    IS(config.netmask, 255, 255, 255, 0);
}

static void ip_modes(void **state)
{
    static const struct {
        const char *text;
        enum ipconfig_mode mode;
    } cases[] = {
        {"dhcp", IPCONFIG_DHCP},
        {"on", IPCONFIG_DHCP},
        {"any", IPCONFIG_DHCP},
        {"off", IPCONFIG_OFF},
        {"none", IPCONFIG_OFF},
        {"::::host:eth0:dhcp", IPCONFIG_DHCP},
        {":::::eth0:off", IPCONFIG_OFF},
        {"10.0.0.1::::::none", IPCONFIG_STATIC},
        {"10.0.0.1::::::dhcp", IPCONFIG_DHCP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ipconfig config;
        assert_int_equal(ipconfig_parse(cases[i].text, &config), SK_OK);
        assert_int_equal(config.mode, cases[i].mode);
    }
}

static void ip_malformed(void **state)
{
    static const char *const cases[] = {
        "",
        ":",
        ":::::::",
        "10.0.2",
        "10.0.2.",
        "10.0.2.256",
        "10.0.2.15.1",
        "10.0.2.1x",
        "10..2.1",
        " 10.0.2.1",
        "10.0.2.0001",
        "nonsense",
        "dhcp6",
        "offf",
        "10.0.2.15::10.0.2.2:255.0.255.0",
        "10.0.2.15::10.0.2.2:0.255.255.0",
        "10.0.2.15::gateway",
        "10.0.2.15::::bad_host",
        "10.0.2.15::::a-name-that-is-longer-than-any-host",
        "10.0.2.15::::host:eth0:maybe",
        "10.0.2.15::::host:eth0:off:dns",
        "1.2.3.4::::h:d:off:1.1.1.1:2.2.2.2:3.3.3.3:",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ipconfig config = {.mode = IPCONFIG_OFF, .ip = {1, 2, 3, 4}};
        assert_int_equal(ipconfig_parse(cases[i], &config), SK_BAD_FORMAT);
        assert_int_equal(config.mode, IPCONFIG_OFF); /* written only on success */
        IS(config.ip, 1, 2, 3, 4);
    }
}

/* A TCP frame of 20 bytes of IP, 20 of TCP, `payload` bytes. */
static uint32_t make_frame(uint8_t *frame, uint8_t protocol, uint32_t payload)
{
    static const uint8_t ip[] = {0x45, 0, 0,  0, 0, 1,  0x40, 0, 64, 0,
                                 0,    0, 10, 0, 2, 15, 10,   0, 2,  2};
    uint32_t header = protocol == 6 ? 20 : 8;
    uint32_t total = 20 + header + payload;

    memset(frame, 0, 14 + total);
    frame[12] = 8;
    memcpy(frame + 14, ip, sizeof ip);
    frame[16] = (uint8_t)(total >> 8);
    frame[17] = (uint8_t)total;
    frame[23] = protocol;
    frame[14 + 20 + 12] = protocol == 6 ? 0x50 : 0;
    return 14 + total;
}

static uint32_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static void frame_offload_of_tcp(void **state)
{
    uint8_t frame[4000];
    struct frame_offload offload;
    uint32_t length = make_frame(frame, 6, 100);

    assert_true(frame_prepare_offload(frame, length, length, 1460, &offload));
    assert_int_equal(offload.checksum_start, 34);
    assert_int_equal(offload.checksum_offset, 16);
    assert_int_equal(offload.segment_bytes, 0);
    uint32_t pseudo = fold(0x0a00 + 0x020f + 0x0a00 + 0x0202 + 6 + 120);
    assert_int_equal(frame[50] << 8 | frame[51], pseudo);

    length = make_frame(frame, 6, 2920);
    assert_true(frame_prepare_offload(frame, length, length, 1460, &offload));
    assert_int_equal(offload.segment_bytes, 1460);
    assert_true(frame_prepare_offload(frame, 60, length, 1460, &offload)); /* first piece only */
    assert_int_equal(offload.segment_bytes, 1460);
}

static void frame_offload_of_others(void **state)
{
    uint8_t frame[4000];
    struct frame_offload offload;
    uint32_t length = make_frame(frame, 17, 3000);

    assert_true(frame_prepare_offload(frame, length, length, 1460, &offload));
    assert_int_equal(offload.checksum_offset, 6);
    assert_int_equal(offload.segment_bytes, 0);
    length = make_frame(frame, 1, 100); /* ICMP */
    assert_false(frame_prepare_offload(frame, length, length, 1460, &offload));
    length = make_frame(frame, 6, 100);
    frame[20] = 0x20; /* more fragments */
    assert_false(frame_prepare_offload(frame, length, length, 1460, &offload));
    length = make_frame(frame, 6, 100);
    frame[13] = 6; /* ARP */
    assert_false(frame_prepare_offload(frame, length, length, 1460, &offload));
    length = make_frame(frame, 6, 100);
    frame[16] = 0xff; /* longer than the frame */
    assert_false(frame_prepare_offload(frame, length, length, 1460, &offload));
    length = make_frame(frame, 6, 0);
    assert_false(frame_prepare_offload(frame, 40, length, 1460, &offload));
    assert_false(frame_prepare_offload(frame, 13, 13, 1460, &offload));
}

static void frame_place_in_a_connection(void **state)
{
    uint8_t frame[4000];
    struct frame_tcp tcp;
    uint32_t length = make_frame(frame, 6, 100);
    static const uint8_t start[] = {0x12, 0x34, 0, 80, 0xff, 0xff, 0xff, 0xf0};

    memcpy(frame + 34, start, sizeof start);
    frame[47] = 0x10; /* ACK */
    assert_true(frame_read_tcp(frame, length, &tcp));
    assert_int_equal(tcp.source_port, 0x1234);
    assert_int_equal(tcp.destination_port, 80);
    assert_memory_equal(&tcp.destination_ip, frame + 30, 4);
    assert_int_equal(tcp.sequence, 0xfffffff0u);
    assert_int_equal(tcp.end, 0xfffffff0u + 100); /* wraps */
    frame[47] = 0x11;                             /* FIN too */
    assert_true(frame_read_tcp(frame, 54, &tcp)); /* the headers are enough */
    assert_int_equal(tcp.end, 0xfffffff0u + 101);
    assert_false(frame_read_tcp(frame, 53, &tcp));
    length = make_frame(frame, 17, 100);
    assert_false(frame_read_tcp(frame, length, &tcp));
}

static void dotted_addresses(void **state)
{
    uint8_t ip[4];

    assert_int_equal(sk_net_parse_ip("127.0.0.1", ip), SK_OK);
    IS(ip, 127, 0, 0, 1);
    static const char *const bad[] = {"",         "1",         "1.2.3",      "1.2.3.",  "1.2.3.4.",
                                      "1.2.3.4 ", "256.1.1.1", "1.2.3.4444", "a.b.c.d", "1..2.3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sk_net_parse_ip(bad[i], ip), SK_INVALID_ARGS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ip_full_form),
        cmocka_unit_test(ip_netmask_by_class),
        cmocka_unit_test(ip_modes),
        cmocka_unit_test(ip_malformed),
        cmocka_unit_test(frame_offload_of_tcp),
        cmocka_unit_test(frame_offload_of_others),
        cmocka_unit_test(frame_place_in_a_connection),
        cmocka_unit_test(dotted_addresses),
    };
    return cmocka_run_group_tests_name("net-parts", tests, NULL, NULL);
}
