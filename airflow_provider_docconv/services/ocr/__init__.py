"""Aspose.OCR Cloud."""
