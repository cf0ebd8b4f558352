#!/usr/bin/env python3
"""Register the kernel with Jupyter: install.py [--prefix FOLDER], else for this user. Prints the kernel's folder."""

import argparse
import json
import os
import sys
import tempfile

from jupyter_client.kernelspec import KernelSpecManager

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--prefix", help="an environment's folder; the kernel goes to share/jupyter/kernels below it")
    given = options.parse_args()
    specification = {
        "argv": [sys.executable, os.path.join(HERE, "kernel.py"), "-f", "{connection_file}"],
        "display_name": "Moonglass (Lua)",
        "language": "lua",
        "interrupt_mode": "signal",
    }
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(os.path.join(folder, "kernel.json"), "w", encoding="utf-8") as file:
            json.dump(specification, file, indent=1)
        manager = KernelSpecManager()
        print(manager.install_kernel_spec(folder, "moonglass", user=given.prefix is None, prefix=given.prefix))


if __name__ == "__main__":
    main()
