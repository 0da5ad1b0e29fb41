"""Links from a task to its conversion service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ServiceLink(BaseOperatorLink):
    """
    Opens the vendor's dashboard, which shows the account's usage or, for another host, the connection's base URL.

    Airflow 3 gets the address from the worker after each pass, so that the link is there while the task is deferred.
    Airflow 2 looks for it in the web server, which does not know it.
    """

    name = "Conversion service"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the address, empty if the task did not get far enough to know it.

        :param operator: the task's operator
        :param ti_key: the task instance
        """
        return str(getattr(operator, "service_url", ""))
