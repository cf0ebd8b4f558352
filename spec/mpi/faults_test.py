"""Faults of trainings on hosts of their own: ranks that are killed or stopped, links that go down, a launcher that
dies, files that a host lacks."""

import os
import re
import signal
import time
import unittest

from on_hosts import TRAIN, OnHosts


class Faulty(OnHosts):
    """A training is struck after its fourth epoch. Then no rank is left, there is one message, and the checkpoint of
    the last whole epoch is good: another run goes on from it, with another number of ranks."""

    words = ("epochs=20", "pause=0.2", "timeout=3")

    def ranks(self, name=None):
        """The ranks on a host, or on all: (number outside, host)."""
        return [(pid, host) for host, pid, words in self.hosts.left()
                if (name is None or host == name) and words.startswith(" ".join(TRAIN))]

    def signal(self, name, number):
        (pid, _), = self.ranks(name)
        os.kill(pid, number)

    def wait_until(self, condition, seconds, words):
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                self.fail(f"{words()} after {seconds} s")
            time.sleep(0.1)

    def struck(self, ranks, strike, seconds=40, words=None):
        """Start a training and strike it; returns its output when no rank is left. The launcher may take longer."""
        run = self.start(ranks, *(words or self.words))
        run.wait_for("epoch 4\n")
        strike()
        self.wait_until(lambda: not self.ranks(), seconds, lambda: f"left: {self.hosts.left()}\n{run.output()}\n")
        self.wait_until(lambda: "moonglass: " in run.output() or not self.hosts.left(), 5, run.output)
        self.assertNotIn("difference", run.output())
        return run

    def other_ranks_go_on(self, ranks, *words):
        self.assert_equals_one(self.train(ranks, *(words or ("epochs=20",))), ranks, first=3)


class Faults(Faulty):
    def test_a_rank_is_killed(self):
        run = self.struck(3, lambda: self.signal("node2", signal.SIGKILL))
        result = run.finish(20)
        self.assertFalse(result.late, result.output)
        self.assertNotEqual(result.status, 0)
        self.assert_one_message(result.output, "rank 1 of 3", "node2")
        self.other_ranks_go_on(2)

    def test_rank_0_is_killed(self):
        run = self.struck(3, lambda: self.signal("node1", signal.SIGKILL))
        self.assertFalse(run.finish(20).late)
        self.assert_one_message(run.output(), "rank 0 of 3", "node1")
        self.other_ranks_go_on(4)

    def test_a_rank_is_stopped(self):
        run = self.struck(3, lambda: self.signal("node3", signal.SIGSTOP))
        self.assertFalse(run.finish(20).late)
        self.assert_one_message(run.output(), "rank 2 of 3", "node3")
        self.other_ranks_go_on(1)

    def test_rank_0_is_stopped(self):
        run = self.struck(3, lambda: self.signal("node1", signal.SIGSTOP))
        self.assertFalse(run.finish(20).late)
        self.assert_one_message(run.output(), "rank 0 of 3", "node1")

    def test_a_rank_is_killed_in_a_step(self):
        run = self.struck(3, lambda: self.signal("node3", signal.SIGKILL), words=("epochs=100000", "timeout=3"))
        self.assertFalse(run.finish(20).late)
        self.assert_one_message(run.output(), "rank 2 of 3", "node3")
        last = re.findall(r"^epoch (\d+)$", run.output(), re.M)[-1]
        self.other_ranks_go_on(2, f"epochs={int(last) + 3}")

    def end_launcher(self, number):
        """Signal the launcher in the midst of a training; returns when no process is left on any host."""
        run = self.start(3, *self.words)
        run.wait_for("epoch 4\n")
        (pid,) = [p for p, words in self.hosts.processes("node1") if words.startswith("mpirun.openmpi ")]
        os.kill(pid, number)
        self.wait_until(lambda: not self.hosts.left(), 40, lambda: f"left: {self.hosts.left()}\n{run.output()}\n")
        self.assertNotIn("difference", run.output())

    def test_the_launcher_is_killed(self):
        self.end_launcher(signal.SIGKILL)
        self.other_ranks_go_on(2)

    def test_ctrl_c_at_the_launcher(self):
        self.end_launcher(signal.SIGINT)
        self.other_ranks_go_on(1)


class Cuts(Faulty):
    def tearDown(self):
        super().tearDown()
        for name in self.hosts.names:
            self.hosts.link(name, "up")

    def cut(self, name, *words):
        run = self.struck(3, lambda: self.hosts.link(name, "down"))
        self.assert_one_message(run.output(), *words)
        self.hosts.link(name, "up")
        self.wait_until(lambda: not self.hosts.left(), 60, lambda: f"left: {self.hosts.left()}\n{run.output()}\n")

    def test_the_link_of_a_host_goes_down(self):
        self.cut("node2", "rank 1 of 3", "node2")
        self.other_ranks_go_on(2)

    def test_the_link_of_the_first_host_goes_down(self):
        self.cut("node1", "rank")
        self.other_ranks_go_on(3)


class Defaults(Faulty):
    """mpi.timeout as it is without a setting, 30 s."""

    words = ("epochs=20", "pause=0.2")

    def test_a_rank_is_stopped(self):
        run = self.struck(2, lambda: self.signal("node2", signal.SIGSTOP), seconds=90)
        self.assertFalse(run.finish(30).late)
        self.assert_one_message(run.output(), "rank 1 of 2", "node2", "30 s")


class FaultsMpich(Faulty):
    library = "mpich"
    words = ("epochs=20", "pause=0.2", "timeout=5")

    def test_a_rank_is_killed(self):
        run = self.struck(2, lambda: self.signal("node2", signal.SIGKILL))
        self.assertFalse(run.finish(20).late)
        self.assert_one_message(run.output(), "rank 1 of 2", "node2")

    def test_a_rank_is_stopped(self):
        run = self.struck(2, lambda: self.signal("node2", signal.SIGSTOP))
        self.assertFalse(run.finish(20).late)
        self.assert_one_message(run.output(), "rank 1 of 2", "node2")


class Files(OnHosts):
    def test_a_file_that_one_host_lacks(self):
        self.write_rows("node1")
        self.write_rows("node2")
        result = self.train(3, "read=all", "file=/tmp/rows", "timeout=5")
        self.assertFalse(result.late, result.output)
        self.assertNotEqual(result.status, 0)
        self.assert_one_message(result.output, "rank 2", "node3", "/tmp/rows", "No such file")

    def test_a_file_that_the_first_host_lacks(self):
        result = self.train(3, "read=first", "file=/tmp/rows", "timeout=5")
        self.assertFalse(result.late, result.output)
        self.assertNotEqual(result.status, 0)
        self.assert_one_message(result.output, "rank 0", "node1", "/tmp/rows", "No such file")


if __name__ == "__main__":
    unittest.main()
