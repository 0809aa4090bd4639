# SPDX-License-Identifier: BSD-2-Clause
"""The page in a browser: headless Chromium fills in the live numbers and draws something."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from guest import Guest, hang_limit
from tap import Tap

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--window-size=1240,1400", "--virtual-time-budget=8000"]
tap = Tap()
browser = shutil.which("chromium") or shutil.which("chromium-browser")


def run_browser(*words):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run([browser, "--user-data-dir=" + profile] + FLAGS + list(words),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                              timeout=hang_limit())
    return done.stdout.decode("utf-8", "replace")


def text_of(page, name):
    found = re.search(r'id="%s"[^>]*>([^<]*)<' % name, page)
    return found.group(1) if found else ""


if browser is None:
    tap.skip("the page in a browser", "chromium is not installed")
    sys.exit(tap.done())

with Guest(net="user", smp=2) as guest, tempfile.TemporaryDirectory() as folder:
    guest.wait_for("http-server: listening on port 80")
    url = "http://%s:%d/" % guest.address
    page = run_browser("--dump-dom", url)
    tap.equal(text_of(page, "harts"), "2", "the page tells the number of harts")
    tap.ok(re.fullmatch(r"\d+:\d\d:\d\d", text_of(page, "uptime")), "and how long it is up")
    tap.ok("MiB" in text_of(page, "memory"), "and the memory in use", text_of(page, "memory"))
    tap.ok(re.search(r"<td>.*http-server</td><td>up</td>", page), "and that http-server is up")
    tap.equal(text_of(page, "state"), "", "it has no complaint")
    lamps = re.findall(r'class="(lamp[^"]*)"', page)
    tap.ok(len(lamps) >= 6 and all(l == "lamp up" for l in lamps), "every part in the picture is lit",
           str(lamps))
    shot = os.environ.get("SKERRY_SCREENSHOT", os.path.join(folder, "page.png"))
    run_browser("--screenshot=" + shot, url)
    tap.ok(os.path.exists(shot) and os.path.getsize(shot) > 30000, "the screenshot is no blank page")
sys.exit(tap.done())
