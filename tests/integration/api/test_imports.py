"""Files through the API: counted row by row, or refused whole with nothing kept."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import text
from tests.integration.api.conftest import Tenant

from trunkline_common.db import Database, transaction
from trunkline_common.testing.plugin import Cloned


async def contacts_of(database: Database, tenant: Tenant) -> int:
    async with transaction(database) as session:
        query = text("SELECT count(*) FROM contacts WHERE business_id = :id")
        return int((await session.execute(query, {"id": tenant.id})).scalar_one())


async def test_every_row_is_accounted_for(tenant: Tenant) -> None:
    await tenant.post("/v1/contacts", {"phone": "0171 1234567", "name": "first"})
    rows = ["Name;Telefon;Stadt", "Anna;0171 1234567;Köln", "Bob;0171 1234568;Bonn",
            "Bob;+49 171 1234568;Bonn", "Carl;;Ulm", "Dora;112;Ulm"]  # fmt: skip
    answer = await tenant.upload("\n".join(rows).encode("cp1252"))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["counts"] == {
        "rows": 5, "imported": 1, "duplicates": 2, "duplicates_in_file": 1,
        "duplicates_existing": 1, "rejected": 2, "audience": 2,
    }  # fmt: skip
    assert told["rejected_by_reason"] == {"missing_number": 1, "short_code": 1}
    assert told["columns"] == {"Name": "name", "Telefon": "phone", "Stadt": "variable stadt"}
    assert (await tenant.get(f"/v1/imports/{told['id']}")).json() == told

    first = (await tenant.get(f"/v1/imports/{told['id']}/rejects?limit=2")).json()
    rest = await tenant.get(
        f"/v1/imports/{told['id']}/rejects", params={"cursor": first["next_cursor"]}
    )
    assert [(one["row"], one["reason"]) for one in first["data"] + rest.json()["data"]] == [
        (4, "duplicate_in_file"), (5, "missing_number"), (6, "short_code"),
    ]  # fmt: skip
    assert first["data"][0]["value"] == "+••••••••••68"

    contacts = (await tenant.get("/v1/contacts")).json()["data"]
    assert {one["phone"]: one["name"] for one in contacts} == {
        "+491711234567": "first",  # who was there is kept as is
        "+491711234568": "Bob",
    }
    assert contacts[0]["variables"] == {"stadt": "Bonn"}


async def test_a_form_carries_a_file(tenant: Tenant) -> None:
    files = {"file": ("Kunden.csv", b"phone\n0171 1234567\n", "text/csv")}
    answer = await tenant.http.post("/v1/imports", files=files, headers=tenant.headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["filename"] == "Kunden.csv"

    wrong = {"upload": ("Kunden.csv", b"phone\n0171 1234567\n", "text/csv")}
    answer = await tenant.http.post("/v1/imports", files=wrong, headers=tenant.headers)
    assert answer.status_code == 422
    answer = await tenant.http.post("/v1/imports", json={}, headers=tenant.headers)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("data", "query", "status", "slug"),
    [
        (b"", {}, 422, "import-empty"),
        (b"name\nAnna\n", {}, 422, "import-no-phone-column"),
        ("phone;name\n0171 1234567;Jürgen".encode("cp1252"), {"encoding": "utf-8"}, 422,
         "import-undecodable"),
        (b"PK\x03\x04xlsx", {}, 422, "import-not-csv"),
        (b"phone\n0171 1234567\n" + b"1,2\n" * 9, {}, 422, "import-ragged"),
        (b"phone\n" + b"0171 1234567\n" * 6000, {}, 422, "import-too-large"),
        (b"phone\n" + b" " * 300_000, {}, 413, "content-too-large"),
    ],
)  # fmt: skip
async def test_a_file_is_refused_whole(
    tenant: Tenant, database: Database, data: bytes, query: dict[str, str], status: int, slug: str
) -> None:
    answer = await tenant.upload(data, **query)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:trunkline:problem:{slug}"
    assert await contacts_of(database, tenant) == 0


async def test_nothing_is_half_imported(
    tenant: Tenant, database: Database, cloned_database: Cloned
) -> None:
    """The last statement of the import fails: the contacts before it are gone with it."""
    owner = await asyncpg.connect(cloned_database.superuser_url, timeout=10)
    await owner.execute("ALTER TABLE api.import_rejects ADD CONSTRAINT never CHECK (false)")
    try:
        answer = await tenant.upload(b"phone\n0171 1234567\n112\n")
    finally:
        await owner.execute("ALTER TABLE api.import_rejects DROP CONSTRAINT never")
        await owner.close()
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert await contacts_of(database, tenant) == 0


async def test_a_thousand_rows_are_imported_once(tenant: Tenant) -> None:
    rows = "\n".join(f"+49 171 {number},Name {number}" for number in range(1_000_000, 1_001_000))
    answer = await tenant.upload(f"phone,name\n{rows}\n".encode())
    assert answer.json()["counts"]["imported"] == 1000
    again = await tenant.upload(f"phone,name\n{rows}\n".encode())
    assert again.json()["counts"]["duplicates_existing"] == 1000


async def test_a_contact_that_exists_is_named(tenant: Tenant) -> None:
    made = (await tenant.post("/v1/contacts", {"phone": "0171 1234567"})).json()
    answer = await tenant.post("/v1/contacts", {"phone": "+49 171 1234567"})
    assert answer.status_code == 409
    assert made["id"] in answer.json()["detail"]
    answer = await tenant.post("/v1/contacts", {"phone": "112"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/phone"
