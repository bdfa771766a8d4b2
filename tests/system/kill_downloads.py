#!/usr/bin/env python3
"""Kills a download again and again, then lets it end, and counts what the mirror has sent.

usage: kill_downloads.py PKGMGR STORE ENDPOINT ACCESS_LOG ID SIZE_BYTES ROUNDS SEED [OPTION...]

Each round starts a download and kills it (SIGKILL) when a random number of bytes has come since the round
before, as the maps of the store's partial files tell: so it does not matter how fast the machine is. The
last download is left alone. What was sent is what the mirror's access log (JSON) says that it handed to
the system, the listings included. Prints one line of JSON: bytes sent in all, how many rounds were killed
in the middle, and the last one's exit code and output.
"""

import glob
import json
import pathlib
import random
import subprocess
import sys
import time

HEADER_BYTES = 64  # of a map of ranges
GRAIN_BYTES = 16384
LOOK_S = 0.0005  # between looks at the maps: only how soon after its moment a kill comes


def there_bytes(store):
    """What the maps say is there."""
    total = 0
    for live in glob.glob(f"{store}/partial/*/live"):
        try:
            total += bin(int.from_bytes(pathlib.Path(live).read_bytes()[HEADER_BYTES:], "little")).count("1")
        except OSError:
            pass  # it was ended meanwhile
    return total * GRAIN_BYTES


def sent_bytes(access_log, n_settled):
    """The sum of the log, once it has not grown for so many looks: a line comes when a request ends."""
    lines, n_same = "", 0
    while n_same < n_settled:
        found = pathlib.Path(access_log).read_text(encoding="ascii")
        n_same = n_same + 1 if found == lines else 0
        lines = found
        time.sleep(0.05)
    return sum(json.loads(line)["bytes"] for line in lines.splitlines())


def main():
    pkgmgr, store, endpoint, access_log, name, size, rounds, seed, *options = sys.argv[1:]
    size, rounds, chance = int(size), int(rounds), random.Random(int(seed))
    command = [pkgmgr, "download", name, "--endpoint", endpoint, "--store", store, "-q", *options]
    before = sent_bytes(access_log, 1)
    n_killed = 0
    for _ in range(rounds):
        goal = there_bytes(store) + chance.randrange(1, 2 * size // rounds)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and there_bytes(store) < goal:
                time.sleep(LOOK_S)
            process.kill()
        n_killed += process.returncode == -9
    last = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    print(json.dumps({"total_bytes": sent_bytes(access_log, 5) - before, "size_bytes": size, "n_killed": n_killed,
                      "code": last.returncode, "out": last.stdout.strip(), "err": last.stderr}))


if __name__ == "__main__":
    main()
