"""Where documents lie in these tests: a folder, and a bucket of each store, looked into with its vendor's own SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from dev.stores import S3, AzureBlob, GoogleStorage


class Place(Protocol):
    """
    A place for documents.

    :ivar root: its address, by a connection that may do everything
    :ivar read_only: its address, by a connection that may not write
    :ivar missing: the address of a bucket that does not exist
    """

    root: str
    read_only: str
    missing: str

    def put(self, name: str, content: bytes) -> None: ...

    def objects(self) -> dict[str, bytes]:
        """Return what others see there, by name, and what is left of uploads that were broken off."""
        ...


class Folder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.root = f"file://{folder}"
        self.read_only = "file:///proc/docconv"  # Not even root can write there.
        self.missing = f"file://{folder}-missing"

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def objects(self) -> dict[str, bytes]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}


class S3Bucket:
    def __init__(self, server: S3, bucket: str) -> None:
        self.client = server.client()
        self.bucket = bucket
        self.client.create_bucket(Bucket=bucket)
        self.root, self.read_only = f"s3://s3_owner@{bucket}", f"s3://s3_reader@{bucket}"
        self.missing = "s3://s3_owner@no-such-bucket"

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=name, Body=content)

    def objects(self) -> dict[str, bytes]:
        names = [each["Key"] for each in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        found = {name: self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read() for name in names}
        return found | {f"an upload of {name}": b"" for name in self._uploads()}

    def _uploads(self) -> list[str]:
        try:
            uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        except self.client.exceptions.NoSuchUpload:  # rclone's word for none so far
            return []
        return [each["Key"] for each in uploads]


def s3_connection(server: S3, url: str) -> dict[str, Any]:
    connection = server.connection
    return {**connection, "extra": connection["extra"].replace(server.url, url)}


class AzureContainer:
    def __init__(self, server: AzureBlob, bucket: str) -> None:
        from azure.storage.blob import BlobServiceClient

        service = BlobServiceClient.from_connection_string(server.connection_string)
        self.client = service.create_container(bucket)
        self.root, self.read_only = f"abfs://azure_owner@{bucket}", f"abfs://azure_reader@{bucket}"
        self.missing = "abfs://azure_owner@no-such-container"

    def put(self, name: str, content: bytes) -> None:
        self.client.upload_blob(name, content, overwrite=True)

    def objects(self) -> dict[str, bytes]:
        return {name: self.client.download_blob(name).readall() for name in self.client.list_blob_names()}


def azure_reader(server: AzureBlob) -> str:
    """Return a connection string with a signature that permits reading and listing."""
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    signature = generate_account_sas(
        server.account,
        server.key,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True, list=True),
        datetime.now(UTC) + timedelta(hours=2),
    )
    return f"BlobEndpoint={server.url};SharedAccessSignature={signature}"


class GoogleBucket:
    def __init__(self, server: GoogleStorage, bucket: str) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        client = Client("docconv", AnonymousCredentials(), client_options={"api_endpoint": server.url})
        self.client = client.create_bucket(bucket)
        self.root, self.read_only = f"gs://google_owner@{bucket}", f"gs://google_reader@{bucket}"
        self.missing = "gs://google_owner@no-such-bucket"

    def put(self, name: str, content: bytes) -> None:
        self.client.blob(name).upload_from_string(content)

    def objects(self) -> dict[str, bytes]:
        return {blob.name: blob.download_as_bytes() for blob in self.client.list_blobs()}


def google_connection(url: str) -> dict[str, Any]:
    extra = {"is_anonymous": True, "project": "docconv", "gcs.endpoint": url}
    return {"conn_type": "google_cloud_platform", "extra": extra}
