import { digestOf } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { type Candidate, chooseNewest, type Rule, someOf, withoutExtension } from './choose.ts';
import type { GlobPart } from './glob.ts';
import { locationOf } from './location.ts';
import type { Mark } from './marks.ts';
import { refuseVersions } from './model-files.ts';
import { modelNameFrom } from './model-name.ts';
import { notFound } from './not-found.ts';
import { isPassingName, type SourceFileFacts, type SourcePlace } from './place.ts';
import type { PlainAddress } from './plain-address.ts';
import { dayOrderOf } from './read-date.ts';
import { readName } from './read-name.ts';
import type { SourceMatch } from './source-match.ts';
import { marksIn, versionOf } from './source-version.ts';

/** Options of {@link resolveSource}. */
export interface ResolveOptions {
  readonly signal?: AbortSignal;
  /** Opens other directories of the same storage, to find what a mistyped address is near to. Default: it is not looked for. */
  readonly open?: (address: PlainAddress) => Promise<SourcePlace>;
}

/** More files than any model has: somebody named a whole bucket. */
const MAX_FILES = 10_000;
const MAX_BYTES = 500e9;

/**
 * Finds what an address means now. A single file is looked at and nothing is listed; for all else there is one listing.
 * @throws IngotError `path-not-found` with what is nearest, `conflict` when several models match, `store-not-found`,
 * `forbidden`, `unavailable`.
 */
export async function resolveSource(
  address: PlainAddress,
  place: SourcePlace,
  options: ResolveOptions = {},
): Promise<SourceMatch> {
  return new Resolver(address, place, options).resolve();
}

/**
 * Finds everything that a pattern matches, each as an address of its own would give it.
 * @throws IngotError as {@link resolveSource} does.
 */
export async function matchesOf(
  address: PlainAddress,
  place: SourcePlace,
  options: ResolveOptions = {},
): Promise<SourceMatch[]> {
  return new Resolver(address, place, options).all();
}

interface Found extends Candidate {
  readonly kind: 'file' | 'directory';
  readonly facts?: SourceFileFacts;
}

class Resolver {
  readonly #address: PlainAddress;
  readonly #place: SourcePlace;
  readonly #options: ResolveOptions;

  constructor(address: PlainAddress, place: SourcePlace, options: ResolveOptions) {
    this.#address = address;
    this.#place = place;
    this.#options = options;
  }

  async resolve(): Promise<SourceMatch> {
    const exact = await this.#exact();
    if (exact !== undefined) return this.#match(exact, [], 'only', 'the file of this name', []);
    if (!this.#address.isPattern) return this.#directory();
    return this.#newest(await this.#matches());
  }

  /** The newest of what matched. A directory in which nothing lies yet is no match. */
  async #newest(found: readonly Found[], empty: readonly string[] = []): Promise<SourceMatch> {
    if (found.length === 0) throw await notFound(this.#address, this.#place, this.#options);
    const choice = await chooseNewest(found, (candidate) => this.#modifiedAt(candidate));
    if ('several' in choice) throw this.#ambiguous(choice.several, found);
    const { chosen, marks, rule, because, notes } = choice;
    const files = chosen.kind === 'directory' ? await this.#below(chosen.path) : undefined;
    if (files?.length === 0)
      return this.#newest(
        found.filter((one) => one !== chosen),
        [...empty, chosen.path],
      );
    const passed = empty.length === 0 ? [] : [`passed over, for nothing lies in it: ${someOf(empty)}`];
    return this.#match(chosen, marks, rule, because, [...notes, ...passed], files);
  }

  async all(): Promise<SourceMatch[]> {
    const found = await this.#matches();
    if (found.length === 0) throw await notFound(this.#address, this.#place, this.#options);
    const dayOrder = dayOrderOf(found.flatMap(({ values }) => values));
    const matches: SourceMatch[] = [];
    for (const one of found) {
      const marks = one.values.flatMap(
        (value, index) => readName(withoutExtension(value), { afterV: one.afterV[index] === true, dayOrder }).marks,
      );
      matches.push(await this.#match(one, marks, 'only', 'matches the pattern', []));
    }
    return matches;
  }

  /** A file of exactly this name; also one with the signs of a pattern in it, elsewhere only where they are none: `[1]`. */
  async #exact(): Promise<Found | undefined> {
    const { parts, isPattern, isDirectory, objectVersion } = this.#address;
    if (isDirectory || (isPattern && this.#place.isRemote) || parts.length === 0) return undefined;
    const written = parts.map(({ text }) => text).join('/');
    const meant = parts.map(({ literal }) => literal).join('/');
    const paths = this.#place.isRemote ? [meant, written] : isPattern ? [written] : [written, meant];
    for (const path of new Set(paths)) {
      const facts = await this.#place.file(path, {
        ...this.#call(),
        ...(objectVersion !== undefined && { objectVersion }),
      });
      if (facts !== undefined) return { kind: 'file', path, facts, values: [], afterV: [] };
    }
    return undefined;
  }

  async #directory(): Promise<SourceMatch> {
    const path = this.#address.parts.map(({ literal }) => literal).join('/');
    let files: SourceFileFacts[];
    try {
      files = await this.#below(path);
    } catch (error) {
      // Whoever may read one file but not list is told of that file.
      if (!isIngotError(error, 'forbidden') || this.#address.isDirectory) throw error;
      throw new IngotError(
        'path-not-found',
        `there is no file ${this.#address.text}, and its directory may not be listed`,
        {
          operation: 'source',
          cause: error,
        },
      );
    }
    if (files.length === 0) throw await notFound(this.#address, this.#place, this.#options);
    refuseVersions(this.#address.text, path, files);
    const found: Found = { kind: 'directory', path, values: [], afterV: [] };
    return this.#match(found, [], 'only', 'the directory of this name', [], files);
  }

  /** Everything that matches the pattern, part by part. */
  async #matches(): Promise<Found[]> {
    const { parts, isDirectory } = this.#address;
    const found: Found[] = [];
    const depth = parts.length;
    const enters = (directory: string): boolean => {
      const names = directory.split('/');
      return names.length < depth && names.every((name, index) => parts[index]?.match(name) !== undefined);
    };
    for await (const entry of this.#place.list(parts[0]?.literal ?? '', { enters, ...this.#call() })) {
      const values = valuesOf(entry.path, parts);
      if (values === undefined || isPassingName(entry.path.slice(entry.path.lastIndexOf('/') + 1))) continue;
      if (entry.kind === 'file' && isDirectory) continue;
      const afterV = parts.flatMap((part) => part.afterV);
      const { kind, path } = entry;
      found.push({ kind, path, values, afterV, ...(entry.kind === 'file' && { facts: entry }) });
      if (found.length > MAX_FILES) throw this.#tooMany();
    }
    return found;
  }

  async #below(path: string): Promise<SourceFileFacts[]> {
    const files: SourceFileFacts[] = [];
    let bytes = 0;
    for await (const entry of this.#place.list(path === '' ? '' : `${path}/`, {
      enters: () => true,
      ...this.#call(),
    })) {
      if (entry.kind !== 'file') continue;
      const { kind: _, ...facts } = entry;
      files.push(facts);
      bytes += facts.sizeBytes;
      if (files.length > MAX_FILES || bytes > MAX_BYTES) throw this.#tooMany();
    }
    return files;
  }

  async #modifiedAt(candidate: Candidate): Promise<number> {
    const found: Found = { kind: 'directory', ...candidate };
    if (found.facts !== undefined) return found.facts.modifiedAt.getTime();
    return Math.max(0, ...(await this.#below(candidate.path)).map((file) => file.modifiedAt.getTime()));
  }

  async #match(
    found: Found,
    marks: readonly Mark[],
    rule: Rule,
    because: string,
    notes: readonly string[],
    listed?: readonly SourceFileFacts[],
  ): Promise<SourceMatch> {
    const files = found.facts === undefined ? (listed ?? (await this.#below(found.path))) : [found.facts];
    const names = await this.#names(found);
    const modifiedAt = new Date(Math.max(0, ...files.map((file) => file.modifiedAt.getTime())));
    const said = marksOf(found, marks, this.#address.parts) ?? marksIn(names.real.slice(-3));
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    if (sizeBytes > MAX_BYTES) throw this.#tooMany();
    return {
      address: this.#address,
      kind: found.kind,
      path: found.path,
      location: locationOf(this.#address, found),
      name: modelNameFrom(names.model),
      version: versionOf(said, modifiedAt),
      marks: said,
      modifiedAt,
      revision: digestOf(files.map(({ path, sizeBytes, revision }) => `${path}\t${sizeBytes}\t${revision}\n`).join('')),
      files,
      sizeBytes,
      rule,
      because,
      notes,
    };
  }

  /** Names from the outermost to what was found: with wildcards' values cut down to words, and as links lead. */
  async #names({ kind, path, values }: Found): Promise<{ readonly model: string[]; readonly real: string[] }> {
    const { rootNames, parts, isPattern } = this.#address;
    const left = [...values];
    const model = isPattern && values.length > 0 ? parts.map((part) => wordsIn(part, left)) : path.split('/');
    const target = await this.#place.linkTarget?.(path);
    const real = target === undefined ? path.split('/') : target.split('/');
    const bare = (names: readonly string[]): string[] =>
      names.map((name, index) => (kind === 'file' && index === names.length - 1 ? withoutExtension(name) : name));
    return { model: [...rootNames, ...bare(model)], real: [...rootNames, ...bare(real)] };
  }

  // --- what goes wrong

  #ambiguous(kinds: readonly string[], found: readonly Found[]): IngotError {
    return new IngotError(
      'conflict',
      `"${this.#address.text}" matches ${kinds.length} models: ${someOf(kinds.map((kind) => `"${kind}"`))}`,
      {
        operation: 'source',
        hint: 'write more of the name before the first *',
        details: { matches: found.slice(0, 20).map(({ path }) => path) },
      },
    );
  }

  #tooMany(): IngotError {
    return new IngotError(
      'usage',
      `${this.#address.text} holds more than ${MAX_FILES} files or ${MAX_BYTES / 1e9} GB, which no model does`,
      { operation: 'source', hint: 'name the directory of one model' },
    );
  }

  #call(): { readonly signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }
}

function valuesOf(path: string, parts: readonly GlobPart[]): readonly string[] | undefined {
  const names = path.split('/');
  if (names.length !== parts.length) return undefined;
  const values = names.map((name, index) => parts[index]?.match(name));
  return values.every((value) => value !== undefined) ? values.flat() : undefined;
}

/** A part of a pattern as a name: what stands there, and the words that its wildcards stand for. */
function wordsIn(part: GlobPart, values: string[]): string {
  if (!part.isPattern) return part.literal;
  const own = values.splice(0, part.afterV.length);
  return part.fill(own.map((value, index) => (part.afterV[index] ? '' : ` ${readName(value).words.join(' ')} `)));
}

/** What the names say that a pattern matched: `v1.?` finds version 1.9, not 9. Undefined without a word on age. */
function marksOf(
  { path, kind }: Found,
  chosen: readonly Mark[],
  parts: readonly GlobPart[],
): readonly Mark[] | undefined {
  if (chosen.length === 0) return undefined;
  const names = path.split('/');
  const whole = names.flatMap((name, index) => {
    const bare = kind === 'file' && index === names.length - 1 ? withoutExtension(name) : name;
    return parts[index]?.isPattern === true ? readName(bare).marks : [];
  });
  return whole.length >= chosen.length ? whole : chosen;
}
