# SPDX-License-Identifier: BSD-2-Clause
"""Replaces Skerry on a mounted card, so that the card boots whenever it is pulled out.

New files are written whole beside the old ones before any of those goes. The old pair of kernel and archive
becomes the menu's second entry before the first entry changes; so at every moment one of the two is a pair
that belongs together.
"""
import os
import shutil

import card
from common import Stop

NEW = ".new"
PREVIOUS = "previous"
UNFINISHED = "UPDATING.txt"  # there while kernel and archive may not belong together
UNFINISHED_TEXT = b"An update of this card was cut short. Run it again, or choose 'previous' in the menu.\n"


class Target:
    """The folder where the card's file system is mounted. `step` is told before each change."""

    def __init__(self, folder, step=lambda what: None):
        self.folder = folder
        self.step = step

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def read(self, name):
        try:
            with open(self.path(name), "rb") as f:
                return f.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name, data):
        self.step("write " + name)
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())

    def rename(self, old, new):
        self.step("rename %s to %s" % (old, new))
        os.rename(self.path(old), self.path(new))
        self.sync(os.path.dirname(new))

    def remove(self, name):
        path = self.path(name)
        if os.path.exists(path):
            self.step("remove " + name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def sync(self, name):
        handle = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check(target):
    if not os.path.isdir(target.folder):
        raise Stop("--update %s: there is no such folder; mount the card's partition 3 first"
                   % target.folder)
    menu = target.read(card.MENU)
    if menu is None or not menu.startswith(card.OURS):
        raise Stop("--update %s: not a card of ours (no %s that begins with '%s'); nothing was changed"
                   % (target.folder, card.MENU, card.OURS.decode()))
    return menu


def check_room(target, changed, saved):
    needed = sum(len(data) for data in changed.values()) + saved
    free = shutil.disk_usage(target.folder).free
    if needed > free:
        raise Stop("--update %s: needs %d KiB, %d are free; nothing was changed"
                   % (target.folder, needed // 1024 + 1, free // 1024))


def recover(target):
    """Tidies up after an update that was cut short."""
    if not os.path.exists(target.path(PREVIOUS)) and os.path.exists(target.path(PREVIOUS + ".old")):
        target.rename(PREVIOUS + ".old", PREVIOUS)
    target.remove(PREVIOUS + ".old")
    target.remove(PREVIOUS + NEW)


def keep_pair(target, pair):
    for name, data in pair.items():
        target.write(os.path.join(PREVIOUS + NEW, name), data)
    if os.path.exists(target.path(PREVIOUS)):
        target.rename(PREVIOUS, PREVIOUS + ".old")
    target.rename(PREVIOUS + NEW, PREVIOUS)
    target.remove(PREVIOUS + ".old")


def swap_pair(target):
    target.write(UNFINISHED, UNFINISHED_TEXT)
    for name in card.PAIR:
        target.rename(name + NEW, name)


def update(folder, description, build_dir, append=None, step=lambda what: None):
    """Returns the names that were replaced. The kernel's words stay as they are on the card if append is
    None."""
    target = Target(folder, step)
    append = append or card.append_of(check(target))
    pair = {name: target.read(name) for name in card.PAIR}
    new = description.contents(build_dir, append)
    replace_pair = any(pair[name] != new[name] for name in card.PAIR)
    keep = replace_pair and None not in pair.values() and target.read(UNFINISHED) is None
    recover(target)
    if keep or os.path.isdir(target.path(PREVIOUS)):
        description.add_previous(new, append)
    changed = {name: data for name, data in new.items()
               if (replace_pair if name in card.PAIR else target.read(name) != data)}
    check_room(target, changed, sum(len(data) for data in pair.values()) if keep else 0)
    for name, data in changed.items():
        target.write(name + NEW, data)
    if keep:
        keep_pair(target, pair)
    for name in changed:
        if name not in card.PAIR:
            target.rename(name + NEW, name)
    if replace_pair:
        swap_pair(target)
    target.remove(UNFINISHED)
    for name in new:  # what an earlier update, cut short, left behind
        target.remove(name + NEW)
    return sorted(changed)
