# SPDX-License-Identifier: BSD-2-Clause
"""What every part of ./run shares: where the project is, how it speaks, how it gives up."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# sgdisk and others live where an ordinary user of Debian does not look.
os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"

FAILED, USAGE, TOOL_MISSING, INTERRUPTED = 1, 2, 3, 130


class Stop(Exception):
    """Ends ./run with one line on stderr and an exit status."""

    def __init__(self, message, status=FAILED):
        super().__init__(message)
        self.status = status


def say(message):
    """One line about what ./run itself does; stdout stays for the guest and for results."""
    print("run: " + message, file=sys.stderr, flush=True)


def size_bytes(text):
    """'128M' -> bytes, as QEMU reads it: a bare number is in MiB."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    digits, unit = text, "M"
    if text and text[-1].upper() in units:
        digits, unit = text[:-1], text[-1].upper()
    if not digits.isdigit() or int(digits) == 0:
        raise Stop("--mem %s: a size is a number with K, M, G or T, such as 128M" % text, USAGE)
    return int(digits) << units[unit]
