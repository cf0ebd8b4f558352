"""Random clicks with a fixed seed, while the net trains; then the exported script, run as a program, gives the losses
of the page's last event, to the last digit."""

import os
import random
import re
import subprocess
import tempfile
import unittest

from support import PATIENCE, ROOT, SANITIZED, SHAPES, Server, Visitor, wait_for

MOONGLASS = os.environ.get("MOONGLASS_BIN", os.path.join(ROOT, "build", "moonglass"))
ROUNDS = 2 if SANITIZED else 12
CLICKS = 40
LONGEST = 30000  # epochs that a script repeats

POINTS = {
    "problem": ["circle", "xor", "gauss", "spiral", "spirals3", "plane", "gaussian"],
    "noise": range(0, 51, 5), "ratio": range(10, 91, 10), "batch": range(1, 31), "seed": range(1000),
    "features": [["x1", "x2"], ["sinx1", "x2sq", "x1"], ["x1x2"]],
    "hidden": [[], [1], [4, 2], [8, 8], [3, 2, 1, 2, 3, 8]], "activation": ["tanh", "relu", "sigmoid", "linear"],
    "optimizer": ["sgd", "adam"], "regularisation": ["none", "L1", "L2"], "regularisation_rate": [0, 0.001, 0.1],
    "rate": [0.00001, 0.003, 0.01, 0.03, 0.1],
}
PICTURES = {
    "kind": ["plain", "deep", "denoising", "sparse"], "hidden": [0, 5, 12], "code": range(2, 7), "rows": [40],
    "activation": ["relu", "elu", "tanh"], "code_activation": ["relu", "linear"],
    "noise": ["gaussian", "masking", "salt_pepper"], "noise_level": [0, 0.05, 0.35, 1],
    "sparsity": ["l1", "kl", "k"], "penalty": [0, 0.0001, 0.01], "loss": ["bce", "mse"], "batch": [1, 8, 32],
    "optimizer": ["adam", "sgd", "rmsprop"], "seed": range(1000), "rate": [0.0001, 0.001, 0.01],
}
LABELS = {"two": [-1, 1], "three": [0, 1, 2], "values": [-0.75, 0.1, 1]}


class Clicks:
    """What a visitor clicks: names and arguments of commands. Some are wrong for the net as it is."""

    def __init__(self, seed, kind):
        self.random = random.Random(seed)
        self.kind = kind
        self.table = POINTS if kind == "points" else PICTURES

    def settings(self, most):
        names = self.random.sample(sorted(self.table), self.random.randint(1, most))
        return {name: self.random.choice(self.table[name]) for name in names}

    def coordinate(self):
        return self.random.uniform(-6, 6)

    def own(self):
        labels = self.random.choice(sorted(LABELS))
        return {"own_labels": labels, "list": [
            [self.coordinate(), self.coordinate(), self.random.choice(LABELS[labels])]
            for _ in range(self.random.randint(1, 60))]}

    def edit(self):
        return {"layer": self.random.randint(1, 3), "from": self.random.randint(0, 3),
                "to": self.random.randint(1, 3), "value": self.random.uniform(-2, 2)}

    def next(self):
        names = ["run"] * 6 + ["pause"] * 4 + ["step"] * 3 + ["rate"] * 4 + ["set", "reset", "open"]
        if self.kind == "points":
            names += ["edit"] * 6 + ["point", "points"]
        name = self.random.choice(names)
        if name == "rate":
            return "set", {"settings": {"rate": self.random.choice(self.table["rate"])}}
        if name == "set":
            return name, {"settings": self.settings(3)}
        if name == "open":
            return name, {"slot": self.kind, "room": self.kind, "settings": self.settings(5)}
        if name == "point":
            return name, {"x": self.coordinate(), "y": self.coordinate(), "label": self.random.choice([-1, 1, 0])}
        return name, {"points": self.own, "edit": self.edit,
                      "reset": lambda: {"seed": self.random.randrange(100)}}.get(name, dict)()


def digits(value):
    return None if value is None else f"{value:.17g}"


def run_script(text):
    """Run an exported script; its epoch, loss and test loss as text."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([MOONGLASS, file.name], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT,
                              env={**os.environ, "MOONGLASS_DATA": SHAPES}, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    found = re.fullmatch(r"epoch (\d+)\nloss (\S+)\n(?:test loss (\S+)\n)?", done.stdout)
    assert found, done.stdout
    return int(found.group(1)), found.group(2), found.group(3)


class Replay(unittest.TestCase):
    def play(self, visitor, clicks):
        """Click. A wrong click is refused in words, and the others go on."""
        visitor.do("open", slot=clicks.kind, room=clicks.kind, settings=clicks.settings(6))
        accepted = 0
        for _ in range(CLICKS):
            name, arguments = clicks.next()
            status, answer = visitor.ask(name, **arguments)
            self.assertIn(status, (200, 400), (name, arguments, answer))
            self.assertTrue(status == 200 or answer["error"], answer)
            accepted += status == 200
            if clicks.random.random() < 0.3:
                visitor.server.ask("GET", "/app.js")  # a short while
        self.assertGreater(accepted, CLICKS / 3)

    def check(self, kind, seed):
        with Server(data=SHAPES) as server:
            visitor = Visitor(server)
            stream = visitor.stream()
            self.play(visitor, Clicks(seed, kind))
            visitor.do("pause")
            text = visitor.do("export", what="script")["text"]
            epoch = int(re.search(r'print\(\("epoch %d"\):format\((\d+)\)\)', text).group(1))
            repeats = "failure" not in stream.newest and epoch <= LONGEST
            if repeats:
                self.compare(stream, run_script(text), (kind, seed))
            stream.close()
            visitor.close()
        return repeats

    def compare(self, stream, expected, what):
        """The page's last losses are the script's. An older event may still be on its way, even of the same epoch."""
        def losses(event):
            # there is no loss before the first epoch of pictures
            loss = expected[1] if event.get("loss") is None else digits(event["loss"])
            return event["epoch"], loss, digits(event.get("test_loss"))
        try:
            stream.wait("epoch", lambda event: losses(event) == expected)
        except AssertionError:
            self.assertEqual(losses(stream.newest["epoch"]), expected, what)
            raise

    def rounds(self, kind):
        done = sum(self.check(kind, seed) for seed in range(ROUNDS))
        self.assertGreater(done, ROUNDS / 2, "most trainings neither fail nor take long")

    def test_points(self):
        self.rounds("points")

    def test_pictures(self):
        self.rounds("autoencoder")


if __name__ == "__main__":
    unittest.main()
