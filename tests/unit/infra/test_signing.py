"""The key that signs releases: made once, only its owner's to read, or given by the setting."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from infra import signing
from infra.settings import Settings, read_settings
from schemas.errors import StoreError, UsageError

RFC_8032_KEY = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
RFC_8032_PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
RFC_8032_SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
    "655141438e7a100b"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(read_settings(tmp_path), signing_key=None)


def test_a_key_is_made_once_and_nobody_else_reads_it(settings: Settings, tmp_path: Path) -> None:
    key = signing.read_signing_key(settings)
    assert len(key) == 32
    assert signing.read_signing_key(settings) == key
    assert [path.name for path in tmp_path.iterdir()] == [signing.KEY_FILE]
    assert (tmp_path / signing.KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_those_who_make_it_at_once_have_one_key(settings: Settings) -> None:
    found: list[bytes] = []
    workers = [threading.Thread(target=lambda: found.append(signing.read_signing_key(settings))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_setting_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENGANG_SIGNING_KEY", RFC_8032_KEY)
    given = read_settings(tmp_path)
    assert signing.read_signing_key(given).hex() == RFC_8032_KEY
    assert RFC_8032_KEY not in repr(given)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("ENGANG_SIGNING_KEY", RFC_8032_KEY[:-1] + "G")
    with pytest.raises(UsageError, match="expected 64 hex digits") as error:
        read_settings(tmp_path)
    assert RFC_8032_KEY[:-1] not in str(error.value)


def test_a_damaged_key_is_not_replaced(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / signing.KEY_FILE).write_text("æ")
    with pytest.raises(StoreError, match="holds no key"):
        signing.read_signing_key(settings)


def test_signatures_are_those_of_rfc_8032() -> None:
    key = bytes.fromhex(RFC_8032_KEY)
    assert signing.public_key(key) == RFC_8032_PUBLIC
    assert signing.sign(key, "") == RFC_8032_SIGNATURE
    assert signing.is_signed(RFC_8032_PUBLIC, "", RFC_8032_SIGNATURE)
    assert not signing.is_signed(RFC_8032_PUBLIC, "x", RFC_8032_SIGNATURE)
    assert not signing.is_signed(RFC_8032_PUBLIC, "", "zz")
    assert not signing.is_signed("00", "", RFC_8032_SIGNATURE)
    assert signing.nonce_secret(key) != key
