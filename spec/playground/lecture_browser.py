"""The tab "Lecture" in a browser: its ten steps, and that each shows, trains and measures what it says."""

import os
import unittest

from browser import DATA, KEYS, SHAPES, BrowserCase, view
from support import ROOT

NAMES = [
    "Bottleneck", "Reconstruction error", "Compression", "Lossy", "Learned for its data", "Deep",
    "Activation functions", "Denoising", "Sparse", "Overfitting",
]
TRAINED = "document.querySelector('.lecture-progress').textContent.startsWith('Trained')"


@unittest.skipIf(DATA == SHAPES, "needs MNIST or Fashion-MNIST")
class Lecture(BrowserCase):
    size = (1280, 900)

    def at_step(self, number):
        """Wait until the step is there and its net trains."""
        page = self.page
        page.until("document.querySelector('.lecture-title')?.textContent === arguments[0]", NAMES[number - 1],
                   NAMES[number - 1])
        page.until("document.querySelector('.lecture-control :is(input, button)')", "the control")
        page.until("window.moonglass.last.state.slot === 'lecture' && (window.moonglass.last.state.running || "
                   f"{TRAINED})", "the net to train by itself")
        return page

    def check_step(self, number):
        page = self.at_step(number)
        self.assertEqual(f"#lecture&step={number}", page.js("return location.hash"))
        sentences = page.js("return [...document.querySelectorAll('.lecture-sentence')].map((p) => p.textContent)")
        self.assertEqual(2, len(sentences))
        for sentence in sentences:
            self.assertRegex(sentence, r"^[A-Z][^.]*\.$", "one sentence")
        self.assertTrue(page.words(".lecture-notice").startswith("Notice that "))
        formula = page.find(".lecture-formula math")
        self.assertGreater(formula.size["width"], 40)
        self.assertGreater(len(formula.get_attribute("aria-label")), 10)
        self.assertEqual(2, len(page.shown(".lecture-panels > .panel")))
        link = page.js("return document.querySelector('.lecture-script a').getAttribute('href')")
        status, headers, body = self.server.ask("GET", link)
        self.assertEqual((200, "text/plain"), (status, headers["content-type"].split(";")[0]))
        with open(os.path.join(ROOT, link.lstrip("/")), "rb") as file:
            self.assertEqual(file.read(), body)

    def test_ten_steps_with_two_sentences_control_notice_formula_and_script(self):
        page = self.page.open("#lecture")
        for number in range(1, 11):
            with self.subTest(NAMES[number - 1]):
                self.check_step(number)
            if number < 10:
                page.click(".lecture-next")
        self.assertEqual(NAMES, [name.text for name in page.shown(".lecture-name")])
        self.assertFalse(page.find(".lecture-next").is_enabled())

    def test_arrow_keys_lead_through_the_steps(self):
        page = self.page.open("#lecture&step=4")
        self.at_step(4)
        page.press(KEYS.ARROW_RIGHT)
        self.at_step(5)
        page.press(KEYS.ARROW_LEFT, KEYS.ARROW_LEFT)
        self.at_step(3)
        radio = "document.querySelector('.lecture-control input:checked')"
        page.js(f"{radio}.focus()")
        page.press(KEYS.ARROW_RIGHT)
        page.until("window.moonglass.last.state.settings.code === 32", "the control's next value")
        self.assertEqual("Compression", page.words(".lecture-title"), "on a control the arrows are its own")

    def test_a_control_starts_the_net_anew_and_is_in_the_address(self):
        page = self.page.open("#lecture&step=8")
        self.at_step(8)
        page.click(".lecture-control .segment:has(input[value='0.6'])")
        page.until("window.moonglass.last.state.settings.noise_level === 0.6 && window.moonglass.last.state.running",
                   "another noise")
        page.until("location.hash === '#lecture&step=8&noise_level=0.6'", "the address")
        page.until("document.querySelectorAll('.lecture-tried tbody tr').length === 2", "a second line")
        place = page.js("return location.hash")
        other = self.new_tab().open(place)
        other.until("window.moonglass.last.state.settings.noise_level === 0.6 && "
                    "window.moonglass.last.state.settings.kind === 'denoising'", "the same step for another visitor")

    def test_a_reload_goes_on_in_the_same_step(self):
        page = self.page.open("#lecture&step=10")
        self.at_step(10)
        page.until("window.moonglass.last.state.epoch > 3", "epochs")
        epoch = page.state()["epoch"]
        page.driver.refresh()
        page.ready()
        self.at_step(10)
        self.assertGreaterEqual(page.state()["epoch"], epoch)

    def test_what_was_tried_is_measured_and_the_net_rests_at_the_end(self):
        page = self.page.open("#lecture&step=1&code=2")
        self.at_step(1)
        page.until(TRAINED, "the end of the training")
        self.assertFalse(page.state()["running"])
        page.until("window.moonglass.last.digits", "digits")
        errors = page.last("digits")["errors"]
        cell = ".lecture-tried tr[data-tried='2'] [data-measure='error of the ten pictures']"
        self.assertAlmostEqual(sum(errors) / len(errors), page.value(cell), places=12)
        wide = page.value(cell)
        page.click(".lecture-control .segment:has(input[value='32'])")
        page.until("window.moonglass.last.state.settings.code === 32", "a wider code")
        page.until(TRAINED, "the end of the second training")
        narrow = page.value(cell.replace("'2'", "'32'"))
        self.assertLess(narrow, wide / (2 if page.state()["data"] == "MNIST" else 1), "what the step lets one notice")

    def test_a_white_square_in_a_digit_is_lost(self):
        page = self.page.open("#lecture&step=4")
        self.at_step(4)
        page.until(TRAINED, "the end of the training")
        page.shown(".lecture-presets button")[1].click()
        row = ".lecture-tried tr[data-tried='With a white square'] [data-measure='square, as {}']"
        page.until(f"document.querySelector(\"{row.format('it comes back')}\")?.dataset.value", "the square's line")
        self.assertEqual(1, page.value(row.format("drawn")))
        if page.state()["data"] == "MNIST":  # clothes may reach into the corner
            self.assertLess(page.value(row.format("it comes back")), 0.2)

    def test_a_picture_can_be_shown_while_the_panels_are_below_the_screen(self):
        view(self.page.driver, 390, 640)
        self.addCleanup(view, self.page.driver, *self.size)
        page = self.page.open("#lecture&step=5")
        self.at_step(5)
        page.until("!document.querySelector('.lecture-presets button').disabled", "the button of the house")
        self.assertTrue(page.js("return document.querySelector(\"[data-panel='digits']\").getBoundingClientRect().top"
                                " > innerHeight + 80"), "the digits were on the screen")
        page.shown(".lecture-presets button")[0].click()
        cell = ".lecture-tried tr[data-tried='A house'] [data-measure='error']"
        page.until(f"document.querySelector(\"{cell}\")?.dataset.value", "the house's error")


if __name__ == "__main__":
    unittest.main()
