"""Holds requests and answers against the providers' own API descriptions.

`check_request` and `check_answer` return what is wrong, one sentence each; nothing means it holds.
The descriptions lie outside the repository; `load_spec` returns None where they are absent.
"""

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Provider = Literal["twilio", "meta"]
ROOT = Path(__file__).resolve().parents[3]

FILES: Mapping[Provider, tuple[str, str]] = {
    "twilio": (
        "twilio_api_v2010.json",
        "99cae87a6bb1725f71363364cbd30282a13140374b2d5f9bdd5bdfa5d4c8a6d7",
    ),
    "meta": (
        "meta_business_messaging_v23.0.yaml",
        "c7148d5e2aeff32f2effc3d3557795d7eddd07abf8b017c9e40e86bb3312c116",
    ),
}
ABSENT = "the providers' API descriptions are not at ../shared/specs: nothing to hold this against"

# Twilio's file describes no error answer; this is the shape that its SDK reads.
TWILIO_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message", "more_info", "status"],
    "properties": {
        "code": {"type": "integer", "minimum": 10000, "maximum": 99999},
        "message": {"type": "string", "minLength": 1},
        "more_info": {"type": "string", "pattern": "^https://www.twilio.com/docs/errors/[0-9]+$"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
    },
    "additionalProperties": False,
}

formats = FormatChecker(formats=())


@formats.checks("date-time-rfc-2822", raises=(TypeError, ValueError))
def _is_rfc_2822(text: object) -> bool:
    return not isinstance(text, str) or parsedate_to_datetime(text) is not None


@dataclass(frozen=True)
class Spec:
    """One parsed description; its schemas are JSON Schema 2020-12 after `_translated`."""

    provider: Provider
    document: dict[str, Any]
    registry: "Registry[Any]"

    def problems(self, schema: Mapping[str, Any], value: object, where: str) -> list[str]:
        """What a schema of this document has against a value."""
        anchored = {"$id": "urn:spec", **self._absolute(schema)}
        validator = Draft202012Validator(anchored, registry=self.registry, format_checker=formats)
        return [
            f"{where}{''.join(f'.{part}' for part in error.absolute_path)}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]

    def component(self, name: str) -> dict[str, Any]:
        """A named schema."""
        return {"$ref": f"urn:provider#/components/schemas/{name}"}

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | None:
        """The operation a request is for, and its path's values; fewest blanks win."""
        found: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        for template, item in self.document["paths"].items():
            match = _template(template).fullmatch(path)
            if match is not None and method.lower() in item:
                names = re.findall(r"\{([^}]+)\}", template)
                values = dict(zip(names, match.groups(), strict=True))
                found.append((len(values), item[method.lower()], values))
        if not found:
            return None
        _, operation, values = min(found, key=lambda each: each[0])
        return operation, values

    def parameters(self, operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for parameter in operation.get("parameters", ()):
            if "$ref" in parameter:
                yield self.document["components"]["parameters"][
                    parameter["$ref"].rpartition("/")[2]
                ]
            else:
                yield parameter

    def _absolute(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        text = json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:provider#/')
        loaded: dict[str, Any] = json.loads(text)
        return loaded


@cache
def load_spec(provider: Provider) -> Spec | None:
    """The description, checked to be the very file these tests were written against."""
    name, digest = FILES[provider]
    folder = Path(os.environ.get("TRUNKLINE_SPECS") or ROOT.parent / "shared" / "specs")
    if not (folder / name).is_file():
        return None
    raw = (folder / name).read_bytes()
    if hashlib.sha256(raw).hexdigest() != digest:
        raise AssertionError(f"{name} is not the pinned version: review it, then pin its sha256")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed = json.loads(raw) if name.endswith(".json") else yaml.load(raw, loader)  # noqa: S506
    document = _translated(parsed)
    resource = DRAFT202012.create_resource(document)
    return Spec(provider, document, Registry().with_resource("urn:provider", resource))


def check_request(
    spec: Spec, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> list[str]:
    """What the description has against a request; `path` may carry a query."""
    parts = urlsplit(path)
    found = spec.operation(method, parts.path)
    if found is None:
        return [f"{method} {parts.path}: no such operation"]
    operation, values = found
    sent = {name.lower(): value for name, value in headers.items()}
    given = {
        "path": values,
        "query": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "header": {
            p["name"]: sent[p["name"].lower()]
            for p in spec.parameters(operation)
            if p["in"] == "header" and p["name"].lower() in sent
        },
    }
    problems = _authorization_problems(operation, sent)
    for parameter in spec.parameters(operation):
        problems += _parameter_problems(spec, parameter, given)
    known = {p["name"] for p in spec.parameters(operation) if p["in"] == "query"}
    problems += [f"query {name}: unknown" for name in given["query"] if name not in known]
    return problems + _body_problems(spec, operation, sent.get("content-type", ""), body)


def check_answer(spec: Spec, method: str, path: str, status: int, body: bytes) -> list[str]:
    """What the description has against an answer; errors have one shape for each provider."""
    found = spec.operation(method, urlsplit(path).path)
    if found is None:
        return [f"{method} {path}: no such operation"]
    if status >= 400:
        schema = TWILIO_ERROR if spec.provider == "twilio" else spec.component("GraphAPIError")
        return spec.problems(schema, json.loads(body), str(status))
    described = found[0]["responses"].get(str(status))
    if described is None:
        return [f"{method} {path}: {status} is not described"]
    content = described.get("content", {}).get("application/json")
    if content is None:
        return [f"{status}: a body where none is described"] if body else []
    return spec.problems(content["schema"], json.loads(body), str(status))


def _authorization_problems(operation: Mapping[str, Any], sent: Mapping[str, str]) -> list[str]:
    if not operation.get("security"):
        return []
    scheme = next(iter(operation["security"][0]))
    given, _, token = sent.get("authorization", "").partition(" ")
    if scheme == "bearerAuth":
        return [] if given == "Bearer" and token else ["header Authorization: no bearer token"]
    try:
        user, colon, _ = base64.b64decode(token, validate=True).partition(b":")
    except binascii.Error:
        user, colon = b"", b""
    return [] if given == "Basic" and user and colon else ["header Authorization: no basic login"]


def _parameter_problems(
    spec: Spec, parameter: Mapping[str, Any], given: Mapping[str, Mapping[str, str]]
) -> list[str]:
    name, place = parameter["name"], parameter["in"]
    where = f"{place} {name}"
    values = given.get(place, {})
    if name not in values:
        return [f"{where}: missing"] if parameter.get("required") else []
    value = values[name]
    if name == "Content-Type":
        value = value.partition(";")[0].strip()
    return spec.problems(parameter["schema"], _typed(parameter["schema"], value), where)


def _body_problems(
    spec: Spec, operation: Mapping[str, Any], content_type: str, body: bytes
) -> list[str]:
    described = operation.get("requestBody", {}).get("content")
    if described is None:
        return ["body: none is described"] if body else []
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in described:
        return [f"body: {kind or 'no content type'} is not described"]
    schema = described[kind]["schema"]
    if kind == "application/json":
        return spec.problems(schema, json.loads(body), "body")
    fields = schema["properties"]
    form: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)):
        if name not in fields:
            problems.append(f"body.{name}: unknown field")
        elif _kind(fields[name]) == "array":
            form.setdefault(name, []).append(text)
        else:
            form[name] = _typed(fields[name], text)
    return problems + spec.problems(schema, form, "body")


def _typed(schema: Mapping[str, Any], text: str) -> object:
    """A text of a form or query, as the type that its schema wants, if it can be that."""
    kind = _kind(schema)
    if kind == "integer" and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _kind(schema: Mapping[str, Any]) -> object:
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) else kind


def _template(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", path)
    return re.compile("([^/]+?)".join(re.escape(part) for part in parts))


def _translated(node: Any, *, in_all_of: bool = False) -> Any:
    """OpenAPI's dialect as JSON Schema: `nullable`, and what Meta's file closes by mistake.

    A part of an `allOf` with `additionalProperties: false` forbids the fields of its other parts,
    so that no text message at all could satisfy it.
    """
    if isinstance(node, list):
        return [_translated(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: [_translated(each, in_all_of=True) for each in value]
        if key == "allOf" and isinstance(value, list)
        else _translated(value)
        for key, value in node.items()
    }
    if in_all_of and made.get("additionalProperties") is False:
        del made["additionalProperties"]
    if made.pop("nullable", None) is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made
