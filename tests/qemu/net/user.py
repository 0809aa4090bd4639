# SPDX-License-Identifier: BSD-2-Clause
"""The network card over QEMU's user network: both transports, DHCP, the forms of `ip=`, a megabyte."""
import hashlib
import os
import sys
import tempfile

from guest import Guest
from tap import Tap

LISTENING = "http-server: listening on port 80"
MODERN = "-global virtio-mmio.force-legacy=false"
tap = Tap()

with tempfile.TemporaryDirectory() as folder:
    big = os.path.join(folder, "big.bin")
    with open(big, "wb") as f:
        f.write(os.urandom(1 << 20))
    with open(big, "rb") as f:
        wanted = hashlib.sha256(f.read()).hexdigest()

    for name, extra, smp in (("version 1", "", 1), ("version 2", MODERN, 1),
                             ("version 1, 4 harts", "", 4), ("version 2, 4 harts", MODERN, 4)):
        with Guest(net="user", smp=smp, extra=extra, files={"www/big.bin": big}) as guest:
            guest.wait_for(LISTENING)
            guest.wait_for(r"net: address 10\.0\.2\.15/24 gateway 10\.0\.2\.2 dns 10\.0\.2\.3 \(dhcp\)")
            tap.ok(True, "%s: an address by DHCP" % name)
            status, _, body = guest.get("/big.bin")
            tap.equal(status, 200, "%s: a megabyte is served" % name)
            tap.equal(hashlib.sha256(body).hexdigest(), wanted, "%s: its hash is the same" % name)

for word, line, name in (
        ("ip=10.0.2.15::10.0.2.2:255.255.255.0:skerry:eth0:off:10.0.2.3",
         r"net: address 10\.0\.2\.15/24 gateway 10\.0\.2\.2 dns 10\.0\.2\.3 \(static\)",
         "a static address with a DNS server"),
        ("ip=10.0.2.15::10.0.2.2:255.255.255.0",
         r"net: address 10\.0\.2\.15/24 gateway 10\.0\.2\.2 dns 0\.0\.0\.0 \(static\)",
         "a static address"),
        ("ip=dhcp", r"net: address 10\.0\.2\.15/24 .*\(dhcp\)", "ip=dhcp")):
    with Guest(net="user", append=word) as guest:
        guest.wait_for(LISTENING)
        guest.wait_for(line)
        tap.equal(guest.get("/")[0], 200, "%s serves" % name)

with Guest(net="user", append="ip=10.0.2.999") as guest:
    guest.wait_for(r'net: cannot read "ip=10\.0\.2\.999", using DHCP')
    guest.wait_for(LISTENING)
    guest.wait_for(r"net: address 10\.0\.2\.15/24 .*\(dhcp\)")
    tap.equal(guest.get("/")[0], 200, "a malformed ip= is one line, then DHCP")
    tap.equal(guest.console().count("cannot read"), 1, "exactly one line")

with Guest(net="user", append="ip=off run=http-client,http://127.0.0.1/") as guest:
    tap.equal(guest.wait_end(), 0, "ip=off: loopback serves")
    tap.ok("net: network interface left off" in guest.console(), "and the console says so")

with Guest(net="user", extra="-device virtio-rng-device") as guest:
    guest.wait_for(LISTENING)
    guest.wait_for("net: address")
    tap.ok("no random device" not in guest.console(), "a random device is used", guest.console())
    tap.equal(guest.get("/")[0], 200, "and the page comes")

sys.exit(tap.done())
