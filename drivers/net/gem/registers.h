/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers and descriptors of the Cadence Gigabit Ethernet MAC (GEM, IP7014), as far as this driver
 * uses them. Zynq-7000 Technical Reference Manual (UG585), appendix B.18 and chapter 16, which prints
 * the same block; SiFive FU540-C000 manual v1p4, chapter 19, for the management block beside it.
 */
#ifndef GEM_REGISTERS_H
#define GEM_REGISTERS_H

enum gem_register {
    GEM_CONTROL = 0x000,
    GEM_CONFIG = 0x004,
    GEM_STATUS = 0x008,
    GEM_DMA_CONFIG = 0x010,
    GEM_TX_STATUS = 0x014,
    GEM_RX_QUEUE = 0x018,
    GEM_TX_QUEUE = 0x01c,
    GEM_RX_STATUS = 0x020,
    GEM_INTERRUPTS = 0x024,
    GEM_INTERRUPTS_ON = 0x028,
    GEM_INTERRUPTS_OFF = 0x02c,
    GEM_INTERRUPTS_MASK = 0x030,
    GEM_PHY = 0x034,
    GEM_HASH_LOW =
        0x080, /* groups that pass: a bit for each value of the hash ("Hash Addressing"), */
    GEM_HASH_HIGH = 0x084,      /* read at any time */
    GEM_ADDRESS_LOW = 0x088,    /* of the first of four; writing it turns the filter off, */
    GEM_ADDRESS_HIGH = 0x08c,   /* and writing this on */
    GEM_COUNT_RX_FIRST = 0x184, /* frames too short; from here on why frames were dropped, */
    GEM_COUNT_RX_LAST = 0x1b0,  /* to this: wrong UDP checksums */
    GEM_DESIGN1 = 0x280,
    GEM_DESIGN2 = 0x284,
    GEM_DESIGN6 = 0x294,
    GEM_TX_QUEUE1 = 0x440, /* further queues, where there are any */
    GEM_RX_QUEUE1 = 0x480,
    GEM_BYTES = 0x800,
};

#define CONTROL_RX (1u << 2)
#define CONTROL_TX (1u << 3)
#define CONTROL_MANAGEMENT (1u << 4) /* the bus to the PHY */
#define CONTROL_CLEAR_COUNTS (1u << 5)
#define CONTROL_TX_START (1u << 9)

#define CONFIG_100 (1u << 0)
#define CONFIG_FULL_DUPLEX (1u << 1)
#define CONFIG_MULTICAST_HASH (1u << 6)
#define CONFIG_1536 (1u << 8) /* receive frames of up to 1536 bytes */
#define CONFIG_GIGABIT (1u << 10)
#define CONFIG_PAUSE (1u << 13)
#define CONFIG_RX_OFFSET_SHIFT 14
#define CONFIG_DISCARD_LENGTH (1u << 16) /* frames shorter than their length field */
#define CONFIG_STRIP_FCS (1u << 17)
#define CONFIG_PHY_CLOCK_64 (4u << 18) /* of the bus clock, which is at most 160 MHz with it */
#define CONFIG_BUS_WIDTH_SHIFT 21
#define CONFIG_RX_CHECKSUM (1u << 24)

#define STATUS_PHY_IDLE (1u << 2)

#define DMA_BURST_16 (16u << 0)
#define DMA_RX_MEMORY (3u << 8) /* all of the packet memory in the device */
#define DMA_TX_MEMORY (1u << 10)
#define DMA_TX_CHECKSUM (1u << 11)
#define DMA_RX_BYTES_SHIFT 16 /* in units of 64 */

#define TX_RETRIES (1u << 2) /* too many collisions */
#define TX_GOING (1u << 3)
#define TX_BUS_ERROR (1u << 4)
#define TX_UNDERRUN (1u << 6)
#define TX_LATE_COLLISION (1u << 7)
#define TX_RESPONSE_ERROR (1u << 8)
/* After any of these the device stands still, at the begin of the queue. */
#define TX_ERRORS (TX_RETRIES | TX_BUS_ERROR | TX_UNDERRUN | TX_LATE_COLLISION | TX_RESPONSE_ERROR)

#define RX_RESPONSE_ERROR (1u << 3)

#define INTERRUPT_RECEIVED (1u << 1)
#define INTERRUPT_TX_IDLE (1u << 3) /* the device found a descriptor that is not its own */
#define INTERRUPT_TX_UNDERRUN (1u << 4)
#define INTERRUPT_TX_RETRIES (1u << 5)
#define INTERRUPT_TX_BUS_ERROR (1u << 6)
#define INTERRUPT_SENT (1u << 7)
#define INTERRUPT_RESPONSE_ERROR (1u << 11)
#define INTERRUPT_ERRORS                                                                           \
    (INTERRUPT_TX_UNDERRUN | INTERRUPT_TX_RETRIES | INTERRUPT_TX_BUS_ERROR |                       \
     INTERRUPT_RESPONSE_ERROR)
#define INTERRUPT_PACKETS (INTERRUPT_RECEIVED | INTERRUPT_TX_IDLE | INTERRUPT_SENT)

#define PHY_CLAUSE_22 (1u << 30)
#define PHY_READ (2u << 28)
#define PHY_WRITE (1u << 28)
#define PHY_ADDRESS_SHIFT 23
#define PHY_REGISTER_SHIFT 18
#define PHY_TURNAROUND (2u << 16)

#define DESIGN1_CLEAR_ON_READ (1u << 23) /* else interrupts are cleared by writing ones */
#define DESIGN1_BUS_WIDTH_SHIFT 25       /* 1: 32 bits, 2: 64, 4: 128 */
#define DESIGN2_RX_PACKET_MEMORY (1u << 20)
#define DESIGN2_TX_PACKET_MEMORY (1u << 21)
#define DESIGN6_QUEUES 0xfeu /* beside the first, one bit each */

/* The management block of the FU540 and FU740: its first register. */
#define MANAGEMENT_TX_GMII 0u /* 125 MHz from the clock controller, to the PHY */
#define MANAGEMENT_TX_MII 1u  /* 25 or 2.5 MHz from the PHY */

/* --- Descriptors: two words, little-endian. `used`: the device must leave it alone. --- */

struct gem_descriptor {
    uint32_t word[2];
};

#define RX0_USED (1u << 0)
#define RX0_WRAP (1u << 1)
#define RX1_LENGTH 0x1fffu
#define RX1_FIRST (1u << 14)
#define RX1_LAST (1u << 15)
/* With CONFIG_RX_CHECKSUM: 0 nothing was checked, 1 IP only, 2 and 3 IP and TCP, UDP; all are right. */
#define RX1_CHECKED_SHIFT 22
#define RX1_CHECKED_TRANSPORT 2u

#define TX1_LAST (1u << 15)
#define TX1_WRAP (1u << 30)
#define TX1_USED (1u << 31)

#endif
