"""The strict reading of MAIL and RCPT: what RFC 5321, 3461, 3885, 1870,
6152 and 6531 allow, and not an octet more."""

import base64
import re

KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
VALUE = re.compile(r"[\x21-\x3c\x3e-\x7e\u0080-\U0010ffff]+\Z")
XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+\Z")
PATH = re.compile(r'<(?:"(?:[^"\\\r\n]|\\.)*"|[^\s<>@"]+)@[^\s<>@]+>\Z')
CERTIFIER = re.compile(r"[A-Za-z0-9+/]{27}\Z")
MAX_LINE = 2048


class Refused(Exception):
    """reply is what the client is told; why goes into the record."""

    def __init__(self, why, reply="501 5.5.4 Syntax error in parameters"):
        super().__init__(why)
        self.reply = reply


def is_xtext(text):
    return bool(XTEXT.match(text))


def xtext_decode(text):
    octets = re.sub(rb"\+([0-9A-F]{2})",
                    lambda match: bytes([int(match.group(1), 16)]),
                    text.encode("utf-8", "surrogateescape"))
    return octets.decode("utf-8", "surrogateescape")


def split_command(argument, keyword):
    """(path, {parameter: value or None}) of what follows MAIL or RCPT."""
    argument = argument or ""
    if argument[:len(keyword)].upper() != keyword:
        raise Refused(f"no {keyword}", "501 5.5.2 Syntax error")
    # A quoted local part may hold blanks and angle brackets.
    match = re.match(r'<(?:[^"<>\s]|"(?:[^"\\]|\\.)*")*>',
                     argument[len(keyword):])
    if not match:
        raise Refused("the path is not in <>", "501 5.1.7 Bad address")
    rest = argument[len(keyword) + match.end():]
    if not rest:
        return match.group(), {}
    if not rest.startswith(" "):
        raise Refused("no blank before the parameters")
    parameters = {}
    for word in rest[1:].split(" "):
        name, equals, value = word.partition("=")
        if not KEYWORD.match(name):
            raise Refused(f"bad keyword in {word!r}")
        if equals and not VALUE.match(value):
            raise Refused(f"bad value in {word!r}")
        if name.upper() in parameters:
            raise Refused(f"{name} twice")
        parameters[name.upper()] = value if equals else None
    return match.group(), parameters


class Rules:
    """What may be sent to a hop with these capabilities."""

    def __init__(self, capabilities, orcpt_needed=True):
        self.capabilities = {line.split()[0].upper()
                             for line in capabilities if line}
        self.size = next((int(line.split()[1]) for line in capabilities
                          if re.match(r"SIZE \d+$", line, re.I)), 0)
        self.orcpt_needed = orcpt_needed

    def need(self, name, *capabilities):
        if not self.capabilities & set(capabilities):
            raise Refused(f"{name} was not offered",
                          f"555 5.5.4 {name} not recognized")

    def check_line(self, line):
        if len(line) > MAX_LINE:
            raise Refused(f"line of {len(line)} octets",
                          "500 5.5.2 Line too long")

    def check_path(self, path, utf8):
        if not path.isascii() and not utf8:
            raise Refused("non-ASCII path without SMTPUTF8",
                          "553 5.6.7 Address needs SMTPUTF8")
        if not PATH.match(path):
            raise Refused(f"bad path {path!r}", "501 5.1.3 Bad address")

    def mail(self, argument):
        """(path, parameters) of a MAIL command, or Refused."""
        path, parameters = split_command(argument, "FROM:")
        checks = {"SIZE": self.mail_size, "BODY": self.mail_body,
                  "SMTPUTF8": self.mail_smtputf8, "RET": self.mail_ret,
                  "ENVID": self.mail_envid, "MTRK": self.mail_mtrk,
                  "AUTH": self.mail_auth}
        for name, value in parameters.items():
            if name not in checks:
                raise Refused(f"unknown {name}",
                              f"555 5.5.4 {name} not recognized")
            checks[name](value)
        if path != "<>":
            self.check_path(path, "SMTPUTF8" in parameters)
        if "MTRK" in parameters:
            self.tracking_envid(parameters.get("ENVID"))
        return path, parameters

    def mail_size(self, value):
        self.need("SIZE", "SIZE")
        if not re.match(r"\d{1,20}\Z", value or ""):
            raise Refused(f"SIZE={value}")
        if self.size and int(value) > self.size:
            raise Refused(f"SIZE={value} is over the limit",
                          "552 5.3.4 Message too big")

    def mail_body(self, value):
        self.need("BODY", "8BITMIME")
        if (value or "").upper() not in ("7BIT", "8BITMIME"):
            raise Refused(f"BODY={value}")

    def mail_smtputf8(self, value):
        self.need("SMTPUTF8", "SMTPUTF8")
        if value is not None:
            raise Refused("SMTPUTF8 takes no value")

    def mail_ret(self, value):
        self.need("RET", "DSN")
        if (value or "").upper() not in ("FULL", "HDRS"):
            raise Refused(f"RET={value}")

    def mail_auth(self, value):
        self.need("AUTH", "AUTH")
        if not is_xtext(value or ""):
            raise Refused(f"AUTH={value}")

    def mail_envid(self, value):
        self.need("ENVID", "DSN", "MTRK")
        if not is_xtext(value or "") or len(value) > 100:
            raise Refused(f"ENVID={value}")

    def tracking_envid(self, value):
        """RFC 3885 3.2: local-envid "@" fqhn."""
        if value is None:
            raise Refused("MTRK without ENVID")
        local, _, host = value.rpartition("@")
        if not local or not host:
            raise Refused(f"ENVID={value} is not local@fqhn")

    def mail_mtrk(self, value):
        """RFC 3885 3.1: base64 of a SHA-1, unpadded, and the seconds."""
        self.need("MTRK", "MTRK")
        certifier, colon, seconds = (value or "").partition(":")
        if not CERTIFIER.match(certifier):
            raise Refused(f"certifier {certifier!r}")
        octets = base64.b64decode(certifier + "=")
        if base64.b64encode(octets).decode().rstrip("=") != certifier:
            raise Refused(f"certifier {certifier!r} has stray bits")
        if colon and not re.match(r"\d{1,9}\Z", seconds):
            raise Refused(f"MTRK timeout {seconds!r}")

    def rcpt(self, argument, mail):
        """(path, parameters) of RCPT; mail is MAIL's parameters."""
        path, parameters = split_command(argument, "TO:")
        utf8 = "SMTPUTF8" in mail
        self.check_path(path, utf8)
        for name, value in parameters.items():
            if name == "NOTIFY":
                self.rcpt_notify(value)
            elif name == "ORCPT":
                self.rcpt_orcpt(value, utf8)
            else:
                raise Refused(f"unknown {name}",
                              f"555 5.5.4 {name} not recognized")
        if self.orcpt_needed and "MTRK" in mail and "ORCPT" not in parameters:
            raise Refused("a tracked message's RCPT without ORCPT")
        return path, parameters

    def rcpt_notify(self, value):
        self.need("NOTIFY", "DSN")
        words = (value or "").upper().split(",")
        good = words == ["NEVER"] or (
            set(words) <= {"SUCCESS", "FAILURE", "DELAY"} and
            len(set(words)) == len(words))
        if not good:
            raise Refused(f"NOTIFY={value}")

    def rcpt_orcpt(self, value, utf8):
        """RFC 3461 4.2; RFC 6533 3 for the type utf-8."""
        self.need("ORCPT", "DSN", "MTRK")
        kind, semicolon, address = (value or "").partition(";")
        if not semicolon or not KEYWORD.match(kind) or len(value) > 500:
            raise Refused(f"ORCPT={value}")
        plain = address
        if kind.lower() == "utf-8":
            if utf8:
                plain = re.sub(r"[\u0080-\U0010ffff]", "x", plain)
            plain = re.sub(r"\\x\{[0-9A-F]{2,6}\}", "x", plain)
        if not is_xtext(plain):
            raise Refused(f"ORCPT={value} is not xtext")
        if kind.lower() in ("rfc822", "utf-8") and \
                "@" not in xtext_decode(plain):
            raise Refused(f"ORCPT={value} is no address")
