"""Talks to a control socket as nobody should: abuse.py SOCKET HOW."""
import json, os, socket, sys
path, how = sys.argv[1:3]

def connect():
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    one.connect(path)
    return one

def answer(one):
    data = b""
    try:
        while not data.endswith(b"\0"):
            piece = one.recv(65536)
            if not piece:
                return data or None
            data += piece
    except (ConnectionError, BrokenPipeError):
        return None
    return data

STATUS = json.dumps({"method": "org.cowd.status"}).encode() + b"\0"
if how == "ask":
    one = connect()
    try:
        one.sendall(STATUS)
    except (ConnectionError, BrokenPipeError):
        pass
    sys.exit(0 if answer(one) else 3)
if how == "odd":
    for data in (b"\0", b"\0" * 5000, b"{\0", b"[1]\0", b"{}\0", b"7\0",
                 b'{"method": 5}\0', b'{"method": "org.cowd.no"}\0',
                 b'{"method": "org.cowd.status", "parameters": []}\0',
                 b'{"method": "org.cowd.undo", "parameters":'
                 b' {"operation": 99999999999999999999}}\0',
                 b'{"a":' * 50000 + b"\0", b"[" * 500000 + b"\0",
                 b'{"method": "org.cowd.status", "method": ""}\0',
                 b"\xff\xfe\xfd" * 100 + b"\0", STATUS[:-5]):
        one = connect()
        try:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
        except (ConnectionError, BrokenPipeError):
            pass
        found = answer(one)
        assert not found or b'"error"' in found, (data[:60], found[:200])
        one.close()
if how == "endless":
    one, sent = connect(), 0
    try:
        while sent < 4 << 30:
            sent += one.send(b"x" * (1 << 20))
    except (ConnectionError, BrokenPipeError):
        pass
    assert sent < 64 << 20, sent
    print("cut off after", sent)
if how == "idle":
    held, refused = [], 0
    for _ in range(10000):
        try:
            one = connect()
            one.setblocking(False)
            held.append(one)
        except OSError:
            refused += 1
        if len(held) > 200: # the oldest ones stay
            held.pop().close()
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.readline()
