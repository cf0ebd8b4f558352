"""Accessibility: axe-core's rules in each tab, light and dark; names in the browser's own tree; the tab key.

axe-core comes from the package axe-playwright-python of PyPI, which make deps-playground installs. Nothing else of that
package is used."""

import importlib.util
import os
import unittest

from browser import FEW_ROWS, KEYS, BrowserCase, view

PLACES = {
    "points": "#points&problem=xor&hidden=4,2",
    "own points": "#points&problem=own",
    "autoencoder": f"#autoencoder&rows={FEW_ROWS}&hidden=32&code=8&view.more=yes",
    "map": f"#autoencoder&rows={FEW_ROWS}&hidden=32&code=2&kind=denoising",
    "lecture": "#lecture&step=2",
    "lecture with drawing": "#lecture&step=5",
}
CONTROLS = {"button", "textbox", "combobox", "checkbox", "radio", "slider", "spinbutton", "tab", "link", "menuitem",
            "switch", "searchbox", "listbox", "application"}


def axe_source():
    """The text of axe-core."""
    package = importlib.util.find_spec("axe_playwright_python")
    assert package, "axe-playwright-python is not installed: run make deps-playground"
    path = os.path.join(package.submodule_search_locations[0], "axe.min.js")
    with open(path, encoding="utf-8") as file:
        return file.read()


def told(violations):
    """What axe found, as lines for people."""
    def why(node):
        return " ".join(check["message"] for check in node["any"] + node["all"] + node["none"])
    return [f"{v['id']}: {v['help']}: {node['html'][:160]} ({why(node)[:200]})"
            for v in violations for node in v["nodes"]]


class Access(BrowserCase):
    maxDiff = None

    def settled(self, place):
        """The place, with its pictures there and its training at rest."""
        page = self.page.open(place)
        if "own" not in place:
            page.until("window.moonglass.last.epoch", "losses")
        page.until("document.querySelectorAll('main canvas').length > 1", "pictures")
        page.js("window.moonglass.wire.command('pause')")
        page.until("!window.moonglass.last.state.running", "the training to pause")
        return page

    def axe(self, page):
        page.js(axe_source())
        return page.driver.execute_async_script("""const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations), (e) => done(String(e)))""")

    def test_axe_finds_nothing(self):
        for name, place in PLACES.items():
            for dark in (False, True):
                with self.subTest(f"{name}, {'dark' if dark else 'light'}"):
                    view(self.page.driver, *self.size, dark=dark)
                    self.assertEqual([], told(self.axe(self.settled(place))))
                    self.page.driver.get("about:blank")

    def test_axe_finds_nothing_on_a_phone(self):
        for name in ("points", "autoencoder", "lecture"):
            with self.subTest(name):
                view(self.page.driver, 390, 844)
                page = self.settled(PLACES[name])
                self.assertEqual([], told(self.axe(page)))
                wide, room = page.js("return ['scrollWidth', 'clientWidth'].map((n) => document.documentElement[n])")
                self.assertLessEqual(wide, room, "nothing is wider than the screen")
                page.driver.get("about:blank")

    def test_each_control_has_a_name_and_those_of_settings_a_sentence(self):
        for name, place in PLACES.items():
            with self.subTest(name):
                page = self.settled(place)
                page.driver.execute_cdp_cmd("Accessibility.enable", {})
                nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
                found = [n for n in nodes if not n.get("ignored") and n.get("role", {}).get("value") in CONTROLS]
                self.assertGreater(len(found), 15)
                nameless = [n for n in found if not n.get("name", {}).get("value", "").strip()]
                self.assertEqual([], [n["role"]["value"] for n in nameless])
                silent = page.js("""return [...document.querySelectorAll('[data-setting]')]
                    .filter((e) => e.checkVisibility()).filter((e) => !e.querySelector('[aria-describedby]')
                      ?.getAttribute('aria-describedby').split(' ')
                      .some((id) => document.getElementById(id)?.textContent.trim()))
                    .map((e) => e.dataset.setting)""")
                self.assertEqual([], silent, "settings without a sentence")
                page.driver.get("about:blank")

    def test_the_tab_key_reaches_every_control(self):
        for name in ("points", "autoencoder", "lecture"):
            with self.subTest(name):
                page = self.settled(PLACES[name])
                wanted = page.js("""
                    window.reached = new Set();
                    document.addEventListener('focusin', (e) => window.reached.add(e.target));
                    document.activeElement.blur();
                    window.wanted = [...document.querySelectorAll('button, input, select, a[href], [tabindex="0"]')]
                      .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0)
                      .filter((e) => e.type !== 'radio' || e.checked);
                    return window.wanted.length""")
                self.assertGreater(wanted, 10)
                page.press(*[KEYS.TAB] * (wanted + 5))
                missed = page.js("""return window.wanted.filter((e) => !window.reached.has(e) && e.checkVisibility())
                    .map((e) => e.outerHTML.slice(0, 120))""")
                self.assertEqual([], missed)
                page.driver.get("about:blank")


if __name__ == "__main__":
    unittest.main()
