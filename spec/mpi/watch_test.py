"""The watch, on one host, under each MPI: what ends a run, with which message, and what does not. spec/mpi/strike.lua
is the script."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import launch

SCRIPT = os.path.join("spec", "mpi", "strike.lua")
WHO = r"rank {} of {} \(host \S+, process \d+\): "


def left():
    """Ranks of this test that are still there."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if re.match(rf"\s*\d+ {re.escape(launch.PROGRAM)} {SCRIPT}", line)]


class Watch:
    library = None
    ranks = 3

    def setUp(self):
        if not launch.installed(self.library):
            self.skipTest(f"no {self.library} here")

    def strike(self, kind, rank):
        result = launch.run(self.library, self.ranks, [launch.PROGRAM, SCRIPT, kind, str(rank)], seconds=40)
        self.assertFalse(result.late, result.output)
        self.wait_until_none_is_left()
        return result

    def wait_until_none_is_left(self, seconds=15):
        until = time.monotonic() + seconds
        while left():
            self.assertLess(time.monotonic(), until, left())
            time.sleep(0.1)

    def ends(self, kind, rank, message):
        """The run ends with a status and this message alone; it may have a traceback."""
        result = self.strike(kind, rank)
        self.assertNotEqual(result.status, 0, result.output)
        self.assertNotIn("all steps done", result.output)
        said = re.findall(r"^moonglass: (.*)$", result.output, re.M)
        self.assertEqual(len(said), 1, result.output)
        self.assertRegex(said[0], f"^{message}$")

    def test_a_rank_is_killed(self):
        for rank in (0, 1):
            self.ends("kill", rank, WHO.format(rank, 3) + r"its process has ended: killed, or by an exit that leaves "
                      r"MPI open \(os.exit\(code, true\) closes it\)")

    def test_a_rank_is_stopped(self):
        for rank in (0, 2):
            self.ends("stop", rank, WHO.format(rank, 3) + "not heard of for 2 s: it is stopped, or its host is down or "
                      "cut off")

    def test_a_rank_exits_without_the_end_of_mpi(self):
        self.ends("exit", 1, WHO.format(1, 3) + "its process has ended: .*")

    def test_the_script_of_a_rank_ends_before_the_others(self):
        self.ends("end", 1, WHO.format(1, 3) + "its script has ended, while ranks 0, 2 wait for it in reduce; every "
                  "rank must make the same calls")
        self.ends("end", 0, WHO.format(0, 3) + "its script has ended, while ranks 1, 2 wait for it in reduce; every "
                  "rank must make the same calls")

    def test_an_error_on_one_rank(self):
        for rank in (0, 2):
            self.ends("error", rank, WHO.format(rank, 3) + "something is wrong")

    def test_an_error_on_all_ranks_is_one_message(self):
        self.ends("error", -1, "all 3 ranks: something is wrong")

    def test_a_rank_that_sleeps(self):
        for rank in (0, 1):
            self.ends("sleep", rank, WHO.format(rank, 3) + r"idle outside of MPI for \d+ s, while ranks \d, \d wait "
                      r"for it in reduce; if it has reason to, raise mpi.timeout \(2 s\)")

    def test_a_rank_in_another_call(self):
        self.ends("barrier", 1, WHO.format(1, 3) + r"waits in barrier \(call \d+\), and rank 0 in reduce \(call \d+\), "
                  r"for 2 s; every rank must make the same calls")

    def test_a_rank_that_computes_for_longer_than_the_timeout_is_no_fault(self):
        result = self.strike("compute", 1)
        self.assertEqual(result.status, 0, result.output)
        self.assertIn("all steps done", result.output)
        self.assertNotIn("moonglass: ", result.output)

    def test_the_launcher_is_killed(self):
        run = launch.start(self.library, self.ranks, [launch.PROGRAM, SCRIPT, "sleep", "-1"])
        until = time.monotonic() + 20
        while len(left()) < self.ranks:
            self.assertLess(time.monotonic(), until, run.output())
            time.sleep(0.05)
        time.sleep(0.5)  # so that they have begun
        run.process.send_signal(signal.SIGKILL)
        run.finish(10)
        self.wait_until_none_is_left()


class OpenMPI(Watch, unittest.TestCase):
    library = "openmpi"


class MPICH(Watch, unittest.TestCase):
    library = "mpich"


THIRD = """int MPI_Get_library_version(char *text, int *size) {
  const char name[] = "Third MPI 1.0";
  for (*size = 0; name[*size]; ++*size) text[*size] = name[*size];
  text[*size] = 0;
  return 0;
}
"""


class Refused(unittest.TestCase):
    """Which MPI is used, and which is not."""

    def moonglass(self, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "MOONGLASS_MPI"))}
        as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        script = "local mpi = require 'moonglass.mpi' print(mpi.size, mpi.library)"
        return subprocess.run([launch.PROGRAM, "-e", script], env={**clean, **as_root, **env}, capture_output=True,
                              text=True, timeout=60, check=False)

    def test_a_process_without_a_launcher_is_a_run_of_one(self):
        for library, name in (("openmpi", "Open MPI"), ("mpich", "MPICH")):
            if launch.installed(library):
                self.assertRegex(self.moonglass(MOONGLASS_MPI=library).stdout, rf"^1\t{name} [\d.]+\n$")

    def test_an_mpi_that_is_not_known(self):
        self.assertRegex(self.moonglass(MOONGLASS_MPI="lam").stderr,
                         r"^moonglass: moonglass.mpi: MOONGLASS_MPI is 'lam', expected openmpi or mpich\n")

    def test_the_launcher_of_another_mpi(self):
        for library, env in (("mpich", {"OMPI_COMM_WORLD_SIZE": "4"}), ("openmpi", {"PMI_SIZE": "4"})):
            if launch.installed(library):
                self.assertRegex(self.moonglass(MOONGLASS_MPI=library, **env).stderr,
                                 r"^moonglass: moonglass.mpi: the launcher started 4 processes, but \S+.* sees one: "
                                 r"it is another MPI's launcher\n")

    @unittest.skipUnless(shutil.which("cc"), "no C compiler")
    def test_a_third_mpi_in_the_place_of_one(self):
        if not launch.installed("mpich"):
            self.skipTest("no MPICH here")
        with tempfile.TemporaryDirectory() as folder:
            third = os.path.join(folder, "third.so")
            subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-o", third, "-"], input=THIRD, text=True, check=True)
            said = self.moonglass(MOONGLASS_MPI="mpich", LD_PRELOAD=third).stderr
        self.assertRegex(said, r"^moonglass: moonglass.mpi: moonglass/mpich.so was built for MPICH, but the MPI that "
                         r"is loaded calls itself 'Third MPI 1.0'; use Open MPI or MPICH, and look at "
                         r"LD_LIBRARY_PATH\n")


if __name__ == "__main__":
    unittest.main()
