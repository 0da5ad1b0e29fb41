"""
Real servers of object stores: S3 (rclone), Azure Blob (Azurite) and Google Cloud Storage (fake-gcs-server).

.. code-block:: python

    with S3(tmp_path / "s3") as store:
        boto3.client("s3", endpoint_url=store.url, aws_access_key_id=store.account, aws_secret_access_key=store.key)

They begin without a bucket. None of them refuses anything to whoever may log in.
"""

from __future__ import annotations

from workbench.stores.azurite import AzureBlob
from workbench.stores.google import GoogleStorage
from workbench.stores.s3 import S3

__all__ = ["S3", "AzureBlob", "GoogleStorage"]
