# SPDX-License-Identifier: BSD-2-Clause
"""Tests of tools/run/guest_test.py: which lines of a guest tell where the kernel is."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools", "run")]

import tap
from guest_test import shows_kernel_address

T = tap.Tap()
SHOW = ["net: buffer at ffffffc080270000", "at 0xffffffff8001edb0", "stack ffffffff80207fb0, full",
        "read of an address that it may not read, address 0x0, at pc 0xffffffff8001edb0",
        "s4  0000000000000010  s5  ffffffc080270000  s6  0000000000000000  s7  0000000000000000"]
SHOW_NOT = ["s4  0000000000000010  s5  0000001e9bd9fca6  s6  fffffffed5fa0dff  s7  0000000000000000",
            "pc  ffffffff80000001", "error fffffffffffffffe", "read of 0xffffffc000000000",
            "write to an address that it may not write, address 0x17fe6da310, at pc 0x17fe6c9e76 = text + 0xe76",
            "write to an address that it may not write, address 0xffffffff80000000, at pc 0x194416c244 = text + 0x3244"]

for line in SHOW:
    T.ok(shows_kernel_address(line), "tells: " + line)
for line in SHOW_NOT:
    T.ok(not shows_kernel_address(line), "does not: " + line)
sys.exit(T.done())
