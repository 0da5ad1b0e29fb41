"""Starts to split a document into a file per slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_docconv.operators.convert import StartConversionOperator

if TYPE_CHECKING:
    from airflow_provider_docconv.hooks.docconv import DocConvHook
    from airflow_provider_docconv.services.documents import Document, StoredDocument


class SplitDocumentOperator(StartConversionOperator):
    """
    Starts to split a presentation and returns the operation id; the result is a ZIP with a file per slide.

    Wait for it with ``ConversionSensor`` and fetch it with ``DownloadResultOperator``, as a conversion. Its parameters
    are those of :class:`StartConversionOperator`: ``target_format`` is the format of the files, and ``options`` are
    ``from``, ``to``, ``width``, ``height``, ``destFolder``, ``password``, ``fontsFolder``, ``storage`` and
    ``exportOptions``. With ``destFolder`` the files stay in the vendor's storage.
    """

    ui_color = "#e4dcf7"

    def send(self, hook: DocConvHook, opened: Document | StoredDocument) -> str:
        """
        Start the split.

        :raises DocConvError: if it could not be started
        """
        return hook.start_split(opened, self.target_format, self.options)
