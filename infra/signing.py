"""The key that signs releases: Ed25519, by the setting or made in the home at its first use."""

import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infra.files import sync_to_disk, temporary_path
from infra.settings import Settings
from schemas.errors import StoreError

KEY_FILE: Final = "signing-key"
"""Its name in the home; mode 0600."""
_BYTES: Final = 32


def read_signing_key(settings: Settings) -> bytes:
    """Return the private key, 32 bytes; make it first if there is none. Raises `StoreError` for a damaged file."""
    if settings.signing_key is not None:
        return bytes.fromhex(settings.signing_key)
    file = settings.home / KEY_FILE
    if not file.exists():
        _make_key(file)
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if re.fullmatch(r"[0-9a-f]{64}", text) is None:
        raise StoreError(f"{file} holds no key: restore it from its backup, or move it away for a new one to be made")
    return bytes.fromhex(text)


def _make_key(file: Path) -> None:
    # Two processes may make one at once. A link is refused where a file is already: the second one reads the first's.
    temporary = temporary_path(file)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(_BYTES) + "\n")
        sync_to_disk(temporary)
        with suppress(FileExistsError):
            file.hardlink_to(temporary)
        sync_to_disk(file.parent)
    finally:
        temporary.unlink()


def public_key(key: bytes) -> str:
    """Return the public key of a private one, as hex digits."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw().hex()


def sign(key: bytes, text: str) -> str:
    """Return the signature of a text, as hex digits: the same for the same text."""
    return Ed25519PrivateKey.from_private_bytes(key).sign(text.encode()).hex()


def is_signed(public: str, text: str, signature: str) -> bool:
    """Return whether a signature of a text is by the private key of this public key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def nonce_secret(key: bytes) -> bytes:
    """Return the secret of the nonces of leaves, which follows from the private key and gives nothing of it away."""
    return hmac.digest(key, b"engang nonces of leaves", "sha256")
