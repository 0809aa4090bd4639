# SPDX-License-Identifier: BSD-2-Clause
"""A cable to a guest's network card of which a test holds the other end: it sends and receives frames."""
import contextlib
import os
import socket
import struct

LIMIT_S = 60.0


class Cable:
    """`backend` are QEMU's words for the card's end. Files are made in `folder`."""

    def __init__(self, folder):
        self.card, ours = os.path.join(folder, "card"), os.path.join(folder, "test")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(ours)
        self.socket.settimeout(LIMIT_S)
        self.backend = "dgram,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s" % (
            self.card, ours)

    def send(self, frame):
        """A frame is lost while the card is not there."""
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            self.socket.sendto(frame, self.card)

    def receive(self, wanted):
        """The next frame for which wanted(frame) is true; those before it are thrown away."""
        while True:
            frame = self.socket.recv(65536)
            if wanted(frame):
                return frame


def checksum(data):
    """RFC 1071."""
    words = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while words >> 16:
        words = (words & 0xffff) + (words >> 16)
    return ~words & 0xffff


def ipv4(mac_to, mac_from, ip_to, ip_from, protocol, data, ttl=1):
    """An Ethernet frame with an IPv4 packet."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0, ttl, protocol, 0,
                       socket.inet_aton(ip_from), socket.inet_aton(ip_to))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return (mac_to + mac_from + b"\x08\x00" + head + data).ljust(60, b"\0")


def udp(port, text):
    """A datagram; its checksum is left out."""
    return struct.pack("!HHHH", port, port, 8 + len(text), 0) + text.encode()
