"""Configuration: what a user writes in YAML becomes `Semantics` (it travels in the logs) and `Local` (it stays in the process).

Promises:
- `load(path)` returns all of it or raises one ConfigError whose problems are one line each, `file:line:column: path: fault; cure`,
  sorted by place. All problems of a file are reported at once: names that refer to nothing and expressions that do not compile
  are found even where other keys are wrong.
- What is not known is refused: unknown and duplicate keys, environment variables that are not set, aliases, tags.
- Secrets are `model.Secret` from the moment they are read; no message, repr or error shows them. A value that came from the
  environment is shown as it was written.
- The JSON Schema (`schema.json_schema`) is made from the same models, so that an editor and the loader agree.

The way: `file` and `dialect` (text to a `document`: data with places) → `schema` with its parts `kafka`, `receivers`, `streams`,
`metrics` (data to models) → `references` (names) → `build` (models to stages; the only module that sees both).

Why so: the YAML reader is ours over PyYAML's nodes, because only nodes know their line, and because YAML 1.1 reads `no` as false and
`12:30` as 750. Rejected: msgspec for the models (one error at a time, no list of known keys), aliases and merge keys (a file of
a kilobyte can unfold to gigabytes, and a line number would point to the wrong place), several files or includes (one file is what
a person can review), durations as bare numbers (the unit is then a guess).
"""

from streamspc.settings.build import Loaded, difference, load, load_semantics, local, semantics

__all__ = ["Loaded", "difference", "load", "load_semantics", "local", "semantics"]
