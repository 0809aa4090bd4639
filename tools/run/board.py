# SPDX-License-Identifier: BSD-2-Clause
"""The machines that QEMU can be: each folder of boards/ with a launch.ini."""
import configparser
import glob
import os

from common import ROOT, Stop, USAGE

DEFAULT = "qemu-virt"
MEM_DEFAULT = "128M"


class Board:
    """What launch.ini says.

    clock: it knows the time of day. harts_extra: harts that QEMU counts and Skerry does not use.
    tree: a file, where QEMU makes none. mem: all there can be. console: which of its serial ports.
    """

    def __init__(self, name):
        if name not in names():
            raise Stop("no board '%s' for QEMU (there are %s)" % (name, ", ".join(names())), USAGE)
        config = configparser.ConfigParser()
        config.read(path(name))
        launch = config["launch"]
        self.name = name
        self.machine = launch["machine"]
        self.nic = launch["nic"]
        self.clock = launch.getboolean("clock")
        self.tree = os.path.join(os.path.dirname(path(name)), launch["tree"]) if "tree" in launch else None
        self.mem = launch.get("mem")
        self.console = launch.getint("console", 0)
        self.harts_extra = launch.getint("harts_extra", 0)
        self.harts_max = launch.getint("harts_max", None)

    def check_harts(self, smp):
        if smp < 1:
            raise Stop("--smp %d: at least one hart" % smp, USAGE)
        if self.harts_max and smp > self.harts_max:
            raise Stop("--smp %d: %s has at most %d harts" % (smp, self.name, self.harts_max), USAGE)

    def memory(self, wanted):
        """The memory to give it, of what was asked for."""
        if self.mem and wanted not in (MEM_DEFAULT, self.mem):
            raise Stop("--mem %s: %s has %s, no more and no less" % (wanted, self.name, self.mem), USAGE)
        return self.mem or wanted

    def nic_words(self, backend):
        """QEMU's words for the network card on a backend, such as 'user' and its options."""
        kind, _, options = backend.partition(",")
        card = ["-net", "nic,netdev=n0"] if self.nic == "onboard" else \
            ["-device", "%s,netdev=n0" % self.nic]
        return ["-netdev", "%s,id=n0%s" % (kind, options and "," + options)] + card


def path(name):
    return os.path.join(ROOT, "boards", name, "launch.ini")


def names():
    return sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob(path("*")))
