"""What happens to bytes on their way."""

from __future__ import annotations

from random import Random

PIECES = (b"\0", b"\xff" * 8, b"\0" * 8, b"\x7f", b"{", b"\x89ROWLOG\n", b"CMSKETC\x01", b"timestamp")


def damaged(data: bytes, random: Random) -> bytes:
    """The bytes with one to three accidents in them, or now and then whole."""
    out = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        at = random.randrange(len(out) + 1)
        how = random.randrange(5)
        if how == 0 and at < len(out):
            out[at] ^= 1 << random.randrange(8)
        elif how == 1 and at < len(out):
            out[at] = random.choice((0, 1, 2, 0x7F, 0x80, 0xFF))
        elif how == 2:
            out[at:at] = random.choice(PIECES)
        elif how == 3:
            del out[at : at + random.choice((1, 2, 8, 10, 1000))]
        else:
            other = random.randrange(len(out) + 1)
            out[at : at + 8] = out[other : other + 8]
    return bytes(out)
