# SPDX-License-Identifier: BSD-2-Clause
"""TAP, the line format in which tests report: read from consoles and logs, written by scripts."""
import re
import sys

# A console service may put the program's name in front: "name: ok 1 - text" or "[name] ok 1 - text".
TAG = r"^(?:(?:\[[\w./-]+\]:?|[\w./-]+:)\s+)?"
CASE = re.compile(TAG + r"(not )?ok \d+\b\s*(?:- )?(.*)$")
PLAN = re.compile(TAG + r"1\.\.(\d+)\s*(?:#.*)?$")
SKIP = re.compile(r"#\s*skip\S*\s*(.*)$", re.IGNORECASE)

SUMMARY = "# summary: "

PASS, FAIL, SKIPPED = "pass", "fail", "skip"


def parse_case(line):
    """(verdict, name, reason) of a numbered test line, else None."""
    found = CASE.match(line)
    if not found:
        return None
    name = found.group(2).strip()
    skip = SKIP.search(name)
    if skip:  # cmocka writes "not ok 2 # SKIP name" for one that skipped itself
        reason = skip.group(1).strip()
        return SKIPPED, name[:skip.start()].strip() or reason, reason
    return (FAIL if found.group(1) else PASS), name, ""


def parse_plan(line):
    found = PLAN.match(line)
    return int(found.group(1)) if found else None


class Tap:
    """Writes TAP on stdout. Every case goes through here, so that the plan is always right."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, condition, name, detail=""):
        self.count += 1
        if not condition:
            self.failed += 1
        print("%sok %d - %s" % ("" if condition else "not ", self.count, name))
        if detail and not condition:
            self.note(detail)
        sys.stdout.flush()
        return condition

    def equal(self, got, expected, name):
        return self.ok(got == expected, name, "expected %r, got %r" % (expected, got))

    def skip(self, name, reason):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, reason), flush=True)

    @staticmethod
    def note(text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    @staticmethod
    def summary(text):
        """A line that ./run test repeats at its end, whether all went well or not."""
        print(SUMMARY + text, flush=True)

    def done(self):
        """Prints the plan; returns the exit status."""
        print("1..%d" % self.count, flush=True)
        return 1 if self.failed else 0
