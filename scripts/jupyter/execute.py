#!/usr/bin/env python3
"""Execute a notebook on the engine, and store its outputs in it: execute.py NOTEBOOK [--data FOLDER].

It runs in a new folder, in which FOLDER, or the tree's data/mnist, is data/mnist. So the notebook contains no folder
names of this machine."""

import argparse
import os
import subprocess
import sys
import tempfile

import nbclient
import nbformat

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))


def run(notebook, folder, timeout=600):
    """Run all cells of a notebook in a folder, by the kernel of this environment."""
    client = nbclient.NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="moonglass",
        record_timing=False,  # a later run stores the same bytes
        coalesce_streams=True,
        resources={"metadata": {"path": folder}},
    )
    client.execute()


def install_kernel(folder):
    subprocess.run(
        [sys.executable, os.path.join(HERE, "install.py"), "--prefix", folder], check=True, stdout=subprocess.DEVNULL
    )
    os.environ["JUPYTER_PATH"] = os.path.join(folder, "share", "jupyter")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("notebook")
    options.add_argument("--data", default=os.path.join(TREE, "data", "mnist"))
    given = options.parse_args()
    if not os.path.isdir(given.data):
        sys.exit(f"execute.py: there is no folder {given.data}: data/fetch.sh loads MNIST, --data names another")
    os.environ.pop("MOONGLASS_DATA", None)
    os.environ.setdefault("MOONGLASS", os.path.join(TREE, "build", "moonglass"))
    notebook = nbformat.read(given.notebook, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "data"))
        os.symlink(os.path.abspath(given.data), os.path.join(folder, "data", "mnist"))
        install_kernel(folder)
        run(notebook, folder)
    nbformat.validate(notebook)
    nbformat.write(notebook, given.notebook)


if __name__ == "__main__":
    main()
