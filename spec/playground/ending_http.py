"""Starting and ending the program: options, signals, a port that is taken, a data set that is not there."""

import os
import re
import signal
import subprocess
import tempfile
import unittest

from support import COMMAND, PATIENCE, ROOT, Server, Visitor, wait_for


def run(*options):
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT)


class Ending(unittest.TestCase):
    def test_signals_end_it_with_a_word_to_every_stream(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Server() as server:
                visitors = [Visitor(server) for _ in range(3)]
                streams = [v.stream() for v in visitors]
                visitors[0].open_points()
                visitors[1].open_points()
                visitors[1].do("run")
                streams[1].epoch(3)
                self.assertEqual((0, ""), server.stop(number))
                for s in streams:
                    self.assertEqual("shutdown", s.wait("bye")["reason"])
                    self.assertEqual("bye", s.order[-1])
                    wait_for(lambda s=s: s.ended, "the end of the stream")
                for v in visitors:
                    v.close()

    def test_it_ends_while_an_autoencoder_trains(self):
        with Server() as server:
            visitor = Visitor(server)
            stream = visitor.stream()
            visitor.do("open", slot="autoencoder", room="autoencoder", settings={})
            visitor.do("run")
            stream.wait("state", lambda e: e["running"])
            self.assertEqual((0, ""), server.stop())
            self.assertEqual("shutdown", stream.wait("bye")["reason"])
            visitor.close()

    def test_it_ends_at_once_after_its_start(self):
        for _ in range(3):
            with Server(data=None) as server:
                self.assertEqual((0, ""), server.stop())

    def test_a_port_that_is_taken(self):
        with Server() as server:
            done = run("--port", str(server.port))
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            words = f"moonglass-playground: cannot listen on 127.0.0.1, port {server.port}: "
            self.assertRegex(done.stderr, rf"\A{words}.*--port\n\Z")

    def test_an_output_that_takes_nothing(self):
        with open("/dev/full", "w") as full, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen([*COMMAND, "--port", "0"], stdout=full, stderr=errors, cwd=ROOT)

            def said():
                errors.seek(0)
                return errors.read().decode()
            words = r"cannot write to the standard output; the address is http://127\.0\.0\.1:\d+/\n"
            try:
                wait_for(lambda: re.search(words, said()), "the address on the standard error")
            finally:
                process.terminate()
                self.assertEqual(0, process.wait(PATIENCE))

    def test_closed_streams_are_no_connections(self):
        process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *COMMAND, "--port", "0"], cwd=ROOT)
        try:
            files = [f"/proc/{process.pid}/fd/{number}" for number in range(3)]
            wait_for(lambda: os.path.exists(f"/proc/{process.pid}/fd/4"), "the server's own files")
            self.assertEqual(["/dev/null"] * 3, [os.readlink(name) for name in files])
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def test_wrong_options(self):
        for options, words in (
            (["--port", "x"], "--port: expected a whole number from 0 to 65535, got x"),
            (["--port"], "--port: expected a whole number from 0 to 65535, got nothing"),
            (["--port", "65536"], "got 65536"), (["--port", "-1"], "got -1"), (["--port", "1.5"], "got 1.5"),
            (["--threads", "0"], "--threads: expected a whole number from 1 to 256, got 0"),
            (["--sessions", "nan"], "got nan"),
            (["--memory", "1"], "--memory: expected a number from 8 to 1e+06, got 1"),
            (["--idle", "0"], "--idle: expected a number from 1 to"),
            (["--address", "here"], "an IPv4 address, got here"),
            (["--data"], "--data: expected FOLDER, got nothing"), (["--fly"], "--fly: expected an option"),
            (["8080"], "8080: expected an option"),
        ):
            done = run(*options)
            self.assertEqual((2, ""), (done.returncode, done.stdout), options)
            self.assertIn(words, done.stderr)
            self.assertEqual(1, done.stderr.count("\n"))

    def test_help_lists_the_options(self):
        done = run("--help")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        for option in ("--port", "--address", "--data", "--threads", "--sessions", "--memory", "--idle", "--open"):
            self.assertIn(f"\n  {option} ", done.stdout)

    def test_without_pictures_points_go_on(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(data=folder)
            visitor = Visitor(server)
            self.assertIsNone(visitor.opened["data"])
            stream = visitor.stream()
            visitor.open_points()
            visitor.do("step")
            self.assertEqual(1, stream.epoch(1))
            status, answer = visitor.ask("open", slot="autoencoder", room="autoencoder", settings={})
            if status == 200:
                status, answer = visitor.ask("run")
            self.assertEqual(400, status, answer)
            self.assertIn("no data set", answer["error"])
            stream.close()
            visitor.close()
            status, said = server.stop()
            self.assertEqual(0, status)
            words = "moonglass-playground: there are no pictures for autoencoders: "
            self.assertRegex(said, rf"\A{words}.* in {folder}.*\n\Z")

    def test_no_file_is_opened_after_its_start(self):
        with Server() as server:
            Visitor(server).close()  # the pictures are read
            folder = f"/proc/{server.process.pid}/fd"

            def no_file():
                # 0 to 2 are the test's own streams, wherever TMPDIR is. Others may be closed while they are looked at.
                paths = [f"{folder}/{fd}" for fd in os.listdir(folder) if int(fd) > 2]
                names = [os.readlink(path) for path in paths if os.path.lexists(path)]
                return not [name for name in names if name.startswith(ROOT + os.sep)]

            wait_for(no_file, "no file of the tree to be open")


if __name__ == "__main__":
    unittest.main()
