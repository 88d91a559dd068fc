"""Encodings, hashes, ciphers and tokens. Strings are bytes, as in Lua, here ``surrogateescape``d."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import orjson

from nakama_bots.emulator.formats.tokens import sign
from nakama_bots.emulator.runtime.nk import aes
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    fail,
    fields,
    flag,
    integer,
    table,
    text,
)

_NEEDS_RSA = "the emulator signs with HS256 only"


def _bytes(number: int, value: Any, needed: str = "expects string") -> bytes:
    return text(number, value, needed).encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _wrong(of: str, given: bytes, padded: bytes, alphabet: bytes) -> str:
    """Return Go's error for the first invalid byte."""
    place = next((at for at, byte in enumerate(padded) if byte not in alphabet), len(given))
    return f"not a valid {of} string: illegal base64 data at input byte {place}"


_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL = _STANDARD.replace(b"+/", b"-_")


class EncodingFunctions(FunctionFamily):
    """Functions that need no server state."""

    def base64_encode(self, input: str, padding: bool | None = None) -> str:  # noqa: A002
        """Encode as Base64."""
        return self.__encoded(base64.b64encode, input, padding)

    def base64url_encode(self, input: str, padding: bool | None = None) -> str:  # noqa: A002
        """Encode as Base64 with the URL alphabet."""
        return self.__encoded(base64.urlsafe_b64encode, input, padding)

    @staticmethod
    def __encoded(encode: Callable[[bytes], bytes], given: str, padding: bool | None) -> str:
        encoded = encode(_bytes(1, given)).decode()
        return encoded if flag(2, padding, True) else encoded.rstrip("=")  # noqa: FBT003

    def base64_decode(self, input: str, padding: bool | None = None) -> str:  # noqa: A002
        """Decode Base64; without the ``padding`` argument it must be padded, as on the server."""
        return self.__decoded("base64", _STANDARD, input, pads=flag(2, padding, True))  # noqa: FBT003

    def base64url_decode(self, input: str, padding: bool | None = None) -> str:  # noqa: A002
        """Decode Base64 with the URL alphabet; with ``padding`` it must be padded."""
        return self.__decoded("base64 url", _URL, input, pads=not flag(2, padding))

    @staticmethod
    def __decoded(of: str, alphabet: bytes, given: str, *, pads: bool) -> str:
        raw = _bytes(1, given)
        padded = raw + b"=" * (-len(raw) % 4) if pads else raw
        try:
            if padded.rstrip(b"=").strip(alphabet):
                raise ValueError
            return _text(base64.b64decode(padded, altchars=alphabet[-2:], validate=True))
        except (binascii.Error, ValueError):
            raise fail(_wrong(of, raw, padded.rstrip(b"="), alphabet)) from None

    def base16_encode(self, input: str) -> str:  # noqa: A002 - the server's name
        """Encode as hexadecimal digits."""
        return _bytes(1, input).hex()

    def base16_decode(self, input: str) -> str:  # noqa: A002 - the server's name
        """Decode hexadecimal digits."""
        raw = _bytes(1, input)
        try:
            return _text(binascii.unhexlify(raw))
        except binascii.Error:
            wrong = next((byte for byte in raw if byte not in b"0123456789abcdefABCDEF"), None)
            reason = "odd length hex string" if wrong is None else f"invalid byte: U+{wrong:04X} {chr(wrong)!r}"
            raise fail(f"not a valid base16 string: encoding/hex: {reason}") from None

    def aes128_encrypt(self, input: str, key: str) -> str:  # noqa: A002 - the server's name
        """AES with a key of 16 bytes, CFB; the first 16 bytes are the initialization vector."""
        return self.__encrypted(input, key, 16)

    def aes256_encrypt(self, input: str, key: str) -> str:  # noqa: A002 - the server's name
        """AES with a key of 32 bytes."""
        return self.__encrypted(input, key, 32)

    def aes128_decrypt(self, input: str, key: str) -> str:  # noqa: A002 - the server's name
        """Decrypt ``aes128_encrypt``, including the blanks with which it pads to a multiple of four bytes."""
        return self.__decrypted(input, key, 16)

    def aes256_decrypt(self, input: str, key: str) -> str:  # noqa: A002 - the server's name
        """Decrypt ``aes256_encrypt``."""
        return self.__decrypted(input, key, 32)

    def __encrypted(self, given: str, key: str, size: int) -> str:
        raw, secret = _bytes(1, given), self.__key(key, size)
        vector = self.core.rng.randbytes(aes.BLOCK)
        return _text(vector + aes.cfb_encrypt(secret, vector, raw + b" " * (-len(raw) % 4)))

    def __decrypted(self, given: str, key: str, size: int) -> str:
        raw, secret = _bytes(1, given), self.__key(key, size)
        if len(raw) < aes.BLOCK:
            raise fail("input too short")
        return _text(aes.cfb_decrypt(secret, raw[: aes.BLOCK], raw[aes.BLOCK :]))

    @staticmethod
    def __key(key: str, size: int) -> bytes:
        secret = _bytes(2, key, f"expects key {size} bytes long")
        if len(secret) != size:
            raise ArgumentError(2, f"expects key {size} bytes long")
        return secret

    def md5_hash(self, input: str) -> str:  # noqa: A002 - the server's name
        """MD5, in hexadecimal digits."""
        return hashlib.md5(_bytes(1, input, "expects input string"), usedforsecurity=False).hexdigest()

    def sha256_hash(self, input: str) -> str:  # noqa: A002 - the server's name
        """SHA-256, in hexadecimal digits."""
        return hashlib.sha256(_bytes(1, input, "expects input string")).hexdigest()

    def hmac_sha256_hash(self, input: str, key: str) -> str:  # noqa: A002 - the server's name
        """HMAC with SHA-256: 32 bytes."""
        raw, secret = _bytes(1, input, "expects input string"), _bytes(2, key, "expects key string")
        return _text(hmac.digest(secret, raw, hashlib.sha256))

    def rsa_sha256_hash(self, input: str, key: str) -> str:  # noqa: A002 - the server's name
        """Always fails: the emulator has no RSA."""
        _bytes(1, input, "expects input string")
        pem = _bytes(2, key, "expects key string")
        if b"-----BEGIN " not in pem:
            raise fail("could not parse private key: no valid blocks found")
        raise fail(f"error signing input: {_NEEDS_RSA}")

    def bcrypt_hash(self, input: str) -> str:  # noqa: A002 - the server's name
        """A salted hash for ``bcrypt_compare``; not bcrypt's, which costs a real server half a second."""
        salt = self.core.rng.randbytes(16)
        return f"$2a$10$emulator{salt.hex()}{_slow(_bytes(1, input), salt)}"

    def bcrypt_compare(self, hash: str, plaintext: str) -> bool:  # noqa: A002 - the server's name
        """True if ``bcrypt_hash`` created the hash from that text."""
        given, plain = text(1, hash, "expects string"), _bytes(2, plaintext)
        _, found, rest = given.partition("$2a$10$emulator")
        if not found or len(rest) != 96:
            if len(given) < 59:
                return False
            raise fail("error comparing hash and plaintext: the emulator accepts only its own hashes")
        return hmac.compare_digest(_slow(plain, bytes.fromhex(rest[:32])), rest[32:])

    def secure_random_bytes(self, count: int) -> str:
        """Return ``count`` random bytes."""
        number = integer(1, count)
        if not 1 <= number <= 1000:
            raise ArgumentError(1, "count must be 1-1000")
        return _text(self.core.rng.randbytes(number))

    def jwt_generate(self, algorithm: str, key: str, claims: Table) -> str:
        """Return a JSON Web Token, signed with HS256."""
        method = text(1, algorithm, "expects string")
        if method not in ("HS256", "RS256"):
            raise ArgumentError(1, "unsupported algo type - only allowed 'HS256', 'RS256'.")
        secret = text(2, key, "expects string")
        of = fields(3, table(3, claims))
        if method == "RS256":
            raise fail(f"failed to sign token: {_NEEDS_RSA}")
        return sign(orjson.loads(orjson.dumps(of, option=orjson.OPT_SORT_KEYS)), secret)


def _slow(plain: bytes, salt: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", plain, salt, 100).hex()
