# SPDX-License-Identifier: BSD-2-Clause
"""Every operation of every protocol header is attacked by malformed.c, or here is why it cannot be."""
import os
import re
import sys

from build import ROOT
from tap import Tap

PROTOCOLS = os.path.join(ROOT, "userland", "include", "sk", "protocol")
ATTACKS = os.path.join(ROOT, "tests", "qemu", "hostile", "malformed.c")
FUZZ = os.path.join(ROOT, "tests", "fuzz")
# Not to be reached in the guest: on channels between init and a service, or on no machine that QEMU's virt is.
ELSEWHERE = {
    "sk_control_operation": ["fuzz_messages_init.c", "messages.c"],  # init's side, the services' side
    "sk_platform_op": ["provider.c"],
}


def operations(text):
    """(enum, enumerator) of all enumerations of operations."""
    for name, body in re.findall(r"enum (sk_\w+_op(?:eration)?) \{(.*?)\};", text, re.DOTALL):
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
        for enumerator in re.findall(r"\b(SK_[A-Z0-9_]+)\b\s*(?:=[^,]*)?(?:,|$)", body):
            yield name, enumerator


def main():
    tap = Tap()
    with open(ATTACKS) as f:
        attacks = f.read()
    for header in sorted(os.listdir(PROTOCOLS)):
        with open(os.path.join(PROTOCOLS, header)) as f:
            found = list(operations(f.read()))
        tap.ok(found, "%s has operations" % header)
        for name, enumerator in found:
            if name in ELSEWHERE:
                known = any(enumerator in open(os.path.join(FUZZ, file)).read() for file in ELSEWHERE[name])
            else:
                known = re.search(r"\{\"\w+\", %s, " % enumerator, attacks)
            tap.ok(known, "%s is attacked" % enumerator)
    return tap.done()


sys.exit(main())
