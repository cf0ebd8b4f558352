"""The tab "Points" in a browser: its main path by clicks, and its numbers against the engine's own."""

import unittest

from browser import KEYS, BrowserCase, printed, run_script, tensors

LOSSES = ".points-losses .figure:nth-child({}) .figure-number"
TEST_LOSS, LOSS = LOSSES.format(1), LOSSES.format(2)
UNIT = ".unit[aria-label$='change its weights']"


class Points(BrowserCase):
    def losses(self):
        return {"loss": self.page.value(LOSS), "test loss": self.page.value(TEST_LOSS)}

    def check_script(self):
        """The exported script prints the page's losses, to the last digit."""
        got = printed(run_script(self.page.export("script")))
        self.assertEqual(self.page.state()["epoch"], got.pop("epoch"))
        self.assertEqual(self.losses(), got)

    def test_run_pause_step_and_reset(self):
        page = self.page.open("#points")
        page.click("#run")
        page.until("window.moonglass.last.state.running && window.moonglass.last.state.epoch > 5", "epochs")
        page.pause()
        self.assertLess(page.value(LOSS), 0.6)
        page.step()
        page.reset()
        self.assertEqual(0, page.value("#epoch"))

    def test_the_script_repeats_an_edited_weight_and_a_changed_rate(self):
        page = self.page.open("#points&problem=xor&noise=10&hidden=3,2")
        page.step(2)
        page.click(UNIT)
        field = page.find("#editor-1")
        field.clear()
        field.send_keys("0.75", KEYS.ENTER)
        page.until("Math.abs(window.moonglass.last.weights.layers[0].weight.data[0] - 0.75) < 1e-9", "the new weight")
        field.send_keys(KEYS.ESCAPE)
        page.step()
        page.choose("rate", "0.1")
        page.until("window.moonglass.last.state.settings.rate === 0.1", "the new rate")
        page.step(2)
        self.check_script()

    def test_the_script_repeats_three_classes_with_a_penalty(self):
        page = self.page.open("#points&problem=spirals3&regularisation=L2&regularisation_rate=0.001&hidden=8")
        page.step(3)
        self.check_script()

    def test_the_exported_weights_are_those_of_the_page(self):
        page = self.page.open("#points&hidden=4,2")
        page.step(2)
        files = tensors(page.export("safetensors"))
        shown = [part for layer in page.last("weights")["layers"] for part in (layer["weight"], layer["bias"])]
        for part in shown:
            in_file = [values for shape, values in files.values() if self.matches(part, shape, values)]
            self.assertEqual(1, len(in_file), f"a tensor of shape {part['shape']} is in the file once")
        self.assertEqual(len(shown), len(files))

    @staticmethod
    def matches(part, shape, values):
        """The page has weights as [in x out], files as [out x in]."""
        data = part["data"]
        if len(part["shape"]) == 2:
            rows, columns = part["shape"]
            if shape != [columns, rows]:
                return False
            data = [data[r * columns + c] for c in range(columns) for r in range(rows)]
        return data == values

    def test_an_address_gives_another_visitor_the_same_set_up(self):
        page = self.page.open("#points&problem=circle")
        page.choose("activation", "ReLU")
        page.click(".set:has(input[value='gauss'])")
        page.until("window.moonglass.last.state.settings.problem === 'gauss'", "the other set")
        page.until("location.hash.includes('gauss') && location.hash.includes('relu')", "the address")
        settings, place = page.state()["settings"], page.js("return location.hash")
        page.step(2)
        losses = self.losses()
        other = self.new_tab().open(place)
        self.assertEqual(settings, other.state()["settings"])
        other.step(2)
        self.assertEqual(losses, self.losses())

    def test_own_points_by_click_and_key(self):
        page = self.page.open("#points&problem=own")
        plane = page.find(".plane")
        for x, y in ((-60, -60), (60, 60), (-60, 60)):
            page.drag(plane, (x, y))
        page.until("window.moonglass.last.points.train.shape[0] + window.moonglass.last.points.test.shape[0] === 3",
                   "three points")
        plane.send_keys("1")
        plane.send_keys(KEYS.ARROW_LEFT, KEYS.ARROW_LEFT, KEYS.ENTER)
        page.until("window.moonglass.last.points.train.shape[0] + window.moonglass.last.points.test.shape[0] === 4",
                   "the fourth, by keys")
        plane.send_keys(KEYS.BACKSPACE)
        page.until("window.moonglass.last.points.train.shape[0] + window.moonglass.last.points.test.shape[0] === 3",
                   "the fourth to be taken away")

    def test_own_points_from_a_table_and_one_that_is_wrong(self):
        page = self.page.open("#points&problem=own")
        page.click(".own-csv summary")
        area = page.find(".own-text")
        area.send_keys("x,y,label\n1,2,1\n-1,-2,-1\n3,0.5,1\n-3,1,-1")
        page.click(".own-csv .button")
        page.until("window.moonglass.last.points.train.shape[0] + window.moonglass.last.points.test.shape[0] === 4",
                   "four points")
        area.clear()
        area.send_keys("1,2,1\n1,two,1")
        page.click(".own-csv .button")
        said = page.until("!document.getElementById('toast').hidden && "
                          "document.getElementById('toast-words').textContent", "words")
        self.assertEqual('Line 2: expected three numbers x,y,label, got "1,two,1". Nothing was changed.', said)
        self.assertEqual(4, sum(page.last("points")[part]["shape"][0] for part in ("train", "test")))


if __name__ == "__main__":
    unittest.main()
