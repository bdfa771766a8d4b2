#!/usr/bin/env python3
"""Writes an archive anew with other contents, and with every number and digest of its header and metadata right: what
somebody who knows the format can do.

usage: archive_forge.py FROM TO change PATH | add PATH | drop PATH | name PATH NEW | zstd-without-checksum PATH
"""

import hashlib
import json
import struct
import subprocess
import sys

HEADER = "<8sIIIIQQQQ32s32sQ"
ALIGNMENT = 4096


def aligned(n):
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    header = list(struct.unpack(HEADER, data[:128]))
    metadata = json.loads(data[128:128 + header[6]])
    entries = [(entry, data[entry["offset"]:entry["offset"] + entry["stored"]]) for entry in metadata["entries"]]
    return header, metadata, entries


def stored(path, content):
    return ({"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "offset": 0,
             "stored": len(content), "method": "stored"}, content)


def write(path, header, metadata, entries):
    entries.sort(key=lambda entry: entry[0]["path"].encode())
    metadata["entries"] = [entry for entry, _ in entries]
    text = b""
    while True:
        end = aligned(128 + len(text))
        for entry, content in entries:
            entry["offset"] = aligned(end)
            end = entry["offset"] + len(content)
        again = json.dumps(metadata, separators=(",", ":"), ensure_ascii=False).encode()
        if len(again) == len(text):
            break
        text = again
    header[5:7] = [end, len(again)]
    header[9:11] = [hashlib.sha256(again).digest(), bytes(32)]
    file = bytearray(end)
    file[0:128] = struct.pack(HEADER, *header)
    file[128:128 + len(again)] = again
    for entry, content in entries:
        file[entry["offset"]:entry["offset"] + len(content)] = content
    file[88:120] = hashlib.sha256(file).digest()
    with open(path, "wb") as out:
        out.write(file)


def main():
    source, target, what, path = sys.argv[1:5]
    header, metadata, entries = read(source)
    rest = [entry for entry in entries if entry[0]["path"] != path]
    found = [entry for entry in entries if entry[0]["path"] == path]
    if what == "change":
        entry, content = found[0]
        assert entry["method"] == "stored"
        rest.append(stored(path, content[:-1] + bytes([content[-1] ^ 1])))
    elif what == "add":
        rest.append(stored(path, b"nobody listed this"))
    elif what == "name":
        found[0][0]["path"] = sys.argv[5].encode().decode("unicode_escape")
        rest += found
    elif what == "zstd-without-checksum":
        entry, content = found[0]
        if entry["method"] == "zstd-frames":
            content = subprocess.run(["zstd", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
        frame = subprocess.run(["zstd", "-c", "--no-check", f"--stream-size={len(content)}"], input=content,
                               stdout=subprocess.PIPE, check=True).stdout
        made = stored(path, content)[0]
        made.update(stored=len(frame), method="zstd-frames", frames=[len(frame)])
        rest.append((made, frame))
    else:
        assert what == "drop"
    write(target, header, metadata, rest)


main()
