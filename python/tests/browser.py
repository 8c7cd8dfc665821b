"""A headless Chromium, for tests and pictures of pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def missing() -> str | None:
    """What a browser lacks here, in words; None where nothing is missing."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"there is no '{program}': apt install chromium chromium-driver"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "there is no package selenium: testdata/requirements-test.txt names its version"
    return None


@contextmanager
def browser(width: int = 1400, height: int = 900, *, dark: bool = False, script: bool = True) -> Iterator[Any]:
    """A driver of a browser without a window and without a network; its console is kept."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory(prefix="leapstone-browser-") as profile:
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", "--force-device-scale-factor=1", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update",
                         f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(argument)
        if dark:
            options.add_argument("--blink-settings=preferredColorScheme=0")
        if not script:
            options.add_experimental_option(
                "prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        driver = webdriver.Chrome(options=options, service=service)
        try:
            # The window's frame is no part of the page.
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
            driver.execute_cdp_cmd("Network.enable", {})
            driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["http://*", "https://*"]})
            if dark:
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                    "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
            yield driver
        finally:
            driver.quit()


def address(path: Path) -> str:
    """The address of a file."""
    return path.resolve().as_uri()
