"""Trains an autoencoder from Python, within a limit on memory: train.py IMAGES, an IDX file, plain or gzipped."""

import argparse
import gzip
import sys

import numpy as np
from moonglass import LuaError, LuaMemoryError, open_state, to_tensor

TRAIN = b"""
local images, epochs, on_epoch = ...
moon.seed(42)
local ae = moon.autoencoder.deep{input = images:size(2), hidden = {128}, code = 32}
ae:fit(images, {
  loss = "binary_crossentropy", epochs = epochs, threads = 1,
  callbacks = {function(state) on_epoch(state.epoch, state.loss) end},
})
return ae
"""


def read_images(path, rows):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        _magic, count, height, width = np.frombuffer(file.read(16), ">i4")
        rows = min(rows, int(count))
        return np.frombuffer(file.read(rows * height * width), np.uint8).reshape(rows, height * width)


def read_options():
    parser = argparse.ArgumentParser(description="Train an autoencoder inside Python's lupa.")
    parser.add_argument("images", help="an IDX file, plain or gzipped")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--memory", type=int, default=64, help="the Lua state's limit, in MB")
    return parser.parse_args()


def train(options):
    lua, moon = open_state(options.memory << 20)
    images = to_tensor(lua, moon, read_images(options.images, options.rows))
    lua.execute(TRAIN, images, options.epochs, lambda epoch, loss: print(f"epoch {epoch}  loss {loss:.4f}"))
    print(f"{lua.get_memory_used() / 2**20:.1f} MB of {options.memory} MB")


if __name__ == "__main__":
    try:
        train(read_options())
    except LuaMemoryError:  # it may have no text
        sys.exit("train.py: not enough memory: --memory says how many MB there may be")
    except (LuaError, OSError) as error:
        sys.exit("train.py: " + str(error).splitlines()[0])
