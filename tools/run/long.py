# SPDX-License-Identifier: BSD-2-Clause
"""What `./run test --long` remembers: which tests passed with exactly these sources.

One file per build directory, long-passed.json: the sources' state, and the tests that passed in it. Another
commit, or another uncommitted change, starts anew; so does --fresh.
"""
import hashlib
import json
import os
import re
import subprocess
import threading
import time

import build
from common import ROOT

RECORD = "long-passed.json"
BUDGET_MINUTES = 80.0
HEARTBEAT_S = 60
# ` 1/20 skerry:long-host / fuzz-elf     OK     12.34s`, which Meson prints when a test ends.
ENDED = re.compile(r"^\s*\d+/\d+ (?:\S+ / )?(\S+)\s+([A-Z]{2,})\b")


def sources_state():
    """Names the commit and what differs from it."""
    def git(*args):
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True).stdout
    different = git("diff", "HEAD") + git("ls-files", "--others", "--exclude-standard")
    commit = git("rev-parse", "HEAD").decode().strip() or "no commit"
    return commit + ("+" + hashlib.sha256(different).hexdigest()[:16] if different else "")


def tests_of(folder, suite):
    """The names of a suite's tests, in the order in which they are registered."""
    shown = subprocess.run(["meson", "introspect", "--tests", folder], cwd=ROOT, capture_output=True,
                           text=True, check=True).stdout
    mine = [t for t in json.loads(shown) if any(s.split(":")[-1] == suite for s in t["suite"])]
    return [t["name"] for t in mine]


class Record:
    """The tests of one build directory that have passed; written after each."""

    def __init__(self, folder, fresh):
        self.path = build.path(folder, RECORD)
        self.state = sources_state()
        self.passed = []
        if not fresh:
            try:
                with open(self.path) as f:
                    saved = json.load(f)
                if saved["state"] == self.state:
                    self.passed = saved["passed"]
            except (OSError, ValueError, KeyError):
                pass

    def add(self, name):
        if name not in self.passed:
            self.passed.append(name)
        with open(self.path + ".new", "w") as f:
            json.dump({"state": self.state, "passed": self.passed}, f)
        os.replace(self.path + ".new", self.path)


class Progress:
    """Notes each test that ends, and says once a minute that the others still run."""

    def __init__(self, record, suite, todo):
        self.record, self.suite, self.waiting = record, suite, list(todo)
        self.began = time.monotonic()
        self.over = threading.Event()

    def line(self, text):
        match = ENDED.match(text)
        if match and match[1] in self.waiting:
            self.waiting.remove(match[1])
            if match[2] == "OK":
                self.record.add(match[1])

    def beat(self):
        while not self.over.wait(HEARTBEAT_S):
            if self.waiting:
                print("  %s: %.0f minutes, %d to go, of which runs or comes next: %s"
                      % (self.suite, (time.monotonic() - self.began) / 60, len(self.waiting),
                         ", ".join(self.waiting[:2])), flush=True)

    def __enter__(self):
        threading.Thread(target=self.beat, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
