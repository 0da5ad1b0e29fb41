"""Operators that start an operation: a conversion, a split or a merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_docconv.links.docconv import DocumentOperator, ServiceLink

if TYPE_CHECKING:
    from airflow_provider_docconv.compat import Context, ObjectStoragePath
    from airflow_provider_docconv.services.slides.options import MergeSource


class StartOperator(DocumentOperator):
    """
    Base of the operators that start an operation and return its id.

    :param conn_id: connection to the service (templated)
    :param options: options under the vendor's names (templated)
    :param on_lost_reply: see :class:`StartConversionOperator`
    """

    template_fields: Sequence[str] = ("conn_id", "options")
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json"}
    operator_extra_links = (ServiceLink(),)
    ui_color = "#d5e8fa"

    def __init__(
        self,
        *,
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_lost_reply not in ("fail", "start_again"):
            raise ValueError(f"on_lost_reply must be 'fail' or 'start_again', not {on_lost_reply!r}")
        self.conn_id = conn_id
        self.options = options
        self.on_lost_reply = on_lost_reply


class StartConversionOperator(StartOperator):
    """
    Start a conversion and return the operation id.

    The operation id is written down before anything else happens, so that a retry resumes the same operation. Clearing
    the task starts a new one.

    The XCom ``source_sha256`` is the SHA-256, in hexadecimal, of the document that was sent. The XCom ``remote_source``
    is its address in the vendor's storage, if the options required an upload there.

    :param source: the document: anything that ``ObjectStoragePath`` takes, or ``aspose-slides://storage/path`` and
        ``groupdocs-conversion://storage/path`` for one in the vendor's storage (templated)
    :param target_format: the format to convert to, as the vendor names it (templated)
    :param conn_id: connection to the service (templated)
    :param options: options under the vendor's names (templated); the docs have a page on each service. To keep a
        document's password out of the Dag file, write ``{"password": "{{ conn.deck_password.password }}"}``
    :param on_lost_reply: what a retry does if the reply to a start was lost, so that the conversion may be running (and
        billed): ``"fail"``, or ``"start_again"`` at the risk of paying twice
    """

    template_fields: Sequence[str] = ("source", "target_format", "conn_id", "options")

    def __init__(
        self,
        *,
        source: str | ObjectStoragePath,
        target_format: str,
        conn_id: str,
        options: Mapping[str, Any] | None = None,
        on_lost_reply: Literal["fail", "start_again"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, options=options, on_lost_reply=on_lost_reply, **kwargs)
        self.source = source
        self.target_format = target_format

    def execute(self, context: Context) -> str:
        """
        Start the conversion, or resume the one that an earlier try started.

        :raises DocConvError: if it could not be started
        """
        from airflow_provider_docconv.worker.start import StartConversion

        return StartConversion(self, context).run()


class SplitPresentationOperator(StartConversionOperator):
    """
    Start splitting a presentation and return the operation id; the result is a ZIP with one file per slide.

    Wait for it with ``ConversionSensor`` and fetch it with ``DownloadResultOperator``, as for a conversion. The
    parameters are those of :class:`StartConversionOperator`: ``target_format`` is the format of the files, and
    ``options`` are ``from``, ``to``, ``width``, ``height``, ``destFolder``, ``password``, ``fontsFolder``, ``storage``
    and ``exportOptions``. With ``destFolder`` the files stay in the vendor's storage.
    """

    ui_color = "#e4dcf7"

    def execute(self, context: Context) -> str:
        """
        Start the split, or resume the one that an earlier try started.

        :raises DocConvError: if it could not be started
        """
        from airflow_provider_docconv.worker.start import StartSplit

        return StartSplit(self, context).run()


class MergePresentationsOperator(StartOperator):
    """
    Start merging presentations into one pptx and return the operation id.

    Wait for it with ``ConversionSensor`` and fetch it with ``DownloadResultOperator``, as for a conversion. Retries and
    Clears work as in :class:`StartConversionOperator`.

    :param sources: the presentations to merge, in this order: each an address as in ``StartConversionOperator``, or a
        mapping with ``source``, ``slides`` and ``password`` (templated)
    :param conn_id: connection to the service (templated)
    :param options: ``storage`` and ``outPath`` save the result in the vendor's storage instead of keeping it for a
        download (templated)
    :param on_lost_reply: see :class:`StartConversionOperator`
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

    def execute(self, context: Context) -> str:
        """
        Start the merge, or resume the one that an earlier try started.

        :raises DocConvError: if it could not be started
        """
        from airflow_provider_docconv.worker.start import StartMerge

        return StartMerge(self, context).run()
