# SPDX-License-Identifier: BSD-2-Clause
"""DHCP with a server of our own: an address, a gateway, a time server, and the lease renewed.

The lease is the shortest that lwIP's one-minute timer renews, so this takes more than a minute.
"""
import socket
import struct
import sys
import threading
import time

import netns
from echo_client import LIMIT_S, end, stream
from guest import Guest
from tap import Tap

LEASE_S = 120
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
NTP_EPOCH_S = 2208988800  # 1900 to 1970
UNIX_S = 2000000000
tap = Tap()
seen = []


def options(message):
    found, at = {}, 240
    while at < len(message) and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        length = message[at + 1]
        found[message[at]] = message[at + 2:at + 2 + length]
        at += 2 + length
    return found


def answer(request, kind):
    """An OFFER or ACK of the one address there is."""
    host = socket.inet_aton(netns.HOST)
    fixed = struct.pack("!BBBB4sHH4s4s4s4s16s", 2, 1, 6, 0, request[4:8], 0, 0x8000,
                        request[12:16], socket.inet_aton(netns.GUEST), host, b"\0" * 4,
                        request[28:44])
    said = ((53, bytes([kind])), (54, host), (51, struct.pack("!I", LEASE_S)),
            (1, socket.inet_aton(netns.MASK)), (3, host), (6, host), (42, host))
    return (fixed + b"\0" * 192 + b"\x63\x82\x53\x63" +
            b"".join(bytes([code, len(value)]) + value for code, value in said) + b"\xff")


def dhcp_server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, netns.TAP.encode())
        s.bind(("", 67))
        while True:
            request, sender = s.recvfrom(2048)
            kind = options(request)[53][0]
            seen.append((kind, sender[0]))
            to = sender[0] if sender[0] != "0.0.0.0" else "255.255.255.255"
            s.sendto(answer(request, OFFER if kind == DISCOVER else ACK), (to, 68))


def ntp_server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 123))
        while True:
            request, sender = s.recvfrom(512)
            now = struct.pack("!II", UNIX_S + NTP_EPOCH_S, 0)
            s.sendto(bytes([0x24, 2, 6, 0xec]) + b"\0" * 8 + b"TEST" + now + request[40:48] + now + now,
                     sender)


def guest_time():
    with socket.create_connection((netns.GUEST, 13), LIMIT_S) as s:
        s.settimeout(LIMIT_S)
        return s.makefile().read().strip()


def main():
    for server in (dhcp_server, ntp_server):
        threading.Thread(target=server, daemon=True).start()
    with Guest(net="tap:" + netns.TAP, tests=True, append="manifest=peer run=test-net-peer") as guest:
        guest.wait_for("test-net-peer: ready")
        guest.wait_for(r"net: address 10\.0\.2\.15/24 gateway 10\.0\.2\.2 dns 10\.0\.2\.2 \(dhcp\)")
        tap.equal([kind for kind, _ in seen], [DISCOVER, REQUEST], "an address by DHCP")
        tap.ok(stream((netns.GUEST, 7), 50000) is None, "and it is reachable")
        deadline = time.monotonic() + 20
        while guest_time() == "not found" and time.monotonic() < deadline:
            time.sleep(0.5)
        known = guest_time()
        tap.ok(known.startswith(str(UNIX_S)[:8]), "the time comes by SNTP from DHCP's server", known)
        deadline = time.monotonic() + LEASE_S - 10
        while len(seen) < 3 and time.monotonic() < deadline:
            time.sleep(1)
        tap.equal(seen[2:3], [(REQUEST, netns.GUEST)], "the lease is renewed")
        tap.ok(stream((netns.GUEST, 7), 50000) is None, "and the address goes on")
        end((netns.GUEST, 7))
        tap.equal(guest.wait_end(), 0, "it ends in order")


reason = netns.why_not()
if reason:
    tap.skip("DHCP with a server of our own", reason)
else:
    netns.enter()
    main()
sys.exit(tap.done())
