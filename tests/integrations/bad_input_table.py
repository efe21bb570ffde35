"""What vendors and people do to us on a bad day: adapter by case, and the test that holds each.

`docs/testing.md` shows it; `test_bad_input_table` holds the two together, and that each test is there.
"""

from __future__ import annotations

from collections.abc import Iterator

CASES = {
    "revoked": "credentials revoked or wrong",
    "closed": "the place archived, closed or gone",
    "deleted": "what we made there deleted",
    "long": "a text of 40 kB",
    "taken": "a name or key that is taken",
    "web page": "a web page in the vendor's place",
}

NONE = "-"
"""The case can't occur: the note at the adapter says why."""

_LINE = "test_fault_proxy::TestVendors::test_a_spoiled_answer_is_an_error_of_its_kind_and_people_see_it_once"
_PLACE = "test_bad_input_table::test_a_place_that_is_closed_is_final_and_named"
_TRACKERS = "test_trackers::"
_PAGES = "test_port_contracts::TestPagers::test_a_40_kb_page_goes_out"

TABLE: dict[str, dict[str, str]] = {
    "Slack": {
        "revoked": "test_slack::test_a_revoked_token_is_named_without_it",
        "closed": "test_slack::test_an_archived_channel_is_named",
        "deleted": "test_slack::test_a_card_that_somebody_has_deleted_keeps_nobody_from_reading_on",
        "long": "test_slack::test_a_40_kb_message_is_shortened_and_leads_to_the_whole",
        "taken": "test_slack::test_a_name_that_is_taken_is_left_to_whoever_has_it",
        "web page": _LINE,
    },
    "Matrix": {
        "revoked": "test_matrix::test_a_revoked_token_is_named_without_it",
        "closed": "test_matrix::test_a_room_that_we_were_put_out_of_is_named",
        "deleted": "test_matrix::test_a_room_that_is_gone_is_named",
        "long": "test_matrix::test_a_40_kb_message_is_shortened_and_leads_to_the_whole",
        "taken": "test_matrix::test_a_name_that_people_have_taken_is_left_to_them",
        "web page": "test_fault_proxy::TestRealSynapse::test_a_spoiled_answer_is_an_error_of_its_kind_and_people_see_it_once",
    },
    "Webhook": {
        "revoked": _LINE,
        "closed": _PLACE,
        "deleted": NONE,
        "long": "test_chat_webhook::test_a_40_kb_message_is_shortened",
        "taken": NONE,
        "web page": "test_chat_webhook::test_a_friendly_page_is_no_yes",
    },
    "Statuspage": {
        "revoked": "test_statuspage::test_a_revoked_key_is_named_without_it",
        "closed": "test_statuspage::test_a_component_that_is_gone_does_not_silence_the_page",
        "deleted": "test_bad_input::test_a_public_entry_that_somebody_deleted_is_opened_again",
        "long": "test_statuspage::test_a_40_kb_update_is_shortened_to_what_the_page_takes",
        "taken": NONE,
        "web page": _LINE,
    },
    "Jira": {
        "revoked": _TRACKERS + "test_a_revoked_token_is_named_and_the_doctor_says_what_to_do",
        "closed": _PLACE,
        "deleted": _TRACKERS + "test_a_deleted_ticket_is_as_closed_as_can_be",
        "long": _TRACKERS + "test_a_40_kb_body_is_shortened_to_what_the_tracker_takes",
        "taken": NONE,
        "web page": _LINE,
    },
    "GitHub": {
        "revoked": _TRACKERS + "test_a_revoked_token_is_named_and_the_doctor_says_what_to_do",
        "closed": _PLACE,
        "deleted": _TRACKERS + "test_a_deleted_ticket_is_as_closed_as_can_be",
        "long": _TRACKERS + "test_a_40_kb_body_is_shortened_to_what_the_tracker_takes",
        "taken": "test_bad_input_table::test_a_label_that_is_there_already_is_used",
        "web page": _LINE,
    },
    "Roundup": {
        "revoked": _TRACKERS + "test_a_wrong_password_at_roundup_is_unauthorized",
        "closed": _TRACKERS + "test_a_schema_without_our_key_is_told_by_the_doctor",
        "deleted": "test_bad_input::test_closing_a_ticket_that_was_deleted_at_roundup_is_no_error",
        "long": "test_bad_input::test_a_40_kb_body_is_filed_at_roundup",
        "taken": _TRACKERS + "test_roundup_itself_refuses_a_second_ticket",
        "web page": "test_fault_proxy::TestRealRoundup::test_a_spoiled_answer_is_an_error_of_its_kind_and_people_see_it_once",
    },
    "Redmine": {
        "revoked": _LINE,
        "closed": _PLACE,
        "deleted": "test_bad_input::test_a_ticket_that_was_deleted_at_redmine_is_as_closed_as_can_be",
        "long": "test_bad_input::test_a_ticket_that_was_deleted_at_redmine_is_as_closed_as_can_be",
        "taken": NONE,
        "web page": _LINE,
    },
    "PagerDuty": {
        "revoked": "test_bad_input_table::test_a_routing_key_that_is_gone_names_the_setting_and_not_itself",
        "closed": _LINE,
        "deleted": "test_bad_input_table::test_an_alert_that_pagerduty_has_forgotten_is_stood_down",
        "long": "test_paging::test_a_40_kb_page_is_shortened_to_what_pagerduty_takes",
        "taken": NONE,
        "web page": _LINE,
    },
    "Mail": {
        "revoked": "test_paging::test_a_login_that_is_refused_is_named_without_the_password",
        "closed": "test_paging::test_every_trouble_of_a_mail_server_is_one_of_our_errors",
        "deleted": NONE,
        "long": _PAGES,
        "taken": NONE,
        "web page": "test_bad_input_table::test_a_web_server_in_the_place_of_a_mail_server_has_taken_nothing",
    },
    "Apprise": {
        "revoked": _LINE,
        "closed": _LINE,
        "deleted": NONE,
        "long": _PAGES,
        "taken": NONE,
        "web page": _LINE,
    },
    "Git": {
        "revoked": "test_archives_outside::test_only_a_remote_that_does_not_let_us_in_is_final",
        "closed": "test_archives_outside::test_the_doctor_looks_at_the_repository",
        "deleted": "test_archives_outside::test_a_remote_that_begins_anew_gets_everything_again",
        "long": "test_archives_outside::TestGit::test_a_document_is_kept_as_it_is",
        "taken": "test_archives_outside::test_two_machines_add_to_one_repository",
        "web page": "test_bad_input_table::test_a_web_page_in_the_place_of_a_repository_is_no_repository",
    },
    "S3": {
        "revoked": "test_archives_outside::test_a_status_is_an_error_of_its_kind",
        "closed": "test_archives_outside::test_a_bucket_that_is_gone_is_named",
        "deleted": "test_bad_input_table::test_a_document_that_somebody_deleted_from_the_bucket_is_stored_again",
        "long": "test_archives_outside::TestS3::test_a_document_is_kept_as_it_is",
        "taken": "test_archives_outside::test_a_content_that_is_replaced_is_kept",
        "web page": "test_fault_proxy::TestStore::test_a_spoiled_answer_is_an_error_of_its_kind_and_people_see_it_once",
    },
    "Calendar": {
        "revoked": "test_invitations::test_a_login_that_is_refused_is_named_without_the_password",
        "closed": "test_invitations::TestInvitations::test_a_refusal_is_final",
        "deleted": NONE,
        "long": "test_invitations::test_a_40_kb_invitation_goes_out",
        "taken": "test_invitations::test_another_date_moves_the_meeting",
        "web page": "test_invitations::test_a_web_server_in_the_place_of_a_mail_server_has_invited_nobody",
    },
    "On-call feed": {
        "revoked": _LINE,
        "closed": _LINE,
        "deleted": "test_icalendar::test_a_feed_that_is_away_leaves_the_last_good_one_in_force",
        "long": "test_icalendar::test_a_name_of_40_kb_is_no_page_of_its_own",
        "taken": NONE,
        "web page": "test_icalendar::test_a_feed_that_is_away_leaves_the_last_good_one_in_force",
    },
    "Prometheus": {"revoked": _LINE, "closed": _LINE, "deleted": NONE, "long": NONE, "taken": NONE, "web page": _LINE},
    "Alertmanager": {"revoked": _LINE, "closed": _LINE, "deleted": NONE, "long": NONE, "taken": NONE, "web page": _LINE},
    "Model": {
        "revoked": "test_agent::test_every_failure_is_one_of_our_errors",
        "closed": "test_agent::test_every_failure_is_one_of_our_errors",
        "deleted": NONE,
        "long": "test_bad_input::test_a_request_of_40_kb_reaches_the_machine_as_bounded_data",
        "taken": NONE,
        "web page": "test_agent::test_rubbish_and_silence_are_errors",
    },
}

WHY_NOT = {
    "Webhook": "posts only: it makes nothing that has a name or could be found again",
    "Statuspage": "entries have no names of their own",
    "Jira": "issues have no names of their own",
    "Redmine": "issues have no names of their own",
    "PagerDuty": "a key that comes again is the same alert, which is what we want",
    "Mail": "what is sent is sent, and has no name",
    "Apprise": "what is sent is sent, and has no name",
    "Calendar": "an invitation that is sent is in people's own calendars",
    "On-call feed": "it is read, and makes nothing",
    "Prometheus": "it is asked, and makes nothing",
    "Alertmanager": "it is asked, and makes nothing",
    "Model": "it is asked, and makes nothing",
}


_SPOILED = "test_a_spoiled_answer_is_an_error_of_its_kind_and_people_see_it_once"
_MAIL = "test_mail_line::test_wherever_the_line_goes_bad_a_mailbox_shows_one_mail"

LINES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "Slack": ((_LINE,), ("slack",), "once"),
    "Matrix": ((f"test_fault_proxy::TestRealSynapse::{_SPOILED}",), (), "once, at a real Synapse"),
    "Webhook": ((_LINE,), ("webhook",), "twice, where the vendor does not look at the key that it is given"),
    "Statuspage": ((_LINE,), ("statuspage",), "once"),
    "Jira": ((_LINE,), ("jira", "jira, changing"), "once"),
    "GitHub": ((_LINE,), ("github", "github, changing"), "once"),
    "Roundup": (
        (f"test_fault_proxy::TestRealRoundup::{_SPOILED}", f"test_fault_proxy::TestRealRoundupChanging::{_SPOILED}"),
        (),
        "once, at a real Roundup",
    ),
    "Redmine": ((_LINE,), ("redmine", "redmine, changing"), "once"),
    "PagerDuty": ((_LINE,), ("pagerduty",), "once"),
    "Mail": ((_MAIL,), (), "once, in a mailbox that shows a Message-ID once; each step of the talk is spoiled for itself"),
    "Apprise": ((_LINE,), ("apprise",), "twice; the library says whether a service took it, and reads no answer's body"),
    "Git": (
        (f"test_fault_proxy::TestRepository::{_SPOILED}", "test_archives_outside::test_only_a_remote_that_does_not_let_us_in_is_final"),
        (),
        "once, at a real repository over HTTP",
    ),
    "S3": ((f"test_fault_proxy::TestStore::{_SPOILED}",), (), "once, at a real store"),
    "Folder": (
        ("test_archive::test_a_try_that_broke_off_half_way_leaves_no_double",),
        (),
        "once; there is no line, but a disk that is full",
    ),
    "Calendar": ((_MAIL,), (), "one meeting, by its UID"),
    "Rota file": (("test_rota::test_a_broken_edit_takes_nobody_off_call",), (), "it is read; there is no line, but a broken edit"),
    "On-call feed": ((_LINE,), ("icalendar",), "it is read; the last good one stays in force"),
    "Prometheus": ((_LINE,), ("prometheus",), "it is read"),
    "Alertmanager": ((_LINE,), ("alertmanager",), "it is read"),
    "Model": ((_LINE,), ("model",), "it is asked anew"),
}
"""Of each adapter the tests that put it behind a line that goes bad, which of the vendors there, and what a lost answer comes to."""


def lines() -> Iterator[str]:
    """The table of bad lines as `docs/testing.md` has it."""
    yield "| | The tests, each with every fault | What people see of something whose answer was lost, in the end |"
    yield "|---|---|---|"
    for adapter, (tests, vendors, seen) in LINES.items():
        which = f" ({'; '.join(vendors)})" if vendors else ""
        yield f"| {adapter} | {' '.join(f'`{test}`' for test in tests)}{which} | {seen} |"


def rows() -> Iterator[str]:
    """The table as `docs/testing.md` has it."""
    yield f"| | {' | '.join(CASES.values())} |"
    yield "|---" * (len(CASES) + 1) + "|"
    for adapter, cells in TABLE.items():
        shown = [NONE if cells[case] == NONE else f"`{cells[case]}`" for case in CASES]
        yield f"| {adapter} | {' | '.join(shown)} |"
