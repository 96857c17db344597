"""The ledger: what is stored is found again, for the same facts only."""

import errno
import json

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.files import temporaries
from ganwalk.ledger import Job, Ledger

JOB = Job("rtd-3", {"settings": {"steps": 5, "layers": (0, 1)}, "seed": 3}, print)


def changed(**facts):
    return Job("rtd-3", {**JOB.facts, **facts}, print)


def test_a_stored_result_is_found_again(tmp_path):
    ledger = Ledger(tmp_path)
    assert ledger.find(JOB) is None
    ledger.store(JOB, [1, None])
    assert ledger.find(JOB).result == [1, None]
    assert [path.name for path in (tmp_path / "rtd-3").iterdir()] == ["run.json"]


def test_facts_that_differ_are_named(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.store(JOB, 1)
    for other, names in (
        (changed(settings={"steps": 6, "layers": (0, 1)}), "settings.steps"),
        (changed(settings={"steps": 5, "layers": None, "more": 1}, seed=4), "seed, settings.layers, settings.more"),
        (Job("rtd-3", {"seed": 3}, print), "settings"),
    ):
        with pytest.raises(
            GanwalkError, match=f"another {names}: resume with its options, start anew with --force, or"
        ):
            ledger.find(other)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"facts": 1, "result": 2}', "[" * 100_000, '{"facts": {}}', "\0"])
def test_damage_is_one_line(tmp_path, text):
    ledger = Ledger(tmp_path)
    ledger.store(JOB, 1)
    (tmp_path / "rtd-3" / "run.json").write_text(text)
    with pytest.raises(GanwalkError, match="is damaged: remove its folder, or start anew with --force"):
        ledger.find(JOB)


def test_older_documents_are_upgraded(tmp_path):
    def upgrade(document):
        return {**document, "facts": {"seed": 0, **document["facts"]}}

    (tmp_path / "rtd-3").mkdir()
    (tmp_path / "rtd-3" / "run.json").write_text(json.dumps({"facts": {"settings": 1}, "result": 7}))
    wanted = Job("rtd-3", {"settings": 1, "seed": 0}, print)
    with pytest.raises(GanwalkError, match="another seed"):
        Ledger(tmp_path).find(wanted)
    assert Ledger(tmp_path, upgrade=upgrade).find(wanted).result == 7


def test_opening_anew_removes_what_jobs_leave_and_nothing_else(tmp_path):
    ledger = Ledger(tmp_path, leaves=("checkpoint*.pt",))
    ledger.store(JOB, 1)
    for name in ("checkpoint.pt", "checkpoint-1.pt", "notes.txt"):
        (tmp_path / "rtd-3" / name).write_text("")
    ledger.open(JOB, resume=True)
    assert ledger.find(JOB).result == 1
    with ledger.claim(JOB) as mine:
        assert mine
        ledger.open(JOB, resume=False)
    # Somebody else was at it.
    assert ledger.find(JOB).result == 1
    ledger.open(JOB, resume=False)
    assert [path.name for path in (tmp_path / "rtd-3").iterdir()] == ["notes.txt"]


def test_results_kept_elsewhere_are_adopted_for_the_same_facts_only(tmp_path):
    ledger = Ledger(tmp_path)
    with pytest.raises(GanwalkError, match=r"a\.json belongs to a run with another seed: remove it to run it again"):
        ledger.adopt(JOB, {**JOB.facts, "seed": 4}, 1, "a.json")
    assert ledger.find(JOB) is None
    for result in (1, 2):
        ledger.adopt(JOB, JOB.facts, result, "a.json")
        assert ledger.find(JOB).result == 1


def test_why_a_job_failed_is_told_where_it_cannot_be_kept(tmp_path, monkeypatch):
    """What failed may be the disk, which is still full then."""
    ledger = Ledger(tmp_path)
    ledger.folder(JOB).mkdir()

    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(temporaries.tempfile, "mkstemp", full)
    assert ledger.fail(JOB, GanwalkError("cannot write directions")) == "cannot write directions"
    assert ledger.failure(JOB) is None
