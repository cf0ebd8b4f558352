#!/usr/bin/env python3
"""The first process of a test's host: node.py STATE NAME, started by hosts.py in new namespaces (network, names,
mounts, processes). It gives the host its name, /tmp, /proc and /sys, then waits for commands on the socket STATE/NAME
and runs each as a server for ssh would. When it ends, the kernel ends all processes of the host."""

import array
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import uuid


def call(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stdout.strip()}")


def own_tmp(state, name, kept):
    """Mount an own /tmp. What the host must see below the old one is bound into it: the tree, the sockets."""
    new = os.path.join(state, name + ".tmp")
    os.mkdir(new)
    call("mount", "-t", "tmpfs", "tmpfs", new)
    os.chmod(new, 0o1777)
    for path in kept:
        inside = new + path[len("/tmp"):]
        if path.startswith("/tmp/") and not os.path.exists(inside):
            os.makedirs(inside)
            call("mount", "--bind", path, inside)
    call("mount", "--rbind", new, "/tmp")


def own_boot(state, name):
    """Give the host a boot number of its own: UCX takes processes with the same one for neighbours on one machine."""
    path = os.path.join(state, name + ".boot")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{uuid.uuid4()}\n")
    call("mount", "--bind", path, "/proc/sys/kernel/random/boot_id")


def set_up(state, name):
    outer = os.readlink("/proc/self")  # this process's number outside
    os.chdir("/")
    socket.sethostname(name)
    own_tmp(state, name, json.loads(os.environ["MOONGLASS_HOSTS_KEPT"]))
    call("mount", "-t", "proc", "proc", "/proc")
    call("mount", "-t", "sysfs", "sysfs", "/sys")
    call("mount", "--bind", os.path.join(state, "hosts"), "/etc/hosts")
    own_boot(state, name)
    call("ip", "link", "set", "lo", "up")
    return outer


class Server:
    def __init__(self, path):
        self.waiting = {}  # process -> the connection that gets its status
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        self.wake, wake = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def start(self, connection):
        """Run the command that a connection sends, with the three files that come along."""
        files = array.array("i")
        data, rest, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * files.itemsize))
        for level, kind, bits in rest:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                files.frombytes(bits[:len(bits) - len(bits) % files.itemsize])
        if len(files) != 3:
            connection.close()
            return
        wish = json.loads(data)
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                for number, file in enumerate(files):
                    os.dup2(file, number)
                os.chdir(wish["cwd"])
                os.execvpe(wish["words"][0], wish["words"], {**os.environ, **wish["env"]})
            except OSError as error:
                os.write(2, f"node: {wish['words'][0]}: {error}\n".encode())
            finally:
                os._exit(127)
        for file in files:
            os.close(file)
        self.waiting[child] = connection

    def reap(self):
        """Take the status of every process that has ended: commands, and those whose parent is gone."""
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if child == 0:
                return
            connection = self.waiting.pop(child, None)
            if connection is None:
                continue
            try:
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())
            except OSError:
                pass  # who asked for it is gone
            connection.close()

    def serve(self):
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        selector.register(self.wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == self.wake:
                    os.read(self.wake, 4096)
                else:
                    self.start(self.listener.accept()[0])
            self.reap()


def main(state, name):
    outer = set_up(state, name)
    server = Server(os.path.join(state, name))
    with open(os.path.join(state, name + ".pid.new"), "w", encoding="ascii") as file:
        file.write(outer)
    os.rename(os.path.join(state, name + ".pid.new"), os.path.join(state, name + ".pid"))
    server.serve()


main(sys.argv[1], sys.argv[2])
