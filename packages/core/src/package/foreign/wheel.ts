import type { Inference } from '../package.ts';
import type { ForeignFolder } from './foreign-folder.ts';
import { flavorText, type ForeignFinding, metadataText, telling } from './foreign.ts';

/** Entry points of these groups give a model, or a function that loads one. */
const GROUPS = ['ingot.models', 'mlflow.models', 'models'];
/** What a module is asked for when no entry point says it. */
const LOADER = /^(?:def|async def)\s+(load_model|load)\s*\(\s*(?:\)|\w+\s*(?::[^=,)]+)?=)/m;

/** Reads an unpacked wheel that carries a model: its METADATA, entry points and modules. */
export async function readWheel(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  const info = folder.files.find(({ path }) => /^[^/]+\.dist-info\/METADATA$/.test(path))?.path;
  const text = info === undefined ? undefined : await folder.text(info);
  if (info === undefined || text === undefined) return undefined;
  const [head = ''] = text.replaceAll('\r\n', '\n').split('\n\n', 1);
  const values = (key: string): string[] =>
    [...head.matchAll(new RegExp(`^${key}: (.*)$`, 'gim'))].flatMap(([, value]) => value ?? []);
  const loader = (await entryPoint(folder, info)) ?? (await moduleLoader(folder));
  const spacy = spacyFolder(folder);
  const requirements = requirementsOf(values('Requires-Dist'));
  return {
    kind: 'a wheel',
    from: info,
    written: {
      ...(spacy === undefined
        ? {}
        : { 'flavor.json': flavorText({ flavor: 'spacy', artifact: spacy, input: 'texts', executesCode: true }) }),
      ...(loader === undefined || spacy !== undefined ? {} : { 'interface.py': interfaceOf(loader) }),
      ...(requirements === '' ? {} : { 'requirements.txt': requirements }),
      'metadata.yaml': metadataText({
        name: values('Name')[0],
        version: values('Version')[0],
        description: values('Summary')[0],
        author: values('Author')[0] ?? values('Author-email')[0],
        license: values('License-Expression')[0] ?? values('License')[0],
        wheel: telling({ home_page: values('Home-page')[0], requires_python: values('Requires-Python')[0] }),
      }),
    },
    understood: understood(loader, spacy),
  };
}

interface Loader {
  readonly module: string;
  readonly name: string;
  readonly from: string;
}

function understood(loader: Loader | undefined, spacy: string | undefined): Inference[] {
  if (spacy !== undefined) return [{ what: 'artifact', value: spacy, from: 'the spaCy pipeline in it' }];
  return loader === undefined
    ? []
    : [{ what: 'interface', value: `${loader.module}:${loader.name}`, from: loader.from }];
}

async function entryPoint(folder: ForeignFolder, info: string): Promise<Loader | undefined> {
  const text = await folder.text(info.replace(/METADATA$/, 'entry_points.txt'));
  for (const group of GROUPS) {
    const section = new RegExp(`^\\[${group.replace('.', '\\.')}\\]\\s*\\n([^[]*)`, 'm').exec(text ?? '')?.[1] ?? '';
    const [, module, name] = /^[^=\n]+=\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_]\w*)\s*$/m.exec(section) ?? [];
    if (module !== undefined && name !== undefined) return { module, name, from: `the entry point of ${group}` };
  }
  return undefined;
}

/** A module of the wheel that defines `load_model()` or `load()` without needed arguments. */
async function moduleLoader(folder: ForeignFolder): Promise<Loader | undefined> {
  const modules = folder.files.filter(({ path }) => /^(?:[A-Za-z_]\w*\/){0,2}[A-Za-z_]\w*\.py$/.test(path));
  for (const { path } of modules.slice(0, 100)) {
    const name = LOADER.exec((await folder.text(path)) ?? '')?.[1];
    if (name === undefined) continue;
    const module = path
      .replace(/\.py$/, '')
      .replace(/\/__init__$/, '')
      .replaceAll('/', '.');
    return { module, name, from: `${path} defines it` };
  }
  return undefined;
}

function interfaceOf({ module, name }: Loader): string {
  return `"""Loads the model that this wheel carries. Written when the wheel was stored."""

from ${module} import ${name} as load_original


def load_model():
    return load_original()
`;
}

/** `en_core_web_sm/en_core_web_sm-3.8.0`, the folder that holds `config.cfg`. */
function spacyFolder(folder: ForeignFolder): string | undefined {
  const config = folder.files.find(({ path }) => /^[^/]+\/[^/]+-\d[^/]*\/config\.cfg$/.test(path))?.path;
  const place = config?.slice(0, -'/config.cfg'.length);
  return place !== undefined && folder.has(`${place}/meta.json`) ? place : undefined;
}

/** What is needed everywhere: no extras, no other platforms. Versions stay as the wheel gives them. */
function requirementsOf(lines: readonly string[]): string {
  const needed = lines
    .filter((line) => !/;\s*.*\bextra\b/.test(line))
    .map((line) => line.replace(/\s*\(([^)]*)\)/, '$1'));
  return needed.length === 0 ? '' : `${needed.join('\n')}\n`;
}
