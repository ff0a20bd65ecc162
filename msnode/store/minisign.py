"""Signatures in the format of minisign: Ed25519 over the BLAKE2b hash of a file.

Format: https://jedisct1.github.io/minisign/ (public keys, secret keys, signatures ``ED``). The
program minisign makes and verifies the same files.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from msnode.errors import ConfigError

ALGORITHM, PREHASHED, SCRYPT, NO_KDF, BLAKE2 = b"Ed", b"ED", b"Sc", b"\0\0", b"B2"
OPERATIONS, MEMORY = 33554432, 1073741824
"""Libsodium's sensitive limits, which minisign takes: scrypt with N = 2^20, r = 8, p = 1."""
UNTRUSTED, TRUSTED = "untrusted comment: ", "trusted comment: "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Whom a signature is checked against.

    Attributes:
        number: 8 bytes that name the key.
        key: 32 bytes.
    """

    number: bytes
    key: bytes

    @property
    def text(self) -> str:
        """The line that is given to others, as ``minisign -P`` takes it."""
        return base64.b64encode(ALGORITHM + self.number + self.key).decode()

    @property
    def name(self) -> str:
        """The number as minisign prints it."""
        return key_name(self.number)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """What signs.

    Attributes:
        number: 8 bytes that name the key.
        seed: 32 bytes.
    """

    number: bytes
    seed: bytes

    @property
    def public(self) -> PublicKey:
        """The other half."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PublicKey(self.number, key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """(64,) bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def key_name(number: bytes) -> str:
    """A key's number as minisign prints it."""
    return f"{int.from_bytes(number, 'little'):X}"


def make_key() -> SecretKey:
    """A new key."""
    return SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))


def public_key(text: str) -> PublicKey:
    """Read a public key: its line, or the contents of its file.

    Raises:
        ConfigError: it is none.
    """
    lines = text.strip().splitlines()
    raw = _decoded(lines[-1] if lines else "", "public key")
    if len(raw) != 42 or raw[:2] != ALGORITHM:
        raise ConfigError("no public key of minisign; give the line that begins with RW")
    return PublicKey(raw[2:10], raw[10:])


def secret_file(key: SecretKey, password: str) -> str:
    """Contents of a secret key's file; an empty password leaves the key as it is."""
    whole = key.seed + key.public.key
    checksum = hashlib.blake2b(ALGORITHM + key.number + whole, digest_size=32).digest()
    plain = key.number + whole + checksum
    salt = secrets.token_bytes(32) if password else bytes(32)
    limits = (OPERATIONS, MEMORY) if password else (0, 0)
    head = ALGORITHM + (SCRYPT if password else NO_KDF) + BLAKE2 + salt
    head += b"".join(number.to_bytes(8, "little") for number in limits)
    body = _masked(plain, password, salt, *limits) if password else plain
    kind = "encrypted secret key" if password else "secret key"
    return f"{UNTRUSTED}minisign {kind}\n{base64.b64encode(head + body).decode()}\n"


def secret_key(text: str, password: str = "") -> SecretKey:
    """Read a secret key's file, which minisign or ``secret_file`` wrote.

    Raises:
        ConfigError: it is none, or the password is not its own.
    """
    lines = text.strip().splitlines()
    raw = _decoded(lines[-1] if lines else "", "secret key")
    if len(raw) != 158 or raw[:2] != ALGORITHM or raw[4:6] != BLAKE2:
        raise ConfigError("no secret key of minisign; make one with `msnode bundle keygen`")
    salt, body = raw[6:38], raw[54:]
    if raw[2:4] == SCRYPT:
        limits = (int.from_bytes(raw[start : start + 8], "little") for start in (38, 46))
        body = _masked(body, password, salt, *limits)
    number, seed, key, checksum = body[:8], body[8:40], body[40:72], body[72:]
    found = SecretKey(number, seed)
    right = hashlib.blake2b(ALGORITHM + number + seed + key, digest_size=32).digest()
    unchecked = raw[2:4] == NO_KDF and not any(checksum)  # minisign leaves it out without password
    if found.public.key != key or not (unchecked or checksum == right):
        raise ConfigError("the password is wrong, or the key's file was changed")
    return found


def is_encrypted(text: str) -> bool:
    """Whether a secret key's file needs a password."""
    lines = text.strip().splitlines()
    return _decoded(lines[-1] if lines else "", "secret key")[2:4] == SCRYPT


def signature(file: Path, key: SecretKey, comment: str) -> str:
    """Contents of the signature's file.

    Args:
        file: that is signed.
        key: that signs.
        comment: that is signed as well; one line.
    """
    signed = key.sign(_hashed(file))
    both = key.sign(signed + comment.encode())
    lines = (
        f"{UNTRUSTED}signature from minisign secret key",
        base64.b64encode(PREHASHED + key.number + signed).decode(),
        TRUSTED + comment,
        base64.b64encode(both).decode(),
    )
    return "\n".join((*lines, ""))


def verified(file: Path, signed: str, keys: tuple[PublicKey, ...]) -> tuple[PublicKey, str]:
    """Who signed a file, and the comment that is signed with it.

    Args:
        file: as it is now.
        signed: contents of the signature's file.
        keys: that are trusted.

    Raises:
        ConfigError: nobody of these did.
    """
    lines = signed.splitlines()
    if len(lines) < 4 or not lines[2].startswith(TRUSTED):
        raise ConfigError("the signature is no file of minisign")
    raw, both = _decoded(lines[1], "signature"), _decoded(lines[3], "signature")
    if len(raw) != 74 or raw[:2] != PREHASHED or len(both) != 64:
        raise ConfigError("the signature is not of minisign's prehashed kind (ED)")
    number, comment = raw[2:10], lines[2].removeprefix(TRUSTED)
    key = next((one for one in keys if one.number == number), None)
    if key is None:
        raise ConfigError(f"signed by the key {key_name(number)}, which is not trusted")
    reader = Ed25519PublicKey.from_public_bytes(key.key)
    try:
        reader.verify(raw[10:], _hashed(file))
        reader.verify(both, raw[10:] + comment.encode())
    except InvalidSignature as error:
        raise ConfigError(f"{file.name} or its signature was changed after signing") from error
    return key, comment


def named(signed: str) -> str:
    """The key that a signature says it is by; nothing is checked.

    Raises:
        ConfigError: it is no signature.
    """
    lines = signed.splitlines()
    raw = _decoded(lines[1] if lines[1:] else "", "signature")
    if len(raw) != 74:
        raise ConfigError("no signature of minisign")
    return key_name(raw[2:10])


def _hashed(file: Path) -> bytes:
    """BLAKE2b-512 of a file."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.blake2b(digest_size=64)).digest()


def _decoded(line: str, what: str) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"no {what} of minisign") from error


def _masked(body: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    """A secret key with a password's stream over it, or without: XOR undoes itself."""
    cost, parallel = _scrypt_cost(operations, memory)
    if cost * 1024 > 2 * MEMORY:
        raise ConfigError("the key's file asks for more memory than minisign ever does")
    stream = hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=8, p=parallel, maxmem=2**31 - 1, dklen=len(body)
    )
    return bytes(a ^ b for a, b in zip(body, stream, strict=True))


def _scrypt_cost(operations: int, memory: int) -> tuple[int, int]:
    """N and p of scrypt from libsodium's limits, as its ``pickparams`` does, with r = 8."""
    operations = max(operations, 32768)
    if operations < memory // 32:
        return _power(operations // 32), 1
    cost = _power(memory // 1024)
    return cost, min(operations // 4 // cost, 0x3FFFFFFF) // 8


def _power(most: int) -> int:
    """The smallest power of two above half of a number."""
    cost = 2
    while cost <= most // 2:
        cost *= 2
    return cost
