"""NPY files: ours against numpy's. numpy writes arrays of every type, order and version; Moonglass reads them and
writes them again. Then 1,000 of them are damaged, and read by both: Moonglass has an error, or numpy's numbers.

arrays.py program: the last line is "N passed, N failed". check.py runs it too. It needs numpy only."""

import io
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = ["b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]
SHAPES = [(), (0,), (1,), (7,), (3, 4), (4, 1), (0, 3), (2, 3, 4), (2, 3, 4, 5)]
SHAPES += [(1030, 70), (3, 66000), (2, 2, 600, 30)]
REFUSED = ["c8", "c16", "O", "U3", "S4", "M8[s]", "m8[D]", "i4,f4"]


def draw(random, kind, shape):
    if kind == "b1":
        return random.integers(0, 2, shape).astype("b1")
    if kind[0] == "f":
        return np.asarray(random.normal(size=shape) * 100).astype(kind)
    limits = np.iinfo(kind)
    return np.asarray(random.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True))


def encoded(array, version):
    file = io.BytesIO()
    with warnings.catch_warnings():  # version 2 and 3 are not needed, numpy says
        warnings.simplefilter("ignore")
        np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


def whole_files(random):
    number = 0
    for kind in TYPES:
        for order in "<>":
            for shape in SHAPES:
                for way in "CF":
                    array = np.asarray(draw(random, kind, shape), np.dtype(kind).newbyteorder(order), order=way)
                    yield encoded(array, [(1, 0), (2, 0), (3, 0)][number % 3])
                    number += 1


def damaged(random, data):
    """One or two changes, most of them in the header."""
    data = bytearray(data)
    for _ in range(random.integers(1, 3)):
        if not data:
            break
        at = int(random.integers(0, min(len(data), 128 if random.random() < 0.8 else len(data))))
        change = random.integers(0, 6)
        if change == 0:
            data[at] = int(random.integers(0, 256))
        elif change == 1:
            data[at] ^= 1 << int(random.integers(0, 8))
        elif change == 2:
            del data[at:]
        elif change == 3:
            del data[at : at + int(random.integers(1, 9))]
        elif change == 4:
            data[at:at] = bytes(data[max(0, at - 9) : at])
        else:
            old = random.choice([b"False", b"<f4", b"<i2", b"|u1", b"(3, 4)"])
            new = random.choice([b"True", b">f4", b"<f2", b"|i1", b"(4, 3)"])
            data = bytearray(bytes(data).replace(bytes(old), bytes(new)))
    return bytes(data)


def theirs(path):
    """numpy's array, in the form in which a tensor has it; None if numpy has an error."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            array = np.load(path, allow_pickle=False)
            return np.asarray(array, "u1" if array.dtype == "u1" else "<f4", order="C")
    except Exception:  # the class depends on the fault
        return None


def same(ours, array):
    if ours.dtype != array.dtype or ours.shape != array.shape:
        return False
    return ours.tobytes() == array.tobytes() or bool(np.array_equal(ours, array, equal_nan=True))


def read_all(program, folder, files):
    """The answer of Moonglass to each file, by name."""
    for name, data in files.items():
        with open(f"{folder}/{name}.npy", "wb") as file:
            file.write(data)
    with open(f"{folder}/names", "w") as file:
        file.write("".join(name + "\n" for name in files))
    script = os.path.join(HERE, "arrays.lua")
    run = subprocess.run([program, script, folder], capture_output=True, text=True, timeout=300)
    if run.returncode != 0:
        raise RuntimeError(f"arrays.lua ended with status {run.returncode}:\n{run.stderr}")
    return dict(line.split("\t") for line in run.stdout.splitlines())


def check(program, count):
    """count(ok, text) is called for each file."""
    random = np.random.default_rng(7)
    files = {f"whole{i}": data for i, data in enumerate(whole_files(random))}
    small = [data for data in files.values() if len(data) < 2000]
    files |= {f"damaged{i}": damaged(random, small[random.integers(len(small))]) for i in range(1000)}
    for i, kind in enumerate(REFUSED):
        file = io.BytesIO()
        np.save(file, np.zeros(3, kind), allow_pickle=True)
        files[f"refused{i}"] = file.getvalue()
    read = {"whole": 0, "damaged": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        answers = read_all(program, folder, files)
        for name, answer in answers.items():
            kind = name.rstrip("0123456789")
            array = theirs(f"{folder}/{name}.npy")
            if answer != "read":
                count(kind != "whole", f"{name}: {answer}")
                continue
            read[kind] += 1
            ours = np.load(f"{folder}/{name}.ours")
            count(kind != "refused" and array is not None and same(ours, array), f"{name}: other numbers than numpy's")
    count(len(answers) == len(files), "a file has no answer")
    print(f"numpy {np.__version__}: {read['whole']} whole files the same; of 1,000 damaged ones {read['damaged']} have "
          f"numpy's numbers, and {1000 - read['damaged']} are refused")


def main(program):
    results = []

    def count(ok, text):
        results.append(ok)
        if not ok:
            print("FAILED " + text)

    check(program, count)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
