"""For test_convert.sh; needs no torch.

  convert_check.py same FILE.safetensors TRUTH.json     the file has exactly these tensors and aliases
  convert_check.py statistics FOUND.json TRUTH.json     what `inspect --stats --json` found is true
  convert_check.py difference FOUND.json TRUTH.json     what `diff --json` found of 'normal' is true
  convert_check.py hostile DIR                          writes pickles and archives that are refused
"""
import io
import json
import os
import pickle
import struct
import sys
import zipfile


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = [entry["dtype"], entry["shape"], data[8 + n + begin:8 + n + end].hex()]
    return tensors, metadata


def same(path, truth):
    tensors, metadata = read(path)
    with open(truth) as file:
        want = json.load(file)
    assert metadata.pop("format") == "pt"
    assert metadata == want["aliases"], metadata
    assert sorted(tensors) == sorted(want["tensors"]), (sorted(tensors), sorted(want["tensors"]))
    for name, wanted in want["tensors"].items():
        assert tensors[name] == wanted, (name, str(tensors[name])[:200], str(wanted)[:200])


def near(found, want):
    return abs(found - want) <= 1e-9 * max(abs(found), abs(want), 1)


def load(path):
    with open(path) as file:
        return json.load(file)


def statistics(found, truth):
    found = {item["name"]: item["statistics"] for item in load(found)["tensors"]}
    truth = load(truth)
    assert sorted(found) == sorted(truth)
    for name, want in truth.items():
        for figure, value in want.items():
            assert near(found[name][figure], value), (name, figure, found[name][figure], value)


def difference(found, truth):
    changed = {item["name"]: item for item in load(found)["tensors"]["changed"]}
    for figure, value in load(truth).items():
        assert near(changed["normal"][figure], value), (figure, changed["normal"][figure], value)


class Call:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def archive(path, entries, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in entries.items():
            file.writestr(name, data)


def hostile(folder):
    def put(name, data):
        archive(os.path.join(folder, name), {"m/data.pkl": data, "m/version": b"3\n"})

    put("system.bin", pickle.dumps({"w": Call(os.system, "touch %s/ran" % folder)}, 2))
    put("eval.bin", pickle.dumps(Call(eval, "open('%s/ran', 'w')" % folder), 4))
    put("escape.bin", b"\x80\x02cev\x1b[31mil\nname\x07\n.")
    put("extension.bin", b"\x80\x02\x82\x01.")
    put("newobj.bin", b"\x80\x02ccollections\nOrderedDict\n)\x81.")
    put("inst.bin", b"\x80\x02(ios\nsystem\n.")
    put("persistent.bin", b"\x80\x02X\x01\x00\x00\x00xQ.")
    put("call-text.bin", b"\x80\x02X\x01\x00\x00\x00x)R.")
    put("call-storage.bin", b"\x80\x02ctorch\nFloatStorage\n)R.")
    put("trailing.bin", pickle.dumps({}, 2) + b"x")
    put("list.bin", pickle.dumps([1, 2], 2))
    put("no-tensors.bin", pickle.dumps({"a": 1}, 2))
    storage = (b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
               b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ")
    tail = b"\x89}tRs."
    put("missing.bin", storage + b"K\x00K\x02\x85K\x01\x85" + tail)
    put("beyond.bin", storage + b"K\x01K\x02\x85K\x01\x85" + tail)
    put("negative.bin", storage + b"K\x00K\x02\x85J\xff\xff\xff\xff\x85" + tail)
    good = {"m/data.pkl": storage + b"K\x00K\x02\x85K\x01\x85" + tail, "m/data/0": b"\0\0\x80?\0\0\0@"}
    archive(os.path.join(folder, "good.bin"), good)
    archive(os.path.join(folder, "short.bin"), {**good, "m/data/0": b"\0\0\x80?"})
    archive(os.path.join(folder, "big-endian.bin"), {**good, "m/byteorder": b"big"})
    bomb = storage + b"K\x00\x8a\x05\0\0\0\0\x7f\x85K\x00\x85" + tail
    archive(os.path.join(folder, "bomb.bin"), {**good, "m/data.pkl": bomb})
    archive(os.path.join(folder, "deflated.bin"), good, zipfile.ZIP_DEFLATED)
    with open(os.path.join(folder, "good.bin"), "rb") as file:
        data = file.read()
    at = data.index(b"\0\0\x80?\0\0\0@")

    def flipped(name, offset, value):
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data[:offset] + bytes([value]) + data[offset + 1:])

    flipped("damaged.bin", at, 1)
    flipped("renamed.bin", data.index(b"m/data/0") + 7, ord("1"))
    with open(os.path.join(folder, "truncated.bin"), "wb") as out:
        out.write(data[:-30])
    with open(os.path.join(folder, "appended.bin"), "wb") as out:
        out.write(data + b"more")
    with open(os.path.join(folder, "other-pickle.bin"), "wb") as out:
        out.write(pickle.dumps({"w": 1}, 2))


{"same": same, "statistics": statistics, "difference": difference, "hostile": hostile}[
    sys.argv[1]](*sys.argv[2:])
