/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers and descriptors of the Synopsys DesignWare Ethernet QoS controller (databook 5.20; the
 * public description of the same block is in NXP's i.MX 8M Plus reference manual, chapter 11.7, and ST's
 * RM0433, chapter 58). Only what the driver uses: one queue, one channel.
 */
#ifndef DWMAC_REGS_H
#define DWMAC_REGS_H

#define BIT(n) (UINT32_C(1) << (n))

enum dwmac_register {
    MAC_CONFIG = 0x0000,
    MAC_FILTER = 0x0008,
    MAC_HASH_TABLE = 0x0010, /* and the next: as many words as the table has */
    MAC_TX_FLOW = 0x0070,
    MAC_RX_FLOW = 0x0090,
    MAC_RXQ_CTRL0 = 0x00a0,
    MAC_INT_ENABLE = 0x00b4,
    MAC_VERSION = 0x0110,
    MAC_FEATURE1 = 0x0120,
    MAC_MDIO_ADDRESS = 0x0200,
    MAC_MDIO_DATA = 0x0204,
    MAC_ADDRESS_HIGH = 0x0300,
    MAC_ADDRESS_LOW = 0x0304,
    MMC_RX_INT_MASK = 0x070c,
    MMC_TX_INT_MASK = 0x0710,
    MMC_IPC_INT_MASK = 0x0800,
    MTL_TXQ_MODE = 0x0d00,
    MTL_RXQ_MODE = 0x0d30,
    MTL_RXQ_MISSED = 0x0d34, /* [26:16] no descriptor, [10:0] FIFO full; cleared by reading */
    DMA_MODE = 0x1000,
    DMA_BUS_MODE = 0x1004,
    DMA_CONTROL = 0x1100,
    DMA_TX_CONTROL = 0x1104,
    DMA_RX_CONTROL = 0x1108,
    DMA_TX_LIST_HIGH = 0x1110,
    DMA_TX_LIST = 0x1114,
    DMA_RX_LIST_HIGH = 0x1118,
    DMA_RX_LIST = 0x111c,
    DMA_TX_TAIL = 0x1120,
    DMA_RX_TAIL = 0x1128,
    DMA_TX_LENGTH = 0x112c, /* descriptors, less one */
    DMA_RX_LENGTH = 0x1130,
    DMA_INT_ENABLE = 0x1134,
    DMA_STATUS = 0x1160,  /* bits are cleared by writing 1 */
    DWMAC_BYTES = 0x1180, /* all registers of one channel */
};

enum {
    CONFIG_RX = BIT(0),
    CONFIG_TX = BIT(1),
    CONFIG_FULL_DUPLEX = BIT(13),
    CONFIG_100 = BIT(14),             /* with CONFIG_MII: 100, not 10 Mbit/s */
    CONFIG_MII = BIT(15),             /* 10 or 100 Mbit/s; else 1000 */
    CONFIG_STRIP = BIT(20) | BIT(21), /* pad and CRC of received packets, of any type */
};

enum {
    MDIO_BUSY = BIT(0),
    MDIO_READ = BIT(2) | BIT(3),
    MDIO_WRITE = BIT(2),
    MDIO_CLOCK_SHIFT = 8,
    MDIO_CLOCK_250_300 = 5, /* the bus clock divided by 124: at most 2.4 MHz */
    MDIO_REGISTER_SHIFT = 16,
    MDIO_PHY_SHIFT = 21,
};

enum {
    RXQ0_ENABLE_GENERIC = BIT(1),
    TXQ_STORE_FORWARD = BIT(1),
    TXQ_ENABLE = BIT(3),
    TXQ_SIZE_SHIFT = 16, /* in units of 256 bytes, less one */
    RXQ_STORE_FORWARD = BIT(5),
    RXQ_SIZE_SHIFT = 20,
};

enum {
    FILTER_HASH_GROUPS = BIT(2), /* of groups only those with their bit in the hash table pass */
    FILTER_ALL_GROUPS = BIT(4),
};

/* MAC_FEATURE1: words of the hash table: 0, 2, 4, 8. */
#define FEATURE1_HASH_WORDS(value) (1u << ((value) >> 24 & 3) & ~1u)
/* MAC_FEATURE1: log2 of the FIFOs' sizes in units of 128 bytes. */
#define FEATURE1_RX_FIFO(value) ((value)&0x1f)
#define FEATURE1_TX_FIFO(value) ((value) >> 6 & 0x1f)

enum {
    DMA_MODE_RESET = BIT(0),
    /* A burst of the DMA is 16 beats (snps,txpbl, snps,rxpbl), so the bus needs none longer. */
    BUS_BURSTS_TO_16 = BIT(1) | BIT(2) | BIT(3),
    BUS_READS_OUTSTANDING = 2 << 16, /* three */
    CONTROL_BURST_X8 = BIT(16),
    TX_START = BIT(0),
    TX_SECOND_PACKET = BIT(4), /* reads the next packet while one is sent */
    RX_START = BIT(0),
    RX_BUFFER_SHIFT = 1,
    BURST_SHIFT = 16,
};

/* DMA_STATUS, and DMA_INT_ENABLE in the layout since 4.10. */
enum {
    INT_SENT = BIT(0),
    INT_TX_STOPPED = BIT(1),
    INT_RECEIVED = BIT(6),
    INT_RX_STOPPED = BIT(8),
    INT_BUS_ERROR = BIT(12),
    INT_CONTEXT_ERROR = BIT(13),
    INT_ABNORMAL = BIT(14),
    INT_NORMAL = BIT(15),
};
/* What stops the device for good: it must be reset. */
#define INT_FATAL ((uint32_t)INT_BUS_ERROR | INT_CONTEXT_ERROR | INT_TX_STOPPED | INT_RX_STOPPED)

/* Both kinds of descriptors; word 3 is read and written by both sides. */
struct dwmac_descriptor {
    uint32_t word[4];
};

enum {
    DESC_OWN = BIT(31), /* the device's */
    DESC_FIRST = BIT(29),
    DESC_LAST = BIT(28),
    TX2_INTERRUPT = BIT(31),
    TX3_ERROR = BIT(15),
    RX3_INTERRUPT = BIT(30),
    RX3_BUFFER1 = BIT(24),
    RX3_CONTEXT = BIT(30), /* written by the device */
    RX3_ERROR = BIT(15),
};
#define DESC_LENGTH_MASK UINT32_C(0x7fff)

#endif
