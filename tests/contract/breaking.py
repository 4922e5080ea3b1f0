#!/usr/bin/env python3
"""Refuses a schema that breaks clients of the last release.

    breaking.py RELEASED SERVED [--today YYYY-MM-DD]

A field, argument, input field or enum value may go when the release had it deprecated with a reason that says
"removed after YYYY-MM-DD" and that day is over. Nothing else that a client may rely on goes, narrows or becomes required.
After a release its schema takes the place of RELEASED (tests/contract/released.graphql).
"""
import argparse
import datetime
import re
import sys

from graphql import build_schema
from graphql.utilities import BreakingChangeType, find_breaking_changes

PROMISE = re.compile(r"removed after (\d{4}-\d{2}-\d{2})")
REMOVALS = {
    BreakingChangeType.FIELD_REMOVED: r"^(?P<type>\w+)\.(?P<member>\w+) was removed",
    BreakingChangeType.ARG_REMOVED: r"^(?P<type>\w+)\.(?P<member>\w+) arg (?P<arg>\w+) was removed",
    BreakingChangeType.VALUE_REMOVED_FROM_ENUM: r"^(?P<member>\w+) was removed from enum type (?P<type>\w+)",
}


def deprecation(schema, type_name, member, arg):
    kind = schema.type_map.get(type_name)
    members = getattr(kind, "fields", None) or getattr(kind, "values", None) or {}
    found = members.get(member)
    if found is not None and arg:
        found = found.args.get(arg)
    return getattr(found, "deprecation_reason", None)


def ran_its_course(schema, change, today):
    pattern = REMOVALS.get(change.type)
    match = pattern and re.match(pattern, change.description)
    if not match:
        return False
    parts = match.groupdict()
    promise = PROMISE.search(deprecation(schema, parts["type"], parts["member"], parts.get("arg")) or "")
    return bool(promise) and datetime.date.fromisoformat(promise.group(1)) < today


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("released")
    options.add_argument("served")
    options.add_argument("--today", type=datetime.date.fromisoformat, default=datetime.date.today())
    given = options.parse_args()
    with open(given.released, encoding="utf-8") as file:
        released = build_schema(file.read())
    with open(given.served, encoding="utf-8") as file:
        served = build_schema(file.read())
    refused = [c for c in find_breaking_changes(released, served) if not ran_its_course(released, c, given.today)]
    for change in refused:
        print(f"{change.type.name}: {change.description}")
    if refused:
        print("Deprecate first, with a reason that says \"removed after YYYY-MM-DD\", and wait until then.")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
