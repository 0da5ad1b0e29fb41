"""Aspose.Slides Cloud."""
