# SPDX-License-Identifier: BSD-2-Clause
"""The host's side of test-net-peer: bodies that come back the same, or a reason why not."""
import os
import socket
import struct
import threading

LIMIT_S = 120


def connect(address):
    return socket.create_connection(address, LIMIT_S)


def stream(address, size, piece=65536):
    """As `echo`, over a connection of its own."""
    return echo(connect(address), size, piece)


def echo(connection, size, piece=65536):
    """Sends `size` random bytes, takes them back and closes: None, or what is wrong."""
    data = os.urandom(size)
    got = bytearray()
    with connection as s:

        def send():
            for at in range(0, size, piece):
                s.sendall(data[at:at + piece])
            s.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        except OSError as error:
            return "after %d of %d bytes: %s" % (len(got), size, error)
        sender.join(LIMIT_S)
    if bytes(got) != data:
        return "%d bytes came back of %d, %s" % (len(got), size,
                                                 "cut" if data.startswith(bytes(got)) else "changed")
    return None


def datagram(address, size, tries=3):
    """One datagram there and back: None, or what is wrong."""
    data = os.urandom(size)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        for _ in range(tries):
            s.sendto(data, address)
            try:
                if s.recv(65536) == data:
                    return None
            except socket.timeout:
                continue
    return "%d bytes did not come back" % size


def ping(host, size):
    """One ICMP echo with `size` bytes: None, or what is wrong. Needs the right to raw sockets."""
    packet = struct.pack("!BBHHH", 8, 0, 0, 4711, 1) + os.urandom(size)
    words = struct.unpack("!%dH" % ((len(packet) + 1) // 2), packet + b"\0" * (len(packet) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    packet = packet[:2] + struct.pack("!H", ~total & 0xffff) + packet[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(5)
        s.sendto(packet, (host, 0))
        try:
            answer = s.recv(65536)[20:]
        except socket.timeout:
            return "no answer"
    return None if answer[0] == 0 and answer[4:] == packet[4:] else "another answer"


def end(address):
    socket.create_connection((address[0], 9), LIMIT_S).close()
