#!/usr/bin/env python3
"""Tests the Jupyter kernel through Jupyter's client, and the lecture's notebook, in a clean environment: the home, the
Jupyter folders and the working folder are empty. The last line is "N passed, N failed". MOONGLASS names the program."""

import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from base64 import b64decode

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
JUPYTER = os.path.join(TREE, "scripts", "jupyter")
sys.path.insert(0, JUPYTER)

passed = failed = 0


def test(name, function, *arguments):
    global passed, failed
    try:
        function(*arguments)
    except Exception:  # count any failure, and go on with the other tests
        failed += 1
        print("FAILED " + name + "\n" + traceback.format_exc())
    else:
        passed += 1


def equal(expected, got):
    assert expected == got, f"expected {expected!r}, got {got!r}"


def clean_environment(folder):
    """Replace the user's Jupyter folders by empty ones, and install the kernel there."""
    for name in [name for name in os.environ if name.startswith(("JUPYTER", "IPYTHON", "PYTHONPATH"))]:
        del os.environ[name]
    prefix = os.path.join(folder, "prefix")
    os.environ.update(
        HOME=folder,
        JUPYTER_CONFIG_DIR=os.path.join(folder, "config"),
        JUPYTER_DATA_DIR=os.path.join(folder, "data"),
        JUPYTER_RUNTIME_DIR=os.path.join(folder, "runtime"),
        JUPYTER_PATH=os.path.join(prefix, "share", "jupyter"),
        IPYTHONDIR=os.path.join(folder, "ipython"),
    )
    run = subprocess.run(
        [sys.executable, os.path.join(JUPYTER, "install.py"), "--prefix", prefix],
        capture_output=True,
        text=True,
        check=True,
    )
    os.chdir(folder)
    return run.stdout.strip()


# ---- pictures ----


def size_of_png(bytes_):
    assert bytes_[:8] == b"\x89PNG\r\n\x1a\n", bytes_[:8]
    return tuple(int.from_bytes(bytes_[at : at + 4], "big") for at in (20, 16))  # height, width


def pictures(outputs):
    """Height and width of each picture."""
    return [size_of_png(b64decode(o["data"]["image/png"])) for o in outputs if "image/png" in o.get("data", {})]


# ---- a running kernel ----


class Session:
    def __init__(self):
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="moonglass", startup_timeout=60)

    def run(self, code, **options):
        """The reply, and the messages of the cell."""
        messages = []
        reply = self.client.execute_interactive(
            code, output_hook=lambda m: messages.append((m["msg_type"], m["content"])), timeout=60,
            stop_on_error=False, **options  # after an error, Jupyter would refuse cells for a moment
        )
        return reply["content"], messages

    def outputs(self, code, kind):
        return [content for name, content in self.run(code)[1] if name == kind]

    def text(self, code, stream="stdout"):
        return "".join(o["text"] for o in self.outputs(code, "stream") if o["name"] == stream)

    def result(self, code):
        results = self.outputs(code, "execute_result")
        return results[0]["data"]["text/plain"] if results else None

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def results(s):
    equal("2", s.result("1 + 1"))
    equal("1\t2\tnil", s.result("1, 2, nil"))
    equal("6", s.result("x = 3\nx * 2"))
    equal("6", s.result("local y = x; y * 2"))
    equal("12", s.result("_ * 2"))
    equal(None, s.result("x * 2;"))
    equal(None, s.result("x = 4"))
    equal("3", s.result("function f(n)\n  return n + 1\nend\nf(2)"))
    equal("[1. 2.]\n[2] float32", s.result("moon.tensor{1, 2}"))
    equal("0.1.0", s.result("moon.info().version"))
    equal("ä\\n\0", s.result('"ä\\\\n\\0"'))
    equal(None, s.result(""))
    # A line that can continue the previous one does, as in Lua.
    equal("ab", s.result("g = function(v) return v .. 'b' end\nz = g\n('a')\nz"))


def comments(s):
    """A cell is a Lua chunk: comments and continued lines follow Lua's rules."""
    equal(None, s.result("-- a comment only"))
    equal(None, s.result("--[[ a\ncomment only ]]"))
    equal("123", s.result("seeded = 123; -- note\nseeded"))
    s.run("seeded = 124; -- note")
    equal("124", s.result("seeded -- a note; with a semicolon"))
    s.run("seeded = 125\n-- a last line that is a comment")
    equal("125", s.result("seeded\n-- a last line that is a comment"))
    equal(None, s.result("seeded; -- silenced"))
    equal(None, s.result("total, loss, l1 = 0, 10, 3\ntotal = loss\n- l1"))
    equal("7", s.result("total"))
    equal("7", s.result("total = loss\n- l1\n-- and shown:\ntotal"))
    equal("a;b", s.result("x = [[a;\nb]] -- ;\nx:gsub('\\n', '') .. ''"))
    equal("ok", s.run("#!/usr/bin/env moonglass\n")[0]["status"])
    equal("5", s.result("if true then return 5 end\n'never'"))
    equal("note: local to this entry, and gone after it: gone (leave out 'local' to keep it)\n",
          s.text("local gone = 1", "stderr"))


def as_in_a_session(s):
    equal("{1, 2, a = {...}}", s.result("{1, 2, a = {3}}"))
    assert "50,992 parameters" in s.result(
        "moon.sequential{moon.dense(784, 32), moon.dense(32, 784)}")
    equal("42\tsecond", s.result("40 + 2, 'second'"))
    equal("42\t42\tsecond\tnil", s.result("_, _1, _2, _3"))
    s.run("x = 1")
    equal("42\tnil", s.result("_, _5"))
    equal("42\tnil\tnil", s.result("_, _3, _2 == 'second' or nil"))
    for code in "help", "help()", "?":
        assert "shows the documentation of" in s.text(code) + (s.result(code) or ""), code
    reply, _ = s.run("exit")
    assert "status 0" in reply["evalue"], reply
    equal("1", s.result("1"))


def programs(s):
    """Programs started by cells have an empty standard input, and an interrupt ends them."""
    equal("read\n", s.text("os.execute('echo read $(cat)')"))
    equal("0", s.result("#io.popen('cat'):read('a')"))
    equal("0", s.result("local p = io.popen('read line; printf %s $line'); #p:read('a')"))
    equal("given\n", s.text("local p = io.popen('cat', 'w'); p:write('given\\n'); p:close();"))
    equal("1", s.result("1"))
    program = "'echo begun >&2; exec sleep 1000'"
    for call in "os.execute(P)", "io.popen(P):read('a')", "io.popen(P):close()", "while true do os.execute(P) end":
        interrupt(s, call.replace("P", program))
    equal("nil\texit\t3", s.result("os.execute('exit 3')"))
    reply, _ = s.run("os.execute('sleep 1000 &') os.exit(4)")  # it keeps the output open
    assert "status 4" in reply["evalue"], reply


def printing(s):
    equal("a\nb", s.text("print('a') io.write('b')"))
    equal("bad\n", s.text("io.stderr:write('bad\\n')", "stderr"))
    equal("child\n", s.text("os.execute('echo child')"))
    equal("0\x00 1\n", s.text("print('0\\0 1')"))
    equal(3000000, len(s.text("for i = 1, 3 do io.write(('x'):rep(1000000)) end")))
    order = [
        name for name, _ in s.run("print 'a'; show(moon.rand(1, 9)); print 'b'; show(moon.rand(1, 9)); 7")[1]
    ]
    equal(["stream", "display_data", "stream", "display_data", "execute_result"], order[2:-1])


def streaming(s):
    """Lines arrive while the cell runs: it waits for a file that is made when the first line has arrived."""
    gate = os.path.join(os.getcwd(), "gate")
    code = f"print 'first'\nrepeat local f = io.open('{gate}') until f\nprint 'second'"
    s.client.execute(code)
    seen = ""
    while "second" not in seen:
        message = s.client.get_iopub_msg(timeout=20)
        if message["msg_type"] == "stream":
            seen += message["content"]["text"]
        if seen == "first\n":
            open(gate, "w").close()
    equal("first\nsecond\n", seen)
    equal("ok", s.client.get_shell_msg(timeout=20)["content"]["status"])


def progress(s):
    text = s.text("net = moon.sequential{moon.dense(4, 4)}; net:fit(moon.rand(64, 4), {loss = 'mse', epochs = 3});")
    equal(["epoch 1/3", "epoch 2/3", "epoch 3/3"], [line[:9] for line in text.splitlines()])
    assert "\r" not in text and "\x1b" not in text, text
    assert "epoch        loss" in s.result("net:fit(moon.rand(64, 4), {loss = 'mse', verbose = 0})")


def images(s):
    shown = lambda code: pictures(s.outputs(code, "display_data"))  # noqa: E731
    equal([(31, 31)], shown("show(moon.rand(4, 196))"))
    equal([(6, 6)], shown("show(moon.rand(16))"))
    equal([(4, 11)], shown("show(moon.rand(3, 10), {shape = {2, 5}, pad = 1, columns = 1}); ") and shown(
        "show(moon.rand(1, 18), {shape = {2, 9}})"))
    equal([(5, 7)], shown("moon.zeros(5, 7, {dtype = 'uint8'})"))
    equal([(5, 7)], shown("moon.zeros(5, 7, 3, {dtype = 'uint8'})"))
    equal([], shown("moon.zeros(5, 7)"))
    equal([], shown("moon.zeros(5, 7, {dtype = 'uint8'});"))
    equal([(5, 7)], shown("moon.png.write('p.png', moon.zeros(5, 7, {dtype = 'uint8'}));"))
    equal([(300, 400)], shown("moon.plot.lines('l.png', {{y = {1, 2}}}, {width = 400, height = 300});"))
    equal([], shown("moon.plot.lines('no such folder/l.png', {{y = {1, 2}}});"))
    equal("error", s.run("show('a')")[0]["status"])


def errors(s):
    reply, messages = s.run("local function f()\n  error 'ups'\nend\nf()")
    equal("error", reply["status"])
    content = [c for name, c in messages if name == "error"][0]
    equal(("Error", f"In[{reply['execution_count']}]:2: ups"), (content["ename"], content["evalue"]))
    trace = "\n".join(content["traceback"])
    assert "in upvalue 'f'" in trace or "in local 'f'" in trace, trace
    assert ":4: in the cell" in trace and "session.lua" not in trace, trace
    assert "did you mean 'adam'?" in s.run("moon.adm()")[0]["evalue"]
    assert "did you mean 'epochs'?" in s.run("net:fit(moon.rand(8, 4), {loss = 'mse', epoch = 3})")[0]["evalue"]
    assert "near <eof>" in s.run("for i = 1, 3 do")[0]["evalue"]
    assert "a table value" in s.run("error{}")[0]["evalue"]
    equal("mine", s.run("error(setmetatable({}, {__tostring = function() return 'mine' end}))")[0]["evalue"])
    equal("1", s.result("1"))


def standard_input(s):
    equal("nil", s.result("io.read()"))
    equal("nil", s.result("io.stdin:read('a') == '' and nil"))
    equal("1", s.result("1"))


def completion(s):
    s.run("ae = moon.autoencoder.plain{input = 4, hidden = 2}; t = moon.rand(3); lst = {alpha = 1, beta = print}")

    def complete(code):
        content = s.client.complete(code, reply=True, timeout=20)["content"]
        return code[: content["cursor_start"]], content["matches"]

    equal(("moon.plot.", ["lines"]), complete("moon.plot.li"))
    equal(("x = moon.", ["salt_pepper_noise"]), complete("x = moon.sal"))
    equal(("ae:", ["encode", "encoder_layers"]), complete("ae:en"))
    equal(("ae.", ["encode", "encoder", "encoder_layers"]), complete("ae.en"))
    equal(("t:", ["clamp", "clamp_", "clone"]), complete("t:cl"))
    equal(("t.", ["shape"]), complete("t.sh"))
    equal(("lst.", ["alpha", "beta"]), complete("lst."))
    equal(("lst:", ["beta"]), complete("lst:"))
    equal(("moon.adam{", ["lr"]), complete("moon.adam{l"))
    equal(("ae:fit(t, {loss = 'mse', ", ["epochs"]), complete("ae:fit(t, {loss = 'mse', ep"))
    equal(("ae:fit(t, {\n  loss = f{1, 2},\n  ", ["validation", "validation_freq", "validation_split"]),
          complete("ae:fit(t, {\n  loss = f{1, 2},\n  vali"))
    equal(("", ["coroutine"]), complete("corou"))
    equal(("", ["until"]), complete("unt"))
    equal(("no.such.", []), complete("no.such.thing"))


def inspection(s):
    def help_of(code):
        return s.client.inspect(code, cursor_pos=len(code), reply=True, timeout=20)["content"]

    adam = help_of("moon.adam")
    assert adam["found"] and "moon.adam(options)" in adam["data"]["text/plain"]
    assert "default 0.001, at least 0: learning rate" in adam["data"]["text/plain"]
    assert "epochs" in help_of("ae:fit(")["data"]["text/plain"]
    assert "Tensor:topk(k, dim, largest)" in help_of("t:topk")["data"]["text/plain"]
    assert "A view of numbers" in help_of("t")["data"]["text/plain"]
    assert "Plots as PNG files" in help_of("moon.plot")["data"]["text/plain"]
    equal(adam["data"]["text/plain"], s.result("?moon.adam"))
    equal(adam["data"]["text/plain"], s.result(" moon.adam? "))
    equal("there is no documentation of 'nothing'", s.result("?nothing"))
    equal((False, {}), (help_of("nothing")["found"], help_of("nothing")["data"]))


def complete_cells(s):
    for code, status in (
        ("x = 1", "complete"), ("for i = 1, 3 do", "incomplete"), ("x = = 1", "invalid"), ("-- only", "complete"),
        ("moon.seed(1); -- note", "complete"), ("x = 1\n-- last", "complete"), ("--[[ open", "incomplete"),
        ("x = 1\nx *", "incomplete"), ("?moon.adam", "complete"), ("total = loss\n- l1", "complete"),
    ):
        s.client.is_complete(code)
        equal(status, s.client.get_shell_msg(timeout=20)["content"]["status"])


def interrupt(s, code):
    """The cell ends soon, and the engine keeps its variables."""
    s.run("kept = 42")
    s.client.execute(code, stop_on_error=False)
    while True:  # until the cell prints that it has begun
        message = s.client.get_iopub_msg(timeout=20)
        if message["msg_type"] == "stream" and "begun" in message["content"]["text"]:
            break
    s.manager.interrupt_kernel()
    reply = s.client.get_shell_msg(timeout=30)["content"]
    equal(("error", "Interrupted"), (reply["status"], reply.get("ename")))
    assert "session.lua" not in reply["evalue"], reply
    equal("42", s.result("kept"))


def interrupts(s):
    interrupt(s, "print 'begun' while true do end")
    fit = "ae:fit(moon.rand(20000, 4), {loss = 'mse', epochs = 1000000, verbose = 0, callbacks = {first}})"
    s.run("first = {on_epoch_begin = function(_, state) if state.epoch == 2 then print 'begun' end end}")
    interrupt(s, fit)
    interrupt(s, fit)
    equal("mse", s.result("ae.loss:kind()"))
    s.manager.interrupt_kernel()  # nothing is running
    time.sleep(0.2)
    equal("42", s.result("kept"))


def ends(s):
    s.run("kept, error, print, xpcall, io, os = 1, nil, nil, nil, nil, nil")
    assert "near" in s.run("x = = 1")[0]["evalue"]
    equal("1", s.result("kept"))  # the kernel keeps its own references
    s.manager.restart_kernel()
    s.client.wait_for_ready(timeout=60)
    reply, _ = s.run("os.exit(3)")
    assert "status 3" in reply["evalue"], reply
    equal("nil", s.result("kept"))
    equal("1", s.result("1"))
    s.run("kept = 1")
    s.manager.restart_kernel()
    s.client.wait_for_ready(timeout=60)
    equal("nil", s.result("kept"))


def orphans(s):
    """When the kernel is killed, its engine ends too."""
    pid = int(s.result("io.open('/proc/self/stat'):read('n')"))
    s.client.execute("while true do end")
    s.manager.provisioner.process.kill()
    deadline = time.time() + 20
    while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split(")")[-1].split()[0] != "Z":
        assert time.time() < deadline, "the engine is still there"
        time.sleep(0.05)


# ---- the notebook ----


def outputs_of(notebook, text):
    found = [c for c in notebook.cells if c.cell_type == "code" and text in c.source]
    equal(1, len(found))
    return found[0].outputs


SETS = r"(MNIST|Fashion-MNIST|a set in MNIST's format) in \S+"


def kind_of_text(text):
    """The lines of a text, without what differs between runs: numbers, bars, the name of the data set. Repeated lines
    count once, because a quick run has fewer epochs."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"[-+]?\d[\d,.]*(e[-+]?\d+)?", "#", re.sub(SETS, "SET", line))
        line = " ".join(re.sub(r"[\u2581-\u2588_.\-=+*%]{2,}|[\u2581-\u2588]", "~", line).split())
        if [line] != lines[-1:]:
            lines.append(line)
    return "\n".join(lines)


def kinds_of(outputs):
    """The outputs of a cell by kind: streams by name, results, pictures by size."""
    kinds = []
    for o in outputs:
        if o["output_type"] == "stream":
            if kinds and kinds[-1][0] == o["name"]:
                kinds[-1][1] += o["text"]
            else:
                kinds.append([o["name"], o["text"]])
        elif "image/png" in o.get("data", {}):
            kinds.append(["picture", str(pictures([o])[0])])
        else:
            kinds.append([o["output_type"], o.get("data", {}).get("text/plain", "")])
    return [(name, text if name == "picture" else kind_of_text(text)) for name, text in kinds]


def code_of(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


def stored(path, notebook):
    """The stored notebook was run from top to bottom on MNIST, and names nothing of this machine."""
    text = open(path, encoding="utf-8").read()
    assert len(text) < 2 << 20, f"{len(text)} bytes"
    for part in "/work", "/home", "/tmp", "/root", "/usr":
        assert part not in text, part
    cells = code_of(notebook)
    equal(list(range(1, len(cells) + 1)), [c.execution_count for c in cells])
    equal([], [o for c in cells for o in c.outputs if o["output_type"] == "error" or o.get("name") == "stderr"])
    everything = "".join(o.get("text", "") for c in cells for o in c.outputs)
    assert "MNIST in data/mnist\n" in everything and "epoch 10/10" in everything


def lecture(folder):
    import execute
    import nbformat

    path = os.path.join(JUPYTER, "lecture.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    stored(path, notebook)
    kept = [kinds_of(c.outputs) for c in code_of(notebook)]
    os.environ["MOONGLASS_QUICK"] = "1"
    if not os.environ.get("MOONGLASS_DATA") and not os.path.isdir("/usr/share/datasets/fashion-mnist"):
        os.environ["MOONGLASS_DATA"] = os.path.join(TREE, "spec", "fixtures", "shapes")
    execute.run(notebook, folder)
    nbformat.validate(notebook)
    for cell, kinds in zip(code_of(notebook), kept):
        equal(kinds, kinds_of(cell.outputs))

    # Two and three rows of ten tiles of 28 pixels, one pixel between them, doubled in size.
    two, three = (2 * (2 * 29 + 1), 2 * 291), (2 * (3 * 29 + 1), 2 * 291)
    equal([two], pictures(outputs_of(notebook, "reconstructions(simple)")))
    equal([two], pictures(outputs_of(notebook, "reconstructions(deep)")))
    equal([three], pictures(outputs_of(notebook, "reconstructions(denoiser")))
    equal([two], pictures(outputs_of(notebook, "reconstructions(sparse)")))
    equal([(2 * 59, 2 * 465)], pictures(outputs_of(notebook, "weights(simple)")))
    equal([(2 * 59, 2 * 465)], pictures(outputs_of(notebook, "weights(sparse)")))
    equal([(360, 640)], pictures(outputs_of(notebook, "moon.plot.lines")))
    equal(1, len(pictures(outputs_of(notebook, "show(train"))))
    text = "".join(o.get("text", "") for o in outputs_of(notebook, "loss = \"mse\""))
    assert "50,992 parameters" in text and "epoch 2/2" in text, text
    losses = "".join(o.get("text", "") for o in outputs_of(notebook, "row[2]:evaluate"))
    equal(["simple", "deep", "denoising", "standard", "sparse"], [line.split()[0] for line in losses.splitlines()])


def differences():
    """The comparison finds outputs of another kind, and ignores differences between runs."""
    def stream(text, name="stdout"):
        return {"output_type": "stream", "name": name, "text": text}

    epochs = "epoch 1/2  125 batches  loss 0.0915  val_loss 0.0621  89963 rows/s  0.04 s\n"
    ten = epochs.replace("/2", "/10") + "epoch 10/10  1875 batches  loss 9e-05  val_loss 12.5  9 rows/s  1.24 s\n"
    result = {"output_type": "execute_result", "data": {"text/plain": "loss  \u2588\u2581  0.09 to 0.05"}}
    equal(kinds_of([stream(epochs)]), kinds_of([stream(ten[:20]), stream(ten[20:])]))
    equal(kinds_of([stream("MNIST in data/mnist\n")]), kinds_of([stream("Fashion-MNIST in /usr/x/y\n")]))
    equal(kinds_of([result]), kinds_of([dict(result, data={"text/plain": "loss  \u2588\u2583\u2581  1.5 to 1"})]))
    for other in (
        [], [result], [stream(epochs, "stderr")], [stream("print " + epochs)], [stream(epochs + "and\n")],
        [stream(epochs.replace("val_loss 0.0621  ", ""))], [result, stream(epochs)],
    ):
        assert kinds_of([stream(epochs)]) != kinds_of(other), other


def main():
    with tempfile.TemporaryDirectory() as folder:
        kernel = clean_environment(folder)
        test("the kernel is installed", lambda: equal(["kernel.json"], os.listdir(kernel)))
        session = Session()
        for f in (
            results, comments, as_in_a_session, programs, printing, streaming, progress, images, errors,
            standard_input, completion, inspection, complete_cells, interrupts, ends, orphans,
        ):
            test(f.__name__, f, session)
        session.close()
        test("differences of outputs", differences)
        test("lecture.ipynb", lecture, folder)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
