"""GroupDocs.Conversion Cloud."""
