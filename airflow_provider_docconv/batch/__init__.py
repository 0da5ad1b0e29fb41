"""Batches: all documents of a folder, converted by one task."""
