#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the file that is loaded from a linked program: position-independent, without symbols.

mkprogram.py OBJCOPY ELF OUTPUT

The linker of a bare-metal toolchain makes no position-independent programs, but it keeps the relocations of what it
links (--emit-relocs). Code addresses relative to the program counter, so only words of data that hold an address depend
on where the program lies. They all lie between __relocated_start and __relocated_end; for each of these
words the bitmap at __relocations has a bit, which is set here where a word holds an address, and which
userland/crt/start.c goes by. Anything else that depends on the address is refused.
"""
import os
import struct
import subprocess
import sys
import tempfile

# The ELF specification, "Section Header", "Symbol Table", "Relocation".
SHT_SYMTAB, SHT_RELA, SHF_ALLOC = 2, 4, 2
SHN_UNDEF, SHN_ABS, ET_DYN, EM_RISCV = 0, 0xfff1, 3, 243
# The RISC-V ELF psABI, "Relocations".
R_RISCV_64, R_RISCV_GOT_HI20, R_RISCV_PCREL_HI20, R_RISCV_PCREL_LO12_I = 2, 20, 23, 24
# Relative to the program counter, the thread or the global pointer, or differences; what is not listed is refused.
HARMLESS = {0: "NONE", 16: "BRANCH", 17: "JAL", 18: "CALL", 19: "CALL_PLT", 24: "PCREL_LO12_I", 25: "PCREL_LO12_S",
            29: "TPREL_HI20", 30: "TPREL_LO12_I", 31: "TPREL_LO12_S", 32: "TPREL_ADD", 33: "ADD8", 34: "ADD16",
            35: "ADD32", 36: "ADD64", 37: "SUB8", 38: "SUB16", 39: "SUB32", 40: "SUB64", 43: "ALIGN",
            44: "RVC_BRANCH", 45: "RVC_JUMP", 47: "GPREL_I", 48: "GPREL_S", 49: "TPREL_I", 50: "TPREL_S",
            51: "RELAX", 52: "SUB6", 53: "SET6", 54: "SET8", 55: "SET16", 56: "SET32", 57: "32_PCREL"}
R_RISCV_LO12_I, R_RISCV_LO12_S = 27, 28 # of an absolute symbol, as weak ones that nobody defines


class Refused(Exception):
    pass


class Section:
    def __init__(self, fields):
        (self.name_at, self.type, self.flags, self.address, self.offset, self.size, self.link, self.info,
         _, _) = fields


class Program:
    """A linked 64-bit little-endian ELF file, as bytes that can be changed."""

    def __init__(self, data):
        self.data = bytearray(data)
        if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != EM_RISCV:
            raise Refused("not a RISC-V ELF file of 64 bits")
        table, = struct.unpack_from("<Q", data, 40)
        entry_size, count, names = struct.unpack_from("<HHH", data, 58)
        self.sections = [Section(struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_size))
                         for i in range(count)]
        self.names = self.sections[names]
        symbols = [s for s in self.sections if s.type == SHT_SYMTAB]
        if not symbols:
            raise Refused("no symbols")
        self.strings = self.sections[symbols[0].link]
        self.symbols = list(struct.iter_unpack("<IBBHQQ", self.content(symbols[0])))

    def content(self, section):
        return self.data[section.offset:section.offset + section.size]

    def string(self, section, at):
        start = section.offset + at
        return self.data[start:self.data.index(0, start)].decode()

    def symbol_name(self, symbol):
        if symbol[0] == 0 and symbol[3] < len(self.sections):
            return self.string(self.names, self.sections[symbol[3]].name_at)
        return self.string(self.strings, symbol[0])

    def address_of(self, name):
        found = [s[4] for s in self.symbols if s[3] != SHN_UNDEF and self.string(self.strings, s[0]) == name]
        if len(found) != 1:
            raise Refused("there are %d symbols %s" % (len(found), name))
        return found[0]

    def place_of(self, address):
        """Where in the file the byte at an address is."""
        for s in self.sections:
            if s.flags & SHF_ALLOC and s.address <= address < s.address + s.size:
                return s.offset + address - s.address
        raise Refused("nothing is at 0x%x" % address)


def relocations(program):
    """(section, offset, type, symbol) of everything loaded."""
    for table in program.sections:
        if table.type == SHT_RELA and program.sections[table.info].flags & SHF_ALLOC:
            for offset, info, _ in struct.iter_unpack("<QQq", program.content(table)):
                yield program.sections[table.info], offset, info & 0xffffffff, program.symbols[info >> 32]


def addresses(program):
    """Where the words are that hold addresses."""
    found = set()
    for section, offset, kind, symbol in relocations(program):
        constant = symbol[3] in (SHN_ABS, SHN_UNDEF)
        if kind == R_RISCV_64:
            if not constant:
                found.add(offset)
        elif kind in (R_RISCV_GOT_HI20, R_RISCV_PCREL_HI20) and not constant:
            pass
        elif kind == R_RISCV_PCREL_HI20 and symbol[3] == SHN_UNDEF:
            pass # see make_null
        elif kind not in HARMLESS and not (kind in (R_RISCV_LO12_I, R_RISCV_LO12_S) and constant):
            raise Refused("%s+0x%x: relocation %d against %s cannot be moved" % (
                program.string(program.names, section.name_at), offset - section.address, kind,
                program.symbol_name(symbol)))
    for section in program.sections: # no relocations are kept for the words of the global offset table
        if section.flags & SHF_ALLOC and program.string(program.names, section.name_at) == ".got":
            for i, (word,) in enumerate(struct.iter_unpack("<Q", program.content(section))):
                if word != 0:
                    found.add(section.address + 8 * i)
    return found


def make_null(program):
    """The address of what nobody defines is 0 wherever the program lies: `auipc` becomes `lui`, and what is added is 0.

    The unprivileged specification, "RV32I Base Integer Instruction Set", has the formats. GNU ld does this by itself.
    """
    nulls = {offset for _, offset, kind, symbol in relocations(program)
             if kind == R_RISCV_PCREL_HI20 and symbol[3] == SHN_UNDEF}
    for offset in nulls:
        place = program.place_of(offset)
        word, = struct.unpack_from("<I", program.data, place)
        struct.pack_into("<I", program.data, place, word & 0xf80 | 0x37)
    for _, offset, kind, symbol in relocations(program):
        if symbol[4] in nulls and kind == R_RISCV_PCREL_LO12_I: # its symbol names the first of the two instructions
            place = program.place_of(offset)
            word, = struct.unpack_from("<I", program.data, place)
            struct.pack_into("<I", program.data, place, word & 0xfffff)


def convert(data):
    program = Program(data)
    make_null(program)
    start, end = program.address_of("__relocated_start"), program.address_of("__relocated_end")
    bitmap = program.place_of(program.address_of("__relocations"))
    for address in sorted(addresses(program)):
        if not start <= address < end or address % 8 != 0:
            raise Refused("an address at 0x%x, outside of what is relocated" % address)
        bit = (address - start) // 8
        program.data[bitmap + bit // 8] |= 1 << bit % 8
    struct.pack_into("<H", program.data, 16, ET_DYN)
    return program.data


def main(argv):
    objcopy, elf, output = argv
    try:
        with open(elf, "rb") as f:
            data = convert(f.read())
    except Refused as reason:
        raise SystemExit("mkprogram: %s: %s" % (elf, reason))
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(output) or ".", delete=False) as f:
        f.write(data)
    try:
        subprocess.run([objcopy, "--strip-all", f.name, output], check=True)
    finally:
        os.unlink(f.name)


if __name__ == "__main__":
    main(sys.argv[1:])
