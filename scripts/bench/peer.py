#!/usr/bin/env python3
"""Train an autoencoder (the lecture's 784-128-32-128-784 unless told otherwise, ReLU,
sigmoid output, binary cross-entropy, Adam at its defaults) in one of the systems a user
would pick instead, and print one JSON line: seconds per epoch and loss per epoch.

  peer.py ENGINE [--batch 32] [--epochs 3] [--threads 2] [--sizes 784-...-784]
          [--net variational|batch_norm] [--data DIR]

ENGINE: keras | keras-jit | keras-torch | keras-jax | torch | torch-compile | jax | sklearn
DIR holds the MNIST IDX files, plain or gzipped. Every engine sees the same rows, reshuffled
each epoch, float32, in memory; only the epoch loop is timed, and the first epoch
(warm-up, tracing, compilation) is reported separately.
Also reported: cores (CPU time over wall time of the epochs after the first: how many threads
really worked), peak_mb (peak resident size), wall_s (whole process, from its start), and
row_us (median time to reconstruct a single row, after training)."""
import argparse, gzip, json, os, resource, sys, time

p = argparse.ArgumentParser()
p.add_argument("engine")
p.add_argument("--batch", type=int, default=32)
p.add_argument("--epochs", type=int, default=3)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--rows", type=int, default=60000)
p.add_argument("--sizes", default="784-128-32-128-784", help="widths from the input to the output")
p.add_argument("--net", default="plain", choices=("plain", "variational", "batch_norm"),
               help="all but plain: PyTorch only")
p.add_argument("--data", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "mnist"))
a = p.parse_args()
SIZES = [int(s) for s in a.sizes.split("-")]
for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[v] = str(a.threads)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = {"keras-torch": "torch", "keras-jax": "jax"}.get(a.engine, "tensorflow")
# XLA ignores its old flags for the number of threads (1.8 cores stay busy), but keeps to the CPUs that it may use.
if a.engine in ("jax", "keras-jax"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-a.threads:])
import numpy as np

def idx(name):
    path = os.path.join(a.data, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as f:
        return np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, SIZES[0]).astype("float32") / 255.0

x = idx("train-images-idx3-ubyte")[: a.rows]
n, B = len(x), a.batch

class Epochs(list):  # notes the time, and the CPU time of all threads, at the end of the first epoch
    def append(self, s):
        super().append(s)
        if len(self) == 1: self.wall, self.cpu = time.perf_counter(), sum(os.times()[:2])
    def cores(self):
        if len(self) > 1: return round((sum(os.times()[:2]) - self.cpu) / (time.perf_counter() - self.wall), 2)

secs, losses = Epochs(), []

def row_us(f, reps=300):
    for _ in range(20): f()
    t = []
    for _ in range(reps):
        b = time.perf_counter(); f(); t.append(time.perf_counter() - b)
    return round(sorted(t)[len(t) // 2] * 1e6, 1)

def born():  # seconds since this process started
    with open("/proc/self/stat") as f: ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    with open("/proc/uptime") as f: return float(f.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")

def done(row=None, **k):
    warm = secs[1:] or secs
    k.update(wall_s=round(born(), 2), peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
             cores=secs.cores())
    if row: k["row_us"] = row_us(row)
    print(json.dumps(dict(engine=a.engine, sizes=a.sizes, batch=B, threads=a.threads, rows=n, first_s=round(secs[0], 3),
                          epoch_s=round(min(warm), 3), epochs=[round(s, 3) for s in secs],
                          loss=[round(float(l), 5) for l in losses], **k)))
    sys.exit(0)

def glorot(rng, i, o):
    l = (6.0 / (i + o)) ** 0.5
    return rng.uniform(-l, l, (i, o)).astype("float32")

if a.engine.startswith("keras"):
    if a.engine in ("keras", "keras-jit"):
        import tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(a.threads)
        tf.config.threading.set_inter_op_parallelism_threads(a.threads)
    import keras
    from keras.layers import Dense, Input
    keras.utils.set_random_seed(1)
    i = o = Input(shape=(SIZES[0],))
    for k in SIZES[1:-1]: o = Dense(k, activation="relu")(o)
    o = Dense(SIZES[-1], activation="sigmoid")(o)
    m = keras.Model(i, o)
    m.compile(optimizer="adam", loss="binary_crossentropy", jit_compile=a.engine == "keras-jit" or "auto")
    class T(keras.callbacks.Callback):
        def on_epoch_begin(self, e, logs=None): self.t = time.perf_counter()
        def on_epoch_end(self, e, logs=None): secs.append(time.perf_counter() - self.t); losses.append(logs["loss"])
    m.fit(x, x, epochs=a.epochs, batch_size=B, verbose=0, callbacks=[T()])
    one = x[:1]
    done(row=lambda: np.asarray(m(one)), version=keras.__version__)

if a.engine.startswith("torch"):
    import torch
    torch.set_num_threads(a.threads); torch.manual_seed(1)
    L = torch.nn.Linear
    def after(width):  # momentum and eps as in Keras
        norm = [torch.nn.BatchNorm1d(width, eps=1e-3, momentum=0.01)] if a.net == "batch_norm" else []
        return norm + [torch.nn.ReLU()]
    def stack(sizes):
        layers = [l for i, o in zip(sizes, sizes[1:-1]) for l in [L(i, o)] + after(o)]
        return torch.nn.Sequential(*layers, L(*sizes[-2:]))
    class Variational(torch.nn.Module):  # as PyTorch's example, but means and log variances are one product
        def __init__(self, sizes):
            super().__init__()
            h = len(sizes) // 2
            self.encoder, self.decoder = stack(sizes[:h] + [2 * sizes[h]]), stack(sizes[h:])
        def forward(self, b):
            mean, log_variance = self.encoder(b).chunk(2, dim=1)
            std = torch.exp(0.5 * log_variance)
            self.divergence = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum() / len(b)
            return self.decoder(mean + torch.randn_like(std) * std if self.training else mean)
    variational = a.net == "variational"
    m = Variational(SIZES) if variational else stack(SIZES)  # logits: the loss takes the sigmoid
    for l in m.modules():
        if isinstance(l, L): torch.nn.init.xavier_uniform_(l.weight); torch.nn.init.zeros_(l.bias)
    opt = torch.optim.Adam(m.parameters(), fused=True)
    bce = torch.nn.BCEWithLogitsLoss(reduction="sum" if variational else "mean")
    def loss(y, b): return bce(y, b) / len(b) + m.divergence if variational else bce(y, b)
    X = torch.from_numpy(x.copy())
    f = torch.compile(m) if a.engine == "torch-compile" else m
    for e in range(a.epochs):
        t = time.perf_counter(); perm = torch.randperm(n); s = 0.0
        for k in range(0, n - n % B, B):
            b = X[perm[k:k + B]]
            opt.zero_grad(set_to_none=True); l = loss(f(b), b); l.backward(); opt.step(); s += l.detach()
        secs.append(time.perf_counter() - t); losses.append(float(s) / (n // B))
    one = X[:1]
    def row():
        m.eval()
        with torch.inference_mode(): return torch.sigmoid(m(one)).numpy()
    done(row=row, version=torch.__version__)

if a.engine == "jax":
    import jax, jax.numpy as jnp, optax
    rng = np.random.default_rng(1)
    params = [(jnp.asarray(glorot(rng, i, o)), jnp.zeros(o)) for i, o in zip(SIZES, SIZES[1:])]
    opt = optax.adam(1e-3); st = opt.init(params)
    def loss(p, b):
        h = b
        for w, c in p[:-1]: h = jax.nn.relu(h @ w + c)
        return optax.sigmoid_binary_cross_entropy(h @ p[-1][0] + p[-1][1], b).mean()
    def step(carry, ix):
        p, s = carry; b = X[ix]
        l, g = jax.value_and_grad(loss)(p, b); u, s = opt.update(g, s); return (optax.apply_updates(p, u), s), l
    X = jnp.asarray(x)
    epoch = jax.jit(lambda c, perm: jax.lax.scan(step, c, perm), donate_argnums=0)
    c = (params, st)
    for e in range(a.epochs):
        t = time.perf_counter(); perm = rng.permutation(n)[: n - n % B].reshape(-1, B)
        c, l = epoch(c, jnp.asarray(perm)); l = float(l.mean())
        secs.append(time.perf_counter() - t); losses.append(l)
    @jax.jit
    def predict(p, b):
        h = b
        for w, q in p[:-1]: h = jax.nn.relu(h @ w + q)
        return jax.nn.sigmoid(h @ p[-1][0] + p[-1][1])
    done(row=lambda: np.asarray(predict(c[0], x[:1])), version=jax.__version__)

if a.engine == "sklearn":
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits
    import sklearn, warnings; warnings.simplefilter("ignore")
    # Squared error: scikit-learn has no regressor with binary cross-entropy.
    m = MLPRegressor(hidden_layer_sizes=SIZES[1:-1], batch_size=B, max_iter=1, warm_start=True, random_state=1)
    with threadpool_limits(a.threads):
        for e in range(a.epochs):
            t = time.perf_counter(); m.fit(x, x); secs.append(time.perf_counter() - t); losses.append(m.loss_)
    done(row=lambda: m.predict(x[:1]), version=sklearn.__version__, note="squared-error objective")
sys.exit("unknown engine " + a.engine)
