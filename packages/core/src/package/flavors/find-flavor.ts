import type { Capture } from '../../capture.ts';
import { type Flavor, type Inference, isFlavor, type Metadata } from '../package.ts';
import type { Parts } from '../parts.ts';
import type { SourceFile } from '../source-file.ts';
import { folderOf, rankArtifacts } from './artifacts.ts';
import { DETECTORS } from './detectors.ts';
import type { Detected, FlavorFinding, Glance } from './flavor.ts';
import { FLAVOR_FILE, type FlavorFile, readFlavorFile } from './flavor-file.ts';
import { FUNCTION_FILE } from './function.ts';
import { glanceAt } from './glance.ts';
import { runsCode } from './runs-code.ts';
import { findWarnings } from './warnings.ts';

/** A file that names more inputs than this describes none. */
const MAX_FEATURES = 10_000;
/** Files that Python imports as modules of the package, in whatever form. */
const CODE = /\.(?:pyc?|pyd|so|dylib|dll|zip|egg|whl)$/i;
const EXECUTES = /\.(?:pkl|pickle|joblib|sav|dill|cloudpickle|pt|pth|ckpt|npy)$/i;

/** What was decided; without `artifact` the likeliest file (or its folder) is it. */
interface Decision extends Omit<Detected, 'artifact' | 'from'> {
  readonly artifact?: string;
  readonly from?: string;
}

/**
 * Finds flavor and main artifact: an interface file wins, then `flavor.json`, then what was captured, then what the
 * detectors recognise by names and first bytes. Nothing is executed.
 */
export async function findFlavor(
  files: readonly SourceFile[],
  parts: Parts,
  metadata: Metadata | undefined,
  captured: Capture | undefined,
): Promise<FlavorFinding> {
  const artifacts = rankArtifacts(files, parts);
  const glance = await glanceAt(files, artifacts, metadata);
  const { said, problems } = await readFlavorFile(glance);
  const decided = await decide(glance, parts, said, captured);
  const place = placeOf(decided, glance);
  return {
    flavor: decided.flavor,
    ...place,
    pickles: glance.pickles,
    requirements: decided.requirements ?? [],
    ownModules: modulesOf(files),
    ...(decided.signature === undefined || decided.signature.inputs.length > MAX_FEATURES
      ? {}
      : { signature: decided.signature }),
    executesCode: executesCode({ decided, place, glance, parts, said, captured }),
    inferred: [...inferences(decided), ...(decided.understood ?? [])],
    problems: [
      ...problems,
      ...(decided.problems ?? []),
      ...findWarnings(decided.flavor, place.artifact, glance.pickles),
    ],
  };
}

async function decide(
  glance: Glance,
  parts: Parts,
  said: FlavorFile | undefined,
  captured: Capture | undefined,
): Promise<Decision> {
  if (parts.interface !== undefined) return { flavor: 'python' };
  if (said !== undefined)
    return { flavor: said.flavor, artifact: said.artifact ?? '.', from: `the file ${FLAVOR_FILE}` };
  if (isFlavor(captured?.flavor) && captured.flavor !== 'python')
    return { flavor: captured.flavor, artifact: glance.artifacts[0]?.path, from: 'what was captured' };
  for (const detect of DETECTORS) {
    const detected = await detect(glance);
    if (detected !== undefined) return detected;
  }
  return { flavor: 'file', from: 'no interface.py and no artifact that is known' };
}

/** The file to look into, and the path that stands for the artifact. */
function placeOf(
  { artifact }: Decision,
  { artifacts, file }: Glance,
): Pick<FlavorFinding, 'artifact' | 'artifactPath'> {
  const likeliest = artifacts[0];
  if (artifact === undefined)
    return likeliest === undefined ? {} : { artifact: likeliest, artifactPath: folderOf(likeliest.path, artifacts) };
  const named =
    artifact === '.' ? likeliest : (file(artifact) ?? artifacts.find(({ path }) => path.startsWith(`${artifact}/`)));
  return { ...(named && { artifact: named }), ...(artifact === '.' ? {} : { artifactPath: artifact }) };
}

interface Known {
  readonly decided: Decision;
  readonly place: Pick<FlavorFinding, 'artifact' | 'artifactPath'>;
  readonly glance: Glance;
  readonly parts: Parts;
  readonly said: FlavorFile | undefined;
  readonly captured: Capture | undefined;
}

/** Whether loading runs code that the package carries. A package is believed when it says so, never when it denies it. */
function executesCode({ decided, place, glance, parts, said, captured }: Known): boolean {
  const { files, artifacts, pickles, file } = glance;
  if (decided.flavor === 'onnx') return false;
  if (parts.interface !== undefined || parts.setup !== undefined) return true;
  if (pickles.length > 0 || captured?.serializer?.executesCode === true) return true;
  if (said !== undefined && (said.executesCode || files.some(({ path }) => CODE.test(path)))) return true;
  if (runsCode({ flavor: decided.flavor, description: said?.description ?? {}, artifact: place.artifactPath, files }))
    return true;
  if (file(FUNCTION_FILE) !== undefined && decided.flavor !== 'file') return true;
  return decided.executesCode ?? artifacts.some(({ path }) => EXECUTES.test(path));
}

/** Names under which Python files of the package are imported. */
function modulesOf(files: readonly SourceFile[]): ReadonlySet<string> {
  const sources = files.filter(({ path }) => path.endsWith('.py'));
  return new Set(sources.map(({ path }) => path.split('/', 1)[0]?.replace(/\.py$/, '') ?? ''));
}

function inferences({ flavor, from }: { readonly flavor: Flavor; readonly from?: string }): Inference[] {
  if (from === undefined) return [];
  const found = { what: 'flavor', value: flavor, from };
  if (flavor === 'file') return [found];
  return [found, { what: 'interface', value: `built in for ${flavor}`, from: 'there is no interface.py' }];
}
