"""The order of sums on several hosts: what ranks of one host read from shared memory is sent between hosts."""

import unittest

import launch
from on_hosts import OnHosts


class Sums(OnHosts):
    def assert_in_order(self, ranks):
        run = self.hosts.start(self.library, ranks, [launch.PROGRAM, "spec/mpi/sums_mpi.lua"])
        result = run.finish(120)
        self.assertEqual(result.status, 0, f"{result.ending()}:\n{result.output}")
        self.assertRegex(result.output, r"(?m)^12 passed, 0 failed$")

    def test_one_rank_on_each_host(self):
        self.assert_in_order(3)

    def test_hosts_with_one_rank_and_with_two(self):
        self.assert_in_order(5)


class SumsMpich(Sums):
    library = "mpich"


if __name__ == "__main__":
    unittest.main()
