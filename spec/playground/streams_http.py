"""Streams: what arrives, in which order; reconnecting, several at once, and browsers that do not read."""

import time
import unittest

from support import SANITIZED, Server, Stream, Visitor, open_stream, wait_for


class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--sessions", "4")
        Visitor(cls.server).close()  # the pictures are read
        cls.unused = wait_for(lambda: cls.server.descriptors() == 4 and 4, "the server without connections")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def setUp(self):
        self.visitor = Visitor(self.server)
        self.addCleanup(self.visitor.close)

    def stream(self):
        stream = self.visitor.stream()
        self.addCleanup(stream.close)
        return stream

    def test_it_is_an_event_stream_of_which_nothing_is_kept(self):
        with open_stream(self.visitor) as s:
            head = b""
            while b"\r\n\r\n" not in head:
                head += s.recv(4096)
            lines = head.lower().split(b"\r\n")
            self.assertEqual(b"http/1.1 200 ok", lines[0])
            self.assertIn(b"content-type: text/event-stream", lines)
            self.assertIn(b"cache-control: no-store", lines)
            self.assertIn(b"x-content-type-options: nosniff", lines)

    def test_a_room_sends_its_events_in_order(self):
        stream = self.stream()
        self.visitor.open_points()
        state = stream.wait("state")
        self.assertEqual(("points", False, 0), (state["room"], state["running"], state["epoch"]))
        stream.wait("weights")
        stream.wait("units")
        self.assertEqual("schema", stream.order[0])

    def test_a_silent_stream_gets_comments(self):
        with open_stream(self.visitor) as s:
            got = b""
            while b"\n:\n\n" not in got:
                part = s.recv(4096)
                self.assertTrue(part, got)
                got += part

    def test_reconnecting_goes_on_where_it_was(self):
        first = self.stream()
        self.visitor.open_points()
        self.visitor.do("run")
        seen = first.epoch(10)
        first.close()
        second = self.stream()
        self.assertGreaterEqual(second.epoch(), seen)
        for name in ("schema", "points", "features", "units", "weights"):
            second.wait(name)
        self.assertGreater(second.epoch(seen + 10), seen)

    def test_training_goes_on_while_nobody_watches(self):
        stream = self.stream()
        self.visitor.open_points()
        self.visitor.do("run")
        seen = stream.epoch(1)
        stream.close()
        self.visitor.do("pause")
        before = Stream(self.visitor)
        seen = before.epoch(seen)
        before.close()
        self.visitor.do("run")
        time.sleep(0.5)
        self.visitor.do("pause")
        after = self.stream()
        self.assertGreater(after.epoch(seen + 1), seen)

    def test_two_streams_see_the_same(self):
        one, two = self.stream(), self.stream()
        self.visitor.open_points()
        self.visitor.do("run")
        one.epoch(20)
        two.epoch(20)
        self.visitor.do("pause")
        epoch = one.wait("state", lambda e: not e["running"])["epoch"]
        self.assertEqual(epoch, two.wait("state", lambda e: not e["running"])["epoch"])
        self.assertEqual(one.epoch(epoch), two.epoch(epoch))
        self.assertEqual(one.wait("weights"), two.wait("weights"))

    def test_the_fifth_stream_ends_the_first(self):
        streams = [self.stream() for _ in range(4)]
        for s in streams:
            wait_for(lambda s=s: not s.ended, "the stream")
        self.visitor.open_points()
        for s in streams:
            s.wait("state")
        fifth = self.stream()
        fifth.wait("state")
        self.assertEqual("replaced", streams[0].wait("bye")["reason"])
        wait_for(lambda: streams[0].ended, "the end of the first stream")
        self.visitor.do("run")
        for s in streams[1:] + [fifth]:
            s.epoch(5)
            self.assertNotIn("bye", s.newest)

    def test_another_room_drops_the_frames_of_the_first(self):
        self.visitor.open_points()
        stream = self.stream()
        stream.wait("weights")
        self.visitor.do("open", slot="lecture", room="points", settings={"hidden": [1]})
        self.assertEqual("lecture", stream.wait("state", lambda e: e["slot"] == "lecture")["slot"])
        later = self.stream()
        self.assertEqual(1, len(later.wait("weights")["layers"]) - 1)
        self.assertEqual("lecture", later.wait("state")["slot"])

    def test_a_browser_that_does_not_read_slows_nobody(self):
        other = Visitor(self.server)
        self.addCleanup(other.close)
        watched = other.stream()
        self.addCleanup(watched.close)
        other.open_points()
        other.do("run")
        self.visitor.open_points()
        reader = self.stream()
        self.visitor.do("run")
        reader.epoch(1)
        for v in (self.visitor, other):
            v.close()
        before, descriptors = self.server.memory(), self.unused + 2
        wait_for(lambda: self.server.descriptors() == descriptors, "the two streams to be the only connections")
        stuck = [open_stream(self.visitor, 2048) for _ in range(2)]
        wait_for(lambda: self.server.descriptors() == descriptors + 2, "the stuck streams")
        for s in (reader, watched):
            s.epoch(s.epoch() + 3000)
        # The server ends streams that take nothing for some seconds.
        wait_for(lambda: self.server.descriptors() == descriptors, "the ends of the stuck streams")
        for s in (reader, watched):
            s.epoch(s.epoch() + 100)
        if not SANITIZED:
            self.assertLess(self.server.memory() - before, 8 << 20)
        for s in stuck:
            s.close()

    def test_a_stuck_browser_alone_does_not_stop_the_training(self):
        self.visitor.open_points()
        self.visitor.do("run")
        with open_stream(self.visitor, 2048):
            first = None
            for _ in range(2):
                time.sleep(3)  # longer than it takes to fill the connection's buffers
                self.visitor.do("pause")
                epoch = Stream(self.visitor)
                now = epoch.wait("state", lambda e: not e["running"])["epoch"]
                epoch.close()
                if first is not None:
                    self.assertGreater(now, first)
                first = now
                self.visitor.do("run")


if __name__ == "__main__":
    unittest.main()
