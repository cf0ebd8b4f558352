"""The scripts with --distributed: the same figures on any number of ranks, one output, one folder, one message."""

import csv
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import launch

SHAPES = os.path.join(launch.ROOT, "spec", "fixtures", "shapes")  # 40 training images, 20 test images

# A rank gets whole groups of 8 rows: of a batch of 20 two ranks get 16 and 4 rows, or 8 and 12, and three 8, 8 and 4.
COMMON = "--batch 20 --epochs 2"
SCRIPTS = {
    "deep": COMMON,
    "plain": COMMON + " --output sigmoid --tied",
    "denoising": COMMON,
    "memorise": "--batch 20 --epochs 4 --against stopping --images 30",
    "sparse": COMMON + " --kind kl",
    "sparse_coding": COMMON + " --atoms 10 --steps 5 --passes 1",
    "features": COMMON + " --hidden 20 --plane-hidden 20 --code 5 --steps 3 --side 3",
    "compression": COMMON + " --codes 2,4 --hidden 20",
    "anomaly": COMMON + " --against digits --normal 0,1,2",
    "stacked": COMMON + " --hidden 30,20 --code 4",
    "spirals": "--steps 40 --n 20 --hidden 10",
    "variational": COMMON + " --hidden 30 --code 4 --plane-hidden 20 --steps 3 --side 3",
    "demo": "--batch 20 --epochs 1",
}
TIMED = {"seconds of training", "softmax seconds", "net seconds"}


def figures(folder):
    with open(os.path.join(folder, "figures.csv"), encoding="utf-8") as file:
        return {name: float(value) for name, value in list(csv.reader(file))[1:] if name not in TIMED}


def names(folder):
    return sorted(os.listdir(folder))


def shape(output, folder, ranks):
    """The output without its numbers, its folder and the line about ranks: the same for any number of ranks."""
    lines = [line for line in output.replace(folder, "OUT").splitlines() if not re.match(rf"{ranks} ranks on ", line)]
    return [re.sub(r" +", " ", re.sub(r"[-+]?[\d.]+(e[-+]?\d+)?", "N", line)) for line in lines]


def rank_of(launcher, rank):
    """The process of a rank, by its launcher's session."""
    session = os.getsid(launcher)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                mine = f"OMPI_COMM_WORLD_RANK={rank}".encode() in file.read().split(b"\0")
            if mine and os.getsid(int(pid)) == session:
                return int(pid)
        except OSError:
            pass  # it has ended, or is another user's
    raise AssertionError(f"no process of rank {rank}")


class Scripts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="moonglass-scripts-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def words(self, script, options, out):
        data = [] if script == "spirals" else ["--data", SHAPES]
        return [launch.PROGRAM, f"scripts/{script}.lua", *data, "--threads", "1", "--out", f"{self.folder}/{out}",
                *options.split()]

    def alone(self, script, options, out="alone"):
        """Without MPI: its output."""
        done = subprocess.run(self.words(script, options, out), cwd=launch.ROOT, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def ranks(self, n, words, status=0, library="openmpi", env=None):
        result = launch.run(library, n, words, env=env)
        self.assertFalse(result.late, result.output)
        if status == 0:
            self.assertEqual(0, result.status, result.output)
        else:
            self.assertNotEqual(0, result.status, result.output)
        return result.output

    def distributed(self, n, script, options, out, **more):
        return self.ranks(n, self.words(script, options + " --distributed", out), **more)

    def same_figures(self, out, tolerance, expected="alone"):
        expected, got = (figures(f"{self.folder}/{name}") for name in (expected, out))
        self.assertEqual(list(expected), list(got))
        for name, value in expected.items():
            allowed = tolerance * max(abs(value), 1e-3)
            self.assertLessEqual(abs(got[name] - value), allowed, f"{name}: {got[name]} in {out}, expected {value}")

    # ---- the same as alone ----

    def check(self, script):
        options = SCRIPTS[script]
        output = self.alone(script, options)
        for n in (1, 2, 3):
            out = f"ranks{n}"
            with self.subTest(ranks=n):
                with_mpi = self.distributed(n, script, options, out)
                self.same_figures(out, 0 if n == 1 else 2e-3)
                self.assertEqual(names(f"{self.folder}/alone"), names(f"{self.folder}/{out}"))
                self.assertEqual(shape(output, f"{self.folder}/alone", n),
                                 shape(with_mpi, f"{self.folder}/{out}", n))

    def test_every_script_that_trains_is_here(self):
        having = set()
        for path in glob.glob(os.path.join(launch.ROOT, "scripts", "*.lua")):
            script = os.path.basename(path)[:-4]
            helps = subprocess.run([launch.PROGRAM, path, "--help"], text=True, stdout=subprocess.PIPE, check=True)
            if re.search(r"\n *--distributed ", helps.stdout):
                having.add(script)
        self.assertEqual(having, set(SCRIPTS) | {"large"})

    # ---- one message ----

    def one_message(self, output, *parts):
        about = [line for line in output.splitlines() if all(part in line for part in parts)]
        self.assertEqual(1, len(about), output)
        return about[0]

    def test_a_wrong_option_ends_in_one_message(self):
        output = self.distributed(3, "deep", "--lr nan", "x", status=2)
        self.assertIn("deep: --lr: 'nan' is not a number above 0", self.one_message(output, "--lr"))
        self.assertFalse(os.path.exists(f"{self.folder}/x"))

    def test_data_that_is_missing_on_one_rank_ends_in_one_message_that_names_it(self):
        for library, variable in (("openmpi", "OMPI_COMM_WORLD_RANK"), ("mpich", "PMI_RANK")):
            if not launch.installed(library):
                continue
            words = self.words("deep", "--distributed", "x")
            words[words.index(SHAPES)] = '"$data"'
            command = f'data={SHAPES}; [ "${variable}" != 1 ] || data=/nowhere; exec {" ".join(words)}'
            output = self.ranks(3, ["sh", "-c", command], status=1, library=library)
            self.one_message(output, "deep: rank 1: data.mnist: there is no readable train-images", "/nowhere")
            self.assertFalse(os.path.exists(f"{self.folder}/x"))

    def test_a_folder_that_cannot_be_made_ends_in_one_message(self):
        words = self.words("deep", "--distributed", "x")
        words[words.index(f"{self.folder}/x")] = "/proc/x"
        self.one_message(self.ranks(2, words, status=1), "deep: rank 0: cannot make the folder /proc/x")

    def test_a_training_that_diverges_ends_in_one_message_and_leaves_no_net(self):
        output = self.distributed(2, "deep", "--lr 1e38 --epochs 9 --batch 20", "x", status=1)
        self.one_message(output, "deep: ", "loss is")
        self.assertFalse(os.path.exists(f"{self.folder}/x/model.safetensors"))

    def test_a_failure_after_the_training_ends_in_one_message(self):
        os.makedirs(f"{self.folder}/x/reconstructions.png")  # rank 0 cannot write the picture
        output = self.distributed(3, "deep", COMMON, "x", status=1)
        self.one_message(output, "rank 0 of 3", "deep: ", "reconstructions.png")

    def test_processes_without_the_option_are_told_of_it(self):
        output = self.ranks(2, [launch.PROGRAM, "scripts/activations.lua", "--out", f"{self.folder}/x", "--points=5"])
        self.one_message(output, "activations: 2 processes were started; without --distributed each")

    def test_a_script_that_does_not_train_refuses_the_option(self):
        for script in ("activations", "by_hand"):
            output = self.ranks(2, [launch.PROGRAM, f"scripts/{script}.lua", "--distributed"], status=2)
            self.one_message(output, f"{script}: unknown option '--distributed'")

    def test_a_rank_that_is_stopped_ends_the_run_after_the_timeout(self):
        words = self.words("deep", "--batch 20 --epochs 100000 --distributed --timeout 2", "x")
        run = launch.start("openmpi", 2, words)
        try:
            run.wait_for("epoch 2/100000")
            os.kill(rank_of(run.process.pid, 1), signal.SIGSTOP)
            result = run.finish(60)
        except BaseException:
            run.end()
            raise
        self.assertFalse(result.late, result.output)
        self.one_message(result.output, "moonglass: rank 1 of 2", "not heard of for 2 s")

    # ---- going on ----

    def test_a_run_goes_on_with_other_numbers_of_ranks(self):
        options = "--batch 20 --lr 0.003 --schedule plateau --patience 9"
        self.alone("deep", options + " --epochs 6")
        self.distributed(2, "deep", options + " --epochs 2", "x")
        output = self.distributed(3, "deep", options + " --epochs 4 --resume", "x")
        self.assertIn("epoch 3/4", output)
        self.assertNotIn("epoch 2/4", output)
        self.alone("deep", options + " --epochs 6 --resume", "x")
        self.same_figures("x", 2e-3)
        with open(f"{self.folder}/x/history.csv", encoding="utf-8") as file:
            self.assertEqual(7, len(file.readlines()))

    def test_a_run_goes_on_after_a_rank_was_killed(self):
        options = "--batch 20 --hidden 20"
        self.alone("deep", options + " --epochs 60")
        words = self.words("deep", options + " --epochs 1500 --distributed", "x")  # a checkpoint every 30 epochs
        run = launch.start("openmpi", 2, words)
        try:
            run.wait_for("epoch 31/1500")
            os.kill(rank_of(run.process.pid, 1), signal.SIGKILL)
            result = run.finish(60)
        except BaseException:
            run.end()
            raise
        self.assertFalse(result.late, result.output)
        self.one_message(result.output, "moonglass: rank 1 of 2", "process has ended")
        self.assertEqual(["model.run-checkpoint"], [n for n in names(f"{self.folder}/x") if "checkpoint" in n][:1])
        output = self.distributed(3, "deep", options + " --epochs 60 --resume", "x")
        self.assertNotIn("epoch 30/60", output)
        self.same_figures("x", 2e-3)

    def test_a_recorder_goes_on_too(self):
        options = "--batch 20 --images 30"
        self.alone("memorise", options + " --epochs 4")
        self.distributed(2, "memorise", options + " --epochs 2", "x")
        self.distributed(3, "memorise", options + " --epochs 4 --resume", "x")
        self.same_figures("x", 2e-3)

    def test_a_damaged_checkpoint_is_left_for_the_one_before(self):
        self.distributed(2, "deep", "--batch 20 --epochs 3", "x")
        path = f"{self.folder}/x/model.run-checkpoint"
        os.truncate(path, os.path.getsize(path) - 1)
        output = self.distributed(3, "deep", "--batch 20 --epochs 4 --resume", "x")
        self.one_message(output, "going on from the checkpoint before")
        self.assertIn("epoch 3/4", output)

    def test_another_seed_is_refused_once(self):
        self.distributed(2, "deep", COMMON, "x")
        output = self.distributed(2, "deep", COMMON + " --seed 43 --resume", "x", status=1)
        self.one_message(output, "has another net or seed")

    def test_the_program_of_the_page_trains_and_goes_on(self):
        with open(os.path.join(launch.ROOT, "lua", "doc", "several-machines.md"), encoding="utf-8") as file:
            program = re.search(r"```lua train.lua\n(.*?)```", file.read(), re.S).group(1)
        paths = {name: f"{self.folder}/{name}" for name in ("run.safetensors", "net.safetensors")}
        for name, path in paths.items():
            program = program.replace(name, path)
        losses = []
        for n, epochs in ((2, 2), (3, 3)):
            with open(f"{self.folder}/train.lua", "w", encoding="utf-8") as file:
                file.write(program.replace("batch_size = 256", "batch_size = 20")
                           .replace("epochs = 2", f"epochs = {epochs}"))
            output = self.ranks(n, [launch.PROGRAM, f"{self.folder}/train.lua"], env={"MOONGLASS_DATA": SHAPES})
            self.assertEqual(["test loss"], re.findall(r"^test loss", output, re.M), output)
            self.assertIn(f"epoch {epochs}/{epochs}", output)
            self.assertEqual(n == 2, "epoch 1/" in output)
            losses.append(re.search(r"^test loss (.*)$", output, re.M).group(1))
            self.assertTrue(os.path.exists(paths["net.safetensors"]))
        self.assertNotEqual(*losses)

    # ---- large.lua, experiments.lua ----

    def test_large_has_a_file_for_each_rank_and_trains_on_all(self):
        words = [launch.PROGRAM, "scripts/large.lua", "--data", SHAPES, "--gigabytes", "0.0005", "--file",
                 f"{self.folder}/images", "--threads", "1", "--every", "1000", "--distributed", "--keep"]
        output = self.ranks(3, words)
        made = names(self.folder)
        self.assertEqual([f"images.rank-{r}-of-3" for r in range(3)], made)
        images = [(os.path.getsize(f"{self.folder}/{name}") - 16) / 784 for name in made]
        self.assertEqual(500000 // 784, sum(images))
        self.one_message(output, "loss ", "after")
        again = self.ranks(3, [w for w in words if w != "--keep"])
        self.one_message(again, "using ")
        self.assertEqual(made, names(self.folder))  # files that were there stay

    def test_experiments_starts_each_script_by_the_launcher(self):
        mpirun = " ".join(launch.command("openmpi", 2, []))
        done = subprocess.run(
            [launch.PROGRAM, "scripts/experiments.lua", "deep", "activations", "--out", self.folder, "--launcher",
             mpirun, "--data", SHAPES, "--batch", "20", "--epochs", "1"], cwd=launch.ROOT, text=True, timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout)
        with open(f"{self.folder}/deep/log.txt", encoding="utf-8") as file:
            self.assertIn("\n2 ranks on 1 host", file.read())
        self.assertIn("index.html", names(self.folder))

    def test_experiments_is_not_started_by_a_launcher(self):
        output = self.ranks(2, [launch.PROGRAM, "scripts/experiments.lua", "deep", "--out", self.folder], status=2)
        self.assertIn("experiments: it was started 2 times, expected once, with --launcher", output)
        self.assertEqual([], names(self.folder))


for script in SCRIPTS:
    setattr(Scripts, f"test_{script}_gives_the_same_figures_on_1_2_and_3_ranks", lambda self, s=script: self.check(s))

if __name__ == "__main__":
    unittest.main()
