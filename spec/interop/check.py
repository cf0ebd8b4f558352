#!/usr/bin/env python3
"""Reads our files with the ONNX checker, ONNX Runtime, PyTorch and safetensors, and lets Moonglass read theirs.

check.py program: runs `program ours.lua` and `program theirs.lua` on a temporary folder. The last line is
"N passed, N failed".
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import traceback

import numpy as np
import onnx
import onnxruntime
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

import arrays

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-5

passed = failed = 0


def count(ok, text):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    if not ok:
        print("FAILED " + text)


def test(name, function, *arguments):
    try:
        function(*arguments)
    except Exception:  # count any failure, and go on with the other tests
        count(False, name + "\n" + traceback.format_exc())
    else:
        count(True, name)


def close(ours, theirs):
    assert ours.shape == theirs.shape, f"{ours.shape}, theirs {theirs.shape}"
    difference = np.abs(ours - theirs).max(initial=0)
    assert difference <= TOLERANCE, f"largest difference {difference:g}"


def moonglass(program, script, folder):
    run = subprocess.run([program, os.path.join(HERE, script), folder], capture_output=True, text=True, timeout=300)
    if run.returncode != 0:
        raise RuntimeError(f"{script} ended with status {run.returncode}:\n{run.stderr}{run.stdout[-2000:]}")
    return run.stdout


# ---- the same layers in PyTorch ----


class Means(nn.Module):
    """The first k elements of a row."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, x):
        return x[:, : self.k]


class KSparse(nn.Module):
    """Keeps the k largest of each row; of equal ones the first."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, x):
        order = torch.sort(x, dim=1, descending=True, stable=True).indices
        mask = torch.zeros_like(x).scatter_(1, order[:, : self.k], 1)
        return torch.where(mask > 0, x, torch.zeros_like(x))


ACTIVATIONS = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=1),
    "softplus": nn.Softplus,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "linear": nn.Identity,
}


def activation_of(options):
    name = options["activation"]
    if name == "leaky_relu":
        return nn.LeakyReLU(options.get("negative_slope", 0.2))
    if name == "elu":
        return nn.ELU(options.get("alpha", 1))
    return ACTIVATIONS[name]()


def modules_of(layer):
    kind, options = layer["kind"], layer["options"]
    if kind == "dense":
        linear = nn.Linear(options["in"], options["out"], bias=options["bias"])
        return [linear] if options["activation"] == "linear" else [linear, activation_of(options)]
    if kind == "activation":
        return [activation_of(options)]
    if kind == "batch_norm":
        return [nn.BatchNorm1d(options["n"], options["eps"], 1 - options["momentum"])]
    if kind == "layer_norm":
        return [nn.LayerNorm(options["n"], options["eps"])]
    if kind == "dropout":
        return [nn.Dropout(options["p"])]
    if kind == "k_sparse":
        return [KSparse(round(options["k"] * options["alpha"] + 1e-9))]
    if kind == "gaussian_code":
        return [Means(options["k"])]
    assert kind in ("gaussian_noise", "masking_noise", "salt_pepper_noise", "branch", "join"), kind
    return []


class Branched(nn.Sequential):
    """Layers of which some begin another branch, or join all; the modules are numbered as without them."""

    def __init__(self, layers):
        stacks = [modules_of(layer) for layer in layers]
        super().__init__(*[module for modules in stacks for module in modules])
        self.steps = [(layer, len(modules)) for layer, modules in zip(layers, stacks)]

    def forward(self, x):
        taken, ends, rest = [], [], list(self)
        for layer, count in self.steps:
            taken.append(x)
            for module in rest[:count]:
                x = module(x)
            rest = rest[count:]
            if layer["kind"] == "branch":
                ends.append(x)
                x = taken[len(taken) - 1 - layer["options"]["back"]]
            if layer["kind"] == "join":
                heads = layer["options"]["heads"]
                x = torch.cat(ends[len(ends) - heads + 1 :] + [x], dim=1)
                ends = ends[: len(ends) - heads + 1]
        return x


def sequential(path):
    """A torch.nn.Sequential made from the architecture in our file, untrained."""
    with safetensors.safe_open(path, "pt") as file:
        layers = json.loads(file.metadata()["moonglass"])["layers"]
    return Branched([layers[layer["of"]] if layer["kind"] == "repeat" else layer for layer in layers]).eval()


def run_torch(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


# ---- our files in other programs ----


def rows_of(path):
    rows = safetensors.numpy.load_file(path)
    return rows["x"], rows["y"]


def check_onnx(path, rows):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    oldest = min(row[1] for row in onnx.helper.VERSION_TABLE if row[2] >= model.opset_import[0].version)
    assert model.ir_version == oldest, f"IR {model.ir_version}, expected {oldest}"
    x, y = rows_of(rows)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["input"]
    close(y, session.run(["output"], {"input": x})[0])
    close(y[:0], session.run(["output"], {"input": x[:0]})[0])


def check_initializers(folder, name):
    """The initializers are the tensors of the saved net, unless it was folded; a shared tensor occurs once."""
    saved = safetensors.numpy.load_file(f"{folder}/{name}.safetensors")
    if any(key.endswith("running_mean") for key in saved):
        return
    for initializer in onnx.load(f"{folder}/{name}.onnx").graph.initializer:
        if initializer.name in saved:
            assert np.array_equal(onnx.numpy_helper.to_array(initializer), saved[initializer.name]), initializer.name
        else:
            made_up = ("gelu.", "k_sparse.", "gaussian_code.", "layer_norm.")
            assert initializer.name.startswith(made_up), initializer.name


def check_torch(folder, name):
    path = f"{folder}/{name}.safetensors"
    net = sequential(path)
    net.load_state_dict(safetensors.torch.load_file(path), strict=True)
    x, y = rows_of(f"{folder}/{name}.rows")
    close(y, run_torch(net, x))


def check_ours(folder, names):
    for name in names:
        rows = f"{folder}/{name}.rows"
        test(f"{name} in ONNX Runtime", check_onnx, f"{folder}/{name}.onnx", rows)
        test(f"initializers of {name}", check_initializers, folder, name)
        test(f"{name} in PyTorch", check_torch, folder, name)
    for name in ("deep", "dense_gelu", "k_sparse", "gaussian_code", "batch_norm", "layer_norm"):
        for opset in range(11, 24):
            path = f"{folder}/{name}.{opset}.onnx"
            test(f"{name}, operators of version {opset}", check_onnx, path, f"{folder}/{name}.rows")


# ---- our detectors in other programs ----


def close_where_numbers(ours, theirs, name):
    """Equal to 1e-5 of the larger of 1 and the number; the same infinities and NaN in the same places."""
    assert ours.shape == theirs.shape, f"{name}: {ours.shape}, theirs {theirs.shape}"
    finite = np.isfinite(ours)
    assert np.array_equal(ours[~finite], theirs[~finite], equal_nan=True), f"{name}: {ours}, theirs {theirs}"
    difference = np.abs(ours[finite] - theirs[finite]) / np.maximum(1, np.abs(ours[finite]))
    assert difference.max(initial=0) <= TOLERANCE, f"{name}: largest difference {difference.max():g}"


def check_detector(path, scores):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    said = safetensors.numpy.load_file(scores)
    x = said.pop("x")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert sorted(o.name for o in session.get_outputs()) == sorted(said), session.get_outputs()
    metadata = {p.key: p.value for p in model.metadata_props}
    assert ("threshold" in metadata) == ("alarms" in said), metadata
    for count in (len(x), 1, 0):
        for name, values in said.items():
            close_where_numbers(values[:count], session.run([name], {"input": x[:count]})[0], name)


def stack_of(architecture):
    stack = []
    for layer in json.loads(architecture)["layers"]:
        stack += modules_of(layer)
    return nn.Sequential(*stack).eval()


def check_detector_torch(path, scores):
    """PyTorch's strict load_state_dict takes the file: of one net a Sequential, of several a ModuleList. Scores too."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    described, said = json.loads(metadata["moonglass.detector"]), safetensors.numpy.load_file(scores)
    if "moonglass" in metadata:
        whole = stack_of(metadata["moonglass"])
        nets = [whole]
    else:
        count = sum(key.startswith("moonglass.") and key[10:].isdigit() for key in metadata)
        nets = whole = nn.ModuleList(stack_of(metadata[f"moonglass.{i}"]) for i in range(count))
    whole.load_state_dict(safetensors.torch.load_file(path), strict=True)
    rows = np.isfinite(said["x"]).all(axis=1)
    x = said["x"][rows].astype(np.float64)
    if "offset" in described:
        x = (x - np.array(described["offset"])) / np.array(described["scale"])
    z = x.astype(np.float32)
    errors = np.mean([(run_torch(net, z) - z) ** 2 for net in nets], axis=0)
    if described["score"] == "scaled":
        errors = errors / np.array(described["spread"], dtype=np.float32)
    close_where_numbers(said["features"][rows], errors, "features")


def check_detectors(folder):
    names = sorted(name[: -len(".scores")] for name in os.listdir(folder) if name.endswith(".scores"))
    assert names
    for name in names:
        scores = f"{folder}/{name}.scores"
        test(f"{name} in ONNX Runtime", check_detector, f"{folder}/{name}.onnx", scores)
        test(f"{name} in PyTorch", check_detector_torch, f"{folder}/{name}.safetensors", scores)
    for opset in range(11, 24):
        path = f"{folder}/detector_three_max.{opset}.onnx"
        test(f"a detector, operators of version {opset}", check_detector, path, f"{folder}/detector_three_max.scores")


# ---- other programs' files in Moonglass ----

KINDS = {"F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16}


def share(path, net):
    """Tie and repeat in the PyTorch net what our file ties and repeats."""
    with safetensors.safe_open(path, "pt") as file:
        layers = json.loads(file.metadata()["moonglass"])["layers"]
    linear = iter([m for m in net if isinstance(m, nn.Linear)])
    of = {i: next(linear) for i, layer in enumerate(layers) if layer["kind"] in ("dense", "repeat")}
    with torch.no_grad():
        for i, layer in enumerate(layers):
            if layer["kind"] == "repeat" and layer["of"] in of:
                of[i].load_state_dict(of[layer["of"]].state_dict())
            elif "tied" in layer.get("options", {}):
                of[i].weight.copy_(of[layer["options"]["tied"]].weight.T)


def write_torch(folder, name, kind):
    """A net with weights made by PyTorch, saved in an element type. Its outputs are computed from the saved numbers."""
    torch.manual_seed(5)
    net = sequential(f"{folder}/{name}.safetensors")
    share(f"{folder}/{name}.safetensors", net)
    for module in net:
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked.fill_(7)
    net.to(KINDS[kind])
    saved = {key: value.clone() for key, value in net.state_dict().items()}
    safetensors.torch.save_file(saved, f"{folder}/torch.{kind}.{name}.safetensors")
    x, _ = rows_of(f"{folder}/{name}.rows")
    rows = {"x": x, "y": run_torch(net.to(torch.float32), x)}
    safetensors.numpy.save_file(rows, f"{folder}/torch.{kind}.{name}.rows")


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 9), nn.ReLU(), nn.Linear(9, 4), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 20), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


def write_module(folder):
    torch.manual_seed(6)
    net, x = Autoencoder().eval(), np.random.default_rng(1).random((7, 20), dtype=np.float32)
    safetensors.torch.save_model(net, f"{folder}/module.safetensors")
    safetensors.numpy.save_file({"x": x, "y": run_torch(net, x)}, f"{folder}/module.rows")


def write_odd(folder, name, tensors, metadata=None):
    """A file written by the safetensors package, and the same numbers as float32 in another."""
    path = f"{folder}/odd.{name}"
    safetensors.torch.save_file(tensors, path + ".safetensors", metadata)
    expected = {key: value.to(torch.float32).numpy() for key, value in tensors.items()}
    safetensors.numpy.save_file(expected, path + ".expected", metadata)


def header_of(path):
    with open(path, "rb") as file:
        content = file.read()
    size = struct.unpack("<Q", content[:8])[0]
    return content[8 : 8 + size], content[8 + size :]


def write_with_header(path, header, data):
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


def refuses(path):
    try:
        safetensors.numpy.load_file(path)
    except safetensors.SafetensorError:
        return
    raise AssertionError("was read")


def write_odd_files(folder):
    specials = torch.tensor([0.0, -0.0, 1.0, -2.5, 6.1e-5, 5.9e-8, 65504.0, float("inf"), float("-inf"), float("nan")])
    for kind, dtype in KINDS.items():
        write_odd(folder, "floats_" + kind, {"t": specials.to(dtype)})
    write_odd(folder, "beyond_float32", {"t": torch.tensor([1e300, -1e300, 1e-300, 1 / 3], dtype=torch.float64)})
    integers = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool]
    write_odd(folder, "integers", {str(dtype): torch.tensor([0, 1, 100]).to(dtype) for dtype in integers})
    shapes = {"scalar": torch.tensor(2.5), "none": torch.zeros(0, 3), "four": torch.rand(2, 3, 1, 2)}
    write_odd(folder, "shapes", shapes)
    names = {'quote " and \\': torch.ones(1), "Größe \U0001f319": torch.zeros(2), "tab\tline\n": torch.ones(3)}
    write_odd(folder, "names", names, {"käse": 'a "text"\n', "empty": ""})
    mixed = {"b": torch.ones(3, dtype=torch.uint8), "a": torch.rand(5, dtype=torch.float64), "c": torch.rand(2)}
    write_odd(folder, "mixed", mixed)
    write_odd(folder, "nothing", {})
    write_odd(folder, "many", {f"{i}.weight": torch.full((2,), float(i)) for i in range(2000)})


def write_rewritten_files(folder):
    """Headers that the package reads but does not write, and some that both programs must refuse."""
    tensors = {"b": np.arange(4, dtype=np.float32).reshape(2, 2), "a": np.array([7.5], dtype=np.float32)}
    path = f"{folder}/odd.plain"
    safetensors.numpy.save_file(tensors, path + ".safetensors")
    safetensors.numpy.save_file(tensors, path + ".expected")
    header, data = header_of(path + ".safetensors")
    described = json.loads(header)
    reverse = dict(reversed(list(described.items())))
    good = {
        "padded": header + b" " * 777,
        "spaced": json.dumps(described, indent=4).encode(),
        "reversed": json.dumps(reverse).encode(),
        "escaped": header.replace(b'"dtype"', b'"\\u0064type"'),
        "no_metadata_texts": json.dumps({"__metadata__": {}, **described}).encode(),
    }
    for name, text in good.items():
        write_with_header(f"{folder}/odd.{name}.safetensors", text, data)
        taken = safetensors.numpy.load_file(f"{folder}/odd.{name}.safetensors")
        assert all(np.array_equal(taken[key], value) for key, value in tensors.items()), name
        safetensors.numpy.save_file(tensors, f"{folder}/odd.{name}.expected")
    bad = {
        "short": (header, data[:-1]),
        "long": (header, data + b"\0"),
        "no_json": (header[:-1].rstrip().rstrip(b"}"), data),
        "overlap": (header.replace(b"[4,20]", b"[0,16]"), data),
        "gap": (header.replace(b"[4,20]", b"[8,24]"), data + data[:4]),
        "unknown": (header.replace(b"F32", b"F4X"), data),
    }
    for name, (text, content) in bad.items():
        path = f"{folder}/bad.{name}.safetensors"
        write_with_header(path, text, content)
        test(f"the package refuses {name}, too", refuses, path)


def write_theirs(folder, names):
    for name in names:
        for kind in KINDS:
            write_torch(folder, name, kind)
    write_module(folder)
    write_odd_files(folder)
    write_rewritten_files(folder)


def check_theirs(program, folder, names):
    lines = moonglass(program, "theirs.lua", folder).splitlines()
    for line in lines:
        ok = line.startswith("ok ")
        count(ok, line.removeprefix("FAILED "))
    assert len(lines) > len(KINDS) * len(names), "theirs.lua has not looked at everything"


def reads(path):
    """Does the package read the file? Opens it and reads every tensor."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            for name in file.keys():
                file.get_tensor(name)
    except Exception:  # the class depends on the fault
        return "refused"
    return "read"


def check_list(program):
    """Give the files of safetensors_cases.lua to both programs. Print a table of those on which the two differ."""
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        lines = moonglass(program, "list.lua", folder).splitlines()
        for line in lines:
            number, wanted, ours, expected, name, why = line.split("\t")
            theirs = reads(f"{folder}/{number}.safetensors")
            count(ours == wanted, f"{name}: is {ours} here, expected to be {wanted}")
            count(theirs == expected, f"{name}: is {theirs} by the package, expected to be {expected}")
            if ours != theirs:
                differences.append(f"  {name}: {ours} here, {theirs} by the package: {why or 'NOT EXPLAINED'}")
                count(why != "", f"{name}: the difference is not explained")
    print(f"safetensors {safetensors.__version__}: {len(lines)} files, {len(differences)} read by only one of the two:")
    print("\n".join(differences))


def main(program):
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        moonglass(program, "ours.lua", folder)
        names = sorted(name[: -len(".rows")] for name in os.listdir(folder) if name.endswith(".rows"))
        check_ours(folder, names)
        test("detectors", check_detectors, folder)
        write_theirs(folder, names)
        check_theirs(program, folder, names)
    check_list(program)
    arrays.check(program, count)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
