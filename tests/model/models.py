# SPDX-License-Identifier: BSD-2-Clause
"""Checks the Promela models with Spin: every state of each, and that each switch which takes something away is found.

usage: models.py [long]
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
# (model, definitions, what it shows)
RIGHT = [
    ("endpoint", [], "life cycle of endpoints, handles in messages"),
    ("call", [], "calls with tokens, one caller's slot, two server threads"),
    ("connect", [], "the connect transaction, the service dying at each step, restart"),
    ("ring", [], "the ring protocol on a weakly ordered machine"),
]
RIGHT_LONG = [
    ("endpoint", ["INBOX=2"], "two messages in an inbox"),
    ("call", ["CALLS=4"], "one caller's slot, four calls"),
    ("call", ["CALLERS=2", "CALLS=1"], "two callers' slots, one call each"),
    ("ring", ["ITEMS=12"], "twelve entries"),
]
WRONG = [
    ("endpoint", "ONE_FLAG", "one flag for 'exists' and 'the peer is there': a process sends an end whose peer is closed"),
    ("connect", "ONE_FLAG", "one flag for 'exists' and 'the peer is there': the service dies between send and answer"),
    ("connect", "LOOK_BEFORE_SEND", "a look before the send decides instead of its result"),
    ("call", "NO_TOKEN_SEQUENCE", "an old token answers a newer call"),
    ("call", "NO_WAIT_SEQUENCE", "a late time-out ends a newer wait"),
    ("call", "NO_LOOK_AGAIN", "a wait is not looked at again under its lock"),
    ("call", "NO_SECOND_LOOK", "a killed thread that blocks does not look again"),
    ("call", "BREAK_FIRST", "a dead server's calls are broken before its threads are gone"),
    ("ring", "NO_PRODUCER_FENCE", "no fence in sk_wake_needed"),
    ("ring", "NO_CONSUMER_FENCE", "no fence in sk_sleep_begin"),
    ("ring", "NO_RELEASE", "the index is published without release"),
    ("ring", "NO_ACQUIRE", "the index is read without acquire"),
]
MEMORY_MIB = 6000


def check(model, definitions):
    """(errors, states, text): None errors if it could not be checked whole."""
    with tempfile.TemporaryDirectory() as folder:
        steps = [
            ["spin", "-a"] + ["-D" + d for d in definitions] + [os.path.join(HERE, model + ".pml")],
            ["cc", "-O2" if len(sys.argv) > 1 else "-O0", "-w", "-DSAFETY", "-DVECTORSZ=2048", "-DMEMLIM=%d" % MEMORY_MIB, "-o", "pan", "pan.c"],
            ["./pan", "-m4000000" if len(sys.argv) > 1 else "-m400000", "-w22"],
        ]
        text = ""
        for step in steps:
            done = subprocess.run(step, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace")
            text = done.stdout
            if done.returncode != 0 and step[0] != "./pan":
                return None, 0, text
    errors = re.search(r"errors: (\d+)", text)
    states = re.search(r"(\d+) states, stored", text)
    cut_short = re.search(r"max search depth too small|out of memory|reached -DMEMLIM|hash conflict.*aborted", text)
    if not errors or not states or (cut_short and errors[1] == "0"):
        return None, 0, text
    return int(errors[1]), int(states[1]), text


def main():
    tap = Tap()
    if not shutil.which("spin") or not shutil.which("cc"):
        tap.skip("models", "no spin")
        return tap.done()
    is_long = sys.argv[1:] == ["long"]
    right = RIGHT_LONG if is_long else RIGHT
    wrong = [] if is_long else WRONG
    explored = 0
    with concurrent.futures.ThreadPoolExecutor(1 if is_long else os.cpu_count()) as pool:
        good = [pool.submit(check, model, definitions) for model, definitions, _ in right]
        bad = [pool.submit(check, model, [switch]) for model, switch, _ in wrong]
        for (model, definitions, what), job in zip(right, good):
            errors, states, text = job.result()
            explored += states
            name = " ".join([model] + definitions)
            tap.ok(errors == 0, "%s: %s: %d states" % (name, what, states), text)
            tap.summary("model %s: %d states explored, %s errors" % (name, states, errors))
        for (model, switch, what), job in zip(wrong, bad):
            errors, states, text = job.result()
            tap.ok(errors is not None and errors > 0, "%s %s is found: %s" % (model, switch, what), text)
    tap.ok(explored > 100000, "%d states in all" % explored)
    return tap.done()


sys.exit(main())
