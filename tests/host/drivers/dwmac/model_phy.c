/* SPDX-License-Identifier: BSD-2-Clause */
/* The PHY: clause 22, and extended registers if it is a YT8531. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct model_phy model_phy;

uint16_t phy_read(uint32_t number)
{
    struct model_phy *phy = &model_phy;
    bool gigabit = phy->yt8531;
    switch (number) {
    case 0:
        return phy->control;
    case 1:
        return (uint16_t)(0x7849 | (gigabit ? 1 << 8 : 0) | (phy->link ? 1 << 2 | 1 << 5 : 0));
    case 2:
        return phy->yt8531 ? 0x4f51 : 0x0007;
    case 3:
        return phy->yt8531 ? 0xe91b : 0xc0f1;
    case 4:
        return phy->advertised;
    case 5:
        return phy->mbps >= 100 ? 0x41e1 : 0x4061;
    case 9:
        return phy->control_1000;
    case 10:
        return phy->mbps == 1000 ? 3 << 10 : 0;
    case 0x1f:
        assert_true(phy->yt8531);
        return phy->ext[phy->ext_index];
    default:
        fail_msg("PHY register %u", number);
        return 0;
    }
}

void phy_write(uint32_t number, uint16_t value)
{
    struct model_phy *phy = &model_phy;
    switch (number) {
    case 0:
        phy->restarts += (value & 1 << 9) != 0;
        phy->control = value & (uint16_t) ~(1 << 9);
        break;
    case 4:
        phy->advertised = value;
        break;
    case 9:
        phy->control_1000 = value;
        break;
    case 0x1e:
        assert_true(phy->yt8531);
        phy->ext_index = value;
        break;
    case 0x1f:
        assert_true(phy->yt8531);
        phy->ext[phy->ext_index] = value;
        break;
    default:
        fail_msg("write to PHY register %u", number);
    }
}

void phy_power_on(bool yt8531)
{
    memset(&model_phy, 0, sizeof model_phy);
    model_phy.yt8531 = yt8531;
    model_phy.clock = model_phy.answers = true;
    model_phy.control = 0x1140;
    model_phy.advertised = 0x01e1;
    model_phy.control_1000 = 0x0300;
    model_phy.ext[0xa001] = 0x8031;
    model_phy.ext[0xa003] = 0x40f1;
    model_phy.ext[0xa010] = 0x7bcf;
    model_phy.ext[0xa012] = 0x00c8;
    model_phy.ext[0x000c] = 0x9044;
    model_phy.ext[0x0027] = 0xe812;
}
