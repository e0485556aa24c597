from __future__ import annotations

import threading

import msgspec
import pytest

from driving import prepare
from strategies import at, put, semantics
from streamspc.errors import Fatal
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import Place
from streamspc.roles.ends import AtStart, FromFile

ZERO, ONE = Place("source", 0), Place("source", 1)


@pytest.fixture
def kafka():
    """Two partitions, one of them empty."""
    made = MemoryKafka()
    prepare(made, semantics(), 2)
    put(made, 0, at(0), at(1))
    return made


def test_what_is_there_at_the_first_question_is_the_whole_log(kafka):
    """Later records change nothing, whoever asks."""
    ends = AtStart()
    first = ends.of("source", kafka.read([ZERO]))
    put(kafka, 1, at(2))

    assert first == {ZERO: 3, ONE: 0}
    assert ends.of("source", kafka.read([ONE])) == first


def test_all_who_ask_at_once_get_the_same(kafka):
    """Observe and gate share it in threads of their own: records that come between their questions leave no difference."""
    ends, answers, first = AtStart(), [], threading.Barrier(2)

    class Slow:
        """A consumer that has asked, and hears the answer when the other one has asked as well."""

        def __init__(self) -> None:
            self.real = kafka.read([ZERO])

        def partitions(self, topic):
            return self.real.partitions(topic)

        def bounds(self, places):
            with lock:
                put(kafka, 0, at(9))
                found = self.real.bounds(places)
            first.wait(5)
            return found

    lock = threading.Lock()
    threads = [threading.Thread(target=lambda: answers.append(ends.of("source", Slow()))) for _ in range(2)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(answers) == 2
    assert answers[0] == answers[1] == ends.of("source", kafka.read([ZERO]))


def test_a_file_says_nothing_before_it_is_there_and_holds_for_ever_after(kafka, tmp_path):
    """Once known, the ends do not change, though the file may."""
    path = tmp_path / "ends.json"
    ends, reader = FromFile(path), kafka.read([ZERO])
    assert ends.of("source", reader) is None
    path.write_bytes(msgspec.json.encode({"source": [2, 0], "other": [1]}))
    assert ends.of("source", reader) == {ZERO: 2, ONE: 0}
    path.unlink()

    assert ends.of("source", reader) == {ZERO: 2, ONE: 0}


@pytest.mark.parametrize("text", ["", "[]", '{"source": [1, "a"]}', '{"other": [1, 2]}', '{"source": [1]}', '{"source": [1, 2, 3]}'])
def test_a_file_that_does_not_fit_is_refused_by_name(kafka, tmp_path, text):
    """Also one with another number of partitions."""
    path = tmp_path / "ends.json"
    path.write_text(text)

    with pytest.raises(Fatal, match=r"ends\.json"):
        FromFile(path).of("source", kafka.read([ZERO]))
