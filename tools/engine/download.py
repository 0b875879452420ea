"""The official release of the engine, by the SDK's own installer."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from tools.failure import Failure
from tools.places import ENGINE_VERSION

if TYPE_CHECKING:
    from pathlib import Path

PROBE = "https://get.pulumi.com/install.sh"  # what the SDK's installer fetches first; it sets no limit of its own
PROBE_SECONDS = 5
DOWNLOAD_SECONDS = 600
INSTALL = (
    "import sys; from pulumi.automation import PulumiCommand; from semver import VersionInfo;"
    " PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))"
)


def download(folder: Path) -> None:
    """Download the release into `folder/bin`.

    Raises:
        Failure: the download is not reachable, or broke off.
    """
    try:
        with urllib.request.urlopen(PROBE, timeout=PROBE_SECONDS):
            pass
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        message = f"the official download cannot be reached ({reason})"
        raise Failure(message) from None
    print(f"Downloading the Pulumi engine {ENGINE_VERSION} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-c", INSTALL, str(folder), ENGINE_VERSION]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        message = f"the official download did not end within {DOWNLOAD_SECONDS // 60} minutes"
        raise Failure(message) from None
    if done.returncode or not (folder / "bin" / "pulumi").exists():
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        message = f"the official download failed ({last[0]})"
        raise Failure(message)
