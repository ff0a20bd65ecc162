"""Signatures as minisign makes them, against minisign itself; whatever was changed is refused."""

import subprocess
from pathlib import Path

import pytest

from msnode.errors import ConfigError
from msnode.store import minisign
from tests.acceptance.peers import tool


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"weights" * 1000)
    return tmp_path / "file"


def by_minisign(*words: object, typed: str = "") -> str:
    command = [tool("minisign", "minisign"), *map(str, words)]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_minisign_verifies_what_we_sign(file: Path) -> None:
    key = minisign.make_key()
    file.with_suffix(".minisig").write_text(minisign.signature(file, key, "a\tcomment"))
    words = ("-x", file.with_suffix(".minisig"), "-P", key.public.text)
    assert "Trusted comment: a\tcomment" in by_minisign("-V", "-m", file, *words)


def test_we_verify_what_minisign_signs(file: Path) -> None:
    secret, public = file.with_name("site.key"), file.with_name("site.pub")
    by_minisign("-G", "-W", "-p", public, "-s", secret)
    by_minisign("-S", "-W", "-s", secret, "-m", file, "-t", "from them")
    trusted = minisign.public_key(public.read_text())
    assert f"key {trusted.name}" in public.read_text()
    signed = file.with_name("file.minisig").read_text()
    assert minisign.verified(file, signed, (trusted,)) == (trusted, "from them")
    assert minisign.named(signed) == trusted.name
    key = minisign.secret_key(secret.read_text())
    assert key.public == trusted
    assert not minisign.is_encrypted(secret.read_text())


def test_minisign_signs_with_our_key(file: Path) -> None:
    key = minisign.make_key()
    file.with_name("our.key").write_text(minisign.secret_file(key, ""))
    by_minisign("-S", "-W", "-s", file.with_name("our.key"), "-m", file)
    signed = file.with_name("file.minisig").read_text()
    assert (
        minisign.verified(file, signed, (minisign.make_key().public, key.public))[0] == key.public
    )


@pytest.mark.long  # scrypt takes 1 GB and seconds, as minisign wants it
def test_a_password_protects_the_key(file: Path) -> None:
    key = minisign.make_key()
    text = minisign.secret_file(key, "open")
    assert minisign.is_encrypted(text)
    assert minisign.secret_key(text, "open") == key
    with pytest.raises(ConfigError, match="the password is wrong"):
        minisign.secret_key(text, "shut")
    file.with_name("our.key").write_text(text)
    by_minisign("-S", "-s", file.with_name("our.key"), "-m", file, typed="open\n")
    signed = file.with_name("file.minisig").read_text()
    assert minisign.verified(file, signed, (key.public,))[0] == key.public


def test_every_change_is_seen(file: Path) -> None:
    key = minisign.make_key()
    good = minisign.signature(file, key, "card:1").splitlines()
    changed = {
        "comment": [*good[:2], good[2] + "2", good[3]],
        "signature": [good[0], good[1][:40] + ("A" if good[1][40] != "A" else "B") + good[1][41:],
                      *good[2:]],
        "of the comment": [*good[:3], "A" * 86 + "=="],
    }  # fmt: skip
    for lines in changed.values():
        with pytest.raises(ConfigError, match="was changed after signing"):
            minisign.verified(file, "\n".join(lines), (key.public,))
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(ConfigError, match="was changed after signing"):
        minisign.verified(file, "\n".join(good), (key.public,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no file of minisign"),
        ("a\nb\nc\nd\n", "is no file of minisign"),
        ("a\n!\ntrusted comment: x\n!\n", "no signature of minisign"),
        ("a\nAAAA\ntrusted comment: x\nAAAA\n", "not of minisign's prehashed kind"),
    ],
)
def test_what_is_no_signature_is_named(file: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        minisign.verified(file, text, (minisign.make_key().public,))


def test_a_stranger_and_broken_keys_are_named(file: Path) -> None:
    key, other = minisign.make_key(), minisign.make_key()
    signed = minisign.signature(file, key, "x")
    with pytest.raises(ConfigError, match=f"signed by the key {key.public.name}, which is not"):
        minisign.verified(file, signed, (other.public,))
    pretender = minisign.SecretKey(key.number, other.seed)
    with pytest.raises(ConfigError, match="was changed after signing"):
        minisign.verified(file, minisign.signature(file, pretender, "x"), (key.public,))
    with pytest.raises(ConfigError, match="no public key"):
        minisign.public_key("RWnothing")
    with pytest.raises(ConfigError, match="no secret key"):
        minisign.secret_key(key.public.text)
    broken = minisign.secret_file(minisign.SecretKey(key.number, key.seed), "").splitlines()
    with pytest.raises(ConfigError, match="the key's file was changed"):
        minisign.secret_key(
            broken[1][:100] + ("A" if broken[1][100] != "A" else "B") + broken[1][101:]
        )
