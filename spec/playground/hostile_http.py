"""Requests that nobody sends in good faith, with a fixed seed: after each, the server answers the next one."""

import json
import random
import socket
import unittest

from support import PATIENCE, SANITIZED, Server, Visitor, read_all, wait_for

ROUNDS = 150 if SANITIZED else 400

BODIES = [
    b"", b"{", b"}", b"[]", b"null", b"1", b'"do"', b"{}", b'{"do":1}', b'{"do":null}', b'{"do":["run"]}', b"{}{}",
    b'{"do":"run"}x', b'{"do":"run","do":"pause"}', b'{"do":"\\ud800"}', b'{"do":"\\u0000"}', b'{"do":"run\xff"}',
    b'{"do":"run",}', b"{'do':'run'}", b'{"do":"set","settings":{"rate":1e999}}',
    b'{"do":"set","settings":{"rate":NaN}}',
    b'{"do":"set","settings":{"rate":99999999999999999999999}}', b"\xef\xbb\xbf{}", b'\x00{"do":"run"}',
    b"[" * 100000, b'{"a":' * 50000, b'{"do":"x","a":' + b"[" * 11 + b"]" * 11 + b"}",
    b'{"do":"x","a":' + b"[" * 500 + b"]" * 500 + b"}", b'{"do":"x","a":[' + b"1," * 900000 + b"1]}",
    b'{"do":"x","a":[' + b'{"b":1},' * 200000 + b"1]}", b'{"do":"' + b"x" * 2000000 + b'"}', b" " * 2000000,
    b'{"do":"x","' + b'":1,"'.join(str(i).encode() for i in range(50000)) + b'":1}',
    b'{"do":"x","a":"' + b"\\" * 999999,
]

COMMANDS = ["open", "run", "pause", "step", "reset", "set", "watch", "export", "edit", "point", "points", "clear",
            "choose", "digits", "code", "draw", "draw_noise", "own", "fly", "", "__index", "new", "settings", "frame"]
NAMES = ["slot", "room", "settings", "fresh", "seed", "panels", "what", "layer", "from", "to", "value", "x", "y",
         "label", "list", "row", "first", "values", "pixels", "level", "images", "n", "rate", "hidden", "batch",
         "noise",
         "problem", "features", "activation", "ratio", "optimizer", "do"]
WORDS = ["points", "autoencoder", "lecture", "script", "safetensors", "onnx", "spiral", "own", "tanh", "adam", "L1",
         "", "é", "\u0000", "../../etc/passwd", "x" * 3000, "__gc", "AAAA", "=", "1e9"]


def some_value(random_source, depth=0):
    kind = random_source.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return random_source.choice([0, 1, -1, 2, 8, 9, 255, 784, 10**9, -(2**63), 2**63 - 1])
    if kind == 1:
        return random_source.choice([0.5, -0.0, 1e308, -1e308, 5e-324, 0.1, 50.5])
    if kind == 2:
        return random_source.choice([True, False, None])
    if kind in (3, 4, 5):
        return random_source.choice(WORDS)
    if kind == 6:
        return {random_source.choice(NAMES): some_value(random_source, depth + 1)
                for _ in range(random_source.randrange(5))}
    return [some_value(random_source, depth + 1) for _ in range(random_source.choice([0, 1, 2, 3, 8, 30]))]


class Hostile(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(20260716)
        self.server = Server("--sessions", "4", "--memory", "64")
        self.visitor = Visitor(self.server)

    def tearDown(self):
        self.visitor.close()
        if self.server.errors.closed:
            return
        status, said = self.server.stop()
        self.assertEqual(0, status, said)
        self.assertNotIn("Sanitizer", said)
        self.assertNotIn("traceback", said)

    def request(self):
        """A proper request, as bytes; the parts that may be spoilt."""
        name, token = self.server.name, self.visitor.token
        return self.random.choice([
            f"GET / HTTP/1.1\r\nHost: {name}\r\nAccept: */*\r\n\r\n",
            f"GET /api/stream?token={token[:-1]}x HTTP/1.1\r\nHost: {name}\r\n\r\n",
            f"POST /api/session HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\n"
            "Content-Length: 0\r\n\r\n",
            f"POST /api/command HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\n"
            f"X-Moonglass-Token: {token}\r\nContent-Length: 12\r\n\r\n" + '{"do":"run"}',
        ]).encode()

    def spoil(self, data):
        data = bytearray(data)
        for _ in range(self.random.choice([1, 1, 1, 2, 5, 20])):
            at = self.random.randrange(len(data) + 1)
            kind = self.random.randrange(6)
            if kind == 0 and at < len(data):
                data[at] = self.random.randrange(256)
            elif kind == 1:
                del data[at:at + self.random.choice([1, 2, 10])]
            elif kind == 2:
                data[at:at] = bytes(self.random.randrange(256) for _ in range(self.random.choice([1, 3, 30])))
            elif kind == 3:
                data[at:at] = self.random.choice([b"\r\n", b"\n", b"\r", b"\0", b": ", b" ", b"%", b"\r\n\r\n", b"?"])
            elif kind == 4:
                data[at:at] = bytes([self.random.choice(b"aA0/.\xff")]) * self.random.choice([50, 9000, 20000])
            else:
                del data[at:]
        return bytes(data)

    def test_spoilt_requests(self):
        for i in range(ROUNDS):
            data = self.spoil(self.request())
            answer = self.server.raw(data)
            self.assertRegex(answer, rb"\A(HTTP/1.1 [1-5]\d\d |\Z)", data[:300])
            if i % 20 == 0:
                self.assertTrue(self.server.lives(), data)
        self.assertTrue(self.server.lives())

    def test_noise(self):
        for _ in range(ROUNDS // 4):
            self.server.raw(self.random.randbytes(self.random.choice([1, 10, 100, 5000, 100000])))
        self.assertTrue(self.server.lives())

    def test_odd_requests(self):
        name = self.server.name
        many = "".join(f"X-{i}: {i}\r\n" for i in range(200))
        for data in (
            "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\n\n", " GET / HTTP/1.1\r\n\r\n",
            f"GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n\r\n",
            f"GET http://evil.example/ HTTP/1.1\r\nHost: {name}\r\n\r\n",
            f"GET * HTTP/1.1\r\nHost: {name}\r\n\r\n", f"GET / HTTP/1.1\r\nHost: {name}\r\n{many}\r\n",
            f"GET / HTTP/1.1\r\nHost: {name}\r\nHost: evil.example\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {name}\r\n: x\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {name}\r\n x: y\r\n\r\n", f"GET /{'a' * 70000} HTTP/1.1\r\nHost: {name}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {name}\r\nX: {'a' * 70000}\r\n\r\n",
            f"GET /? HTTP/1.1\r\nHost: {name}\r\nRange: bytes=0-1,5-\r\nIf-None-Match: {'*' * 3000}\r\n\r\n",
            f"GET /api/stream?{'token=&' * 800} HTTP/1.1\r\nHost: {name}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            f"POST /api/command HTTP/1.1\r\nHost: {name}\r\nContent-Length: 5\r\nContent-Length: 500000\r\n\r\nhello",
            f"POST /api/command HTTP/1.1\r\nHost: {name}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
            f"POST /api/command HTTP/1.1\r\nHost: {name}\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n",
        ):
            answer = self.server.raw(data.encode())
            self.assertRegex(answer, rb"\A(HTTP/1.1 [2-5]\d\d |\Z)", data[:200])
            self.assertNotRegex(answer, rb"\AHTTP/1.1 101", data[:200])
            self.assertTrue(self.server.lives(), data[:200])

    def test_bodies_that_are_no_commands(self):
        for body in BODIES:
            status, answer = self.visitor.send(body)
            self.assertEqual((400, ["error"]), (status, list(answer)), body[:100])
            self.assertTrue(self.server.lives(), body[:100])
        self.assertEqual({"ok": True}, self.visitor.open_points())

    def test_commands_with_anything_in_them(self):
        for i in range(ROUNDS):
            command = {"do": self.random.choice(COMMANDS)}
            for _ in range(self.random.randrange(5)):
                name = self.random.choice(NAMES)
                if name != "do":
                    command[name] = some_value(self.random)
            if i % 50 == 0:
                self.another_session()
            status, answer = wait_for(lambda c=command: self.paced(json.dumps(c).encode()), "an answer")
            self.assertIn(status, (200, 400, 401), (command, answer))
            self.assertTrue(answer.get("ok") if status == 200 else len(answer["error"]) > 5, (command, answer))
            if status == 401:
                self.another_session()
        self.assertTrue(self.server.lives())

    def another_session(self):
        self.visitor.close()
        self.visitor = Visitor(self.server)
        self.visitor.do("open", slot="points", room="points", settings={"hidden": [2]})

    def paced(self, body):
        """The answer; None if these were too many commands for now."""
        status, answer = self.visitor.send(body)
        return None if status == 429 else (status, answer)

    def test_connections_that_say_nothing_or_stop(self):
        quiet = [socket.create_connection((self.server.host, self.server.port), PATIENCE) for _ in range(12)]
        for i, s in enumerate(quiet):
            s.sendall([b"", b"GET", b"GET / HTTP/1.1\r\nHost: "][i % 3])
        self.assertTrue(self.server.lives())
        for s in quiet:
            read_all(s)  # the server closes them
            s.close()
        self.assertTrue(self.server.lives())

    def test_a_body_byte_by_byte_does_not_keep_a_thread(self):
        slow = socket.create_connection((self.server.host, self.server.port), PATIENCE)
        slow.sendall((f"POST /api/command HTTP/1.1\r\nHost: {self.server.name}\r\nContent-Length: 1000000\r\n"
                      f"Content-Type: application/json\r\nX-Moonglass-Token: {self.visitor.token}\r\n\r\n").encode())
        slow.settimeout(0.05)

        def answered():
            try:
                slow.send(b" ")
                return slow.recv(4096)
            except TimeoutError:
                return b""
        self.assertTrue(wait_for(answered, "an end of the slow body").startswith(b"HTTP/1.1 408 "))
        slow.close()

    def test_vanishing_in_the_middle(self):
        for _ in range(60):
            data = self.request()
            with socket.create_connection((self.server.host, self.server.port), PATIENCE) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closing resets the connection
                s.sendall(data[:self.random.randrange(len(data))])
        self.assertTrue(self.server.lives())


if __name__ == "__main__":
    unittest.main()
