"""What a distributed fit prints, and how it ends where one rank fails between two meetings or is interrupted."""

import os
import re
import unittest

import launch

HERE = os.path.dirname(os.path.abspath(__file__))


class Fit(unittest.TestCase):
    def run_mode(self, mode):
        if not launch.installed("openmpi"):
            self.skipTest("no openmpi here; run make deps-mpi")
        result = launch.run("openmpi", 3, [launch.PROGRAM, os.path.join(HERE, "fit_run.lua"), mode], seconds=60)
        self.assertFalse(result.late, result.output)
        return result

    def test_one_line_an_epoch_for_all_ranks(self):
        result = self.run_mode("lines")
        self.assertEqual(result.status, 0, result.output)
        found = re.findall(r"^epoch (\d)/3  20 batches  loss", result.output, re.M)
        self.assertEqual(found, ["1", "2", "3"], result.output)

    def test_an_interrupt_of_one_rank_ends_the_training_of_all(self):
        """As an error of all if it comes in a step; if it comes between meetings, with one message."""
        result = self.run_mode("interrupt")
        if result.status == 0:
            self.assertEqual(sorted(re.findall(r"^\d: .*$", result.output, re.M)),
                             [f"{rank}: rank 2: interrupted!" for rank in range(3)])
        else:
            found = re.findall(r"^.*interrupted!.*$", result.output, re.M)
            self.assertEqual(len(found), 1, result.output)
            self.assertRegex(found[0], r"^moonglass: rank 2 of 3 \(host [^)]+\): ")

    def test_an_error_of_all_is_printed_once(self):
        result = self.run_mode("differs")
        self.assertNotEqual(result.status, 0)
        found = re.findall(r"^.*fit: epochs is.*$", result.output, re.M)
        self.assertEqual(len(found), 1, result.output)
        self.assertRegex(found[0], r"^moonglass: all 3 ranks: .*: rank 2: fit: epochs is 4, but 3 on rank 0: give all "
                                   r"ranks the same$")

    def test_a_failure_between_meetings_ends_the_run_with_one_message(self):
        result = self.run_mode("writer")
        self.assertNotEqual(result.status, 0)
        found = re.findall(r"^.*no room for more.*$", result.output, re.M)
        self.assertEqual(len(found), 1, result.output)
        self.assertRegex(found[0], r"^moonglass: rank 0 of 3 \(host [^)]+\): ")


if __name__ == "__main__":
    unittest.main()
