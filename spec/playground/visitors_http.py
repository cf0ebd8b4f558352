"""50 visitors at once: all of them train, in bounded memory, and everyone is answered."""

import json
import threading
import unittest

from support import JSON, SANITIZED, Server, Visitor

VISITORS = 50
MEMORY = 12  # MB that a session may hold
# Besides that, a session has a thread, its last frames (below 100 KB), and what its streams write. The server has the
# program with its files, the test's pictures, and the memory of BLIS's for two cores.
BESIDES, SERVER = 0.5, 60


class Visitors(unittest.TestCase):
    def test_50_visitors_train_at_once(self):
        with Server("--sessions", str(VISITORS), "--memory", str(MEMORY)) as server:
            failures = []

            def visit(number):
                try:
                    visitor = Visitor(server)
                    stream = visitor.stream()
                    visitor.open_points(seed=number, hidden=[8, 8], problem=("circle", "xor", "spiral")[number % 3])
                    visitor.do("run")
                    ready.wait()
                    stream.epoch(stream.epoch() + 20)
                    visitor.do("set", settings={"rate": 0.1})
                    stream.epoch(stream.epoch() + 20)
                    done.wait()
                    self.assertNotIn("failure", stream.newest)
                    self.assertNotIn("bye", stream.newest)
                    stream.close()
                    visitor.close()
                except Exception as error:  # noqa: BLE001, the test tells them all
                    failures.append((number, repr(error)))
                    ready.abort()
                    done.abort()

            ready, done = threading.Barrier(VISITORS), threading.Barrier(VISITORS + 1)
            threads = [threading.Thread(target=visit, args=(n,), daemon=True) for n in range(VISITORS)]
            for t in threads:
                t.start()
            try:
                done.wait(600)
            except threading.BrokenBarrierError:
                pass
            memory = server.memory() / 1e6
            for t in threads:
                t.join(60)
            self.assertEqual([], failures)
            if not SANITIZED:
                self.assertLess(memory, SERVER + VISITORS * (MEMORY + BESIDES))
            self.assertTrue(server.lives())

    def test_one_more_visitor_gets_words(self):
        with Server("--sessions", "3") as server:
            visitors = [Visitor(server) for _ in range(3)]
            streams = [v.stream() for v in visitors]
            for v, s in zip(visitors, streams):
                v.open_points()
                s.wait("state")
            status, _, body = server.ask("POST", "/api/session", b"{}", JSON)
            self.assertEqual(503, status)
            self.assertIn("places", json.loads(body)["error"])
            for v, s in zip(visitors, streams):
                v.do("step")
                self.assertEqual(1, s.epoch(1))
                s.close()
                v.close()


if __name__ == "__main__":
    unittest.main()
