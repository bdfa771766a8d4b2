#!/usr/bin/env python3
"""A hub that misbehaves on demand, for test_download.sh: each repository has one way of going wrong.

usage: fake_hub.py LOG_FILE    prints its port, serves 127.0.0.1 until it is killed

The address http://localhost:PORT plays the content network, a host that must never see the token.
Each request is one line of the log: host, method, path, "token" or "-".
"""

import hashlib
import http.server
import json
import struct
import sys
import threading
import time
import urllib.parse

COMMIT = "a" * 40
OTHER_COMMIT = "b" * 40
TOKEN = "hf_right"


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def safetensors(seed):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}})
    header = header.encode() + b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + struct.pack("<6f", *range(seed, seed + 6))


CONFIG = json.dumps({"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8}).encode()
WEIGHTS = safetensors(1)
BIG = bytes(range(256)) * 16384  # 4 MiB

PLAIN = {
    ".gitattributes": b"* text\n",
    "README.md": b"# tiny\n",
    "config.json": CONFIG,
    "1_Pooling/config.json": b"{}",
    "vocab.txt": "[PAD]\n\u00e4\n".encode(),
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"\x80\x02pickle",
    "tf_model.h5": b"HDF",
    "onnx/model.onnx": b"onnx",
}
LARGE = (".safetensors", ".bin", ".h5", ".onnx", ".so")
PICKLES = {"config.json": CONFIG, "pytorch_model.bin": b"\x80\x02pickle"}
EVIL_PATHS = ["../outside", "/etc/passwd", "a/../../b", "a//b", "a\\b", "C:evil", "a\nb", ".", "x/\x1b[2J"]

REPOSITORIES = {
    "acme/tiny": PLAIN,
    "acme/pages": {f"f{i}.txt": b"%d" % i for i in range(7)} | {"config.json": CONFIG},
    "acme/odd": {"config.json": CONFIG, "a b#c?d%.txt": b"odd", "\u00fcber/\u6587.txt": b"text"},
    "acme/pickle": PICKLES,
    "acme/reserved": PLAIN | {"backends/cpu/libmodel.so": b"\x7fELF", "metadata.json": b"{}"},
    "acme/big": {"config.json": CONFIG, "big.safetensors": BIG, "vocab.txt": b"x"},
    "acme/huge": {"config.json": CONFIG, "model.safetensors": WEIGHTS},
    "bare": {"config.json": CONFIG, "model.safetensors": WEIGHTS},
}
for i in range(len(EVIL_PATHS)):
    REPOSITORIES[f"acme/evil{i}"] = {}
for number, name in enumerate(("gated", "secret", "wrong", "wrong-once", "wrong-git", "long", "short", "short-once", "busy",
             "busy-file", "refused", "loop", "expired", "stall-once", "html", "endless", "twice", "error",
             "foreign-page", "nodigest", "down")):
    weights = WEIGHTS if name == "wrong" else safetensors(10 + number)
    REPOSITORIES["acme/" + name] = {"config.json": CONFIG, "model.safetensors": weights}

counts = {}
lock = threading.Lock()


def seen(key):
    """How often this was asked before."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key] - 1


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # headers and body in one packet

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def as_json(self, value, **headers):
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def refuse(self, status, code=None, message=None, **headers):
        if code:
            headers["X_Error_Code"] = code
        if message:
            headers["X_Error_Message"] = message
        self.answer(status, json.dumps({"error": message or "no"}).encode(), **headers)

    def do_GET(self):
        host = self.headers.get("Host", "")
        token = self.headers.get("Authorization")
        with lock, open(sys.argv[1], "a", encoding="utf-8") as log:
            log.write(f"{host.split(':')[0]} {self.command} {self.path} {'token' if token else '-'}\n")
        url = urllib.parse.urlsplit(self.path)
        path, query = urllib.parse.unquote(url.path), urllib.parse.parse_qs(url.query)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.cdn = f"http://localhost:{self.server.server_port}"
        if token and token != "Bearer " + TOKEN:
            return self.refuse(401, None, "Invalid credentials in Authorization header")
        if path.startswith("/cdn/"):
            return self.file(path[5:])
        if path.startswith("/api/resolve-cache/"):
            return self.file(path[19:])
        if path.startswith("/api/models/"):
            return self.api(path[12:], query, token)
        return self.resolve(path[1:], token)

    # ---- what the repository is

    def api(self, path, query, token):
        for verb in ("/revision/", "/tree/"):
            if verb in path:
                name, rest = path.split(verb, 1)
                break
        else:
            return self.refuse(404)
        if name == "legacy":
            return self.answer(307, Location=f"/api/models/acme/tiny{verb}{rest}")
        if name == "old/tiny":
            name = "acme/tiny"
        if name == "acme/private":
            return self.refuse(401, None, "Invalid username or password.")
        if name not in REPOSITORIES:
            return self.refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        if name == "acme/gated":
            return self.refuse(403 if token else 401, "GatedRepo", "Access to this model is restricted")
        if name == "acme/secret" and not token:
            return self.refuse(401, "RepoNotFound")
        if name == "acme/html":
            return self.answer(200, b"<html>please log in</html>")
        if name == "acme/error":
            return self.refuse(400, None, "bad \x1b[31mrequest")
        if name == "acme/down":
            return self.refuse(503)
        if name == "acme/busy" and seen(name) < 2:
            return self.refuse(429, None, "slow down", RateLimit='"api";r=0;t=0')
        if name == "acme/refused":
            return self.refuse(429, None, "slow down", RateLimit='"api";r=0;t=86000')
        if verb == "/revision/":
            if rest not in ("main", COMMIT, OTHER_COMMIT, "refs/pr/1"):
                return self.refuse(404, "RevisionNotFound", "Invalid rev id")
            sha = OTHER_COMMIT if rest in ("refs/pr/1", OTHER_COMMIT) else COMMIT
            return self.as_json({"id": name, "sha": sha, "siblings": []})
        return self.tree(name, rest, query)

    def tree(self, name, commit, query):
        files = REPOSITORIES[name]
        items = [{"type": "directory", "path": "1_Pooling", "oid": "0" * 40, "size": 0}]
        for path, data in files.items():
            item = {"type": "file", "path": path, "size": len(data), "oid": git_sha1(data)}
            if path.endswith(LARGE):
                item["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            items.append(item)
        if name == "acme/pages":
            start = int(query.get("cursor", ["0"])[0])
            headers = {}
            if start + 3 < len(items):
                headers["Link"] = f'<{self.origin}/api/models/{name}/tree/{commit}?cursor={start + 3}>; rel="next"'
            return self.as_json(items[start:start + 3], **headers)
        if name == "acme/foreign-page":
            if self.headers["Host"].startswith("localhost"):
                return self.as_json(items[2:])
            return self.as_json(items[:2], Link=f'<{self.cdn}{self.path}>; rel="next"')
        if name == "acme/endless":
            return self.as_json([], Link=f'<{self.origin}{self.path}>; rel="next"')
        if name == "acme/twice":
            items.append(items[1])
        if name == "acme/huge":
            items[2]["lfs"]["size"] = items[2]["size"] = 1 << 49
        if name == "acme/nodigest":
            items[1]["oid"] = "zz"
        if name.startswith("acme/evil"):
            items = [{"type": "file", "path": EVIL_PATHS[int(name[9:])], "size": 1, "oid": "0" * 40}]
        return self.as_json(items)

    # ---- its bytes

    def resolve(self, path, token):
        if "/resolve/" not in path:
            return self.refuse(404)
        name, rest = path.split("/resolve/", 1)
        commit, file = rest.split("/", 1)
        if name == "acme/loop":
            return self.answer(302, Location=f"/{urllib.parse.quote(path)}")
        if file not in REPOSITORIES.get(name, {}):
            return self.refuse(404, "EntryNotFound")
        if name == "acme/secret" and not token:
            return self.refuse(401, "RepoNotFound")
        data = REPOSITORIES[name][file]
        target = urllib.parse.quote(f"{name}/{file}")
        if file.endswith(LARGE):
            return self.answer(302, b"moved", Location=f"{self.cdn}/cdn/{target}?signature=1",
                               X_Repo_Commit=commit, X_Linked_Size=str(len(data)),
                               X_Linked_Etag=f'"{hashlib.sha256(data).hexdigest()}"')
        etag = "weird" if name == "acme/nodigest" else git_sha1(data)
        return self.answer(307, b"moved", Location=f"/api/resolve-cache/{target}", X_Repo_Commit=commit,
                           ETag=f'"{etag}"')

    def file(self, path):
        name = next(name for name in REPOSITORIES if path.startswith(name + "/"))
        file = path[len(name) + 1:]
        data = REPOSITORIES[name][file]
        first = seen(path) == 0
        mode = name.split("/")[-1]
        if file == "config.json" and mode != "wrong-git":
            mode = ""
        if mode in ("wrong", "wrong-git") or (mode == "wrong-once" and first):
            data = data[:-1] + bytes([data[-1] ^ 1])
        if mode == "long":
            data += b"more"
        if mode == "busy-file" and first:
            return self.refuse(503, None, "later", Retry_After="0")
        if mode == "expired" and first:
            return self.refuse(403, None, "Request has expired")
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", '"something-else"')
        self.end_headers()
        if mode == "short" or (mode == "short-once" and first):
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True
        elif mode == "stall-once" and first:
            self.wfile.write(data[:10])
            self.wfile.flush()
            time.sleep(30)
            self.close_connection = True
        elif mode == "big" and file.endswith(".safetensors"):
            self.trickle(data)
        else:
            self.wfile.write(data)

    def trickle(self, data):
        try:
            for start in range(0, len(data), 65536):
                self.wfile.write(data[start:start + 65536])
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            self.close_connection = True


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that leave in the middle are part of the test
    print(server.server_port, flush=True)
    server.serve_forever()
