"""The tab "Autoencoder" in a browser: its main path by hand, and its numbers against the engine's own."""

import os
import struct
import tempfile
import unittest
import zlib

from browser import FEW_ROWS, KEYS, ActionChains, BrowserCase, printed, run_script

SMALL = f"#autoencoder&rows={FEW_ROWS}&hidden=32&code=8"
INK = "window.moonglass.last.drawing?.pixels?.data.filter((p) => p > 0).length"


def png(pixels):
    """A grey picture of 28 x 28 bytes as a PNG file."""
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    lines = b"".join(b"\0" + bytes(pixels[i:i + 28]) for i in range(0, 784, 28))
    head = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


class Autoencoder(BrowserCase):
    def open_paused(self, place):
        """The tab trains when it is first seen. Here a test begins with a new net that rests."""
        page = self.page.open(place)
        page.until("window.moonglass.last.state.running", "the first visit to train by itself")
        page.reset()
        return page

    def test_the_first_visit_trains_by_itself_and_a_person_pauses_it(self):
        page = self.page.open(SMALL)
        page.until("window.moonglass.last.state.running && window.moonglass.last.state.epoch > 2", "epochs")
        page.pause()
        page.until("document.getElementById('run-word').textContent === 'Run'", "the button to say what it does")

    def test_the_script_of_each_kind_prints_the_losses_of_the_page(self):
        page = self.open_paused(SMALL)
        kinds = page.js("""return window.moonglass.last.schema.settings.find(({name}) => name === 'kind')
            .choices.map(({value}) => value)""")
        self.assertEqual(["plain", "deep", "denoising", "sparse", "variational"], kinds)
        for kind in kinds:
            with self.subTest(kind):
                page.click(f"[data-setting='kind'] .segment:has(input[value='{kind}'])")
                page.until("window.moonglass.last.state.settings.kind === arguments[0]", kind, kind)
                page.step(2)
                got = printed(run_script(page.export("script")))
                shown = {"epoch": 2, "loss": page.value("[data-loss='train']"),
                         "test loss": page.value("[data-loss='test']")}
                if kind == "variational":
                    shown |= {name: page.value(f"[data-loss='{name}']") for name in ("reconstruction", "kl")}
                self.assertEqual(shown, got)

    def test_a_rate_that_is_changed_while_it_trains_is_in_the_script(self):
        page = self.open_paused(SMALL)
        page.click(".ae-more summary")
        page.step(1)
        page.choose("rate", "0.01")
        page.until("window.moonglass.last.state.settings.rate === 0.01", "the new rate")
        page.step(2)
        got = printed(run_script(page.export("script")))
        self.assertEqual(page.value("[data-loss='train']"), got["loss"])
        self.assertEqual(3, got["epoch"])

    def test_the_reconstructions_are_those_of_the_exported_net(self):
        page = self.open_paused(SMALL)
        page.step(3)
        page.until("window.moonglass.last.digits", "digits")
        script, weights = page.export("script"), page.export("safetensors")
        digits = page.last("digits")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "net.safetensors")
            with open(path, "wb") as file:
                file.write(weights)
            lines = run_script(
                script, f"local loaded = assert(moon.load([[{path}]]))", "for _, one in ipairs{net, loaded} do",
                "  local made = one:reconstruct(test_x:rows(1, 10)):clamp(0, 1):mul_(255):byte()",
                "  print('pixels ' .. table.concat(made:reshape(-1):totable(), ' '))", "end")
        for line in [line for line in lines if line.startswith("pixels ")]:
            self.assertEqual(digits["reconstruction"]["data"], [int(float(v)) for v in line.split()[1:]])
        self.assertEqual(2, sum(line.startswith("pixels ") for line in lines))
        self.assertEqual(784 * len(digits["rows"]), len(digits["reconstruction"]["data"]))

    def test_onnx_is_a_file_of_its_kind(self):
        page = self.open_paused(SMALL)
        self.assertIn(b"Gemm", page.export("onnx"))

    def test_a_variational_net_shows_the_parts_of_its_loss_and_new_pictures(self):
        page = self.open_paused(SMALL + "&kind=deep")
        page.until("window.moonglass.last.epoch", "an epoch's numbers")
        self.assertFalse(page.shown(".digits-new"))
        self.assertFalse(page.shown("[data-loss='kl']"))
        page.click("[data-setting='kind'] .segment:has(input[value='variational'])")
        page.until("window.moonglass.last.state.settings.kind === 'variational'", "the kind")
        page.find("[data-setting='beta'] input").send_keys(KEYS.CONTROL + "a", KEYS.NULL, "0.5", KEYS.ENTER)
        page.until("window.moonglass.last.state.settings.beta === 0.5", "the new beta")
        page.step(2)
        page.js("document.querySelector('.ae-digits').scrollIntoView()")
        page.until("window.moonglass.last.samples?.pictures", "new pictures")
        parts = [page.value(f"[data-loss='{name}']") for name in ("reconstruction", "kl")]
        self.assertAlmostEqual(page.value("[data-loss='train']"), parts[0] + 0.5 * parts[1], places=2)
        self.assertEqual(10, len(page.shown(".digits-new canvas")))
        before = page.last("samples")
        page.click(".digits-new-head button")
        page.until("window.moonglass.last.samples.seed > arguments[0]", "other pictures", before["seed"])
        others = page.last("samples")
        self.assertNotEqual(before["pictures"]["data"], others["pictures"]["data"])
        lines = run_script(
            page.export("script"), "print('pixels ' .. table.concat(samples:clamp(0, 1):mul_(255):byte()"
            ":reshape(-1):totable(), ' '))")
        (pixels,) = [line for line in lines if line.startswith("pixels ")]
        self.assertEqual(others["pictures"]["data"], [int(float(v)) for v in pixels.split()[1:]])

    def test_a_variational_code_of_two_is_a_plane_and_a_map(self):
        page = self.open_paused(f"#autoencoder&rows={FEW_ROWS}&hidden=32&code=2&kind=variational")
        page.step(1)
        page.until("window.moonglass.last.map?.grid && window.moonglass.last.code", "the map")
        page.js("document.querySelector('.code-plane-surface').focus()")
        page.press(KEYS.ARROW_RIGHT, KEYS.ARROW_UP)
        page.until("window.moonglass.last.code.edited", "the edited code")
        code = page.last("code")
        self.assertEqual(2, len(code["values"]["data"]))
        self.assertNotEqual(code["reconstruction"]["data"], code["decoded"]["data"])

    def test_drawing_with_the_mouse(self):
        page = self.open_paused(SMALL)
        page.drag(page.find(".pad"), (-60, -80), (120, 0), (-60, 160))
        page.until(f"{INK} > 30", "the strokes to arrive")
        page.until("window.moonglass.last.code.source === 'drawing'", "the drawing's code")
        drawing = page.last("drawing")
        self.assertEqual(8, len(drawing["code"]["data"]))
        self.assertEqual(784, len(drawing["reconstruction"]["data"]))
        page.click(".pad-tools button[title^='Empties']")
        page.until("!window.moonglass.last.drawing?.pixels", "an empty pad")

    def test_drawing_with_keys(self):
        page = self.open_paused(SMALL)
        page.js("document.querySelector('.pad').focus()")
        ActionChains(page.driver).key_down(KEYS.SPACE).send_keys(KEYS.ARROW_RIGHT * 6).send_keys(KEYS.ARROW_DOWN * 8) \
            .key_up(KEYS.SPACE).send_keys(KEYS.ARROW_LEFT * 3).perform()
        page.until(f"{INK} > 14", "the strokes to arrive")
        before = page.js(f"return {INK}")
        page.press(KEYS.DELETE)
        page.until("!window.moonglass.last.drawing?.pixels", "an empty pad")
        self.assertGreater(before, 14)

    def bar_moves_digit(self, act):
        page = self.open_paused(SMALL)
        page.step(2)
        page.until("window.moonglass.last.code?.values.data.length === 8", "the code")
        before = page.last("code")
        act(page)
        page.until("window.moonglass.last.code.edited", "the edited code")
        after = page.last("code")
        self.assertNotEqual(before["values"]["data"], after["values"]["data"])
        self.assertNotEqual(before["decoded"]["data"], after["decoded"]["data"])
        self.assertEqual(before["original"]["data"], after["original"]["data"])
        page.click(".ae-code .panel-tools button")
        page.until("!window.moonglass.last.code.edited", "the picture's own code again")
        self.assertEqual(before["decoded"]["data"], page.last("code")["decoded"]["data"])

    def test_dragging_a_bar_with_the_mouse_changes_the_decoded_digit(self):
        self.bar_moves_digit(lambda page: page.drag(page.shown(".code-bar")[2], (0, 60), (0, -90), (0, -30)))

    def test_moving_a_bar_with_keys_changes_the_decoded_digit(self):
        def keys(page):
            page.js("document.querySelector('.code-bar').focus()")
            page.press(KEYS.ARROW_RIGHT, KEYS.PAGE_UP, KEYS.PAGE_UP, KEYS.ARROW_UP)
        self.bar_moves_digit(keys)

    def test_choosing_a_digit_shows_its_code(self):
        page = self.open_paused(SMALL)
        page.until("window.moonglass.last.digits", "digits")
        page.shown(".digit")[3].click()
        page.until("window.moonglass.last.code.row === window.moonglass.last.digits.rows[3]", "its code")
        page.press(KEYS.ARROW_RIGHT)
        page.until("window.moonglass.last.code.row === window.moonglass.last.digits.rows[4]", "the next one's code")

    def test_own_pictures_as_a_query_and_as_data(self):
        page = self.open_paused(SMALL)
        pictures = [[(x * 9 + y * k) % 256 for y in range(28) for x in range(28)] for k in (1, 5, 7)]
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, f"own{i}.png") for i in range(len(pictures))]
            for path, pixels in zip(paths, pictures):
                with open(path, "wb") as file:
                    file.write(png(pixels))
            page.until("document.getElementById('own-files')", "the field for files")
            page.driver.find_element("id", "own-files").send_keys("\n".join(paths))
            page.until("document.querySelectorAll('.own-picture').length === 3", "three pictures")
        page.shown(".own-picture")[1].click()
        page.until("window.moonglass.last.drawing?.pixels", "the picture as a query")
        self.assertEqual(pictures[1], page.last("drawing")["pixels"]["data"])
        page.click(".own-tools .primary")
        page.until("window.moonglass.last.state.settings.data === 'own'", "training on own pictures")


if __name__ == "__main__":
    unittest.main()
