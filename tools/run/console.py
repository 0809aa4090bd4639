# SPDX-License-Identifier: BSD-2-Clause
"""Joins the guest's console to our terminal, byte for byte, while QEMU runs."""
import os
import selectors
import signal
import sys
import termios
import tty


class Keyboard:
    """Our stdin: on a terminal in the foreground, keys go to the guest as they are pressed.

    Ctrl-C still ends ./run. A background job must not touch the terminal, so it has no keyboard.
    """

    def __enter__(self):
        self.fd = sys.stdin.fileno() if sys.stdin and not sys.stdin.closed else None
        self.saved = None
        if self.fd is not None and os.isatty(self.fd):
            if os.tcgetpgrp(self.fd) != os.getpgrp():
                self.fd = None
            else:
                self.saved = termios.tcgetattr(self.fd)
                tty.setcbreak(self.fd)
        return self

    def __exit__(self, *_):
        if self.saved:
            # Being stopped for touching the terminal is worse than leaving it as it is.
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)


def stream(process, on_line, on_pause):
    """Copies both ways until the guest's console closes. Returns what QEMU said on stderr.

    on_line(text) sees each whole console line; on_pause(between_lines) is called now and then.
    """
    errors, line = b"", b""
    with Keyboard() as keyboard, selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.register(process.stderr, selectors.EVENT_READ)
        if keyboard.fd is not None:
            try:
                ready.register(keyboard.fd, selectors.EVENT_READ)
            except PermissionError:  # a plain file, which epoll does not take
                keyboard.fd = None
        while process.stdout in (k.fileobj for k in ready.get_map().values()):
            for key, _ in ready.select(0.2):
                data = os.read(key.fd, 65536)
                if key.fileobj is process.stdout and data:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                    *whole, line = (line + data).split(b"\n")
                    for text in whole:
                        on_line(text.decode("utf-8", "replace").rstrip("\r"))
                elif key.fileobj is process.stderr and data:
                    errors += data
                elif key.fileobj == keyboard.fd and data:
                    try:
                        process.stdin.write(data)
                        process.stdin.flush()
                    except BrokenPipeError:
                        pass
                else:
                    ready.unregister(key.fileobj)
            on_pause(not line)
    return errors.decode("utf-8", "replace")
