/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings (UG585, 16.3.5 and 16.3.7). A descriptor is the device's from the moment its used bit is
 * cleared until the device sets it again; everything else in it is written before, and read after.
 * Transmit: the device sets the bit of a packet's first descriptor only, the others are set here
 * before they come round again; and it stops at a descriptor that is not its own, so that one always
 * stays free. One thread. Tests: tests/host/drivers/gem.
 */
#include <string.h>

#include "gem.h"

/* Words that the device reads and writes too. */
static uint32_t word_read(const struct gem_descriptor *descriptor, int word)
{
    return __atomic_load_n(&descriptor->word[word], __ATOMIC_RELAXED);
}

static void word_write(struct gem_descriptor *descriptor, int word, uint32_t value)
{
    __atomic_store_n(&descriptor->word[word], value, __ATOMIC_RELAXED);
}

uint32_t rings_address(const void *descriptor)
{
    return (uint32_t)(gem.rings.physical +
                      (uintptr_t)((const uint8_t *)descriptor - (uint8_t *)gem.memory));
}

void rings_reset(void)
{
    memset(gem.memory, 0, sizeof *gem.memory);
    for (uint32_t i = 0; i < RX_RING; i++) {
        gem.memory->rx[i].word[0] = RX0_USED | (i == RX_RING - 1 ? RX0_WRAP : 0);
    }
    for (uint32_t i = 0; i < TX_RING; i++) {
        gem.memory->tx[i].word[1] = TX1_USED | (i == TX_RING - 1 ? TX1_WRAP : 0);
    }
    gem.memory->stop[0].word[0] = RX0_USED | RX0_WRAP;
    gem.memory->stop[1].word[1] = TX1_USED | TX1_WRAP;
    gem.rx_head = gem.rx_tail = gem.tx_head = gem.tx_tail = 0;
    gem_write(GEM_RX_QUEUE, rings_address(gem.memory->rx));
    gem_write(GEM_TX_QUEUE, rings_address(gem.memory->tx));
    /* Bit n is queue n; the registers of queue 1 are the first. */
    uint32_t more = gem_read(GEM_DESIGN6) & DESIGN6_QUEUES;
    for (uint32_t i = 1; i < 8; i++) {
        if ((more & 1u << i) != 0) {
            gem_write(GEM_RX_QUEUE1 + 4 * (i - 1), rings_address(&gem.memory->stop[0]));
            gem_write(GEM_TX_QUEUE1 + 4 * (i - 1), rings_address(&gem.memory->stop[1]));
        }
    }
}

/* --- Receiving --- */

status_t device_post_rx(struct net_device *device, uint16_t buffer)
{
    uint32_t place = gem.rx_head % RX_RING;
    struct gem_descriptor *descriptor = &gem.memory->rx[place];

    if (gem.rx_head - gem.rx_tail == RX_RING) {
        return SK_FULL;
    }
    gem.rx_buffer[place] = buffer;
    gem.rx_head++;
    device->rx_posted++;
    word_write(descriptor, 1, 0);
    sk_dma_write_fence(); /* before it is the device's */
    word_write(descriptor, 0,
               (uint32_t)(device->pool.physical + rx_buffer_offset(buffer)) |
                   (place == RX_RING - 1 ? RX0_WRAP : 0));
    return SK_OK;
}

void device_show_rx(struct net_device *device)
{
    /* A device that has found no buffer looks again. */
    gem_write(GEM_CONTROL, gem.control);
}

static bool rx_is_done(void)
{
    return gem.rx_tail != gem.rx_head &&
           (word_read(&gem.memory->rx[gem.rx_tail % RX_RING], 0) & RX0_USED) != 0;
}

status_t device_take_rx(struct net_device *device, struct sk_nic_descriptor *d)
{
    /* Each damaged one is posted again behind the others: at most as many as there are now. */
    for (uint32_t left = gem.rx_head - gem.rx_tail; left > 0 && rx_is_done(); left--) {
        uint32_t place = gem.rx_tail % RX_RING;
        sk_dma_read_fence(); /* the used bit before the rest, and the packet */
        uint32_t result = word_read(&gem.memory->rx[place], 1);
        uint32_t length = result & RX1_LENGTH;
        gem.rx_tail++;
        device->rx_posted--;
        if ((result & (RX1_FIRST | RX1_LAST)) == (RX1_FIRST | RX1_LAST)) {
            if (length == 0 || length > RX_DMA_BYTES - RX_PACKET_OFFSET) {
                return SK_IO_ERROR;
            }
            bool checked = (device->features & SK_NIC_RX_CHECKSUM) != 0 &&
                           (result >> RX1_CHECKED_SHIFT & 3) >= RX1_CHECKED_TRANSPORT;
            *d = (struct sk_nic_descriptor){.buffer = gem.rx_buffer[place],
                                            .offset = RX_PACKET_OFFSET,
                                            .length = length,
                                            .flags = checked ? SK_NIC_CHECKSUM_VALID : 0};
            return SK_OK;
        }
        /* A part of a frame: it was too long, or the device's memory overran. */
        device->rx_lost += (result & RX1_LAST) == 0;
        device_post_rx(device, gem.rx_buffer[place]);
        device_show_rx(device);
    }
    return SK_NOT_FOUND;
}

/* --- Sending --- */

bool device_tx_room(const struct net_device *device)
{
    return TX_RING - 1 - (gem.tx_head - gem.tx_tail) >= CHAIN_MAX;
}

/*
 * The device sums up every packet of TCP and UDP itself, and wants the field zero: what is there, the
 * pseudo header's sum, it would add.
 */
static void clear_checksum(struct net_device *device, const struct sk_nic_descriptor *d)
{
    if ((d->flags & SK_NIC_NEEDS_CHECKSUM) != 0) {
        uint32_t at = d->offset + d->checksum_start + d->checksum_offset;
        memset((uint8_t *)device->pool.memory + tx_buffer_offset(d->buffer) + at, 0, 2);
    }
}

static void write_tx(struct net_device *device, uint32_t place, const struct sk_nic_descriptor *d,
                     bool last)
{
    struct gem_descriptor *descriptor = &gem.memory->tx[place];

    word_write(descriptor, 0,
               (uint32_t)(device->pool.physical + tx_buffer_offset(d->buffer) + d->offset));
    sk_dma_write_fence(); /* before it is the device's */
    word_write(descriptor, 1,
               d->length | (last ? TX1_LAST : 0) | (place == TX_RING - 1 ? TX1_WRAP : 0));
}

status_t device_post_tx(struct net_device *device, const struct sk_nic_descriptor *d,
                        uint32_t count)
{
    uint32_t first = gem.tx_head % TX_RING;
    uint32_t total = 0;

    for (uint32_t i = 0; i < count; i++) {
        total += d[i].length;
    }
    if (count == 0 || count >= CHAIN_MAX || total > FRAME_BYTES_MAX) {
        return SK_INVALID_ARGS;
    }
    if (!device_tx_room(device)) {
        return SK_FULL;
    }
    clear_checksum(device, d);
    gem.tx_buffer[first] = d->buffer;
    gem.tx_count[first] = (uint8_t)count;
    /* From the last to the first, so that the device never finds a packet half posted. */
    for (uint32_t i = count; i-- > 0;) {
        write_tx(device, (gem.tx_head + i) % TX_RING, &d[i], i == count - 1);
    }
    gem.tx_head += count;
    device->tx_posted++;
    return SK_OK;
}

void device_show_tx(struct net_device *device)
{
    gem_write(GEM_CONTROL, gem.control | CONTROL_TX_START);
}

status_t device_take_tx(struct net_device *device, uint16_t *buffer)
{
    uint32_t first = gem.tx_tail % TX_RING;

    if (gem.tx_tail == gem.tx_head) {
        return SK_NOT_FOUND;
    }
    uint32_t result = word_read(&gem.memory->tx[first], 1);
    if ((result & TX1_USED) == 0) {
        return SK_NOT_FOUND;
    }
    for (uint32_t i = 1; i < gem.tx_count[first]; i++) {
        uint32_t place = (gem.tx_tail + i) % TX_RING;
        word_write(&gem.memory->tx[place], 1, TX1_USED | (place == TX_RING - 1 ? TX1_WRAP : 0));
    }
    gem.tx_tail += gem.tx_count[first];
    device->tx_posted--;
    *buffer = gem.tx_buffer[first];
    return SK_OK;
}

/* --- Interrupts of packets: rings and registers together --- */

static void interrupts_on(uint32_t interrupts)
{
    if ((gem.interrupts & interrupts) != interrupts) {
        gem.interrupts |= interrupts;
        gem_write(GEM_INTERRUPTS_ON, interrupts);
        gem_read(GEM_INTERRUPTS_MASK); /* it has arrived: what comes now interrupts */
    }
}

void device_interrupts_off(struct net_device *device)
{
    if ((gem.interrupts & INTERRUPT_PACKETS) != 0) {
        gem_write(GEM_INTERRUPTS_OFF, gem.interrupts & INTERRUPT_PACKETS);
        gem.interrupts &= ~INTERRUPT_PACKETS;
    }
}

bool device_rx_interrupt_on(struct net_device *device)
{
    interrupts_on(INTERRUPT_RECEIVED | (device->tx_posted > 0 ? INTERRUPT_TX_IDLE : 0));
    /*
     * The device may have stopped just before the last packet was posted, and not have seen that it
     * was to start. If it stops only now, it interrupts.
     */
    if (device->tx_posted > 0 && (gem_read(GEM_TX_STATUS) & TX_GOING) == 0) {
        device_show_tx(device);
    }
    return rx_is_done();
}

bool device_tx_interrupt_on(struct net_device *device)
{
    interrupts_on(INTERRUPT_SENT);
    return gem.tx_tail != gem.tx_head &&
           (word_read(&gem.memory->tx[gem.tx_tail % TX_RING], 1) & TX1_USED) != 0;
}
