#!/usr/bin/env python3
"""A Jupyter kernel that runs Moonglass: python kernel.py -f CONNECTION_FILE, as the kernel's specification says.

The engine is a child process: a session of build/moonglass (or of the program that MOONGLASS names) that session.lua
has prepared. Requests are lines of Lua in a separate pipe, so that cells and the programs that they start have an empty
standard input. Replies are frames within the child's standard output.
"""

import codecs
import ctypes
import os
import secrets
import selectors
import signal
import subprocess
from base64 import b64encode

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
PR_SET_PDEATHSIG = 1


class EngineGone(Exception):
    """The child has ended."""


def quote(text):
    """A text as a Lua string literal, in one line."""
    plain = (
        chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03d}" for b in text.encode("utf-8", "surrogateescape")
    )
    return '"' + "".join(plain) + '"'


def die_with_parent():
    """Called in the child: it ends when the kernel is killed, else a long training would go on."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):  # not Linux
        pass
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Engine:
    """The child process: takes lines, and returns its output and its frames, in their order."""

    def __init__(self):
        program = os.environ.get("MOONGLASS") or os.path.join(TREE, "build", "moonglass")
        token = secrets.token_hex(16)
        start = f"package.loaded.jupyter = dofile({quote(os.path.join(HERE, 'session.lua'))})"
        lines, requests = os.pipe()
        self.child = subprocess.Popen(
            [program, "-e", start, "-i"],
            bufsize=0,
            stdin=subprocess.DEVNULL,
            pass_fds=(lines,),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, MOONGLASS_JUPYTER_TOKEN=token, MOONGLASS_LINES=str(lines)),
            start_new_session=True,  # a terminal's Ctrl-C comes to the kernel, which hands it on
            preexec_fn=die_with_parent,
        )
        os.close(lines)
        self.requests = os.fdopen(requests, "wb", buffering=0)
        self.mark = b"\0" + token.encode() + b" "
        self.buffer = b""
        self.asking = self.interrupted = False
        self.selector = selectors.DefaultSelector()
        for stream in (self.child.stdout, self.child.stderr):
            os.set_blocking(stream.fileno(), False)
            self.selector.register(stream, selectors.EVENT_READ)

    def ask(self, *calls):
        """Send lines to the child. After an interrupt the last one is sent again, because it may have been lost."""
        self.asking, self.last = True, calls[-1]
        data = "".join(f"package.loaded.jupyter.{call}\n" for call in calls).encode()
        try:
            while data:
                data = data[self.requests.write(data) :]
        except BrokenPipeError:
            pass  # the end of its output is noticed later
        finally:
            self.asking = False
        if self.interrupted:
            self.interrupt()

    def interrupt(self, *_):
        """End the child's computation, and programs that it started. A handler of SIGINT: it may run at any time."""
        self.interrupted = self.asking
        if not self.asking:
            self.signal_group(signal.SIGINT)
            self.ask(self.last)

    def signal_group(self, number):
        """Signal the child and the programs that it waits for."""
        try:
            os.killpg(self.child.pid, number)  # it leads its session
        except ProcessLookupError:
            pass

    def take(self):
        """The first item of the buffer: ("stdout", bytes), or a frame's kind and bytes; None if it is incomplete."""
        text, found, rest = self.buffer.partition(self.mark)
        if not found:  # a zero byte may be the beginning of a mark
            text, zero, rest = self.buffer.partition(b"\0")
            if zero and not self.mark.startswith((zero + rest)[: len(self.mark)]):
                text, zero, rest = text + zero, b"", rest
            self.buffer = zero + rest
            return ("stdout", text) if text else None
        if text:
            self.buffer = found + rest
            return "stdout", text
        head, newline, rest = rest.partition(b"\n")
        kind, size = head.split() if newline else (b"", len(rest) + 1)
        if len(rest) < int(size):
            return None
        self.buffer = rest[int(size) :]
        return kind.decode(), rest[: int(size)]

    def events(self):
        """Yield (kind, bytes): "stdout" and "stderr" as they arrive, and the frames. Raises EngineGone."""
        while True:
            event = self.take()
            while event:
                errors = self.child.stderr.read(1 << 20)  # text written before a frame is published before it
                if errors:
                    yield "stderr", errors
                yield event
                event = self.take()
            ready = [key.fileobj for key, _ in self.selector.select(timeout=1)]
            if not ready:  # a program started by it may still hold its output open
                if self.child.poll() is not None:
                    raise EngineGone
            elif self.child.stdout in ready:
                data = self.child.stdout.read(1 << 20)
                if not data:
                    raise EngineGone
                self.buffer += data
            else:
                errors = self.child.stderr.read(1 << 20)
                if errors:
                    yield "stderr", errors
                else:  # closed
                    self.selector.unregister(self.child.stderr)

    def close(self):
        self.signal_group(signal.SIGKILL)
        status = self.child.wait()
        self.selector.close()
        for stream in (self.requests, self.child.stdout, self.child.stderr):
            stream.close()
        return status


class MoonglassKernel(Kernel):
    implementation = "moonglass"
    implementation_version = "0.1"
    banner = "Moonglass: an engine for autoencoders, driven from Lua"
    language_info = {"name": "lua", "mimetype": "text/x-lua", "file_extension": ".lua", "pygments_lexer": "lua"}

    def __init__(self, **options):
        super().__init__(**options)
        self.engine = None
        self.requests = 0

    def start_engine(self):
        if self.engine is None:
            engine = Engine()
            for kind, payload in engine.events():
                if kind == "ready":
                    version, lua = payload.decode().split("\n")
                    self.language_info = dict(self.language_info, version=lua.split()[-1])
                    self.implementation_version = version
                    break
            self.engine = engine
        return self.engine

    def stop_engine(self):
        engine, self.engine = self.engine, None
        return engine.close() if engine else None

    # ---- messages ----

    def publish(self, kind, content):
        self.send_response(self.iopub_socket, kind, content)

    def publish_text(self, name, text):
        if text:
            self.publish("stream", {"name": name, "text": text})

    def publish_result(self, payload):
        data = {"text/plain": payload.decode("utf-8", "replace")}
        self.publish("execute_result", {"execution_count": self.execution_count, "data": data, "metadata": {}})

    def publish_picture(self, payload):
        width, height = (int.from_bytes(payload[at : at + 4], "big") for at in (16, 20))
        data = {"image/png": b64encode(payload).decode(), "text/plain": f"<picture, {height} x {width}>"}
        self.publish("display_data", {"data": data, "metadata": {}})

    def publish_error(self, payload):
        message, _, trace = payload.decode("utf-8", "replace").partition("\0")
        name = "Interrupted" if message.endswith(("interrupted!", "interrupted")) else "Error"
        lines = ["\x1b[31m" + message + "\x1b[0m"] + [line for line in trace.split("\n") if line.strip()]
        content = {"ename": name, "evalue": message, "traceback": lines}
        self.publish("error", content)
        return dict(content, status="error", execution_count=self.execution_count)

    # ---- requests ----

    def run(self, call, handle):
        """Ask, and handle(kind, payload) each frame until the request is done. Ctrl-C ends the child's computation."""
        engine = self.start_engine()
        decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")}
        is_open = False  # what is printed now is the cell's
        self.requests += 1
        done = str(self.requests).encode()
        engine.ask(call, f"done({self.requests})")
        before = signal.signal(signal.SIGINT, engine.interrupt)
        try:
            for kind, payload in engine.events():
                if kind == "done" and payload == done:
                    return
                is_open = (is_open or kind == "begin") and kind != "end"
                if kind not in decoders:
                    handle(kind, payload)
                elif is_open or kind == "stderr":  # prompts are only in stdout
                    self.publish_text(kind, decoders[kind].decode(payload))
        finally:
            signal.signal(signal.SIGINT, before)

    def ask(self, call, kind_wanted):
        """The payload of the one frame that answers."""
        answers = []
        try:
            self.run(call, lambda kind, payload: kind == kind_wanted and answers.append(payload))
        except EngineGone:
            self.stop_engine()
        return answers[0].decode("utf-8", "replace") if answers else ""

    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        reply = {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

        def handle(kind, payload):
            nonlocal reply
            if kind == "error":
                reply = self.publish_error(payload)
            elif kind == "picture" and not silent:
                self.publish_picture(payload)
            elif kind == "result" and not silent:
                self.publish_result(payload)

        if not code.strip():
            return reply
        try:
            self.run(f"execute({self.execution_count}, {quote(code)})", handle)
        except EngineGone:
            status = self.stop_engine()
            why = f"the engine has ended (status {status}); the next cell starts another, with nothing in it"
            reply = self.publish_error(why.encode())
        return reply

    async def do_complete(self, code, cursor_pos):
        length, *matches = self.ask(f"complete({quote(code[:cursor_pos])})", "matches").split("\n")
        start = cursor_pos - int(length or 0)
        return {"status": "ok", "matches": matches, "cursor_start": start, "cursor_end": cursor_pos, "metadata": {}}

    async def do_inspect(self, code, cursor_pos, detail_level=0, omit_sections=()):
        end = cursor_pos
        while end < len(code) and (code[end].isalnum() or code[end] == "_"):
            end += 1
        text = self.ask(f"inspect({quote(code[:end])})", "help")
        return {"status": "ok", "found": bool(text), "data": {"text/plain": text} if text else {}, "metadata": {}}

    async def do_is_complete(self, code):
        status = self.ask(f"is_complete({quote(code)})", "status") or "unknown"
        return {"status": status, "indent": "  "} if status == "incomplete" else {"status": status}

    async def do_shutdown(self, restart):
        self.stop_engine()
        return {"status": "ok", "restart": restart}


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=MoonglassKernel)
