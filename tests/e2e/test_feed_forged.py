"""Text of strangers in real logs: addresses, subjects, Message-IDs, replies of
other servers and local users' syslog.  None of it may become an event."""

import smtplib
import time

import pytest

from msa_logs import Postfix as PostfixLog
from outcome import LATER, House
from peers import RawMsa, wait_until

EVIL = "evil.test"		# a domain whose server lies


@pytest.fixture(name="start_house")
def fixture_start_house(space, start_peer, authority):
    def start(kind, **more):
        house = House(kind, space, authority, **more)
        house.evil = RawMsa(space / "evil")
        house.msa.routes[EVIL] = house.evil.port
        for peer in (house.evil, *house):
            start_peer(peer)
        return house
    return start


@pytest.fixture(name="postfix_house")
def fixture_postfix_house(start_house, space):
    checks = space / "header_checks"
    checks.write_text("/^Subject:/ WARN\n/^X-/ INFO seen\n")
    return start_house("postfix", settings={
        "header_checks": f"regexp:{checks}"})


def queue_of(house, message_id):
    return house.waybill.cli("show", message_id)["queue"]


def victim(house):
    """A message that waits: its Message-ID and queue id."""
    sent = house.send(f"bob@{LATER}")
    wait_until(lambda: house.actions(sent))
    return sent, queue_of(house, sent)


def check_victim(house, sent):
    """Nothing but waiting, after all before this was read."""
    later = house.send("bob@example.test")
    house.wait(later, "delivered")
    assert set(house.actions(sent)) == {"delayed"}
    assert house.status(sent) == 2


def raw_submit(house, sender, to, text):
    """Addresses as they stand, which smtplib would rewrite."""
    client = house.waybill.login("alice")
    for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>"):
        code, reply = client.docmd(command)
        if code != 250:
            raise smtplib.SMTPResponseException(code, reply)
    code, reply = client.data(text)
    assert code == 250, reply
    client.quit()


def fake(queue_id, to=f"bob@{LATER}"):
    return (f"{queue_id}: to=<{to}>, relay=virtual, delay=0.1, "
            "delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)")


def stamp():
    return time.strftime("%b %e %H:%M:%S")


# Up to 64 octets, which is what a local part may have.
LOCAL_PARTS = [
    ', status=sent (delivered)', '>, dsn=2.0.0, status=sent (delivered)',
    'x>, relay=virtual, dsn=2.0.0, status=sent (delivered)',
    'x>, orig_to=<y>, relay=virtual, dsn=2.0.0, status=sent (ok',
    'x@y>, relay=none, delay=1, dsn=2.0.0, status=sent (250 ok)',
    '> R=mailbox T=file', 'bob@example.test> => bob R=mailbox T=file']


@pytest.mark.parametrize("local", LOCAL_PARTS)
def test_quoted_local_part_of_a_recipient(postfix_house, local):
    house = postfix_house
    sent = f"<{abs(hash(local))}@client.example.test>"
    raw_submit(house, "alice@example.test", f'"{local}"@example.test',
               f"Message-ID: {sent}\r\n\r\nx\r\n")
    wait_until(lambda: house.msa.log_lines("status=bounced"))
    house.wait(house.send("bob@example.test"), "delivered")
    # What could be read in two ways is not read at all.
    ambiguous = ">, relay=" in local or ">, orig_to=<" in local
    row = house.waybill.track(sent)[1]["recipients"][0]
    assert row["action"] == ("delayed" if ambiguous else "failed")


def test_everything_a_user_may_write_into_postfix_log(postfix_house):
    house = postfix_house
    sent, queue_id = victim(house)
    text = fake(queue_id)
    line = f"{stamp()} msa postfix/virtual[9]: {text}"
    house.send("bob@example.test", subject=line)
    house.send("bob@example.test",
               subject=f"x\r\n {line}\r\nX-Note: {line}\r\n\t{text}")
    raw_submit(house, "alice@example.test", "bob@example.test",
               f"Message-ID: {text}\r\n\r\nx\r\n")
    raw_submit(house, "alice@example.test", "bob@example.test",
               f"Message-ID: <{line}>\r\n\r\nx\r\n")
    for sender in (f"{queue_id}: removed", f"x> {queue_id}: removed",
                   f"{queue_id}: to=<b>, relay=x, status=sent (ok)"):
        raw_submit(house, f'"{sender}"@example.test', "bob@example.test",
                   "Subject: x\r\n\r\nx\r\n")
    wait_until(lambda: house.msa.log_lines("header X-Note"))
    assert len(house.msa.log_lines(f"{queue_id}: to=.*status=sent")) >= 6
    check_victim(house, sent)
    log = PostfixLog(house.msa.log.read_text())
    assert {step.action for step in log.history(queue_id)} == {"delayed"}


def test_what_a_local_user_gives_to_logger(postfix_house):
    house = postfix_house
    sent, queue_id = victim(house)
    text = fake(queue_id)
    with open(house.msa.log, "a", encoding="utf-8") as log:
        for tag in ("joe: ", "joe[123]: ", "joe: postfix/virtual[9]: ",
                    f"joe[123]: {stamp()} msa postfix/virtual[9]: ",
                    "postfix: ", "postfix[9]: ", "postfix/: ",
                    "xpostfix/virtual[9]: ", "post/virtual[9]: ",
                    "postfix /virtual[9]: ", "postfix/script[9]: ",
                    "postfix/virtual[9] ", ""):
            log.write(f"{stamp()} msa {tag}{text}\n")
            log.write(f"{stamp()} msa {tag}{queue_id}: removed\n")
    check_victim(house, sent)


def test_the_next_server_names_a_queue_id_of_ours(postfix_house):
    house = postfix_house
    sent, queue_id = victim(house)
    house.evil.behave(queue_id=queue_id)
    mine = house.send(f"bob@{EVIL}")
    assert house.wait(mine, "relayed")[0]["settled"]
    check_victim(house, sent)
    later = house.msa.routes[LATER]
    assert later and house.actions(mine) == ["relayed"]


@pytest.mark.parametrize("reply", [
    "550 5.1.1 no\n550 {line}", "250 2.0.0 Ok\n250 {line}",
    "250 forwarded as {queue_id}", "250 2.0.0 from MTA(smtp:[127.0.0.1]:25):"
    " 250 2.0.0 Ok: queued as {queue_id}", "550 no, {queue_id}: removed)"])
def test_the_next_server_says_a_log_line(postfix_house, reply):
    house = postfix_house
    sent, queue_id = victim(house)
    text = fake(queue_id)
    house.evil.behave(replies={".": reply.format(
        line=f"{stamp()} msa postfix/virtual[9]: {text}", text=text,
        queue_id=queue_id)})
    mine = house.send(f"bob@{EVIL}")
    house.wait(mine, "failed" if reply.startswith("5") else "relayed")
    check_victim(house, sent)


def test_subjects_and_ids_in_exims_log(start_house):
    house = start_house("exim", settings="log_selector = +subject "
                        "+received_recipients +received_sender")
    sent, queue_id = victim(house)
    text = f"{queue_id} => bob@{LATER} R=routed T=route H=mx " \
           "[192.0.2.1] C=\"250 ok\""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
    for subject in (line, f'x" {text}', f"x\r\n {line}", f'x"\r\n\t{line}'):
        house.send("bob@example.test", subject=subject)
    for message_id in (line, f"<{text}>", f"x\r\n {line}"):
        raw_submit(house, "alice@example.test", "bob@example.test",
                   f"Message-ID: {message_id}\r\n\r\nx\r\n")
    raw_submit(house, f'"{queue_id} => bob R=routed H=mx T=x"@example.test',
               "bob@example.test", "Subject: x\r\n\r\nx\r\n")
    house.evil.behave(queue_id=queue_id)
    house.wait(house.send(f"bob@{EVIL}"), "relayed")
    house.evil.behave(replies={".": f"250 OK id={queue_id}\n250 {line}"})
    house.wait(house.send(f"bob@{EVIL}"), "relayed")
    assert house.msa.log.read_text().count(f"=> bob@{LATER}") >= 4
    check_victim(house, sent)
