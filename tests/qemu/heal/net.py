# SPDX-License-Identifier: BSD-2-Clause
"""The network service dies: it gets its address again and is asked on, by the same web server, and whoever
was connected is told so, even a client that only waits."""
import socket
import sys

import healing
from tap import Tap

SOON_S = 20.0
tap = Tap()


def connect(guest):
    return socket.create_connection(guest.address, timeout=SOON_S)


def ask(connection, path="/index.html"):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path.encode())
    return connection.recv(100)


def ending(connection):
    """How a connection ends on which nobody sends: "reset", "end", or "nothing" for as long as we wait."""
    try:
        while connection.recv(65536):
            pass
        return "end"
    except ConnectionError:
        return "reset"
    except socket.timeout:
        return "nothing"


with healing.guest(net="user", smp=2) as guest:
    healer = healing.Healer(guest)
    status, _, page = guest.get("/index.html")
    tap.equal(status, 200, "a page is served")
    for turn in ("first", "second"):
        waiting = [connect(guest) for _ in range(8)]
        tap.ok(all(ask(c).startswith(b"HTTP/1.1 200") for c in waiting), "8 connections are open (%s time)" % turn)
        line = healer.line
        tap.equal(healer.kill("net"), "success", "the network service is killed")
        guest.wait_for(r"init: net was killed; restarting", start=line)
        guest.wait_for(r"http-server: listening on port 80", start=line)
        guest.wait_for(r"net: address .* \(dhcp\)", start=line)
        endings = [ending(c) for c in waiting]
        tap.ok("nothing" not in endings, "all of them end, though they only waited", " ".join(endings))
        for c in waiting:
            c.close()
        status, _, again = guest.get("/index.html")
        tap.ok(status == 200 and again == page, "the page is served as before")
    tap.ok("http-server ended" not in guest.console(), "the web server has lived through it")
    tap.equal(healer.kill("http-server"), "success", "the web server is killed")
    guest.wait_for("init: http-server was killed; restarting", start=line)
    guest.wait_for(r"http-server: listening on port 80", start=healer.line)
    status, _, again = guest.get("/index.html")
    tap.ok(status == 200 and again == page, "its port is free for the next one at once")
    tap.ok("cannot listen" not in guest.console(), "without a second try")
sys.exit(tap.done())
