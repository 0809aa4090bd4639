# SPDX-License-Identifier: BSD-2-Clause
"""./run: the command line."""
import argparse
import os
import signal
import subprocess
import sys

import board
from common import INTERRUPTED, ROOT, Stop, USAGE, say

COMMANDS = {
    "serve": "build if needed, boot, serve the web page (the default)",
    "test": "build, then run the tests: all of them, or the suites named",
    "fuzz": "libFuzzer over one of the targets of tests/fuzz",
    "bench": "measure: all groups, or those named",
    "matrix": "build with every compiler and kind of build, boot each on every machine",
    "build": "build only",
    "image": "make the image of a board's card, or update a mounted card",
    "gdb": "boot under gdb",
    "check": "format, static analysis, layering",
    "clean": "remove everything that ./run made",
}
EPILOG = """\
exit status: 0 good, 1 failure, 2 usage, 3 a tool is missing, 130 Ctrl-C
environment: CROSS=prefix- names another cross compiler
"""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Stop("%s (try ./run %s--help)" % (message, self.prog[6:] + " " if self.prog[6:] else ""),
                   USAGE)


def common_options(parser):
    parser.add_argument("--offline", action="store_true",
                        help="install nothing and download nothing")


def guest_options(parser):
    common_options(parser)
    parser.add_argument("--port", type=int, default=8080, metavar="N",
                        help="port of 127.0.0.1 that leads to the guest's port 80 "
                             "(default 8080; 0 takes a free one)")
    parser.add_argument("--board", default=board.DEFAULT, metavar="NAME",
                        help="machine that QEMU is: %s (default %s)"
                             % (", ".join(board.names()), board.DEFAULT))
    parser.add_argument("--smp", type=int, default=4, metavar="N", help="harts (default 4)")
    parser.add_argument("--mem", default=board.MEM_DEFAULT, metavar="M",
                        help="memory (default %s; a board may have a size of its own)"
                             % board.MEM_DEFAULT)
    parser.add_argument("--net", default="user", metavar="user|none|tap:IFNAME",
                        help="network: QEMU's own (default), none, or an existing tap interface")
    parser.add_argument("--www", metavar="DIR", help="serve DIR instead of the shipped pages")
    parser.add_argument("--append", default="", metavar="WORDS", help="kernel command line")
    parser.add_argument("--qemu", default="", metavar="ARGS", help="extra arguments for QEMU")


def make_parser(command):
    parser = Parser(prog="./run " + command, description=COMMANDS[command] + ".", epilog=EPILOG,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    if command in ("serve", "gdb"):
        guest_options(parser)
    if command == "serve":
        parser.add_argument("--timeout", type=float, default=0, metavar="S",
                            help="fail if no page was served within S seconds (default: never)")
    elif command == "gdb":
        parser.add_argument("gdb_args", nargs="*", metavar="GDB-ARGUMENT",
                            help="more arguments for gdb, after --")
    elif command == "test":
        import suites
        common_options(parser)
        parser.add_argument("--timeout", type=float, default=0, metavar="S",
                            help="a test that takes longer than S seconds hangs "
                                 "(default: its own limit)")
        parser.add_argument("--long", action="store_true",
                            help="run the long tests of the suites instead (hours in all, each suite under "
                                 "80 minutes); what has passed with the same sources is not repeated, so "
                                 "the command may be ended and given again")
        parser.add_argument("--coverage", action="store_true",
                            help="run the native test programs and the suites kernel, ipc, system and hostile, and "
                                 "print, for each file of kernel/ and ipc/, the lines that none of them ran")
        parser.add_argument("--fresh", action="store_true",
                            help="with --long: repeat what has passed, too")
        parser.add_argument("suites", nargs="*", metavar="SUITE",
                            help=", ".join(suites.SUITES) + " (default: all)")
    elif command == "fuzz":
        import fuzz
        common_options(parser)
        parser.add_argument("--seconds", type=int, default=60, metavar="N",
                            help="how long (default 60); what was learnt is kept for the next time")
        parser.add_argument("--keep", action="store_true",
                            help="write what reaches all that was reached to tests/fuzz/seeds/TARGET.corpus")
        parser.add_argument("target", metavar="TARGET", help=", ".join(fuzz.targets()))
    elif command == "bench":
        import bench
        common_options(parser)
        parser.add_argument("groups", nargs="*", metavar="GROUP",
                            help=", ".join(bench.GROUPS) + ": the first part of a figure's name (default: all)")
        parser.add_argument("--update-baseline", action="store_true",
                            help="accept the figures of ipc: write them to their baseline")
    elif command == "image":
        common_options(parser)
        parser.add_argument("board", metavar="BOARD", help="a folder of boards/ with a card.ini: visionfive2, hifive-unleashed")
        parser.add_argument("-o", dest="output", metavar="FILE",
                            help="the image (default build/BOARD.img); never a device")
        parser.add_argument("--update", metavar="DIR",
                            help="make no image: replace Skerry on the card whose partition 3 is mounted "
                                 "at DIR; what ran before becomes the second entry of the boot menu")
        parser.add_argument("--firmware", metavar="DIR",
                            help="put the board's own boot loaders of DIR on the card as well (hifive-unleashed: "
                                 "u-boot-spl.bin and u-boot.itb; Debian 13 has them in u-boot-sifive)")
        parser.add_argument("--append", default="", metavar="WORDS",
                            help="kernel command line (default manifest=system; --update keeps the card's)")
    elif command == "matrix":
        common_options(parser)
        parser.add_argument("--cells", nargs="+", default=[], metavar="CELL",
                            help="virt-1, virt-2, virt-4, sifive-u, card (default: all)")
        parser.add_argument("rows", nargs="*", metavar="ROW",
                            help="gcc or clang, and debug, release or checks: gcc-debug (default: all)")
    elif command in ("build", "check"):
        common_options(parser)
    return parser


def top_help():
    lines = ["usage: ./run [COMMAND] [OPTIONS]", "",
             "Builds, boots, tests and measures Skerry.", "", "commands:"]
    lines += ["  %-7s %s" % item for item in COMMANDS.items()]
    lines += ["", "./run COMMAND --help lists a command's options; ./run --version prints the version.",
              "", EPILOG.rstrip()]
    print("\n".join(lines))


def version():
    """As the build sees it (git describe)."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT,
                              capture_output=True, text=True)
        return done.stdout.strip() or "unknown"
    except FileNotFoundError:
        return "unknown"


def dispatch(command, options):
    # Imported here, so that --help works whatever a command needs.
    if command in ("serve", "gdb"):
        import serve
        return getattr(serve, command)(options)
    if command == "test":
        import suites
        return suites.main(options)
    if command == "fuzz":
        import fuzz
        return fuzz.main(options)
    if command == "bench":
        import bench
        return bench.main(options)
    if command == "image":
        import image
        return image.main(options)
    if command == "matrix":
        import matrix
        return matrix.main(options)
    if command == "check":
        import check
        return check.main(options)
    import build
    if command == "clean":
        build.clean()
        return 0
    import packages
    packages.need(packages.BUILD, options.offline)
    build.build(options.offline)
    print("build/Image\nbuild/bootfs.cpio")
    return 0


def main(argv):
    if argv and argv[0] in ("--help", "-h", "help"):
        top_help()
        return 0
    if argv and argv[0] == "--version":
        print("skerry " + version())
        return 0
    command, rest = "serve", argv
    if argv and not argv[0].startswith("-"):
        command, rest = argv[0], argv[1:]
        if command not in COMMANDS:
            raise Stop("no command '%s' (try ./run --help)" % command, USAGE)
    return dispatch(command, make_parser(command).parse_args(join_values(rest)))


def join_values(argv):
    """--qemu -foo becomes --qemu=-foo: their values may well begin with a dash."""
    joined, rest = [], list(argv)
    while rest:
        word = rest.pop(0)
        joined.append(word + "=" + rest.pop(0) if word in ("--qemu", "--append") and rest else word)
    return joined


def on_signal(number, _):
    raise SystemExit(128 + number)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("ended by Ctrl-C")
        sys.exit(INTERRUPTED)
    except Stop as stop:
        say(str(stop))
        sys.exit(stop.status)
    except BrokenPipeError:  # our reader has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        say(str(error))
        sys.exit(1)
