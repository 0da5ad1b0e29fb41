"""Links from a task to the service that works for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ServiceLink(BaseOperatorLink):
    """
    Opens the vendor's dashboard, which shows the account's usage, or what a connection has in the vendor's place.

    Airflow 3 asks for it in the worker after each pass, so that it is there while the task is deferred. Airflow 2 asks
    in its web server, which does not know the address.
    """

    name = "Conversion service"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the address, empty if the task did not come as far as to know it.

        :param operator: the task's operator
        :param ti_key: the task instance
        """
        return str(getattr(operator, "service_url", ""))
