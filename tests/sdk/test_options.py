"""The types of the options against the models of the vendors' own SDKs: names, types and values."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

import pytest

pytest.importorskip("asposeslidescloud", reason="asposeslidescloud is not installed: uv sync --group test")
pytest.importorskip("groupdocs_conversion_cloud", reason="groupdocs-conversion-cloud is not installed")
pytest.importorskip("aspose_ocr_cloud", reason="aspose-ocr-cloud is not installed: uv sync --group test")

import asposeslidescloud.models
import groupdocs_conversion_cloud
from aspose_ocr_cloud.models.dsr_confidence import DsrConfidence
from aspose_ocr_cloud.models.dsr_mode import DsrMode
from aspose_ocr_cloud.models.ocr_rect import OCRRect
from aspose_ocr_cloud.models.ocr_region import OCRRegion
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.result_type import ResultType
from aspose_ocr_cloud.models.result_type_table import ResultTypeTable

from airflow_provider_docconv.services.groupdocs import options as groupdocs_options
from airflow_provider_docconv.services.groupdocs.options import AnyConvertOptions, AnyLoadOptions, GroupDocsOptions
from airflow_provider_docconv.services.ocr.options import RESULT_TYPES, OcrRect, OcrRegion, OcrSettings
from airflow_provider_docconv.services.slides import options as slides_options
from airflow_provider_docconv.services.slides.options import EXPORT_OPTIONS, AnyExportOptions
from airflow_provider_docconv.services.slides.service import AsposeSlides

PLAIN = {"str": str, "int": int, "bool": bool, "float": float}


# The options of a call as a whole, which the vendors' SDKs have as parameters.
CALLS = {"MergeSource", "SlidesOptions", "SlidesMergeOptions", "SlidesSplitOptions", "GroupDocsOptions"}


def typed_dicts(module: ModuleType) -> dict[str, Any]:
    """Give the types of options that a module defines and that the vendor has a model for."""
    return {
        name: value
        for name, value in vars(module).items()
        if is_typeddict(value) and value.__module__ == module.__name__ and name not in CALLS
    }


def slides_model(name: str) -> Any:
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return getattr(importlib.import_module(f"asposeslidescloud.models.{module}"), name)


def values_of(model: Any) -> dict[str, list[str]]:
    """Read an SDK's enumerations, by attribute, out of its setters."""
    found = {}
    for owner in model.__mro__[:-1]:
        for setter in re.split(r"\n    @", inspect.getsource(owner)):
            name = re.search(r"def (\w+)\(self, \1\):", setter)
            values = re.search(r"allowed_values = (\[.*?\])", setter)
            if name and values:
                found[name[1]] = literal_eval(values[1])
    return found


def wanted(kind: str, values: list[str] | None) -> Any:
    if values:
        return set(values)
    if kind.startswith("list["):
        return [wanted(kind[5:-1], None)]
    return PLAIN.get(kind, "mapping" if kind.startswith("dict(") else kind)


def described(hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    if get_origin(hint) is Sequence:
        return [described(get_args(hint)[0])]
    if get_origin(hint) is Mapping:
        return "mapping"
    if {member.__name__ for member in get_args(hint)} == {"NotesCommentsLayoutingOptions", "HandoutLayoutingOptions"}:
        return "SlidesLayoutOptions"
    return hint.__name__ if is_typeddict(hint) else hint


MODELS = [
    *((kind, slides_model(name)) for name, kind in typed_dicts(slides_options).items()),
    *((kind, getattr(groupdocs_conversion_cloud, name)) for name, kind in typed_dicts(groupdocs_options).items()),
]


@pytest.mark.parametrize(("ours", "model"), MODELS, ids=[model.__name__ for _, model in MODELS])
def test_options_are_those_of_the_model(ours: Any, model: Any) -> None:
    values = values_of(model)
    # One SDK repeats what a model inherits, the other does not.
    theirs = {
        owner.attribute_map[key]: wanted(kind, values.get(key))
        for owner in model.__mro__[:-1]
        for key, kind in owner.swagger_types.items()
    }
    if kind := getattr(model, "type_determiners", {}).get("layoutType"):
        theirs["layoutType"] = {kind}  # Which of the two it is.
    assert {name: described(hint) for name, hint in get_type_hints(ours).items()} == theirs


def test_every_model_of_slides_options_is_there() -> None:
    theirs = {each.name for each in pkgutil.iter_modules(asposeslidescloud.models.__path__)}
    ours = {slides_model(name).__module__.rpartition(".")[2] for name in typed_dicts(slides_options)}
    # Those of shapes are of another call.
    shapes = {"i_shape_export_options", "shape_image_export_options"}
    assert {name for name in theirs - shapes if "export_options" in name} <= ours
    assert {kind for _, kind in EXPORT_OPTIONS.values()} < set(get_args(AnyExportOptions))
    assert set(EXPORT_OPTIONS) < AsposeSlides.target_formats


@pytest.mark.parametrize(("target", "entry"), EXPORT_OPTIONS.items(), ids=list(EXPORT_OPTIONS))
def test_the_discriminator_is_the_models(target: str, entry: tuple[str, Any]) -> None:
    kind, schema = entry
    assert slides_model(schema.__name__).type_determiners == {"format": kind}


@pytest.mark.parametrize(("union", "suffix"), [(AnyLoadOptions, "LoadOptions"), (AnyConvertOptions, "ConvertOptions")])
def test_every_family_of_groupdocs_is_there(union: Any, suffix: str) -> None:
    ours = {member.__name__ for member in get_args(union)}
    nested = {hint for kind in get_args(union) for hint in get_type_hints(kind).values() if is_typeddict(hint)}
    for name, model in vars(groupdocs_conversion_cloud).items():
        if name.endswith(suffix) and inspect.isclass(model) and name not in {kind.__name__ for kind in nested}:
            parent = model.__mro__[1]
            own = set(model.swagger_types) - set(getattr(parent, "swagger_types", ()))
            assert name in ours or not own, f"{name} has options of its own"
    assert ours <= set(typed_dicts(groupdocs_options))


def test_groupdocs_settings_are_the_models() -> None:
    theirs = set(groupdocs_conversion_cloud.ConvertSettings.attribute_map.values()) - {"FilePath", "Format"}
    ours = {name[:1].upper() + name[1:] for name in GroupDocsOptions.__annotations__}
    assert ours - {"FromPage", "PagesCount", "Password"} == theirs


def test_ocr_settings_are_the_models() -> None:
    for ours, model in ((OcrSettings, OCRSettingsDjVu2PDF), (OcrRegion, OCRRegion), (OcrRect, OCRRect)):
        own = [name for name in ours.__annotations__ if name != "method"]
        assert own == [field.alias or name for name, field in model.model_fields.items()]
    hints = get_type_hints(OcrSettings)
    for name, kind in {"dsrMode": DsrMode, "dsrConfidence": DsrConfidence, "resultTypeTable": ResultTypeTable}.items():
        assert set(get_args(hints[name])) == {each.value for each in kind}
    assert set(get_args(hints["resultType"])) == {each.value for each in ResultType if "And" not in each.value}
    assert set(get_args(hints["resultType"])) == set(RESULT_TYPES.values())


def test_split_formats_are_the_vendors() -> None:
    from asposeslidescloud.models.slide_export_format import SlideExportFormat

    theirs = {name.lower() for name in vars(SlideExportFormat) if name.isupper()}
    assert theirs == AsposeSlides.split_formats
