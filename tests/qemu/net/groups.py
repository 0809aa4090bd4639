# SPDX-License-Identifier: BSD-2-Clause
"""Multicast groups, on each kind of network card that QEMU has: a program joins one, which is reported on the
wire (IGMPv2); its datagrams arrive, and what goes to others does not even pass the card's filter. So it is when
the driver has died, and no more when the program has left."""
import socket
import sys
import tempfile

from cable import Cable, checksum, ipv4, udp
from guest import Guest
from tap import Tap

OURS, GUEST, PORT = "10.0.2.2", "10.0.2.15", 5000
GROUP, OTHERS = "239.1.2.3", ("239.77.88.99", "224.0.0.251", "239.1.2.4")
ALL_HOSTS, ALL_ROUTERS = "224.0.0.1", "224.0.0.2"
MAC, STRANGER = b"\x52\x55\x0a\x00\x02\x02", b"\x52\x54\x00\x99\x99\x99"
IGMP, UDP = 2, 17
QUERY, REPORT, LEAVE = 0x11, 0x16, 0x17
REPEAT_S = 0.2
tap = Tap()


def mac_of(group):
    """RFC 1112, 6.4."""
    ip = socket.inet_aton(group)
    return b"\x01\x00\x5e" + bytes((ip[1] & 0x7f, ip[2], ip[3]))


def is_igmp(kind, to, group=GROUP):
    """Tells such a message, correct in all its parts."""
    def test(frame):
        head = (frame[14] & 15) * 4
        return frame[12:14] == b"\x08\x00" and frame[14 + 9] == IGMP and frame[14 + 8] == 1 and \
            frame[:6] == mac_of(to) and frame[30:34] == socket.inet_aton(to) and \
            frame[14 + head] == kind and frame[14 + head + 4:14 + head + 8] == socket.inet_aton(group) and \
            checksum(frame[14 + head:14 + head + 8]) == 0
    return test


class Peer:
    """The other end of the wire, and the console of the program that joins."""

    def __init__(self, guest, cable):
        self.guest, self.cable, self.line = guest, cable, 0
        guest.wait_for("test-net-group: joined")
        report = cable.receive(is_igmp(REPORT, GROUP))
        self.mac = report[6:12]
        tap.ok(self.mac[0] & 1 == 0, "the group is reported")

    def send(self, text, group=None):
        mac, ip = (mac_of(group), group) if group else (self.mac, GUEST)
        self.cable.send(ipv4(mac, MAC, ip, OURS, UDP, udp(PORT, text)))

    def strangers(self):
        for number in range(5):
            for other in OTHERS:
                self.send("stranger %d" % number, other)
            self.cable.send(ipv4(STRANGER, MAC, GUEST, OURS, UDP, udp(PORT, "another's")))

    def frames(self, text):
        """The frames that the service had received with this datagram."""
        found = self.guest.wait_for(r"got %s, (\d+) frames" % text, start=self.line)
        self.line = self.guest.matched_line + 1
        return int(found.group(1))

    def until_received(self, text, group):
        """Sent again and again, as the driver may not be there yet; it may come more than once."""
        while True:
            self.send(text, group)
            if self.guest.appears("got " + text, REPEAT_S):
                break
        self.send("enough")
        return self.frames("enough")


def joined(peer):
    peer.send("first")
    before = peer.frames("first")
    peer.strangers()
    peer.send("second", GROUP)
    tap.equal(peer.frames("second") - before, 1, "of 21 frames only that to the group passes the card")
    query = bytes((QUERY, 1, 0, 0)) + bytes(4)
    query = query[:2] + checksum(query).to_bytes(2, "big") + query[4:]
    peer.cable.send(ipv4(mac_of(ALL_HOSTS), MAC, ALL_HOSTS, OURS, IGMP, query))
    peer.cable.receive(is_igmp(REPORT, GROUP))
    tap.ok(True, "a router's question is answered")


def driver_dies(peer):
    peer.send("restart")
    peer.guest.wait_for("restart: success")
    before = peer.until_received("third", GROUP)
    peer.strangers()
    peer.send("fourth", GROUP)
    tap.equal(peer.frames("fourth") - before, 1, "the next driver has the same filter")


def left(peer):
    peer.send("leave")
    peer.guest.wait_for("leave: success")
    peer.cable.receive(is_igmp(LEAVE, ALL_ROUTERS))
    before = peer.frames("leave")
    for _ in range(5):
        peer.send("too late", GROUP)
    peer.send("last")
    tap.equal(peer.frames("last") - before, 1, "after leaving, nothing to the group passes")


for name, options in (("virtio-net, version 1", {}),
                      ("virtio-net, version 2", {"extra": "-global virtio-mmio.force-legacy=false"}),
                      ("GEM", {"board": "sifive-u", "mem": "256M"})):
    tap.note(name)
    with tempfile.TemporaryDirectory() as folder:
        wire = Cable(folder)
        with Guest(net=wire.backend, tests=True, append="manifest=peer run=test-net-group ip=%s::%s:255.255.255.0"
                   % (GUEST, OURS), **options) as machine:
            there = Peer(machine, wire)
            joined(there)
            driver_dies(there)
            left(there)
            there.send("end")
            tap.equal(machine.wait_end(), 0, "it ends in order")
sys.exit(tap.done())
