"""A process has one MPI: the second Lua state that wants it gets an error, and the first one goes on."""

import os
import sys
import unittest

import launch

RUN = os.path.join(launch.HERE, "states_run.py")
BUSY = "another Lua state of this process uses MPI: use it in one state at a time"


class States(unittest.TestCase):
    library = "openmpi"

    def test_two_states_and_a_thread(self):
        if not launch.installed(self.library):
            self.skipTest(f"{self.library} is not installed")
        result = launch.run(self.library, 2, [sys.executable, RUN], 60)
        self.assertEqual(result.status, 0, f"{result.ending()}:\n{result.output}")
        for words, times in (("first: sum 2\n", 1), ("first again: sum 2\n", 1), ("the: end\n", 2)):
            self.assertEqual(result.output.count(words), times, result.output)
        for name, words in (("second", BUSY), ("thread", BUSY), ("second, later", "MPI is finalised in this process")):
            self.assertEqual(len([line for line in result.output.splitlines()
                                  if line.startswith(name + ": ") and words in line]), 2, result.output)


class StatesMpich(States):
    library = "mpich"


if __name__ == "__main__":
    unittest.main()
