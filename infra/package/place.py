"""Where packages are published: a folder or a prefix of S3 with one folder for each release, and `latest`.

A reader of a folder sees a package whole or not at all. On S3, `datapackage.json` is written last: a package that
has it is complete. `latest` follows when everything else is in its place, so what it holds is always a release that is
listed in `versions.json`.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from infra.files import atomic_folder, temporary_path, write_atomic
from infra.storage.landing import open_store
from infra.storage.places import Place
from infra.storage.s3 import S3Store
from schemas.errors import StoreError, UsageError

DESCRIPTOR: Final = "datapackage.json"
VERSIONS: Final = "versions.json"
LATEST_PACKAGE: Final = "latest"
_UNFINISHED: Final = re.compile(r"\.[0-9]+\.(partial|previous)")
"""A folder of `infra.files.atomic_folder` that a killed night has left."""


@contextmanager
def package_folder(root: Place, name: str) -> Iterator[Path]:
    """Give a temporary folder to fill; after the block it is the package of this name, in place of an earlier one.

    Raises `UsageError` for a folder of this name that holds anything else.
    """
    if isinstance(root, Path):
        folder = root / name
        if folder.exists() and not (folder / DESCRIPTOR).exists():
            raise UsageError(
                f"{folder} already exists and holds no package: name a new folder, `--to {folder}/package`"
            )
        with atomic_folder(folder) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory(prefix="engang-package-") as temporary_name:
        yield Path(temporary_name)
        _upload(_store(root), Path(temporary_name), name)


def read_versions(root: Place) -> list[dict[str, Any]]:
    """Return what `versions.json` lists, oldest first; nothing where there is none."""
    text = _read(root, VERSIONS)
    return list(json.loads(text)["versions"]) if text else []


def latest_version(root: Place) -> int | None:
    """Return the release that `latest` holds, None where there is none."""
    text = _read(root, f"{LATEST_PACKAGE}/{DESCRIPTOR}")
    return int(json.loads(text)["engang"]["release"]) if text else None


def list_version(root: Place, entry: dict[str, Any]) -> int:
    """Add a package to `versions.json`, or replace what is stated of its release; return the newest release."""
    others = [other for other in read_versions(root) if other["release"] != entry["release"]]
    versions = sorted([*others, entry], key=lambda each: int(each["release"]))
    newest = int(versions[-1]["release"])
    _write_versions(root, json.dumps({"latest": newest, "versions": versions}, ensure_ascii=False, indent=1))
    return newest


def point_latest(root: Place, name: str) -> None:
    """Let `latest` hold the package of this name: a link in a folder, copies of its files on S3."""
    if isinstance(root, Path):
        link = temporary_path(root / LATEST_PACKAGE)
        link.symlink_to(name)
        link.replace(root / LATEST_PACKAGE)
        return
    store = _store(root)
    stale = {found.key for found in store.listing(f"{LATEST_PACKAGE}/")}
    keys = [found.key for found in store.listing(f"{name}/")]
    for key in sorted(keys, key=lambda key: key.endswith(DESCRIPTOR)):
        copy = f"{LATEST_PACKAGE}/{key.removeprefix(f'{name}/')}"
        store.copy(key, copy)
        stale.discard(copy)
    for key in stale:
        store.delete(key)


def list_packages(root: Place) -> list[str]:
    """Return the places of all packages, those too that a killed night has not listed or not finished."""
    return [f"{root}/{name}/" for name in _package_names(root)]


def remove_packages(root: Place) -> None:
    """Remove every package, whole or not, `latest` and `versions.json`, which goes last."""
    names = _package_names(root)
    if isinstance(root, Path):
        for name in names:
            shutil.rmtree(root / name)
        for name in (LATEST_PACKAGE, VERSIONS):
            (root / name).unlink(missing_ok=True)
        return
    store = _store(root)
    for name in (LATEST_PACKAGE, *names):
        for found in list(store.listing(f"{name}/", overwritten=True)):
            store.delete(found.key)
    store.delete(VERSIONS)


def remove_versions(root: Place, releases: Collection[int]) -> None:
    """Remove the packages of these releases; they are listed no more before anything of them goes."""
    text = _read(root, VERSIONS)
    if text is not None:
        known = json.loads(text)
        versions = [each for each in known["versions"] if each["release"] not in releases]
        _write_versions(root, json.dumps({**known, "versions": versions}, ensure_ascii=False, indent=1))
    for name in {str(release) for release in releases} & set(_package_names(root)):
        if isinstance(root, Path):
            shutil.rmtree(root / name)
            continue
        store = _store(root)
        for found in list(store.listing(f"{name}/", overwritten=True)):
            store.delete(found.key)


def _write_versions(root: Place, text: str) -> None:
    if isinstance(root, Path):
        write_atomic(root / VERSIONS, text)
    else:
        _replace_text(_store(root), VERSIONS, text)


def _package_names(root: Place) -> list[str]:
    """Return the names of the folders of packages, by what is there: `versions.json` lists only what was finished."""
    listed = {str(int(each["release"])) for each in read_versions(root)}
    if not isinstance(root, Path):
        first = {found.key.partition("/")[0] for found in _store(root).listing("", overwritten=True)}
        return sorted(listed | {name for name in first if name.isdecimal()})
    present = {path.name for path in root.glob("*") if path.is_dir() and not path.is_symlink()}
    own = {name for name in present if name.isdecimal() and (root / name / DESCRIPTOR).exists()}
    return sorted(own | (listed & present) | {name for name in present if _UNFINISHED.fullmatch(name)})


def _store(root: Place) -> S3Store:
    store = open_store(root)
    if not isinstance(store, S3Store):
        raise StoreError(f"{root} is no place on S3")
    return store


def _read(root: Place, name: str) -> str | None:
    if isinstance(root, Path):
        with suppress(FileNotFoundError):
            return (root / name).read_text(encoding="utf-8")
        return None
    store = _store(root)
    found = any(each.key == name for each in store.listing(name))
    return store.get(name).decode() if found else None


def _upload(store: S3Store, folder: Path, name: str) -> None:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == DESCRIPTOR):
        store.replace(f"{name}/{path.relative_to(folder).as_posix()}", path)


def _replace_text(store: S3Store, key: str, text: str) -> None:
    with tempfile.NamedTemporaryFile(prefix="engang-") as file:
        file.write(text.encode())
        file.flush()
        store.replace(key, Path(file.name))
