"""What the HTTP tests of the playground share: a server of their own, and clients that speak HTTP/1.1 by themselves."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("MOONGLASS_PLAYGROUND", os.path.join(ROOT, "build", "moonglass-playground"))
SANITIZED = "/san/" in PROGRAM or "/tsan/" in PROGRAM
# The thread sanitizer needs addresses that are not random. A slow end is cut off, with threads that still run.
TSAN = ["setarch", "-R", "env", "TSAN_OPTIONS=report_thread_leaks=0"]
COMMAND = [*TSAN, PROGRAM] if "/tsan/" in PROGRAM else [PROGRAM]
SHAPES = os.path.join(ROOT, "spec", "fixtures", "shapes")  # a small set in MNIST's format
PATIENCE = 60  # seconds until something that has to happen counts as hanging
JSON = {"Content-Type": "application/json"}


def wait_for(condition, what):
    """Wait until condition() is true, and return its value."""
    end = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)


class Server:
    """The program, on a free port."""

    def __init__(self, *options, data=SHAPES):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *(["--data", data] if data else []), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT)
        line = self.process.stdout.readline().decode()
        found = re.fullmatch(r"http://([\w.]+):(\d+)/\n", line)
        assert found, f"expected the address, got {line!r} and {self.said()}"
        self.host, self.port = "127.0.0.1", int(found.group(2))
        self.name = f"{found.group(1)}:{self.port}"

    def said(self):
        """Its standard error so far."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def memory(self):
        """Bytes in the resident set."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def stop(self, number=signal.SIGTERM):
        """End it by a signal; its exit status, and what it said on its standard error."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        said = self.said()
        self.errors.close()
        return status, said

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.errors.closed:
            return
        status, said = self.stop()
        if not kind:
            assert status == 0, f"the server ended with status {status}: {said}"
            assert not said, f"the server said: {said}"

    def ask(self, method, path, body=None, headers=()):
        """One request on a connection of its own: status, headers (names in lower case), body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def raw(self, data, finish=True):
        """Send bytes as they are; everything that comes back until the server closes the connection."""
        with socket.create_connection((self.host, self.port), PATIENCE) as s:
            try:
                s.sendall(data)
                if finish:
                    s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the server has closed the connection
            return read_all(s)

    def lives(self):
        """Does it answer an ordinary request?"""
        return self.process.poll() is None and self.ask("GET", "/")[0] == 200


def read_all(s):
    parts = []
    try:
        while True:
            part = s.recv(65536)
            if not part:
                break
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts)


class Visitor:
    """A session, with one connection for its commands."""

    def __init__(self, server):
        self.server = server
        status, _, body = server.ask("POST", "/api/session", b"{}", JSON)
        assert status == 200, (status, body)
        self.opened = json.loads(body)
        self.token = self.opened["token"]
        self.connection = None

    def send(self, body, headers=()):
        """Post a body as it is: status, and the answer as an object."""
        head = {**JSON, "X-Moonglass-Token": self.token, **dict(headers)}
        for attempt in range(2):
            if not self.connection:
                self.connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=PATIENCE)
            try:
                self.connection.request("POST", "/api/command", body, head)
                answer = self.connection.getresponse()
                value = json.loads(answer.read())
                if answer.getheader("Connection") == "close":
                    self.close()
                return answer.status, value
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()  # the server closes connections that were unused for a while
                if attempt:
                    raise

    def ask(self, name, **arguments):
        return self.send(json.dumps({"do": name, **arguments}))

    def do(self, name, **arguments):
        """A command that has to succeed: its answer."""
        status, value = self.ask(name, **arguments)
        assert status == 200, (name, status, value)
        return value

    def open_points(self, **settings):
        return self.do("open", slot="points", room="points", settings=settings)

    def stream(self, **options):
        return Stream(self, **options)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Stream(threading.Thread):
    """A stream of events: a thread that reads them, and remembers the newest of each name."""

    def __init__(self, visitor):
        super().__init__(daemon=True)
        self.socket = open_stream(visitor)
        self.newest, self.counts, self.order = {}, {}, []
        self.ended = False
        self.start()

    def run(self):
        name = None
        try:
            for line in self.socket.makefile("rb"):
                if line.startswith(b"event: "):
                    name = line[7:-1].decode()
                elif line.startswith(b"data: "):
                    self.newest[name] = json.loads(line[6:])
                    self.counts[name] = self.counts.get(name, 0) + 1
                    self.order.append(name)
        except (OSError, ValueError):
            pass
        self.ended = True

    def wait(self, name, condition=lambda event: True):
        """Wait for an event for which the condition holds."""
        def seen():
            event = self.newest.get(name)
            return event is not None and condition(event) and [event]
        return wait_for(seen, f"the event {name}; came: {self.newest.get(name)}")[0]

    def epoch(self, at_least=0):
        return self.wait("epoch", lambda e: e["epoch"] >= at_least)["epoch"]

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.join(PATIENCE)


def open_stream(visitor, receive_buffer=None):
    """The socket of a stream, with the request sent and nothing read."""
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(PATIENCE)
    s.connect((visitor.server.host, visitor.server.port))
    s.sendall((f"GET /api/stream?token={visitor.token} HTTP/1.1\r\nHost: {visitor.server.name}\r\n"
               "Accept: text/event-stream\r\n\r\n").encode())
    return s
