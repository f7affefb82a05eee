#!/usr/bin/env python3
"""Reads an Ingot store without Ingot.

    python tools/ingot_reader.py STORE ls [--json]
    python tools/ingot_reader.py STORE get NAME[:NUMBER|:LABEL|@ALIAS|@sha256:...] -o DIRECTORY
    python tools/ingot_reader.py STORE check

Needs Python 3.8 and nothing else. Everything is verified on the way: each event against the one before it, each body
against its head, each recipe, page, chunk, file and manifest against its digest. `docs/format.md` describes the layout.
Exit codes: 0 done, 2 wrong usage, 3 no such store, model or version, 8 something is not what it was.
"""

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import sys
import tempfile
import zlib

FORMAT = 1
COPY_BYTES = 1024 * 1024
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
PACK = re.compile(r"[a-z0-9][a-z0-9-]{0,63}/(0|[1-9][0-9]{0,8})\Z")
MODEL_ID = re.compile(r"[a-z0-9-]+\Z")
# How often a pack may have been moved, and how long a coded chunk may be.
MOST_MOVES = 64
CODED_BYTES = 16 * 1024 * 1024


class ReaderError(Exception):
    """Something that ends the program with a message and an exit code."""

    def __init__(self, exit_code, message):
        super().__init__(message)
        self.exit_code = exit_code


def damaged(message):
    return ReaderError(8, message)


def not_found(message):
    return ReaderError(3, message)


# --- canonical JSON: sorted keys, no white space, numbers as ECMAScript writes them ---------------------------------


def canonical_json(value):
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical_text(key) + ":" + canonical_json(value[key]) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical_json(entry) for entry in value) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return canonical_number(value)
    return canonical_text(value) if isinstance(value, str) else json.dumps(value)


def canonical_text(text):
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: "\\u%04x" % ord(found.group()), quoted)


def canonical_number(number):
    number = float(number)
    if number == 0:
        return "0"
    if not math.isfinite(number):
        raise damaged("a document holds a number that JSON has not")
    mantissa, exponent = ("%r" % abs(number)).partition("e")[::2]
    whole, fraction = mantissa.partition(".")[::2]
    shift = int(exponent or 0) - (0 if fraction == "0" else len(fraction))
    digits = whole + ("" if fraction == "0" else fraction)
    stripped = digits.strip("0")
    point = len(digits.lstrip("0")) + shift  # the number is 0.<stripped> times ten to the power of `point`
    sign = "-" if number < 0 else ""
    size = len(stripped)
    if size <= point <= 21:
        return sign + stripped + "0" * (point - size)
    if 0 < point <= 21:
        return sign + stripped[:point] + "." + stripped[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + stripped
    rest = "." + stripped[1:] if size > 1 else ""
    return "%s%se%+d" % (sign + stripped[0], rest, point - 1)


def sha256(data):
    return "sha256:" + hashlib.sha256(data if isinstance(data, bytes) else data.encode("utf-8")).hexdigest()


def parse_json(data, what):
    try:
        value = json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise damaged("%s is not JSON: %s" % (what, error))
    if not isinstance(value, dict):
        raise damaged("%s is not a JSON object" % what)
    return value


# --- blobs: files of a directory ------------------------------------------------------------------------------------


class Store:
    """A directory that holds `ingot.json`."""

    def __init__(self, root):
        self.root = root
        self.moved = {}
        path = self.path("ingot.json")
        if not os.path.exists(path):
            raise not_found("no Ingot store at %s: there is no ingot.json" % root)
        with open(path, "rb") as file:
            about = parse_json(file.read(), path)
        if about.get("format") != FORMAT:
            raise ReaderError(6, "%s has format %r; this reader knows format %d" % (root, about.get("format"), FORMAT))
        if about.get("sealed"):
            raise ReaderError(6, "%s is sealed: its contents are encrypted" % root)

    def path(self, key):
        path = os.path.join(self.root, *key.split("/"))
        # On file systems without hard links a blob is a directory with one file in it.
        return os.path.join(path, ".blob") if os.path.isdir(path) else path

    def read(self, key):
        try:
            with open(self.path(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def pieces(self, locator, what):
        """Yields the bytes that a locator names, without checking them."""
        file, pack, offset, length = self._open(locator, what)
        with file:
            file.seek(offset)
            while length > 0:
                data = file.read(min(length, COPY_BYTES))
                if not data:
                    raise damaged("%s is damaged: pack %s ends too early" % (what, pack))
                length -= len(data)
                yield data

    def _open(self, locator, what):
        """Opens the pack that bytes lie in now: one that is gone may have been moved, and its successor too."""
        pack, offset, length = locator
        for _ in range(MOST_MOVES):
            if not isinstance(pack, str) or not PACK.match(pack):
                raise damaged("%s lies in %r, which is no pack" % (what, pack))
            if not (is_count(offset) and is_count(length)):
                raise damaged("%s points nowhere" % what)
            try:
                return open(self.path("packs/%s.pack" % pack), "rb"), pack, offset, length
            except FileNotFoundError:
                place = self._moved(pack, offset, length)
            if place is None:
                raise not_found("%s is lost: its pack %s is missing" % (what, locator[0]))
            pack, offset = place
        raise damaged("%s is lost: its pack %s was moved in a circle" % (what, locator[0]))

    def _moved(self, pack, offset, length):
        """Says in which pack, and where, bytes of a pack lie that is gone; None when nobody moved them."""
        if pack not in self.moved:
            key = "packs/%s.moved" % pack
            data = self.read(key)
            document = {"entries": []} if data is None else parse_json(data, key)
            if data is not None and document.get("format") != FORMAT:
                raise ReaderError(6, "%s has format %r; this reader knows format %d" % (key, document.get("format"), FORMAT))
            rest = {name: value for name, value in document.items() if name != "sum"}
            if data is not None and document.get("sum") != sha256(canonical_json(rest)):
                raise damaged("%s is damaged" % key)
            self.moved[pack] = document
        document = self.moved[pack]
        for start, size, number, new_start in document["entries"]:
            if start <= offset and offset + length <= start + size:
                return document["packs"][number], new_start + offset - start
        return None

    def document(self, ref, what):
        """Reads a small JSON document from a pack and checks its digest."""
        data = b"".join(self.pieces((ref.get("pack"), ref.get("offset"), ref.get("length")), what))
        if sha256(data) != ref.get("digest"):
            raise damaged("%s is damaged in pack %s" % (what, ref.get("pack")))
        return parse_json(data, what)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# --- logs -----------------------------------------------------------------------------------------------------------


def read_log(store, prefix):
    """Yields (sequence number, kind, time, body or None) of each event, and checks the chain."""
    previous, seq = None, 0
    while True:
        key = "%s/log/%010d.json" % (prefix, seq + 1)
        data = store.read(key)
        if data is None:
            break
        seq += 1
        event = parse_json(data, key)
        head, body, salt = event.get("head"), event.get("body"), event.get("salt")
        if not isinstance(head, dict) or head.get("seq") != seq:
            raise damaged("%s is not event %d" % (key, seq))
        if head.get("previous") != previous:
            raise damaged("%s does not follow from the event before it" % key)
        if (body is None) != (salt is None):
            raise damaged("%s has no whole body" % key)
        if body is not None and sha256(salt + canonical_json(body)) != head.get("bodyDigest"):
            raise damaged("%s does not have the body that its head names" % key)
        previous = sha256(canonical_json(head))
        yield seq, head.get("kind"), head.get("at"), body, bool(head.get("ignorable"))
    check_no_later(store, prefix, seq)


def check_no_later(store, prefix, last):
    try:
        names = os.listdir(os.path.join(store.root, *prefix.split("/"), "log"))
    except FileNotFoundError:
        return
    later = sorted(name for name in names if re.match(r"\d{10}\.json\Z", name) and int(name[:10]) > last)
    if later:
        raise damaged("%s/log/%010d.json is missing, though %s is there" % (prefix, last + 1, later[0]))


def read_names(store):
    """Gives model name to model id."""
    models = {}
    for seq, kind, _, body, ignorable in read_log(store, "names"):
        if body is None:
            continue
        if kind == "model-created":
            models[body["name"]] = body["id"]
        elif kind == "model-renamed":
            moved = {one["to"]: models.pop(one["from"]) for one in body["renames"]}
            models.update(moved)
        elif kind == "model-deleted":
            models.pop(body["name"], None)
        elif not ignorable:
            raise ReaderError(6, "event %d of the names is a %r, which this reader does not know" % (seq, kind))
    for name, model_id in models.items():
        if not MODEL_ID.match(model_id):
            raise damaged("the model %r has the id %r, which is none" % (name, model_id))
    return models


CHANGES_NOTHING_HERE = {
    "model-updated", "closed", "upload-expired", "attached", "stage-set", "approval-given", "hold-set", "hold-released",
}


# How many numbers one publication may leave out.
MAX_LEFT_OUT = 10000


class Model:
    """What a model's log says: versions by number, aliases by name."""

    def __init__(self, store, name, model_id):
        self.name = name
        self.versions = []
        self.aliases = {}
        for seq, kind, at, body, ignorable in read_log(store, "models/" + model_id):
            self._apply(seq, kind, at, body, ignorable)

    def _apply(self, seq, kind, at, body, ignorable):
        if kind == "version-published":
            if body is not None:
                left_out = body["number"] - len(self.versions) - 1
                if not 0 <= left_out <= MAX_LEFT_OUT:
                    raise damaged("event %d of %r publishes version %r" % (seq, self.name, body["number"]))
                self.versions.extend([None] * left_out)
            status = "retired" if body is not None and body.get("retired") is True else "active"
            self.versions.append(body and dict(body, status=status, at=at))
        elif body is None or kind in CHANGES_NOTHING_HERE:
            return
        elif kind == "version-updated":
            self._change(body, {"label": body["label"], "labelShadowed": False} if "label" in body else {})
        elif kind in ("version-retired", "version-deleted"):
            self._change(body, {"status": kind[len("version-"):]})
        elif kind == "alias-set":
            self.aliases[body["alias"]] = body["number"]
        elif kind == "alias-removed":
            self.aliases.pop(body["alias"], None)
        elif not ignorable:
            raise ReaderError(6, "event %d of %r is a %r, which this reader does not know" % (seq, self.name, kind))

    def _change(self, body, changes):
        version = self.versions[body["number"] - 1]
        if version is not None:
            version.update(changes)

    def kept(self):
        return [version for version in self.versions if version is not None and version["status"] != "deleted"]

    def find(self, selector):
        """Finds a version by what stands behind the name: "", ":7", ":1.2.0", "@production", "@sha256:...", "@latest"."""
        kept = self.kept()
        if selector in ("", ":latest", "@latest"):
            found = [version for version in kept if version["status"] == "active"]
        elif re.match(r":\d+\Z", selector):
            found = [version for version in kept if version["number"] == int(selector[1:])]
        elif selector.startswith(":"):
            found = [one for one in kept if one.get("label") == selector[1:] and not one.get("labelShadowed")]
        elif selector.startswith("@sha256:"):
            found = [version for version in kept if version["manifest"] == selector[1:]]
        else:
            found = [version for version in kept if version["number"] == self.aliases.get(selector[1:])]
        if not found:
            raise not_found("there is no %s%s" % (self.name, selector or " with an active version"))
        return found[-1]


def open_model(store, reference):
    """Splits a reference and gives the model and the version it means."""
    name, selector = re.match(r"([^:@]*)(.*)\Z", reference, re.S).groups()
    models = read_names(store)
    if name not in models:
        raise not_found("no model %r; there are: %s" % (name, ", ".join(sorted(models)) or "none"))
    model = Model(store, name, models[name])
    return model, model.find(selector)


# --- coded chunks -----------------------------------------------------------------------------------------------------


def decoded(stored, coded, what):
    """Decodes a chunk: four planes, of every fourth byte each, as they are or deflated."""
    coding, size = coded
    if coding != "planes4-deflate":
        raise ReaderError(6, "%s has a chunk in the coding %r, which this reader does not know" % (what, coding))
    if not is_count(size) or size > CODED_BYTES or len(stored) < 20:
        raise damaged("%s has a coded chunk of an impossible size" % what)
    piece, at = bytearray(size), 20
    for plane in range(4):
        method, length = stored[plane * 5], int.from_bytes(stored[plane * 5 + 1 : plane * 5 + 5], "big")
        data = stored[at : at + length]
        at += length
        wanted = len(range(plane, size, 4))
        if method == 1:
            data = inflated(data, wanted, what)
        if method > 1 or len(data) != wanted:
            raise damaged("%s has a coded chunk that cannot be decoded" % what)
        piece[plane::4] = data
    if at != len(stored):
        raise damaged("%s has a coded chunk with bytes behind its end" % what)
    return bytes(piece)


def inflated(data, wanted, what):
    try:
        # One byte more than wanted shows what is too long, however long it would become.
        return zlib.decompressobj(-15).decompress(data, wanted + 1)
    except zlib.error as error:
        raise damaged("%s has a coded chunk that cannot be inflated: %s" % (what, error))


# --- contents -------------------------------------------------------------------------------------------------------


class Package:
    """The contents of one version."""

    def __init__(self, store, version):
        self.store = store
        recipe = store.document(version["recipe"], "the recipe")
        if recipe.get("format") != FORMAT:
            raise ReaderError(6, "the recipe has format %r; this reader knows format %d" % (recipe.get("format"), FORMAT))
        self.contents = recipe["contents"]
        self.pieces = [piece for page in recipe["pages"] for piece in self._page(page)]
        self.first = {}
        at = 0
        for content in self.contents:
            self.first.setdefault(content["digest"], at)
            at += content["chunks"]
        if at != len(self.pieces):
            raise damaged("the recipe does not add up: %d chunks wanted, %d listed" % (at, len(self.pieces)))
        self.manifest = self._manifest(version["manifest"])

    def _page(self, ref):
        page = self.store.document(ref, "a page")
        pieces = [(row[0], (page["packs"][row[1]], row[2], row[3]), row[4:]) for row in page["pieces"]]
        if len(pieces) != ref["pieces"]:
            raise damaged("the page %s does not have its %d chunks" % (ref["digest"], ref["pieces"]))
        return pieces

    def _manifest(self, digest):
        found = [one for one in self.contents if one["role"] == "manifest" and one["digest"] == digest]
        if not found:
            raise damaged("the recipe does not hold the manifest %s" % digest)
        return parse_json(b"".join(self.read(found[0])), "the manifest")

    def read(self, content):
        """Yields the bytes of a content; fails before the end when they are not those of its digest."""
        what = "%s (%s)" % (content.get("path", content["role"]), content["digest"])
        first = self.first[content["digest"]]
        whole, held, size = hashlib.sha256(), b"", 0
        for digest, locator, coded in self.pieces[first : first + content["chunks"]]:
            piece = hashlib.sha256()
            stored = self.store.pieces(locator, what)
            for data in [decoded(b"".join(stored), coded, what)] if coded else stored:
                piece.update(data)
                whole.update(data)
                size += len(data)
                if held:
                    yield held
                held = data
            if "sha256:" + piece.hexdigest() != digest:
                raise damaged("%s is damaged in pack %s" % (what, locator[0]))
        if "sha256:" + whole.hexdigest() != content["digest"] or size != content["sizeBytes"]:
            raise damaged("%s is not what its recipe says" % what)
        if held:
            yield held

    def files(self):
        """Yields path, mode and content of each file."""
        executable = self._executables()
        seen = set()
        for content in self.contents:
            if content["role"] != "file":
                continue
            path = content["path"]
            if not is_inside(path) or path in seen:
                raise damaged("the recipe has the path %r" % path)
            seen.add(path)
            yield path, 0o755 if path in executable else 0o644, content
        self._check_layers()

    def _executables(self):
        executable = set()
        for layer in self.manifest["layers"]:
            notes = layer.get("annotations", {})
            if "dev.ingot.tar" in notes:
                executable.update(json.loads(notes["dev.ingot.tar"])["executable"])
            elif json.loads(notes.get("org.cncf.model.file.metadata+json", "{}")).get("mode", 0o644) & 0o100:
                executable.add(notes["org.cncf.model.filepath"])
        return executable

    def _check_layers(self):
        stored = {(one.get("path"), one["digest"]) for one in self.contents}
        for layer in self.manifest["layers"]:
            path = layer["annotations"]["org.cncf.model.filepath"]
            if layer["mediaType"].endswith(".raw") and (path, layer["digest"]) not in stored:
                raise damaged("the recipe does not hold %s as the manifest lists it" % path)


def is_inside(path):
    if not isinstance(path, str) or not path or "\\" in path or "\0" in path:
        return False
    return all(part not in ("", ".", "..") for part in path.split("/"))


# --- commands -------------------------------------------------------------------------------------------------------


def list_models(store, as_json):
    models = [Model(store, name, model_id) for name, model_id in sorted(read_names(store).items())]
    if as_json:
        shown = [
            {
                "name": model.name,
                "aliases": model.aliases,
                "versions": [{key: one.get(key) for key in ("number", "label", "status", "manifest", "at")} for one in model.kept()],
            }
            for model in models
        ]
        print(json.dumps(shown, indent=2))
        return
    for model in models:
        for version in model.kept():
            names = sorted(alias for alias, number in model.aliases.items() if number == version["number"])
            marks = (["@" + name for name in names]) + ([version["status"]] if version["status"] != "active" else [])
            line = "%s:%d  %s  %s  %s" % (model.name, version["number"], version.get("label") or "-", version["at"], " ".join(marks))
            print(line.rstrip())


def get(store, reference, directory):
    """Rebuilds a version in a new directory: all of it, or nothing."""
    model, version = open_model(store, reference)
    if os.path.isdir(directory) and os.listdir(directory):
        raise ReaderError(5, "%s is not empty" % directory)
    parent = os.path.dirname(os.path.abspath(directory))
    os.makedirs(parent, exist_ok=True)
    staging = tempfile.mkdtemp(prefix=".ingot-", dir=parent)
    try:
        files, size = write_files(Package(store, version), staging)
        os.chmod(staging, 0o755)
        if os.path.isdir(directory):
            os.rmdir(directory)
        os.rename(staging, directory)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    print("%s:%d  %d files, %d bytes, %s" % (model.name, version["number"], files, size, version["manifest"]))


def write_files(package, directory):
    count = size = 0
    for path, mode, content in package.files():
        target = os.path.join(directory, *path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            for data in package.read(content):
                size += file.write(data)
        os.chmod(target, mode)
        count += 1
    return count, size


def check(store):
    """Reads every byte of every version that is kept."""
    versions = 0
    for name, model_id in sorted(read_names(store).items()):
        for version in Model(store, name, model_id).kept():
            package = Package(store, version)
            for content in package.contents:
                for _ in package.read(content):
                    pass
            list(package.files())
            versions += 1
    print("%d versions, all whole" % versions)


def main(arguments):
    parser = argparse.ArgumentParser(prog="ingot_reader.py", description="Reads an Ingot store without Ingot.")
    parser.add_argument("store", help="directory that holds ingot.json")
    commands = parser.add_subparsers(dest="command")
    listing = commands.add_parser("ls", help="list models and versions")
    listing.add_argument("--json", action="store_true", help="as one JSON document")
    getting = commands.add_parser("get", help="rebuild a version in a directory")
    getting.add_argument("reference", help="NAME, NAME:7, NAME:1.2.0, NAME@production or NAME@sha256:...")
    getting.add_argument("-o", "--output", required=True, help="directory to make; must be empty or missing")
    commands.add_parser("check", help="read and verify everything")
    options = parser.parse_args(arguments)
    store = Store(options.store)
    if options.command == "get":
        get(store, options.reference, options.output)
    elif options.command == "check":
        check(store)
    else:
        list_models(store, getattr(options, "json", False))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReaderError as error:
        print("ingot_reader: %s" % error, file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        print("ingot_reader: the store holds something that has another form than it should: %r" % error, file=sys.stderr)
        sys.exit(8)
