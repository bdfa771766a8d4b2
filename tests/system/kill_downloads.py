#!/usr/bin/env python3
"""Kills a download again and again, then lets it end, and counts what went over the network.

usage: kill_downloads.py PKGMGR STORE UPSTREAM_PORT ID ROUNDS SEED

Stands between pkgmgr and the hub at UPSTREAM_PORT, and passes bytes on. Each round starts a download and
kills it (SIGKILL) when a random number of bytes has passed, so that it does not matter how fast the machine
is. It passes them at a network's speed: what counts is what was fetched, not what a slow machine left in its
system's buffers. The last download is left alone. Prints one line of JSON: bytes to the client in all, how many rounds
were killed in the middle, and the last one's exit code and output.
"""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

PIECE = 16384
BYTES_PER_S = 40e6


class Counter:
    """Bytes to the client, and who is to be killed at which count."""

    def __init__(self):
        self.lock = threading.Lock()
        self.total = 0
        self.limit = None
        self.victim = None
        self.free_at = 0.0

    def pace(self, n_bytes):
        """Waits until the network has room for so much."""
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + n_bytes / BYTES_PER_S
            wait = self.free_at - now
        time.sleep(wait)

    def arm(self, victim, n_bytes):
        with self.lock:
            self.victim = victim
            self.limit = self.total + n_bytes

    def add(self, n_bytes):
        with self.lock:
            self.total += n_bytes
            if self.victim is not None and self.total >= self.limit:
                self.victim.kill()
                self.victim = None


counter = Counter()


def pump(source, target, counts):
    try:
        while True:
            piece = source.recv(PIECE)
            if not piece:
                break
            if counts:
                counter.pace(len(piece))
            target.sendall(piece)
            if counts:
                counter.add(len(piece))
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, upstream_port):
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        upstream = socket.create_connection(("127.0.0.1", upstream_port))
        threading.Thread(target=pump, args=(client, upstream, False), daemon=True).start()
        threading.Thread(target=pump, args=(upstream, client, True), daemon=True).start()


def main():
    pkgmgr, store, upstream_port, name, rounds, seed = sys.argv[1:]
    rounds, chance = int(rounds), random.Random(int(seed))
    size = int(os.environ["SIZE_BYTES"])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    threading.Thread(target=serve, args=(listener, int(upstream_port)), daemon=True).start()
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    command = [pkgmgr, "download", name, "--endpoint", endpoint, "--store", store, "-q"]
    n_killed = 0
    for _ in range(rounds):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        counter.arm(process, chance.randrange(1, 2 * size // rounds))
        n_killed += process.wait() == -9
        counter.arm(None, 0)
    last = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    print(json.dumps({"total_bytes": counter.total, "size_bytes": size, "n_killed": n_killed,
                      "code": last.returncode, "out": last.stdout.strip(), "err": last.stderr}))


if __name__ == "__main__":
    main()
