/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver on one port of a board, up to a link that is up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sk/time.h>

#include "fixture.h"

#define MANIFEST "drivers/net/dwmac/net-dwmac.driver"

struct net_device device;
struct sk_driver *driver;
const uint8_t mac[6] = {0x6c, 0xcf, 0x39, 0x00, 0x5b, 0x75};

/* The board with a driver on one port, given its memory, not started. */
void prepare(const char *tree, uint32_t port)
{
    bool rmii = strcmp(tree, V12A) == 0 && port == 1;
    board_power_on(tree);
    model_start(port, !rmii);
    driver = board_driver(MANIFEST, port);
    board_argument(driver, "local-mac-address", "6c:cf:39:00:5b:75");
    device = (struct net_device){.driver = driver};
    assert_int_equal(sk_dma_create(driver, POOL_BYTES, &device.pool), SK_OK);
    assert_int_equal(device_allocate(&device), SK_OK);
    board_writes();
}

uint32_t look(void)
{
    uint64_t next = 0;
    uint32_t events = device_look(&device, &next);
    assert_true(next > board_now && next <= board_now + 10 * SK_SECOND);
    return events;
}

/* Running, every receive buffer posted, the link up at this speed. */
void run(const char *tree, uint32_t port, uint32_t mbps)
{
    prepare(tree, port);
    assert_int_equal(device_start(&device), SK_OK);
    for (uint16_t i = 0; i < RX_BUFFERS; i++) {
        assert_int_equal(device_post_rx(&device, i), SK_OK);
    }
    device_show_rx(&device);
    model_phy.link = true;
    model_phy.mbps = mbps;
    assert_int_equal(look(), DEVICE_LINK_CHANGED);
    assert_true(device.link_up);
    board_writes();
}
