#!/usr/bin/env python3
"""Python's lupa, unchanged: its Lua 5.4 is inside a Python extension and has a memory limit."""

import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.path.join(ROOT, "scripts", "hosts", "lupa")
LUA = os.environ.get("LUA", "lua5.4")
SHAPES = os.path.join(ROOT, "spec", "fixtures", "shapes")
sys.path.insert(0, HOST)

import moonglass  # noqa: E402
from train import read_images  # noqa: E402

MB = 1 << 20

TRAIN = b"""
local x, epochs = ...
moon.seed(3)
local ae = moon.autoencoder.deep{input = 784, hidden = {64}, code = 16}
local h = ae:fit(x, {loss = "binary_crossentropy", epochs = epochs, batch_size = 8, threads = 1})
return h.loss[1], h.loss[epochs]
"""


def run(*command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30)


class Lupa(unittest.TestCase):
    def setUp(self):
        self.lua, self.moon = moonglass.open_state(24 * MB)
        self.images = read_images(os.path.join(SHAPES, "train-images-idx3-ubyte.gz"), 1000)

    def tensor(self, array):
        return moonglass.to_tensor(self.lua, self.moon, array)

    def test_trains_two_epochs_under_the_limit(self):
        first, last = self.lua.execute(TRAIN, self.tensor(self.images), 2)
        self.assertLess(last, first)
        self.assertLess(self.lua.get_memory_used(), 24 * MB)

    def test_the_limit_counts_tensors(self):
        self.lua.gccollect()
        before = self.lua.get_memory_used()
        kept = self.moon[b"zeros"](1000, 1000)
        self.assertGreaterEqual(self.lua.get_memory_used() - before, 4_000_000)
        self.assertIsNotNone(kept)

    def test_beyond_the_limit_is_an_error_and_the_state_goes_on(self):
        x = self.tensor(self.images)
        before = self.lua.execute(TRAIN, x, 2)
        for code in (
            b"return moon.zeros(10000, 10000)",
            b"local t = {} for i = 1, 1e6 do t[i] = moon.zeros(100, 100) end",
            b"return moon.autoencoder.plain{input = 784, hidden = 100000}",
            b"return moon.autoencoder.plain{input = 784, hidden = 1000}:fit(moon.rand(5000, 784), {loss = 'mse'})",
            b"return moon.autoencoder.plain{input = 784, hidden = 1500}:fit(moon.rand(200, 784), {loss = 'mse'})",
        ):
            with self.assertRaises(moonglass.LuaError, msg=code) as caught:
                self.lua.execute(code)
            # The limit may be reached by an object of Lua itself: then lupa gives no message.
            if not isinstance(caught.exception, moonglass.LuaMemoryError):
                self.assertIn("memory", str(caught.exception), code)
            self.assertLess(self.lua.get_memory_used(), 24 * MB)
        with self.assertRaises(moonglass.LuaMemoryError):
            self.lua.execute(b"return ('x'):rep(1 << 30)")
        with self.assertRaises(moonglass.LuaMemoryError):
            self.tensor(np.zeros((60000, 784), np.uint8))
        with self.assertRaises(moonglass.LuaMemoryError):
            self.tensor(np.zeros((1000, 784), np.float32))
        self.assertEqual(before, self.lua.execute(TRAIN, x, 2))

    def test_memory_is_freed(self):
        def train():
            self.lua.execute(TRAIN, self.tensor(self.images), 1)
            self.lua.gccollect()
            self.lua.gccollect()
            return self.lua.get_memory_used()

        first = train()
        self.assertLess(max(train() for _ in range(20)), first + 20_000)

    def test_bytes_go_in_and_out_without_files(self):
        values = np.arange(28 * 300, dtype=np.uint64).reshape(28, 300) * 7 % 256
        tensor = self.tensor(values.astype(np.uint8))
        self.assertEqual((b"uint8", 28, 300), (tensor[b"dtype"], tensor[b"shape"][1], tensor[b"shape"][2]))
        self.assertTrue(np.array_equal(moonglass.to_array(self.lua, tensor), values.astype(np.float32)))
        encoded = self.moon[b"png"][b"encode"](tensor)
        again = self.moon[b"png"][b"decode"](encoded)
        self.assertTrue(np.array_equal(moonglass.to_array(self.lua, again), values.astype(np.float32)))

    def test_floats_go_in_and_out_exactly(self):
        values = np.random.default_rng(1).standard_normal((20, 30)).astype(np.float32)
        back = moonglass.to_array(self.lua, self.tensor(values))
        self.assertEqual(values.tobytes(), back.tobytes())

    def test_the_probe_gives_the_same_result(self):
        with tempfile.TemporaryDirectory() as folder:
            net, out = os.path.join(folder, "net.safetensors"), os.path.join(folder, "out")
            probe = os.path.join(ROOT, "spec", "other_hosts", "probe.lua")
            script = os.path.join(ROOT, "scripts", "hosts", "lighttpd", "train.lua")
            trained = run(LUA, script, net, "40", SHAPES)
            self.assertEqual(0, trained.returncode, trained.stderr)
            names = {"MOONGLASS_SHAPES": SHAPES, "MOONGLASS_NET": net, "MOONGLASS_PROBE_OUT": out}
            plain = run(LUA, probe, **names)
            self.assertEqual(0, plain.returncode, plain.stderr)
            with open(out, "rb") as file:
                expected = file.read()
            os.remove(out)
            os.environ.update(names)
            self.assertEqual(expected, self.lua.globals()[b"dofile"](probe.encode()))

    def test_states_are_independent(self):
        other, moon = moonglass.open_state(24 * MB)
        self.lua.execute(b"moon.seed(1)")
        other.execute(b"moon.seed(1)")
        moon[b"rand"](3)
        a = moonglass.to_array(self.lua, self.moon[b"rand"](3))
        other.execute(b"moon.seed(1)")
        b = moonglass.to_array(other, moon[b"rand"](3))
        self.assertEqual(a.tolist(), b.tolist())

    def test_the_program(self):
        program = os.path.join(HOST, "train.py")
        images = os.path.join(SHAPES, "train-images-idx3-ubyte.gz")
        done = run(sys.executable, program, images, "--epochs", "2", "--memory", "16")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stdout, r"^epoch 1  loss 0\.\d+\nepoch 2  loss 0\.\d+\n\d+\.\d MB of 16 MB\n$")
        refused = run(sys.executable, program, images, "--memory", "1")
        self.assertEqual(1, refused.returncode)
        self.assertRegex(refused.stderr, r"\Atrain.py: .*memory.*\n\Z")

    def test_an_import_that_hides_symbols_gives_an_error(self):
        code = (
            "from lupa.lua54 import LuaRuntime\n"
            "try: LuaRuntime().require('moonglass')\n"
            "except Exception as e: print(e)"
        )
        self.assertRegex(run(sys.executable, "-c", code).stdout, "undefined symbol: lua")


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=1).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed > 0)
