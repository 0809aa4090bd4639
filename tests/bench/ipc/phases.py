# SPDX-License-Identifier: BSD-2-Clause
"""Where every instruction of a call and of a reply-and-receive goes: a trace of QEMU, by the functions of the source.

    SKERRY_BUILD=build PYTHONPATH=tools/run python3 tests/bench/ipc/phases.py [--instructions]

QEMU runs one instruction at a time and logs each; of the last short call and the last short reply-and-receive
everything from `ecall` to the first instruction of the partner is kept, and attributed with the debug information
of the kernel. Functions that the compiler inlined have a row of their own below the one that they are part of.
"""
import os
import re
import subprocess
import sys
import tempfile

import ipc_figures
from guest import build_dir
from packages import cross_prefix

CALLS = 20
KERNEL = 1 << 63
KERNEL_RANGE = "0xffffffff80000000..0xffffffffffffffff"
USER_RANGE = "0x10000..0x3fffffffff"
PC = re.compile(r"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/")
ELF = "skerry.elf"
KINDS = (("loads", re.compile(r"^(c\.)?(l[bhwd]u?|ldsp|lwsp)$")), ("stores", re.compile(r"^(c\.)?s[bhwd]$")),
         ("CSR", re.compile(r"^(csr|sret|ecall|sfence)")), ("atomic", re.compile(r"^(amo|lr|sc\.)")),
         ("fences", re.compile(r"^fence")),
         ("branches", re.compile(r"^(c\.)?(b(eq|ne|lt|ge|gt|le)|j|ret)")), ("other", re.compile("")))


def output(*command, stdin=None):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


def traced():
    """The program counters of a whole run, kernel and programs."""
    with tempfile.NamedTemporaryFile("w+", prefix="skerry-") as log:
        extra = "-icount shift=0 -seed 1 -singlestep -d exec,nochain -D %s -dfilter %s,%s" % (
            log.name, KERNEL_RANGE, USER_RANGE)
        ipc_figures.guest_program("pairs", "1", str(CALLS), smp=1, extra=extra)
        with open(log.name) as lines:
            return [int(found[1], 16) for found in map(PC.match, lines) if found]


def symbols(elf):
    lines = [line.split() for line in output(cross_prefix() + "nm", "-n", elf).splitlines()]
    return [(int(address, 16), name) for address, kind, name in lines if kind in "tT"]


def stay_in_kernel(pcs, entry, through, never):
    """The last stay that begins at `entry`, passes `through` and none of `never`; with the ecall before it."""
    for begin in range(len(pcs) - 1, 0, -1):
        if pcs[begin] != entry:
            continue
        end = begin
        while end < len(pcs) and pcs[end] >= KERNEL:
            end += 1
        seen = set(pcs[begin:end])
        if through in seen and not seen & never:
            return pcs[begin - 1:end]
    raise SystemExit("phases: no call took the short way")


def describe(elf, pcs, table):
    """{pc: (function, inlined function or '', file:line)}; in assembly the label is the function."""
    unique = sorted(pc for pc in set(pcs) if pc >= KERNEL)
    text = output(cross_prefix() + "addr2line", "-e", elf, "-a", "-f", "-i", "-s",
                  stdin="".join("%x\n" % pc for pc in unique))
    found = {}
    for block in re.split(r"(?m)^0x", text)[1:]:
        address, *lines = block.splitlines()
        pc, names, places = int(address, 16), lines[0::2], lines[1::2]
        if places[-1].split(":")[0].endswith(".S"):
            label = [name for at, name in table if at <= pc][-1]
            found[pc] = (label, "", places[0])
        else:
            found[pc] = (names[-1], names[-2] if len(names) > 1 else "", places[0])
    return found


def mnemonics(elf):
    listing = output(cross_prefix() + "objdump", "-d", "--no-show-raw-insn", elf)
    pairs = re.findall(r"(?m)^([0-9a-f]{16}):\t(\S+)(.*)", listing)
    return {int(pc, 16): (name, rest) for pc, name, rest in pairs}


def kind_of(mnemonic):
    return next(kind for kind, pattern in KINDS if pattern.search(mnemonic))


def print_table(title, stay, where, code):
    rows, order = {}, []
    for pc in stay:
        key = where.get(pc, ("ecall", "", ""))[:2]
        if key not in rows:
            rows[key] = {}
            order.append(key)
        kind = kind_of(code[pc][0] if pc in code else "ecall")
        rows[key][kind] = rows[key].get(kind, 0) + 1
    heads = [kind for kind, _ in KINDS]
    print("| %s | all | %s |\n|---|%s" % (title, " | ".join(heads), "---|" * (len(heads) + 1)))
    totals = [sum(row.get(head, 0) for row in rows.values()) for head in heads]
    functions = list(dict.fromkeys(function for function, _ in order))
    for function, part in sorted(order, key=lambda key: (functions.index(key[0]), key[1] != "")):
        row = rows[function, part]
        name = "`%s`" % function if not part else "  · `%s`" % part
        print("| %s | %d | %s |" % (name, sum(row.values()),
                                    " | ".join(str(row.get(head, "")) for head in heads)))
    print("| **total** | **%d** | %s |\n" % (len(stay), " | ".join(map(str, totals))))


def main():
    elf = os.path.join(build_dir(), ELF)
    table, code = symbols(elf), mnemonics(elf)
    address = {name: at for at, name in table}
    pcs = traced()
    long_way = {address["trap_syscall"]}
    for title, function in (("call", "trap_call"), ("reply and receive", "trap_reply_receive")):
        stay = stay_in_kernel(pcs, address["trap_entry"], address[function], long_way)
        where = describe(elf, stay, table)
        if "--instructions" in sys.argv:
            for pc in stay:
                print("%x %-28s %-24s %s%s" % (pc, *where.get(pc, ("user", "", ""))[:2],
                                               *code.get(pc, ("ecall", ""))))
        print_table(title, stay, where, code)


if __name__ == "__main__":
    main()
