#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the kernel's symbol table, from which a panic names the functions of its backtrace.

mksymbols.py OUTPUT [NM ELF]: the functions of ELF as C source (see kernel/include/kernel/symbols.h);
without ELF an empty table, for the first of the two links and for the native build. The table lies
behind the kernel's text, so that adding it moves no function.
"""
import subprocess
import sys

HEAD = """/* Made by tools/mksymbols.py. */
#include <kernel/symbols.h>

"""


def functions(nm, elf):
    """(address, name) of each function, ascending, one name for each address."""
    listed = subprocess.run([nm, "-n", elf], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {}
    for line in listed.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in "Tt" and not fields[2].startswith((".L", "$")):
            if int(fields[0], 16) != 0:  # llvm-nm counts an absolute symbol among the functions
                found.setdefault(int(fields[0], 16), fields[2])
    return sorted(found.items())


def source(table):
    base = table[0][0] if table else 0
    offsets, places, names = [], [], ""
    for address, name in table:
        offsets.append("%d" % (address - base))
        places.append("%d" % len(names))
        names += name + "\0"
    text = HEAD
    text += "const uint32_t symbol_count = %d;\n" % len(table)
    text += "const uint64_t symbol_base = %#xull;\n" % base
    text += "const uint32_t symbol_offsets[] = {%s};\n" % ", ".join(offsets or ["0"])
    text += "const uint32_t symbol_places[] = {%s};\n" % ", ".join(places or ["0"])
    text += "const char symbol_names[] =\n"
    text += "".join('    "%s\\0"\n' % name for _, name in table) or '    ""\n'
    return text.rstrip("\n") + ";\n"


def main(argv):
    table = functions(argv[1], argv[2]) if len(argv) > 1 else []
    with open(argv[0], "w") as f:
        f.write(source(table))


if __name__ == "__main__":
    main(sys.argv[1:])
