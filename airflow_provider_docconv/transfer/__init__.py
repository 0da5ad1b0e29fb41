"""Documents in, results out: over anything that ObjectStoragePath takes."""
