"""The few protobuf rules that concatenation needs: varints and length-delimited fields."""


def varint(number: int) -> bytes:
    """A non-negative integer, seven bits a byte, the lowest first."""
    return _SMALL[number] if number < len(_SMALL) else _long(number)


def delimited(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field: tag, length, body."""
    return tag + varint(len(body)) + body


def _long(number: int) -> bytes:
    found = bytearray()
    while number > _SEVEN_BITS:
        found.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


_SEVEN_BITS = 0x7F
_SMALL = tuple(_long(number) for number in range(2048))
