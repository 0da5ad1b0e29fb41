"""Starts to merge several documents into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

from airflow_provider_docconv.operators.start import StartOperator, identify_source

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import PresentationToMerge


class MergeSource(TypedDict, total=False):
    """
    A document to merge, with more to say than its address.

    ``source``: its address. ``slides``: the numbers of the slides to take, from 1, in this order; all where it is
    missing. ``password``: opens it.
    """

    source: str
    slides: Sequence[int]
    password: str


class MergeDocumentsOperator(StartOperator["list[PresentationToMerge]"]):
    """
    Starts to merge presentations into one pptx and returns the operation id.

    Wait for it with ``ConversionSensor`` and fetch it with ``DownloadResultOperator``, as a conversion. What is written
    down, and what a retry and a Clear do, are the same as well.

    :param sources: what to merge, in this order: each an address as in ``StartConversionOperator``, or a mapping with
        ``source``, ``slides`` and ``password`` (templated)
    :param conn_id: connection to the service (templated)
    :param options: ``storage`` and ``outPath``: where the result is saved in the vendor's storage, instead of being
        kept for a download (templated)
    :param on_lost_reply: as in ``StartConversionOperator``
    """

    template_fields: Sequence[str] = ("sources", "conn_id", "options")
    template_fields_renderers: ClassVar[dict[str, str]] = {"sources": "json", "options": "json"}
    ui_color = "#f7e6d5"

    def __init__(
        self,
        *,
        sources: Sequence[str | ObjectStoragePath | MergeSource],
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, options=options, on_lost_reply=on_lost_reply, **kwargs)
        self.sources = sources

    def subject(self) -> str:
        """Name the first source and how many follow."""
        first, *others = [str(each["source"]) for each in self._sources()] or ["no document"]
        return f"{first} and {len(others)} more" if others else first

    def open(self, hook: DocConvHook) -> list[PresentationToMerge]:
        """
        Find the sources.

        :raises DocConvError: if one is not there
        """
        from airflow_provider_docconv.addresses import read_address
        from airflow_provider_docconv.services.documents import PresentationToMerge
        from airflow_provider_docconv.services.options import read_options
        from airflow_provider_docconv.source import open_source

        opened = []
        for number, each in enumerate(self._sources()):
            where = f"sources[{number}]"
            uri = read_address(each["source"], f"{where}.source")
            given = read_options(hook.fields.label, {**each, "source": uri}, MergeSource, where)
            document = open_source(uri, hook.fields)
            opened.append(PresentationToMerge(document, tuple(given.get("slides", ())), given.get("password") or None))
        return opened

    def identify(self, opened: list[PresentationToMerge]) -> dict[str, object]:
        """Say which documents, and which of their slides, are merged."""
        pairs = zip(self._sources(), opened, strict=True)
        return {
            "merge": [{**identify_source(each["source"], one.document), "slides": one.slides} for each, one in pairs]
        }

    def send(self, hook: DocConvHook, opened: list[PresentationToMerge]) -> str:
        """
        Start the merge.

        :raises DocConvError: if it could not be started
        """
        return hook.start_merge(opened, self.options)

    def _sources(self) -> list[dict[str, Any]]:
        """Give each source as a mapping."""
        listed = isinstance(self.sources, Sequence) and not isinstance(self.sources, str)
        values = self.sources if listed else [self.sources]
        given = [each if isinstance(each, Mapping) else {"source": each} for each in values]
        return [{"source": None} | {str(key).lower(): value for key, value in each.items()} for each in given]
