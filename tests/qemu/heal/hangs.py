# SPDX-License-Identifier: BSD-2-Clause
"""Parts of the system that hang are found though nobody's call to them times out, and replaced: the network
service while all that comes are packets from outside, the web server, a driver that nobody calls. A driver
that has missed an interrupt is reminded."""
import os
import re
import socket
import sys
import tempfile
import time

import healing
from guest import build_dir
from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITS_MS = {"net": 1500, "devmgr": 1500, "http-server": 3000}  # devmgr's are the drivers', too; all shorter than init's 10 s
SOON_S = 30.0  # from the hang to the next page; the guest's clock counts what the host's neighbours take, too
tap = Tap()


def program(name):
    return os.path.join(build_dir(), "userland", "bin", name + ".stripped")


def manifest(file):
    """The system of heal.manifest with shorter limits."""
    with open(os.path.join(HERE, "..", "manifests", "heal.manifest")) as source:
        text = source.read()
    for name, limit in LIMITS_MS.items():
        text = text.replace("program %s\n" % name, "program %s\n    limit %d\n" % (name, limit))
    file.write(text)
    file.flush()
    return file.name


def is_served(guest, seconds=SOON_S):
    """Asks for the page until it comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return guest.get("/", timeout=2)[0] == 200
        except OSError:
            pass
    return False


def found(guest, line, what, pattern):
    tap.ok(guest.appears(pattern, SOON_S, line), what + " is found")
    tap.ok(is_served(guest), "and the page is served again")


def services(guest, healer):
    line = healer.line
    tap.equal(healer.ask("hang net", "hang net: (.*)").group(1), "success", "the net service hangs")
    found(guest, line, "it", "init: net hung and was killed; restarting")
    line = len(guest.lines)
    with socket.create_connection(guest.address, timeout=SOON_S) as client:
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: h\r\n\r\n")
        found(guest, line, "a web server that hangs", "init: http-server hung and was killed; restarting")


def drivers(guest, healer):
    before = healer.driver("nic0")[0]
    tap.equal(healer.ask("lose", "lose: (.*)").group(1), "success", "the driver misses an interrupt")
    tap.ok(is_served(guest, 10), "the next page comes all the same")
    tap.equal(healer.driver("nic0")[0], before, "from the same driver")
    driver_loops(guest, healer)


def driver_loops(guest, healer):
    line, before = healer.line, healer.driver("nic0")[0]
    tap.equal(healer.hang(), "success", "the driver loops for ever")
    found(guest, line, "it", "devmgr: nic0: test-faulty-nic hung; starting it again")
    restarts, cause, _ = healer.driver("nic0")
    tap.equal((restarts, cause), (before + 1, healing.HUNG), "it was replaced once, and the cause is told")


with tempfile.NamedTemporaryFile("w") as system:
    files = {"etc/heal.manifest": manifest(system),
             "etc/drivers/virtio-net.driver": os.path.join(HERE, "faulty-nic.driver"),
             "bin/net": program("test-hanging-net"), "bin/http-server": program("test-hanging-http")}
    for harts, cases in ((2, (services, drivers)), (1, (driver_loops,))):
        with healing.guest(net="user", smp=harts, files=files,
                           echo=print if "-v" in sys.argv else None) as machine:
            its_healer = healing.Healer(machine)
            tap.ok(is_served(machine), "a page is served")
            for case in cases:
                case(machine, its_healer)
            hung = re.findall(r"(?:init|devmgr): (\S+) .*hung", machine.console())
            tap.equal(hung, ["net", "http-server", "nic0:"] if services in cases else ["nic0:"],
                      "nobody else was taken to hang")
            its_healer.quit()
            tap.equal(machine.wait_end(), 0, "it ends in order")
sys.exit(tap.done())
