"""docling-serve."""
