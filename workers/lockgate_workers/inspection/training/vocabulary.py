"""Words and sentences of our own that `forms` draws from. Pure data."""

from __future__ import annotations

from typing import Final

# fmt: off
VERBS: Final = (
    "map", "lock", "query", "set", "get", "list", "open", "close", "create", "drop", "change", "send", "accept", "reject", "manage", "copy",
    "convert", "allow", "move", "free", "install", "store", "lookup", "translate", "bind", "select", "configure", "paint", "ring", "revoke",
    "generate", "forward", "refuse", "await", "start", "stop", "reset", "ignore", "override", "confirm", "poll", "draw", "fill", "clear",
    "register", "enable", "disable", "attach", "release", "update", "delete", "merge", "sign", "verify", "load", "save", "print", "push",
)
NOUNS: Final = (
    "panel", "server", "cursor", "key", "terminal", "page", "font", "access", "context", "choice", "property", "client", "session", "host",
    "device", "request", "reply", "event", "error", "group", "token", "level", "policy", "control", "colour", "cell", "image", "text",
    "action", "button", "mask", "filter", "rule", "role", "user", "system", "prompt", "message", "instruction", "secret", "password",
    "profile", "mode", "state", "timer", "queue", "node", "module", "worker", "runtime", "cache", "prefix", "extension", "protocol", "channel",
    "response", "content", "part", "item", "file", "search", "call", "audio", "refusal", "reasoning", "summary", "annotation", "delta",
    "executor", "execution", "shell", "script", "backend", "account", "grant", "engine", "agent", "model", "assistant", "conversation",
    "manager", "display", "permission", "command", "output", "input", "tool", "developer", "memory", "frame", "stream", "packet", "sensor",
)
ADJECTIVES: Final = (
    "absolute", "relative", "virtual", "default", "maximum", "minimum", "current", "previous", "next", "initial", "hidden", "internal",
    "external", "trusted", "foreign", "logical", "physical", "explicit", "implicit", "optional", "reserved", "unused", "new", "old",
)
TYPES: Final = (
    "U8", "U16", "U32", "INT16", "INT32", "BOOL", "BYTE", "STR", "UINT8", "UINT64", "u16", "u32", "LIST of U8", "HANDLE", "unsigned int",
    "unsigned long", "char *", "int", "varint", "bytes", "float", "ID32", "SET of FLAG", "STRING", "boolean", "timestamp", "octet", "word",
)
ENDS: Final = (
    "is unused", "is the length of the list that follows", "must be zero", "is ignored by the server", "is reserved for later versions",
    "is returned in the reply", "identifies the client", "is measured in milliseconds", "overrides the default", "has no effect on others",
    "is one of the values below", "is sent in the byte order of the client", "generates an error of that name", "is taken from the request",
    "defaults to none", "applies to all members of the group", "may be left out", "was added in the second version",
)
WORDS: Final = ["about", "above", "after", "again", "all", "also", "and", "any", "are", "because", "been", "before", "being", "below", "between", "both", "but", "came", "could", "did", "does", "down", "each", "every", "few", "for", "from", "further", "had", "has", "have", "having", "here", "how", "into", "its", "just", "more", "most", "much", "must", "never", "none", "nor", "not", "now", "off", "once", "only", "other", "our", "out", "over", "own", "same", "she", "should", "some", "such", "than", "that", "their", "them", "then", "there", "these", "they", "this", "those", "through", "too", "under", "until", "upon", "very", "was", "were", "what", "when", "where", "which", "while", "who", "whom", "why", "will", "with", "without", "would", "you", "your", "yours", "yourself", "et", "le", "la", "les", "des", "une", "dans", "pour", "qui", "sur", "avec", "pas", "plus", "tout", "der", "die", "das", "und", "oder", "nicht", "ein", "eine", "einem", "auf", "mit", "von", "zu", "im", "ist", "war", "wird", "ich", "du", "er", "sie", "es", "wir", "ihr", "olla", "ovat", "olet", "ollut", "niin", "kuin", "mutta", "och", "att", "det", "som", "en", "på", "är", "av", "för", "den", "till", "inte", "jag", "han", "men", "om", "sig", "så", "från", "el", "los", "las", "del", "una", "por", "con", "para", "como", "pero", "sus", "este", "ya", "entre"]
GLYPHS: Final = (
    "space", "comma", "colon", "bar", "dash", "hash", "star", "slash", "tilde", "caret", "arrow", "circle", "square", "alpha", "beta", "gamma",
    "delta", "omega", "a", "b", "c", "x", "y", "zcaron", "eacute", "udieresis", "one", "two", "seven", "half", "degree", "currency", "copyright",
)
MODELS: Final = ("base", "large", "small", "chat", "instruct", "7b", "13b", "70b", "mini", "uncased", "v2", "8bit", "lora", "preview", "turbo")
STATES: Final = (
    "original", "copied", "ignored", "allowed", "denied", "required", "optional", "system", "local", "remote", "inherited", "overridden",
    "unchanged", "default", "secret", "public", "private", "forbidden", "unlimited", "complete", "partial", "tested", "failed", "passed",
    "active", "disabled", "root", "user", "admin", "yes", "no", "none", "present", "missing", "changed", "in 1.3", "new in 2.0", "same as before",
    "previous", "hidden", "internal", "instructions", "prompt", "override", "translated", "reviewed", "shared", "restricted", "confidential",
)
# fmt: on

OPERATIONS: Final = (
    "It is the same as one {two} for each {noun} that is open.",
    "{one} returns the {noun} that was last set by {two}.",
    "If {field} is None, the server uses its own {noun}, and no reply is sent.",
    "The {field} is ignored unless the {noun} is open.",
    "A {two} event is generated for every {noun} of the client.",
    "The server must not send further replies until the {noun} has been released.",
    "While another client holds the {noun}, the call fails with the status Busy.",
    "A guest is told that there is no such {noun}, whether or not the {field} exists.",
    "One client at most may ask for {two}; the second one gets an error.",
    "The {field} overrides any {noun} that {one} set before.",
    "Each time that the {noun} wakes up, it adds the {field} to its own.",
    "See the section on {two} for the order in which {noun}s are told.",
)
PAGES: Final = (
    "You can {verb} the {noun} of your application with the `{one}` option.",
    "## {one}\n\nOnly the server has the {noun}, unless `{two}` says otherwise in the settings.",
    "> **Note:** the {noun} is read once, when the program is built. Build it again after a change.",
    "```js filename=\"app.config.js\"\nmodule.exports = {{\n  {one}: true,\n  {two}: ['{noun}'],\n}}\n```",
    "On a machine of your own, you {verb} the {noun} yourself. The options are listed in [the guide](/guides/{one}).",
    "| Version | Changes |\n| --- | --- |\n| `v13.0.0` | `{one}` added. |\n| `v12.2.0` | `{two}` is now stable. |",
    "- [{one}](/docs/{one}): what happens when you {verb} a {noun}\n- [{two}](/docs/{two}): what the {noun} was before",
    "Create a file `{one}.ts` in the root of your project, and export a `register` function from it. It is called once when a {noun} starts.",
    "The `{one}` key lets you {verb} the {noun} before it is sent to the browser. It replaces `{two}`, which still works.",
)
CHANGES: Final = (
    "The {noun} option {one} is no longer ignored when {two} is given.",
    "New option --{verb}-{noun} to {verb} the {noun} instead of the default one.",
    "{two} now fails with an error when the {noun} cannot be read; before, it went on without it.",
    "Fixed a crash in {one} when the {noun} was empty.",
    "The command line tool does not ask for the password any more when the {noun} holds one.",
    "{one} does not follow links to the {noun} any longer (it has since 2.1).",
    "Removed support for the {noun} of old systems; use {one} instead.",
    "{one} can be told to {verb} every {noun}, also those that {two} created.",
    "Security: a server could make {one} write outside of its directory. Upgrade is recommended.",
    "Translations were updated, and the manual page of {one} was rewritten.",
    "The previous behaviour can be had again with {two}=1 in the environment.",
)
CLAUSES: Final = (
    (
        "Anybody who gets a copy of this software may use, copy, change, merge, publish, distribute, sublicense and sell it, without charge and "
        "without limitation, as long as the two lines above stand in every copy and in every substantial part of it."
    ),
    (
        "The software is provided as it is, without warranty of any kind, express or implied. In no event shall {holder} be liable for any claim, "
        "damages or other liability that arises from the software or from its use."
    ),
    (
        "Neither the name of {holder} nor the names of contributors may be used to endorse or promote products derived from this software without "
        "specific prior written permission."
    ),
    "You should have received a copy of the licence along with this program. If not, write to {holder}.",
    (
        "To apply this licence to your work, attach the notice below, with the fields in brackets replaced by your own information. Do not include "
        "the brackets. The text should stand in a comment of the file format."
    ),
    (
        "Each contributor hereby grants you a perpetual, worldwide, non-exclusive, royalty-free licence to make, use and sell the work, subject to "
        "the terms above."
    ),
)
MEMBERS: Final = (
    'role: Literal["system", "user", "assistant", "tool"]', 'role: Required[Literal["developer"]]', "content: str", "prompt: str | None",
    "instructions: str | None", "system_prompt: str", "messages: list[Message]", "tools: list[Tool]", "tool_choice: ToolChoice",
    "system: list[TextBlock]", "output_text: str", "max_output_tokens: int", "user: str", "response_format: ResponseFormat",
    "prompt_id: Optional[str] = None", "completion: str", 'type: Literal["message"]', "input: Union[str, list[InputItem]]",
    "conversation: Conversation", "override: bool", "ignore_errors: bool", "template: PromptTemplate", "variables: dict[str, str]",
    'status: Literal["in_progress", "completed", "refused"]', "refusal: str | None", "previous_response_id: str",
)  # fmt: skip
TEMPLATES: Final = (
    "{{% if {one} %}}{{{{ {one}.{two} }}}}{{% else %}}None{{% endif %}}",
    "{{% for {one} in {two}s %}}\n  * {{{{ {one} }}}}\n{{% endfor %}}",
    '{{% block {one} %}}{{{{ {two}|default:"unknown" }}}}{{% endblock %}}',
    "{{{{ {one}|escape }}}} at {{{{ {two}.path }}}}",
    '{{% include "{one}/{two}.html" %}}',
    "{{% set {one} = {two} | trim %}}",
)
