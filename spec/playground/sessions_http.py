"""The lives of sessions: idle ones end, places are limited, and nothing stays of those that are gone."""

import json
import unittest

from support import JSON, SANITIZED, Server, Visitor, wait_for


SESSIONS, FIRST = (60, 20) if SANITIZED else (300, 100)  # sanitizers make a session ten times as slow


class Sessions(unittest.TestCase):
    def test_an_idle_session_ends(self):
        with Server("--idle", "1") as server:
            watched = Visitor(server)
            stream = watched.stream()
            watched.open_points()
            watched.do("run")
            stream.epoch(1)
            idle = Visitor(server)
            threads = server.threads() - 2
            # Only the thread tells that the idle session is gone: asking it would be use.
            wait_for(lambda: server.threads() == threads + 1, "the end of the idle session")
            self.assertEqual(401, idle.ask("nothing")[0])
            self.assertEqual(401, server.ask("GET", f"/api/stream?token={idle.token}")[0])
            self.assertNotIn("bye", stream.newest)
            watched.do("pause")
            stream.close()
            wait_for(lambda: server.threads() == threads, "the end of the session that is not watched any more")
            self.assertEqual(401, watched.ask("nothing")[0])
            watched.close()
            idle.close()

    def test_places_are_limited(self):
        with Server("--sessions", "1") as server:
            first = Visitor(server)
            stream = first.stream()
            first.open_points()
            stream.wait("state")
            status, headers, body = server.ask("POST", "/api/session", b"{}", JSON)
            self.assertEqual(503, status)
            self.assertIn("all places are taken", json.loads(body)["error"])
            self.assertEqual("5", headers["retry-after"])
            first.do("run")
            stream.epoch(3)
            stream.close()
            first.close()

    def test_the_session_unused_for_the_longest_time_gives_way(self):
        with Server("--sessions", "3") as server:
            visitors = [Visitor(server) for _ in range(3)]
            stream = visitors[0].stream()
            visitors[0].open_points()
            stream.wait("state")
            visitors[2].ask("nothing")
            visitors[1].ask("nothing")
            newest = Visitor(server)
            self.assertEqual([400, 400, 401, 400], [v.ask("fly")[0] for v in (*visitors, newest)])
            stream.close()
            for v in (*visitors, newest):
                v.close()

    def test_nothing_stays_of_many_sessions(self):
        with Server("--sessions", "8", "--memory", "32") as server:
            def use(count):
                """The least memory after one of the last 20 sessions: those that live hold some MB more or less."""
                least = 1 << 40
                for i in range(count):
                    visitor = open_session(server)
                    stream = visitor.stream()
                    visitor.open_points(hidden=[4, 2], seed=i)
                    visitor.do("run")
                    stream.epoch(2)
                    stream.close()
                    visitor.close()
                    if i >= count - 20:
                        least = min(least, server.memory())
                return least
            memory = use(FIRST)
            wait_for(lambda: server.descriptors() < 12, "closed connections")
            threads = server.threads()
            grown = use(SESSIONS - FIRST) - memory
            wait_for(lambda: server.descriptors() < 12, "closed connections")
            self.assertLessEqual(server.threads(), threads + 1)
            if not SANITIZED:
                # 40 KB for each session, of the 2.8 MB that one has; the allocator's arenas come and go by some MB.
                self.assertLess(grown, 8 << 20, f"{grown / 2**20:.1f} MB more")

    def test_a_session_beyond_its_memory_fails_and_the_others_go_on(self):
        with Server("--memory", "16") as server:
            small, other = Visitor(server), Visitor(server)
            stream = other.stream()
            other.open_points()
            other.do("run")
            status, answer = small.ask("open", slot="autoencoder", room="autoencoder",
                                       settings={"hidden": 512, "code": 64})
            if status == 200:
                small.do("run")
                failure = small.stream()
                words = failure.wait("failure")["message"]
                failure.close()
            else:
                words = answer["error"]
            self.assertIn("memory", words)
            stream.epoch(stream.epoch() + 50)
            stream.close()
            small.close()
            other.close()
            status, said = server.stop()
            self.assertEqual(0, status)
            self.assertRegex(said, r"\A(moonglass-playground: session: [^\n]*memory[^\n]*\n)*\Z")


def open_session(server):
    """A session; if too many were opened in a short time, a little later."""
    def try_it():
        try:
            return Visitor(server)
        except AssertionError as error:
            if "(429," not in str(error):
                raise
    return wait_for(try_it, "a session")


if __name__ == "__main__":
    unittest.main()
