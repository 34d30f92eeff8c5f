"""Postfix's own log (maillog_file) across `postfix logrotate`: postlogd makes
a file that only root can read, which the feed must say and get over."""

import os
import shutil

from waybill import RUN_AS


def submit(waybill, number):
    waybill.submit("alice", "bob@example.test",
                   f"Subject: {number}\r\nMessage-ID: <{number}@x.test>"
                   "\r\n\r\nhi\r\n")


def delivered(waybill, number):
    told = waybill.wait_track(lambda answer: answer["settled"],
                              f"<{number}@x.test>")
    assert [row["action"] for row in told["recipients"]] == ["delivered"]


def test_a_log_that_only_root_can_read(start_waybill, postfix):
    waybill = start_waybill(postfix, track={}, feed="postfix")
    submit(waybill, 1)
    postfix.postfix("logrotate")
    submit(waybill, 2)
    delivered(waybill, 1)
    line = waybill.wait_line(event="log-unreadable", timeout=30)
    assert str(postfix.log) in line["msg"]
    shutil.chown(postfix.log, RUN_AS["user_feed"])
    delivered(waybill, 2)
    waybill.wait_line(event="log-readable", timeout=30)
    assert len(waybill.history("<1@x.test>")) == 1


def test_a_log_that_was_made_before_postfix_opened_it(start_waybill, postfix):
    """As logrotate(8) does with `create 640`."""
    waybill = start_waybill(postfix, track={}, feed="postfix")
    submit(waybill, 1)
    rotated = postfix.log.with_name(postfix.log.name + ".1")
    postfix.log.rename(rotated)
    postfix.log.touch(mode=0o640)
    shutil.chown(postfix.log, "root", RUN_AS["user_feed"])
    postfix.postfix("reload")
    submit(waybill, 2)
    delivered(waybill, 1)
    delivered(waybill, 2)
    assert os.stat(postfix.log).st_mode & 0o777 == 0o640
    assert not waybill.lines(event="log-unreadable")
