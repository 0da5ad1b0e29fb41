"""Whole batches: all documents of a folder, converted by one task."""
