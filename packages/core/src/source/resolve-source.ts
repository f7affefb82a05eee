import { redactAddress } from '../blob/address.ts';
import { digestOf } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { ModelName } from '../ref.ts';
import { parseLabel } from '../ref.ts';
import { type Candidate, chooseNewest, type Rule, someOf, textOf, withoutExtension } from './choose.ts';
import type { GlobPart } from './glob.ts';
import type { Mark } from './marks.ts';
import { wholeNumber } from './marks.ts';
import { isVersionName, modelNameFrom } from './model-name.ts';
import type { PlainAddress } from './plain-address.ts';
import { isPassingName, type SourceFileFacts, type SourcePlace } from './place.ts';
import { dayOrderOf } from './read-date.ts';
import { readName } from './read-name.ts';

/** What is called which version, as its name says it. */
export interface SourceVersion {
  /** For people and for the address of an answer: `1.2`, `3`, `2024-01-31`, or the time of the last change. */
  readonly text: string;
  /** The text, where it can be a label. */
  readonly label?: string;
  /** Where the name holds a whole number and nothing else. */
  readonly number?: number;
  /** ISO 8601, where the name holds a date. */
  readonly date?: string;
}

/** The file or directory that an address means now. */
export interface SourceMatch {
  readonly address: PlainAddress;
  readonly kind: 'file' | 'directory';
  /** Path below the address's root; empty for the root itself. */
  readonly path: string;
  /** For people: the address of just this. */
  readonly location: string;
  readonly name: ModelName;
  readonly version: SourceVersion;
  /** What its name says about age; {@link version} is what that is called. */
  readonly marks: readonly Mark[];
  /** When it was last changed, as the storage says. */
  readonly modifiedAt: Date;
  /** Another text whenever what the address means may be something else. */
  readonly revision: string;
  /** All files, their paths below the root. */
  readonly files: readonly SourceFileFacts[];
  readonly sizeBytes: number;
  readonly rule: Rule;
  /** For people: why this one. */
  readonly because: string;
  readonly notes: readonly string[];
}

/** Options of {@link resolveSource}. */
export interface ResolveOptions {
  readonly signal?: AbortSignal;
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
  return new Resolver(address, place, options.signal).resolve();
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
  return new Resolver(address, place, options.signal).all();
}

interface Found extends Candidate {
  readonly kind: 'file' | 'directory';
  readonly facts?: SourceFileFacts;
}

class Resolver {
  readonly #address: PlainAddress;
  readonly #place: SourcePlace;
  readonly #signal: AbortSignal | undefined;

  constructor(address: PlainAddress, place: SourcePlace, signal: AbortSignal | undefined) {
    this.#address = address;
    this.#place = place;
    this.#signal = signal;
  }

  async resolve(): Promise<SourceMatch> {
    const exact = await this.#exact();
    if (exact !== undefined) return this.#match(exact, [], 'only', 'the file of this name', []);
    if (!this.#address.isPattern) return this.#directory();
    const found = await this.#matches();
    if (found.length === 0) throw await this.#notFound();
    const choice = await chooseNewest(found, (candidate) => this.#modifiedAt(candidate));
    if ('several' in choice) throw this.#ambiguous(choice.several, found);
    return this.#match(choice.chosen, choice.marks, choice.rule, choice.because, choice.notes);
  }

  async all(): Promise<SourceMatch[]> {
    const found = await this.#matches();
    if (found.length === 0) throw await this.#notFound();
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

  /** A file of exactly this name; also one whose name has the signs of a pattern in it, on this machine. */
  async #exact(): Promise<Found | undefined> {
    const { parts, isPattern, isDirectory, objectVersion } = this.#address;
    if (isDirectory || (isPattern && this.#place.isRemote) || parts.length === 0) return undefined;
    const written = parts.map(({ text }) => text).join('/');
    const meant = parts.map(({ literal }) => literal).join('/');
    const paths = [...(this.#place.isRemote ? [] : [written]), ...(isPattern ? [] : [meant])];
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
      throw this.#missing(
        `there is no file ${this.#address.text}, and its directory may not be listed`,
        undefined,
        error,
      );
    }
    if (files.length === 0) throw await this.#notFound();
    this.#refuseVersionsBelow(path, files);
    this.#refuseVersionsBeside(path, files);
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
    const said = marksOf(found, marks, this.#address.parts) ?? marksIn(names.real);
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    if (sizeBytes > MAX_BYTES) throw this.#tooMany();
    return {
      address: this.#address,
      kind: found.kind,
      path: found.path,
      location: this.#location(found),
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

  #location(found: Found): string {
    return locationOf(this.#address, found);
  }

  // --- what goes wrong

  /** A directory of `v1/`, `v2/`, … is no package; whoever names it wants the newest. */
  #refuseVersionsBelow(path: string, files: readonly SourceFileFacts[]): void {
    const base = path === '' ? 0 : path.length + 1;
    const firsts = files.map((file) => file.path.slice(base).split('/'));
    const directories = [...new Set(firsts.flatMap(([name = '', ...rest]) => (rest.length > 0 ? [name] : [])))];
    if (firsts.some((names) => names.length === 1) || directories.length === 0 || !directories.every(isVersionName))
      return;
    const pattern = `${this.#address.text.replace(/\/*$/, '/')}*/`;
    throw new IngotError('conflict', `${this.#address.text} holds versions (${someOf(directories)}), not one model`, {
      operation: 'source',
      hint: `to have the newest: ${pattern}   to have all: ingot import ${this.#address.text}`,
      nearest: pattern,
    });
  }

  /** So is a directory of `churn_v1.pkl`, `churn_v2.pkl`, … that has none of the files that make a package. */
  #refuseVersionsBeside(path: string, files: readonly SourceFileFacts[]): void {
    const base = path === '' ? 0 : path.length + 1;
    const names = files.map((file) => file.path.slice(base)).filter((name) => !name.includes('/'));
    if (names.some((name) => PACKAGE_PARTS.has(name.toLowerCase()))) return;
    const byKind = new Map<string, string[]>();
    for (const name of names.filter((one) => MODEL_FILE.test(one))) {
      const { words, marks } = readName(withoutExtension(name));
      if (marks.length === 0) continue;
      const kind = `${words.join(' ')}${MODEL_FILE.exec(name)?.[0] ?? ''}`;
      byKind.set(kind, [...(byKind.get(kind) ?? []), name]);
    }
    const several = [...byKind.values()].find((same) => same.length > 1);
    if (several === undefined) return;
    const pattern = this.#address.text.replace(/\/*$/, '/') + patternOf(several);
    throw new IngotError('conflict', `${this.#address.text} holds versions (${someOf(several)}), not one model`, {
      operation: 'source',
      hint: `to have the newest: ${pattern}   to have all: ingot import ${this.#address.text}`,
      nearest: pattern,
    });
  }

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

  /** Nothing is there: says what is nearest. The listing for it may be forbidden, or fail; then nothing is said. */
  async #notFound(): Promise<IngotError> {
    const { parts, isPattern, text } = this.#address;
    let depth = 0;
    let above = '';
    let names: string[] = [];
    try {
      for (;;) {
        names = await this.#namesIn(above);
        const wanted = parts[depth];
        if (wanted === undefined || wanted.isPattern || !names.includes(wanted.literal) || depth === parts.length - 1)
          break;
        above = `${above}${wanted.literal}/`;
        depth += 1;
      }
    } catch (error) {
      if (!isIngotError(error, 'forbidden')) throw error;
    }
    const wanted = parts[depth]?.text ?? '';
    const near = nearestName(wanted, names);
    const others = near === undefined && names.length > 0 ? `; there is ${someOf(names)}` : '';
    const what = isPattern ? `nothing matches ${text}` : `there is nothing at ${text}`;
    return this.#missing(`${what}${others}`, near && this.#withName(depth, near));
  }

  #missing(message: string, near: string | undefined, cause?: unknown): IngotError {
    return new IngotError('path-not-found', message, {
      operation: 'source',
      details: { address: this.#address.text },
      ...(near !== undefined && { nearest: near }),
      ...(cause !== undefined && { cause }),
    });
  }

  #withName(depth: number, name: string): string {
    const { parts, isDirectory } = this.#address;
    const path = parts.map((part, index) => (index === depth ? name : part.text)).join('/');
    const slash = isDirectory ? '/' : '';
    return `${this.#location({ kind: 'file', path, values: [], afterV: [] })}${slash}`;
  }

  async #namesIn(directory: string): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of this.#place.list(directory, {
      enters: (path) => `${path}/`.length <= directory.length,
      ...this.#call(),
    })) {
      names.push(entry.path.slice(directory.length));
      if (names.length >= 1000) break;
    }
    return names;
  }

  #call(): { readonly signal?: AbortSignal } {
    return this.#signal === undefined ? {} : { signal: this.#signal };
  }
}

/** Names of files that make a directory a package. */
export const PACKAGE_PARTS: ReadonlySet<string> = new Set([
  'metadata.yaml',
  'metadata.yml',
  'metadata.json',
  'interface.py',
  'mlmodel',
  'saved_model.pb',
  'config.json',
  'bentoml_model.yaml',
]);

/** Names of files that hold a model by themselves. */
export const MODEL_FILE =
  /\.(?:pkl|pickle|joblib|onnx|pt|pth|h5|keras|safetensors|cbm|bst|ubj|gguf|pmml|skops|dill|cloudpickle)$/i;

/** The pattern that matches some names: what they begin with, and how they end. */
function patternOf(names: readonly string[]): string {
  const [first = '', ...others] = names;
  let length = 0;
  while (length < first.length && others.every((name) => name[length] === first[length])) length += 1;
  const start = first.slice(0, length).replace(/[\d.]+$/, '');
  return `${start}*${MODEL_FILE.exec(first)?.[0] ?? ''}`;
}

/** The address of one file or directory below an address's root, without secrets. */
export function locationOf(
  { root, objectVersion, scheme }: PlainAddress,
  { path, kind }: { readonly path: string; readonly kind: 'file' | 'directory' },
): string {
  const [, base = root, query = ''] = /^([^?]*)(\?.*)?$/s.exec(scheme === 'file' ? '' : root) ?? [];
  const text =
    scheme === 'file' ? `${root === '/' ? '' : root}/${path}` : `${base.replace(/\/+$/, '')}/${path}${query}`;
  const slash = kind === 'directory' && path !== '' && query === '' ? '/' : '';
  const version =
    objectVersion === undefined ? '' : scheme === 'gs' ? `#${objectVersion}` : `?versionId=${objectVersion}`;
  return redactAddress(`${text}${slash}${version}`);
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

/** What the innermost name that says anything about age says. */
function marksIn(names: readonly string[]): readonly Mark[] {
  const [own, ...above] = [...names].reverse();
  const { marks } = readName(own ?? '');
  if (marks.length > 0) return marks;
  const versioned = above.slice(0, 2).find(isVersionName);
  return versioned === undefined ? [] : readName(versioned).marks;
}

/** What is said of a version by the marks in its name; without any, by the time of its last change. */
export function versionOf(marks: readonly Mark[], modifiedAt: Date): SourceVersion {
  if (marks.length === 0) return { text: compactTime(modifiedAt) };
  const text = textOf(marks);
  const number = wholeNumber(marks);
  const date = marks.find((mark) => mark.kind === 'date');
  const label = number === undefined ? labelFor(text, date?.atMs) : undefined;
  return {
    text: number === undefined ? (label ?? plainText(text)) : String(number),
    ...(label !== undefined && { label }),
    ...(number !== undefined && { number }),
    ...(date !== undefined && { date: new Date(date.atMs).toISOString() }),
  };
}

/** The text as written where it can be a label; a date of digits alone is written with dashes. */
function labelFor(text: string, atMs: number | undefined): string | undefined {
  const written = text.replace(/[\s:,]+/g, '-');
  for (const candidate of [written, atMs === undefined ? `v${written}` : isoText(atMs)]) {
    try {
      return parseLabel(candidate);
    } catch (error) {
      if (!isIngotError(error, 'invalid-name')) throw error;
    }
  }
  return undefined;
}

/** What a version is called goes into headers and paths of URLs. */
function plainText(text: string): string {
  return text.replace(/[^A-Za-z0-9._+-]+/g, '-').slice(0, 100);
}

function isoText(atMs: number): string {
  const text = new Date(atMs).toISOString();
  return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : compactTime(new Date(atMs));
}

/** `20240131T120000Z`. */
function compactTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const bare = wanted.replace(/[*?[\]]/g, '');
  return nearest(bare, names) ?? names.find((name) => bare !== '' && name.toLowerCase().startsWith(bare.toLowerCase()));
}
