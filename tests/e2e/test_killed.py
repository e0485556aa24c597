"""Killed -9 three times on the way: what is read committed is what a run without faults wrote."""

from __future__ import annotations

import signal

import pytest
from standardwebhooks.webhooks import Webhook

from e2e.compare import amiss, transitions
from e2e.outcome import judged, outcome, placed, said, tallies_begin
from e2e.stage import KEY, Progress, command

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]  # the runs that a module shares are in its first test


@pytest.fixture(scope="module")
def killed(source, application):
    """A run whose process is killed by how far observe is, by how far the gate is, and between a message and its answer."""
    with application("e2e-killed") as app:
        file = app.write(instance="one", batch_records=200, snapshot_every="1s")
        assert command("topics", "create", str(file)).returncode == 0
        groups = [f"{app.app}.orders.{role}" for role in ("observe", "gate")]
        observe, gate = (Progress(app.address, group, app.topic) for group in groups)
        shares = []
        for progress, share in ((observe, 0.2), (gate, 0.4)):
            daemon = app.start(file, "--until-end")
            daemon.until(lambda p=progress, s=share: p.share() > s, f"{share:.0%} of the source")
            daemon.kill()
            shares.append((observe.share(), gate.share()))
        daemon = app.start(file, "--until-end")
        daemon.until(lambda: gate.share() > 0.45, "45 % of the source")
        app.receivers.before_answer[f"/hook/{app.app}"] = daemon.kill
        assert daemon.wait() == -signal.SIGKILL, daemon.said()
        shares.append((observe.share(), gate.share()))
        assert app.start(file, "--until-end").wait() == 0, app.started[-1].said()
        observe.close()
        gate.close()
        yield app, outcome(file), shares


def test_the_kills_landed_on_the_way(killed):
    """Each kill found work done and work left; snapshots were taken on the way."""
    app, _, shares = killed

    assert [daemon.process.returncode for daemon in app.started] == [-signal.SIGKILL] * 3 + [0]
    assert all(observe > 0 for observe, _ in shares)
    assert all(gate < 0.95 for _, gate in shares), shares
    assert shares == sorted(set(shares))
    assert tallies_begin(app.file) > 0


def test_points_signals_and_verdicts_are_those_of_a_run_without_faults(killed, reference):
    """Points are the same bytes, signals and verdicts the same lists, in each chart partition."""
    out, expected = killed[1], reference[1]

    assert said(out.points) == said(expected.points)
    assert out.signals == expected.signals
    assert judged(out.verdicts) == judged(expected.verdicts)


def test_records_went_the_same_way(killed, reference):
    """Clean and quarantine hold the same records, once, in the same order, with the same headers."""
    out, expected = killed[1], reference[1]

    assert placed(out.clean) == placed(expected.clean)
    assert placed(out.quarantine) == placed(expected.quarantine)


def test_the_interrupted_message_is_repeated(killed):
    """The message that was on its way comes again with the same id and body; nothing else is told twice."""
    app, out, _ = killed
    hook = app.receivers.at(f"/hook/{app.app}")
    for delivery in hook:
        Webhook(KEY).verify(delivery.body, delivery.headers)
    told = transitions(hook)
    bodies = {(delivery.headers["webhook-id"], delivery.body) for delivery in hook}

    assert amiss(told, out) == []
    assert len(bodies) == len(told)
    assert len(hook) > len(told)
