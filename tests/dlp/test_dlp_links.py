"""Links: no renderer finds a way to a host that is not allowed, whatever the address is written like, and code stays as it is."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.links import REMOVED, RULE_HIDDEN, RULE_LINK, TooManyLinksError, check_hosts, defanged, elsewhere

HOSTS = ("docs.example.org", ".wiki.example.org")


def treated(text: str) -> str:
    out, last = [], 0
    for one in elsewhere(text, HOSTS):
        out += [text[last : one.start], defanged(one.rule, text[one.start : one.end])]
        last = one.end
    return "".join([*out, text[last:]])


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://docs.example.org/x?y=1#z)",
        "[a](https://docs.example.org:8443)",
        "![a](//docs.example.org/p.png)",
        "![a](https://en.wiki.example.org/p.png)",
        "[a](guide.md) [b](#part) [c](/root) [d](../up)",
        "[m](mailto:anna@example.org) [t](tel:+4930)",
        "see https://elsewhere.test/page for more",
        "handlers[name](event) and x[1]: int = 3 and f[0](https)",
        "std::vector<std::string> v; fn f<T: Clone>(t: T)",
        "d = {'a': [1]}; if a[i]: return b",
        "data = fetch(url=elsewhere)",
        "1 < 2 and data='https://elsewhere.test'",
    ],
)
def test_what_leads_nowhere_else_is_untouched(text: str) -> None:
    assert elsewhere(text, HOSTS) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![x](https://evil.test/?q=1)", "![x](hxxps://evil[.]test/?q=1)"),
        ("[x](HTTP://evil.test)", "[x](hxxp://evil[.]test)"),
        ("![x](//evil.test/p)", "![x](hxxps://evil[.]test/p)"),
        ("[x]: https://evil.test/p", "[x]: hxxps://evil[.]test/p"),
        ("<https://evil.test/p>", "<hxxps://evil[.]test/p>"),
        ("[x](https://evil.test:8443/p)", "[x](hxxps://evil[.]test:8443/p)"),
        ("[x](https://docs.example.org.evil.test/)", "[x](hxxps://docs[.]example[.]org[.]evil[.]test/)"),
        ("[x](https://wiki.example.org/)", "[x](hxxps://wiki[.]example[.]org/)"),
    ],
)
def test_a_host_elsewhere_is_written_so_that_nothing_follows_it(text: str, expected: str) -> None:
    assert treated(text) == expected
    assert elsewhere(text, HOSTS)[0].rule == RULE_LINK


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://docs.example.org@evil.test/)",
        "![x](https://docs.example.org:80@evil.test/)",
        "![x](https:\\\\evil.test/)",
        "![x](https:/evil.test/)",
        "![x](&#104;ttps://evil.test/)",
        "![x](https&colon;//evil.test/)",
        "![x](\\//evil.test/)",
        "![x](https://e\u0432il.test/)",
        "![x](https://ev%69l.test/)",
        "[x](javascript:alert)",
        "[x](data:text/html;base64,eA==)",
        "[x](vscode://file/x)",
        "<javascript:alert(1)>",
        "<a href='ht\ttps://evil.test/'>",
        "![x](" + " " * 500 + "https:evil.test)",
        "![x](\n<https://[::1]/x>)",
    ],
)
def test_an_address_that_hides_its_host_is_removed(text: str) -> None:
    assert [one.rule for one in elsewhere(text, HOSTS)] == [RULE_HIDDEN]
    assert "evil.test" not in treated(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("![x](https://evil.test/p)", 1),
        ("![a [b] c](https://evil.test/p)", 1),
        ("[![x](https://evil.test/p)](https://evil.test)", 2),
        ("![x][r] and\n\n[r]: https://evil.test/p", 1),
        ("<b style='background:url(https://evil.test/p)'>", 1),
        ("[x](https://evil.test/p) <https://evil.test>", 0),
        ("look![1] at x\n\n[x](https://evil.test/p)", 0),
        ("[r]: https://evil.test/p", 0),
        ("![a](https://evil.test/p)\n\n[x](https://evil.test/q)", 1),
        ("![a](https://evil.test/p) and [x](https://evil.test/q)", 2),
        ("<a href='https://evil.test'>", 0),
    ],
)
def test_without_a_list_only_what_is_fetched_by_itself(text: str, found: int) -> None:
    assert len(elsewhere(text, None)) == found


@pytest.mark.parametrize(
    "host",
    [
        "https://example.org",
        "*.example.org",
        "example.org/docs",
        "example.org:443",
        "a@example.org",
        "",
        ".",
        "ex ample.org",
        "e..org",
        "e.org.",
    ],
)
def test_what_is_no_host_is_not_taken_for_one(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"links\[1\]") as refused:
        check_hosts(("example.org", host))
    assert not host.strip(".") or host not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["[x](https://evildocs.example.org/)", "[x](https://wiki.example.org/)", "[x](https://docs.example.org.evil/)"]
)
def test_a_name_is_not_that_of_what_ends_like_it(text: str) -> None:
    assert [one.rule for one in elsewhere(text, HOSTS)] == [RULE_LINK]


@pytest.mark.parametrize("host", ["", "."])
def test_an_empty_entry_allows_nothing(host: str) -> None:
    assert [one.rule for one in elsewhere("[x](https://[::1]/)", (host,))] == [RULE_HIDDEN]
    assert [one.rule for one in elsewhere("[x](https://evil.test./)", (host,))] == [RULE_LINK]


def test_hosts_are_names_and_suffixes() -> None:
    check_hosts(None)
    check_hosts((*HOSTS, "localhost", "Docs.Example.ORG", "xn--bcher-kva.example", "10.0.0.7"))


def test_nothing_of_the_address_is_kept_in_the_finding() -> None:
    (found,) = elsewhere("![x](https://evil.test/?q=hunter2)", HOSTS)
    assert found.evidence == ""


_pieces = st.sampled_from(
    [
        "[",
        "]",
        "(",
        ")",
        "!",
        "<",
        ">",
        "https://",
        "http:",
        "//",
        "evil.test",
        "docs.example.org",
        "@",
        "\\",
        "&#x2f;",
        " ",
        "\n",
        ":",
        "a",
        "/",
        "'",
        "?",
    ]
)


@given(
    st.lists(_pieces, max_size=14).map("".join),
    st.sampled_from(
        ["{}", "![x]({})", "[x]({})", "[x]\n\n[x]: {}", "<{}>", "a [b [c]({})]({})", "[x](<{}>)", "> ![x](\n> {})"]
    ),
)
def test_no_markdown_parser_finds_another_host(address: str, frame: str) -> None:
    out = treated(frame.format(address, address))
    rendered = MarkdownIt("commonmark").parse(out)
    for token in (child for block in rendered for child in block.children or ()):
        for name in ("href", "src"):
            target = str(token.attrGet(name) or "")
            if target.lower().startswith(("http:", "https:", "//")):
                assert (urlsplit(target).hostname or "").rstrip(".") in {"", "docs.example.org"}, out


def _as_a_browser(address: str) -> str:
    """The host that a browser makes of an attribute's value (WHATWG URL), as far as that matters here."""
    read = address.strip("".join(map(chr, range(0x21)))).translate(dict.fromkeys(map(ord, "\t\n\r"))).replace("\\", "/")
    found = re.match(r"(?:https?:/*|//)([^/?#]*)", read, re.IGNORECASE)
    return "" if found is None else found[1].rpartition("@")[2].partition(":")[0].rstrip(".").strip().lower()


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"href", "src"}]


@given(
    st.lists(_pieces, max_size=14).map("".join),
    st.sampled_from(
        ['<a href="{}">', "<a href='{}'>", "<a href={} >", '<a title=">" href="{}">', '<b x="<" y=\'>\'\nhref="{}">']
    ),
)
def test_no_browser_finds_another_host_in_a_tag(address: str, frame: str) -> None:
    parser = _Addresses()
    parser.feed(out := treated(frame.format(address)))
    parser.close()
    for one in parser.found:
        host = _as_a_browser(one)
        assert host in {"", "docs.example.org"} or not re.fullmatch(r"[a-z0-9.\-]+", host), out


@pytest.mark.parametrize(
    "text",
    [
        # What follows the allowed host still belongs to the address: it is a user name, and the host comes after it.
        "<a href='https://docs.example.org)@evil.test/'>",
        "[x](<https://docs.example.org)@evil.test/>)",
        "[x](<https://docs.example.org @evil.test/>)",
        "[x](https://docs.example.org'@evil.test/)",
        '[x](https://docs.example.org"@evil.test/)',
        "[x](https://docs.example.org]@evil.test/)",
        "[x](https://docs.example.org<@evil.test/)",
        '<a href="https://docs.example.org\'@evil.test/">',
        '<a href="https://docs.example.org @evil.test/">',
        "[x](https://docs.example.org:" + "a" * 600 + "@evil.test/)",
        "[x](https://docs.example.org:" + "1" * 600 + "@evil.test/)",
        # A backslash is a slash in a tag, and hides a sign in Markdown.
        '<a href="https://evil.test\\.wiki.example.org/">',
        "[x](https://evil.test\\.wiki.example.org/)",
        # Blanks that a browser leaves out, more of them than anybody writes.
        "<a href='h" + "\t" * 70 + "ttps://evil.test/'>",
        '<b style="background:url(&quot;https://evil.test/&quot;)">',
        "<a href='/' ping='/count https://evil.test/'>",
        "<a srcset='/a.png 1x, https://evil.test/b.png 2x'>",
    ],
)
def test_an_address_ends_where_a_renderer_ends_it(text: str) -> None:
    assert [one.rule for one in elsewhere(text, HOSTS)] == [RULE_HIDDEN]
    assert "evil.test" not in treated(text)


@pytest.mark.parametrize(
    "text",
    [
        "> ![x](\n> https://evil.test/p)",
        "> ![x][r]\n>\n> [r]:\n> https://evil.test/p",
        "![" + "a " * 3_000 + "](https://evil.test/p)",
        "![[https://evil.test/p]]",
        "<img\n alt='" + "a " * 3_000 + "' src='https://evil.test/p'>",
        '<b x=">" style="background:url(https://evil.test/p)">',
        "> <b\n> style='background:url(https://evil.test/p)'>",
    ],
)
@pytest.mark.parametrize("hosts", [None, HOSTS])
def test_an_image_is_found_wherever_its_address_stands(text: str, hosts: tuple[str, ...] | None) -> None:
    (found,) = elsewhere(text, hosts)
    assert (found.rule, text[found.start : found.end]) == (RULE_LINK, "https://evil.test")


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](JAVAscript\\:alert(1))",
        "<javascript:alert(1)>",
        "<a href='&#106;avascript:alert(1)'>",
        "<a href=' java\tscript:alert(1)'>",
        "[r]: data:text/html;base64,eA==",
        "[x](vbscript:x)",
    ],
)
def test_what_runs_is_removed_though_links_are_left_alone(text: str) -> None:
    assert [one.rule for one in elsewhere(text, None)] == [RULE_HIDDEN]


def test_parentheses_within_an_address_belong_to_it() -> None:
    assert treated("[x](https:evil.test/(a(b))c) and (d)") == f"[x]({REMOVED}) and (d)"
    assert treated("[x](https:evil.test/\\)c) and (d)") == f"[x]({REMOVED}) and (d)"


def test_a_tag_in_a_text_full_of_quotes_is_looked_for_within_bounds() -> None:
    flood = '<a title=">" ' + 'url=//evil.test/x " ' * 2_000
    assert len(elsewhere(flood, HOSTS)) == 2_000
    assert elsewhere('x = "1 > 0"; url = "https://evil.test"\n' * 200, HOSTS) == ()


def test_relative_addresses_in_a_flood_of_brackets() -> None:
    assert elsewhere("](" * 50_000, HOSTS) == ()
    assert elsewhere("href " * 20_000 + "<a href " * 10_000, HOSTS) == ()
    assert elsewhere("<a " + "href=" * 20_000, HOSTS) == ()


def test_more_addresses_than_are_looked_at_are_not_let_through() -> None:
    with pytest.raises(TooManyLinksError):
        elsewhere("]:\\" * 5_000, HOSTS)
