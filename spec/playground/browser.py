"""What the browser tests of the playground share: a headless Chromium, and a page that is used as a person would.

Whatever the page writes to the browser's console fails the test. No other host has an address for this browser, so that
a request to one is an error in the console, too."""

import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import Select

from support import PATIENCE, ROOT, SHAPES, Server, wait_for

MOONGLASS = os.environ.get("MOONGLASS_BIN", os.path.join(ROOT, "build", "moonglass"))
FASHION = "/usr/share/datasets/fashion-mnist"  # where the package of Debian has it
KEYS = Keys


def data_folder():
    """MNIST if it is there, else what `make deps` installs, else the tests' own small set."""
    for folder in (os.environ.get("MOONGLASS_DATA"), FASHION):
        if folder and os.path.isdir(folder):
            return folder
    return SHAPES


DATA = data_folder()
FEW_ROWS = 40 if DATA == SHAPES else 50


def chromium(width=1280, height=900, dark=False):
    """A driver of a new browser."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--force-device-scale-factor=1",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    view(driver, width, height, dark)
    return driver


def view(driver, width, height, dark=False):
    """The size of the page, and what the system wishes: light or dark."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


class Page:
    """The page of one server in one tab of the browser."""

    def __init__(self, driver, server):
        self.driver, self.server = driver, server

    # ---- reading ----

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def until(self, code, what, *arguments):
        """Wait until the JavaScript expression is true, and return its value."""
        def seen():
            try:
                return self.js(f"return ({code})", *arguments)
            except JavascriptException:
                return None  # something of it is not there yet
        return wait_for(seen, what)

    def find(self, selector):
        return wait_for(lambda: next(iter(self.shown(selector)), None), f"{selector} on the page")

    def shown(self, selector):
        return [e for e in self.driver.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()]

    def value(self, selector):
        """The number that an element shows, in full."""
        return float(self.js("return document.querySelector(arguments[0]).dataset.value", selector))

    def last(self, event):
        """What was received last of an event; tensors are {shape, data: [...]}."""
        return json.loads(self.js("""return JSON.stringify(window.moonglass.last[arguments[0]] ?? null,
            (key, value) => (ArrayBuffer.isView(value) ? [...value] : value))""", event))

    def state(self):
        return self.last("state")

    def words(self, selector):
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    # ---- what a person does ----

    def open(self, place=""):
        """Go to an address of the page; its session is new if the tab is."""
        self.driver.get(f"http://{self.server.name}/{place}")
        return self.ready()

    def ready(self):
        self.until("document.body.dataset.status === 'live' && window.moonglass.last.state", "the page to be connected")
        return self

    def click(self, selector):
        self.find(selector).click()

    def press(self, *keys):
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def choose(self, setting, label):
        """Choose an option of a setting by its label."""
        Select(self.find(f"[data-setting='{setting}'] select")).select_by_visible_text(label)

    def drag(self, element, start, *moves):
        """Press the button at a place of the element, from its centre, and move by each of the offsets."""
        actions = ActionChains(self.driver, duration=20)
        actions.move_to_element_with_offset(element, *start).click_and_hold()
        for move in moves:
            actions.move_by_offset(*move)
        actions.release().perform()

    def pause(self):
        if self.js("return document.body.dataset.running === 'true'"):
            self.click("#run")
        self.until("!window.moonglass.last.state.running", "the training to pause")

    def reset(self):
        self.click("#reset")
        self.until("window.moonglass.last.state.epoch === 0 && !window.moonglass.last.state.running", "a new net")

    def step(self, times=1):
        """Train for whole epochs."""
        for _ in range(times):
            before = self.state()["epoch"]
            self.click("#step")
            self.until("((s) => s.epoch === arguments[0] && !s.running)(window.moonglass.last.state)",
                       f"epoch {before + 1}", before + 1)
        self.until("((s) => Number(document.getElementById('epoch').dataset.value) === s.state.epoch "
                   "&& s.epoch.epoch === s.state.epoch)(window.moonglass.last)", "the epoch to be shown")
        self.rest()

    def rest(self):
        """Wait until all events of a paused session have come: none for a while."""
        self.until("""(() => {
            const now = Object.values(window.moonglass.last), before = window.seen ?? [];
            if (now.length !== before.length || now.some((event, i) => event !== before[i])) {
              window.seen = now;
              window.seenAt = performance.now();
            }
            return performance.now() - window.seenAt > 400;
          })()""", "the last events")

    def export(self, what):
        """Export by the menu: bytes."""
        self.js("delete window.moonglass.exported")
        self.click("#export")
        self.click(f"#export-menu [data-what='{what}']")
        text = self.until("""((e) => e && (typeof e.bytes === 'string' ? 'text:' + e.bytes
            : 'bytes:' + btoa([...e.bytes].map((b) => String.fromCharCode(b)).join(''))))(window.moonglass.exported)""",
                          "the exported file")
        kind, _, rest = text.partition(":")
        return rest.encode() if kind == "text" else base64.b64decode(rest)

    # ---- the console ----

    def messages(self):
        """What the page wrote to the console since this was last asked."""
        return [f"{e['level']}: {e['message']}" for e in self.driver.get_log("browser")]


class BrowserCase(unittest.TestCase):
    """Each test has a tab, and so a session, of its own. A test that expects messages in the console takes them."""

    size = (1280, 900)

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--sessions", "60", data=DATA)
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.driver = chromium(*cls.size)
        cls.addClassCleanup(cls.driver.quit)

    def setUp(self):
        self.new_tab()

    def new_tab(self):
        """A tab without a session, as of another visitor. It takes the place of the last one: a browser has six
        connections to a host, and each tab's stream takes one."""
        before = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        after = self.driver.current_window_handle
        self.driver.switch_to.window(before)
        self.driver.close()
        self.driver.switch_to.window(after)
        view(self.driver, *self.size)
        self.page = Page(self.driver, self.server)
        return self.page

    def tearDown(self):
        messages = self.page.messages()
        try:
            self.page.js("window.moonglass?.wire.command('pause').catch(() => {})")
        except WebDriverException:
            pass  # the page is gone
        self.assertEqual([], messages, "the page wrote to the console")


# ---- the engine's own figures ----

def run_script(text, *more):
    """Run an exported script, and further lines after it: what it prints, as a list of lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script.lua")
        with open(path, "wb") as file:
            file.write(text + b"\n" + "\n".join(more).encode())
        environment = {**os.environ, "MOONGLASS_DATA": DATA}
        done = subprocess.run([MOONGLASS, path], capture_output=True, text=True, timeout=10 * PATIENCE, cwd=ROOT,
                              env=environment, check=False)
    assert done.returncode == 0, f"the script failed: {done.stderr}\n{text.decode()}"
    return done.stdout.splitlines()


FIGURES = ("epoch", "loss", "test loss", "reconstruction", "kl")


def printed(lines):
    """{"loss": 0.1, ...} of lines like "loss 0.1"."""
    pairs = (line.rpartition(" ") for line in lines)
    return {name: float(value) for name, _, value in pairs if name in FIGURES}


def tensors(data):
    """The tensors of a safetensors file: {name: (shape, values)}."""
    (size,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + size])
    found = {}
    for name, entry in head.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        start, end = entry["data_offsets"]
        body = data[8 + size + start:8 + size + end]
        found[name] = (entry["shape"], list(struct.unpack(f"<{len(body) // 4}f", body)))
    return found
