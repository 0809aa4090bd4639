# SPDX-License-Identifier: BSD-2-Clause
"""serving.py [HARTS [BOARD]]. http-server over the user network, as clients from outside see it: raw
sockets, Python's client, curl. Every body is compared, every wrong request is answered as the standards
want, and at the end the counts of kernel objects are back where they were."""
import calendar
import concurrent.futures
import hashlib
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from board import Board, DEFAULT
from build import ROOT
from guest import Guest, hang_limit
from tap import Tap

WWW = os.path.join(ROOT, "userland", "apps", "http-server", "www")
HARTS = int(sys.argv[1]) if len(sys.argv) > 1 else 4
BOARD = sys.argv[2] if len(sys.argv) > 2 else DEFAULT
tap = Tap()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def connect(guest):
    return socket.create_connection(guest.address, timeout=hang_limit())


def exchange(guest, data, pieces=None):
    """Sends raw bytes (in pieces if given), and reads to the end of the stream."""
    with connect(guest) as s:
        for piece in pieces or [data]:
            s.sendall(piece)
        s.shutdown(socket.SHUT_WR)
        return read_all(s)


def read_all(s):
    answer = b""
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            return answer
        if not part:
            return answer
        answer += part


def status_of(answer):
    """The status in raw bytes; 0 if they do not begin like an answer."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[0] == b"HTTP/1.1" else 0


def counts(guest):
    """Kernel objects once the connections of the test are gone."""
    def look():
        state = json.loads(guest.get("/status.json")[2])
        return state["objects"]
    last, same, end = look(), 0, time.monotonic() + 60
    while same < 3 and time.monotonic() < end:
        time.sleep(0.3)
        now = look()
        same = same + 1 if now == last else 0
        last = now
    return last


def plain_answers(guest, page):
    status, fields, body = guest.get("/")
    tap.equal(status, 200, "GET / is 200")
    tap.ok(body == page, "its body is the page")
    tap.equal(fields["Content-Type"], "text/html; charset=utf-8", "its type is HTML in UTF-8")
    tap.equal(fields["X-Content-Type-Options"], "nosniff", "nosniff")
    tap.equal(fields["Content-Length"], str(len(page)), "its length")
    tap.ok(fields["Server"].startswith("Skerry/"), "Server names Skerry and a version")
    head = guest.request("HEAD", "/")
    same = [n for n in ("Content-Type", "Content-Length", "ETag", "Server") if head[1][n] == fields[n]]
    tap.ok(head[0] == 200 and head[2] == b"" and len(same) == 4, "HEAD is GET without the body")
    tap.equal(guest.request("GET", "/", {"If-None-Match": fields["ETag"]})[0], 304,
              "the same tag is 304")
    tap.equal(guest.get("/favicon.ico")[1]["Content-Type"], "image/vnd.microsoft.icon",
              "the favicon has its type")
    if not Board(BOARD).clock or fields["Date"] is None:
        tap.equal(fields["Date"] is None, not Board(BOARD).clock, "no Date, the machine has no clock")
    else:
        then = calendar.timegm(time.strptime(fields["Date"], "%a, %d %b %Y %H:%M:%S GMT"))
        tap.ok(abs(then - time.time()) < 30, "Date is now", fields["Date"])
    guest.wait_for(r'http-server: \d+\.\d+\.\d+\.\d+ "GET / HTTP/1\.1" 200 %d' % len(page))
    tap.ok(True, "an access line on the console")


def folders(guest):
    status, fields, _ = guest.get("/folder?x=y")
    tap.equal((status, fields["Location"]), (301, "/folder/?x=y"), "a folder without slash is 301")
    tap.equal(guest.get("/folder/")[2], b"inside\n", "a folder serves its index.html")
    tap.equal(guest.get("/folder/../folder/./index.html")[2], b"inside\n", "dot segments are resolved")
    tap.equal(guest.get("/with%20blank%C3%A4.txt")[2], b"blank\n", "escapes are decoded")
    tap.equal(guest.get("/empty.txt")[::2], (200, b""), "an empty file is 200")
    tap.equal(guest.get("/empty-folder/")[0], 404, "a folder without index is 404")
    tap.equal(guest.get("/folder/index.html/x")[0], 404, "a path through a file is 404")


def data_routes(guest):
    status, fields, body = guest.get("/status.json")
    state = json.loads(body)
    tap.equal((status, fields["Content-Type"], fields["Cache-Control"]),
              (200, "application/json", "no-store"), "/status.json is JSON that is not stored")
    tap.equal((state["schema"], len(state["harts"])), (1, HARTS), "it tells the harts")
    tap.equal("Skerry/" + state["version"], fields["Server"], "and the version of the Server field")
    names = {p["name"] for p in state["processes"]}
    tap.ok({"init", "net", "fs", "http-server"} <= names, "and the processes", str(names))
    up = {s["service"] for s in state["services"] if s["state"] == "up"}
    tap.ok({"net", "fs", "nic0"} <= up, "and the services", str(up))
    licenses = guest.get("/licenses")
    tap.ok(licenses[0] == 200 and all(n in licenses[2] for n in (b"lwIP", b"llhttp", b"picolibc")),
           "/licenses names the libraries")


def wrong_requests(guest):
    def request(line, *fields):
        return "\r\n".join((line,) + fields + ("", "")).encode("latin-1")

    host = "Host: x"
    cases = [
        (400, request("GET / HTTP/1.1"), "no Host"),
        (400, request("GET / HTTP/1.1", host, host), "two Hosts"),
        (400, request("GET /%00 HTTP/1.1", host), "a NUL"),
        (400, request("GET /../../etc/system.manifest HTTP/1.1", host), "above the root"),
        (400, request("GET /%2e%2e/etc/system.manifest HTTP/1.1", host), "above the root, escaped"),
        (400, request("GET /folder/..%2f..%2fbin/init HTTP/1.1", host), "above by escaped slashes"),
        (404, request("GET /bin/init HTTP/1.1", host), "what lies outside the root"),
        (400, request("GET / HTTP/1.1", host, "Content-Length: 1", "Transfer-Encoding: chunked"),
         "length and chunks"),
        (405, request("POST / HTTP/1.1", host, "Content-Length: 0"), "POST"),
        (413, request("GET / HTTP/1.1", host, "Content-Length: 10000000"), "a large body"),
        (414, request("GET /" + "a" * 9000 + " HTTP/1.1", host), "a long target"),
        (431, request("GET / HTTP/1.1", host, "A: " + "b" * 20000), "a long field"),
        (501, request("BREW / HTTP/1.1", host), "an unknown method"),
        (505, request("GET / HTTP/2.0", host), "another version"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), "a TLS hello"),
    ]
    for status, data, name in cases:
        answer = exchange(guest, data)
        tap.equal(status_of(answer), status, "%s is %d" % (name, status))
    allow = exchange(guest, request("DELETE / HTTP/1.1", host))
    tap.ok(b"\r\nAllow: GET, HEAD\r\n" in allow, "405 tells what is allowed")
    seeded = random.Random(1)
    for _ in range(30):
        exchange(guest, bytes(seeded.randrange(256) for _ in range(seeded.randrange(1, 3000))))
    tap.equal(guest.get("/")[0], 200, "30 requests of noise later it still serves")


def streams(guest, page):
    connection = http.client.HTTPConnection(*guest.address, timeout=hang_limit())
    good = 0
    for _ in range(100):
        connection.request("GET", "/")
        good += connection.getresponse().read() == page
    connection.close()
    tap.equal(good, 100, "100 requests on one connection")

    one = b"GET /folder/ HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange(guest, one * 200 + last)
    tap.equal((answer.count(b"HTTP/1.1 200 OK"), answer.count(b"\r\n\r\ninside\n")), (201, 200),
              "200 pipelined requests are answered in order")
    pieces = [bytes([b]) for b in one + last]
    tap.equal(exchange(guest, None, pieces).count(b"HTTP/1.1 200 OK"), 2, "a request byte by byte")
    old = exchange(guest, b"GET /folder/ HTTP/1.0\r\n\r\n")
    tap.ok(old.endswith(b"\r\nConnection: close\r\n\r\ninside\n"), "HTTP/1.0 closes")


def big_files(guest, big):
    wanted = hashlib.sha256(big).hexdigest()
    for turn in ("once", "and again"):
        body = guest.get("/big.bin")[2]
        tap.equal(hashlib.sha256(body).hexdigest(), wanted, "1 MiB arrives whole, " + turn)

    # A client that asks for much and reads nothing must not hold up the others.
    with connect(guest) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        good = sum(guest.get("/folder/")[2] == b"inside\n" for _ in range(20))
        tap.equal(good, 20, "a client that does not read holds up nobody")

    good = 0
    for _ in range(4):
        good += sum(b.endswith(big[:65536]) for b in at_once(guest, "/middle.bin", 64))
    tap.equal(good, 256, "256 fetches of 64 KiB, 64 at a time")


def at_once(guest, path, count):
    """The raw answers to `count` connections that are all open before the first one is used.

    They are opened one after the other: the user network's listen queue is one connection long,
    and whoever does not get in waits for seconds."""
    request = ("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path).encode()
    connections = []
    for _ in range(count):
        connections.append(connect(guest))
        time.sleep(0.01)
    for s in connections:
        s.sendall(request)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(read_all, connections))
    for s in connections:
        s.close()
    return answers


def many_connections(guest):
    good = sum(guest.get("/folder/")[2] == b"inside\n" for _ in range(300))
    tap.equal(good, 300, "300 connections one after the other")
    idle = []
    for _ in range(100):
        idle.append(connect(guest))
        time.sleep(0.01)
    good = guest.get("/folder/")[2] == b"inside\n"
    for s in idle:
        s.close()
    tap.ok(good, "100 idle connections leave room")
    idle = []
    for _ in range(300):  # more than there are sockets
        idle.append(connect(guest))
        time.sleep(0.01)
    good = guest.get("/folder/")[2] == b"inside\n"
    for s in idle:
        s.close()
    tap.ok(good, "300 idle connections are no reason not to serve the next one")
    for _ in range(50):  # gone in the middle of a request
        with connect(guest) as s:
            s.sendall(b"GET / HTT")
    for _ in range(20):  # gone by a reset in the middle of an answer
        with connect(guest) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
    tap.equal(guest.get("/folder/")[2], b"inside\n", "clients that vanish harm nobody")


def half_a_request(guest):
    """A client that does not end its request, and when it began; for time_out."""
    s = connect(guest)
    s.sendall(b"GET / HTTP/1.1\r\n")
    return s, time.monotonic()


def time_out(slow, began):
    with slow:
        answer = read_all(slow)
    tap.equal(status_of(answer), 408, "half a request is 408 in the end")
    tap.ok(time.monotonic() - began > 5, "but not at once")


def with_curl(guest, big):
    if shutil.which("curl") is None:
        tap.skip("curl", "curl is not installed")
        return
    url = "http://%s:%d" % guest.address

    def curl(*words):
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-m", str(hang_limit())] + list(words),
                              stdout=subprocess.PIPE, check=False)
        return done.returncode, done.stdout

    code, body = curl(url + "/big.bin")
    tap.ok(code == 0 and body == big, "curl gets the 1 MiB")
    code, head = curl("-I", url + "/")
    tap.ok(code == 0 and head.startswith(b"HTTP/1.1 200 OK\r\n"), "curl -I")
    code, text = curl("-v", "--stderr", "-", url + "/folder/", url + "/folder/")
    tap.ok(code == 0 and b"Re-using existing connection" in text, "curl keeps the connection", text)
    running = []
    for _ in range(64):  # one after the other, as in at_once
        running.append(subprocess.Popen(["curl", "-sS", "--noproxy", "*", "-m", str(hang_limit()),
                                         url + "/big.bin"], stdout=subprocess.PIPE))
        time.sleep(0.01)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        bodies = list(pool.map(lambda process: process.communicate()[0], running))
    tap.equal(sum(body == big for body in bodies), 64, "64 curls in parallel get 1 MiB each")


def main():
    big = random.Random(2).randbytes(1 << 20)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, data in {"big.bin": big, "middle.bin": big[:65536], "folder/index.html": b"inside\n",
                           "with blank\u00e4.txt": b"blank\n", "empty.txt": b"",
                           "empty-folder/x.txt": b"x"}.items():
            path = os.path.join(folder, str(len(files)))
            with open(path, "wb") as file:
                file.write(data)
            files["www/" + name] = path
        with Guest(net="user", smp=HARTS, files=files, board=BOARD) as guest:
            guest.wait_for("http-server: listening on port 80")
            page = read(os.path.join(WWW, "index.html"))
            plain_answers(guest, page)
            folders(guest)
            data_routes(guest)
            for name in ("big.bin", "middle.bin"):  # fs keeps a memory object for each file once opened
                guest.get("/" + name)
            before = counts(guest)
            wrong_requests(guest)
            streams(guest, page)
            slow = half_a_request(guest)
            big_files(guest, big)
            many_connections(guest)
            with_curl(guest, big)
            time_out(*slow)
            after = counts(guest)
            tap.equal({k: after[k] for k in after if k != "messages"},
                      {k: before[k] for k in before if k != "messages"},
                      "the counts of kernel objects are what they were")
            tap.ok(not guest.panicked(), "no panic")
    return tap.done()


sys.exit(main())
