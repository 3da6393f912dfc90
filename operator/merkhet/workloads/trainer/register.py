"""The record of a version: every blob first, the number last, so that a killed run leaves no half a version."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.contract.card import Card
from merkhet.contract.evaluation import Evaluation, ImportanceReport
from merkhet.contract.runs import Run
from merkhet.contract.training import Artifact, Brought, Golden, Signature, TrainingResult
from merkhet.errors import Refused
from merkhet.store import claims, paths, roots
from merkhet.store.port import Store


@dataclass(frozen=True, slots=True)
class Documents:
    """What is kept beside the model."""

    golden: Golden | None
    evaluation: Evaluation
    importance: ImportanceReport | None
    card: Card
    card_text: str
    held_out: bytes

    def kept(self, store: Store) -> dict[str, str]:
        """Their digests by name; each is a blob from now on."""
        evaluation = self.evaluation
        written = {
            "golden": None if self.golden is None else self.golden.dump().encode(),
            "evaluation": evaluation.dump().encode(),
            "importance": None if self.importance is None else self.importance.dump().encode(),
            "card": self.card.dump().encode(),
            "cardText": self.card_text.encode(),
            "heldOut": self.held_out,
        }
        return {name: store.add(content) for name, content in written.items() if content is not None}


def claimed(store: Store, run: Run, result: TrainingResult) -> TrainingResult:
    """The result with a number of its own; the same run gets the same one again."""
    return result.model_copy(update={"number": claims.claim_number(store, paths.models(result.model), run.key)})


def claimed_as(store: Store, given: Brought, result: TrainingResult) -> TrainingResult:
    """The result under a number that a person chose; raises Refused where another version has it or had it."""
    folder, number = paths.models(result.model), given.number
    if not claims.claim_that_number(store, folder, number, given.claim):
        free = claims.next_number(store, folder)
        raise Refused(
            f"number {number} of model {result.model} is another version's, and numbers are never used twice; "
            f"bring the model as version {free}",
            reason="NumberTaken",
        )
    return result.model_copy(update={"number": number})


def registered(
    store: Store, run: Run, result: TrainingResult, *, graph: bytes, signature: Signature, documents: Documents
) -> TrainingResult:
    """The result as a record: kept in the store, and rooted for as long as there is its ModelVersion."""
    digest = store.add(graph)
    reports = documents.kept(store)
    artifact = Artifact(digest=digest, size=len(graph), uri=paths.blob(digest))
    used = [data.digest for data in result.lineage.data]
    used += [use.digest for use in result.lineage.components if use.digest is not None]
    if result.number is None:
        raise ValueError("a record has a number; claim it first")
    roots.hold_for_model(store, result.model, result.number, run, (digest, *reports.values(), *used))
    return result.model_copy(update={"artifact": artifact, "signature": signature, "reports": reports})
