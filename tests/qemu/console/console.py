# SPDX-License-Identifier: BSD-2-Clause
"""The console from outside: what is typed reaches the foreground program as edited lines; output is tagged."""
import sys

from guest import Guest
from tap import Tap

tap = Tap()

for smp in (1, 4):
    with Guest(tests=True, smp=smp, append="manifest=test run=test-echo") as guest:
        guest.wait_for("test-echo: ready")
        guest.send("hello\r")
        guest.wait_for("test-echo: got <hello>")
        guest.send("wrxng\b\b\bong\rtwo\r")
        guest.wait_for("test-echo: got <wrong>")
        guest.wait_for("test-echo: got <two>")
        guest.send("x" * 300 + "\r")
        guest.wait_for("test-echo: got <" + "x" * 255 + ">")
        guest.send("\x04")
        status = guest.wait_end(60)
        text = guest.console()
        tap.equal(status, 0, "the program ends with its input (%d harts)" % smp)
        tap.equal(text.count("test-echo: got <"), 4, "each line came once (%d harts)" % smp)
        tap.ok("test-echo: end of input" in text, "and the end of the input (%d harts)" % smp)
sys.exit(tap.done())
