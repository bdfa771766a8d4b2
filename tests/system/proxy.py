#!/usr/bin/env python3
"""A proxy for tests: prints its port, then a line for each request, "METHOD TARGET STATUS".

usage: proxy.py [USER:PASSWORD]

Tunnels CONNECT and passes other requests on to where their address says, one request on a connection. With a
name and a password it answers 407 to whoever does not give them.
"""

import base64
import socket
import sys
import threading


def pump(source, target):
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def read_head(client):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(65536)
        if not piece:
            return None
        head += piece
    return head


def serve(client, wanted):
    head = read_head(client)
    if head is None:
        return
    method, target, version = head.split(b"\r\n")[0].split(b" ")
    status = 200 if wanted is None or b"proxy-authorization: basic " + wanted in head.replace(b"Proxy-A", b"proxy-a").replace(
        b"Basic", b"basic") else 407
    sys.stdout.write(f"{method.decode()} {target.decode()} {status}\n")  # one write: print() makes two, and threads mix
    sys.stdout.flush()
    if status == 407:
        client.sendall(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="p"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        client.close()
        return
    if method == b"CONNECT":
        host, port = target.rsplit(b":", 1)
        upstream = socket.create_connection((host.decode(), int(port)))
        client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    else:
        place, path = target[len(b"http://"):].split(b"/", 1)
        host, port = place.rsplit(b":", 1)
        lines = [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith((b"proxy-", b"connection:"))]
        upstream = socket.create_connection((host.decode(), int(port)))
        upstream.sendall(b"\r\n".join([method + b" /" + path + b" " + version, b"Connection: close"] + lines))
    threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
    pump(upstream, client)


def main():
    wanted = base64.b64encode(sys.argv[1].encode()) if len(sys.argv) > 1 else None
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, wanted), daemon=True).start()


if __name__ == "__main__":
    main()
