"""
Real servers of object stores: S3 (rclone), Azure Blob (Azurite) and Google Cloud Storage (fake-gcs-server).

.. code-block:: python

    with S3(tmp_path / "s3", "documents") as store:
        store.client().list_objects_v2(Bucket="documents")

They begin without a bucket, unless S3 is given the names of some. None of them refuses anything to a user who may log
in.
"""

from __future__ import annotations

from dev.stores.azurite import AzureBlob
from dev.stores.google import GoogleStorage
from dev.stores.s3 import S3

__all__ = ["S3", "AzureBlob", "GoogleStorage"]
