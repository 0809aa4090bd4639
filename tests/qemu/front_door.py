# SPDX-License-Identifier: BSD-2-Clause
"""./run as a user meets it: the URL, Ctrl-C, --www, wrong options, and QEMU gone whatever happens."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import build
import qemu
from guest import build_dir, hang_limit
from tap import Tap

RUN = build.path("run")
tap = Tap()


class Session:
    """One ./run in the background; its stderr and stdout are collected."""

    def __init__(self, *words):
        self.text = ""
        self.changed = threading.Condition()
        self.process = subprocess.Popen([RUN] + list(words), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        preexec_fn=qemu.die_with_parent)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                self.text += data.decode("utf-8", "replace")
                self.changed.notify_all()
            if not data:
                return

    def wait_for(self, pattern):
        end = time.monotonic() + hang_limit()
        with self.changed:
            while not re.search(pattern, self.text):
                if self.process.poll() is not None or time.monotonic() > end:
                    tap.note(self.text[-2000:])
                    return None
                self.changed.wait(0.5)
            return re.search(pattern, self.text)

    def url(self):
        found = self.wait_for(r"run: (http://\S+) answers")
        return found.group(1) if found else None

    def qemu_pids(self):
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % name) as f:
                    command, rest = f.read().rsplit(")", 1)
            except OSError:
                continue
            if "qemu" in command and int(rest.split()[1]) == self.process.pid:
                found.append(int(name))
        return found

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(hang_limit())


def gone(pids):
    """Whether all of them are gone within a few seconds."""
    for _ in range(100):
        if not any(os.path.exists("/proc/%d" % p) for p in pids):
            return True
        time.sleep(0.1)
    return False


def fetch(url):
    with urllib.request.urlopen(url, timeout=hang_limit()) as page:
        return page.status, page.read()


def test_two_at_once():
    one, two = Session("--port", "0", "--smp", "2"), Session("--port", "0", "--smp", "1")
    urls = [one.url(), two.url()]
    tap.ok(all(urls) and urls[0] != urls[1], "two ./run at once both serve and say where")
    for url in urls:
        tap.ok(url and fetch(url)[0] == 200, "the page is at the URL that was printed")
    pids = one.qemu_pids()
    tap.equal(len(pids), 1, "one QEMU belongs to one ./run")
    tap.equal(one.end(signal.SIGINT), 130, "Ctrl-C gives 130")
    tap.ok(gone(pids), "Ctrl-C ends QEMU")
    tap.ok(urls[1] and fetch(urls[1])[0] == 200, "the other one still serves")
    port = urls[1].rstrip("/").rsplit(":", 1)[1] if urls[1] else "1"
    third = subprocess.run([RUN, "--port", port], capture_output=True, text=True)
    tap.equal(third.returncode, 2, "a port that is taken is wrong usage")
    tap.equal(third.stderr.count("\n"), 1, "it is said in one line")
    pids = two.qemu_pids()
    two.end(signal.SIGKILL)
    tap.ok(gone(pids), "QEMU does not outlive a ./run that was killed")


def test_www():
    with tempfile.TemporaryDirectory() as folder:
        body = os.urandom(70000)
        with open(os.path.join(folder, "index.html"), "wb") as f:
            f.write(body)
        session = Session("--port", "0", "--www", folder)
        url = session.url()
        tap.ok(url and fetch(url)[1] == body, "--www serves a folder of one's own")
        session.end(signal.SIGTERM)


def test_without_network():
    session = Session("--net", "none")
    tap.ok(session.wait_for("http-server: listening on port 80"), "--net none: the system comes up")
    tap.equal(session.end(signal.SIGTERM), 143, "SIGTERM ends it")


def test_exit_status():
    for program, expected in (("hello", 0), ("nothing-by-this-name", 1)):
        done = subprocess.run([RUN, "--net", "none", "--append", "run=" + program],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        tap.equal(done.returncode, expected, "run=%s ends with %d" % (program, expected))


def test_refusals():
    for words, name in ((["--mem", "1M"], "memory that QEMU refuses"),
                        (["--smp", "600"], "harts that QEMU refuses"),
                        (["--net", "tap:none0"], "a tap that is not there"),
                        (["--www", "/nonexistent"], "a web root that is not there")):
        done = subprocess.run([RUN] + words, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        tap.equal(done.returncode, 2, name + " is wrong usage")
        tap.equal(done.stderr.count("\n"), 1, name + " is said in one line")


if os.path.realpath(build_dir()) != os.path.realpath(build.path(build.GUEST)):
    tap.skip("./run serves", "this build directory is not the one of ./run")
else:
    for test in (test_two_at_once, test_www, test_without_network, test_exit_status,
                 test_refusals):
        test()
sys.exit(tap.done())
