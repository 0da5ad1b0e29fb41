"""What the results of a batch are called."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from string import Formatter

from airflow_provider_docconv.addresses import is_addressable
from airflow_provider_docconv.names import is_safe
from airflow_provider_docconv.services.errors import DocumentRejected, InvalidOptions
from airflow_provider_docconv.services.signatures import extension

_FIELDS = ("folder", "name", "stem", "extension", "format")
_FIXED = re.compile(r"(?:[a-z][a-z0-9+.-]*://[^/]*)?/|[a-z][a-z0-9+.-]*://[^/]+/", re.IGNORECASE)
# Where the format's name is not what its files are called.
_EXTENSIONS = {"html5": "html", "mpeg4": "mp4"}


class Naming:
    """
    Names the result of each document.

    :param destination: a folder if it ends with ``/``, which then keeps the layout of the sources; else a template of
        the result's address with the fields ``{folder}`` (below the source's folder, empty or with ``/`` at its end),
        ``{name}``, ``{stem}``, ``{extension}`` and ``{format}``
    :raises InvalidOptions: if it has other fields
    """

    def __init__(self, destination: str) -> None:
        literal = destination.replace("{", "{{").replace("}", "}}")
        self._template = f"{literal}{{folder}}{{stem}}.{{format}}" if destination.endswith("/") else destination
        try:
            parts = [part[1:] for part in Formatter().parse(self._template) if part[1] is not None]
            fits = all(field in _FIELDS and not form and not conversion for field, form, conversion in parts)
        except ValueError:
            fits = False
        fixed = destination if destination.endswith("/") else destination.partition("{")[0]
        # No document may choose the store or the bucket.
        if not fits or not _FIXED.match(fixed):
            raise InvalidOptions(
                f"the destination {destination!r} is neither a folder (with / at its end) nor a template with the "
                f"fields {', '.join(f'{{{field}}}' for field in _FIELDS)}",
                remedy="correct the task's destination",
            )
        #: The folder that all results lie in, with a slash at its end.
        self.folder = fixed.rpartition("/")[0] + "/"

    def uri(self, relative: str, target_format: str) -> str:
        """
        Return the address of a document's result.

        :param relative: the document's path below its source folder; hostile
        :param target_format: the format
        :raises DocumentRejected: if the path could lead out of the destination, or is no name for a file
        """
        path, parts = PurePosixPath(relative), relative.split("/")
        folder = "".join(f"{part}/" for part in parts[:-1])
        kind = _EXTENSIONS.get(target_format.lower(), target_format.lower())
        name = path.name
        values = {"folder": folder, "name": name, "stem": path.stem, "extension": extension(name), "format": kind}
        uri = self._template.format_map(values)
        new = uri.removeprefix(self.folder).split("/")
        if not all(map(is_safe, (*parts, path.stem, *new))) or not all(map(is_addressable, (relative, uri))):
            raise DocumentRejected(
                "the document's name makes no safe name for its result, so it was not sent",
                document=relative,
                remedy="rename it, or name the result by a template in destination",
            )
        return uri
