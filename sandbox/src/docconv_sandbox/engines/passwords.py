"""Opening encrypted Office documents."""

from __future__ import annotations

from pathlib import Path

from docconv_sandbox.engines.base import Work
from docconv_sandbox.errors import Cause, ConversionError
from docconv_sandbox.formats import ENCRYPTED_OOXML, sniff

_MAY_BE_ENCRYPTED = {ENCRYPTED_OOXML, "ppt", "doc", "xls"}


def decrypt(document: Path, source: str, work: Work) -> tuple[Path, str]:
    """Decrypt a document where it is encrypted.

    No converter here takes a password, so the document is decrypted before it gets to one.

    :param document: the document
    :param source: its format, by its content
    :param work: has the password
    :return: a document without a password, and its format
    """
    if source not in _MAY_BE_ENCRYPTED:
        return document, source
    import msoffcrypto  # type: ignore[import-untyped]  # it has no types
    from msoffcrypto.exceptions import InvalidKeyError  # type: ignore[import-untyped]  # it has no types

    output = work.folder / "decrypted"
    with document.open("rb") as file:
        try:
            office = msoffcrypto.OfficeFile(file)
            if not office.is_encrypted():
                return document, source
            if not work.password:
                raise ConversionError(Cause.MISSING_PASSWORD, "The document is encrypted and no password came with it.")
            office.load_key(password=work.password)
            with output.open("wb") as decrypted:
                office.decrypt(decrypted)
        except ConversionError:
            raise
        except InvalidKeyError as error:
            raise ConversionError(Cause.WRONG_PASSWORD, "The password is wrong.") from error
        except Exception as error:  # The package reads hostile bytes without checks, and trips over anything.
            # Where it could not encode the password, its own words quote it.
            what = type(error).__name__
            raise ConversionError(Cause.DAMAGED, f"The encrypted document is damaged: {what}") from error
    return output, sniff(output) if source == ENCRYPTED_OOXML else source
