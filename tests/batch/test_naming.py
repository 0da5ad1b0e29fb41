"""Names of results: whatever the documents are called, nothing lies outside of the destination."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_docconv.batch.sources import Naming
from airflow_provider_docconv.exceptions import DocumentRejected, InvalidOptions
from airflow_provider_docconv.transfer.object_storage import to_path

TEMPLATES = (
    "file:///out/pdf/",
    "file:///out/pdf/{folder}{stem}-{extension}.{format}",
    "file:///out/pdf/{folder}{name}",
    "file:///out/pdf/{stem}/{name}",
    "file:///out/pdf/{extension}/{stem}.{format}",
    "file:///out/pdf/{folder}{stem}/x",
    "file:///out/pdf/.{extension}/{stem}",
    "file:///out/pdf-{name}/{folder}{stem}",
)
ODD_PARTS = (
    *("..", ".", "", " ", "...", ". .", "..pptx", "...pptx", "x..", ".pptx", "a\\..\\b", "\\", "~", "C:", "%2e%2e"),
    *("{stem}", "{0}", "a#", "a?", "a#b.pptx", "a?b.pptx", "a::b.pptx", "a.pdf?versionId=1.pptx", "a\0.pptx", "a\nb"),
    *("\u202efdp.pptx", "caf\udce9.pptx", "ä" * 128 + ".pptx", "a" * 300, "日本語.pptx", "İ.İ", "x.\u0131", "file:"),
)
PATHS = st.lists(st.sampled_from(ODD_PARTS) | st.text(max_size=6) | st.just("a"), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("destination", "relative", "uri"),
    [
        ("s3://c@b/pdf/", "q3.pptx", "s3://c@b/pdf/q3.pdf"),
        ("s3://c@b/pdf/", "2026/a b/q3.pptx", "s3://c@b/pdf/2026/a b/q3.pdf"),
        ("s3://c@b/pdf/", "archive.tar.gz", "s3://c@b/pdf/archive.tar.pdf"),
        ("s3://c@b/pdf/", "README", "s3://c@b/pdf/README.pdf"),
        ("s3://c@b/pdf/", "naïve ☃ [1] 50% #2.pptx", "s3://c@b/pdf/naïve ☃ [1] 50% #2.pdf"),
        ("s3://b/pdf/", "{stem}.pptx", "s3://b/pdf/{stem}.pdf"),
        ("s3://b/{folder}/", "2026/q3.pptx", "s3://b/2026/q3.pdf"),
        ("s3://b/{folder}/", "q3.pptx", "s3://b/q3.pdf"),
        ("s3://b/{folder}pdf/", "2026/q3.pptx", "s3://b/2026/pdf/q3.pdf"),
        ("s3://b/{format}/", "2026/q3.pptx", "s3://b/pdf/2026/q3.pdf"),
        ("s3://b/{extension}/out", "2026/q3.pptx", "s3://b/pptx/out/2026/q3.pdf"),
        ("s3://b/{stem}/", "2026/q3.pptx", "s3://b/q3/2026/q3.pdf"),
        ("s3://b/{folder}/{name}.pdf", "q3.pptx", "s3://b/q3.pptx.pdf"),
        ("s3://b/pdf/", "a//q3.pptx", "s3://b/pdf/a/q3.pdf"),
        ("file:///pdf/", "/q3.pptx", "file:///pdf/q3.pdf"),
        ("/out/", "a/q3.pptx", "/out/a/q3.pdf"),
        ("/out/{folder}{stem}-{extension}.{format}", "a/b/Q3.PPTX", "/out/a/b/Q3-pptx.pdf"),
        ("/out/{folder}{stem}-{extension}.{format}", "q3.pptx", "/out/q3-pptx.pdf"),
        ("/out/{format}/{folder}{name}.{format}", "a/q3.pptx", "/out/pdf/a/q3.pptx.pdf"),
        ("/out/{{x}}/{stem}", "q3.pptx", "/out/{x}/q3"),
        ("/out/the one.pdf", "q3.pptx", "/out/the one.pdf"),
        ("s3://c@b/pdf", "a/q3.pptx", "s3://c@b/pdf/a/q3.pdf"),
        ("s3://c@b", "q3.pptx", "s3://c@b/q3.pdf"),
        (" s3://c@b/pdf\n", "q3.pptx", "s3://c@b/pdf/q3.pdf"),
        ("/out/2026.11/", "q3.pptx", "/out/2026.11/q3.pdf"),
        ("/out/{folder}{name}.PDF", "q3.pptx", "/out/q3.pptx.PDF"),
    ],
)
def test_results_are_called_as_the_destination_says(destination: str, relative: str, uri: str) -> None:
    assert Naming(destination).uri(relative, "pdf") == uri


@pytest.mark.parametrize(
    ("target_format", "extension"), [("pdf", "pdf"), ("PDF", "pdf"), ("html5", "html"), ("MPEG4", "mp4")]
)
def test_files_are_called_by_their_formats(target_format: str, extension: str) -> None:
    assert Naming("/out/").uri("a.pptx", target_format) == f"/out/a.{extension}"


@pytest.mark.parametrize(
    ("destination", "folder"),
    [
        ("s3://c@b/pdf/", "s3://c@b/pdf/"),
        ("s3://c@b/pdf/{folder}{stem}", "s3://c@b/pdf/"),
        ("s3://c@b/pdf/x-{stem}", "s3://c@b/pdf/"),
        ("s3://c@b/pdf/x", "s3://c@b/pdf/x/"),
        ("s3://c@b/pdf/x.pdf", "s3://c@b/pdf/"),
        ("file:///{stem}", "file:///"),
        ("/out/{format}/", "/out/"),
        ("/out/x-{format}/", "/out/"),
        ("s3://c@b/{folder}/", "s3://c@b/"),
        ("/out/{{a}}/{stem}", "/out/"),
    ],
)
def test_the_folder_is_what_all_results_lie_in(destination: str, folder: str) -> None:
    assert Naming(destination).folder == folder


@pytest.mark.parametrize(
    "destination",
    [
        "/out/{title}",
        "/out/{title}/",
        "/out/{foler}/x",
        "/out/{Stem}",
        "/out/{stem }",
        "/out/{}",
        "/out/{0}",
        "/out/{stem.__class__}",
        "/out/{stem.__class__.__mro__[1]}",
        "/out/{stem[0]}",
        "/out/{stem!r}",
        "/out/{stem!x}",
        "/out/{stem:>9}",
        "/out/{stem:{format}<5}",
        "/out/{stem:d}",
        "/out/{stem",
        "/out/stem}",
        "/out/{{stem}",
    ],
)
def test_no_other_template_is_taken(destination: str) -> None:
    with pytest.raises(InvalidOptions, match="must be a URI: a folder, or a template"):
        Naming(destination)


@pytest.mark.parametrize(
    "destination",
    [
        "pdf",
        "out/rel/",
        "./out/",
        "../{stem}.pdf",
        "{stem}.pdf",
        "~/out/",
        "C:\\out\\",
        "s3:/b/out/",
        "file://out/x/",
    ],
)
def test_a_relative_path_is_called_one(destination: str) -> None:
    with pytest.raises(InvalidOptions, match="is a relative path: expected an absolute path or a URI such as s3://"):
        Naming(destination)


@pytest.mark.parametrize(
    ("destination", "target_format", "fits"),
    [
        ("/out/{stem}.pdf", "pdf", True),
        ("/out/{stem}.PDF", "Pdf", True),
        ("/out/{stem}.docx", "pdf", False),
        ("/out/{stem}.pdf", "docx", False),
        ("/out/all.pptx", "pdf", False),
        ("/out/v1.2", "pdf", False),
        ("/out/{stem}.jpeg", "jpg", True),
        ("/out/{stem}.jpg", "Jpeg", True),
        ("/out/{stem}.tif", "tiff", True),
        ("/out/{stem}.htm", "html5", True),
        ("/out/{stem}.mp4", "mpeg4", True),
        ("/out/{stem}.zip", "png", True),
        ("/out/{stem}.zip", "pdf", False),
        ("/out/{stem}", "pdf", True),
        ("/out/{stem}.{format}", "xps", True),
        ("/out.docx/{stem}", "pdf", True),
    ],
)
def test_the_extension_of_all_results_must_be_that_of_the_format(
    destination: str, target_format: str, fits: bool
) -> None:
    naming = Naming(destination)
    if fits:
        naming.check(target_format)
        naming.uri("a.x", target_format)
    else:
        with pytest.raises(InvalidOptions, match=r"ends with \.\w+, but the results are \w+ files"):
            naming.check(target_format)


@pytest.mark.parametrize("destination", ["/out/{name}", "/out/{stem}.{extension}", "/out/{folder}x-{name}"])
def test_a_field_must_not_give_a_result_the_extension_of_another_format(destination: str) -> None:
    naming = Naming(destination)
    naming.check("pdf")
    assert naming.uri("a.PDF", "pdf").endswith((".PDF", ".pdf"))
    with pytest.raises(DocumentRejected, match=r"\.pptx is not the extension of a pdf file, so it was not sent"):
        naming.uri("sub/a.pptx", "pdf")


@pytest.mark.parametrize(
    "destination", ["{folder}x", "{stem}/{name}", "{name}://b/x", "s3://{stem}/x", "s3://c@{name}/x"]
)
def test_no_document_chooses_the_place_of_all_results(destination: str) -> None:
    with pytest.raises(InvalidOptions):
        Naming(destination)


@pytest.mark.parametrize(
    "relative",
    [
        *("", "..", "../x.pptx", "a/../x.pptx", "a/./x.pptx", "a/", "/", ". ./x.pptx", "..."),
        *("a\0.pptx", "a\nb.pptx", "a\x1b[31m.pptx", "a\u2028b.pptx", "caf\udce9.pptx"),
        *("a" * 1100 + ".pptx", "ä" * 511 + ".pptx", "a" * 1025 + "/x.pptx"),
    ],
)
def test_a_name_that_is_not_safe_is_refused(relative: str) -> None:
    with pytest.raises(DocumentRejected, match="safe result name") as raised:
        Naming("s3://b/pdf/").uri(relative, "pdf")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("relative", "problem"),
    [
        ("a\nb.pptx", r"it contains U\+000A"),
        ("caf\udce9.pptx", r"it contains U\+DCE9"),
        ("a/", "a part of it is empty"),
        ("a/../x.pptx", "'..' is not a name"),
        ("a" * 300 + ".pptx", "a part of it has 305 bytes, and at most 255 are possible there"),
        ("a::b.pptx", "it contains :: or"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_name(relative: str, problem: str) -> None:
    with pytest.raises(DocumentRejected, match=problem):
        Naming("file:///pdf/").uri(relative, "pdf")


@pytest.mark.parametrize("name", ["a\\b", "\u202aWhatsApp\u202c", "a\u2066b\u2069", "ä" * 300, "a" * 900])
def test_what_is_fine_in_the_store_is_not_refused(name: str) -> None:
    assert Naming("s3://b/pdf/").uri(f"{name}/{name[:99]}.pptx", "pdf") == f"s3://b/pdf/{name}/{name[:99]}.pdf"


@pytest.mark.parametrize(
    "relative",
    ["a.pdf::x.pptx", "a.pdf?versionId=x.pptx", "a.pptx#", "a.pptx?", "sub/a.pptx#", "a.pptx?#", "a::/b.pptx"],
)
def test_a_name_that_the_stores_read_otherwise_is_refused(relative: str) -> None:
    """Cut off are, by fsspec, what is after ::, by s3fs, what is after ?versionId=, by Airflow, # and ? at the end."""
    with pytest.raises(DocumentRejected):
        Naming("s3://b/pdf/").uri(relative, "pdf")


@pytest.mark.parametrize(
    "stem", ["Screen Shot 9.41\u202fAM", "Angebot\u00a0Nr.\u00a07", "見積書\u3000最終", "می\u200cخواهم"]
)
def test_a_name_that_people_give_is_kept(stem: str) -> None:
    assert Naming("s3://b/pdf/").uri(f"{stem}/{stem}.pptx", "pdf") == f"s3://b/pdf/{stem}/{stem}.pdf"


@pytest.mark.parametrize("relative", ["...pptx", "a/...pptx", "..pptx"])
def test_no_part_of_a_name_leads_out_of_the_destination(relative: str) -> None:
    with pytest.raises(DocumentRejected):
        Naming("s3://b/pdf/{folder}{stem}/{name}").uri(relative, "pdf")


@pytest.mark.parametrize("template", TEMPLATES)
@given(relative=PATHS)
@example(relative="a/...pptx")
@example(relative="a::b.pptx")
@example(relative="a#")
@example(relative="README")
def test_every_result_lies_in_the_destination(template: str, relative: str) -> None:
    naming = Naming(template)
    try:
        uri = naming.uri(relative, "pdf")
    except DocumentRejected:
        return
    assert uri.startswith(naming.folder)
    parts = uri.removeprefix(naming.folder).split("/")
    assert not {"", ".", ".."} & set(parts)
    assert all(len(part.encode()) <= 255 and "\n" not in part for part in parts)
    path = uri.removeprefix("file://")
    assert posixpath.normpath(path) == path
    assert to_path(uri).path == path
