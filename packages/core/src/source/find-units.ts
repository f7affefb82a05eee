import { digestOf } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import { type ModelName, parseModelName } from '../ref.ts';
import { withoutExtension } from './choose.ts';
import { locationOf } from './location.ts';
import { MODEL_FILE, PACKAGE_PARTS } from './model-files.ts';
import { isContainer, isTelling, isVersionName, modelNameFrom, nameOf } from './model-name.ts';
import type { PlainAddress } from './plain-address.ts';
import { isPassingName, type SourceFileFacts } from './place.ts';
import { readName } from './read-name.ts';
import type { SourceMatch } from './source-match.ts';
import { marksIn, versionOf } from './source-version.ts';

/** What a directory of models holds. */
export interface FoundUnits {
  /** Every file or directory that is one version of a model. */
  readonly units: readonly SourceMatch[];
  /** Files and directories whose name says which version is in use: `production/`, `churn_latest.pkl`, `current.txt`. */
  readonly pointers: readonly Pointer[];
  /** Files that belong to no model. */
  readonly others: readonly string[];
}

/** Something that points at a version, by being a copy of it, a link to it, or a text that names it. */
export interface Pointer {
  readonly alias: string;
  readonly path: string;
  /** The model it points into; undefined where its place says nothing, and only one model can be meant. */
  readonly model?: ModelName;
  readonly files: readonly SourceFileFacts[];
  /** Whether it is a text that names the version. */
  readonly isText: boolean;
}

const POINTERS: ReadonlySet<string> = new Set([
  'latest',
  'current',
  'newest',
  'production',
  'prod',
  'staging',
  'champion',
  'challenger',
  'canary',
  'live',
]);
const MAX_POINTER_TEXT = 300;

/**
 * Finds the models in a directory: directories named by a version (`churn/v3/`, `churn/3/`, `churn_v3/`), directories
 * with a package's files in them, and model files. Nothing is opened.
 */
export function findUnits(address: PlainAddress, base: string, files: readonly SourceFileFacts[]): FoundUnits {
  const finder = new Finder(address, base);
  const tree = treeOf(
    files.filter((file) => !file.path.split('/').some(isPassingName)),
    base,
  );
  finder.visit(tree, []);
  return finder;
}

interface Directory {
  readonly name: string;
  readonly path: string;
  readonly files: SourceFileFacts[];
  readonly directories: Map<string, Directory>;
}

class Finder implements FoundUnits {
  readonly units: SourceMatch[] = [];
  readonly pointers: Pointer[] = [];
  readonly others: string[] = [];
  readonly #address: PlainAddress;
  readonly #rootNames: readonly string[];

  constructor(address: PlainAddress, base: string) {
    this.#address = address;
    this.#rootNames = [...address.rootNames, ...base.split('/').filter((name) => name !== '')];
  }

  /** `above`: names from the outermost, this directory's among them. */
  visit(directory: Directory, above: readonly string[]): void {
    if (this.#isUnit(directory, above)) {
      this.#add('directory', directory.path, allFiles(directory), above);
      return;
    }
    for (const file of directory.files) this.#file(file, above);
    for (const inner of directory.directories.values()) {
      if (this.#isPointer(inner)) this.#point(inner.name, inner.path, allFiles(inner), above, false);
      else this.visit(inner, [...above, inner.name]);
    }
  }

  #isUnit(directory: Directory, above: readonly string[]): boolean {
    if (directory.files.some(({ path }) => PACKAGE_PARTS.has(nameIn(path).toLowerCase()))) return true;
    if (above.length === 0) return false;
    const hasModel = allFiles(directory).some(({ path }) => MODEL_FILE.test(path));
    if (isVersionName(directory.name)) {
      // `v1/churn/…` and `v1/fraud/…` are two models, each with a version 1.
      const inner = [...directory.directories.values()];
      return hasModel && (directory.files.length > 0 || !inner.every(({ name }) => isTelling(name)));
    }
    return hasModel && directory.files.length > 0 && readName(directory.name).marks.length > 0;
  }

  #isPointer(directory: Directory): boolean {
    if (!POINTERS.has(directory.name.toLowerCase())) return false;
    const models = directory.files.filter(({ path }) => MODEL_FILE.test(path));
    const versioned = [...directory.directories.keys()].some(isVersionName);
    return (
      models.length > 0 && !versioned && !(models.length > 1 && models.every(({ path }) => isTelling(stemOf(path))))
    );
  }

  #file(file: SourceFileFacts, above: readonly string[]): void {
    const name = nameIn(file.path);
    const stem = withoutExtension(name);
    const words = stem.split(/[-_. ]+/);
    const last = words.at(-1)?.toLowerCase() ?? '';
    const isText = file.sizeBytes <= MAX_POINTER_TEXT && /^[^.]*(?:\.txt)?$/i.test(name);
    const isPointer = POINTERS.has(last) && readName(stem).marks.length === 0;
    if (isText && POINTERS.has(stem.toLowerCase())) this.#point(stem, file.path, [file], above, true);
    else if (!MODEL_FILE.test(name)) this.others.push(file.path);
    else if (isPointer) this.#point(last, file.path, [file], [...above, words.slice(0, -1).join('_')], false);
    else this.#add('file', file.path, [file], [...above, stem]);
  }

  #point(
    alias: string,
    path: string,
    files: readonly SourceFileFacts[],
    above: readonly string[],
    isText: boolean,
  ): void {
    const names = above.filter((name) => name !== '' && isTelling(name));
    const model = names.length === 0 ? undefined : this.#modelFor(names);
    this.pointers.push({ alias: alias.toLowerCase(), path, files, isText, ...(model !== undefined && { model }) });
  }

  #add(kind: SourceMatch['kind'], path: string, files: readonly SourceFileFacts[], names: readonly string[]): void {
    const modifiedAt = new Date(Math.max(0, ...files.map((file) => file.modifiedAt.getTime())));
    const marks = marksIn(names);
    this.units.push({
      address: this.#address,
      kind,
      path,
      location: locationOf(this.#address, { path, kind }),
      name: this.#modelFor(names),
      version: versionOf(marks, modifiedAt),
      marks,
      modifiedAt,
      revision: digestOf(files.map((file) => `${file.path}\t${file.sizeBytes}\t${file.revision}\n`).join('')),
      files,
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      rule: 'only',
      because: '',
      notes: [],
    });
  }

  /** The last two names that tell something are namespace and name: `team/churn` of `team/models/churn/v3`. */
  #modelFor(names: readonly string[]): ModelName {
    const telling = names
      .filter((name) => !isContainer(name) && isTelling(name))
      .flatMap((name) => nameOf(name) ?? [])
      .filter((name, index, all) => name !== all[index - 1]);
    if (telling.length === 0) return modelNameFrom([...this.#rootNames, ...names]);
    try {
      return parseModelName(telling.slice(-2).join('/'));
    } catch (error) {
      if (!isIngotError(error, 'invalid-name')) throw error;
      return modelNameFrom([...this.#rootNames, ...names]);
    }
  }
}

function treeOf(files: readonly SourceFileFacts[], base: string): Directory {
  const start = base === '' ? 0 : base.length + 1;
  const root: Directory = { name: nameIn(base), path: base, files: [], directories: new Map() };
  for (const file of files) {
    const names = file.path.slice(start).split('/');
    let at = root;
    for (const name of names.slice(0, -1)) {
      const path = at.path === '' ? name : `${at.path}/${name}`;
      const inner = at.directories.get(name) ?? { name, path, files: [], directories: new Map() };
      at.directories.set(name, inner);
      at = inner;
    }
    at.files.push(file);
  }
  return root;
}

function allFiles({ files, directories }: Directory): SourceFileFacts[] {
  return [...files, ...[...directories.values()].flatMap(allFiles)];
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function stemOf(path: string): string {
  return withoutExtension(nameIn(path));
}
