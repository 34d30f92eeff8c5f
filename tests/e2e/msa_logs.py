"""What an MSA's log says became of each message: the tests' own reading of
Postfix's and Exim's lines, by regular expressions.

    Postfix(text).history("4jXHSD6dCsz1cMgb")   the Steps of a queue id

A Step is what waybill's history should hold: time in whole seconds, final
recipient, action (RFC 3886 3.3.3), status code, and the text."""

import calendar
import collections
import re
import time

Step = collections.namedtuple("Step", "time final action status text")

POSTFIX = re.compile(r"(?P<month>\w{3}) (?P<day>[ \d]\d) (?P<clock>[\d:]{8}) "
                     r"\S+ postfix/(?:[\w-]+/)?(?P<daemon>\w+)\[\d+\]: "
                     r"(?P<id>\w+): (?P<rest>.*)")
DELIVERY = re.compile(r"to=<(?P<to>[^<>]*)>, (?:orig_to=<(?P<was>[^<>]*)>, )?"
                      r"relay=(?P<relay>[^,]+), .*?dsn=(?P<dsn>[\d.]+), "
                      r"status=(?P<word>\w+) \((?P<text>.*)\)$")
ACTIONS = {"deferred": "delayed", "bounced": "failed", "expired": "failed"}


def postfix_time(found):
    """Postfix names no year: the last one in which it is not yet to come."""
    now = time.localtime()
    when = time.strptime(f"{now.tm_year} {found['month']} {found['day']} "
                         f"{found['clock']}", "%Y %b %d %H:%M:%S")
    if time.mktime(when) > time.time() + 86400:
        when = time.struct_time((now.tm_year - 1, *when[1:]))
    return int(time.mktime(when))


def once(steps):
    """In order, each of them once."""
    return list(dict.fromkeys(steps))


class Log:
    """steps: of each queue id; after: the ids that each goes on as; text:
    are status code and text compared, too?"""

    text = True

    def __init__(self):
        self.steps = collections.defaultdict(list)
        self.after = collections.defaultdict(list)

    def ids(self, queue_id):
        """A queue id and all that it goes on as."""
        found = [queue_id]
        for one in found:
            found += [other for other in self.after[one]
                      if other not in found]
        return found

    def history(self, queue_id):
        return sorted(once(step for one in self.ids(queue_id)
                           for step in self.steps[one]))

    def told(self, events):
        """The same of the events that XMTRK SHOW told; none is left out."""
        return sorted(Step(
            calendar.timegm(time.strptime(event["time"][:19],
                                          "%Y-%m-%dT%H:%M:%S")),
            event.get("final") or event["to"], event["action"],
            event.get("status", "") if self.text else "",
            event.get("text", "") if self.text else "")
            for event in events)


class Postfix(Log):
    """filters are the ports of content filters on this machine."""

    def __init__(self, text, filters=()):
        super().__init__()
        self.filters = [f"127.0.0.1[127.0.0.1]:{port}" for port in filters]
        for line in text.splitlines():
            found = POSTFIX.fullmatch(line)
            if found:
                self.read(found)

    def read(self, found):
        delivery = DELIVERY.match(found["rest"])
        if delivery:
            self.read_delivery(found, delivery)

    def read_delivery(self, found, delivery):
        next_id = re.search(r"queued as (\w+)$|^forwarded as (\w+)$",
                            delivery["text"])
        if delivery["word"] == "sent" and next_id and (
                delivery["relay"] in self.filters or next_id[2]):
            self.after[found["id"]].append(next_id[1] or next_id[2])
            return
        action = ACTIONS.get(delivery["word"])
        if action is None:
            action = "relayed" if found["daemon"] == "smtp" else "delivered"
        self.steps[found["id"]].append(Step(
            postfix_time(found), delivery["to"], action, delivery["dsn"],
            delivery["text"]))


EXIM = re.compile(r"(?P<when>[\d-]{10} [\d:]{8}) (?P<id>\w{6}-\w{6,11}-\w+) "
                  r"(?P<mark>=>|->|\*\*|==) (?P<rest>.*)")
EXIM_TO = re.compile(r"(?P<to>[^ :<]+)(?: <(?P<was>[^>]*)>)*"
                     r"(?P<fields>.*)")
MARKS = {"**": "failed", "==": "delayed"}


class Exim(Log):
    """Codes and texts are not read.  A content filter's transport is called
    scan."""

    text = False

    def __init__(self, text, filters=()):
        super().__init__()
        for line in text.splitlines():
            found = EXIM.fullmatch(line)
            if found:
                self.read_delivery(found, EXIM_TO.match(found["rest"]))

    def read_delivery(self, found, to):
        next_id = re.search(r' T=scan .*C="250 OK id=([\w-]+)"',
                            to["fields"])
        if next_id:
            self.after[found["id"]].append(next_id[1])
            return
        action = MARKS.get(found["mark"])
        if action is None:
            action = "relayed" if " H=" in to["fields"] else "delivered"
        when = int(time.mktime(time.strptime(found["when"],
                                             "%Y-%m-%d %H:%M:%S")))
        own = to["was"] and to["was"].partition("@")[0] == to["to"]
        self.steps[found["id"]].append(Step(
            when, to["was"] if own else to["to"], action, "", ""))
