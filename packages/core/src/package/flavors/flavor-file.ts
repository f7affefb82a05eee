import { isJsonObject, type JsonObject } from '../../json.ts';
import { type Flavor, isFlavor, type Problem } from '../package.ts';
import { whyUnsafePath } from '../paths.ts';
import type { Glance } from './flavor.ts';

/** Says at the top of a package what loads it. Written by the SDK, readable and writable by hand. */
export const FLAVOR_FILE = 'flavor.json';

/** What `flavor.json` says. Keys that only the flavor's own loader knows are not looked at. */
export interface FlavorFile {
  readonly flavor: Flavor;
  /** A file or folder of the package; `.` for the package itself. */
  readonly artifact?: string;
  /** It says of itself that loading it runs code. Never believed the other way round. */
  readonly executesCode: boolean;
  /** All that it says. */
  readonly description: JsonObject;
  /** The class of the object: `xgboost.sklearn.XGBClassifier`. */
  readonly className?: string;
}

/** Reads `flavor.json` where there is one; what is wrong with it are problems. */
export async function readFlavorFile(
  glance: Glance,
): Promise<{ readonly said?: FlavorFile; readonly problems: readonly Problem[] }> {
  const file = glance.file(FLAVOR_FILE);
  if (file === undefined) return { problems: [] };
  const value = await glance.json(FLAVOR_FILE);
  if (!isJsonObject(value) || typeof value.flavor !== 'string')
    return {
      problems: [warning('flavor.not-read', `${FLAVOR_FILE} names no flavor, so it is taken for a file like others`)],
    };
  if (!isFlavor(value.flavor))
    return {
      problems: [
        warning('flavor.unknown', `${FLAVOR_FILE} names the flavor "${value.flavor.slice(0, 60)}", which is not known`),
      ],
    };
  return check(value, value.flavor, glance);
}

function check(
  value: JsonObject,
  flavor: Flavor,
  glance: Glance,
): { readonly said?: FlavorFile; readonly problems: readonly Problem[] } {
  const { artifact } = value;
  const wrong = artifact === undefined ? undefined : whyWrongArtifact(artifact, glance);
  if (wrong !== undefined)
    return {
      problems: [
        {
          severity: 'error',
          rule: 'flavor.artifact',
          message: wrong,
          file: FLAVOR_FILE,
          fix: 'name a file or folder of the package',
        },
      ],
    };
  return {
    said: {
      flavor,
      ...(typeof artifact === 'string' ? { artifact } : {}),
      executesCode: value.executesCode === true,
      description: value,
      ...(typeof value.class === 'string' ? { className: value.class } : {}),
    },
    problems: [],
  };
}

function whyWrongArtifact(artifact: unknown, { files, file }: Glance): string | undefined {
  if (artifact === '.') return undefined;
  if (typeof artifact !== 'string') return `"artifact" in ${FLAVOR_FILE} is not a path`;
  const shown = JSON.stringify(artifact.slice(0, 80));
  const why = whyUnsafePath(artifact);
  if (why !== undefined) return `"artifact" in ${FLAVOR_FILE} is ${shown}, and ${why}`;
  if (file(artifact) !== undefined || files.some(({ path }) => path.startsWith(`${artifact}/`))) return undefined;
  return `${FLAVOR_FILE} names the artifact ${shown}, which is not in the package`;
}

function warning(rule: string, message: string): Problem {
  return {
    severity: 'warning',
    rule,
    message,
    file: FLAVOR_FILE,
    fix: 'write {"flavor": "…", "artifact": "…"} or remove it',
  };
}
