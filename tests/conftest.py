from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.support")

# No files left behind, and the same examples every time: a failure that comes and goes helps nobody.
settings.register_profile("docconv", deadline=None, database=None, derandomize=True, max_examples=60)
settings.load_profile("docconv")

# Before anything imports Airflow: no test may read or write the home of the person who runs it.
_HOME = tempfile.mkdtemp(prefix="docconv-tests-")
os.environ |= {
    "AIRFLOW_HOME": os.environ.get("AIRFLOW_HOME", _HOME),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # When gcsfs is imported, or it asks Google itself for the kind of a bucket, which takes a minute without a network.
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
}
for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)


@pytest.fixture(autouse=True)
def own_sessions() -> None:
    """Begin with no tokens, as a process does; a server may get the port of one that has ended."""
    from airflow_provider_docconv.client.session import forget_sessions

    forget_sessions()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[object]:
    """A quick sandbox that everyone shares; who counts what it sees takes one of their own."""
    from docconv_sandbox import Sandbox

    with Sandbox(engine="wheels", storages=("Main", "MyStorage")) as running:
        yield running
