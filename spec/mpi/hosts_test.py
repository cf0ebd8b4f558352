"""Trainings on hosts of their own: over links with a delay and losses, with files that only some hosts have. And the
hosts: nothing is left of them."""

import os
import re
import shutil
import signal
import sys
import time
import unittest

import hosts
import launch
from on_hosts import OnHosts

# ---- equal to one rank ----


class Links(OnHosts):
    """A link with 2 ms delay and 1 % losses in each direction, and 100 Mbit/s."""

    link = {"delay_ms": 2, "loss_percent": 1, "mbits": 100}

    def test_ranks_are_on_different_hosts(self):
        output = self.train(4, "epochs=1").output
        self.assertIn("on node1 node2 node3 node1\n", output)

    def test_three_ranks_equal_one(self):
        self.assert_equals_one(self.train(3, "epochs=25"), 3)

    def test_two_ranks_equal_one(self):
        self.assert_equals_one(self.train(2, "epochs=6"), 2)

    def test_more_ranks_than_hosts_equal_one(self):
        self.assert_equals_one(self.train(5, "epochs=6"), 5)


class LinksMpich(OnHosts):
    link = {"delay_ms": 2, "loss_percent": 1}
    library = "mpich"

    def test_three_ranks_equal_one(self):
        self.assert_equals_one(self.train(3, "epochs=4"), 3)


# ---- files ----


class Files(OnHosts):
    def test_rows_that_only_the_first_host_has(self):
        self.write_rows("node1")
        self.assert_equals_one(self.train(3, "read=first", "file=/tmp/rows"), 3)

    def test_rows_that_every_host_has(self):
        for name in self.hosts.names:
            self.write_rows(name)
        self.assert_equals_one(self.train(3, "read=all", "file=/tmp/rows"), 3)

    def test_each_host_has_its_own_rows(self):
        for i, name in enumerate(self.hosts.names):
            self.write_rows(name, str(i + 1), "3")
        self.assert_equals_one(self.train(3, "read=own", "file=/tmp/rows"), 3)


# ---- the hosts themselves ----


class Removal(unittest.TestCase):
    """However the program that has made hosts ends, nothing of them is left."""

    def setUp(self):
        why = hosts.hindrance()
        if why:
            self.skipTest(why)

    def processes_with(self, text):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if text.encode() in file.read():
                        found.append(pid)
            except OSError:
                pass
        return found

    def end_with(self, number):
        run = launch.Run([sys.executable, os.path.join(launch.HERE, "hosts.py"), "2", "sleep", "1000"])
        run.wait_for("'}")
        state = re.search(r"(/\S+)/agent'}", run.output())[1]
        self.assertNotEqual(self.processes_with(state), [])
        run.process.send_signal(number)
        result = run.finish(20)
        self.assertFalse(result.late, "it did not end")
        until = time.monotonic() + 20
        while self.processes_with(state):
            self.assertLess(time.monotonic(), until, self.processes_with(state))
            time.sleep(0.05)
        return state

    def test_ctrl_c(self):
        self.assertFalse(os.path.exists(self.end_with(signal.SIGINT)))

    def test_sigterm(self):
        self.assertFalse(os.path.exists(self.end_with(signal.SIGTERM)))

    def test_sigkill(self):
        shutil.rmtree(self.end_with(signal.SIGKILL))  # files alone are left

    def test_nothing_is_mounted_or_linked_outside(self):
        def outside():
            with open("/proc/mounts", encoding="utf-8") as file:
                return file.read(), os.listdir("/sys/class/net")
        before = outside()
        with hosts.Hosts(2):
            self.assertEqual(outside(), before)


if __name__ == "__main__":
    unittest.main()
