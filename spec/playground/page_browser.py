"""What the tabs of the page share: the address, reloading, a server that goes and comes back, keys, light and dark."""

import signal
import unittest

from browser import DATA, FEW_ROWS, KEYS, BrowserCase, Page
from support import PATIENCE, Server

SMALL = f"#autoencoder&rows={FEW_ROWS}&hidden=16&code=4"


class Common(BrowserCase):
    def test_a_reload_goes_on_where_it_was(self):
        page = self.page.open(SMALL)
        page.until("window.moonglass.last.state.running && window.moonglass.last.state.epoch > 3", "epochs")
        before = page.state()
        page.driver.refresh()
        after = page.ready().state()
        self.assertGreaterEqual(after["epoch"], before["epoch"])
        self.assertEqual(before["settings"], after["settings"])
        page.until("window.moonglass.last.state.running && window.moonglass.last.state.epoch > arguments[0]",
                   "the training to go on", after["epoch"])

    def test_a_reload_of_a_paused_net_finds_the_same_net(self):
        page = self.page.open("#points&problem=gauss")
        page.step(3)
        loss = page.value(".points-losses .figure-number")
        page.driver.refresh()
        page.ready().until("window.moonglass.last.state.epoch === 3", "the same epoch")
        page.until("document.querySelector('.points-losses .figure-number').dataset.value", "a loss")
        self.assertEqual(loss, page.value(".points-losses .figure-number"))

    def test_a_duplicated_tab_has_a_session_of_its_own(self):
        page = self.page.open("#points")
        page.step(2)
        token, window = page.js("return window.moonglass.wire.token"), page.driver.current_window_handle
        page.js("window.open(location.href)")  # copies what the tab keeps
        other = next(w for w in page.driver.window_handles if w != window)
        try:
            page.driver.switch_to.window(other)
            page.ready()
            self.assertNotEqual(token, page.js("return window.moonglass.wire.token"))
            page.click("#tab-lecture")
            page.until("window.moonglass.last.state.slot === 'lecture'", "the lecture's room")
            page.driver.close()
        finally:
            page.driver.switch_to.window(window)
        self.assertEqual(["points", 2], [page.state()["slot"], page.state()["epoch"]])
        self.assertEqual(token, page.js("return window.moonglass.wire.token"))

    def test_an_address_that_cannot_be_followed_is_named(self):
        page = self.page.open("#points&problem=nonsense")
        page.until("!document.getElementById('toast').hidden", "words")
        self.assertIn("nonsense", page.words("#toast-words"))
        self.assertEqual("circle", page.state()["settings"]["problem"])
        refused = [message for message in page.messages() if "400" in message]
        self.assertEqual(1, len(refused), "the refused command is in the console")

    def test_the_tabs_by_keys(self):
        page = self.page.open("#points")
        page.js("document.getElementById('tab-points').focus()")
        page.press(KEYS.ARROW_RIGHT)
        page.until("location.hash.startsWith('#autoencoder')", "the second tab")
        page.press(KEYS.ARROW_RIGHT)
        page.until("location.hash.startsWith('#lecture')", "the third tab")
        page.until("window.moonglass.last.state.slot === 'lecture'", "the lecture's room")
        page.press(KEYS.ARROW_RIGHT)
        page.until("window.moonglass.last.state.slot === 'points'", "the first tab again")

    def test_the_export_menu_by_keys(self):
        page = self.page.open("#points")
        page.step()
        page.js("document.getElementById('export').focus()")
        page.press(KEYS.ENTER)
        page.until("document.activeElement.dataset.what === 'script'", "the menu's first entry")
        page.press(KEYS.ARROW_DOWN, KEYS.ARROW_UP, KEYS.ENTER)
        page.until("window.moonglass.exported?.name.endsWith('.lua')", "a script")
        page.until("document.activeElement.id === 'export'", "the focus back on the button")

    def test_light_and_dark(self):
        page = self.page.open("#points")
        ground = "return getComputedStyle(document.body).backgroundColor"
        light = page.js(ground)
        page.click("#theme")
        self.assertEqual("dark", page.js("return document.documentElement.dataset.theme"))
        self.assertNotEqual(light, page.js(ground))
        page.click("#theme")
        self.assertEqual(light, page.js(ground))

    def test_nothing_comes_from_elsewhere(self):
        page = self.page.open("#autoencoder")
        origins = page.js("""return [...new Set(performance.getEntriesByType('resource')
            .filter(({name}) => /^[a-z]+:/.test(name)).map(({name}) => new URL(name).origin))]""")
        self.assertEqual([f"http://{self.server.name}"], [o for o in origins if o != "null"])

    def test_the_first_tab_moves_by_itself(self):
        page = self.page.open()
        page.until("window.moonglass.tab === 'autoencoder' && window.moonglass.last.state.running", "training")
        page.until("window.moonglass.last.digits && window.moonglass.last.state.batch > 0", "a picture")


class ServerGone(BrowserCase):
    """A server of its own, which is killed."""

    def setUp(self):
        super().setUp()
        self.own = Server("--sessions", "8", data=DATA)
        self.page = Page(self.driver, self.own)

    def tearDown(self):
        for message in self.page.messages():
            self.assertRegex(message, "ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED|EMPTY_RESPONSE)|401")
        self.own.__exit__(None, None, None)

    def test_a_killed_server_is_named_and_one_that_is_back_is_used(self):
        page = self.page.open("#points&problem=xor&noise=20&hidden=5,3")
        page.step(2)
        settings = page.state()["settings"]
        self.own.process.send_signal(signal.SIGKILL)
        self.own.process.wait(PATIENCE)
        page.until("!document.getElementById('gone').hidden && document.body.dataset.status === 'gone'", "a message")
        self.assertIn("does not answer", page.words("#gone-words"))
        port = str(self.own.port)
        self.own.process.stdout.close()
        self.own.errors.close()
        self.own = Server("--sessions", "8", "--port", port, data=DATA)
        page.until("document.getElementById('gone').hidden", "the message to go")
        page.until("window.moonglass.last.state?.epoch === 0", "a new session")
        self.assertEqual(settings, page.state()["settings"])
        page.step()

    def test_a_server_that_ends_says_goodbye(self):
        page = self.page.open("#points")
        self.own.stop()
        page.until("!document.getElementById('gone').hidden", "a message")
        self.assertEqual("shutdown", page.last("bye")["reason"])
        self.assertRegex(page.words("#gone-words"), "^The server (was stopped|does not answer)")
        self.own = Server("--port", str(self.own.port), data=DATA)
        page.until("document.getElementById('gone').hidden", "the message to go")
        page.ready().step()


if __name__ == "__main__":
    unittest.main()
