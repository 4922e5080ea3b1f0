#!/usr/bin/env python3
"""Names what a schema does not describe.

    described.py SCHEMA

Every type, field, argument, input field and enum value says what it is for.
"""
import sys

from graphql import build_schema, is_introspection_type, is_specified_scalar_type


def undescribed(schema):
    for name, kind in sorted(schema.type_map.items()):
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        if not kind.description:
            yield name
        members = getattr(kind, "fields", None) or getattr(kind, "values", None) or {}
        for member, definition in members.items():
            if not definition.description:
                yield f"{name}.{member}"
            for arg, argument in getattr(definition, "args", {}).items():
                if not argument.description:
                    yield f"{name}.{member}({arg})"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = list(undescribed(build_schema(file.read())))
    for coordinate in found:
        print(f"{coordinate} has no description")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
