"""What the package asks for can be installed beside what each Airflow was released with."""

from __future__ import annotations

import pytest

from dev.compat import AIRFLOWS, EXTRAS, Unresolvable, released_with, resolve

PYTHONS = {"2.11.2": "3.12", "3.3.2": "3.14"}


def resolve_beside(version: str, python: str, *requirements: str) -> str:
    """Resolve requirements with what an Airflow was released with."""
    pins = released_with(version, python).splitlines()
    return resolve([*pins, *requirements], AIRFLOWS[version], python)


@pytest.mark.parametrize("version", AIRFLOWS)
@pytest.mark.parametrize("python", ["3.11", "newest"])
def test_the_package_and_its_extras_resolve_beside(version: str, python: str) -> None:
    python = PYTHONS.get(version, "3.13") if python == "newest" else python
    found = resolve_beside(version, python, f"--editable .[{','.join(EXTRAS)}]")
    assert f"apache-airflow=={version}" in found


def test_a_bound_that_is_too_new_is_noticed() -> None:
    with pytest.raises(Unresolvable, match="common-compat"):
        resolve_beside("3.3.2", "3.11", "apache-airflow-providers-common-compat>=1.22")
