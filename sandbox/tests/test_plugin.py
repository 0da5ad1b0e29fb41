"""The fixtures, in tests as people write them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


def passed(pytester: pytest.Pytester, tests: str, count: int) -> None:
    pytester.makepyfile(tests)
    # In a process of its own, which finds the plugin by its entry point.
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=count)


def test_a_sandbox_with_its_connections(pytester: pytest.Pytester) -> None:
    passed(
        pytester,
        """
        import json, os, urllib.request

        def test_one(docconv_sandbox):
            found = {name: json.loads(value) for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
            assert {each["conn_type"] for each in found.values()} == {
                "aspose_slides", "groupdocs_conversion", "aspose_ocr", "docling_serve"
            }
            assert {each["host"] for each in found.values()} == {docconv_sandbox.url}
            assert urllib.request.urlopen(f"{docconv_sandbox.url}/sandbox/health").status == 200
            assert docconv_sandbox.calls["start"] == 0

        def test_two():
            assert "AIRFLOW_CONN_ASPOSE_SLIDES_DEFAULT" not in os.environ
        """,
        2,
    )


def test_settings_by_a_marker(pytester: pytest.Pytester) -> None:
    passed(
        pytester,
        """
        import pytest

        @pytest.mark.docconv_sandbox(engine="echo", seconds=2, storages=("Mine",))
        def test_one(docconv_sandbox):
            assert docconv_sandbox.settings.echoes
            assert docconv_sandbox.settings.storages == ("Mine",)
        """,
        1,
    )


def test_sample_documents_of_each_kind(pytester: pytest.Pytester) -> None:
    passed(
        pytester,
        """
        import pptx, pypdfium2
        from PIL import Image

        def test_one(docconv_samples):
            assert len(pptx.Presentation(docconv_samples / "deck.pptx").slides) == 2
            assert len(pypdfium2.PdfDocument(docconv_samples / "page.pdf")) == 1
            for name in ("page.png", "page.jpg", "page.tiff"):
                Image.open(docconv_samples / name).verify()
            assert (docconv_samples / "encrypted.pptx").read_bytes()[:4] == bytes.fromhex("d0cf11e0")
        """,
        1,
    )


@pytest.mark.parametrize(
    ("order", "outcomes"),
    [
        ('fail_next(500, "login")', [500, 200]),
        ('fail_next(429, "login", times=2)', [429, 429, 200]),
        ('fail_next("reset", "login")', ["broken", 200]),
        ('fail_next("delay", "login", seconds=0.01)', [200, 200]),
    ],
)
def test_faults_on_demand(order: str, outcomes: list[object], pytester: pytest.Pytester) -> None:
    passed(
        pytester,
        f"""
        import urllib.error, urllib.request

        def log_in(sandbox):
            login = f"client_id={{sandbox.client_id}}&client_secret={{sandbox.client_secret}}"
            form = f"grant_type=client_credentials&{{login}}"
            try:
                return urllib.request.urlopen(f"{{sandbox.url}}/connect/token", form.encode()).status
            except urllib.error.HTTPError as error:
                return error.code
            except OSError:
                return "broken"

        def test_one(docconv_sandbox):
            docconv_sandbox.{order}
            assert [log_in(docconv_sandbox) for _ in {outcomes!r}] == {outcomes!r}
            assert docconv_sandbox.calls["login"] == len({outcomes!r})
        """,
        1,
    )


def test_a_fault_that_is_none_is_refused(pytester: pytest.Pytester) -> None:
    passed(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("given", [(200,), ("explode",), (500, "coffee")])
        def test_one(docconv_sandbox, given):
            with pytest.raises(ValueError, match="the kinds are|the calls are"):
                docconv_sandbox.fail_next(*given)
        """,
        3,
    )


def test_the_plugin_loads_neither_airflow_nor_the_server() -> None:
    program = """
import sys
import docconv_sandbox.plugin
heavy = {"aiohttp", "airflow", "pptx", "PIL", "pypdfium2", "djvu_rs"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def command(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "docconv_sandbox", *arguments], capture_output=True, text=True, check=True
    ).stdout


def test_the_command_writes_samples_and_names_them(tmp_path: Path) -> None:
    said = command("samples", str(tmp_path / "new"))
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert {"deck.pptx", "text.docx", "table.xlsx", "scan.djvu", "broken.pptx"} <= written
    assert all(name in said for name in written)
    assert "open sesame" in said


def test_the_command_prints_connections_in_both_forms() -> None:
    exported = command("connections", "--port", "8123")
    done = subprocess.run(
        ["sh", "-c", f"{exported}\nprintenv AIRFLOW_CONN_GROUPDOCS_CONVERSION_DEFAULT"], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == {
        "conn_type": "groupdocs_conversion",
        "host": "http://127.0.0.1:8123",
        "login": "sandbox",
        "password": "sandbox-secret",
    }
    lines = command("connections", "--port", "8123", "--cli").splitlines()
    assert (
        "airflow connections add aspose_ocr_default --conn-type aspose_ocr --conn-host http://127.0.0.1:8123 "
        "--conn-login sandbox --conn-password sandbox-secret" in lines
    )
