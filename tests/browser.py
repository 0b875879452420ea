"""A real browser for the tests: one that is here, or else one that this installs, so that no test is skipped."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

HERE = ("chromium-headless-shell", "chromium", "google-chrome-stable", "google-chrome")
# The shell alone, where the release has it; and letters, or a page would be measured without any.
PACKAGES = (("chromium-headless-shell", "fonts-dejavu-core"), ("chromium", "fonts-dejavu-core"))
APT = ("apt-get", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=300")
SECONDS = 500


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Start a headless Chromium for the block; the arguments are Chromium's own."""
    found = _here() or _from_debian()
    if found is None:
        _from_playwright()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(arguments))
        try:
            yield browser
        finally:
            browser.close()


def _here() -> str | None:
    return next((path for name in HERE if (path := shutil.which(name))), None)


def _from_debian() -> str | None:
    """Install Debian's Chromium, as root on Debian. Ubuntu's package of that name needs a running snapd."""
    if platform.system() != "Linux" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    if platform.freedesktop_os_release().get("ID") != "debian":
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*APT, "update"], env=environment, timeout=SECONDS, check=False)
    for packages in PACKAGES:
        command = [*APT, "install", "--no-install-recommends", *packages]
        if subprocess.run(command, env=environment, timeout=SECONDS, check=False).returncode == 0:
            break
    return _here()


def _from_playwright() -> None:
    """Let playwright fetch the build that it was made for; nothing is done when it is there."""
    command = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
    done = subprocess.run(command, timeout=SECONDS, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (
        "There is no browser for these tests, and none could be installed. Install Chromium, or Google Chrome, so that "
        f"it is on the PATH.\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    )
