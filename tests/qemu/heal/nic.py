# SPDX-License-Identifier: BSD-2-Clause
"""The network driver dies again and again during downloads and uploads, and no connection notices."""
import sys
import tempfile

import healing
import netns
from tap import Tap

CAUSE = "was ended by request"
KILLS, PERIOD_S, MEBIBYTES = 5, 0.1, 48
tap = Tap()


def kill_during_download(file, mebibytes, kills, period_s):
    with healing.guest(net="tap:" + netns.TAP, mem="512M" if mebibytes > 32 else "256M",
                       append=netns.GUEST_IP, address=(netns.GUEST, 80), echo=(print if "-v" in sys.argv else None),
                       files={"www/big.bin": file}) as guest:
        healer = healing.Healer(guest)
        healer.warm_up()
        load = healing.Download("http://%s/big.bin" % netns.GUEST)
        tap.equal(load.wait(file), None, "%d MiB arrive whole" % mebibytes)
        earlier, _ = healer.driver("nic0")
        before = healer.counts()
        load = healing.Download("http://%s/big.bin" % netns.GUEST)
        done = healer.kill_while(load, "nic0", period_s)
        wrong = load.wait(file)
        tap.ok(wrong is None, "%d MiB arrive whole while the driver is killed %d times"
               % (mebibytes, done), wrong or "")
        tap.ok(done >= kills, "it was killed often enough", "%d times" % done)
        restarts, cause = healer.driver("nic0")
        tap.equal(restarts - earlier, done, "each kill was one restart")
        tap.equal(cause, CAUSE, "the cause is told")
        lines = guest.console().count("devmgr: nic0: virtio-net " + CAUSE + "; starting it again")
        tap.equal(lines - earlier, done, "each is told on the console in one line")
        after = healer.settle(before)
        tap.equal(after[:-1], before[:-1], "objects and handles are as before")
        tap.ok(after[-1] >= before[-1], "and pages", "%d free, %d before" % (after[-1], before[-1]))
        healer.quit()
        tap.equal(guest.wait_end(), 0, "it ends in order")


reason = netns.why_not()
if reason:
    tap.skip("the network driver is killed over tap", reason)
else:
    netns.enter()
    with tempfile.NamedTemporaryFile() as big:
        size = int(sys.argv[1]) if len(sys.argv) > 1 else MEBIBYTES
        healing.write_noise(big, size)
        kill_during_download(big.name, size, KILLS if size < 100 else 2,
                             PERIOD_S if size < 100 else 2.0)
sys.exit(tap.done())
