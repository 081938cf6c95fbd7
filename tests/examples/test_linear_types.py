"""What `make linear-types` tells of a schema that is not Linear's, in the form that Linear publishes."""

import linear_types
from graphql import build_schema

TYPES = """
declare enum Order {
  CreatedAt = "createdAt",
}
/** An issue. */
type Issue = Node & {
  __typename?: "Issue";
  /** Its id. */
  id: Scalars["ID"];
  labels: LabelConnection;
  parent?: Maybe<Issue>;
  previous: Array<Scalars["String"]>;
};
type IssueLabelsArgs = {
  first?: InputMaybe<Scalars["Int"]>;
  must: Scalars["Int"];
};
type LabelConnection = {
  nodes: Array<Issue>;
};
type NewInput = {
  teamId: Scalars["String"];
  title?: InputMaybe<Scalars["String"]>;
  ids?: InputMaybe<Array<Scalars["String"]>>;
};
type Query = {
  issue: Issue;
};
"""
RIGHT = """
enum Order { createdAt }
type Issue {
  id: ID!
  labels(first: Int, must: Int!): LabelConnection!
  parent: Issue
  previous: [String!]!
}
type LabelConnection { nodes: [Issue!]! }
input NewInput { teamId: String!, title: String, ids: [String!] }
type Query { issue(in: NewInput, by: Order): Issue! }
"""


def told(schema: str) -> list[str]:
    return [*linear_types.differences(build_schema(schema), TYPES)]


def test_each_difference_is_told() -> None:
    assert told(RIGHT) == [
        "Query.issue(in): there is no such field",
        "Query.issue(by): there is no such field",
    ]
    wrong = (
        RIGHT.replace("{ createdAt }", "{ createdAt, due }")
        .replace("id: ID!", "id: String!")
        .replace(", must: Int!", "")
        .replace("parent: Issue", "parent: Issue!")
        .replace("previous: [String!]!", "previous: String!")
        .replace("teamId: String!, ", "name: String, ")
    )
    assert {*told(wrong)} - {*told(RIGHT)} == {
        "Issue.id: type is id at Linear, and string here",
        "Issue.labels(must): it is required",
        "Issue.parent: required is False at Linear, and True here",
        "Issue.previous: list is True at Linear, and False here",
        "NewInput.name: there is no such field",
        "NewInput.teamId: it is required",
        "Order.due: there is no such value",
    }
