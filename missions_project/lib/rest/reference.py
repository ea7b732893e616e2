"""The API's description (OpenAPI) as a reference to read: what the page under /api/docs/ and the documentation both show."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

OpenApi = dict[str, Any]
LIMITS = (
    ("minimum", "at least"),
    ("maximum", "at most"),
    ("maxLength", "characters at most"),
    ("default", "default"),
)


@dataclass(frozen=True)
class Piece:
    """Some words: plain, as code, or leading to the shape that they name."""

    text: str
    code: bool = False
    link: str = ""


Words = tuple[Piece, ...]


@dataclass(frozen=True)
class Field:
    """A parameter, or a member of a body."""

    name: str
    needed: bool
    kind: Words
    meaning: Words
    where: str = ""


@dataclass(frozen=True)
class Answer:
    code: str
    holds: tuple[Words, ...]
    when: Words


@dataclass(frozen=True)
class Operation:
    """One address with one method."""

    anchor: str
    method: str
    path: str
    title: str
    about: tuple[Words, ...]
    parameters: tuple[Field, ...]
    bodies: tuple[tuple[str, Words], ...]
    samples: tuple[tuple[str, str], ...]
    """A body's media type, and one as it may be sent."""
    answers: tuple[Answer, ...]
    needs_key: bool

    def example(self, site: str) -> str:
        """A call with curl, for a shell; capitals stand for what is yours."""
        path = re.sub(r"{(\w+)}", lambda found: found[1].upper(), self.path)
        asked = "&".join(
            f"{one.name}={one.name.upper()}" for one in self.parameters if one.where == "query" and one.needed
        )
        words = ["curl"]
        if self.method != "GET":
            words.append(f"-X {self.method}")
        if self.needs_key:
            words.append('-H "Authorization: Token KEY"')
        if self.bodies:
            media = self.bodies[0][0]
            words.append(
                "-F FIELD=@FILE"
                if "form-data" in media
                else f'-H "Content-Type: {media}" --data-binary @FILE'
            )
        return " ".join([*words, f'"{site.rstrip("/")}{path}{f"?{asked}" if asked else ""}"'])


@dataclass(frozen=True)
class Shape:
    """What a body or an answer holds: its fields, or its values, or its kind where it has neither."""

    name: str
    anchor: str
    about: tuple[Words, ...]
    values: tuple[Words, ...]
    fields: tuple[Field, ...]
    kind: Words


@dataclass(frozen=True)
class Reference:
    title: str
    about: Words
    keys: tuple[Field, ...]
    refusals: tuple[Answer, ...]
    groups: tuple[tuple[str, tuple[Operation, ...]], ...]
    shapes: tuple[Shape, ...]


@lru_cache(maxsize=1)
def api_reference() -> Reference:
    """The product's own API."""
    from missions_project.lib.rest.schema import InEnglish

    return read(InEnglish().get_schema(public=True))


def read(schema: OpenApi) -> Reference:
    """Everything that ``schema`` (OpenAPI 3.1) says, in the order in which one reads it.

    A refusal that most addresses share, in the words of most of them, stands once and not at each.
    """
    common = _common_refusals(schema)
    by_tag: dict[str, list[Operation]] = {}
    for path, method, one in _operations(schema):
        tag = (one.get("tags") or ["Other"])[0]
        by_tag.setdefault(tag, []).append(_operation(method, path, one, common))
    return Reference(
        title=schema["info"]["title"],
        about=words_of(schema["info"].get("description", "")),
        keys=tuple(
            Field(key["name"], False, (), words_of(key.get("description", "")), key["in"])
            for key in schema["components"].get("securitySchemes", {}).values()
        ),
        refusals=tuple(Answer(code, (), words_of(words)) for code, words in common.items()),
        groups=tuple((tag, tuple(by_tag[tag])) for tag in sorted(by_tag, key=str.lower)),
        shapes=tuple(_shape(name, one) for name, one in schema["components"]["schemas"].items()),
    )


def words_of(text: str) -> Words:
    """Text whose `backticks` are code."""
    parts = " ".join(text.split()).split("`")
    return tuple(Piece(part, code=bool(number % 2)) for number, part in enumerate(parts) if part)


def kind_of(schema: OpenApi) -> Words:
    """A schema in a few words; one that has a name is a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return (Piece(name, link=name.lower()),)
    for joiner in ("allOf", "oneOf", "anyOf"):
        if joiner in schema:
            return _any_of([kind_of(one) for one in schema[joiner]])
    named = schema.get("type", "anything")
    kind = " or ".join(named) if isinstance(named, list) else str(named)
    if kind == "array":
        return (Piece("list of "), *kind_of(schema.get("items", {})))
    if "enum" in schema:
        return _any_of([(Piece(str(value), code=True),) for value in schema["enum"]])
    return (Piece(f"{kind} ({schema['format']})" if "format" in schema else kind),)


def _any_of(kinds: list[Words]) -> Words:
    joined: list[Piece] = []
    for kind in kinds:
        joined += [Piece(" or "), *kind] if joined else kind
    return tuple(joined)


def _meaning(description: str, schema: OpenApi) -> Words:
    limits = ", ".join(f"{words} {schema[key]}" for key, words in LIMITS if key in schema)
    return words_of(f"{description} ({limits})" if limits else description)


def _operations(schema: OpenApi) -> Iterator[tuple[str, str, OpenApi]]:
    for path, methods in schema["paths"].items():
        for method, one in methods.items():
            yield path, method, one


def _common_refusals(schema: OpenApi) -> dict[str, str]:
    said: dict[str, Counter[str]] = {}
    count = 0
    for _, _, one in _operations(schema):
        count += 1
        for code, answer in one.get("responses", {}).items():
            if code >= "400":
                said.setdefault(code, Counter())[answer.get("description", "")] += 1
    most = {code: words.most_common(1)[0] for code, words in sorted(said.items())}
    return {code: words for code, (words, times) in most.items() if times > count / 2}


def _operation(method: str, path: str, one: OpenApi, common: dict[str, str]) -> Operation:
    content = one.get("requestBody", {}).get("content", {})
    return Operation(
        anchor=one["operationId"],
        method=method.upper(),
        path=path,
        title=one.get("summary") or one["operationId"],
        about=tuple(words_of(part) for part in _parts(one)),
        parameters=tuple(
            Field(
                name=each["name"],
                needed=bool(each.get("required")),
                kind=kind_of(each.get("schema", {})),
                meaning=_meaning(each.get("description", ""), each.get("schema", {})),
                where=each["in"],
            )
            for each in one.get("parameters", [])
        ),
        bodies=tuple((media, kind_of(body.get("schema", {}))) for media, body in content.items()),
        samples=tuple(
            (media, value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))
            for media, body in content.items()
            for value in (sample["value"] for sample in body.get("examples", {}).values())
        ),
        answers=tuple(
            Answer(code, _holds(answer), words_of(answer.get("description", "")))
            for code, answer in one.get("responses", {}).items()
            if answer.get("description") != common.get(code)
        ),
        needs_key=any(one.get("security", [])),
    )


def _holds(answer: OpenApi) -> tuple[Words, ...]:
    kinds = {kind_of(body.get("schema", {})) for body in answer.get("content", {}).values()}
    return tuple(sorted(kinds, key=lambda kind: [piece.text for piece in kind]))


def _shape(name: str, one: OpenApi) -> Shape:
    needed = one.get("required", [])
    parts = _parts(one)
    return Shape(
        name=name,
        anchor=name.lower(),
        about=tuple(words_of(part) for part in parts if not part.startswith("* ")),
        values=tuple(words_of(part[2:]) for part in parts if part.startswith("* ")),
        fields=tuple(
            Field(key, key in needed, kind_of(held), _meaning(held.get("description", ""), held))
            for key, held in one.get("properties", {}).items()
        ),
        kind=kind_of(one),
    )


def _parts(one: OpenApi) -> list[str]:
    """Paragraphs, and each line of a list by itself."""
    return [part for part in re.split(r"\n\s*\n|\n(?=\* )", one.get("description", "")) if part.strip()]
