"""The documents of a batch: how they are given, how they are found, and how results are named."""

from __future__ import annotations

import ast
import errno
import json
import re
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import PurePosixPath
from string import Formatter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_docconv.services.errors import DocumentRejected, InvalidOptions, SourceNotFound
from airflow_provider_docconv.services.filetypes import extension, fits_format
from airflow_provider_docconv.transfer.addresses import (
    MAX_NAME,
    address_of,
    is_addressable,
    problem_of,
    read_destination,
    require_format_of,
)
from airflow_provider_docconv.transfer.object_storage import LOCAL, store_error, to_path, version_of

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import ObjectStoragePath
    from airflow_provider_docconv.services.service import ConversionService

_KEYS = frozenset({"source", "folder", "documents", "target_format", "options"})


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """
    One item of an operator's ``source``.

    :param source: a path, a folder or a glob; a folder if ``documents`` are given
    :param documents: the paths of documents below the folder, or None
    :param target_format: the format to convert to
    :param options: the service's options, which may hold passwords
    """

    source: str
    documents: Sequence[str] | None
    target_format: str
    options: Mapping[str, Any] = field(repr=False)


def read_specs(source: object, target_format: str, options: Mapping[str, Any] | None) -> list[SourceSpec]:
    """
    Read an operator's ``source``: a string or a path, a mapping, or a list of these.

    :param source: the source
    :param target_format: the format of items without their own
    :param options: the options of items without their own
    :raises InvalidOptions: if it is something else
    """
    source = _read_source(source)
    values: Any = source if _is_list(source) else [source]
    return [_item(_read_source(value), _format(target_format), options or {}) for value in values]


def read_rendered(given: object) -> object:
    """
    Return the list or mapping that a template has rendered to text; another text without the spaces around it.

    :param given: what a parameter was given
    """
    if not isinstance(given, str):
        return given
    text = given.strip()
    if _is_collection(text):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return read(text)
    return text


def _is_collection(text: str) -> bool:
    return (text[:1], text[-1:]) in (("[", "]"), ("{", "}"))


def _read_source(given: object) -> object:
    source = read_rendered(given)
    if isinstance(source, str) and _is_collection(source):
        raise InvalidOptions(
            "source is a list or mapping that a template has rendered to text, and can't be read",
            remedy="pass the task's output (task.output), or set render_template_as_native_obj=True for the Dag",
        )
    return source


def _format(given: Any) -> Any:
    return given.strip().removeprefix(".") if isinstance(given, str) else given


def _item(value: object, target_format: str, options: Mapping[str, Any]) -> SourceSpec:
    if not isinstance(value, Mapping):
        if not (text := address_of(value).strip()):
            raise InvalidOptions(
                "source must be a path, folder, glob, mapping or list of these", remedy="correct the task's source"
            )
        return SourceSpec(text, None, target_format, options)
    named, documents = address_of(value.get("source", value.get("folder"))).strip(), value.get("documents", ())
    own_format = _format(value.get("target_format")) or target_format
    own_options = options if value.get("options") is None else value["options"]
    shaped = ("source" in value, "folder" in value, "documents" in value) in ((1, 0, 0), (0, 1, 1))
    texts: list[Any] = [named, own_format, *documents] if _is_list(documents) else [None]
    sound = all(isinstance(text, str) and text for text in texts) and isinstance(own_options, Mapping)
    if not shaped or set(value) - _KEYS or not sound:
        # Only the names: the options may hold passwords.
        raise InvalidOptions(
            f"a mapping with {', '.join(sorted(map(str, value)))[:200] or 'nothing in it'} is not a valid source",
            remedy="give 'source', or 'folder' and 'documents', with 'target_format' and 'options' if needed",
        )
    return SourceSpec(named, documents if "documents" in value else None, own_format, own_options)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_specs(specs: Sequence[SourceSpec], services: Collection[ConversionService]) -> None:
    """
    Check formats and options of all items, before any document is found.

    :raises InvalidOptions: if no service has such a format or option, or all results would be saved at one place
    """
    for spec in specs:
        errors = []
        for service in services:
            try:
                given = service.check(spec.target_format, spec.options)
            except InvalidOptions as error:
                errors.append(error)
                continue
            if service.saving_option in given:
                raise InvalidOptions(
                    f"{service.saving_option} would make the results of a batch replace each other at {service.label}",
                    remedy="omit it, or start such documents one by one with StartConversionOperator",
                )
        if len(errors) == len(services):
            raise errors[0]


def check_quarantine(quarantine: str | None, specs: Sequence[SourceSpec]) -> None:
    """
    Check that copies of rejected documents will not be the next run's documents.

    :param quarantine: their folder, ending with a slash
    :param specs: the items of the operator's source
    :raises InvalidOptions: if they would be
    """
    for spec in specs if quarantine else ():
        folder = f"{_split_glob(spec.source)[0] if is_glob(spec.source) else spec.source}".rstrip("/")
        if f"{folder}/" == quarantine and spec.documents is None:
            raise InvalidOptions(
                f"quarantine is the folder that {spec.source} is searched in, so every run would find the copies",
                remedy="give another folder, which may be below it",
            )


#: The folder beside the results for the batch's own files.
OWN_FOLDER = ".docconv"
_MAGIC = frozenset("*?[{")
# Fewer documents than this are looked up one by one instead of listing their folder.
_FEW = 20
_SLASHES = re.compile("/+")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """
    A document found in its store.

    :param uri: its address
    :param relative: its path below the folder that was searched, or its name; hostile
    :param size: its length in bytes, or None if unknown
    :param version: distinguishes this content from an earlier one; empty if the store can't
    :param named: whether it was given by its own address, so that no filter leaves it out
    """

    uri: str
    relative: str
    size: int | None = None
    version: str = ""
    named: bool = field(default=False, compare=False)

    @property
    def extension(self) -> str:
        """Its extension in lower case, without the dot."""
        return extension(self.relative.rpartition("/")[2])


#: Files that nobody means as documents, by name: Office's owner and lock files, unfinished downloads, what systems and
#: tools leave behind, and the folder markers of object stores. Letter case does not matter.
NOT_DOCUMENTS = (
    *(".*", "~$*", "~WRL*.tmp", "*.tmp", "*.temp", "*.bak", "*~", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r"),
    *("*.part", "*.partial", "*.crdownload", "*.download", "*.filepart", "*.opdownload", "*.!ut", "*.!qb", "*.aria2"),
    *("*.lnk", "*.url", "*.webloc", "_SUCCESS", "_committed_*", "_started_*", "*_$folder$"),
)
#: Folders of which nothing is a document.
NOT_FOLDERS = (
    *(".*", "__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "#snapshot", "~snapshot"),
    *("lost+found", "_temporary"),
)
_NO_NAME, _NO_FOLDER = (
    re.compile("|".join(map(translate, names)), re.IGNORECASE) for names in (NOT_DOCUMENTS, NOT_FOLDERS)
)


def _may_be_document(relative: str) -> bool:
    *folders, name = relative.split("/")
    return bool(name) and not _NO_NAME.match(name) and not any(map(_NO_FOLDER.match, folders))


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """
    Return a function that tells whether a path below a folder fits a pattern, whatever the letter case.

    :param pattern: a pattern such as ``reports/**/*.{doc,docx}`` or ``[a-m]*``; with a slash at its end, it is about
        everything in the folders that it fits
    :raises InvalidOptions: if it stands for too many others
    """
    from wcmatch import glob

    flags = glob.GLOBSTAR | glob.BRACE | glob.IGNORECASE | glob.FORCEUNIX | glob.DOTGLOB
    try:
        matches: Callable[[str], bool] = glob.compile(
            f"{pattern}**" if pattern.endswith("/") else pattern, flags=flags
        ).match
    except Exception as error:  # Of a type of the library's own.
        raise InvalidOptions(f"the pattern {pattern!r} can't be read ({error})", remedy="simplify it") from error
    # Keys of object stores may have empty parts.
    return lambda relative: matches(_SLASHES.sub("/", relative).lstrip("/"))


class Patterns:
    """
    Patterns of documents, as users give them: one, or a list, which a template may have rendered to text.

    :param given: patterns such as ``*.pptx`` or ``reports/**/*.{doc,docx}``. Without a slash they are about the name
        alone, in any folder; with one, about the path below the source's folder
    :param what: the parameter that they were given as, for messages
    :raises InvalidOptions: if one can never fit
    """

    def __init__(self, given: str | Sequence[str], what: str = "the pattern") -> None:
        patterns: Any = read_rendered(given)
        listed = patterns if isinstance(patterns, Collection) and not isinstance(patterns, str) else [patterns]
        self._all = [_read_pattern(each, what) for each in listed]

    def __bool__(self) -> bool:
        return bool(self._all)

    def fit(self, relative: str) -> bool:
        """Tell whether a path below a folder fits one of them."""
        return any(matches(relative) for matches in self._all)


def _read_pattern(given: object, what: str) -> Callable[[str], bool]:
    pattern = given.strip().removeprefix("./") if isinstance(given, str) else ""
    if not pattern.strip("/") or "://" in pattern:
        raise InvalidOptions(
            f"{what} {given!r} fits no document",
            remedy="give a pattern of names such as '*.pptx', or of paths below the source's folder such as '2026/**'",
        )
    return compile_pattern(pattern.lstrip("/") if "/" in pattern.rstrip("/") else f"**/{pattern}")


def find(spec: SourceSpec, left_out: Sequence[str], vendor_schemes: Container[str]) -> Iterator[SourceFile]:
    """
    Find the documents of an item of an operator's source.

    A document that is named and does not exist is returned nevertheless, so that it fails by itself and not the batch.

    :param spec: the item
    :param left_out: folders that are not searched, such as those of the results
    :param vendor_schemes: the schemes of addresses in the vendors' own storage
    :raises SourceNotFound: if a folder does not exist or can't be read
    :raises StoreUnavailable: if the store can't be reached now
    """
    if spec.source.partition("://")[0] in vendor_schemes:
        yield from _in_remote_storage(spec)
        return
    try:
        if spec.documents is not None:
            found = _documents(spec.source, spec.documents)
        else:
            found = _search(spec.source, left_out)
        yield from found
    except Exception as error:  # Each driver raises its own types.
        raised = store_error(error, "the documents can't be listed, so nothing was sent", SourceNotFound)
        raised.document = spec.source
        raise raised from error


def _in_remote_storage(spec: SourceSpec) -> Iterator[SourceFile]:
    """Return the addresses as they are: the service will report those that don't exist."""
    if spec.documents is None:
        yield SourceFile(spec.source, unquote(spec.source.rpartition("/")[2]), named=True)
    for relative in spec.documents or ():
        # Addresses there may be percent-encoded; paths are not.
        yield SourceFile(f"{spec.source.rstrip('/')}/{relative.replace('%', '%25')}", relative, named=True)


def _search(source: str, left_out: Sequence[str]) -> Iterator[SourceFile]:
    path = to_path(source)
    path.fs.invalidate_cache()
    if is_glob(source) and not path.exists():
        folder, pattern = _split_glob(source)
        fits = compile_pattern(pattern)
        yield from (found for found in _existing_folder(folder, left_out) if fits(found.relative))
    elif source.endswith("/") or path.is_dir():
        yield from _existing_folder(source, left_out)
    else:
        yield _one(path, source, path.name, named=True)


def _split_glob(source: str) -> tuple[str, str]:
    """Return the folder that a pattern is below of, with a slash at its end, and the rest."""
    at = min(source.index(sign) for sign in _MAGIC if sign in source)
    folder = source[:at].rpartition("/")[0] + "/"
    return folder, source.removeprefix(folder)


def is_glob(source: str) -> bool:
    """Tell whether a source may be a pattern; a document of that very name comes first."""
    return not _MAGIC.isdisjoint(source)


def _existing_folder(folder: str, left_out: Sequence[str]) -> Iterator[SourceFile]:
    nothing = True
    for found in list_folder(folder, left_out):
        nothing = False
        yield found
    # Object stores list a folder that does not exist like an empty one.
    if nothing and not to_path(folder).exists():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder, and no object below that address", folder)


def list_folder(folder: str, left_out: Sequence[str]) -> Iterator[SourceFile]:
    """
    List everything below a folder except the results and what is certainly not a document.

    :param folder: the folder
    :param left_out: folders that are not searched
    :raises Exception: whatever the store's driver raises, :class:`FileNotFoundError` if the folder does not exist
    """
    root = f"{folder.rstrip('/')}/"
    yield from _below(root, _list(to_path(root)), left_out)


def _documents(folder: str, documents: Sequence[str]) -> Iterator[SourceFile]:
    root = folder.rstrip("/") + "/"
    if len(documents) < _FEW:
        for relative in documents:
            yield _one(to_path(root + relative), root + relative, relative)
        return
    path = to_path(root)
    listing, base = _list(path), path.path.rstrip("/") + "/"
    for relative in documents:
        info = listing.get(base + relative, {})
        yield SourceFile(root + relative, relative, info.get("size"), version_of(info))


def _list(path: ObjectStoragePath) -> dict[str, Any]:
    path.fs.invalidate_cache()
    if path.protocol not in LOCAL:
        found: dict[str, Any] = path.fs.find(path.path, detail=True)
        return found
    # Not find(), which leaves out folders that can't be read, and nests as deep as they do.
    listing: dict[str, Any] = {}
    folders = [path.path]
    while folders:
        for info in path.fs.ls(folders.pop(), detail=True):
            if info["type"] == "directory":
                folders.append(info["name"])
            else:
                listing[info["name"]] = info
    return listing


def _below(folder: str, listing: Mapping[str, Any], left_out: Sequence[str]) -> Iterator[SourceFile]:
    base = to_path(folder).path.rstrip("/") + "/"
    results = tuple(own for each in left_out if (own := to_path(each).path.rstrip("/") + "/") != base)
    for name in sorted(listing):
        info, relative = listing[name], name.removeprefix(base)
        marker = str((info.get("metadata") or {}).get("hdi_isfolder", "")).lower() == "true"
        # Results below the sources must not be the next run's documents. Where the sources are below the results, all
        # documents would be left out.
        ours = any(own.startswith(base) and name.startswith(own) for own in results)
        if info.get("type") == "file" and not marker and not ours and _may_be_document(relative):
            yield SourceFile(folder + relative, relative, info.get("size"), version_of(info))


def _one(path: ObjectStoragePath, uri: str, relative: str, *, named: bool = False) -> SourceFile:
    path.fs.invalidate_cache()
    try:
        info = path.fs.info(path.path)
    except FileNotFoundError:
        return SourceFile(uri, relative, named=named)
    return SourceFile(uri, relative, info.get("size"), version_of(info), named)


def chunk_documents(
    folder: str,
    size: int = 1000,
    destination: str | None = None,
    *,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
) -> list[dict[str, Any]]:
    """
    List a folder or a glob and cut it into chunks, one for each mapped task.

    .. code-block:: python

        chunks = task(chunk_documents)("s3://aws_default@documents/inbox/")
        ConvertDocumentsOperator.partial(task_id="convert", ...).expand(source=chunks)

    :param folder: a folder or a glob
    :param size: the largest number of documents in a chunk
    :param destination: the folder of the results, if it is below ``folder``: results are skipped
    :param include: patterns of the documents; all by default. The tasks leave out what their service does not convert
    :param exclude: patterns of what is left out
    :return: what ``ConvertDocumentsOperator`` takes as ``source``: mappings with ``folder`` and ``documents``
    :raises SourceNotFound: if the folder does not exist, or the store does not answer
    """
    if size < 1:
        raise InvalidOptions(f"size must be at least 1, not {size}", remedy="correct the size")
    wanted, unwanted = Patterns(include), Patterns(exclude)
    left_out = [destination] if destination else []
    found = [
        each
        for each in find(SourceSpec(folder.strip(), None, "", {}), left_out, ())
        if not unwanted.fit(each.relative) and (not wanted or wanted.fit(each.relative))
    ]
    if not found:
        return []
    root = found[0].uri.removesuffix(found[0].relative)
    names = [each.relative for each in found]
    return [{"folder": root, "documents": names[at : at + size]} for at in range(0, len(names), size)]


_FIELDS = ("folder", "name", "stem", "extension", "format")
_FIXED = re.compile(r"(?:[a-z][a-z0-9+.-]*://[^/]*)?/|[a-z][a-z0-9+.-]*://[^/]+/", re.IGNORECASE)
_LONGEST_KEY = 1024
# The formats whose files have another extension than the format's name.
_EXTENSIONS = {"html5": "html", "mpeg4": "mp4"}


class Naming:
    """
    Names the result of each document.

    :param destination: a folder, which then keeps the layout of the sources; or, if its last part has an extension or
        a field, a template of the result's address. The fields are ``{folder}`` (below the source's folder, empty or
        ending with ``/``), ``{name}``, ``{stem}``, ``{extension}`` and ``{format}``; folders may have them, too
    :raises InvalidOptions: if it has other fields, or is not a URI or an absolute path
    """

    def __init__(self, destination: str) -> None:
        destination = read_destination(destination)
        # The field has a slash at its end, and {folder}/ means the same.
        template = destination.replace("{folder}/", "{folder}")
        if destination.endswith("/"):
            template += "{stem}.{format}" if "{folder}" in template else "{folder}{stem}.{format}"
        self._template = template
        try:
            parts = [part[1:] for part in Formatter().parse(self._template) if part[1] is not None]
            fits = all(field in _FIELDS and not form and not conversion for field, form, conversion in parts)
        except ValueError:
            fits = False
        fixed = template.partition("{")[0]
        # No document may decide about the store or the bucket.
        if not fits or not _FIXED.match(fixed):
            raise InvalidOptions(
                f"the destination {destination!r} must be a URI: a folder, or a template with the "
                f"fields {', '.join(f'{{{field}}}' for field in _FIELDS)}",
                remedy="correct the task's destination",
            )
        #: The folder of all results, ending with a slash.
        self.folder = fixed.rpartition("/")[0] + "/"
        scheme, found, _ = self.folder.partition("://")
        # Object stores limit the whole address, to 1,024 bytes.
        self._is_local = not found or scheme.lower() in LOCAL
        #: Whether all results would get one name, whatever the documents are called.
        self.is_fixed = not parts
        #: Whether those of a folder would.
        self.is_single = not any(part[0] in ("name", "stem") for part in parts)
        # The extension of all results, if no field decides about it.
        self._extension = extension("x" + self._template.rpartition("/")[2].rpartition("}")[2])

    def check(self, target_format: str) -> None:
        """
        Refuse a format that the results' extension is not that of, before anything is paid.

        :param target_format: the format
        :raises InvalidOptions: if the extension is that of another format
        """
        require_format_of(self._extension, self._template, target_format)

    def uri(self, relative: str, target_format: str) -> str:
        """
        Return the address of a document's result.

        :param relative: the document's path below its source folder; hostile
        :param target_format: the format
        :raises DocumentRejected: if the path could lead out of the destination, or can't be a file's name
        """
        # Keys of object stores may have empty parts; no store has trouble with a result without them.
        *above, name = relative.split("/")
        above = list(filter(None, above))
        kind = _EXTENSIONS.get(target_format.lower(), target_format.lower())
        stem = PurePosixPath(name).stem
        folder = "".join(f"{part}/" for part in above)
        values = {"folder": folder, "name": name, "stem": stem, "extension": extension(name), "format": kind}
        uri = self._template.format_map(values)
        new = uri.removeprefix(self.folder).split("/")
        longest = MAX_NAME if self._is_local else _LONGEST_KEY
        problems = (problem_of(part, longest) for part in (*above, name, stem, *new))
        problem = next(filter(None, problems), None) or self._length_problem(uri, kind)
        if not problem and not all(map(is_addressable, (relative, uri))):
            problem = "it contains :: or ?versionId=, or ends with # or ?, which the stores' drivers misread"
        if problem:
            raise DocumentRejected(
                f"cannot derive a safe result name from the document's name ({problem}), so it was not sent",
                document=relative,
                remedy="rename it, or use a template as destination",
            )
        if not fits_format(end := extension(new[-1]), target_format):
            raise DocumentRejected(
                f"destination would name its result {new[-1]}, but .{end} is not the extension of a "
                f"{target_format.lower()} file, so it was not sent",
                document=relative,
                remedy="let destination end with .{format}",
            )
        return uri

    def _length_problem(self, uri: str, kind: str) -> str | None:
        """Say that a result's name is too long: a store's refusal would come when it is paid for."""
        # Where a format has one file per page, the result is a ZIP, and called so.
        room = len(".zip") if fits_format("zip", kind) and not uri.endswith(".zip") else 0
        if self._is_local:
            what, text, most = "name", uri.rpartition("/")[2], MAX_NAME
        else:
            what, text, most = "key", uri.partition("://")[2].partition("/")[2], _LONGEST_KEY
        length = len(text.encode(errors="replace")) + room
        return (
            f"its result's {what} has {length} bytes, and at most {most} are possible there" if length > most else None
        )
