"""Which JSON schemas an answer of Claude's can be bound to:
<https://platform.claude.com/docs/en/build-with-claude/structured-outputs> (read 2026-11)."""

from scenario import need

NEVER = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "not", "oneOf",
}  # fmt: skip


def binds(schema, where):
    if not isinstance(schema, dict):
        return
    for key in schema:
        need(key not in NEVER, f"{where}: For '{schema.get('type')}' type, property '{key}' is not supported")
    kinds = schema.get("type")
    if "object" in (kinds if isinstance(kinds, list) else [kinds]):
        need(schema.get("additionalProperties") is False, f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in ("properties", "$defs", "definitions"):
        for inner in schema.get(name, {}).values():
            binds(inner, where)
    for name in ("items", "prefixItems", "anyOf", "allOf"):
        inner = schema.get(name, [])
        for one in inner if isinstance(inner, list) else [inner]:
            binds(one, where)
