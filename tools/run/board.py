# SPDX-License-Identifier: BSD-2-Clause
"""The machines that QEMU can be: each folder of boards/ with a launch.ini."""
import configparser
import glob
import os

from common import ROOT, Stop, USAGE

DEFAULT = "qemu-virt"


class Board:
    """What launch.ini says.

    clock: it knows the time of day. harts_extra: harts that QEMU counts and Skerry does not use.
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
        self.harts_extra = launch.getint("harts_extra", 0)
        self.harts_max = launch.getint("harts_max", None)

    def check_harts(self, smp):
        if smp < 1:
            raise Stop("--smp %d: at least one hart" % smp, USAGE)
        if self.harts_max and smp > self.harts_max:
            raise Stop("--smp %d: %s has at most %d harts" % (smp, self.name, self.harts_max), USAGE)

    def nic_words(self, backend):
        """QEMU's words for the network card on a backend, such as 'user' and its options."""
        if self.nic == "onboard":
            return ["-nic", backend]
        kind, _, options = backend.partition(",")
        return ["-netdev", "%s,id=n0%s" % (kind, options and "," + options),
                "-device", "%s,netdev=n0" % self.nic]


def path(name):
    return os.path.join(ROOT, "boards", name, "launch.ini")


def names():
    return sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob(path("*")))
