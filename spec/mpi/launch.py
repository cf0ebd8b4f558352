"""Start programs under an MPI and wait for their end, with a limit in time: what run.py and the tests share."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("MOONGLASS_BIN", os.path.join(ROOT, "build", "moonglass"))
LAUNCHERS = {"openmpi": "mpirun.openmpi", "mpich": "mpiexec.mpich"}


def installed(library):
    """Whether an MPI is there, and the module that was built for it."""
    module = os.path.join(ROOT, "build", "lib", "moonglass", library + ".so")
    return shutil.which(LAUNCHERS[library]) is not None and os.path.exists(module)


class Result:
    def __init__(self, status, output, seconds, late):
        self.status, self.output, self.seconds, self.late = status, output, seconds, late

    def ending(self):
        return f"ended after {self.seconds:.0f} s, its limit" if self.late else f"ended with status {self.status}"


class Run:
    """A run that goes on beside the test; its output goes to a file, so that no pipe fills or stays open."""

    def __init__(self, command, env=None, log=None):
        self.own_log, self.log = log is None, log or tempfile.mktemp(".log", f"moonglass-mpi-{os.getpid()}-")
        self.started = time.monotonic()
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, env={**os.environ, **(env or {})},
                                            start_new_session=True)

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for(self, text, seconds=60):
        """Wait until the output has a text; a run that ends without it, or takes too long, is an error."""
        until = time.monotonic() + seconds
        while text not in self.output():
            ended = self.process.poll() is not None
            if (ended and text not in self.output()) or time.monotonic() > until:
                raise AssertionError(f"expected '{text}' in the output, got:\n{self.output()}")
            time.sleep(0.02)

    def finish(self, seconds):
        """Wait for the end of the launcher; after `seconds` it is ended, with all that it has started here."""
        late = False
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            late = True
            self.end()
        result = Result(self.process.returncode, self.output(), time.monotonic() - self.started, late)
        if self.own_log:
            os.unlink(self.log)
        return result

    def end(self):
        """End the run: the launcher ends its ranks on SIGTERM; then all of its session."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def command(library, ranks, program):
    return ["sh", os.path.join(HERE, "mpirun.sh"), library, str(ranks), *program]


def start(library, ranks, program, env=None):
    return Run(command(library, ranks, program), {"MOONGLASS_TEST_RANKS": str(ranks), **(env or {})})


def run(library, ranks, program, seconds=120, env=None):
    one = start(library, ranks, program, env)
    try:
        return one.finish(seconds)
    except BaseException:  # Ctrl-C too
        one.end()
        raise
