/* SPDX-License-Identifier: BSD-2-Clause */
/* Driver manifests, and devices in the trees of real machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "match.h"

#define TREE_BYTES (2u << 20)

static const char *folder;
static char tree[TREE_BYTES];

static void load(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.dtb", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(tree, 1, sizeof tree, file);
    fclose(file);
    assert_int_equal(fdt_check_full(tree, length), 0);
}

static struct driver_manifest parse(const char *text)
{
    struct driver_manifest driver;
    char problem[96] = "";
    assert_int_equal(driver_parse(text, strlen(text), &driver, problem, sizeof problem), SK_OK);
    return driver;
}

static void refuse(const char *text, const char *why)
{
    struct driver_manifest driver;
    char problem[96] = "";
    assert_int_equal(driver_parse(text, strlen(text), &driver, problem, sizeof problem),
                     SK_BAD_FORMAT);
    assert_string_equal(problem, why);
}

static void a_manifest_is_read(void **state)
{
    struct driver_manifest driver = parse("# words\n"
                                          "driver uart-x\nservice uart*\ncompatible a,b c,d # two\n"
                                          "properties reg-shift\nvirtio 4\nranges 2\ninterrupts 0\n"
                                          "dma\npriority 20\nbudget pages=7 threads=2\n"
                                          "dma-stop 0x70 3\nrestart never\n");
    assert_string_equal(driver.name, "uart-x");
    assert_string_equal(driver.service, "uart*");
    assert_int_equal(driver.compatible_count, 2);
    assert_string_equal(driver.compatible[1], "c,d");
    assert_string_equal(driver.properties[0], "reg-shift");
    assert_int_equal(driver.virtio, 4);
    assert_int_equal(driver.ranges, 2);
    assert_int_equal(driver.interrupts, 0);
    assert_true(driver.dma);
    assert_int_equal(driver.priority, 20);
    assert_int_equal(driver.budget.pages, 7);
    assert_int_equal(driver.budget.threads, 2);
    assert_true(driver.has_dma_stop);
    assert_int_equal(driver.dma_stop_offset, 0x70);
    assert_int_equal(driver.dma_stop_value, 3);
    assert_false(driver.restarts);
    assert_true(parse("driver a\nservice b\ncompatible c\n").restarts);
}

static void a_bad_manifest_is_refused_with_its_line(void **state)
{
    refuse("driver x\nservise y\n", "line 2: unknown key servise");
    refuse("driver\n", "line 1: nothing after driver");
    refuse("virtio x\n", "line 1: not a number that is allowed here: x");
    refuse("ranges 3\n", "line 1: not a number that is allowed here: 3");
    refuse("budget pigs=3\n", "line 1: unknown kind of budget: pigs=3");
    refuse("compatible 1 2 3 4 5 6 7 8 9\n", "line 1: too many words; first too many: 9");
    refuse("driver 0123456789012345678901234567890123456789\n",
           "line 1: name too long: 0123456789012345678901234567890123456789");
    refuse("driver x\n",
           "line 1: a driver needs the keys driver, compatible, and service or provider");
    refuse("driver x\ncompatible x\nservice x\nprovider\n",
           "line 4: a driver needs the keys driver, compatible, and service or provider");
    refuse("fields x\n", "line 1: a field is PROPERTY:BITS, not x");
    refuse("fields x:33\n", "line 1: not a number that is allowed here: 33");
    refuse("clocks 1 2 3 4 5 6 7 8 9\n", "line 1: too many words; first too many: 9");
    refuse("dma-stop 0x70\n", "line 1: dma-stop needs a register's offset and a value");
    refuse("restart often\n", "line 1: neither always nor never: often");
}

static uint32_t count_devices(const struct driver_manifest *driver, struct device *first)
{
    struct device_walk walk = {.tree = tree};
    struct device device;
    uint32_t count = 0;
    while (device_next(&walk)) {
        if (device_matches(&walk, driver)) {
            device_describe(&walk, driver, &device);
            if (count++ == 0) {
                *first = device;
            }
        }
    }
    return count;
}

static void devices_of_virt(void **state)
{
    struct driver_manifest uart = parse("driver u\nservice u\ncompatible ns16550a\n");
    struct driver_manifest virtio = parse("driver v\nservice v\ncompatible virtio,mmio\n");
    struct device device;
    load("qemu-virt-q7");
    assert_int_equal(count_devices(&uart, &device), 1);
    assert_int_equal(device.ranges[0].base, 0x10000000);
    assert_int_equal(device.ranges[0].size, 0x100);
    assert_int_equal(device.interrupt_count, 1);
    assert_int_equal(device.interrupts[0], 10);
    char value[MATCH_VALUE_MAX];
    assert_false(device_property(tree, &device, "reg-shift", value));
    assert_true(device_property(tree, &device, "clock-frequency", value));
    assert_string_equal(value, "3686400");
    assert_int_equal(count_devices(&virtio, &device), 8);
}

static void devices_of_visionfive2(void **state)
{
    struct driver_manifest uart = parse(
        "driver u\nservice u\ncompatible ns16550a snps,dw-apb-uart\n");
    struct driver_manifest gmac = parse("driver g\nservice g\ncompatible snps,dwmac-5.20\n"
                                        "interrupts 2\n");
    struct device device;
    char value[MATCH_VALUE_MAX];
    load("jh7110-starfive-visionfive-2-v1.3b.linux-6.12");
    assert_int_equal(count_devices(&uart, &device), 1); /* the others are disabled */
    assert_int_equal(device.ranges[0].base, 0x10000000);
    assert_int_equal(device.interrupts[0], 32);
    assert_true(device_property(tree, &device, "reg-shift", value));
    assert_string_equal(value, "2");
    assert_true(device_property(tree, &device, "reg-io-width", value));
    assert_string_equal(value, "4");
    assert_int_equal(count_devices(&gmac, &device), 2);
    assert_int_equal(device.ranges[0].base, 0x16030000);
    assert_string_equal(device.path, "/soc/ethernet@16030000");
    assert_int_equal(device.interrupt_count, 2);
    assert_int_equal(device.interrupts[0], 7);
}

static void devices_of_unleashed(void **state)
{
    struct driver_manifest uart = parse("driver u\nservice u\ncompatible sifive,uart0\n");
    struct device device;
    load("hifive-unleashed-a00.linux-6.12");
    assert_int_equal(count_devices(&uart, &device), 2);
    assert_int_equal(device.ranges[0].base, 0x10010000);
    assert_int_equal(device.interrupts[0], 4);
}

/* A number, a flag, a string, bytes; and what is none of them. */
static void properties_as_text(void **state)
{
    struct driver_manifest gem = parse("driver g\nservice g\ncompatible sifive,fu540-c000-gem\n");
    struct device device;
    char value[MATCH_VALUE_MAX];
    load("hifive-unleashed-a00.u-boot-2025.01");
    assert_int_equal(count_devices(&gem, &device), 1);
    assert_true(device_property(tree, &device, "phy-mode", value));
    assert_string_equal(value, "gmii");
    assert_true(device_property(tree, &device, "phy-handle/reg", value));
    assert_string_equal(value, "0");
    assert_true(device_property(tree, &device, "local-mac-address", value));
    assert_string_equal(value, "00:00:00:00:00:00");
    assert_false(device_property(tree, &device, "reg", value)); /* 32 bytes */
    assert_false(device_property(tree, &device, "phy-handle/none", value));
    assert_false(device_property(tree, &device, "none/reg", value));
    assert_false(device_property(tree, &device, "reg/reg", value));
}

/* A controller that the kernel does not drive has other specifiers: none is taken for one of its. */
static void interrupts_of_others_are_left_alone(void **state)
{
    struct driver_manifest uart = parse("driver u\nservice u\ncompatible ns16550a\n");
    struct device device;
    load("qemu-virt-aia-q7");
    assert_int_equal(count_devices(&uart, &device), 1);
    assert_int_equal(device.interrupt_count, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_read),
        cmocka_unit_test(a_bad_manifest_is_refused_with_its_line),
        cmocka_unit_test(devices_of_virt),
        cmocka_unit_test(devices_of_visionfive2),
        cmocka_unit_test(devices_of_unleashed),
        cmocka_unit_test(properties_as_text),
        cmocka_unit_test(interrupts_of_others_are_left_alone),
    };
    folder = argv[1];
    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
