"""/v1/imports: a CSV file in, contacts and a reason for every row that is not one out."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from trunkline_api import errors, imports
from trunkline_api.domain.unkeepable import shown
from trunkline_api.imports import Source
from trunkline_api.routes.answers import Cursor, Limit, Page, Told, number_in, page_of
from trunkline_api.routes.bodies import READ_SECONDS, read_body
from trunkline_api.routes.callers import ContactsReader, ContactsWriter, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.store.imports import Import
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/imports", tags=["imports"], route_class=PublicRoute)

_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


class Counts(BaseModel):
    """rows = imported + duplicates + rejected."""

    rows: int
    imported: int = Field(description="new contacts")
    duplicates: int = Field(description="in the file, and contacts that existed already")
    duplicates_in_file: int
    duplicates_existing: int = Field(description="kept as they are; in the import's audience")
    rejected: int
    audience: int = Field(description="contacts that a run over this import will have")


class ImportTold(Told):
    """What became of a file."""

    id: str
    filename: str | None
    encoding: str
    delimiter: str
    columns: dict[str, str] = Field(description="header by header, what it was taken for")
    counts: Counts
    rejected_by_reason: dict[str, int]
    created_at: datetime

    @classmethod
    def of(cls, kept: Import) -> ImportTold:
        """Told with its sums."""
        counts = Counts(
            rows=kept.rows,
            imported=kept.imported,
            duplicates=kept.duplicates_in_file + kept.duplicates_existing,
            duplicates_in_file=kept.duplicates_in_file,
            duplicates_existing=kept.duplicates_existing,
            rejected=kept.rejected,
            audience=kept.imported + kept.duplicates_existing,
        )
        reasons = {why: n for why, n in kept.reasons.items() if why != "duplicate_in_file"}
        return cls(
            id=kept.id,
            filename=kept.filename,
            encoding=kept.encoding,
            delimiter=kept.delimiter,
            columns=kept.columns,
            counts=counts,
            rejected_by_reason=reasons,
            created_at=kept.created_at,
        )


class RejectTold(Told):
    """One row that was left out."""

    row: int = Field(validation_alias="row_number", description="as a spreadsheet numbers it")
    reason: str
    value: str = Field(description="what stood there, digits masked")


@router.post("", status_code=201, openapi_extra=_BODY)
async def create_import(
    request: Request,
    caller: ContactsWriter,
    parts: ServiceParts,
    encoding: Annotated[
        str | None, Query(max_length=40, description="of the file; found out if absent")
    ] = None,
) -> ImportTold:
    """Import a CSV file: whole, or not at all. Rows that cannot be used are counted by reason."""
    data, filename = await _file(request)
    source = Source(
        data=data,
        filename=filename,
        encoding=encoding,
        home_country=caller.country,
        most_rows=parts.upload_max_rows,
    )
    kept = await imports.take(
        parts.database, caller.business_id, source, correlation_id=correlation_id()
    )
    return ImportTold.of(kept)


async def _file(request: Request) -> tuple[bytes, str | None]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"text/csv", "text/plain", "text/tab-separated-values", "application/csv"}:
        return await read_body(request), None
    if kind != "multipart/form-data":
        raise errors.unsupported("send multipart/form-data with a part `file`, or text/csv")
    return await _file_of_form(request)


async def _file_of_form(request: Request) -> tuple[bytes, str | None]:
    try:
        async with asyncio.timeout(READ_SECONDS), request.form(max_files=1, max_fields=5) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise errors.invalid("#/file", "the form has no file in a part named `file`")
            return await part.read(), shown((part.filename or "")[:200]) or None
    except TimeoutError:
        raise errors.too_slow() from None


@router.get("/{import_id}")
async def get_import(import_id: str, caller: ContactsReader, parts: ServiceParts) -> ImportTold:
    """What became of a file."""
    kept = await imports.get(parts.database, caller.business_id, import_id)
    if kept is None:
        raise errors.not_found("import")
    return ImportTold.of(kept)


@router.get("/{import_id}/rejects")
async def list_rejects(
    import_id: str,
    caller: ContactsReader,
    parts: ServiceParts,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RejectTold]:
    """The rows that were left out, in the file's order, duplicates within the file included."""
    rows = await imports.rejects(
        parts.database,
        caller.business_id,
        import_id,
        after=number_in(cursor),
        limit=limit + 1,
    )
    if rows is None:
        raise errors.not_found("import")
    return page_of(rows, limit, RejectTold.model_validate, lambda row: row.row_number)
