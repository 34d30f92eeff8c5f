"""The house's own rules, read from what was built: one process, only its
libraries; and documents that name what there is."""

import re
import subprocess

import pytest

from waybill import ROOT, build_directory

# What each program may link; libc and the like go without saying.
LIBRARIES = {
    "sbin/waybilld": {"libevent_core", "libconfuse", "libcrypto"},
    "bin/waybillctl": {"libevent_core", "libconfuse", "libcrypto"},
    "bin/waybill": {"libconfuse", "libcares", "libssl", "libcrypto"},
    "libexec/waybill-proxy": {"libevent_core", "libevent_extra", "libssl",
                              "libcrypto"},
    "libexec/waybill-auth": {"libevent_core", "libsasl2", "libcrypto"},
    "libexec/waybill-keeper": {"libevent_core", "librocksdb", "libcrypto"},
    "libexec/waybill-track": {"libevent_core", "libssl", "libcrypto"},
}
ALWAYS = {"libc", "ld-linux-x86-64", "ld-linux-aarch64", "libm", "libpthread",
          "libasan", "libubsan", "libgcc_s", "libdl", "libresolv", "librt",
          "libstdc++"}


def linked(program):
    text = subprocess.run(["readelf", "-d", program], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    names = re.findall(r"\(NEEDED\).*\[(.*?)\.so", text)
    assert names, text
    return {re.sub(r"-[0-9.]+$", "", name) for name in names}


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_program_links_only_its_libraries(name):
    extra = linked(build_directory() / name) - LIBRARIES[name] - ALWAYS
    assert not extra


OPTION = re.compile(r'\bO\([A-Z]+,\s*(\w+),\s*((?:"[^"]*"\s*)+),')
HEADINGS = {"TOP": "OPTIONS OUTSIDE OF SECTIONS",
            "MSA_LOG": "Section log of msa"}


def words(text):
    """A value without what it is written with."""
    return re.findall(r"[^\s\"{},|]+", text)


def options():
    """Section, name and default of every option, as options.h lists them."""
    text = (ROOT / "conf" / "options.h").read_text().replace("\\\n", "\n")
    for part in re.split(r"#define CONF_OPTIONS_", text)[1:]:
        section = part.split("(", 1)[0]
        for name, default in OPTION.findall(part):
            yield section, name.rstrip("_"), words(
                re.sub(r'"\s+"', "", default))


def options_of_manual():
    """The same, as the manual has them."""
    text = (ROOT / "man" / "waybill.conf.5").read_text()
    text = re.sub(r"\\\(dq", '"', text)
    for part in re.split(r"^\.S[hs] ", text, flags=re.M)[1:]:
        heading, body = part.split("\n", 1)
        for item in re.split(r"^\.It Ic ", body, flags=re.M)[1:]:
            name, about = item.split("\n", 1)
            default = re.search(r"^Default: (.*?)\.$", about, re.M | re.S)
            yield heading, name, words(
                re.sub("^empty$", "", default[1]) if default else "")


def test_the_manual_has_every_option_with_its_default():
    wanted = [(HEADINGS.get(section, f"SECTION {section}"), name, default)
              for section, name, default in options()]
    assert len(wanted) > 60
    assert list(options_of_manual()) == wanted


def test_the_sample_names_every_option():
    sample = (ROOT / "conf" / "waybill.conf.sample").read_text()
    for section, name, _ in options():
        assert re.search(rf"\b{name}\b\s*=", sample), f"{section} {name}"


def test_the_sample_is_a_good_configuration_but_for_its_certificate():
    done = subprocess.run(
        [build_directory() / "sbin" / "waybilld", "-t", "-c",
         ROOT / "conf" / "waybill.conf.sample"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    mistakes = [line for line in done.stdout.splitlines()
                if "certificate" not in line and "key" not in line
                and "warning" not in line]
    assert not [line for line in mistakes if "waybill.conf.sample:" in line]


@pytest.mark.parametrize("program", sorted(
    name for name in LIBRARIES if not name.startswith("libexec")))
def test_help_and_version(program):
    path = build_directory() / program
    for flag, word in (("--help", "usage"), ("--version", "0.1")):
        done = subprocess.run([path, flag], text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0
        assert word in done.stdout


@pytest.mark.parametrize("program", sorted(
    name for name in LIBRARIES if not name.startswith("libexec")))
def test_help_and_manual_have_the_same_options(program):
    name = program.rsplit("/", 1)[1]
    said = subprocess.run([build_directory() / program, "--help"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    page, = (ROOT / "man").glob(f"{name}.[0-9]")
    items = re.findall(r"^\.It Fl (.*)$", page.read_text(), re.M)
    listed = {option for item in items
              for option in re.findall(r"(?:^|Fl )-([a-z-]+)", item)}
    assert listed == set(re.findall(r"--([a-z-]+)", said))


@pytest.mark.parametrize("program", sorted(
    name for name in LIBRARIES if name.startswith("libexec")))
def test_a_child_says_who_starts_it(program):
    done = subprocess.run([build_directory() / program], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "waybilld" in done.stdout


@pytest.mark.parametrize("page", sorted(
    path.name for path in (ROOT / "man").iterdir()))
def test_manual_pages_are_well_formed(page):
    done = subprocess.run(["man", "--warnings", "-l", "-Tutf8",
                           ROOT / "man" / page], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0
    assert not done.stderr
    assert len(done.stdout.splitlines()) > 30
