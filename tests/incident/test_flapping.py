# ruff: noqa: SIM300 - the house writes what is expected first
"""Which word on an alert is news, and when it flaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from incident.alerts import believed
from incident.flapping import Track, calmed, heard, still
from incident.routing import Flapping
from tests.incident.walk import alert

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
RULE = Flapping(changes=4, within=timedelta(minutes=10))


def told(*words: tuple[bool, int, int]) -> Track | None:
    """The track after words of (firing, episode, minute of arrival)."""
    track: Track | None = None
    for firing, episode, minute in words:
        starts_at = NOW + timedelta(minutes=episode)
        track = heard(track, firing=firing, starts_at=starts_at, now=NOW + timedelta(minutes=minute), rule=RULE) or track
    return track


def test_repeats_and_old_words_are_no_news() -> None:
    """A repeat of what is known, a beginning after its own end, and whatever is older, change nothing."""
    track = told((True, 1, 1), (False, 1, 2))

    for firing, episode in ((True, 1), (False, 1), (True, 0), (False, 0)):
        assert heard(track, firing=firing, starts_at=NOW + timedelta(minutes=episode), now=NOW, rule=RULE) is None


def test_a_beginning_ahead_of_our_clock_began_when_it_was_first_heard_of() -> None:
    """By what monitoring said, its repeats and its end are known; what began after it was heard of is news."""
    ahead = NOW + timedelta(hours=1)
    first = heard(None, firing=True, starts_at=NOW, said_at=ahead, now=NOW, rule=RULE)
    later, caught_up = NOW + timedelta(minutes=5), NOW + timedelta(minutes=61)

    assert heard(first, firing=True, starts_at=later, said_at=ahead, now=later, rule=RULE) is None
    assert heard(first, firing=True, starts_at=ahead, now=caught_up, rule=RULE) is None

    end = heard(first, firing=False, starts_at=ahead, now=caught_up, rule=RULE)
    assert end is not None

    assert (NOW, False) == (end.starts_at, end.firing)
    assert heard(end, firing=True, starts_at=ahead, now=caught_up, rule=RULE) is None

    news = heard(end, firing=True, starts_at=later, now=caught_up, rule=RULE)
    assert news is not None

    assert (later, True, None) == (news.starts_at, news.firing, news.said_at)


def test_words_of_a_clock_ahead_keep_its_order() -> None:
    """Its beginning, posted again after an end that is an hour ahead as well, does not burn again; a later outage does."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    first = heard(None, firing=True, starts_at=NOW, said_at=NOW + hour, now=NOW, rule=RULE)
    end = heard(first, firing=False, starts_at=NOW + minute, said_at=NOW + hour + minute, now=NOW + minute, rule=RULE)
    later = NOW + 2 * minute

    assert end is not None
    assert heard(end, firing=True, starts_at=later, said_at=NOW + hour, now=later, rule=RULE) is None
    assert heard(end, firing=True, starts_at=later, said_at=NOW + hour + 5 * minute, now=later, rule=RULE) is not None
    assert heard(end, firing=True, starts_at=later, now=later, rule=RULE) is not None, "the clock was put right meanwhile"


def test_a_mistaken_year_orders_nothing() -> None:
    """What lies further ahead than any clock hides no outage of one that is an hour ahead."""
    far = heard(None, firing=False, starts_at=NOW, said_at=NOW.replace(year=9999), now=NOW, rule=RULE)
    later = NOW + timedelta(minutes=1)

    assert heard(far, firing=True, starts_at=later, said_at=later + timedelta(hours=1), now=later, rule=RULE) is not None


def test_it_flaps_from_the_change_that_is_one_too_many() -> None:
    """Changes are counted by our clock, within the rule's time; every further one is counted on top."""
    words = [(number % 2 == 0, number // 2, number) for number in range(6)]
    found = [told(*words[:length]) for length in range(1, 7)]

    assert [False, False, False, True, True, True] == [track is not None and track.flapping for track in found]
    assert [0, 0, 0, 4, 5, 6] == [track.count for track in found if track is not None]


def test_slow_changes_never_flap() -> None:
    """As many changes over a longer time are an alert like others."""
    track = told(*((number % 2 == 0, number // 2, number * 5) for number in range(20)))

    assert track is not None
    assert not track.flapping


def test_it_is_over_after_as_long_a_silence() -> None:
    """What has been still for the rule's time flaps no more, and starts to count anew."""
    track = told(*((number % 2 == 0, number // 2, number) for number in range(6)))
    assert track is not None

    assert [False, True] == [still(track, track.changed_at + timedelta(minutes=minutes), RULE) for minutes in (9, 10)]
    assert (False, 0) == (calmed(track).flapping, calmed(track).count)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=40), st.integers(1, 4))
def test_saying_everything_again_changes_nothing(words: list[tuple[bool, int]], times: int) -> None:
    """Monitoring delivers at least once: whatever was told, told again in whole, is no news at all."""
    track: Track | None = None
    for firing, episode in words:
        track = heard(track, firing=firing, starts_at=NOW + timedelta(minutes=episode), now=NOW, rule=RULE) or track
    for firing, episode in words * times:
        newest = track is not None and episode == max(each for _, each in words)
        again = heard(track, firing=firing, starts_at=NOW + timedelta(minutes=episode), now=NOW, rule=RULE)

        assert again is None or (newest and not firing)
        track = again or track


@given(
    st.sampled_from([timedelta(hours=-1), timedelta(0), timedelta(hours=1), timedelta(hours=12)]),
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_whatever_its_clock_says_the_latest_word_stands(off: timedelta, words: list[tuple[int, bool]], random: Any) -> None:
    """However the words of a sender arrive, and again: the newest outage by its own clock burns until its end was told, and no longer."""
    delivered = [*words, *words]
    random.shuffle(delivered)
    track: Track | None = None
    for minute, (episode, firing) in enumerate(delivered, start=10):
        now = NOW + timedelta(minutes=minute)
        word = believed(alert(firing=firing, starts_at=NOW + off + timedelta(minutes=episode)), now)
        told = heard(track, firing=firing, starts_at=word.starts_at, said_at=word.said_at, now=now, rule=RULE)
        track = told or track
    newest = max(episode for episode, _ in words)

    assert track is not None
    assert ((newest, False) not in words) == track.firing
