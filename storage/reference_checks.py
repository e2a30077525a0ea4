"""What an import of reference data would break: unknown owners, ids of other owners, external ids that are taken.

Look-ups in the import's own transaction, then comparisons; the tables' constraints stand behind them.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import LiteralString, TypeVar

from schemas.reference import CreditGrant, Layer, Organization, Project, SourcePost
from schemas.reference_files import Numbered, Problem
from storage.connection import Connection

Row = TypeVar("Row", Organization, Project, Layer, SourcePost, CreditGrant)
Lines = dict[uuid.UUID, tuple[int, Row]]
"""Id to (line number, row)."""
Owners = Mapping[uuid.UUID, uuid.UUID]
Handle = tuple[uuid.UUID, str, str]
"""(organisation, platform, external id): names one post."""


@dataclass(slots=True)
class Plan:
    """The lines of an import by type, each type sorted by id, so that two imports at once lock rows in one order."""

    organizations: Lines[Organization]
    projects: Lines[Project]
    layers: Lines[Layer]
    posts: Lines[SourcePost]
    grants: Lines[CreditGrant]
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has of the objects that the lines define or name, each with its owner."""

    organizations: Owners
    projects: Owners
    layers: Owners
    posts: Owners
    grants: Owners
    handles: Mapping[Handle, uuid.UUID]


def plan_of(lines: Iterable[Numbered]) -> Plan:
    """Sort the lines by type. A line that stands twice counts once; two that contradict each other are a problem."""
    numbered = list(lines)
    problems: list[Problem] = []
    return Plan(
        _by_id(Organization, numbered, problems),
        _by_id(Project, numbered, problems),
        _by_id(Layer, numbered, problems),
        _by_id(SourcePost, numbered, problems),
        _by_id(CreditGrant, numbered, problems),
        problems,
    )


def known(connection: Connection, plan: Plan) -> Known:
    """Look up what the lines build on."""
    posts = [post for _, post in plan.posts.values()]
    projects = {layer.project_id for _, layer in plan.layers.values()} | set(plan.projects)
    projects |= {post.project_id for post in posts if post.project_id is not None}
    organizations = {project.organization_id for _, project in plan.projects.values()}
    organizations |= {post.organization_id for post in posts}
    organizations |= {grant.organization_id for _, grant in plan.grants.values()}
    handles = connection.execute(
        """SELECT org_id, platform, external_id, post_id FROM source_posts
           JOIN unnest(%s::uuid[], %s::text[], %s::text[]) AS new (org_id, platform, external_id)
           USING (org_id, platform, external_id)""",
        ([post.organization_id for post in posts], [p.platform for p in posts], [p.external_id for p in posts]),
    ).fetchall()

    def owners(statement: LiteralString, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
        return dict(connection.execute(statement, (list(ids),)).fetchall())

    return Known(
        owners("SELECT org_id, org_id FROM organizations WHERE org_id = ANY(%s)", organizations),
        owners("SELECT project_id, org_id FROM projects WHERE project_id = ANY(%s)", projects),
        owners("SELECT layer_id, project_id FROM project_layers WHERE layer_id = ANY(%s)", plan.layers),
        owners("SELECT post_id, org_id FROM source_posts WHERE post_id = ANY(%s)", plan.posts),
        owners("SELECT grant_id, org_id FROM credit_grants WHERE grant_id = ANY(%s)", plan.grants),
        {(org_id, platform, external_id): post_id for org_id, platform, external_id, post_id in handles},
    )


def project_owners(plan: Plan, found: Known) -> dict[uuid.UUID, uuid.UUID]:
    """The organisation of every project that the lines define or name."""
    return {id_: project.organization_id for id_, (_, project) in plan.projects.items()} | dict(found.projects)


def problems(plan: Plan, found: Known) -> list[Problem]:
    """Everything that is wrong with the lines together. Pure."""
    return [
        *plan.problems,
        *_unknown_organizations(plan, found),
        *_moved(plan.projects, found.projects, lambda project: project.organization_id, "organization"),
        *_moved(plan.layers, found.layers, lambda layer: layer.project_id, "project"),
        *_moved(plan.posts, found.posts, lambda post: post.organization_id, "organization"),
        *_moved(plan.grants, found.grants, lambda grant: grant.organization_id, "organization"),
        *_unknown_projects(plan, project_owners(plan, found)),
        *_taken_handles(plan, found),
    ]


def _by_id(kind: type[Row], lines: Iterable[Numbered], problems: list[Problem]) -> Lines[Row]:
    found: Lines[Row] = {}
    for numbered in lines:
        line = numbered.line
        if not isinstance(line, kind):
            continue
        number, first = found.setdefault(line.id, (numbered.number, line))
        if first != line:
            problems.append(Problem(numbered.number, f"id: {line.id} stands on line {number} with other values"))
    return dict(sorted(found.items()))


def _unknown_organizations(plan: Plan, found: Known) -> Iterator[Problem]:
    named: list[tuple[int, uuid.UUID]] = [
        *((number, project.organization_id) for number, project in plan.projects.values()),
        *((number, post.organization_id) for number, post in plan.posts.values()),
        *((number, grant.organization_id) for number, grant in plan.grants.values()),
    ]
    for number, org_id in named:
        if org_id not in plan.organizations and org_id not in found.organizations:
            yield Problem(number, f"organizationId: there is no organization {org_id}; add its line")


def _unknown_projects(plan: Plan, owners: Owners) -> Iterator[Problem]:
    for number, layer in plan.layers.values():
        if layer.project_id not in owners:
            yield Problem(number, f"projectId: there is no project {layer.project_id}; add its line")
    for number, post in plan.posts.values():
        if post.project_id is not None and owners.get(post.project_id) != post.organization_id:
            yield Problem(number, f"projectId: the organization has no project {post.project_id}; add its line")


def _moved(lines: Lines[Row], stored: Owners, owner_of: Callable[[Row], uuid.UUID], owner: str) -> Iterator[Problem]:
    for id_, (number, line) in lines.items():
        if stored.get(id_, owner_of(line)) != owner_of(line):
            yield Problem(number, f"id: {id_} belongs to another {owner}; nothing ever moves, choose another id")


def _taken_handles(plan: Plan, found: Known) -> Iterator[Problem]:
    holders: dict[Handle, uuid.UUID] = dict(found.handles)
    for id_, (number, post) in plan.posts.items():
        holder = holders.setdefault((post.organization_id, post.platform, post.external_id), id_)
        if holder != id_:
            yield Problem(number, f"externalId: the post {holder} has it on {post.platform} already")
