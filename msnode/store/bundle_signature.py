"""Who signed a bundle: ``bundle.minisig`` beside bundle.yaml.

The signature is over bundle.yaml as a whole: the digest of weights and settings stands in it, and
what is written beside results. The hash of CARD.md stands in the signed comment.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from msnode.errors import ConfigError
from msnode.store import minisign
from msnode.store.files import replacing
from msnode.store.minisign import PublicKey, SecretKey

SIGNATURE, SIGNED, CARD = "bundle.minisig", "bundle.yaml", "CARD.md"


def sign(folder: Path, key: SecretKey) -> Path:
    """Sign a bundle, in place of an earlier signature.

    Args:
        folder: of the bundle, which ought to have been verified.
        key: that signs.

    Returns:
        The signature's file.
    """
    words = (f"timestamp:{int(time.time())}", f"file:{SIGNED}", f"card:{_card(folder)}", "hashed")
    text = minisign.signature(folder / SIGNED, key, "\t".join(words))
    with replacing(folder / SIGNATURE) as out:
        out.write(text.encode())
    (folder / SIGNATURE).chmod(0o644)
    return folder / SIGNATURE


def signer(folder: Path, trusted: Sequence[str]) -> PublicKey:
    """Who of those that are trusted signed a bundle as it is now.

    Args:
        folder: of the bundle.
        trusted: public keys, a line each.

    Raises:
        ConfigError: nobody did; names the fix.
    """
    try:
        return _signer(folder, tuple(minisign.public_key(one) for one in trusted))
    except ConfigError as error:
        raise ConfigError(
            f"{error}; look at the bundle (`msnode bundle verify {folder}`), and sign it with a key"
            f" of models.keys (`msnode bundle sign {folder} --key FILE`)"
        ) from error


def _signer(folder: Path, trusted: tuple[PublicKey, ...]) -> PublicKey:
    file = folder / SIGNATURE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError("nobody has signed it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{SIGNATURE} cannot be read") from error
    key, comment = minisign.verified(folder / SIGNED, text, trusted)
    if f"card:{_card(folder)}" not in comment.split("\t"):
        raise ConfigError(f"{CARD} was changed after signing")
    return key


def _card(folder: Path) -> str:
    """Sha256 of the card; "none" where there is no card."""
    file = folder / CARD
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "none"
