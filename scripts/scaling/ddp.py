#!/usr/bin/env python3
"""Time the training steps of an autoencoder in PyTorch's DistributedDataParallel with gloo, and print one JSON line.

  ddp.py [--processes 2] [--threads 1] [--sizes 784-128-32-128-784] [--batches 32,128] [--seconds 1]

The net is the one of ../bench/peer.py: ReLU, binary cross-entropy from logits, Adam (fused). The batch is the global
one: each process takes its part of the rows, which lie in memory as float32. DDP is used as its documentation
recommends for a net that never changes: gradient_as_bucket_view and static_graph, one process for each core. For each
batch: step_us, the fastest window's time for a step; local_us, the same without the reduction (no_sync)."""
import argparse, json, os, sys, tempfile, time

p = argparse.ArgumentParser()
p.add_argument("--processes", type=int, default=2)
p.add_argument("--threads", type=int, default=1)
p.add_argument("--rows", type=int, default=16384)
p.add_argument("--sizes", default="784-128-32-128-784", help="widths from the input to the output")
p.add_argument("--batches", default="32,128", help="global batch sizes")
p.add_argument("--seconds", type=float, default=1.0, help="for each batch")
p.add_argument("--no-static-graph", action="store_true")
p.add_argument("--pin", action="store_true", help="each process on a core of its own")
a = p.parse_args()
WINDOWS = 20  # many short ones: on a busy machine some are undisturbed
SIZES = [int(s) for s in a.sizes.split("-")]
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(a.threads)
os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def make_net():
    layers = []
    for i, o in zip(SIZES, SIZES[1:]):
        linear = torch.nn.Linear(i, o)
        torch.nn.init.xavier_uniform_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])  # logits: the loss takes the sigmoid


class Steps:
    """Training steps of one batch size, in the order of a new permutation whenever the rows are used up."""

    def __init__(self, net, rows, batch):
        self.net, self.x, self.batch, self.at = net, rows, batch, len(rows)
        self.opt = torch.optim.Adam(net.parameters(), fused=True)
        self.bce = torch.nn.BCEWithLogitsLoss()

    def step(self):
        if self.at + self.batch > len(self.x):
            self.order, self.at = torch.randperm(len(self.x)), 0
        b = self.x[self.order[self.at:self.at + self.batch]]
        self.at += self.batch
        self.opt.zero_grad(set_to_none=True)
        self.bce(self.net(b), b).backward()
        self.opt.step()

    def window(self, steps):
        if a.processes > 1:
            dist.barrier()
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - start) / steps

    def fastest(self, seconds):
        begin = time.perf_counter()
        steps = max(1, int(seconds / WINDOWS / together(max(self.window(1), self.window(2)))))
        best = self.window(steps)
        for i in range(2, WINDOWS + 1):
            best = min(best, self.window(steps))
            if i >= 3 and together(time.perf_counter() - begin) > 3 * seconds:
                break  # a busy machine
        return best


def together(v):
    """The largest of all processes."""
    if a.processes > 1:
        t = torch.tensor([v], dtype=torch.float64)
        dist.all_reduce(t, dist.ReduceOp.MAX)
        return float(t)
    return v


def measure(rank, net):
    torch.manual_seed(rank)
    rows, found = torch.rand(a.rows // a.processes, SIZES[0]), []
    for batch in (int(b) for b in a.batches.split(",")):
        steps = Steps(net, rows, batch // a.processes)
        case = dict(batch=batch, step_us=steps.fastest(a.seconds) * 1e6)
        if a.processes > 1:
            with net.no_sync():
                case["local_us"] = steps.fastest(a.seconds / 2) * 1e6
            dist.barrier()
        found.append(case)
    if rank == 0:
        print(json.dumps(dict(engine="ddp" if a.processes > 1 else "torch", version=torch.__version__, sizes=a.sizes,
                              processes=a.processes, threads=a.threads, steps=found)))
    sys.stdout.flush()


def run(rank, meeting):
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    if a.processes == 1:
        return measure(rank, make_net())
    if a.pin:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    dist.init_process_group("gloo", init_method="file://" + meeting, rank=rank, world_size=a.processes)
    measure(rank, DistributedDataParallel(make_net(), gradient_as_bucket_view=True, static_graph=not a.no_static_graph))
    dist.destroy_process_group()


if __name__ == "__main__":
    if a.processes == 1:
        run(0, None)
    else:
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(run, (os.path.join(folder, "meeting"),), nprocs=a.processes)
