#!/usr/bin/env python3
"""Reads what strace saw of a command, and says what a power cut could have cost.

usage: sync_order.py TRACE PATTERN...

A pattern is a regular expression of paths that others may see: when something is renamed or linked there, its
bytes, and for a folder all that is in it, must have been synced before, and the folder that it is in must be synced
afterwards. Prints a line for each time that it was not so, then "N published". The trace is of
strace -f -y -s 4096 -e trace=fsync,fdatasync,write,pwrite64,writev,copy_file_range,ftruncate,openat,mkdir,rename,link,symlink,unlink.
"""

import os
import re
import sys

CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
FD = re.compile(r"^\d+<([^>]*)>")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
RESULT = re.compile(r"= (-?\d+)(?:<([^>]*)>)?")


class Thing:
    """A file or a folder: how often it changed, and which change is known to last."""

    def __init__(self):
        self.version = 0
        self.durable = 0

    def is_safe(self):
        return self.durable >= self.version


things = {}
published = {}  # folder that must be synced after, for what
problems = []
n_published = 0


def thing(path):
    return things.setdefault(os.path.normpath(path), Thing())


def change(path):
    thing(path).version += 1


def entry(path):
    change(os.path.dirname(path))


def check(kind, source, target, patterns):
    global n_published
    if not any(re.fullmatch(pattern, target) for pattern in patterns):
        return
    n_published += 1
    for path, what in things.items():
        if (path == source or path.startswith(source + "/")) and not what.is_safe():
            problems.append(f"{path} was not synced before the {kind} to {target}")
    published[target] = os.path.dirname(target)


def move(source, target):
    for path in [p for p in things if p == source or p.startswith(source + "/")]:
        things[target + path[len(source):]] = things.pop(path)


def begin(name, rest, patterns):
    """What is known when a call starts: what a sync covers, and whether what is published is safe."""
    texts = TEXT.findall(rest)
    at = FD.match(rest)
    if name in ("fsync", "fdatasync") and at:
        return thing(at[1]).version
    if name in ("write", "pwrite64", "writev", "ftruncate") and at and at[1].startswith("/"):
        change(at[1])
    if name in ("rename", "link") and len(texts) == 2:
        check(name, os.path.normpath(texts[0]), os.path.normpath(texts[1]), patterns)
    return None


def end(name, rest, result, version):
    texts = TEXT.findall(rest)
    at = FD.match(rest)
    if int(result[1]) < 0:
        return
    if name in ("fsync", "fdatasync") and at:
        thing(at[1]).durable = max(thing(at[1]).durable, version)
    elif name == "openat" and "O_CREAT" in rest and result[2]:
        if os.path.normpath(result[2]) not in things:
            change(result[2])
            entry(result[2])
    elif name in ("mkdir", "symlink"):
        if name == "mkdir":
            thing(texts[0])
        entry(texts[-1])
    elif name == "link":
        things[os.path.normpath(texts[1])] = thing(texts[0])
        entry(texts[1])
    elif name == "rename":
        move(os.path.normpath(texts[0]), os.path.normpath(texts[1]))
        entry(texts[1])


def main():
    trace, patterns = sys.argv[1], sys.argv[2:]
    waiting = {}
    for line in open(trace, encoding="utf-8", errors="replace"):
        call, resumed = CALL.match(line), RESUMED.match(line)
        if resumed and resumed[1] in waiting:
            name, rest, version = waiting.pop(resumed[1])
            result = RESULT.search(resumed[3])
            if result:
                end(name, rest, result, version)
        elif call:
            version = begin(call[2], call[3], patterns)
            result = RESULT.search(call[3].rsplit(")", 1)[-1])
            if result:
                end(call[2], call[3], result, version)
            else:
                waiting[call[1]] = (call[2], call[3], version)
    for target, folder in published.items():
        if not thing(folder).is_safe():
            problems.append(f"{folder} was not synced after {target} came into it")
    print("\n".join(problems + [f"{n_published} published"]))


if __name__ == "__main__":
    main()
