"""AES in cipher feedback mode (FIPS 197, NIST SP 800-38A), for the few bytes that a module encrypts.

Python's library has no cipher, and a package for it would be larger than all of the emulator's.
"""

from __future__ import annotations

from typing import Final

BLOCK: Final = 16


def _xtime(value: int) -> int:
    return ((value << 1) ^ (0x11B if value & 0x80 else 0)) & 0xFF


def _make_sbox() -> bytes:
    box = bytearray(256)
    p = q = 1
    while True:
        p ^= _xtime(p)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = q
        for shift in (1, 2, 3, 4):
            rotated ^= (q << shift | q >> (8 - shift)) & 0xFF
        box[p] = rotated ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return bytes(box)


_SBOX: Final = _make_sbox()
# The source of each byte of a block: row by row further to the left.
_SHIFTED: Final = tuple(4 * ((at // 4 + at % 4) % 4) + at % 4 for at in range(BLOCK))


def _expand(key: bytes) -> list[bytes]:
    words = [key[at : at + 4] for at in range(0, len(key), 4)]
    size, rounds = len(words), len(words) + 6
    constant = 1
    while len(words) < 4 * (rounds + 1):
        word = words[-1]
        if len(words) % size == 0:
            word = bytes(_SBOX[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _xtime(constant)
        elif size > 6 and len(words) % size == 4:
            word = bytes(_SBOX[byte] for byte in word)
        words.append(_xor(words[-size], word))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def _mixed(column: bytes) -> bytes:
    every = column[0] ^ column[1] ^ column[2] ^ column[3]
    return bytes(
        value ^ every ^ _xtime(value ^ following)
        for value, following in zip(column, column[1:] + column[:1], strict=True)
    )


def _encrypted(keys: list[bytes], block: bytes) -> bytes:
    state = _xor(block, keys[0])
    for number, key in enumerate(keys[1:], 1):
        state = bytes(_SBOX[state[at]] for at in _SHIFTED)
        if number < len(keys) - 1:
            state = b"".join(_mixed(state[at : at + 4]) for at in range(0, BLOCK, 4))
        state = _xor(state, key)
    return state


def cfb_encrypt(key: bytes, vector: bytes, plain: bytes) -> bytes:
    """Encrypt with a key of 16 or 32 bytes and an initialization vector of 16."""
    keys, feedback, done = _expand(key), vector, []
    for at in range(0, len(plain), BLOCK):
        feedback = _xor(_encrypted(keys, feedback), plain[at : at + BLOCK])
        done.append(feedback)
    return b"".join(done)


def cfb_decrypt(key: bytes, vector: bytes, encrypted: bytes) -> bytes:
    """The reverse of ``cfb_encrypt``."""
    keys, feedback, done = _expand(key), vector, []
    for at in range(0, len(encrypted), BLOCK):
        block = encrypted[at : at + BLOCK]
        done.append(_xor(_encrypted(keys, feedback), block))
        feedback = block
    return b"".join(done)
