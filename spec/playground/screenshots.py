#!/usr/bin/env python3
"""Pictures of the playground's page, to be looked at: each tab at three sizes, light and dark.

    screenshots.py [folder [word ...]]      default: build/playground-screenshots; only names with one of the words

They are of the visible part and, for a phone, of the whole page. Run it in the environment of make deps-playground."""

import base64
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from browser import DATA, FEW_ROWS, Page, chromium, view  # noqa: E402
from support import ROOT, Server  # noqa: E402

SIZES = {"wide": (1280, 900), "medium": (900, 700), "phone": (390, 844)}
PLACES = {
    "points": "#points&problem=spiral&features=x1,x2,sinx1,sinx2&hidden=6,4,2&activation=tanh&view.test=yes",
    "points-three": "#points&problem=spirals3&hidden=8,8",
    "points-own": "#points&problem=own&own.points=-3_2_-1~-2_-1_-1~-4_0_-1~2_2_1~3_-1_1~1_-3_1~4_1_1",
    "autoencoder": "#autoencoder",
    "autoencoder-map": "#autoencoder&code=2&code_activation=linear",
    "autoencoder-denoising": "#autoencoder&kind=denoising",
    "autoencoder-sparse": "#autoencoder&kind=sparse&code=64",
    "autoencoder-variational": "#autoencoder&kind=variational&code=2",
    "autoencoder-few": f"#autoencoder&rows={FEW_ROWS}",
    "lecture-1": "#lecture&step=1",
    "lecture-6": "#lecture&step=6",
    "lecture-9": "#lecture&step=9",
}
SECONDS = 4  # of training before a picture is taken


def draw_a_seven(page):
    """In the tab Autoencoder, so that the pad and what depends on it have something to show."""
    if page.shown(".pad"):
        page.drag(page.find(".pad"), (-70, -80), (140, 0), (-60, 170))


def shoot(driver, path, whole):
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
    with open(path, "wb") as file:
        file.write(base64.b64decode(shot["data"]))
    print(path, flush=True)


def visit(driver, server, place):
    driver.get("about:blank")
    page = Page(driver, server).open(place)
    time.sleep(1)
    if not page.state()["running"]:
        page.click("#run")
    time.sleep(SECONDS)
    if place.startswith("#autoencoder"):
        draw_a_seven(page)
        time.sleep(1)
    page.pause()
    return page


def whole_page(driver, width):
    """All panels are drawn only when they are on the screen: so the screen becomes as high as the page."""
    height = driver.execute_script("return document.documentElement.scrollHeight")
    view(driver, width, height, driver.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches"))
    time.sleep(1)


def main(folder, words):
    os.makedirs(folder, exist_ok=True)
    with Server("--sessions", "8", data=DATA) as server:
        driver = chromium()
        try:
            for name, place in PLACES.items():
                if words and not any(word in name for word in words):
                    continue
                visit(driver, server, place)
                for size, (width, height) in SIZES.items():
                    for shade in ("light", "dark"):
                        view(driver, width, height, shade == "dark")
                        time.sleep(0.5)
                        shoot(driver, os.path.join(folder, f"{name}-{size}-{shade}.png"), False)
                view(driver, *SIZES["phone"])
                whole_page(driver, SIZES["phone"][0])
                shoot(driver, os.path.join(folder, f"{name}-phone-whole.png"), True)
                view(driver, *SIZES["wide"])
                whole_page(driver, SIZES["wide"][0])
                shoot(driver, os.path.join(folder, f"{name}-wide-whole.png"), True)
                view(driver, *SIZES["wide"])
        finally:
            driver.quit()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "playground-screenshots"), sys.argv[2:])
