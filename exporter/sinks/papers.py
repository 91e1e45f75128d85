"""Whether certificates and keys can be used: asked at the start, for later a TLS error would pass for the server's."""

import ssl
from collections.abc import Callable, Iterator

Named = tuple[str, str]
"""(variable, path); the path may be empty."""


class _EncryptedError(Exception):
    """A key wants a passphrase, and there is nobody to ask."""


def faults(authority: Named, certificate: Named, key: Named) -> Iterator[str]:
    """One sentence for each file that TLS could not use; the files are there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    said, path = "{}={}".format(*authority), authority[1]
    if path and (why := _refusal(lambda: context.load_verify_locations(cafile=path))):
        yield f"{said} {why}"
    if certificate[1] and (why := _refusal(lambda: context.load_cert_chain(certificate[1], key[1] or None, _ask))):
        beside = " and {}={}".format(*key) if key[1] else f" without {key[0]}"
        yield f"{certificate[0]}={certificate[1]}{beside} {why}"


def _refusal(load: Callable[[], None]) -> str:
    """Why TLS does not take a file; "" when it does."""
    try:
        load()
    except _EncryptedError:
        return "cannot be used, the key is encrypted: give one without a passphrase."
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "do not belong together: set the key of this certificate."
        return "cannot be used, something in it is not PEM or is missing: set PEM files."
    except OSError as error:
        return f"cannot be read ({error.strerror}): give the exporter the right."
    return ""


def _ask() -> str:
    raise _EncryptedError
