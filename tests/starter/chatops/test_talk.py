"""What a chat is answered: in words that can be typed there."""

from __future__ import annotations

from starter.chatops.talk import refused


def test_a_refused_post_mortem_is_told_in_words_with_what_to_type() -> None:
    """What is missing in writing needs no code beside it, and a command is called as it is typed in a chat."""
    blocker = {"code": "undocumented", "message": "Action Items: still holds a placeholder; add it (add_action_item)."}
    refusal = {"code": "undocumented", "message": "Not complete.", "required_action": "File it again.", "blockers": [blocker]}

    assert refused(refusal) == "refused. Not complete. File it again.\n- Action Items: still holds a placeholder; add it (type action add)."
    assert refused({**refusal, "code": "already-closed", "blockers": []}) == "refused (already-closed). Not complete. File it again."
