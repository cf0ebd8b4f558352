"""What tests on hosts of their own share: a class that makes the hosts, and trains on them."""

import re
import unittest

import hosts
import launch

TRAIN = [launch.PROGRAM, "spec/mpi/hosts_train.lua"]
CHECKPOINT = "/tmp/checkpoint"  # on the first host alone, where rank 0 is


class OnHosts(unittest.TestCase):
    """Hosts that all tests of a class use; each test begins with their links up and without files."""

    link = {}
    library = "openmpi"

    @classmethod
    def setUpClass(cls):
        cls.why = hosts.hindrance(bool(cls.link))
        if not cls.why and not launch.installed(cls.library):
            cls.why = f"no {cls.library} here, or the module was built without it; run make deps-mpi"
        if not cls.why:
            cls.hosts = cls.enterClassContext(hosts.Hosts(3, **cls.link))

    def setUp(self):
        if self.why:
            self.skipTest(self.why)
        for name in self.hosts.names:
            self.hosts.on(name, "sh", "-c", "rm -f /tmp/checkpoint /tmp/rows")

    def tearDown(self):
        self.hosts.end_all()

    def start(self, ranks, *words):
        return self.hosts.start(self.library, ranks, [*TRAIN, CHECKPOINT, *words])

    def train(self, ranks, *words, seconds=60):
        return self.start(ranks, *words).finish(seconds)

    def write_rows(self, name, *words):
        self.hosts.on(name, launch.PROGRAM, "spec/mpi/hosts_rows.lua", "/tmp/rows", *words)

    def assert_equals_one(self, result, ranks, first=None):
        """The run has ended well, and its weights are those of one process alone."""
        self.assertEqual(result.status, 0, f"{result.ending()}:\n{result.output}")
        found = re.search(r"^(\d+) ranks, from epoch (\d+) to \d+, difference (\S+)$", result.output, re.M)
        self.assertIsNotNone(found, result.output)
        self.assertEqual(int(found[1]), ranks)
        self.assertLessEqual(float(found[3]), 1e-5)
        if first is not None:
            self.assertGreaterEqual(int(found[2]), first, result.output)

    def assert_one_message(self, output, *words):
        """One message has been printed, and it has all these words."""
        messages = [line for line in output.splitlines() if line.startswith("moonglass: ")]
        self.assertEqual(len(messages), 1, output)
        for word in words:
            self.assertIn(word, messages[0])
