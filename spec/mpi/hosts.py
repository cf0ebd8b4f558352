"""Hosts of their own on this machine: namespaces for the network, the host's name, mounts and processes, joined by veth
pairs and a bridge. Each has its own /tmp. Nothing is made outside of the namespaces but a folder in the temporary
folder, whose name has the process's number: the namespaces are gone when this process ends, however it ends.

    with Hosts(3, delay_ms=2, loss_percent=1) as hosts:
        result = hosts.run("openmpi", 3, ["hostname"])

A link with a delay, losses or a rate is made by tc's netem, or where the kernel has none by our own wire.c.
`python3 spec/mpi/hosts.py 3 [delay_ms=2] [loss_percent=1] [mbits=100] [command ...]` makes hosts and runs the command,
or a shell, in the first one. There `sh spec/mpi/mpirun.sh openmpi 3 hostname` starts ranks on all of them."""

import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import launch

HERE = launch.HERE
WIRE = os.path.join(launch.ROOT, "build", "mpi", "wire")
TOOLS = ("ip", "tc", "unshare", "nsenter", "setpriv", "mount")


def tied(command):
    """A command that is killed when this process ends."""
    return ["setpriv", "--pdeathsig", "KILL", *command]


@functools.cache
def hindrance(shaped=False):
    """Why hosts cannot be made here, in words; None if they can. Whatever is not a lack of rights is an error."""
    missing = [t for t in TOOLS if shutil.which(t) is None]
    if missing:
        return f"{', '.join(missing)} not installed (make deps-mpi)"
    if os.geteuid() != 0:
        return "not root: namespaces need it"
    try:
        with Hosts(1, delay_ms=1 if shaped else 0):
            return None
    except HostError as error:
        if re.search("not permitted|ermission denied|TAP device", str(error)):
            return f"no hosts here: {error}"
        raise


class HostError(Exception):
    pass


def call(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise HostError(f"{' '.join(words)}: {done.stdout.strip()}")


class HostRun(launch.Run):
    """A run on hosts: it is ended with all that runs on them."""

    def __init__(self, hosts, command, log):
        super().__init__(command, log=log)
        self.hosts = hosts

    def end(self):
        self.hosts.end_all()
        super().end()


class Hosts:
    def __init__(self, count, delay_ms=0, loss_percent=0, mbits=0):
        self.names = [f"node{i + 1}" for i in range(count)]
        self.delay_ms, self.loss_percent, self.mbits = delay_ms, loss_percent, mbits
        self.children, self.pids, self.runs = [], {}, []
        self.by = "veth"  # or "netem", "tbf", "wire": what makes delays and losses

    # ---- making and removing ----

    def __enter__(self):
        self.state = tempfile.mkdtemp(prefix=f"moonglass-hosts-{os.getpid()}-")
        try:
            self.make()
        except BaseException:  # Ctrl-C too
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def make(self):
        shutil.copy(os.path.join(HERE, "agent.py"), os.path.join(self.state, "agent"))
        with open(os.path.join(self.state, "hosts"), "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n")
            file.writelines(f"10.99.0.{i + 1} {name}\n" for i, name in enumerate(self.names))
        for name in ["switch", *self.names]:
            self.spawn(name)
        for name in ["switch", *self.names]:
            self.pids[name] = self.ready(name)
        self.connect()
        for i, name in enumerate(self.names):
            self.inside(name, "ip", "addr", "add", f"10.99.0.{i + 1}/24", "dev", "eth0")
            self.inside(name, "ip", "link", "set", "eth0", "up")

    def spawn(self, name):
        kept = [launch.ROOT, self.state, os.environ.get("MOONGLASS_DATA", "")]
        env = {**os.environ, "MOONGLASS_HOSTS": self.state, "MOONGLASS_HOSTS_KEPT": json.dumps(kept)}
        env.pop("TMPDIR", None)
        with open(os.path.join(self.state, name + ".log"), "wb") as log:
            self.children.append(subprocess.Popen(
                tied(["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", sys.executable,
                      os.path.join(HERE, "node.py"), self.state, name]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True))

    def ready(self, name):
        """Wait until a host takes commands; returns the number of its first process, as it is outside."""
        path, child = os.path.join(self.state, name + ".pid"), self.children[["switch", *self.names].index(name)]
        until = time.monotonic() + 20
        while not os.path.exists(path):
            if child.poll() is not None or time.monotonic() > until:
                with open(os.path.join(self.state, name + ".log"), encoding="utf-8", errors="replace") as log:
                    raise HostError(log.read().strip() or f"{name} does not answer")
            time.sleep(0.01)
        with open(path, encoding="ascii") as file:
            return int(file.read())

    def remove(self):
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
        for child in self.children:
            child.kill()
        for child in self.children:
            child.wait()
        for pid in self.pids.values():  # unshare is gone; the kernel ends its child, and with it the host
            until = time.monotonic() + 10
            while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
                time.sleep(0.01)
        shutil.rmtree(self.state, ignore_errors=True)

    # ---- the network ----

    def inside(self, name, *words):
        """Run a command of this system's in a host's network."""
        call("nsenter", "--target", str(self.pids[name]), "--net", *words)

    def connect(self):
        if self.delay_ms or self.loss_percent:
            if not self.has_netem():
                self.connect_by_wire()
                return
        self.connect_by_bridge()
        if self.delay_ms or self.loss_percent:
            self.by = "netem"
            rate = ["rate", f"{self.mbits:g}mbit"] if self.mbits else []
            self.shape("netem", "delay", f"{self.delay_ms:g}ms", "loss", f"{self.loss_percent:g}%", "limit", "10000",
                       *rate)
        elif self.mbits:
            self.by = "tbf"
            self.shape("tbf", "rate", f"{self.mbits:g}mbit", "burst", "128k", "latency", "50ms")

    def shape(self, *words):
        for name in self.names:
            self.inside(name, "tc", "qdisc", "add", "dev", "eth0", "root", *words)

    def has_netem(self):
        try:
            self.inside("switch", "ip", "link", "add", "probe", "type", "dummy")
        except HostError:
            self.inside("switch", "ip", "link", "add", "probe", "type", "veth", "peer", "name", "probe2")
        try:
            self.inside("switch", "tc", "qdisc", "add", "dev", "probe", "root", "netem", "delay", "1ms")
            return True
        except HostError:
            return False
        finally:
            self.inside("switch", "ip", "link", "del", "probe")

    def connect_by_bridge(self):
        self.inside("switch", "ip", "link", "add", "bridge", "type", "bridge")
        self.inside("switch", "ip", "link", "set", "bridge", "up")
        for i, name in enumerate(self.names):
            port = f"port{i + 1}"
            self.inside("switch", "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns",
                        str(self.pids[name]))
            self.inside("switch", "ip", "link", "set", port, "master", "bridge", "up")

    def connect_by_wire(self):
        if not os.path.exists(WIRE):
            raise HostError("this kernel has no netem, and build/mpi/wire is not built (make build/mpi/wire)")
        self.by = "wire"
        numbers = [len(self.names), self.delay_ms * 1000, self.loss_percent * 10000, self.mbits]
        command = ["nsenter", "--target", str(self.pids["switch"]), "--net", WIRE, *[str(int(n)) for n in numbers]]
        wire = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.children.append(wire)
        said = wire.stdout.readline()
        if said != "ready\n":
            raise HostError(said.strip() or "wire has ended")
        for i, name in enumerate(self.names):
            self.inside("switch", "ip", "link", "set", f"port{i + 1}", "netns", str(self.pids[name]), "name", "eth0")

    def link(self, name, state):
        """Set a host's link up or down."""
        self.inside(name, "ip", "link", "set", "eth0", state)

    # ---- commands and processes ----

    def agent(self):
        return os.path.join(self.state, "agent")

    def on(self, name, *words, seconds=30):
        """Run a command on a host; returns its output, and raises if it fails."""
        run = self.start_on(name, words)
        result = run.finish(seconds)
        if result.status != 0:
            raise AssertionError(f"{' '.join(words)} on {name} {result.ending()}:\n{result.output}")
        return result.output

    def start_on(self, name, words, env=None):
        settings = [f"{key}={value}" for key, value in (env or {}).items()]
        command = f"cd {shlex.quote(launch.ROOT)} && exec env {shlex.join([*settings, *words])}"
        run = HostRun(self, [self.agent(), name, command], os.path.join(self.state, f"run{len(self.runs)}.log"))
        self.runs.append(run)
        return run

    def start(self, library, ranks, program, env=None, on=None):
        """Start a program on ranks of all hosts in turn, from the first host."""
        where = {"MPI_HOSTS": " ".join(on or self.names), "MPI_AGENT": self.agent(),
                 "MOONGLASS_TEST_RANKS": str(ranks), **(env or {})}
        where["MPI_PASS"] = " ".join(["MOONGLASS_TEST_RANKS", *(env or {})])
        return self.start_on((on or self.names)[0], launch.command(library, ranks, program), where)

    def run(self, library, ranks, program, seconds=60, env=None, on=None):
        return self.start(library, ranks, program, env, on).finish(seconds)

    def processes(self, name):
        """What runs on a host besides its first process: (number outside, command line) for each."""
        space, found = os.readlink(f"/proc/{self.pids[name]}/ns/pid"), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") == space and int(pid) != self.pids[name]:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
                    if words:  # a process that has ended has none
                        found.append((int(pid), words))
            except OSError:
                pass  # it has ended meanwhile
        return found

    def left(self):
        """All processes on all hosts: (host, number outside, command line) for each."""
        return [(name, *p) for name in self.names for p in self.processes(name)]

    def end_all(self):
        """End all processes on all hosts, launchers first, so that they print nothing about it."""
        for _, pid, _ in sorted(self.left(), key=lambda p: "mpi" not in p[2]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def main(arguments):
    count, words = int(arguments[0]), arguments[1:]
    link = {}
    while words and re.fullmatch(r"(delay_ms|loss_percent|mbits)=[0-9.]+", words[0]):
        key, value = words.pop(0).split("=")
        link[key] = float(value)
    with Hosts(count, **link) as hosts:
        words = words or [os.environ.get("SHELL", "sh")]
        settings = {"MPI_HOSTS": " ".join(hosts.names), "MPI_AGENT": hosts.agent()}
        print(f"hosts by {hosts.by}: {settings}", flush=True)
        command = shlex.join(["env", *[f"{key}={value}" for key, value in settings.items()], *words])
        return subprocess.call([hosts.agent(), "node1", f"cd {shlex.quote(launch.ROOT)} && {command}"])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    sys.exit(main(sys.argv[1:]))
