"""A run that was killed goes on with another number of ranks, and ends as if one rank had trained all the time."""

import os
import re
import tempfile
import unittest

import launch

HERE = os.path.dirname(os.path.abspath(__file__))


class Resume(unittest.TestCase):
    def setUp(self):
        if not launch.installed("openmpi"):
            self.skipTest("no openmpi here; run make deps-mpi")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "checkpoint")

    def train(self, ranks, *words):
        return launch.run("openmpi", ranks, [launch.PROGRAM, os.path.join(HERE, "resume_run.lua"), self.path, *words])

    def goes_on(self, killed, victim, others):
        first = self.train(killed, "6", str(victim))
        self.assertNotEqual(first.status, 0, first.output)
        self.assertFalse(first.late, first.output)
        self.assertNotIn("difference", first.output)
        second = self.train(others, "6")
        self.assertEqual(second.status, 0, second.output)
        found = re.search(r"(\d) ranks, from epoch 3 to 6, difference (\S+)", second.output)
        self.assertIsNotNone(found, second.output)
        self.assertEqual(int(found[1]), others)
        self.assertLessEqual(float(found[2]), 1e-5)

    def test_two_ranks_then_three(self):
        self.goes_on(2, 1, 3)

    def test_three_ranks_then_one_where_rank_0_was_killed(self):
        self.goes_on(3, 0, 1)


if __name__ == "__main__":
    unittest.main()
