"""PostgreSQL 17 with its libraries from Debian trixie, made once a machine in a folder that every emulator shares.

debootstrap downloads the packages and checks their signatures; they are unpacked and not installed. So nothing of them
runs with more rights than PostgreSQL, there is no chroot and no mount, and root is not needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emulator.postgres.account import Account
from emulator.postgres.backend import BackendError

SUITE = "trixie"
MAJOR = 17
_PACKAGES = (*(f"postgresql-{MAJOR}{name}" for name in ("", "-age", "-cron", "-pgvector")), "locales")
_KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
_LOCALES = (("en_US.utf8", "en_US", "UTF-8"),)
"""Name, source and character set of what is compiled: the service's default (azure-databases-docs, "Databases")."""

_LEFT_OUT = ("libllvm*",)
"""Packages that are not unpacked: the compiler of JIT, which is a third of it all."""

_LAYOUT = 1
"""Counts up when `_arrange` makes something else of the same packages."""

_TELL_SECONDS = 2.0

Say = Callable[[str], None]


class NotOnThisMachine(BackendError):
    """Report that it cannot be made here, whatever one tries: the system lacks what it is made with."""


def root(account: Account, say: Say) -> Path:
    """Return the folder with `lib` and `share` of PostgreSQL, `libraries` and `locales`, made if there is none.

    Args:
        account: Whom the machine's shared folders belong to.
        say: Told what goes on while it is made.

    Raises:
        NotOnThisMachine: It is never made here; the text says why and what to do.
        BackendError: Making it failed; the text says why.
    """
    folder = account.cache_folder("debian")
    recipe = repr((SUITE, _PACKAGES, _LEFT_OUT, _LOCALES, _LAYOUT))
    target = folder / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if target.is_dir():
        return target
    _refuse_other_machines()
    try:
        account.make_open_folder(folder)
        with _alone(folder, say):
            if not target.is_dir():
                _make(folder, target, say)
    except OSError as error:
        raise BackendError(f"PostgreSQL from Debian cannot be made in {folder}: {error}") from error
    return target


def _refuse_other_machines() -> None:
    """Refuse a system that debootstrap does not run on, or cannot be had for.

    Raises:
        NotOnThisMachine: In a sentence.
    """
    instead = "leave the backend out (BACKEND=), or use a Debian or Ubuntu machine or container"
    if platform.system() != "Linux":
        raise NotOnThisMachine(f"the backend debian runs on Linux alone, and this is {platform.system()}: {instead}")
    missing = [name for name in ("dpkg-deb", "wget", "gpgv") if shutil.which(name) is None]
    if missing:
        raise NotOnThisMachine(
            f"the backend debian is made with {', '.join(missing)}, which this machine lacks: install it, or {instead}"
        )
    if not Path("/usr/share/zoneinfo/UTC").exists():
        raise NotOnThisMachine(
            f"PostgreSQL of Debian reads /usr/share/zoneinfo, which this machine lacks: install tzdata, or {instead}"
        )


@contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """Let one process at a time make it; the system lets go of the lock when that process dies."""
    with (folder / "making.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is making PostgreSQL from Debian packages; waiting for it to finish.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(folder: Path, target: Path, say: Say) -> None:
    """Make it in a folder beside, and give it its name when it is whole."""
    for left in folder.glob(".making-*"):  # by a process that was killed
        shutil.rmtree(left)
    say(f"Making PostgreSQL {MAJOR} from Debian {SUITE}, once a machine (about 120 MB are downloaded) ...")
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as name:
        scratch = Path(name)
        archives = _download(scratch, say)
        tree = scratch / "tree"
        for number, archive in enumerate(archives):
            say(f"Unpacking packages: {number} of {len(archives)}")
            _run(["dpkg-deb", "--extract", str(archive), str(tree)], "unpack a package")
        whole = _arrange(tree, scratch / "whole")
        _compile_locales(tree, whole)
        _let_everybody_read(whole)
        os.sync()
        whole.rename(target)
    say(f"PostgreSQL {MAJOR} from Debian {SUITE} is in {target}")


def _download(scratch: Path, say: Say) -> list[Path]:
    """Return the packages and all that they depend on, downloaded and checked."""
    program, environment, keyring = _debootstrap(scratch, say)
    target = scratch / "download"
    command = [*program, "--download-only", "--variant=minbase", "--force-check-gpg", f"--keyring={keyring}"]
    _run(
        [*command, f"--include={','.join(_PACKAGES)}", SUITE, str(target)],
        "download packages",
        environment=environment,
        each_line=_Counter("Downloading packages", "I: Retrieving ", say).see,
    )
    found = sorted((target / "var/cache/apt/archives").glob("*.deb"))
    left_out = {path for pattern in _LEFT_OUT for path in found if path.match(pattern)}
    return [path for path in found if path not in left_out]


def _debootstrap(scratch: Path, say: Say) -> tuple[list[str], dict[str, str], Path]:
    """Return debootstrap's command, its environment, and the keyring that signatures are checked against.

    The system's own where they are; else from the packages of this machine's apt, which checks them, without
    installing anything.
    """
    environment = os.environ | {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C"}
    own, keyring = shutil.which("debootstrap", path=environment["PATH"]), Path("/") / _KEYRING
    if own and keyring.exists():
        return [own], environment, keyring
    if shutil.which("apt-get") is None:
        raise NotOnThisMachine(
            "the backend debian is made by debootstrap, which is not here and cannot be fetched without apt: install "
            "debootstrap and debian-archive-keyring, or leave the backend out (BACKEND=)"
        )
    say("Fetching debootstrap ...")
    unpacked = scratch / "debootstrap"
    _apt_download(scratch, ["debootstrap", "debian-archive-keyring"], unpacked)
    environment["DEBOOTSTRAP_DIR"] = str(unpacked / "usr/share/debootstrap")
    return ["sh", str(unpacked / "usr/sbin/debootstrap")], environment, unpacked / _KEYRING


def _apt_download(scratch: Path, packages: Sequence[str], unpacked: Path) -> None:
    """Unpack packages of this machine's own sources; apt's lists and its cache stay as they are."""
    state, archives = scratch / "apt", scratch / "archives"
    for folder in (state / "lists" / "partial", state / "archives" / "partial", archives):
        folder.mkdir(parents=True)
    options = (f"Dir::State::Lists={state / 'lists'}", f"Dir::Cache={state}", "APT::Sandbox::User=root")
    apt = ["apt-get", "--quiet", *(f"--option={option}" for option in options)]
    _run([*apt, "update"], "read the package lists")
    _run([*apt, "download", *packages], "download debootstrap", cwd=archives)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(unpacked)], "unpack debootstrap")


def _arrange(tree: Path, whole: Path) -> Path:
    """Move what PostgreSQL needs out of the unpacked packages.

    PostgreSQL finds its other folders by the way from `/usr/lib/postgresql/17/bin` to them, so that one is kept.
    """
    for part in (f"lib/postgresql/{MAJOR}", f"share/postgresql/{MAJOR}"):
        (whole / part).parent.mkdir(parents=True)
        (tree / "usr" / part).rename(whole / part)
    (whole / f"lib/postgresql/{MAJOR}/bin/postgres").rename(whole / f"lib/postgresql/{MAJOR}/bin/server")
    for needless in (f"lib/postgresql/{MAJOR}/lib/bitcode", f"share/postgresql/{MAJOR}/man"):
        shutil.rmtree(whole / needless, ignore_errors=True)
    (whole / f"lib/postgresql/{MAJOR}/lib/llvmjit.so").unlink(missing_ok=True)
    (whole / "libraries").mkdir()
    for library in (tree / "usr/lib").glob("*-linux-gnu/*.so*"):
        library.rename(whole / "libraries" / library.name)
    (whole / "locales").mkdir()
    (tree / "usr/lib/locale/C.utf8").rename(whole / "locales/C.utf8")
    return whole


def _compile_locales(tree: Path, whole: Path) -> None:
    localedef = [*loader(whole), str(tree / "usr/bin/localedef")]
    sources = tree / "usr/share/i18n"
    for name, source, charset in _LOCALES:
        _run(
            [
                *localedef,
                "--no-archive",
                f"--inputfile={source}",
                f"--charmap={charset}",
                str(whole / "locales" / name),
            ],
            f"compile the locale {name}",
            environment={"I18NPATH": str(sources), "LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
        )


def loader(folder: Path) -> list[str]:
    """Return the words that start a program with the libraries of this folder, and none of the system's."""
    libraries = folder / "libraries"
    linker = next(libraries.glob("ld-linux*.so.*"))
    return [str(linker.resolve()), "--library-path", str(libraries)]


def _let_everybody_read(folder: Path) -> None:
    """Let every account read and run it whatever the umask was, since another one may run PostgreSQL."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


class _Counter:
    """Counts lines that begin with a word, and says how many there were, now and then."""

    def __init__(self, what: str, beginning: str, say: Say) -> None:
        self._what, self._beginning, self._say = what, beginning, say
        self._count = 0

    def see(self, line: str) -> None:
        """Look at one line."""
        if line.startswith(self._beginning):
            self._count += 1
            self._say(f"{self._what}: {self._count}")


class Sometimes:
    """Passes lines on: each that has another beginning than the last, and of those alike one in two seconds."""

    def __init__(self, say: Say) -> None:
        """Name who is told."""
        self._say = say
        self._last = ("", 0.0)

    def __call__(self, line: str) -> None:
        """Pass a line on, or not."""
        kind, now = line.partition(":")[0], time.monotonic()
        if kind != self._last[0] or now - self._last[1] >= _TELL_SECONDS:
            self._last = (kind, now)
            self._say(line)


def _run(
    command: Sequence[str],
    what: str,
    *,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
    each_line: Say | None = None,
) -> None:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        what: What it does, for the error.
        environment: Its variables; this process's own when left out.
        cwd: Where it runs.
        each_line: Told each line that it prints.

    Raises:
        BackendError: It failed; the text has its last lines.
    """
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    last: list[str] = []
    with process:
        try:
            for line in process.stdout or ():
                last = [*last[-5:], line.strip()]
                if each_line is not None:
                    each_line(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise BackendError(f"making PostgreSQL from Debian {SUITE}: cannot {what}: {' '.join(last)[-800:]}")
