# SPDX-License-Identifier: BSD-2-Clause
"""Runs one guest test: boots, passes the guest's TAP on, and judges the boot itself as one more case.

The last case fails on a panic, a hang, a missing or wrong plan, a bad power-off status, or a kernel address on the console,
so that a guest that dies early can never look like one that passed.
"""
import argparse
import re
import sys

import tap
from board import DEFAULT
from guest import Guest, GuestError, PANIC


ADDRESS = re.compile(r"\b(?:0x)?(ffffff[c-f][0-9a-f]{9})\b")
# Where the kernel maps all memory, of machines with addresses of 36 bits, and where its image, stacks and devices are
# (arch/riscv64/include/arch_impl). The last are what small negative numbers look like, below those near zero.
DIRECT = range(0xffffffc000000000, 0xffffffd000000000)
IMAGE = range(0xffffffff80000000, 0xffffffffc0000000)
# An address of the kernel's half that is named by its start alone: a program's line of what it tries, and OpenSBI's own
# line of its memory.
NAMED = {0xffffffc000000000}
# A report of a fault shows where a program reached in vain, which it chose itself, and its registers: negative numbers
# of 32 bits are its own business.
REACHED = re.compile(r", address 0x[0-9a-f]+(?=, at pc 0x)")
REGISTERS = re.compile(r"(?:[a-z][a-z0-9]{1,2} +[0-9a-f]{16} *)+$")


def shows_kernel_address(text):
    """Tells where the kernel is: no line may."""
    found = {int(match, 16) for match in ADDRESS.findall(REACHED.sub("", text))} - NAMED
    image = () if REGISTERS.match(text) else IMAGE
    return any(address in DIRECT or address in image for address in found)


class Report:
    """Sees each console line; test lines are renumbered, everything else becomes a comment."""

    def __init__(self):
        self.out = tap.Tap()
        self.planned = None
        self.cases = 0
        self.panic = None
        self.leak = None

    def line(self, text):
        case = tap.parse_case(text)
        plan = tap.parse_plan(text)
        if PANIC in text and self.panic is None:
            self.panic = text
        if self.panic is None and self.leak is None and shows_kernel_address(text):
            self.leak = text
        if case:
            self.cases += 1
            verdict, name, reason = case
            if verdict == tap.SKIPPED:
                self.out.skip(name, reason)
            else:
                self.out.ok(verdict == tap.PASS, name)
        elif plan is not None:
            self.planned = (self.planned or 0) + plan
        else:
            self.out.note(text)

    def why_bad(self, status):
        """Why the boot as a whole failed, or None."""
        if self.panic:
            return self.panic
        if self.leak:
            return "a kernel address is shown: " + self.leak
        if self.planned is None:
            return "the guest printed no plan"
        if self.planned != self.cases:
            return "the plan says %d cases, %d were seen" % (self.planned, self.cases)
        if status != 0 and not self.out.failed:
            return "no case failed, but QEMU's exit status is %d" % status
        if status == 0 and self.out.failed:
            return "cases failed, but the guest reported success"
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--mem", default="128M")
    parser.add_argument("--net", default="none")
    parser.add_argument("--append", default="")
    parser.add_argument("--board", default=DEFAULT)
    parser.add_argument("--qemu", default="")
    parser.add_argument("--timeout", type=float)
    args = parser.parse_args()

    report = Report()
    try:
        with Guest(smp=args.smp, mem=args.mem, net=args.net, append=args.append, extra=args.qemu,
                   board=args.board, tests=True, echo=report.line) as guest:
            reason = report.why_bad(guest.wait_end(args.timeout))
    except GuestError as error:
        reason = report.panic or str(error).split(";")[0]
    report.out.ok(reason is None, "the guest boots, runs its plan and powers off", reason or "")
    return report.out.done()


if __name__ == "__main__":
    sys.exit(main())
