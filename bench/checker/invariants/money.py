"""4: credits. grants = available + reserved + spent for each organisation, and nothing was ever below zero."""

from collections import Counter, defaultdict

from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.snapshot import LedgerEntry


def judge(facts: Facts, found: Findings) -> None:
    """Jobs, wallets, and what clients were shown."""
    tables = facts.snapshot.tables
    entries: dict[tuple[str, str], list[LedgerEntry]] = defaultdict(list)
    of_org: dict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in tables.ledger:
        entries[entry.job, entry.kind].append(entry)
        of_org[entry.org].append(entry)
    _jobs(facts, found, entries)
    _no_foreign_entries(facts, found)
    _grants(facts, found, entries)
    running = Counter(job.org for job in tables.jobs if job.status == "running")
    spent = Counter[str]()
    for job in tables.jobs:
        spent[job.org] += job.charged or 0
    granted = Counter[str]()
    for grant in tables.grants:
        granted[grant.org] += grant.amount
    for wallet in tables.wallets:
        where, ledger = f"wallets {wallet.org}", of_org.get(wallet.org, [])
        sums = (sum(e.available for e in ledger), sum(e.reserved for e in ledger))
        has = (wallet.available, wallet.reserved)
        found.expect(has == sums, where, f"(available, reserved) is {has}, the ledger sums to {sums}")
        found.expect(min(has) >= 0, where, f"negative: {has}")
        total = wallet.available + wallet.reserved + spent[wallet.org]
        found.expect(
            total == granted[wallet.org],
            where,
            f"{wallet.available} available + {wallet.reserved} reserved + {spent[wallet.org]} spent = {total}, "
            f"granted {granted[wallet.org]}",
        )
        counted = running[wallet.org]
        found.expect(wallet.running_jobs == counted, where, f"counts {wallet.running_jobs} running jobs, not {counted}")
        _never_negative(found, where, ledger)
    for number, read in enumerate(facts.snapshot.history.credits_read):
        fine = read.available >= 0 and read.reserved >= 0 and read.balance == read.available + read.reserved
        found.expect(fine, f"history credits_read {number} ({read.org})", f"showed {read}")


def _jobs(facts: Facts, found: Findings, entries: dict[tuple[str, str], list[LedgerEntry]]) -> None:
    for claim in facts.snapshot.tables.claims:
        where, most = f"credit_ledger {claim.job}", claim.variations * claim.price
        reserved = [(e.org, e.available, e.reserved) for e in entries.get((claim.job, "reserve"), ())]
        found.expect(reserved == [(claim.org, -most, most)], where, f"reserves {reserved}, must be one of {most}")
        job = facts.job.get(claim.job)
        settled = [(e.org, e.available, e.reserved) for e in entries.get((claim.job, "settle"), ())]
        if job is None or job.status == "running":
            found.expect(not settled, where, f"settled {settled} before its end")
            continue
        rows = facts.variations.get(claim.job, ())
        charge = claim.price * sum(row.state == "succeeded" for row in rows)
        found.expect(settled == [(claim.org, most - charge, -most)], where, f"settles {settled}, must charge {charge}")
        found.expect(job.charged == charge, f"jobs {claim.job}", f"was charged {job.charged}, must be {charge}")


def _no_foreign_entries(facts: Facts, found: Findings) -> None:
    for entry in facts.snapshot.tables.ledger:
        if entry.kind != "grant" and entry.job not in facts.claim_of_job:
            found.violate(f"credit_ledger {entry.job} {entry.kind}", "belongs to no accepted job")


def _grants(facts: Facts, found: Findings, entries: dict[tuple[str, str], list[LedgerEntry]]) -> None:
    granted = {grant.grant: grant for grant in facts.snapshot.tables.grants}
    for grant in granted.values():
        has = [(e.org, e.available, e.reserved) for e in entries.get((grant.grant, "grant"), ())]
        found.expect(has == [(grant.org, grant.amount, 0)], f"credit_grants {grant.grant}", f"the ledger has {has}")
    for job, kind in entries:
        if kind == "grant" and job not in granted:
            found.violate(f"credit_ledger {job} grant", "belongs to no grant")


def _never_negative(found: Findings, where: str, ledger: list[LedgerEntry]) -> None:
    # A reserve's time is taken under the wallet's lock; what gives credits back may carry an earlier time than its
    # turn. So this order flatters the wallet, and whatever it shows below zero was below zero.
    available = reserved = 0
    for entry in sorted(ledger, key=lambda e: (e.at_ms, -e.available)):
        available += entry.available
        reserved += entry.reserved
        if not found.expect(available >= 0, where, f"the {entry.kind} of {entry.job} took available to {available}"):
            return
