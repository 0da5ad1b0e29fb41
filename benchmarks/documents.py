"""Documents to convert, of which no two have the same bytes, and the check of what became of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from docconv_sandbox import expected_result

# What the provider looks at before it sends a presentation.
_HEAD = b"PK\x03\x04"


@dataclass(frozen=True)
class Documents:
    """
    Documents in a folder.

    :param folder: the folder
    :param digests: the SHA-256 of each, in hexadecimal, by its name without the extension
    """

    folder: Path
    digests: dict[str, str]

    @classmethod
    def write(cls, folder: Path, count: int, size: int) -> Documents:
        """
        Write documents.

        :param folder: where they go, made when missing; its path decides about their bytes
        :param count: how many
        :param size: the length of each in bytes
        """
        folder.mkdir(parents=True)
        digests = {}
        for number in range(count):
            seed = hashlib.shake_256(f"{folder} {number}".encode())
            content = _HEAD + seed.digest(size - len(_HEAD))
            name = f"deck-{number:05}"
            (folder / f"{name}.pptx").write_bytes(content)
            digests[name] = hashlib.sha256(content).hexdigest()
        return cls(folder, digests)

    def __len__(self) -> int:
        return len(self.digests)

    def delivered(self, folder: Path, result_bytes: int) -> int:
        """
        Count the documents whose result lies in a folder, exact to the byte.

        :param folder: the folder
        :param result_bytes: the length of each result
        """
        results = {name: folder / f"{name}.pdf" for name in self.digests}
        return sum(
            path.exists() and path.read_bytes() == expected_result(self.digests[name], result_bytes)
            for name, path in results.items()
        )
