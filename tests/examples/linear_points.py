"""What a query costs at Linear: 0.1 for a property, 1 for an object, a connection as often as `first`."""

from math import ceil
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

MOST_POINTS: Final = 10_000
USUAL: Final = 50


def points(schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any]) -> int:
    """The points of a document's only operation."""
    fragments = {
        part.name.value: part
        for part in document.definitions
        if isinstance(part, FragmentDefinitionNode)
    }
    (operation,) = [p for p in document.definitions if isinstance(p, OperationDefinitionNode)]
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return ceil(_points(operation.selection_set, root, fragments, variables))


def _points(
    selected: SelectionSetNode,
    of: GraphQLObjectType,
    fragments: dict[str, FragmentDefinitionNode],
    variables: dict[str, Any],
) -> float:
    cost = 0.0
    for part in selected.selections:
        if isinstance(part, FragmentSpreadNode):
            fragment = fragments[part.name.value]
            cost += _points(fragment.selection_set, of, fragments, variables)
        elif isinstance(part, FieldNode):
            kind = get_named_type(of.fields[part.name.value].type)
            if is_leaf_type(kind) or part.selection_set is None:
                cost += 0.1
                continue
            assert isinstance(kind, GraphQLObjectType)
            inside = _points(part.selection_set, kind, fragments, variables)
            times = _size(part, variables) if kind.name.endswith("Connection") else 1
            cost += 1 + times * inside
    return cost


def _size(part: FieldNode, variables: dict[str, Any]) -> int:
    given = {
        one.name.value: value_from_ast_untyped(one.value, variables) for one in part.arguments or ()
    }
    return int(given.get("first") or given.get("last") or USUAL)
