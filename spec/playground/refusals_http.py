"""What the server refuses, each with a status and words in JSON: foreign names and pages, wrong tokens, methods, types,
sizes, paths, rates."""

import json
import socket
import unittest

from support import JSON, PATIENCE, Server, Visitor


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--sessions", "4")
        cls.visitor = Visitor(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.visitor.close()
        cls.server.__exit__(None, None, None)

    def refused(self, status, answer, words=""):
        self.assertEqual(status, answer[0], answer)
        value = answer[-1] if isinstance(answer[-1], dict) else json.loads(answer[-1])
        self.assertEqual(["error"], list(value))
        self.assertIn(words, value["error"])
        self.assertGreater(len(value["error"].split()), 2, value)
        return answer

    def test_a_foreign_host_gets_nothing(self):
        port = self.server.port
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", f"127.0.0.1:{port + 1}",
                     "127.0.0.1", f"10.0.0.1:{port}", f"[::1]:{port}", f"localhost:{port}@evil.example", "", ":",
                     f"127.0.0.1:{port} ", f":{port}", "127.0.0.1:0x1", f"127.0.0.1:{port}, evil.example", "x" * 5000):
            for method, path in (("GET", "/"), ("POST", "/api/session"), ("GET", "/api/stream")):
                answer = self.server.raw(
                    f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode())
                if host.strip() == f"127.0.0.1:{port}":
                    continue  # blanks around a value do not count
                self.assertRegex(answer, rb"\AHTTP/1.1 4(03|00) ", (host, method, path))
        self.assertRegex(self.server.raw(b"GET / HTTP/1.1\r\n\r\n"), rb"\AHTTP/1.1 403 ")
        self.assertRegex(self.server.raw(b"GET / HTTP/1.0\r\n\r\n"), rb"\AHTTP/1.1 403 ")
        self.refused(403, self.server.ask("GET", "/", headers={"Host": "evil.example"}), "its own name")

    def test_its_own_names_are_served(self):
        for host in (self.server.name, f"localhost:{self.server.port}", f"LocalHost:{self.server.port}"):
            self.assertEqual(200, self.server.ask("GET", "/", headers={"Host": host})[0], host)

    def test_a_foreign_page_gets_nothing(self):
        name = self.server.name
        for origin in ("http://evil.example", "null", "", f"https://{name}", f"http://{name}.evil.example",
                       f"http://{name}/", f"http://localhost:{self.server.port}", f"ftp://{name}", f"//{name}",
                       f"http://127.0.0.1:{self.server.port + 1}", f"http://127.0.0.1:{self.server.port}@evil.example"):
            head = {**JSON, "Origin": origin, "X-Moonglass-Token": self.visitor.token}
            self.refused(403, self.server.ask("POST", "/api/session", b"{}", head), "Origin")
            self.refused(403, self.server.ask("POST", "/api/command", b'{"do":"run"}', head), "Origin")
            self.refused(403, self.server.ask("GET", f"/api/stream?token={self.visitor.token}", headers=head), "Origin")
            self.refused(403, self.server.ask("GET", "/", headers=head), "Origin")
        head = {**JSON, "Origin": f"http://{name}", "X-Moonglass-Token": self.visitor.token}
        self.assertEqual(400, self.server.ask("POST", "/api/command", b'{"do":"run"}', head)[0])

    def test_a_name_can_be_added(self):
        with Server("--name", "lecture.example") as server:
            good = f"lecture.example:{server.port}"
            self.assertEqual(200, server.ask("GET", "/", headers={"Host": good})[0])
            self.assertEqual(403, server.ask("GET", "/", headers={"Host": f"other.example:{server.port}"})[0])
            head = {**JSON, "Host": good}
            self.assertEqual(200, server.ask("POST", "/api/session", b"{}", {**head, "Origin": f"http://{good}"})[0])
            self.assertEqual(
                403, server.ask("POST", "/api/session", b"{}",
                                {**head, "Origin": f"http://127.0.0.1:{server.port}"})[0])

    def test_a_server_in_front_may_have_the_name_another_port_and_encryption(self):
        with Server("--name", "lecture.example") as server:
            def ask(host, origin):
                return server.ask("POST", "/api/session", b"{}", {**JSON, "Host": host, "Origin": origin})[0]
            for host in ("lecture.example", "Lecture.example", "lecture.example:8443"):
                self.assertEqual(200, ask(host, f"https://{host}"), host)
                self.assertEqual(403, ask(host, "https://evil.example"), host)
                self.assertEqual(403, ask(host, "https://lecture.example:1"), host)
                self.assertEqual(403, ask(host, f"https://{host}.evil.example"), host)
            self.assertEqual(403, ask("lecture.example:x", "https://lecture.example:x"))
            address = f"127.0.0.1:{server.port}"
            self.assertEqual(403, ask(address, f"https://{address}"))

    def test_without_the_right_token_there_is_no_session(self):
        right = self.visitor.token
        other = right[:-1] + ("0" if right[-1] != "0" else "1")
        for token in ("", other, right[:-1], right + "0", right.upper() + "x", "x" * 48, "0" * 48, "é" * 24, "%00"):
            answer = self.server.ask("POST", "/api/command", b'{"do":"run"}',
                                     {**JSON, "X-Moonglass-Token": token.encode()})
            self.refused(401, answer, "no session")
        self.refused(401, self.server.ask("POST", "/api/command", b'{"do":"run"}', JSON), "no session")
        for query in ("", "?", "?token=", f"?token={other}", f"?token={right}0", f"?Token={right}x", f"?x={right}",
                      "?token=" + "%41" * 500):
            self.refused(401, self.server.ask("GET", "/api/stream" + query), "no session")

    def test_methods(self):
        for method, path, allowed in (
            ("POST", "/", "GET, HEAD"), ("PUT", "/index.html", "GET, HEAD"), ("DELETE", "/app.js", "GET, HEAD"),
            ("OPTIONS", "/", "GET, HEAD"), ("PATCH", "/x", "GET, HEAD"), ("GET", "/api/session", "POST"),
            ("HEAD", "/api/session", "POST"), ("GET", "/api/command", "POST"), ("DELETE", "/api/command", "POST"),
            ("OPTIONS", "/api/command", "POST"), ("POST", "/api/stream", "GET"), ("PROPFIND", "/", "GET, HEAD"),
            ("MKCOL", "/x", "GET, HEAD"),
        ):
            status, headers, body = self.server.ask(method, path)
            self.assertEqual((405, allowed), (status, headers.get("allow")), (method, path))
            if method != "HEAD":
                self.assertIn("error", json.loads(body))
        for method in ("TRACE", "CONNECT", "FLY", "get", "GE"):
            answer = self.server.raw(f"{method} / HTTP/1.1\r\nHost: {self.server.name}\r\n\r\n".encode())
            self.assertRegex(answer, rb"\AHTTP/1.1 (405|400) ", method)

    def test_types(self):
        head = {"X-Moonglass-Token": self.visitor.token}
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                     "application/jsonp", "application", ""):
            answer = self.server.ask("POST", "/api/command", b'{"do":"run"}', {**head, "Content-Type": kind})
            self.refused(415, answer, "application/json")
            self.refused(415, self.server.ask("POST", "/api/session", b"{}", {"Content-Type": kind}))
        for kind in ("application/json; charset=utf-8", "Application/JSON"):
            answer = self.server.ask("POST", "/api/command", b'{"do":"run"}', {**head, "Content-Type": kind})
            self.refused(400, answer, "no room")

    def test_sizes(self):
        head = f"Host: {self.server.name}\r\nContent-Type: application/json\r\nX-Moonglass-Token: {self.visitor.token}"
        for line, status in (("Content-Length: 2097153", 413), ("Content-Length: 99999999999999", 413),
                             ("X-Nothing: 1", 411), ("Transfer-Encoding: chunked", 411)):
            answer = self.server.raw(f"POST /api/command HTTP/1.1\r\n{head}\r\n{line}\r\n\r\n".encode())
            self.assertRegex(answer, rf"\AHTTP/1.1 {status} ".encode(), line)
            if status == 413:
                self.assertIn(b"Connection: close", answer)
        for size in ("-1", "1x", "99999999999999999999999", "0x10", "1 2", "--1", "+3", ""):
            answer = self.server.raw(
                f"POST /api/command HTTP/1.1\r\n{head}\r\nContent-Length: {size}\r\n\r\n{{}}".encode())
            self.assertRegex(answer, rb"\AHTTP/1.1 4\d\d ", size)
        self.refused(413, self.server.ask("POST", "/api/session", b" " * 1025, JSON), "1025 bytes")
        for size in (2097153, 9000000):
            self.refused(413, self.visitor.send(b" " * size), f"{size} bytes")
        padded = b'{"do":"nothing"}' + b" " * (2097152 - 16)
        self.refused(400, self.visitor.send(padded), "open")

    def test_a_body_that_ends_early_is_refused(self):
        head = f"Host: {self.server.name}\r\nContent-Type: application/json\r\nX-Moonglass-Token: {self.visitor.token}"
        answer = self.server.raw(
            f'POST /api/command HTTP/1.1\r\n{head}\r\nContent-Length: 100\r\n\r\n{{"do":"run"}}'.encode())
        self.assertRegex(answer, rb"\AHTTP/1.1 408 ")

    def test_no_path_leads_out(self):
        for path in ("/../etc/passwd", "/..", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/./index.html",
                     "/..\\..\\etc\\passwd", "//etc/passwd", "/draw/../index.html", "/index.html%00.png", "/etc/passwd",
                     "/index.html/", "/index.htm", "/INDEX.HTML", "/draw", "/draw/", "/%69ndex.html", "/index.html.",
                     "moonglass/init.lua", "/moonglass/init.lua", "/playground/session.lua", "/lua/session.lua",
                     "/scripts/playground/lua/session.lua", "/scripts/", "/scripts/../lua/session.lua", "/.git/config",
                     "/host/main.c", "/" + "a" * 4000, "/" + "../" * 500 + "etc/passwd", "/api", "/api/", "/api/files",
                     "/api/session/", "/api/../index.html"):
            answer = self.server.raw(f"GET {path} HTTP/1.1\r\nHost: {self.server.name}\r\n\r\n".encode())
            self.assertRegex(answer, rb"\AHTTP/1.1 40[04] ", path)
            self.assertNotIn(b"root:", answer)
            self.assertNotIn(b"moonglass.core", answer)

    def test_more_than_120_commands_at_once_are_too_many(self):
        visitor = Visitor(self.server)
        got = [visitor.ask("nothing") for _ in range(400)]
        statuses = [status for status, _ in got]
        self.assertEqual({400, 429}, set(statuses))
        self.assertEqual([400] * 120, statuses[:120])
        status, words = next(g for g in got if g[0] == 429)
        self.refused(429, (status, words), "too many commands")
        other = Visitor(self.server)
        self.refused(400, other.ask("nothing"), "open")
        visitor.close()
        other.close()

    def test_new_sessions_have_a_rate(self):
        with Server("--sessions", "2") as server:
            got = []
            for _ in range(300):
                got.append(server.ask("POST", "/api/session", b"{}", JSON))
                if got[-1][0] == 429:
                    break
            self.assertEqual(429, got[-1][0])
            self.assertEqual("1", got[-1][1]["retry-after"])
            self.assertIn("too many new sessions", json.loads(got[-1][2])["error"])
            self.assertTrue(server.lives())

    def test_commands_that_wait_are_bounded(self):
        # The session's thread is busy with these, so that they wait; more than eight cannot.
        visitor = Visitor(self.server)
        visitor.open_points()
        sockets = [socket.create_connection((self.server.host, self.server.port), PATIENCE) for _ in range(24)]
        body = json.dumps({"do": "reset", "seed": 1})
        for s in sockets:
            s.sendall((f"POST /api/command HTTP/1.1\r\nHost: {self.server.name}\r\nContent-Type: application/json\r\n"
                       f"X-Moonglass-Token: {visitor.token}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        statuses = {int(s.makefile("rb").readline().split()[1]) for s in sockets}
        self.assertLessEqual(statuses, {200, 503})
        self.assertIn(200, statuses)
        for s in sockets:
            s.close()
        self.assertEqual({"ok": True}, visitor.do("reset"))
        visitor.close()


if __name__ == "__main__":
    unittest.main()
