"""What the server answers to proper requests: the page's files, their headers, sessions and commands."""

import json
import os
import socket
import unittest

from support import JSON, PATIENCE, ROOT, Server, Visitor

PAGE = os.path.join(ROOT, "scripts", "playground", "page")
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".lua": "text/plain; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def page_files():
    for folder, _, names in os.walk(PAGE):
        for name in names:
            if os.path.splitext(name)[1] in TYPES:
                path = os.path.join(folder, name)
                yield "/" + os.path.relpath(path, PAGE), path
    for name in os.listdir(os.path.join(ROOT, "scripts")):
        if name.endswith(".lua"):
            yield "/scripts/" + name, os.path.join(ROOT, "scripts", name)


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def check_headers(self, headers):
        for name, value in HEADERS.items():
            self.assertEqual(value, headers.get(name), name)
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        self.assertEqual("'none'", policy["default-src"])
        self.assertEqual("'self'", policy["script-src"])
        self.assertEqual("'self'", policy["style-src"])
        self.assertEqual("'self' blob: data:", policy["img-src"])
        self.assertEqual("'self'", policy["connect-src"])
        self.assertEqual("'none'", policy["frame-ancestors"])
        self.assertNotIn("set-cookie", headers)
        self.assertNotIn("access-control-allow-origin", headers)
        self.assertNotIn("server", headers)

    def test_every_file_of_the_page_and_every_script_is_served_as_it_is(self):
        count = 0
        for path, file in page_files():
            status, headers, body = self.server.ask("GET", path)
            self.assertEqual(200, status, path)
            self.assertEqual(read(file), body, path)
            self.assertEqual(TYPES[os.path.splitext(path)[1]], headers["content-type"], path)
            self.assertEqual("no-cache", headers["cache-control"])
            self.check_headers(headers)
            count += 1
        self.assertGreater(count, 10)
        self.assertEqual(read(PAGE + "/index.html"), self.server.ask("GET", "/")[2])

    def test_a_file_that_is_known_is_not_sent_again(self):
        _, headers, body = self.server.ask("GET", "/")
        tag = headers["etag"]
        status, headers, again = self.server.ask("GET", "/", headers={"If-None-Match": tag})
        self.assertEqual((304, b"", tag), (status, again, headers["etag"]))
        self.assertEqual((200, body), self.server.ask("GET", "/", headers={"If-None-Match": '"other"'})[::2])

    def test_head_has_the_headers_of_get_and_no_body(self):
        _, get, body = self.server.ask("GET", "/style.css")
        status, head, nothing = self.server.ask("HEAD", "/style.css")
        self.assertEqual((200, b"", get), (status, nothing, head))
        self.assertEqual(str(len(body)), head["content-length"])

    def test_a_session_has_a_token_of_its_own(self):
        status, headers, body = self.server.ask("POST", "/api/session", b"{}", JSON)
        self.assertEqual((200, "application/json", "no-store"),
                         (status, headers["content-type"], headers["cache-control"]))
        self.check_headers(headers)
        opened = json.loads(body)
        self.assertEqual({"token", "data", "version"}, set(opened))
        tokens = {opened["token"], *(Visitor(self.server).token for _ in range(5))}
        self.assertEqual(6, len(tokens))
        for token in tokens:
            self.assertRegex(token, r"\A[0-9a-f]{48}\Z")

    def test_a_command_is_answered_by_the_session(self):
        visitor = Visitor(self.server)
        self.assertEqual({"ok": True}, visitor.open_points(hidden=[3, 2]))
        status, refused = visitor.ask("set", settings={"hidden": [9]})
        self.assertEqual(400, status)
        self.assertRegex(refused["error"], "hidden")
        status, refused = visitor.ask("fly")
        self.assertEqual(400, status)
        self.assertIn("fly", refused["error"])
        visitor.close()

    def test_one_connection_takes_many_requests(self):
        with socket.create_connection((self.server.host, self.server.port), PATIENCE) as s:
            file = s.makefile("rb")
            for _ in range(20):
                s.sendall(f"GET /style.css HTTP/1.1\r\nHost: {self.server.name}\r\n\r\n".encode())
                self.assertEqual(b"HTTP/1.1 200 OK\r\n", file.readline())
                size = 0
                for line in iter(file.readline, b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                self.assertEqual(read(PAGE + "/style.css"), file.read(size))

    def test_two_sessions_with_one_seed_train_alike_to_the_last_digit(self):
        losses = []
        for _ in range(2):
            visitor = Visitor(self.server)
            stream = visitor.stream()
            visitor.open_points(seed=7)
            visitor.do("step")
            event = stream.wait("epoch", lambda e: e["epoch"] == 1)
            losses.append((event["loss"], event["test_loss"]))
            stream.close()
            visitor.close()
        self.assertEqual(losses[0], losses[1])
        self.assertGreater(len(repr(losses[0][0])), 12, "a loss in full")


if __name__ == "__main__":
    unittest.main()
