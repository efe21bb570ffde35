"""The archive as an S3-compatible store: a key a document, below a folder an incident.

A repeat is recognised by its content, whose hash is in the object's metadata, and one that comes late, after a newer content, by a
small mark of its key, as the folder archive has it. A content that is replaced is kept beside the new one, under its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, Receipt, StoreDocument
from integrations.archive.names import inside
from integrations.deliveries import asked
from integrations.errors import IntegrationError, NotFound, Refused, Rejected, Unauthorized, Unavailable
from integrations.http import Unanswered, advice, retry_after
from integrations.once import OneAtATime

TIMEOUT = timedelta(seconds=25)
"""For the few calls of one document; below the half minute that the caller waits."""

CONTENT_TYPES = {".md": "text/markdown; charset=utf-8", ".json": "application/json", ".txt": "text/plain; charset=utf-8"}
DIGEST = "tocsin-sha256"
STORED = ".stored"

_NOT_OURS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403", "401"})
_LATER = frozenset({"SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "Throttling", "TooManyRequests"})


class S3Archive:
    """One bucket. Without keys, those of the machine are used, as every tool of the vendor does."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: SecretStr | None = None,
        prefix: str = "",
    ) -> None:
        secret = secret_key.get_secret_value() if secret_key is not None else ""
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key or None,
            aws_secret_access_key=secret or None,
            config=Config(
                connect_timeout=3,
                read_timeout=8,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"} if endpoint else {},
                request_checksum_calculation="when_required",
            ),
        )
        self._one_at_a_time = OneAtATime()

    async def store_document(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, StoreDocument)
        folder = inside(delivery.incident, "incident", deep=False).as_posix()
        name = inside(ask.name, "document", deep=True).as_posix()
        try:
            content = ask.content.encode()
        except UnicodeEncodeError as error:
            raise Rejected(f"{name} is no text that can be stored: {error}") from error
        async with self._one_at_a_time.of(f"{folder}/{name}"):
            repeated = await self._bounded(self._store, folder, name, delivery.key, content)
        return Receipt(reference=f"{folder}/{name}", repeated=repeated)

    async def _bounded(self, work: Any, *arguments: Any) -> Any:
        """Do it in a thread, because the library blocks. When time is up it still runs to its end: that is but a lost answer."""
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                return await asyncio.to_thread(work, *arguments)
        except TimeoutError as error:
            raise Unanswered(f"the bucket {self._bucket} did not answer within {TIMEOUT.total_seconds():g} s") from error
        except ClientError as error:
            raise self._translated(error) from None
        except BotoCoreError as error:
            raise Unanswered(f"the bucket {self._bucket} did not answer: {type(error).__name__}") from None

    def _store(self, folder: str, name: str, key: str, content: bytes) -> bool:
        """Put what is new; True where nothing is."""
        target, digest = f"{self._prefix}{folder}/{name}", hashlib.sha256(content).hexdigest()
        mark = f"{self._prefix}{folder}/{STORED}/" + hashlib.sha256(f"{key}\n{name}\n{digest}".encode()).hexdigest()
        former = self._digest(target)
        if former == digest:
            self._put(mark, b"", digest)
            return True
        if former is not None:
            if self._digest(mark) is not None:
                return True
            source = {"Bucket": self._bucket, "Key": target}
            self.client.copy_object(Bucket=self._bucket, Key=f"{target}.{former[:16]}", CopySource=source)
        # The mark last: it says that the content was there.
        self._put(target, content, digest)
        self._put(mark, b"", digest)
        return False

    def _put(self, key: str, content: bytes, digest: str) -> None:
        kind = CONTENT_TYPES.get("." + key.rpartition(".")[2], "application/octet-stream")
        taken = self.client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=kind, Metadata={DIGEST: digest})
        if not taken.get("ETag"):
            # The library takes any 200 for a yes, also that of a proxy's page that asks to sign in.
            raise Unanswered(f"the bucket {self._bucket} answered PutObject with 200 and not as a store does")

    def _digest(self, key: str) -> str | None:
        """The hash of what stands there; None where nothing does."""
        try:
            found: Mapping[str, Any] = self.client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return str(found["Metadata"].get(DIGEST) or found["ETag"].strip('"'))

    def _translated(self, error: ClientError) -> IntegrationError:
        meta = error.response.get("ResponseMetadata", {})
        code, status = str(error.response.get("Error", {}).get("Code", "")), int(meta.get("HTTPStatusCode", 0))
        text = f"the bucket {self._bucket} answered {error.operation_name} with {status} {code}{advice(status, 'TOCSIN_S3_SECRET_KEY')}"
        if status >= 500 or status in (408, 429) or code in _LATER:
            return Unavailable(text, retry_after=retry_after(meta.get("HTTPHeaders", {}), datetime.now(UTC)))
        if status in (401, 403) or code in _NOT_OURS:
            return Unauthorized(text)
        return NotFound(text) if status == 404 else Rejected(text)

    async def check(self) -> Checked:
        """Look whether the bucket is there and ours."""
        try:
            await self._bounded(lambda: self.client.head_bucket(Bucket=self._bucket))
        except IntegrationError as error:
            fix = (
                "Check TOCSIN_S3_… : the bucket's name, the keys, and what they may do."
                if isinstance(error, Refused)
                else "Check the network."
            )
            return Checked(name="archive: S3", ok=False, detail=str(error), fix=fix)
        return Checked(name="archive: S3", ok=True, detail=f"the bucket {self._bucket} is there")
