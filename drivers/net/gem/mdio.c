/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus to the PHY, one transfer of about 33 us at a time (UG585, 16.3.4). Tests: tests/host/drivers/gem.
 */
#include <sk/time.h>

#include "gem.h"

/* Many times what a transfer takes, and a device that needs longer is broken. */
#define PATIENCE (5 * SK_MS)

static status_t transfer(uint32_t word, uint32_t phy, uint32_t number)
{
    uint64_t end = sk_now() + PATIENCE;

    gem_write(GEM_PHY, PHY_CLAUSE_22 | PHY_TURNAROUND | word | phy << PHY_ADDRESS_SHIFT |
                           number << PHY_REGISTER_SHIFT);
    while ((gem_read(GEM_STATUS) & STATUS_PHY_IDLE) == 0) {
        if (sk_now() > end) {
            return SK_TIMED_OUT;
        }
    }
    return SK_OK;
}

status_t mdio_read(uint32_t phy, uint32_t number, uint32_t *value)
{
    status_t status = transfer(PHY_READ, phy, number);

    if (status == SK_OK) {
        *value = gem_read(GEM_PHY) & UINT16_MAX;
    }
    return status;
}

status_t mdio_write(uint32_t phy, uint32_t number, uint32_t value)
{
    return transfer(PHY_WRITE | (value & UINT16_MAX), phy, number);
}
