import { lstat, open, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import { toModelName } from '../ref.ts';
import type { Feature, Signature } from '../signature.ts';
import { distributionsOf } from './distributions.ts';
import { findFlavor } from './flavors/find-flavor.ts';
import type { FlavorFinding } from './flavors/flavor.ts';
import { type InterfaceTemplate, interfaceFor, isFrameworkFolder } from './interface-templates.ts';
import { findParts, type Parts } from './parts.ts';
import { packageError } from './read.ts';
import { normalizeDistribution } from './requirements.ts';
import { chooseSignature } from './signature-choice.ts';
import { diskError } from './unpack.ts';
import { walkDirectory } from './walk.ts';

/** Options of {@link initPackage}. */
export interface InitOptions {
  /** Model name to write. Default: from the file or directory name. */
  readonly name?: string;
  /** Default: left out. */
  readonly author?: string;
  /** Date to write, `2026-01-31`. Default: left out. */
  readonly createdDate?: string;
  /** Installed versions by distribution name, to pin requirements with. Default: no pins. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Whether to only say what would be written. Default: false. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** What was written. */
export interface InitResult {
  /** The package's directory. */
  readonly directory: string;
  readonly written: readonly string[];
  /** Files that were there and stay as they are. */
  readonly kept: readonly string[];
  /** What kind of artifact was found: `a scikit-learn pickle`. */
  readonly flavor: string;
  /** Whether the interface works as it is; else it has to be filled in. */
  readonly complete: boolean;
  /** The text of each written file. */
  readonly contents: Readonly<Record<string, string>>;
}

/**
 * Writes the missing ones of `interface.py`, `requirements.txt` and `metadata.yaml` beside an artifact (a file, or a
 * directory that holds it). Files that are there are never touched.
 * @throws IngotError `path-not-found`, `invalid-package` (no artifact), `forbidden`, `disk-full`.
 */
export async function initPackage(path: string, options: InitOptions = {}): Promise<InitResult> {
  const { directory, only } = await locate(path);
  const walk = await walkDirectory(directory, { signal: options.signal });
  const { parts } = findParts(walk.files);
  const files =
    only === undefined
      ? walk.files
      : walk.files.filter((file) => file.path === only || Object.values(parts).includes(file));
  const finding = await findFlavor(files, { ...parts, interface: undefined }, undefined, undefined);
  if (finding.artifact === undefined) {
    throw new IngotError('invalid-package', `${path} holds no trained model`, {
      operation: 'init',
      hint: 'save the model first: pickle.dump, joblib.dump, an ONNX export, …',
    });
  }
  const template = await chooseTemplate(
    directory,
    finding,
    walk.files.map((file) => file.path),
  );
  const { signature } = await chooseSignature(finding, {}, undefined, []);
  const title = options.name ?? titleOf(directory, only);
  const drafts: readonly (readonly [string, Parts[keyof Parts], string])[] = [
    ['interface.py', parts.interface, template.source],
    ['requirements.txt', parts.requirements, requirementsText(template, finding, options.versions ?? {})],
    ['metadata.yaml', parts.metadata, metadataText(toModelName(title), signature, options)],
  ];
  const contents: Record<string, string> = {};
  const kept: string[] = [];
  for (const [name, existing, source] of drafts) {
    if (existing !== undefined) kept.push(existing.path);
    else if (options.dryRun === true || (await writeNew(join(directory, name), source))) contents[name] = source;
    else kept.push(name);
  }
  return {
    directory,
    written: Object.keys(contents),
    kept,
    flavor: template.kind,
    complete: template.complete,
    contents,
  };
}

async function locate(path: string): Promise<{ readonly directory: string; readonly only?: string }> {
  const absolute = resolve(path);
  const stats = await stat(absolute).catch(() => undefined);
  if (stats === undefined)
    throw packageError(path, [
      {
        severity: 'error',
        rule: 'package.not-found',
        message: `there is no file or directory ${path}`,
        fix: 'check the path',
      },
    ]);
  return stats.isDirectory() ? { directory: absolute } : { directory: dirname(absolute), only: basename(absolute) };
}

async function chooseTemplate(
  directory: string,
  finding: FlavorFinding,
  paths: readonly string[],
): Promise<InterfaceTemplate> {
  // Frameworks that write a folder may have written this one: then all of it is the artifact.
  const artifactPath = isFrameworkFolder(paths) ? '.' : (finding.artifactPath ?? '.');
  const isFolder = (await lstat(join(directory, artifactPath))).isDirectory();
  const prefix = artifactPath === '.' ? '' : `${artifactPath}/`;
  const modules = finding.pickles.flatMap(({ summary }) =>
    summary.globals.map(({ module }) => module.split('.', 1)[0] ?? ''),
  );
  const pickle = finding.pickles.find(({ path }) => path === artifactPath);
  return interfaceFor({
    artifactPath,
    isFolder,
    head: isFolder ? new Uint8Array() : await readHead(join(directory, artifactPath)),
    names: isFolder ? paths.flatMap((path) => (path.startsWith(prefix) ? [path.slice(prefix.length)] : [])) : [],
    modules,
    isPlainData: pickle !== undefined && pickle.summary.root === undefined,
  });
}

async function readHead(path: string): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1024), 0, 1024, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** What every model file is called names none: then its directory does. */
const ANY_MODEL =
  /^(?:(?:best|final|my|saved|trained|pytorch|tf|keras|xgb|lgbm)?[-_]?)*(?:model|estimator|pipeline|classifier|regressor|weights|checkpoint)$/i;

function titleOf(directory: string, only: string | undefined): string {
  const stem = only === undefined ? '' : basename(only, extname(only));
  return stem === '' || ANY_MODEL.test(stem) ? basename(directory) : stem;
}

/** Creates a file; false when something stands there by now. */
async function writeNew(path: string, source: string): Promise<boolean> {
  try {
    await writeFile(path, source, { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw diskError(error, dirname(path), 'init');
  }
}

function requirementsText(
  template: InterfaceTemplate,
  finding: FlavorFinding,
  versions: Readonly<Record<string, string>>,
): string {
  const modules = finding.pickles.flatMap(({ summary }) => summary.globals.map(({ module }) => module));
  const names = [...new Set([...template.requirements, ...distributionsOf(modules)])].sort();
  const installed = new Map(Object.entries(versions).map(([name, version]) => [normalizeDistribution(name), version]));
  const lines = names.map((name) => {
    const version = installed.get(normalizeDistribution(name));
    return version === undefined ? name : `${name}==${version}`;
  });
  const loose = lines.some((line) => !line.includes('=='));
  return `${loose ? '# Pin each one to the version the model was trained with: name==1.2.3\n' : ''}${lines.join('\n')}\n`;
}

function metadataText(name: string, signature: Signature | undefined, options: InitOptions): string {
  const lines = [
    `name: ${JSON.stringify(name)}`,
    'version: "0.1.0"',
    'description: "What it predicts, and from what."',
    ...(options.author === undefined ? [] : [`author: ${JSON.stringify(options.author)}`]),
    ...(options.createdDate === undefined ? [] : [`created_date: ${JSON.stringify(options.createdDate)}`]),
    '# trained_on_data: churn_data.csv',
    '',
    '# type: float, integer, boolean, string, categorical (with categories), datetime, tensor (with dtype and shape)',
    ...features(
      'input_features',
      signature?.inputs,
      '# - name: tenure\n#   type: float\n#   description: Months the customer has been with the company.',
    ),
    ...features('output', signature?.outputs, '# - name: churn_probability\n#   type: float'),
    'hyperparameters: {}',
  ];
  return `${lines.join('\n')}\n`;
}

function features(key: string, known: readonly Feature[] | undefined, example: string): string[] {
  if (known === undefined || known.length === 0) return [`${key}: []`, example];
  return [`${key}:`, ...known.flatMap(featureLines)];
}

function featureLines({ name, type, dtype, shape }: Feature): string[] {
  return [
    `- name: ${JSON.stringify(name)}`,
    `  type: ${type}`,
    ...(dtype === undefined ? [] : [`  dtype: ${dtype}`]),
    ...(shape === undefined ? [] : [`  shape: [${shape.join(', ')}]`]),
  ];
}
