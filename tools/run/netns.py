# SPDX-License-Identifier: BSD-2-Clause
"""A network namespace of our own with a tap interface in it, for tests and measurements.

Nothing of the machine's own network is touched, and all is gone when the process ends.
"""
import ctypes
import os
import shutil
import subprocess

TAP = "tap0"
HOST, GUEST, MASK = "10.0.2.2", "10.0.2.15", "255.255.255.0"
# What the guest is told on its kernel command line.
GUEST_IP = "ip=%s::%s:%s" % (GUEST, HOST, MASK)

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def why_not():
    """Why this machine cannot do it, or None."""
    if not shutil.which("ip"):
        return "ip (iproute2) is missing"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    if os.geteuid() != 0 and subprocess.call(["unshare", "-rn", "true"],
                                             stderr=subprocess.DEVNULL) != 0:
        return "no right to make a network namespace"
    return None


def enter():
    """Moves this process, which must have one thread only, into a new namespace with a tap."""
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET | (CLONE_NEWUSER if uid != 0 else 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "unshare: " + os.strerror(error))
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % uid),
                           ("gid_map", "0 %d 1" % gid)):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
    for words in ("link set lo up", "tuntap add %s mode tap" % TAP,
                  "addr add %s/24 dev %s" % (HOST, TAP), "link set %s up" % TAP):
        subprocess.run(["ip"] + words.split(), check=True)
