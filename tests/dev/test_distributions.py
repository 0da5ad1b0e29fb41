"""Both distributions: what is in them, what a package index shows of them, and that anyone builds the same."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.environment import ROOT, VENV, caches, program_environment

FOLDERS = {"airflow_provider_docconv": ".", "docconv_sandbox": "sandbox"}
LARGEST_WHEEL = 300 << 10


def run(*command: str, cwd: Path = ROOT, **variables: str) -> str:
    environment = program_environment(**caches(), **variables)
    program = [str(VENV / "bin" / command[0]), *command[1:]]
    done = subprocess.run(
        program, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(target: Path) -> Path:
    for folder in FOLDERS.values():
        run("uv", "build", "--quiet", "--out-dir", str(target), folder)
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, each as an archive of its sources and as a wheel that was built from that."""
    return build(tmp_path_factory.mktemp("dist"))


def wheel(built: Path, name: str) -> Path:
    (found,) = built.glob(f"{name}-*.whl")
    return found


def archive(built: Path, name: str) -> Path:
    (found,) = built.glob(f"{name}-*.tar.gz")
    return found


def metadata(built: Path, name: str) -> Message:
    with zipfile.ZipFile(wheel(built, name)) as file:
        (member,) = (each for each in file.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(file.read(member).decode())


def test_an_index_accepts_them(built: Path) -> None:
    files = [str(file) for file in built.iterdir() if file.suffix in {".whl", ".gz"}]
    assert len(files) == 4
    assert run("twine", "check", "--strict", *files).count("PASSED") == 4


@pytest.mark.parametrize("name", FOLDERS)
def test_the_wheel_has_what_a_wheel_has(built: Path, name: str) -> None:
    run("check-wheel-contents", str(wheel(built, name)))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_metadata_is_complete(built: Path, name: str) -> None:
    assert "Final rating: 10/10" in run("pyroma", str(archive(built, name)))


@pytest.mark.parametrize("name", FOLDERS)
def test_every_link_and_image_is_an_address(built: Path, name: str) -> None:
    text = str(metadata(built, name).get_payload())
    targets = re.findall(r"\]\(([^)]+)\)", text)
    relative = [target for target in targets if not target.startswith("#") and urlsplit(target).scheme != "https"]
    assert relative == []


def test_every_page_that_the_readme_links_to_is_in_the_repository(built: Path) -> None:
    text = str(metadata(built, "airflow_provider_docconv").get_payload())
    paths = re.findall(r"/(?:blob|raw)/v[\d.]+/([^)#]+)", text)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_provider_is_small_and_has_no_fonts(built: Path) -> None:
    file = wheel(built, "airflow_provider_docconv")
    assert file.stat().st_size <= LARGEST_WHEEL
    with zipfile.ZipFile(file) as content:
        assert not [each for each in content.namelist() if each.endswith((".ttf", ".otf"))]


def test_the_licence_of_what_is_bundled_is_in_the_wheel(built: Path) -> None:
    with zipfile.ZipFile(wheel(built, "docconv_sandbox")) as content:
        names = content.namelist()
        licences = [content.read(each).decode() for each in names if "/licenses/" in each]
    assert any(name.endswith(".ttf") for name in names)
    assert any("SIL OPEN FONT LICENSE" in text for text in licences)
    assert any("Apache License" in text for text in licences)


def test_whoever_builds_gets_the_same(built: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        files = [file for file in folder.iterdir() if file.suffix in {".whl", ".gz"}]
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    before = os.umask(0o077)
    try:
        again = build(tmp_path)
    finally:
        os.umask(before)
    assert digests(again) == digests(built)


def test_the_tests_run_in_the_archive(built: Path, tmp_path: Path) -> None:
    with tarfile.open(archive(built, "airflow_provider_docconv")) as file:
        file.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (root,) = tmp_path.iterdir()
    home = {"PYTHONPATH": f"{root}:{root / 'sandbox' / 'src'}", "AIRFLOW_HOME": str(tmp_path / "home")}
    options = ("-q", "-p", "no:cacheprovider")
    assert "passed" in run("pytest", *options, "tests/services", cwd=root, **home)
    for tests in ("tests", "sandbox/tests"):
        assert re.search(r"\d{3,} tests collected", run("pytest", *options, "--collect-only", tests, cwd=root, **home))
