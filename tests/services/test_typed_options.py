"""Options as the vendors type them: what fits, what is made to fit, and what one sentence refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_docconv.options import GroupDocsOptions, OcrSettings, SlidesOptions, SlidesSplitOptions
from airflow_provider_docconv.services.errors import InvalidOptions
from airflow_provider_docconv.services.options import read_options, secrets_in
from airflow_provider_docconv.services.slides.options import PdfExportOptions, TiffExportOptions

Schema = Any
SPLIT: Schema = SlidesSplitOptions
FITS: list[tuple[Schema, dict[str, Any], dict[str, Any]]] = [
    (SlidesOptions, {"slides": [1, "2"]}, {"slides": [1, 2]}),
    (SlidesOptions, {"slides": "1,3", "storage": None}, {"slides": "1,3"}),
    (SlidesOptions, {"exportOptions": {"JpegQuality": "90"}}, {"exportOptions": {"jpegQuality": 90}}),
    (SlidesOptions, {"exportOptions": {"embedFullFonts": "True"}}, {"exportOptions": {"embedFullFonts": True}}),
    (SPLIT, {"from": "2", "to": 3}, {"from": 2, "to": 3}),
    (GroupDocsOptions, {"convertOptions": {"dpi": 300}}, {"convertOptions": {"Dpi": 300}}),
    (GroupDocsOptions, {"convertOptions": {"Gamma": 1}}, {"convertOptions": {"Gamma": 1}}),
    (GroupDocsOptions, {"convertOptions": {"Gamma": "1.5"}}, {"convertOptions": {"Gamma": 1.5}}),
    (
        GroupDocsOptions,
        {"convertOptions": {"watermarkOptions": {"text": "Draft", "top": None}}},
        {"convertOptions": {"WatermarkOptions": {"Text": "Draft"}}},
    ),
    (
        GroupDocsOptions,
        {"loadOptions": {"FontSubstitutes": {"Arial": "Inter"}, "SheetIndexes": [0]}},
        {"loadOptions": {"FontSubstitutes": {"Arial": "Inter"}, "SheetIndexes": [0]}},
    ),
    (OcrSettings, {"regions": [{"rect": {"topLeftX": "1"}}]}, {"regions": [{"rect": {"topLeftX": 1}}]}),
    (
        PdfExportOptions,
        {"slidesLayoutOptions": {"layoutType": "Handout", "handout": "Handouts2"}},
        {"slidesLayoutOptions": {"layoutType": "Handout", "handout": "Handouts2"}},
    ),
]


@pytest.mark.parametrize(("schema", "options", "read"), FITS, ids=str)
def test_options_that_fit(schema: Schema, options: dict[str, Any], read: dict[str, Any]) -> None:
    assert read_options("X", options, schema) == read


REFUSED: list[tuple[Schema, Any, str]] = [
    (SlidesOptions, [("a", 1)], "options must be a mapping"),
    (SlidesOptions, {"slidez": 1}, "X has no option 'slidez', only exportOptions, fontsFolder, "),
    (SlidesOptions, {"Password": "x"}, "X has no option 'Password', only "),
    (SlidesOptions, {"password": 7}, "password must be a text; "),
    (SlidesOptions, {"fontsFolder": ["a"]}, r"fontsFolder must be a text, not \['a'\]; "),
    (SlidesOptions, {"exportOptions": "jpegQuality=90"}, "exportOptions must be a mapping"),
    (SlidesOptions, {"exportOptions": {"jpgQuality": 90}}, "'exportOptions.jpgQuality', the nearest are jpegQuality"),
    (SlidesOptions, {"exportOptions": {"jpegQuality": "high"}}, "exportOptions.jpegQuality must be a whole number"),
    (SlidesOptions, {"exportOptions": {"jpegQuality": 9.5}}, "must be a whole number, not 9.5"),
    (SlidesOptions, {"exportOptions": {"jpegQuality": True}}, "must be a whole number, not True"),
    (SlidesOptions, {"exportOptions": {"hideInk": "no"}}, "exportOptions.hideInk must be true or false, not 'no'"),
    (SlidesOptions, {"exportOptions": {"compliance": "PdfA9"}}, "must be one of Pdf15, Pdf16, .*, not 'PdfA9'"),
    (SlidesOptions, {"exportOptions": {"password": ["s3cret"]}}, "exportOptions.password must be a text; "),
    (SlidesOptions, {"exportOptions": {"fontSubstRules": [{"sourceFnt": "a"}]}}, r"fontSubstRules\[0\].sourceFnt"),
    (TiffExportOptions, {"hideInk": True}, "has no option 'hideInk', the nearest are "),
    (GroupDocsOptions, {"convertOptions": {"Gamma": "nan"}}, "must be a number, not 'nan'"),
    (GroupDocsOptions, {"loadOptions": {"FontSubstitutes": {"Arial": 1}}}, "FontSubstitutes must be a mapping"),
    (OcrSettings, {"resultType": "TextAndPdf"}, "resultType must be one of Text, Pdf, Hocr, ImagePNG, JSON"),
    (OcrSettings, {"regions": {"rect": {}}}, "regions must be a list"),
    (OcrSettings, {"makeBinarization": 1}, "makeBinarization must be true or false"),
]


@pytest.mark.parametrize(("schema", "options", "words"), REFUSED, ids=str)
def test_options_that_do_not_fit(schema: Schema, options: Any, words: str) -> None:
    with pytest.raises(InvalidOptions, match=words) as raised:
        read_options("X", options, schema)
    assert "s3cret" not in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@pytest.mark.parametrize(
    "schema", [SlidesOptions, SPLIT, GroupDocsOptions, OcrSettings], ids=lambda each: each.__name__
)
@given(value=JSON)
def test_whatever_is_given_is_read_or_refused(schema: Schema, value: Any) -> None:
    for options in (value, *({name: value} for name in schema.__annotations__)):
        try:
            read = read_options("X", options, schema)
        except InvalidOptions:
            continue
        # What was read is read the same again.
        assert read_options("X", read, schema) == read


def test_passwords_are_found_at_any_depth() -> None:
    options = {
        "password": "one",
        "loadOptions": {"Password": "two", "Format": "docx"},
        "presentations": [{"password": "three"}, {"password": None}, "x"],
    }
    assert set(secrets_in(options)) == {"one", "two", "three"}
    assert list(secrets_in(None)) == []
